package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
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

// leasedNode is a worker with a sink and a source, a lease that a test takes away, and
// all that they do noted.
type leasedNode struct {
	broker  *kfake.Cluster
	cl      *kgo.Client
	worker  *worker.Worker
	sys     *actor.ActorSystem
	pid     *actor.PID
	l       *listener
	allowed atomic.Bool
	hang    atomic.Bool // of the sink's put, which heeds only its context

	mu    sync.Mutex
	calls map[string]int // begun, by method
}

func (n *leasedNode) note(call string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls[call]++
}

func (n *leasedNode) count(call string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[call]
}

func (n *leasedNode) all() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprint(n.calls)
}

type leasedSink struct{ n *leasedNode }

func (s leasedSink) Start(context.Context, connectors.SinkTaskContext, map[string]string) error {
	s.n.note("sink Start")
	return nil
}
func (s leasedSink) Put(ctx context.Context, _ []data.Record) error {
	s.n.note("Put")
	if s.n.hang.Load() {
		<-ctx.Done()
	}
	return nil
}
func (s leasedSink) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	s.n.note("Flush")
	return nil
}
func (s leasedSink) Stop(context.Context) error { s.n.note("sink Stop"); return nil }

type leasedSource struct {
	ticks
	n *leasedNode
}

func (s *leasedSource) Stop(context.Context) error { s.n.note("source Stop"); return nil }

type leasedOffsets struct {
	noOffsets
	n *leasedNode
}

func (o leasedOffsets) Put(context.Context, []task.PartitionOffset) error {
	o.n.note("offsets Put")
	return nil
}

func newLeasedNode(t *testing.T) *leasedNode {
	t.Helper()
	n := &leasedNode{calls: make(map[string]int), l: &listener{begun: time.Now()}}
	n.allowed.Store(true)
	var err error
	if n.broker, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in", "out")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.broker.Close)
	if n.cl, err = kgo.NewClient(kgo.SeedBrokers(n.broker.ListenAddrs()...), kgo.DefaultProduceTopic("in")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.cl.Close)
	reg, err := connectors.NewRegistry([]connectors.Plugin{
		{Class: "t.S", Kind: connectors.SinkKind, Version: "1", TaskClass: "t.T", NewSinkTask: func() connectors.SinkTask { return leasedSink{n} }},
		{Class: "t.C", Kind: connectors.SourceKind, Version: "1", TaskClass: "t.T", NewSourceTask: func() connectors.SourceTask { return &leasedSource{n: n} }}}, converters.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	str := "org.apache.kafka.connect.storage.StringConverter"
	n.sys = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	n.worker = worker.New(worker.Config{Group: "g", Props: map[string]string{"bootstrap.servers": strings.Join(n.broker.ListenAddrs(), ","), "key.converter": str, "value.converter": str},
		Registry: reg, Resolver: resolver{}, Listener: n.l, Log: slog.New(slog.DiscardHandler), Allowed: n.allowed.Load,
		Offsets: func(string, int64) task.OffsetStore { return leasedOffsets{n: n} },
		Policy:  task.DefaultPolicy(), Grace: 20 * time.Second, CallTimeout: 20 * time.Second, FlushInterval: 20 * time.Millisecond, FlushTimeout: 5 * time.Second, Budget: 1 << 20, StaticMembers: true})
	n.pid = n.sys.Root.Spawn(n.worker.ActorProps())
	t.Cleanup(func() {
		done := make(chan struct{})
		n.sys.Root.Send(n.pid, worker.Shutdown{Done: done})
		<-done
	})
	return n
}

var sinkID, sourceID = connectors.TaskID{Connector: "sink"}, connectors.TaskID{Connector: "source"}

func (n *leasedNode) apply() {
	n.sys.Root.Send(n.pid, worker.Apply{Wanted: worker.Wanted{Tasks: map[connectors.TaskID]worker.WantedTask{
		sinkID:   {Config: map[string]string{}, Connector: map[string]string{"name": "sink", "connector.class": "t.S", "topics": "in"}},
		sourceID: {Config: map[string]string{}, Connector: map[string]string{"name": "source", "connector.class": "t.C"}}}}})
}

func (n *leasedNode) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for: %s; heard %s, calls %s", what, n.l.all(), n.all())
		}
	}
}

