// Package pipeline is a record's way between a plugin and Kafka: predicates,
// transforms and converters over a batch, with Kafka Connect's error handling
// (KIP-298) in one place. It is called and does not run: stages that are actors
// wrap it. It imports connectors, codec and codec/data, and neither the actor
// library nor the Kafka client.
package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/codec/data"
)

// RawHeader is one header in bytes.
type RawHeader struct {
	Key   string
	Value []byte
}

// Raw is a record as Kafka holds it: what a source task produces, and what a
// sink task consumed. Value or Key nil is Kafka's null.
type Raw struct {
	Key, Value    []byte
	Headers       []RawHeader
	Topic         string
	Partition     int32
	Offset        int64
	Timestamp     int64
	TimestampType data.TimestampType
}

// State says what became of a record of a batch so far.
type State uint8

// The states of a record.
const (
	Live     State = iota // on its way
	Filtered              // dropped by a transform
	Skipped               // failed and tolerated
)

// Batch is what travels between two stages in one message. Whoever holds the
// batch owns its slots; handing it on hands them over.
type Batch struct {
	Records []data.Record
	// Originals are the records before any transform; nil unless somebody needs
	// them (a RecordCommitter, a reporter that prints records).
	Originals []data.Record
	States    []State // one a record
	Raw       []Raw   // one a record: made by convert (source) or by consume (sink)

	// Recycle says that Records came from the task's pool and go back there; a
	// plugin's own slice may have more behind it than the plugin gave away.
	Recycle bool

	Bytes  int64           // the credit that the batch holds
	Polled time.Time       // when it came into being
	Trace  context.Context //nolint:containedctx // carries the batch's span from stage to stage; nil when not sampled

	// Entry is the ledger's account of the batch; the pipeline does not look at it.
	Entry any

	dropped int
}

// Reset makes the batch ready for n records, all live.
func (b *Batch) Reset(n int) {
	if cap(b.States) < n {
		b.States = make([]State, n)
	}
	b.States = b.States[:n]
	clear(b.States)
	b.dropped = 0
	b.Originals, b.Trace, b.Entry = nil, nil, nil
}

// Live returns the number of records that are still on their way.
func (b *Batch) Live() int { return len(b.Records) - b.dropped }

// Drop takes record i out of the flow.
func (b *Batch) Drop(i int, s State) {
	b.States[i] = s
	b.dropped++
}

// Original returns record i as it was before any transform, or as it is when no
// originals are kept.
func (b *Batch) Original(i int) *data.Record {
	if b.Originals != nil {
		return &b.Originals[i]
	}
	return &b.Records[i]
}

// RawRoom makes room for a raw record for each record and returns it.
func (b *Batch) RawRoom() []Raw {
	n := len(b.Records)
	if cap(b.Raw) < n {
		b.Raw = make([]Raw, n)
	}
	b.Raw = b.Raw[:n]
	return b.Raw
}

// Counters are a task's totals of errors, as task-error-metrics has them.
type Counters struct {
	Failures, Errors, Skipped, Retries, Logged atomic.Int64
	DLQRequests, DLQFailures                   atomic.Int64
	LastError                                  atomic.Int64 // epoch ms
	Filtered                                   atomic.Int64
}
