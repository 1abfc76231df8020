package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// classesJSON are the records and the cases of the row classes, for both arms.
//
//go:embed java/classes.json
var classesJSON []byte

// classList is what classesJSON holds.
type classList struct {
	Records map[string]classRecord
	Cases   []classCase
}

// classRecord is the input of cases. Key, value and headers are JSON with their
// schemas, as JsonConverter reads it.
type classRecord struct {
	Topic     string
	Timestamp int64 // epoch ms
	Key       json.RawMessage
	Value     json.RawMessage
	Headers   []struct {
		Key   string
		Value json.RawMessage
	}
}

// classCase is a class with its settings, and the record that it gets.
type classCase struct {
	Key, Kind, Class string
	JavaClass        string // stands in for Class in the JVM, and asks a schema registry
	Config           map[string]string
	On               string // of Records
}

// The kinds of cases: what is called.
const (
	kindTransform         = "transform"
	kindPredicate         = "predicate"
	kindFromConnect       = "fromConnect"
	kindToConnect         = "toConnect"
	kindFromConnectHeader = "fromConnectHeader"
	kindToConnectHeader   = "toConnectHeader"
)

// conversionTimes is what issue and design ask of a conversion on one thread,
// beside Kafka Connect's.
const conversionTimes = 3

// How long each case runs in each arm, in CPU time: on a busy machine a JVM would
// otherwise be measured before it has compiled what it runs.
const (
	classWarmUp    = 2 * time.Second
	classTime      = time.Second
	classQuickTime = 50 * time.Millisecond

	classesTimeout = 15 * time.Minute
)

const classesNote = "Kafka Connect's own classes in a JVM of their own for each case (its compiler knows nothing but that case), " +
	"with its start script's options, after 2 s of warm-up (CPU time); Troupe's in the benchmark's process, which holds 10 MB of records as a loaded worker does. One thread drives one record, over and over, " +
	"so caches are warm, and in both a schema is found by its identity, with Troupe the keys of headers too. A second is one of CPU time of the whole process, " +
	"collecting garbage included: the figures are those of one core. Troupe's converters write into chunks as its tasks do. Its transforms change a record in place, so each call begins with a copy of " +
	"the record, 4 ns, which a task does not make. " +
	"AvroConverter of the other arm is " + standIn + ", and nothing is asked of the registry after the first record; the schemas that both registered are compared as well. " +
	"Both arms' results are compared, schemas too; a difference fails the row."

var classes = mustClasses()

// mustClasses reads the list that this program carries.
func mustClasses() classList {
	var l classList
	if err := json.Unmarshal(classesJSON, &l); err != nil {
		panic("bench/java/classes.json: " + err.Error())
	}
	return l
}

func (c *classCase) conversion() bool { return c.Kind != kindTransform && c.Kind != kindPredicate }

// title is the class as its settings call it, and what it does here.
func (c *classCase) title() string {
	title := c.Class[strings.LastIndexByte(c.Class, '.')+1:]
	if c.conversion() {
		title += "." + c.Kind
	}
	var config []string
	for k, v := range c.Config {
		config = append(config, k+"="+v)
	}
	if slices.Sort(config); len(config) > 0 {
		title += " `" + strings.Join(config, " ") + "`"
	}
	return title
}

// Names of a case's figures beside its rate, which goes by the case's key.
const (
	allocsOf = ".allocs"
	bytesOf  = ".bytes"
)

// classMetrics are a rate for each case.
func classMetrics() []metric {
	var ms []metric
	for _, c := range classes.Cases {
		t := target{betterConnect, 0}
		if c.conversion() {
			t = target{timesConnect, conversionTimes}
		}
		ms = append(ms, metric{c.Key, c.title(), "thousand records/s", true, []target{t}})
	}
	return ms
}

// classRun is what an arm says of one case.
type classRun struct {
	Key        string
	Output     []string
	Records    int64
	CPUSeconds float64 // of the process
	Seconds    float64
	Bytes      int64 // allocated
	Allocs     int64 // Troupe's alone: a JVM does not count them
}

