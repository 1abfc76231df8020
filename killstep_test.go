package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/cluster/assign"
)

// stepLimit is the longest time from a kill until every task moves something new.
const stepLimit = 5 * time.Second

// killStep is a point of a rebalance or a handshake at which a node is killed.
type killStep struct {
	name string
	// begin begins a rebalance and says when to kill whom; after undoes what begin
	// leaves behind once the cluster is whole without the dead.
	begin func(s *stepTest) (dead *clusterNode, at time.Time)
	after func(s *stepTest)
	long  bool // only in the long form
}

// stepTest is the cluster that is killed at.
type stepTest struct {
	t       *testing.T
	c       *testCluster
	load    *clusterLoad
	log     *assignmentTail
	drained *clusterNode // over REST, or nil
}

// TestClusterKillSteps kills nodes with kill -9 at chosen points of a live move, of a
// write, of a leader's beginning and of a node's coming and going. The points are seen in
// the assignment topic, which is read uncommitted, so that the leader may die with its
// transaction open, or in a node's log. After each kill every task runs once, somewhere
// that lives, and moves something new; at the end nothing is lost.
func TestClusterKillSteps(t *testing.T) {
	owner := func(s *stepTest, r assign.Record) *clusterNode { return s.c.node(r.Node) }
	target := func(s *stepTest, r assign.Record) *clusterNode { return s.c.node(r.To) }
	steps := []killStep{
		{"the owner, told to give a task up", drainAnd(assign.Revoking, owner), undrain, false},
		{"the target of a task that is given up", drainAnd(assign.Revoking, target), undrain, true},
		{"the leader, telling an owner to give up", drainAnd(assign.Revoking, nil), undrain, false},
		{"the new owner of a task, told to start it", drainAnd(assign.Assigned, owner), undrain, false},
		{"the leader, giving a task to its new owner", drainAnd(assign.Assigned, nil), undrain, true},
		{"the former owner of a task that has moved", drainAnd(assign.Assigned, func(s *stepTest, _ assign.Record) *clusterNode { return s.drained }), undrain, true},
		{"the leader, when a connector was just sent to it", killAfterPost, forgetPosted, false},
		{"the new leader, when it begins to lead", killTwoLeaders, nil, false},
		{"a node that has just joined", killNewcomer, nil, true},
		{"a node that ends in order, giving a task up", killLeaver, nil, true},
		{"the leader, ending in order", killLeavingLeader, nil, true},
	}
	c := startCluster(t, 3)
	load := newClusterLoad(t, c.addr, 6, 6)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	s := &stepTest{t: t, c: c, load: load, log: tailAssignments(t, c)}
	if clusterLong() {
		steps = slices.Repeat(steps, 3)
	} else {
		steps = slices.DeleteFunc(steps, func(s killStep) bool { return s.long })
	}
	worstOf := make(map[int]time.Duration)
	for i, step := range steps {
		load.markNow()
		load.waitNew(nil, time.Now())
		s.drained = nil
		dead, at := step.begin(s)
		load.markNow()
		took := load.waitNew(nil, at)
		c.waitRunning(len(load.all))
		c.runOnce(len(load.all))
		worstOf[i] = worst(took)
		t.Logf("%s (%s): all tasks move on after %s; whole after %v", step.name, dead.id, figures(took), time.Since(at).Round(time.Millisecond))
		if worst(took) > stepLimit {
			t.Errorf("%s: a task moved on after %v, want %v at most", step.name, worst(took), stepLimit)
			logTasks(t, took)
		}
		if step.after != nil {
			step.after(s)
		}
		for _, n := range c.nodes {
			if !n.runs() {
				n.launch()
				n.ready()
			}
		}
		c.waitTogether()
		c.waitWhole(len(load.all))
	}
	lines, again := load.finish()
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	t.Logf("%d kills at steps, %d of them left a transaction open: %s; %d lines, %d of them came more than once", len(worstOf), s.log.aborts, figures(worstOf), lines, again)
}

