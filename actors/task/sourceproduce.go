package task

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// produceLoop hands batches to the Kafka client, which may block.
func (r *sourceRun) produceLoop() {
	defer r.produceEnded.Store(true)
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.toProduce.ready:
			b, ok := r.toProduce.pop()
			if !ok {
				continue
			}
			if r.dead.Load() || !r.allowed() {
				return // its offsets are not stored any more: it would come twice
			}
			span := b.Trace // the batch may be gone once its last record is produced
			if err := r.stageSpan(b, "produce", topicOf(b), func() error { return r.produce(b) }); err != nil {
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

// leaseEvery is how many records of a batch are given to the client for one look at
// the lease. What the client holds when the lease runs out is taken back as far as it
// was not sent.
const leaseEvery = 64

// produceSome produces the live records; states nil means that all are.
func (r *sourceRun) produceSome(raws []pipeline.Raw, slab *slab, states []pipeline.State, trace []kgo.RecordHeader) error {
	last := ""
	client := r.parts.Load().Client
	for i := range raws {
		if states != nil && states[i] != pipeline.Live {
			continue
		}
		if i%leaseEvery == 0 && i > 0 && !r.allowed() { // the client may have had this loop wait
			return nil
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
		r.toCommit.push(f)
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
	r.finish(b, f.n)
}
