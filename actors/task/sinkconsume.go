package task

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

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
	var traces remotes
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
				carrier := -1
				for j, h := range rec.Headers {
					raw.Headers[j] = pipeline.RawHeader{Key: h.Key, Value: h.Value}
					if r.Spans != nil && carrier < 0 && r.Spans.IsCarrier(raw.Headers[j]) {
						carrier = j
					}
				}
				if carrier >= 0 {
					traces.add(raw.Headers, carrier)
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
	r.Metrics.Active.Store(r.put.consumed(e.ends))
	r.Metrics.Batches.Add(1)
	storeMax(&r.Metrics.BatchMax, int64(n))
	r.takeCredit(b.Bytes)
	if r.Spans != nil {
		if ctx := r.Spans.Head(r.ID, "consume", traces.heads); ctx != nil {
			b.Trace = ctx
		}
	}
	r.Metrics.Mailbox.Add(1)
	r.sys.Root.Send(r.first, b)
}
