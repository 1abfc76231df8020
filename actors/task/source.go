package task

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// OffsetStore reads and writes one connector's source offsets.
type OffsetStore interface {
	connectors.OffsetReader
	// Put stores offsets and returns once they are durable.
	Put(ctx context.Context, offsets []PartitionOffset) error
}

// TopicEnsurer creates a topic before the first record goes there, by the
// connector's topic.creation rules.
type TopicEnsurer interface {
	Ensure(ctx context.Context, topic string) error
}

// SourceParts are what one incarnation of a source task is made of.
type SourceParts struct {
	Task       connectors.SourceTask
	TaskClass  string
	Config     map[string]string // resolved, as the plugin gets it
	Chain      *pipeline.Chain
	Converters *pipeline.Converters
	Errors     *pipeline.Errors
	Client     *kgo.Client  // the task's producer; closed by the task
	Topics     TopicEnsurer // nil: left to the broker
	// Originals says that reports print records, so that the records before the
	// transforms are kept.
	Originals bool
}

// SourceSpec is everything that survives a restart of a source task.
type SourceSpec struct {
	Common
	Offsets OffsetStore
	Spans   Spans // nil: no traces
	// Build makes the parts of an incarnation anew. Its errors are of class
	// configuration unless they say otherwise. It is called on a goroutine.
	Build func(ctx context.Context) (*SourceParts, error)
}

// SourceProps returns the recipe of a source task's actor.
func SourceProps(spec SourceSpec, paused bool) *actor.Props {
	return props(spec.Common, paused, func(n int, final *atomic.Bool, tell func(event)) run {
		return newSourceRun(spec, n, tell)
	})
}

// sourceRun is one incarnation of a source task: poll ► transform ► convert ►
// produce, and commit.
type sourceRun struct {
	SourceSpec
	n    int
	tell func(event)

	ctx      context.Context //nolint:containedctx // the incarnation's life
	cancel   context.CancelFunc
	pollCtx  context.Context //nolint:containedctx // ends when the task is asked to stop
	stopPoll context.CancelFunc

	sys       *actor.ActorSystem
	first     *actor.PID // the stage after poll
	converter *actor.PID
	stages    []*stage
	parts     atomic.Pointer[SourceParts]
	ledger    *Ledger
	credit    *credit
	gate      *gate
	plugin    *plugin
	pool      batchPool
	lent      atomic.Pointer[data.Record] // the slots that the plugin has from Batch

	toProduce chan *pipeline.Batch
	toCommit  chan *inflight // settled batches of a RecordCommitter
	committer bool           // the plugin is one; set before the first batch
	pumpDone  chan struct{}

	producing    atomic.Int64 // batches converted and not handed to the client yet
	produceEnded atomic.Bool
	others       sync.WaitGroup // produce, commit, record commits
	again        resender
	started      bool        // the plugin's Start was called; read after pumpDone
	dead         atomic.Bool // ended: what comes later from this incarnation is refused
	commitMu     sync.Mutex  // one commit at a time
	failOnce     sync.Once
	broken       chan struct{} // closed at the first failure
	cutOnce      sync.Once
	cut          chan struct{} // closed when a stage or the client failed: what is in flight won't arrive
	topics       map[string]bool
}

