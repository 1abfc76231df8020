package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/store"
)

// leadStep keeps this node's leadership as the group says, and has work decided when
// it leads. It returns when to look again.
func (c *Coordinator) leadStep(st *group.State, held bool) time.Duration {
	l := c.lead.Load()
	if l != nil {
		failed := false
		select {
		case <-l.writer.Failed():
			failed = true
		default:
		}
		if failed || !st.Leads() || st.Member != l.member {
			c.stepDown(l)
			l = nil
		}
	}
	if !st.Leads() {
		return idleTick
	}
	if l == nil {
		if held {
			c.beside(&c.busy.beginning, func() { c.begin(st) })
		}
		return idleTick
	}
	return c.decideSoon(l)
}

// stepDown ends a term; nil ends whichever there is.
func (c *Coordinator) stepDown(l *leading) {
	if l == nil {
		l = c.lead.Load()
	}
	if l == nil || !c.lead.CompareAndSwap(l, nil) {
		return
	}
	c.Configs.UseWriter(notLeading{})
	err := l.writer.Err()
	l.writer.Close()
	c.Logger.Info("this node leads no more", "node", c.Node, "after", time.Since(l.since).Round(time.Millisecond), "err", err)
	c.mu.Lock()
	clear(c.acked)
	c.mu.Unlock()
}

// notLeading refuses writes on nodes that do not lead: nothing gets into the config
// topic but through the fenced writer.
type notLeading struct{}

// Write implements [store.Writer].
func (notLeading) Write(context.Context, ...*kgo.Record) error {
	return &NotHere{"this node does not lead the cluster"}
}

// Atomic implements [store.Writer].
func (notLeading) Atomic() bool { return true }

// begin begins a term, in the order that keeps a leader that slept from fencing the
// true one for good: take the transactional id; ask whether the generation still
// stands and is led from here; read everything to the end; mend what a leader left
// half-written. Only then is anything decided.
func (c *Coordinator) begin(st *group.State) {
	l, err := c.beginTerm(st)
	if err != nil {
		if c.ctx.Err() == nil {
			c.setLost(err)
			c.Logger.Warn("beginning to lead the cluster; it is tried again while the group says so", "generation", st.Generation, "err", err)
			c.sleep(retryPause)
		}
		return
	}
	c.setLost(nil)
	c.mu.Lock()
	c.noMoves = time.Now()
	c.mu.Unlock()
	c.Configs.UseWriter(l.writer)
	c.lead.Store(l)
	c.counts.terms.Add(1)
	c.poked.Add(1) // everything is to be decided anew
	c.Logger.Info("this node leads the cluster", "node", c.Node, "generation", st.Generation, "nodes", len(st.Peers), "after", time.Since(l.since).Round(time.Millisecond))
}

// beginTimeout bounds the beginning of a term; what hangs is begun anew.
const beginTimeout = 10 * time.Second

func (c *Coordinator) beginTerm(st *group.State) (_ *leading, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, beginTimeout)
	defer cancel()
	begun := time.Now()
	w, err := c.Writer(ctx)
	if err != nil {
		return nil, fmt.Errorf("taking the leader's transactional id: %w", err)
	}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if !c.member.Leads(ctx, st.Generation) {
		return nil, errors.New("the group's coordinator doesn't confirm that this node leads")
	}
	// One after the other would be two round trips.
	read := make(chan error, 1)
	go func() { read <- c.Log.Refresh(ctx) }() // ends with ctx
	cerr := c.Configs.Refresh(ctx)
	if err := errors.Join(cerr, <-read); err != nil {
		return nil, err
	}
	if err := c.Configs.Mend(ctx, w); err != nil {
		return nil, fmt.Errorf("mending what a former leader left half-written in the config topic: %w", err)
	}
	return &leading{member: st.Member, since: begun, writer: w}, nil
}

// append writes to the assignment log, all or nothing, and returns once it has been read
// back.
func (c *Coordinator) append(ctx context.Context, l *leading, recs ...*kgo.Record) error {
	if err := l.writer.Write(ctx, recs...); err != nil {
		return err
	}
	return c.Log.WaitFor(ctx, recs[len(recs)-1].Offset)
}

// appendHere is append for a request, which only the leader can carry out: see here.
func (c *Coordinator) appendHere(ctx context.Context, recs ...*kgo.Record) error {
	if err := c.here(ctx); err != nil {
		return err
	}
	l := c.lead.Load()
	if l == nil {
		return c.notLeading()
	}
	return c.append(ctx, l, recs...)
}

