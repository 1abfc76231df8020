package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// text is a converter of strings: these tests are about tasks.
type text struct{}

func (text) FromConnect(_ string, _ *data.Schema, v data.Value, _ []byte) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	if v.Kind() != data.KindString {
		return nil, data.Errorf("not a string")
	}
	return v.Bytes(), nil
}

func (text) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return data.OptionalStringSchema, data.Null, nil
	}
	if string(b) == "poison" {
		return nil, data.Null, data.Errorf("poison")
	}
	return data.OptionalStringSchema, data.OfText(b), nil
}

func (text) FromConnectHeader(string, string, *data.Schema, data.Value) ([]byte, error) {
	return nil, nil
}

func (text) ToConnectHeader(string, string, []byte) (*data.Schema, data.Value, error) {
	return nil, data.Null, nil
}

// counter is a source of numbers; hook, if set, runs before each poll.
type counter struct {
	limit  int64
	batch  int
	next   int64
	part   *data.MapValue
	hook   func(ctx context.Context, next int64) error
	stops  *atomic.Int64
	tc     connectors.SourceTaskContext
	starts *atomic.Int64
}

func (c *counter) Start(ctx context.Context, tc connectors.SourceTaskContext, _ map[string]string) error {
	c.tc = tc
	c.starts.Add(1)
	c.part = data.NewStringMap("source", data.OfString("counter"))
	off, err := tc.Offsets().Offset(ctx, c.part)
	if err != nil {
		return err
	}
	if off != nil {
		v, _ := off.Get("n")
		c.next = v.Int()
	}
	return nil
}

func (c *counter) Poll(ctx context.Context) ([]data.Record, error) {
	if c.hook != nil {
		if err := c.hook(ctx, c.next); err != nil {
			return nil, err
		}
	}
	if c.next >= c.limit {
		<-ctx.Done()
		return nil, nil
	}
	recs := c.tc.Batch(c.batch)
	for range min(int64(c.batch), c.limit-c.next) {
		v := data.OfString(fmt.Sprint(c.next))
		c.next++
		recs = append(recs, data.NewSourceRecord(c.part, data.LongOffset("n", c.next), "numbers", data.StringSchema, v))
	}
	return recs, nil
}

func (c *counter) Stop(context.Context) error { c.stops.Add(1); return nil }

// memory keeps source offsets.
type memory struct {
	mu sync.Mutex
	m  map[string]*data.MapValue
}

func (m *memory) Offset(_ context.Context, p *data.MapValue) (*data.MapValue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.m[data.OfMap(p).String()], nil
}

func (m *memory) Offsets(ctx context.Context, ps []*data.MapValue) ([]*data.MapValue, error) {
	out := make([]*data.MapValue, len(ps))
	for i, p := range ps {
		out[i], _ = m.Offset(ctx, p)
	}
	return out, nil
}

func (m *memory) Put(_ context.Context, offs []task.PartitionOffset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range offs {
		m.m[data.OfMap(o.Partition).String()] = o.Offset.Map()
	}
	return nil
}

func (m *memory) n() int64 {
	off, _ := m.Offset(context.Background(), data.NewStringMap("source", data.OfString("counter")))
	v, _ := off.Get("n")
	return v.Int()
}

// states collects what the listener hears.
type states struct {
	mu    sync.Mutex
	seen  []string
	trace string
}

func (s *states) add(state, trace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, state)
	if trace != "" {
		s.trace = trace
	}
}
func (s *states) TaskRunning(connectors.TaskID)                { s.add("RUNNING", "") }
func (s *states) TaskPaused(connectors.TaskID)                 { s.add("PAUSED", "") }
func (s *states) TaskFailed(_ connectors.TaskID, t string)     { s.add("FAILED", t) }
func (s *states) TaskRestarting(_ connectors.TaskID, t string) { s.add("RESTARTING", t) }
func (s *states) TaskUnassigned(connectors.TaskID)             { s.add("UNASSIGNED", "") }
func (s *states) TopicUsed(connectors.TaskID, string)          {}

