package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicLog is one topic of a [Logs]: what has been read of it and who waits.
//
// Positions, not records, say how far it is: the last offset before the end can
// belong to a transaction's marker, to an aborted record, or to a record that was
// compacted away.
type topicLog struct {
	logs   *Logs
	topic  Topic
	handle func(recs []*kgo.Record)
	// appender writes to it; nil: the client that reads does.
	appender *appender

	// Set by Start, before anything reads them.
	id         [16]byte
	partitions int32

	checking atomic.Bool // a goroutine looks whether the topic is still there

	mu       sync.Mutex
	pos      []int64 // next offset to read, by partition
	target   []int64 // the end at the start
	caughtUp bool
	waiters  []*waiter
	failed   error
	next     *round // asked for and not begun
	listing  bool   // a goroutine lists end offsets
}

type waiter struct {
	ends []int64
	done chan struct{} // closed when reached or failed
}

// round is one listing of end offsets, shared by all who asked before it began.
type round struct {
	done chan struct{}
	ends []int64
	err  error
}

func (l *topicLog) begin(begins, ends []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pos, l.target = begins, ends
	l.caughtUp = l.reached(ends)
}

// live reports whether what is handled now came after the start.
func (l *topicLog) live() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.caughtUp
}

func (l *topicLog) reached(ends []int64) bool {
	for p, end := range ends {
		if l.pos[p] < end {
			return false
		}
	}
	return true
}

// took handles one poll's records and then moves the positions.
func (l *topicLog) took(batch []*kgo.Record) {
	if len(batch) == 0 {
		return
	}
	keep := make([]*kgo.Record, 0, len(batch))
	next := make(map[int32]int64, 4)
	for _, r := range batch {
		next[r.Partition] = r.Offset + 1
		if !r.Attrs.IsControl() {
			keep = append(keep, r)
		}
	}
	if len(keep) > 0 {
		l.handle(keep)
	}
	l.advance(next)
}

func (l *topicLog) advance(next map[int32]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, o := range next {
		if int(p) < len(l.pos) && o > l.pos[p] {
			l.pos[p] = o
		}
	}
	if !l.caughtUp && l.reached(l.target) {
		l.caughtUp = true
	}
	kept := l.waiters[:0]
	for _, w := range l.waiters {
		if l.reached(w.ends) {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(l.waiters[len(kept):])
	l.waiters = kept
}

// fail ends the log: whoever waits, now or later, gets err. tell says whether the
// owner hears of it.
func (l *topicLog) fail(err error, tell bool) {
	l.mu.Lock()
	if l.failed != nil {
		l.mu.Unlock()
		return
	}
	l.failed = err
	for _, w := range l.waiters {
		close(w.done)
	}
	l.waiters = nil
	l.mu.Unlock()
	if tell {
		l.logs.cl.PurgeTopicsFromConsuming(l.topic.Name)
		l.logs.log.Error("An internal topic can no longer be read", "topic", l.topic.Name, "error", err)
		if l.logs.o.Failed != nil {
			l.logs.o.Failed(err)
		}
	}
}

func (l *topicLog) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// stall is how long a reader waits without getting there before it asks the broker
// whether there is anything to get at all.
const stall = 250 * time.Millisecond

// waitFor returns when the positions have reached ends.
func (l *topicLog) waitFor(ctx context.Context, ends []int64) error {
	l.mu.Lock()
	if l.failed != nil || l.reached(ends) {
		defer l.mu.Unlock()
		return l.failed
	}
	w := &waiter{ends, make(chan struct{})}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	tick := time.NewTimer(stall)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.reached(ends) {
				return nil
			}
			return l.failed
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			for i, o := range l.waiters {
				if o == w {
					l.waiters = append(l.waiters[:i], l.waiters[i+1:]...)
					break
				}
			}
			return ctx.Err()
		case <-tick.C:
			l.probe(ctx, ends)
			tick.Reset(stall)
		}
	}
}

// readToEnd returns when everything that was in the topic when it was called has
// been handled. With read committed it waits for open transactions to end.
func (l *topicLog) readToEnd(ctx context.Context) error {
	ends, err := l.endOffsets(ctx)
	if err == nil {
		err = l.waitFor(ctx, ends)
	}
	if err != nil {
		return fmt.Errorf("reading topic %s to its end: %w", l.topic.Name, err)
	}
	return nil
}

