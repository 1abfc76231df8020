package task

import "github.com/troupeio/troupe/connectors"

// active counts the records of a sink that were consumed and not committed, by their
// offsets as Kafka Connect does: what a transaction or compaction has left out counts
// too. It is guarded by the put state's lock.
type active struct {
	parts map[connectors.TopicPartition]reach
	sum   int64
}

// reach is how far a partition was consumed in a stay, and committed: offsets one
// past the last.
type reach struct{ consumed, committed int64 }

func (a *active) set(tp connectors.TopicPartition, r reach) {
	old := a.parts[tp]
	a.sum += max(r.consumed-r.committed, 0) - max(old.consumed-old.committed, 0)
	if a.parts == nil {
		a.parts = make(map[connectors.TopicPartition]reach)
	}
	a.parts[tp] = r
}

func (a *active) forget(tp connectors.TopicPartition) {
	a.set(tp, reach{})
	delete(a.parts, tp)
}

// consumed books what a batch has of each partition, and returns how many records
// are active.
func (s *putState) consumed(ends []partEnd) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range ends {
		if s.owned[end.tp] == 0 {
			continue
		}
		r, ok := s.active.parts[end.tp]
		if !ok {
			r.committed = end.first
		}
		r.consumed = end.next
		s.active.set(end.tp, r)
	}
	return s.active.sum
}

// settled books that a partition is committed up to an offset. The lock is held.
func (s *putState) settled(tp connectors.TopicPartition, offset int64) {
	if r, ok := s.active.parts[tp]; ok {
		s.active.set(tp, reach{r.consumed, offset})
	}
}

// activeCount is how many records are active.
func (s *putState) activeCount() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active.sum
}
