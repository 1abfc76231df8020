package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// Writer writes records to the config topic in their order, so that of a call that
// fails a prefix may be there but never a later record without an earlier. It
// returns when they are durable, with their offsets set. It must be safe for concurrent
// use.
//
// A leader with a transactional client brings its own, with [ConfigStore.UseWriter].
type Writer interface {
	Write(ctx context.Context, recs ...*kgo.Record) error
	// Atomic says that either all records of one Write appear or none.
	Atomic() bool
}

// ConfigStore is the [Configs] of a distributed worker: the config topic.
type ConfigStore struct {
	configWrites
	log    *topicLog
	writer atomic.Pointer[Writer]

	state    *configState // of the reading goroutine
	listener Listener
	snap     atomic.Pointer[Snapshot]

	clean atomic.Int64 // see Mend
}

// NewConfigStore adds the config topic to logs, which the caller starts. listener
// may be nil.
func NewConfigStore(logs *Logs, t Topic, listener Listener) *ConfigStore {
	s := &ConfigStore{state: newConfigState(logs.log), listener: listener}
	s.snap.Store(s.state.snapshot(nil))
	s.log = logs.add(t, s.records)
	s.configWrites = configWrites{write: s.writeRecords}
	return s
}

// Snapshot implements [Configs].
func (s *ConfigStore) Snapshot() *Snapshot { return s.snap.Load() }

// Refresh implements [Configs].
func (s *ConfigStore) Refresh(ctx context.Context) error { return s.log.readToEnd(ctx) }

// UseWriter makes all further writes go through w; nil goes back to the logs' own
// client.
func (s *ConfigStore) UseWriter(w Writer) {
	if w == nil {
		s.writer.Store(nil)
		return
	}
	s.writer.Store(&w)
}

// records takes in one poll's records and publishes one snapshot.
func (s *ConfigStore) records(recs []*kgo.Record) {
	s.state.live = s.log.live()
	for _, r := range recs {
		s.state.at = r.Timestamp
		s.state.apply(string(r.Key), r.Value, r.Offset)
	}
	s.snap.Store(s.state.snapshot(s.snap.Load()))
	tell(s.listener, s.state.takeEvents())
}

func tell(l Listener, events []func(Listener)) {
	if l == nil {
		return
	}
	for _, f := range events {
		f(l)
	}
}

// writeRecords writes groups one after the other, at once if it can be atomic, and
// waits until all have been read back.
func (s *ConfigStore) writeRecords(ctx context.Context, groups ...[]record) error {
	ctx, cancel := context.WithTimeout(ctx, s.log.logs.o.WriteTimeout)
	defer cancel()
	var w Writer = ownWriter{s.log}
	own := true
	if p := s.writer.Load(); p != nil {
		w, own = *p, false
	}
	if w.Atomic() {
		var all []record
		for _, g := range groups {
			all = append(all, g...)
		}
		groups = [][]record{all}
	}
	for _, g := range groups {
		if len(g) == 0 {
			continue
		}
		recs := make([]*kgo.Record, len(g))
		for i, r := range g {
			recs[i] = &kgo.Record{Topic: s.log.topic.Name, Key: []byte(r.key), Value: r.value}
		}
		if own {
			ends, err := s.log.append(ctx, recs...)
			if err != nil {
				return err
			}
			if err := s.log.waitFor(ctx, ends); err != nil {
				return fmt.Errorf("reading back from topic %s: %w", s.log.topic.Name, err)
			}
			continue
		}
		if err := w.Write(ctx, recs...); err != nil {
			return err
		}
		if err := s.log.waitFor(ctx, []int64{recs[len(recs)-1].Offset + 1}); err != nil {
			return fmt.Errorf("reading back from topic %s: %w", s.log.topic.Name, err)
		}
	}
	return nil
}

// ownWriter writes with the client of the logs. Records of one call can fail one by
// one, which is why a commit is a group of its own.
type ownWriter struct{ log *topicLog }

func (w ownWriter) Write(ctx context.Context, recs ...*kgo.Record) error {
	_, err := w.log.append(ctx, recs...)
	return err
}
func (ownWriter) Atomic() bool { return false }

// configWrites are the writing operations in terms of records; the Kafka store and
// the memory store share them. A group is written only when the one before it is
// durable and read.
type configWrites struct {
	write func(ctx context.Context, groups ...[]record) error
}

