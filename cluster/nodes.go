package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

var (
	_ Nodes       = (*Herder)(nil)
	_ SessionKeys = (*Herder)(nil)
)

// errAlone answers what only a cluster has.
var errAlone = Errorf(404, "This worker is not part of a cluster; troupe distributed forms one")

// SessionKeys implements [SessionKeys].
func (h *Herder) SessionKeys() []store.SessionKey {
	if h.Nodes == nil {
		return nil
	}
	return h.Nodes.SessionKeys()
}

// Refresh implements [Nodes].
func (h *Herder) Refresh(ctx context.Context) error { return h.Configs.Refresh(ctx) }

// AwaitLeft implements [Nodes].
func (h *Herder) AwaitLeft(ctx context.Context, member string) error {
	c := h.Nodes
	if c == nil {
		return errAlone
	}
	for {
		change := c.change()
		st := c.member.State()
		if _, there := st.Peer(member); st.Member != "" && (!there || c.isGone(member)) {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once runs f, a write of a connector that may have been carried out before, by the rules
// of [Attempt]. done reports whether the connector is as the write wants it; nil is that
// of a write that must not be repeated.
func (h *Herder) once(ctx context.Context, name string, done func(*store.Snapshot) bool, f func(context.Context) error) error {
	at := AttemptOf(ctx)
	if at == nil || done == nil {
		return h.write(ctx, name, f)
	}
	if !at.Again && h.Nodes != nil {
		at.Base = h.Configs.Snapshot().Changed(name)
		at.Repeatable = at.Base >= 0 // of one that was created and deleted nothing is known any more
	}
	return h.write(ctx, name, func(ctx context.Context) error {
		if !at.Again {
			return f(ctx)
		}
		s := h.Configs.Snapshot()
		switch {
		case s.Changed(name) == at.Base:
			return f(ctx)
		case done(s):
			return nil
		}
		return Errorf(500, "The request was forwarded to a node that left the cluster before it answered, and connector %s has changed since: it may or may not have been carried out", name)
	})
}

// Acknowledge implements [Nodes].
func (h *Herder) Acknowledge(ctx context.Context, acks []Ack) error {
	if h.Nodes == nil {
		return errAlone
	}
	return h.Nodes.Acknowledge(ctx, acks)
}

// PutTaskConfigs implements [Nodes].
func (h *Herder) PutTaskConfigs(ctx context.Context, connector string, configs []map[string]string) error {
	if h.Nodes == nil {
		return errAlone
	}
	return h.write(WithForwarded(ctx), connector, func(ctx context.Context) error {
		s := h.Configs.Snapshot()
		if !s.Contains(connector) {
			return Errorf(404, "Connector %s not found", connector)
		}
		if target, has := s.TargetState(connector); has && target == connectors.Stopped {
			return nil // its tasks are gone, and stay so
		}
		return h.Configs.PutTaskConfigs(ctx, connector, configs)
	})
}

// Drain implements [Nodes]. A node may be named by its boot id: then only this life of
// it is drained.
func (h *Herder) Drain(ctx context.Context, node string, drain bool) error {
	c := h.Nodes
	if c == nil {
		return errAlone
	}
	if err := c.here(ctx); err != nil { // who is known is the leader's to say
		return err
	}
	rec := &assign.NodeRecord{Drain: drainNode, At: time.Now().UnixMilli()}
	known := false
	for _, p := range c.member.State().Peers {
		if p.Boot == node {
			node, rec.Drain, known = p.ID, p.Boot, true
			break
		}
		known = known || p.ID == node
	}
	if _, there := c.Log.Nodes()[node]; !known && !there {
		return Errorf(404, "Unknown node %s", node)
	}
	if !drain {
		rec = nil
	}
	return c.appendHere(ctx, c.Log.NodeRecord(node, rec))
}

// Leave empties this node before it goes: it asks the leader to drain this life of it
// and waits until nothing is left here, there is nobody else to take it, or ctx ends.
func (c *Coordinator) Leave(ctx context.Context) {
	asked := false
	for {
		change := c.change()
		st := c.member.State()
		if st.Member == "" || !c.others(st.Member) {
			return
		}
		if len(c.Log.Of(st.Member)) == 0 && asked {
			return
		}
		if !asked {
			asked = c.askDrain(ctx)
		}
		select {
		case <-change:
		case <-time.After(drainRetry):
		case <-ctx.Done():
			c.Logger.Warn("not everything has moved to other nodes in time", "left", len(c.Log.Of(st.Member)))
			return
		}
	}
}

const drainRetry = 100 * time.Millisecond

func (c *Coordinator) askDrain(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	err := c.herder.Drain(ctx, c.Boot, true)
	if there, ok := err.(*Elsewhere); ok { //nolint:errorlint // made by here alone
		err = c.Peers.Drain(ctx, there.URL, c.Boot, true)
	}
	if err != nil {
		c.Logger.Debug("asking the leader to move this node's work; it is repeated", "err", err)
	}
	return err == nil
}

// inherits reports whether this node leads and the worker of that name is not, or no
// longer, in the group.
func (c *Coordinator) inherits(worker string) bool {
	return c.lead.Load() != nil && !slices.ContainsFunc(c.member.State().Peers, func(p group.Peer) bool { return p.Worker == worker })
}

// others reports whether another node is there that takes work.
func (c *Coordinator) others(member string) bool {
	drains := c.Log.Nodes()
	for _, p := range c.member.State().Peers {
		if p.Member != member && p.ID != c.Node && !c.isGone(p.Member) && drains[p.ID].Drain == "" {
			return true
		}
	}
	return false
}

// View implements [Nodes].
func (h *Herder) View(ctx context.Context) (View, error) {
	c := h.Nodes
	if c == nil {
		return View{}, errAlone
	}
	if err := h.awaitStart(ctx); err != nil {
		return View{}, err
	}
	st := c.member.State()
	v := View{Group: c.Group, Node: c.Node, Generation: st.Generation, Lease: c.member.Lease().Left()}
	units, drains := c.Log.Units(), c.Log.Nodes()
	type load struct{ connectors, tasks int }
	loads := make(map[string]load)
	for u, e := range units {
		uv := UnitView{Unit: u, Epoch: e.Stay(), State: e.State, Reason: e.Reason, Since: time.UnixMilli(e.At)}
		if e.State == assign.Assigned || e.State == assign.Revoking {
			uv.Node = e.Node
			l := loads[e.Member]
			if u.Task < 0 {
				l.connectors++
			} else {
				l.tasks++
			}
			loads[e.Member] = l
		}
		v.Units = append(v.Units, uv)
	}
	slices.SortFunc(v.Units, func(a, b UnitView) int {
		return cmp.Or(cmp.Compare(a.Unit.Connector, b.Unit.Connector), cmp.Compare(a.Unit.Task, b.Unit.Task))
	})
	for _, p := range st.Peers {
		nv := NodeView{ID: p.ID, Member: p.Member, Boot: p.Boot, URL: p.URL, Gossip: p.Gossip, Version: p.Version, State: "running",
			Capacity: cmp.Or(p.Capacity, 1), Labels: maps.Clone(p.Labels), Connectors: loads[p.Member].connectors, Tasks: loads[p.Member].tasks}
		switch d := drains[p.ID].Drain; {
		case c.isGone(p.Member):
			nv.State = "gone"
		case d == drainNode:
			nv.State = "draining"
		case d != "" && d == p.Boot:
			nv.State = "leaving"
		case c.Gossip != nil && p.ID != c.Node && !c.Gossip.Sees(p.Boot):
			nv.State = "silent"
		}
		if p.Member == st.Leader {
			v.Leader = p.ID
		}
		v.Nodes = append(v.Nodes, nv)
	}
	for _, m := range c.Log.Moves() {
		v.Moves = append(v.Moves, MoveView(m))
	}
	if c.Gossip != nil {
		v.Unreachable = c.Gossip.Unreachable()
	}
	return v, nil
}
