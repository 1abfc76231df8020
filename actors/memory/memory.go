// Package memory sets the pace of the garbage collector for a process that moves records.
package memory

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// softMemoryLimit is the collector's target for a process with little to hold, not
	// a bound: the heap may double only up to it, so that under load the process stays
	// within tens of megabytes (see bench/results.md).
	softMemoryLimit = 112 << 20
	// heapSpared is by how much less than double a larger heap may become: a process that
	// outgrows the target nears the collector's own pace. With a fixed target it would be
	// collected all the time, and idle at half a core.
	heapSpared = 48 << 20
	// busyHeap is how far a heap may grow before it is collected while records move, where
	// Go's own pace is double what is live: most of what a busy process with little to
	// hold does for its memory is to go over what is live, and with three times the room
	// it does so a third as often. One that is idle keeps Go's pace, and so stays small.
	busyHeap    = 64 << 20
	busyPercent = 300
	// A process is busy when collections come this close, and idle when this far apart.
	busyEvery = time.Second
	idleEvery = 10 * time.Second
	// limitStep is the least change of the target, as a part of it: setting it stops
	// the process for a moment.
	limitStep = 0.05
)

// Keep sets the collector's target, and moves it and the collector's pace with
// what the process holds and does, unless the user has set GOGC or GOMEMLIMIT. It lasts for
// the process's life.
func Keep() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(softMemoryLimit)
	m := &memoryLimit{limit: softMemoryLimit, percent: goPercent, last: time.Now()}
	afterCollection(m.adjust)
}

// afterCollection has f called after each collection, one call at a time, for the rest
// of the process's life.
func afterCollection(f func()) {
	type sentinel struct{ _ [16]byte } // of a size that has an allocation to itself
	runtime.AddCleanup(&sentinel{}, func(f func()) {
		f()
		afterCollection(f)
	}, f)
}

// goPercent is Go's own pace.
const goPercent = 100

// memoryLimit is the target and the pace that were set last.
type memoryLimit struct {
	limit   int64
	percent int
	last    time.Time // of a collection
}

func (m *memoryLimit) adjust() {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	live, besides := s[0].Value.Uint64(), int64(s[1].Value.Uint64())
	for _, heap := range s[2:] {
		besides -= int64(heap.Value.Uint64())
	}
	now := time.Now()
	percent := percentFor(int64(live), now.Sub(m.last), m.percent)
	m.last = now
	if percent != m.percent {
		m.percent = percent
		debug.SetGCPercent(percent)
	}
	limit := limitFor(int64(live), besides)
	if change := math.Abs(float64(limit-m.limit)) / float64(m.limit); change < limitStep {
		return
	}
	m.limit = limit
	debug.SetMemoryLimit(limit)
}

// limitFor is the target for a process with so much live on its heap after a
// collection, and so much mapped besides: stacks and the runtime's own. All are bytes.
func limitFor(live, besides int64) int64 {
	return max(softMemoryLimit, besides+2*live-heapSpared)
}

// percentFor is how much more than what is live may come before the next collection, in
// percent of it. since is the time since the collection before, percent what is set.
func percentFor(live int64, since time.Duration, percent int) int {
	const step = 50 // setting it stops the process for a moment, too
	switch {
	case since > idleEvery:
		return goPercent
	case since > busyEvery:
		return percent
	}
	room := int(busyHeap*100/max(live, 1)) - 100
	return min(max(room-room%step, goPercent), busyPercent)
}
