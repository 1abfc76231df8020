package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killers are connectors that take down the node that runs them.
var killers = []struct {
	name  string
	code  int // of the node that dies; -1: it is killed
	fault []string
	long  bool // only in the long form
}{
	{"exit", 3, []string{"fault", "exit"}, false},
	{"panic on a goroutine of its own", 2, []string{"fault", "panic-own-goroutine"}, true},
	{"memory", -1, []string{"fault", "memory", "fault.bytes", "67108864"}, true},
}

// killerRSS is the resident size at which the test kills a node, as Linux does when
// memory runs out.
const killerRSS = 400 << 20

// TestClusterKiller gives a cluster of three a task that ends the process that runs it:
// two nodes die of it at most, then it has failed, with a trace that names the nodes and
// the times; all other tasks go on, and none of their lines is lost. A restart gives it
// another chance, which it abuses; with a better configuration it runs.
func TestClusterKiller(t *testing.T) {
	for _, k := range killers {
		t.Run(k.name, func(t *testing.T) {
			if k.long && !clusterLong() {
				t.Skip("only with " + clusterLongEnv)
			}
			c := startCluster(t, 3, "failover.quarantine.window.ms", "60000")
			load := newClusterLoad(t, c.addr, 8, 8)
			c.create(load.configs)
			c.waitWhole(len(load.all))
			c.waitQuiet(3 * time.Second)
			if k.code == -1 {
				for _, n := range c.nodes {
					n.killWhenTooLarge()
				}
			}
			load.markNow()

			name := unique("killer")
			killer := probeSource(name, k.fault...)
			begin := time.Now()
			asked := c.leader()
			asked.put(name, killer)
			dead := c.waitQuarantined([]string{name}, 2)
			t.Logf("quarantined %v after the request, when %s had died", time.Since(begin).Round(time.Millisecond), ids(dead))
			for _, n := range dead {
				if code := n.exit(patience); code != k.code {
					t.Errorf("node %s: exit code %d, want %d:\n%s", n.id, code, k.code, tailOf(n.Process))
				}
			}
			last := c.running()[0]
			namesTheDead(t, last.status(name), dead)
			c.waitOthers(load.configs)
			load.markNow()
			load.waitNew(nil, time.Now())
			t.Logf("all others run %v after the request; their pauses %s", time.Since(begin).Round(time.Millisecond), figures(load.gaps()))

			// The restart lifts it, and it kills once more.
			for _, n := range dead {
				n.launch()
				n.ready()
				if k.code == -1 {
					n.killWhenTooLarge()
				}
			}
			c.waitTogether()
			c.waitOthers(load.configs)
			if s := last.status(name); len(s.Tasks) != 1 || s.Tasks[0].State != "FAILED" {
				t.Errorf("with more nodes the killer is %s", s)
			}
			c.waitQuiet(3 * time.Second)
			last.rest(204, "POST", at(name)+"/tasks/0/restart", nil)
			eventually(t, func() string {
				if len(c.running()) == 3 {
					return "the restart has not let the killer kill: " + last.status(name).String()
				}
				return ""
			})
			c.running()[0].put(name, with(killer, "fault", "none"))
			eventually(t, func() string {
				if s := c.running()[0].status(name); s.String() != "RUNNING RUNNING" {
					return fmt.Sprintf("without its fault the killer is %s: %s", s, s.traces())
				}
				return ""
			})
			c.waitOthers(load.configs)
			lines, again := load.finish()
			t.Logf("%d nodes run at the end; %d lines, %d of them came more than once", len(c.running()), lines, again)
		})
	}
}

// TestClusterKillers has three killers at once. Each may take two nodes, so that somebody
// starts what is dead again until all three are quarantined.
func TestClusterKillers(t *testing.T) {
	if !clusterLong() {
		t.Skip("only with " + clusterLongEnv)
	}
	c := startCluster(t, 3, "failover.quarantine.window.ms", "60000")
	load := newClusterLoad(t, c.addr, 8, 8)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	c.waitQuiet(3 * time.Second)
	var names []string
	for range 3 {
		names = append(names, unique("killer"))
		c.leader().put(names[len(names)-1], probeSource(names[len(names)-1], "fault", "exit", "fault.after", "50"))
	}
	deaths, begin := 0, time.Now()
	eventuallyIn(t, 2*patience, func() string {
		for _, n := range c.nodes {
			if !n.runs() {
				deaths++
				n.launch()
			}
		}
		return c.quarantineLacks(names)
	})
	for _, n := range c.nodes {
		n.ready()
	}
	c.waitTogether()
	c.waitOthers(load.configs)
	load.markNow()
	load.waitNew(nil, time.Now())
	lines, again := load.finish()
	t.Logf("three killers were quarantined after %d deaths and %v; %d lines, %d of them came more than once", deaths, time.Since(begin).Round(time.Millisecond), lines, again)
	if deaths > 9 {
		t.Errorf("%d deaths, want 9 at most: three of each", deaths)
	}
}

