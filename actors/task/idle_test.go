package task

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPoolReleasesWhenIdle: what a task's batches were made of is used again while there
// are batches, and let go of once none came between two releases.
func TestPoolReleasesWhenIdle(t *testing.T) {
	var p batchPool
	hand := func() bool { // whether it was used again
		b := p.get()
		again := len(p.recs.free) == 1
		b.Records, b.Recycle = p.slots(2000)[:2000], true
		p.put(b)
		return again
	}
	hand()
	for i := range 3 {
		p.release()
		if !hand() {
			t.Fatalf("release %d took from a busy task", i)
		}
	}
	p.release()
	p.release()
	if n := len(p.recs.free) + len(p.batches.free) + cap(p.recs.free) + cap(p.batches.free); n != 0 {
		t.Errorf("an idle task keeps %d slots for batches", n)
	}
}

// TestQueue: what is pushed comes out in order, and a token is there while anything is.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue[int]()
		const n = 1000
		go func() {
			for i := range n {
				q.push(i)
				if i%100 == 0 {
					time.Sleep(time.Millisecond) // the reader empties it
				}
			}
		}()
		for want := 0; want < n; {
			<-q.ready
			v, ok := q.pop()
			if !ok {
				continue
			}
			if v != want {
				t.Fatalf("got %d, want %d", v, want)
			}
			want++
		}
		if _, ok := q.pop(); ok {
			t.Error("something is left")
		}
		if q.items != nil {
			t.Error("an empty queue keeps its room")
		}
	})
}

// TestBeat: intervals of a second and more end together, whenever they began, and none
// is longer than asked for or shorter by more than the grid.
func TestBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(137 * time.Millisecond)
		for _, every := range []time.Duration{time.Second, 1100 * time.Millisecond, time.Minute} {
			b := newBeat(every)
			for last := time.Now(); time.Since(last) < time.Hour && !t.Failed(); {
				begun := time.Now()
				<-b.C
				b.again()
				if took := time.Since(begun); took > every || took <= every-beatGrid {
					t.Errorf("a tick after %v, of %v", took, every)
				}
				if off := time.Since(time.Now().Truncate(beatGrid)); off != 0 {
					t.Errorf("a tick %v beside the grid", off)
				}
			}
			b.stop()
		}
		b := newBeat(20 * time.Millisecond)
		defer b.stop()
		begun := time.Now()
		<-b.C
		if took := time.Since(begun); took != 20*time.Millisecond {
			t.Errorf("a short interval took %v", took)
		}
	})
}

// TestIdleTaskIsSmall: an incarnation without a batch has no room for any.
func TestIdleTaskIsSmall(t *testing.T) {
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			c := Common{Metrics: &Metrics{}, Budget: 16 << 20}
			newSourceRun(SourceSpec{Common: c}, 1, func(event) {})
			newSinkRun(SinkSpec{Common: c}, 1, nil, func(event) {})
		}
	})
	if n := r.AllocedBytesPerOp(); n > 12<<10 {
		t.Errorf("a source and a sink take %d bytes", n)
	}
}
