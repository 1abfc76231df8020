package task

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// SinkParts are what one incarnation of a sink task is made of.
type SinkParts struct {
	Task       connectors.SinkTask
	TaskClass  string
	Config     map[string]string
	Chain      *pipeline.Chain
	Converters *pipeline.Converters
	Errors     *pipeline.Errors
	// NewClient makes the task's consumer: its topics, group and settings are the
	// caller's, the rebalance callbacks are the task's.
	NewClient func(extra ...kgo.Opt) (*kgo.Client, error)
	// Watch, if not nil, runs beside the client until its context ends.
	Watch    func(ctx context.Context, client *kgo.Client) error
	MaxPoll  int    // max.poll.records
	Group    string // for leaving it at the end
	Instance string // static member id; "" for none
	DLQ      *DLQ   // nil: none
	// Errant is not nil when the plugin may report records (KIP-610).
	Errant *pipeline.Converters
}

// SinkSpec is everything that survives a restart of a sink task.
type SinkSpec struct {
	Common
	Spans Spans
	Build func(ctx context.Context) (*SinkParts, error)
}

// SinkProps returns the recipe of a sink task's actor.
func SinkProps(spec SinkSpec, paused bool) *actor.Props {
	spec.Common = spec.Common.inLease()
	return props(spec.Common, paused, func(n int, final *atomic.Bool, tell func(event)) run {
		return newSinkRun(spec, n, final, tell)
	})
}

// sinkRun is one incarnation of a sink task: consume ► convert ► transform ► put,
// and commit.
//
// What the plugin sees happens on one goroutine, putLoop's: open, put, flush,
// close. The consumer's callbacks reach it as barriers that travel behind the
// batches.
type sinkRun struct {
	SinkSpec
	incarnation
	final *atomic.Bool

	first, next *actor.PID // convert, transform
	parts       atomic.Pointer[SinkParts]
	client      *kgo.Client // set before the consume loop begins
	send        func(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) error
	clientLife  context.Context //nolint:containedctx // the client's: it bounds its Close
	cutClient   context.CancelFunc
	toPut       *queue[putMsg]
	up          chan struct{} // closed when the plugin has started
	consumeDone chan struct{}
	putDone     chan struct{}
	put         putState
	topics      map[string]bool                     // of the convert stage
	goneSince   time.Time                           // when the client first missed a topic that it knew; of the consume loop
	saidSince   time.Time                           // when the client's trouble with the group was last logged; of the consume loop
	gens        map[connectors.TopicPartition]int64 // of the consume loop: the last seek that was done
	urgent      chan *barrier                       // the barriers that take partitions away, once more
	errant      sync.Mutex                          // the converters of reports
}

func newSinkRun(spec SinkSpec, n int, final *atomic.Bool, tell func(event)) *sinkRun {
	r := &sinkRun{SinkSpec: spec, final: final, toPut: newQueue[putMsg](), up: make(chan struct{}), consumeDone: make(chan struct{}), putDone: make(chan struct{}),
		topics: make(map[string]bool), gens: make(map[connectors.TopicPartition]int64), urgent: make(chan *barrier, 16)}
	r.init(spec.Common, spec.Spans, n, tell)
	r.clientLife, r.cutClient = context.WithCancel(context.Background())
	r.put.init()
	return r
}

// begin implements run.
func (r *sinkRun) begin(c actor.Context) {
	r.sys = c.ActorSystem()
	c.SpawnPrefix(owner(func() { go r.putLoop() }, r.cancel), "put")
	transform := r.stageOf(c.Self(), r.stageFailed, r.transform, func(m any) {
		switch m := m.(type) {
		case *barrier:
			r.toPut.push(putMsg{barrier: m})
		case *pipeline.Batch:
			r.toPut.push(putMsg{batch: m})
		}
	})
	r.next = c.SpawnPrefix(transform.props(), "transform")
	convert := r.stageOf(c.Self(), r.stageFailed, r.convert, func(m any) {
		if _, ok := m.(*pipeline.Batch); ok {
			r.Metrics.Mailbox.Add(1)
		}
		r.sys.Root.Send(r.next, m)
	})
	r.first = c.SpawnPrefix(convert.props(), "convert")
	r.stages = []*stage{convert, transform}
	c.SpawnPrefix(owner(func() { go r.consume() }, r.stopPoll), "consume")
}

// stageFailed is told of the failure of a stage; true when the task fails of it.
func (r *sinkRun) stageFailed(err error) bool {
	// Asked to stop while a record was to be tried again: it and what follows it are
	// read again.
	stopped := r.pollCtx.Err() != nil && errors.Is(err, context.Canceled)
	r.put.hurry.Store(true)
	r.breakOff()
	return !stopped
}

// consume builds the parts, starts the plugin and reads from Kafka.
func (r *sinkRun) consume() {
	defer close(r.consumeDone)
	if err := guard(r.runConsumer); err != nil {
		r.fail(err)
	}
}

func (r *sinkRun) runConsumer() error {
	if !r.allowed() {
		return nil
	}
	parts, err := r.Build(r.pollCtx)
	if r.pollCtx.Err() != nil {
		if parts != nil {
			parts.close(false)
		}
		return nil
	}
	if err != nil {
		return err
	}
	r.parts.Store(parts)
	if parts.DLQ != nil {
		r.line.Store(parts.DLQ.Line)
	}
	if !r.passGate(false) {
		return nil
	}
	r.put.started = true
	err = callOr(r.pollCtx, r.Metrics, "starting the task", r.CallTimeout, func(ctx context.Context) error {
		return parts.Task.Start(ctx, sinkContext{r.plugin, r}, parts.Config)
	}, func() { stopLate(r.Log, parts.Task.Stop, r.Grace) })
	if Abandoned(err) {
		r.put.started = false // stopped when it returns, not beside it
	}
	if r.pollCtx.Err() != nil {
		return nil
	}
	if err != nil {
		return err // its own words come first in the trace
	}
	client, err := parts.NewClient(
		kgo.WithContext(r.clientLife),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { r.barrier(assigned, m, false) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { r.barrier(revoked, m, true) }),
		kgo.OnPartitionsLost(func(_ context.Context, cl *kgo.Client, m map[string][]int32) { r.lost(cl, m) }),
	)
	if err != nil {
		return err
	}
	r.client = client
	r.send = func(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) error {
		return commitOffsets(ctx, client, offsets)
	}
	close(r.up)
	r.tell(event{n: r.n, kind: evRunning})
	if parts.Watch != nil {
		var watch sync.WaitGroup
		watch.Go(func() {
			if err := guard(func() error { return parts.Watch(r.pollCtx, client) }); err != nil && r.pollCtx.Err() == nil {
				r.fail(err)
			}
		})
		defer func() { r.stopPoll(); watch.Wait() }()
	}
	return r.consumeLoop(parts)
}

func (r *sinkRun) convert(b *pipeline.Batch) error {
	for _, e := range b.Entry.(*sinkEntry).ends {
		if !r.topics[e.tp.Topic] {
			r.topics[e.tp.Topic] = true
			r.Listener.TopicUsed(r.ID, e.tp.Topic)
		}
	}
	return r.stageSpan(b, "convert", b.Raw[0].Topic, func() error { return r.parts.Load().Converters.FromRaw(r.pollCtx, b) })
}

func (r *sinkRun) transform(b *pipeline.Batch) error {
	return r.transformBy(r.parts.Load().Chain, b, b.Raw[0].Topic)
}