// probeSource is a source of the probe with a fault that happens again and again, after
// a part of a second.
func probeSource(name string, fault ...string) map[string]string {
	config := map[string]string{"name": name, "connector.class": "troupe.probe.ProbeSourceConnector", "tasks.max": "1", "topic": name,
		"rate": "50", "fault.in": "poll", "fault.after": "20", "fault.times": "0"}
	maps.Copy(config, pairs(fault))
	return config
}

func ids(nodes []*clusterNode) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.id)
	}
	return out
}

// waitQuiet waits until nothing has been placed for a while.
func (c *testCluster) waitQuiet(d time.Duration) {
	c.t.Helper()
	eventually(c.t, func() string {
		v, err := c.running()[0].look()
		if err != nil {
			return err.Error()
		}
		for _, m := range v.Moves {
			if since := time.Since(m.At); since < d {
				return fmt.Sprintf("%s was placed %v ago", m.Connector, since)
			}
		}
		return ""
	})
}

// killWhenTooLarge kills the process that a node is now when it grows too large.
func (n *clusterNode) killWhenTooLarge() {
	p := n.workerProc
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n.c.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ; ctx.Err() == nil && p.Running(); pauseFor(ctx, 20*time.Millisecond) {
			var size, resident int
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID()))
			if err != nil {
				continue
			}
			if _, err := fmt.Sscan(string(b), &size, &resident); err == nil && resident*os.Getpagesize() > killerRSS {
				p.Signal(syscall.SIGKILL)
				return
			}
		}
	}()
}

// quarantineLacks says which task of these connectors is not quarantined yet.
func (c *testCluster) quarantineLacks(names []string) string {
	for _, n := range c.running() {
		v, err := n.look()
		if err != nil {
			continue // it has just died
		}
		for _, name := range names {
			if u, ok := v.tasks()[name+"-0"]; !ok || u.State != "quarantined" {
				return fmt.Sprintf("%s is %q on %s: %s", name, u.State, u.Node, u.Reason)
			}
		}
		return ""
	}
	return "no node answers"
}

// waitQuarantined waits until the tasks of these connectors are quarantined, and returns
// the nodes that died before, of which there are at most so many.
func (c *testCluster) waitQuarantined(names []string, most int) (dead []*clusterNode) {
	c.t.Helper()
	eventually(c.t, func() string {
		dead = nil
		for _, n := range c.nodes {
			if !n.runs() {
				dead = append(dead, n)
			}
		}
		if len(dead) > most {
			c.t.Fatalf("%s have died, want %d nodes at most", ids(dead), most)
		}
		if why := c.quarantineLacks(names); why != "" {
			return fmt.Sprintf("%s have died, and %s", ids(dead), why)
		}
		for _, name := range names {
			if s := c.running()[0].status(name); len(s.Tasks) != 1 || s.Tasks[0].State != "FAILED" {
				return fmt.Sprintf("the status of %s is %s", name, s)
			}
		}
		return ""
	})
	return dead
}

var deathInTrace = regexp.MustCompile(`(\S+) at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, \S+ after it was started there`)

// namesTheDead wants the trace of a quarantined task to name the nodes and the times.
func namesTheDead(t testing.TB, s statusAnswer, dead []*clusterNode) {
	t.Helper()
	var named []string
	for _, m := range deathInTrace.FindAllStringSubmatch(s.Tasks[0].Trace, -1) {
		named = append(named, strings.TrimPrefix(m[1], "("))
	}
	slices.Sort(named)
	if want := ids(dead); !slices.Equal(named, want) {
		t.Errorf("the trace names %s with times, want %s:\n%s", named, want, s.Tasks[0].Trace)
	}
	t.Log(s.Tasks[0].Trace)
}

// waitOthers waits until the one task of each of these connectors runs.
func (c *testCluster) waitOthers(configs map[string]map[string]string) {
	c.t.Helper()
	eventually(c.t, func() string {
		for name := range configs {
			if s := c.running()[0].status(name); s.String() != "RUNNING RUNNING" {
				return fmt.Sprintf("%s is %s: %s", name, s, s.traces())
			}
		}
		v, err := c.running()[0].look()
		if err != nil {
			return err.Error()
		}
		for name := range configs {
			if u := v.tasks()[name+"-0"]; u.State != "assigned" || !slices.Contains(ids(c.running()), u.Node) {
				return fmt.Sprintf("%s is %s on %q: %s", name, u.State, u.Node, u.Reason)
			}
		}
		return ""
	})
}
