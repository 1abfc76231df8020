package store

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// configState turns records of a config topic into a state, in the order of the
// topic. It belongs to one goroutine; what it publishes is immutable.
type configState struct {
	log     *slog.Logger
	offset  int64
	at      time.Time // of the record that is applied; set by whoever applies it
	key     *SessionKey
	entries map[string]*entry
	// deferred holds the task configurations that wait for their commit. An entry
	// stays once it was made: that there has been one makes a later commit count as
	// a new generation.
	deferred map[string]map[int]map[string]string
	changed  bool
	events   []func(Listener)
	live     bool // caught up: events are wanted
}

func newConfigState(log *slog.Logger) *configState {
	return &configState{log: log, offset: -1, entries: make(map[string]*entry), deferred: make(map[string]map[int]map[string]string)}
}

func (c *configState) event(f func(Listener)) {
	if c.live {
		c.events = append(c.events, f)
	}
}

// change replaces a connector's entry by a changed copy.
func (c *configState) change(name string, f func(*entry)) {
	e := newEntry()
	if old := c.entries[name]; old != nil {
		e = *old
	}
	f(&e)
	c.entries[name] = &e
	c.changed = true
}

func (c *configState) configured(name string) bool {
	e := c.entries[name]
	return e != nil && e.config != nil
}

// snapshot publishes what was applied since old.
func (c *configState) snapshot(old *Snapshot) *Snapshot {
	if !c.changed && old != nil {
		return &Snapshot{offset: c.offset, key: c.key, entries: old.entries}
	}
	c.changed = false
	return snapshotOf(c.offset, c.key, c.entries)
}

// takeEvents returns what is to be told, in order.
func (c *configState) takeEvents() []func(Listener) {
	ev := c.events
	c.events = nil
	return ev
}

var errUnknownKey = errors.New("unknown key")

// apply takes one record in. A record that makes no sense is logged and ignored.
func (c *configState) apply(key string, value []byte, offset int64) {
	c.offset = offset + 1
	if err := c.applyRecord(key, value, offset); errors.Is(err, errUnknownKey) {
		c.log.Error("Ignoring a record of the config topic with an unknown key", "key", key, "offset", offset)
	} else if err != nil && value != nil { // a tombstone where there is nothing to remove says nothing
		c.log.Error("Ignoring a record of the config topic that cannot be read", "key", key, "offset", offset, "error", err)
	}
}

func (c *configState) applyRecord(key string, value []byte, offset int64) error {
	if name, ok := strings.CutPrefix(key, targetStatePrefix); ok {
		return c.applyTargetState(name, value, offset)
	}
	if name, ok := strings.CutPrefix(key, connectorPrefix); ok {
		return c.applyConnector(name, value, offset)
	}
	if task, ok := strings.CutPrefix(key, taskPrefix); ok {
		id, err := parseTaskKey(task)
		if err != nil {
			return err
		}
		config, err := propertiesMember(value)
		if err != nil {
			return err
		}
		if c.deferred[id.Connector] == nil {
			c.deferred[id.Connector] = make(map[int]map[string]string)
		}
		c.deferred[id.Connector][id.Task] = config
		return nil
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		return c.applyCommit(name, value, offset)
	}
	if name, ok := strings.CutPrefix(key, restartPrefix); ok {
		if !c.live {
			return nil
		}
		m, err := object(value)
		if err != nil {
			return err
		}
		r := RestartRequest{name, boolMember(m, "include-tasks"), boolMember(m, "only-failed")}
		c.event(func(l Listener) { l.RestartRequested(r) })
		return nil
	}
	if name, ok := strings.CutPrefix(key, fencingPrefix); ok {
		m, err := object(value)
		if err != nil {
			return err
		}
		n, err := countMember(m, "task-count")
		if err == nil {
			c.change(name, func(e *entry) { e.fenced, e.pending = n, false })
		}
		return err
	}
	if key == sessionKeyKey {
		k, err := parseSessionKey(value)
		if err == nil {
			c.key = &k
			c.event(func(l Listener) { l.SessionKeyChanged(k) })
		}
		return err
	}
	if namespace, ok := strings.CutPrefix(key, loggerPrefix); ok {
		if !c.live {
			return nil
		}
		m, err := object(value)
		if err != nil {
			return err
		}
		level, err := textMember(m, "level")
		if err == nil {
			c.event(func(l Listener) { l.LoggerLevelSet(namespace, level) })
		}
		return err
	}
	return errUnknownKey
}

