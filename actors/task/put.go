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
type putState struct {
	started bool        // the plugin's Start was called; read after the loops ended
	hurry   atomic.Bool // the task failed: what is queued is not put any more

	current   map[connectors.TopicPartition]kgo.EpochOffset // after the last put
	skipUntil map[connectors.TopicPartition]int64           // rewound: records are dropped until this offset comes
	open      map[connectors.TopicPartition]bool
	batch     *pipeline.Batch // being put
	rewinds   map[connectors.TopicPartition]int64
	timeout   time.Duration
	wantsNow  bool // the plugin asked for a commit
	firstErr  error

	mu        sync.Mutex
	owned     map[connectors.TopicPartition]bool // by the consumer group
	committed map[connectors.TopicPartition]int64
	pending   sync.WaitGroup // the commit in flight
	inFlight  atomic.Bool
}

func (s *putState) init() {
	s.current = make(map[connectors.TopicPartition]kgo.EpochOffset)
	s.skipUntil = make(map[connectors.TopicPartition]int64)
	s.open = make(map[connectors.TopicPartition]bool)
	s.owned = make(map[connectors.TopicPartition]bool)
	s.committed = make(map[connectors.TopicPartition]int64)
}

func (s *putState) come(parts []connectors.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range parts {
		s.owned[tp] = true
	}
}

// gone makes sure that nothing is committed for partitions that belong to
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

func (s *putState) owns(tp connectors.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[tp]
}

// putLoop is the only goroutine on which the plugin works with records.
func (r *sinkRun) putLoop() {
	defer close(r.putDone)
	select {
	case <-r.ctx.Done():
		return
	case <-r.up:
	}
	t := time.NewTicker(r.FlushInterval)
	defer t.Stop()
	quiet := true
	for {
		select {
		case <-r.ctx.Done():
			return
		case m := <-r.toPut:
			var err error
			if m.barrier != nil {
				err = r.atBarrier(m.barrier)
				close(m.barrier.done)
				if m.barrier.kind == last {
					return
				}
			} else {
				quiet = false
				err = r.putBatch(m.batch)
			}
			if err != nil {
				r.put.hurry.Store(true)
				r.fail(err)
			}
		case <-t.C:
			if r.put.hurry.Load() || len(r.put.open) == 0 {
				continue
			}
			if quiet {
				// Kafka Connect puts an empty batch when a poll gave nothing; sinks that
				// flush by time rely on it.
				if err := r.callPut(nil); err != nil && !connectors.IsRetriable(err) {
					r.put.hurry.Store(true)
					r.fail(putError(err))
					continue
				}
			}
			quiet = true
			r.commit(nil, false)
		}
	}
}

func putError(err error) error {
	return &connectors.Error{JavaClass: connectors.ConnectException, Class: connectors.ClassOf(err), Msg: "Exiting WorkerSinkTask due to unrecoverable exception.", Cause: err}
}

// putBatch puts a batch, again and again while the plugin says that it may work
// later.
func (r *sinkRun) putBatch(b *pipeline.Batch) error {
	s := &r.put
	e := b.Entry.(*sinkEntry)
	for k := 0; ; k++ {
		if s.hurry.Load() {
			return nil
		}
		if k > 0 || len(s.skipUntil) > 0 {
			r.dropGone(b, e)
		}
		live := compact(b)
		s.batch = b
		begun := time.Now()
		err := r.stageSpan(b, "put", func() error { return r.callPut(live) })
		s.batch = nil
		if s.firstErr != nil { // reported with tolerance none, whatever Put returned
			return putError(s.firstErr)
		}
		if err == nil {
			r.Metrics.PutTime.Add(time.Since(begun))
			r.Metrics.Sent.Add(int64(len(live)))
			break
		}
		if !connectors.IsRetriable(err) {
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
		wait(r.pollCtx, d)
		if r.pollCtx.Err() != nil {
			// Asked to stop: the records were not taken and are read again.
			s.hurry.Store(true)
			return nil
		}
		r.rewind()
	}
	for _, end := range e.ends {
		if _, skipping := s.skipUntil[end.tp]; skipping || !s.open[end.tp] {
			continue
		}
		s.current[end.tp] = kgo.EpochOffset{Epoch: end.epoch, Offset: end.next}
		s.mu.Lock()
		if _, ok := s.committed[end.tp]; !ok && s.owned[end.tp] {
			s.committed[end.tp] = end.first
		}
		s.mu.Unlock()
	}
	r.rewind()
	r.retire(b)
	if s.wantsNow {
		s.wantsNow = false
		r.commit(nil, false)
	}
	return nil
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
		until, skipping := s.skipUntil[end.tp]
		owned := s.owns(end.tp)
		if owned && !skipping {
			continue
		}
		if skipping && owned && end.first == until {
			delete(s.skipUntil, end.tp)
			continue
		}
		for i := range b.Raw {
			if b.Raw[i].Topic == end.tp.Topic && b.Raw[i].Partition == end.tp.Partition && b.States[i] == pipeline.Live {
				b.Drop(i, pipeline.Filtered)
			}
		}
	}
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
	r.seek(s.rewinds)
	s.rewinds = nil
}

