package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// decideSoon has the leader decide beside the loop and returns when to look again.
func (c *Coordinator) decideSoon(l *leading) time.Duration {
	c.mu.Lock()
	due := c.nextTick
	c.mu.Unlock()
	if c.poked.Load() == c.stepped && time.Now().Before(due) {
		return min(idleTick, time.Until(due))
	}
	if c.busy.deciding.Load() {
		return idleTick // it has the loop look again
	}
	c.stepped = c.poked.Load()
	c.beside(&c.busy.deciding, func() {
		// What comes in a burst is decided together.
		if !c.sleep(max(decidePause, pauseAfter(c.lookTook))) {
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, decideTimeout)
		defer cancel()
		next, err := c.decide(ctx, l)
		if next == idleTick { // nothing waits, and what changes has the loop look at once
			next = max(next, decideShare*c.lookTook)
		}
		if err != nil && c.ctx.Err() == nil {
			c.Logger.Warn("writing to the assignment log; it is tried again", "err", err)
			c.sleep(retryPause)
			next = 0
		}
		c.mu.Lock()
		c.nextTick = time.Now().Add(next)
		c.mu.Unlock()
	})
	return idleTick
}

const (
	decidePause = 3 * time.Millisecond
	// decideShare is how many times as long as a decision the pause after it is, at
	// least, when nothing has changed: a look at everything takes a while in a cluster
	// with thousands of connectors.
	decideShare   = 200
	decideTimeout = 15 * time.Second

	gossipKeyBytes = 32 // AES-256
)

// round is one look of the leader at everything.
type round struct {
	c        *Coordinator
	now      time.Time
	st       *group.State
	snap     *store.Snapshot
	log      map[assign.Unit]assign.Entry
	drains   map[string]assign.NodeRecord
	acked    map[assign.Unit]int64
	live     map[string]group.Peer // by member id
	lingers  map[string]bool       // members that are not in the group and may work still
	byNode   map[string]group.Peer // by node.id
	alive    map[string]bool       // by boot id: lives that are in the group
	records  []*kgo.Record
	failed   map[assign.Unit]string // statuses that only the leader can write
	ended    []assign.Unit          // whose nodes are gone
	gone     map[string]time.Time   // members that were taken out of the group, and when
	watching map[string]bool        // nodes on which a suspected unit has just been started
	next     time.Duration
	moved    int64 // units that go to another node
}

// decide looks at who is there, what is wanted and what the log says, and writes what
// has to change, in one transaction. What was written has been read back when it
// returns; next says when to look again though nothing tells of a change.
func (c *Coordinator) decide(ctx context.Context, l *leading) (next time.Duration, err error) {
	if err := c.renewKey(ctx); err != nil {
		return 0, err
	}
	begun := time.Now()
	r := c.newRound()
	if c.MakeGossipKeys && len(c.Log.GossipKeys()) == 0 {
		key := make([]byte, gossipKeyBytes)
		_, _ = rand.Read(key) // never fails
		r.records = append(r.records, c.Log.KeysRecord([][]byte{key}, r.now))
	}
	r.work()
	c.lookTook = time.Since(begun)
	if len(r.records) > 0 {
		if err := c.append(ctx, l, r.records...); err != nil {
			return 0, err
		}
	}
	c.counts.moves.Add(r.moved)
	r.report()
	return r.next, nil
}

// work makes the records of everything that has to change.
func (r *round) work() {
	r.testimony()
	r.blame()
	r.nodes()
	r.quarantine()
	r.place()
}

func (c *Coordinator) newRound() *round {
	r := &round{c: c, now: time.Now(), st: c.member.State(), snap: c.Configs.Snapshot(), log: c.Log.Units(), drains: c.Log.Nodes(),
		live: make(map[string]group.Peer), byNode: make(map[string]group.Peer), failed: make(map[assign.Unit]string), lingers: make(map[string]bool), alive: make(map[string]bool), next: idleTick}
	c.mu.Lock()
	r.acked = maps.Clone(c.acked)
	for u := range c.acked {
		if e, ok := r.log[u]; !ok || e.State != assign.Revoking {
			delete(c.acked, u)
		}
	}
	r.gone = maps.Clone(c.gone)
	c.mu.Unlock()
	for _, p := range r.st.Peers { // by age: of two lives of a node the younger counts
		if _, out := r.gone[p.Member]; out || p.ID == "" {
			continue
		}
		r.live[p.Member] = p
		r.byNode[p.ID] = p
	}
	r.late()
	return r
}

