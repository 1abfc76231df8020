package cluster_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// The bounds that every run keeps.
const (
	// sampleEvery is how often it is looked at what works where: intervals are known
	// to within twice of it.
	sampleEvery = 25 * time.Millisecond
	// A unit may work on two nodes, the old one and the new, for so long: when the old
	// one reaches Kafka, and when it does not.
	maxOverlap    = time.Second
	maxOverlapCut = 2 * time.Second
	// maxOverlapBlind is the bound where Kafka does not reach the old node and gossip
	// shows it most of the others, but not to all of them: it holds its full lease, two
	// thirds of the session, and one of those that take it for dead takes it out of the
	// group or leads without waiting for that; or the group has it under a new member id
	// that it does not know of. It takes two cuts at about the same time. A known limit.
	maxOverlapBlind = 7 * time.Second
	// maxGap is how long a unit may work nowhere once the last trouble is over: a
	// session and a rebalance; as much again for kfake's count of members, which a join
	// at the wrong moment puts out until then; and the time to stop of an owner that
	// hangs.
	maxGap = 35 * time.Second
	// settleWithin is how long after the last trouble everything is in its place.
	settleWithin = 90 * time.Second
)

// checker looks at the whole world all the time.
type checker struct {
	w      *world
	quit   chan struct{}
	done   sync.WaitGroup
	mu     sync.Mutex
	double map[cluster.Unit]*double
	idle   map[cluster.Unit]time.Time // since when a wanted unit works nowhere
	faults []string

	longest, longestCut, longestBlind, longestGap time.Duration
}

// double is a time in which a unit works on two nodes.
type double struct {
	since time.Time
	who   string
	cut   bool // the older of them had trouble to reach Kafka
	blind bool // and not all others saw it by gossip, while it saw most of them
	told  bool
}

func newChecker(w *world) *checker {
	c := &checker{w: w, quit: make(chan struct{}), double: make(map[cluster.Unit]*double), idle: make(map[cluster.Unit]time.Time)}
	c.done.Go(func() {
		t := time.NewTicker(sampleEvery)
		defer t.Stop()
		for {
			select {
			case <-c.quit:
				return
			case <-t.C:
				c.sample()
			}
		}
	})
	return c
}

func (c *checker) stop() {
	close(c.quit)
	c.done.Wait()
}

func (c *checker) broken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.w.say("BROKEN: %s", text)
	c.faults = append(c.faults, text)
}

type place struct {
	n     *node
	epoch int64
}

// sample looks once.
func (c *checker) sample() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	at := make(map[cluster.Unit][]place)
	nodes := c.w.nodes()
	ready := false
	for _, n := range nodes {
		if !n.answers() {
			continue
		}
		ready = true
		for u, epoch := range n.worker.working(n.co.Allowed()) {
			at[u] = append(at[u], place{n, epoch})
		}
	}
	for u, ps := range at {
		if len(ps) < 2 {
			delete(c.double, u)
			continue
		}
		slices.SortFunc(ps, func(a, b place) int { return cmp.Compare(a.epoch, b.epoch) })
		for i := range ps[1:] {
			if ps[i].epoch == ps[i+1].epoch {
				c.broken("%s works on %s and %s in the same epoch %d", u, ps[i].n.boot, ps[i+1].n.boot, ps[i].epoch)
			}
		}
		who := ""
		for _, p := range ps {
			who += fmt.Sprintf(" %s (epoch %d)", p.n.boot, p.epoch)
		}
		d := c.double[u]
		if d == nil || d.who != who {
			d = &double{since: now, who: who}
			c.double[u] = d
			c.w.say("%s works on two nodes:%s", u, who)
		}
		d.cut = d.cut || !c.w.reaches(ps[0].n.id)
		d.blind = d.blind || d.cut && blind(ps[0].n, nodes)
		length, bound := now.Sub(d.since), maxOverlap
		switch {
		case d.blind:
			bound = maxOverlapBlind
			c.longestBlind = max(c.longestBlind, length)
		case d.cut:
			bound = maxOverlapCut
			c.longestCut = max(c.longestCut, length)
		default:
			c.longest = max(c.longest, length)
		}
		if length > bound && !d.told {
			d.told = true
			c.broken("%s works on two nodes for more than %v:%s", u, bound, d.who)
		}
	}
	for u := range c.double {
		if len(at[u]) < 2 {
			delete(c.double, u)
		}
	}
	c.gaps(nodes, at, now, ready)
}

// blind reports whether gossip shows a node more than half of its generation, so that
// its lease is not narrow, and does not show it to all others; or whether it is in the
// group under a new member id without knowing, since the answer to its JoinGroup is lost.
func blind(old *node, nodes []*node) bool {
	st, sees, unseen := old.member.State(), 0, false
	for _, p := range st.Peers {
		if p.Boot == old.boot || old.gossip.Sees(p.Boot) {
			sees++
		}
	}
	for _, n := range nodes {
		if n == old || !n.answers() {
			continue
		}
		unseen = unseen || !n.gossip.Sees(old.boot)
		for _, p := range n.member.State().Peers {
			if p.Boot == old.boot && p.Member != st.Member {
				return true
			}
		}
	}
	return unseen && (2*sees > len(st.Peers) || len(st.Peers) == 1)
}

