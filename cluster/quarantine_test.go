package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/placement"
)

// kill has a killer's nodes die two times, each time so long after its start that it is
// not watched in between.
func (s *scene) kill(u assign.Unit, between func()) {
	for i := range 2 {
		s.now = s.now.Add(longestWatch + time.Second)
		s.die(s.log[u].Node)
		if i == 1 {
			between()
		}
		s.look()
	}
}

// TestQuarantineExplains: what was started again together with a killer is not held
// answerable for the death that tells who the killer is, and starts at once.
func TestQuarantineExplains(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 6)
	s.look()
	s.now = s.now.Add(time.Hour)
	s.connector("killer", 1)
	s.look()
	u := task("killer", 0)
	s.kill(u, func() {})
	if s.state(u) != assign.Quarantined {
		t.Fatalf("%+v", s.log[u])
	}
	for o, e := range s.log {
		if o.Connector == "x" && (e.State != assign.Assigned || len(e.Deaths) != 0) {
			t.Errorf("%s: %+v", o, e)
		}
	}
}

// TestQuarantineEnds: a new configuration of the connector lets its task out once the
// task has one that was made from it, whether it came before the quarantine or after;
// other tasks of the same configuration do not.
func TestQuarantineEnds(t *testing.T) {
	u, instance := task("killer", 0), placement.Instance("killer")
	for name, row := range map[string]struct {
		before, after func(s *scene)
		want          string
	}{
		"nothing is new":             {nil, nil, assign.Quarantined},
		"only the connector's":       {nil, (*scene).config, assign.Quarantined},
		"both":                       {nil, func(s *scene) { s.config(); s.tasks() }, assign.Assigned},
		"the connector's was before": {(*scene).config, nil, assign.Quarantined},
		"only the task's is later":   {(*scene).config, (*scene).tasks, assign.Assigned},
		"tasks of the old one":       {nil, (*scene).tasks, assign.Quarantined},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "a", "b", "c")
			s.config()
			s.tasks()
			s.look()
			s.kill(u, func() {
				if row.before != nil {
					row.before(s)
				}
			})
			if s.state(u) != assign.Quarantined {
				t.Fatalf("%+v", s.log[u])
			}
			s.join("d")
			if row.after != nil {
				row.after(s)
			}
			s.look()
			if s.state(u) != row.want {
				t.Errorf("%+v; its connector: %+v", s.log[u], s.log[instance])
			}
		})
	}
}

// config gives the killer a configuration, and tasks one to its task.
func (s *scene) config() {
	s.t.Helper()
	if err := s.configs.PutConnector(s.t.Context(), "killer", map[string]string{"connector.class": "X"}, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) tasks() {
	s.t.Helper()
	if err := s.configs.PutTaskConfigs(s.t.Context(), "killer", []map[string]string{{}}); err != nil {
		s.t.Fatal(err)
	}
}

// TestQuarantineTestimony: a node that is started again says how its former life ended.
// What no unit can have done is held against nobody, whether it is heard before the
// second death, in the same look, or after the quarantine.
func TestQuarantineTestimony(t *testing.T) {
	const late, early = longestWatch + time.Second, longestWatch / 2
	for name, row := range map[string]struct {
		lived time.Duration
		end   group.End
		want  string
	}{
		"killed from outside":             {late, group.Killed, assign.Assigned},
		"an exit soon after the start":    {early, group.Killed, assign.Quarantined},
		"a panic":                         {late, group.Crashed, assign.Quarantined},
		"memory":                          {late, group.OutOfMemory, assign.Quarantined},
		"the machine was started again":   {early, group.Rebooted, assign.Assigned},
		"it ended by itself":              {early, group.Ended, assign.Assigned},
		"a word that this one can't tell": {late, "by magic", assign.Quarantined},
	} {
		u := task("x", 0)
		begin := func(t *testing.T) (*scene, string) {
			s := newScene(t, "a", "b", "c")
			s.connector("x", 1)
			s.look()
			s.now = s.now.Add(row.lived)
			first := s.log[u].Node
			s.die(first)
			s.look()
			return s, first
		}
		second := func(s *scene) string {
			s.now = s.now.Add(row.lived)
			node := s.log[u].Node
			s.die(node)
			return node
		}
		t.Run(name+", heard before the second death", func(t *testing.T) {
			s, first := begin(t)
			s.revive(first, row.end)
			s.look()
			second(s)
			s.look()
			if s.state(u) != row.want {
				t.Errorf("%+v", s.log[u])
			}
		})
		t.Run(name+", heard with the second death", func(t *testing.T) {
			s, _ := begin(t)
			s.revive(second(s), row.end)
			s.look()
			s.now = s.now.Add(2 * longestWatch) // its first death has it wait for its turn
			s.look()
			if s.state(u) != row.want {
				t.Errorf("%+v", s.log[u])
			}
		})
		t.Run(name+", heard after the quarantine", func(t *testing.T) {
			s, first := begin(t)
			second(s)
			s.look()
			if s.state(u) != assign.Quarantined {
				t.Fatalf("%+v", s.log[u])
			}
			s.revive(first, row.end)
			s.look()
			if s.state(u) != row.want {
				t.Errorf("%+v", s.log[u])
			}
		})
	}
}

// TestQuarantineOfTheLiving: a node that was taken for dead and is there again in the same
// life has not died, whether that is seen before the next death or after the quarantine.
func TestQuarantineOfTheLiving(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := newScene(t, "a", "b", "c")
		s.connector("x", 1)
		s.look()
		u := task("x", 0)
		out := func() group.Peer {
			s.now = s.now.Add(longestWatch + time.Second)
			i := slices.IndexFunc(s.peers, func(p group.Peer) bool { return p.ID == s.log[u].Node })
			p := s.peers[i]
			s.die(p.ID)
			s.look()
			return p
		}
		back := func(p group.Peer) {
			p.Member = p.Member[:len(p.Member)-1] + "1" // the group takes it in anew
			s.peers = append(s.peers, p)
			s.look()
		}
		first := out()
		if !late {
			back(first)
		}
		second := out()
		if late {
			if s.state(u) != assign.Quarantined {
				t.Fatalf("%+v", s.log[u])
			}
			back(second)
		}
		if s.state(u) != assign.Assigned {
			t.Errorf("late %v: %+v", late, s.log[u])
		}
	}
}

