package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	gosync "sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options are what a member joins with.
type Options struct {
	Client func(extra ...kgo.Opt) (*kgo.Client, error)
	Group  string      // group.id
	Topic  string      // a topic that exists: the config topic
	Self   func() Node // what this node tells when it joins; called at every join

	Session, Heartbeat time.Duration
	// Changed is called when [Member.State] or the lease may have changed. It must not
	// block.
	Changed func()
	// Failed is told once when this node may not be in the group at all. It must not
	// block.
	Failed func(error)
	Log    *slog.Logger
}

// rebalanceTimeout is short: one silent member and any join park all others in
// JoinGroup for so long.
const rebalanceTimeout = 3 * time.Second

// Member is a node's membership. Leave it at the end.
type Member struct {
	o      Options
	me     Node // as at the start
	cl     *kgo.Client
	ready  chan struct{} // closed once cl is set: the client calls back before it is returned
	state  atomic.Pointer[State]
	lease  *Lease
	forced atomic.Int32 // the generation that this node was last hurried out of
	held   atomic.Bool  // what the loop last saw of the lease

	mu        gosync.Mutex
	evictions int
	heldUntil time.Time

	failOnce gosync.Once
	in       chan struct{} // closed once the group has taken this node in, or never will
	inOnce   gosync.Once

	ctx    context.Context //nolint:containedctx // the membership's life
	cancel context.CancelFunc
	wg     gosync.WaitGroup
}

// Join joins the group in the background; what it meets there is told through
// [Options.Changed] and [Options.Failed].
func Join(o Options) (*Member, error) {
	m := &Member{o: o, me: o.Self(), lease: newLease(o.Session), in: make(chan struct{}), ready: make(chan struct{})}
	m.state.Store(&State{Generation: -1})
	m.ctx, m.cancel = context.WithCancel(context.Background())
	cl, err := o.Client(
		kgo.ClientID(clientID(m.me)), kgo.ConsumerGroup(o.Group), kgo.GroupProtocol(protocolType), kgo.Balancers(&balancer{m}),
		kgo.ConsumeTopics(o.Topic), kgo.DisableAutoCommit(), kgo.SessionTimeout(o.Session), kgo.HeartbeatInterval(o.Heartbeat),
		kgo.RebalanceTimeout(rebalanceTimeout), kgo.WithHooks(hook{m}),
		kgo.MetadataMinAge(100*time.Millisecond),
		// Partitions are lost with every error of the group; the lease decides.
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { m.o.Changed() }),
		kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) {}))
	if err != nil {
		m.cancel()
		return nil, fmt.Errorf("joining group %s: %w", o.Group, err)
	}
	m.cl = cl
	close(m.ready)
	m.wg.Go(m.beat)
	m.wg.Go(m.watch)
	m.wg.Go(m.takeOwnPlace)
	return m, nil
}

// State is what the last generation said that this node was in.
func (m *Member) State() *State { return m.state.Load() }

// Lease is this node's good standing.
func (m *Member) Lease() *Lease { return m.lease }

func (m *Member) client() *kgo.Client {
	<-m.ready
	return m.cl
}

// self is what this node tells, with how often it was taken out of the group.
func (m *Member) self() Node {
	n := m.o.Self()
	m.mu.Lock()
	defer m.mu.Unlock()
	n.Evictions = m.evictions
	if m.evictions > 0 {
		n.HeldUntil = m.heldUntil.UnixMilli()
	}
	return n
}

// How long a node that came back after an eviction is left to its session: an
// eviction was a mistake, and gossip may make the next one as well.
const (
	firstHold   = time.Minute
	longestHold = 30 * time.Minute
)

// synced takes the list of members of a new generation.
func (m *Member) synced(s sync) {
	id, generation := m.client().GroupMetadata()
	st := &State{Member: id, Generation: generation, Leader: s.Leader, Peers: s.Peers}
	old := m.state.Swap(st)
	m.inOnce.Do(func() { close(m.in) })
	m.o.Log.Info("joined a generation of the worker's group", "group", m.o.Group, "generation", generation, "member", id, "leader", s.Leader, "nodes", len(s.Peers))
	if old.Member != id {
		m.wg.Go(func() { m.beatOnce(m.ctx) }) // good standing for the new member id
	}
	for _, p := range s.Peers {
		if p.ID == m.me.ID && p.Boot != m.me.Boot && p.Since > m.me.Since {
			m.fail(fmt.Errorf("another process has the node.id %s in group %s (at %s, started after this one): give each node a node.id, or a rest.advertised.host.name and port, of its own", p.ID, m.o.Group, p.URL))
		}
	}
	m.o.Changed()
}

func (m *Member) fail(err error) {
	m.inOnce.Do(func() { close(m.in) }) // nothing to wait for any more
	m.failOnce.Do(func() { m.o.Failed(err) })
}

// beat sends heartbeats of our own: franz-go sends none while it waits in JoinGroup or
// SyncGroup, and the lease needs to know when each was sent.
func (m *Member) beat() {
	t := time.NewTicker(m.o.Heartbeat)
	defer t.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-t.C:
			m.beatOnce(m.ctx)
		}
	}
}

// beatTimeout bounds one heartbeat; one that is lost must not delay the next too long.
const beatTimeout = time.Second

