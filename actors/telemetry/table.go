package telemetry

import (
	"maps"
	"slices"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/connectors"
)

// scope says what a metric is of, and so which labels it has.
type scope uint8

const (
	ofNode          scope = iota
	ofClient              // the node, with label clientId
	ofConnector           // a connector instance that runs here
	ofConnectorWork       // a connector of which tasks run here
	ofTask
	ofSourceTask
	ofSinkTask
)

func (s scope) labels() []string {
	switch s {
	case ofClient:
		return []string{"clientId"}
	case ofConnector, ofConnectorWork:
		return []string{"connector"}
	case ofTask, ofSourceTask, ofSinkTask:
		return []string{"connector", "task"}
	}
	return nil
}

// metric is one line of the table from which the exporter and its documentation
// are made.
type metric struct {
	mbean string   // JMX type in domain kafka.connect; "" for our own
	attrs []string // JMX attributes; several for an info metric
	name  string   // "": by the rules of the JMX exporter's example
	help  string
	note  string // for the documentation: how it differs
	scope scope
	count bool // only grows
	// clustered metrics are those of nodes of a cluster alone.
	clustered bool

	// One of these; all nil: not exported, and note says why.
	value   func(*view) float64
	info    func(*view) [][]string // values of the labels in extra; each a sample of value 1
	summary func(*view) (count uint64, sum float64)
	extra   []string
}

func (m *metric) exported() bool { return m.value != nil || m.info != nil || m.summary != nil }

// view is what a metric is computed from.
type view struct {
	cfg       *Config
	node      reading
	rebalance Rebalance
	cluster   Cluster
	sinceLast float64 // ms
	conns     int
	tasks     int

	conn      *worker.ConnectorInfo // ofConnector
	connState string
	work      map[string]int // ofConnectorWork: tasks by state; "" has all

	task       *worker.TaskInfo
	taskState  string
	win        reading
	runRatio   float64
	pauseRatio float64
}

const ms = 1e6 // nanoseconds

