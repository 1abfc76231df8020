package task

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// putState belongs to the put loop, except what mu guards.
//
// A partition's stay is the time from its assignment until it is taken away; it
// has a number, so that what was polled in one stay is told from what belongs to
// the next. The group's view (owned) changes in the consumer's callbacks at once,
// the put loop's (open) at the barriers, behind the batches.
type putState struct {
	started bool        // the plugin's Start was called; read after the loops ended
	hurry   atomic.Bool // the task failed or ends: what is queued is not put any more
	left    atomic.Bool // a call was left behind: nothing is called beside it, and Stop when it returns

	current  map[connectors.TopicPartition]kgo.EpochOffset // after the last put
	need     map[connectors.TopicPartition]int64           // rewound: records polled before that seek are dropped
	open     map[connectors.TopicPartition]int64           // stays that the plugin knows of
	rewinds  map[connectors.TopicPartition]int64
	timeout  time.Duration
	wantsNow bool // the plugin asked for a commit
	seekSeq  int64

	mu        sync.Mutex
	owned     map[connectors.TopicPartition]int64 // stays, by the consumer group
	stays     int64
	committed map[connectors.TopicPartition]int64
	seeks     map[connectors.TopicPartition]seek // for the consume loop to do
	batch     *pipeline.Batch                    // being put
	reported  error                              // a report under tolerance none: the task fails of it
	pending   sync.WaitGroup                     // the commit in flight
	inFlight  atomic.Bool
	seeking   atomic.Bool // seeks is not empty
}

// seek is where a partition is to be read on.
type seek struct{ gen, stay, offset int64 }

func (s *putState) init() {
	s.current = make(map[connectors.TopicPartition]kgo.EpochOffset)
	s.need = make(map[connectors.TopicPartition]int64)
	s.open = make(map[connectors.TopicPartition]int64)
	s.owned = make(map[connectors.TopicPartition]int64)
	s.committed = make(map[connectors.TopicPartition]int64)
	s.seeks = make(map[connectors.TopicPartition]seek)
}

// come begins a stay of each partition.
func (s *putState) come(parts []connectors.TopicPartition) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	stays := make([]int64, len(parts))
	for i, tp := range parts {
		s.stays++
		s.owned[tp], stays[i] = s.stays, s.stays
		delete(s.committed, tp)
	}
	return stays
}

// gone makes sure that nothing is put or committed for partitions that belong to
// somebody else: a commit after a revocation would put them back into the
// client's books and could skip records.
func (s *putState) gone(parts []connectors.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range parts {
		delete(s.owned, tp)
		delete(s.committed, tp)
	}
}

// owns reports whether the stay that the put loop is in goes on.
func (s *putState) owns(tp connectors.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[tp] != 0 && s.owned[tp] == s.open[tp]
}

// close forgets what the put loop knows of partitions.
func (s *putState) close(parts []connectors.TopicPartition) {
	for _, tp := range parts {
		delete(s.open, tp)
		delete(s.current, tp)
		delete(s.need, tp)
	}
}

func (s *putState) setBatch(b *pipeline.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch = b
}

// takeReported returns the error that a report must fail the task with.
func (s *putState) takeReported() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reported
}

// putLoop is the only goroutine on which the plugin works with records.
func (r *sinkRun) putLoop() {
	defer close(r.putDone)
	if err := guard(func() error { r.runPut(); return nil }); err != nil {
		r.put.hurry.Store(true)
		r.fail(err)
	}
}

