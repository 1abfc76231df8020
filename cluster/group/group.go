// Package group is this node's membership in the Kafka group of its cluster
// (group.id). For now a cluster has one node, and the membership is what keeps a
// second one, or a Kafka Connect worker, from writing to the same internal topics:
// whoever came first stays, the other ends with a message. It imports franz-go.
package group

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocolType is Kafka Connect's, so that its workers and ours exclude each other.
const protocolType = "connect"

// Options are what a member joins with.
type Options struct {
	Client   func(extra ...kgo.Opt) (*kgo.Client, error)
	Group    string // group.id
	Instance string // this node's name; a restarted node takes its own place at once
	Topic    string // a topic that exists: the config topic

	Session, Heartbeat time.Duration
	// Failed is told once when this node may not be in the group. It must not block.
	Failed func(error)
	Log    *slog.Logger
}

// Member is a node's membership. Leave it at the end.
type Member struct {
	o     Options
	cl    *kgo.Client
	since int64 // ms since the epoch
	once  sync.Once
	in    chan struct{} // closed once the group has taken this node in
	inNow sync.Once
}

// metadata is what each member tells the others.
type metadata struct {
	Instance string `json:"instance"`
	Since    int64  `json:"since"`
}

// Check refuses to go on while others are in the group, which is told at once for
// those that have joined. A node of the same name is this one before its restart.
func Check(ctx context.Context, o Options) error {
	cl, err := o.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	g, err := describe(ctx, kadm.NewClient(cl), o.Group)
	if err != nil {
		return fmt.Errorf("asking who is in group %s: %w", o.Group, err)
	}
	for _, m := range g.Members {
		if m.InstanceID == nil {
			return foreign(o.Group, g.ProtocolType, g.Protocol, m.ClientID+" at "+m.ClientHost)
		}
		if *m.InstanceID != o.Instance {
			return taken(o.Group, *m.InstanceID)
		}
	}
	return nil
}

// coordinatorWait is how long a coordinator may take to come up, as it does when the
// broker has just started; after that joining tells.
const coordinatorWait = 2 * time.Second

