package store

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// epochHeader is the header of offset and status records that says in which stay of a
// task or connector they were written. Kafka Connect writes none and ignores it.
const epochHeader = "troupe.epoch"

// EpochHeader makes the header.
func EpochHeader(epoch int64) kgo.RecordHeader {
	return kgo.RecordHeader{Key: epochHeader, Value: strconv.AppendInt(nil, epoch, 10)}
}

// EpochOf reads the header of a record; ok is false for one that has none, which is
// taken as it comes.
func EpochOf(r *kgo.Record) (epoch int64, ok bool) {
	for _, h := range r.Headers {
		if h.Key == epochHeader {
			n, err := strconv.ParseInt(string(h.Value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
