package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestEndToEnd runs what Kafka's own system tests check, against both brokers,
// with one worker process for all rows that do not end it.
func TestEndToEnd(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		w := startWorker(t, distributedProps(t, addr))
		for _, row := range []struct {
			name string
			run  func(t *testing.T, w *workerProc, addr string)
		}{
			{"string converter", e2eString},
			{"json with schemas", e2eJSON},
			{"four transforms", e2eTransforms},
			{"dead letters, tolerance all", func(t *testing.T, w *workerProc, addr string) { e2eDeadLetters(t, w, addr, "all") }},
			{"dead letters, tolerance none", func(t *testing.T, w *workerProc, addr string) { e2eDeadLetters(t, w, addr, "none") }},
			{"pause and resume", e2ePause},
			{"stop, patch offsets, resume", e2eOffsets},
			{"topic creation rules", e2eTopicCreation},
			{"unreachable brokers in an override, then fixed", e2eOverride},
			{"two tasks", e2eTwoTasks},
			{"reconfiguration", e2eReconfigure},
		} {
			t.Run(row.name, func(t *testing.T) {
				here := *w
				here.process = &process{t, w.Process}
				t.Cleanup(func() {
					if t.Failed() {
						dumpGoroutines(w.Process)
					}
				})
				row.run(t, &here, addr)
			})
		}
		w.stop()
	})
}