// runClasses drives every case and compares what came out with the other arm's.
func runClasses(ctx context.Context, e *env, arm string) (metrics, error) {
	warmUp, measure := classWarmUp, classTime
	if e.quick {
		warmUp, measure = 0, classQuickTime
	}
	run := e.javaClasses
	if arm == armTroupe {
		run = ourClasses
	}
	runs, err := besideRegistry(ctx, warmUp, measure, run)
	if err != nil {
		return nil, err
	}
	if err := e.compareClasses(arm, runs); err != nil {
		return nil, err
	}
	return classFigures(runs, e.quick), nil
}

// compareClasses keeps what came out of an arm, and says where it differs from the
// other's. Troupe by itself has nobody to be compared with.
func (e *env) compareClasses(arm string, runs []classRun) error {
	if e.classRuns == nil {
		e.classRuns = map[string][]classRun{}
	}
	e.classRuns[arm] = runs
	if _, ran := e.classRuns[armConnect]; !ran {
		return nil
	}
	ours, ran := e.classRuns[armTroupe]
	if !ran { // Kafka Connect goes first: it is compared with what we would say
		var err error
		if ours, err = besideRegistry(context.Background(), 0, 0, ourClasses); err != nil {
			return err
		}
	}
	return differences(ours, e.classRuns[armConnect])
}

// classFigures turns runs into metrics. Quick ones are too short to tell.
func classFigures(runs []classRun, quick bool) metrics {
	m := metrics{}
	for _, r := range runs {
		if quick {
			continue
		}
		n := float64(r.Records)
		m[r.Key] = n / r.CPUSeconds / 1000
		m[r.Key+bytesOf] = float64(r.Bytes) / n
		m[r.Key+allocsOf] = float64(r.Allocs) / n
	}
	return m
}

// differences is an error for each case whose results are not the same.
func differences(ours, theirs []classRun) error {
	if len(ours) != len(theirs) {
		return fmt.Errorf("%d cases ran here and %d with Kafka Connect", len(ours), len(theirs))
	}
	var errs []error
	for i, o := range ours {
		t := theirs[i]
		if o.Key != t.Key {
			return fmt.Errorf("case %d is %s here and %s with Kafka Connect", i+1, o.Key, t.Key)
		}
		a, b := canonical(o.Output), canonical(t.Output)
		if len(a) == 0 || !slices.Equal(a, b) {
			errs = append(errs, fmt.Errorf("%s: the results differ: Troupe has\n%s\nKafka Connect has\n%s",
				o.Key, strings.Join(a, "\n"), strings.Join(b, "\n")))
		}
	}
	return errors.Join(errs...)
}

// canonical orders the members of the JSON objects in lines of output: a Java map
// has its own order. Numbers keep their text.
func canonical(lines []string) []string {
	out := slices.Clone(lines)
	for i, line := range out {
		at := strings.IndexByte(line, '{')
		if at < 0 {
			continue
		}
		d := json.NewDecoder(strings.NewReader(line[at:]))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil || d.More() {
			continue // it is compared as it stands
		}
		if b, err := json.Marshal(v); err == nil {
			out[i] = line[:at] + string(b)
		}
	}
	return out
}

// classTable is the row's own table: a line for each class, with allocations.
func classTable(r *results, row row) string {
	var b strings.Builder
	if r.s.quick {
		return "" // it compares and measures nothing
	}
	fmt.Fprintf(&b, "%s, %s:\n\n", row.title, row.metrics[0].unit)
	b.WriteString("| class | Kafka Connect 4.1 | Troupe | Troupe is better by | allocations/record | bytes/record (Kafka Connect) | target | met |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, m := range row.metrics {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s (%s) | %s | %s |\n", strings.ReplaceAll(m.title, "|", `\|`),
			cell(r.values(row.key, armConnect, m.name)), cell(r.values(row.key, armTroupe, m.name)),
			ratioCell(r.ratios(row.key, m, armTroupe, armConnect)),
			middle(r.values(row.key, armTroupe, m.name+allocsOf)),
			middle(r.values(row.key, armTroupe, m.name+bytesOf)), middle(r.values(row.key, armConnect, m.name+bytesOf)),
			m.targets[0].text(m), r.verdict(row.key, m))
	}
	return b.String()
}

// middle is the median alone.
func middle(v []float64) string {
	median, _, _, ok := spread(v)
	if !ok {
		return ""
	}
	return number(median)
}
