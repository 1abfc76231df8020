package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// row is one kind of work.
type row struct {
	key, title string
	bare       bool // the bare client can do it too
	ours       bool // it asks something about Troupe alone
	brokerless bool // it needs no broker
	metrics    []metric
	run        func(ctx context.Context, e *env, arm string) (metrics, error)

	table   func(*results, row) string // its own, instead of lines in the common one
	once    bool                       // one run an arm is enough: it repeats inside
	note    string                     // what a reader of the figures has to know besides
	timeout time.Duration              // at least; 0 leaves the flag's
}

// metric is one figure of a row, with what design asks of it.
type metric struct {
	name, title, unit string
	moreIsBetter      bool
	targets           []target
}

// target is one condition on Troupe's figure.
type target struct {
	kind  targetKind
	value float64
}

type targetKind int

const (
	atMost        targetKind = iota // the median, in the metric's unit
	atLeast                         // likewise
	timesConnect                    // at least value times Kafka Connect's, the median of the ratios in each repetition
	timesBare                       // at least value times the bare client's
	betterConnect                   // not worse than Kafka Connect: where no number was promised
)

// rows are the work, in the order of the report. The targets are the design's.
var rows = []row{
	{key: "start", title: "start to REST ready, topics exist; idle", metrics: []metric{
		{"ready", "ready after", "s", false, []target{{atMost, 0.5}}},
		{"idle", "resident, idle", "MB", false, []target{{atMost, 40}}},
	}, run: runStart},
	{key: "first-record", title: "first start in a new worker group, internal topics absent, to the first record of a file source", metrics: []metric{
		{"ready", "REST ready after", "s", false, []target{{betterConnect, 0}}},
		{"created", "connector created after", "s", false, []target{{betterConnect, 0}}},
		{"first", "first record after", "s", false, []target{{betterConnect, 0}}},
	}, run: runFirstRecord},
	{key: "connectors", title: "200 one-task connectors, created by 8 clients", metrics: []metric{
		{"running", "all running after", "s", false, []target{{atMost, 3}}},
		{"resident", "resident", "MB", false, []target{{atMost, 120}}},
		{"threads", "threads", "", false, []target{{betterConnect, 0}}},
		{"goroutines", "goroutines", "", false, nil},
		{"idlecpu", "idle CPU over 5 s", "% of a core", false, []target{{betterConnect, 0}}},
	}, run: runConnectors},
	{key: "source-string", title: "file → topic, 95-byte lines, StringConverter", bare: true,
		metrics: throughput(target{timesConnect, 5}, target{timesBare, 0.7}), run: source(lineLength, 1, nil, plain)},
	{key: "source-smt", title: "file → topic, 4 SMTs, JsonConverter with schemas",
		metrics: withCPU(throughput(target{timesConnect, 5}), target{atMost, 2}), run: source(lineLength, 1, fourTransforms, hoisted)},
	{key: "sink-string", title: "topic → file, StringConverter", bare: true,
		metrics: throughput(target{timesConnect, 2.5}, target{timesBare, 0.5}), run: sink(1, nil, plain, plain)},
	{key: "sink-json", title: "topic → file, JsonConverter with schemas",
		metrics: throughput(), run: sink(1, jsonConverter, hoisted, printed)},
	{key: "source-avro", title: "file → topic, 4 SMTs, AvroConverter with a registry", metrics: throughput(target{timesConnect, 5}), note: avroNote,
		run: withRegistry(false, func(c map[string]string) func(context.Context, *env, string) (metrics, error) {
			return source(lineLength, 1, c, avro)
		}, fourTransforms)},
	{key: "sink-avro", title: "topic → file, AvroConverter with a registry", metrics: throughput(target{timesConnect, 5}), note: avroNote,
		run: withRegistry(true, func(c map[string]string) func(context.Context, *env, string) (metrics, error) {
			return sink(1, c, avro, printed)
		}, nil)},
	{key: "source-1k", title: "file → topic, 1 KB lines as JSON with schemas",
		metrics: throughput(), run: source(1000, 8, fourTransforms, hoisted)},
	{key: "sinks-8", title: "topic → 8 files at once, StringConverter",
		metrics: throughput(), run: sink(8, nil, plain, plain)},
	{key: "latency", title: "one line at 10 a second, file to topic", metrics: []metric{
		{"p50", "median latency", "ms", false, []target{{betterConnect, 0}}},
		{"p99", "p99 latency", "ms", false, []target{{betterConnect, 0}}},
	}, run: runLatency},
	{key: "trace-off", title: "tracing when off: a no-op hook (B) against none (A), in one process, file → topic, StringConverter", metrics: []metric{
		{"off", "CPU per million, off", "s", false, nil},
		{"hook", "CPU per million, no-op hook", "s", false, nil},
		{"aa", "A/A, median", "% of CPU", false, nil},
		{"aalow", "A/A, lowest", "% of CPU", false, nil},
		{"aahigh", "A/A, highest", "% of CPU", false, nil},
		{"ab", "A/B, median", "% of CPU", false, nil},
		{"ablow", "A/B, lowest", "% of CPU", false, nil},
		{"abhigh", "A/B, highest", "% of CPU", false, nil},
		{"planted", "a planted 3 % reads as, median", "% of CPU", false, nil},
		{"batch", "records a batch", "", false, nil},
		{"call", "the hook's call by itself, a batch", "ns", false, nil},
	}, run: runTraceOff, ours: true, once: true, timeout: 15 * time.Minute},
	{key: "failover", title: "kill -9 of one of 3 workers that run 30 connectors with 60 tasks, defaults (Kafka Connect: one that does not lead)",
		metrics: failoverMetrics, run: failover(nil), once: true, timeout: failoverTimeout, note: failoverNote},
	{key: "failover-tuned", title: "the same, Kafka Connect tuned: no rebalance delay, sessions of 10 s, heartbeats of 0.5 s",
		metrics: failoverMetrics, run: failover(noDelay), once: true, timeout: failoverTimeout, note: failoverNote},
	{key: "false-alarms", title: "3 workers that run 30 connectors with 60 tasks: what happens without a fault, and with a worker stopped for 700 ms every 10 s",
		metrics: falseAlarmMetrics(), run: runFalseAlarms, ours: true, once: true, timeout: alarmsTimeout, note: falseAlarmsNote},
	{key: "join", title: "a fourth worker joins 3 that run 30 connectors with 60 tasks", metrics: []metric{
		{"ready", "REST ready after", "s", false, []target{{betterConnect, 0}}},
		{"share", "holds its share after", "s", false, []target{{betterConnect, 0}}},
		{"gap", "longest pause of a stream meanwhile", "s", false, []target{{betterConnect, 0}}},
	}, run: runJoin},
	{key: "connectors-3", title: "200 one-task connectors on 3 workers, created by 8 clients that ask all of them", metrics: []metric{
		{"running", "all running after", "s", false, []target{{betterConnect, 0}}},
		{"resident", "resident, the largest worker", "MB", false, []target{{betterConnect, 0}}},
		{"threads", "threads, the most of a worker", "", false, []target{{betterConnect, 0}}},
		{"goroutines", "goroutines, the most of a worker", "", false, nil},
		{"idlecpu", "idle CPU over 10 s, the busiest worker", "% of a core", false, []target{{betterConnect, 0}}},
	}, run: runConnectors3, timeout: 10 * time.Minute, note: connectors3Note},
	{key: "rest-latency", title: "writes over REST, one after the other, each through any of 3 workers",
		metrics: restMetrics(), run: runREST, timeout: 10 * time.Minute, note: restNote},
	{key: "scale", title: "2000 one-task connectors on 3 workers, half sources and half sinks; kill -9 of one worker", metrics: []metric{
		{"created", "all created after", "s", false, nil},
		{"running", "all running after", "s", false, nil},
		{"moved", "every line from each source in each sink's file after", "s", false, nil},
		{"resident", "resident, the largest worker", "MB", false, nil},
		{"goroutines", "goroutines, the most of a worker", "", false, nil},
		{"idlecpu", "idle CPU over 20 s, the busiest worker", "% of a core", false, []target{{atMost, 5}}},
		{"first", "kill to the first new record, median of a sample of moved sources", "s", false, nil},
		{"last", "the same, slowest of the sample", "s", false, nil},
		{"back", "kill to all running elsewhere, by the statuses", "s", false, nil},
		{"after", "resident after it, the larger of the two", "MB", false, nil},
	}, run: runScale, ours: true, once: true, timeout: scaleTimeout, note: scaleNote},
	{key: "classes", title: "each transform, predicate and converter by itself, one thread", brokerless: true,
		metrics: classMetrics(), table: classTable, run: runClasses, timeout: classesTimeout, note: classesNote},
}

