package task

import (
	"testing"

	"github.com/troupeio/troupe/connectors"
)

// TestActive follows the count of a sink's consumed and uncommitted records.
func TestActive(t *testing.T) {
	a, b := connectors.TopicPartition{Topic: "t"}, connectors.TopicPartition{Topic: "t", Partition: 1}
	var s putState
	s.init()
	s.come([]connectors.TopicPartition{a, b})
	settled := func(tp connectors.TopicPartition, offset int64) func() {
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.settled(tp, offset)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want int64
	}{
		{"nothing yet", func() {}, 0},
		{"a commit of a partition without records", settled(b, 7), 0},
		{"the first batch, of a group with commits", func() { s.consumed([]partEnd{{tp: a, first: 100, next: 110}, {tp: b, first: 5, next: 6}}) }, 11},
		{"a gap counts, as Kafka Connect counts", func() { s.consumed([]partEnd{{tp: a, first: 115, next: 120}}) }, 21},
		{"a commit in the middle", settled(a, 105), 16},
		{"all of one", settled(b, 6), 15},
		{"a rewind", func() { s.mu.Lock(); s.active.set(a, reach{90, 90}); s.mu.Unlock() }, 0},
		{"read again", func() { s.consumed([]partEnd{{tp: a, first: 90, next: 95}, {tp: b, first: 6, next: 9}}) }, 8},
		{"taken away", func() { s.gone([]connectors.TopicPartition{a}) }, 3},
		{"of a partition that is gone", func() { s.consumed([]partEnd{{tp: a, first: 95, next: 99}}) }, 3},
		{"a new stay", func() { s.come([]connectors.TopicPartition{b}) }, 0},
	} {
		step.do()
		if n := s.activeCount(); n != step.want {
			t.Errorf("%s: %d, want %d", step.name, n, step.want)
		}
	}
}