func (s *states) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return ""
	}
	return s.seen[len(s.seen)-1]
}

func (s *states) count(state string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.seen {
		if x == state {
			n++
		}
	}
	return n
}

func broker(t *testing.T) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "numbers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func system(t *testing.T) *actor.ActorSystem {
	t.Helper()
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

func common(st *states) task.Common {
	return task.Common{ID: connectors.TaskID{Connector: "c", Task: 0}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Policy: task.DefaultPolicy(),
		Listener: st, Metrics: &task.Metrics{}, Grace: 2 * time.Second, CallTimeout: 5 * time.Second, Budget: 1 << 20,
		FlushInterval: 50 * time.Millisecond, FlushTimeout: 2 * time.Second}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func converters(e *pipeline.Errors) *pipeline.Converters {
	return &pipeline.Converters{Key: pipeline.Side{Class: "text", Converter: text{}}, Value: pipeline.Side{Class: "text", Converter: text{}}, Header: text{}, Errors: e}
}

// drop drops every number that ends in 7.
type drop struct{}

func (drop) Apply(r *data.Record) (bool, error) {
	s := r.Value.Str()
	return s[len(s)-1] != '7', nil
}

func sourceSpec(addrs []string, st *states, store *memory, mk func() *counter) task.SourceSpec {
	c := common(st)
	return task.SourceSpec{Common: c, Offsets: store, Build: func(context.Context) (*task.SourceParts, error) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
		if err != nil {
			return nil, err
		}
		e := &pipeline.Errors{Counters: &c.Metrics.Counters}
		return &task.SourceParts{Task: mk(), TaskClass: "counter", Chain: &pipeline.Chain{Steps: []pipeline.Step{{Class: "drop", Transform: drop{}}}, Errors: e},
			Converters: converters(e), Errors: e, Client: cl}, nil
	}}
}

func records(t *testing.T, addrs []string, want int) []string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("numbers"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out []string
	for len(out) < want {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records, want %d", len(out), want)
		}
		fs.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	return out
}

// TestSourceStopsAndGoesOn runs a source with a filter, stops it in the middle of
// its work and starts it again: nothing is lost, nothing comes twice, and the
// filtered records do not hold the offset back.
func TestSourceStopsAndGoesOn(t *testing.T) {
	addrs, store := broker(t), &memory{m: map[string]*data.MapValue{}}
	var starts, stops atomic.Int64
	sys := system(t)
	for _, limit := range []int64{10_007, 30_008} {
		st := &states{}
		spec := sourceSpec(addrs, st, store, func() *counter { return &counter{limit: limit, batch: 100, starts: &starts, stops: &stops} })
		pid := sys.Root.Spawn(task.SourceProps(spec, false))
		eventually(t, "all acknowledged", func() bool { return spec.Metrics.Written.Load()+spec.Metrics.Filtered.Load() >= 10_000 })
		sys.Root.Send(pid, task.Stop{})
		eventually(t, "stopped", func() bool { return st.last() == "UNASSIGNED" })
	}
	// Each run was stopped at some point; the last offset says how far they came.
	n := store.n()
	var want []string
	for i := range n {
		if s := fmt.Sprint(i); s[len(s)-1] != '7' {
			want = append(want, s)
		}
	}
	got := records(t, addrs, len(want))
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("record %d is %s, want %s", i, got[i], want[i])
		}
	}
	if starts.Load() != stops.Load() {
		t.Errorf("%d starts and %d stops of the plugin", starts.Load(), stops.Load())
	}
}

