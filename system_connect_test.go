package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The system tests of Kafka Connect's distributed worker (connect_distributed_test.py
// and connect_rest_test.py of Apache Kafka), told as tests of a cluster of processes
// with Apache Kafka beside them. Rows keep the names that they have there; a row that
// cannot be is skipped, with the reason.

const kafkaTools = "org.apache.kafka.connect.tools."

// The reasons of rows that cannot be.
const (
	noExactlyOnce    = "exactly-once sources are not built: a worker that asks for them is refused at its start"
	noOtherProtocols = "there is one protocol between nodes, which stands where sessioned stands; eager and compatible are older forms of it"
	noTLSBroker      = "the broker of these tests has listeners without TLS alone"
	noOldBrokers     = "the broker of these tests is Apache Kafka 4.1 alone"
)

// system is a cluster of processes as the system tests drive it: any node may be asked.
type system struct {
	*testCluster
	next  int
	lives []string // logs of the processes there have been
}

// systemSettings are those of Kafka's test harness, with quicker commits.
func systemSettings(extra ...string) []string {
	const converter = "org.apache.kafka.connect.json.JsonConverter"
	return append([]string{"key.converter", converter, "value.converter", converter, "offset.storage.partitions", "1",
		"config.providers", "file", "config.providers.file.class", "org.apache.kafka.common.config.provider.FileConfigProvider",
		// What fails stays so until somebody restarts it.
		"task.restart.policy", "never"}, extra...)
}

func startSystem(t testing.TB, nodes int, extra ...string) *system {
	t.Helper()
	s := &system{testCluster: startCluster(t, nodes, systemSettings(extra...)...)}
	s.born(s.nodes...)
	return s
}

func (s *system) born(nodes ...*clusterNode) {
	for _, n := range nodes {
		s.lives = append(s.lives, n.LogFile())
	}
}

// in returns the cluster for a subtest, whose failures are its own.
func (s *system) in(t *testing.T) *system {
	c := &testCluster{t: t, addr: s.addr, group: s.group}
	for _, n := range s.nodes {
		c.nodes = append(c.nodes, &clusterNode{workerProc: &workerProc{&process{t, n.Process}, n.url}, c: c, id: n.id, props: n.props})
	}
	return &system{testCluster: c, lives: s.lives}
}

// any returns the nodes in turn.
func (s *system) any() *clusterNode {
	s.next++
	running := s.running()
	return running[s.next%len(running)]
}

// everywhere waits until each node says that a connector is in a state.
func (s *system) everywhere(name, state string) {
	s.t.Helper()
	for _, n := range s.running() {
		n.waitState(name, state)
	}
}

func (s *system) end(n *clusterNode, clean bool) {
	s.t.Helper()
	if clean {
		n.stop()
	} else {
		n.kill()
	}
}

// begin starts a node again and waits for its interface.
func (s *system) begin(n *clusterNode) {
	s.t.Helper()
	n.launch()
	s.born(n)
	n.ready()
}

// restart stops all nodes, one after the other, and starts them again.
func (s *system) restart() {
	s.t.Helper()
	for _, n := range s.nodes {
		s.end(n, true)
	}
	for _, n := range s.nodes {
		n.launch()
		s.born(n)
	}
	for _, n := range s.nodes {
		n.ready()
	}
	s.waitTogether()
}

// delete removes a connector and waits until no node knows it.
func (s *system) delete(name string) {
	s.t.Helper()
	s.any().rest(204, "DELETE", at(name), nil)
	for _, n := range s.running() {
		eventually(s.t, func() string {
			if code, text, err := n.try("GET", at(name)+"/status", nil); err != nil || code != 404 {
				return fmt.Sprintf("the deleted connector %s is still there: %d %s %v", name, code, text, err)
			}
			return ""
		})
	}
}

func mockConfig(kind, mode, topic string) map[string]string {
	m := map[string]string{"connector.class": kafkaTools + "Mock" + kind + "Connector", "tasks.max": "1", "mock_mode": mode, "delay_ms": "4000"}
	if kind == "Sink" {
		m["topics"] = topic
	}
	return m
}

