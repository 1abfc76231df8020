package group_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/group"
)

func options(t *testing.T, addrs []string, instance string) (group.Options, chan error) {
	t.Helper()
	failed := make(chan error, 1)
	return group.Options{Client: func(extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(extra, kgo.SeedBrokers(addrs...))...)
	}, Group: "g", Instance: instance, Topic: "connect-configs", Session: 10 * time.Second, Heartbeat: 100 * time.Millisecond,
		Failed: func(err error) { failed <- err }, Log: slog.New(slog.DiscardHandler)}, failed
}

func addrs(t *testing.T) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "connect-configs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestTheFirstStays: a second node is refused at its check; if both join at once the
// later one is told, and the first never; a restarted node takes its own place.
func TestTheFirstStays(t *testing.T) {
	a := addrs(t)
	one, oneFailed := options(t, a, "one:8083")
	if err := group.Check(t.Context(), one); err != nil {
		t.Fatalf("an empty group: %v", err)
	}
	first, err := group.Join(one)
	if err != nil {
		t.Fatal(err)
	}
	two, twoFailed := options(t, a, "two:8083")
	eventually(t, "the second is refused", func() bool {
		err := group.Check(t.Context(), two)
		return err != nil && strings.Contains(err.Error(), "one:8083 is in group g already")
	})
	second, err := group.Join(two) // as if its check had come too early
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-twoFailed:
		if !strings.Contains(err.Error(), "one:8083 is in group g") {
			t.Errorf("told %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the second node was not told")
	}
	if err := second.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if err := group.Check(t.Context(), one); err != nil {
		t.Errorf("a restart of the first: %v", err)
	}
	if err := first.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-oneFailed:
		t.Errorf("the first was told %v", err)
	default:
	}
	eventually(t, "the group is free", func() bool { return group.Check(t.Context(), two) == nil })
}

// TestKafkaConnectIsRefused: a worker of another kind is in the group.
func TestKafkaConnectIsRefused(t *testing.T) {
	a := addrs(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(a...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("connect-configs"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go cl.PollFetches(ctx)
	o, _ := options(t, a, "one:8083")
	eventually(t, "refused", func() bool { return group.Check(t.Context(), o) != nil })
	m, err := group.Join(o)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Leave(t.Context())
}
