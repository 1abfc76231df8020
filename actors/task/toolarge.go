package task

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// resender sends the records of refused batches again, one by one.
//
// A broker refuses a batch as a whole, and the client passes that on for each of
// its records: those that are small enough would be skipped, or would fail the
// task, because of their neighbour or because there are many of them. Java's
// producer splits such a batch. Here records of the same partition that were sent
// after the batch may overtake it, which is logged.
type resender struct {
	mu     sync.Mutex
	queue  []resent
	busy   bool
	warned bool
}

type resent struct {
	f   *inflight
	i   int
	rec *kgo.Record
}

// resend takes over a record if it may have been refused because of others.
func (r *sourceRun) resend(f *inflight, i int, rec *kgo.Record, err error) bool {
	if !errors.Is(err, kerr.MessageTooLarge) {
		return false
	}
	s := &r.again
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.warned {
		s.warned = true
		r.Log.Warn("a batch was refused as too large; its records are sent again one by one, and those sent after it may overtake them. A smaller producer.override.batch.size, or a larger max.message.bytes of the topic, prevents that",
			"topic", rec.Topic, "err", err)
	}
	s.queue = append(s.queue, resent{f, i, rec})
	if !s.busy {
		s.busy = true
		r.others.Go(func() {
			if err := guard(func() error { r.resendLoop(); return nil }); err != nil {
				r.failStages(err)
			}
		})
	}
	return true
}

// resendLoop works off the queue with a client of its own, in which no other
// record can join a batch.
func (r *sourceRun) resendLoop() {
	client, err := kgo.NewClient(r.parts.Load().Client.Opts()...)
	if err != nil {
		r.fail(connectors.Errorf("making a producer for refused batches: %w", err))
		return
	}
	defer client.Close()
	s := &r.again
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.busy = false
			s.mu.Unlock()
			return
		}
		m := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if !r.allowed() {
			return
		}
		switch err := client.ProduceSync(r.ctx, m.rec).FirstErr(); {
		case err == nil:
			m.f.settle(m.i)
		case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed), r.dead.Load():
			return // asked to stop
		default:
			r.unproduced(m.f, m.i, m.rec, err)
		}
	}
}

// tooLarge adds to the answer that a record is too large which record that is and
// which limits there are; other errors stay as they are.
func tooLarge(rec *kgo.Record, err error) error {
	if !errors.Is(err, kerr.MessageTooLarge) {
		return err
	}
	return &connectors.Error{JavaClass: "org.apache.kafka.common.errors.RecordTooLargeException", Class: connectors.Poison, Cause: err,
		Msg: fmt.Sprintf("a record of %d bytes is over a limit: max.request.size of the producer (producer.override.max.request.size in the connector's configuration, producer.max.request.size in the worker's), max.message.bytes of topic %s, or message.max.bytes of the broker. Raise it, or set errors.tolerance=all to skip such records",
			len(rec.Key)+len(rec.Value), rec.Topic)}
}