func (w configWrites) do(ctx context.Context, what, name string, groups ...[]record) error {
	if err := w.write(ctx, groups...); err != nil {
		return fmt.Errorf("writing %s %s: %w", what, name, err)
	}
	return nil
}

// PutConnector implements [Configs].
func (w configWrites) PutConnector(ctx context.Context, name string, config map[string]string, initial *connectors.TargetState) error {
	var first []record
	if initial != nil {
		first = []record{targetStateRecord(name, *initial)}
	}
	return w.do(ctx, "the configuration of connector", name, first, []record{connectorRecord(name, config)})
}

// RemoveConnector implements [Configs].
func (w configWrites) RemoveConnector(ctx context.Context, name string) error {
	return w.do(ctx, "the removal of connector", name, []record{{key: connectorPrefix + name}}, []record{{key: targetStatePrefix + name}})
}

// PutTaskConfigs implements [Configs].
func (w configWrites) PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	tasks := make([]record, len(configs))
	for i, c := range configs {
		tasks[i] = taskRecord(connectors.TaskID{Connector: name, Task: i}, c)
	}
	return w.do(ctx, "the task configurations of connector", name, tasks, []record{commitRecord(name, len(configs))})
}

// PutTargetState implements [Configs].
func (w configWrites) PutTargetState(ctx context.Context, name string, state connectors.TargetState) error {
	return w.do(ctx, "the target state of connector", name, []record{targetStateRecord(name, state)})
}

// Stop implements [Configs].
func (w configWrites) Stop(ctx context.Context, name string) error {
	return w.do(ctx, "the stop of connector", name, []record{commitRecord(name, 0)}, []record{targetStateRecord(name, connectors.Stopped)})
}

// PutRestartRequest implements [Configs].
func (w configWrites) PutRestartRequest(ctx context.Context, r RestartRequest) error {
	return w.do(ctx, "the restart of connector", r.Connector, []record{restartRecord(r)})
}

// PutLoggerLevel implements [Configs].
func (w configWrites) PutLoggerLevel(ctx context.Context, namespace, level string) error {
	return w.do(ctx, "the level of logger", namespace, []record{loggerRecord(namespace, level)})
}

// PutSessionKey implements [Configs].
func (w configWrites) PutSessionKey(ctx context.Context, k SessionKey) error {
	return w.do(ctx, "a session key with", k.Algorithm, []record{sessionKeyRecord(k)})
}

// PutTaskCount implements [Configs].
func (w configWrites) PutTaskCount(ctx context.Context, name string, tasks int) error {
	return w.do(ctx, "the task count of connector", name, []record{fencingRecord(name, tasks)})
}

// MemoryConfigStore is the [Configs] of a standalone worker. It runs the records
// through the same rules as the config topic's.
type MemoryConfigStore struct {
	configWrites
	mu       sync.Mutex
	state    *configState
	listener Listener
	snap     atomic.Pointer[Snapshot]
}

// NewMemoryConfigStore returns an empty store. listener and log may be nil. The
// listener is called by the goroutine that writes, with the store locked.
func NewMemoryConfigStore(listener Listener, log *slog.Logger) *MemoryConfigStore {
	s := &MemoryConfigStore{state: newConfigState(logger(log)), listener: listener}
	s.state.live = true
	s.snap.Store(s.state.snapshot(nil))
	s.configWrites = configWrites{write: s.writeRecords}
	return s
}

// Snapshot implements [Configs].
func (s *MemoryConfigStore) Snapshot() *Snapshot { return s.snap.Load() }

// Refresh implements [Configs]; there is nothing to read.
func (s *MemoryConfigStore) Refresh(context.Context) error { return nil }

func (s *MemoryConfigStore) writeRecords(_ context.Context, groups ...[]record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.at = time.Now()
	for _, g := range groups {
		for _, r := range g {
			s.state.apply(r.key, r.value, max(0, s.state.offset))
		}
	}
	s.snap.Store(s.state.snapshot(s.snap.Load()))
	tell(s.listener, s.state.takeEvents())
	return nil
}

var (
	_ Configs = (*ConfigStore)(nil)
	_ Configs = (*MemoryConfigStore)(nil)
)