// late has the units of a node wait that a rebalance may have gone on without because
// Kafka did not reach it: it works on until its lease ends, which is later than the
// rebalance timeout. A node need not be waited for that was taken out in a hurry, that
// is back in another life or under another member id, or that this node's gossip has
// seen and lost while it sees half of the others: then its lease was a narrow one.
func (r *round) late() {
	c := r.c
	boots := make(map[string]bool)
	for _, p := range r.live {
		boots[p.Boot] = true
	}
	missed := make(map[string]time.Time)
	for _, e := range r.log {
		if e.State != assign.Assigned && e.State != assign.Revoking {
			continue
		}
		boot := group.BootOf(e.Member)
		_, alive := r.live[e.Member]
		_, back := r.byNode[e.Node]
		_, out := r.gone[e.Member]
		if alive || back || boots[boot] || out || c.Gossip == nil || c.lostBoot(boot) && 2*c.seen(r.st) >= len(r.st.Peers) {
			continue
		}
		since, ok := c.missed[e.Member]
		if !ok {
			since = r.now
		}
		missed[e.Member] = since
	}
	c.missed = missed // of the deciding goroutine, of which there is one
	for m, since := range missed {
		if left := since.Add(c.member.Lease().Slack()).Sub(r.now); left > 0 {
			r.lingers[m] = true
			r.next = min(r.next, left, lateLook)
		}
	}
}

// lostBoot reports whether gossip has seen a life of a node and does not any more.
func (c *Coordinator) lostBoot(boot string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.everSeen[boot] && !c.Gossip.Sees(boot)
}

// lateLook is how often the leader looks whether gossip still shows a node that the
// group is without.
const lateLook = 100 * time.Millisecond

// nodes forgets drains of lives that have ended.
func (r *round) nodes() {
	for id, n := range r.drains {
		if n.Drain == drainNode || n.Drain == "" {
			continue
		}
		if p, ok := r.byNode[id]; !ok || p.Boot != n.Drain {
			r.records = append(r.records, r.c.Log.NodeRecord(id, nil))
			delete(r.drains, id)
		}
	}
}

// drainNode is the drain of a node that somebody has asked for over REST: it lasts
// over restarts.
const drainNode = "node"

func (r *round) draining(p group.Peer) bool {
	d := r.drains[p.ID].Drain
	return d == drainNode || d != "" && d == p.Boot
}

