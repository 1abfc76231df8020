// Package connectors is what a plugin author implements: connectors, tasks,
// transformations and predicates, with the contexts that they are given, and the
// registry in which they are found by their Java class names. It imports codec
// and what is beneath; a plugin never sees actors, the Kafka client or the
// cluster. Each method has its counterpart in Kafka Connect 4.1's API; docs/
// maps them.
package connectors

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupeio/troupe/codec/data"
)

// TaskID names one task of a connector. Its text form is Kafka's: "orders-0".
type TaskID struct {
	Connector string
	Task      int
}

// String returns "<connector>-<task>".
func (id TaskID) String() string { return fmt.Sprintf("%s-%d", id.Connector, id.Task) }

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns "<topic>-<partition>".
func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// TargetState is what somebody wants a connector to be.
type TargetState uint8

// The target states of Kafka Connect.
const (
	Started TargetState = iota
	Paused
	Stopped
)

// String returns the name that the config topic holds.
func (s TargetState) String() string { return [...]string{"STARTED", "PAUSED", "STOPPED"}[s] }

// Connector plans the work of its tasks; it moves no records itself.
//
// The worker calls its methods one at a time, on a goroutine of its own, in the
// order Start, TaskConfigs (any number of times), Stop. Each call has a deadline
// in its context; a call that ignores it is abandoned and what it returns later
// is dropped.
type Connector interface {
	// Start readies the connector with its whole, resolved configuration. cc
	// outlives the call.
	Start(ctx context.Context, cc ConnectorContext, config map[string]string) error

	// TaskConfigs splits the work into at most maxTasks configurations. None means
	// that there is nothing to do now.
	TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error)

	// Stop releases what Start took.
	Stop(ctx context.Context) error
}

// Validator is implemented by connectors that check settings against each other
// (Connector.validate). It returns the messages to add, by key.
type Validator interface {
	Validate(ctx context.Context, config map[string]string) (map[string][]string, error)
}

// PartitionOffset is one source partition with its offset; a null offset means
// that it is to be removed.
type PartitionOffset struct {
	Partition *data.MapValue
	Offset    *data.MapValue
}

// OffsetAlterer is implemented by source connectors that allow their offsets to
// be changed over REST (KIP-875). It returns true when all is done; false adds a
// note for the user that the outside system has offsets of its own.
type OffsetAlterer interface {
	AlterOffsets(ctx context.Context, config map[string]string, offsets []PartitionOffset) (bool, error)
}

// SinkOffsetAlterer is the same for sink connectors. A nil offset means removal.
type SinkOffsetAlterer interface {
	AlterSinkOffsets(ctx context.Context, config map[string]string, offsets map[TopicPartition]*int64) (bool, error)
}

// ExactlyOnceSupport is implemented by source connectors that can say whether
// they support exactly-once with a configuration (KIP-618). Not called yet.
type ExactlyOnceSupport interface {
	ExactlyOnceSupport(config map[string]string) bool
	CanDefineTransactionBoundaries(config map[string]string) bool
}

// Context is what every plugin instance is given.
type Context interface {
	// Log has the connector's or task's name attached.
	Log() *slog.Logger

	// Go runs f on a goroutine that the worker recovers, counts, and waits for
	// when the plugin stops. f must end when ctx does. An error or a panic of f
	// fails the connector or task. A goroutine that a plugin starts in any other
	// way can end the whole process by a panic.
	Go(f func(ctx context.Context) error)
}

// ConnectorContext is the counterpart of ConnectorContext and, for sources, of
// SourceConnectorContext.
type ConnectorContext interface {
	Context

	// RequestTaskReconfiguration says that TaskConfigs would now answer otherwise.
	RequestTaskReconfiguration()

	// RaiseError fails the connector.
	RaiseError(err error)

	// Offsets reads the connector's source offsets; nil for sinks.
	Offsets() OffsetReader
}

// OffsetReader finds where an earlier incarnation left off.
type OffsetReader interface {
	// Offset returns the last stored offset for a source partition, nil when
	// there is none. It reads the offset topic to its end first.
	Offset(ctx context.Context, partition *data.MapValue) (*data.MapValue, error)

	// Offsets is Offset for several partitions, in their order.
	Offsets(ctx context.Context, partitions []*data.MapValue) ([]*data.MapValue, error)
}