func (r *sinkRun) runPut() {
	select {
	case <-r.ctx.Done():
		return
	case <-r.up:
	}
	t := time.NewTicker(r.FlushInterval)
	defer t.Stop()
	quiet := true
	failed := func(err error) {
		r.put.hurry.Store(true)
		r.fail(err)
	}
	for r.ctx.Err() == nil {
		select {
		case <-r.ctx.Done():
			return
		case m := <-r.toPut:
			if m.barrier != nil {
				if err := r.atBarrier(m.barrier); err != nil {
					failed(err)
				}
				if m.barrier.kind == last {
					return
				}
			} else {
				quiet = false
				if err := r.putBatch(m.batch); err != nil {
					failed(err)
				}
			}
		case b := <-r.urgent:
			if b.seen || r.ctx.Err() != nil {
				continue
			}
			if err := r.atOnce(b); err != nil {
				failed(err)
			}
		case <-t.C:
			if r.put.hurry.Load() || len(r.put.open) == 0 {
				continue
			}
			if quiet {
				// Kafka Connect puts an empty batch when a poll gave nothing; sinks that
				// flush by time rely on it.
				err := r.callPut(nil)
				if said := r.put.takeReported(); said != nil {
					err = said
				}
				if err != nil && !retriablePut(err) {
					failed(putError(err))
					continue
				}
			}
			quiet = true
			r.rewind()
			r.commit(nil, false)
			r.rewind()
		}
	}
}

func putError(err error) error {
	return &connectors.Error{JavaClass: connectors.ConnectException, Class: classOf(err), Msg: "Exiting WorkerSinkTask due to unrecoverable exception.", Cause: err}
}

// retriablePut reports whether the same records may be put again. A report that
// fails the task does so whatever it reported.
func retriablePut(err error) bool {
	var reported *pipeline.PoisonError
	return connectors.IsRetriable(err) && !errors.As(err, &reported)
}

// putBatch puts a batch, again and again while the plugin says that it may work
// later.
func (r *sinkRun) putBatch(b *pipeline.Batch) error {
	s := &r.put
	e := b.Entry.(*sinkEntry)
	s.setBatch(b)
	defer s.setBatch(nil)
	for k := 0; ; k++ {
		if s.hurry.Load() || r.ctx.Err() != nil {
			return nil
		}
		r.dropGone(b, e)
		live := compact(b)
		begun := time.Now()
		err := r.stageSpan(b, "put", func() error { return r.callPut(live) })
		if said := s.takeReported(); said != nil { // whatever Put returned
			return putError(said)
		}
		if err == nil {
			r.Metrics.PutTime.Add(time.Since(begun))
			r.Metrics.Sent.Add(int64(len(live)))
			break
		}
		if !retriablePut(err) {
			return putError(err)
		}
		d := s.timeout
		if d == 0 {
			d = min(500*time.Millisecond<<min(k, 10), 30*time.Second)
		}
		s.timeout = 0
		if k < 3 || k%10 == 0 {
			r.Log.Warn("put failed and is tried again with the same records", "after", d, "records", len(live), "err", err)
		}
		if err := r.waitToPut(d); err != nil {
			return err
		}
		if r.pollCtx.Err() != nil {
			// Asked to stop: the records were not taken and are read again.
			s.hurry.Store(true)
			return nil
		}
		r.rewind()
	}
	for _, end := range e.ends {
		if _, skipping := s.need[end.tp]; skipping || !s.owns(end.tp) {
			continue
		}
		s.current[end.tp] = kgo.EpochOffset{Epoch: end.epoch, Offset: end.next}
		s.mu.Lock()
		if _, ok := s.committed[end.tp]; !ok && s.owned[end.tp] == s.open[end.tp] {
			s.committed[end.tp] = end.first
		}
		s.mu.Unlock()
	}
	r.rewind()
	s.setBatch(nil)
	r.retire(b)
	if s.wantsNow {
		s.wantsNow = false
		r.commit(nil, false)
		r.rewind()
	}
	return nil
}

// waitToPut waits until a batch may be put again. Partitions that are taken away
// meanwhile are committed and closed at once: the whole group waits for that.
func (r *sinkRun) waitToPut(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-r.pollCtx.Done():
			return nil
		case <-t.C:
			return nil
		case b := <-r.urgent:
			if err := r.atOnce(b); err != nil {
				return err
			}
		}
	}
}

// atOnce deals with a barrier ahead of the batches before it, which are dropped
// then: they are read again by whom the partitions go to. One that takes away
// what did not come yet has to wait for its turn.
func (r *sinkRun) atOnce(b *barrier) error {
	for _, tp := range b.parts {
		if b.seen || r.put.open[tp] == 0 {
			return nil
		}
	}
	return r.atBarrier(b)
}