// TestQuarantineLasts: time alone lets nobody out.
func TestQuarantineLasts(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 1)
	s.look()
	u := task("x", 0)
	s.kill(u, func() {})
	s.now = s.now.Add(10 * keptDeaths)
	for range 3 {
		if s.look(); s.state(u) != assign.Quarantined {
			t.Fatalf("%+v", s.log[u])
		}
	}
}

// TestLateExit: a unit that ends its node without a word long after its start is found
// out too, after ten in a row; what only started with it goes on.
func TestLateExit(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 6)
	s.connector("killer", 1)
	s.look()
	u := task("killer", 0)
	deaths := 0
	for ; s.state(u) == assign.Assigned && deaths < 30; deaths++ {
		s.now = s.now.Add(longestWatch + time.Second)
		victim := s.log[u].Node
		s.die(victim)
		s.look()
		s.revive(victim, group.Killed)
		s.balance()
	}
	if deaths != manyKills || s.state(u) != assign.Quarantined {
		t.Errorf("after %d deaths: %+v", deaths, s.log[u])
	}
	for o, e := range s.log {
		if o != u && e.State != assign.Assigned {
			t.Errorf("%s: %+v", o, e)
		}
	}
}

// TestKillLoop: nodes that are killed one after the other, each started again before the
// next, cost no unit its place and have none wait.
func TestKillLoop(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	draw := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same in each run
	for i := range 20 {
		s.connector(fmt.Sprint("x", i), 2)
	}
	s.look()
	for i := range 40 {
		s.now = s.now.Add(13 * time.Second)
		victim := s.peers[draw.IntN(len(s.peers))].ID
		s.die(victim)
		s.look()
		for u, e := range s.log {
			if e.State != assign.Assigned {
				t.Fatalf("kill %d: %s: %+v", i, u, e)
			}
		}
		s.now = s.now.Add(2 * time.Second)
		s.revive(victim, group.Killed)
		s.balance()
	}
}

// balance has units move until each node has its share, acknowledged at once.
func (s *scene) balance() {
	for range 20 {
		s.look()
		for u, e := range s.log {
			if e.State == assign.Revoking {
				s.acked[u] = e.Epoch
			}
		}
	}
}

// revive has a node that died join again and say how its former life ended.
func (s *scene) revive(node string, end group.End) {
	former := s.lastBoot[node]
	s.join(node)
	s.peers[len(s.peers)-1].Lives = []group.Life{{Boot: former, End: end}}
}

// TestQuarantineOfOldUnit: a task that has run for long takes two nodes down as well and
// no more, when it was given the configuration that kills just now.
func TestQuarantineOfOldUnit(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.config()
	s.tasks()
	s.look()
	u := task("killer", 0)
	s.now = time.Now() // configurations are written at the true time
	s.config()
	s.tasks()
	s.kill(u, func() {})
	if s.state(u) != assign.Quarantined {
		t.Fatalf("%+v", s.log[u])
	}
}

// TestQuarantineAfterMove: a unit that was moved live is as old as its whole run, so that
// the death of its new node is not held against it.
func TestQuarantineAfterMove(t *testing.T) {
	for _, handshake := range []bool{true, false} {
		s := newScene(t, "a")
		s.connector("x", 1)
		s.look()
		u := task("x", 0)
		s.now = s.now.Add(time.Hour)
		s.join("b")
		s.join("c")
		if handshake {
			s.drains["a"] = assign.NodeRecord{Drain: drainNode}
			s.look()
			s.now = s.now.Add(time.Second)
			s.acked[u] = s.log[u].Epoch
			s.look()
			delete(s.drains, "a")
		} else {
			s.die("a")
			s.look()
		}
		e := s.log[u]
		if e.State != assign.Assigned || e.Node == "a" {
			t.Fatalf("%+v", e)
		}
		s.now = s.now.Add(time.Second)
		s.die(e.Node)
		s.look()
		if deaths := len(s.log[u].Deaths); deaths != 0 == handshake {
			t.Errorf("handshake %v: %+v", handshake, s.log[u])
		}
	}
}
