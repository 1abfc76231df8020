package telemetry

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/connectors"
)

// The states of connectors and tasks as Kafka Connect's metrics write them.
const (
	running    = "running"
	paused     = "paused"
	stopped    = "stopped"
	failed     = "failed"
	unassigned = "unassigned"
	restarting = "restarting"
)

// States is a worker's listener that remembers, for the metrics, what state each
// connector and task of this node is in and how long it was there, and passes all
// on to the next listener. It is safe for concurrent use.
type States struct {
	next worker.Listener
	*states
}

// states is what the views of all epochs share.
type states struct {
	mu    sync.Mutex
	tasks map[connectors.TaskID]*clock
	conns map[string]string

	taskStarts, connectorStarts atomic.Int64 // that succeeded
}

// clock keeps the times of one task.
type clock struct {
	state           string
	born, since     time.Time
	running, paused time.Duration // without the present state's
	up              bool          // it has run since it was last started
}

var _ worker.EpochListener = (*States)(nil)

// NewStates returns a listener in front of next.
func NewStates(next worker.Listener) *States {
	return &States{next: next, states: &states{tasks: make(map[connectors.TaskID]*clock), conns: make(map[string]string)}}
}

// At implements [worker.EpochListener]: epochs make no difference here, but they may
// to the next listener.
func (s *States) At(epoch int64) worker.Listener {
	if next, ok := s.next.(worker.EpochListener); ok {
		return &States{next: next.At(epoch), states: s.states}
	}
	return s
}

// Task returns a task's state, in lower case: unassigned until it is heard of.
func (s *States) Task(id connectors.TaskID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.tasks[id]; ok {
		return c.state
	}
	return unassigned
}

// Connector returns a connector's state, in lower case.
func (s *States) Connector(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.conns[name]; ok {
		return st
	}
	return unassigned
}

// times returns how long a task has been running and paused, and when it was first
// heard of; ok is false when it never was.
func (s *States) times(id connectors.TaskID, now time.Time) (run, pause time.Duration, born time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.tasks[id]
	if !ok {
		return 0, 0, time.Time{}, false
	}
	c.spend(now)
	return c.running, c.paused, c.born, true
}

// spend books the time until now to the present state.
func (c *clock) spend(now time.Time) {
	d := now.Sub(c.since)
	c.since = now
	switch c.state {
	case running:
		c.running += d
	case paused:
		c.paused += d
	}
}

func (s *States) setTask(id connectors.TaskID, state string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.tasks[id]
	if !ok {
		c = &clock{born: now, since: now}
		s.tasks[id] = c
	}
	c.spend(now)
	c.state = state
	switch state {
	case running:
		if !c.up {
			c.up = true
			s.taskStarts.Add(1)
		}
	case failed, restarting:
		c.up = false
	}
}

func (s *States) setConnector(name, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[name] = state
}

// TaskRunning implements [worker.Listener].
func (s *States) TaskRunning(id connectors.TaskID) {
	s.setTask(id, running)
	s.next.TaskRunning(id)
}

// TaskPaused implements [worker.Listener].
func (s *States) TaskPaused(id connectors.TaskID) {
	s.setTask(id, paused)
	s.next.TaskPaused(id)
}

// TaskFailed implements [worker.Listener].
func (s *States) TaskFailed(id connectors.TaskID, trace string) {
	s.setTask(id, failed)
	s.next.TaskFailed(id, trace)
}

// TaskRestarting implements [worker.Listener].
func (s *States) TaskRestarting(id connectors.TaskID, trace string) {
	s.setTask(id, restarting)
	s.next.TaskRestarting(id, trace)
}

// TaskUnassigned implements [worker.Listener]. The task has left this node.
func (s *States) TaskUnassigned(id connectors.TaskID) {
	s.mu.Lock()
	delete(s.tasks, id)
	s.mu.Unlock()
	s.next.TaskUnassigned(id)
}

// TopicUsed implements [worker.Listener].
func (s *States) TopicUsed(id connectors.TaskID, topic string) { s.next.TopicUsed(id, topic) }

// ConnectorRunning implements [worker.Listener]. A worker says it once for each
// start that succeeded.
func (s *States) ConnectorRunning(name string) {
	s.connectorStarts.Add(1)
	s.setConnector(name, running)
	s.next.ConnectorRunning(name)
}

// ConnectorPaused implements [worker.Listener].
func (s *States) ConnectorPaused(name string) {
	s.setConnector(name, paused)
	s.next.ConnectorPaused(name)
}

// ConnectorStopped implements [worker.Listener].
func (s *States) ConnectorStopped(name string) {
	s.setConnector(name, stopped)
	s.next.ConnectorStopped(name)
}

// ConnectorFailed implements [worker.Listener].
func (s *States) ConnectorFailed(name, trace string) {
	s.setConnector(name, failed)
	s.next.ConnectorFailed(name, trace)
}

// ConnectorRestarting implements [worker.Listener].
func (s *States) ConnectorRestarting(name, trace string) {
	s.setConnector(name, restarting)
	s.next.ConnectorRestarting(name, trace)
}

// ConnectorUnassigned implements [worker.Listener]. The connector has left this
// node.
func (s *States) ConnectorUnassigned(name string) {
	s.mu.Lock()
	delete(s.conns, name)
	s.mu.Unlock()
	s.next.ConnectorUnassigned(name)
}

// TaskConfigs implements [worker.Listener].
func (s *States) TaskConfigs(name string, applied map[string]string, configs []map[string]string) {
	s.next.TaskConfigs(name, applied, configs)
}