func newSourceRun(spec SourceSpec, n int, tell func(event)) *sourceRun {
	r := &sourceRun{SourceSpec: spec, n: n, tell: tell, ledger: NewLedger(), credit: newCredit(spec.Common.Budget), gate: newGate(),
		toProduce: make(chan *pipeline.Batch, maxBatches+1), toCommit: make(chan *inflight, maxBatches+1), pumpDone: make(chan struct{}), broken: make(chan struct{}), cut: make(chan struct{}), topics: make(map[string]bool)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.pollCtx, r.stopPoll = context.WithCancel(r.ctx)
	r.plugin = &plugin{log: spec.Log, ctx: r.pollCtx, failed: r.fail, count: &spec.Metrics.Goroutines}
	return r
}

// maxBatches bounds the batches in flight beside their bytes, so that a hand-over
// between two stages never waits: each batch takes at least its part of the budget.
const maxBatches = 1024

func leastBytes(budget int64) int64 { return (budget + maxBatches - 1) / maxBatches }

func (r *sourceRun) setPaused(p bool) { r.gate.set(p) }

// fail reports the first failure of the incarnation.
func (r *sourceRun) fail(err error) {
	r.failOnce.Do(func() {
		close(r.broken)
		r.stopPoll()
		r.tell(event{n: r.n, kind: evFailed, err: err})
	})
}

// begin implements run: it spawns the stages, each a child of the task.
func (r *sourceRun) begin(c actor.Context) {
	r.sys = c.ActorSystem()
	self := c.Self()
	stageOf := func(f func(*pipeline.Batch) error, next func(*pipeline.Batch)) *stage {
		return &stage{failed: r.stageFailed, fail: func(err error) stageFailure { return stageFailure{task: self, n: r.n, err: err} },
			work: func(m any) error {
				b, ok := m.(*pipeline.Batch)
				if !ok || r.dead.Load() {
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
	r.others.Add(3) // here, so that end never waits for a loop that is yet to be counted
	owned := func(loop func()) func() {
		return func() {
			go func() {
				defer r.others.Done()
				if err := guard(func() error { loop(); return nil }); err != nil {
					r.failStages(err)
				}
			}()
		}
	}
	c.SpawnPrefix(owner(owned(r.produceLoop), r.cancel), "produce")
	convert := stageOf(r.convert, func(b *pipeline.Batch) {
		r.producing.Add(1)
		select {
		case r.toProduce <- b:
		case <-r.ctx.Done():
		}
	})
	r.converter = c.SpawnPrefix(convert.props(), "convert")
	transform := stageOf(r.transform, func(b *pipeline.Batch) {
		r.Metrics.Mailbox.Add(1)
		convert.coming.Add(1)
		r.sys.Root.Send(r.converter, b)
	})
	r.first = c.SpawnPrefix(transform.props(), "transform")
	r.stages = []*stage{transform, convert}
	c.SpawnPrefix(owner(func() { owned(r.commitLoop)(); owned(r.recordCommitLoop)() }, r.cancel), "commit")
	c.SpawnPrefix(owner(func() { go r.pump() }, r.stopPoll), "poll")
}

// stageFailed is told of the failure of a stage; true when the task fails of it.
func (r *sourceRun) stageFailed(err error) bool {
	if r.pollCtx.Err() != nil && errors.Is(err, context.Canceled) {
		// Asked to stop while a record was to be tried again: it is read again.
		r.cutOnce.Do(func() { close(r.cut) })
		return false
	}
	r.breakOff()
	return true
}

// breakOff marks the run as broken when a stage is about to panic.
func (r *sourceRun) breakOff() {
	r.cutOnce.Do(func() { close(r.cut) })
	r.failOnce.Do(func() { close(r.broken); r.stopPoll() })
}

// failStages reports a failure after which records in flight won't be acknowledged.
func (r *sourceRun) failStages(err error) {
	r.cutOnce.Do(func() { close(r.cut) })
	r.fail(err)
}

// owner is the actor of a stage that works on a goroutine: it starts it and,
// should it be stopped first, tells it to end. The run waits for it.
func owner(start, stop func()) *actor.Props {
	return actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case *actor.Started:
			start()
		case *actor.Stopping:
			stop()
		}
	})
}

// pump builds the parts and runs the plugin: Start, then Poll until the end.
func (r *sourceRun) pump() {
	defer close(r.pumpDone)
	if err := guard(r.runPlugin); err != nil {
		r.fail(err)
	}
}

func (r *sourceRun) runPlugin() error {
	parts, err := r.Build(r.pollCtx)
	if r.pollCtx.Err() != nil {
		if parts != nil && parts.Client != nil {
			parts.Client.Close()
		}
		return nil
	}
	if err != nil {
		return err
	}
	r.parts.Store(parts)
	if _, ok := parts.Task.(connectors.RecordCommitter); ok {
		r.committer = true
	}
	if !r.passGate(false) {
		return nil
	}
	r.started = true
	err = callOr(r.pollCtx, r.Metrics, "starting the task", r.CallTimeout, func(ctx context.Context) error {
		return parts.Task.Start(ctx, sourceContext{r.plugin, r}, parts.Config)
	}, func() { stopLate(r.Log, parts.Task.Stop, r.Grace) })
	if Abandoned(err) {
		r.started = false // stopped when it returns, not beside it
	}
	if r.pollCtx.Err() != nil {
		return nil
	}
	if err != nil {
		return err // its own words come first in the trace
	}
	r.tell(event{n: r.n, kind: evRunning})
	return r.pollLoop()
}

// passGate waits while the task is paused; false when it is asked to stop.
func (r *sourceRun) passGate(wasRunning bool) bool {
	return r.gate.pass(r.pollCtx, wasRunning, func(k eventKind) { r.tell(event{n: r.n, kind: k}) })
}

func (r *sourceRun) pollLoop() error {
	task := r.parts.Load().Task
	backoff := pollBackoff
	for {
		if !r.passGate(true) || r.credit.wait(r.pollCtx) != nil {
			return nil
		}
		begun := time.Now()
		var recs []data.Record
		err := guard(func() (err error) {
			recs, err = task.Poll(r.pollCtx)
			return err
		})
		switch {
		case err == nil:
			backoff = pollBackoff
		case r.pollCtx.Err() != nil:
			return nil
		case connectors.IsRetriable(err):
			r.Log.Warn("polling failed and is tried again", "after", backoff, "err", err)
			wait(r.pollCtx, backoff)
			backoff = min(2*backoff, maxPollBackoff)
			continue
		default:
			return connectors.Errorf("polling: %w", err)
		}
		if len(recs) == 0 {
			if r.pollCtx.Err() != nil {
				return nil
			}
			continue
		}
		r.Metrics.PollTime.Add(time.Since(begun))
		r.dispatch(recs, begun)
		if r.pollCtx.Err() != nil {
			return nil
		}
	}
}

// How long the worker waits before it polls again after a retriable error.
const (
	pollBackoff    = 100 * time.Millisecond
	maxPollBackoff = 10 * time.Second
)

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// dispatch opens a batch's account and sends it on its way.
func (r *sourceRun) dispatch(recs []data.Record, polled time.Time) {
	b := r.pool.get()
	b.Records = recs
	b.Reset(len(recs))
	b.Polled = polled
	for i := range recs {
		b.Bytes += size(&recs[i])
	}
	b.Bytes = max(b.Bytes, leastBytes(r.Budget))
	b.Recycle = r.lent.CompareAndSwap(unsafe.SliceData(recs), nil)
	if r.parts.Load().Originals || r.committer {
		b.Originals = append([]data.Record(nil), recs...)
	}
	r.Metrics.Polled.Add(int64(len(recs)))
	r.Metrics.Batches.Add(1)
	storeMax(&r.Metrics.BatchMax, int64(len(recs)))
	r.credit.take(b.Bytes)
	r.Metrics.Credit.Store(r.credit.inUse())
	if r.Spans != nil {
		if ctx := r.Spans.Head(r.ID, "poll", nil); ctx != nil {
			b.Trace = ctx
		}
	}
	r.ledger.add(b, r.settled)
	r.Metrics.Active.Store(r.ledger.Active())
	r.Metrics.Mailbox.Add(1)
	r.stages[0].coming.Add(1)
	r.sys.Root.Send(r.first, b)
}

// size estimates what a record holds in memory, bytes.
func size(rec *data.Record) int64 {
	n := int64(256)
	for _, v := range [...]data.Value{rec.Key, rec.Value} {
		n += valueSize(v, 3)
	}
	return n
}

func valueSize(v data.Value, depth int) int64 {
	switch v.Kind() {
	case data.KindString, data.KindBytes:
		return int64(len(v.Bytes()))
	case data.KindStruct:
		if depth == 0 {
			return 64
		}
		n := int64(48)
		for _, f := range v.Struct().Values() {
			n += 24 + valueSize(f, depth-1)
		}
		return n
	case data.KindArray:
		e := v.Elems()
		if len(e) == 0 || depth == 0 {
			return 24
		}
		return int64(len(e)) * (24 + valueSize(e[0], depth-1))
	case data.KindMap:
		e := v.Map().Entries()
		if len(e) == 0 || depth == 0 {
			return 48
		}
		return int64(len(e)) * (48 + valueSize(e[0].Key, depth-1) + valueSize(e[0].Value, depth-1))
	}
	return 0
}

// stageSpan runs a stage within a span when the batch is sampled.
func (r *sourceRun) stageSpan(b *pipeline.Batch, stage string, f func() error) error {
	if b.Trace == nil {
		return f()
	}
	topic := ""
	if len(b.Records) > 0 {
		topic = b.Records[0].Topic
	}
	_, end := r.Spans.Stage(b.Trace, r.ID, stage, topic, b.Live())
	err := f()
	end(err)
	return err
}

func (r *sourceRun) transform(b *pipeline.Batch) error {
	chain := r.parts.Load().Chain
	if len(chain.Steps) == 0 {
		return nil
	}
	return r.stageSpan(b, "transform", func() error { return chain.Apply(r.pollCtx, b) })
}

func (r *sourceRun) convert(b *pipeline.Batch) error {
	b.Raw = take(&r.pool.raws, len(b.Records))
	return r.stageSpan(b, "convert", func() error { return r.parts.Load().Converters.ToRaw(r.pollCtx, b) })
}

// produceLoop hands batches to the Kafka client, which may block.
func (r *sourceRun) produceLoop() {
	defer r.produceEnded.Store(true)
	for {
		select {
		case <-r.ctx.Done():
			return
		case b := <-r.toProduce:
			if r.dead.Load() {
				return // its offsets are not stored any more: it would come twice
			}
			span := b.Trace // the batch may be gone once its last record is produced
			if err := r.stageSpan(b, "produce", func() error { return r.produce(b) }); err != nil {
				if span != nil {
					r.Spans.End(span, 0, err)
				}
				r.failStages(err)
				return
			}
			r.producing.Add(-1)
		}
	}
}

func (r *sourceRun) produce(b *pipeline.Batch) error {
	f := b.Entry.(*inflight)
	var trace []kgo.RecordHeader
	if b.Trace != nil {
		for _, h := range r.Spans.Carrier(b.Trace) {
			trace = append(trace, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	slab := newSlab(f, r)
	// From the first Produce on the batch can be settled at any moment, so what this
	// stage needs is taken out of it before. Records that nobody can ask for again are
	// let go now.
	raws := b.Raw
	b.Raw = nil
	defer func() { giveBack(&r.pool.raws, raws) }()
	if b.Live() < len(b.Records) {
		// Settle the dropped ones first: when nothing is left the batch may be gone
		// at once.
		live := b.Live()
		states := append([]pipeline.State(nil), b.States...)
		f.settleDropped(states)
		if live == 0 {
			return nil
		}
		return r.produceSome(raws, slab, states, trace)
	}
	if b.Originals == nil && !r.committer && !r.parts.Load().Errors.TolerateAll {
		b.Records = nil
		if recs := f.shed(take(&r.pool.offsets, f.n)); b.Recycle {
			giveBack(&r.pool.recs, recs)
		}
	}
	return r.produceSome(raws, slab, nil, trace)
}

// produceSome produces the live records; states nil means that all are.
func (r *sourceRun) produceSome(raws []pipeline.Raw, slab *slab, states []pipeline.State, trace []kgo.RecordHeader) error {
	last := ""
	client := r.parts.Load().Client
	for i := range raws {
		if states != nil && states[i] != pipeline.Live {
			continue
		}
		raw := &raws[i]
		if raw.Topic != last {
			if err := r.useTopic(raw.Topic); err != nil {
				return err
			}
			last = raw.Topic
		}
		if err := pipeline.CheckTimestamp(raw.Timestamp); err != nil {
			return err
		}
		rec := &slab.recs[i]
		rec.Topic, rec.Key, rec.Value = raw.Topic, raw.Key, raw.Value
		if raw.Partition != data.NoPartition {
			rec.Partition = raw.Partition
		} else {
			rec.Partition = kafkaclient.AnyPartition
		}
		if raw.Timestamp >= 0 {
			rec.Timestamp = time.UnixMilli(raw.Timestamp)
		}
		if len(raw.Headers)+len(trace) > 0 {
			rec.Headers = make([]kgo.RecordHeader, 0, len(raw.Headers)+len(trace))
			for _, h := range raw.Headers {
				// One trace a record: the batch's takes the place of the one that it came
				// with.
				if trace == nil || (h.Key != "traceparent" && h.Key != "tracestate") {
					rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
				}
			}
			rec.Headers = append(rec.Headers, trace...)
		}
		client.Produce(r.ctx, rec, slab.promise)
	}
	return nil
}

func (r *sourceRun) useTopic(topic string) error {
	if topic == "" {
		return connectors.Errorf("a record without a topic cannot be sent")
	}
	if r.topics[topic] {
		return nil
	}
	if t := r.parts.Load().Topics; t != nil {
		if err := t.Ensure(r.ctx, topic); err != nil {
			return err
		}
	}
	r.topics[topic] = true
	r.Listener.TopicUsed(r.ID, topic)
	return nil
}

// produced is told of each record by the client: acknowledged, or failed.
func (r *sourceRun) produced(f *inflight, i int, rec *kgo.Record, err error) {
	if err == nil {
		f.settle(i)
		return
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) || r.dead.Load() {
		return // asked to stop; the record was not acknowledged and is not settled
	}
	if r.resend(f, i, rec, err) {
		return
	}
	if err := guard(func() error { r.unproduced(f, i, rec, err); return nil }); err != nil {
		r.failStages(err)
	}
}

// unproduced deals with a record that Kafka did not take.
func (r *sourceRun) unproduced(f *inflight, i int, rec *kgo.Record, err error) {
	if parts := r.parts.Load(); parts.Errors.TolerateAll {
		rep := pipeline.Report{Stage: pipeline.KafkaProduce, Class: parts.TaskClass, Record: f.batch.Original(i), Err: produceError(rec, err)}
		if _, fatal := parts.Errors.Handle(r.ctx, rep, nil); fatal == nil {
			f.skip(i)
			return
		}
	}
	r.failStages(produceError(rec, err))
}

// settled is called when the last record of a batch is.
func (r *sourceRun) settled(f *inflight) {
	if r.committer {
		select {
		case r.toCommit <- f:
		case <-r.ctx.Done(): // the end; its records are read again
		}
		return
	}
	r.retire(f)
}

// retire ends a settled batch: its offsets count, its credit goes back, its slots
// are used again.
func (r *sourceRun) retire(f *inflight) {
	b := f.batch
	f.close()
	giveBack(&r.pool.offsets, f.offsets)
	if f.slab != nil && !f.slab.failed {
		giveBack(&r.pool.slabs, f.slab.recs)
	}
	r.Metrics.Written.Add(int64(f.n) - f.dropped.Load())
	r.Metrics.Active.Store(r.ledger.Active())
	r.Metrics.BatchTime.Add(time.Since(b.Polled))
	if b.Trace != nil {
		r.Spans.End(b.Trace, f.n, nil)
	}
	bytes := b.Bytes
	r.pool.put(b)
	r.credit.give(bytes)
	r.Metrics.Credit.Store(r.credit.inUse())
}

// sourceContext is what the plugin is given.
type sourceContext struct {
	*plugin
	r *sourceRun
}

// Offsets implements [connectors.SourceTaskContext].
func (c sourceContext) Offsets() connectors.OffsetReader { return c.r.SourceSpec.Offsets }

// Batch implements [connectors.SourceTaskContext].
func (c sourceContext) Batch(n int) []data.Record {
	recs := c.r.pool.slots(n)
	c.r.lent.Store(unsafe.SliceData(recs))
	return recs
}
