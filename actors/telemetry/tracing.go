// Package telemetry makes traces and metrics leave the process: OTLP spans set up
// by the standard OTEL_* variables, and Kafka Connect's metrics in Prometheus
// format. It imports actors' task and worker packages, OpenTelemetry and the
// Prometheus client, and sets no global provider.
package telemetry

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/connectors"
)

// Tracing makes the spans of tasks. It implements task.Spans and is safe for
// concurrent use.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	prop     propagation.TraceContext
}

// FromEnv sets tracing up by the OTEL_* variables, nil when it is off: when
// OTEL_SDK_DISABLED is true, OTEL_TRACES_EXPORTER is none, or neither an exporter
// nor an endpoint is named. node names this process in service.instance.id.
func FromEnv(ctx context.Context, getenv func(string) string, version, node string) (*Tracing, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	exporter := strings.TrimSpace(getenv("OTEL_TRACES_EXPORTER"))
	if exporter == "" {
		if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
			return nil, nil
		}
		exporter = "otlp"
	}
	var exp sdktrace.SpanExporter
	var err error
	switch exporter {
	case "none":
		return nil, nil
	case "console":
		exp, err = stdouttrace.New(stdouttrace.WithWriter(os.Stderr))
	case "otlp":
		proto := getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
		if proto == "" {
			proto = getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
		}
		switch proto {
		case "grpc":
			exp, err = otlptracegrpc.New(ctx)
		case "", "http/protobuf":
			exp, err = otlptracehttp.New(ctx)
		default:
			return nil, fmt.Errorf("setting up traces: OTEL_EXPORTER_OTLP_PROTOCOL is %q; grpc and http/protobuf are supported", proto)
		}
	default:
		return nil, fmt.Errorf("setting up traces: OTEL_TRACES_EXPORTER is %q; otlp, console and none are supported", exporter)
	}
	if err != nil {
		return nil, fmt.Errorf("setting up traces: %w", err)
	}
	sampler, err := samplerFromEnv(getenv)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("troupe"), semconv.ServiceVersion(version), semconv.ServiceInstanceID(node)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("setting up traces: reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return NewTracing(sdktrace.NewTracerProvider(sdktrace.WithBatcher(exp), sdktrace.WithSampler(sampler), sdktrace.WithResource(res))), nil
}

// defaultRatio is the share of batches that are traced when nothing else is said: a
// trace of every batch of a fast pipeline is of no use to anybody.
const defaultRatio = 0.001

// samplerFromEnv reads OTEL_TRACES_SAMPLER. The default is [defaultRatio] of the
// batches, decided once at the head, and every batch with a record whose trace is
// sampled.
func samplerFromEnv(getenv func(string) string) (sdktrace.Sampler, error) {
	name := strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER"))
	ratio := 1.0
	if arg := strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER_ARG")); arg != "" && strings.HasSuffix(name, "traceidratio") {
		f, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return nil, fmt.Errorf("setting up traces: OTEL_TRACES_SAMPLER_ARG is %q, want a number from 0 to 1", arg)
		}
		ratio = f
	}
	switch name {
	case "":
		return parentBased(sdktrace.TraceIDRatioBased(defaultRatio)), nil
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(ratio), nil
	case "parentbased_always_on":
		return parentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return parentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		return parentBased(sdktrace.TraceIDRatioBased(ratio)), nil
	}
	return nil, fmt.Errorf("setting up traces: OTEL_TRACES_SAMPLER is %q, which is not known", name)
}

// parentBased is the SDK's sampler of that name, which also samples a batch that is
// linked to a sampled trace: which of the two a batch has depends on what else was
// consumed with it.
func parentBased(root sdktrace.Sampler) sdktrace.Sampler {
	return linkBased{sdktrace.ParentBased(root)}
}

type linkBased struct{ sdktrace.Sampler }

// ShouldSample implements [sdktrace.Sampler].
func (s linkBased) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if !trace.SpanContextFromContext(p.ParentContext).IsValid() {
		for _, l := range p.Links {
			if l.SpanContext.IsSampled() {
				return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
			}
		}
	}
	return s.Sampler.ShouldSample(p)
}

// NewTracing returns the spans of a provider.
func NewTracing(p *sdktrace.TracerProvider) *Tracing {
	return &Tracing{provider: p, tracer: p.Tracer("github.com/troupeio/troupe")}
}

// Spans returns what tasks are given: nil when tracing is off, so that they pay one
// comparison and not a call. Give them this and never a nil *Tracing itself.
func (t *Tracing) Spans() task.Spans {
	if t == nil {
		return nil
	}
	return t
}

// Shutdown sends what is left, for two seconds at most: a collector that is away
// must not hold up the end. It is a no-op when tracing is off (t is nil).
func (t *Tracing) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

func identity(id connectors.TaskID) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.MessagingSystemKafka, attribute.String("connect.connector", id.Connector), attribute.Int("connect.task", id.Task)}
}

