package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// StatusStore is the [Statuses] of a distributed worker: the status topic.
//
// Writing is a goroutine's: per key one record is on its way at a time, in the order
// of the puts; of those that wait more than maxWaiting are not kept, and what fails is
// tried again until it is superseded. Stop ends it.
type StatusStore struct {
	*statusTable
	log *topicLog

	mu      sync.Mutex // taken before the table's
	writes  map[statusKey]*statusWrite
	open    int             // writes that are not acknowledged
	pos     map[int32]int64 // next offset to take in, by partition
	ready   []statusKey     // keys whose newest value waits to be sent
	wake    chan struct{}   // capacity 1
	idle    chan struct{}   // closed while nothing waits or is on its way
	stopped bool
	worker  string // see Fence
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
}

// statusWrite is the newest unsettled value of one key.
type statusWrite struct {
	seq    int // counts the puts of the key
	value  statusValue
	before []statusValue // put before value and not sent yet, oldest first
	safe   bool
	queued bool
	// Of the record on its way.
	inFlight bool
	failures int
	acked    bool
	ackedAt  int64 // offset of the acknowledged record, and its partition
	ackedIn  int32
	sent     int // seq of the record on its way or acknowledged
}

// maxWaiting bounds the values of one key that wait behind each other. More than the
// usual RESTARTING, UNASSIGNED, RUNNING come only when Kafka is slow.
const maxWaiting = 3

// statusRetry is the pause before a failed status is sent again, doubled up to
// maxStatusRetry.
const (
	statusRetry    = 100 * time.Millisecond
	maxStatusRetry = 5 * time.Second
	statusTimeout  = 30 * time.Second
)

// NewStatusStore adds the status topic to logs, which the caller starts. Stop the
// store before the logs.
func NewStatusStore(logs *Logs, t Topic) *StatusStore {
	s := &StatusStore{
		statusTable: newStatusTable(logs.log),
		writes:      make(map[statusKey]*statusWrite),
		pos:         make(map[int32]int64),
		wake:        make(chan struct{}, 1),
		idle:        make(chan struct{}),
		done:        make(chan struct{}),
	}
	close(s.idle)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.log = logs.add(t, s.records)
	go s.run()
	return s
}

// Stop ends writing; what was not durable is given up, so Flush first.
func (s *StatusStore) Stop() {
	s.cancel()
	<-s.done
}

// Refresh implements [Statuses].
func (s *StatusStore) Refresh(ctx context.Context) error { return s.log.readToEnd(ctx) }

// PutConnector implements [Statuses].
func (s *StatusStore) PutConnector(name string, st Status) {
	s.enqueue(connectorKey(name), statusOf(st), false)
}

// PutConnectorSafe implements [Statuses].
func (s *StatusStore) PutConnectorSafe(name string, st Status) {
	s.enqueue(connectorKey(name), statusOf(st), true)
}

// PutTask implements [Statuses].
func (s *StatusStore) PutTask(id connectors.TaskID, st Status) {
	s.enqueue(taskKey(id), statusOf(st), false)
}

// PutTaskSafe implements [Statuses].
func (s *StatusStore) PutTaskSafe(id connectors.TaskID, st Status) {
	s.enqueue(taskKey(id), statusOf(st), true)
}

// PutTopic implements [Statuses].
func (s *StatusStore) PutTopic(t TopicUse) {
	s.enqueue(topicKey(t.Connector, t.Topic), statusValue{there: true, use: t}, false)
}

// RemoveTopic implements [Statuses].
func (s *StatusStore) RemoveTopic(connector, topic string) {
	s.enqueue(topicKey(connector, topic), statusValue{}, false)
}

func statusOf(st Status) statusValue { return statusValue{there: st.State != Destroyed, status: st} }

// bytes returns the record's value, nil for a tombstone.
func (v statusValue) bytes(k statusKey) []byte {
	switch {
	case !v.there:
		return nil
	case k.kind == topicStatus:
		return v.use.value()
	}
	return v.status.value()
}

