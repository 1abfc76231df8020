package store

import (
	"maps"
	"slices"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// SessionKey signs requests between workers (KIP-507).
type SessionKey struct {
	Key       []byte
	Algorithm string
	Created   int64 // ms since the epoch
}

// RestartRequest is a restart with its flags (KIP-745).
type RestartRequest struct {
	Connector                string
	IncludeTasks, OnlyFailed bool
}

// Snapshot is the state of a config topic as of one offset. It is immutable and so
// are the maps that it returns: the caller must not change them.
type Snapshot struct {
	offset  int64
	key     *SessionKey
	entries map[string]*entry
}

// entry is what is known of one connector. It is replaced, never changed.
type entry struct {
	config       map[string]string // nil: not (or no longer) configured
	configOffset int64
	configAt     time.Time
	changed      int64 // offset of the record that last made its configuration or target state another
	target       connectors.TargetState
	hasTarget    bool
	tasks        map[int]map[string]string // of the last complete commit; may hold more than count
	count        int                       // of the last commit; -1 before any
	tasksOffset  int64
	tasksAt      time.Time
	inconsistent bool
	applied      map[string]string // the connector's configuration at the last complete commit
	generation   int               // -1 before the first commit
	fenced       int               // tasks of the last fencing record; -1 before any
	pending      bool              // task configurations were committed since
}

func newEntry() entry {
	return entry{configOffset: -1, changed: -1, tasksOffset: -1, count: -1, generation: -1, fenced: -1}
}

var noEntry = newEntry()

func (s *Snapshot) get(name string) *entry {
	if e := s.entries[name]; e != nil {
		return e
	}
	return &noEntry
}

// Offset returns the offset of the last record that was read plus one; -1 when
// nothing has been read yet.
func (s *Snapshot) Offset() int64 { return s.offset }

// SessionKey returns the newest key; nil when there is none.
func (s *Snapshot) SessionKey() *SessionKey { return s.key }

// Connectors returns the names of all configured connectors, sorted.
func (s *Snapshot) Connectors() []string {
	names := make([]string, 0, len(s.entries))
	for name, e := range s.entries {
		if e.config != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Contains reports whether a connector is configured.
func (s *Snapshot) Contains(name string) bool { return s.get(name).config != nil }

// Config returns a connector's configuration; nil when it has none.
func (s *Snapshot) Config(name string) map[string]string { return s.get(name).config }

// ConfigOffset returns the offset of the record that Config came from, which tells
// two configurations apart; -1 when there is none.
func (s *Snapshot) ConfigOffset(name string) int64 { return s.get(name).configOffset }

// ConfigTime returns when Config was written, by its writer's clock.
func (s *Snapshot) ConfigTime(name string) time.Time { return s.get(name).configAt }

// AppliedConfig returns the configuration that the connector had when its tasks
// were last committed (KAFKA-9228); nil when they never were.
func (s *Snapshot) AppliedConfig(name string) map[string]string { return s.get(name).applied }

// Changed returns the offset of the record that last gave a connector another
// configuration or target state than it had; -1 when it is not configured. A record that
// says again what was known changes nothing.
func (s *Snapshot) Changed(name string) int64 {
	e := s.get(name)
	if e.config == nil {
		return -1
	}
	return e.changed
}

// TargetState returns what the connector is to be; false when nothing is known.
func (s *Snapshot) TargetState(name string) (connectors.TargetState, bool) {
	e := s.get(name)
	return e.target, e.hasTarget
}

// TaskCount returns how many tasks the last commit has, complete or not.
func (s *Snapshot) TaskCount(name string) int { return max(0, s.get(name).count) }

// Tasks returns the connector's tasks; none when its task configurations are
// inconsistent.
func (s *Snapshot) Tasks(name string) []connectors.TaskID {
	e := s.get(name)
	if e.inconsistent || e.count <= 0 {
		return nil
	}
	ids := make([]connectors.TaskID, e.count)
	for i := range ids {
		ids[i] = connectors.TaskID{Connector: name, Task: i}
	}
	return ids
}

// TasksOffset returns the offset of the last commit of task configurations; -1
// when there was none.
func (s *Snapshot) TasksOffset(name string) int64 { return s.get(name).tasksOffset }

// TasksTime returns when that commit was written, by its writer's clock.
func (s *Snapshot) TasksTime(name string) time.Time { return s.get(name).tasksAt }

// TaskConfig returns one task's configuration; nil when it has none.
func (s *Snapshot) TaskConfig(id connectors.TaskID) map[string]string {
	e := s.get(id.Connector)
	if e.inconsistent || id.Task < 0 || id.Task >= e.count {
		return nil
	}
	return e.tasks[id.Task]
}

// TaskConfigs returns the configurations of the connector's tasks by number; none
// when they are inconsistent.
func (s *Snapshot) TaskConfigs(name string) []map[string]string {
	ids := s.Tasks(name)
	configs := make([]map[string]string, len(ids))
	for i := range ids {
		configs[i] = s.get(name).tasks[i]
	}
	return configs
}

// TaskConfigGeneration counts the commits of task configurations that were read,
// from 0; -1 before the first. It means nothing outside this process.
func (s *Snapshot) TaskConfigGeneration(name string) int { return s.get(name).generation }

// Inconsistent reports whether the last commit lacked task configurations.
func (s *Snapshot) Inconsistent(name string) bool { return s.get(name).inconsistent }

// InconsistentConnectors returns the connectors for which [Snapshot.Inconsistent]
// holds, sorted.
func (s *Snapshot) InconsistentConnectors() []string {
	var names []string
	for name, e := range s.entries {
		if e.inconsistent {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TaskCountRecord returns the number of tasks in the last fencing record (KIP-618).
func (s *Snapshot) TaskCountRecord(name string) (tasks int, ok bool) {
	e := s.get(name)
	return max(0, e.fenced), e.fenced >= 0
}

// PendingFencing reports whether task configurations were committed after the last
// fencing record.
func (s *Snapshot) PendingFencing(name string) bool { return s.get(name).pending }

// snapshotOf copies the map, not what is in it.
func snapshotOf(offset int64, key *SessionKey, entries map[string]*entry) *Snapshot {
	return &Snapshot{offset: offset, key: key, entries: maps.Clone(entries)}
}
