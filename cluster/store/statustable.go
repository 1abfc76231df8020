package store

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// statusTable holds what was read of a status topic and, over it, what was put
// here and has not been read back yet. It is the readable half of the status
// stores, and all of the one in memory.
type statusTable struct {
	log *slog.Logger

	mu      sync.Mutex
	byOwner map[string]map[statusKey]*statusEntry // by connector
	ended   []endedStatus                         // removed not long ago, oldest first
}

// endedStatus is a status that was removed, of which the epoch is kept for a while: a
// late record must not bring it back.
type endedStatus struct {
	key statusKey
	at  time.Time
}

// lateFor is how long the epoch of a removed status is kept: longer than a record may be
// on its way.
const lateFor = 2 * statusTimeout

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
	if e := m[k]; e != nil && !e.has && !e.read.there && e.read.status.Epoch == nil {
		if delete(m, k); len(m) == 0 {
			delete(t.byOwner, k.connector)
		}
	}
}

// apply takes one record of the topic in. A record that makes no sense is logged
// and ignored, and ok is false. late reports one of an earlier stay than what has been read, which is
// ignored too.
func (t *statusTable) apply(key string, value []byte, offset int64, epoch *int64) (k statusKey, ok, late bool) {
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
	if k.kind != topicStatus {
		v.status.Epoch = epoch
	}
	if errors.Is(err, errUnknownKey) {
		t.log.Warn("Ignoring a record of the status topic with an unknown key", "key", key, "offset", offset)
		return k, false, false
	} else if err != nil {
		t.log.Warn("Ignoring a record of the status topic that cannot be read", "key", key, "offset", offset, "error", err)
		return k, false, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry(k)
	switch {
	case stale(e.read, v):
		late = true
	case k.kind == taskStatus && farewell(e.read, v):
	default:
		e.read = v
		if !v.there && epoch != nil {
			t.ended = append(t.ended, endedStatus{k, time.Now()})
		}
	}
	t.tidy(k)
	t.forget()
	return k, true, late
}

// forget lets go of removed statuses of which no late record can come any more. The
// caller holds mu.
func (t *statusTable) forget() {
	for len(t.ended) > 0 && time.Since(t.ended[0].at) > lateFor {
		k := t.ended[0].key
		if e := t.byOwner[k.connector][k]; e != nil && !e.read.there {
			e.read = statusValue{}
			t.tidy(k)
		}
		t.ended = t.ended[1:]
	}
}

// stale reports whether next is of an earlier stay than cur. What has no epoch is
// Kafka Connect's, and is taken as it comes.
func stale(cur, next statusValue) bool {
	c, n := cur.status.Epoch, next.status.Epoch
	return c != nil && n != nil && *n < *c
}

// trust forgets epochs beyond the last one that the assignment log knows: they are of a
// log that is no more, and must not hide what comes.
func (t *statusTable) trust(last int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.byOwner {
		for k, e := range m {
			if e.read.status.Epoch != nil && *e.read.status.Epoch > last {
				e.read.status.Epoch = nil
				t.tidy(k)
			}
		}
	}
}

// farewell reports whether next is an UNASSIGNED that comes after the task was already
// started elsewhere: the old owner's farewell must not hide the new owner's
// status. Kafka Connect says so of any RUNNING with the same generation; that
// would also hide what the same worker says of its own task, so here it is not.
func farewell(cur, next statusValue) bool {
	if cur.status.Epoch != nil && next.status.Epoch != nil {
		return false // the epochs decide
	}
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
	if e.read.status.Epoch != nil && s.Epoch != nil {
		return *s.Epoch >= *e.read.status.Epoch
	}
	return !e.read.there || e.read.status.WorkerID == s.WorkerID || e.read.status.Generation <= s.Generation
}

// isStale reports whether a later stay than v's is known: whoever writes it does so for a
// stay that is over.
func (t *statusTable) isStale(k statusKey, v statusValue) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byOwner[k.connector][k]
	return e != nil && stale(e.read, v)
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