// compact moves the live records to the front; the plugin sees only them.
func compact(b *pipeline.Batch) []data.Record {
	if b.Live() == len(b.Records) {
		return b.Records
	}
	live := make([]data.Record, 0, b.Live())
	for i := range b.Records {
		if b.States[i] == pipeline.Live {
			live = append(live, b.Records[i])
		}
	}
	return live
}

// dropGone drops the records of partitions that were taken away, and those that a
// rewind will bring again.
func (r *sinkRun) dropGone(b *pipeline.Batch, e *sinkEntry) {
	s := &r.put
	for _, end := range e.ends {
		need, skipping := s.need[end.tp]
		if skipping && end.gen >= need {
			delete(s.need, end.tp)
			skipping = false
		}
		if !skipping && s.owns(end.tp) {
			continue
		}
		for i := range b.Raw {
			if b.Raw[i].Topic == end.tp.Topic && b.Raw[i].Partition == end.tp.Partition && b.States[i] == pipeline.Live {
				b.Drop(i, pipeline.Filtered)
			}
		}
	}
}

// call calls a method of the plugin from the put loop.
func (r *sinkRun) call(ctx context.Context, name string, f func(context.Context) error) error {
	if r.put.left.Load() {
		return connectors.Errorf("%s: not called beside an earlier call: %w", name, errAbandoned)
	}
	err := callOr(ctx, r.Metrics, name, r.CallTimeout, f, func() { stopLate(r.Log, r.parts.Load().Task.Stop, r.Grace) })
	if Abandoned(err) {
		r.put.left.Store(true)
		r.put.hurry.Store(true)
	}
	return err
}

func (r *sinkRun) callPut(recs []data.Record) error {
	return guard(func() error { return r.parts.Load().Task.Put(r.ctx, recs) })
}

func (r *sinkRun) retire(b *pipeline.Batch) {
	r.Metrics.BatchTime.Add(time.Since(b.Polled))
	if b.Trace != nil {
		r.Spans.End(b.Trace, len(b.Records), nil)
	}
	bytes := b.Bytes
	r.pool.put(b)
	r.credit.give(bytes)
	r.Metrics.Credit.Store(r.credit.inUse())
}

// rewind applies what the plugin asked for by Offset.
func (r *sinkRun) rewind() {
	s := &r.put
	if len(s.rewinds) == 0 {
		return
	}
	to := s.rewinds
	s.rewinds = nil
	r.seek(to)
}

// seek has partitions read on from other offsets. The consume loop moves the
// client; records that it polled before are dropped when they come.
func (r *sinkRun) seek(to map[connectors.TopicPartition]int64) {
	s := &r.put
	any := false
	for tp, off := range to {
		if !s.owns(tp) {
			continue
		}
		any = true
		s.seekSeq++
		s.need[tp] = s.seekSeq
		s.current[tp] = kgo.EpochOffset{Epoch: -1, Offset: off}
		s.mu.Lock()
		s.committed[tp] = off
		s.seeks[tp] = seek{gen: s.seekSeq, stay: s.open[tp], offset: off}
		s.seeking.Store(true)
		s.mu.Unlock()
	}
	if any {
		r.gate.poke() // a poll of a quiet topic would not see it
	}
}