// operation maps a stage to the messaging conventions' operation type.
func operation(stage string) (trace.SpanKind, attribute.KeyValue) {
	switch stage {
	case "produce":
		return trace.SpanKindProducer, semconv.MessagingOperationTypeSend
	case "consume":
		return trace.SpanKindConsumer, semconv.MessagingOperationTypeReceive
	case "commit":
		return trace.SpanKindClient, semconv.MessagingOperationTypeSettle
	}
	return trace.SpanKindInternal, semconv.MessagingOperationTypeProcess
}

// Head implements task.Spans.
func (t *Tracing) Head(id connectors.TaskID, stage string, remotes [][]pipeline.RawHeader) context.Context {
	ctx := context.Background()
	kind, op := operation(stage)
	opts := []trace.SpanStartOption{trace.WithSpanKind(kind)}
	// The messaging conventions want links in a batch; a parent it has when there can
	// be only one.
	switch from := t.spanContexts(remotes); len(from) {
	case 0:
	case 1:
		ctx = trace.ContextWithRemoteSpanContext(ctx, from[0])
	default:
		for _, sc := range from {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: sc}))
		}
	}
	ctx, span := t.tracer.Start(ctx, stage+" "+id.String(), opts...)
	if !span.SpanContext().IsSampled() {
		span.End()
		return nil
	}
	span.SetAttributes(append(identity(id), op, semconv.MessagingOperationName(stage))...)
	return ctx
}

// spanContexts returns the different spans that headers name.
func (t *Tracing) spanContexts(remotes [][]pipeline.RawHeader) []trace.SpanContext {
	var out []trace.SpanContext
	for _, h := range remotes {
		sc := trace.SpanContextFromContext(t.prop.Extract(context.Background(), rawCarrier(h)))
		same := func(o trace.SpanContext) bool { return o.TraceID() == sc.TraceID() && o.SpanID() == sc.SpanID() }
		if sc.IsValid() && !slices.ContainsFunc(out, same) {
			out = append(out, sc)
		}
	}
	return out
}

// Stage implements task.Spans.
func (t *Tracing) Stage(ctx context.Context, id connectors.TaskID, stage, topic string, records int) (context.Context, func(error)) {
	kind, op := operation(stage)
	attrs := append(identity(id), op, semconv.MessagingOperationName(stage), semconv.MessagingBatchMessageCount(records))
	if topic != "" {
		attrs = append(attrs, semconv.MessagingDestinationName(topic))
	}
	ctx, span := t.tracer.Start(ctx, strings.TrimSpace(stage+" "+topic), trace.WithSpanKind(kind), trace.WithAttributes(attrs...))
	return ctx, func(err error) {
		fail(span, err)
		span.End()
	}
}

// End implements task.Spans.
func (t *Tracing) End(ctx context.Context, records int, err error) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(semconv.MessagingBatchMessageCount(records))
	fail(span, err)
	span.End()
}

// fail marks a span as failed, by the class that the task's status shows.
func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	span.RecordError(err)
	span.SetAttributes(semconv.ErrorTypeKey.String(connectors.JavaClass(err)))
	span.SetStatus(codes.Error, err.Error())
}

// Carrier implements task.Spans.
func (t *Tracing) Carrier(ctx context.Context) []pipeline.RawHeader {
	m := propagation.MapCarrier{}
	t.prop.Inject(ctx, m)
	var out []pipeline.RawHeader
	for _, k := range t.prop.Fields() {
		if v := m.Get(k); v != "" {
			out = append(out, pipeline.RawHeader{Key: k, Value: []byte(v)})
		}
	}
	return out
}

// IsCarrier implements task.Spans: a traceparent whose sampled flag is set. It is
// asked for every header of every record, so it looks at one byte; whether the rest
// is well formed shows when the trace is taken up.
func (t *Tracing) IsCarrier(h pipeline.RawHeader) bool {
	return h.Key == traceParent && len(h.Value) >= parentLen && (h.Value[parentLen-3] == '-') && isOdd(h.Value[parentLen-1])
}

// The header of W3C Trace Context: version-traceid-spanid-flags, in hexadecimal.
// The lowest bit of the flags is sampled; a later version may be longer.
const (
	traceParent = "traceparent"
	parentLen   = 2 + 1 + 32 + 1 + 16 + 1 + 2
)

// isOdd reports whether a hexadecimal digit has its lowest bit set.
func isOdd(digit byte) bool {
	switch digit {
	case '1', '3', '5', '7', '9', 'b', 'd', 'f':
		return true
	}
	return false
}

// rawCarrier reads a trace context from record headers.
type rawCarrier []pipeline.RawHeader

// Get implements [propagation.TextMapCarrier].
func (c rawCarrier) Get(key string) string {
	for _, h := range c {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// Set implements [propagation.TextMapCarrier]; nothing is injected here.
func (c rawCarrier) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (c rawCarrier) Keys() []string {
	out := make([]string, len(c))
	for i, h := range c {
		out[i] = h.Key
	}
	return out
}
