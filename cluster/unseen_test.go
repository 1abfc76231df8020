package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
)

// sights is a gossip that shows what a test says.
type sights map[string]bool

func (s sights) Sees(boot string) bool { return s[boot] }
func (sights) Silence() time.Duration  { return 0 }
func (sights) Unreachable() []string   { return nil }

// gossiping is a scene of nodes that name gossip addresses, settled for an hour. Gossip
// shows those of seen.
func gossiping(t *testing.T, seen []string, nodes ...string) (*scene, sights) {
	s := newScene(t)
	g := make(sights)
	s.c.Gossip, s.c.Session = g, 10*time.Second
	for _, n := range nodes {
		s.enter(n)
		g[s.boot(n)] = slices.Contains(seen, n)
	}
	s.look()
	s.now = s.now.Add(time.Hour)
	return s, g
}

// enter adds a life of a node that names a gossip address.
func (s *scene) enter(node string) {
	s.join(node)
	s.peers[len(s.peers)-1].Gossip = node + ":7946"
}

func (s *scene) boot(node string) string { return group.BootOf(s.member(node)) }

func (s *scene) moving() (to []string) {
	for _, e := range s.log {
		if e.State == assign.Revoking {
			to = append(to, e.To)
		}
	}
	return to
}

// TestNewcomerUnseen: nothing that runs moves to a newcomer before gossip has shown it.
// It gets its share once it is seen, and when the group still has it after a session
// although it never was; if it is gone until then, nothing has waited for it.
func TestNewcomerUnseen(t *testing.T) {
	for _, row := range []struct {
		name  string
		then  func(s *scene, g sights)
		moves bool
	}{
		{"nothing", func(*scene, sights) {}, false},
		{"it is seen", func(s *scene, g sights) { g[s.boot("c")] = true }, true},
		{"it is seen and lost", func(s *scene, g sights) {
			g[s.boot("c")] = true
			s.c.note(&group.State{Peers: s.peers}, s.now)
			g[s.boot("c")] = false
		}, false},
		{"a session has passed", func(s *scene, _ sights) { s.now = s.now.Add(12 * time.Second) }, true},
		{"almost a session has passed", func(s *scene, _ sights) { s.now = s.now.Add(11 * time.Second) }, false},
		{"it is gone", func(s *scene, _ sights) { s.die("c") }, false},
		{"it is back in another life", func(s *scene, _ sights) {
			s.now = s.now.Add(12 * time.Second)
			s.die("c")
			s.enter("c")
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, g := gossiping(t, []string{"a", "b"}, "a", "b")
			s.connector("x", 6)
			s.look()
			s.now = s.now.Add(time.Hour)
			s.enter("c")
			if r := s.look(); len(r.records) != 0 || r.next > 12*time.Second {
				t.Fatalf("%d records at once; it looks again after %v", len(r.records), r.next)
			}
			row.then(s, g)
			s.look()
			if to := s.moving(); (len(to) > 0) != row.moves || row.moves && !slices.Contains(to, "c") {
				t.Errorf("moves to %v", to)
			}
		})
	}
}

// TestUnseenNeed: what has no owner goes to nodes that are seen, and to others only if it
// must; a leader that gossip shows nobody spreads it as if all were seen.
func TestUnseenNeed(t *testing.T) {
	s, g := gossiping(t, []string{"a", "b"}, "a", "b", "d")
	g[s.boot("d")] = true
	s.connector("x", 9)
	s.look()
	s.now = s.now.Add(time.Hour)
	s.enter("c")
	s.die("d")
	s.look()
	if n := len(s.on("a")) + len(s.on("b")); n != 10 || len(s.on("c")) != 0 {
		t.Errorf("of 10 units the seen nodes have %d, the unseen one has %v", n, s.on("c"))
	}

	s.drains["a"], s.drains["b"] = assign.NodeRecord{Drain: drainNode}, assign.NodeRecord{Drain: drainNode}
	s.look()
	if to := s.moving(); len(to) != 0 {
		t.Errorf("draining moves to %v", to)
	}
	s.connector("y", 1)
	s.look()
	if got := s.on("c"); len(got) != 2 {
		t.Errorf("nobody else can take it: %v", got)
	}

	s, _ = gossiping(t, nil, "a")
	s.enter("b")
	s.enter("c")
	s.connector("x", 6)
	s.look()
	for _, n := range []string{"a", "b", "c"} {
		if len(s.on(n)) < 2 {
			t.Errorf("gossip shows nobody: %s has %v", n, s.on(n))
		}
	}
}

// TestUnseenWithoutGossip: a member that names no gossip address, and every member where
// gossip is off, counts as any other at once.
func TestUnseenWithoutGossip(t *testing.T) {
	for _, off := range []bool{false, true} {
		s, _ := gossiping(t, []string{"a"}, "a")
		if off {
			s.c.Gossip = nil
		}
		s.connector("x", 6)
		s.look()
		s.now = s.now.Add(time.Hour)
		if off {
			s.enter("b")
		} else {
			s.join("b")
		}
		s.look()
		if to := s.moving(); len(to) == 0 {
			t.Errorf("gossip off: %v: nothing moves", off)
		}
	}
}

// TestRevokeTimeout: nobody is given what an owner may still work on that Kafka does not
// reach, whatever the session.
func TestRevokeTimeout(t *testing.T) {
	for _, row := range []struct{ grace, flush, session, want time.Duration }{
		{5 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second},
		{5 * time.Second, 5 * time.Second, 45 * time.Second, 35 * time.Second},
		{time.Second, time.Second, 6 * time.Second, 9 * time.Second},
		{time.Minute, 5 * time.Second, 45 * time.Second, 70 * time.Second},
	} {
		got := RevokeTimeout(row.grace, row.flush, row.session)
		if got != row.want || got <= group.LeaseTime(row.session) {
			t.Errorf("%v: %v", row, got)
		}
	}
}