// systemRow is one test of Kafka Connect's.
type systemRow struct {
	name string
	skip string // why it cannot be
	run  func(s *system)
	// beside says that others like it may go on beside it, on the same cluster.
	beside bool
}

func runRows(t *testing.T, s *system, rows []systemRow) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.skip != "" {
				t.Skip(row.skip)
			}
			if s == nil { // the row has a cluster of its own
				row.run(&system{testCluster: &testCluster{t: t}})
				return
			}
			if row.beside {
				t.Parallel()
			}
			row.run(s.in(t))
		})
	}
}

// TestSystemRestart restarts what has failed: connectors and tasks, with and without
// flags.
func TestSystemRestart(t *testing.T) {
	s := startSystem(t, 3)
	createTopic(t, s.addr, s.group, 1)
	fails := func(kind, mode, failed, restart string, status int) func(*system) {
		return func(s *system) {
			name := unique("mock")
			s.any().put(name, mockConfig(kind, mode, s.group))
			s.everywhere(name, "RUNNING RUNNING")
			s.everywhere(name, failed)
			s.any().rest(status, "POST", at(name)+restart, nil)
			s.everywhere(name, "RUNNING RUNNING")
			s.delete(name)
		}
	}
	const connectorFailed, taskFailed = "FAILED RUNNING", "RUNNING FAILED"
	rows := []systemRow{
		{name: "test_restart_failed_connector/sink", run: fails("Sink", "connector-failure", connectorFailed, "/restart", 204)},
		{name: "test_restart_failed_connector/source", run: fails("Source", "connector-failure", connectorFailed, "/restart", 204)},
		{name: "test_restart_failed_connector/source exactly once", skip: noExactlyOnce},
		{name: "test_restart_failed_task/sink", run: fails("Sink", "task-failure", taskFailed, "/tasks/0/restart", 204)},
		{name: "test_restart_failed_task/source", run: fails("Source", "task-failure", taskFailed, "/tasks/0/restart", 204)},
		{name: "test_restart_failed_task/source exactly once", skip: noExactlyOnce},
		{name: "test_restart_connector_and_tasks_failed_connector", run: fails("Sink", "connector-failure", connectorFailed, "/restart?onlyFailed=true&includeTasks=false", 202)},
		{name: "test_restart_connector_and_tasks_failed_task/sink", run: fails("Sink", "task-failure", taskFailed, "/restart?onlyFailed=false&includeTasks=true", 202)},
		{name: "test_restart_connector_and_tasks_failed_task/source", run: fails("Source", "task-failure", taskFailed, "/restart?onlyFailed=false&includeTasks=true", 202)},
		{name: "all of them/compatible and eager", skip: noOtherProtocols},
	}
	for i := range rows {
		rows[i].beside = true
	}
	runRows(t, s, rows)
}

// TestSystemPause pauses and resumes, and has a pause outlast a restart of all nodes.
func TestSystemPause(t *testing.T) {
	s := startSystem(t, 3)
	runRows(t, s, []systemRow{
		{name: "test_pause_and_resume_source", run: systemPauseSource},
		{name: "test_pause_and_resume_source/exactly once", skip: noExactlyOnce},
		{name: "test_pause_and_resume_sink", run: func(s *system) { systemPauseSink(s) }},
		{name: "test_pause_and_resume_sink/consumer protocol", run: func(s *system) { systemPauseSink(s, "consumer.override.group.protocol", "consumer") }},
		{name: "test_pause_state_persistent/exactly once", skip: noExactlyOnce},
		{name: "all of them/compatible and eager", skip: noOtherProtocols},
		{name: "test_pause_state_persistent", run: systemPausePersists}, // last: it restarts the nodes
	})
}

// quiet is how long nothing may come while something is paused.
func quiet() time.Duration {
	if clusterLong() {
		return 10 * time.Second
	}
	return 3 * time.Second
}

