package cluster

import (
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
)

// Metrics are the numbers of this node's part in the cluster, as of now.
type Metrics struct {
	Generation  int32         // of the group; -1 before the first
	Generations int64         // that this node has seen
	Last        time.Time     // when it saw the last one; zero: none
	LeaderURL   string        // base of the leader's REST interface; "" while there is none
	Out         bool          // out of the group or not in good standing: this node runs nothing
	Leads       bool          // this node leads and may write
	Lease       time.Duration // left of good standing; negative: lost for so long
	Members     int           // of the last generation
	Seen        int           // of those, seen alive by gossip, this node included
	Held        int           // connector instances and tasks that the log gives to this node

	Terms     int64 // of leadership that this node began
	Evictions int64 // members that this node took out of the group
	Evicted   int64 // times that this life of the node was taken out itself
	Moves     int64 // units that this node, as leader, gave to another node than before
}

// counts are the numbers that only grow.
type counts struct {
	generations, terms, evictions, moves atomic.Int64

	// Of the loop.
	member     string
	generation int32
	last       atomic.Int64 // ns since the epoch; 0: none
}

// saw counts a generation once.
func (n *counts) saw(st *group.State) {
	if st.Member == "" || st.Member == n.member && st.Generation == n.generation {
		return
	}
	n.member, n.generation = st.Member, st.Generation
	n.generations.Add(1)
	n.last.Store(time.Now().UnixNano())
}

// countMove counts a unit that is given to a node, if another one had it.
func (r *round) countMove(u assign.Unit, node string) {
	if e, ok := r.log[u]; ok && e.Node != "" && e.Node != node {
		r.moved++
	}
}

// Metrics returns the numbers of this node's part in the cluster. It may be called from
// any goroutine once the coordinator was started.
func (c *Coordinator) Metrics() Metrics {
	st := c.member.State()
	m := Metrics{Generation: st.Generation, Generations: c.counts.generations.Load(), Out: !c.Allowed(), Leads: c.lead.Load() != nil,
		Lease: c.member.Lease().Left(), Terms: c.counts.terms.Load(), Evictions: c.counts.evictions.Load(), Moves: c.counts.moves.Load()}
	if at := c.counts.last.Load(); at != 0 {
		m.Last = time.Unix(0, at)
	}
	if st.Member == "" {
		return m // what others are told now is not known
	}
	m.Members, m.Seen = len(st.Peers), len(st.Peers)
	if c.Gossip != nil {
		m.Seen = c.seen(st)
	}
	if p, ok := st.Peer(st.Leader); ok && !c.isGone(p.Member) {
		m.LeaderURL = p.URL
	}
	if p, ok := st.Peer(st.Member); ok {
		m.Evicted = int64(p.Evictions)
	}
	for _, e := range c.Log.Of(st.Member) {
		if e.State == assign.Assigned || e.State == assign.Revoking {
			m.Held++
		}
	}
	return m
}
