package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/cluster/devbroker"
	"github.com/troupeio/troupe/internal/kafkatest"
)

// TestBadInput is what files, records and settings can do to one connector. All
// rows share a worker, so each of them also shows that it harms no other.
func TestBadInput(t *testing.T) {
	addr := kfakeAddr(t)
	w := startWorker(t, distributedProps(t, addr))
	t.Run("rows", func(t *testing.T) {
		for name, run := range map[string]func(t *testing.T, w *workerProc, addr string){
			"missing file":                    badMissingFile,
			"directory instead of a file":     badDirectory,
			"unreadable file":                 badUnreadable,
			"file truncated under the source": badTruncated,
			"file replaced under the source":  badReplaced,
			"disk full at the sink":           badDiskFull,
			"line of 100 MB":                  badLongLine,
			"invalid UTF-8":                   badUTF8,
			"unknown connector class":         badClass,
			"transforms name a missing class": badTransform,
			"names of 10,000 characters":      badNames,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				here := *w
				here.process = &process{t, w.Process}
				run(t, &here, addr)
			})
		}
	})
	w.stop()
}

func badMissingFile(t *testing.T, w *workerProc, addr string) {
	name, in := unique("missing"), filepath.Join(t.TempDir(), "not-yet.txt")
	w.put(name, fileSource(name, in, name))
	w.waitState(name, "RUNNING RUNNING")
	w.waitLog("Couldn't find file " + in + " for FileStreamSourceTask, sleeping to wait for it to be created")
	appendLines(t, in, "here I am")
	if got := topicValues(t, addr, name, 1); got[0] != "here I am" {
		t.Errorf("got %q", got)
	}
}

func badDirectory(t *testing.T, w *workerProc, addr string) {
	dir, name := t.TempDir(), unique("directory")
	w.put(name, fileSource(name, dir, name))
	w.waitTrace(name, "RUNNING FAILED", dir, "it is a directory, not a file")
	sink := name + "-sink"
	produceLines(t, addr, name, "x")
	w.put(sink, fileSink(sink, dir, name))
	w.waitTrace(sink, "RUNNING FAILED", "Couldn't find or create file '"+dir+"' for FileStreamSinkTask", "is a directory")
	// It is mended by a better name, and what waited arrives.
	out := filepath.Join(dir, "out.txt")
	w.put(sink, fileSink(sink, out, name))
	waitFile(t, out, []string{"x"})
	sink += "-2"
	missing := filepath.Join(dir, "no", "such", "directory", "out.txt")
	w.put(sink, fileSink(sink, missing, name))
	w.waitTrace(sink, "RUNNING FAILED", missing, "no such file or directory")
}

func badUnreadable(t *testing.T, w *workerProc, addr string) {
	dir, name := t.TempDir(), unique("unreadable")
	in := filepath.Join(dir, "in.txt")
	appendLines(t, in, "secret")
	want := "permission denied"
	if err := os.Chmod(in, 0); err != nil {
		t.Fatal(err)
	}
	path := in
	if os.Geteuid() == 0 {
		// Root may read everything, but not below a file.
		path, want = filepath.Join(in, "below"), "not a directory"
	}
	w.put(name, fileSource(name, path, name))
	w.waitTrace(name, "RUNNING RESTARTING", path, want, "Restarting in")
	if os.Geteuid() == 0 {
		return
	}
	if err := os.Chmod(in, 0o600); err != nil {
		t.Fatal(err)
	}
	w.waitState(name, "RUNNING RUNNING")
	topicValues(t, addr, name, 1)
}

func badTruncated(t *testing.T, w *workerProc, addr string) {
	name, in := unique("truncated"), filepath.Join(t.TempDir(), "in.txt")
	appendLines(t, in, "one", "two", "three")
	w.put(name, fileSource(name, in, name))
	tail := newTailTopic(t, addr, name)
	tail.await(3)
	if err := os.Truncate(in, 0); err != nil {
		t.Fatal(err)
	}
	w.waitLog("The file was truncated; reading it again from its start", in)
	appendLines(t, in, "four")
	if got := values(tail.await(4)); !slices.Equal(got, []string{"one", "two", "three", "four"}) {
		t.Errorf("got %q", got)
	}
	w.waitState(name, "RUNNING RUNNING")
}

func badReplaced(t *testing.T, w *workerProc, addr string) {
	name, in := unique("replaced"), filepath.Join(t.TempDir(), "in.txt")
	appendLines(t, in, "one")
	w.put(name, fileSource(name, in, name))
	tail := newTailTopic(t, addr, name)
	tail.await(1)
	if err := os.Rename(in, in+".1"); err != nil {
		t.Fatal(err)
	}
	appendLines(t, in+".1", "two") // its writer has not noticed yet
	appendLines(t, in, "three")
	if got := values(tail.await(3)); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("got %q", got)
	}
	w.waitLog("The file was replaced and the old one is read to its end; reading the new one from its start")
}

