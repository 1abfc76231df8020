package worker_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/converters"
)

// names is a sink that collects the topics of its records.
type names struct {
	hole
	mu  sync.Mutex
	all []string
}

func (s *names) Put(_ context.Context, recs []data.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range recs {
		if !slices.Contains(s.all, recs[i].Topic) {
			s.all = append(s.all, recs[i].Topic)
		}
	}
	return nil
}

func (s *names) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(s.all)), " ")
}

// TestTopicsRegex: patterns are matched against whole names, those that only Java
// takes as well, and topics that come later are found.
func TestTopicsRegex(t *testing.T) {
	for _, tt := range []struct {
		name, regex string
		want, later string
	}{
		{"taken by Go", "orders-[a-y]", "orders-a orders-b", "orders-a orders-b orders-c"},
		{"look-ahead", "orders-(?!b).", "orders-a orders-z", "orders-a orders-c orders-z"},
		{"look-behind", ".*(?<!-test)-[ab]", "orders-a orders-b", "orders-a orders-b"},
		{"back-reference", "(.)\\1.*", "aardvark", "aardvark"},
		{"possessive", "orders-[ab]++", "orders-a orders-b", "orders-a orders-b"},
		{"nothing at first", "(?=x)xylo.*", "", "xylophones"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders-a", "orders-b", "orders-z", "my-orders-a-test", "aardvark", "orders-test-a"))
			if err != nil {
				t.Fatal(err)
			}
			defer broker.Close()
			cl, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			fill := func(topics ...string) {
				for _, topic := range topics {
					if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
			}
			fill("orders-a", "orders-b", "orders-z", "my-orders-a-test", "aardvark", "orders-test-a")
			s := &names{}
			reg, err := connectors.NewRegistry([]connectors.Plugin{{Class: "t.S", Kind: connectors.SinkKind, Version: "1", TaskClass: "t.T", NewSinkTask: func() connectors.SinkTask { return s }}}, converters.Plugins())
			if err != nil {
				t.Fatal(err)
			}
			str := "org.apache.kafka.connect.storage.StringConverter"
			l := &listener{begun: time.Now()}
			sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
			node := worker.New(worker.Config{Group: "g", Props: map[string]string{"bootstrap.servers": strings.Join(broker.ListenAddrs(), ","), "key.converter": str, "value.converter": str, "consumer.metadata.max.age.ms": "1000"},
				Registry: reg, Resolver: resolver{}, Listener: l, Log: slog.New(slog.DiscardHandler), Offsets: func(string, int64) task.OffsetStore { return noOffsets{} },
				Policy: task.DefaultPolicy(), Grace: 5 * time.Second, CallTimeout: 5 * time.Second, FlushInterval: 50 * time.Millisecond, FlushTimeout: time.Second, Budget: 1 << 20, StaticMembers: true})
			pid := sys.Root.Spawn(node.ActorProps())
			id := connectors.TaskID{Connector: "c"}
			sys.Root.Send(pid, worker.Apply{Wanted: worker.Wanted{Tasks: map[connectors.TaskID]worker.WantedTask{id: {Config: map[string]string{}, Connector: map[string]string{"name": "c", "connector.class": "t.S", "topics.regex": tt.regex}}}}})
			wait := func(want string) {
				t.Helper()
				for end := time.Now().Add(15 * time.Second); s.seen() != want; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("consumed %q, want %q; heard %s", s.seen(), want, l.all())
					}
				}
			}
			wait(tt.want)
			if resp, err := kadm.NewClient(cl).CreateTopics(t.Context(), 1, 1, nil, "orders-c", "orders-d-test", "xylophones"); err != nil || resp.Error() != nil {
				t.Fatal(err, resp.Error())
			}
			fill("orders-c", "orders-d-test", "xylophones")
			wait(tt.later)
			done := make(chan struct{})
			sys.Root.Send(pid, worker.Shutdown{Done: done})
			<-done
			if strings.Contains(l.all(), "RESTARTING") || strings.Contains(l.all(), "FAILED") {
				t.Errorf("heard %s", l.all())
			}
		})
	}
}
