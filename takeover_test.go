package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// counterClass is a connector that Kafka Connect is given and Troupe lacks.
const counterClass = "example.CounterSourceConnector"

// takeover is a set of connectors that outlives the workers that run it.
type takeover struct {
	t    *testing.T
	addr string
	file string // the one properties file
	url  string
	name string

	in, out, pausedIn string
	total             chan int
	enough            context.CancelFunc // no more lines
}

func (v *takeover) topic(what string) string { return v.name + "-" + what }

// TestTakeover has Kafka Connect's workers and Troupe take turns in running the same
// connectors with the same properties file, while lines are appended to the file of
// a source all the time: Kafka Connect, Troupe, Kafka Connect. What arrives is
// counted at the end.
func TestTakeover(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka Connect twice")
	}
	addr := kafkatest.Shared(t).Addr()
	dir := t.TempDir()
	port := freePort(t)
	v := &takeover{t: t, addr: addr, name: unique("takeover"), file: filepath.Join(dir, "worker.properties"), url: fmt.Sprintf("http://127.0.0.1:%d", port),
		in: filepath.Join(dir, "in.txt"), out: filepath.Join(dir, "out.txt"), pausedIn: filepath.Join(dir, "paused.txt"), total: make(chan int, 1)}
	props := kafkatest.ConnectWorkerProperties(addr, v.name, dir, port, false)
	props["plugin.path"] = kafkatest.FilePlugins(t) + "," + kafkatest.BuildPlugin(t, "counter", "internal/kafkatest/testdata/CounterSourceConnector.java")
	if err := kafkatest.WriteProperties(v.file, props); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	v.enough = cancel
	go func() { v.total <- appendForever(ctx, t, v.in) }()
	defer cancel()

	first := v.kafkaConnect()
	v.create(first)
	v.flows(first)
	v.doctorSeesWorker()
	v.stopJava(first)
	v.doctorForesees()
	atTakeover := len(fileLines(v.out))
	counted := len(topicNow(t, addr, v.topic("counts")))
	kept := v.keptRecords()
	if len(kept) < 4 {
		t.Fatalf("the internal topics have only %d records of the counter: %q", len(kept), kept)
	}

	troupe := v.troupe()
	v.flows(troupe)
	v.runsWhatItCan(troupe)
	troupe.stop()
	atReturn := len(fileLines(v.out))
	if got := v.keptRecords(); !slices.Equal(got, kept) {
		t.Errorf("what is kept of the connector without a plugin has changed from\n%q to\n%q", kept, got)
	}
	if n := len(topicNow(t, addr, v.topic("counts"))); n != counted {
		t.Errorf("the counter's topic has %d records, had %d", n, counted)
	}

	second := v.kafkaConnect()
	second.waitState("paused", "PAUSED PAUSED")
	second.waitState("counter", "RUNNING RUNNING")
	v.flows(second)
	second.rest(202, "PUT", at("paused")+"/resume", nil)
	eventually(t, func() string {
		if n := len(topicNow(t, addr, v.topic("paused"))); n < 60 {
			return fmt.Sprintf("the topic of the resumed source has %d records, want 60", n)
		}
		return ""
	})
	eventually(t, func() string {
		if n := len(topicNow(t, addr, v.topic("counts"))); n < counted+100 {
			return fmt.Sprintf("the counter's topic has %d records, had %d", n, counted)
		}
		return ""
	})
	v.enough()
	lines := numberedLines("line ", 0, <-v.total)
	v.arrived("the sink's file", func() []string { return fileLines(v.out) }, lines)
	v.stopJava(second)
	v.arrived("the topic", func() []string { return topicNow(t, addr, v.topic("lines")) }, lines)
	v.arrived("the resumed source's topic", func() []string { return topicNow(t, addr, v.topic("paused")) }, numberedLines("p", 0, 60))
	counts := topicNow(t, addr, v.topic("counts"))
	v.arrived("the counter's topic", func() []string { return counts }, numberedLines("count ", 0, len(counts)-countLines(counts, numberedLines("count ", 0, len(counts))).again))
	t.Logf("lines in the sink's file: %d written under Kafka Connect, %d under Troupe, %d under Kafka Connect again", atTakeover, atReturn-atTakeover, len(lines)-atReturn)
}

