package assign

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/store"
)

// Log is a node's view of the assignment log. Its methods may be called from any
// goroutine.
type Log struct {
	tail    *store.Tail
	changed func()
	log     *slog.Logger

	mu    sync.Mutex
	units map[Unit]Entry
	nodes map[string]NodeRecord
	keys  Keys
	moves []Move // the latest, oldest first
	last  int64  // offset of the last record that was read; -1 before the first
}

// Move is one assignment that was read.
type Move struct {
	Unit     Unit
	From, To string // node.id; "" for nobody
	Reason   string
	At       time.Time
	Epoch    int64
}

// keptMoves bounds what is remembered of the past.
const keptMoves = 200

// NewLog adds the assignment log to logs, which the caller starts. changed is called,
// by the reading goroutine, when something has been read; it must not block.
func NewLog(logs *store.Logs, t store.Topic, changed func(), log *slog.Logger) *Log {
	l := &Log{changed: changed, log: log, units: make(map[Unit]Entry), nodes: make(map[string]NodeRecord), last: -1}
	l.tail = store.NewTail(logs, t, l.records)
	return l
}

// Refresh reads the log to its end as of now.
func (l *Log) Refresh(ctx context.Context) error { return l.tail.Refresh(ctx) }

// WaitFor returns once the record at offset has been read.
func (l *Log) WaitFor(ctx context.Context, offset int64) error { return l.tail.WaitFor(ctx, offset+1) }

func (l *Log) records(recs []*kgo.Record) {
	l.mu.Lock()
	for _, r := range recs {
		if err := l.apply(r); err != nil {
			l.log.Error("a record of the assignment log cannot be read and is left alone", "topic", r.Topic, "key", string(r.Key), "offset", r.Offset, "err", err)
		}
		l.last = r.Offset
	}
	l.mu.Unlock()
	l.changed()
}

func (l *Log) apply(r *kgo.Record) error {
	key := string(r.Key)
	if u, ok := parseUnit(key); ok {
		if r.Value == nil {
			delete(l.units, u)
			return nil
		}
		var rec Record
		if err := decode(r.Value, &rec, &rec.Format); err != nil {
			return err
		}
		old := l.units[u]
		l.units[u] = Entry{rec, r.Offset}
		if rec.State != Revoking {
			l.moves = append(l.moves, Move{u, old.Node, rec.Node, rec.Reason, time.UnixMilli(rec.At), r.Offset})
			if len(l.moves) > 2*keptMoves {
				l.moves = slices.Clone(l.moves[len(l.moves)-keptMoves:])
			}
		}
		return nil
	}
	if key == gossipKey {
		var k Keys
		if r.Value != nil {
			if err := decode(r.Value, &k, &k.Format); err != nil {
				return err
			}
		}
		l.keys = k
		return nil
	}
	if len(key) > len(nodeKey) && key[:len(nodeKey)] == nodeKey {
		if r.Value == nil {
			delete(l.nodes, key[len(nodeKey):])
			return nil
		}
		var n NodeRecord
		if err := decode(r.Value, &n, &n.Format); err != nil {
			return err
		}
		l.nodes[key[len(nodeKey):]] = n
	}
	// Keys of a newer version are none of ours.
	return nil
}

// Units returns a copy of the whole table.
func (l *Log) Units() map[Unit]Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.units)
}

// Of returns what a member holds or is to give up.
func (l *Log) Of(member string) map[Unit]Entry {
	out := make(map[Unit]Entry)
	l.mu.Lock()
	defer l.mu.Unlock()
	for u, e := range l.units {
		if e.Member == member {
			out[u] = e
		}
	}
	return out
}

// Unit returns the entry of a unit.
func (l *Log) Unit(u Unit) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.units[u]
	return e, ok
}

// HasTasks reports whether some member holds a task of a connector.
func (l *Log) HasTasks(connector string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for u, e := range l.units {
		if u.Connector == connector && u.Task >= 0 && (e.State == Assigned || e.State == Revoking) {
			return true
		}
	}
	return false
}

// Nodes returns what the log keeps of nodes, by node.id.
func (l *Log) Nodes() map[string]NodeRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.nodes)
}

// Last returns the offset of the last record that was read; -1 before the first.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// GossipKeys returns the secrets of gossip, the newest first; none when the leader has
// written none.
func (l *Log) GossipKeys() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keys.Keys
}

// Moves returns the latest assignments, the newest first.
func (l *Log) Moves() []Move {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.moves[max(0, len(l.moves)-keptMoves):])
	slices.Reverse(out)
	return out
}

// UnitRecord makes the record that sets a unit; nil removes it.
func (l *Log) UnitRecord(u Unit, r *Record) *kgo.Record {
	if r == nil {
		return l.record(unitKey(u), nil)
	}
	r.Format = Format
	return l.record(unitKey(u), r)
}

// NodeRecord makes the record of a node; nil removes it.
func (l *Log) NodeRecord(node string, r *NodeRecord) *kgo.Record {
	if r == nil {
		return l.record(nodeKey+node, nil)
	}
	r.Format = Format
	return l.record(nodeKey+node, r)
}

// KeysRecord makes the record of gossip's secrets.
func (l *Log) KeysRecord(keys [][]byte, at time.Time) *kgo.Record {
	return l.record(gossipKey, Keys{Format: Format, Keys: keys, At: at.UnixMilli()})
}

func (l *Log) record(key string, v any) *kgo.Record {
	r := &kgo.Record{Topic: l.tail.Topic(), Key: []byte(key)}
	if v != nil {
		r.Value, _ = json.Marshal(v) // strings and numbers
	}
	return r
}