func throughput(rate ...target) []metric {
	if len(rate) == 0 {
		rate = []target{{betterConnect, 0}}
	}
	return []metric{
		{"rate", "throughput", "thousand records/s", true, rate},
		{"cpu", "CPU per million", "s", false, []target{{betterConnect, 0}}},
		{"peak", "peak memory", "MB", false, []target{{atMost, 150}}},
	}
}

func withCPU(ms []metric, t target) []metric {
	ms[1].targets = []target{t}
	return ms
}

const (
	stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	transformsDot   = "org.apache.kafka.connect.transforms."
)

// fourTransforms are the design's, with its converter.
var fourTransforms = map[string]string{
	"value.converter":                "org.apache.kafka.connect.json.JsonConverter",
	"value.converter.schemas.enable": "true",
	"transforms":                     "hoist,insert,rename,route",
	"transforms.hoist.type":          transformsDot + "HoistField$Value",
	"transforms.hoist.field":         "line",
	"transforms.insert.type":         transformsDot + "InsertField$Value",
	"transforms.insert.static.field": "source",
	"transforms.insert.static.value": "bench",
	"transforms.rename.type":         transformsDot + "ReplaceField$Value",
	"transforms.rename.renames":      "line:text",
	"transforms.route.type":          transformsDot + "RegexRouter",
	"transforms.route.regex":         "(.*)",
	"transforms.route.replacement":   "$1",
}

