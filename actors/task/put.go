package task

import (
	"context"
	"errors"
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
	active    active
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
		s.active.forget(tp)
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
		s.active.forget(tp)
	}
}

// joined reports whether the task has been given a partition yet.
func (s *putState) joined() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stays > 0
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
	t := newBeat(r.FlushInterval)
	defer t.stop()
	quiet := true
	failed := func(err error) {
		r.put.hurry.Store(true)
		r.fail(err)
	}
	for r.ctx.Err() == nil {
		select {
		case <-r.ctx.Done():
			return
		case <-r.toPut.ready:
			m, ok := r.toPut.pop()
			if !ok {
				continue
			}
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
			t.again()
			r.pool.release()
			if r.put.hurry.Load() || len(r.put.open) == 0 || !r.allowed() {
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
		if s.hurry.Load() || r.ctx.Err() != nil || !r.allowed() {
			return nil
		}
		r.dropGone(b, e)
		live := compact(b)
		begun := time.Now()
		err := r.stageSpan(b, "put", b.Raw[0].Topic, func() error { return r.callPut(live) })
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

func (r *sinkRun) retire(b *pipeline.Batch) { r.finish(b, len(b.Records)) }
