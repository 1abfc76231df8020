package cluster

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/store"
)

// fixedMembership is a membership of which nothing changes by itself. Its lease was
// never held.
type fixedMembership struct {
	st    *group.State
	lease group.Lease
}

func (f *fixedMembership) State() *group.State                         { return f.st }
func (f *fixedMembership) Lease() *group.Lease                         { return &f.lease }
func (f *fixedMembership) Leads(context.Context, int32) bool           { return false }
func (f *fixedMembership) Evict(context.Context, string, string) error { return nil }

func TestMetricsOfGenerations(t *testing.T) {
	member := &fixedMembership{st: &group.State{Generation: -1}}
	c := NewCoordinator(CoordinatorOptions{Node: "a"})
	c.Log = assign.NewLog(store.NewLogs(store.Options{}), store.AssignmentTopic("g-assignments", 1, nil), func() {}, slog.New(slog.DiscardHandler))
	c.member = member
	if m := c.Metrics(); m.Generation != -1 || m.Generations != 0 || !m.Last.IsZero() || !m.Out || m.LeaderURL != "" || m.Lease >= 0 {
		t.Errorf("before it is in the group: %+v", m)
	}
	peers := []group.Peer{{Member: "m1", Node: group.Node{ID: "a", URL: "http://a:8083/", Evictions: 2}}, {Member: "m2", Node: group.Node{ID: "b", URL: "http://b:8083/"}}}
	for _, step := range []struct {
		name   string
		st     *group.State
		seen   int64
		leader string
		nodes  int
	}{
		{"the first generation", &group.State{Member: "m1", Generation: 4, Leader: "m2", Peers: peers}, 1, "http://b:8083/", 2},
		{"the same again", &group.State{Member: "m1", Generation: 4, Leader: "m2", Peers: peers}, 1, "http://b:8083/", 2},
		{"the next", &group.State{Member: "m1", Generation: 5, Leader: "m1", Peers: peers[:1]}, 2, "http://a:8083/", 1},
		{"out of the group", &group.State{Generation: -1, Peers: peers}, 2, "", 0},
		{"in it again, the group having begun anew", &group.State{Member: "m3", Generation: 5, Leader: "m3"}, 3, "", 0},
	} {
		member.st = step.st
		c.counts.saw(step.st)
		m := c.Metrics()
		if m.Generation != step.st.Generation || m.Generations != step.seen || m.LeaderURL != step.leader || m.Members != step.nodes || m.Seen != step.nodes || m.Last.IsZero() {
			t.Errorf("%s: %+v", step.name, m)
		}
		if want := int64(2); step.nodes > 0 && m.Evicted != want {
			t.Errorf("%s: evicted %d times, want %d", step.name, m.Evicted, want)
		}
	}
	c.gone["m2"] = time.Now()
	member.st = &group.State{Member: "m1", Generation: 6, Leader: "m2", Peers: peers}
	if m := c.Metrics(); m.LeaderURL != "" {
		t.Errorf("a leader that was taken out is told: %+v", m)
	}
}

func TestMetricsOfMoves(t *testing.T) {
	u := assign.Unit{Connector: "c", Task: 0}
	for _, row := range []struct {
		name string
		log  map[assign.Unit]assign.Entry
		want int64
	}{
		{"new", nil, 0},
		{"without a node so far", map[assign.Unit]assign.Entry{u: {Record: assign.Record{State: assign.Unplaced}}}, 0},
		{"to the same node's next life", map[assign.Unit]assign.Entry{u: {Record: assign.Record{State: assign.Assigned, Node: "b"}}}, 0},
		{"from another", map[assign.Unit]assign.Entry{u: {Record: assign.Record{State: assign.Revoking, Node: "a", To: "b"}}}, 1},
	} {
		r := &round{log: row.log}
		r.countMove(u, "b")
		if r.moved != row.want {
			t.Errorf("%s: %d moves, want %d", row.name, r.moved, row.want)
		}
	}
}