// place has the units placed and makes the records of what changes.
func (r *round) place() {
	in := placement.Input{Current: make(map[placement.Unit]string, len(r.log)), Connectors: r.wanted()}
	for _, id := range slices.Sorted(maps.Keys(r.byNode)) {
		p := r.byNode[id]
		n := placement.Node{ID: id, Capacity: p.Capacity, Labels: p.Labels, Limit: p.Limit, Draining: r.draining(p)}
		if left := r.c.unproven(r.st, p, r.now); left > 0 {
			// What runs is not moved to where it might wait for a session to end. What has
			// no owner waits for nobody; while gossip shows no other node it says nothing
			// about this one, and work is spread as if all were seen.
			n.NoMoves, n.Last = true, r.c.seen(r.st) > 1
			r.next = min(r.next, left)
		}
		in.Nodes = append(in.Nodes, n)
	}
	moving, under := 0, make(map[assign.Unit]bool)
	for u, e := range r.log {
		if e.State != assign.Assigned && e.State != assign.Revoking {
			continue // nobody has it
		}
		_, alive := r.live[e.Member]
		if r.lingers[e.Member] {
			under[u] = true // it is given to nobody yet
			continue
		}
		if e.State == assign.Revoking {
			ended, told := r.acked[u] // the first epoch of a log is 0
			over := !alive || told && ended >= e.Epoch || r.now.UnixMilli() >= e.Deadline
			if over {
				if !r.isWanted(u) {
					r.end(u, alive)
				}
				continue // placed anew below, if it is wanted
			}
			// Still on its way: it counts where it goes to, and is given to nobody.
			moving++
			under[u] = true
			r.next = min(r.next, time.Until(time.UnixMilli(e.Deadline)))
			in.Current[u] = cmp.Or(e.To, e.Node)
			continue
		}
		if alive {
			in.Current[u] = e.Node
		} else if p, back := r.byNode[e.Node]; back && !r.draining(p) {
			in.Current[u] = e.Node // the node is back in another life; it gets a new epoch there
		}
	}
	in.MaxMoves = r.moves(moving)
	plan := placement.Place(in)
	for u, node := range plan.Assign {
		if under[u] || r.log[u].State == assign.Quarantined {
			continue // its owner has not let go of it; nobody is to have it
		}
		if !r.mayStart(u, node) {
			r.hold(u)
			continue
		}
		r.assign(u, node, r.whyNew(u))
	}
	for u, node := range in.Current { // units whose node has come back
		e := r.log[u]
		if _, alive := r.live[e.Member]; e.State == assign.Assigned && !alive && plan.Assign[u] == "" && !slices.Contains(plan.Drop, u) {
			if !r.mayStart(u, node) {
				r.hold(u)
				continue
			}
			r.assign(u, node, "its node was started again")
		}
	}
	for _, m := range plan.Moves {
		if e := r.log[m.Unit]; e.State == assign.Assigned {
			if _, alive := r.live[e.Member]; alive {
				r.revoke(m.Unit, e, m.To, m.Reason)
			}
		}
	}
	for _, u := range plan.Drop {
		e := r.log[u]
		_, alive := r.live[e.Member]
		switch {
		case e.State == assign.Revoking && e.To == "": // under way
		case e.State == assign.Revoking:
			e.To = ""
			e.Reason = "it is no longer wanted"
			r.records = append(r.records, r.c.Log.UnitRecord(u, &e.Record))
		case alive:
			r.revoke(u, e, "", "it is no longer wanted")
		default:
			r.end(u, false)
		}
	}
	for u, e := range r.log {
		if r.lingers[e.Member] {
			continue
		}
		if e.State != assign.Assigned && e.State != assign.Revoking && !r.isWanted(u) {
			r.drop(u)
		} else if _, here := in.Current[u]; !here && e.State == assign.Assigned && !r.isWanted(u) {
			r.end(u, false) // its node is gone, and so is what it ran
		}
	}
	for u, reason := range plan.Unplaced {
		if under[u] {
			continue
		}
		if e, ok := r.log[u]; !ok || e.State != assign.Unplaced || e.Reason != reason {
			r.set(u, assign.Record{State: assign.Unplaced, Config: r.snap.Offset(), Reason: reason})
			r.failed[u] = reason
		}
	}
}

// wanted lists what should run, from the configurations.
func (r *round) wanted() []placement.Connector {
	var out []placement.Connector
	for _, name := range r.snap.Connectors() {
		config := r.snap.Config(name)
		pc := placement.Connector{Name: name, Instance: true}
		if target, ok := r.snap.TargetState(name); !ok || target != connectors.Stopped {
			pc.Tasks = r.snap.TaskCount(name)
		}
		pc.Weight, _ = strconv.ParseFloat(strings.TrimSpace(config["placement.weight"]), 64)
		// Rules that cannot be read are reported when the connector is validated.
		pc.Require, pc.Avoid, _ = placement.ParseRules(config["placement.require"], config["placement.avoid"])
		out = append(out, pc)
	}
	return out
}

func (r *round) isWanted(u assign.Unit) bool {
	if !r.snap.Contains(u.Connector) {
		return false
	}
	if u.Task < 0 {
		return true
	}
	target, ok := r.snap.TargetState(u.Connector)
	return (!ok || target != connectors.Stopped) && u.Task < r.snap.TaskCount(u.Connector)
}

