package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// drainGap is how long a task may be away while it moves from one live node to another.
const drainGap = time.Second

// TestClusterDrain drains a node over REST and lets it come back, ends nodes with
// SIGTERM, and restarts all three one after the other, while lines trickle: no task is
// away for long, nothing is lost.
func TestClusterDrain(t *testing.T) {
	c := startCluster(t, 3)
	load := newWideLoad(t, c.addr, 6, 3, 1)
	tasks := len(load.all)
	c.create(load.configs)
	c.waitWhole(tasks)
	check := func(what string) {
		t.Helper()
		gaps := load.gaps()
		t.Logf("%s: pauses %s", what, figures(gaps))
		if worst(gaps) > drainGap {
			t.Errorf("%s: a task was away for %v, want %v at most", what, worst(gaps), drainGap)
			logTasks(t, gaps)
		}
	}

	drained, asked := c.follower(), c.leader()
	load.markNow()
	begin := time.Now()
	asked.rest(202, "POST", "/cluster/nodes/"+drained.id+"/drain", nil)
	eventually(t, func() string {
		v := asked.view()
		for _, n := range v.Nodes {
			if n.ID == drained.id && n.State == "draining" && n.Connectors+n.Tasks == 0 {
				return c.problem(tasks, false)
			}
		}
		return "the drained node still has work: " + v.counts()
	})
	t.Logf("empty %v after the request", time.Since(begin).Round(time.Millisecond))
	load.settleGaps()
	check("drain")
	load.markNow()
	begin = time.Now()
	drained.rest(202, "POST", "/cluster/nodes/"+drained.id+"/undrain", nil) // itself, this time
	c.waitWhole(tasks)
	t.Logf("its share again %v after undrain", time.Since(begin).Round(time.Millisecond))
	load.settleGaps()
	check("undrain")
	asked.rest(404, "POST", "/cluster/nodes/nobody/drain", nil)

	// A rolling restart, the leader among them.
	order := []*clusterNode{c.follower(), c.leader()}
	for _, n := range c.nodes {
		if n != order[0] && n != order[1] {
			order = append(order, n)
		}
	}
	for _, n := range order {
		load.markNow()
		begin := time.Now()
		n.Signal(syscall.SIGTERM)
		if code := n.exit(patience); code != 0 {
			t.Fatalf("node %s: exit code %d after SIGTERM:\n%s", n.id, code, tailOf(n.Process))
		}
		took := time.Since(begin)
		c.waitRunning(tasks)
		load.settleGaps()
		check(fmt.Sprintf("SIGTERM to %s (exit after %v)", n.id, took.Round(time.Millisecond)))
		load.markNow()
		n.launch()
		n.ready()
		c.waitTogether()
		c.waitWhole(tasks)
		load.settleGaps()
		check("start of " + n.id)
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// TestClusterDrainTimeout: what does not let go of a node in time does not keep it. The
// node ends with code 0, and the work goes on elsewhere.
func TestClusterDrainTimeout(t *testing.T) {
	const drain, grace = time.Second, 3 * time.Second
	c := startCluster(t, 2, "drain.timeout.ms", fmt.Sprint(drain.Milliseconds()), "task.shutdown.graceful.timeout.ms", fmt.Sprint(grace.Milliseconds()))
	load := newClusterLoad(t, c.addr, 2, 2)
	hanging := newProbes(t, c.addr, 4)
	load.configs[hanging.topic] = with(hanging.config, "fault", "hang", "fault.in", "stop", "fault.times", "0")
	tasks := len(load.all) + hanging.tasks
	c.create(load.configs)
	c.waitWhole(tasks)
	time.Sleep(2 * time.Second) // offsets are committed every second
	n := c.leader()
	load.markNow()
	begin := time.Now()
	n.Signal(syscall.SIGTERM)
	if code := n.exit(patience); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	took := time.Since(begin)
	c.waitRunning(tasks)
	load.settleGaps()
	t.Logf("exit after %v, with drain.timeout.ms=%d and %v for a task to stop; pauses %s", took.Round(time.Millisecond), drain.Milliseconds(), grace, figures(load.gaps()))
	// What is left is stopped, and abandoned after its grace.
	if limit := drain + grace + 3*time.Second; took > limit {
		t.Errorf("the node ended after %v, want %v at most", took, limit)
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
	hanging.check()
}
