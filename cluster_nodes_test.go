package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/kafkatest"
	"github.com/troupeio/troupe/internal/watch"
)

// clusterLongEnv makes the tests of the cluster take their long forms.
const clusterLongEnv = "TROUPE_CLUSTER_LONG"

func clusterLong() bool { return os.Getenv(clusterLongEnv) != "" }

// failoverLimit is the longest time from a kill, or a start after it, to the first new
// record, as promised for an idle machine.
const failoverLimit = 3500 * time.Millisecond

// testCluster is a cluster of worker processes.
type testCluster struct {
	t     testing.TB
	addr  string
	group string
	nodes []*clusterNode
}

type clusterNode struct {
	*workerProc
	c     *testCluster
	id    string
	props map[string]string
}

// newCluster makes the settings of n nodes, which do not run yet.
func newCluster(t testing.TB, n int, extra ...string) *testCluster {
	t.Helper()
	c := &testCluster{t: t, addr: kafkatest.Shared(t).Addr(), group: unique("cluster")}
	for range n {
		c.add(extra...)
	}
	return c
}

func (c *testCluster) add(extra ...string) *clusterNode {
	c.t.Helper()
	id := fmt.Sprintf("n%d", len(c.nodes)+1)
	p := kafkatest.ConnectWorkerProperties(c.addr, c.group, "", freePort(c.t), false)
	maps.Copy(p, map[string]string{"offset.storage.partitions": "5", "status.storage.partitions": "1", "node.id": id,
		"rebalance.settle.ms": "1500", "offset.flush.interval.ms": "1000", "gossip.bind": "127.0.0.1:0",
		// These tests kill more nodes in a minute than any task may be held answerable for.
		"failover.quarantine.window.ms": "0"})
	maps.Copy(p, pairs(extra))
	n := &clusterNode{c: c, id: p["node.id"], props: p}
	c.nodes = append(c.nodes, n)
	return n
}

// startCluster starts n nodes and waits until they know each other.
func startCluster(t testing.TB, n int, extra ...string) *testCluster {
	t.Helper()
	c := newCluster(t, n, extra...)
	for _, node := range c.nodes {
		node.launch()
	}
	for _, node := range c.nodes {
		node.ready()
	}
	c.waitTogether()
	return c
}

// launch starts the node's next life. Built with -race, it tells of races of every life.
func (n *clusterNode) launch() {
	w := launch(n.c.t, "distributed", n.props)
	n.workerProc = w
	n.c.t.Cleanup(func() {
		if _, race, found := strings.Cut(w.log(), "WARNING: DATA RACE"); found {
			n.c.t.Errorf("node %s: DATA RACE%.4000s", n.id, race)
		}
	})
}

// kill ends a node as kill -9 does and returns when it was sent.
func (n *clusterNode) kill() time.Time {
	n.c.t.Helper()
	at := time.Now()
	n.Signal(syscall.SIGKILL)
	if code := n.exit(patience); code != -1 {
		n.c.t.Fatalf("node %s ended by itself, with exit code %d, before it was killed:\n%s", n.id, code, tailOf(n.Process))
	}
	return at
}

func (n *clusterNode) runs() bool { return n.workerProc != nil && n.Running() }

// running returns the nodes whose processes run.
func (c *testCluster) running() []*clusterNode {
	var out []*clusterNode
	for _, n := range c.nodes {
		if n.runs() {
			out = append(out, n)
		}
	}
	return out
}

func (c *testCluster) node(id string) *clusterNode {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.id == id {
			return n
		}
	}
	c.t.Fatalf("there is no node %q", id)
	return nil
}

// clusterUnit is a connector's instance (no task) or a task, as GET /cluster shows it.
type clusterUnit struct {
	Connector string
	Task      *int
	Node      string
	Epoch     int64
	State     string
	Reason    string
}

func (u clusterUnit) name() string {
	if u.Task == nil {
		return u.Connector
	}
	return fmt.Sprintf("%s-%d", u.Connector, *u.Task)
}

type clusterView struct {
	Node, Leader string
	Generation   int
	Lease        int `json:"lease_ms"`
	Nodes        []struct {
		ID, Boot, State, URL string
		Connectors, Tasks    int
	}
	Unreachable []string
	Moves       []struct {
		Connector        string
		Task             *int
		From, To, Reason string
		At               time.Time
		Epoch            int64
	}
	Units []clusterUnit
}

// look asks a node for its view.
func (n *clusterNode) look() (clusterView, error) {
	var v clusterView
	code, text, err := n.try("GET", "/cluster", nil)
	if err == nil && code != 200 {
		err = fmt.Errorf("GET /cluster answers %d %s", code, text)
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &v)
	}
	return v, err
}

// view is what a node says that there is.
func (n *clusterNode) view() clusterView {
	n.c.t.Helper()
	v, err := n.look()
	if err != nil {
		n.c.t.Fatalf("%v\n%s", err, tailOf(n.Process))
	}
	return v
}

