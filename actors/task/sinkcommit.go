package task

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

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
	if len(want) == 0 || !r.allowed() {
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
	if len(offsets) == 0 || !r.allowed() {
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
				s.settled(tp, eo.Offset)
			}
		}
	}
	r.Metrics.Active.Store(s.active.sum)
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

// commitOffsets commits and waits for the answer.
func commitOffsets(ctx context.Context, cl *kgo.Client, offsets map[string]map[int32]kgo.EpochOffset) error {
	var failed error
	cl.CommitOffsetsSync(ctx, offsets, commitAnswer(&failed))
	return failed
}