// TestSourcePanicsAndRestarts: a panic in Poll costs a restart from the stored
// offset, and records are neither lost nor out of order.
func TestSourcePanicsAndRestarts(t *testing.T) {
	addrs, store := broker(t), &memory{m: map[string]*data.MapValue{}}
	var starts, stops, panics atomic.Int64
	st := &states{}
	spec := sourceSpec(addrs, st, store, func() *counter {
		return &counter{limit: 5000, batch: 10, starts: &starts, stops: &stops, hook: func(_ context.Context, next int64) error {
			if next == 2000 && panics.Add(1) <= 2 {
				panic("told to")
			}
			return nil
		}}
	})
	spec.Policy.Initial = 10 * time.Millisecond
	sys := system(t)
	pid := sys.Root.Spawn(task.SourceProps(spec, false))
	eventually(t, "all numbers", func() bool {
		return st.count("RESTARTING") == 2 && store.m != nil && spec.Metrics.Restarts.Load() == 2 && countOf(store) == 5000
	})
	sys.Root.Send(pid, task.Stop{Final: true})
	eventually(t, "stopped", func() bool { return st.last() == "UNASSIGNED" })
	if got := records(t, addrs, 4500); len(got) != 4500 {
		t.Errorf("%d records, want 4500: at the restart everything polled had been acknowledged", len(got))
	}
	if starts.Load() != 3 || stops.Load() != 3 {
		t.Errorf("%d starts, %d stops, want 3 of each", starts.Load(), stops.Load())
	}
}

func countOf(m *memory) int64 {
	off, _ := m.Offset(context.Background(), data.NewStringMap("source", data.OfString("counter")))
	if off == nil {
		return 0
	}
	v, _ := off.Get("n")
	return v.Int()
}

// TestSourceGivesUp: a task that cannot start fails at once, as Kafka Connect's.
func TestSourceGivesUp(t *testing.T) {
	st := &states{}
	c := common(st)
	spec := task.SourceSpec{Common: c, Build: func(context.Context) (*task.SourceParts, error) {
		return nil, connectors.ConfigError("Missing required configuration %q which has no default value.", "topic")
	}}
	sys := system(t)
	pid := sys.Root.Spawn(task.SourceProps(spec, false))
	eventually(t, "FAILED", func() bool { return st.last() == "FAILED" })
	if want := `org.apache.kafka.common.config.ConfigException: Missing required configuration "topic" which has no default value.`; len(st.trace) < len(want) || st.trace[:len(want)] != want {
		t.Errorf("trace begins %q", st.trace)
	}
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
}

// collect is a sink.
type collect struct {
	mu    *sync.Mutex
	got   *[]string
	hook  func(n int) error
	calls int
}

func (c *collect) Start(context.Context, connectors.SinkTaskContext, map[string]string) error {
	return nil
}

func (c *collect) Put(_ context.Context, recs []data.Record) error {
	if len(recs) == 0 {
		return nil
	}
	c.calls++
	if c.hook != nil {
		if err := c.hook(c.calls); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range recs {
		*c.got = append(*c.got, recs[i].Value.Str())
	}
	return nil
}
func (c *collect) Stop(context.Context) error { return nil }

func sinkSpec(addrs []string, st *states, tolerate bool, mk func() connectors.SinkTask) task.SinkSpec {
	c := common(st)
	return task.SinkSpec{Common: c, Build: func(context.Context) (*task.SinkParts, error) {
		e := &pipeline.Errors{Counters: &c.Metrics.Counters, TolerateAll: tolerate}
		return &task.SinkParts{Task: mk(), TaskClass: "collect", Chain: &pipeline.Chain{Errors: e, Sink: true}, Converters: converters(e), Errors: e,
			MaxPoll: 500, Group: "connect-c", Instance: "w-c-0", NewClient: func(extra ...kgo.Opt) (*kgo.Client, error) {
				return kgo.NewClient(append(extra, kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("connect-c"), kgo.InstanceID("w-c-0"), kgo.ConsumeTopics("numbers"),
					kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond))...)
			}}, nil
	}}
}

