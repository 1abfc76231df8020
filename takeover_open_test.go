package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// TestTakeoverAfterOpenTransaction kills Troupe's leader between writing a configuration
// and committing it, again and again with other kinds of records: a new connector, a new
// configuration, new task configurations, a pause, a removal. A proxy between Troupe and
// Kafka holds the request that would commit, so that the moment is certain. Kafka Connect
// reads uncommitted records by default; started after another Troupe has led, it
// must see nothing of what was not committed.
func TestTakeoverAfterOpenTransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka, Kafka Connect, and Troupe six times")
	}
	gate, broker := newCommitGate(t)
	dir, port := t.TempDir(), freePort(t)
	v := &takeover{t: t, addr: broker.Addr(), name: unique("open"), file: filepath.Join(dir, "worker.properties"), url: fmt.Sprintf("http://127.0.0.1:%d", port),
		in: filepath.Join(dir, "in.txt"), out: filepath.Join(dir, "out.txt"), total: make(chan int, 1)}
	gate.id = "connect-cluster-" + v.name
	props := kafkatest.ConnectWorkerProperties(gate.addr, v.name, dir, port, false)
	props["plugin.path"] = kafkatest.FilePlugins(t)
	props["failover.quarantine.window.ms"] = "0" // the same tasks see the node die again and again
	if err := kafkatest.WriteProperties(v.file, props); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { v.total <- appendForever(ctx, t, v.in) }()

	source, sink := fileSource("source", v.in, v.topic("lines")), fileSink("sink", v.out, v.topic("lines"))
	ghost := fileSource("ghost", v.in, v.topic("ghost"))
	changed := with(source, "batch.size", "500")
	troupe := v.troupe()
	troupe.put("source", source)
	troupe.put("sink", sink)
	v.flows(troupe)

	for _, row := range []struct {
		what         string
		method, path string
		body         any
		open         []string // keys in the transaction that is never committed
	}{
		{"a new connector", "POST", "/connectors", map[string]any{"name": "ghost", "config": ghost}, []string{"connector-ghost"}},
		{"another configuration", "PUT", at("source") + "/config", with(source, "topic", v.topic("ghost")), []string{"connector-source"}},
		{"other task configurations", "PUT", at("source") + "/config", changed, []string{"task-source-0", "commit-source"}},
		{"a pause", "PUT", at("sink") + "/pause", nil, []string{"target-state-sink"}},
		{"a removal", "DELETE", at("sink"), nil, []string{"connector-sink", "target-state-sink"}},
	} {
		held := gate.hold(func() bool { return slices.Equal(v.openKeys(), row.open) })
		answered := make(chan string, 1)
		go func() {
			code, text, err := troupe.try(row.method, row.path, row.body)
			answered <- fmt.Sprint(code, " ", text, " ", err)
		}()
		select {
		case <-held:
		case <-time.After(patience):
			t.Fatalf("%s: nothing was to be committed", row.what)
		}
		troupe.Kill()
		gate.let()
		t.Logf("%s: killed with %q written and not committed; the request was answered with %s", row.what, v.openKeys(), <-answered)
		troupe = v.troupe()
		troupe.waitLog(leads)
		troupe.waitState("source", "RUNNING RUNNING")
		troupe.waitState("sink", "RUNNING RUNNING")
		eventually(t, func() string { // it may be at work itself
			if open := v.openKeys(); len(open) > 0 {
				return fmt.Sprintf("%s: under the next leader %q are still open", row.what, open)
			}
			return ""
		})
	}
	v.flows(troupe)
	v.committedOnly(troupe, changed, sink)
	troupe.stop()
	v.waitEmptyGroup()

	connect := v.kafkaConnect()
	v.committedOnly(connect, changed, sink)
	v.flows(connect)
	v.committedOnly(connect, changed, sink)
	// It reads the aborted record and the tombstone behind it, and may say that.
	for l := range strings.SplitSeq((&process{t, connect.Process}).log(), "\n") {
		if strings.Contains(l, "ghost") && !strings.Contains(l, "Successfully processed removal of connector 'ghost'") {
			t.Errorf("Kafka Connect's log speaks of the ghost: %s", l)
		}
	}
	cancel()
	lines := numberedLines("line ", 0, <-v.total)
	for where, look := range map[string]func() []string{"the sink's file": func() []string { return fileLines(v.out) }, "the topic": func() []string { return topicNow(t, v.addr, v.topic("lines")) }} {
		var c occurrences
		eventually(t, func() string {
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

// committedOnly wants a worker to know the two connectors, as they were committed.
func (v *takeover) committedOnly(w *workerProc, source, sink map[string]string) {
	v.t.Helper()
	w.waitState("source", "RUNNING RUNNING")
	w.waitState("sink", "RUNNING RUNNING")
	var names []string
	if err := json.Unmarshal([]byte(w.rest(200, "GET", "/connectors", nil)), &names); err != nil {
		v.t.Fatal(err)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"sink", "source"}) {
		v.t.Errorf("there are the connectors %q, want sink and source", names)
	}
	for name, want := range map[string]map[string]string{"source": source, "sink": sink} {
		var config map[string]string
		if err := json.Unmarshal([]byte(w.rest(200, "GET", at(name)+"/config", nil)), &config); err != nil || !maps.Equal(config, want) {
			v.t.Errorf("the configuration of %s is %v (%v), want %v", name, config, err, want)
		}
		var tasks []struct{ Config map[string]string }
		if err := json.Unmarshal([]byte(w.rest(200, "GET", at(name)+"/tasks", nil)), &tasks); err != nil || len(tasks) != 1 {
			v.t.Errorf("the tasks of %s are %v (%v), want one", name, tasks, err)
			continue
		}
		for _, key := range []string{"topic", "topics", "file", "batch.size"} {
			if got := tasks[0].Config[key]; got != want[key] && want[key] != "" {
				v.t.Errorf("the task of %s has %s=%q, want %q", name, key, got, want[key])
			}
		}
	}
}

// waitEmptyGroup waits until nobody is in the worker's group.
func (v *takeover) waitEmptyGroup() {
	v.t.Helper()
	adm := kadm.NewClient(kafkaClient(v.t, v.addr))
	eventually(v.t, func() string {
		groups, err := adm.DescribeGroups(soon(v.t), v.name)
		if err != nil || len(groups[v.name].Members) > 0 {
			return fmt.Sprintf("somebody is in the group: %v %v", groups[v.name].Members, err)
		}
		return ""
	})
}

// openKeys are the keys of the config topic's records behind its last stable offset: those
// of a transaction that has not ended, as Kafka Connect would read them.
func (v *takeover) openKeys() []string {
	cl := kafkaClient(v.t, v.addr)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	topic, adm := v.topic("configs"), kadm.NewClient(cl)
	stable, err := adm.ListCommittedOffsets(ctx, topic)
	ends, eerr := adm.ListEndOffsets(ctx, topic)
	if err := errors.Join(err, eerr); err != nil {
		v.t.Errorf("listing the ends of %s: %v", topic, err)
		return nil
	}
	from, end := stable[topic][0].Offset, ends[topic][0].Offset
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}})
	var keys []string
	for pos := from; pos < end && ctx.Err() == nil; {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			keys = append(keys, string(r.Key))
			pos = r.Offset + 1
		})
	}
	return keys
}

