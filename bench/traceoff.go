package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	node "github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/converters"
	"github.com/troupeio/troupe/connectors/file"
)

const (
	tracePairs      = 5
	quickTracePairs = 2
	// traceSlices is how many short runs of each variant make up a round. They take
	// turns, so that what else the machine does falls on all alike; the lines are
	// divided by their number.
	traceSlices      = 8
	quickTraceSlices = 2
	// plantedPercent is the share of a batch's CPU time that the control wastes.
	plantedPercent = 3
)

// The variants of a round. The first is what the others are divided by.
const (
	traceOff = iota
	traceOffAgain
	traceHook
	tracePlanted
	traceVariants
)

// runTraceOff asks what tracing costs while it is off. A build without it cannot be
// had: off, a task has no Spans (nil) and pays a comparison where each batch begins
// and one at each stage, and these comparisons are the code. So the row bounds their
// cost from above, with something that does the same and more. In one process, on
// one broker, file → topic with StringConverter, it runs in turn
//
//	off            Spans is nil: what a worker without OTEL_* variables has
//	off again      the same, for the floor: two equal things measure so far apart
//	no-op hook     Spans is there and says of each batch that it is not sampled: all
//	               comparisons of off, and a dynamic call a batch in addition
//	planted 3 %    the no-op hook, which also burns 3 % of the CPU time of a batch on
//	               purpose: what is not seen here could not be seen above
//
// A round runs each in eight slices that take turns, the order changes from slice to
// slice, and each is divided by the off of its round; "off again" gets no other
// treatment than the hook. The figure is the CPU time, user and system, of this
// process for each million records, which idle waits and the broker (a process of
// its own) do not touch; throughput stands beside
// it. Cost within the A/A range is none that this machine can show; it is not proof
// of none.
//
// What the pipeline cannot show is also measured by itself: the call that the hook
// adds to each batch, in nanoseconds, and what share of a batch's CPU time that is.
// It is the hook's price in a loop, with caches warm, so rather too little.
//
// The cost is a batch's, so records a batch are told with it: a source that polls
// records one by one pays it for each.
func runTraceOff(ctx context.Context, e *env, _ string) (metrics, error) {
	pairs, slices := tracePairs, traceSlices
	if e.quick {
		pairs, slices = quickTracePairs, quickTraceSlices
	}
	if e.trials > 0 {
		pairs = e.trials
	}
	lines := e.lines / slices
	in, err := e.inputFile(lines, lineLength)
	if err != nil {
		return nil, err
	}
	// Not counted: the heap grows. The last then tells what a batch takes.
	var warm traceUse
	for range slices {
		if warm, err = e.traceRun(ctx, in, lines, nil); err != nil {
			return nil, err
		}
	}
	planted := time.Duration(warm.cpuSeconds / float64(warm.batches) * plantedPercent / 100 * float64(time.Second))
	hooks := [traceVariants]task.Spans{traceHook: noSpans{}, tracePlanted: burningSpans{price: planted}}

	var cpu, rate [traceVariants][]float64
	for round := range pairs {
		var got [traceVariants]traceUse
		for slice := range slices {
			for i := range traceVariants {
				v := (i + slice + round) % traceVariants
				if slice%2 == 1 {
					v = traceVariants - 1 - v // nor does one always follow the same
				}
				u, err := e.traceRun(ctx, in, lines, hooks[v])
				if err != nil {
					return nil, err
				}
				got[v].cpuSeconds += u.cpuSeconds
				got[v].seconds += u.seconds
			}
		}
		for v, u := range got {
			cpu[v] = append(cpu[v], u.cpuSeconds/float64(lines*slices)*1e6)
			rate[v] = append(rate[v], float64(lines*slices)/u.seconds/1000)
		}
	}
	m := metrics{"pairs": float64(pairs), "batch": float64(lines) / float64(warm.batches)}
	m["call"] = hookNanoseconds(hooks[traceHook])
	m["off"], _, _, _ = spread(cpu[traceOff])
	m["hook"], _, _, _ = spread(cpu[traceHook])
	m["share"] = m["call"] / (m["off"] * 1e-6 * m["batch"] * 1e9) * 100
	for v, name := range map[int]string{traceOffAgain: "aa", traceHook: "ab", tracePlanted: "planted"} {
		m[name], m[name+"low"], m[name+"high"], _ = spread(extraPercent(cpu[v], cpu[traceOff]))
		m[name+"rate"], _, _, _ = spread(extraPercent(rate[v], rate[traceOff]))
	}
	fmt.Print(traceReport(m, cpu, rate, planted))
	return m, nil
}