// moves says how many live moves may be begun now: gently, and for balance only once
// the nodes have been the same for a while. Drains do not wait.
func (r *round) moves(under int) int {
	c := r.c
	c.mu.Lock()
	settled := c.noMoves.Add(c.Settle)
	c.mu.Unlock()
	free := max(0, c.MaxMoves-under)
	if left := settled.Sub(r.now); left > 0 {
		for _, p := range r.byNode {
			if r.draining(p) {
				return free
			}
		}
		r.next = min(r.next, left)
		return 0
	}
	return free
}

func (r *round) whyNew(u assign.Unit) string {
	e, ok := r.log[u]
	switch {
	case !ok:
		return "it is new"
	case e.State == assign.Revoking:
		return e.Reason
	case e.State == assign.Unplaced:
		return "there is a node for it again"
	case e.State == assign.Waiting:
		return "it was its turn"
	}
	return "node " + e.Node + " is gone"
}

// set makes the record of a unit's new state, as of this round.
func (r *round) set(u assign.Unit, rec assign.Record) assign.Record {
	rec.Generation, rec.At = r.st.Generation, r.now.UnixMilli()
	r.records = append(r.records, r.c.Log.UnitRecord(u, &rec))
	return rec
}

// drop makes the record that a unit is no more.
func (r *round) drop(u assign.Unit) {
	r.records = append(r.records, r.c.Log.UnitRecord(u, nil))
}

func (r *round) assign(u assign.Unit, node, reason string) {
	p, e := r.byNode[node], r.log[u]
	since := int64(0)
	if _, alive := r.live[e.Member]; alive && e.State == assign.Revoking {
		since = r.began(u, e)
	}
	r.countMove(u, node)
	r.set(u, assign.Record{State: assign.Assigned, Node: node, Member: p.Member, Config: r.snap.Offset(), Since: since, Reason: reason, Deaths: e.Deaths})
}

func (r *round) revoke(u assign.Unit, e assign.Entry, to, reason string) {
	deadline := r.now.Add(r.c.RevokeTimeout)
	r.set(u, assign.Record{State: assign.Revoking, Node: e.Node, Member: e.Member, Epoch: e.Offset, To: to, Deadline: deadline.UnixMilli(),
		Config: r.snap.Offset(), Since: r.began(u, e), Reason: reason, Deaths: e.Deaths})
}

// end removes a unit that nobody wants any more. What its node would have written and
// left behind is done here if the node is gone.
func (r *round) end(u assign.Unit, alive bool) {
	r.drop(u)
	if !alive {
		r.ended = append(r.ended, u)
	}
}

// report writes the statuses that no owner writes.
func (r *round) report() {
	h := r.c.herder
	if len(r.records) == 0 {
		return
	}
	// Later than the stays that have ended, and earlier than those that come.
	last := r.records[len(r.records)-1].Offset
	for u, reason := range r.failed {
		h.putStatus(u, &last, "FAILED", reason)
	}
	for _, u := range r.ended {
		h.unassigned(u, &last)
		r.c.leaveGroup(r.snap, u)
	}
}

// leaveGroup takes a sink task that ended with its node out of its consumer group, so
// that its partitions do not idle for a session and its offsets can be changed.
func (c *Coordinator) leaveGroup(snap *store.Snapshot, u assign.Unit) {
	config := snap.Config(u.Connector)
	if u.Task < 0 || config != nil && c.herder.kind(config) != string(connectors.SinkKind) {
		return
	}
	c.start(func() {
		ctx, cancel := context.WithTimeout(c.ctx, decideTimeout)
		defer cancel()
		resolved, _, err := c.herder.Resolver.Resolve(ctx, config)
		if err == nil {
			err = c.evictTask(ctx, u, resolved)
		}
		if err != nil && c.ctx.Err() == nil {
			c.Logger.Debug("taking an ended task out of its consumer group; its session decides", "task", u.String(), "err", err)
		}
	})
}

// evictTask takes the static member of a sink task, named as the worker names it, out of
// its consumer group.
func (c *Coordinator) evictTask(ctx context.Context, u assign.Unit, config map[string]string) error {
	return c.herder.Sinks.Evict(ctx, u.Connector, config, c.Group+"-"+u.String())
}
