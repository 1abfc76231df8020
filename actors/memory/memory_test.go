package memory

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

// TestMemoryLimitFollowsWhatIsLive: with a fixed target a process that holds more is
// collected without an end.
func TestMemoryLimitFollowsWhatIsLive(t *testing.T) {
	old := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(old)
	debug.SetMemoryLimit(softMemoryLimit)
	m := &memoryLimit{limit: softMemoryLimit, percent: goPercent, last: time.Now()}
	defer debug.SetGCPercent(debug.SetGCPercent(goPercent))
	collected := make(chan struct{}, 1)
	var stopped atomic.Bool // the hook stays for the process's life
	defer stopped.Store(true)
	afterCollection(func() {
		if stopped.Load() {
			return
		}
		m.adjust()
		select {
		case collected <- struct{}{}:
		default:
		}
	})
	limitIs := func(what string, ok func(limit int64) bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; {
			runtime.GC()
			select {
			case <-collected:
			case <-time.After(time.Until(end)):
			}
			limit := debug.SetMemoryLimit(-1)
			if ok(limit) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: the target is %d MiB", what, limit>>20)
			}
		}
	}
	const live = 200 << 20
	held := make([]byte, live)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	limitIs("200 MiB are held", func(l int64) bool { return l > live*13/10 && l < 3*live })
	runtime.KeepAlive(held)
	limitIs("they are let go", func(l int64) bool { return l == softMemoryLimit })
}

func TestLimitFor(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct{ live, besides, want int64 }{
		{10 * mib, 20 * mib, softMemoryLimit},
		{60 * mib, 20 * mib, softMemoryLimit}, // under load
		{100 * mib, 30 * mib, 182 * mib},
		{1000 * mib, 100 * mib, 2052 * mib},
	} {
		if got := limitFor(tt.live, tt.besides); got != tt.want {
			t.Errorf("%d MiB live and %d besides: %d MiB, want %d", tt.live/mib, tt.besides/mib, got/mib, tt.want/mib)
		}
	}
}

func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		live          int64
		since         time.Duration
		percent, want int
	}{
		{3 * mib, time.Minute, 100, 100},
		{3 * mib, time.Minute, 300, 100}, // idle again
		{10 * mib, 20 * time.Millisecond, 100, 300},
		{10 * mib, 3 * time.Second, 300, 300}, // neither busy nor idle
		{10 * mib, 3 * time.Second, 100, 100},
		{20 * mib, 20 * time.Millisecond, 300, 200}, // more is held
		{60 * mib, 20 * time.Millisecond, 200, 100},
		{500 * mib, 20 * time.Millisecond, 100, 100},
		{0, 0, 100, 300},
	} {
		if got := percentFor(tt.live, tt.since, tt.percent); got != tt.want {
			t.Errorf("%d MiB live, %v after the last, %d %%: %d %%, want %d %%", tt.live/mib, tt.since, tt.percent, got, tt.want)
		}
	}
}

// TestBusyPace: the pace that is worked out is the collector's, and an idle process has
// Go's own.
func TestBusyPace(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(busyPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(softMemoryLimit))
	m := &memoryLimit{limit: softMemoryLimit, percent: busyPercent, last: time.Now().Add(-time.Minute)}
	m.adjust()
	if got := debug.SetGCPercent(goPercent + 1); got != goPercent {
		t.Errorf("the pace of an idle process is %d %%", got)
	}
	m.percent = goPercent + 1
	m.adjust() // right after the other: the process is busy
	if got := debug.SetGCPercent(goPercent); got != m.percent || got == goPercent+1 {
		t.Errorf("the pace is %d %%, and %d %% was worked out", got, m.percent)
	}
}
