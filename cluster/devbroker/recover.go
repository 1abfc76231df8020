package devbroker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// After a crash kfake treats the transactions that were open as aborted, in its
// memory: it writes no marker into the log. A reader that wants committed records
// only leaves out everything of such a producer up to a marker, and so would leave
// out the producer's next, committed transaction. This file writes the markers,
// before any client is answered.

// dropUnstableSnapshots removes kfake's snapshots of partitions that had an open
// transaction when they were written, at an earlier clean shutdown. kfake would
// start from one if nothing was appended to the partition since, and would then
// not know of the transaction at all. Without it the whole partition is read.
func dropUnstableSnapshots(data string) error {
	paths, err := filepath.Glob(filepath.Join(data, "partitions", "*", "snapshot.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var snapshot struct {
			HighWatermark    *int64 `json:"high_watermark"`
			LastStableOffset *int64 `json:"last_stable_offset"`
		}
		// What cannot be read is removed too: kfake would pass over it as well.
		if json.Unmarshal(text, &snapshot) == nil && snapshot.HighWatermark != nil && snapshot.LastStableOffset != nil &&
			*snapshot.LastStableOffset >= *snapshot.HighWatermark {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// producer is a producer id with the epoch of its last transactional batch.
type producer struct {
	id    int64
	epoch int16
}

// abortOpenTransactions ends every transaction that has records without a marker
// after them, and returns how many there were. It reads the whole log when there
// ever was a transactional producer.
func abortOpenTransactions(ctx context.Context, client *kgo.Client) (int, error) {
	admin := kadm.NewClient(client)

	known, err := admin.ListTransactions(ctx, nil, nil)
	if err != nil {
		return 0, fmt.Errorf("listing transactional producers: %w", err)
	}
	if len(known) == 0 {
		return 0, nil
	}
	topics, err := admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return 0, fmt.Errorf("listing topics: %w", err)
	}
	open := map[producer]kadm.TopicsSet{}
	for _, topic := range topics.Sorted() {
		for _, partition := range topic.Partitions.Sorted() {
			producers, err := openProducers(ctx, client, topic, partition)
			if err != nil {
				return 0, fmt.Errorf("reading %s-%d: %w", topic.Topic, partition.Partition, err)
			}
			for _, p := range producers {
				where := open[p]
				where.Add(topic.Topic, partition.Partition)
				open[p] = where
			}
		}
	}
	for p, where := range open {
		marker := kadm.TxnMarkers{ProducerID: p.id, ProducerEpoch: p.epoch, Topics: where}
		written, err := admin.WriteTxnMarkers(ctx, marker)
		if err != nil {
			return 0, fmt.Errorf("aborting the transaction of producer %d: %w", p.id, err)
		}
		written.EachPartition(func(r kadm.TxnMarkersPartitionResponse) {
			if r.Err != nil {
				err = fmt.Errorf("aborting the transaction of producer %d in %s-%d: %w", p.id, r.Topic, r.Partition, r.Err)
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return len(open), nil
}

// fetchBytes bounds one read of one partition; a batch that is larger comes whole.
const fetchBytes = 8 << 20

// openProducers reads a partition's batch headers from its beginning to its end
// and returns the producers whose last transaction has no marker.
func openProducers(ctx context.Context, client *kgo.Client, topic kadm.TopicDetail, partition kadm.PartitionDetail) ([]producer, error) {
	open := map[int64]int16{} // producer id -> epoch
	for next := int64(0); ; {
		req := kmsg.NewPtrFetchRequest()
		req.MinBytes, req.MaxBytes, req.MaxWaitMillis = 0, fetchBytes, 0
		reqTopic := kmsg.NewFetchRequestTopic()
		reqTopic.Topic, reqTopic.TopicID = topic.Topic, topic.ID
		reqPartition := kmsg.NewFetchRequestTopicPartition()
		reqPartition.Partition = partition.Partition
		reqPartition.FetchOffset = next
		reqPartition.PartitionMaxBytes = fetchBytes
		reqTopic.Partitions = append(reqTopic.Partitions, reqPartition)
		req.Topics = append(req.Topics, reqTopic)

		raw, err := client.Broker(int(partition.Leader)).RetriableRequest(ctx, req)
		if err != nil {
			return nil, err
		}
		resp := raw.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return nil, err
		}
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return nil, errors.New("an answer that is not about this partition")
		}
		got := resp.Topics[0].Partitions[0]
		if got.ErrorCode == kerr.OffsetOutOfRange.Code && next < got.LogStartOffset {
			next = got.LogStartOffset
			continue
		}
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return nil, err
		}
		after := trackTransactions(got.RecordBatches, open)
		if after <= next {
			break
		}
		next = after
	}
	var producers []producer
	for id, epoch := range open {
		producers = append(producers, producer{id, epoch})
	}
	return producers, nil
}

// Places in the header of a record batch (version 2).
const (
	batchLength     = 8 // of what follows it
	batchAttributes = 21
	batchLastDelta  = 23
	batchProducerID = 43
	batchEpoch      = 51
	batchHeader     = 61

	attributeTransactional = 0x10
	attributeControl       = 0x20
)

// trackTransactions keeps open up to date with the whole batches in b, and
// returns the offset after the last of them, 0 if there is none.
func trackTransactions(b []byte, open map[int64]int16) (next int64) {
	for len(b) >= batchHeader {
		size := 12 + int64(int32(binary.BigEndian.Uint32(b[batchLength:])))
		if size < batchHeader || size > int64(len(b)) {
			return next
		}
		attributes := binary.BigEndian.Uint16(b[batchAttributes:])
		id := int64(binary.BigEndian.Uint64(b[batchProducerID:]))
		switch {
		case attributes&attributeControl != 0:
			delete(open, id)
		case attributes&attributeTransactional != 0:
			open[id] = int16(binary.BigEndian.Uint16(b[batchEpoch:]))
		}
		next = int64(binary.BigEndian.Uint64(b)) + int64(int32(binary.BigEndian.Uint32(b[batchLastDelta:]))) + 1
		b = b[size:]
	}
	return next
}
