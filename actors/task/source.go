package task

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

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
	Client     *kgo.Client       // the task's producer; closed by the task
	Line       *kafkaclient.Line // the producer's; nil: it is not cut
	Topics     TopicEnsurer      // nil: left to the broker
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
	spec.Common = spec.Common.inLease()
	return props(spec.Common, paused, func(n int, final *atomic.Bool, tell func(event)) run {
		return newSourceRun(spec, n, tell)
	})
}

// sourceRun is one incarnation of a source task: poll ► transform ► convert ►
// produce, and commit.
type sourceRun struct {
	SourceSpec
	incarnation

	first     *actor.PID // the stage after poll
	converter *actor.PID
	parts     atomic.Pointer[SourceParts]
	ledger    *Ledger
	lent      atomic.Pointer[data.Record] // the slots that the plugin has from Batch

	toProduce *queue[*pipeline.Batch]
	toCommit  *queue[*inflight] // settled batches of a RecordCommitter
	committer bool              // the plugin is one; set before the first batch
	pumpDone  chan struct{}

	producing    atomic.Int64 // batches converted and not handed to the client yet
	produceEnded atomic.Bool
	others       sync.WaitGroup // produce, commit, record commits
	again        resender
	started      bool        // the plugin's Start was called; read after pumpDone
	up           atomic.Bool // its Start returned without an error
	commitMu     sync.Mutex  // one commit at a time
	cutOnce      sync.Once
	cut          chan struct{} // closed when a stage or the client failed: what is in flight won't arrive
	topics       map[string]bool
}

func newSourceRun(spec SourceSpec, n int, tell func(event)) *sourceRun {
	r := &sourceRun{SourceSpec: spec, ledger: NewLedger(), toProduce: newQueue[*pipeline.Batch](), toCommit: newQueue[*inflight](),
		pumpDone: make(chan struct{}), cut: make(chan struct{}), topics: make(map[string]bool)}
	r.init(spec.Common, spec.Spans, n, tell)
	return r
}

// begin implements run: it spawns the stages, each a child of the task.
func (r *sourceRun) begin(c actor.Context) {
	r.sys = c.ActorSystem()
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
	convert := r.stageOf(c.Self(), r.stageFailed, r.convert, func(m any) {
		r.producing.Add(1)
		r.toProduce.push(m.(*pipeline.Batch))
	})
	r.converter = c.SpawnPrefix(convert.props(), "convert")
	transform := r.stageOf(c.Self(), r.stageFailed, r.transform, func(m any) {
		r.Metrics.Mailbox.Add(1)
		convert.coming.Add(1)
		r.sys.Root.Send(r.converter, m)
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
	r.cutOnce.Do(func() { close(r.cut) })
	r.breakOff()
	return true
}

// failStages reports a failure after which records in flight won't be acknowledged.
func (r *sourceRun) failStages(err error) {
	r.cutOnce.Do(func() { close(r.cut) })
	r.fail(err)
}

// pump builds the parts and runs the plugin: Start, then Poll until the end.
func (r *sourceRun) pump() {
	defer close(r.pumpDone)
	if err := guard(r.runPlugin); err != nil {
		r.fail(err)
	}
}

func (r *sourceRun) runPlugin() error {
	if !r.allowed() {
		return nil
	}
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
	r.line.Store(parts.Line)
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
	r.up.Store(true)
	r.tell(event{n: r.n, kind: evRunning})
	return r.pollLoop()
}

// topicOf is what a batch's spans name: the topic of its first record.
func topicOf(b *pipeline.Batch) string {
	if len(b.Records) == 0 {
		return ""
	}
	return b.Records[0].Topic
}

func (r *sourceRun) transform(b *pipeline.Batch) error {
	return r.transformBy(r.parts.Load().Chain, b, topicOf(b))
}

func (r *sourceRun) convert(b *pipeline.Batch) error {
	b.Raw = take(&r.pool.raws, len(b.Records))
	return r.stageSpan(b, "convert", topicOf(b), func() error { return r.parts.Load().Converters.ToRaw(r.pollCtx, b) })
}
