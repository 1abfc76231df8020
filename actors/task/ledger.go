package task

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
)

// Ledger is a source task's account: what went in, what is settled, and so which
// offset may be stored. It keeps one queue a source partition, with one entry a
// batch and partition.
//
// Invariant: the committable offset of a partition is that of the last record of
// the longest prefix of settled records. A record is settled once Kafka has
// acknowledged it, or it was filtered, or its failure was tolerated.
//
// It is safe for concurrent use.
type Ledger struct {
	mu    sync.Mutex
	byPtr map[*data.MapValue]*partQueue
	byKey map[string]*partQueue // by the partition's text, for maps that are equal but not the same
	idle  chan struct{}         // closed while nothing is open
	open  int

	// Totals since the task's first day on this node.
	In, Filtered, Skipped, Acked atomic.Int64
}

type partQueue struct {
	partition *data.MapValue
	entries   []*ledgerEntry // in poll order; the first is not settled yet
	ready     data.SourceOffset
	hasReady  bool // ready is newer than what was last taken
	gone      bool // forgotten; a record that comes for it gets a new one
}

// ledgerEntry is the part of one batch that came from one source partition.
type ledgerEntry struct {
	batch   *inflight
	records []int32 // indexes in the batch; nil: all of them
	last    data.SourceOffset
	done    bool // the whole batch is settled; last is valid and the slots are gone
	count   int  // records
	taken   int  // so many records of the settled prefix were in the last offset taken
}

// inflight is a batch in the ledger.
type inflight struct {
	ledger  *Ledger
	batch   *pipeline.Batch
	entries []*ledgerEntry
	queues  []*partQueue
	settled []atomic.Uint64 // one bit a record
	left    atomic.Int64
	dropped atomic.Int64 // filtered or skipped; the rest is acknowledged
	n       int
	records []data.Record       // the batch's; nil once shed
	offsets []data.SourceOffset // of the records, once shed
	onDone  func(*inflight)     // called once, when the last record is settled
	slab    *slab               // the client's records of the batch; nil before produce
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	l := &Ledger{byPtr: make(map[*data.MapValue]*partQueue), byKey: make(map[string]*partQueue), idle: make(chan struct{})}
	close(l.idle)
	return l
}

// add opens an account for a batch. done runs on the goroutine that settles the
// last record; it must call close.
func (l *Ledger) add(b *pipeline.Batch, done func(*inflight)) *inflight {
	n := len(b.Records)
	f := &inflight{ledger: l, batch: b, settled: make([]atomic.Uint64, (n+63)/64), n: n, records: b.Records, onDone: done}
	f.left.Store(int64(n))
	l.In.Add(int64(n))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == 0 {
		l.idle = make(chan struct{})
	}
	l.open++
	for i := 0; i < n; {
		p := b.Records[i].SourcePartition
		j := i + 1
		for j < n && b.Records[j].SourcePartition == p {
			j++
		}
		q := l.queue(p)
		e := f.entry(q)
		if e == nil {
			e = &ledgerEntry{batch: f}
			f.entries, f.queues = append(f.entries, e), append(f.queues, q)
			q.entries = append(q.entries, e)
		}
		e.count += j - i
		if i > 0 || j < n {
			for k := i; k < j; k++ {
				e.records = append(e.records, int32(k))
			}
		}
		i = j
	}
	b.Entry = f
	return f
}

func (f *inflight) entry(q *partQueue) *ledgerEntry {
	for i := len(f.queues) - 1; i >= 0; i-- {
		if f.queues[i] == q {
			return f.entries[i]
		}
	}
	return nil
}

// queue finds a partition's queue, by pointer and then by content.
func (l *Ledger) queue(p *data.MapValue) *partQueue {
	if q, ok := l.byPtr[p]; ok && !q.gone {
		return q
	}
	key := partitionKey(p)
	q, ok := l.byKey[key]
	if !ok {
		q = &partQueue{partition: p}
		l.byKey[key] = q
	}
	if len(l.byPtr) > 4*len(l.byKey)+1024 {
		clear(l.byPtr) // a task that makes a new map for each record
	}
	l.byPtr[p] = q
	return q
}

// partitionKey is a text that only equal partitions share: strings are quoted, so
// that {a="1, b=2"} is not {a="1", b="2"}, nor {a="1"} {a=1}. Numbers of
// different widths are one, as they are in the offset topic's keys.
func partitionKey(p *data.MapValue) string {
	if p == nil {
		return ""
	}
	key := []byte{'{'}
	text := func(v data.Value) {
		switch v.Kind() {
		case data.KindString:
			key = strconv.AppendQuote(key, v.Str())
		case data.KindBytes:
			key = strconv.AppendQuote(append(key, 'b'), string(v.Bytes()))
		default:
			key = v.AppendText(key)
		}
	}
	for _, e := range p.Entries() {
		text(e.Key)
		key = append(key, '=')
		text(e.Value)
		key = append(key, ',')
	}
	return string(key)
}

// offset is record i's. The ledger's lock is held, or nobody sheds any more.
func (f *inflight) offset(i int) data.SourceOffset {
	if f.records == nil {
		return f.offsets[i]
	}
	return f.records[i].SourceOffset
}