func systemPauseSource(s *system) {
	name := unique("pause")
	createTopic(s.t, s.addr, name, 1)
	s.any().put(name, verifiableSource(name, 2, 200))
	s.everywhere(name, "RUNNING RUNNING RUNNING")
	tail := newTailTopic(s.t, s.addr, name)
	tail.await(200)
	s.any().rest(202, "PUT", at(name)+"/pause", nil)
	s.everywhere(name, "PAUSED PAUSED PAUSED")
	before := len(tail.catchUp())
	if n := len(tail.more(quiet())); n != before {
		s.t.Errorf("%d records came while the source was paused", n-before)
	}
	s.any().rest(202, "PUT", at(name)+"/resume", nil)
	s.everywhere(name, "RUNNING RUNNING RUNNING")
	tail.await(before + 200)
	s.delete(name)
}

func systemPauseSink(s *system, extra ...string) {
	source, sink := unique("feed"), unique("pause")
	createTopic(s.t, s.addr, source, 2)
	s.any().put(source, verifiableSource(source, 1, 200))
	s.any().put(sink, with(verifiableSink(source, 1), extra...))
	s.everywhere(sink, "RUNNING RUNNING")
	received := func() int {
		n := 0
		for _, l := range s.printed(sink) {
			if l.SinkTask != nil && !l.Flushed {
				n++
			}
		}
		return n
	}
	atLeast := func(n int) {
		s.t.Helper()
		eventually(s.t, func() string {
			if got := received(); got < n {
				return fmt.Sprintf("the sink has received %d records, want %d", got, n)
			}
			return ""
		})
	}
	atLeast(200)
	s.any().rest(202, "PUT", at(sink)+"/pause", nil)
	s.everywhere(sink, "PAUSED PAUSED")
	before := received()
	time.Sleep(quiet()) // nothing comes that could be waited for
	if n := received(); n != before {
		s.t.Errorf("the sink received %d records while it was paused", n-before)
	}
	s.any().rest(202, "PUT", at(sink)+"/resume", nil)
	s.everywhere(sink, "RUNNING RUNNING")
	atLeast(before + 200)
	s.delete(sink)
	s.delete(source)
}

func systemPausePersists(s *system) {
	name := unique("pause")
	createTopic(s.t, s.addr, name, 1)
	s.any().put(name, verifiableSource(name, 1, 200))
	s.everywhere(name, "RUNNING RUNNING")
	tail := newTailTopic(s.t, s.addr, name)
	tail.await(100)
	s.any().rest(202, "PUT", at(name)+"/pause", nil)
	s.everywhere(name, "PAUSED PAUSED")
	before := len(tail.catchUp())
	s.restart()
	s.everywhere(name, "PAUSED PAUSED")
	if n := len(tail.more(quiet())); n != before {
		s.t.Errorf("%d records came of a source that was paused over a restart", n-before)
	}
	s.everywhere(name, "PAUSED PAUSED")
	s.any().rest(202, "PUT", at(name)+"/resume", nil)
	s.everywhere(name, "RUNNING RUNNING")
	tail.await(before + 100)
}

// loggerLevel is what is told of a logger.
type loggerLevel struct {
	Level    string
	Modified *int64 `json:"last_modified"`
}

func (n *clusterNode) loggers() map[string]loggerLevel {
	n.c.t.Helper()
	var m map[string]loggerLevel
	if err := json.Unmarshal([]byte(n.rest(200, "GET", "/admin/loggers", nil)), &m); err != nil {
		n.c.t.Fatal(err)
	}
	return m
}

func (l loggerLevel) equal(o loggerLevel) bool {
	return l.Level == o.Level && (l.Modified == nil) == (o.Modified == nil) && (l.Modified == nil || *l.Modified == *o.Modified)
}