func (s *StatusStore) enqueue(k statusKey, v statusValue, safe bool) {
	if safe && !s.mayPut(k, v.status) || s.isStale(k, v) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	w := s.writes[k]
	if w == nil {
		w = new(statusWrite)
		s.writes[k] = w
		s.opened()
	} else if w.acked { // settled but for the reading back
		w.acked = false
		s.opened()
	}
	if w.sent != w.seq { // w.value waits; a state that is passed through is written too
		w.before = append(w.before, w.value)
		w.before = w.before[max(0, len(w.before)-maxWaiting):]
	}
	w.seq++
	w.value, w.safe, w.failures = v, safe, 0
	s.put(k, v)
	if w.inFlight {
		// sent follows it up. Cancelling it would break the connection under the
		// requests of other keys, and it could still be written after this one.
		return
	}
	s.push(k, w)
}

// opened and closed count the writes that Flush waits for. The caller holds mu.
func (s *StatusStore) opened() {
	if s.open == 0 {
		s.idle = make(chan struct{})
	}
	s.open++
}

func (s *StatusStore) closed() {
	if s.open--; s.open == 0 {
		close(s.idle)
	}
}

func (s *StatusStore) push(k statusKey, w *statusWrite) {
	if !w.queued {
		w.queued = true
		s.ready = append(s.ready, k)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Flush implements [Statuses].
func (s *StatusStore) Flush(ctx context.Context) error {
	s.mu.Lock()
	idle, stopped := s.idle, s.stopped
	s.mu.Unlock()
	if stopped {
		return errStatusStopped
	}
	select {
	case <-idle:
		return nil
	case <-s.done:
		return errStatusStopped
	case <-ctx.Done():
		return fmt.Errorf("flushing statuses to topic %s: %w", s.log.topic.Name, ctx.Err())
	}
}

var errStatusStopped = errors.New("the status store was stopped")

// run is the writing goroutine. It sends what is ready and keeps no more than one
// record of a key on its way.
func (s *StatusStore) run() {
	defer close(s.done)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopped = true
	}()
	select {
	case <-s.ctx.Done():
		return
	case <-s.log.logs.started:
	}
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		ready := s.ready
		s.ready = nil
		s.mu.Unlock()
		for _, k := range ready {
			s.send(k)
		}
	}
}

func (s *StatusStore) send(k statusKey) {
	s.mu.Lock()
	w := s.writes[k]
	if w == nil || w.inFlight || w.acked {
		if w != nil {
			w.queued = false
		}
		s.mu.Unlock()
		return
	}
	w.queued = false
	if len(w.before) == 0 && w.safe && !s.mayPut(k, w.value.status) {
		delete(s.writes, k)
		s.settle(k)
		s.closed()
		s.mu.Unlock()
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, statusTimeout)
	v := w.value
	w.inFlight, w.sent = true, w.seq
	if len(w.before) > 0 {
		v, w.before = w.before[0], w.before[1:]
		w.sent = w.seq - 1 // sent goes on with the next
	}
	rec := &kgo.Record{Topic: s.log.topic.Name, Key: []byte(k.String()), Value: v.bytes(k)}
	if e := v.status.Epoch; e != nil {
		rec.Headers = []kgo.RecordHeader{EpochHeader(*e)}
	}
	s.mu.Unlock()
	done := func(r *kgo.Record, err error) {
		cancel()
		s.sent(k, w, r, err)
	}
	if err := s.log.err(); err != nil {
		done(rec, err)
		return
	}
	s.log.logs.cl.Produce(ctx, rec, done)
}

// sent is what becomes of a record on its way.
func (s *StatusStore) sent(k statusKey, w *statusWrite, r *kgo.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.inFlight = false
	superseded := w.seq != w.sent
	switch {
	case superseded:
		s.push(k, w)
	case err == nil:
		w.acked, w.ackedAt, w.ackedIn = true, r.Offset, r.Partition
		s.closed()
		if w.ackedAt < s.pos[w.ackedIn] { // read back before it was acknowledged
			delete(s.writes, k)
			s.settle(k)
		}
	case s.ctx.Err() != nil:
	case fatal(err):
		s.statusTable.log.Error("Failed to write a status", "key", k.String(), "error", err)
		delete(s.writes, k)
		s.closed()
	default:
		w.failures++
		pause := min(statusRetry<<min(w.failures-1, 10), maxStatusRetry)
		s.statusTable.log.Warn("Writing a status met an error; it is tried again", "key", k.String(), "error", err)
		time.AfterFunc(pause, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.writes[k] == w && !w.inFlight && !w.acked && !s.stopped {
				s.push(k, w)
			}
		})
	}
}