// commitGate is a proxy before a broker that can hold a transaction's commit.
type commitGate struct {
	t        *testing.T
	addr, to string
	id       string // the transactional id that is meant

	mu   sync.Mutex
	want func() bool // says whether a commit is to be held; nil: none is
	held chan struct{}
}

// newCommitGate starts Kafka, and a gate before it that lets everything through.
func newCommitGate(t *testing.T) (*commitGate, *kafkatest.Broker) {
	t.Helper()
	ports, err := kafkatest.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	g := &commitGate{t: t, addr: "127.0.0.1:" + strconv.Itoa(ports[0]), to: "127.0.0.1:" + strconv.Itoa(ports[1])}
	broker := kafkatest.Start(t, kafkatest.WithProxy(g.to, g.addr))
	ln, err := net.Listen("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	conns := make(map[net.Conn]bool)
	t.Cleanup(func() {
		_ = ln.Close()
		g.mu.Lock()
		for c := range conns {
			_ = c.Close()
		}
		g.mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", g.to)
			if err != nil {
				_ = c.Close()
				continue
			}
			g.mu.Lock()
			conns[c], conns[up] = true, true
			g.mu.Unlock()
			closeBoth := func() { _ = c.Close(); _ = up.Close() }
			wg.Go(func() {
				defer closeBoth()
				_, _ = io.Copy(c, up)
			})
			wg.Go(func() {
				defer closeBoth()
				_ = g.requests(up, c) // until either side ends
			})
		}
	})
	return g, broker
}

// requests passes requests on, one at a time. One that is held is dropped: who sent it is
// to be killed.
func (g *commitGate) requests(up io.Writer, c io.Reader) error {
	for {
		size := make([]byte, 4)
		if _, err := io.ReadFull(c, size); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(size))
		if _, err := io.ReadFull(c, body); err != nil {
			return err
		}
		if g.holds(body) {
			continue
		}
		if _, err := up.Write(append(size, body...)); err != nil {
			return err
		}
	}
}

// holds says whether a request is the commit that is to be held.
func (g *commitGate) holds(request []byte) bool {
	if len(request) < 2 || kmsg.Key(binary.BigEndian.Uint16(request)) != kmsg.EndTxn || !bytes.Contains(request, []byte(g.id)) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.want == nil || !g.want() {
		return false
	}
	g.want = nil
	close(g.held)
	return true
}

// hold has a commit held that is as wanted; what it returns is closed then.
func (g *commitGate) hold(want func() bool) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want, g.held = want, make(chan struct{})
	return g.held
}

// let lets everything through again.
func (g *commitGate) let() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want = nil
}