func produce(t *testing.T, addrs []string, from, to int, extra ...string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic("numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var recs []*kgo.Record
	for i := from; i < to; i++ {
		recs = append(recs, kgo.StringRecord(fmt.Sprint(i)))
	}
	for _, x := range extra {
		recs = append(recs, kgo.StringRecord(x))
	}
	if err := cl.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func committed(t *testing.T, addrs []string) int64 {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offs, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "connect-c")
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	o, ok := offs.Lookup("numbers", 0)
	if !ok {
		return -1
	}
	return o.At
}

// TestSinkStopsAndGoesOn: put retries keep the order, a restart as a static member
// goes on where the last commit was, nothing comes twice after an orderly stop.
func TestSinkStopsAndGoesOn(t *testing.T) {
	addrs := broker(t)
	var mu sync.Mutex
	var got []string
	have := func() int { mu.Lock(); defer mu.Unlock(); return len(got) }
	sys := system(t)
	total := 0
	for round := range 3 {
		produce(t, addrs, total, total+3000)
		total += 3000
		st := &states{}
		spec := sinkSpec(addrs, st, false, func() connectors.SinkTask {
			return &collect{mu: &mu, got: &got, hook: func(n int) error {
				if n == 2 {
					return connectors.Retriable(errors.New("busy"))
				}
				return nil
			}}
		})
		pid := sys.Root.Spawn(task.SinkProps(spec, false))
		eventually(t, "all put", func() bool { return have() >= total })
		sys.Root.Send(pid, task.Stop{Final: round == 1})
		eventually(t, "stopped", func() bool { return st.last() == "UNASSIGNED" })
		if c := committed(t, addrs); c != int64(total) {
			t.Errorf("committed %d, want %d", c, total)
		}
	}
	for i, s := range got {
		if s != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, s)
		}
	}
}

// TestSinkPoison: with tolerance all a bad record is passed over and its offset
// committed; with none the task fails at that record and is not restarted.
func TestSinkPoison(t *testing.T) {
	for _, tolerate := range []bool{true, false} {
		t.Run(fmt.Sprint("all=", tolerate), func(t *testing.T) {
			addrs := broker(t)
			produce(t, addrs, 0, 10, "poison", "10")
			var mu sync.Mutex
			var got []string
			st := &states{}
			spec := sinkSpec(addrs, st, tolerate, func() connectors.SinkTask { return &collect{mu: &mu, got: &got} })
			sys := system(t)
			pid := sys.Root.Spawn(task.SinkProps(spec, false))
			if tolerate {
				eventually(t, "committed past the poison", func() bool { return committed(t, addrs) == 12 })
				mu.Lock()
				if len(got) != 11 || got[10] != "10" {
					t.Errorf("got %v", got)
				}
				mu.Unlock()
			} else {
				eventually(t, "FAILED", func() bool { return st.last() == "FAILED" })
				if want := "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n"; st.trace[:min(len(want), len(st.trace))] != want {
					t.Errorf("trace: %s", st.trace)
				}
			}
			sys.Root.Send(pid, task.Stop{Final: true})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
		})
	}
}

// TestSinkThatHangs is left behind after the grace, and its successor gets the
// records that it never took.
func TestSinkThatHangs(t *testing.T) {
	addrs := broker(t)
	produce(t, addrs, 0, 100)
	st := &states{}
	hang := make(chan struct{})
	defer close(hang)
	var mu sync.Mutex
	var got []string
	spec := sinkSpec(addrs, st, false, func() connectors.SinkTask {
		return &collect{mu: &mu, got: &got, hook: func(int) error { <-hang; return errors.New("too late") }}
	})
	spec.Grace = 200 * time.Millisecond
	sys := system(t)
	pid := sys.Root.Spawn(task.SinkProps(spec, false))
	eventually(t, "consumed", func() bool { return spec.Metrics.Read.Load() == 100 })
	begun := time.Now()
	sys.Root.Send(pid, task.Stop{Final: true})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("the stop took %s", d)
	}
	if c := committed(t, addrs); c > 0 {
		t.Errorf("committed %d, though nothing was put", c)
	}
}
