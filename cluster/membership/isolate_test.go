package membership_test

import (
	"fmt"
	"testing"
	"time"
)

// TestCutOffNodeKnowsIt isolates one node. By the silence it must know that in little
// over a second, since its lease is shorter from then on; that it gives up its peers
// one by one takes longer, and is printed.
func TestCutOffNodeKnowsIt(t *testing.T) {
	for _, size := range []int{3, 5, 8} {
		t.Run(fmt.Sprint(size, " nodes"), func(t *testing.T) {
			var most, others, silent time.Duration
			for range 10 / share {
				bubble(t, func(w *world) {
					n := w.several(size)
					cut := n[size-1]
					w.hub.Isolate(cut.Addr())
					began := time.Now()
					var half, seen, quiet time.Duration
					if s := cut.Silence(); s > 450*time.Millisecond {
						t.Errorf("silence of %v before the cut", s)
					}
					for (half == 0 || seen == 0) && time.Since(began) < 20*time.Second {
						w.sleep(20 * time.Millisecond)
						if quiet == 0 && cut.Silence() >= time.Second {
							quiet = time.Since(began)
						}
						if half == 0 && 2*(len(cut.Peers())+1) <= size {
							half = time.Since(began)
						}
						if seen == 0 {
							seen = time.Since(began)
							for _, x := range n[:size-1] {
								if x.Sees(fmt.Sprint("b", size)) {
									seen = 0
								}
							}
						}
					}
					most, others, silent = max(most, half), max(others, seen), max(silent, quiet)
					if quiet == 0 {
						t.Error("it never noticed the silence")
					}
					w.hub.HealAll()
				})
			}
			t.Logf("a second of silence after at most %v; it sees half or fewer after at most %v, all others its death after %v", silent, most, others)
			if silent > 1200*time.Millisecond || most > 8*time.Second {
				t.Errorf("silence after %v, half after %v", silent, most)
			}
		})
	}
}
