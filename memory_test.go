package main

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
	m := &memoryLimit{limit: softMemoryLimit}
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
