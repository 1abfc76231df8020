package main

import (
	"testing"
	"time"

	"github.com/troupeio/troupe/internal/watch"
)

// TestClusterFailover kills nodes of a cluster of three with kill -9, a follower and the
// leader in turn, while lines trickle through 12 tasks. Counted from the kill, each of
// the dead node's tasks moves something new within the limit; the other nodes' tasks are
// neither moved nor started again; nothing is lost. Nothing is quarantined for it, since
// the dead come back and say how they died.
func TestClusterFailover(t *testing.T) {
	c := startCluster(t, 3, "failover.quarantine.window.ms", "60000")
	load := newWideLoad(t, c.addr, 6, 3, 1)
	tasks := len(load.all)
	c.create(load.configs)
	c.waitWhole(tasks)
	statuses := c.statuses()
	kills := 2
	if clusterLong() {
		kills = 20
	}
	all := make(map[int]time.Duration)
	for k := range kills {
		// A node that dies within 5 s of the start of a task may have died of it, whatever
		// its next life says; with the second death the task would be quarantined.
		c.waitQuiet(6 * time.Second)
		victim, role := c.follower(), "a follower"
		if k%2 == 1 {
			victim, role = c.leader(), "the leader"
		}
		load.markNow()
		load.waitNew(nil, time.Now())
		before := victim.view()
		dead := before.connectorsOf(victim.id)
		read := len(statuses.catchUp())
		begin := victim.kill()
		load.markNow() // what was written before could have come from the dead
		took := load.waitNew(dead, begin)
		c.waitRunning(tasks)
		after := c.running()[0].view()
		kept := undisturbed(t, before, after, victim.id, watch.Starts(statuses.catchUp()[read:]))
		gaps := load.gaps()
		for name := range dead {
			delete(gaps, name)
		}
		all[k] = worst(took)
		t.Logf("kill %d, %s: tasks back after %s; %d tasks of others undisturbed, their pauses %s", k+1, role, figures(took), kept, figures(gaps))
		if all[k] > failoverLimit {
			t.Errorf("a task came back %v after the kill of %s, want %v at most", all[k], role, failoverLimit)
			logTasks(t, took)
		}
		victim.launch()
		victim.ready()
		c.waitTogether()
		c.waitWhole(tasks)
	}
	lines, again := load.finish()
	t.Logf("%d kills; the slowest task of each: %s; %d lines, %d of them came more than once", kills, figures(all), lines, again)
}

func logTasks(t testing.TB, took map[string]time.Duration) {
	t.Helper()
	for name, d := range took {
		t.Logf("  %s after %v", name, d.Round(time.Millisecond))
	}
}