// shed lets go of the records and keeps their offsets, in a slice of as many
// elements. The caller owns the records again.
func (f *inflight) shed(offsets []data.SourceOffset) []data.Record {
	for i := range f.records {
		offsets[i] = f.records[i].SourceOffset
	}
	f.ledger.mu.Lock()
	defer f.ledger.mu.Unlock()
	records := f.records
	f.records, f.offsets = nil, offsets
	return records
}

// settle marks record i of the batch. Each record is settled once.
func (f *inflight) settle(i int) {
	f.settled[i/64].Or(1 << (i % 64))
	if f.left.Add(-1) == 0 {
		f.onDone(f)
	}
}

// skip settles record i as one whose failure is tolerated.
func (f *inflight) skip(i int) {
	f.batch.States[i] = pipeline.Skipped // nobody reads the states before the last record is settled
	f.ledger.Skipped.Add(1)
	f.dropped.Add(1)
	f.settle(i)
}

// settleDropped settles what the stages before dropped, from the states.
func (f *inflight) settleDropped(states []pipeline.State) {
	var filtered, skipped int64
	for i, s := range states {
		switch s {
		case pipeline.Filtered:
			filtered++
		case pipeline.Skipped:
			skipped++
		default:
			continue
		}
		f.settled[i/64].Or(1 << (i % 64))
	}
	if filtered+skipped == 0 {
		return
	}
	f.ledger.Filtered.Add(filtered)
	f.ledger.Skipped.Add(skipped)
	f.dropped.Add(filtered + skipped)
	if f.left.Add(-filtered-skipped) == 0 {
		f.onDone(f)
	}
}

func (f *inflight) isSettled(i int32) bool { return f.settled[i/64].Load()&(1<<(i%64)) != 0 }

// close ends the account of a settled batch: its slots may be used again.
func (f *inflight) close() {
	l := f.ledger
	l.Acked.Add(int64(f.n) - f.dropped.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range f.entries {
		last := f.n - 1
		if e.records != nil {
			last = int(e.records[len(e.records)-1])
		}
		e.last, e.done, e.batch, e.records = f.offset(last), true, nil, nil
		f.queues[i].fold()
	}
	l.open--
	if l.open == 0 {
		close(l.idle)
	}
}

// fold pops the settled entries at the head. Of one that was taken already there
// is nothing new to store.
func (q *partQueue) fold() {
	n := 0
	for n < len(q.entries) && q.entries[n].done {
		if e := q.entries[n]; e.taken < e.count {
			q.ready, q.hasReady = e.last, true
		}
		n++
	}
	if n > 0 {
		m := copy(q.entries, q.entries[n:])
		clear(q.entries[m:])
		q.entries = q.entries[:m]
	}
}

// PartitionOffset is one partition with the offset that may be stored.
type PartitionOffset struct {
	Partition *data.MapValue
	Offset    data.SourceOffset
}

// keepQueues is how many queues with nothing in them a ledger keeps at least: a
// task that makes partitions without end, such as one a file, must not keep them
// all for ever.
const keepQueues = 1024

// Take returns the offsets that may be stored now and were not taken before. If
// storing them fails, give them back with [Ledger.PutBack].
func (l *Ledger) Take() []PartitionOffset {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []PartitionOffset
	for key, q := range l.byKey {
		off, ok := q.ready, q.hasReady
		for _, e := range q.entries {
			o, n, whole := e.prefix()
			if n > e.taken {
				off, ok, e.taken = o, true, n
			}
			if !whole {
				break
			}
		}
		switch {
		case ok:
			q.ready, q.hasReady = data.SourceOffset{}, false
			out = append(out, PartitionOffset{q.partition, off})
		case len(q.entries) == 0 && len(l.byKey) > keepQueues:
			q.gone = true
			delete(l.byKey, key)
		}
	}
	return out
}

// prefix returns the offset of the last record of the entry's settled prefix, the
// prefix's length, and whether that is all of the entry: another partition's
// record may still hold up the batch.
func (e *ledgerEntry) prefix() (off data.SourceOffset, n int, whole bool) {
	if e.done {
		return e.last, e.count, true
	}
	at := func(k int) int32 {
		if e.records == nil {
			return int32(k)
		}
		return e.records[k]
	}
	for n = e.taken; n < e.count && e.batch.isSettled(at(n)); n++ {
	}
	if n > 0 {
		off = e.batch.offset(int(at(n - 1)))
	}
	return off, n, n == e.count
}

// PutBack returns offsets that could not be stored, unless newer ones are ready.
func (l *Ledger) PutBack(offsets []PartitionOffset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range offsets {
		if q := l.queue(o.Partition); !q.hasReady {
			q.ready, q.hasReady = o.Offset, true
		}
	}
}

// Idle returns a channel that is closed once no batch is open.
func (l *Ledger) Idle() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idle
}

// Active returns the number of records that are not settled.
func (l *Ledger) Active() int64 {
	return l.In.Load() - l.Acked.Load() - l.Filtered.Load() - l.Skipped.Load()
}
