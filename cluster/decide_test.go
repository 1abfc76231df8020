package cluster

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// scene is a cluster at one moment, for one look of its leader.
type scene struct {
	t       *testing.T
	c       *Coordinator
	configs *store.MemoryConfigStore
	log     map[assign.Unit]assign.Entry
	drains  map[string]assign.NodeRecord
	acked   map[assign.Unit]int64
	peers   []group.Peer
	now     time.Time
	offset  int64
	boots   int
	// lastBoot is the boot id of the last life of each node that died.
	lastBoot map[string]string
}

func newScene(t *testing.T, nodes ...string) *scene {
	s := &scene{t: t, configs: store.NewMemoryConfigStore(nil, nil), log: make(map[assign.Unit]assign.Entry), drains: make(map[string]assign.NodeRecord),
		acked: make(map[assign.Unit]int64), lastBoot: make(map[string]string), now: time.UnixMilli(1_700_000_000_000)}
	s.c = NewCoordinator(CoordinatorOptions{MaxMoves: 4, RevokeTimeout: 10 * time.Second, QuarantineWindow: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	s.c.Log = assign.NewLog(store.NewLogs(store.Options{}), store.AssignmentTopic("a", 1, nil), func() {}, s.c.Logger)
	for _, n := range nodes {
		s.join(n)
	}
	return s
}

// join adds a life of a node; its member id is the node's name and a number.
func (s *scene) join(node string) string {
	s.boots++
	boot := fmt.Sprint(node, s.boots)
	member := "troupe/" + node + "/" + boot + "-" + strings.Repeat("0", 36)
	s.peers = append(s.peers, group.Peer{Member: member, Node: group.Node{ID: node, Boot: boot}})
	return member
}

func (s *scene) die(node string) {
	s.lastBoot[node] = group.BootOf(s.member(node))
	s.peers = slices.DeleteFunc(s.peers, func(p group.Peer) bool { return p.ID == node })
}

func (s *scene) member(node string) string {
	for _, p := range slices.Backward(s.peers) {
		if p.ID == node {
			return p.Member
		}
	}
	return ""
}

func (s *scene) connector(name string, tasks int) {
	s.t.Helper()
	configs := make([]map[string]string, tasks)
	for i := range configs {
		configs[i] = map[string]string{}
	}
	if err := s.configs.PutConnector(s.t.Context(), name, map[string]string{"connector.class": "X"}, nil); err != nil {
		s.t.Fatal(err)
	}
	if err := s.configs.PutTaskConfigs(s.t.Context(), name, configs); err != nil {
		s.t.Fatal(err)
	}
}

// look has the leader look once and takes what it writes into the log. It returns the
// round.
func (s *scene) look() *round {
	s.t.Helper()
	r := &round{c: s.c, now: s.now, st: &group.State{Generation: 1, Member: s.leader(), Peers: s.peers}, snap: s.configs.Snapshot(), log: make(map[assign.Unit]assign.Entry),
		drains: s.drains, acked: s.acked, live: make(map[string]group.Peer), byNode: make(map[string]group.Peer), failed: make(map[assign.Unit]string), alive: make(map[string]bool), next: time.Hour}
	for u, e := range s.log {
		r.log[u] = e
	}
	for _, p := range s.peers {
		r.live[p.Member], r.byNode[p.ID] = p, p
	}
	s.c.note(r.st, s.now)
	r.work()
	for _, rec := range r.records {
		s.offset++
		u, ok := unitOf(string(rec.Key))
		switch {
		case !ok:
		case rec.Value == nil:
			delete(s.log, u)
		default:
			var v assign.Record
			if err := json.Unmarshal(rec.Value, &v); err != nil {
				s.t.Fatal(err)
			}
			s.log[u] = assign.Entry{Record: v, Offset: s.offset}
		}
	}
	return r
}

func unitOf(key string) (assign.Unit, bool) {
	if name, ok := strings.CutPrefix(key, "connector-"); ok {
		return placement.Instance(name), true
	}
	rest, ok := strings.CutPrefix(key, "task-")
	i := strings.LastIndexByte(rest, '-')
	if !ok || i < 0 {
		return assign.Unit{}, false
	}
	n := 0
	_, err := fmt.Sscan(rest[i+1:], &n)
	return assign.Unit{Connector: rest[:i], Task: n}, err == nil
}

func (s *scene) on(node string) (units []string) {
	for u, e := range s.log {
		if e.State == assign.Assigned && e.Member == s.member(node) {
			units = append(units, u.String())
		}
	}
	slices.Sort(units)
	return units
}

// leader is a node that lives; it began before everything.
func (s *scene) leader() string {
	if len(s.peers) == 0 {
		return ""
	}
	return s.peers[0].Member
}

func (s *scene) state(u assign.Unit) string { return s.log[u].State }

func task(name string, n int) assign.Unit { return assign.Unit{Connector: name, Task: n} }

// TestDecideNew: what is new is placed at once, evenly, and then nothing changes.
func TestDecideNew(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 3)
	s.connector("y", 3)
	s.look()
	for _, n := range []string{"a", "b", "c"} {
		tasks := slices.DeleteFunc(s.on(n), func(u string) bool { return !strings.Contains(u, "-") })
		if len(tasks) != 2 {
			t.Errorf("%s has %v", n, s.on(n))
		}
	}
	s.now = s.now.Add(time.Hour)
	if r := s.look(); len(r.records) != 0 {
		t.Errorf("the second look writes %d records", len(r.records))
	}
}

// TestDecideLostNode: only the lost node's units move, and each gets a new epoch.
func TestDecideLostNode(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 6)
	s.look()
	before := map[assign.Unit]assign.Entry{}
	for u, e := range s.log {
		before[u] = e
	}
	lost := s.member("b")
	s.now = s.now.Add(time.Hour)
	s.die("b")
	s.look()
	for u, e := range s.log {
		switch old := before[u]; {
		case old.Member == lost && (e.Member == lost || e.Offset == old.Offset):
			t.Errorf("%s is still with the lost node", u)
		case old.Member != lost && e.Offset != old.Offset:
			t.Errorf("%s was touched: %+v", u, e)
		}
	}
}

