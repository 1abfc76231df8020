package task

import (
	"context"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// Spans makes a task's traces. A nil Spans is off: the task then pays one
// comparison a batch.
type Spans interface {
	// Head begins a batch's first span and decides whether the batch is sampled;
	// the context is nil when it is not. The remote headers, if any, are those of
	// records that carry a trace.
	Head(id connectors.TaskID, stage string, remote []pipeline.RawHeader) context.Context
	// Stage begins a child span; the result ends it.
	Stage(ctx context.Context, id connectors.TaskID, stage, topic string, records int) (context.Context, func(err error))
	// End ends the batch's first span.
	End(ctx context.Context, records int, err error)
	// Carrier returns the headers that lead the trace on, to be added to records.
	Carrier(ctx context.Context) []pipeline.RawHeader
	// IsCarrier reports whether a header carries a sampled trace.
	IsCarrier(h pipeline.RawHeader) bool
}