func e2eString(t *testing.T, w *workerProc, addr string) {
	name, in, out := unique("lines"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	lines := append(numberedLines("first ", 0, 3000), "", "naïve café ☕", "tab\there")
	appendLines(t, in, lines...)
	w.put(name+"-source", fileSource(name+"-source", in, name))
	w.put(name+"-sink", fileSink(name+"-sink", out, name))
	waitFile(t, out, lines)
	more := numberedLines("second ", 0, 500)
	appendLines(t, in, more...)
	waitFile(t, out, append(slices.Clone(lines), more...))
	w.waitState(name+"-source", "RUNNING RUNNING")
	w.waitState(name+"-sink", "RUNNING RUNNING")
	if got := topicValues(t, addr, name, len(lines)+len(more)); !slices.Equal(got, append(lines, more...)) {
		t.Error("the topic holds other lines than the file")
	}
}

const jsonConverter = "org.apache.kafka.connect.json.JsonConverter"

func e2eJSON(t *testing.T, w *workerProc, addr string) {
	name, in, out := unique("json"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	lines := []string{`plain`, `with "quotes" and \ and é`, ``}
	appendLines(t, in, lines...)
	w.put(name+"-source", fileSource(name+"-source", in, name, "value.converter", jsonConverter))
	w.put(name+"-sink", fileSink(name+"-sink", out, name, "value.converter", jsonConverter))
	waitFile(t, out, lines)
	for i, v := range topicValues(t, addr, name, len(lines)) {
		var got any
		if err := json.Unmarshal([]byte(v), &got); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		line, err := json.Marshal(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"schema":{"type":"string","optional":false},"payload":%s}`, line); v != want {
			t.Errorf("record %d is %s, want %s", i, v, want)
		}
	}
}

func e2eTransforms(t *testing.T, w *workerProc, addr string) {
	name, in := unique("smt"), filepath.Join(t.TempDir(), "in.txt")
	const pkg = "org.apache.kafka.connect.transforms."
	w.put(name, fileSource(name, in, name, "value.converter", jsonConverter, "value.converter.schemas.enable", "true",
		"transforms", "hoist,insert,rename,route",
		"transforms.hoist.type", pkg+"HoistField$Value", "transforms.hoist.field", "line",
		"transforms.insert.type", pkg+"InsertField$Value", "transforms.insert.static.field", "host", "transforms.insert.static.value", "web-1",
		"transforms.rename.type", pkg+"ReplaceField$Value", "transforms.rename.renames", "line:text",
		"transforms.route.type", pkg+"RegexRouter", "transforms.route.regex", "(.*)", "transforms.route.replacement", "routed-$1"))
	appendLines(t, in, numberedLines("l", 0, 1000)...)
	for i, v := range topicValues(t, addr, "routed-"+name, 1000) {
		var got struct {
			Schema struct {
				Type   string
				Fields []struct {
					Field, Type string
					Optional    bool
				}
			}
			Payload map[string]string
		}
		if err := json.Unmarshal([]byte(v), &got); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if want := fmt.Sprintf("l%07d", i); got.Payload["text"] != want || got.Payload["host"] != "web-1" || len(got.Payload) != 2 {
			t.Fatalf("record %d is %s", i, v)
		}
		if f := got.Schema.Fields; len(f) != 2 || f[0].Field != "text" || f[0].Optional || f[1].Field != "host" || !f[1].Optional {
			t.Fatalf("record %d has the schema of %s", i, v)
		}
	}
}

// e2eDeadLetters is connect_test.test_skip_and_log_to_dlq.
func e2eDeadLetters(t *testing.T, w *workerProc, addr, tolerance string) {
	name, in, out := unique("dlq"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	dlq := name + "-dead"
	var all, good, bad []string
	for i := range 500 {
		all = append(all, fmt.Sprintf(`{"some_key":%d}`, i), fmt.Sprintf(`{some_key:%d}`, i))
		good = append(good, fmt.Sprintf("{some_key=%d}", i))
		bad = append(bad, all[2*i+1])
	}
	appendLines(t, in, all...)
	w.put(name+"-source", fileSource(name+"-source", in, name))
	newTailTopic(t, addr, name).await(len(all))
	w.put(name+"-sink", fileSink(name+"-sink", out, name, "key.converter", jsonConverter, "key.converter.schemas.enable", "false",
		"value.converter", jsonConverter, "value.converter.schemas.enable", "false", "errors.tolerance", tolerance, "errors.log.enable", "true",
		"errors.deadletterqueue.topic.name", dlq, "errors.deadletterqueue.topic.replication.factor", "1",
		"errors.deadletterqueue.context.headers.enable", "true"))
	if tolerance == "none" {
		w.waitTrace(name+"-sink", "RUNNING FAILED", "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler",
			"VALUE_CONVERTER", name+"-0@1", "errors.tolerance=all", "Caused by: org.apache.kafka.connect.errors.DataException")
		bad = bad[:1]
		if got := fileLines(out); len(got) > 1 {
			t.Errorf("%d lines were written past the bad record", len(got))
		}
	} else {
		waitFile(t, out, good)
		w.waitState(name+"-sink", "RUNNING RUNNING")
	}
	tail := newTailTopic(t, addr, dlq)
	recs := tail.await(len(bad))
	if got := values(recs); !slices.Equal(got, bad) {
		t.Fatalf("the dead letters are %q ...", got[:min(3, len(got))])
	}
	for i, rec := range recs {
		h := make(map[string]string)
		for _, kv := range rec.Headers {
			h[kv.Key] = string(kv.Value)
		}
		for k, want := range map[string]string{"topic": name, "partition": "0", "offset": fmt.Sprint(2*i + 1), "connector.name": name + "-sink", "task.id": "0",
			"stage": "VALUE_CONVERTER", "class.name": jsonConverter, "exception.class.name": "org.apache.kafka.connect.errors.DataException"} {
			if got := h["__connect.errors."+k]; got != want {
				t.Fatalf("header %s of dead letter %d is %q, want %q", k, i, got, want)
			}
		}
		if h["__connect.errors.exception.message"] == "" || !strings.Contains(h["__connect.errors.exception.stacktrace"], "DataException") {
			t.Fatalf("dead letter %d has the headers %v", i, h)
		}
	}
	if tolerance == "all" {
		w.rest(204, "DELETE", at(name+"-sink"), nil)
		return
	}
	// A restart meets the same record again, and nothing else.
	w.rest(204, "POST", at(name+"-sink")+"/tasks/0/restart", nil)
	if recs = tail.await(2); string(recs[1].Value) != bad[0] {
		t.Errorf("after a restart the second dead letter is %s", recs[1].Value)
	}
	w.waitState(name+"-sink", "RUNNING FAILED")
	// With tolerance it goes on, from that record.
	w.put(name+"-sink", with(connectorConfig(t, w, name+"-sink"), "errors.tolerance", "all"))
	eventually(t, func() string {
		got := slices.Compact(slices.Sorted(slices.Values(fileLines(out))))
		if len(got) == len(good) {
			return ""
		}
		return fmt.Sprintf("%d of %d records arrived", len(got), len(good))
	})
}

func connectorConfig(t *testing.T, w *workerProc, name string) map[string]string {
	t.Helper()
	m := make(map[string]string)
	if err := json.Unmarshal([]byte(w.rest(200, "GET", at(name)+"/config", nil)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func e2ePause(t *testing.T, w *workerProc, addr string) {
	name, in, out := unique("pause"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	source, sink := name+"-source", name+"-sink"
	appendLines(t, in, "one")
	w.put(source, fileSource(source, in, name))
	w.put(sink, fileSink(sink, out, name))
	waitFile(t, out, []string{"one"})

	w.rest(202, "PUT", at(source)+"/pause", nil)
	w.waitState(source, "PAUSED PAUSED")
	appendLines(t, in, "two")
	tail := newTailTopic(t, addr, name)
	tail.await(1)
	if n := len(tail.more(1500 * time.Millisecond)); n != 1 {
		t.Fatalf("a paused source wrote: %d records", n)
	}
	w.rest(202, "PUT", at(sink)+"/pause", nil)
	w.waitState(sink, "PAUSED PAUSED")
	w.rest(202, "PUT", at(source)+"/resume", nil)
	w.waitState(source, "RUNNING RUNNING")
	tail.await(2)
	time.Sleep(time.Second) // nothing tells that nothing will come
	if got := fileLines(out); len(got) != 1 {
		t.Fatalf("a paused sink wrote: %q", got)
	}
	w.rest(202, "PUT", at(sink)+"/resume", nil)
	w.waitState(sink, "RUNNING RUNNING")
	waitFile(t, out, []string{"one", "two"})
}

func e2eOffsets(t *testing.T, w *workerProc, addr string) {
	name, in, out := unique("offsets"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	source, sink := name+"-source", name+"-sink"
	appendLines(t, in, "aaa", "bbb", "ccc")
	w.put(source, fileSource(source, in, name))
	w.put(sink, fileSink(sink, out, name))
	waitFile(t, out, []string{"aaa", "bbb", "ccc"})

	if text := w.rest(400, "PATCH", at(source)+"/offsets", `{"offsets":[{"partition":{"filename":"x"},"offset":{"position":4}}]}`); !strings.Contains(text, "STOPPED") {
		t.Errorf("offsets of a running connector: %s", text)
	}
	w.rest(204, "PUT", at(source)+"/stop", nil)
	w.waitState(source, "STOPPED")
	want := fmt.Sprintf(`{"offsets":[{"partition":{"filename":%q},"offset":{"position":12}}]}`, in)
	if got := w.rest(200, "GET", at(source)+"/offsets", nil); got != want {
		t.Errorf("the offsets are %s, want %s", got, want)
	}
	w.rest(200, "PATCH", at(source)+"/offsets", strings.Replace(want, `"position":12`, `"position":4`, 1))
	w.rest(202, "PUT", at(source)+"/resume", nil)
	w.waitState(source, "RUNNING RUNNING")
	topicValues(t, addr, name, 5)
	waitFile(t, out, []string{"aaa", "bbb", "ccc", "bbb", "ccc"})

	w.rest(204, "PUT", at(sink)+"/stop", nil)
	w.waitState(sink, "STOPPED")
	want = fmt.Sprintf(`{"offsets":[{"partition":{"kafka_topic":%q,"kafka_partition":0},"offset":{"kafka_offset":5}}]}`, name)
	eventually(t, func() string {
		if got := w.rest(200, "GET", at(sink)+"/offsets", nil); !sameJSON(t, got, want) {
			return "the offsets are " + got + ", want " + want
		}
		return ""
	})
	w.rest(200, "PATCH", at(sink)+"/offsets", strings.Replace(want, `"kafka_offset":5`, `"kafka_offset":1`, 1))
	w.rest(202, "PUT", at(sink)+"/resume", nil)
	w.waitState(sink, "RUNNING RUNNING")
	waitFile(t, out, []string{"aaa", "bbb", "ccc", "bbb", "ccc", "bbb", "ccc", "bbb", "ccc"})

	w.rest(204, "PUT", at(source)+"/stop", nil)
	w.waitState(source, "STOPPED")
	w.rest(200, "DELETE", at(source)+"/offsets", nil)
	if got := w.rest(200, "GET", at(source)+"/offsets", nil); got != `{"offsets":[]}` {
		t.Errorf("after the reset the offsets are %s", got)
	}
	w.rest(202, "PUT", at(source)+"/resume", nil)
	waitFile(t, out, []string{"aaa", "bbb", "ccc", "bbb", "ccc", "bbb", "ccc", "bbb", "ccc", "aaa", "bbb", "ccc"})
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func e2eTopicCreation(t *testing.T, w *workerProc, addr string) {
	rules := []string{"topic.creation.groups", "wide", "topic.creation.default.replication.factor", "-1", "topic.creation.default.partitions", "2",
		"topic.creation.wide.include", "wide-.*", "topic.creation.wide.partitions", "4", "topic.creation.wide.cleanup.policy", "compact"}
	for prefix, want := range map[string]struct {
		partitions int
		policy     string
	}{"wide": {4, "compact"}, "narrow": {2, "delete"}} {
		topic, in := unique(prefix), filepath.Join(t.TempDir(), "in.txt")
		// A compacted topic of a real broker refuses records without a key.
		appendLines(t, in, "x")
		w.put(topic, fileSource(topic, in, topic, append(slices.Clone(rules), "transforms", "hoist,key", "transforms.hoist.type", "org.apache.kafka.connect.transforms.HoistField$Value",
			"transforms.hoist.field", "k", "transforms.key.type", "org.apache.kafka.connect.transforms.ValueToKey", "transforms.key.fields", "k",
			"key.converter", jsonConverter, "value.converter", jsonConverter)...))
		newTailTopic(t, addr, topic).await(1)
		adm := kadm.NewClient(kafkaClient(t, addr))
		d, err := adm.ListTopics(soon(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := adm.DescribeTopicConfigs(soon(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		policy := ""
		for _, c := range cfg[0].Configs {
			if c.Key == "cleanup.policy" {
				policy = c.MaybeValue()
			}
		}
		if n := len(d[topic].Partitions); n != want.partitions || policy != want.policy {
			t.Errorf("topic %s has %d partitions and cleanup.policy %s, want %+v", topic, n, policy, want)
		}
	}
	// A rule that the broker cannot keep ends the task and says which.
	topic, in := unique("narrow"), filepath.Join(t.TempDir(), "in.txt")
	appendLines(t, in, "x")
	w.put(topic, fileSource(topic, in, topic, "topic.creation.default.replication.factor", "7", "topic.creation.default.partitions", "1"))
	w.waitTrace(topic, "RUNNING FAILED", topic, "replicationFactor=7", "INVALID_REPLICATION_FACTOR")
}

// e2eOverride is ConnectWorkerIntegrationTest.testRestartFailedTask; what is
// unreachable is retried here instead of failing at once.
func e2eOverride(t *testing.T, w *workerProc, addr string) {
	name, in := unique("override"), filepath.Join(t.TempDir(), "in.txt")
	appendLines(t, in, "x")
	config := fileSource(name, in, name)
	w.put(name, with(config, "producer.override.bootstrap.servers", "127.0.0.1:1", "producer.override.delivery.timeout.ms", "3000",
		"producer.override.request.timeout.ms", "1000", "producer.override.linger.ms", "0", "producer.override.max.block.ms", "2000"))
	w.waitTrace(name, "RUNNING RESTARTING", name, "Restarting in")
	if s := w.status(name); s.Connector.State != "RUNNING" {
		t.Errorf("the connector is %s", s.Connector.State)
	}
	w.put(name, config)
	w.waitState(name, "RUNNING RUNNING")
	if got := topicValues(t, addr, name, 1); got[0] != "x" {
		t.Errorf("the topic holds %q", got)
	}
}

func e2eTwoTasks(t *testing.T, w *workerProc, addr string) {
	name, out := unique("two"), filepath.Join(t.TempDir(), "out.txt")
	createTopic(t, addr, name, 2)
	cl := kafkaClient(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var recs []*kgo.Record
	for i := range 2000 {
		recs = append(recs, &kgo.Record{Topic: name, Partition: int32(i % 2), Value: fmt.Appendf(nil, "%d %07d", i%2, i)})
	}
	if err := cl.ProduceSync(soon(t), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.put(name, fileSink(name, out, name, "tasks.max", "2"))
	w.waitState(name, "RUNNING RUNNING RUNNING")
	var got []string
	eventually(t, func() string {
		if got = fileLines(out); len(got) < 2000 {
			return fmt.Sprintf("%d of 2000 lines", len(got))
		}
		return ""
	})
	for p := range 2 {
		own := slices.DeleteFunc(slices.Clone(got), func(l string) bool { return !strings.HasPrefix(l, fmt.Sprint(p)) })
		if len(slices.Compact(slices.Clone(own))) < 1000 || !slices.IsSorted(own) {
			t.Errorf("of partition %d there are %d lines; sorted: %v", p, len(own), slices.IsSorted(own))
		}
	}
	// Two tasks of a source, each with its own sequence.
	source := unique("two-source")
	w.put(source, map[string]string{"name": source, "connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "tasks.max": "2",
		"topic": source, "throughput": "200"})
	w.waitState(source, "RUNNING RUNNING RUNNING")
	newTailTopic(t, addr, source).await(300)
	w.rest(204, "DELETE", at(source), nil)
	eventually(t, func() string {
		if code, text, err := w.try("GET", at(source)+"/status", nil); err != nil || code != 404 {
			return fmt.Sprintf("the deleted connector still has a status: %d %s %v", code, text, err)
		}
		return ""
	})
}

// e2eReconfigure is testTaskStatuses and testReconfigConnector.
func e2eReconfigure(t *testing.T, w *workerProc, addr string) {
	name, in := unique("reconfigure"), filepath.Join(t.TempDir(), "in.txt")
	appendLines(t, in, "x")
	w.put(name, fileSource(name, in, name+"-a"))
	newTailTopic(t, addr, name+"-a").await(1)
	// The offset goes with the file, not with the topic: only what comes is moved.
	w.put(name, fileSource(name, in, name+"-b"))
	w.waitState(name, "RUNNING RUNNING")
	eventually(t, func() string {
		if got := w.rest(200, "GET", at(name)+"/tasks", nil); !strings.Contains(got, name+"-b") {
			return "the tasks are " + got
		}
		return ""
	})
	appendLines(t, in, "y")
	if got := values(newTailTopic(t, addr, name+"-b").await(1)); got[0] != "y" {
		t.Errorf("the new topic begins with %q", got[0])
	}
	sink := name + "-sink"
	config := fileSink(sink, filepath.Join(t.TempDir(), "out.txt"), name+"-a")
	for _, n := range []int{1, 4, 2} {
		w.put(sink, with(config, "tasks.max", fmt.Sprint(n)))
		w.waitState(sink, "RUNNING"+strings.Repeat(" RUNNING", n))
	}
	w.rest(200, "PATCH", at(sink)+"/config", `{"tasks.max":"3"}`)
	w.waitState(sink, "RUNNING RUNNING RUNNING RUNNING")
}

// TestRestartGoesOn stops a worker in order and starts it again: nothing is missing
// and nothing comes twice.
func TestRestartGoesOn(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		name, in, out := unique("restart"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
		props := distributedProps(t, addr)
		w := startWorker(t, props)
		w.put(name+"-source", fileSource(name+"-source", in, name))
		w.put(name+"-sink", fileSink(name+"-sink", out, name))
		var want []string
		for round := range 4 {
			lines := numberedLines(fmt.Sprintf("round %d ", round), 0, 5000)
			want = append(want, lines...)
			appendLines(t, in, lines...)
			if round%2 == 0 { // in the middle of it, or with all done
				waitFile(t, out, want)
			}
			w.stop()
			w = startWorker(t, props)
		}
		waitFile(t, out, want)
		if got := topicValues(t, addr, name, len(want)); !slices.Equal(got, want) {
			t.Error("the topic holds other lines than the file")
		}
		w.waitState(name+"-source", "RUNNING RUNNING")
		w.waitState(name+"-sink", "RUNNING RUNNING")
		w.stop()
	})
}

// TestStandaloneFiles runs a standalone worker with connector files, twice, with
// the offset file of the first run.
func TestStandaloneFiles(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		dir := t.TempDir()
		name, in, out, offsets := unique("standalone"), filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt"), filepath.Join(dir, "offsets")
		sink, err := json.Marshal(map[string]any{"name": name + "-sink", "config": fileSink(name+"-sink", out, name)})
		if err != nil {
			t.Fatal(err)
		}
		sinkFile := filepath.Join(dir, "sink.json")
		if err := os.WriteFile(sinkFile, sink, 0o600); err != nil {
			t.Fatal(err)
		}
		sourceFile := writeProps(t, fileSource(name+"-source", in, name))
		var want []string
		for round := range 3 {
			lines := numberedLines(fmt.Sprintf("run %d ", round), 0, 1000)
			want = append(want, lines...)
			appendLines(t, in, lines...)
			w := launch(t, "standalone", map[string]string{"bootstrap.servers": addr, "listeners": fmt.Sprintf("http://127.0.0.1:%d", freePort(t)),
				"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
				"offset.storage.file.filename": offsets}, sourceFile, sinkFile)
			w.ready()
			waitFile(t, out, want)
			w.waitState(name+"-source", "RUNNING RUNNING")
			w.stop()
			if st, err := os.Stat(offsets); err != nil || st.Size() == 0 {
				t.Fatalf("the offset file: %v", err)
			}
		}
		if got := topicValues(t, addr, name, len(want)); !slices.Equal(got, want) {
			t.Error("the topic holds other lines than the file")
		}
	})
}