func badDiskFull(t *testing.T, w *workerProc, addr string) {
	dir, name := t.TempDir(), unique("full")
	mount := func(args ...string) error { return exec.Command("mount", args...).Run() }
	if err := mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", dir); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v", err)
	}
	out := filepath.Join(dir, "out.txt")
	t.Cleanup(func() {
		if err := exec.Command("umount", "-l", dir).Run(); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	lines := numberedLines(strings.Repeat("full ", 20), 0, 3000)
	produceLines(t, addr, name, lines...)
	w.put(name, fileSink(name, out, name, "consumer.override.max.poll.records", "100"))
	w.waitLog("put failed and is tried again", out, "no space left on device")
	w.waitState(name, "RUNNING RUNNING")
	if err := mount("-o", "remount,size=16m", dir); err != nil {
		t.Fatal(err)
	}
	waitFile(t, out, lines)
	w.rest(204, "DELETE", at(name), nil)
	eventually(t, func() string { // before the disk goes
		if code, _, _ := w.try("GET", at(name)+"/status", nil); code != 404 {
			return "the connector is still there"
		}
		return ""
	})
}

func badLongLine(t *testing.T, w *workerProc, addr string) {
	name, in := unique("long"), filepath.Join(t.TempDir(), "in.txt")
	appendLines(t, in, "short", strings.Repeat("x", 100<<20), "after")
	config := fileSource(name, in, name)
	w.put(name, config)
	w.waitTrace(name, "RUNNING FAILED", name, "max.request.size", "104857600", "errors.tolerance=all")
	if got := values(newTailTopic(t, addr, name).await(1)); got[0] != "short" {
		t.Errorf("got %.100q", got)
	}
	w.put(name, with(config, "errors.tolerance", "all"))
	eventually(t, func() string {
		got := values(newTailTopic(t, addr, name).await(2))
		if got[len(got)-1] != "after" {
			return fmt.Sprintf("got %.100q", got)
		}
		return ""
	})
	w.waitState(name, "RUNNING RUNNING")
	w.rest(204, "DELETE", at(name), nil)
}

func badUTF8(t *testing.T, w *workerProc, addr string) {
	name, dir := unique("utf8"), t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	appendLines(t, in, "A\xffB", "fine")
	w.put(name, fileSource(name, in, name))
	if got := topicValues(t, addr, name, 2); got[0] != "A\ufffdB" || got[1] != "fine" {
		t.Errorf("the topic holds %q", got)
	}
	produceLines(t, addr, name+"-raw", "A\xffB", "fine")
	w.put(name+"-sink", fileSink(name+"-sink", out, name+"-raw"))
	waitFile(t, out, []string{"A\ufffdB", "fine"})
	w.put(name+"-json", fileSink(name+"-json", out+".json", name+"-raw", "value.converter", jsonConverter))
	w.waitTrace(name+"-json", "RUNNING FAILED", "Tolerance exceeded in error handler", name+"-raw-0@0", "VALUE_CONVERTER")
	if text := w.rest(400, "PUT", at(name+"-bad")+"/config", "{\"name\":\"\xff\",\"file\":"); !utf8.ValidString(text) || !strings.Contains(text, "message") {
		t.Errorf("a body that is no JSON answers %q", text)
	}
}

func badClass(t *testing.T, w *workerProc, _ string) {
	name := unique("class")
	_, text, err := w.try("PUT", at(name)+"/config", map[string]string{"name": name, "connector.class": "com.example.Nothing", "topic": "x"})
	if err != nil || !strings.Contains(text, "Failed to find any class that implements Connector and which name matches com.example.Nothing") ||
		!strings.Contains(text, "FileStreamSourceConnector") {
		t.Errorf("the answer is %s %v", text, err)
	}
	w.rest(404, "GET", at(name), nil)
	text = w.rest(400, "PUT", at(name)+"/config", map[string]string{"name": name, "topic": "x"})
	if !strings.Contains(text, "connector.class") && !strings.Contains(text, "connector type") {
		t.Errorf("without a class the answer is %s", text)
	}
}

func badTransform(t *testing.T, w *workerProc, _ string) {
	name := unique("transform")
	config := fileSource(name, "/dev/null", name, "transforms", "mask", "transforms.mask.type", "com.example.Mask")
	text := w.rest(400, "PUT", at(name)+"/config", config)
	if !strings.Contains(text, "transforms.mask.type") || !strings.Contains(text, "com.example.Mask") {
		t.Errorf("the answer is %s", text)
	}
	delete(config, "transforms.mask.type")
	if text = w.rest(400, "PUT", at(name)+"/config", config); !strings.Contains(text, "transforms.mask.type") {
		t.Errorf("without a type the answer is %s", text)
	}
}

func badNames(t *testing.T, w *workerProc, addr string) {
	dir, topic := t.TempDir(), unique("names")
	long := unique("n") + strings.Repeat("é", 4990)
	out := filepath.Join(dir, "out.txt")
	produceLines(t, addr, topic, "x")
	w.put(long, fileSink(long, out, topic))
	w.waitState(long, "RUNNING RUNNING")
	waitFile(t, out, []string{"x"})
	w.rest(204, "DELETE", at(long), nil)

	path := filepath.Join(dir, strings.Repeat("f", 10000))
	sink := unique("long-file")
	w.put(sink, fileSink(sink, path, topic))
	w.waitTrace(sink, "RUNNING FAILED", "Couldn't find or create file", "file name too long")
}

// TestBrokerRefuses meets limits that only a real broker keeps: the size of a
// topic's records, the length of its name.
func TestBrokerRefuses(t *testing.T) {
	addr := kafkatest.Shared(t).Addr()
	w := startWorker(t, distributedProps(t, addr))
	name, in := unique("large"), filepath.Join(t.TempDir(), "in.txt")
	createTopic(t, addr, name, 1, "max.message.bytes", "2000")
	appendLines(t, in, "short", strings.Repeat("x", 10_000), "after")
	config := fileSource(name, in, name, "batch.size", "1")
	w.put(name, config)
	w.waitTrace(name, "RUNNING FAILED", name, "MESSAGE_TOO_LARGE", "max.message.bytes", "errors.tolerance=all", "10000")
	w.put(name, with(config, "errors.tolerance", "all"))
	eventually(t, func() string {
		got := values(newTailTopic(t, addr, name).await(2))
		if got[0] != "short" || got[len(got)-1] != "after" {
			return fmt.Sprintf("got %.100q", got)
		}
		return ""
	})
	// A name that no topic may have.
	w.put(name+"-name", fileSource(name+"-name", in, strings.Repeat("t", 10_000)))
	w.waitTrace(name+"-name", "RUNNING FAILED", "tttttttt", "INVALID_TOPIC_EXCEPTION")
	w.stop()
}

// TestTopicDeleted deletes a topic under a running source and a running sink. What
// comes after it is made again goes through.
func TestTopicDeleted(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		w := startWorker(t, distributedProps(t, addr))
		name, dir := unique("deleted"), t.TempDir()
		in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
		appendLines(t, in, numberedLines("before ", 0, 10)...)
		w.put(name+"-source", fileSource(name+"-source", in, name, "topic.creation.default.partitions", "1", "topic.creation.default.replication.factor", "1"))
		w.put(name+"-sink", fileSink(name+"-sink", out, name, "consumer.override.metadata.max.age.ms", "1000"))
		waitFile(t, out, numberedLines("before ", 0, 10))
		adm := kadm.NewClient(kafkaClient(t, addr))
		if _, err := adm.DeleteTopic(soon(t), name); err != nil {
			t.Fatal(err)
		}
		// Line after line: the first may be answered for the old topic.
		last := ""
		for i := 0; ; i++ {
			last = fmt.Sprintf("after %07d", i)
			appendLines(t, in, last)
			time.Sleep(100 * time.Millisecond)
			if lines := fileLines(out); len(lines) > 10 && strings.HasPrefix(lines[len(lines)-1], "after ") {
				break
			}
			if i > int(patience/(100*time.Millisecond)) {
				t.Fatalf("nothing arrives after the deletion, and the new topic holds %d records; source %v %s, sink %v %s", len(newTailTopic(t, addr, name).more(3*time.Second)), w.status(name+"-source"), w.status(name+"-source").traces(),
					w.status(name+"-sink"), w.status(name+"-sink").traces())
			}
		}
		eventually(t, func() string {
			if lines := fileLines(out); lines[len(lines)-1] != last {
				return fmt.Sprintf("the last line is %q, want %q", lines[len(lines)-1], last)
			}
			return ""
		})
		w.waitState(name+"-source", "RUNNING RUNNING")
		w.waitState(name+"-sink", "RUNNING RUNNING")
		w.stop()
	})
}

