package store

import (
	"fmt"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Destroyed is the state that removes a status: it is written as a tombstone.
const Destroyed = "DESTROYED"

const (
	statusUnassigned = "UNASSIGNED"
	statusRunning    = "RUNNING"
)

// Status is the state of a connector instance or a task, as its worker put it.
type Status struct {
	State      string // UNASSIGNED, RUNNING, PAUSED, STOPPED, FAILED, RESTARTING or Destroyed
	Trace      string // of a failure; "" is written as null
	WorkerID   string
	Generation int     // of the group, as the writer knew it
	Version    *string // of the plugin; nil when unknown
	// Epoch is the stay that the status is of; nil without one, as Kafka Connect's are.
	// It travels in a header of the record.
	Epoch *int64
}

// TaskStatus is the status of one task of a connector.
type TaskStatus struct {
	Task   int
	Status Status
}

// TopicUse says that a connector has used a topic (KIP-558).
type TopicUse struct {
	Topic, Connector string
	Task             int
	Discovered       int64 // ms since the epoch
}

// Prefixes of the keys in the status topic.
const (
	connectorStatusPrefix = "status-connector-"
	taskStatusPrefix      = "status-task-"
	topicStatusPrefix     = "status-topic-"
	topicConnectorInfix   = ":connector-" // no topic has a colon
)

// statusKey names one record of the status topic. Exactly one of its kinds is set:
// a task (connector and task), a topic (connector and topic) or a connector.
type statusKey struct {
	kind      statusKind
	connector string
	task      int
	topic     string
}

type statusKind uint8

const (
	connectorStatus statusKind = iota
	taskStatus
	topicStatus
)

func connectorKey(name string) statusKey { return statusKey{kind: connectorStatus, connector: name} }
func taskKey(id connectors.TaskID) statusKey {
	return statusKey{kind: taskStatus, connector: id.Connector, task: id.Task}
}
func topicKey(connector, topic string) statusKey {
	return statusKey{kind: topicStatus, connector: connector, topic: topic}
}

// String returns the record's key.
func (k statusKey) String() string {
	switch k.kind {
	case taskStatus:
		return fmt.Sprintf("%s%s-%d", taskStatusPrefix, k.connector, k.task)
	case topicStatus:
		return topicStatusPrefix + k.topic + topicConnectorInfix + k.connector
	}
	return connectorStatusPrefix + k.connector
}

func parseStatusKey(key string) (statusKey, error) {
	if name, ok := strings.CutPrefix(key, connectorStatusPrefix); ok {
		return connectorKey(name), nil
	}
	if task, ok := strings.CutPrefix(key, taskStatusPrefix); ok {
		id, err := parseTaskKey(task)
		return taskKey(id), err
	}
	if rest, ok := strings.CutPrefix(key, topicStatusPrefix); ok {
		topic, connector, ok := strings.Cut(rest, topicConnectorInfix)
		if !ok || topic == "" || connector == "" {
			return statusKey{}, fmt.Errorf("%q names no topic and connector", rest)
		}
		return topicKey(connector, topic), nil
	}
	return statusKey{}, errUnknownKey
}

// value returns the record's value; nil, a tombstone, for Destroyed.
func (s Status) value() []byte {
	if s.State == Destroyed {
		return nil
	}
	b := appendJSONString([]byte(`{"state":`), s.State)
	b = append(b, `,"trace":`...)
	if s.Trace == "" {
		b = append(b, "null"...)
	} else {
		b = appendJSONString(b, s.Trace)
	}
	b = appendJSONString(append(b, `,"worker_id":`...), s.WorkerID)
	b = fmt.Appendf(b, `,"generation":%d,"version":`, s.Generation)
	if s.Version == nil {
		b = append(b, "null"...)
	} else {
		b = appendJSONString(b, *s.Version)
	}
	return append(b, '}')
}

// optionalText is a member that may be missing or null.
func optionalText(m *data.MapValue, key string) (*string, error) {
	v, _ := m.Get(key)
	if v.IsNull() {
		return nil, nil
	}
	s, err := textMember(m, key)
	return &s, err
}

func parseStatus(value []byte) (s Status, err error) {
	m, err := object(value)
	if err != nil {
		return s, err
	}
	if s.State, err = textMember(m, "state"); err != nil {
		return s, err
	}
	switch s.State {
	case statusUnassigned, statusRunning, "PAUSED", "STOPPED", "FAILED", "RESTARTING", Destroyed:
	default:
		return s, fmt.Errorf("there is no state %q", s.State)
	}
	trace, err := optionalText(m, "trace")
	if err != nil {
		return s, err
	}
	if trace != nil {
		s.Trace = *trace
	}
	if s.WorkerID, err = textMember(m, "worker_id"); err != nil {
		return s, err
	}
	n, err := intMember(m, "generation")
	if err != nil {
		return s, err
	}
	s.Generation = int(n)
	s.Version, err = optionalText(m, "version")
	return s, err
}

func (t TopicUse) value() []byte {
	b := appendJSONString([]byte(`{"topic":{"name":`), t.Topic)
	b = appendJSONString(append(b, `,"connector":`...), t.Connector)
	return fmt.Appendf(b, `,"task":%d,"discoverTimestamp":%d}}`, t.Task, t.Discovered)
}

func parseTopicUse(value []byte) (t TopicUse, err error) {
	m, err := object(value)
	if err != nil {
		return t, err
	}
	inner, _ := m.Get("topic")
	if inner.Kind() != data.KindMap {
		return t, fmt.Errorf(`"topic" should be an object and is %s`, inner.Kind().JavaClass())
	}
	m = inner.Map()
	if t.Topic, err = textMember(m, "name"); err != nil {
		return t, err
	}
	if t.Connector, err = textMember(m, "connector"); err != nil {
		return t, err
	}
	if t.Task, err = countMember(m, "task"); err != nil {
		return t, err
	}
	t.Discovered, err = intMember(m, "discoverTimestamp")
	return t, err
}
