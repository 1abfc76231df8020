package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// asText is a converter of strings.
type asText struct{}

func (asText) FromConnect(_ string, _ *data.Schema, v data.Value, _ []byte) ([]byte, error) {
	return v.Bytes(), nil
}

func (asText) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return data.OptionalStringSchema, data.Null, nil
	}
	return data.OptionalStringSchema, data.OfText(b), nil
}

func (asText) FromConnectHeader(string, string, *data.Schema, data.Value) ([]byte, error) {
	return nil, nil
}

func (asText) ToConnectHeader(string, string, []byte) (*data.Schema, data.Value, error) {
	return nil, data.Null, nil
}

// oneBatch is a source of one batch of five records.
type oneBatch struct{ done bool }

func (o *oneBatch) Start(context.Context, connectors.SourceTaskContext, map[string]string) error {
	return nil
}

func (o *oneBatch) Poll(ctx context.Context) ([]data.Record, error) {
	if o.done {
		<-ctx.Done()
		return nil, nil
	}
	o.done = true
	part := data.NewStringMap("source", data.OfString("one"))
	var recs []data.Record
	for i := range 5 {
		recs = append(recs, data.NewSourceRecord(part, data.LongOffset("n", int64(i)), "traced", data.StringSchema, data.OfString(fmt.Sprint(i))))
	}
	return recs, nil
}

func (o *oneBatch) Stop(context.Context) error { return nil }

// counting is a sink that counts.
type counting struct{ n *atomic.Int64 }

func (c counting) Start(context.Context, connectors.SinkTaskContext, map[string]string) error {
	return nil
}

func (c counting) Put(_ context.Context, recs []data.Record) error {
	c.n.Add(int64(len(recs)))
	return nil
}

func (c counting) Stop(context.Context) error { return nil }

type noOffsets struct{}

func (noOffsets) Offset(context.Context, *data.MapValue) (*data.MapValue, error) { return nil, nil }
func (noOffsets) Offsets(_ context.Context, ps []*data.MapValue) ([]*data.MapValue, error) {
	return make([]*data.MapValue, len(ps)), nil
}
func (noOffsets) Put(context.Context, []task.PartitionOffset) error { return nil }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

