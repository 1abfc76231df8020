package cluster

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/troupeio/troupe/cluster/group"
)

// watchOthers notices who is there by the group and by gossip: it sets the lease's
// width, forgets members that have left, and restarts the settling time when the set
// of nodes changes.
func (c *Coordinator) watchOthers(st *group.State) {
	if st.Member == "" {
		return
	}
	c.mu.Lock()
	for m := range c.gone {
		if _, there := st.Peer(m); !there {
			delete(c.gone, m)
		}
	}
	if !slices.Equal(c.seenNodes, membersOf(st)) {
		c.seenNodes = membersOf(st)
		c.noMoves = time.Now()
	}
	c.note(st, time.Now())
	c.mu.Unlock()
	// A node that is cut off takes a while to believe that of each of many others; that
	// none of them has answered for so long says it sooner.
	c.member.Lease().Narrow(c.Gossip != nil && len(st.Peers) > 1 && (2*c.seen(st) <= len(st.Peers) || c.Gossip.Silence() > longSilence))
}

// note keeps when gossip last showed each member, or else when it came; a node that
// comes to lead has known for how long by then. The caller holds mu.
func (c *Coordinator) note(st *group.State, now time.Time) {
	there := make(map[string]bool, len(st.Peers))
	for _, p := range st.Peers {
		there[p.Boot] = true
		if _, known := c.shown[p.Boot]; !known || c.Gossip != nil && c.Gossip.Sees(p.Boot) {
			c.shown[p.Boot] = now
		}
	}
	maps.DeleteFunc(c.shown, func(boot string, _ time.Time) bool { return !there[boot] })
}

