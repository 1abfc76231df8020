package kafkaclient

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/configdef"
)

const (
	// idempotentInFlight is the most requests in flight with which brokers can keep
	// an idempotent producer's order.
	idempotentInFlight = 5
	// maxBufferedRecords bounds the client's memory for records' bookkeeping (about
	// 200 bytes each); buffer.memory is what bounds a producer in practice.
	maxBufferedRecords = 1 << 19
	// batchBytes is the default of batch.size: large enough for this client's
	// throughput, and what brokers accept by default.
	batchBytes = 1 << 20
	// minBatch is the least that franz-go accepts as the size of a batch.
	minBatch = 512
	// requestBytes is Kafka's socket.request.max.bytes, the most that brokers read.
	requestBytes = 100 << 20
)

// idempotence settles acks, retries, requests in flight, idempotence and the
// transactional id together: Java switches idempotence off where it is on by default
// only and another property excludes it.
func (b *build) idempotence(v value) {
	acks := b.values["acks"]
	retries := b.values["retries"]
	inFlight := b.values["max.in.flight.requests.per.connection"]
	txn := b.values["transactional.id"]

	all := acks.text == "all" || acks.text == "-1"
	on := v.b
	if on {
		var why string
		switch {
		case retries.n == 0:
			why = "Must set retries to non-zero when using the idempotent producer."
		case !all:
			why = "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence."
		case inFlight.n > idempotentInFlight:
			why = "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer."
		}
		if why != "" {
			on = false
			if v.set {
				b.fail(configdef.ErrorOn("enable.idempotence", "%s", why))
			}
		}
	}
	if !txn.null {
		if !on {
			b.fail(configdef.ErrorOn("transactional.id", "Cannot set a transactional.id without also enabling idempotence."))
			return
		}
		b.out.Settings.TransactionalID = txn.text
		b.add(kgo.TransactionalID(txn.text))
	}
	b.out.Settings.Idempotent = on
	switch acks.text {
	case "0":
		b.add(kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		b.add(kgo.RequiredAcks(kgo.LeaderAck()))
	default:
		b.add(kgo.RequiredAcks(kgo.AllISRAcks()))
	}
	if !on {
		b.add(kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(int(inFlight.n)))
	}
	if retries.n != math.MaxInt32 {
		b.add(kgo.RecordRetries(int(retries.n)))
	}
}

func (b *build) transactionTimeout(v value) {
	if v.n < 1 {
		b.fail(configdef.InvalidValue("transaction.timeout.ms", v.text, "Value must be at least 1"))
		return
	}
	b.add(kgo.TransactionTimeout(millis(v.n)))
}

func (b *build) compression(v value) {
	codec := kgo.NoCompression()
	switch v.text {
	case "gzip":
		codec = kgo.GzipCompression()
		if l := b.values["compression.gzip.level"]; l.n != -1 {
			codec = codec.WithLevel(int(l.n))
		}
	case "snappy":
		codec = kgo.SnappyCompression()
	case "lz4":
		codec = kgo.Lz4Compression().WithLevel(lz4Level(b.values["compression.lz4.level"].n))
	case "zstd":
		codec = kgo.ZstdCompression().WithLevel(zstdLevel(b.values["compression.zstd.level"].n))
	}
	b.add(kgo.ProducerBatchCompression(codec))
}

// lz4Level turns Kafka's level into the library's, which counts from 1<<9. Kafka
// takes its default, 9, to mean the fast compressor, and so does 0 here.
func lz4Level(n int64) int {
	if n == 9 {
		return 0
	}
	return 1 << (8 + min(n, 9))
}

// zstdLevel turns Kafka's level into the library's four: fastest, default, better and
// best, where the reference implementation has about the same speed.
func zstdLevel(n int64) int {
	switch {
	case n < 3:
		return 1
	case n < 6:
		return 2
	case n < 10:
		return 3
	default:
		return 4
	}
}

// linger waits only when asked to. Kafka's default of 5 ms doesn't show outside the
// process, and this client batches behind the request that is under way.
func (b *build) linger(v value) {
	d := time.Duration(0)
	if v.set {
		d = min(millis(v.n), time.Minute)
	}
	b.add(kgo.ProducerLinger(d))
}

func (b *build) maxRequest(v value) {
	size := int32(max(minBatch, min(v.n, mostBytes)))
	b.out.Settings.MaxRequestSize = int(size)
	b.add(kgo.ProducerBatchMaxBytesFn(batchLimit(size, b.env.TopicMaxBytes)))
	b.add(kgo.BrokerMaxWriteBytes(max(requestBytes, min(size+requestOverhead, mostBytes))))
}

// requestOverhead is more than a produce request holds beside one batch.
const requestOverhead = 64 << 10

// batchLimit is the size of a batch for each topic: max.request.size, or the topic's
// own limit where that is known and less.
func batchLimit(size int32, topicMax func(string) int32) func(string) int32 {
	return func(topic string) int32 {
		// franz-go asks for the topic "" when it checks its options.
		if topicMax == nil || topic == "" {
			return size
		}
		if limit := topicMax(topic); limit > 0 {
			return max(minBatch, min(size, limit))
		}
		return size
	}
}

func (b *build) bufferMemory(v value) {
	// For franz-go 0 is unlimited; for Java it lets no record through.
	n := max(v.n, 1)
	b.add(kgo.MaxBufferedBytes(int(min(n, math.MaxInt))), kgo.MaxBufferedRecords(maxBufferedRecords))
}

// maxBlock makes a record wait for its topic as long as Java's would. franz-go counts
// tries, not time, and tries once in each shortest time between metadata requests.
func (b *build) maxBlock(v value) {
	d := millis(v.n)
	b.out.Settings.MaxBlock = d
	tries := -1
	if v.n < math.MaxInt32 {
		tries = int(max(1, d/b.metadataMinAge()))
	}
	b.add(kgo.UnknownTopicRetries(tries))
}

// deliveryTimeout follows Java: the user's value must have room for linger and one
// request, the default grows to it.
func (b *build) deliveryTimeout(v value) {
	linger, request := b.values["linger.ms"].n, b.values["request.timeout.ms"].n
	least := min(linger, math.MaxInt32) + request
	least = min(least, math.MaxInt32)
	n := v.n
	if n < least {
		if v.set {
			b.fail(configdef.ErrorOn("delivery.timeout.ms", "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"))
			return
		}
		n = least
	}
	if n >= math.MaxInt32 {
		b.add(kgo.RecordDeliveryTimeout(0))
		return
	}
	d := max(millis(n), time.Second)
	b.out.Settings.DeliveryTimeout = d
	b.add(kgo.RecordDeliveryTimeout(d))
	if b.values["transactional.id"].null {
		// Without this a record that may have been written never times out.
		b.add(kgo.AllowIdempotentProduceCancellation())
	}
}
