package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/converters"
)

// epochs hears of everything together with its epoch.
type epochs struct {
	*listener
	heard *heard
	epoch int64
}

type heard struct {
	mu  sync.Mutex
	log []string
}

func (h *heard) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *heard) has(lines ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range lines {
		if !slices.Contains(h.log, l) {
			return false
		}
	}
	return true
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.log, "; ")
}

func (e epochs) At(epoch int64) worker.Listener { return epochs{e.listener, e.heard, epoch} }
func (e epochs) TaskRunning(id connectors.TaskID) {
	e.heard.add("%s runs in %d", id, e.epoch)
}
func (e epochs) TaskUnassigned(id connectors.TaskID) { e.heard.add("%s left %d", id, e.epoch) }
func (e epochs) TopicUsed(id connectors.TaskID, topic string) {
	e.heard.add("%s used %s in %d", id, topic, e.epoch)
}
func (e epochs) ConnectorRunning(name string)    { e.heard.add("%s runs in %d", name, e.epoch) }
func (e epochs) ConnectorUnassigned(name string) { e.heard.add("%s left %d", name, e.epoch) }

// epochOffsets knows which epoch it is used in.
type epochOffsets struct {
	noOffsets
	heard *heard
	epoch int64
}

func (o epochOffsets) Put(context.Context, []task.PartitionOffset) error {
	o.heard.add("offsets of %d", o.epoch)
	return nil
}

// ticks is a source that has a record whenever it is asked.
type ticks struct{ n int64 }

func (*ticks) Start(context.Context, connectors.SourceTaskContext, map[string]string) error {
	return nil
}
func (s *ticks) Poll(ctx context.Context) ([]data.Record, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(5 * time.Millisecond):
	}
	s.n++
	return []data.Record{data.NewSourceRecord(data.NewStringMap("p", data.OfInt32(0)), data.LongOffset("n", s.n), "out", data.StringSchema, data.OfString("x"))}, nil
}
func (*ticks) Stop(context.Context) error { return nil }

// TestEpoch: a change of the epoch alone starts a connector and a task anew, and
// what they say and store is known to be of their epoch.
func TestEpoch(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	p := &plugin{}
	reg, err := connectors.NewRegistry([]connectors.Plugin{{Class: "t.C", Kind: connectors.SourceKind, Version: "1", TaskClass: "t.T",
		NewConnector: func() connectors.Connector { return &instance{p} }, NewSourceTask: func() connectors.SourceTask { return &ticks{} }}}, converters.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	str := "org.apache.kafka.connect.storage.StringConverter"
	h := &heard{}
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	node := worker.New(worker.Config{Props: map[string]string{"bootstrap.servers": strings.Join(broker.ListenAddrs(), ","), "key.converter": str, "value.converter": str},
		Registry: reg, Resolver: resolver{}, Listener: epochs{&listener{begun: time.Now()}, h, -1}, Log: slog.New(slog.DiscardHandler),
		Offsets: func(_ string, epoch int64) task.OffsetStore { return epochOffsets{heard: h, epoch: epoch} },
		Policy:  task.DefaultPolicy(), Grace: 5 * time.Second, CallTimeout: 5 * time.Second, FlushInterval: 20 * time.Millisecond, FlushTimeout: time.Second, Budget: 1 << 20})
	pid := sys.Root.Spawn(node.ActorProps())
	apply := func(epoch int64) {
		config := map[string]string{"name": "c", "connector.class": "t.C"}
		sys.Root.Send(pid, worker.Apply{Wanted: worker.Wanted{
			Connectors: map[string]worker.WantedConnector{"c": {Config: config, Target: connectors.Started, Version: 1, Epoch: epoch}},
			Tasks:      map[connectors.TaskID]worker.WantedTask{{Connector: "c"}: {Config: map[string]string{}, Connector: config, Version: 1, Epoch: epoch}}}})
	}
	await := func(lines ...string) {
		t.Helper()
		for end := time.Now().Add(15 * time.Second); !h.has(lines...); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited too long for %q; heard %s", lines, h.all())
			}
		}
	}
	apply(7)
	await("c runs in 7", "c-0 runs in 7", "c-0 used out in 7", "offsets of 7")
	apply(12)
	await("c left 7", "c-0 left 7", "c runs in 12", "c-0 runs in 12", "c-0 used out in 12", "offsets of 12")
	done := make(chan struct{})
	sys.Root.Send(pid, worker.Shutdown{Done: done})
	<-done
	if !h.has("c left 12", "c-0 left 12") {
		t.Errorf("heard %s", h.all())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if i, j := slices.Index(h.log, "c-0 left 7"), slices.Index(h.log, "c-0 runs in 12"); i > j {
		t.Errorf("the task of epoch 12 ran beside that of 7: %v", h.log)
	}
}
