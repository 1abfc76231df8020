package kafkaclient

import (
	"math"

	"github.com/troupeio/troupe/codec/configdef"
)

const byteArraySerializer = "org.apache.kafka.common.serialization.ByteArraySerializer"

// producerTable holds what only the producer knows.
func producerTable() []Entry {
	rows := []Entry{
		{Name: "acks", Type: String, Default: "all", Importance: "LOW", Valid: "[all, -1, 0, 1]", Effect: Mapped,
			Note: "As Kafka's.", check: oneOf("all", "-1", "0", "1"), by: "enable.idempotence"},
		{Name: "retries", Type: Int, Default: "2147483647", Importance: "HIGH", Valid: "[0,...,2147483647]", Effect: Mapped,
			Note: "Attempts to write a record after the first; unlimited by default, within delivery.timeout.ms.", check: between(0, math.MaxInt32), by: "enable.idempotence"},
		{Name: "max.in.flight.requests.per.connection", Type: Int, Default: "5", Importance: "LOW", Valid: "[1,...]", Effect: Mapped,
			Note: "As given when idempotence is off; an idempotent producer always uses 5.", check: atLeast(1), by: "enable.idempotence"},
		{Name: "transactional.id", Type: String, Null: true, Importance: "LOW", Valid: "non-empty string", Effect: Mapped,
			Note: "As Kafka's.", check: nonEmpty, by: "enable.idempotence"},
		{Name: "enable.idempotence", Type: Boolean, Default: "true", Importance: "LOW", Effect: Mapped,
			Note: "As Kafka's, with its rules about acks, retries, requests in flight and transactions.", set: (*build).idempotence},
		{Name: "transaction.timeout.ms", Type: Int, Default: "60000", Importance: "LOW", Effect: Mapped, Note: "As Kafka's.", set: (*build).transactionTimeout},
		{Name: "transaction.two.phase.commit.enable", Type: Boolean, Default: "false", Importance: "LOW", Effect: Refused,
			Note: "Only `false`.", check: onlyOf("two-phase commit is not supported", "false")},
		{Name: "compression.gzip.level", Type: Int, Default: "-1", Importance: "MEDIUM", Valid: "[1,...,9] or -1", Effect: Mapped,
			Note: "As Kafka's.", check: gzipLevel, by: "compression.type"},
		{Name: "compression.lz4.level", Type: Int, Default: "9", Importance: "MEDIUM", Valid: "[1,...,17]", Effect: Mapped,
			Note: "As Kafka's, where 9 means the fast compressor; above 9 as 9 of the slow one.", check: between(1, 17), by: "compression.type"},
		{Name: "compression.zstd.level", Type: Int, Default: "3", Importance: "MEDIUM", Valid: "[-131072,...,22]", Effect: Mapped,
			Note: "Below 3, 3 to 5, 6 to 9 and from 10 on: the library has four levels.", check: between(-131072, 22), by: "compression.type"},
		{Name: "compression.type", Type: String, Default: "none", Importance: "HIGH", Valid: "[none, gzip, snappy, lz4, zstd]", Effect: Mapped,
			Note: "As Kafka's; nothing is compressed by default.", check: oneOf("none", "gzip", "snappy", "lz4", "zstd"), set: (*build).compression},
		{Name: "linger.ms", Type: Long, Default: "5", Importance: "MEDIUM", Valid: "[0,...]", Effect: Mapped,
			Note: "As given, up to 1 min. Not set, nothing waits: what arrives while a request is under way is the next batch.", check: atLeast(0), set: (*build).linger},
		{Name: "max.request.size", Type: Int, Default: "1048576", Importance: "MEDIUM", Valid: "[0,...]", Effect: Mapped,
			Note:  "Largest record and largest batch before compression, 512 B to 1 GiB. Raise the topic's max.message.bytes with it: batches fill up to it.",
			check: atLeast(0), set: (*build).maxRequest},
		{Name: "batch.size", Type: Int, Default: "16384", Importance: "MEDIUM", Valid: "[0,...]", Effect: Mapped,
			Note:  "Bytes after which records without a key go on to another partition. It doesn't bound a batch, only max.request.size does: the client has one limit for batches and records. Not set, it is max.request.size, at most 1 MiB, since 16 KiB would slow this client down.",
			check: atLeast(0), by: "partitioner.class"},
		{Name: "partitioner.ignore.keys", Type: Boolean, Default: "false", Importance: "MEDIUM", Effect: Mapped, Note: "As Kafka's.", by: "partitioner.class"},
		{Name: "partitioner.adaptive.partitioning.enable", Type: Boolean, Default: "true", Importance: "LOW", Effect: Mapped, Note: "As Kafka's.", by: "partitioner.class"},
		{Name: "partitioner.availability.timeout.ms", Type: Long, Default: "0", Importance: "LOW", Valid: "[0,...]", Effect: NoEffect,
			Note: "Adaptive partitioning already avoids partitions that fall behind.", check: atLeast(0)},
		{Name: "partitioner.class", Type: Class, Null: true, Importance: "MEDIUM", Effect: Mapped,
			Note: "Kafka's default (murmur2 of the key; without a key the same partition for a while) or `" + roundRobinPartitioner + "`; other classes are refused. A partition given in the record always wins.",
			set:  (*build).partitioner},
		{Name: "buffer.memory", Type: Long, Default: "33554432", Importance: "HIGH", Valid: "[0,...]", Effect: Mapped,
			Note: "Bytes that may wait to be sent; Produce blocks beyond.", check: atLeast(0), set: (*build).bufferMemory},
		{Name: "max.block.ms", Type: Long, Default: "60000", Importance: "MEDIUM", Valid: "[0,...]", Effect: Mapped,
			Note: "How long a record waits for its topic to appear; the worker bounds Produce with it.", check: atLeast(0), set: (*build).maxBlock},
		{Name: "delivery.timeout.ms", Type: Int, Default: "120000", Importance: "MEDIUM", Valid: "[0,...]", Effect: Mapped,
			Note: "Time for a record to be written, at least 1 s; 2147483647 means no limit.", check: atLeast(0), set: (*build).deliveryTimeout},
		{Name: "metadata.max.idle.ms", Type: Long, Default: "300000", Importance: "LOW", Valid: "[5000,...]", Effect: NoEffect,
			Note: "A topic's metadata is kept as long as the client lives.", check: atLeast(5000)},
		{Name: "key.serializer", Type: Class, Required: true, Importance: "HIGH", Effect: Refused,
			Note: "Only Kafka's ByteArraySerializer: converters make the bytes.", check: onlyOf("records are written as the converters' bytes; only "+byteArraySerializer+" is supported", byteArraySerializer)},
		{Name: "value.serializer", Type: Class, Required: true, Importance: "HIGH", Effect: Refused,
			Note: "Only Kafka's ByteArraySerializer: converters make the bytes.", check: onlyOf("records are written as the converters' bytes; only "+byteArraySerializer+" is supported", byteArraySerializer)},
	}
	for i := range rows {
		rows[i].kinds = producer
	}
	return rows
}

func gzipLevel(e *Entry, v value) *ConfigError {
	if v.n != -1 && (v.n < 1 || v.n > 9) {
		return configdef.InvalidValue(e.Name, v.text, "Value must be between 1 and 9 or equal to -1")
	}
	return nil
}