// table returns all metrics, in the order of the documentation.
func table() []metric {
	var t []metric
	add := func(mbean string, s scope, rows ...metric) {
		for _, r := range rows {
			r.mbean, r.scope = mbean, s
			if r.name == "" && r.exported() {
				r.name, _ = byExample(mbean, r.attrs[0])
			}
			t = append(t, r)
		}
	}
	num := func(attr, help string, f func(*view) float64) metric {
		return metric{attrs: []string{attr}, help: help, value: f}
	}
	total := func(attr, help string, f func(*view) float64) metric {
		m := num(attr, help, f)
		m.count = true
		return m
	}
	own := func(name, help string, f func(*view) float64) metric { return metric{name: name, help: help, value: f} }
	ownTotal := func(name, help string, f func(*view) float64) metric {
		return metric{name: name, help: help, value: f, count: true}
	}
	absent := func(why string, attrs ...string) metric { return metric{attrs: attrs, note: why} }
	noted := func(m metric, note string) metric { m.note = note; return m }

	add("connect-worker-metrics", ofNode,
		num("connector-count", "Connector instances on this node, in any state.", func(v *view) float64 { return float64(v.conns) }),
		num("task-count", "Tasks on this node, in any state.", func(v *view) float64 { return float64(v.tasks) }),
		total("connector-startup-attempts-total", "Connector starts that succeeded or failed.", func(v *view) float64 { return v.started(nConnectorsUp) + v.started(nConnectorsFailed) }),
		total("connector-startup-success-total", "Connector starts that succeeded.", func(v *view) float64 { return v.started(nConnectorsUp) }),
		num("connector-startup-success-percentage", "Share of connector starts that succeeded, 0 to 1, over the window.", func(v *view) float64 { return v.node.share(nConnectorsUp, nConnectorsFailed) }),
		total("connector-startup-failure-total", "Connector starts that failed.", func(v *view) float64 { return v.started(nConnectorsFailed) }),
		num("connector-startup-failure-percentage", "Share of connector starts that failed, 0 to 1, over the window.", func(v *view) float64 { return v.node.share(nConnectorsFailed, nConnectorsUp) }),
		total("task-startup-attempts-total", "Task starts that succeeded or failed.", func(v *view) float64 { return v.started(nTasksUp) + v.started(nTasksFailed) }),
		noted(total("task-startup-success-total", "Task starts that succeeded.", func(v *view) float64 { return v.started(nTasksUp) }),
			"stays 0 in Kafka Connect 4.1; here it counts"),
		num("task-startup-success-percentage", "Share of task starts that succeeded, 0 to 1, over the window.", func(v *view) float64 { return v.node.share(nTasksUp, nTasksFailed) }),
		noted(total("task-startup-failure-total", "Tasks that could not be built: plugins, converters, clients.", func(v *view) float64 { return v.started(nTasksFailed) }),
			"each try of a task that is restarted by itself counts"),
		num("task-startup-failure-percentage", "Share of task starts that failed, 0 to 1, over the window.", func(v *view) float64 { return v.node.share(nTasksFailed, nTasksUp) }),
	)

	work := func(attr, state, help string) metric {
		return num(attr, help, func(v *view) float64 { return float64(v.work[state]) })
	}
	add("connect-worker-metrics", ofConnectorWork,
		work("connector-total-task-count", "", "Tasks of the connector on this node."),
		work("connector-running-task-count", running, "Tasks of the connector on this node that are running."),
		work("connector-paused-task-count", paused, "Tasks of the connector on this node that are paused."),
		work("connector-failed-task-count", failed, "Tasks of the connector on this node that have failed."),
		work("connector-unassigned-task-count", unassigned, "Tasks of the connector on this node that have not started yet."),
		noted(work("connector-destroyed-task-count", "destroyed", "Tasks of the connector on this node that were deleted."), "always 0: a deleted task leaves the node"),
		work("connector-restarting-task-count", restarting, "Tasks of the connector on this node that wait for their restart."),
	)

	add("connect-worker-rebalance-metrics", ofNode,
		metric{attrs: []string{"connect-protocol", "leader-name"}, name: "kafka_connect_worker_rebalance_info", help: "Protocol of the group, and REST URL of the leader.",
			note: "strings, which the example does not export", extra: []string{"connect_protocol", "leader_name"},
			info: func(v *view) [][]string { return [][]string{{v.rebalance.Protocol, v.rebalance.Leader}} }},
		num("epoch", "Generation of the group.", func(v *view) float64 { return float64(v.rebalance.Epoch) }),
		noted(total("completed-rebalances-total", "Generations of the group that this node has seen.", func(v *view) float64 { return float64(v.rebalance.Completed) }),
			"a generation moves no work and stops nobody's tasks"),
		noted(num("rebalancing", "1 while this node is out of the group or not in good standing, and so runs nothing, else 0.", func(v *view) float64 { return oneIf(v.rebalance.Rebalancing) }),
			"during a rebalance that keeps nobody from working it is 0"),
		noted(num("rebalance-max-time-ms", "Longest time of a rebalance in milliseconds, over the window.", func(v *view) float64 { return v.node.highest(0, nRebalances) / ms }),
			"always NaN: no work waits for a rebalance, so that there is nothing to time"),
		noted(num("rebalance-avg-time-ms", "Average time of a rebalance in milliseconds, over the window.", func(v *view) float64 { return v.node.avg(nRebalanceTime, nRebalances) / ms }),
			"always NaN"),
		num("time-since-last-rebalance-ms", "Milliseconds since this node saw the last generation begin; +Inf before the first.", func(v *view) float64 { return v.sinceLast }),
	)

	add("connector-metrics", ofConnector,
		metric{attrs: []string{"status"}, name: "kafka_connect_connector_instance_status", help: "State of the connector instance, as a label.",
			note:  "the example does not export it; kafka_connect_connector_status is its name for tasks",
			extra: []string{"status"}, info: func(v *view) [][]string { return [][]string{{v.connState}} }},
		metric{attrs: []string{"connector-type", "connector-class", "connector-version"}, name: "kafka_connect_connector_info", help: "Type, class and version of the connector.",
			note: "strings, which the example does not export", extra: []string{"connector_type", "connector_class", "connector_version"},
			info: func(v *view) [][]string {
				kind, _ := v.conn.Kind.Load().(connectors.Kind)
				return [][]string{{orElse(string(kind), "unknown"), text(v.conn.Class.Load()), version(text(v.conn.Ver.Load()))}}
			}},
	)

	add("connector-task-metrics", ofTask,
		metric{attrs: []string{"status"}, name: "kafka_connect_connector_status", help: "State of the task, as a label.", extra: []string{"status"},
			info: func(v *view) [][]string { return [][]string{{v.taskState}} }},
		num("running-ratio", "Share of the task's life in which it was running, 0 to 1.", func(v *view) float64 { return v.runRatio }),
		num("pause-ratio", "Share of the task's life in which it was paused, 0 to 1.", func(v *view) float64 { return v.pauseRatio }),
		num("offset-commit-max-time-ms", "Longest successful offset commit in milliseconds, over the window.", func(v *view) float64 { return v.win.highest(maxCommit, nCommitTimes) / ms }),
		num("offset-commit-avg-time-ms", "Average successful offset commit in milliseconds, over the window.", func(v *view) float64 { return v.win.avg(nCommitTime, nCommitTimes) / ms }),
		num("offset-commit-success-percentage", "Share of offset commits that succeeded, 0 to 1, over the window.", func(v *view) float64 { return v.win.share(nCommits, nCommitFails) }),
		num("offset-commit-failure-percentage", "Share of offset commits that failed, 0 to 1, over the window.", func(v *view) float64 { return v.win.share(nCommitFails, nCommits) }),
		noted(num("batch-size-max", "Most records in a batch that was polled or consumed, over the window.", func(v *view) float64 { return v.win.highest(maxBatch, nBatches) }),
			"a sink's batches count as consumed, before records are dropped from them"),
		num("batch-size-avg", "Average number of records in a batch that was polled or consumed, over the window.", func(v *view) float64 { return v.win.avg(nBatchRecords, nBatches) }),
		metric{attrs: []string{"connector-type", "connector-class", "connector-version", "task-class", "task-version", "key-converter-class", "key-converter-version",
			"value-converter-class", "value-converter-version", "header-converter-class", "header-converter-version"},
			name: "kafka_connect_connector_task_info", help: "Classes and versions of the plugins that the task is built from.", note: "strings, which the example does not export",
			extra: []string{"connector_type", "connector_class", "connector_version", "task_class", "task_version", "key_converter_class", "key_converter_version",
				"value_converter_class", "value_converter_version", "header_converter_class", "header_converter_version"},
			info: func(v *view) [][]string {
				i, p := v.task, parts(v.task)
				return [][]string{{orElse(string(i.Kind), "unknown"), orElse(i.Class, i.Config["connector.class"]), version(i.Version), i.TaskClass, version(i.Version), p.Key.Class, version(p.Key.Version),
					p.Value.Class, version(p.Value.Version), p.Header.Class, version(p.Header.Version)}}
			}},
	)
	plugins := func(kind string, of func(*worker.PartNames) map[string]worker.PluginName) {
		add("connector-"+kind+"-metrics", ofTask, metric{attrs: []string{kind + "-class", kind + "-version"}, name: "kafka_connect_connector_" + kind + "_info",
			help: "Class and version of a " + kind + " of the task, by its alias.", note: "strings, which the example does not export",
			extra: []string{kind, kind + "_class", kind + "_version"}, info: func(v *view) [][]string {
				var out [][]string
				m := of(parts(v.task))
				for _, alias := range slices.Sorted(maps.Keys(m)) {
					out = append(out, []string{alias, m[alias].Class, version(m[alias].Version)})
				}
				return out
			}})
	}
	plugins("transform", func(p *worker.PartNames) map[string]worker.PluginName { return p.Transforms })
	plugins("predicate", func(p *worker.PartNames) map[string]worker.PluginName { return p.Predicates })

	add("source-task-metrics", ofSourceTask,
		num("source-record-poll-rate", "Records polled a second, before transforms, over the window.", func(v *view) float64 { return v.win.rate(nPolled) }),
		total("source-record-poll-total", "Records polled, before transforms.", func(v *view) float64 { return float64(v.task.Metrics.Polled.Load()) }),
		num("source-record-write-rate", "Records a second that Kafka acknowledged, over the window.", func(v *view) float64 { return v.win.rate(nWritten) }),
		total("source-record-write-total", "Records that Kafka acknowledged.", func(v *view) float64 { return float64(v.task.Metrics.Written.Load()) }),
		num("poll-batch-max-time-ms", "Longest poll that gave records, in milliseconds, over the window.", func(v *view) float64 { return v.win.highest(maxPoll, nPolls) / ms }),
		num("poll-batch-avg-time-ms", "Average poll that gave records, in milliseconds, over the window.", func(v *view) float64 { return v.win.avg(nPollTime, nPolls) / ms }),
		num("source-record-active-count", "Records polled and not settled yet.", func(v *view) float64 { return float64(v.task.Metrics.Active.Load()) }),
		noted(num("source-record-active-count-max", "Most records that were not settled, over the window.", func(v *view) float64 { return v.win.highest(maxActive, nActives) }), "the example gives it the name of -active-count"),
		noted(num("source-record-active-count-avg", "Average number of records that were not settled, over the window.", func(v *view) float64 { return v.win.avg(nActive, nActives) }), "the example gives it the name of -active-count"),
		absent("exactly-once source tasks are not supported yet", "transaction-size-min", "transaction-size-max", "transaction-size-avg"),
	)
	add("sink-task-metrics", ofSinkTask,
		num("sink-record-read-rate", "Records consumed a second, over the window.", func(v *view) float64 { return v.win.rate(nRead) }),
		total("sink-record-read-total", "Records consumed.", func(v *view) float64 { return float64(v.task.Metrics.Read.Load()) }),
		num("sink-record-send-rate", "Records a second that put took, over the window.", func(v *view) float64 { return v.win.rate(nSent) }),
		total("sink-record-send-total", "Records that put took.", func(v *view) float64 { return float64(v.task.Metrics.Sent.Load()) }),
		num("sink-record-active-count", "Records consumed and not committed yet, by their offsets.", func(v *view) float64 { return float64(v.task.Metrics.Active.Load()) }),
		noted(num("sink-record-active-count-max", "Most records that were not committed, over the window.", func(v *view) float64 { return v.win.highest(maxActive, nActives) }), "the example gives it the name of -active-count"),
		noted(num("sink-record-active-count-avg", "Average number of records that were not committed, over the window.", func(v *view) float64 { return v.win.avg(nActive, nActives) }), "the example gives it the name of -active-count"),
		num("partition-count", "Partitions assigned to the task.", func(v *view) float64 { return float64(v.task.Metrics.Partitions.Load()) }),
		num("offset-commit-seq-no", "Offset commits begun.", func(v *view) float64 { return float64(v.task.Metrics.CommitSeq.Load()) }),
		num("offset-commit-completion-rate", "Successful offset commits a second, over the window.", func(v *view) float64 { return v.win.rate(nCommits) }),
		total("offset-commit-completion-total", "Successful offset commits.", func(v *view) float64 { return float64(v.task.Metrics.Commits.Load()) }),
		noted(num("offset-commit-skip-rate", "Answers to offset commits that came too late, a second.", func(*view) float64 { return 0 }), "always 0: one commit is in flight at a time, so no answer is late"),
		noted(total("offset-commit-skip-total", "Answers to offset commits that came too late.", func(*view) float64 { return 0 }), "always 0, as above"),
		num("put-batch-max-time-ms", "Longest put in milliseconds, over the window.", func(v *view) float64 { return v.win.highest(maxPut, nPuts) / ms }),
		num("put-batch-avg-time-ms", "Average put in milliseconds, over the window.", func(v *view) float64 { return v.win.avg(nPutTime, nPuts) / ms }),
		absent("Kafka Connect names it and never registers it", "sink-record-lag-max"),
	)
	errs := func(attr, help string, f func(*worker.TaskInfo) int64) metric {
		return num(attr, help, func(v *view) float64 { return float64(f(v.task)) })
	}
	add("task-error-metrics", ofTask,
		errs("total-record-failures", "Failed operations on records; each retry that fails counts.", func(i *worker.TaskInfo) int64 { return i.Metrics.Failures.Load() }),
		errs("total-record-errors", "Operations on records that finally failed.", func(i *worker.TaskInfo) int64 { return i.Metrics.Errors.Load() }),
		errs("total-records-skipped", "Records skipped because their errors are tolerated.", func(i *worker.TaskInfo) int64 { return i.Metrics.Skipped.Load() }),
		errs("total-retries", "Operations on records tried again.", func(i *worker.TaskInfo) int64 { return i.Metrics.Retries.Load() }),
		errs("total-errors-logged", "Errors written by the log reporter.", func(i *worker.TaskInfo) int64 { return i.Metrics.Logged.Load() }),
		errs("deadletterqueue-produce-requests", "Records sent to the dead letter queue.", func(i *worker.TaskInfo) int64 { return i.Metrics.DLQRequests.Load() }),
		errs("deadletterqueue-produce-failures", "Records that could not be written to the dead letter queue.", func(i *worker.TaskInfo) int64 { return i.Metrics.DLQFailures.Load() }),
		errs("last-error-timestamp", "Time of the last error in epoch milliseconds; 0 for never.", func(i *worker.TaskInfo) int64 { return i.Metrics.LastError.Load() }),
	)

	add("connect-coordinator-metrics", ofClient,
		num("assigned-connectors", "Connector instances assigned to this node.", func(v *view) float64 { return float64(v.conns) }),
		num("assigned-tasks", "Tasks assigned to this node.", func(v *view) float64 { return float64(v.tasks) }),
		absent("of the Java client's group membership; kafka_connect_worker_rebalance_* tells of rebalances", "heartbeat-rate", "heartbeat-total", "heartbeat-response-time-max",
			"last-heartbeat-seconds-ago", "join-rate", "join-total", "join-time-avg", "join-time-max", "sync-rate", "sync-total", "sync-time-avg", "sync-time-max",
			"rebalance-rate-per-hour", "rebalance-total", "rebalance-latency-avg", "rebalance-latency-max", "rebalance-latency-total", "failed-rebalance-rate-per-hour",
			"failed-rebalance-total", "last-rebalance-seconds-ago"),
	)
	add("connect-metrics", ofClient, absent("of the Java client's network layer", "*"))
	add("connect-node-metrics", ofClient, absent("of the Java client's network layer", "*"))
	add("kafka-metrics-count", ofClient, absent("counts the Java client's metric objects", "count"))
	add("app-info", ofClient,
		metric{attrs: []string{"version"}, name: "kafka_connect_version_info", help: "Version of Kafka Connect whose interfaces this worker speaks.", extra: []string{"version"},
			note: "4.1.0; Troupe's own version is in troupe_build_info", info: func(*view) [][]string { return [][]string{{connectVersion}} }},
		metric{attrs: []string{"commit-id"}, name: "kafka_connect_commit_id_info", help: "Commit that this worker was built from.", extra: []string{"commit_id"},
			info: func(v *view) [][]string { return [][]string{{v.cfg.Commit}} }},
		metric{attrs: []string{"start-time-ms"}, name: "kafka_connect_start_time_seconds", help: "Start of the worker, in epoch seconds.",
			value: func(v *view) float64 { return float64(v.cfg.Start.UnixMilli()) / 1000 }},
	)

	add("", ofNode,
		metric{name: "troupe_build_info", help: "Version of Troupe.", extra: []string{"version"}, info: func(v *view) [][]string { return [][]string{{v.cfg.Version}} }},
		ownTotal("troupe_actor_dead_letters_total", "Messages between actors whose receiver was gone.", func(v *view) float64 {
			if v.cfg.DeadLetters == nil {
				return 0
			}
			return float64(v.cfg.DeadLetters())
		}),
	)
	inCluster := func(rows ...metric) {
		for _, r := range rows {
			r.clustered = true
			add("", ofNode, r)
		}
	}
	inCluster(
		own("troupe_cluster_lease_left_seconds", "How long this node may go on without another answer of the group's coordinator; negative: lost for so long.", func(v *view) float64 { return v.cluster.Lease.Seconds() }),
		own("troupe_cluster_members", "Nodes in the group, by its last generation; 0 while this node is out of it.", func(v *view) float64 { return float64(v.cluster.Members) }),
		own("troupe_cluster_members_seen", "Of those, nodes that gossip sees alive, this one included.", func(v *view) float64 { return float64(v.cluster.Seen) }),
		own("troupe_cluster_leading", "1 on the node that leads, else 0.", func(v *view) float64 { return oneIf(v.cluster.Leads) }),
		own("troupe_cluster_assignments", "Connector instances and tasks that the assignment log gives to this node.", func(v *view) float64 { return float64(v.cluster.Held) }),
		ownTotal("troupe_cluster_leader_terms_total", "Terms of leadership that this node began.", func(v *view) float64 { return float64(v.cluster.Terms) }),
		ownTotal("troupe_cluster_evictions_total", "Nodes that this one took out of the group since gossip had lost them.", func(v *view) float64 { return float64(v.cluster.Evictions) }),
		ownTotal("troupe_cluster_evicted_total", "Times that this node was taken out of the group, and came back.", func(v *view) float64 { return float64(v.cluster.Evicted) }),
		ownTotal("troupe_cluster_moves_total", "Connector instances and tasks that this node, leading, gave to another node than before, for whatever reason.", func(v *view) float64 { return float64(v.cluster.Moves) }),
	)
	add("", ofConnector, ownTotal("troupe_connector_restarts_total", "Restarts of the connector instance by its supervisor.", func(v *view) float64 { return float64(v.conn.Restarts.Load()) }))
	add("", ofTask,
		ownTotal("troupe_task_restarts_total", "Restarts of the task by its supervisor.", func(v *view) float64 { return float64(v.task.Metrics.Restarts.Load()) }),
		ownTotal("troupe_task_failures_total", "Times that the supervisor gave the task up as failed.", func(v *view) float64 { return float64(v.task.Metrics.Failed.Load()) }),
		own("troupe_task_restart_backoff_ms", "Delay before the last restart, in milliseconds.", func(v *view) float64 { return float64(v.task.Metrics.BackoffMs.Load()) }),
		ownTotal("troupe_task_abandoned_calls_total", "Calls into the plugin that did not return in time and were left behind.", func(v *view) float64 { return float64(v.task.Metrics.Abandoned.Load()) }),
		own("troupe_task_plugin_goroutines", "Goroutines that the plugin has started and that still run.", func(v *view) float64 { return float64(v.task.Metrics.Goroutines.Load()) }),
		own("troupe_task_mailbox_batches", "Batches that wait in the mailboxes between two stages.", func(v *view) float64 { return float64(v.task.Metrics.Mailbox.Load()) }),
		own("troupe_task_credit_used_bytes", "Part of task.buffer.bytes that is in use.", func(v *view) float64 { return float64(v.task.Metrics.Credit.Load()) }),
		ownTotal("troupe_task_batches_total", "Batches polled or consumed.", func(v *view) float64 { return float64(v.task.Metrics.Batches.Load()) }),
		ownTotal("troupe_task_filtered_records_total", "Records that a transform dropped.", func(v *view) float64 { return float64(v.task.Metrics.Filtered.Load()) }),
		metric{name: "troupe_task_batch_seconds", help: "Time of a batch from poll or consume until it is settled.", summary: func(v *view) (uint64, float64) {
			t := &v.task.Metrics.BatchTime
			return uint64(max(t.Count.Load(), 0)), float64(t.Sum.Load()) / 1e9
		}},
		own("troupe_task_batch_max_seconds", "Longest time of a batch until it was settled, over the window.", func(v *view) float64 { return v.win.highest(maxLatency, nSettled) / 1e9 }),
	)
	return t
}

// connectVersion is the version of Kafka Connect that is spoken here.
const connectVersion = "4.1.0"

// started is a number of starts since the process began.
func (v *view) started(i int) float64 { return float64(v.node.total(i)) }

func parts(i *worker.TaskInfo) *worker.PartNames {
	if p := i.Parts.Load(); p != nil {
		return p
	}
	return &worker.PartNames{}
}

// version is Kafka Connect's word for a plugin without one.
func version(v string) string { return orElse(v, "undefined") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func text(v any) string { s, _ := v.(string); return s }

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