// TestDecideRestartedNode: a node that is back in another life gets its own units
// again, under a new epoch, and nobody else's change.
func TestDecideRestartedNode(t *testing.T) {
	s := newScene(t, "a", "b")
	s.connector("x", 4)
	s.look()
	units := s.on("b")
	s.now = s.now.Add(time.Hour)
	s.die("b")
	s.join("b")
	r := s.look()
	if got := s.on("b"); !slices.Equal(got, units) {
		t.Errorf("before %v, after %v", units, got)
	}
	if len(r.records) != len(units) {
		t.Errorf("%d records for %d units", len(r.records), len(units))
	}
}

// TestDecideUnwanted: a unit that nobody wants leaves a live owner by a handshake and a
// dead one at once.
func TestDecideUnwanted(t *testing.T) {
	s := newScene(t, "a", "b")
	s.connector("x", 2)
	s.look()
	if err := s.configs.RemoveConnector(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	s.look()
	for u, e := range s.log {
		if e.State != assign.Revoking || e.To != "" || e.Epoch == 0 {
			t.Errorf("%s: %+v", u, e)
		}
		s.acked[u] = e.Epoch
	}
	s.look()
	if len(s.log) != 0 {
		t.Errorf("left: %v", s.log)
	}

	s.connector("y", 2)
	s.look()
	if err := s.configs.RemoveConnector(t.Context(), "y"); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Hour)
	s.die("a")
	r := s.look()
	if len(r.ended) == 0 {
		t.Error("nobody cleans up for the dead node")
	}
	for u, e := range s.log {
		if e.State != assign.Revoking || e.Node != "b" {
			t.Errorf("%s: %+v", u, e)
		}
	}
}

// TestDecideHandshake: what is being given up is given to nobody until its owner has
// said so, is gone, or the deadline has passed, even when its target has died.
func TestDecideHandshake(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(s *scene, u assign.Unit)
		free bool
	}{
		{"nothing", func(*scene, assign.Unit) {}, false},
		{"acknowledged", func(s *scene, u assign.Unit) { s.acked[u] = s.log[u].Epoch }, true},
		{"an older stay is acknowledged", func(s *scene, u assign.Unit) { s.acked[u] = s.log[u].Epoch - 1 }, false},
		{"the owner is gone", func(s *scene, _ assign.Unit) { s.die("a") }, true},
		{"the target is gone", func(s *scene, _ assign.Unit) { s.die("b") }, false},
		{"the deadline has passed", func(s *scene, _ assign.Unit) { s.now = s.now.Add(11 * time.Second) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t, "a")
			s.connector("x", 1)
			s.look()
			s.now = s.now.Add(time.Hour)
			s.join("b")
			s.join("c")
			s.drains["a"] = assign.NodeRecord{Drain: drainNode}
			u := task("x", 0)
			s.look()
			if e := s.log[u]; e.State != assign.Revoking || e.To == "" || e.To == "a" || e.Member != s.member("a") {
				t.Fatalf("draining writes %+v", e)
			}
			if row.name == "the target is gone" {
				s.die(s.log[u].To)
			} else {
				row.do(s, u)
			}
			s.look()
			if e := s.log[u]; (e.State == assign.Assigned) != row.free || row.free && (e.Node == "a" || e.Member != s.member(e.Node)) {
				t.Errorf("after it %+v", e)
			}
		})
	}
}

