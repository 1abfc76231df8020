package task

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// DLQ writes failed records of a sink task to a dead letter queue: original key,
// value, headers and timestamp, and, if wanted, headers that say what happened
// (errors.deadletterqueue.*).
type DLQ struct {
	Client   *kgo.Client
	Line     *kafkaclient.Line // the client's; nil: it is not cut
	Topic    string
	Context  bool // errors.deadletterqueue.context.headers.enable
	Task     connectors.TaskID
	Log      *slog.Logger
	Counters *pipeline.Counters
}

// The prefix of the headers that tell what happened.
const errorHeader = "__connect.errors."

// Report implements [pipeline.Reporter].
func (d *DLQ) Report(ctx context.Context, r pipeline.Report) {
	if r.Raw == nil {
		return
	}
	d.Counters.DLQRequests.Add(1)
	rec := &kgo.Record{Topic: d.Topic, Key: r.Raw.Key, Value: r.Raw.Value, Partition: kafkaclient.AnyPartition}
	if r.Raw.Timestamp >= 0 {
		rec.Timestamp = time.UnixMilli(r.Raw.Timestamp)
	}
	for _, h := range r.Raw.Headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if d.Context {
		add := func(k, v string) {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: errorHeader + k, Value: []byte(v)})
		}
		add("topic", r.Raw.Topic)
		add("partition", strconv.Itoa(int(r.Raw.Partition)))
		add("offset", strconv.FormatInt(r.Raw.Offset, 10))
		add("connector.name", d.Task.Connector)
		add("task.id", strconv.Itoa(d.Task.Task))
		add("stage", string(r.Stage))
		add("class.name", r.Class)
		add("exception.class.name", connectors.JavaClass(r.Err))
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: errorHeader + "exception.message", Value: message(r.Err)})
		add("exception.stacktrace", Trace(r.Err, ""))
	}
	// The report must outlive a task that is about to die of this very record, so
	// its context is not the task's.
	d.Client.Produce(context.WithoutCancel(ctx), rec, func(_ *kgo.Record, err error) {
		if err != nil {
			d.Counters.DLQFailures.Add(1)
			d.Log.Error(fmt.Sprintf("Could not produce message to dead letter queue. topic=%s", d.Topic), "err", err)
		}
	})
}

// Flush waits until all reports are written or have failed.
func (d *DLQ) Flush(ctx context.Context) error { return d.Client.Flush(ctx) }

// Abort closes the client without what it has not written yet.
func (d *DLQ) Abort() {
	d.Line.Cut()
	d.Client.Close()
}

// Close flushes, for five seconds at most, and closes the client.
func (d *DLQ) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := d.Flush(ctx); err != nil {
		d.Log.Error("reports to the dead letter queue are lost", "topic", d.Topic, "reports", d.Client.BufferedProduceRecords(), "err", err)
	}
	d.Line.Release()
	d.Client.Close()
}

// commitAnswer stores the first error of a commit in failed.
func commitAnswer(failed *error) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			*failed = err
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if e := kerr.ErrorForCode(p.ErrorCode); e != nil && *failed == nil {
					*failed = fmt.Errorf("committing %s-%d: %w", t.Topic, p.Partition, e)
				}
			}
		}
	}
}
