package task

import (
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
)

// Metrics are one task's numbers: plain atomics, so that the hot path pays an
// addition, read by whoever exports them. Times are in nanoseconds.
type Metrics struct {
	pipeline.Counters

	Polled, Written      atomic.Int64 // source: records polled; acknowledged
	Read, Sent           atomic.Int64 // sink: records consumed; put
	Active               atomic.Int64
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

// Timing counts durations.
type Timing struct{ Count, Sum, Max atomic.Int64 }

// Add counts one duration.
func (t *Timing) Add(d time.Duration) {
	t.Count.Add(1)
	t.Sum.Add(int64(d))
	storeMax(&t.Max, int64(d))
}

func storeMax(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if v <= old || a.CompareAndSwap(old, v) {
			return
		}
	}
}
