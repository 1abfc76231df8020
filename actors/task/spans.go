package task

import (
	"bytes"
	"context"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// Spans makes a task's traces. A nil Spans is off: the task then pays one
// comparison a batch.
type Spans interface {
	// Head begins a batch's first span and decides whether the batch is sampled;
	// the context is nil when it is not. The remotes are headers of records that carry
	// a trace, of each trace context one: the only one becomes the span's parent,
	// several are linked to.
	Head(id connectors.TaskID, stage string, remotes [][]pipeline.RawHeader) context.Context
	// Stage begins a child span; the result ends it.
	Stage(ctx context.Context, id connectors.TaskID, stage, topic string, records int) (context.Context, func(err error))
	// End ends the batch's first span.
	End(ctx context.Context, records int, err error)
	// Carrier returns the headers that lead the trace on, to be added to records.
	Carrier(ctx context.Context) []pipeline.RawHeader
	// IsCarrier reports whether a header carries a sampled trace.
	IsCarrier(h pipeline.RawHeader) bool
}

// maxRemotes bounds the trace contexts that a batch's span is linked to.
const maxRemotes = 16

// remotes collects the headers of a batch's records that carry a trace, of each
// trace context one.
type remotes struct {
	heads [][]pipeline.RawHeader
	seen  [][]byte
}

// add takes a record's headers, of which carrier is the one with its trace.
func (r *remotes) add(headers []pipeline.RawHeader, carrier int) {
	v := headers[carrier].Value
	// Most often it is the context of the record before.
	for i := len(r.seen) - 1; i >= 0; i-- {
		if bytes.Equal(r.seen[i], v) {
			return
		}
	}
	if len(r.seen) < maxRemotes {
		r.heads, r.seen = append(r.heads, headers), append(r.seen, v)
	}
}
