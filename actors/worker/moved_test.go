package worker_test

import (
	"context"
	"log/slog"
	"strings"
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

// hole is a sink that takes everything.
type hole struct{}

func (hole) Start(context.Context, connectors.SinkTaskContext, map[string]string) error { return nil }
func (hole) Put(context.Context, []data.Record) error                                   { return nil }
func (hole) Stop(context.Context) error                                                 { return nil }

// TestMovedAndEnded: a sink task that goes on elsewhere leaves its place in the
// consumer group to its successor; one that ends gives it up; a worker that shuts
// down keeps the places of all.
func TestMovedAndEnded(t *testing.T) {
	id := connectors.TaskID{Connector: "c", Task: 0}
	for _, tt := range []struct {
		name string
		end  func(sys *actor.ActorSystem, pid *actor.PID)
		want int
	}{
		{"moved", func(sys *actor.ActorSystem, pid *actor.PID) {
			sys.Root.Send(pid, worker.Apply{Wanted: worker.Wanted{Moved: map[connectors.TaskID]bool{id: true}}})
		}, 1},
		{"ended", func(sys *actor.ActorSystem, pid *actor.PID) { sys.Root.Send(pid, worker.Apply{}) }, 0},
		{"shut down", func(sys *actor.ActorSystem, pid *actor.PID) { sys.Root.Send(pid, worker.Shutdown{}) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
			if err != nil {
				t.Fatal(err)
			}
			defer broker.Close()
			reg, err := connectors.NewRegistry([]connectors.Plugin{{Class: "t.S", Kind: connectors.SinkKind, Version: "1", TaskClass: "t.T", NewSinkTask: func() connectors.SinkTask { return hole{} }}}, converters.Plugins())
			if err != nil {
				t.Fatal(err)
			}
			str := "org.apache.kafka.connect.storage.StringConverter"
			props := map[string]string{"bootstrap.servers": strings.Join(broker.ListenAddrs(), ","), "key.converter": str, "value.converter": str}
			l := &listener{begun: time.Now()}
			sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
			node := worker.New(worker.Config{Group: "g", Props: props, Registry: reg, Resolver: resolver{}, Listener: l, Log: slog.New(slog.DiscardHandler), Offsets: func(string, int64) task.OffsetStore { return noOffsets{} },
				Policy: task.DefaultPolicy(), Grace: 5 * time.Second, CallTimeout: 5 * time.Second, FlushInterval: 50 * time.Millisecond, FlushTimeout: time.Second, Budget: 1 << 20, StaticMembers: true})
			pid := sys.Root.Spawn(node.ActorProps())
			sys.Root.Send(pid, worker.Apply{Wanted: worker.Wanted{Tasks: map[connectors.TaskID]worker.WantedTask{id: {Config: map[string]string{"task.class": "t.T"}, Connector: map[string]string{"name": "c", "connector.class": "t.S", "topics": "in"}}}}})
			wait := func(what string, ok func() bool) {
				t.Helper()
				for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("waited too long for: %s; heard %s", what, l.all())
					}
				}
			}
			wait("a partition", func() bool { ts := node.Tasks(); return len(ts) == 1 && ts[0].Metrics.Partitions.Load() == 1 })
			tt.end(sys, pid)
			wait("the end", func() bool { return strings.Contains(l.all(), "c-0=UNASSIGNED") })
			cl, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			gs, err := kadm.NewClient(cl).DescribeGroups(t.Context(), "connect-c")
			if err != nil {
				t.Fatal(err)
			}
			if n := len(gs["connect-c"].Members); n != tt.want {
				t.Errorf("%d members, want %d", n, tt.want)
			}
			if tt.name != "shut down" {
				done := make(chan struct{})
				sys.Root.Send(pid, worker.Shutdown{Done: done})
				<-done
			}
		})
	}
}