// drainAnd drains a node that does not lead and kills, as soon as a task's record of a
// state is there, whom it says; nil is the leader.
func drainAnd(state string, whom func(*stepTest, assign.Record) *clusterNode) func(*stepTest) (*clusterNode, time.Time) {
	return func(s *stepTest) (*clusterNode, time.Time) {
		s.t.Helper()
		leader := s.c.leader()
		s.drained = s.c.follower()
		wait := s.log.when(func(r assign.Record) *clusterNode {
			other := r.To // whom the task goes to
			if state == assign.Assigned {
				other = r.Node
			}
			if r.State != state || other == s.drained.id || other == "" {
				return nil
			}
			if whom == nil {
				return leader
			}
			// A step about an owner is not one about the leader. Of the four tasks of the
			// drained node some go to the third one.
			if n := whom(s, r); n != leader {
				return n
			}
			return nil
		})
		leader.rest(202, "POST", "/cluster/nodes/"+s.drained.id+"/drain", nil)
		return wait()
	}
}

// undrain takes the drained node back, dead or alive.
func undrain(s *stepTest) {
	s.t.Helper()
	eventually(s.t, func() string {
		code, text, err := s.c.running()[0].try("POST", "/cluster/nodes/"+s.drained.id+"/undrain", nil)
		if err != nil || code != 202 {
			return fmt.Sprintf("undrain answers %d %s %v", code, text, err)
		}
		return ""
	})
}

const postedName = "posted"

// killAfterPost kills the leader a moment after a connector was sent to another node. The
// answer may be anything; if it was 201 the connector must be there.
func killAfterPost(s *stepTest) (*clusterNode, time.Time) {
	s.t.Helper()
	leader, follower := s.c.leader(), s.c.follower()
	config := fileSource(postedName, s.t.TempDir()+"/never", unique("posted"))
	type answer struct {
		code int
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		code, text, err := follower.try("POST", "/connectors", map[string]any{"name": postedName, "config": config})
		got <- answer{code, text, err}
	}()
	pauseFor(context.Background(), 4*time.Millisecond) // on its way
	killed := leader.kill()
	a := <-got
	s.t.Logf("the POST was answered after %v: %d %.150s %v", time.Since(killed).Round(time.Millisecond), a.code, a.text, a.err)
	if a.err != nil {
		s.t.Errorf("the node that lives has not answered: %v", a.err)
	}
	if a.code == 201 {
		follower.rest(200, "GET", at(postedName), nil)
		follower.waitState(postedName, "RUNNING RUNNING")
	}
	// It is not one of those that are counted.
	eventually(s.t, func() string {
		code, text, err := follower.try("DELETE", at(postedName), nil)
		if err != nil || code != 204 && code != 404 {
			return fmt.Sprintf("DELETE answers %d %s %v", code, text, err)
		}
		return ""
	})
	return leader, killed
}

func forgetPosted(s *stepTest) {
	s.t.Helper()
	for _, n := range s.c.running() {
		n.rest(404, "GET", at(postedName), nil)
	}
}

// leads is what a node logs when it has begun to lead.
const leads = `msg="this node leads the cluster"`

// killTwoLeaders kills the leader, and the next as soon as it says that it leads.
func killTwoLeaders(s *stepTest) (*clusterNode, time.Time) {
	s.t.Helper()
	leader := s.c.leader()
	before := make(map[*clusterNode]int)
	for _, n := range s.c.running() {
		before[n] = n.says(leads)
	}
	leader.kill()
	var next *clusterNode
	for end := time.Now().Add(patience); next == nil; {
		for _, n := range s.c.running() {
			if n.says(leads) > before[n] {
				next = n
				break
			}
		}
		if time.Now().After(end) {
			s.t.Fatal("nobody leads after the leader was killed")
		}
		pauseFor(context.Background(), time.Millisecond)
	}
	return next, next.kill()
}

// killNewcomer ends a node, and when it has started again and joined it kills it.
func killNewcomer(s *stepTest) (*clusterNode, time.Time) {
	s.t.Helper()
	n := s.c.follower()
	n.kill()
	s.c.waitRunning(len(s.load.all))
	n.launch()
	n.waitLog("joined a generation of the worker's group")
	return n, n.kill()
}

// killLeaver ends a node with SIGTERM and kills it when it is told to give something up.
func killLeaver(s *stepTest) (*clusterNode, time.Time) {
	s.t.Helper()
	n := s.c.follower()
	wait := s.log.when(func(r assign.Record) *clusterNode {
		if r.State == assign.Revoking && r.Node == n.id {
			return n
		}
		return nil
	})
	n.Signal(syscall.SIGTERM)
	return wait()
}

