package main

import (
	"strconv"
	"testing"
	"time"
)

// TestClusterJoin starts a fourth node beside three that run 16 tasks. Nothing moves
// before the nodes have been the same for rebalance.settle.ms; then a few move at a time
// until the new node has its share; nothing is lost.
func TestClusterJoin(t *testing.T) {
	const settle, most = 3 * time.Second, 2
	extra := []string{"rebalance.settle.ms", strconv.Itoa(int(settle.Milliseconds())), "rebalance.max.moves", strconv.Itoa(most)}
	c := startCluster(t, 3, extra...)
	load := newClusterLoad(t, c.addr, 8, 8)
	tasks := len(load.all)
	c.create(load.configs)
	c.waitWhole(tasks)
	before := c.leader().view()
	load.markNow()

	n := c.add(extra...)
	begin := time.Now()
	n.launch()
	n.ready()
	ready := time.Since(begin)
	var first time.Duration // until something was to move
	together := 0           // moves under way at once, as far as looks show
	eventually(t, func() string {
		v := c.nodes[0].view()
		moving := 0
		for _, u := range v.Units {
			if u.State != "assigned" {
				moving++
			}
		}
		together = max(together, moving)
		has := len(v.connectorsOf(n.id))
		if first == 0 && moving+has > 0 {
			first = time.Since(begin)
		}
		if has < tasks/4 {
			return "the new node has not got its share: " + v.counts()
		}
		return ""
	})
	share := time.Since(begin)
	c.waitWhole(tasks)
	load.settleGaps()
	gaps := load.gaps()
	after := c.leader().view()
	var moved int
	for name, u := range after.tasks() {
		if u.Node == before.tasks()[name].Node {
			if u.Epoch != before.tasks()[name].Epoch {
				t.Errorf("%s stayed on %s but has a new epoch: %s", name, u.Node, u.Reason)
			}
			continue
		}
		moved++
		if u.Node != n.id {
			t.Errorf("%s moved from %s to %s, not to the new node: %s", name, before.tasks()[name].Node, u.Node, u.Reason)
		}
	}
	t.Logf("ready after %v, the first move after %v, its share after %v (settle time %v); at most %d moves at once; %d tasks moved; pauses %s",
		ready.Round(time.Millisecond), first.Round(time.Millisecond), share.Round(time.Millisecond), settle, together, moved, figures(gaps))
	if first < settle {
		t.Errorf("work moved %v after the start of a node, want %v at least", first, settle)
	}
	if together > most {
		t.Errorf("%d units moved at once, want %d at most", together, most)
	}
	if worst(gaps) > drainGap {
		t.Errorf("a task was away for %v, want %v at most", worst(gaps), drainGap)
		logTasks(t, gaps)
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}
