package main

import (
	"testing"
	"time"
)

// TestClusterRestart kills a lone node, and then all three nodes of a cluster at once,
// and starts them again at once: counted from the start, every task moves something new
// within the limit, although the group still waits for the dead.
func TestClusterRestart(t *testing.T) {
	rounds := 2
	if clusterLong() {
		rounds = 10
	}
	for _, row := range []struct {
		name  string
		nodes int
	}{{"lone node", 1}, {"all three", 3}} {
		t.Run(row.name, func(t *testing.T) {
			c := startCluster(t, row.nodes)
			load := newClusterLoad(t, c.addr, 4, 4)
			tasks := len(load.all)
			c.create(load.configs)
			c.waitWhole(tasks)
			all := make(map[int]time.Duration)
			for k := range rounds {
				load.markNow()
				load.waitNew(nil, time.Now())
				time.Sleep(2 * time.Second) // offsets are committed every second
				for _, n := range c.nodes {
					n.kill()
				}
				load.markNow()
				begin := time.Now()
				for _, n := range c.nodes {
					n.launch()
				}
				took := load.waitNew(nil, begin)
				all[k] = worst(took)
				t.Logf("tasks back after %s", figures(took))
				if all[k] > failoverLimit {
					t.Errorf("a task came back %v after the start, want %v at most", all[k], failoverLimit)
					logTasks(t, took)
				}
				c.waitTogether()
				c.waitWhole(tasks)
			}
			lines, again := load.finish()
			t.Logf("the slowest task of each: %s; %d lines, %d of them came more than once", figures(all), lines, again)
		})
	}
}
