package store

import (
	"context"
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
	leader, _, err := s.cl.PartitionLeader(l.topic.Name, p)
	if err != nil || leader < 0 {
		return 0, false
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 0, 1, fetchPartitionBytes
	isolation := kgo.ReadUncommitted()
	if !s.o.ReadUncommitted {
		req.IsolationLevel, isolation = 1, kgo.ReadCommitted()
	}
	req.SessionEpoch = -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = l.topic.Name, l.id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p, pos, fetchPartitionBytes
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	kresp, err := s.cl.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		return 0, false
	}
	resp := kresp.(*kmsg.FetchResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, false
	}
	part := &resp.Topics[0].Partitions[0]
	if part.ErrorCode == kerr.OffsetOutOfRange.Code { // the beginning was deleted
		begins, err := listOffsets(ctx, s.cl, map[string]int32{l.topic.Name: l.partitions}, -2)
		if err != nil {
			return 0, false
		}
		return begins[l.topic.Name][p], true
	}
	empty := len(part.RecordBatches) == 0
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true, Offset: pos, IsolationLevel: isolation, Topic: l.topic.Name, Partition: p,
	}, part, kgo.DefaultDecompressor(), nil)
	if fp.Err != nil || len(fp.Records) > 0 {
		return 0, false
	}
	if empty && resp.ThrottleMillis == 0 { // nothing at all up to what is decided
		decided := fp.HighWatermark
		if !s.o.ReadUncommitted {
			decided = fp.LastStableOffset
		}
		return min(end, decided), true
	}
	return next, true
}
