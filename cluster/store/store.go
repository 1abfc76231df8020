// Package store keeps a cluster's state where Kafka Connect keeps it: the config,
// offset and status records in compacted Kafka topics, key for key and value for
// value; and, for standalone mode, the same in memory and in a file. It imports
// connectors, codec and franz-go.
//
// Shape. [Logs] is one Kafka client that tails several topics; [ConfigStore],
// [OffsetStore] and [StatusStore] each give meaning to one of them. What is read
// becomes an immutable snapshot or a table behind a mutex, so that reading never
// waits for Kafka unless it asks to (Refresh, Get).
//
// Concurrency. Every method of the stores may be called from any goroutine.
// Callbacks come on the goroutine that reads the topics (in the memory stores: on
// the writer's), one at a time; they must not block and must not write to the
// store.
package store

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Configs is the store of connector configurations, task configurations and
// target states. Writes return once the record is durable and has been read back,
// so that [Configs.Snapshot] shows it; they give up after [Options.WriteTimeout].
type Configs interface {
	// Snapshot returns the newest state that was read. It never blocks.
	Snapshot() *Snapshot
	// Refresh reads the topic to its end as of now.
	Refresh(ctx context.Context) error

	// PutConnector creates or updates a connector. initial, if not nil, is written
	// before it as its target state.
	PutConnector(ctx context.Context, name string, config map[string]string, initial *connectors.TargetState) error
	// RemoveConnector deletes a connector and its target state.
	RemoveConnector(ctx context.Context, name string) error
	// PutTaskConfigs replaces a connector's tasks, all of them at once.
	PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error
	// PutTargetState sets what the connector is to be.
	PutTargetState(ctx context.Context, name string, state connectors.TargetState) error
	// Stop takes the connector's tasks away and then sets its target state to
	// STOPPED.
	Stop(ctx context.Context, name string) error
	// PutRestartRequest tells every worker to restart its part (KIP-745).
	PutRestartRequest(ctx context.Context, r RestartRequest) error
	// PutLoggerLevel tells every worker to change a log level (KIP-976).
	PutLoggerLevel(ctx context.Context, namespace, level string) error
	// PutSessionKey publishes the key that signs requests between workers (KIP-507).
	PutSessionKey(ctx context.Context, k SessionKey) error
	// PutTaskCount writes the record that ends a round of zombie fencing (KIP-618).
	PutTaskCount(ctx context.Context, name string, tasks int) error
}

// Listener hears what is new in a [Configs] once it has caught up with the topic.
// The snapshot has the change already. See the package comment on how its methods
// are called.
type Listener interface {
	ConnectorUpdated(name string)
	ConnectorRemoved(name string)
	// TasksUpdated comes with every commit of task configurations, also one that
	// changes nothing.
	TasksUpdated(name string)
	TargetStateChanged(name string, state connectors.TargetState)
	RestartRequested(r RestartRequest)
	LoggerLevelSet(namespace, level string)
	SessionKeyChanged(k SessionKey)
}

// Offsets is the store of source offsets. A partition and an offset are maps of
// strings to primitive values; anything else is a [*data.Error] with Kafka
// Connect's message. A null partition is allowed and is one partition.
type Offsets interface {
	// Get returns the stored offset for each partition, nil where there is none,
	// after a read to the end.
	Get(ctx context.Context, connector string, partitions []*data.MapValue) ([]*data.MapValue, error)
	// Put stores offsets, in order, and returns once they are durable. A nil offset
	// removes. headers go with each record; other writers' readers ignore them.
	Put(ctx context.Context, connector string, offsets []connectors.PartitionOffset, headers ...kgo.RecordHeader) error
	// All returns every partition of a connector that has an offset, after a read
	// to the end, ordered by key.
	All(ctx context.Context, connector string) ([]connectors.PartitionOffset, error)
	// Refresh reads the topic to its end as of now.
	Refresh(ctx context.Context) error
}

// Statuses is the store of what connectors and tasks are doing and which topics
// they have used. Put methods never block: the record is written in the
// background, the newest of a key wins, and what was put here is what is read here
// at once. A state of [Destroyed] removes.
type Statuses interface {
	PutConnector(name string, s Status)
	// PutConnectorSafe puts s unless the last status that was read came from another
	// worker with a higher generation.
	PutConnectorSafe(name string, s Status)
	PutTask(id connectors.TaskID, s Status)
	// PutTaskSafe is to PutTask what PutConnectorSafe is to PutConnector.
	PutTaskSafe(id connectors.TaskID, s Status)
	PutTopic(t TopicUse)
	RemoveTopic(connector, topic string)

	Connector(name string) (Status, bool)
	Task(id connectors.TaskID) (Status, bool)
	// Tasks returns the statuses of a connector's tasks, by number.
	Tasks(connector string) []TaskStatus
	// Connectors returns the names that have a connector or task status, sorted.
	Connectors() []string
	// Topics returns the topics that a connector has used, sorted by name.
	Topics(connector string) []TopicUse
	Topic(connector, topic string) (TopicUse, bool)

	// Flush waits until everything put before is durable.
	Flush(ctx context.Context) error
	// Refresh reads the topic to its end as of now.
	Refresh(ctx context.Context) error
}

// ConnectorOffsets is one connector's part of an [Offsets]; it implements
// [connectors.OffsetReader].
type ConnectorOffsets struct {
	Store     Offsets
	Connector string
}

// Offset implements [connectors.OffsetReader].
func (o ConnectorOffsets) Offset(ctx context.Context, partition *data.MapValue) (*data.MapValue, error) {
	got, err := o.Store.Get(ctx, o.Connector, []*data.MapValue{partition})
	if err != nil {
		return nil, err
	}
	return got[0], nil
}

// Offsets implements [connectors.OffsetReader].
func (o ConnectorOffsets) Offsets(ctx context.Context, partitions []*data.MapValue) ([]*data.MapValue, error) {
	return o.Store.Get(ctx, o.Connector, partitions)
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
