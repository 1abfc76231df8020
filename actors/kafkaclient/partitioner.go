package kafkaclient

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/configdef"
)

const (
	roundRobinPartitioner = "org.apache.kafka.clients.producer.RoundRobinPartitioner"

	// AnyPartition in a record's Partition lets the partitioner choose. It must be
	// written there: the zero value is partition 0.
	AnyPartition int32 = -1
)

func (b *build) partitioner(v value) {
	size := b.values["batch.size"]
	bytes := int(max(size.n, 1))
	if !size.set {
		bytes = int(max(1, min(b.values["max.request.size"].n, batchBytes)))
	}
	switch v.text {
	case "":
		p := kgo.UniformBytesPartitioner(bytes,
			b.values["partitioner.adaptive.partitioning.enable"].b,
			!b.values["partitioner.ignore.keys"].b, nil)
		b.add(kgo.RecordPartitioner(orGiven{p}))
	case roundRobinPartitioner:
		b.add(kgo.RecordPartitioner(orGiven{kgo.RoundRobinPartitioner()}))
	default:
		b.fail(configdef.InvalidValue("partitioner.class", v.text, "Class "+v.text+" could not be found."))
	}
}

// orGiven obeys the partition in a record and asks the partitioner behind it for
// records with [AnyPartition].
type orGiven struct{ kgo.Partitioner }

func (p orGiven) ForTopic(topic string) kgo.TopicPartitioner {
	inner := p.Partitioner.ForTopic(topic)
	if backup, ok := inner.(kgo.TopicBackupPartitioner); ok {
		return givenOrBackup{backup}
	}
	return givenOrNext{inner}
}

type givenOrNext struct{ inner kgo.TopicPartitioner }

func (p givenOrNext) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.inner.RequiresConsistency(r)
}

func (p givenOrNext) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.inner.Partition(r, n)
}

type givenOrBackup struct{ inner kgo.TopicBackupPartitioner }

func (p givenOrBackup) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.inner.RequiresConsistency(r)
}

func (p givenOrBackup) Partition(r *kgo.Record, n int) int { return p.inner.Partition(r, n) }

func (p givenOrBackup) PartitionByBackup(r *kgo.Record, n int, backup kgo.TopicBackupIter) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.inner.PartitionByBackup(r, n, backup)
}
