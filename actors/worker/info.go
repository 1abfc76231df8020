package worker

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/connectors"
)

// Totals count starts on this node, as connect-worker-metrics has them.
type Totals struct {
	ConnectorStarts, ConnectorStartFailures atomic.Int64
	TaskStarts, TaskStartFailures           atomic.Int64
}

// TaskInfo is what metrics and statuses tell of a task that runs here.
type TaskInfo struct {
	ID      connectors.TaskID
	Kind    connectors.Kind
	Metrics *task.Metrics
	Config  map[string]string // the connector's, raw

	Class, Version string // of the connector
	TaskClass      string
	Created        time.Time // when its actor was made; zero: not noted
	// Classes of converters, transforms and predicates with their versions, filled
	// when the task is built.
	Parts atomic.Pointer[PartNames]
}

// PartNames are the plugins that a task is built from.
type PartNames struct {
	Key, Value, Header     PluginName
	Transforms, Predicates map[string]PluginName // by alias
}

// PluginName is a class and its version.
type PluginName struct{ Class, Version string }

// ConnectorInfo is what metrics tell of a connector that runs here.
type ConnectorInfo struct {
	Name  string
	Kind  atomic.Value // connectors.Kind
	Class atomic.Value // string
	Ver   atomic.Value // string

	Restarts atomic.Int64
}

// Tasks returns what runs here, sorted. It is safe to call from any goroutine.
func (w *Worker) Tasks() []*TaskInfo {
	var out []*TaskInfo
	w.metrics.Range(func(_, v any) bool {
		out = append(out, v.(*TaskInfo))
		return true
	})
	slices.SortFunc(out, func(a, b *TaskInfo) int {
		return cmp.Or(cmp.Compare(a.ID.Connector, b.ID.Connector), cmp.Compare(a.ID.Task, b.ID.Task))
	})
	return out
}

// Connectors returns the connector instances that run here, sorted. It is safe to
// call from any goroutine.
func (w *Worker) Connectors() []*ConnectorInfo {
	var out []*ConnectorInfo
	w.conns.Range(func(_, v any) bool {
		out = append(out, v.(*ConnectorInfo))
		return true
	})
	slices.SortFunc(out, func(a, b *ConnectorInfo) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
