package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// TestClusterStorm does to a cluster of three or four what may happen to it, at random
// moments: nodes are killed, stopped for a while, ended, started, drained, restarted two at
// once, also while others are still coming or going. In the end every task runs once, and
// nothing is lost.
func TestClusterStorm(t *testing.T) {
	seed := fromEnv(t, seedEnv, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d for the same sequence", seedEnv, seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	length := 15 * time.Second
	if clusterLong() {
		length = 3 * time.Minute
	}
	c := startCluster(t, 3, "rebalance.settle.ms", "500", "session.timeout.ms", "6000")
	c.add("rebalance.settle.ms", "500", "session.timeout.ms", "6000")
	load := newWideLoad(t, c.addr, 4, 3, 1)
	probe := newProbes(t, c.addr, 3)
	load.configs[probe.topic] = probe.config
	tasks := len(load.all) + probe.tasks
	c.create(load.configs)
	c.waitWhole(tasks)
	load.settleGaps()
	load.markNow()

	stopped := make(map[*clusterNode]time.Time) // until when
	begin := time.Now()
	say := func(format string, args ...any) {
		t.Logf("%6.2f s: %s", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	wake := func(all bool) {
		for n, until := range stopped {
			if all || time.Now().After(until) {
				say("%s wakes up", n.id)
				n.Signal(syscall.SIGCONT)
				delete(stopped, n)
			}
		}
	}
	for time.Since(begin) < length {
		time.Sleep(time.Duration(rng.IntN(1200)) * time.Millisecond)
		wake(false)
		n := c.nodes[rng.IntN(len(c.nodes))]
		if _, sleeps := stopped[n]; sleeps {
			continue
		}
		switch what := rng.IntN(8); {
		case !n.runs():
			say("start %s", n.id)
			n.launch()
		case what < 2:
			say("kill -9 %s", n.id)
			n.kill()
		case what < 3:
			say("SIGTERM %s", n.id)
			n.Signal(syscall.SIGTERM)
			if rng.IntN(2) == 0 {
				n.exit(patience)
			} else { // killed while it drains
				time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
				n.Signal(syscall.SIGKILL)
				n.exit(patience)
			}
		case what < 5:
			d := time.Duration(rng.IntN(4000)) * time.Millisecond
			say("stop %s for %v", n.id, d)
			n.Signal(syscall.SIGSTOP)
			stopped[n] = time.Now().Add(d)
		case what < 7:
			asked := c.nodes[rng.IntN(len(c.nodes))]
			if _, sleeps := stopped[asked]; sleeps || !asked.runs() {
				continue
			}
			verb := []string{"drain", "undrain"}[rng.IntN(2)]
			go func() { _, _, _ = asked.try("POST", "/cluster/nodes/"+n.id+"/"+verb, nil) }() // it may die meanwhile
			say("%s asked to %s %s", asked.id, verb, n.id)
		default:
			say("kill -9 and start %s", n.id)
			n.kill()
			n.launch()
		}
	}
	wake(true)
	for _, n := range c.nodes {
		if !n.runs() {
			n.launch()
		}
	}
	for _, n := range c.nodes {
		n.ready()
		eventually(t, func() string { // there may be no leader yet
			if code, text, err := n.try("POST", "/cluster/nodes/"+n.id+"/undrain", nil); err != nil || code != 202 {
				return fmt.Sprintf("undrain: %d %s %v", code, text, err)
			}
			return ""
		})
	}
	over := time.Now()
	c.waitTogether()
	say("all nodes are together")
	c.waitWhole(tasks)
	say("all tasks run, %v after the storm", time.Since(over).Round(time.Millisecond))
	load.settleGaps()
	t.Logf("longest pauses: %s", figures(load.gaps()))
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
	probe.check()
}
