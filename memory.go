package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
	// limitStep is the least change of the target, as a part of it: setting it stops
	// the process for a moment.
	limitStep = 0.05
)

// keepMemoryLimit sets the collector's target, and moves it with what the process
// holds, unless the user has set GOGC or GOMEMLIMIT.
func keepMemoryLimit() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(softMemoryLimit)
	afterCollection(new(memoryLimit{limit: softMemoryLimit}).adjust)
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

// memoryLimit is the target that was set last.
type memoryLimit struct{ limit int64 }

func (m *memoryLimit) adjust() {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	live, besides := s[0].Value.Uint64(), int64(s[1].Value.Uint64())
	for _, heap := range s[2:] {
		besides -= int64(heap.Value.Uint64())
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
