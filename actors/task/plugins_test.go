package task_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// calls counts a plugin's methods and lets a test meddle with each.
type calls struct {
	mu   sync.Mutex
	log  []string
	now  map[string]int // calls that are under way
	on   map[string]func(ctx context.Context) error
	most int // calls that were under way at once
}

func (c *calls) do(ctx context.Context, method string) error {
	c.mu.Lock()
	if c.now == nil {
		c.now = map[string]int{}
	}
	c.log = append(c.log, method)
	c.now[method]++
	n := 0
	for m, k := range c.now {
		if m != "CommitRecord" && m != "Commit" { // they have goroutines of their own
			n += k
		}
	}
	c.most = max(c.most, n)
	f := c.on[method]
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now[method]--
	}()
	if f != nil {
		return f(ctx)
	}
	return nil
}

func (c *calls) count(method string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.log {
		if m == method {
			n++
		}
	}
	return n
}

func (c *calls) together() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// source is a source of numbers without end that has every method.
type source struct {
	*calls
	tc        connectors.SourceTaskContext
	part      *data.MapValue
	next      int64
	limit     int64
	committed func(r *data.Record, md *connectors.RecordMetadata)
}

func (s *source) Start(ctx context.Context, tc connectors.SourceTaskContext, _ map[string]string) error {
	s.tc, s.part = tc, data.NewStringMap("source", data.OfString("counter"))
	if off, err := tc.Offsets().Offset(ctx, s.part); err != nil {
		return err
	} else if off != nil {
		v, _ := off.Get("n")
		s.next = v.Int()
	}
	return s.do(ctx, "Start")
}

func (s *source) Poll(ctx context.Context) ([]data.Record, error) {
	if err := s.do(ctx, "Poll"); err != nil {
		return nil, err
	}
	if s.limit > 0 && s.next >= s.limit {
		<-ctx.Done()
		return nil, nil
	}
	recs := s.tc.Batch(10)
	for range 10 {
		if s.limit > 0 && s.next >= s.limit {
			break
		}
		r := data.NewSourceRecord(s.part, data.LongOffset("n", s.next+1), "numbers", data.StringSchema, data.OfString(number(s.next)))
		s.next++
		recs = append(recs, r)
	}
	return recs, nil
}

func (s *source) CommitRecord(ctx context.Context, r *data.Record, md *connectors.RecordMetadata) error {
	if s.committed != nil {
		s.committed(r, md)
	}
	return s.do(ctx, "CommitRecord")
}
func (s *source) Commit(ctx context.Context) error { return s.do(ctx, "Commit") }
func (s *source) Stop(ctx context.Context) error   { return s.do(ctx, "Stop") }

// sink has every method that a sink can have.
type sink struct {
	*calls
	tc   connectors.SinkTaskContext
	open func(tc connectors.SinkTaskContext, parts []connectors.TopicPartition)
	put  func(ctx context.Context, tc connectors.SinkTaskContext, recs []data.Record) error
	safe func(offsets map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64
	shut func(parts []connectors.TopicPartition)
}

func (s *sink) Start(ctx context.Context, tc connectors.SinkTaskContext, _ map[string]string) error {
	s.tc = tc
	return s.do(ctx, "Start")
}

func (s *sink) Open(ctx context.Context, parts []connectors.TopicPartition) error {
	if s.open != nil {
		s.open(s.tc, parts)
	}
	return s.do(ctx, "Open")
}

func (s *sink) Put(ctx context.Context, recs []data.Record) error {
	if len(recs) == 0 {
		return nil
	}
	if err := s.do(ctx, "Put"); err != nil {
		return err
	}
	if s.put != nil {
		return s.put(ctx, s.tc, recs)
	}
	return nil
}

func (s *sink) PreCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	if err := s.do(ctx, "PreCommit"); err != nil {
		return nil, err
	}
	if s.safe != nil {
		return s.safe(offsets), nil
	}
	return offsets, nil
}

func (s *sink) Close(ctx context.Context, parts []connectors.TopicPartition) error {
	if s.shut != nil {
		s.shut(parts)
	}
	return s.do(ctx, "Close")
}
func (s *sink) Stop(ctx context.Context) error { return s.do(ctx, "Stop") }

// transform is a transform by function.
type transform func(r *data.Record) (bool, error)

func (f transform) Apply(r *data.Record) (bool, error) { return f(r) }

// sourceOf and sinkOf make a task of one plugin; change edits its parts.
func sourceOf(addrs []string, st *states, store *memory, mk func() *source, change func(*task.SourceParts)) task.SourceSpec {
	c := common(st)
	return task.SourceSpec{Common: c, Offsets: store, Build: func(context.Context) (*task.SourceParts, error) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
		if err != nil {
			return nil, err
		}
		e := &pipeline.Errors{Counters: &c.Metrics.Counters, RetryDelayMax: time.Minute}
		p := &task.SourceParts{Task: mk(), TaskClass: "source", Chain: &pipeline.Chain{Errors: e}, Converters: converters(e), Errors: e, Client: cl}
		if change != nil {
			change(p)
		}
		return p, nil
	}}
}

func sinkOf(addrs []string, st *states, instance string, mk func() *sink, change func(*task.SinkParts)) task.SinkSpec {
	c := common(st)
	return task.SinkSpec{Common: c, Build: func(context.Context) (*task.SinkParts, error) {
		e := &pipeline.Errors{Counters: &c.Metrics.Counters, RetryDelayMax: time.Minute}
		opts := []kgo.Opt{kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("connect-c"), kgo.ConsumeTopics("numbers"), kgo.FetchMaxWait(100 * time.Millisecond),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(50 * time.Millisecond)}
		if instance != "" {
			opts = append(opts, kgo.InstanceID(instance))
		}
		p := &task.SinkParts{Task: mk(), TaskClass: "sink", Chain: &pipeline.Chain{Errors: e, Sink: true}, Converters: converters(e), Errors: e,
			MaxPoll: 500, Group: "connect-c", Instance: instance, NewClient: func(extra ...kgo.Opt) (*kgo.Client, error) {
				return kgo.NewClient(append(extra, opts...)...)
			}}
		if change != nil {
			change(p)
		}
		return p, nil
	}}
}

// watcher tells when an actor is gone.
func watch(t *testing.T, sys *actor.ActorSystem, pid *actor.PID) func() bool {
	t.Helper()
	var gone atomic.Bool
	ready := make(chan struct{})
	sys.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case *actor.Started:
			c.Watch(pid)
			close(ready)
		case *actor.Terminated:
			gone.Store(true)
			c.Stop(c.Self())
		}
	}))
	<-ready
	return gone.Load
}

func number(n int64) string { return data.OfInt64(n).String() }