func (c *Coordinator) setLost(err error) {
	c.mu.Lock()
	c.lost = err
	c.mu.Unlock()
}

// ---- writes find their way to the leader ----

// here returns nil when this node leads and may write. Otherwise it waits until
// somebody leads: another node is an [Elsewhere], for a request that was sent on to
// this one a [NotHere].
func (c *Coordinator) here(ctx context.Context) error {
	begun := time.Now()
	for {
		change := c.change()
		if c.lead.Load() != nil {
			return nil
		}
		st := c.member.State()
		if Forwarded(ctx) && !st.Leads() {
			return c.notLeading()
		}
		if !st.Leads() && c.member.Lease().Held() {
			if p, ok := st.Peer(st.Leader); ok && p.URL != "" && !c.isGone(p.Member) {
				return &Elsewhere{URL: p.URL, Member: p.Member}
			}
		}
		select {
		case <-change:
		case <-ctx.Done():
			return c.noLeader(time.Since(begun))
		case <-c.ctx.Done():
			return Errorf(503, "The worker is shutting down")
		}
	}
}

// owned returns nil when this node holds a unit; another node that does is an
// [Elsewhere]. One that nobody holds is waited for.
func (c *Coordinator) owned(ctx context.Context, u Unit) error {
	ctx, cancel := context.WithTimeout(ctx, ownedTimeout)
	defer cancel()
	for {
		change := c.change()
		e, ok := c.Log.Unit(u)
		st := c.member.State()
		switch {
		case ok && e.State == assign.Assigned && e.Member == st.Member && st.Member != "":
			return nil
		case ok && e.State == assign.Assigned && !c.isGone(e.Member):
			if Forwarded(ctx) {
				return &NotHere{fmt.Sprintf("%s does not run on node %s", u, c.Node)}
			}
			if p, there := st.Peer(e.Member); there && p.URL != "" {
				return &Elsewhere{URL: p.URL, Member: p.Member}
			}
		}
		select {
		case <-change:
		case <-ctx.Done():
			why := "no node has been given it yet"
			if ok {
				why = fmt.Sprintf("it is %s: %s", e.State, e.Reason)
			}
			return Errorf(500, "Request timed out: %s runs on no node now (%s)", u, why)
		}
	}
}

// ownedTimeout is how long a restart waits for its connector or task to have a place.
const ownedTimeout = 10 * time.Second

func (c *Coordinator) notLeading() error {
	return &NotHere{fmt.Sprintf("node %s does not lead the cluster", c.Node)}
}

// noLeader says why a write was not taken.
func (c *Coordinator) noLeader(waited time.Duration) error {
	c.mu.Lock()
	lost := c.lost
	c.mu.Unlock()
	st := c.member.State()
	why := "no node leads the cluster"
	switch {
	case lost != nil:
		why = "this node is to lead the cluster and cannot: " + lost.Error()
	case st.Member == "":
		why = "this node is not in the worker's group: its coordinator has not taken it in"
	case !c.member.Lease().Held():
		why = "the coordinator of the worker's group does not answer"
	}
	return Errorf(500, "Request timed out: %s (waited %v); nothing was written", why, waited.Round(time.Millisecond))
}

func (c *Coordinator) isGone(member string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, gone := c.gone[member]
	return gone
}

// ---- session keys (KIP-507) ----

// previousKey is how long a key is accepted after the next has come.
const previousKey = time.Minute

// SessionKeys implements [SessionKeys].
func (c *Coordinator) SessionKeys() []store.SessionKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) > 1 && time.Since(time.UnixMilli(c.keys[0].Created)) > previousKey {
		c.keys = c.keys[:1]
	}
	if len(c.keys) == 0 { // what was read at the start was told to nobody
		if k := c.Configs.Snapshot().SessionKey(); k != nil {
			c.keys = []store.SessionKey{*k}
		}
	}
	return c.keys
}

func (c *Coordinator) keyChanged(k store.SessionKey) {
	c.SessionKeys() // the one before, if it came at the start
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) > 0 && string(c.keys[0].Key) == string(k.Key) {
		return
	}
	c.keys = append([]store.SessionKey{k}, c.keys[:min(1, len(c.keys))]...)
}

// renewKey writes a new session key when there is none or it is too old.
func (c *Coordinator) renewKey(ctx context.Context) error {
	k := c.Configs.Snapshot().SessionKey()
	if k != nil && (c.KeyTTL <= 0 || time.Since(time.UnixMilli(k.Created)) < c.KeyTTL) {
		return nil
	}
	return c.Configs.PutSessionKey(ctx, newSessionKey())
}