// proxy stands between a worker and its broker, and can be cut.
type proxy struct {
	t        *testing.T
	addr, to string

	mu    sync.Mutex
	ln    net.Listener
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// open listens, on the same port as before.
func (p *proxy) open() {
	p.t.Helper()
	var ln net.Listener
	eventually(p.t, func() string {
		var err error
		if ln, err = net.Listen("tcp", p.addr); err != nil {
			return err.Error()
		}
		return ""
	})
	p.mu.Lock()
	p.ln, p.conns = ln, make(map[net.Conn]bool)
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", p.to)
			if err != nil {
				_ = c.Close()
				continue
			}
			p.mu.Lock()
			p.conns[c], p.conns[up] = true, true
			p.mu.Unlock()
			for _, pair := range [][2]net.Conn{{c, up}, {up, c}} {
				p.wg.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
					_ = pair[1].Close()
				})
			}
		}
	})
}

// cut closes everything; who connects is refused.
func (p *proxy) cut() {
	p.mu.Lock()
	if p.ln != nil {
		_ = p.ln.Close()
	}
	for c := range p.conns {
		_ = c.Close()
	}
	p.ln = nil
	p.mu.Unlock()
	p.wg.Wait()
}

// behindProxy starts a broker of the test's own behind a proxy, which is not open.
func behindProxy(t *testing.T) *proxy {
	t.Helper()
	ports, err := kafkatest.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, addr: "127.0.0.1:" + strconv.Itoa(ports[0]), to: "127.0.0.1:" + strconv.Itoa(ports[1])}
	b, err := devbroker.Start(t.Context(), devbroker.Options{Ephemeral: true, Addr: p.to, Advertised: p.addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cut()
		_ = b.Close(soon(t))
	})
	return p
}

