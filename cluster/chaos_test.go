package cluster_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/cluster/clustertest"
)

// TestChaosOneCrash is the plainest trouble: three nodes, and one crashes.
func TestChaosOneCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for range 3 {
			w.newHost().up()
		}
		w.starting.Wait()
		d := newDriver(w)
		for i := range 3 {
			d.create(fmt.Sprintf("c%d", i), 3)
		}
		d.settle()
		time.Sleep(10 * time.Second)
		w.hosts[0].down(true)
		crashed := time.Now()
		d.settle()
		t.Logf("settled %v after the crash; %+v", time.Since(crashed), w.check.longestGap)
		d.finish()
	})
}

// TestChaosHearsay: a node that was not heard loses the others and has them told dead
// when it is heard again, while Kafka does not reach two of those. They are not taken
// out of the group by that: they would work on until their leases end.
func TestChaosHearsay(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			for range 5 {
				w.newHost().up()
				w.starting.Wait() // the first one leads
			}
			d := newDriver(w)
			for i := range 4 {
				d.create(fmt.Sprintf("c%d", i), 3)
			}
			d.settle()
			time.Sleep(10 * time.Second)
			mute := &fault{what: "n5 is not heard", gossip: func(a, b *host) clustertest.Link { return clustertest.Link{Cut: a.id == "n5"} }}
			away := &fault{what: "the broker is out of reach of n2 and n3", kafka: func(h *host) (to, back clustertest.Link) {
				l := clustertest.Link{Cut: h.id == "n2" || h.id == "n3"}
				return l, l
			}}
			w.begin(mute)
			time.Sleep(1400*time.Millisecond + time.Duration(seed)*100*time.Millisecond) // as long as it takes to lose them
			w.begin(away)
			w.end(mute)
			time.Sleep(8 * time.Second)
			w.end(away)
			d.finish()
			if c := w.check; max(c.longest, c.longestCut, c.longestBlind) > maxOverlapCut {
				t.Errorf("a task ran twice for %v, %v, %v", c.longest, c.longestCut, c.longestBlind)
			}
		})
	}
}

// TestChaos runs whole clusters through random trouble, each seed in a bubble of
// virtual time. TROUPE_CHAOS_SEEDS runs as many, TROUPE_CHAOS_SEED one, or with both as
// many from that one on.
func TestChaos(t *testing.T) {
	first, count := uint64(1), chaosSeeds
	if v := os.Getenv("TROUPE_CHAOS_SEEDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	} else if testing.Short() {
		count = 5
	}
	if v := os.Getenv("TROUPE_CHAOS_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if first = n; os.Getenv("TROUPE_CHAOS_SEEDS") == "" {
			count = 1
		}
	}
	var sum summary
	t.Cleanup(func() { t.Log(sum.String()) })
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			began := time.Now()
			synctest.Test(t, func(t *testing.T) { chaos(t, seed, &sum) })
			if t.Failed() {
				t.Logf("again: TROUPE_CHAOS_SEED=%d go test ./cluster -run 'TestChaos$' -v (TROUPE_CHAOS_LOG=info adds what the nodes log)", seed)
			}
			sum.took(time.Since(began))
		})
	}
}

// chaos runs one seed.
func chaos(t *testing.T, seed uint64, sum *summary) {
	w := newWorld(t, seed)
	d := newDriver(w)
	d.run()
	sum.add(w)
}

// tell prints the tale of a failed seed.
func (w *world) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Log("\n" + strings.Join(w.tale, "\n"))
}