// counts says how many units each node has.
func (v clusterView) counts() string {
	var out []string
	for _, n := range v.Nodes {
		out = append(out, fmt.Sprintf("%s %s %d+%d", n.ID, n.State, n.Connectors, n.Tasks))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// tasks are the tasks by name; instances are left out.
func (v clusterView) tasks() map[string]clusterUnit {
	out := make(map[string]clusterUnit)
	for _, u := range v.Units {
		if u.Task != nil {
			out[u.name()] = u
		}
	}
	return out
}

// connectorsOf are the connectors whose tasks a node has.
func (v clusterView) connectorsOf(node string) map[string]bool {
	out := make(map[string]bool)
	for _, u := range v.tasks() {
		if u.Node == node {
			out[u.Connector] = true
		}
	}
	return out
}

// leader waits until the nodes that run agree on one of them that leads.
func (c *testCluster) leader() *clusterNode {
	c.t.Helper()
	c.waitTogether()
	return c.node(c.running()[0].view().Leader)
}

// follower is a node that does not lead.
func (c *testCluster) follower() *clusterNode {
	c.t.Helper()
	leader := c.leader()
	for _, n := range c.running() {
		if n != leader {
			return n
		}
	}
	c.t.Fatal("there is no node beside the leader")
	return nil
}

// waitTogether waits until all nodes that run are in one generation, see each other, and
// name the same leader.
func (c *testCluster) waitTogether() {
	c.t.Helper()
	eventually(c.t, func() string {
		running := c.running()
		var first clusterView
		for i, n := range running {
			v, err := n.look()
			if err != nil {
				return fmt.Sprintf("%s: %v", n.id, err)
			}
			if i == 0 {
				first = v
			}
			if len(v.Nodes) != len(running) || v.Leader == "" || v.Leader != first.Leader || v.Generation != first.Generation || v.Lease <= 0 {
				return fmt.Sprintf("of %d nodes, %s sees %s, led by %q in generation %d, in good standing for %d ms", len(running), n.id, v.counts(), v.Leader, v.Generation, v.Lease)
			}
			for _, p := range v.Nodes {
				if p.State != "running" && p.State != "draining" && n.props["gossip.enable"] != "false" {
					return fmt.Sprintf("%s sees %s", n.id, v.counts())
				}
			}
		}
		return ""
	})
}

// create creates connectors on nodes in turn.
func (c *testCluster) create(configs map[string]map[string]string) {
	c.t.Helper()
	nodes := c.running()
	for i, name := range slices.Sorted(maps.Keys(configs)) {
		nodes[i%len(nodes)].put(name, configs[name])
	}
}

// problem says what keeps a number of tasks from running on the nodes that take work; if
// even, no node may have more than another by over what a task weighs, where an instance
// weighs a tenth.
func (c *testCluster) problem(tasks int, even bool) string {
	asked := c.running()[0]
	v, err := asked.look()
	if err != nil {
		return err.Error()
	}
	for name, u := range v.tasks() {
		if u.State != "assigned" {
			return fmt.Sprintf("%s is %s: %s", name, u.State, u.Reason)
		}
	}
	if sum := len(v.tasks()); sum != tasks {
		return fmt.Sprintf("%d of %d tasks have a place", sum, tasks)
	}
	if even {
		var loads []int // in tenths
		for _, n := range v.Nodes {
			loads = append(loads, n.Connectors+10*n.Tasks)
		}
		if slices.Max(loads)-slices.Min(loads) > 10 || len(loads) != len(c.running()) {
			return fmt.Sprintf("the tasks are spread unevenly over %d nodes: %s", len(c.running()), v.counts())
		}
	}
	code, text, err := asked.try("GET", "/connectors?expand=status", nil)
	if err != nil || code != 200 {
		return fmt.Sprintf("the statuses are %d %s %v", code, text, err)
	}
	var all map[string]struct {
		Status struct {
			Tasks []struct {
				ID     int
				State  string
				Worker string `json:"worker_id"`
				Trace  string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return err.Error()
	}
	for name, s := range all {
		for _, t := range s.Status.Tasks {
			u := v.tasks()[fmt.Sprintf("%s-%d", name, t.ID)]
			n := slices.IndexFunc(c.nodes, func(n *clusterNode) bool { return n.id == u.Node })
			if n < 0 || !c.nodes[n].runs() {
				return fmt.Sprintf("%s-%d is on %q, which does not run", name, t.ID, u.Node)
			}
			if t.State != "RUNNING" || !strings.HasSuffix(c.nodes[n].url, t.Worker) {
				return fmt.Sprintf("%s-%d is %s on %s (the log has it on %s): %s", name, t.ID, t.State, t.Worker, u.Node, t.Trace)
			}
		}
	}
	return ""
}

// waitWhole waits until that many tasks run, spread evenly over the nodes that run.
func (c *testCluster) waitWhole(tasks int) {
	c.t.Helper()
	eventually(c.t, func() string { return c.problem(tasks, true) })
}

// waitRunning waits until that many tasks run, wherever.
func (c *testCluster) waitRunning(tasks int) {
	c.t.Helper()
	eventually(c.t, func() string { return c.problem(tasks, false) })
}

// statuses follows the status topic.
func (c *testCluster) statuses() *tailTopic {
	c.t.Helper()
	return newTailTopic(c.t, c.addr, c.nodes[0].props["status.storage.topic"])
}

// catchUp reads a topic to its end as of now.
func (r *tailTopic) catchUp() []*kgo.Record {
	for {
		before := len(r.recs)
		if r.more(300 * time.Millisecond); len(r.recs) == before {
			return r.recs
		}
	}
}

// undisturbed wants the tasks that were not on a node to be where they were, in the same
// epochs, without a new start.
func undisturbed(t testing.TB, before, after clusterView, node string, starts map[string]int) (kept int) {
	t.Helper()
	now := after.tasks()
	for name, u := range before.tasks() {
		if u.Node == node {
			continue
		}
		if now[name].Node != u.Node || now[name].Epoch != u.Epoch {
			t.Errorf("%s was on %s in epoch %d and is on %s in epoch %d: %s", name, u.Node, u.Epoch, now[name].Node, now[name].Epoch, now[name].Reason)
			continue
		}
		if n := starts[watch.TaskStatus+name]; n > 0 {
			t.Errorf("%s on %s was started %d times", name, u.Node, n)
			continue
		}
		kept++
	}
	return kept
}

// says counts how often a node's present life has logged something.
func (n *clusterNode) says(text string) int { return strings.Count(n.log(), text) }

// pauseFor waits, at most until ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