// TestSystemDynamicLogging is test_dynamic_logging: levels of one worker and of all.
func TestSystemDynamicLogging(t *testing.T) {
	s := startSystem(t, 3)
	const worker, all = "org.apache.kafka.connect.runtime.rest", "org.apache.kafka.connect.storage"
	for _, n := range s.nodes {
		levels := n.loggers()
		if _, ok := levels["root"]; !ok || len(levels) < 2 {
			t.Errorf("%s has the loggers %v, want root and others", n.id, levels)
		}
		for name, l := range levels {
			if l.Modified != nil {
				t.Errorf("%s: %s was modified at %d before anybody has set it", n.id, name, *l.Modified)
			}
		}
	}
	initial := s.nodes[0].loggers()

	// One worker.
	var names []string
	if err := json.Unmarshal([]byte(s.nodes[0].rest(200, "PUT", "/admin/loggers/"+worker, map[string]string{"level": "ERROR"})), &names); err != nil {
		t.Fatal(err)
	}
	if len(names) < 2 || !slices.Contains(names, worker) || slices.ContainsFunc(names, func(n string) bool { return !strings.HasPrefix(n, worker) }) {
		t.Errorf("the affected loggers are %q, want all that begin with %s", names, worker)
	}
	set := s.nodes[0].loggers()
	for name, l := range set {
		if below := strings.HasPrefix(name, worker); below && (l.Level != "ERROR" || l.Modified == nil) || !below && l.Modified != nil {
			t.Errorf("on the node that was asked %s is %+v", name, l)
		}
	}
	for _, n := range s.nodes[1:] {
		for name, l := range n.loggers() {
			if l.Modified != nil {
				t.Errorf("%s has taken over %s = %+v from another worker", n.id, name, l)
			}
		}
	}

	// All workers.
	reached := func(n *clusterNode, level string, since int64) string {
		for name, l := range n.loggers() {
			if strings.HasPrefix(name, all) && (l.Level != level || l.Modified == nil || *l.Modified < since) {
				return fmt.Sprintf("%s: %s is %s, want %s", n.id, name, l.Level, level)
			}
		}
		return ""
	}
	asked := time.Now().UnixMilli()
	if text := s.nodes[1].rest(204, "PUT", "/admin/loggers/"+all+"?scope=cluster", map[string]string{"level": "DEBUG"}); text != "" {
		t.Errorf("the answer for all workers is %q, want none", text)
	}
	before := make(map[*clusterNode]map[string]loggerLevel)
	for _, n := range s.nodes {
		eventuallyIn(t, 10*time.Second, func() string { return reached(n, "DEBUG", asked) })
		before[n] = n.loggers()
	}
	// The same again changes nothing, on one worker or all: a later change of something
	// else tells when the repetition has been heard.
	s.nodes[2].rest(204, "PUT", "/admin/loggers/"+all+"?scope=cluster", map[string]string{"level": "DEBUG"})
	s.nodes[0].rest(200, "PUT", "/admin/loggers/"+worker, map[string]string{"level": "ERROR"})
	s.nodes[2].rest(204, "PUT", "/admin/loggers/example.marker?scope=cluster", map[string]string{"level": "WARN"})
	for _, n := range s.nodes {
		eventuallyIn(t, 10*time.Second, func() string {
			if l := n.loggers()["example.marker"]; l.Level != "WARN" {
				return fmt.Sprintf("%s: the marker is %+v", n.id, l)
			}
			return ""
		})
		now := n.loggers()
		for name, l := range before[n] {
			if !now[name].equal(l) {
				t.Errorf("%s: %s was %+v and is %+v after a repetition", n.id, name, l, now[name])
			}
		}
	}

	// A restart forgets all of it.
	s.restart()
	for _, n := range s.nodes {
		for name, l := range n.loggers() {
			if was, ok := initial[name]; l.Modified != nil || ok && l.Level != was.Level {
				t.Errorf("%s: after a restart %s is %+v, was %+v", n.id, name, l, was)
			}
		}
	}
}

