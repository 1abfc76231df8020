package telemetry

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const docsPage = "../../docs/metrics.md"

// TestEveryJMXMetric checks that each attribute of Kafka Connect's JMX objects is
// exported or has its reason why not, once.
func TestEveryJMXMetric(t *testing.T) {
	f, err := os.Open("testdata/jmx-attributes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	have := make(map[string]int)
	for _, r := range table() {
		for _, a := range r.attrs {
			have[r.mbean+" "+a]++
		}
		if !r.exported() && r.note == "" {
			t.Errorf("%s %v is not exported, without a reason", r.mbean, r.attrs)
		}
	}
	sc := bufio.NewScanner(f)
	want := make(map[string]bool)
	for sc.Scan() {
		if line := sc.Text(); line != "" && !strings.HasPrefix(line, "#") {
			want[line] = true
			if have[line] != 1 {
				t.Errorf("%s is in the table %d times, want 1", line, have[line])
			}
		}
	}
	if len(want) < 100 {
		t.Fatalf("only %d attributes were read", len(want))
	}
	for line := range have {
		if !want[line] {
			t.Errorf("Kafka Connect has no %s", line)
		}
	}
}

// TestNames checks some names against those that dashboards for the JMX exporter's
// example ask for.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		mbean, attr, name string
		covered           bool
	}{
		{"connect-worker-metrics", "connector-startup-failure-total", "kafka_connect_worker_connector_startup_failure_total", true},
		{"connect-worker-metrics", "connector-running-task-count", "kafka_connect_worker_connector_running_task_count", true},
		{"connect-worker-rebalance-metrics", "rebalance-avg-time-ms", "kafka_connect_worker_rebalance_rebalance_avg_time_ms", true},
		{"connector-task-metrics", "running-ratio", "kafka_connect_connector_task_running_ratio", true},
		{"connector-task-metrics", "batch-size-avg", "kafka_connect_connector_task_batch_size_avg", true},
		{"connector-task-metrics", "batch-size-max", "kafka_connect_connector_task_batch_size_max", false},
		{"connector-task-metrics", "offset-commit-max-time-ms", "kafka_connect_connector_task_offset_commit_max_time_ms", true},
		{"connector-task-metrics", "offset-commit-success-percentage", "kafka_connect_connector_task_offset_commit_success_percentage", false},
		{"source-task-metrics", "source-record-poll-total", "kafka_connect_source_task_source_record_poll_total", true},
		{"source-task-metrics", "source-record-poll-rate", "kafka_connect_source_task_source_record_poll_rate", false},
		{"source-task-metrics", "source-record-active-count", "kafka_connect_source_task_source_record_active_count", true},
		{"source-task-metrics", "source-record-active-count-avg", "kafka_connect_source_task_source_record_active_count_avg", false},
		{"sink-task-metrics", "partition-count", "kafka_connect_sink_task_partition_count", true},
		{"sink-task-metrics", "offset-commit-seq-no", "kafka_connect_sink_task_offset_commit_seq_no", false},
		{"task-error-metrics", "total-records-skipped", "kafka_connect_task_error_total_records_skipped", true},
		{"task-error-metrics", "deadletterqueue-produce-requests", "kafka_connect_task_error_deadletterqueue_produce_requests", true},
		{"connect-coordinator-metrics", "assigned-tasks", "kafka_connect_coordinator_assigned_tasks", true},
	} {
		if name, covered := byExample(c.mbean, c.attr); name != c.name || covered != c.covered {
			t.Errorf("%s %s: %s (%v), want %s (%v)", c.mbean, c.attr, name, covered, c.name, c.covered)
		}
	}
	seen := make(map[string]bool)
	for _, r := range table() {
		if r.exported() && seen[r.name] {
			t.Errorf("%s is exported twice", r.name)
		}
		seen[r.name] = true
	}
}

