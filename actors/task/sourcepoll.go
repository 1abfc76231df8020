package task

import (
	"time"
	"unsafe"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

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
	r.takeCredit(b.Bytes)
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
			n += 16 + valueSize(f, depth-1)
		}
		return n
	case data.KindArray:
		e := v.Elems()
		if len(e) == 0 || depth == 0 {
			return 16
		}
		return int64(len(e)) * (16 + valueSize(e[0], depth-1))
	case data.KindMap:
		m := v.Map()
		if m.Len() == 0 || depth == 0 {
			return 32
		}
		return int64(m.Len()) * (32 + valueSize(m.KeyAt(0), depth-1) + valueSize(m.At(0), depth-1))
	}
	return 0
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