// extraPercent is how much more than off each round's figure is, in percent.
func extraPercent(v, off []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = (v[i]/off[i] - 1) * 100
	}
	return out
}

// hookNanoseconds is what a task adds to each batch when its hook samples none.
func hookNanoseconds(hook task.Spans) float64 {
	const calls = 20_000_000
	id := connectors.TaskID{Connector: "c"}
	begin := time.Now()
	for range calls {
		if hook != nil && hook.Head(id, "poll", nil) != nil {
			panic("the hook samples")
		}
	}
	return float64(time.Since(begin).Nanoseconds()) / calls
}

// traceReport is the whole of it, for standard output.
func traceReport(m metrics, cpu, rate [traceVariants][]float64, planted time.Duration) string {
	out := fmt.Sprintf("  %.0f rounds, %.0f records a batch; CPU s per million records, thousand records/s; extra CPU against off, of the same round\n", m["pairs"], m["batch"])
	names := [traceVariants]string{"off (A)", "off again (A)", "no-op hook (B)", fmt.Sprintf("planted %d %%, %s a batch", plantedPercent, planted.Round(100*time.Nanosecond))}
	keys := [traceVariants]string{"", "aa", "ab", "planted"}
	for v := range traceVariants {
		out += fmt.Sprintf("  %-28s CPU %s, rate %s", names[v], cell(cpu[v]), cell(rate[v]))
		if k := keys[v]; k != "" {
			out += fmt.Sprintf("; CPU %+.2f %% (%+.2f to %+.2f), rate %+.2f %%", m[k], m[k+"low"], m[k+"high"], m[k+"rate"])
		}
		out += "\n"
	}
	verdict := "inside the A/A range: no cost that this machine can show"
	if m["ab"] < m["aalow"] || m["ab"] > m["aahigh"] {
		verdict = "outside the A/A range"
	}
	out += "  the median of A/B is " + verdict + "\n"
	out += fmt.Sprintf("  by itself the hook's call takes %.2f ns a batch, %.6f %% of a batch's CPU time\n", m["call"], m["share"])
	if m["planted"] <= m["aahigh"] {
		out += fmt.Sprintf("  the planted %d %% cannot be told from A/A either: the machine was not quiet enough for this row\n", plantedPercent)
	}
	return out
}

// traceUse is one run of the pipeline in this process.
type traceUse struct {
	seconds, cpuSeconds float64
	batches             int64
}

