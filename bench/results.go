package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// results collects the figures of every run and prints them.
type results struct {
	s        settings
	begin    time.Time
	runs     map[string][]metrics // by row and arm, a run each
	failures []string
	others   []float64 // percent of the machine that other processes used, a run each
}

func newResults(s settings) *results {
	return &results{s: s, begin: time.Now(), runs: map[string][]metrics{}}
}

func (r *results) add(row, arm string, m metrics) {
	r.runs[row+"/"+arm] = append(r.runs[row+"/"+arm], m)
}

// failed keeps the place of the failed run, so that repetitions stay pairs.
func (r *results) failed(row, arm string, err error) {
	r.add(row, arm, nil)
	r.failures = append(r.failures, fmt.Sprintf("%s, %s: %v", row, arm, err))
}

// values are a metric's figures in order of repetition, NaN for a failed run.
func (r *results) values(row, arm, metric string) []float64 {
	var v []float64
	for _, m := range r.runs[row+"/"+arm] {
		if x, ok := m[metric]; ok {
			v = append(v, x)
		} else {
			v = append(v, math.NaN())
		}
	}
	return v
}

// ratios divides the figures of the same repetition, so that more than 1 is
// better for the first arm.
func (r *results) ratios(row string, m metric, arm, other string) []float64 {
	a, b := r.values(row, arm, m.name), r.values(row, other, m.name)
	var v []float64
	for i := range min(len(a), len(b)) {
		if m.moreIsBetter {
			v = append(v, a[i]/b[i])
		} else {
			v = append(v, b[i]/a[i])
		}
	}
	return v
}

