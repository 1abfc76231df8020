package task

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/pipeline"
)

// incarnation is what the incarnations of source and sink tasks have in common:
// their lives, their bounds and their stages.
type incarnation struct {
	common Common
	spans  Spans
	n      int
	tell   func(event)

	ctx      context.Context //nolint:containedctx // the incarnation's life
	cancel   context.CancelFunc
	pollCtx  context.Context //nolint:containedctx // ends when the task is asked to stop
	stopPoll context.CancelFunc

	sys    *actor.ActorSystem
	stages []*stage
	credit *credit
	gate   *gate
	plugin *plugin
	pool   batchPool

	failOnce sync.Once
	broken   chan struct{}                    // closed at the first failure
	dead     atomic.Bool                      // ended: what comes later from this incarnation is refused
	lapsed   atomic.Bool                      // the lease has run out
	line     atomic.Pointer[kafkaclient.Line] // of the producer; nil: there is none yet, or it is not cut
}

func (i *incarnation) init(c Common, spans Spans, n int, tell func(event)) {
	i.common, i.spans, i.n, i.tell = c, spans, n, tell
	i.credit, i.gate, i.broken = newCredit(c.Budget), newGate(), make(chan struct{})
	i.ctx, i.cancel = context.WithCancel(context.Background())
	i.pollCtx, i.stopPoll = context.WithCancel(i.ctx)
	i.plugin = &plugin{log: c.Log, ctx: i.pollCtx, failed: i.fail, count: &c.Metrics.Goroutines}
}

// maxBatches bounds the batches in flight beside their bytes, so that a hand-over
// between two stages never waits: each batch takes at least its part of the budget.
const maxBatches = 1024

func leastBytes(budget int64) int64 { return (budget + maxBatches - 1) / maxBatches }

// setPaused implements run.
func (i *incarnation) setPaused(p bool) { i.gate.set(p) }

// passGate waits while the task is paused; false when it is asked to stop.
func (i *incarnation) passGate(wasRunning bool) bool {
	return i.gate.pass(i.pollCtx, wasRunning, func(k eventKind) { i.tell(event{n: i.n, kind: k}) })
}

// fail reports the first failure of the incarnation.
func (i *incarnation) fail(err error) {
	i.failOnce.Do(func() {
		close(i.broken)
		i.stopPoll()
		i.tell(event{n: i.n, kind: evFailed, err: err})
	})
}

// breakOff marks the incarnation as broken when a stage is about to panic, which is
// how its failure is reported.
func (i *incarnation) breakOff() {
	i.failOnce.Do(func() { close(i.broken); i.stopPoll() })
}

// stageOf makes a stage that does f with each batch and passes it on, as it does
// with all that is no batch. failed is told of its failure.
func (i *incarnation) stageOf(self *actor.PID, failed func(error) bool, f func(*pipeline.Batch) error, next func(any)) *stage {
	return &stage{failed: failed, fail: func(err error) stageFailure { return stageFailure{task: self, n: i.n, err: err} },
		work: func(m any) error {
			b, ok := m.(*pipeline.Batch)
			if !ok {
				next(m)
				return nil
			}
			if i.dead.Load() || !i.allowed() { // reports go out from here too
				return nil
			}
			i.common.Metrics.Mailbox.Add(-1)
			if err := guard(func() error { return f(b) }); err != nil {
				if b.Trace != nil {
					i.spans.End(b.Trace, len(b.Records), err)
				}
				return err
			}
			next(b)
			return nil
		}}
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

// stageSpan runs a stage within a span when the batch is sampled.
func (i *incarnation) stageSpan(b *pipeline.Batch, stage, topic string, f func() error) error {
	if b.Trace == nil {
		return f()
	}
	_, end := i.spans.Stage(b.Trace, i.common.ID, stage, topic, b.Live())
	err := f()
	end(err)
	return err
}

// transformBy sends a batch through the transforms.
func (i *incarnation) transformBy(chain *pipeline.Chain, b *pipeline.Batch, topic string) error {
	if len(chain.Steps) == 0 {
		return nil
	}
	return i.stageSpan(b, "transform", topic, func() error { return chain.Apply(i.pollCtx, b) })
}

// takeCredit books a batch that enters, giveCredit one that is done with.
func (i *incarnation) takeCredit(bytes int64) {
	i.credit.take(bytes)
	i.common.Metrics.Credit.Store(i.credit.inUse())
}

// finish ends a batch: its times and spans are closed, what it is made of is used
// again, and its credit goes back. records is how many it brought.
func (i *incarnation) finish(b *pipeline.Batch, records int) {
	i.common.Metrics.BatchTime.Add(time.Since(b.Polled))
	if b.Trace != nil {
		i.spans.End(b.Trace, records, nil)
	}
	bytes := b.Bytes
	i.pool.put(b)
	i.credit.give(bytes)
	i.common.Metrics.Credit.Store(i.credit.inUse())
}

// stopPlugin calls the plugin's Stop.
func (i *incarnation) stopPlugin(stop func(context.Context) error) {
	if err := call(context.WithoutCancel(i.ctx), i.common.Metrics, "stopping the task", i.common.Grace, stop); err != nil {
		i.common.Log.Warn("stopping the task's plugin failed", "err", err)
	}
}

// closeStages has the stages take nothing more.
func (i *incarnation) closeStages() {
	for _, s := range i.stages {
		s.close()
	}
}

// waitForStages waits a moment for each stage; false when one is in a call that does
// not return.
func (i *incarnation) waitForStages() bool {
	idle := true
	for _, s := range i.stages {
		idle = s.wait(abandonAfter) && idle
	}
	return idle
}

// leftBehind says that a transform, a converter or a call does not return.
func (i *incarnation) leftBehind(what string) {
	i.common.Metrics.Abandoned.Add(1)
	i.common.Log.Warn(what + " did not return and is left behind")
}

// waitForPlugin waits for the plugin's goroutines, for a second.
func (i *incarnation) waitForPlugin() {
	if !i.plugin.wait(time.Second) {
		i.common.Log.Warn("goroutines of the plugin ignore the end of their context", "goroutines", i.common.Metrics.Goroutines.Load())
	}
}

// abandonAfter is how long a call may take to return once its context has ended
// and the grace is over.
const abandonAfter = 250 * time.Millisecond

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