// kafkaConnect starts Kafka Connect's worker.
func (v *takeover) kafkaConnect() *workerProc {
	v.t.Helper()
	begun := time.Now()
	c := kafkatest.StartConnectFile(v.t, v.file, v.url, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
	v.t.Logf("Kafka Connect answers after %.1f s", time.Since(begun).Seconds())
	return &workerProc{&process{v.t, c.Process}, v.url}
}

func (v *takeover) troupe() *workerProc {
	v.t.Helper()
	begun := time.Now()
	w := &workerProc{runTroupe(v.t, nil, "distributed", v.file), v.url}
	w.ready()
	v.t.Logf("Troupe answers after %.1f s", time.Since(begun).Seconds())
	return w
}

// stopJava ends Kafka Connect in order. It answers SIGTERM with 143.
func (v *takeover) stopJava(w *workerProc) {
	v.t.Helper()
	if err := w.Stop(time.Minute); err != nil {
		v.t.Fatal(err)
	}
}

// create makes the connectors: a source and a sink that copy a file, a source that
// is paused after ten lines while more come, and one that Troupe has no plugin for.
func (v *takeover) create(w *workerProc) {
	w.put("source", fileSource("source", v.in, v.topic("lines")))
	w.put("sink", fileSink("sink", v.out, v.topic("lines")))
	appendLines(v.t, v.pausedIn, numberedLines("p", 0, 10)...)
	w.put("paused", fileSource("paused", v.pausedIn, v.topic("paused")))
	w.put("counter", map[string]string{"name": "counter", "connector.class": counterClass, "tasks.max": "1", "topic": v.topic("counts")})
	topicValues(v.t, v.addr, v.topic("paused"), 10)
	w.rest(202, "PUT", at("paused")+"/pause", nil)
	w.waitState("paused", "PAUSED PAUSED")
	appendLines(v.t, v.pausedIn, numberedLines("p", 10, 50)...)
	newTailTopic(v.t, v.addr, v.topic("counts")).await(50)
}

// flows waits until the source and the sink run and some thousand more lines have
// come through both.
func (v *takeover) flows(w *workerProc) {
	v.t.Helper()
	w.waitState("source", "RUNNING RUNNING")
	w.waitState("sink", "RUNNING RUNNING")
	from := len(fileLines(v.out))
	eventuallyIn(v.t, 2*patience, func() string {
		if n := len(fileLines(v.out)); n < from+4000 {
			return fmt.Sprintf("%d lines have come through, %d of them under this worker: %s", n, n-from, w.status("sink"))
		}
		return ""
	})
}

// doctorSeesWorker has the doctor look while Kafka Connect runs.
func (v *takeover) doctorSeesWorker() {
	v.t.Helper()
	_, text, _ := takeoverReport(v.t, v.file)
	if want := "first        group " + v.name + ": a worker of Kafka Connect is in it: " + v.url + "/"; !strings.Contains(text, want) {
		v.t.Errorf("the doctor does not say %q:\n%s", want, text)
	}
}

// doctorForesees has the doctor say what will run, with nobody in the group, and
// looks whether it has changed anything.
func (v *takeover) doctorForesees() {
	v.t.Helper()
	cl := kafkaClient(v.t, v.addr)
	state := func() string {
		lines := strings.Split(clusterState(v.t, cl), "\n")
		return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
			return !strings.Contains(l, v.name) && !strings.Contains(l, "connect-sink") && !strings.HasPrefix(l, "__transaction_state")
		}), "\n")
	}
	before := state()
	r, text, code := takeoverReport(v.t, v.file)
	if after := state(); after != before {
		v.t.Errorf("before the doctor:\n%s\nafter:\n%s", before, after)
	}
	want := map[string]string{"source": verdictRuns, "sink": verdictRuns, "paused": verdictPaused, "counter": verdictCannot}
	if got := r.verdicts(); code != exitNotAll || !r.Starts || !maps.Equal(got, want) {
		v.t.Errorf("the doctor ends with %d, starts %t, verdicts %v, want %v", code, r.Starts, got, want)
	}
	for _, c := range r.Connectors {
		if c.Offsets == nil || *c.Offsets != 1 || c.Tasks != 1 {
			v.t.Errorf("%s has %d tasks and offsets %v, want one of each", c.Name, c.Tasks, c.Offsets)
		}
	}
	v.t.Log("\n" + text)
}

// runsWhatItCan looks at the two connectors that do not run under Troupe.
func (v *takeover) runsWhatItCan(w *workerProc) {
	w.waitState("paused", "PAUSED PAUSED")
	if n := len(topicNow(v.t, v.addr, v.topic("paused"))); n != 10 {
		v.t.Errorf("the topic of the paused source has %d records, want 10", n)
	}
	eventually(v.t, func() string {
		s := w.status("counter")
		if s.Connector.State != "FAILED" {
			return "the connector without a plugin is " + s.String()
		}
		if !strings.Contains(s.Connector.Trace, "Failed to find any class that implements Connector") || !strings.Contains(s.Connector.Trace, counterClass) {
			return "its trace does not say why: " + s.Connector.Trace
		}
		return ""
	})
	var config map[string]string
	if err := json.Unmarshal([]byte(w.rest(200, "GET", at("counter")+"/config", nil)), &config); err != nil || config["connector.class"] != counterClass {
		v.t.Errorf("the configuration of the connector without a plugin is %v (%v)", config, err)
	}
	if offsets := w.rest(200, "GET", at("counter")+"/offsets", nil); !strings.Contains(offsets, `"next"`) {
		v.t.Errorf("the offsets of the connector without a plugin are %s", offsets)
	}
	v.t.Logf("under Troupe: source %s, sink %s, paused %s, counter %s", w.status("source"), w.status("sink"), w.status("paused"), w.status("counter"))
}