// spread is the median and the ends of what is a number; ok is false when
// nothing is.
func spread(v []float64) (median, low, high float64, ok bool) {
	v = slices.DeleteFunc(slices.Clone(v), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	if len(v) == 0 {
		return nan, nan, nan, false
	}
	slices.Sort(v)
	median = v[len(v)/2]
	if len(v)%2 == 0 {
		median = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return median, v[0], v[len(v)-1], true
}

// number has three significant digits, as many as the figures deserve.
func number(x float64) string {
	switch {
	case math.Abs(x) >= 99.95 || x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 9.995:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}

func cell(v []float64) string {
	median, low, high, ok := spread(v)
	switch {
	case !ok && len(v) > 0:
		return "none"
	case !ok:
		return ""
	case len(v) == 1:
		return number(median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(median), number(low), number(high))
}

func ratioCell(v []float64) string {
	if c := cell(v); c != "" && c != "none" {
		return c + " ×"
	}
	return ""
}

// line is one run in short, for the progress on standard output.
func (m metrics) line(r row) string {
	if r.table != nil {
		return "" // too many for a line
	}
	var parts []string
	for _, x := range r.metrics {
		if v, ok := m[x.name]; ok && !math.IsNaN(v) {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", x.title, number(v), x.unit)))
		}
	}
	return strings.Join(parts, ", ")
}

func (t target) text(m metric) string {
	switch t.kind {
	case atMost:
		return strings.TrimSpace("≤ " + number(t.value) + " " + m.unit)
	case atLeast:
		return strings.TrimSpace("≥ " + number(t.value) + " " + m.unit)
	case timesConnect:
		return "≥ " + number(t.value) + " × Kafka Connect"
	case timesBare:
		return "≥ " + number(t.value) + " × bare"
	default:
		return "not worse than Kafka Connect"
	}
}

// met says whether Troupe's figures keep the target; known is false when an arm
// that it compares was not run.
func (r *results) met(row string, m metric, t target) (met, known bool) {
	switch t.kind {
	case atMost:
		median, _, _, ok := spread(r.values(row, armTroupe, m.name))
		return median <= t.value, ok
	case atLeast:
		median, _, _, ok := spread(r.values(row, armTroupe, m.name))
		return median >= t.value, ok
	case timesConnect:
		median, _, _, ok := spread(r.ratios(row, m, armTroupe, armConnect))
		return median >= t.value, ok
	case timesBare:
		median, _, _, ok := spread(r.ratios(row, m, armTroupe, armBare))
		return median >= t.value, ok
	default:
		median, _, _, ok := spread(r.ratios(row, m, armTroupe, armConnect))
		return median >= 1, ok
	}
}

// verdict names each target that is missed, and a loss to Kafka Connect even
// where the target allows it.
func (r *results) verdict(row string, m metric) string {
	if slices.ContainsFunc(r.runs[row+"/"+armTroupe], func(x metrics) bool { return x == nil }) {
		return "**FAILED**"
	}
	var missed []string
	known := false
	for _, t := range m.targets {
		met, ok := r.met(row, m, t)
		known = known || ok
		if ok && !met {
			missed = append(missed, t.text(m))
		}
	}
	if lost, _, _, ok := spread(r.ratios(row, m, armTroupe, armConnect)); ok && lost < 1 && len(m.targets) > 0 {
		return "**LOST**"
	}
	switch {
	case len(missed) > 0:
		return "**no**: " + strings.Join(missed, ", ")
	case !known:
		return ""
	}
	return "yes"
}

// table is the report as Markdown, without the rows that have tables of their own.
func (r *results) table() string {
	if !slices.ContainsFunc(rows, func(row row) bool { return row.table == nil && slices.Contains(r.s.rows, row.key) }) {
		return ""
	}
	var b strings.Builder
	b.WriteString("| work | measure | Kafka Connect 4.1 | Troupe | Troupe is better by | bare client | Troupe to bare | target | met |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		if row.table != nil || !slices.Contains(r.s.rows, row.key) {
			continue
		}
		for i, m := range row.metrics {
			title := ""
			if i == 0 {
				title = row.title
			}
			var targets []string
			for _, t := range m.targets {
				targets = append(targets, t.text(m))
			}
			measure := m.title
			if m.unit != "" {
				measure += ", " + m.unit
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, measure,
				cell(r.values(row.key, armConnect, m.name)), cell(r.values(row.key, armTroupe, m.name)),
				ratioCell(r.ratios(row.key, m, armTroupe, armConnect)),
				cell(r.values(row.key, armBare, m.name)), ratioCell(r.ratios(row.key, m, armTroupe, armBare)),
				strings.Join(targets, ", "), r.verdict(row.key, m))
		}
	}
	return b.String()
}

// tables are those of the rows that have their own, as Markdown.
func (r *results) tables() string {
	var b strings.Builder
	for _, row := range rows {
		if row.table != nil && slices.Contains(r.s.rows, row.key) {
			b.WriteString("\n" + row.table(r, row))
		}
	}
	return b.String()
}

// notes are what the readers of the rows that ran have to know, as Markdown.
func (r *results) notes() string {
	var b strings.Builder
	keys := map[string][]string{} // rows that share a note
	var order []string
	for _, row := range rows {
		if row.note == "" || !slices.Contains(r.s.rows, row.key) {
			continue
		}
		if keys[row.note] == nil {
			order = append(order, row.note)
		}
		keys[row.note] = append(keys[row.note], row.key)
	}
	for _, note := range order {
		fmt.Fprintf(&b, "\n%s: %s\n", strings.Join(keys[note], ", "), note)
	}
	return b.String()
}

// write puts the report, with what is needed to repeat it, into a file.
func (r *results) write(path string) error {
	cpu, memory := machine()
	var b strings.Builder
	b.WriteString("# Measured\n\n")
	fmt.Fprintf(&b, "Written by `%s` on %s.\n\n", commandLine(), r.begin.UTC().Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(&b, "* Machine: %s, %d cores, %s GB of memory, %s/%s\n", cpu, runtime.NumCPU(), number(memory), runtime.GOOS, runtime.GOARCH)
	b.WriteString(r.setup())
	if median, _, most, ok := spread(r.others); ok {
		fmt.Fprintf(&b, "* Other processes used %.0f %% of the machine during the runs (median; at most %.0f %%)%s\n", median, most, busyNote(most))
	}
	fmt.Fprintf(&b, "* LOST: worse than Kafka Connect in the same run\n\n")
	if !slices.Contains(r.s.arms, armTroupe) {
		b.WriteString("Troupe was not run.\n\n")
	}
	b.WriteString(r.table())
	b.WriteString(r.tables())
	b.WriteString(r.notes())
	if len(r.failures) > 0 {
		b.WriteString("\nFailed runs:\n\n")
		for _, f := range r.failures {
			first, _, _ := strings.Cut(f, "\n")
			fmt.Fprintf(&b, "* %s\n", first)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}

// setup is what the arms ran on, a list in Markdown.
func (r *results) setup() string {
	connect := strings.Join(kafkatest.ConnectJVM(), " ")
	if !r.s.needBroker() {
		return fmt.Sprintf("* Kafka Connect: 4.1.0, its classes alone, `%s`\n* %d repetitions, the arms alternate; median (lowest–highest); ratios are of the same repetition\n", connect, r.s.reps)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "* Broker: Apache Kafka 4.1.0, one node, `-Xmx1G`, on the same machine; one partition, no compression, topic absent at the start\n")
	fmt.Fprintf(&b, "* Kafka Connect: 4.1.0, distributed, `%s`\n", connect)
	fmt.Fprintf(&b, "* Troupe: `troupe distributed worker.properties`, the same worker properties and connectors\n")
	fmt.Fprintf(&b, "* Bare client: franz-go with its own defaults but without compression, in a process of its own\n")
	fmt.Fprintf(&b, "* %d lines of %d bytes (1 KB rows: an eighth of that); %d repetitions, the arms alternate; median (lowest–highest); ratios are of the same repetition\n", r.s.lines, lineLength, r.s.reps)
	fmt.Fprintf(&b, "* Time runs from the POST of the connector to the last record at the destination, whose content is then checked; CPU (user and system) likewise, of the worker's process; peak memory is VmHWM, 1 MB is 10^6 bytes\n")
	return b.String()
}

// quietPercent is how much of the machine others may use before the figures
// say more about them.
const quietPercent = 10

func busyNote(most float64) string {
	if most <= quietPercent {
		return ""
	}
	return ": **the machine was not quiet, which no arm felt alike; measure again**"
}

// commandLine is how to run this again; go run's path of the program is no one's.
func commandLine() string {
	return strings.Join(append([]string{"go run ./bench"}, os.Args[1:]...), " ")
}
