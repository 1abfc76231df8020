package store

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// transactions are the records of a config topic, from a clean offset on, with what
// became of their transactions.
type transactions struct {
	pos  int64 // where to read on
	recs []txRecord
	open map[int64]*outcome // by producer id
}

type txRecord struct {
	*kgo.Record
	*outcome
}

// outcome is shared by the records of a transaction.
type outcome struct{ decided, aborted bool }

var committed = &outcome{decided: true} // of records without a transaction; never written to

// take takes the next record in, control records included.
func (t *transactions) take(r *kgo.Record) {
	if r.Attrs.IsControl() {
		// Its key is two bytes of version and two of type.
		if o := t.open[r.ProducerID]; o != nil && len(r.Key) >= 4 {
			if kind := binary.BigEndian.Uint16(r.Key[2:]); kind <= 1 {
				o.decided, o.aborted = true, kind == 0
				delete(t.open, r.ProducerID)
			}
		}
		return
	}
	o := committed
	if r.Attrs.IsTransactional() {
		if o = t.open[r.ProducerID]; o == nil {
			o = new(outcome)
			t.open[r.ProducerID] = o
		}
	}
	t.recs = append(t.recs, txRecord{r, o})
}

// keyFate is what is known of one key; offsets are -1 where there is no such record.
type keyFate struct {
	value     []byte // of the last committed record
	committed int64
	aborted   int64 // offset of the last aborted record
	pending   int64 // offset of the first record whose transaction is open
}

// missing returns what an uncommitted reader lacks, in the order in which it is to be
// written, and from where on there will be nothing more to see to.
func (t *transactions) missing() (recs []record, clean int64) {
	clean = t.pos
	fates, sets := t.fates()
	dirty := make(map[string]bool) // connectors whose set is to be written; true: even if there is none
	for key, f := range fates {
		if f.pending >= 0 {
			clean = min(clean, f.pending)
		}
		if f.aborted <= f.committed {
			continue
		}
		if f.pending >= 0 {
			clean = min(clean, f.aborted)
			continue
		}
		owner, task := setOwner(key)
		if owner != "" {
			dirty[owner] = dirty[owner] || task
		}
		if !task {
			value := f.value
			if strings.HasPrefix(key, restartPrefix) {
				value = nil
			}
			recs = append(recs, record{key, value})
		}
	}
	slices.SortFunc(recs, func(a, b record) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a.key, b.key)) })
	for _, name := range slices.Sorted(maps.Keys(dirty)) {
		recs = append(recs, sets[name].records(name, fates, dirty[name])...)
	}
	return recs, clean
}

// rank orders records so that no reader meets a target state of a connector that is to
// go, nor a connector without its target state.
func rank(r record) int {
	switch {
	case strings.HasPrefix(r.key, connectorPrefix) && r.value == nil:
		return 0
	case strings.HasPrefix(r.key, targetStatePrefix):
		return 1
	case strings.HasPrefix(r.key, connectorPrefix):
		return 2
	}
	return 3
}

// setOwner returns the connector whose task configurations a key has to do with, ""
// for none; task says that the key is part of the set.
func setOwner(key string) (connector string, task bool) {
	for _, prefix := range []string{connectorPrefix, fencingPrefix} {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			return name, false
		}
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		return name, true
	}
	if s, ok := strings.CutPrefix(key, taskPrefix); ok {
		if id, err := parseTaskKey(s); err == nil {
			return id.Connector, true
		}
	}
	return "", false
}

// fates goes through the records in their order.
func (t *transactions) fates() (map[string]*keyFate, map[string]*taskSet) {
	fates, sets := make(map[string]*keyFate), make(map[string]*taskSet)
	for _, r := range t.recs {
		key := string(r.Key)
		f := fates[key]
		if f == nil {
			f = &keyFate{committed: -1, aborted: -1, pending: -1}
			fates[key] = f
		}
		if owner, _ := setOwner(key); owner != "" && sets[owner] == nil {
			sets[owner] = &taskSet{waiting: make(map[int][]byte)}
		}
		switch {
		case !r.decided:
			if f.pending < 0 {
				f.pending = r.Offset
			}
		case r.aborted:
			f.aborted = r.Offset
		default:
			f.committed, f.value = r.Offset, r.Value
			if owner, _ := setOwner(key); owner != "" {
				sets[owner].take(key, r.Value)
			}
		}
	}
	return fates, sets
}

// taskSet holds a connector's task configurations as they were written, by the rules of
// configState.
type taskSet struct {
	configured bool
	waiting    map[int][]byte // since the last commit
	tasks      [][]byte
	commit     []byte // nil: no set is complete
}

func (s *taskSet) take(key string, value []byte) {
	if task, ok := strings.CutPrefix(key, taskPrefix); ok {
		id, err := parseTaskKey(task)
		if err == nil {
			_, err = propertiesMember(value)
		}
		if err == nil {
			s.waiting[id.Task] = value
		}
		return
	}
	if strings.HasPrefix(key, connectorPrefix) {
		if value == nil {
			*s = taskSet{waiting: make(map[int][]byte)}
		} else if _, err := propertiesMember(value); err == nil {
			s.configured = true
		}
		return
	}
	if !strings.HasPrefix(key, commitPrefix) {
		return
	}
	m, err := object(value)
	if err != nil {
		return
	}
	n, err := countMember(m, "tasks")
	if err != nil {
		return
	}
	waiting := s.waiting
	s.waiting, s.tasks, s.commit = make(map[int][]byte), nil, nil
	if !s.configured || len(waiting) < n {
		return
	}
	tasks := make([][]byte, n)
	for i := range tasks {
		if tasks[i] = waiting[i]; tasks[i] == nil {
			return
		}
	}
	s.tasks, s.commit = tasks, value
}

// records are the set, whole. Keys beyond it whose last record was aborted get what they
// had. Where no set is complete and one must be, it is that of no tasks.
func (s *taskSet) records(name string, fates map[string]*keyFate, must bool) []record {
	var recs []record
	for key, f := range fates {
		if owner, task := setOwner(key); owner != name || !task || f.aborted <= f.committed || f.pending >= 0 {
			continue
		}
		id, err := parseTaskKey(strings.TrimPrefix(key, taskPrefix))
		if isTask := err == nil && strings.HasPrefix(key, taskPrefix); !s.configured || isTask && id.Task >= len(s.tasks) {
			recs = append(recs, record{key, f.value})
		}
	}
	slices.SortFunc(recs, func(a, b record) int { return strings.Compare(a.key, b.key) })
	if !s.configured {
		return recs
	}
	for i, value := range s.tasks {
		recs = append(recs, record{taskPrefix + connectors.TaskID{Connector: name, Task: i}.String(), value})
	}
	if s.commit == nil {
		if must {
			recs = append(recs, commitRecord(name, 0))
		}
		return recs
	}
	return append(recs, record{commitPrefix + name, s.commit})
}