// TestDocsMetrics holds docs/metrics.md to the table. TROUPE_WRITE_DOCS=1 rewrites
// it.
func TestDocsMetrics(t *testing.T) {
	page := docs()
	if os.Getenv("TROUPE_WRITE_DOCS") == "1" {
		if err := os.WriteFile(docsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Error("docs/metrics.md is not what the table gives; `make docs` rewrites it")
	}
}

func docs() string {
	var b strings.Builder
	b.WriteString(docsIntro)
	mbean, labels := "-", "-"
	for _, r := range table() {
		own := r.mbean == ""
		if l := labelNames(r); r.mbean != mbean || l != labels {
			if r.mbean != mbean {
				if own {
					b.WriteString("\n## Troupe's own\n")
				} else {
					fmt.Fprintf(&b, "\n## `%s`\n", r.mbean)
				}
			}
			mbean, labels = r.mbean, l
			if own {
				fmt.Fprintf(&b, "\nLabels: %s.\n\n| Prometheus | Type | Meaning |\n|---|---|---|\n", l)
			} else {
				fmt.Fprintf(&b, "\nLabels: %s.\n\n| JMX attribute | Prometheus | Type | Meaning |\n|---|---|---|---|\n", l)
			}
		}
		if own {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", nameCell(r), kindCell(r), r.help)
			continue
		}
		attrs := "`" + strings.Join(r.attrs, "`, `") + "`"
		if r.attrs[0] == "*" {
			attrs = "all"
		}
		if !r.exported() {
			fmt.Fprintf(&b, "| %s | – | | Absent: %s. |\n", attrs, r.note)
			continue
		}
		meaning := r.help
		if _, covered := byExample(r.mbean, r.attrs[0]); !covered && r.note == "" {
			meaning += " (The example does not export it.)"
		}
		if r.note != "" {
			meaning += " (" + strings.ToUpper(r.note[:1]) + r.note[1:] + ".)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", attrs, nameCell(r), kindCell(r), meaning)
	}
	return b.String()
}

func nameCell(r metric) string {
	if len(r.extra) == 0 {
		return "`" + r.name + "`"
	}
	return "`" + r.name + "{" + strings.Join(r.extra, ",") + "}`"
}

func kindCell(r metric) string {
	switch {
	case r.info != nil:
		return "gauge, 1"
	case r.summary != nil:
		return "summary"
	case r.count:
		return "counter"
	}
	return "gauge"
}

func labelNames(r metric) string {
	l := slices.Clone(r.scope.labels())
	if len(l) == 0 {
		return "none"
	}
	for i := range l {
		l[i] = "`" + l[i] + "`"
	}
	return strings.Join(l, ", ")
}

const docsIntro = `# Metrics

This page is generated from the table in package ` + "`actors/telemetry`" + `; change the table, not the page.

Each worker answers ` + "`GET /metrics`" + ` on its REST listeners, in the Prometheus text format or, when the scraper asks for it, in
OpenMetrics (` + "`rest.metrics.enable=false`" + ` takes it away). There is no JMX. The numbers are those of the node that is asked: scrape every worker, and sum over ` + "`instance`" + ` where you want
the cluster.

` + "```yaml" + `
scrape_configs:
  - job_name: connect
    scrape_interval: 15s
    static_configs:
      - targets: ["connect-1:8083", "connect-2:8083", "connect-3:8083"]
` + "```" + `

**Dashboards.** The names are those that the JMX exporter gives Kafka Connect's JMX objects with its own example
configuration (` + "`examples/kafka-connect.yml`" + ` of ` + "`prometheus/jmx_exporter`" + `), so dashboards and alerts made for it go on
working: ` + "`kafka_connect_<type without -metrics>_<attribute>`" + `, every ` + "`-`" + ` as ` + "`_`" + `, with the labels ` + "`connector`" + ` and ` + "`task`" + `, and
` + "`kafka_connect_worker_*`" + ` for the worker's. Differences, all additions but the first:

* What only grows and ends in ` + "`_total`" + ` has the type counter; the example calls everything a gauge.
* What the example leaves out (rates, percentages, most maxima) is exported too, named by the same rule. Its lines say so.
* Strings (classes, versions, the leader) are labels of ` + "`…_info`" + ` metrics whose value is 1. A state is a label too:
  ` + "`kafka_connect_connector_status{status=\"running\"} 1`" + `; in any other state this series is absent, so ask for
  ` + "`count by (status) (kafka_connect_connector_status)`" + `.
* ` + "`clientId`" + ` is without the quotes that JMX object names have around it.

**Windows.** Averages, maxima, rates and percentages are over a window, as in Kafka Connect. It reaches back 30 to 60
seconds, rounded up to the next scrape; with more than 30 seconds between scrapes, to the scrape before the last. All
scrapers share one window. An average or maximum of nothing is NaN, a rate or percentage of nothing 0. For exact
rates use ` + "`rate()`" + ` over the totals.

**Life of a series.** A task's series begin when the task comes to the node and end when it leaves; its totals then begin
at 0 elsewhere. Kafka Connect starts them anew on every restart; here they live on when the supervisor, or
` + "`POST …/restart`" + `, starts the task again.

**Bounded labels.** Labels hold names of connectors, tasks, plugins and aliases, states and versions; never texts of
errors, topics or records.

**Cost.** Counting costs a task a few atomic additions a batch, nothing a record, and a scrape reads them; nobody who
does not scrape pays more.

Alerts to begin with:

` + "```yaml" + `
- alert: ConnectTaskFailed
  expr: sum by (connector) (kafka_connect_worker_connector_failed_task_count) > 0
- alert: ConnectNodeOut
  expr: kafka_connect_worker_rebalance_rebalancing == 1
  for: 30s
- alert: ConnectNodeEvicted
  expr: increase(troupe_cluster_evicted_total[1h]) > 0
- alert: ConnectTaskRestarting
  expr: increase(troupe_task_restarts_total[15m]) > 3
- alert: ConnectRecordsSkipped
  expr: increase(kafka_connect_task_error_total_records_skipped[15m]) > 0
- alert: ConnectPluginHangs
  expr: increase(troupe_task_abandoned_calls_total[1h]) > 0
- alert: ConnectBackpressure
  expr: avg_over_time(kafka_connect_source_task_source_record_active_count[15m]) > 100000
` + "```" + `

The metrics of the Go runtime (` + "`go_*`" + `) and of the process (` + "`process_*`" + `) are there too.
`
