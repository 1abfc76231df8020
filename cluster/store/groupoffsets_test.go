package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/connectors"
)

func TestGroupOffsets(t *testing.T) {
	c := broker(t, kfake.SeedTopics(3, "t", "u"))
	cl := client(t, c)
	adm := kadm.NewClient(cl)
	ctx := deadline(t)
	tp := func(topic string, p int32) connectors.TopicPartition {
		return connectors.TopicPartition{Topic: topic, Partition: p}
	}
	list := func() string {
		t.Helper()
		got, err := ListGroupOffsets(ctx, adm, "connect-s")
		must(t, err)
		return fmt.Sprint(got)
	}
	if got := list(); got != "[]" {
		t.Errorf("a group that does not exist has %s", got)
	}
	must(t, ResetGroup(ctx, adm, "connect-s"))
	must(t, DeleteGroupOffsets(ctx, adm, "connect-s", []connectors.TopicPartition{tp("t", 0)}))
	must(t, AlterGroupOffsets(ctx, adm, "connect-s", map[connectors.TopicPartition]int64{tp("u", 2): 1000, tp("t", 0): 7, tp("t", 1): 8}))
	if got := list(); got != "[{t-0 7} {t-1 8} {u-2 1000}]" {
		t.Errorf("after altering: %s", got)
	}
	must(t, DeleteGroupOffsets(ctx, adm, "connect-s", []connectors.TopicPartition{tp("t", 0), tp("t", 2)}))
	if got := list(); got != "[{t-1 8} {u-2 1000}]" {
		t.Errorf("after deleting: %s", got)
	}
	if err := AlterGroupOffsets(ctx, adm, "connect-s", map[connectors.TopicPartition]int64{tp("none", 0): 1}); !errors.Is(err, ErrGroupRefused) || !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("an unknown topic: %v", err)
	}
	must(t, ResetGroup(ctx, adm, "connect-s"))
	if got := list(); got != "[]" {
		t.Errorf("after the reset: %s", got)
	}

	member := client(t, c, kgo.ConsumerGroup("connect-s"), kgo.ConsumeTopics("t"))
	must(t, cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr())
	if err := member.PollFetches(ctx).Err0(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"alter":  AlterGroupOffsets(ctx, adm, "connect-s", map[connectors.TopicPartition]int64{tp("t", 0): 1}),
		"delete": DeleteGroupOffsets(ctx, adm, "connect-s", []connectors.TopicPartition{tp("t", 0)}),
		"reset":  ResetGroup(ctx, adm, "connect-s"),
	} {
		if !errors.Is(err, ErrGroupNotEmpty) {
			t.Errorf("%s of a group with a member: %v", what, err)
		}
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteGroups}, Err: kerr.GroupAuthorizationFailed})
	if err := ResetGroup(ctx, adm, "connect-s"); !errors.Is(err, ErrGroupRefused) {
		t.Errorf("not authorized: %v", err)
	}
}