// unproven returns for how long a member still counts as one that may be dead though
// the group has it: gossip should show it and does not. Its session must be over by
// then if it died at once; whoever is still there is hidden by the network alone.
func (c *Coordinator) unproven(st *group.State, p group.Peer, now time.Time) time.Duration {
	if c.Gossip == nil || p.Gossip == "" || p.Member == st.Member || c.Gossip.Sees(p.Boot) {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	since, known := c.shown[p.Boot]
	if !known {
		since = now // the loop has not come by yet
	}
	return max(0, since.Add(c.Session+unprovenSlack).Sub(now))
}

// unprovenSlack is what the group may need, beyond the session, to be without a dead
// member.
const unprovenSlack = 2 * time.Second

const longSilence = 1200 * time.Millisecond

// membersOf lists the lives, not the nodes: one that is back in the generation in which
// its former life is missing has had its work moved away, and is not to get it back before
// it has stayed for a while.
func membersOf(st *group.State) []string {
	var out []string
	for _, p := range st.Peers {
		out = append(out, p.Member)
	}
	slices.Sort(out)
	return out
}

// seen counts the last generation's members that gossip sees, this node included.
func (c *Coordinator) seen(st *group.State) int {
	n := 0
	for _, p := range st.Peers {
		if p.Member == st.Member || c.Gossip.Sees(p.Boot) {
			n++
		}
	}
	return n
}

// Alive notes that gossip has seen a life of a node.
func (c *Coordinator) Alive(boot string) {
	c.mu.Lock()
	c.everSeen[boot] = true
	c.mu.Unlock()
	c.Poke()
}

// Dead hears that gossip has lost a node. The node is taken out of the group instead
// of waiting for its session to end, under rules that keep a mistake cheap: only while
// this node sees at least half of the last generation's members; only a life that this
// node's own gossip has seen; the leader first, the others one after the other, unless
// somebody has done it. A node that is alive after all learns it at its next heartbeat
// and joins again.
func (c *Coordinator) Dead(boot string) {
	select {
	case <-c.began:
	default:
		return // this node is in no group yet
	}
	c.Poke() // the lease may have to be narrower
	st := c.member.State()
	i := slices.IndexFunc(st.Peers, func(p group.Peer) bool { return p.Boot == boot })
	c.mu.Lock()
	seen := c.everSeen[boot]
	c.mu.Unlock()
	if i < 0 || !seen || st.Member == "" {
		return
	}
	p := st.Peers[i]
	if time.Now().UnixMilli() < p.HeldUntil {
		c.Logger.Info("gossip has lost a node that came back before after such a loss: its session decides", "node", p.ID, "until", time.UnixMilli(p.HeldUntil))
		return
	}
	rank := 0
	if !st.Leads() {
		rank = 1
		for _, o := range st.Peers {
			if o.Member == st.Member {
				break
			}
			if o.Member != st.Leader && o.Boot != boot && c.Gossip.Sees(o.Boot) {
				rank++
			}
		}
	}
	c.start(func() { c.evict(p, time.Duration(rank)*evictStep) })
}

const (
	evictStep    = 100 * time.Millisecond
	evictTimeout = 3 * time.Second

	// freshAnswer is how old the last answer of any node may be for an eviction. One is
	// probed every 200 ms, and with one dead among three every second probe is
	// answered.
	freshAnswer = 500 * time.Millisecond
	answerPause = 25 * time.Millisecond
)

func (c *Coordinator) evict(p group.Peer, wait time.Duration) {
	if !c.sleep(wait) {
		return
	}
	for c.member.Lease().Held() { // or this node itself should have been taken out
		switch c.judge(c.member.State(), p) {
		case leaveIt:
			return
		case evictIt:
			c.takeOut(p)
			return
		}
		if !c.sleep(answerPause) {
			return
		}
	}
}

// answerer is gossip that can ask a node itself instead of those who talk of it.
type answerer interface {
	Answers(node, boot, addr string) bool
}

// answers reports whether a node that gossip has lost answers this one all the same.
// Gossip is hearsay: nodes that come back from a partition have everybody else told
// dead, and a node that is taken out by that while Kafka does not reach it hears of it
// only when its lease ends.
func (c *Coordinator) answers(p group.Peer) bool {
	a, ok := c.Gossip.(answerer)
	return ok && a.Answers(p.ID, p.Boot, p.Gossip)
}

// verdict is on a node that gossip has lost.
type verdict int

const (
	leaveIt verdict = iota
	askAgain
	evictIt
)

func (c *Coordinator) judge(st *group.State, p group.Peer) verdict {
	if _, there := st.Peer(p.Member); !there || st.Member == "" || c.Gossip.Sees(p.Boot) {
		return leaveIt // somebody has done it, or has taken this node out, or it lives
	}
	if n := c.seen(st); 2*n < len(st.Peers) {
		c.Logger.Warn("gossip has lost a node, and too many others: its session decides", "node", p.ID, "seen", n, "of", len(st.Peers))
		return leaveIt
	}
	// A node that is cut off from all loses them one after the other: while it takes the
	// rest for alive, it would take healthy ones out. So an answer of one of them is
	// waited for; of two nodes there is nobody to answer.
	if len(st.Peers) > 2 && c.Gossip.Silence() > freshAnswer {
		return askAgain
	}
	if c.answers(p) {
		return askAgain // until gossip sees it again, or it does not answer
	}
	return evictIt
}

func (c *Coordinator) takeOut(p group.Peer) {
	ctx, cancel := context.WithTimeout(c.ctx, evictTimeout)
	defer cancel()
	if err := c.member.Evict(ctx, p.Member, "gossip has lost the node"); err != nil {
		if c.ctx.Err() == nil {
			c.Logger.Warn("taking a lost node out of the worker's group; its session decides", "node", p.ID, "err", err)
		}
		return
	}
	c.counts.evictions.Add(1)
	c.Logger.Info("took a lost node out of the worker's group", "node", p.ID, "member", p.Member)
	c.mu.Lock()
	c.gone[p.Member] = time.Now()
	c.mu.Unlock()
	c.Poke()
}