// gaps looks for what works nowhere.
func (c *checker) gaps(nodes []*node, at map[cluster.Unit][]place, now time.Time, ready bool) {
	calm := c.w.calm()
	snap, log := newest(nodes)
	if snap == nil || !ready {
		clear(c.idle)
		return
	}
	want := wanted(snap)
	for u := range c.idle {
		if !want[u] || len(at[u]) > 0 {
			delete(c.idle, u)
		}
	}
	for u := range want {
		if len(at[u]) > 0 || log[u].State == assign.Quarantined {
			continue
		}
		since, ok := c.idle[u]
		if !ok {
			c.idle[u] = now
			continue
		}
		gap := min(now.Sub(since), calm)
		c.longestGap = max(c.longestGap, gap)
		if gap > maxGap {
			c.broken("%s works nowhere for %v, %v after the last trouble: %+v", u, now.Sub(since), calm, log[u])
			c.idle[u] = now.Add(time.Hour) // once
		}
	}
}

// newest returns the configurations of the node that has read most, and its log.
func newest(nodes []*node) (*store.Snapshot, map[cluster.Unit]assign.Entry) {
	var snap *store.Snapshot
	var log map[cluster.Unit]assign.Entry
	for _, n := range nodes {
		if !n.answers() {
			continue
		}
		if s := n.herder.Configs.Snapshot(); snap == nil || s.Offset() > snap.Offset() {
			snap, log = s, n.co.Log.Units()
		}
	}
	return snap, log
}

// wanted lists what is to run by the configurations.
func wanted(s *store.Snapshot) map[cluster.Unit]bool {
	out := make(map[cluster.Unit]bool)
	for _, name := range s.Connectors() {
		out[placement.Instance(name)] = true
		if target, ok := s.TargetState(name); ok && target == connectors.Stopped {
			continue
		}
		for _, id := range s.Tasks(name) {
			out[cluster.Unit(id)] = true
		}
	}
	return out
}

// settled returns why not everything is in its place; "" when it is.
func (c *checker) settled() string {
	c.w.mu.Lock()
	for _, h := range c.w.hosts {
		if h.busy {
			c.w.mu.Unlock()
			return h.id + " is busy"
		}
	}
	c.w.mu.Unlock()
	nodes := c.w.nodes()
	for _, n := range nodes {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := n.co.Log.Refresh(ctx)
		if err == nil {
			err = n.herder.Configs.Refresh(ctx)
		}
		cancel()
		st := n.member.State()
		switch {
		case err != nil:
			return fmt.Sprintf("%s does not read its logs: %v", n.boot, err)
		case n.failure() != nil:
			return fmt.Sprintf("%s has failed: %v", n.boot, n.failure())
		case st.Member == "" || len(st.Peers) != len(nodes):
			return fmt.Sprintf("%s sees %d of %d nodes in the group", n.boot, len(st.Peers), len(nodes))
		case st.Generation != nodes[0].member.State().Generation:
			return "generations differ"
		case !n.co.Allowed():
			return n.boot + " is not in good standing"
		}
	}
	snap, log := newest(nodes)
	want := wanted(snap)
	for _, n := range nodes {
		if !reflect.DeepEqual(n.co.Log.Units(), log) {
			return fmt.Sprintf("the assignment log of %s and another node differ", n.boot)
		}
		if !reflect.DeepEqual(wanted(n.herder.Configs.Snapshot()), want) {
			return fmt.Sprintf("the configurations of %s and another node differ", n.boot)
		}
	}
	for u := range log {
		if !want[u] {
			return fmt.Sprintf("%s is in the log, and nobody wants it: %+v", u, log[u])
		}
	}
	for _, name := range snap.Connectors() {
		target, ok := snap.TargetState(name)
		if want := len(chaosTasks(snap.Config(name))); ok && target == connectors.Started && snap.TaskCount(name) != want {
			return fmt.Sprintf("%s has %d tasks, and its configuration makes %d", name, snap.TaskCount(name), want)
		}
	}
	found := make(map[cluster.Unit]int)
	for _, n := range nodes {
		n.worker.mu.Lock()
		for u, r := range n.worker.runs {
			found[u]++
			e := log[u]
			if e.Member != n.member.State().Member || e.Offset != r.epoch || e.State != assign.Assigned || !r.working || r.stopping {
				why := fmt.Sprintf("%s on %s is not as the log says: %+v; %+v", u, n.boot, *r, e)
				n.worker.mu.Unlock()
				return why
			}
		}
		n.worker.mu.Unlock()
	}
	for u := range want {
		if found[u] != 1 && log[u].State != assign.Quarantined {
			return fmt.Sprintf("%s runs on %d nodes: %+v", u, found[u], log[u])
		}
	}
	return ""
}

// replay reads the assignment log from its beginning and compares.
func (c *checker) replay() string {
	n := c.w.nodes()[0]
	logs := store.NewLogs(store.Options{Client: n.client})
	l := assign.NewLog(logs, store.AssignmentTopic("chaos-assignments", 1, nil), func() {}, n.log)
	defer logs.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := logs.Start(ctx); err != nil {
		return fmt.Sprintf("reading the assignment log anew: %v", err)
	}
	got, want := l.Units(), n.co.Log.Units()
	if !reflect.DeepEqual(got, want) || !maps.Equal(l.Nodes(), n.co.Log.Nodes()) {
		return "the assignment log, read from its beginning, says something else"
	}
	return ""
}
