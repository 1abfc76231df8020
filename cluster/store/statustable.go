package store

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/troupeio/troupe/connectors"
)

// statusTable holds what was read of a status topic and, over it, what was put
// here and has not been read back yet. It is the readable half of the status
// stores, and all of the one in memory.
type statusTable struct {
	log *slog.Logger

	mu      sync.Mutex
	byOwner map[string]map[statusKey]*statusEntry // by connector
}

type statusEntry struct {
	read statusValue // from the topic
	over statusValue // put here; shows until it was read back
	has  bool        // over is set
}

// statusValue is a status or a topic use; there says whether there is one at all.
type statusValue struct {
	there  bool
	status Status
	use    TopicUse
}

func (e *statusEntry) now() statusValue {
	if e.has {
		return e.over
	}
	return e.read
}

func newStatusTable(log *slog.Logger) *statusTable {
	return &statusTable{log: log, byOwner: make(map[string]map[statusKey]*statusEntry)}
}

// entry returns the entry for k, made if need be. The caller holds mu and calls
// tidy when done.
func (t *statusTable) entry(k statusKey) *statusEntry {
	m := t.byOwner[k.connector]
	if m == nil {
		m = make(map[statusKey]*statusEntry)
		t.byOwner[k.connector] = m
	}
	e := m[k]
	if e == nil {
		e = new(statusEntry)
		m[k] = e
	}
	return e
}

// tidy drops an entry that holds nothing.
func (t *statusTable) tidy(k statusKey) {
	m := t.byOwner[k.connector]
	if e := m[k]; e != nil && !e.has && !e.read.there {
		if delete(m, k); len(m) == 0 {
			delete(t.byOwner, k.connector)
		}
	}
}

// apply takes one record of the topic in. A record that makes no sense is logged
// and ignored.
func (t *statusTable) apply(key string, value []byte, offset int64) (statusKey, bool) {
	k, err := parseStatusKey(key)
	var v statusValue
	if err == nil && value != nil {
		v.there = true
		if k.kind == topicStatus {
			v.use, err = parseTopicUse(value)
			// The key decides what the record is about.
			v.use.Topic, v.use.Connector = k.topic, k.connector
		} else {
			v.status, err = parseStatus(value)
			v.there = v.status.State != Destroyed
		}
	}
	if errors.Is(err, errUnknownKey) {
		t.log.Warn("Ignoring a record of the status topic with an unknown key", "key", key, "offset", offset)
		return k, false
	} else if err != nil {
		t.log.Warn("Ignoring a record of the status topic that cannot be read", "key", key, "offset", offset, "error", err)
		return k, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry(k)
	if k.kind != taskStatus || !late(e.read, v) {
		e.read = v
	}
	t.tidy(k)
	return k, true
}

// late reports whether next is an UNASSIGNED that comes after the task was already
// started elsewhere: the old owner's farewell must not hide the new owner's
// status. Kafka Connect says so of any RUNNING with the same generation; that
// would also hide what the same worker says of its own task, so here it is not.
func late(cur, next statusValue) bool {
	if !cur.there || !next.there || next.status.State != statusUnassigned || cur.status.State != statusRunning {
		return false
	}
	c, n := cur.status, next.status
	return c.Generation > n.Generation || c.Generation == n.Generation && c.WorkerID != n.WorkerID
}

// mayPut reports whether a safe put of s is not to be suppressed.
func (t *statusTable) mayPut(k statusKey, s Status) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byOwner[k.connector][k]
	if e == nil {
		return true
	}
	return !e.read.there || e.read.status.WorkerID == s.WorkerID || e.read.status.Generation <= s.Generation
}

// put shows v over what was read.
func (t *statusTable) put(k statusKey, v statusValue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry(k)
	e.over, e.has = v, true
}

// settle ends what put began: from now on what was read counts.
func (t *statusTable) settle(k statusKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byOwner[k.connector][k]; e != nil {
		e.over, e.has = statusValue{}, false
	}
	t.tidy(k)
}

func (t *statusTable) get(k statusKey) (statusValue, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byOwner[k.connector][k]; e != nil {
		v := e.now()
		return v, v.there
	}
	return statusValue{}, false
}

// Connector implements [Statuses].
func (t *statusTable) Connector(name string) (Status, bool) {
	v, ok := t.get(connectorKey(name))
	return v.status, ok
}

// Task implements [Statuses].
func (t *statusTable) Task(id connectors.TaskID) (Status, bool) {
	v, ok := t.get(taskKey(id))
	return v.status, ok
}

// Topic implements [Statuses].
func (t *statusTable) Topic(connector, topic string) (TopicUse, bool) {
	v, ok := t.get(topicKey(connector, topic))
	return v.use, ok
}

// Tasks implements [Statuses].
func (t *statusTable) Tasks(connector string) []TaskStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []TaskStatus
	for k, e := range t.byOwner[connector] {
		if v := e.now(); k.kind == taskStatus && v.there {
			out = append(out, TaskStatus{k.task, v.status})
		}
	}
	slices.SortFunc(out, func(a, b TaskStatus) int { return cmp.Compare(a.Task, b.Task) })
	return out
}

// Topics implements [Statuses].
func (t *statusTable) Topics(connector string) []TopicUse {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []TopicUse
	for k, e := range t.byOwner[connector] {
		if v := e.now(); k.kind == topicStatus && v.there {
			out = append(out, v.use)
		}
	}
	slices.SortFunc(out, func(a, b TopicUse) int { return strings.Compare(a.Topic, b.Topic) })
	return out
}

// Connectors implements [Statuses].
func (t *statusTable) Connectors() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for name, m := range t.byOwner {
		for k, e := range m {
			if k.kind != topicStatus && e.now().there {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}