func TestBrokerAwayAtStart(t *testing.T) {
	t.Parallel()
	p := behindProxy(t)
	props := distributedProps(t, p.addr)
	w := launch(t, "distributed", props)
	w.waitLog("trying again", p.addr, "connection refused")
	p.open()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := kafkatest.WaitREST(ctx, w.url, w.Done()); err != nil {
		t.Fatal(err)
	}
	w.stop()
}

func TestBrokerAwayForAWhile(t *testing.T) {
	t.Parallel()
	p := behindProxy(t)
	p.open()
	w := startWorker(t, distributedProps(t, p.addr))
	name, dir := unique("away"), t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	w.put(name+"-source", fileSource(name+"-source", in, name))
	w.put(name+"-sink", fileSink(name+"-sink", out, name))
	want := numberedLines("before ", 0, 1000)
	appendLines(t, in, want...)
	waitFile(t, out, want)
	for round := range 2 {
		p.cut()
		for i := range 100 { // ten seconds, in which lines come
			lines := numberedLines(fmt.Sprintf("away %d-%02d ", round, i), 0, 20)
			appendLines(t, in, lines...)
			want = append(want, lines...)
			time.Sleep(100 * time.Millisecond)
		}
		if code, text, err := w.try("GET", "/connectors", nil); err != nil || code != 200 {
			t.Errorf("without a broker the list of connectors is %d %s %v", code, text, err)
		}
		p.open()
		eventually(t, func() string { return countLines(fileLines(out), want).missing() })
	}
	if c := countLines(fileLines(out), want); c.problem != "" {
		t.Error(c.problem)
	} else {
		topic := countLines(values(newTailTopic(t, p.addr, name).await(len(want))), want)
		t.Logf("%d lines; twice in the topic: %d, in the sink's file: %d", len(want), topic.again, c.again)
	}
	w.waitState(name+"-source", "RUNNING RUNNING")
	w.waitState(name+"-sink", "RUNNING RUNNING")
	w.stop()
}

// saslBroker is a broker that knows one user.
func saslBroker(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	// It only hangs up on a wrong password; Kafka says why.
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req, ok := kreq.(*kmsg.SASLAuthenticateRequest)
		if !ok || !bytes.HasSuffix(req.SASLAuthBytes, []byte("\x00wrong")) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("Authentication failed: Invalid username or password")
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.SASLHandshake), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req, ok := kreq.(*kmsg.SASLHandshakeRequest)
		if !ok || req.Mechanism == "PLAIN" {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
		resp.ErrorCode, resp.SupportedMechanisms = kerr.UnsupportedSaslMechanism.Code, []string{"PLAIN"}
		return resp, nil, true
	})
	return c.ListenAddrs()[0]
}

func sasl(prefix, password string) []string {
	return []string{prefix + "security.protocol", "SASL_PLAINTEXT", prefix + "sasl.mechanism", "PLAIN", prefix + "sasl.jaas.config",
		`org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="` + password + `";`}
}

