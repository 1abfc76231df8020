package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Check refuses to go on while others than our own nodes are in the group, which is
// told at once for those that have joined.
func Check(ctx context.Context, o Options) error {
	cl, err := o.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	g, err := describe(ctx, kadm.NewClient(cl), o.Group)
	if errors.Is(err, kerr.GroupAuthorizationFailed) {
		return denied(o.Group)
	}
	if err != nil {
		return fmt.Errorf("asking who is in group %s: %w", o.Group, err)
	}
	for _, m := range g.Members {
		if _, _, ours := parseClientID(m.ClientID); !ours {
			return foreign(o.Group, g.ProtocolType, g.Protocol, m.ClientID+" at "+m.ClientHost)
		}
	}
	return nil
}

// denied says what a user can do about a group that may not be joined; READ includes
// the right to ask who is in it.
func denied(group string) error {
	return fmt.Errorf("joining group %s is not allowed: grant READ on the group to this worker's principal (kafka-acls --add --operation Read --group %s)", group, group)
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

func foreign(group, protocolType, protocol, who string) error {
	what := "a client of another kind"
	if protocolType == "connect" {
		what = "a Kafka Connect worker"
	}
	return fmt.Errorf("%s (%s, protocol %s) is in group %s: two kinds of workers must not share internal topics. Stop Kafka Connect's workers first", what, who, protocol, group)
}

// takeOwnPlace takes former lives of this node out of the group, which would else be
// waited for until their session ends. It does so once the join has begun: an empty
// group makes the first who joins wait for group.initial.rebalance.delay.ms.
//
// A node that is alive and has the same name by mistake comes back and finds that a
// younger one has it: see synced.
func (m *Member) takeOwnPlace() {
	adm := kadm.NewClient(m.client())
	for wait := 15 * time.Millisecond; ; wait = min(wait*3/2, 200*time.Millisecond) {
		select {
		case <-m.ctx.Done():
			return
		case <-time.After(wait):
		}
		ctx, cancel := context.WithTimeout(m.ctx, 2*time.Second)
		g, err := describe(ctx, adm, m.o.Group)
		cancel()
		if err != nil {
			m.o.Log.Debug("asking for former lives of this node in its group", "err", err)
			continue
		}
		var former []string
		joined := false
		for _, p := range g.Members {
			node, boot, ok := parseClientID(p.ClientID)
			joined = joined || ok && boot == m.me.Boot
			if ok && boot != m.me.Boot && node == m.me.ID {
				former = append(former, p.MemberID)
			}
		}
		if !joined {
			continue // in an empty group we would wait
		}
		for _, id := range former {
			m.o.Log.Info("taking a former life of this node out of the group", "member", id)
			if err := m.Evict(m.ctx, id, "the node was started again"); err != nil && m.ctx.Err() == nil {
				m.o.Log.Warn("a former life of this node stays in the group until its session ends", "member", id, "err", err)
			}
		}
		return
	}
}