// traceRun moves the lines of a file into a new topic with a worker in this
// process, as a node has it without its herder, its REST interface and its stored
// offsets.
func (e *env) traceRun(ctx context.Context, in string, lines int, spans task.Spans) (_ traceUse, err error) {
	topic, name := e.name("topic"), e.name("connector")
	if _, err := e.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return traceUse{}, fmt.Errorf("creating topic %s: %w", topic, err)
	}
	defer e.deleteTopic(topic)
	reg, err := connectors.NewRegistry(file.Plugins(), converters.Plugins())
	if err != nil {
		return traceUse{}, fmt.Errorf("collecting the plugins: %w", err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	heard := &hearing{}
	props := map[string]string{"bootstrap.servers": e.addr, "key.converter": stringConverter, "value.converter": stringConverter}
	w := node.New(node.Config{ID: "bench", Group: name, Props: props, Registry: reg, Resolver: asWritten{}, Listener: heard,
		Offsets: func(string, int64) task.OffsetStore { return nowhere{} }, Spans: spans, Log: quiet, Policy: task.Policy{Never: true},
		Grace: 5 * time.Second, CallTimeout: time.Minute, FlushInterval: time.Second, FlushTimeout: 5 * time.Second,
		Budget: 16 << 20}) // the last three: a worker's defaults
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	pid := sys.Root.Spawn(w.ActorProps())
	defer func() {
		done := make(chan struct{})
		sys.Root.Send(pid, node.Shutdown{Done: done})
		select {
		case <-done:
		case <-time.After(time.Minute):
		}
		sys.Shutdown()
	}()
	config := fileSource(in, topic)
	config["name"] = name
	taskConfig := map[string]string{"task.class": "org.apache.kafka.connect.file.FileStreamSourceTask", "file": in, "topic": topic}
	wanted := node.Wanted{Tasks: map[connectors.TaskID]node.WantedTask{{Connector: name}: {Config: taskConfig, Connector: config}}}

	runtime.GC() // what the run before left is not this one's
	cpu, begin := selfSeconds(), time.Now()
	sys.Root.Send(pid, node.Apply{Wanted: wanted})
	err = e.waitTopic(ctx, topic, int64(lines), func(context.Context) error { return heard.failure() })
	u := traceUse{seconds: time.Since(begin).Seconds(), cpuSeconds: selfSeconds() - cpu}
	if err != nil {
		return traceUse{}, fmt.Errorf("waiting for the destination: %w", err)
	}
	for _, t := range w.Tasks() {
		u.batches += t.Metrics.Batches.Load()
	}
	if u.batches == 0 {
		return traceUse{}, fmt.Errorf("the task of %s counted no batches", name)
	}
	return u, plain.checkTopic(ctx, e.addr, topic, lines, lineLength)
}

// selfSeconds is the CPU time of this process, finer than /proc has it.
func selfSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// noSpans is the least that a hook can be: no batch is sampled.
type noSpans struct{}

func (noSpans) Head(connectors.TaskID, string, [][]pipeline.RawHeader) context.Context { return nil }
func (noSpans) Stage(ctx context.Context, _ connectors.TaskID, _, _ string, _ int) (context.Context, func(error)) {
	return ctx, func(error) {}
}
func (noSpans) End(context.Context, int, error)              {}
func (noSpans) Carrier(context.Context) []pipeline.RawHeader { return nil }
func (noSpans) IsCarrier(pipeline.RawHeader) bool            { return false }

// burningSpans is a hook of a known price.
type burningSpans struct {
	noSpans
	price time.Duration
}

func (b burningSpans) Head(connectors.TaskID, string, [][]pipeline.RawHeader) context.Context {
	for begin := time.Now(); time.Since(begin) < b.price; { //nolint:revive // burning is the point
	}
	return nil
}

// asWritten resolves nothing: the connector has no config provider.
type asWritten struct{}

func (asWritten) Resolve(_ context.Context, c map[string]string) (map[string]string, map[string]time.Duration, error) {
	return c, nil, nil
}

// nowhere forgets offsets.
type nowhere struct{}

func (nowhere) Offset(context.Context, *data.MapValue) (*data.MapValue, error) { return nil, nil }
func (nowhere) Offsets(_ context.Context, p []*data.MapValue) ([]*data.MapValue, error) {
	return make([]*data.MapValue, len(p)), nil
}
func (nowhere) Put(context.Context, []task.PartitionOffset) error { return nil }

// hearing keeps the trace of a task that failed.
type hearing struct{ trace atomic.Pointer[string] }

func (h *hearing) failure() error {
	if t := h.trace.Load(); t != nil {
		return fmt.Errorf("the task failed: %s", *t)
	}
	return nil
}

func (h *hearing) TaskFailed(_ connectors.TaskID, trace string)             { h.trace.Store(&trace) }
func (*hearing) TaskRunning(connectors.TaskID)                              {}
func (*hearing) TaskPaused(connectors.TaskID)                               {}
func (*hearing) TaskRestarting(connectors.TaskID, string)                   {}
func (*hearing) TaskUnassigned(connectors.TaskID)                           {}
func (*hearing) TopicUsed(connectors.TaskID, string)                        {}
func (*hearing) ConnectorRunning(string)                                    {}
func (*hearing) ConnectorPaused(string)                                     {}
func (*hearing) ConnectorStopped(string)                                    {}
func (*hearing) ConnectorFailed(string, string)                             {}
func (*hearing) ConnectorRestarting(string, string)                         {}
func (*hearing) ConnectorUnassigned(string)                                 {}
func (*hearing) TaskConfigs(string, map[string]string, []map[string]string) {}