// keptRecords are the records of the config and offset topics that tell of the
// counter.
func (v *takeover) keptRecords() []string {
	v.t.Helper()
	var out []string
	for _, topic := range []string{v.topic("configs"), v.topic("offsets")} {
		for _, r := range recordsNow(v.t, v.addr, topic) {
			if strings.Contains(string(r.Key), "counter") {
				out = append(out, fmt.Sprintf("%s/%d@%d %s=%s", topic, r.Partition, r.Offset, r.Key, r.Value))
			}
		}
	}
	slices.Sort(out)
	return out
}

// arrived waits until every line is in a place, in order, and prints how many came
// again. All workers ended in order, so none should have.
func (v *takeover) arrived(where string, look func() []string, lines []string) {
	v.t.Helper()
	var c occurrences
	eventually(v.t, func() string {
		c = countLines(look(), lines)
		return c.missing()
	})
	if c.problem != "" {
		v.t.Errorf("in %s: %s", where, c.problem)
	}
	v.t.Logf("%s: %d of %d lines, %d of them again", where, c.first, c.want, c.again)
	if c.again > 0 {
		v.t.Errorf("%s: %d lines came again after orderly ends", where, c.again)
	}
}

// recordsNow returns what is in a topic now.
func recordsNow(t testing.TB, addr, topic string) []*kgo.Record {
	t.Helper()
	cl := kafkaClient(t, addr)
	defer cl.Close()
	ends := endOffsets(t, cl, topic)
	tail := newTailTopic(t, addr, topic)
	defer tail.cl.Close()
	pos := make(map[int32]int64)
	eventually(t, func() string {
		for _, r := range tail.more(100 * time.Millisecond) {
			pos[r.Partition] = r.Offset + 1
		}
		for p, end := range ends {
			if pos[p] < end {
				return fmt.Sprintf("partition %d of %s was read to %d of %d", p, topic, pos[p], end)
			}
		}
		return ""
	})
	return tail.recs
}

func topicNow(t testing.TB, addr, topic string) []string {
	t.Helper()
	return values(recordsNow(t, addr, topic))
}

// endOffsets are the ends of a topic's partitions; none when it is empty.
func endOffsets(t testing.TB, cl *kgo.Client, topic string) map[int32]int64 {
	t.Helper()
	ends, err := kadm.NewClient(cl).ListEndOffsets(soon(t), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatalf("listing the ends of %s: %v", topic, err)
	}
	out := make(map[int32]int64)
	ends.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out
}

// TestTakeoverAfterKill is the way back when Troupe did not end in order: Kafka
// Connect goes on from the last stored offsets once the session of the dead node has
// ended. Nothing is lost; what was under way comes again.
func TestTakeoverAfterKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka Connect")
	}
	addr := kafkatest.Shared(t).Addr()
	dir := t.TempDir()
	port := freePort(t)
	v := &takeover{t: t, addr: addr, name: unique("killed"), file: filepath.Join(dir, "worker.properties"), url: fmt.Sprintf("http://127.0.0.1:%d", port),
		in: filepath.Join(dir, "in.txt"), out: filepath.Join(dir, "out.txt"), total: make(chan int, 1)}
	props := kafkatest.ConnectWorkerProperties(addr, v.name, dir, port, false)
	props["plugin.path"] = kafkatest.FilePlugins(t)
	if err := kafkatest.WriteProperties(v.file, props); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { v.total <- appendForever(ctx, t, v.in) }()

	troupe := v.troupe()
	troupe.put("source", fileSource("source", v.in, v.topic("lines")))
	troupe.put("sink", fileSink("sink", v.out, v.topic("lines")))
	v.flows(troupe)
	troupe.Kill()
	killed := time.Now()
	adm := kadm.NewClient(kafkaClient(t, addr))
	eventually(t, func() string {
		groups, err := adm.DescribeGroups(soon(t), v.name)
		if err != nil || len(groups[v.name].Members) > 0 {
			return fmt.Sprintf("the dead node is in the group: %v %v", groups[v.name].Members, err)
		}
		return ""
	})
	t.Logf("the group was empty %.1f s after the kill", time.Since(killed).Seconds())

	connect := v.kafkaConnect()
	v.flows(connect)
	cancel()
	lines := numberedLines("line ", 0, <-v.total)
	for where, look := range map[string]func() []string{"the sink's file": func() []string { return fileLines(v.out) }, "the topic": func() []string { return topicNow(t, addr, v.topic("lines")) }} {
		var c occurrences
		eventuallyIn(t, 3*patience, func() string {
			c = countLines(look(), lines)
			return c.missing()
		})
		if c.problem != "" {
			t.Errorf("in %s: %s", where, c.problem)
		}
		t.Logf("%s: %d of %d lines, %d of them again", where, c.first, c.want, c.again)
	}
	v.stopJava(connect)
}
