package probe

import (
	"maps"
	"slices"
)

// Stats is what the sink tasks of one connector have seen in this process.
type Stats struct {
	Records    int64          // put, with repeats
	Unreadable int64          // of these, without task and sequence number
	Sources    map[int]Source // by the source task's number
}

// Source is what arrived of one source task.
type Source struct {
	First, Last int64 // lowest and highest sequence number
	Received    int64 // with repeats
	Duplicates  int64 // repeats
	Missing     int64 // numbers between First and Last that have not come
	OutOfOrder  int64 // came after a higher number, for the first time
	Processes   int   // ids of processes in the stamps
	// Returns counts records of a process or incarnation that came after records of
	// another, later one: the sign of two incarnations that ran at once.
	Returns int64
}

// Stats returns what the sink connector of that name has seen.
func (p *Probe) Stats(connector string) Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Stats{Sources: make(map[int]Source)}
	for task, s := range p.stats[connector] {
		if task < 0 {
			out.Records += s.Received
			out.Unreadable = s.Received
			continue
		}
		src := s.Source
		src.Processes = len(s.boots)
		for i := 1; i < len(s.spans); i++ {
			src.Missing += s.spans[i].lo - s.spans[i-1].hi - 1
		}
		out.Sources[task] = src
		out.Records += s.Received
	}
	return out
}

// Totals adds up the sources.
func (s Stats) Totals() Source {
	var t Source
	for _, task := range slices.Sorted(maps.Keys(s.Sources)) {
		src := s.Sources[task]
		t.Received += src.Received
		t.Duplicates += src.Duplicates
		t.Missing += src.Missing
		t.OutOfOrder += src.OutOfOrder
		t.Returns += src.Returns
		t.Processes = max(t.Processes, src.Processes)
	}
	return t
}

// sequence keeps which numbers of one source task have come, as the spans between
// the gaps.
type sequence struct {
	Source
	spans []span // ascending, never adjacent
	boots map[string]bool
	epoch int64 // the latest that was seen
}

type span struct{ lo, hi int64 } // both included

// add takes note of a number, and says whether it is new.
func (s *sequence) add(n int64) bool {
	s.Received++
	if len(s.spans) == 0 {
		s.spans = append(s.spans, span{n, n})
		s.First, s.Last = n, n
		return true
	}
	if last := &s.spans[len(s.spans)-1]; n == last.hi+1 {
		last.hi, s.Last = n, n
		return true
	}
	// The first span that ends at n-1 or later.
	i, _ := slices.BinarySearchFunc(s.spans, n-1, func(sp span, n int64) int {
		if sp.hi < n {
			return -1
		}
		return 1
	})
	if i < len(s.spans) && s.spans[i].lo <= n && n <= s.spans[i].hi {
		s.Duplicates++
		return false
	}
	if i+1 < len(s.spans) && s.spans[i].hi == n-1 && s.spans[i+1].lo <= n {
		s.Duplicates++
		return false
	}
	if n < s.Last {
		s.OutOfOrder++
	}
	s.First, s.Last = min(s.First, n), max(s.Last, n)
	switch {
	case i < len(s.spans) && s.spans[i].hi == n-1:
		s.spans[i].hi = n
		if i+1 < len(s.spans) && s.spans[i+1].lo == n+1 {
			s.spans[i].hi = s.spans[i+1].hi
			s.spans = slices.Delete(s.spans, i+1, i+2)
		}
	case i < len(s.spans) && s.spans[i].lo == n+1:
		s.spans[i].lo = n
	default:
		s.spans = slices.Insert(s.spans, i, span{n, n})
	}
	return true
}

// stamp takes note of the process and incarnation that made a new record. A repeat
// says nothing: a sink that starts again is given old records again.
func (s *sequence) stamp(boot string, epoch int64) {
	if s.boots == nil {
		s.boots = make(map[string]bool)
	}
	s.boots[boot] = true
	if epoch < s.epoch {
		s.Returns++
		return
	}
	s.epoch = epoch
}
