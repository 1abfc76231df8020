package task

import (
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
)

// Metrics are one task's numbers: plain atomics, so that the hot path pays an
// addition, read by whoever exports them. Times are in nanoseconds. They outlive
// the restarts of a task and end with its actor.
//
// The maxima are taken away by [Timing.TakeMax] and the like, so a task's numbers
// have one exporter.
type Metrics struct {
	pipeline.Counters

	Polled, Written      atomic.Int64 // source: records polled; acknowledged
	Read, Sent           atomic.Int64 // sink: records consumed; put
	Active               Level        // source: records polled and not settled; sink: consumed and not committed
	Batches              atomic.Int64
	BatchMax             atomic.Int64
	PollTime, PutTime    Timing
	CommitTime           Timing
	BatchTime            Timing // from poll or consume until settled
	Commits, CommitFails atomic.Int64
	CommitSeq            atomic.Int64
	Partitions           atomic.Int64

	Restarts, Failed, BackoffMs   atomic.Int64
	Abandoned, Goroutines, Credit atomic.Int64
	Mailbox                       atomic.Int64 // batches that are between two stages
}

// settleDown clears the levels of an incarnation that has ended: what was between
// its stages is gone.
func (m *Metrics) settleDown() {
	m.Mailbox.Store(0)
	m.Credit.Store(0)
	m.Partitions.Store(0)
	m.Active.now.Store(0)
}

// Timing counts durations. Count and Sum only grow; Max is that since it was last
// taken.
type Timing struct{ Count, Sum, Max atomic.Int64 }

// Add counts one duration.
func (t *Timing) Add(d time.Duration) {
	t.Count.Add(1)
	t.Sum.Add(int64(d))
	storeMax(&t.Max, int64(d))
}

// TakeMax returns the longest duration since the last call and forgets it.
func (t *Timing) TakeMax() int64 { return t.Max.Swap(0) }

// Level is a number that goes up and down, of which the average and the maximum
// are wanted too: over the values that were stored, once a batch.
type Level struct{ now, Count, Sum, Max atomic.Int64 }

// Store sets the level.
func (l *Level) Store(v int64) {
	l.now.Store(v)
	l.Count.Add(1)
	l.Sum.Add(v)
	storeMax(&l.Max, v)
}

// Load returns the present level.
func (l *Level) Load() int64 { return l.now.Load() }

// TakeMax returns the highest level since the last call and forgets it.
func (l *Level) TakeMax() int64 { return l.Max.Swap(0) }

func storeMax(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if v <= old || a.CompareAndSwap(old, v) {
			return
		}
	}
}