func describe(ctx context.Context, adm *kadm.Client, group string) (kadm.DescribedGroup, error) {
	deadline := time.Now().Add(coordinatorWait)
	for {
		groups, err := adm.DescribeGroups(ctx, group)
		var se *kadm.ShardErrors
		if errors.As(err, &se) && len(se.Errs) > 0 {
			err = se.Errs[0].Err
		}
		g := groups[group]
		if err == nil {
			err = g.Err
		}
		switch {
		case err == nil || errors.Is(err, kerr.GroupIDNotFound):
			return g, nil
		case errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, kerr.NotCoordinator), errors.Is(err, kerr.CoordinatorLoadInProgress):
			if time.Now().After(deadline) {
				return kadm.DescribedGroup{}, nil
			}
		default:
			var refused *kerr.Error
			if errors.As(err, &refused) || ctx.Err() != nil {
				return g, err
			}
			// The broker is away; it may come while ctx lasts.
		}
		select {
		case <-ctx.Done():
			return g, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func taken(group, other string) error {
	return fmt.Errorf("the worker %s is in group %s already, or died less than a session ago: a cluster has one node for now. Stop the other one, or give this one a group.id and topics of its own", other, group)
}

func foreign(group, protocolType, protocol, who string) error {
	what := "a client of another kind"
	if protocolType == "connect" {
		what = "a Kafka Connect worker"
	}
	return fmt.Errorf("%s (%s, protocol %s) is in group %s: two kinds of workers must not share internal topics. Stop Kafka Connect's workers first", what, who, protocol, group)
}

// Join joins the group in the background; what it meets there is told through
// [Options.Failed].
func Join(o Options) (*Member, error) {
	m := &Member{o: o, since: time.Now().UnixMilli(), in: make(chan struct{})}
	cl, err := o.Client(
		kgo.ConsumerGroup(o.Group), kgo.GroupProtocol(protocolType), kgo.Balancers(&balancer{m}), kgo.InstanceID(o.Instance),
		kgo.ConsumeTopics(o.Topic), kgo.DisableAutoCommit(), kgo.SessionTimeout(o.Session), kgo.HeartbeatInterval(o.Heartbeat),
		kgo.RebalanceTimeout(3*time.Second), kgo.WithHooks(hook{m}))
	if err != nil {
		return nil, fmt.Errorf("joining group %s: %w", o.Group, err)
	}
	m.cl = cl
	return m, nil
}

// Leave takes the node out of the group, so that another worker, Kafka Connect's too,
// can start at once. It first waits, within ctx and a bound, for a join that is under way: the
// coordinator would take the node in after it has gone, and keep its place for a
// session.
func (m *Member) Leave(ctx context.Context) error {
	wait := time.NewTimer(joinWait)
	defer wait.Stop()
	select {
	case <-m.in:
	case <-wait.C:
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = m.o.Group
	lm := kmsg.NewLeaveGroupRequestMember()
	lm.InstanceID = &m.o.Instance
	reason := "the worker stops"
	lm.Reason = &reason
	req.Members = append(req.Members, lm)
	_, err := req.RequestWith(ctx, m.cl)
	m.cl.Close()
	return err
}

// joinWait is a little more than group.initial.rebalance.delay.ms, 3 s by default.
const joinWait = 3500 * time.Millisecond

func (m *Member) fail(err error) {
	m.inNow.Do(func() { close(m.in) }) // nothing to wait for any more
	m.once.Do(func() { m.o.Failed(err) })
}

// joined looks at who is in the group.
func (m *Member) joined(members []metadata) {
	slices.SortFunc(members, func(a, b metadata) int {
		if d := a.Since - b.Since; d != 0 {
			return int(d)
		}
		return strings.Compare(a.Instance, b.Instance)
	})
	if len(members) > 0 && members[0].Instance != m.o.Instance {
		m.fail(taken(m.o.Group, members[0].Instance))
	}
}

// hook hears of errors that end a session of the group.
type hook struct{ m *Member }

// OnGroupManageError implements kgo's hook.
func (h hook) OnGroupManageError(err error) {
	switch {
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		h.m.fail(foreign(h.m.o.Group, protocolType, "unknown", "it uses another protocol"))
	case errors.Is(err, kerr.FencedInstanceID):
		h.m.fail(fmt.Errorf("another worker has taken the place of %s in group %s: two processes have the same advertised REST address", h.m.o.Instance, h.m.o.Group))
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		h.m.fail(fmt.Errorf("joining group %s is not allowed: grant READ on the group to this worker's principal (kafka-acls --add --operation Read --group %s)", h.m.o.Group, h.m.o.Group))
	default:
		h.m.o.Log.Warn("the membership in the worker's group was interrupted and is taken up again", "group", h.m.o.Group, "err", err)
	}
}

// balancer hands every member the list of all.
type balancer struct{ m *Member }

// ProtocolName implements [kgo.GroupBalancer].
func (*balancer) ProtocolName() string { return "troupe" }

// JoinGroupMetadata implements [kgo.GroupBalancer].
func (b *balancer) JoinGroupMetadata([]string, map[string][]int32, int32) []byte {
	out, _ := json.Marshal(metadata{b.m.o.Instance, b.m.since}) // strings and a number
	return out
}

// ParseSyncAssignment implements [kgo.GroupBalancer].
func (b *balancer) ParseSyncAssignment(raw []byte) (map[string][]int32, error) {
	var members []metadata
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("reading the assignment of group %s: %w", b.m.o.Group, err)
	}
	b.m.inNow.Do(func() { close(b.m.in) })
	b.m.joined(members)
	return nil, nil
}

// MemberBalancer implements [kgo.GroupBalancer].
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	return plan(members), nil, nil
}

// IsCooperative implements [kgo.GroupBalancer].
func (*balancer) IsCooperative() bool { return false }

type plan []kmsg.JoinGroupResponseMember

// Balance implements [kgo.GroupMemberBalancer].
func (p plan) Balance(map[string]int32) kgo.IntoSyncAssignment { return p }

// IntoSyncAssignment implements [kgo.IntoSyncAssignment].
func (p plan) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	all := make([]metadata, 0, len(p))
	for _, m := range p {
		var md metadata
		if json.Unmarshal(m.ProtocolMetadata, &md) != nil && m.InstanceID != nil {
			md.Instance = *m.InstanceID
		}
		all = append(all, md)
	}
	raw, _ := json.Marshal(all)
	out := make([]kmsg.SyncGroupRequestGroupAssignment, len(p))
	for i, m := range p {
		out[i] = kmsg.NewSyncGroupRequestGroupAssignment()
		out[i].MemberID, out[i].MemberAssignment = m.MemberID, raw
	}
	return out
}