// beatOnce sends one heartbeat and takes what its answer says: good standing, a
// rebalance to hurry into, or that this node has been taken out.
func (m *Member) beatOnce(ctx context.Context) {
	id, generation := m.client().GroupMetadata()
	if id == "" || generation < 0 {
		return
	}
	sent := time.Now()
	err := m.heartbeat(ctx, id, generation)
	switch {
	case err == nil:
		m.lease.renew(sent)
		m.noticeLease()
	case errors.Is(err, kerr.RebalanceInProgress):
		m.lease.renew(sent)
		m.noticeLease()
		// The sooner all have joined again, the sooner everyone knows who is there. Once
		// a generation: an answer that comes late must not begin another rebalance.
		if _, cur := m.client().GroupMetadata(); cur == generation && m.forced.Swap(generation) != generation {
			m.client().ForceRebalance()
		}
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		// Evicted: what the log gives to this member id is no longer ours.
		if cur, _ := m.client().GroupMetadata(); cur == id {
			m.lease.end()
			m.dropped(id)
			m.noticeLease()
		}
	}
}

// heartbeat sends one heartbeat and returns the coordinator's verdict, within
// beatTimeout.
func (m *Member) heartbeat(ctx context.Context, id string, generation int32) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = m.o.Group, generation, id
	resp, err := req.RequestWith(ctx, m.client())
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// Leads asks the coordinator whether this node still leads a generation. It is true
// only by an answer that was sent after the call began, so that a leader that slept
// and fenced its successor's producer learns that it leads no more.
func (m *Member) Leads(ctx context.Context, generation int32) bool {
	id, _ := m.client().GroupMetadata()
	st := m.state.Load()
	if st.Generation != generation || !st.Leads() || st.Member != id {
		return false
	}
	err := m.heartbeat(ctx, id, generation)
	return err == nil || errors.Is(err, kerr.RebalanceInProgress)
}

// Rejoin has the others learn what this node now tells of itself.
func (m *Member) Rejoin() { m.client().ForceRebalance() }

// dropped forgets a generation that this node was taken out of.
func (m *Member) dropped(member string) {
	old := m.state.Load()
	if member == "" || old.Member != member { // heard of it already, once by each of the two heartbeats
		return
	}
	m.o.Log.Warn("the group has taken this node out; it joins again", "group", m.o.Group, "member", member)
	if !m.state.CompareAndSwap(old, &State{Generation: -1, Peers: old.Peers}) {
		return
	}
	m.mu.Lock()
	m.heldUntil = time.Now().Add(min(firstHold<<min(m.evictions, 10), longestHold))
	m.evictions++
	m.mu.Unlock()
	m.o.Changed()
}

// watch looks at the clock and tells when the lease is lost or held again.
func (m *Member) watch() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	m.lease.look()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-t.C:
			m.lease.look()
			m.noticeLease()
		}
	}
}

func (m *Member) noticeLease() {
	held := m.lease.Held()
	if m.held.Swap(held) != held {
		if held {
			m.o.Log.Info("this node is in good standing", "group", m.o.Group)
		} else {
			m.o.Log.Warn("this node is no longer in good standing: its tasks stop until the group's coordinator answers again", "group", m.o.Group)
		}
		m.o.Changed()
	}
}

// hook hears of errors that end a session of the group.
type hook struct{ m *Member }

// OnGroupManageError implements kgo's hook.
func (h hook) OnGroupManageError(err error) {
	m := h.m
	switch {
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		m.fail(foreign(m.o.Group, protocolType, "unknown", "it uses another protocol"))
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		m.fail(denied(m.o.Group))
	case errors.Is(err, kerr.UnknownMemberID):
		m.lease.end()
		m.dropped(m.state.Load().Member)
		m.noticeLease()
	default:
		m.o.Log.Warn("the membership in the worker's group was interrupted and is taken up again", "group", m.o.Group, "err", err)
	}
}

// Leave takes the node out of the group, so that another worker, Kafka Connect's too,
// can start at once. It first waits, within ctx and a bound, for a join that is under
// way: the coordinator would take the node in after it has gone, and keep its place
// for a session.
func (m *Member) Leave(ctx context.Context) error {
	wait := time.NewTimer(joinWait)
	defer wait.Stop()
	select {
	case <-m.in:
	case <-wait.C:
	case <-ctx.Done():
	}
	m.cancel()
	m.lease.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	var err error
	if id, _ := m.client().GroupMetadata(); id != "" {
		err = evict(ctx, m.client(), m.o.Group, id, "the worker stops")
	}
	m.client().Close()
	m.wg.Wait()
	return err
}

// Kill ends the membership as a crash would: the group is not told.
func (m *Member) Kill() {
	m.cancel()
	m.lease.end()
	m.client().CloseAllowingRebalance()
	m.wg.Wait()
}

// joinWait is a little more than group.initial.rebalance.delay.ms, 3 s by default.
const joinWait = 3500 * time.Millisecond

// Evict takes another member out of the group. One that is not there any more is no
// error. Afterwards this node joins again at once instead of at its next heartbeat.
func (m *Member) Evict(ctx context.Context, member, reason string) error {
	if err := evict(ctx, m.client(), m.o.Group, member, reason); err != nil {
		return err
	}
	m.beatOnce(ctx)
	return nil
}

func evict(ctx context.Context, cl *kgo.Client, group, member, reason string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	lm := kmsg.NewLeaveGroupRequestMember()
	lm.MemberID = member
	lm.Reason = &reason
	req.MemberID = member // for brokers that take one member only
	req.Members = append(req.Members, lm)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("taking member %s out of group %s: %w", member, group, err)
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for _, r := range resp.Members {
		if err == nil {
			err = kerr.ErrorForCode(r.ErrorCode)
		}
	}
	if err == nil || errors.Is(err, kerr.UnknownMemberID) {
		return nil
	}
	return fmt.Errorf("taking member %s out of group %s: %w", member, group, err)
}