func (n *leasedNode) produce(t *testing.T) {
	t.Helper()
	if err := n.cl.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// written is how much the source has put into its topic, committed the sink's offset.
func (n *leasedNode) written(t *testing.T) int64 {
	t.Helper()
	offs, err := kadm.NewClient(n.cl).ListEndOffsets(t.Context(), "out")
	if err != nil {
		t.Fatal(err)
	}
	o, _ := offs.Lookup("out", 0)
	return o.Offset
}

func (n *leasedNode) committed(t *testing.T) int64 {
	t.Helper()
	offs, err := kadm.NewClient(n.cl).FetchOffsets(t.Context(), "connect-sink")
	if err != nil {
		t.Fatal(err)
	}
	o, _ := offs.Lookup("in", 0)
	return o.At
}

func (n *leasedNode) members(t *testing.T) int {
	t.Helper()
	gs, err := kadm.NewClient(n.cl).DescribeGroups(t.Context(), "connect-sink")
	if err != nil {
		t.Fatal(err)
	}
	return len(gs["connect-sink"].Members)
}

func (n *leasedNode) busy(t *testing.T) {
	t.Helper()
	n.produce(t)
	n.await(t, "all at work", func() bool {
		return n.count("Put") > 0 && n.count("Flush") > 0 && n.count("offsets Put") > 1 && n.written(t) > 0 && n.committed(t) > 0
	})
}

// TestLeaseRunsOut: tasks that hear that the lease has run out put, produce and
// commit no more, and end without a word. They are begun anew by the next Apply and
// no sooner.
func TestLeaseRunsOut(t *testing.T) {
	n := newLeasedNode(t)
	n.apply()
	n.busy(t)
	n.allowed.Store(false)
	n.await(t, "the end of both", func() bool {
		return len(n.worker.Tasks()) == 0 && n.count("sink Stop") == 1 && n.count("source Stop") == 1
	})
	calls, heard, written, committed := n.all(), n.l.all(), n.written(t), n.committed(t)
	if strings.Contains(heard, "UNASSIGNED") || strings.Contains(heard, "RESTARTING") || strings.Contains(heard, "FAILED") {
		t.Errorf("heard %s", heard)
	}
	if n.members(t) != 1 {
		t.Error("the sink has left its group")
	}
	n.produce(t)
	n.allowed.Store(true)
	time.Sleep(300 * time.Millisecond) // nothing is to happen
	if n.all() != calls || n.l.all() != heard || n.written(t) != written || n.committed(t) != committed {
		t.Errorf("after the lease: %s, %s; before: %s, %s", n.all(), n.l.all(), calls, heard)
	}
	n.apply()
	n.await(t, "both again", func() bool { return n.committed(t) == committed+1 && n.written(t) > written })
}

// TestLeaseRunsOutInACall: a task that is inside a call is not waited for when its
// node takes everything down out of its lease; its members stay in their groups.
func TestLeaseRunsOutInACall(t *testing.T) {
	n := newLeasedNode(t)
	n.apply()
	n.busy(t)
	n.hang.Store(true)
	puts := n.count("Put")
	n.produce(t)
	n.await(t, "a put that hangs", func() bool { return n.count("Put") > puts })
	committed, heard := n.committed(t), n.l.all()
	begun := time.Now()
	n.allowed.Store(false)
	n.sys.Root.Send(n.pid, worker.Apply{Wanted: worker.Wanted{Moved: map[connectors.TaskID]bool{sinkID: true, sourceID: true}}})
	n.await(t, "the end of both", func() bool { return n.count("sink Stop") == 1 && n.count("source Stop") == 1 })
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("took %s", d)
	} else {
		t.Logf("took %s", d)
	}
	if n.committed(t) != committed || n.l.all() != heard {
		t.Errorf("committed %d, want %d; heard %s, before %s", n.committed(t), committed, n.l.all(), heard)
	}
	if n.members(t) != 1 {
		t.Error("the sink has left its group")
	}
}

// TestMovedInGoodStanding: an orderly move commits what was put, and keeps the place
// in the group.
func TestMovedInGoodStanding(t *testing.T) {
	n := newLeasedNode(t)
	n.apply()
	n.busy(t)
	begun := time.Now()
	n.sys.Root.Send(n.pid, worker.Apply{Wanted: worker.Wanted{Moved: map[connectors.TaskID]bool{sinkID: true, sourceID: true}}})
	n.await(t, "UNASSIGNED", func() bool {
		heard := n.l.all()
		return strings.Contains(heard, "sink-0=UNASSIGNED") && strings.Contains(heard, "source-0=UNASSIGNED")
	})
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("took %s", d)
	} else {
		t.Logf("took %s", d)
	}
	if n.members(t) != 1 {
		t.Error("the sink has left its group")
	}
}
