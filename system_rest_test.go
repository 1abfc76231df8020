package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// TestSystemREST is connect_rest_test.py: the interface of a cluster of two, on the way
// from an empty cluster over a source and a sink back to an empty one. Each request goes
// to the next node.
func TestSystemREST(t *testing.T) {
	runRows(t, nil, []systemRow{
		{name: "test_rest_api", run: func(s *system) { systemREST(s.t) }},
		{name: "test_rest_api/compatible and eager", skip: noOtherProtocols},
	})
}

// Settings that validating a file connector describes.
var (
	commonKeys = strings.Fields(`name connector.class connector.plugin.version tasks.max tasks.max.enforce key.converter key.converter.plugin.version
		value.converter value.converter.plugin.version header.converter header.converter.plugin.version transforms predicates config.action.reload
		errors.retry.timeout errors.retry.delay.max.ms errors.tolerance errors.log.enable errors.log.include.messages file`)
	sourceKeys = strings.Fields(`batch.size topic topic.creation.groups exactly.once.support transaction.boundary transaction.boundary.interval.ms offsets.storage.topic`)
	sinkKeys   = strings.Fields(`topics topics.regex errors.deadletterqueue.topic.name errors.deadletterqueue.topic.replication.factor errors.deadletterqueue.context.headers.enable`)
)

func systemREST(t testing.TB) {
	const sourceClass, sinkClass = "org.apache.kafka.connect.file.FileStreamSourceConnector", "org.apache.kafka.connect.file.FileStreamSinkConnector"
	dir := t.TempDir()
	external := filepath.Join(dir, "external.properties")
	topic := unique("rest")
	appendLines(t, external, "topic.external="+topic)
	reference := "${file:" + external + ":topic.external}"
	in, in2, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "in2.txt"), filepath.Join(dir, "out.txt")
	s := startSystem(t, 2)
	source, sink := unique("source"), unique("sink")
	configs := map[string]map[string]string{
		source: fileSource(source, in, reference, "connector.class", sourceClass),
		sink:   fileSink(sink, out, reference, "connector.class", sinkClass),
	}
	get := func(path string, v any) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.any().rest(200, "GET", path, nil)), v); err != nil {
			t.Fatal(err)
		}
	}
	listed := func(want ...string) {
		t.Helper()
		slices.Sort(want)
		for range s.nodes {
			var got []string
			get("/connectors", &got)
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("the connectors are %q, want %q", got, want)
			}
		}
	}

	listed()
	var plugins []struct{ Class string }
	get("/connector-plugins", &plugins)
	for _, class := range []string{sourceClass, sinkClass} {
		if !slices.ContainsFunc(plugins, func(p struct{ Class string }) bool { return p.Class == class }) {
			t.Errorf("the plugins lack %s: %v", class, plugins)
		}
	}
	for class, row := range map[string]struct {
		name string
		keys []string
	}{sourceClass: {source, sourceKeys}, sinkClass: {sink, sinkKeys}} {
		var v struct {
			Name    string
			Errors  int `json:"error_count"`
			Configs []struct {
				Definition struct{ Name, Group string }
			}
		}
		if err := json.Unmarshal([]byte(s.any().rest(200, "PUT", "/connector-plugins/"+class+"/config/validate", configs[row.name])), &v); err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, c := range v.Configs {
			if c.Definition.Group != "Troupe" { // what Kafka Connect lacks
				keys = append(keys, c.Definition.Name)
			}
		}
		want := slices.Concat(commonKeys, row.keys)
		slices.Sort(want)
		if slices.Sort(keys); v.Name != class || v.Errors != 0 || !slices.Equal(keys, want) {
			t.Errorf("validating %s: name %s, %d errors, keys\n%q, want\n%q", class, v.Name, v.Errors, keys, want)
		}
	}

	for name, config := range configs {
		s.any().rest(201, "POST", "/connectors", map[string]any{"name": name, "config": config})
	}
	listed(source, sink)
	lines := numberedLines("line ", 0, 100)
	appendLines(t, in, lines...)
	waitFile(t, out, lines)
	s.any().rest(409, "POST", "/connectors", map[string]any{"name": source, "config": configs[source]})

	for name, kind := range map[string]string{source: "source", sink: "sink"} {
		config, err := json.Marshal(configs[name])
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"name":%q,"config":%s,"tasks":[{"connector":%q,"task":0}],"type":%q}`, name, config, name, kind)
		if got := s.any().rest(200, "GET", at(name), nil); !sameJSON(t.(*testing.T), got, want) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		if got := s.any().rest(200, "GET", at(name)+"/config", nil); !sameJSON(t.(*testing.T), got, string(config)) {
			t.Errorf("the configuration of %s is %s, want %s", name, got, config)
		}
		var tasks []struct {
			ID struct {
				Connector string
				Task      int
			}
			Config map[string]string
		}
		get(at(name)+"/tasks", &tasks)
		key := map[string]string{"source": "topic", "sink": "topics"}[kind]
		if len(tasks) != 1 || tasks[0].ID.Connector != name || tasks[0].ID.Task != 0 || tasks[0].Config[key] != reference ||
			!strings.HasSuffix(tasks[0].Config["task.class"], map[string]string{"source": "FileStreamSourceTask", "sink": "FileStreamSinkTask"}[kind]) {
			t.Errorf("the tasks of %s are %+v", name, tasks)
		}
	}

	// Another file takes the place of the first.
	more := numberedLines("more ", 0, 100)
	appendLines(t, in2, more...)
	s.any().rest(200, "PUT", at(source)+"/config", with(configs[source], "file", in2))
	waitFile(t, out, append(lines, more...))

	s.any().rest(204, "DELETE", at(source), nil)
	s.any().rest(204, "DELETE", at(sink), nil)
	listed()
}

// TestSystemBrokers is test_broker_compatibility: workers start, and lines go through
// files, with the brokers there are.
func TestSystemBrokers(t *testing.T) {
	files := func(s *system) {
		dir := s.t.TempDir()
		topic := unique("broker")
		createTopic(s.t, s.addr, topic, 1)
		systemFiles(s, filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt"), topic)
	}
	against := func(addr func(testing.TB) string) func(*system) {
		return func(s *system) {
			c := &testCluster{t: s.t, addr: addr(s.t), group: unique("cluster")}
			for range 3 {
				c.add(systemSettings()...)
			}
			for _, n := range c.nodes {
				n.launch()
			}
			for _, n := range c.nodes {
				n.ready()
			}
			c.waitTogether()
			o := &system{testCluster: c}
			o.born(c.nodes...)
			files(o)
		}
	}
	runRows(t, nil, []systemRow{
		{name: "test_broker_compatibility/4.1, without auto-creation of topics", run: against(func(t testing.TB) string {
			return kafkatest.Start(t, kafkatest.WithProperty("auto.create.topics.enable", "false")).Addr()
		})},
		{name: "test_broker_compatibility/embedded", run: against(kfakeAddr)},
		{name: "test_broker_compatibility/2.3 to 1.0", skip: noOldBrokers},
		{name: "test_broker_compatibility/exactly once", skip: noExactlyOnce},
	})
}