// killLeavingLeader is killLeaver with the leader, which writes the log.
func killLeavingLeader(s *stepTest) (*clusterNode, time.Time) {
	s.t.Helper()
	n := s.c.leader()
	wait := s.log.when(func(r assign.Record) *clusterNode {
		if r.State == assign.Revoking && r.Node == n.id {
			return n
		}
		return nil
	})
	n.Signal(syscall.SIGTERM)
	return wait()
}

// assignmentTail follows the assignment log uncommitted.
type assignmentTail struct {
	t *testing.T

	mu     sync.Mutex
	want   func(assign.Record) *clusterNode
	done   chan stepKill
	aborts int // transactions
}

type stepKill struct {
	node *clusterNode
	at   time.Time
	rec  string
}

// tailAssignments begins to follow, from the end as of now until the test ends.
func tailAssignments(t *testing.T, c *testCluster) *assignmentTail {
	t.Helper()
	topic := c.group + "-assignments"
	cl := kafkaClient(t, c.addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(time.Second),
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.KeepControlRecords())
	l := &assignmentTail{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	begun := make(chan struct{})
	go func() {
		defer close(done)
		var once sync.Once
		for ctx.Err() == nil {
			fetches := cl.PollFetches(ctx)
			fetches.EachRecord(func(r *kgo.Record) {
				once.Do(func() { close(begun) })
				if r.Attrs.IsControl() {
					l.marker(r)
				} else if strings.HasPrefix(string(r.Key), "task-") && r.Value != nil {
					l.take(r)
				}
			})
		}
	}()
	// The end is where the client stands once it has seen a record; a drain makes some.
	n := c.follower()
	eventually(t, func() string {
		c.leader().rest(202, "POST", "/cluster/nodes/"+n.id+"/drain", nil)
		c.leader().rest(202, "POST", "/cluster/nodes/"+n.id+"/undrain", nil)
		select {
		case <-begun:
			return ""
		case <-time.After(200 * time.Millisecond):
			return "the assignment topic brings nothing"
		}
	})
	c.waitWhole(len(c.running()[0].view().tasks()))
	return l
}

// marker counts the ends of transactions that were aborted.
func (l *assignmentTail) marker(r *kgo.Record) {
	var key kmsg.ControlRecordKey
	if key.ReadFrom(r.Key) == nil && key.Type == kmsg.ControlRecordKeyTypeAbort {
		l.mu.Lock()
		l.aborts++
		l.mu.Unlock()
	}
}

// take looks at a record, and kills.
func (l *assignmentTail) take(r *kgo.Record) {
	var rec assign.Record
	if err := json.Unmarshal(r.Value, &rec); err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.want == nil {
		return
	}
	if n := l.want(rec); n != nil {
		l.want = nil
		at := time.Now()
		n.Signal(syscall.SIGKILL)
		l.done <- stepKill{n, at, fmt.Sprintf("%s@%d %s", r.Key, r.Offset, r.Value)}
	}
}

// when has the node killed that pick names for a record that comes from now on. What it
// returns waits for that.
func (l *assignmentTail) when(pick func(assign.Record) *clusterNode) func() (*clusterNode, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.want, l.done = pick, make(chan stepKill, 1)
	done := l.done
	return func() (*clusterNode, time.Time) {
		l.t.Helper()
		select {
		case k := <-done:
			if code := k.node.exit(patience); code != -1 {
				l.t.Errorf("node %s ended with exit code %d before it was killed", k.node.id, code)
			}
			l.t.Logf("killed %s at %s", k.node.id, k.rec)
			return k.node, k.at
		case <-time.After(patience):
			l.t.Fatal("no such record has come into the assignment log")
			return nil, time.Time{}
		}
	}
}

// runOnce wants the nodes that run to run so many tasks in all, by their own count.
func (c *testCluster) runOnce(tasks int) {
	c.t.Helper()
	eventually(c.t, func() string {
		sum, text := 0, ""
		for _, n := range c.running() {
			code, body, err := n.try("GET", "/metrics", nil)
			if err != nil || code != 200 {
				return fmt.Sprintf("the metrics of %s: %d %v", n.id, code, err)
			}
			k := -1
			for l := range strings.SplitSeq(body, "\n") {
				if rest, ok := strings.CutPrefix(l, "kafka_connect_worker_task_count "); ok {
					_, _ = fmt.Sscan(rest, &k)
				}
			}
			sum += k
			text += fmt.Sprintf(" %s %d", n.id, k)
		}
		if sum != tasks {
			return fmt.Sprintf("%d tasks run in all, want %d:%s", sum, tasks, text)
		}
		return ""
	})
}
