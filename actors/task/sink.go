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
	"github.com/troupeio/troupe/codec/data"
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
	MaxPoll   int    // max.poll.records
	Group     string // for leaving it at the end
	Instance  string // static member id; "" for none
	DLQ       *DLQ   // nil: none
	// Errant is not nil when the plugin may report records (KIP-610).
	Errant *pipeline.Converters
}

// abandonAfter is how long a call may take to return once its context has ended
// and the grace is over.
const abandonAfter = 250 * time.Millisecond

// SinkSpec is everything that survives a restart of a sink task.
type SinkSpec struct {
	Common
	Spans Spans
	Build func(ctx context.Context) (*SinkParts, error)
}

// SinkProps returns the recipe of a sink task's actor.
func SinkProps(spec SinkSpec, paused bool) *actor.Props {
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
	n     int
	final *atomic.Bool
	tell  func(event)

	ctx         context.Context //nolint:containedctx // the incarnation's life
	cancel      context.CancelFunc
	pollCtx     context.Context //nolint:containedctx // ends when the task is asked to stop
	stopPoll    context.CancelFunc
	sys         *actor.ActorSystem
	first, next *actor.PID // convert, transform
	stages      []*stage
	parts       atomic.Pointer[SinkParts]
	client      *kgo.Client // set before the consume loop begins
	send        func(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) error
	clientLife  context.Context //nolint:containedctx // the client's: it bounds its Close
	cutClient   context.CancelFunc
	credit      *credit
	gate        *gate
	plugin      *plugin
	pool        batchPool
	toPut       chan putMsg
	up          chan struct{} // closed when the plugin has started
	consumeDone chan struct{}
	putDone     chan struct{}
	failOnce    sync.Once
	broken      chan struct{}
	dead        atomic.Bool
	put         putState
	topics      map[string]bool                     // of the convert stage
	goneSince   time.Time                           // when the client first missed a topic that it knew; of the consume loop
	saidSince   time.Time                           // when the client's trouble with the group was last logged; of the consume loop
	gens        map[connectors.TopicPartition]int64 // of the consume loop: the last seek that was done
	urgent      chan *barrier                       // the barriers that take partitions away, once more
	errant      sync.Mutex                          // the converters of reports
}

// putMsg is a batch or a barrier; one of them.
type putMsg struct {
	batch   *pipeline.Batch
	barrier *barrier
}

type barrierKind uint8

const (
	assigned barrierKind = iota
	revoked
	lost
	last // the task ends: commit and close all
)

// barrier follows the batches that were consumed before it.
type barrier struct {
	kind  barrierKind
	parts []connectors.TopicPartition
	stays []int64       // of an assignment: the stay of each partition
	done  chan struct{} // closed by the put loop
	seen  bool          // of the put loop: dealt with ahead of its turn
}

// sinkEntry is where a batch ends in each partition.
type sinkEntry struct {
	ends []partEnd
}

type partEnd struct {
	tp          connectors.TopicPartition
	first, next int64 // offset of the first record, and one past the last
	epoch       int32
	gen         int64 // the last seek in the partition when the records were polled
}