func (c *configState) applyTargetState(name string, value []byte, offset int64) error {
	old, known := connectors.Started, false
	if e := c.entries[name]; e != nil {
		old, known = e.target, e.hasTarget
	}
	state, has := connectors.Started, c.configured(name)
	if value != nil {
		var err error
		if state, err = parseTargetState(value); err != nil {
			return err
		}
		has = true
	}
	c.change(name, func(e *entry) {
		e.target, e.hasTarget = state, has
		if !known || old != state {
			e.changed = offset
		}
	})
	if c.configured(name) && (!known || old != state) {
		c.event(func(l Listener) { l.TargetStateChanged(name, state) })
	}
	c.drop(name)
	return nil
}

func (c *configState) applyConnector(name string, value []byte, offset int64) error {
	if value == nil {
		was := c.configured(name)
		c.forget(name)
		if was {
			c.event(func(l Listener) { l.ConnectorRemoved(name) })
		}
		return nil
	}
	config, err := propertiesMember(value)
	if err != nil {
		return err
	}
	c.change(name, func(e *entry) {
		if e.config == nil || !maps.Equal(e.config, config) {
			e.changed = offset
		}
		e.config, e.configOffset, e.configAt = config, offset, c.at
		if !e.hasTarget {
			e.target, e.hasTarget = connectors.Started, true
		}
	})
	c.event(func(l Listener) { l.ConnectorUpdated(name) })
	return nil
}

// forget drops a connector's configuration and tasks, and keeps what outlives it:
// the target state, which has a tombstone of its own, and the fencing marks.
func (c *configState) forget(name string) {
	delete(c.deferred, name)
	if c.entries[name] == nil {
		return
	}
	c.change(name, func(e *entry) {
		e.config, e.configOffset, e.configAt = nil, -1, time.Time{}
		e.tasks, e.count, e.tasksOffset, e.tasksAt = nil, -1, -1, time.Time{}
		e.applied, e.inconsistent = nil, false
	})
	c.drop(name)
}

// drop removes an entry that says nothing, so that the snapshot does not grow with
// every connector that ever was.
func (c *configState) drop(name string) {
	if e := c.entries[name]; e != nil && e.config == nil && !e.hasTarget && e.generation < 0 && e.fenced < 0 && !e.pending && e.count < 0 {
		delete(c.entries, name)
	}
}

// applyCommit makes the waiting task configurations count, if they are complete.
// After compaction they may not be: then the connector is marked until it is
// committed anew.
func (c *configState) applyCommit(name string, value []byte, offset int64) error {
	m, err := object(value)
	if err != nil {
		return err
	}
	n, err := countMember(m, "tasks")
	if err != nil {
		return err
	}
	if !c.configured(name) {
		c.forget(name)
		c.log.Debug("Ignoring task configurations of a connector that is not configured", "connector", name, "offset", offset)
		return nil
	}
	waiting, any := c.deferred[name]
	complete := len(waiting) >= n
	for i := 0; complete && i < n; i++ {
		_, complete = waiting[i]
	}
	c.change(name, func(e *entry) {
		if complete {
			if any {
				e.tasks = maps.Clone(e.tasks)
				if e.tasks == nil {
					e.tasks = make(map[int]map[string]string, n)
				}
				maps.Copy(e.tasks, waiting)
				maps.DeleteFunc(e.tasks, func(i int, _ map[string]string) bool { return i >= n })
				e.generation++
			}
			e.applied, e.inconsistent = e.config, false
		} else {
			c.log.Warn("The task configurations of a connector are incomplete, probably by compaction; they are ignored", "connector", name, "tasks", n, "offset", offset)
			e.inconsistent = true
		}
		e.count, e.tasksOffset, e.tasksAt, e.pending = n, offset, c.at, true
	})
	if any {
		c.deferred[name] = make(map[int]map[string]string)
	}
	c.event(func(l Listener) { l.TasksUpdated(name) })
	return nil
}