// SourceTask reads records from an outside system.
//
// One goroutine calls Start, then Poll until the task stops, then Stop; Stop is
// called exactly once if Start was. Poll's context ends when the task stops.
type SourceTask interface {
	Start(ctx context.Context, tc SourceTaskContext, config map[string]string) error

	// Poll blocks until it has records or ctx is done, and may return nothing at
	// all. The returned slice belongs to the worker. A [Retriable] error makes the
	// worker poll again after a pause; any other ends this incarnation.
	Poll(ctx context.Context) ([]data.Record, error)

	Stop(ctx context.Context) error
}

// SourceTaskContext is the counterpart of SourceTaskContext.
type SourceTaskContext interface {
	Context

	// Offsets reads the task's stored source offsets.
	Offsets() OffsetReader

	// Batch returns an empty slice with room for n records, a recycled one if
	// possible. Use it in Poll where many records are made; a slice of one's own
	// is as good.
	Batch(n int) []data.Record
}

// RecordMetadata says where Kafka put a record. It is nil for a record that was
// filtered or skipped.
type RecordMetadata struct {
	Topic     string
	Partition int32
	Offset    int64
}

// RecordCommitter is implemented by source tasks that want to know of each
// record that Kafka has acknowledged (SourceTask.commitRecord): in any order
// between partitions, before the offset that includes it is stored, on a
// goroutine of its own.
type RecordCommitter interface {
	CommitRecord(ctx context.Context, r *data.Record, md *RecordMetadata) error
}

// Committer is implemented by source tasks that keep a cursor in the outside
// system (SourceTask.commit): called after each storing of offsets.
type Committer interface {
	Commit(ctx context.Context) error
}

// SinkTask writes records to an outside system.
//
// One goroutine calls Start, then Open, Put, Flush or PreCommit and Close in
// turn, then Stop; Stop is always called once.
type SinkTask interface {
	Start(ctx context.Context, tc SinkTaskContext, config map[string]string) error

	// Put takes a batch, which can be empty. The slice and its records belong to
	// the worker again when Put returns; what they point at is never written. A
	// [Retriable] error makes the worker put the same batch again later; any
	// other fails the task.
	Put(ctx context.Context, records []data.Record) error

	Stop(ctx context.Context) error
}

// Flusher is implemented by sink tasks that hold records back (SinkTask.flush):
// when it returns nil, all records before the offsets are safe.
type Flusher interface {
	Flush(ctx context.Context, offsets map[TopicPartition]int64) error
}

// PreCommitter is implemented by sink tasks that decide themselves which offsets
// are safe (SinkTask.preCommit); Flush is then not called.
type PreCommitter interface {
	PreCommit(ctx context.Context, offsets map[TopicPartition]int64) (map[TopicPartition]int64, error)
}

// Opener is implemented by sink tasks that prepare for partitions as they come.
type Opener interface {
	Open(ctx context.Context, parts []TopicPartition) error
}

// Closer is implemented by sink tasks that clean up after partitions as they go.
type Closer interface {
	Close(ctx context.Context, parts []TopicPartition) error
}

// SinkTaskContext is the counterpart of SinkTaskContext. Its methods are called
// from the task's own goroutine, except ErrantRecord's result.
type SinkTaskContext interface {
	Context

	// Offset asks the worker to read on from the given offsets (a rewind).
	Offset(offsets map[TopicPartition]int64)
	// Timeout sets how long the worker waits before it puts a batch again.
	Timeout(d time.Duration)
	// Assignment returns the partitions that are open.
	Assignment() []TopicPartition
	// Pause and Resume stop and restart the reading of assigned partitions.
	Pause(parts ...TopicPartition) error
	Resume(parts ...TopicPartition) error
	// RequestCommit asks for a commit soon.
	RequestCommit()
	// ErrantRecords returns the reporter of records that the task cannot take
	// (KIP-610), nil when neither a dead letter queue nor logging is configured.
	ErrantRecords() ErrantRecordReporter
}

// ErrantRecordReporter takes a record that a sink task could not write
// (KIP-610). With errors.tolerance=none it returns the error that the task must
// fail with.
type ErrantRecordReporter interface {
	Report(ctx context.Context, r *data.Record, cause error) error
}

// Transformation is a single message transform (SMT). It belongs to one stage of
// one task and is called by one goroutine at a time.
type Transformation interface {
	// Apply changes the record's slot in place, by replacing what its fields
	// refer to and never by writing to it; false drops the record. After an error
	// the slot's contents mean nothing.
	Apply(r *data.Record) (keep bool, err error)
}

// Logging is a [Transformation] that writes to the log.
type Logging interface {
	// SetLog gives it the task's logger, which names connector, task and transform,
	// before the first record.
	SetLog(log *slog.Logger)
}

// Predicate decides whether a transformation applies to a record.
type Predicate interface {
	Test(r *data.Record) (bool, error)
}
