package data

import (
	"math"
	"strconv"
	"strings"
)

// TimestampType says what a sink record's timestamp means.
type TimestampType int8

// The timestamp types of Kafka.
const (
	NoTimestampType TimestampType = -1
	CreateTime      TimestampType = 0
	LogAppendTime   TimestampType = 1
)

// String returns Kafka's name of the timestamp type.
func (t TimestampType) String() string {
	switch t {
	case CreateTime:
		return "CreateTime"
	case LogAppendTime:
		return "LogAppendTime"
	}
	return "NoTimestampType"
}

// NoPartition and NoTimestamp stand for Java's null in a record.
const (
	NoPartition int32 = math.MinInt32
	NoTimestamp int64 = math.MinInt64
)

// SourceOffset is where in its source partition a record stands: a map of
// strings to primitive values. The one-field offset of a file or a sequence is
// kept in place, so that it costs no allocation.
type SourceOffset struct {
	m   *MapValue
	key string
	n   int64
}

// LongOffset is the offset {key: n}.
func LongOffset(key string, n int64) SourceOffset { return SourceOffset{key: key, n: n} }

// MapOffset is the offset m; nil stands for a null offset.
func MapOffset(m *MapValue) SourceOffset { return SourceOffset{m: m} }

// IsNull reports whether there is no offset.
func (o SourceOffset) IsNull() bool { return o.m == nil && o.key == "" }

// Map returns the offset as a map; nil when there is none.
func (o SourceOffset) Map() *MapValue {
	if o.key != "" {
		return NewMap([]MapEntry{{OfString(o.key), OfInt64(o.n)}})
	}
	return o.m
}

// Record is one record on its way through a task. Which of the last two groups
// of fields is set depends on the task's kind.
//
// A stage owns the record while it holds its batch; keys, values, schemas and
// headers are shared and never written, so a shallow copy is a good copy.
type Record struct {
	Topic       string // "" stands for null
	Partition   int32  // NoPartition for null
	Timestamp   int64  // epoch ms; NoTimestamp for null
	KeySchema   *Schema
	Key         Value
	ValueSchema *Schema
	Value       Value
	Headers     Headers

	// Of a source record. The partition is compared by pointer first: a task
	// hands out the same map for the same partition.
	SourcePartition *MapValue
	SourceOffset    SourceOffset

	// Of a sink record; Original… are the coordinates before transforms (KIP-793).
	Sink              bool
	TimestampType     TimestampType
	Offset            int64
	OriginalTopic     string
	OriginalPartition int32
	OriginalOffset    int64
}

// NewSourceRecord returns a record without key, partition or timestamp.
func NewSourceRecord(partition *MapValue, offset SourceOffset, topic string, schema *Schema, value Value) Record {
	return Record{Topic: topic, Partition: NoPartition, Timestamp: NoTimestamp, ValueSchema: schema, Value: value,
		SourcePartition: partition, SourceOffset: offset, TimestampType: NoTimestampType}
}

// String returns the text form in which Kafka Connect logs a record.
func (r *Record) String() string {
	var b strings.Builder
	if r.Sink {
		b.WriteString("SinkRecord{kafkaOffset=" + strconv.FormatInt(r.Offset, 10) + ", timestampType=" + r.TimestampType.String() +
			", originalTopic=" + topicText(r.OriginalTopic) + ", originalKafkaPartition=" + strconv.Itoa(int(r.OriginalPartition)) +
			", originalKafkaOffset=" + strconv.FormatInt(r.OriginalOffset, 10) + "} ")
	} else {
		b.WriteString("SourceRecord{sourcePartition=" + OfMap(r.SourcePartition).String() + ", sourceOffset=" + OfMap(r.SourceOffset.Map()).String() + "} ")
	}
	b.WriteString("ConnectRecord{topic='" + topicText(r.Topic) + "', kafkaPartition=")
	if r.Partition == NoPartition {
		b.WriteString("null")
	} else {
		b.WriteString(strconv.Itoa(int(r.Partition)))
	}
	b.WriteString(", key=" + r.Key.String() + ", keySchema=" + r.KeySchema.String() + ", value=" + r.Value.String() +
		", valueSchema=" + r.ValueSchema.String() + ", timestamp=")
	if r.Timestamp == NoTimestamp {
		b.WriteString("null")
	} else {
		b.WriteString(strconv.FormatInt(r.Timestamp, 10))
	}
	b.WriteString(", headers=ConnectHeaders(headers=")
	for i := range r.Headers.Len() {
		h := r.Headers.At(i)
		if i == 0 {
			b.WriteByte('[')
		} else {
			b.WriteString(", ")
		}
		b.WriteString("ConnectHeader(key=" + h.Key + ", value=" + h.Value.String() + ", schema=" + h.Schema.String() + ")")
	}
	if r.Headers.Len() > 0 {
		b.WriteByte(']')
	}
	b.WriteString(")}")
	return b.String()
}

func topicText(topic string) string {
	if topic == "" {
		return "null"
	}
	return topic
}
