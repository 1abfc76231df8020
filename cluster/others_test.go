package cluster

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/group"
)

// fixedGossip sees these boots, the last answer being so old, and this one answers.
type fixedGossip struct {
	sees    []string
	silence time.Duration
	answers string
}

func (f fixedGossip) Answers(node, boot, addr string) bool {
	return boot == f.answers && boot == "boot-"+node && addr == node+":7946"
}

func (f fixedGossip) Sees(boot string) bool  { return slices.Contains(f.sees, boot) }
func (f fixedGossip) Silence() time.Duration { return f.silence }
func (f fixedGossip) Unreachable() []string  { return nil }

// TestEvictionIsJudged: a takes d, which it has lost, out of the group.
func TestEvictionIsJudged(t *testing.T) {
	for _, row := range []struct {
		name    string
		member  string // of a
		group   []string
		sees    []string
		silence time.Duration
		want    verdict
		answers string
	}{
		{"of three", "a", []string{"a", "b", "d"}, []string{"b"}, 200 * time.Millisecond, evictIt, ""},
		{"others have lost it, and it answers", "a", []string{"a", "b", "d"}, []string{"b"}, 0, askAgain, "boot-d"},
		{"another life of it answers", "a", []string{"a", "b", "d"}, []string{"b"}, 0, evictIt, "boot-e"},
		{"it lives", "a", []string{"a", "b", "d"}, []string{"b", "d"}, 0, leaveIt, ""},
		{"somebody has done it", "a", []string{"a", "b"}, []string{"b"}, 0, leaveIt, ""},
		{"this node was taken out", "", []string{"a", "b", "d"}, []string{"b"}, 0, leaveIt, ""},
		{"half are seen", "a", []string{"a", "b", "c", "d"}, []string{"b"}, 0, evictIt, ""},
		{"fewer than half are seen", "a", []string{"a", "b", "c", "d", "e"}, []string{"b"}, 0, leaveIt, ""},
		{"the other of three does not answer, and was not given up yet", "a", []string{"a", "b", "d"}, []string{"b"}, time.Second, askAgain, ""},
		{"neither answers", "a", []string{"a", "b", "d"}, nil, 0, leaveIt, ""},
		{"of two", "a", []string{"a", "d"}, nil, 0, evictIt, ""},
		{"of two, before it was given up", "a", []string{"a", "d"}, nil, time.Second, evictIt, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := NewCoordinator(CoordinatorOptions{Logger: slog.New(slog.DiscardHandler)})
			for i, b := range row.sees {
				row.sees[i] = "boot-" + b
			}
			c.Gossip = fixedGossip{append(row.sees, "boot-a"), row.silence, row.answers}
			st := &group.State{Member: row.member, Generation: 1}
			for _, id := range row.group {
				st.Peers = append(st.Peers, group.Peer{Member: id, Node: group.Node{ID: id, Boot: "boot-" + id}})
			}
			if got := c.judge(st, group.Peer{Member: "d", Node: group.Node{ID: "d", Boot: "boot-d", Gossip: "d:7946"}}); got != row.want {
				t.Errorf("judged %v, want %v", got, row.want)
			}
		})
	}
}