func newSinkRun(spec SinkSpec, n int, final *atomic.Bool, tell func(event)) *sinkRun {
	r := &sinkRun{SinkSpec: spec, n: n, final: final, tell: tell, credit: newCredit(spec.Common.Budget), gate: newGate(),
		toPut: make(chan putMsg, 2*maxBatches), up: make(chan struct{}), consumeDone: make(chan struct{}), putDone: make(chan struct{}),
		broken: make(chan struct{}), topics: make(map[string]bool), gens: make(map[connectors.TopicPartition]int64), urgent: make(chan *barrier, 16)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.pollCtx, r.stopPoll = context.WithCancel(r.ctx)
	r.clientLife, r.cutClient = context.WithCancel(context.Background())
	r.plugin = &plugin{log: spec.Log, ctx: r.pollCtx, failed: r.fail, count: &spec.Metrics.Goroutines}
	r.put.init()
	return r
}

func (r *sinkRun) setPaused(p bool) { r.gate.set(p) }

func (r *sinkRun) fail(err error) {
	r.failOnce.Do(func() {
		close(r.broken)
		r.stopPoll()
		r.tell(event{n: r.n, kind: evFailed, err: err})
	})
}

// begin implements run.
func (r *sinkRun) begin(c actor.Context) {
	r.sys = c.ActorSystem()
	self := c.Self()
	stageOf := func(f func(*pipeline.Batch) error, next func(any)) *stage {
		return &stage{failed: r.stageFailed, fail: func(err error) stageFailure { return stageFailure{task: self, n: r.n, err: err} },
			work: func(m any) error {
				b, ok := m.(*pipeline.Batch)
				if !ok {
					next(m)
					return nil
				}
				if r.dead.Load() {
					return nil
				}
				r.Metrics.Mailbox.Add(-1)
				if err := guard(func() error { return f(b) }); err != nil {
					if b.Trace != nil {
						r.Spans.End(b.Trace, len(b.Records), err)
					}
					return err
				}
				next(b)
				return nil
			}}
	}
	c.SpawnPrefix(owner(func() { go r.putLoop() }, r.cancel), "put")
	transform := stageOf(r.transform, func(m any) {
		switch m := m.(type) {
		case *barrier:
			r.toPutLoop(putMsg{barrier: m})
		case *pipeline.Batch:
			r.toPutLoop(putMsg{batch: m})
		}
	})
	r.next = c.SpawnPrefix(transform.props(), "transform")
	convert := stageOf(r.convert, func(m any) {
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
	r.failOnce.Do(func() { close(r.broken); r.stopPoll() })
	return !stopped
}

func (r *sinkRun) toPutLoop(m putMsg) {
	select {
	case r.toPut <- m:
	case <-r.ctx.Done():
	}
}

// consume builds the parts, starts the plugin and reads from Kafka.
func (r *sinkRun) consume() {
	defer close(r.consumeDone)
	if err := guard(r.runConsumer); err != nil {
		r.fail(err)
	}
}

func (r *sinkRun) runConsumer() error {
	parts, err := r.Build(r.pollCtx)
	if r.pollCtx.Err() != nil {
		if parts != nil {
			parts.close()
		}
		return nil
	}
	if err != nil {
		return err
	}
	r.parts.Store(parts)
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
	return r.consumeLoop(parts)
}

func (r *sinkRun) passGate(wasRunning bool) bool {
	return r.gate.pass(r.pollCtx, wasRunning, func(k eventKind) { r.tell(event{n: r.n, kind: k}) })
}

// barrier tells the put loop, behind all batches, that partitions come or go. For
// those that go it waits until their offsets are committed, within the grace: a
// put that hangs must not hold up the whole group. What was not committed by then
// never is by this task: putState.gone sees to that.
func (r *sinkRun) barrier(kind barrierKind, m map[string][]int32, wait bool) {
	if r.dead.Load() {
		return
	}
	b := &barrier{kind: kind, done: make(chan struct{})}
	for t, ps := range m {
		for _, p := range ps {
			b.parts = append(b.parts, connectors.TopicPartition{Topic: t, Partition: p})
		}
	}
	if len(b.parts) == 0 {
		return
	}
	if kind == assigned {
		b.stays = r.put.come(b.parts)
	}
	if kind == lost {
		r.put.gone(b.parts)
	}
	r.sys.Root.Send(r.first, b)
	if !wait {
		return
	}
	select {
	case r.urgent <- b: // a put that waits to be tried again takes it from here
	default:
	}
	t := time.NewTimer(r.Grace)
	defer t.Stop()
	select {
	case <-b.done:
	case <-r.ctx.Done():
	case <-r.broken:
	case <-t.C:
		r.Log.Warn("partitions were revoked while the sink was busy; records put since the last commit will be delivered again", "partitions", b.parts)
	}
	r.put.gone(b.parts)
}

// consumeLoop polls the client and sends batches on.
func (r *sinkRun) consumeLoop(parts *SinkParts) error {
	var pause <-chan struct{}
	ctx, cancel := context.WithCancel(r.pollCtx)
	defer func() { cancel() }()
	for {
		if !r.passGate(true) || r.credit.wait(r.pollCtx) != nil {
			return nil
		}
		// A poll of a topic in which nothing happens would not see a pause.
		closed, change := r.gate.state()
		if closed {
			continue
		}
		if change != pause {
			cancel()
			ctx, cancel = context.WithCancel(r.pollCtx)
			pause = change
			go endWith(ctx, cancel, change)
		}
		// A seek that was asked for before the gate was looked at has woken nobody.
		pctx, done := ctx, context.CancelFunc(func() {})
		if r.put.seeking.Load() {
			pctx, done = context.WithTimeout(ctx, seekPoll)
		}
		fs := r.client.PollRecords(pctx, parts.MaxPoll)
		done()
		if r.pollCtx.Err() != nil {
			r.client.AllowRebalance()
			return nil
		}
		err := r.fetchErrors(fs)
		if err == nil {
			r.dispatch(fs)
			r.doSeeks() // here, where the group cannot take a partition away meanwhile
		}
		r.client.AllowRebalance()
		if err != nil {
			return err
		}
	}
}

// seekPoll is how long a poll waits for records while a partition is to be moved.
const seekPoll = 100 * time.Millisecond

// endWith cancels a context when something is closed; it ends with the context.
func endWith(ctx context.Context, cancel context.CancelFunc, closed <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-closed:
		cancel()
	}
}

// dispatch makes a batch of what was polled.
func (r *sinkRun) dispatch(fs kgo.Fetches) {
	n := fs.NumRecords()
	if n == 0 {
		return
	}
	b := r.pool.get()
	b.Raw = take(&r.pool.raws, n)
	e := &sinkEntry{}
	b.Polled = time.Now()
	i := 0
	var remote []pipeline.RawHeader
	fs.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		last := p.Records[len(p.Records)-1]
		tp := connectors.TopicPartition{Topic: p.Topic, Partition: p.Partition}
		e.ends = append(e.ends, partEnd{tp: tp, first: p.Records[0].Offset, next: last.Offset + 1, epoch: last.LeaderEpoch, gen: r.gens[tp]})
		for _, rec := range p.Records {
			raw := &b.Raw[i]
			i++
			raw.Topic, raw.Partition, raw.Offset = rec.Topic, rec.Partition, rec.Offset
			raw.Key, raw.Value = rec.Key, rec.Value
			raw.Timestamp, raw.TimestampType = rec.Timestamp.UnixMilli(), data.TimestampType(rec.Attrs.TimestampType())
			raw.Headers = nil
			if len(rec.Headers) > 0 {
				raw.Headers = make([]pipeline.RawHeader, len(rec.Headers))
				for j, h := range rec.Headers {
					raw.Headers[j] = pipeline.RawHeader{Key: h.Key, Value: h.Value}
					if r.Spans != nil && remote == nil && r.Spans.IsCarrier(raw.Headers[j]) {
						remote = raw.Headers
					}
				}
			}
			b.Bytes += int64(512 + len(rec.Key) + len(rec.Value))
		}
	})
	b.Records, b.Recycle = r.pool.slots(n)[:n], true
	b.Reset(n)
	b.Entry = e
	b.Bytes = max(b.Bytes, leastBytes(r.Budget))
	r.Metrics.Read.Add(int64(n))
	r.Metrics.Batches.Add(1)
	storeMax(&r.Metrics.BatchMax, int64(n))
	r.credit.take(b.Bytes)
	r.Metrics.Credit.Store(r.credit.inUse())
	if r.Spans != nil {
		if ctx := r.Spans.Head(r.ID, "consume", remote); ctx != nil {
			b.Trace = ctx
		}
	}
	r.Metrics.Mailbox.Add(1)
	r.sys.Root.Send(r.first, b)
}

func (r *sinkRun) stageSpan(b *pipeline.Batch, stage string, f func() error) error {
	if b.Trace == nil {
		return f()
	}
	_, end := r.Spans.Stage(b.Trace, r.ID, stage, b.Raw[0].Topic, b.Live())
	err := f()
	end(err)
	return err
}

func (r *sinkRun) convert(b *pipeline.Batch) error {
	for _, e := range b.Entry.(*sinkEntry).ends {
		if !r.topics[e.tp.Topic] {
			r.topics[e.tp.Topic] = true
			r.Listener.TopicUsed(r.ID, e.tp.Topic)
		}
	}
	return r.stageSpan(b, "convert", func() error { return r.parts.Load().Converters.FromRaw(r.pollCtx, b) })
}

func (r *sinkRun) transform(b *pipeline.Batch) error {
	chain := r.parts.Load().Chain
	if len(chain.Steps) == 0 {
		return nil
	}
	return r.stageSpan(b, "transform", func() error { return chain.Apply(r.pollCtx, b) })
}