// TestSystemFiles is test_file_source_and_sink: lines go through a file source and a
// file sink, also after all nodes have been started again.
func TestSystemFiles(t *testing.T) {
	files := func(extra ...string) func(*system) {
		return func(s *system) {
			t := s.t
			dir := t.TempDir()
			external := filepath.Join(dir, "external.properties")
			topic := unique("files")
			appendLines(t, external, "topic.external="+topic)
			s = startSystem(t, 3)
			systemFiles(s, filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt"), "${file:"+external+":topic.external}", extra...)
		}
	}
	runRows(t, nil, []systemRow{
		{name: "test_file_source_and_sink", run: files()},
		{name: "test_file_source_and_sink/consumer protocol", run: files("consumer.override.group.protocol", "consumer")},
		{name: "test_file_source_and_sink/exactly once", skip: noExactlyOnce},
		{name: "test_file_source_and_sink/SASL_SSL", skip: noTLSBroker},
		{name: "test_file_source_and_sink/compatible and eager", skip: noOtherProtocols},
	})
}

// systemFiles copies a file into another, over a restart of all nodes.
func systemFiles(s *system, in, out, topic string, extra ...string) {
	lines := numberedLines("first ", 0, 3000)
	appendLines(s.t, in, lines...)
	source, sink := unique("source"), unique("sink")
	s.any().put(source, fileSource(source, in, topic, "key.converter.schemas.enable", "True"))
	s.any().put(sink, fileSink(sink, out, topic, extra...))
	waitFile(s.t, out, lines)
	s.restart()
	more := numberedLines("second ", 0, 3000)
	appendLines(s.t, in, more...)
	waitFile(s.t, out, append(lines, more...))
	s.everywhere(source, "RUNNING RUNNING")
	s.everywhere(sink, "RUNNING RUNNING")
	if config := s.any().rest(200, "GET", at(source)+"/config", nil); !strings.Contains(config, `"key.converter.schemas.enable":"True"`) || !strings.Contains(config, topic) {
		s.t.Errorf("the configuration is not as it was sent: %s", config)
	}
}

// TestSystemTransformations is test_transformations: a schema and a payload after
// HoistField and InsertField.
func TestSystemTransformations(t *testing.T) {
	runRows(t, startSystem(t, 3), []systemRow{
		{name: "test_transformations", run: systemTransformations},
		{name: "test_transformations/compatible and eager", skip: noOtherProtocols},
	})
}

func systemTransformations(s *system) {
	t := s.t
	name, in := unique("transformations"), filepath.Join(t.TempDir(), "in.txt")
	lines := numberedLines("line ", 0, 100)
	appendLines(t, in, lines...)
	const transforms = "org.apache.kafka.connect.transforms."
	s.any().rest(201, "POST", "/connectors", map[string]any{"name": name, "config": map[string]any{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": 1, "file": in, "topic": name,
		"transforms":                                      "hoistToStruct,insertTimestampField",
		"transforms.hoistToStruct.type":                   transforms + "HoistField$Value",
		"transforms.hoistToStruct.field":                  "content",
		"transforms.insertTimestampField.type":            transforms + "InsertField$Value",
		"transforms.insertTimestampField.timestamp.field": "the_timestamp",
	}})
	const schema = `{"type":"struct","fields":[{"type":"string","optional":false,"field":"content"},` +
		`{"type":"int64","optional":true,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"the_timestamp"}],"optional":false}`
	recs := newTailTopic(t, s.addr, name).await(len(lines))
	for i, r := range recs {
		var v struct {
			Schema  json.RawMessage
			Payload struct {
				Content   string
				Timestamp int64 `json:"the_timestamp"`
			}
		}
		if err := json.Unmarshal(r.Value, &v); err != nil {
			t.Fatalf("record %d is %s: %v", i, r.Value, err)
		}
		if !sameJSON(t.(*testing.T), string(v.Schema), schema) {
			t.Fatalf("the schema of record %d is %s, want %s", i, v.Schema, schema)
		}
		if v.Payload.Content != lines[i] || v.Payload.Timestamp != r.Timestamp.UnixMilli() {
			t.Fatalf("record %d of %d is %s", i, r.Timestamp.UnixMilli(), r.Value)
		}
	}
}