var jsonConverter = map[string]string{
	"value.converter":                "org.apache.kafka.connect.json.JsonConverter",
	"value.converter.schemas.enable": "true",
}

// merge overlays configs, the last one wins.
func merge(configs ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, c := range configs {
		for k, v := range c {
			all[k] = v
		}
	}
	return all
}

func fileSource(file, topic string) map[string]string {
	return map[string]string{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": file, "topic": topic,
		"key.converter": stringConverter, "value.converter": stringConverter,
	}
}

func fileSink(file, topic string) map[string]string {
	return map[string]string{
		"connector.class": "FileStreamSink", "tasks.max": "1", "file": file, "topics": topic,
		"key.converter": stringConverter, "value.converter": stringConverter,
	}
}

// source moves the lines from a file into a topic that is absent at the start.
// fewer divides their number.
func source(length, fewer int, config map[string]string, want form) func(context.Context, *env, string) (metrics, error) {
	return func(ctx context.Context, e *env, arm string) (metrics, error) {
		lines := e.lines / fewer
		in, err := e.inputFile(lines, length)
		if err != nil {
			return nil, err
		}
		topic := e.name("topic")
		defer e.deleteTopic(topic)
		complete := func(ctx context.Context, check func(context.Context) error) error {
			return e.waitTopic(ctx, topic, int64(lines), check)
		}
		var u use
		if arm == armBare {
			u, err = e.runBare(ctx, "produce", topic, in, lines, complete)
		} else {
			u, err = e.runConnector(ctx, arm, merge(fileSource(in, topic), config), complete)
		}
		if err != nil {
			return nil, err
		}
		return u.metrics(lines), want.checkTopic(ctx, e.addr, topic, lines, length)
	}
}

