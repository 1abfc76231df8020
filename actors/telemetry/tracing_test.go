package telemetry

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/connectors"
)

var _ task.Spans = (*Tracing)(nil)

var taskID = connectors.TaskID{Connector: "orders", Task: 2}

func inMemory(s sdktrace.Sampler) (*Tracing, *tracetest.InMemoryExporter) {
	exp := tracetest.NewInMemoryExporter()
	return NewTracing(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exp), sdktrace.WithSampler(s))), exp
}

func env(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }

// TestOff checks when there is no tracing, and which settings are refused.
func TestOff(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		err  string // part of; "": nil and no error
	}{
		{name: "nothing set"},
		{name: "exporter none", env: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}},
		{name: "disabled", env: map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}},
		{name: "only a sampler", env: map[string]string{"OTEL_TRACES_SAMPLER": "always_on"}},
		{name: "unknown exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, err: `OTEL_TRACES_EXPORTER is "zipkin"`},
		{name: "unknown protocol", env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, err: `is "http/json"`},
		{name: "unknown sampler", env: map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "some"}, err: `OTEL_TRACES_SAMPLER is "some"`},
		{name: "ratio out of range", env: map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.5"}, err: `"1.5"`},
		{name: "ratio is no number", env: map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, err: `"NaN"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := FromEnv(t.Context(), env(c.env), "0.1.0", "node1")
			if tr != nil || tr.Spans() != nil || tr.Shutdown(t.Context()) != nil {
				t.Error("traces are on")
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestSampler(t *testing.T) {
	parent := func(root string) string { return "ParentBased{root:" + root + "," }
	for _, c := range []struct{ name, arg, want string }{
		{"", "", parent("TraceIDRatioBased{0.001}")},
		{"", "0.5", parent("TraceIDRatioBased{0.001}")},
		{"always_on", "not a number", "AlwaysOnSampler"},
		{"always_off", "", "AlwaysOffSampler"},
		{"traceidratio", "0.25", "TraceIDRatioBased{0.25}"},
		{"parentbased_always_on", "", parent("AlwaysOnSampler")},
		{"parentbased_always_off", "", parent("AlwaysOffSampler")},
		{" parentbased_traceidratio ", " 0.125 ", parent("TraceIDRatioBased{0.125}")},
		{"parentbased_traceidratio", "", parent("TraceIDRatioBased{1}")},
	} {
		s, err := samplerFromEnv(env(map[string]string{"OTEL_TRACES_SAMPLER": c.name, "OTEL_TRACES_SAMPLER_ARG": c.arg}))
		if err != nil {
			t.Errorf("%q %q: %v", c.name, c.arg, err)
			continue
		}
		if d := s.Description(); !strings.HasPrefix(d, c.want) {
			t.Errorf("%q %q is %s, want %s", c.name, c.arg, d, c.want)
		}
	}
}

// attrs are a span's attributes as text.
func attrs(s tracetest.SpanStub) map[string]string {
	out := make(map[string]string)
	for _, kv := range s.Attributes {
		out[string(kv.Key)] = kv.Value.String()
	}
	return out
}

func want(t *testing.T, s tracetest.SpanStub, wanted map[string]string) {
	t.Helper()
	got := attrs(s)
	wanted["messaging.system"], wanted["connect.connector"], wanted["connect.task"] = "kafka", "orders", "2"
	for k, v := range wanted {
		if got[k] != v {
			t.Errorf("span %q: %s is %q, want %q", s.Name, k, got[k], v)
		}
		delete(got, k)
	}
	if len(got) != 0 {
		t.Errorf("span %q has also %v", s.Name, got)
	}
}

// TestSpans follows one batch of a source, of which the produce stage fails.
func TestSpans(t *testing.T) {
	tr, exp := inMemory(sdktrace.AlwaysSample())
	ctx := tr.Head(taskID, "poll", nil)
	if ctx == nil {
		t.Fatal("not sampled")
	}
	_, end := tr.Stage(ctx, taskID, "transform", "", 500)
	end(nil)
	_, end = tr.Stage(ctx, taskID, "produce", "orders-topic", 480)
	broken := &connectors.Error{JavaClass: connectors.ConfigException, Msg: "no such topic"}
	end(broken)
	tr.End(ctx, 500, broken)

	spans := exp.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want 3", len(spans))
	}
	transform, produce, head := spans[0], spans[1], spans[2]
	for _, c := range []struct {
		span tracetest.SpanStub
		name string
		kind trace.SpanKind
		code codes.Code
	}{
		{head, "poll orders-2", trace.SpanKindInternal, codes.Error},
		{transform, "transform", trace.SpanKindInternal, codes.Unset},
		{produce, "produce orders-topic", trace.SpanKindProducer, codes.Error},
	} {
		if c.span.Name != c.name || c.span.SpanKind != c.kind || c.span.Status.Code != c.code {
			t.Errorf("span %q of kind %v, status %v; want %q, %v, %v", c.span.Name, c.span.SpanKind, c.span.Status.Code, c.name, c.kind, c.code)
		}
		if c.span.SpanContext.TraceID() != head.SpanContext.TraceID() {
			t.Errorf("span %q is of another trace", c.span.Name)
		}
	}
	if head.Parent.IsValid() {
		t.Error("the head of a source has a parent")
	}
	for _, s := range []tracetest.SpanStub{transform, produce} {
		if s.Parent.SpanID() != head.SpanContext.SpanID() {
			t.Errorf("span %q is not a child of the head", s.Name)
		}
	}
	want(t, transform, map[string]string{"messaging.operation.name": "transform", "messaging.operation.type": "process", "messaging.batch.message_count": "500"})
	want(t, produce, map[string]string{"messaging.operation.name": "produce", "messaging.operation.type": "send", "messaging.batch.message_count": "480",
		"messaging.destination.name": "orders-topic", "error.type": connectors.ConfigException})
	want(t, head, map[string]string{"messaging.operation.name": "poll", "messaging.operation.type": "process", "messaging.batch.message_count": "500",
		"error.type": connectors.ConfigException})
	if len(produce.Events) != 1 || produce.Events[0].Name != "exception" {
		t.Errorf("the produce span's events are %v", produce.Events)
	}
}

// TestAcrossKafka leads a trace from a source, through record headers, to a sink
// whose own sampler would take nothing.
func TestAcrossKafka(t *testing.T) {
	src, srcExp := inMemory(sdktrace.AlwaysSample())
	ctx := src.Head(taskID, "poll", nil)
	headers := src.Carrier(ctx)
	src.End(ctx, 1, nil)
	if len(headers) != 1 || headers[0].Key != "traceparent" {
		t.Fatalf("the carrier is %v", headers)
	}
	if !src.IsCarrier(headers[0]) {
		t.Error("the source's own carrier is none")
	}

	sink, exp := inMemory(sdktrace.ParentBased(sdktrace.NeverSample()))
	if sink.Head(taskID, "consume", nil) != nil {
		t.Fatal("a batch without trace is sampled")
	}
	record := append([]pipeline.RawHeader{{Key: "app", Value: []byte("x")}}, headers...)
	ctx = sink.Head(taskID, "consume", [][]pipeline.RawHeader{record})
	if ctx == nil {
		t.Fatal("the record's trace is not taken up")
	}
	_, end := sink.Stage(ctx, taskID, "put", "orders-topic", 1)
	end(nil)
	sink.End(ctx, 1, nil)

	from := srcExp.GetSpans()[0].SpanContext
	spans := exp.GetSpans()
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	head := spans[1]
	if head.SpanContext.TraceID() != from.TraceID() || head.Parent.SpanID() != from.SpanID() || !head.Parent.IsRemote() {
		t.Errorf("the sink's head has parent %v, want %v, remote", head.Parent, from)
	}
	if head.SpanKind != trace.SpanKindConsumer || head.Name != "consume orders-2" {
		t.Errorf("%s of kind %v", head.Name, head.SpanKind)
	}
	want(t, head, map[string]string{"messaging.operation.name": "consume", "messaging.operation.type": "receive", "messaging.batch.message_count": "1"})
}

// TestLinks checks that a batch with records of several traces is linked to each of
// them and is the child of none, and that links decide what a parent would.
func TestLinks(t *testing.T) {
	const trace1, trace2 = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
	header := func(traceID, spanID, flags string) []pipeline.RawHeader {
		return []pipeline.RawHeader{{Key: "traceparent", Value: []byte("00-" + traceID + "-" + spanID + "-" + flags)}}
	}
	const a, b = "b7ad6b7169203331", "c7ad6b7169203331"
	for _, c := range []struct {
		name    string
		remotes [][]pipeline.RawHeader
		parent  string // span id; "": a trace of its own
		links   []string
	}{
		{name: "one", remotes: [][]pipeline.RawHeader{header(trace1, a, "01")}, parent: a},
		{name: "one, told apart only by other flags", remotes: [][]pipeline.RawHeader{header(trace1, a, "01"), header(trace1, a, "03")}, parent: a},
		{name: "one, and one that is malformed", remotes: [][]pipeline.RawHeader{header(trace1, a, "01"), header(trace1, "not hexadecimal!", "01")}, parent: a},
		{name: "two traces", remotes: [][]pipeline.RawHeader{header(trace1, a, "01"), header(trace2, b, "01")}, links: []string{a, b}},
		{name: "two spans of one trace", remotes: [][]pipeline.RawHeader{header(trace1, a, "01"), header(trace1, b, "01")}, links: []string{a, b}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, exp := inMemory(parentBased(sdktrace.NeverSample()))
			ctx := tr.Head(taskID, "consume", c.remotes)
			if ctx == nil {
				t.Fatal("not sampled")
			}
			tr.End(ctx, 2, nil)
			head := exp.GetSpans()[0]
			if parent := head.Parent.SpanID(); c.parent == "" && head.Parent.IsValid() || c.parent != "" && parent.String() != c.parent {
				t.Errorf("the parent is %v, want %q", parent, c.parent)
			}
			var links []string
			for _, l := range head.Links {
				links = append(links, l.SpanContext.SpanID().String())
			}
			if !slices.Equal(links, c.links) {
				t.Errorf("links to %v, want %v", links, c.links)
			}
		})
	}
}

// TestTraceState checks that a vendor's state travels on.
func TestTraceState(t *testing.T) {
	tr, _ := inMemory(sdktrace.ParentBased(sdktrace.NeverSample()))
	ctx := tr.Head(taskID, "consume", [][]pipeline.RawHeader{{{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
		{Key: "tracestate", Value: []byte("vendor=1")}}})
	if ctx == nil {
		t.Fatal("not sampled")
	}
	h := tr.Carrier(ctx)
	if len(h) != 2 || h[1].Key != "tracestate" || string(h[1].Value) != "vendor=1" || !strings.HasPrefix(string(h[0].Value), "00-0af7651916cd43dd8448eb211c80319c-") {
		t.Errorf("carried on: %s", h)
	}
}

// TestHeadSampling checks that the decision is made at the head, by the ratio, and
// that what is not sampled leaves nothing.
func TestHeadSampling(t *testing.T) {
	tr, exp := inMemory(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.25)))
	const n = 4000
	sampled := 0
	for range n {
		if ctx := tr.Head(taskID, "poll", nil); ctx != nil {
			sampled++
			tr.End(ctx, 1, nil)
		}
	}
	// Ten standard deviations around the mean.
	if dev := 10 * math.Sqrt(n*0.25*0.75); math.Abs(float64(sampled)-n/4) > dev {
		t.Errorf("%d of %d batches are sampled", sampled, n)
	}
	if got := len(exp.GetSpans()); got != sampled {
		t.Errorf("%d spans of %d sampled batches", got, sampled)
	}
}

func TestIsCarrier(t *testing.T) {
	const ids = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	tr, _ := inMemory(sdktrace.AlwaysSample())
	for _, c := range []struct {
		name, key, value string
		want             bool
	}{
		{"sampled", "traceparent", "00" + ids + "01", true},
		{"not sampled", "traceparent", "00" + ids + "00", false},
		{"sampled and random", "traceparent", "00" + ids + "03", true},
		{"an even letter", "traceparent", "00" + ids + "0a", false},
		{"an odd letter", "traceparent", "00" + ids + "0b", true},
		{"a later version", "traceparent", "01" + ids + "01-more", true},
		{"a later version, not sampled", "traceparent", "01" + ids + "00-0f1", false},
		{"short", "traceparent", "00-01", false},
		{"empty", "traceparent", "", false},
		{"another header", "tracestate", "00" + ids + "01", false},
	} {
		if got := tr.IsCarrier(pipeline.RawHeader{Key: c.key, Value: []byte(c.value)}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// FuzzCarrier gives headers of strangers to a sink: what the propagator takes for a
// sampled trace is a carrier, and nothing ends the process.
func FuzzCarrier(f *testing.F) {
	f.Add([]byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), []byte("vendor=1,b=2"))
	f.Add([]byte("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), []byte(""))
	f.Add([]byte("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0b-x"), []byte("=,,"))
	f.Add([]byte("00-00000000000000000000000000000000-0000000000000000-01"), []byte{0xff, 0})
	tr, _ := inMemory(sdktrace.ParentBased(sdktrace.NeverSample()))
	f.Fuzz(func(t *testing.T, parent, state []byte) {
		h := []pipeline.RawHeader{{Key: "traceparent", Value: parent}, {Key: "tracestate", Value: state}}
		ctx := tr.Head(taskID, "consume", [][]pipeline.RawHeader{h})
		if ctx == nil {
			return
		}
		if !tr.IsCarrier(h[0]) {
			t.Errorf("%q is a sampled trace and no carrier", parent)
		}
		tr.Carrier(ctx)
		tr.End(ctx, 1, nil)
	})
}

// TestOTLP sends spans over HTTP to a collector and reads what arrives.
func TestOTLP(t *testing.T) {
	got := make(chan *collector.ExportTraceServiceRequest, 4)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		raw, err := io.ReadAll(body)
		req := &collector.ExportTraceServiceRequest{}
		if err == nil {
			err = proto.Unmarshal(raw, req)
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("X-Token") != "abc" {
			t.Errorf("%s %s: %v, token %q", r.Method, r.URL, err, r.Header.Get("X-Token"))
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		got <- req
	}))
	defer srv.Close()
	vars := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-token=abc", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_TRACES_SAMPLER": "always_on", "OTEL_SERVICE_NAME": "my-connect", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
	for k, v := range vars { // the exporter reads the process's own
		t.Setenv(k, v)
	}
	tr, err := FromEnv(t.Context(), env(vars), "0.1.0", "node1")
	if err != nil || tr == nil {
		t.Fatalf("FromEnv: %v, %v", tr, err)
	}
	ctx := tr.Head(taskID, "poll", nil)
	_, end := tr.Stage(ctx, taskID, "produce", "orders-topic", 7)
	end(errors.New("no"))
	tr.End(ctx, 7, nil)
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	req := <-got // Shutdown has sent it
	if len(req.ResourceSpans) != 1 {
		t.Fatalf("%d resources", len(req.ResourceSpans))
	}
	res := make(map[string]string)
	for _, kv := range req.ResourceSpans[0].Resource.Attributes {
		res[kv.Key] = kv.Value.GetStringValue()
	}
	for k, v := range map[string]string{"service.name": "my-connect", "service.version": "0.1.0", "service.instance.id": "node1", "deployment.environment.name": "test"} {
		if res[k] != v {
			t.Errorf("resource: %s is %q, want %q", k, res[k], v)
		}
	}
	var names []string
	for _, sc := range req.ResourceSpans[0].ScopeSpans {
		for _, s := range sc.Spans {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"poll orders-2", "produce orders-topic"}) {
		t.Errorf("spans %q", names)
	}
}

// TestShutdownIsBounded ends tracing while the collector does not answer.
func TestShutdownIsBounded(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	vars := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL, "OTEL_TRACES_SAMPLER": "always_on"}
	for k, v := range vars {
		t.Setenv(k, v)
	}
	tr, err := FromEnv(t.Context(), env(vars), "0.1.0", "node1")
	if err != nil {
		t.Fatal(err)
	}
	tr.End(tr.Head(taskID, "poll", nil), 1, nil)
	if err := tr.Shutdown(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v, want that its time is over", err)
	}
}

// BenchmarkBatch is what a batch of five stages pays for its traces, in the way in
// which a task asks for them.
func BenchmarkBatch(b *testing.B) {
	tracing := func(s sdktrace.Sampler) task.Spans {
		return NewTracing(sdktrace.NewTracerProvider(sdktrace.WithSampler(s), sdktrace.WithSpanProcessor(drop{})))
	}
	for _, c := range []struct {
		name  string
		spans task.Spans
	}{
		{"off", nil},
		{"unsampled", tracing(sdktrace.ParentBased(sdktrace.NeverSample()))},
		{"default", tracing(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(defaultRatio)))},
		{"sampled", tracing(sdktrace.AlwaysSample())},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var ctx context.Context
				if c.spans != nil {
					ctx = c.spans.Head(taskID, "poll", nil)
				}
				for _, stage := range [...]string{"transform", "convert", "produce"} {
					if ctx != nil {
						_, end := c.spans.Stage(ctx, taskID, stage, "orders-topic", 500)
						end(nil)
					}
				}
				if ctx != nil {
					c.spans.End(ctx, 500, nil)
				}
			}
		})
	}
	b.Run("header check", func(b *testing.B) {
		tr, h := &Tracing{}, pipeline.RawHeader{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")}
		for b.Loop() {
			tr.IsCarrier(h)
		}
	})
}

// drop is a processor that takes spans and does nothing.
type drop struct{}

func (drop) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (drop) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (drop) Shutdown(context.Context) error                  { return nil }
func (drop) ForceFlush(context.Context) error                { return nil }