func (r *sinkRun) seek(to map[connectors.TopicPartition]int64) {
	s := &r.put
	set := make(map[string]map[int32]kgo.EpochOffset)
	for tp, off := range to {
		if !s.owns(tp) {
			continue
		}
		if set[tp.Topic] == nil {
			set[tp.Topic] = make(map[int32]kgo.EpochOffset)
		}
		set[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: off}
		s.skipUntil[tp] = off
		s.current[tp] = kgo.EpochOffset{Epoch: -1, Offset: off}
		s.mu.Lock()
		s.committed[tp] = off
		s.mu.Unlock()
	}
	if len(set) > 0 {
		r.client.SetOffsets(set)
	}
}

// atBarrier deals with partitions that come or go, and with the end.
func (r *sinkRun) atBarrier(b *barrier) error {
	s := &r.put
	task := r.parts.Load().Task
	switch b.kind {
	case assigned:
		for _, tp := range b.parts {
			s.open[tp] = true
			delete(s.current, tp)
			delete(s.skipUntil, tp)
		}
		r.Metrics.Partitions.Store(int64(len(s.open)))
		if op, ok := task.(connectors.Opener); ok {
			if err := call(r.pollCtx, r.Metrics, "opening partitions", r.CallTimeout, func(ctx context.Context) error { return op.Open(ctx, b.parts) }); err != nil && r.pollCtx.Err() == nil {
				return connectors.Errorf("opening partitions: %w", err)
			}
		}
		return nil
	case last:
		b.parts = slices.Collect(maps.Keys(s.open))
	}
	if b.kind != lost && len(b.parts) > 0 {
		r.commit(b.parts, true)
	}
	for _, tp := range b.parts {
		delete(s.open, tp)
		delete(s.current, tp)
		delete(s.skipUntil, tp)
	}
	r.Metrics.Partitions.Store(int64(len(s.open)))
	if cl, ok := task.(connectors.Closer); ok && len(b.parts) > 0 {
		if err := call(context.WithoutCancel(r.ctx), r.Metrics, "closing partitions", r.CallTimeout, func(ctx context.Context) error { return cl.Close(ctx, b.parts) }); err != nil {
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
		if c, ok := s.committed[tp]; (ok && c == off) || !s.owned[tp] {
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
	s.inFlight.Store(true)
	s.pending.Go(func() {
		defer s.inFlight.Store(false)
		r.sendCommit(offsets, begun)
	})
	if wait {
		s.pending.Wait()
	}
}

func (r *sinkRun) sendCommit(offsets map[string]map[int32]kgo.EpochOffset, begun time.Time) {
	s := &r.put
	ctx, cancel := context.WithTimeout(r.ctx, r.FlushTimeout)
	defer cancel()
	err := commitOffsets(ctx, r.client, offsets)
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
			if tp := (connectors.TopicPartition{Topic: t, Partition: p}); s.owned[tp] {
				s.committed[tp] = eo.Offset
			}
		}
	}
}

// preCommit asks the plugin which offsets are safe.
func (r *sinkRun) preCommit(want map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	task := r.parts.Load().Task
	switch t := task.(type) {
	case connectors.PreCommitter:
		var safe map[connectors.TopicPartition]int64
		err := call(r.ctx, r.Metrics, "preCommit", r.CallTimeout, func(ctx context.Context) (err error) {
			safe, err = t.PreCommit(ctx, want)
			return err
		})
		return safe, err
	case connectors.Flusher:
		return want, call(r.ctx, r.Metrics, "flush", r.CallTimeout, func(ctx context.Context) error { return t.Flush(ctx, want) })
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
		if !c.r.put.open[tp] {
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

// errantReporter implements KIP-610. Call it from the task's own goroutine or
// while Put waits.
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
		e.r.put.firstErr = fatal
	}
	return fatal
}

// raw finds the bytes that were consumed for a record; a record that is in no
// batch any more is written anew through the task's converters.
func (e errantReporter) raw(ctx context.Context, rec *data.Record) (*pipeline.Raw, error) {
	if b := e.r.put.batch; b != nil {
		for i := range b.Raw {
			if b.Raw[i].Offset == rec.OriginalOffset && b.Raw[i].Partition == rec.OriginalPartition && b.Raw[i].Topic == rec.OriginalTopic {
				raw := b.Raw[i]
				return &raw, nil
			}
		}
	}
	one := &pipeline.Batch{Records: []data.Record{*rec}}
	one.Reset(1)
	if err := e.r.parts.Load().Errant.ToRaw(ctx, one); err != nil {
		return nil, err
	}
	raw := one.Raw[0]
	raw.Topic, raw.Partition, raw.Offset, raw.TimestampType = rec.OriginalTopic, rec.OriginalPartition, rec.OriginalOffset, rec.TimestampType
	return &raw, nil
}

// commitOffsets commits and waits for the answer.
func commitOffsets(ctx context.Context, cl *kgo.Client, offsets map[string]map[int32]kgo.EpochOffset) error {
	var failed error
	cl.CommitOffsetsSync(ctx, offsets, commitAnswer(&failed))
	return failed
}