// sink moves the lines from a topic into as many files as there are sinks.
func sink(sinks int, config map[string]string, in, out form) func(context.Context, *env, string) (metrics, error) {
	return func(ctx context.Context, e *env, arm string) (metrics, error) {
		topic, err := e.inputTopic(ctx, in, e.lines, lineLength)
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp(e.dir, "sink-")
		if err != nil {
			return nil, fmt.Errorf("making the sink's folder: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		files := make([]string, sinks)
		for i := range files {
			files[i] = filepath.Join(dir, fmt.Sprint(i))
		}
		complete := func(ctx context.Context, check func(context.Context) error) error {
			for _, f := range files {
				if err := e.waitFile(ctx, f, out.size(e.lines, lineLength), check); err != nil {
					return err
				}
			}
			return nil
		}
		var u use
		switch {
		case arm == armBare:
			u, err = e.runBare(ctx, "consume", topic, files[0], e.lines, complete)
		case sinks == 1:
			u, err = e.runConnector(ctx, arm, merge(fileSink(files[0], topic), config), complete)
		default:
			u, err = e.runSinks(ctx, arm, topic, files, complete)
		}
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if err := out.checkFile(f, e.lines, lineLength); err != nil {
				return nil, err
			}
		}
		return u.metrics(e.lines * sinks), nil
	}
}

// runSinks creates a connector for each file at once.
func (e *env) runSinks(ctx context.Context, arm, topic string, files []string, complete func(context.Context, func(context.Context) error) error) (use, error) {
	w, err := e.readyWorker(ctx, arm)
	if err != nil {
		return use{}, err
	}
	defer w.close()
	name := e.name("connector")
	cpu, begin := cpuSeconds(w.proc.PID()), time.Now()
	err = createAll(ctx, []*worker{w}, len(files), func(i int) (string, map[string]string) {
		return fmt.Sprintf("%s-%d", name, i), fileSink(files[i], topic)
	})
	if err != nil {
		return use{}, err
	}
	err = complete(ctx, func(ctx context.Context) error {
		_, err := w.running(ctx)
		return err
	})
	if err != nil {
		return use{}, err
	}
	return use{time.Since(begin).Seconds(), cpuSeconds(w.proc.PID()) - cpu, peakMB(w.proc.PID())}, nil
}

// clients is how many HTTP clients create connectors at once.
const clients = 8

// createAll lets the clients create n connectors and waits for all answers. Each
// client asks one of the workers, the next one the next of them.
func createAll(ctx context.Context, through []*worker, n int, config func(i int) (string, map[string]string)) error {
	var next atomic.Int64
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				name, conf := config(i)
				if errs[c] = through[c%len(through)].create(ctx, name, conf); errs[c] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// runStart measures a second start of one group: its topics exist.
func runStart(ctx context.Context, e *env, arm string) (metrics, error) {
	group := e.name("group")
	first, err := e.startWorker(ctx, arm, group, nil)
	if err != nil {
		return nil, err
	}
	if err := first.waitReady(ctx); err != nil {
		first.close()
		return nil, err
	}
	err = first.proc.Stop(time.Minute) // in order: it leaves the group
	first.close()
	if err != nil {
		return nil, err
	}

	begin := time.Now()
	w, err := e.startWorker(ctx, arm, group, nil)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.waitReady(ctx); err != nil {
		return nil, err
	}
	ready := time.Since(begin)
	if err := pause(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	return metrics{"ready": ready.Seconds(), "idle": residentMB(w.proc.PID())}, nil
}

// manyConnectors is how many the design creates.
const manyConnectors = 200

func runConnectors(ctx context.Context, e *env, arm string) (metrics, error) {
	empty := filepath.Join(e.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, fmt.Errorf("making the input: %w", err)
	}
	w, err := e.readyWorker(ctx, arm)
	if err != nil {
		return nil, err
	}
	defer w.close()
	topic, name := e.name("topic"), e.name("connector")
	begin := time.Now()
	err = createAll(ctx, []*worker{w}, manyConnectors, func(i int) (string, map[string]string) {
		return fmt.Sprintf("%s-%d", name, i), fileSource(empty, topic)
	})
	if err != nil {
		return nil, err
	}
	for {
		n, err := w.running(ctx)
		if err != nil {
			return nil, fmt.Errorf("waiting for the connectors to run: %w", err)
		}
		if n == manyConnectors {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, fmt.Errorf("waiting for the connectors to run: %d of %d do: %w", n, manyConnectors, err)
		}
	}
	took := time.Since(begin)
	pid := w.proc.PID()
	// What the creation left to do is not idle: a second for it.
	if err := pause(ctx, time.Second); err != nil {
		return nil, err
	}
	cpu, from := cpuSeconds(pid), time.Now()
	if err := pause(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	idle := (cpuSeconds(pid) - cpu) / time.Since(from).Seconds() * 100
	return metrics{
		"running": took.Seconds(), "resident": residentMB(pid), "threads": statusField(pid, "Threads"),
		"goroutines": math.Round(w.goroutines(ctx)), "idlecpu": idle,
	}, nil
}
