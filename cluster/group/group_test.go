package group_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/internal/kafkatest"
)

func TestMain(m *testing.M) { os.Exit(kafkatest.Main(m)) }

type joined struct {
	*group.Member
	failed  chan error
	changed atomic.Int64
}

var boots atomic.Int64

func join(t *testing.T, addrs []string, id string) *joined {
	t.Helper()
	return joinGroup(t, addrs, "g", id)
}

func joinGroup(t *testing.T, addrs []string, name, id string) *joined {
	t.Helper()
	j := &joined{failed: make(chan error, 1)}
	self := group.Node{Format: group.Format, ID: id, Boot: fmt.Sprint("boot", boots.Add(1)), Since: time.Now().UnixMicro(), URL: "http://" + id + "/"}
	m, err := group.Join(group.Options{Client: func(extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...)}, extra...)...)
	}, Group: name, Topic: "connect-configs", Self: func() group.Node { return self }, Session: 10 * time.Second, Heartbeat: 100 * time.Millisecond,
		Changed: func() { j.changed.Add(1) }, Failed: func(err error) { j.failed <- err }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	j.Member = m
	return j
}

func broker(t *testing.T) []string {
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
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func leave(t *testing.T, j *joined) {
	t.Helper()
	if err := j.Leave(context.Background()); err != nil {
		t.Error(err)
	}
}

// sees reports whether all have the same generation with one leader and n members.
func sees(n int, all ...*joined) bool {
	leaders := 0
	for _, j := range all {
		st := j.State()
		if st.Member == "" || len(st.Peers) != n || st.Generation != all[0].State().Generation || st.Leader != all[0].State().Leader || !j.Lease().Held() {
			return false
		}
		if st.Leads() {
			leaders++
		}
	}
	return leaders == 1
}

// TestThreeNodes: all see the same members and one leader; the leader leaves and
// another leads; an evicted member comes back under a new member id.
func TestThreeNodes(t *testing.T) {
	addrs := broker(t)
	a, b, c := join(t, addrs, "a"), join(t, addrs, "b"), join(t, addrs, "c")
	eventually(t, "three in one generation", func() bool { return sees(3, a, b, c) })
	var leader *joined
	var rest []*joined
	for _, j := range []*joined{a, b, c} {
		if j.State().Leads() {
			leader = j
		} else {
			rest = append(rest, j)
		}
	}
	if !leader.Leads(t.Context(), leader.State().Generation) {
		t.Error("the coordinator should confirm the leader")
	}
	begun := time.Now()
	leave(t, leader) // another leads before it has returned
	t.Logf("leaving took %v", time.Since(begun))
	begun = time.Now()
	eventually(t, "two in one generation", func() bool { return sees(2, rest...) })
	t.Logf("the new generation stood after %v", time.Since(begun))
	victim := rest[0].State().Member
	if err := rest[1].Evict(t.Context(), victim, "for the test"); err != nil {
		t.Fatal(err)
	}
	if err := rest[1].Evict(t.Context(), victim, "again"); err != nil {
		t.Errorf("evicting twice: %v", err)
	}
	eventually(t, "the evicted loses its standing and comes back", func() bool {
		return rest[0].State().Member != victim && sees(2, rest...)
	})
	for _, j := range rest {
		leave(t, j)
	}
}

// TestARestartedNodeTakesItsOwnPlace: the former life is taken out, so that nobody
// waits for its session.
func TestARestartedNodeTakesItsOwnPlace(t *testing.T) {
	addrs := broker(t)
	first := join(t, addrs, "a")
	eventually(t, "the first life is in", func() bool { return sees(1, first) })
	first.Kill()
	begun := time.Now()
	second := join(t, addrs, "a")
	eventually(t, "the second life is in", func() bool { return sees(1, second) })
	if d := time.Since(begun); d > 2*time.Second {
		t.Errorf("it took %v", d)
	} else {
		t.Logf("it took %v", d)
	}
	leave(t, second)
}

// TestTwoOfOneName: the one that started first is told, and the other stays.
func TestTwoOfOneName(t *testing.T) {
	// On Apache Kafka: the embedded broker makes the second wait for a session here.
	b := kafkatest.Shared(t)
	addrs := []string{b.Addr()}
	adm, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	if _, err := kadm.NewClient(adm).CreateTopic(t.Context(), 1, 1, nil, "connect-configs"); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Fatal(err)
	}
	first := joinGroup(t, addrs, "two-of-one-name", "a")
	eventually(t, "the first is in", func() bool { return sees(1, first) })
	second := joinGroup(t, addrs, "two-of-one-name", "a")
	select {
	case err := <-first.failed:
		if !strings.Contains(err.Error(), "node.id a") {
			t.Errorf("told %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the first was not told")
	}
	leave(t, first)
	eventually(t, "the second stays", func() bool { return sees(1, second) })
	select {
	case err := <-second.failed:
		t.Errorf("the second was told %v", err)
	default:
	}
	leave(t, second)
}

// TestKafkaConnectIsRefused: a worker of another kind is in the group.
func TestKafkaConnectIsRefused(t *testing.T) {
	addrs := broker(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("connect-configs"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go cl.PollFetches(ctx)
	eventually(t, "refused", func() bool {
		return group.Check(t.Context(), group.Options{Client: func(extra ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append(extra, kgo.SeedBrokers(addrs...))...)
		}, Group: "g"}) != nil
	})
	j := join(t, addrs, "a")
	select {
	case err := <-j.failed:
		if !strings.Contains(err.Error(), "is in group g") {
			t.Errorf("told %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("not told")
	}
	leave(t, j)
}
