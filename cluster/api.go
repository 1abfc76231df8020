// Package cluster holds the herder, the one writer of a cluster's state: it
// decides what runs, keeps it in the internal topics, and answers what REST may
// ask. It imports what is beneath it, and neither HTTP nor record data.
package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// ConnectorInfo is what GET /connectors/{name} tells. Config is as it was given:
// references to config providers are not resolved.
type ConnectorInfo struct {
	Name   string
	Config map[string]string
	Tasks  []connectors.TaskID
	Type   string // source, sink or unknown
}

// InstanceStatus is the state of a connector instance or a task.
type InstanceStatus struct {
	State    string // RUNNING, PAUSED, STOPPED, FAILED, RESTARTING, UNASSIGNED
	WorkerID string
	Version  *string // of the plugin; nil when unknown
	Trace    string
}

// TaskStatus is the state of one task.
type TaskStatus struct {
	ID int
	InstanceStatus
}

// ConnectorStatus is what GET /connectors/{name}/status tells; tasks are sorted.
type ConnectorStatus struct {
	Name      string
	Connector InstanceStatus
	Tasks     []TaskStatus
	Type      string
}

// TaskInfo is a task with its configuration, raw.
type TaskInfo struct {
	ID     connectors.TaskID
	Config map[string]string
}

// Offset is one partition of a connector with its offset: source partitions as the
// plugin made them, sink partitions as {"kafka_topic","kafka_partition"} and
// {"kafka_offset"}. A null offset asks for removal.
type Offset struct{ Partition, Offset data.Value }

// Health is what GET /health tells.
type Health struct {
	Status  string // healthy, starting, unhealthy
	Message string
}

// ServerInfo is what GET / tells.
type ServerInfo struct {
	Version        string
	Commit         string
	KafkaClusterID string
}

// Error is an error with the HTTP status that Kafka Connect answers it with, in
// Kafka's words.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an [Error].
func Errorf(status int, format string, args ...any) error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// StatusOf returns the HTTP status for an error: its own, or 500.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 500
}

// RestartRequest is POST /connectors/{name}/restart with its flags (KIP-745).
type RestartRequest struct {
	Connector                string
	IncludeTasks, OnlyFailed bool
}

// API is what REST may ask of a herder. Methods may be called from any goroutine;
// each answers within its context, and its errors are made by [Errorf] where Kafka
// Connect has a status of its own for them. Reads answer from the node's view.
type API interface {
	Server(ctx context.Context) (ServerInfo, error)
	Health(ctx context.Context) Health

	Connectors(ctx context.Context) ([]string, error)
	Connector(ctx context.Context, name string) (ConnectorInfo, error)
	// PutConnector creates or updates. With replace false an existing connector is
	// the 409 of POST. initial nil keeps or begins STARTED. The configuration has
	// been validated by the caller (see Validate); created is false for an update.
	PutConnector(ctx context.Context, name string, config map[string]string, initial *connectors.TargetState, replace bool) (info ConnectorInfo, created bool, err error)
	// PatchConnector changes some settings; a nil value removes one. It validates
	// the result.
	PatchConnector(ctx context.Context, name string, patch map[string]*string) (ConnectorInfo, error)
	DeleteConnector(ctx context.Context, name string) error

	Status(ctx context.Context, name string) (ConnectorStatus, error)
	Tasks(ctx context.Context, name string) ([]TaskInfo, error)
	TaskStatus(ctx context.Context, id connectors.TaskID) (TaskStatus, error)

	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	StopConnector(ctx context.Context, name string) error
	// RestartConnector starts the instance alone and returns when it has started.
	RestartConnector(ctx context.Context, name string) error
	// RestartConnectorAndTasks answers with the plan, as a status.
	RestartConnectorAndTasks(ctx context.Context, r RestartRequest) (ConnectorStatus, error)
	RestartTask(ctx context.Context, id connectors.TaskID) error

	Topics(ctx context.Context, name string) ([]string, error)
	ResetTopics(ctx context.Context, name string) error

	Offsets(ctx context.Context, name string) ([]Offset, error)
	// AlterOffsets and ResetOffsets return the message for the user.
	AlterOffsets(ctx context.Context, name string, offsets []Offset) (string, error)
	ResetOffsets(ctx context.Context, name string) (string, error)

	// SetClusterLogLevel passes a level on to all nodes (KIP-976).
	SetClusterLogLevel(ctx context.Context, namespace, level string) error
}
