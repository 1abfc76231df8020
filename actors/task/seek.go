package task

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

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
		s.active.set(tp, reach{off, off})
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