func TestAuthenticationRefused(t *testing.T) {
	t.Parallel()
	addr := saslBroker(t)
	t.Run("of the worker", func(t *testing.T) {
		w := launch(t, "distributed", distributedProps(t, addr, sasl("", "wrong")...))
		if code := w.exit(patience); code != exitStart {
			t.Errorf("exit code %d, want %d", code, exitStart)
		}
		w.waitLog("troupe: ", "SASL_AUTHENTICATION_FAILED", "Invalid username or password",
			"Kafka at "+addr+" refuses this worker's login; it is set by sasl.jaas.config, sasl.mechanism (PLAIN) and security.protocol (SASL_PLAINTEXT)")
		if strings.Contains(w.log(), `"wrong"`) {
			t.Error("the log shows the password")
		}
	})
	t.Run("of a standalone worker", func(t *testing.T) {
		w := launch(t, "standalone", with(map[string]string{"bootstrap.servers": addr, "listeners": "http://127.0.0.1:" + strconv.Itoa(freePort(t)),
			"key.converter": jsonConverter, "value.converter": jsonConverter, "offset.storage.file.filename": filepath.Join(t.TempDir(), "offsets")}, sasl("", "wrong")...))
		if code := w.exit(patience); code != exitStart {
			t.Errorf("exit code %d, want %d", code, exitStart)
		}
		w.waitLog("refuses this worker's login", "sasl.jaas.config", "SASL_AUTHENTICATION_FAILED")
	})
	t.Run("of a worker with another mechanism", func(t *testing.T) {
		w := launch(t, "distributed", with(distributedProps(t, addr), "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "SCRAM-SHA-512",
			"sasl.jaas.config", `org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="right";`))
		if code := w.exit(patience); code != exitStart {
			t.Errorf("exit code %d, want %d", code, exitStart)
		}
		w.waitLog("refuses this worker's login", "sasl.mechanism (SCRAM-SHA-512)")
	})
	t.Run("of a task", func(t *testing.T) {
		w := startWorker(t, distributedProps(t, addr, slices.Concat(sasl("", "right"), sasl("producer.", "right"), sasl("consumer.", "right"), sasl("admin.", "right"))...))
		name, in, out := unique("auth"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
		appendLines(t, in, "x")
		w.put(name, fileSource(name, in, name, sasl("producer.override.", "wrong")...))
		w.waitTrace(name, "RUNNING FAILED", "SASL_AUTHENTICATION_FAILED", addr, "producer.override.sasl")
		w.put(name, fileSource(name, in, name))
		w.put(name+"-sink", fileSink(name+"-sink", out, name, sasl("consumer.override.", "wrong")...))
		w.waitTrace(name+"-sink", "RUNNING FAILED", "SASL_AUTHENTICATION_FAILED", "consumer.override.sasl")
		w.put(name+"-sink", fileSink(name+"-sink", out, name))
		waitFile(t, out, []string{"x"})
		w.stop()
	})
}

func TestUnfitInternalTopics(t *testing.T) {
	t.Parallel()
	onBothBrokers(t, func(t *testing.T, addr string) {
		for name, row := range map[string]struct {
			setting    string
			partitions int32
			policy     string
			say        []string
		}{
			"offsets deleted":      {"offset.storage.topic", 1, "delete", []string{"'offset.storage.topic' property is required to have 'cleanup.policy=compact'", "currently has 'cleanup.policy=delete'"}},
			"statuses both":        {"status.storage.topic", 1, "compact,delete", []string{"'status.storage.topic' property is required to have 'cleanup.policy=compact'", "delete"}},
			"configs deleted":      {"config.storage.topic", 1, "delete", []string{"'config.storage.topic' property is required to have 'cleanup.policy=compact'"}},
			"configs in 3 parts":   {"config.storage.topic", 3, "compact", []string{"'config.storage.topic' property is required to have a single partition", "but found 3 partitions"}},
			"offsets in 3 is fine": {"offset.storage.topic", 3, "compact", nil},
		} {
			t.Run(name, func(t *testing.T) {
				props := distributedProps(t, addr)
				createTopic(t, addr, props[row.setting], row.partitions, "cleanup.policy", row.policy)
				w := launch(t, "distributed", props)
				if row.say == nil {
					w.ready()
					w.stop()
					return
				}
				if code := w.exit(patience); code != exitStart {
					t.Errorf("exit code %d, want %d", code, exitStart)
				}
				w.waitLog(append(row.say, props[row.setting])...)
			})
		}
	})
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	w := launch(t, "distributed", distributedProps(t, kfakeAddr(t), "listeners", "http://"+ln.Addr().String()))
	if code := w.exit(patience); code != exitStart {
		t.Errorf("exit code %d, want %d", code, exitStart)
	}
	w.waitLog("listening on http://"+ln.Addr().String(), "address already in use")
}

func TestUnwritableDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	appendLines(t, file, "x")
	below := filepath.Join(file, "data")
	p := runTroupe(t, nil, "dev", "--data", below, "--kafka", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--registry", "127.0.0.1:0")
	if code := p.exit(patience); code != exitStart {
		t.Errorf("exit code %d, want %d", code, exitStart)
	}
	p.waitLog(below, "not a directory")

	w := launch(t, "standalone", map[string]string{"bootstrap.servers": kfakeAddr(t), "listeners": "http://127.0.0.1:" + strconv.Itoa(freePort(t)),
		"key.converter": jsonConverter, "value.converter": jsonConverter, "offset.storage.file.filename": filepath.Join(below, "offsets")})
	if code := w.exit(patience); code != exitStart {
		t.Errorf("exit code %d, want %d", code, exitStart)
	}
	w.waitLog(below, "not a directory")
}

// TestDevDirectoryInUse starts a second `troupe dev` on the first one's data.
func TestDevDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := runTroupe(t, nil, "dev", "--data", dir, "--kafka", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--registry", "127.0.0.1:0")
	first.waitLog("Ctrl-C stops it")
	second := runTroupe(t, nil, "dev", "--data", dir, "--kafka", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--registry", "127.0.0.1:0")
	if code := second.exit(patience); code != exitStart {
		t.Errorf("exit code %d, want %d", code, exitStart)
	}
	second.waitLog(dir, "in use by another process", strconv.Itoa(first.PID()))
	first.Signal(syscall.SIGTERM)
	if code := first.exit(patience); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

func TestSIGTERMDuringStart(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a broker that answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	for name, row := range map[string]struct {
		addr   string
		within time.Duration
	}{
		"nobody there": {"127.0.0.1:1", 10 * time.Second},
		// The client's handshake does not end with its context: see dialWhile.
		"nobody answers": {ln.Addr().String(), 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := launch(t, "distributed", distributedProps(t, row.addr))
			eventually(t, func() string { // its listener is open before it finds the broker
				c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
				if err != nil {
					return err.Error()
				}
				_ = c.Close()
				return ""
			})
			begun := time.Now()
			w.Signal(syscall.SIGTERM)
			if code := w.exit(patience + row.within); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if d := time.Since(begun); d > row.within {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestSIGTERMWithHangingSink(t *testing.T) {
	t.Parallel()
	addr := kfakeAddr(t)
	w := startWorker(t, distributedProps(t, addr, "task.shutdown.graceful.timeout.ms", "2000"))
	name, topic, out := unique("hang"), unique("hang-topic"), filepath.Join(t.TempDir(), "out.txt")
	produceLines(t, addr, topic, "x")
	w.put(name, map[string]string{"name": name, "connector.class": "troupe.probe.ProbeSinkConnector", "topics": topic, "fault": "hang"})
	w.put(name+"-file", fileSink(name+"-file", out, topic))
	waitFile(t, out, []string{"x"})
	w.waitState(name, "RUNNING RUNNING")
	eventually(t, func() string {
		if got := w.rest(200, "GET", at(name)+"/topics", nil); !strings.Contains(got, topic) {
			return "the hanging sink was given nothing yet: " + got
		}
		return ""
	})
	begun := time.Now()
	w.Signal(syscall.SIGTERM)
	if code := w.exit(patience); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if d := time.Since(begun); d > 15*time.Second {
		t.Errorf("it took %s with a grace of 2 s", d)
	}
	w.waitLog("the task ignores its stop signal and is left behind", name)
}

func TestSIGQUITDumpsGoroutines(t *testing.T) {
	t.Parallel()
	w := startWorker(t, distributedProps(t, kfakeAddr(t)))
	for range 2 {
		w.Signal(syscall.SIGQUIT)
		w.waitLog("goroutine 1 [", "troupe.dumpOnQuit")
	}
	w.rest(200, "GET", "/connectors", nil)
	w.stop()
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	addr, dir := kfakeAddr(t), t.TempDir()
	standalone := func() string {
		return writeProps(t, map[string]string{"bootstrap.servers": addr, "listeners": "http://127.0.0.1:" + strconv.Itoa(freePort(t)),
			"key.converter": jsonConverter, "value.converter": jsonConverter, "offset.storage.file.filename": filepath.Join(dir, "offsets")})
	}
	text := func(name, s string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	unnamed := distributedProps(t, addr)
	delete(unnamed, "group.id")
	for name, row := range map[string]struct {
		args []string
		code int
		say  string
	}{
		"unknown command":           {[]string{"distribute"}, exitUsage, `there is no command "distribute"`},
		"no properties":             {[]string{"distributed"}, exitUsage, "takes one worker.properties"},
		"unknown flag":              {[]string{"standalone", "--fast"}, exitUsage, "-fast"},
		"missing properties":        {[]string{"distributed", filepath.Join(dir, "none")}, exitUsage, "none"},
		"no group.id":               {[]string{"distributed", writeProps(t, unnamed)}, exitStart, "group.id"},
		"bad number":                {[]string{"distributed", writeProps(t, distributedProps(t, addr, "offset.flush.interval.ms", "soon"))}, exitStart, "offset.flush.interval.ms"},
		"unknown converter":         {[]string{"distributed", writeProps(t, distributedProps(t, addr, "value.converter", "com.example.X"))}, exitStart, "value.converter"},
		"bad listener":              {[]string{"distributed", writeProps(t, distributedProps(t, addr, "listeners", "ftp://x:1"))}, exitStart, "listeners"},
		"feature that is not built": {[]string{"distributed", writeProps(t, distributedProps(t, addr, "exactly.once.source.support", "enabled"))}, exitStart, "exactly.once.source.support"},
		"missing connector file":    {[]string{"standalone", standalone(), filepath.Join(dir, "none.properties")}, exitConnector, "none.properties"},
		"connector file of garbage": {[]string{"standalone", standalone(), text("garbage.json", "{]")}, exitConnector, "garbage.json"},
		"connector is not valid":    {[]string{"standalone", standalone(), text("class.properties", "name=x\nconnector.class=com.example.Y\n")}, exitConnector, "com.example.Y"},
		"version":                   {[]string{"version"}, 0, "speaks Kafka Connect 4.1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			p := runTroupe(t, nil, row.args...)
			if code := p.exit(patience); code != row.code {
				t.Errorf("exit code %d, want %d", code, row.code)
			}
			p.waitLog(row.say)
		})
	}
}

// bystanders are a source and a sink that run beside a fault and must not notice it.
type bystanders struct {
	w         *workerProc
	name, out string
}

func newBystanders(w *workerProc) *bystanders {
	s := &bystanders{w: w, name: unique("steady"), out: filepath.Join(w.t.TempDir(), "steady.txt")}
	w.put(s.name, map[string]string{"name": s.name, "connector.class": "troupe.probe.ProbeSourceConnector", "topic": s.name, "rate": "200", "format": "string"})
	w.put(s.name+"-sink", fileSink(s.name+"-sink", s.out, s.name))
	return s
}

// moves wants the pair to be running and records to arrive.
func (s *bystanders) moves(t *testing.T) {
	t.Helper()
	before := len(fileLines(s.out))
	eventually(t, func() string {
		if n := len(fileLines(s.out)); n < before+50 {
			return fmt.Sprintf("only %d records arrived beside the fault", n-before)
		}
		return ""
	})
	for _, name := range []string{s.name, s.name + "-sink"} {
		if got := s.w.status(name).String(); got != "RUNNING RUNNING" {
			t.Errorf("beside the fault %s is %s", name, got)
		}
	}
}

// whole wants every record once, in order.
func (s *bystanders) whole(t *testing.T) {
	t.Helper()
	for i, l := range fileLines(s.out) {
		if want := fmt.Sprintf(`"seq":%d,`, i); !strings.Contains(l, want) {
			t.Fatalf("line %d has not %s: %s", i, want, l)
		}
	}
}

// TestFaults makes each method of a plugin panic, hang or fail, and wants the
// faulty connector in the state that the design says, and all others to go on.
func TestFaults(t *testing.T) {
	addr := kfakeAddr(t)
	w := startWorker(t, distributedProps(t, addr, "task.shutdown.graceful.timeout.ms", "1000", "plugin.call.timeout.ms", "2000",
		"offset.flush.timeout.ms", "2000", "offset.flush.interval.ms", "200", "task.restart.max", "2"))
	s := newBystanders(w)
	s.moves(t)
	const source, sink = "troupe.probe.ProbeSourceConnector", "troupe.probe.ProbeSinkConnector"
	type row struct {
		class, fault, in string
		times            string // "0": always
		state            string // the end of it
		say              string // in the trace, or, of what runs, in the log
	}
	rows := []row{
		{source, "panic", "start", "0", "RUNNING FAILED", "panic: probe: start"},
		{source, "panic", "poll", "1", "RUNNING RUNNING", "it is restarted from the stored offsets"},
		{source, "panic", "poll", "0", "RUNNING FAILED", "The task crashed more than 2 times"},
		{source, "panic", "commit", "0", "RUNNING RUNNING", "the task's commit failed; the offsets are stored all the same"},
		{source, "panic", "stop", "0", "RUNNING RUNNING", ""},
		{source, "panic", "taskConfigs", "1", "RUNNING RUNNING", "panic: probe: taskConfigs"},
		{source, "panic", "taskConfigs", "0", "FAILED", "panic: probe: taskConfigs"},
		{source, "panic", "connectorStart", "0", "FAILED", "panic: probe: connectorStart"},
		{source, "panic", "connectorStop", "0", "RUNNING RUNNING", ""},
		{source, "panic-goroutine", "poll", "1", "RUNNING RUNNING", "on a goroutine of the plugin"},
		{source, "panic-goroutine", "connectorStart", "1", "RUNNING RUNNING", "on a goroutine of the plugin"},
		{source, "hang", "start", "0", "RUNNING FAILED", "did not return in time"},
		{source, "hang", "poll", "0", "RUNNING RUNNING", ""},
		{source, "hang", "commit", "1", "RUNNING RUNNING", "it is restarted from the stored offsets"},
		{source, "hang", "commit", "0", "RUNNING FAILED", "did not return in time"},
		{source, "hang", "stop", "0", "RUNNING RUNNING", ""},
		{source, "hang", "taskConfigs", "0", "FAILED", "did not return in time"},
		{source, "hang", "connectorStart", "0", "FAILED", "did not return in time"},
		{source, "hang", "connectorStop", "0", "RUNNING RUNNING", ""},
		{source, "leak", "poll", "1", "RUNNING RUNNING", ""},
		{source, "retriable", "poll", "3", "RUNNING RUNNING", "polling failed and is tried again"},
		{source, "retriable", "start", "1", "RUNNING RUNNING", "it is restarted from the stored offsets"},
		{source, "error", "poll", "0", "RUNNING FAILED", "probe: poll of"},
		{source, "poison", "poll", "0", "RUNNING FAILED", "VALUE_CONVERTER"},
		{sink, "panic", "start", "0", "RUNNING FAILED", "panic: probe: start"},
		{sink, "panic", "open", "0", "RUNNING FAILED", "panic: probe: open"},
		{sink, "panic", "put", "1", "RUNNING RUNNING", "it is restarted from the stored offsets"},
		{sink, "panic", "put", "0", "RUNNING FAILED", "The task crashed more than 2 times"},
		{sink, "panic", "preCommit", "2", "RUNNING RUNNING", "Offset commit failed, rewinding to last committed offsets"},
		{sink, "panic", "flush", "2", "RUNNING RUNNING", "Offset commit failed, rewinding to last committed offsets"},
		{sink, "panic", "close", "0", "RUNNING RUNNING", ""},
		{sink, "panic-goroutine", "put", "1", "RUNNING RUNNING", "on a goroutine of the plugin"},
		{sink, "hang", "start", "0", "RUNNING FAILED", "did not return in time"},
		{sink, "hang", "put", "0", "RUNNING RUNNING", ""},
		{sink, "hang", "open", "0", "RUNNING FAILED", "did not return in time"},
		{sink, "hang", "preCommit", "1", "RUNNING RUNNING", "it is restarted from the stored offsets"},
		{sink, "hang", "close", "0", "RUNNING RUNNING", ""},
		{sink, "hang", "stop", "0", "RUNNING RUNNING", ""},
		{sink, "leak", "put", "1", "RUNNING RUNNING", ""},
		{sink, "retriable", "put", "3", "RUNNING RUNNING", "put failed and is tried again with the same records"},
		{sink, "error", "put", "0", "RUNNING FAILED", "Exiting WorkerSinkTask due to unrecoverable exception."},
		{sink, "poison", "put", "0", "RUNNING FAILED", "is poison on demand"},
	}
	// All at once: each with a connector of its own, and the steady pair beside them.
	names := make([]string, len(rows))
	for i, r := range rows {
		kind := "source"
		config := map[string]string{"connector.class": r.class, "fault": r.fault, "fault.in": r.in, "fault.times": r.times, "topic": "", "rate": "20",
			"value.converter": jsonConverter}
		if r.class == sink {
			kind = "sink"
			config = map[string]string{"connector.class": r.class, "fault": r.fault, "fault.in": r.in, "fault.times": r.times, "topics": s.name}
		}
		names[i] = unique(fmt.Sprintf("%s-%s-%s-%s", kind, r.fault, r.in, r.times))
		config["name"] = names[i]
		if kind == "source" {
			config["topic"] = names[i]
		}
		w.put(names[i], config)
	}
	for i, r := range rows {
		t.Run(names[i][:strings.LastIndex(names[i], "-")], func(t *testing.T) {
			here := *w
			here.process = &process{t, w.Process}
			if r.say != "" && !strings.Contains(r.state, "FAILED") {
				eventually(t, func() string {
					for l := range strings.SplitSeq(here.log(), "\n") {
						if strings.Contains(l, r.say) && strings.Contains(l, names[i]) {
							return ""
						}
					}
					return fmt.Sprintf("no line of the log has %q and %s", r.say, names[i])
				})
			}
			got := here.waitState(names[i], r.state)
			if strings.Contains(r.state, "FAILED") && !strings.Contains(got.traces(), r.say) {
				t.Errorf("the trace does not say %q:\n%s", r.say, got.traces())
			}
		})
	}
	s.moves(t)
	// The ends of them: an answer at once, and the connectors are gone.
	for i, name := range names {
		begun := time.Now()
		w.rest(204, "DELETE", at(name), nil)
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("deleting %s took %s", names[i], d)
		}
	}
	s.moves(t)
	w.waitLog("the task ignores its stop signal and is left behind", "goroutines of the plugin ignore the end of their context", "stopping the task's plugin failed")
	s.whole(t)
	w.stop()
}

// TestFaultsInValidate hangs and panics in what the REST request waits for.
func TestFaultsInValidate(t *testing.T) {
	t.Parallel()
	w := startWorker(t, distributedProps(t, kfakeAddr(t)))
	s := newBystanders(w)
	name := unique("validate")
	config := map[string]string{"name": name, "connector.class": "troupe.probe.ProbeSourceConnector", "topic": name, "fault.in": "validate"}
	code, text, err := w.try("PUT", at(name)+"/config", with(config, "fault", "panic", "fault.times", "0"))
	if err != nil || code < 400 || !strings.Contains(text, "panic: probe: validate") {
		t.Errorf("a panic answers %d %s %v", code, text, err)
	}
	hung := make(chan struct{})
	go func() {
		defer close(hung)
		_, _, _ = w.try("PUT", at(name)+"/config", with(config, "fault", "hang"))
	}()
	s.moves(t)
	w.rest(200, "GET", "/connectors", nil)
	w.put(name+"-2", with(config, "name", name+"-2", "fault", "none"))
	w.waitState(name+"-2", "RUNNING RUNNING")
	begun := time.Now()
	w.Signal(syscall.SIGTERM)
	code = w.exit(patience)
	<-hung
	if d := time.Since(begun); d > 15*time.Second {
		t.Errorf("the stop took %s", d)
	}
	if code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// TestSecondWorker starts a second worker of a group on the same machine, with nothing
// of its own but its port, and stops it again: nobody notices.
func TestSecondWorker(t *testing.T) {
	t.Parallel()
	onBothBrokers(t, func(t *testing.T, addr string) {
		props := distributedProps(t, addr)
		w := startWorker(t, props)
		s := newBystanders(w)
		s.moves(t)
		second := startWorker(t, with(props, "listeners", "http://127.0.0.1:"+strconv.Itoa(freePort(t))))
		s.moves(t)
		second.stop()
		s.moves(t)
		w.stop()
		s.whole(t)
	})
}

// TestDeadLettersOfASink reports records from Put (KIP-610) beside others.
func TestDeadLettersOfASink(t *testing.T) {
	t.Parallel()
	addr := kfakeAddr(t)
	w := startWorker(t, distributedProps(t, addr))
	name := unique("errant")
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"task":0,"seq":%d}`, i)
	}
	produceLines(t, addr, name, lines...)
	report := filepath.Join(t.TempDir(), "report")
	w.put(name, map[string]string{"name": name, "connector.class": "troupe.probe.ProbeSinkConnector", "topics": name, "fault": "poison", "fault.after": "10",
		"report.file": report, "errors.tolerance": "all", "errors.deadletterqueue.topic.name": name + "-dead", "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true"})
	recs := newTailTopic(t, addr, name+"-dead").await(10)
	for i, r := range recs {
		if want := lines[10*i+9]; string(r.Value) != want {
			t.Errorf("dead letter %d is %s, want %s", i, r.Value, want)
		}
		if !slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool {
			return h.Key == "__connect.errors.stage" && string(h.Value) == "TASK_PUT"
		}) {
			t.Errorf("dead letter %d has no stage: %v", i, r.Headers)
		}
	}
	eventually(t, func() string {
		got := strings.Join(fileLines(report), "\n")
		if !strings.Contains(got, `"Records":90`) {
			return "the sink reports " + got
		}
		return ""
	})
	w.waitState(name, "RUNNING RUNNING")
	w.stop()
}
