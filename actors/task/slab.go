package task

import (
	"errors"
	"sync"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// slab holds the client's records of one batch in one piece, so that they cost
// nothing each, and the place of a record in it is its index in the batch.
type slab struct {
	recs   []kgo.Record
	f      *inflight
	r      *sourceRun
	failed bool // of a promise: the client may still hold a record; don't use the slab again
}

func newSlab(f *inflight, r *sourceRun) *slab {
	s := &slab{recs: take(&r.pool.slabs, f.n), f: f, r: r}
	f.slab = s
	return s
}

// promise is what the client calls for each record, one at a time.
func (s *slab) promise(rec *kgo.Record, err error) {
	i := int((uintptr(unsafe.Pointer(rec)) - uintptr(unsafe.Pointer(unsafe.SliceData(s.recs)))) / unsafe.Sizeof(kgo.Record{}))
	s.failed = s.failed || err != nil
	s.r.produced(s.f, i, rec, err)
}

// produceError names the topic and sorts the broker's answer into a class.
func produceError(rec *kgo.Record, err error) error {
	class := connectors.Crash
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.InvalidRecord), errors.Is(err, kerr.InvalidTimestamp):
		class = connectors.Poison
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.SaslAuthenticationFailed),
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed), errors.Is(err, kerr.InvalidTopicException):
		class = connectors.Configuration
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kgo.ErrRecordTimeout), kerr.IsRetriable(err):
		class = connectors.Transient
	}
	return &connectors.Error{JavaClass: connectors.ConnectException, Class: class, Msg: "Unrecoverable exception from producer send callback",
		Cause: &connectors.Error{JavaClass: "org.apache.kafka.common.KafkaException", Class: class, Msg: "producing to topic " + rec.Topic, Cause: tooLarge(rec, err)}}
}

// batchPool keeps what batches are made of for the next ones: making it anew costs
// a quarter of the source's speed in collection. Each part goes back as soon as its
// stage is done with it, so that a record that waits for its acknowledgement holds its
// offset and the client's record, and no more. It is safe for concurrent use.
type batchPool struct {
	batches stack[*pipeline.Batch]
	recs    stack[[]data.Record]
	raws    stack[[]pipeline.Raw]
	offsets stack[[]data.SourceOffset]
	slabs   stack[[]kgo.Record]
}

// poolKeeps bounds what is kept of each.
const poolKeeps = 48

// release lets go of what nothing has asked for since the call before: an idle task
// keeps nothing.
func (p *batchPool) release() {
	p.batches.release()
	p.recs.release()
	p.raws.release()
	p.offsets.release()
	p.slabs.release()
}

// stack holds slices or batches that nobody uses.
type stack[T any] struct {
	mu    sync.Mutex
	free  []T
	asked bool // since the last release
}

func (s *stack[T]) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.free = nil
	}
	s.asked = false
}

func (s *stack[T]) pop() (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
	n := len(s.free)
	if n == 0 {
		return v, false
	}
	v = s.free[n-1]
	var zero T
	s.free[n-1] = zero
	s.free = s.free[:n-1]
	return v, true
}

func (s *stack[T]) push(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < poolKeeps {
		s.free = append(s.free, v)
	}
}

// take returns a slice of n elements, all zero.
func take[E any](s *stack[[]E], n int) []E {
	if v, ok := s.pop(); ok && cap(v) >= n {
		return v[:n]
	}
	return make([]E, n)
}

// giveBack clears a slice, so that lines and structs don't live on in the pool, and
// keeps it.
func giveBack[E any](s *stack[[]E], v []E) {
	if cap(v) == 0 {
		return
	}
	clear(v)
	s.push(v[:0])
}

func (p *batchPool) get() *pipeline.Batch {
	if b, ok := p.batches.pop(); ok {
		return b
	}
	return &pipeline.Batch{}
}

// slots returns an empty slice with room for n records.
func (p *batchPool) slots(n int) []data.Record { return take(&p.recs, n)[:0] }

// put takes back a batch with what it still holds.
func (p *batchPool) put(b *pipeline.Batch) {
	if b.Recycle {
		giveBack(&p.recs, b.Records)
	}
	giveBack(&p.raws, b.Raw)
	b.Records, b.Raw, b.Bytes, b.Recycle = nil, nil, 0, false
	b.Reset(0)
	p.batches.push(b)
}