// fatal errors come back however often a record is sent.
func fatal(err error) bool {
	var ke *kerr.Error
	return errors.As(err, &ke) && !ke.Retriable
}

// records takes in one poll's records, and lets go of what was put here and has
// come back.
func (s *StatusStore) records(recs []*kgo.Record) {
	var again []statusKey
	for _, r := range recs {
		var epoch *int64
		if e, ok := EpochOf(r); ok {
			epoch = &e
		}
		if k, _, late := s.apply(string(r.Key), r.Value, r.Offset, epoch); late {
			again = append(again, k)
		}
	}
	for _, k := range again {
		s.repeat(k)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range recs {
		s.pos[r.Partition] = r.Offset + 1
	}
	for k, w := range s.writes {
		if w.acked && w.ackedAt < s.pos[w.ackedIn] {
			delete(s.writes, k)
			s.settle(k)
		}
	}
}

// Fence begins, once the topics have been read, to hold the epochs of statuses against
// those of the assignment log, of which last is the last offset: with a new log they
// begin anew. When a status of an earlier stay comes after one of worker, that one is
// written again: compaction would keep the late one.
func (s *StatusStore) Fence(worker string, last int64) {
	s.trust(last)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker = worker
}

// repeat writes what was read of a key again if it is of this worker.
func (s *StatusStore) repeat(k statusKey) {
	s.mu.Lock()
	worker, writing := s.worker, s.writes[k] != nil
	s.mu.Unlock()
	if v, ok := s.get(k); ok && worker != "" && v.status.WorkerID == worker && !writing {
		s.enqueue(k, v, false)
	}
}

// MemoryStatusStore is the [Statuses] of a standalone worker.
type MemoryStatusStore struct{ *statusTable }

// NewMemoryStatusStore returns an empty store.
func NewMemoryStatusStore() *MemoryStatusStore {
	return &MemoryStatusStore{newStatusTable(logger(nil))}
}

func (s *MemoryStatusStore) set(k statusKey, v statusValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry(k).read = v
	s.tidy(k)
}

// PutConnector implements [Statuses].
func (s *MemoryStatusStore) PutConnector(name string, st Status) {
	s.set(connectorKey(name), statusOf(st))
}

// PutConnectorSafe implements [Statuses].
func (s *MemoryStatusStore) PutConnectorSafe(name string, st Status) {
	if s.mayPut(connectorKey(name), st) {
		s.PutConnector(name, st)
	}
}

// PutTask implements [Statuses].
func (s *MemoryStatusStore) PutTask(id connectors.TaskID, st Status) {
	s.set(taskKey(id), statusOf(st))
}

// PutTaskSafe implements [Statuses].
func (s *MemoryStatusStore) PutTaskSafe(id connectors.TaskID, st Status) {
	if s.mayPut(taskKey(id), st) {
		s.PutTask(id, st)
	}
}

// PutTopic implements [Statuses].
func (s *MemoryStatusStore) PutTopic(t TopicUse) {
	s.set(topicKey(t.Connector, t.Topic), statusValue{there: true, use: t})
}

// RemoveTopic implements [Statuses].
func (s *MemoryStatusStore) RemoveTopic(connector, topic string) {
	s.set(topicKey(connector, topic), statusValue{})
}

// Flush implements [Statuses]; there is nothing to wait for.
func (s *MemoryStatusStore) Flush(context.Context) error { return nil }

// Refresh implements [Statuses]; there is nothing to read.
func (s *MemoryStatusStore) Refresh(context.Context) error { return nil }

var (
	_ Statuses = (*StatusStore)(nil)
	_ Statuses = (*MemoryStatusStore)(nil)
)
