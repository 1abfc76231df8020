package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka Connect with its defaults reads the config topic uncommitted: what a leader's
// aborted transaction left there counts for it as if it were committed. So whoever
// leads appends what is really the case, for each key whose last record was aborted.

// Mend reads the config topic uncommitted from where it was last known to be clean, and
// writes by w, in one call, what [ConfigStore.Aborted] says is missing. It is for a
// leader that has read the topic to its end and decides nothing before.
func (s *ConfigStore) Mend(ctx context.Context, w Writer) error {
	recs, clean, err := s.Aborted(ctx, s.clean.Load())
	if err != nil {
		return err
	}
	if len(recs) > 0 {
		s.log.logs.log.Warn("A transaction of a leader was aborted; what was the case before is written again, for readers that take aborted records for real",
			"topic", s.log.topic.Name, "records", len(recs))
		if err := w.Write(ctx, recs...); err != nil {
			return fmt.Errorf("writing to topic %s again what aborted records hide: %w", s.log.topic.Name, err)
		}
		if err := s.log.readToEnd(ctx); err != nil {
			return err
		}
	}
	s.clean.Store(clean)
	return nil
}

// Aborted reads the config topic uncommitted, with a client of its own, and returns
// the records that, appended in this order, make an uncommitted reader see what a
// committed one does: for each key whose last record was aborted the committed value,
// as it was written, or a tombstone where there is none. Two kinds of keys need more:
//
//   - A connector's task configurations come as a full set with their commit; a commit
//     of no tasks where no set was complete. The set comes too when the connector's own
//     record is mended (an aborted removal takes the tasks along) and when that of its
//     zombie fencing is (the order of the two says whether fencing is due).
//   - A restart request gets a tombstone: its former value would restart once more.
//
// from is an offset that is known to be clean, or 0. Once the records are written, clean
// is such an offset. A transaction that is still open is left alone, and holds clean back.
func (s *ConfigStore) Aborted(ctx context.Context, from int64) (again []*kgo.Record, clean int64, err error) {
	cl, err := s.log.logs.o.Client(kgo.DisableIdempotentWrite())
	if err != nil {
		return nil, 0, fmt.Errorf("making the client that looks for aborted records: %w", err)
	}
	defer cl.Close()
	t, err := s.log.transactions(ctx, cl, from)
	if err == nil && from > 0 {
		if recs, _ := t.missing(); len(recs) > 0 { // what was committed can be anywhere
			t, err = s.log.transactions(ctx, cl, 0)
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("looking for aborted records in topic %s: %w", s.log.topic.Name, err)
	}
	missing, clean := t.missing()
	for _, r := range missing {
		again = append(again, &kgo.Record{Topic: s.log.topic.Name, Key: []byte(r.key), Value: r.value})
	}
	return again, clean, nil
}

// transactions reads from an offset to the end as of now.
func (l *topicLog) transactions(ctx context.Context, cl *kgo.Client, from int64) (*transactions, error) {
	ends, err := l.endOffsets(ctx)
	if err != nil {
		return nil, err
	}
	t := &transactions{pos: max(from, 0), open: make(map[int64]*outcome)}
	wait := 10 * time.Millisecond
	for t.pos < ends[0] {
		got, err := l.fetch(ctx, cl, 0, t.pos, true)
		switch {
		case errors.Is(err, kerr.OffsetOutOfRange): // the beginning was deleted
			var begins map[string][]int64
			if begins, err = l.logs.listUntil(ctx, map[string]int32{l.topic.Name: l.partitions}, -2); err == nil {
				if begin := begins[l.topic.Name][0]; begin > t.pos {
					t.pos = begin
					continue
				}
				err = kerr.OffsetOutOfRange
			}
			return nil, err
		case err == nil && (got.next > t.pos || len(got.Records) > 0):
			for _, r := range got.Records {
				t.take(r)
			}
			t.pos = max(t.pos, got.next)
			wait = 10 * time.Millisecond
			continue
		case err != nil && !retriable(err):
			return nil, err
		}
		select { // an error that passes, or a follower's lag
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
	return t, nil
}