// doSeeks moves the client to where the put loop wants it. It belongs to the
// consume loop, between two polls and while the group cannot rebalance, so that it
// is certain which records were polled before and which after. The client does not
// move in a partition of which it has neither a committed offset nor a record;
// then it is tried again after the next poll.
func (r *sinkRun) doSeeks() {
	s := &r.put
	if !s.seeking.Load() {
		return
	}
	s.mu.Lock()
	todo := make(map[connectors.TopicPartition]seek, len(s.seeks))
	set := make(map[string]map[int32]kgo.EpochOffset)
	for tp, k := range s.seeks {
		if s.owned[tp] != k.stay {
			delete(s.seeks, tp)
			continue
		}
		todo[tp] = k
		if set[tp.Topic] == nil {
			set[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		set[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: k.offset}
	}
	s.mu.Unlock()
	r.client.SetOffsets(set)
	at := r.client.CommittedOffsets() // where SetOffsets leaves its mark
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp, k := range todo {
		if eo, ok := at[tp.Topic][tp.Partition]; ok && eo.Offset == k.offset && eo.Epoch == -1 {
			r.gens[tp] = k.gen
			if s.seeks[tp] == k {
				delete(s.seeks, tp)
			}
		}
	}
	s.seeking.Store(len(s.seeks) > 0)
}

// atBarrier deals with partitions that come or go, and with the end.
func (r *sinkRun) atBarrier(b *barrier) error {
	if b.seen {
		return nil
	}
	b.seen = true
	defer close(b.done)
	s := &r.put
	task := r.parts.Load().Task
	switch b.kind {
	case assigned:
		for i, tp := range b.parts {
			s.close([]connectors.TopicPartition{tp})
			s.open[tp] = b.stays[i]
		}
		r.Metrics.Partitions.Store(int64(len(s.open)))
		if op, ok := task.(connectors.Opener); ok && !s.hurry.Load() {
			parts := slices.Clone(b.parts)
			if err := r.call(r.pollCtx, "opening partitions", func(ctx context.Context) error { return op.Open(ctx, parts) }); err != nil && r.pollCtx.Err() == nil {
				return connectors.Errorf("opening partitions: %w", err)
			}
		}
		r.rewind() // sinks that keep their offsets themselves ask for them here
		return nil
	case last:
		b.parts = slices.Collect(maps.Keys(s.open))
	}
	if b.kind != lost && len(b.parts) > 0 {
		r.commit(b.parts, true)
	}
	s.close(b.parts)
	r.Metrics.Partitions.Store(int64(len(s.open)))
	if cl, ok := task.(connectors.Closer); ok && len(b.parts) > 0 {
		parts := slices.Clone(b.parts)
		if err := r.call(context.WithoutCancel(r.ctx), "closing partitions", func(ctx context.Context) error { return cl.Close(ctx, parts) }); err != nil {
			return connectors.Errorf("closing partitions: %w", err)
		}
	}
	return nil
}

// commit asks the plugin what is safe and commits that, for the given partitions
// (nil: all). With wait it returns once the broker has answered; otherwise one
// commit is in flight at a time and the next waits for its turn.
func (r *sinkRun) commit(parts []connectors.TopicPartition, wait bool) {
	s := &r.put
	if !wait && s.inFlight.Load() {
		return
	}
	s.pending.Wait()
	want := make(map[connectors.TopicPartition]int64)
	for tp, eo := range s.current {
		if (parts == nil || slices.Contains(parts, tp)) && s.owns(tp) {
			want[tp] = eo.Offset
		}
	}
	if len(want) == 0 {
		return
	}
	if dlq := r.parts.Load().DLQ; dlq != nil {
		ctx, cancel := context.WithTimeout(r.ctx, r.FlushTimeout)
		err := dlq.Flush(ctx)
		cancel()
		if err != nil {
			r.Log.Warn("offsets are not committed, because reports to the dead letter queue are outstanding", "err", err)
			return
		}
	}
	begun := time.Now()
	r.Metrics.CommitSeq.Add(1)
	safe, err := r.preCommit(want)
	if err != nil {
		r.Metrics.CommitFails.Add(1)
		if Abandoned(err) && r.pollCtx.Err() == nil {
			r.fail(err)
			return
		}
		if r.pollCtx.Err() != nil || wait {
			r.Log.Error("Offset commit failed; records since the last commit are delivered again", "err", err)
			return
		}
		r.Log.Error("Offset commit failed, rewinding to last committed offsets", "err", err)
		s.mu.Lock()
		back := maps.Clone(s.committed)
		s.mu.Unlock()
		r.seek(back)
		return
	}
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	s.mu.Lock()
	for tp, off := range safe {
		cur, asked := want[tp]
		if !asked || off > cur {
			r.Log.Warn("the task wants to commit an offset that it was not asked about; ignored", "partition", tp.String(), "offset", off)
			continue
		}
		if c, ok := s.committed[tp]; (ok && c == off) || s.owned[tp] == 0 || s.owned[tp] != s.open[tp] {
			continue
		}
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		epoch := int32(-1)
		if eo := s.current[tp]; eo.Offset == off {
			epoch = eo.Epoch
		}
		offsets[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: epoch, Offset: off}
	}
	s.mu.Unlock()
	if len(offsets) == 0 {
		r.Metrics.Commits.Add(1)
		return
	}
	stays := make(map[connectors.TopicPartition]int64, len(want))
	for tp := range want {
		stays[tp] = s.open[tp]
	}
	s.inFlight.Store(true)
	s.pending.Go(func() {
		defer s.inFlight.Store(false)
		r.sendCommit(offsets, stays, begun)
	})
	if wait {
		s.pending.Wait()
	}
}

// sendCommit commits offsets of stays that still go on.
func (r *sinkRun) sendCommit(offsets map[string]map[int32]kgo.EpochOffset, stays map[connectors.TopicPartition]int64, begun time.Time) {
	s := &r.put
	ctx, cancel := context.WithTimeout(r.ctx, r.FlushTimeout)
	defer cancel()
	s.mu.Lock()
	for t, ps := range offsets {
		for p := range ps {
			if tp := (connectors.TopicPartition{Topic: t, Partition: p}); s.owned[tp] != stays[tp] {
				delete(ps, p)
			}
		}
		if len(ps) == 0 {
			delete(offsets, t)
		}
	}
	s.mu.Unlock()
	if len(offsets) == 0 {
		return
	}
	err := r.send(ctx, offsets)
	if err != nil {
		r.Metrics.CommitFails.Add(1)
		if !errors.Is(err, context.Canceled) {
			r.Log.Warn("Commit of offsets failed; they are committed with the next ones", "err", err)
		}
		return
	}
	r.Metrics.Commits.Add(1)
	r.Metrics.CommitTime.Add(time.Since(begun))
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, ps := range offsets {
		for p, eo := range ps {
			if tp := (connectors.TopicPartition{Topic: t, Partition: p}); s.owned[tp] == stays[tp] {
				s.committed[tp] = eo.Offset
			}
		}
	}
}

// preCommit asks the plugin which offsets are safe. The plugin has maps of its
// own: what it does with them must not change what we compare its answer with.
func (r *sinkRun) preCommit(want map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	task := r.parts.Load().Task
	theirs := maps.Clone(want)
	switch t := task.(type) {
	case connectors.PreCommitter:
		answer := make(chan map[connectors.TopicPartition]int64, 1)
		err := r.call(r.ctx, "preCommit", func(ctx context.Context) error {
			safe, err := t.PreCommit(ctx, theirs)
			answer <- maps.Clone(safe)
			return err
		})
		if err != nil {
			return nil, err
		}
		return <-answer, nil
	case connectors.Flusher:
		return want, r.call(r.ctx, "flush", func(ctx context.Context) error { return t.Flush(ctx, theirs) })
	}
	return want, nil
}

// sinkContext is what the plugin is given.
type sinkContext struct {
	*plugin
	r *sinkRun
}

// Offset implements [connectors.SinkTaskContext].
func (c sinkContext) Offset(offsets map[connectors.TopicPartition]int64) {
	if c.r.put.rewinds == nil {
		c.r.put.rewinds = make(map[connectors.TopicPartition]int64)
	}
	maps.Copy(c.r.put.rewinds, offsets)
}

// Timeout implements [connectors.SinkTaskContext].
func (c sinkContext) Timeout(d time.Duration) { c.r.put.timeout = d }

// Assignment implements [connectors.SinkTaskContext].
func (c sinkContext) Assignment() []connectors.TopicPartition {
	return slices.Collect(maps.Keys(c.r.put.open))
}

func (c sinkContext) check(parts []connectors.TopicPartition) error {
	for _, tp := range parts {
		if c.r.put.open[tp] == 0 {
			return &connectors.Error{JavaClass: "org.apache.kafka.connect.errors.IllegalWorkerStateException",
				Msg: "SinkTasks may not pause partitions that are not currently assigned to them."}
		}
	}
	return nil
}

func byTopic(parts []connectors.TopicPartition) map[string][]int32 {
	m := make(map[string][]int32)
	for _, tp := range parts {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}

// Pause implements [connectors.SinkTaskContext].
func (c sinkContext) Pause(parts ...connectors.TopicPartition) error {
	if err := c.check(parts); err != nil {
		return err
	}
	if c.r.client != nil {
		c.r.client.PauseFetchPartitions(byTopic(parts))
	}
	return nil
}

// Resume implements [connectors.SinkTaskContext].
func (c sinkContext) Resume(parts ...connectors.TopicPartition) error {
	if err := c.check(parts); err != nil {
		return err
	}
	if c.r.client != nil {
		c.r.client.ResumeFetchPartitions(byTopic(parts))
	}
	return nil
}

// RequestCommit implements [connectors.SinkTaskContext].
func (c sinkContext) RequestCommit() { c.r.put.wantsNow = true }

// ErrantRecords implements [connectors.SinkTaskContext].
func (c sinkContext) ErrantRecords() connectors.ErrantRecordReporter {
	if c.r.parts.Load().Errant == nil {
		return nil
	}
	return errantReporter{c.r}
}

// errantReporter implements KIP-610. It may be called from any goroutine.
type errantReporter struct{ r *sinkRun }

// Report implements [connectors.ErrantRecordReporter].
func (e errantReporter) Report(ctx context.Context, rec *data.Record, cause error) error {
	parts := e.r.parts.Load()
	raw, err := e.raw(ctx, rec)
	if err != nil {
		return connectors.Errorf("reporting record %s-%d@%d: %w", rec.OriginalTopic, rec.OriginalPartition, rec.OriginalOffset, err)
	}
	_, fatal := parts.Errors.Handle(ctx, pipeline.Report{Stage: pipeline.TaskPut, Class: parts.TaskClass, Raw: raw, Err: cause}, nil)
	if fatal != nil {
		s := &e.r.put
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.reported == nil {
			s.reported = fatal
		}
	}
	return fatal
}

// raw finds the bytes that were consumed for a record; a record that is in no
// batch any more is written anew through the task's converters.
func (e errantReporter) raw(ctx context.Context, rec *data.Record) (*pipeline.Raw, error) {
	if raw := e.consumed(rec); raw != nil {
		return raw, nil
	}
	one := &pipeline.Batch{Records: []data.Record{*rec}}
	one.Reset(1)
	e.r.errant.Lock()
	defer e.r.errant.Unlock()
	if err := e.r.parts.Load().Errant.ToRaw(ctx, one); err != nil {
		return nil, err
	}
	raw := one.Raw[0]
	raw.Topic, raw.Partition, raw.Offset, raw.TimestampType = rec.OriginalTopic, rec.OriginalPartition, rec.OriginalOffset, rec.TimestampType
	return &raw, nil
}

// consumed returns a copy of a record's bytes while its batch is being put.
func (e errantReporter) consumed(rec *data.Record) *pipeline.Raw {
	s := &e.r.put
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batch == nil {
		return nil
	}
	for i := range s.batch.Raw {
		if b := &s.batch.Raw[i]; b.Offset == rec.OriginalOffset && b.Partition == rec.OriginalPartition && b.Topic == rec.OriginalTopic {
			raw := *b
			return &raw
		}
	}
	return nil
}

// commitOffsets commits and waits for the answer.
func commitOffsets(ctx context.Context, cl *kgo.Client, offsets map[string]map[int32]kgo.EpochOffset) error {
	var failed error
	cl.CommitOffsetsSync(ctx, offsets, commitAnswer(&failed))
	return failed
}