// endOffsets joins the next listing; one that has begun may be too old.
func (l *topicLog) endOffsets(ctx context.Context) ([]int64, error) {
	l.mu.Lock()
	if l.failed != nil || l.pos == nil {
		defer l.mu.Unlock()
		if l.failed == nil {
			return nil, errNotStarted
		}
		return nil, l.failed
	}
	if l.next == nil {
		l.next = &round{done: make(chan struct{})}
	}
	r := l.next
	if !l.listing {
		l.listing = true
		l.logs.wg.Go(l.list)
	}
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.ends, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errNotStarted = errors.New("the store was not started")

// list serves rounds until nobody asks.
func (l *topicLog) list() {
	for {
		l.mu.Lock()
		r := l.next
		l.next = nil
		l.listing = r != nil
		l.mu.Unlock()
		if r == nil {
			return
		}
		ctx, cancel := context.WithTimeout(l.logs.ctx, l.logs.o.WriteTimeout)
		ends, err := l.logs.listUntil(ctx, map[string]int32{l.topic.Name: l.partitions}, -1)
		cancel()
		if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
			l.checkDeleted()
		}
		r.ends, r.err = ends[l.topic.Name], err
		close(r.done)
	}
}

// append writes records and returns when the last is durable, with the end offset
// after each partition's last record. With an appender what is given up, because ctx
// ends, does not arrive later, but for what the broker's machine had received by then.
func (l *topicLog) append(ctx context.Context, recs ...*kgo.Record) ([]int64, error) {
	if err := l.err(); err != nil {
		return nil, fmt.Errorf("writing to topic %s: %w", l.topic.Name, err)
	}
	select {
	case <-l.logs.started:
	default:
		return nil, fmt.Errorf("writing to topic %s: %w", l.topic.Name, errNotStarted)
	}
	ends := make([]int64, l.partitions)
	for _, r := range recs {
		r.Topic = l.topic.Name
	}
	produced, err := l.produce(ctx, recs)
	if err != nil {
		return nil, fmt.Errorf("writing to topic %s: %w", l.topic.Name, err)
	}
	for _, res := range produced {
		if res.Err != nil {
			if errors.Is(res.Err, kerr.UnknownTopicOrPartition) || errors.Is(res.Err, kerr.UnknownTopicID) {
				l.checkDeleted()
			}
			return nil, fmt.Errorf("writing to topic %s: record %q: %w", l.topic.Name, res.Record.Key, res.Err)
		}
		if p := res.Record.Partition; int(p) < len(ends) {
			ends[p] = max(ends[p], res.Record.Offset+1)
		}
	}
	return ends, nil
}

func (l *topicLog) produce(ctx context.Context, recs []*kgo.Record) (kgo.ProduceResults, error) {
	if l.appender != nil {
		return l.appender.produce(ctx, recs)
	}
	return l.logs.cl.ProduceSync(ctx, recs...), nil
}

// listUntil lists offsets (-1 ends, -2 beginnings), again and again while brokers
// cannot answer.
func (s *Logs) listUntil(ctx context.Context, parts map[string]int32, timestamp int64) (map[string][]int64, error) {
	return s.listAs(ctx, parts, timestamp, readUncommitted)
}

// listAs is listUntil for readers of an isolation.
func (s *Logs) listAs(ctx context.Context, parts map[string]int32, timestamp int64, isolation int8) (map[string][]int64, error) {
	unknown := 0
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		out, err := listOffsets(ctx, s.cl, parts, timestamp, isolation)
		if err == nil || !retriable(err) {
			return out, err
		}
		// A topic that stays unknown was deleted.
		if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
			if unknown++; unknown > 3 {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// Isolation levels of a listing: the end is the high watermark, or, for who reads
// committed records only, where the first transaction that is still open begins.
const (
	readUncommitted int8 = 0
	readCommitted   int8 = 1
)

// listOffsets asks for one offset of each partition.
func listOffsets(ctx context.Context, cl *kgo.Client, parts map[string]int32, timestamp int64, isolation int8) (map[string][]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = isolation
	out := make(map[string][]int64, len(parts))
	for t, n := range parts {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = t
		out[t] = make([]int64, n)
		for p := range n {
			out[t][p] = -1
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p, timestamp
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("listing offsets of topic %s: partition %d: %w", t.Topic, p.Partition, err)
				}
				if ps := out[t.Topic]; int(p.Partition) < len(ps) {
					ps[p.Partition] = p.Offset
				}
			}
		}
	}
	for t, ps := range out {
		for p, o := range ps {
			if o < 0 {
				return nil, fmt.Errorf("listing offsets of topic %s: partition %d is missing in the answer", t, p)
			}
		}
	}
	return out, nil
}
