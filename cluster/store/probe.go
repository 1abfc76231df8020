package store

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// probe asks the brokers what lies between the positions and ends, for the
// partitions that lag, and moves the positions over offsets that hold nothing a
// reader is given: records that were aborted, compacted away or deleted. The
// client does not tell of those.
func (l *topicLog) probe(ctx context.Context, ends []int64) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for p, end := range ends {
		l.mu.Lock()
		pos := l.pos[p]
		l.mu.Unlock()
		if pos >= end {
			continue
		}
		if next, ok := l.skip(ctx, int32(p), pos, end); ok && next > pos {
			l.advanceFrom(int32(p), pos, next)
		}
	}
}

// advanceFrom moves a position unless it has moved meanwhile.
func (l *topicLog) advanceFrom(p int32, from, to int64) {
	l.mu.Lock()
	moved := l.pos[p] != from
	l.mu.Unlock()
	if !moved {
		l.advance(map[int32]int64{p: to})
	}
}

// skip fetches once at pos and returns where the next record that is given to a
// reader can be, if there is none right here.
func (l *topicLog) skip(ctx context.Context, p int32, pos, end int64) (next int64, ok bool) {
	s := l.logs
	got, err := l.fetch(ctx, s.cl, p, pos, s.o.ReadUncommitted)
	if errors.Is(err, kerr.OffsetOutOfRange) { // the beginning was deleted
		begins, err := listOffsets(ctx, s.cl, map[string]int32{l.topic.Name: l.partitions}, -2, readUncommitted)
		if err != nil {
			return 0, false
		}
		return begins[l.topic.Name][p], true
	}
	if err != nil || len(got.Records) > 0 {
		return 0, false
	}
	if got.empty && !got.throttled { // nothing at all up to what is decided
		decided := got.HighWatermark
		if !s.o.ReadUncommitted {
			decided = got.LastStableOffset
		}
		return min(end, decided), true
	}
	return got.next, true
}

// fetched is the answer to one fetch of one partition.
type fetched struct {
	kgo.FetchPartition
	next      int64 // where to go on
	empty     bool  // not even batches without records
	throttled bool  // which can be why it is empty
}

// fetch asks the partition's leader once, past the client's own fetching, for what is
// at pos, control records included.
func (l *topicLog) fetch(ctx context.Context, cl *kgo.Client, p int32, pos int64, uncommitted bool) (fetched, error) {
	leader, _, err := l.logs.cl.PartitionLeader(l.topic.Name, p)
	if err != nil {
		return fetched{}, err
	}
	if leader < 0 {
		return fetched{}, kerr.LeaderNotAvailable
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 0, 1, fetchPartitionBytes
	isolation := kgo.ReadUncommitted()
	if !uncommitted {
		req.IsolationLevel, isolation = 1, kgo.ReadCommitted()
	}
	req.SessionEpoch = -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = l.topic.Name, l.id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p, pos, fetchPartitionBytes
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	kresp, err := cl.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		return fetched{}, err
	}
	resp := kresp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return fetched{}, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return fetched{}, errors.New("the answer to a fetch lacks the partition")
	}
	part := &resp.Topics[0].Partitions[0]
	got := fetched{empty: len(part.RecordBatches) == 0, throttled: resp.ThrottleMillis != 0}
	got.FetchPartition, got.next = kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true, Offset: pos, IsolationLevel: isolation, Topic: l.topic.Name, Partition: p,
	}, part, kgo.DefaultDecompressor(), nil)
	return got, got.Err
}