// TestDecideKiller: a task that takes its nodes down is quarantined after the second,
// and nothing else is; a new configuration lets it out.
func TestDecideKiller(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 6)
	s.look()
	s.now = s.now.Add(time.Hour)
	s.connector("killer", 1)
	s.look()
	u := task("killer", 0)
	for range 2 {
		s.now = s.now.Add(time.Second)
		s.die(s.log[u].Node)
		s.look()
		if s.state(u) == assign.Assigned {
			for range 5 { // whoever must wait for its turn gets it
				s.now = s.now.Add(300 * time.Millisecond)
				s.look()
			}
		}
	}
	if e := s.log[u]; e.State != assign.Quarantined || !strings.Contains(e.Reason, "killer-0 is quarantined") || len(e.Deaths) != 2 {
		t.Fatalf("%+v", e)
	}
	s.now = s.now.Add(time.Minute)
	s.look()
	for o, e := range s.log {
		if o != u && e.State != assign.Assigned {
			t.Errorf("%s: %+v", o, e)
		}
	}
	if r := s.look(); len(r.records) != 0 || s.state(u) != assign.Quarantined {
		t.Errorf("it does not stay so: %+v", s.log[u])
	}
	s.configs = store.NewMemoryConfigStore(nil, nil) // its offsets are all 0
	s.connector("x", 6)
	s.connector("killer", 1)
	e := s.log[u]
	e.Config = -1
	s.log[u] = e
	s.look()
	if e := s.log[u]; e.State != assign.Assigned || len(e.Deaths) != 0 {
		t.Errorf("with a new configuration: %+v", e)
	}
}

// TestDecideInnocents: a machine that dies an hour after its tasks were started is held
// against nobody, nor is one that said that it was leaving; what was started together
// with a killer on one node starts again one after the other.
func TestDecideInnocents(t *testing.T) {
	s := newScene(t, "a", "b")
	s.connector("x", 4)
	s.look()
	s.now = s.now.Add(time.Hour)
	s.die("a")
	s.look()
	for u, e := range s.log {
		if len(e.Deaths) != 0 || e.State != assign.Assigned {
			t.Errorf("%s: %+v", u, e)
		}
	}

	s = newScene(t, "a", "b")
	s.connector("x", 4)
	s.look()
	s.drains["a"] = assign.NodeRecord{Drain: s.peers[0].Boot}
	s.now = s.now.Add(time.Second)
	s.die("a")
	s.look()
	for u, e := range s.log {
		if len(e.Deaths) != 0 {
			t.Errorf("leaving: %s: %+v", u, e)
		}
	}

	s = newScene(t, "a")
	s.connector("x", 4)
	for range 4 { // alone, and killed again and again
		s.look()
		s.now = s.now.Add(time.Second)
		s.die("a")
		s.join("a")
		s.peers[0].Since = s.now.UnixMilli()
	}
	s.look()
	for u, e := range s.log {
		if len(e.Deaths) != 0 || e.State != assign.Assigned {
			t.Errorf("alone: %s: %+v", u, e)
		}
	}

	s = newScene(t, "a", "b")
	s.connector("x", 6)
	s.look()
	s.now = s.now.Add(time.Second)
	s.die("a")
	r := s.look()
	waiting := 0
	for _, e := range s.log {
		if e.State == assign.Waiting {
			waiting++
		}
	}
	if waiting == 0 || r.next > 3*time.Second {
		t.Errorf("%d wait, looked again after %v", waiting, r.next)
	}
	for range 20 {
		s.now = s.now.Add(3 * time.Second)
		s.look()
	}
	for u, e := range s.log {
		if e.State != assign.Assigned {
			t.Errorf("in the end %s: %+v", u, e)
		}
	}
}

// TestDecideStopped: the tasks of a stopped connector are given up, its instance stays.
func TestDecideStopped(t *testing.T) {
	s := newScene(t, "a")
	s.connector("x", 2)
	s.look()
	if err := s.configs.PutTargetState(t.Context(), "x", connectors.Stopped); err != nil {
		t.Fatal(err)
	}
	s.look()
	if s.state(task("x", 0)) != assign.Revoking || s.state(placement.Instance("x")) != assign.Assigned {
		t.Errorf("%+v", s.log)
	}
}
