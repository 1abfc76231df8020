package counter_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/converters"
	"github.com/troupeio/troupe/examples/counter"
)

// world is what a worker needs around it: it keeps source offsets and remembers
// the states and the task configurations that it is told.
type world struct {
	mu      sync.Mutex
	offsets map[string]*data.MapValue
	states  map[string]string // by connector or task
	configs map[string][]map[string]string
}

func (w *world) set(name, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[name] = state
}

func (w *world) state(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.states[name]
}

func (w *world) ConnectorRunning(n string)                     { w.set(n, "RUNNING") }
func (w *world) ConnectorPaused(n string)                      { w.set(n, "PAUSED") }
func (w *world) ConnectorStopped(n string)                     { w.set(n, "STOPPED") }
func (w *world) ConnectorFailed(n, trace string)               { w.set(n, "FAILED "+trace) }
func (w *world) ConnectorRestarting(n, trace string)           { w.set(n, "RESTARTING "+trace) }
func (w *world) ConnectorUnassigned(n string)                  { w.set(n, "UNASSIGNED") }
func (w *world) TaskRunning(id connectors.TaskID)              { w.set(id.String(), "RUNNING") }
func (w *world) TaskPaused(id connectors.TaskID)               { w.set(id.String(), "PAUSED") }
func (w *world) TaskFailed(id connectors.TaskID, trace string) { w.set(id.String(), "FAILED "+trace) }
func (w *world) TaskRestarting(id connectors.TaskID, trace string) {
	w.set(id.String(), "RESTARTING "+trace)
}
func (w *world) TaskUnassigned(id connectors.TaskID) { w.set(id.String(), "UNASSIGNED") }
func (w *world) TopicUsed(connectors.TaskID, string) {}
func (w *world) TaskConfigs(n string, _ map[string]string, c []map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.configs[n] = c
}

// taskConfig is the configuration of a connector's only task; nil before there is
// one.
func (w *world) taskConfig(connector string) map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.configs[connector]) != 1 {
		return nil
	}
	return w.configs[connector][0]
}

func (w *world) Offset(_ context.Context, p *data.MapValue) (*data.MapValue, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.offsets[data.OfMap(p).String()], nil
}

func (w *world) Offsets(ctx context.Context, ps []*data.MapValue) ([]*data.MapValue, error) {
	out := make([]*data.MapValue, len(ps))
	for i, p := range ps {
		out[i], _ = w.Offset(ctx, p)
	}
	return out, nil
}

func (w *world) Put(_ context.Context, offs []task.PartitionOffset) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range offs {
		w.offsets[data.OfMap(o.Partition).String()] = o.Offset.Map()
	}
	return nil
}

// next is the stored offset of counter 0.
func (w *world) next() int64 {
	off, _ := w.Offset(context.Background(), data.NewStringMap("counter", data.OfString("0")))
	v, _ := off.Get("next")
	return v.Int()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// TestCounter runs the two connectors in a worker: the numbers go through a topic,
// and after a stop and a new start the sum is that of all of them.
func TestCounter(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	reg, err := connectors.NewRegistry(counter.Plugins(), converters.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sum")
	json := "org.apache.kafka.connect.json.JsonConverter"
	props := map[string]string{"bootstrap.servers": strings.Join(broker.ListenAddrs(), ","), "key.converter": json, "value.converter": json}
	resolver, err := configprovider.New(props)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{offsets: map[string]*data.MapValue{}, states: map[string]string{}, configs: map[string][]map[string]string{}}
	configs := map[string]map[string]string{
		"count": {"name": "count", "connector.class": "CounterSource", "topic": "numbers", "interval.ms": "5"},
		"add":   {"name": "add", "connector.class": "CounterSink", "topics": "numbers", "file": file},
	}
	sum := func() string { b, _ := os.ReadFile(file); return strings.TrimSpace(string(b)) }

	for round := range 2 {
		before := w.next()
		system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
		node := worker.New(worker.Config{Props: props, Registry: reg, Resolver: resolver, Listener: w, Log: slog.New(slog.DiscardHandler),
			Offsets: func(string, int64) task.OffsetStore { return w }, Policy: task.DefaultPolicy(), Grace: 5 * time.Second, CallTimeout: 5 * time.Second,
			FlushInterval: 50 * time.Millisecond, FlushTimeout: 5 * time.Second, Budget: 1 << 20})
		pid := system.Root.Spawn(node.ActorProps())

		wanted := worker.Wanted{Connectors: map[string]worker.WantedConnector{}, Tasks: map[connectors.TaskID]worker.WantedTask{}}
		for name, c := range configs {
			wanted.Connectors[name] = worker.WantedConnector{Config: c, Version: int64(round)}
		}
		system.Root.Send(pid, worker.Apply{Wanted: wanted})
		eventually(t, "both connectors plan a task", func() bool {
			return w.taskConfig("count") != nil && w.taskConfig("add") != nil
		})
		for name, c := range configs {
			id := connectors.TaskID{Connector: name}
			wanted.Tasks[id] = worker.WantedTask{Config: w.taskConfig(name), Connector: c, Version: int64(round)}
		}
		system.Root.Send(pid, worker.Apply{Wanted: wanted})
		eventually(t, "20 numbers more", func() bool {
			if s := w.state("count-0") + w.state("add-0"); strings.Contains(s, "FAILED") || strings.Contains(s, "RESTARTING") {
				t.Fatal(s)
			}
			return w.next() >= before+20
		})

		// The source first, so that the sum has an end.
		only := worker.Wanted{Connectors: map[string]worker.WantedConnector{"add": wanted.Connectors["add"]},
			Tasks: map[connectors.TaskID]worker.WantedTask{{Connector: "add"}: wanted.Tasks[connectors.TaskID{Connector: "add"}]}}
		system.Root.Send(pid, worker.Apply{Wanted: only})
		eventually(t, "the source stops", func() bool { return w.state("count-0") == "UNASSIGNED" })
		n := w.next()
		eventually(t, fmt.Sprintf("the sum of 0 to %d", n-1), func() bool { return sum() == fmt.Sprint(n*(n-1)/2) })

		done := make(chan struct{})
		system.Root.Send(pid, worker.Shutdown{Done: done})
		<-done
		w.mu.Lock()
		w.configs = map[string][]map[string]string{}
		w.mu.Unlock()
	}
}
