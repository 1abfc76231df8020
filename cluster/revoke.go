package cluster

import (
	"context"
	"time"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/connectors"
)

// acknowledge tells the leader of what this node was to give up and no longer runs; it
// repeats that, to each new leader too, until the log moves on. It reports whether
// something is still to be given up.
func (c *Coordinator) acknowledge(st *group.State) bool {
	if st.Member == "" {
		return false
	}
	seen := looked{st.Member, c.Log.Last()} // before the look: what comes meanwhile has another one
	if seen == c.nothingDue {
		return false
	}
	var due []Ack
	for u, e := range c.Log.Of(st.Member) {
		if e.State == assign.Revoking {
			due = append(due, Ack{u, e.Epoch})
		}
	}
	if len(due) == 0 {
		c.nothingDue = seen
		return false
	}
	leader, ok := st.Peer(st.Leader)
	if !ok {
		return true
	}
	self := st.Leads()
	c.beside(&c.busy.acking, func() {
		acks := c.ended(due)
		if len(acks) == 0 || self {
			c.takeAcks(acks)
			c.sleep(ackEvery) // the loop looks again as soon as this is done
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, ackTimeout)
		defer cancel()
		if err := c.Peers.Acknowledge(ctx, leader.URL, acks); err != nil && c.ctx.Err() == nil {
			c.Logger.Debug("telling the leader what was given up; it is repeated", "leader", leader.URL, "err", err)
		}
		c.sleep(ackPause)
	})
	return true
}

// RevokeTimeout is how long an owner may take to give something up: as long as stopping
// and committing may take, and longer than the lease of one that Kafka no longer
// reaches, which reads of nothing and works until then.
func RevokeTimeout(grace, flush, session time.Duration) time.Duration {
	return max(grace+flush, group.LeaseTime(session)) + revokeSlack
}

// looked is how far the log was read when it was looked through for a member's units,
// which are too many to do it at each tick.
type looked struct {
	member string
	last   int64
}

const (
	// revokeSlack is for the way of the record to the owner, for that of its answer, and
	// for the wall clocks of two leaders.
	revokeSlack = 5 * time.Second

	ackTimeout = 2 * time.Second
	ackPause   = 100 * time.Millisecond // the log answers within that, as a rule
)

// ended returns those of due that the worker neither runs nor still stops.
func (c *Coordinator) ended(due []Ack) []Ack {
	c.mu.Lock()
	applied := c.applied
	c.mu.Unlock()
	if applied == nil {
		return due // nothing was ever begun here
	}
	var asked []Ack
	for _, a := range due {
		if a.Unit.Task < 0 {
			if _, on := applied.Connectors[a.Unit.Connector]; on {
				continue
			}
		} else if _, on := applied.Tasks[connectors.TaskID(a.Unit)]; on {
			continue
		}
		asked = append(asked, a)
	}
	if len(asked) == 0 {
		return nil
	}
	// Behind the Apply in the worker's mailbox.
	reply := make(chan worker.Held, 1)
	c.herder.system.Root.Send(c.herder.worker, worker.Report{Reply: reply})
	select {
	case held := <-reply:
		out := asked[:0]
		for _, a := range asked {
			if a.Unit.Task < 0 && !held.Connectors[a.Unit.Connector] || a.Unit.Task >= 0 && !held.Tasks[connectors.TaskID(a.Unit)] {
				out = append(out, a)
			}
		}
		return out
	case <-c.ctx.Done():
		return nil
	}
}

// takeAcks notes acknowledgements on the leader.
func (c *Coordinator) takeAcks(acks []Ack) {
	if len(acks) == 0 {
		return
	}
	c.mu.Lock()
	for _, a := range acks {
		c.acked[a.Unit] = max(a.Epoch, c.acked[a.Unit])
	}
	c.mu.Unlock()
	c.Poke()
}

// Acknowledge implements [Nodes].
func (c *Coordinator) Acknowledge(_ context.Context, acks []Ack) error {
	if c.lead.Load() == nil {
		return c.notLeading()
	}
	c.takeAcks(acks)
	return nil
}

// awaitEnd waits until no node has a task of a connector any more, or for as long as
// stopping one may take: then a task that hangs is left to what it fences.
func (c *Coordinator) awaitEnd(ctx context.Context, connector string) {
	ctx, cancel := context.WithTimeout(ctx, c.RevokeTimeout)
	defer cancel()
	for {
		change := c.change()
		if !c.Log.HasTasks(connector) {
			return
		}
		select {
		case <-change:
		case <-ctx.Done():
			return
		}
	}
}
