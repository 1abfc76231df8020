package task

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// putMsg is a batch or a barrier; one of them.
type putMsg struct {
	batch   *pipeline.Batch
	barrier *barrier
}

type barrierKind uint8

const (
	assigned barrierKind = iota
	revoked
	lost
	last // the task ends: commit and close all
)

// barrier follows the batches that were consumed before it.
type barrier struct {
	kind  barrierKind
	parts []connectors.TopicPartition
	stays []int64       // of an assignment: the stay of each partition
	done  chan struct{} // closed by the put loop
	seen  bool          // of the put loop: dealt with ahead of its turn
}

// sinkEntry is where a batch ends in each partition.
type sinkEntry struct {
	ends []partEnd
}

type partEnd struct {
	tp          connectors.TopicPartition
	first, next int64 // offset of the first record, and one past the last
	epoch       int32
	gen         int64 // the last seek in the partition when the records were polled
}

// barrier tells the put loop, behind all batches, that partitions come or go. For
// those that go it waits until their offsets are committed, within the grace: a
// put that hangs must not hold up the whole group. What was not committed by then
// never is by this task: putState.gone sees to that.
func (r *sinkRun) barrier(kind barrierKind, m map[string][]int32, wait bool) {
	if r.dead.Load() {
		return
	}
	b := &barrier{kind: kind, done: make(chan struct{})}
	for t, ps := range m {
		for _, p := range ps {
			b.parts = append(b.parts, connectors.TopicPartition{Topic: t, Partition: p})
		}
	}
	if len(b.parts) == 0 {
		return
	}
	if kind == assigned {
		b.stays = r.put.come(b.parts)
	}
	if kind == lost {
		r.put.gone(b.parts)
	}
	r.sys.Root.Send(r.first, b)
	if !wait {
		return
	}
	select {
	case r.urgent <- b: // a put that waits to be tried again takes it from here
	default:
	}
	t := time.NewTimer(r.Grace)
	defer t.Stop()
	select {
	case <-b.done:
	case <-r.ctx.Done():
	case <-r.broken:
	case <-t.C:
		r.Log.Warn("partitions were revoked while the sink was busy; records put since the last commit will be delivered again", "partitions", b.parts)
	}
	r.put.gone(b.parts)
	r.Metrics.Active.Store(r.put.activeCount())
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
