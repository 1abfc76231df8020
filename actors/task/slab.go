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
// one allocation, and the place of a record in it is its index in the batch.
type slab struct {
	recs []kgo.Record
	f    *inflight
	r    *sourceRun
}

func newSlab(f *inflight, r *sourceRun) *slab {
	s := &slab{recs: make([]kgo.Record, len(f.records)), f: f, r: r}
	f.slab = s
	return s
}

// promise is what the client calls for each record, one at a time.
func (s *slab) promise(rec *kgo.Record, err error) {
	i := int((uintptr(unsafe.Pointer(rec)) - uintptr(unsafe.Pointer(unsafe.SliceData(s.recs)))) / unsafe.Sizeof(kgo.Record{}))
	s.r.produced(s.f, i, rec, err)
}

// produceError names the topic and sorts the broker's answer into a class.
func produceError(topic string, err error) error {
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
		Cause: &connectors.Error{JavaClass: "org.apache.kafka.common.KafkaException", Class: class, Msg: "producing to topic " + topic, Cause: err}}
}

// batchPool keeps the slots of settled batches for the next ones. A batch is 2000
// slots of 240 bytes under load; making them anew each time costs a quarter of
// the source's speed in collection.
type batchPool struct {
	mu      sync.Mutex
	batches []*pipeline.Batch
	recs    [][]data.Record
}

const poolKeeps = 64

func (p *batchPool) get() *pipeline.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.batches); n > 0 {
		b := p.batches[n-1]
		p.batches = p.batches[:n-1]
		return b
	}
	return &pipeline.Batch{}
}

func (p *batchPool) slots(n int) []data.Record {
	p.mu.Lock()
	if k := len(p.recs); k > 0 && cap(p.recs[k-1]) >= n {
		s := p.recs[k-1]
		p.recs = p.recs[:k-1]
		p.mu.Unlock()
		return s[:0]
	}
	p.mu.Unlock()
	return make([]data.Record, 0, n)
}

func (p *batchPool) put(b *pipeline.Batch) {
	recs := b.Records
	clear(recs) // lines and structs must not live on in the pool
	b.Records, b.Bytes = nil, 0
	clear(b.Raw)
	b.Reset(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.batches) < poolKeeps {
		p.batches = append(p.batches, b)
	}
	if cap(recs) > 0 && len(p.recs) < poolKeeps {
		p.recs = append(p.recs, recs[:0])
	}
}