// TestSourceToSink runs a source and a sink with one broker between them. The trace
// of the source's batch goes on in the sink's, which would sample nothing by itself,
// and the scrape tells what was done.
func TestSourceToSink(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "traced"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	addrs := kgo.SeedBrokers(cluster.ListenAddrs()...)
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer sys.Shutdown()
	f := &fakeWork{}
	m, cfg := newTestMetrics(f)
	common := func(i *worker.TaskInfo) task.Common {
		return task.Common{ID: i.ID, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Policy: task.DefaultPolicy(), Listener: cfg.States, Metrics: i.Metrics,
			Grace: 2 * time.Second, CallTimeout: 5 * time.Second, Budget: 1 << 20, FlushInterval: 50 * time.Millisecond, FlushTimeout: 2 * time.Second}
	}
	converters := func(e *pipeline.Errors) *pipeline.Converters {
		side := pipeline.Side{Class: "text", Converter: asText{}}
		return &pipeline.Converters{Key: side, Value: side, Header: asText{}, Errors: e}
	}

	srcTraces, srcSpans := inMemory(sdktrace.AlwaysSample())
	src := f.task("from", 0, connectors.SourceKind, "OneBatch")
	srcPID := sys.Root.Spawn(task.SourceProps(task.SourceSpec{Common: common(src), Offsets: noOffsets{}, Spans: srcTraces.Spans(), Build: func(context.Context) (*task.SourceParts, error) {
		e := &pipeline.Errors{Counters: &src.Metrics.Counters}
		cl, err := kgo.NewClient(addrs)
		return &task.SourceParts{Task: &oneBatch{}, TaskClass: "OneBatch", Chain: &pipeline.Chain{Errors: e}, Converters: converters(e), Errors: e, Client: cl}, err
	}}, false))
	eventually(t, "the batch to be acknowledged", func() bool { return src.Metrics.BatchTime.Count.Load() == 1 })

	sinkTraces, sinkSpans := inMemory(sdktrace.ParentBased(sdktrace.NeverSample()))
	sink := f.task("to", 0, connectors.SinkKind, "Counting")
	var n atomic.Int64
	sinkPID := sys.Root.Spawn(task.SinkProps(task.SinkSpec{Common: common(sink), Spans: sinkTraces.Spans(), Build: func(context.Context) (*task.SinkParts, error) {
		e := &pipeline.Errors{Counters: &sink.Metrics.Counters}
		return &task.SinkParts{Task: counting{&n}, TaskClass: "Counting", Chain: &pipeline.Chain{Errors: e, Sink: true}, Converters: converters(e), Errors: e,
			MaxPoll: 500, Group: "connect-to", NewClient: func(extra ...kgo.Opt) (*kgo.Client, error) {
				return kgo.NewClient(append(extra, addrs, kgo.ConsumerGroup("connect-to"), kgo.ConsumeTopics("traced"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
			}}, nil
	}}, false))
	eventually(t, "all records to be put", func() bool {
		return n.Load() == 5 && sink.Metrics.BatchTime.Count.Load() > 0 && sink.Metrics.CommitTime.Count.Load() > 0
	})

	page := scrape(t, m)
	for series, want := range map[string]string{
		`kafka_connect_source_task_source_record_poll_total{connector="from",task="0"}`:          "5",
		`kafka_connect_source_task_source_record_write_total{connector="from",task="0"}`:         "5",
		`kafka_connect_source_task_source_record_active_count{connector="from",task="0"}`:        "0",
		`kafka_connect_source_task_source_record_active_count_max{connector="from",task="0"}`:    "5",
		`kafka_connect_connector_status{connector="from",status="running",task="0"}`:             "1",
		`kafka_connect_sink_task_sink_record_active_count_max{connector="to",task="0"}`:          "5",
		`kafka_connect_sink_task_sink_record_send_total{connector="to",task="0"}`:                "5",
		`kafka_connect_sink_task_partition_count{connector="to",task="0"}`:                       "1",
		`kafka_connect_connector_task_offset_commit_success_percentage{connector="to",task="0"}`: "1",
		`kafka_connect_worker_connector_running_task_count{connector="to"}`:                      "1",
		`kafka_connect_worker_task_startup_success_total`:                                        "2",
		`troupe_task_credit_used_bytes{connector="to",task="0"}`:                                 "0",
		`troupe_task_mailbox_batches{connector="to",task="0"}`:                                   "0",
	} {
		if got := sample(t, page, series); got != want {
			t.Errorf("%s is %s, want %s", series, got, want)
		}
	}
	for _, pid := range []*actor.PID{srcPID, sinkPID} {
		sys.Root.Send(pid, task.Stop{Final: true})
	}
	eventually(t, "both to stop", func() bool {
		return cfg.States.Task(src.ID) == unassigned && cfg.States.Task(sink.ID) == unassigned
	})

	head := named(t, srcSpans.GetSpans(), "poll from-0")
	consume := named(t, sinkSpans.GetSpans(), "consume to-0")
	if consume.SpanContext.TraceID() != head.SpanContext.TraceID() || consume.Parent.SpanID() != head.SpanContext.SpanID() {
		t.Errorf("the sink's batch has parent %v, want %v", consume.Parent, head.SpanContext)
	}
	for _, c := range []struct {
		spans  tracetest.SpanStubs
		head   tracetest.SpanStub
		stages []string
	}{
		{srcSpans.GetSpans(), head, []string{"convert traced", "produce traced"}},
		{sinkSpans.GetSpans(), consume, []string{"convert traced", "put traced"}},
	} {
		for _, stage := range c.stages {
			if s := named(t, c.spans, stage); s.Parent.SpanID() != c.head.SpanContext.SpanID() || attrs(s)["messaging.batch.message_count"] != "5" {
				t.Errorf("%s: parent %v, attributes %v", stage, s.Parent, s.Attributes)
			}
		}
	}
	if strings.Contains(scrape(t, m), `status="running"`) {
		t.Error("a stopped task runs in the metrics")
	}
}

func named(t *testing.T, spans tracetest.SpanStubs, name string) tracetest.SpanStub {
	t.Helper()
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no span %q among %d", name, len(spans))
	return tracetest.SpanStub{}
}
