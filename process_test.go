package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/devbroker"
	"github.com/troupeio/troupe/internal/kafkatest"
)

// commandEnv makes the test binary be the troupe command, so that tests start
// real processes and nothing needs to be built.
const commandEnv = "TROUPE_TEST_COMMAND"

// patience is how long a test waits for what takes a fraction of a second on an
// idle machine.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		main()
		os.Exit(0)
	}
	// Workers keep what outlives them here and not in the user's directory.
	state, err := os.MkdirTemp("", "troupe-test-state-")
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := kafkatest.Main(m)
	_ = os.RemoveAll(state)
	embedded.Lock()
	defer embedded.Unlock()
	if embedded.broker != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := embedded.broker.Close(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		cancel()
	}
	os.Exit(code)
}

// embedded is the one embedded broker of this test binary.
var embedded struct {
	sync.Mutex
	broker *devbroker.Broker
	err    error
}

// kfakeAddr returns the address of the embedded broker, and starts it first.
func kfakeAddr(t testing.TB) string {
	t.Helper()
	embedded.Lock()
	defer embedded.Unlock()
	if embedded.broker == nil && embedded.err == nil {
		embedded.broker, embedded.err = devbroker.Start(context.Background(), devbroker.Options{Ephemeral: true, Addr: "127.0.0.1:0"})
	}
	if embedded.err != nil {
		t.Fatal(embedded.err)
	}
	return embedded.broker.Addr()
}

// onBothBrokers runs a test against the embedded broker and against Apache Kafka,
// the latter skipped by name where it cannot run.
func onBothBrokers(t *testing.T, f func(t *testing.T, addr string)) {
	t.Run("kfake", func(t *testing.T) { f(t, kfakeAddr(t)) })
	t.Run("kafka", func(t *testing.T) { f(t, kafkatest.Shared(t).Addr()) })
}

// unique returns a name that no other test has.
func unique(prefix string) string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + "-" + hex.EncodeToString(b[:])
}

// eventually polls until look says nothing, and fails with what it said last.
func eventually(t testing.TB, look func() string) {
	t.Helper()
	eventuallyIn(t, patience, look)
}

func eventuallyIn(t testing.TB, d time.Duration, look func() string) {
	t.Helper()
	end := time.Now().Add(d)
	for {
		why := look()
		if why == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %s: %s", d, why)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// process is the troupe command as a child that dies with the test.
type process struct {
	t testing.TB
	*kafkatest.Process
}

var processes atomic.Int64 // numbers log files

// runTroupe starts the command. The end of its log is printed if the test fails.
func runTroupe(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), fmt.Sprintf("%s-%d.log", args[0], processes.Add(1)))
	p, err := kafkatest.StartProcess(kafkatest.ProcessSpec{Path: exe, Args: args, Env: append([]string{commandEnv + "=1"}, env...), LogFile: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tail := ""
		if t.Failed() {
			tail = tailOf(p)
			dumpGoroutines(p)
		}
		p.Kill()
		if t.Failed() {
			t.Logf("the end of the log of troupe %s:\n%s", strings.Join(args, " "), tail)
			keepLog(t, log)
		}
	})
	return &process{t, p}
}

// logsEnv names a directory that keeps the whole logs of failed tests.
const logsEnv = "TROUPE_TEST_LOGS"

// dumpGoroutines adds the goroutines of a process that still runs to its log.
func dumpGoroutines(p *kafkatest.Process) {
	if p.Running() && os.Getenv(logsEnv) != "" {
		p.Signal(syscall.SIGQUIT)
		time.Sleep(500 * time.Millisecond)
	}
}

func keepLog(t testing.TB, path string) {
	dir := os.Getenv(logsEnv)
	if dir == "" {
		return
	}
	b, err := os.ReadFile(path)
	if err == nil {
		name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()) + "-" + filepath.Base(path)
		err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
	}
	if err != nil {
		t.Log(err)
	}
}

// tailOf is the end of a log without the requests, which are the test's own.
func tailOf(p *kafkatest.Process) string {
	var out []string
	for l := range strings.SplitSeq(p.Tail(2000), "\n") {
		if !strings.Contains(l, "msg=request ") && !strings.HasPrefix(l, `{"name":`) {
			out = append(out, l)
		}
	}
	return strings.Join(out[max(0, len(out)-60):], "\n")
}

// log returns everything that the process has printed so far.
func (p *process) log() string {
	b, err := os.ReadFile(p.LogFile())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// waitLog waits until the process has printed all of these texts.
func (p *process) waitLog(texts ...string) {
	p.t.Helper()
	eventually(p.t, func() string {
		log := p.log()
		for _, s := range texts {
			if !strings.Contains(log, s) {
				return fmt.Sprintf("the log does not say %q:\n%s", s, tailOf(p.Process))
			}
		}
		return ""
	})
}

// exit waits for the end and returns the exit code; -1 stands for a signal.
func (p *process) exit(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.Done():
	case <-time.After(within):
		p.Signal(syscall.SIGQUIT) // its goroutines, into the log
		time.Sleep(500 * time.Millisecond)
		p.t.Fatalf("the process still runs after %s:\n%s", within, p.Tail(80))
	}
	err := p.Err()
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		return ee.ExitCode()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0
}

// workerProc is a worker process with its REST interface.
type workerProc struct {
	*process
	url string
}

// freePort returns a port of 127.0.0.1 that is free now.
func freePort(t testing.TB) int {
	t.Helper()
	ports, err := kafkatest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

// distributedProps are the properties of a small distributed worker.
func distributedProps(t testing.TB, addr string, extra ...string) map[string]string {
	t.Helper()
	p := kafkatest.ConnectWorkerProperties(addr, unique("group"), "", freePort(t), false)
	p["offset.storage.partitions"], p["status.storage.partitions"] = "1", "1"
	maps.Copy(p, pairs(extra))
	return p
}

// pairs makes a map of keys and values in turn.
func pairs(kv []string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return m
}

func writeProps(t testing.TB, props map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), unique("file")+".properties")
	if err := kafkatest.WriteProperties(path, props); err != nil {
		t.Fatal(err)
	}
	return path
}

// launch starts a worker and does not wait for it.
func launch(t testing.TB, mode string, props map[string]string, connectorFiles ...string) *workerProc {
	t.Helper()
	p := runTroupe(t, nil, append([]string{mode, writeProps(t, props)}, connectorFiles...)...)
	_, rest, _ := strings.Cut(props["listeners"], "://")
	return &workerProc{p, "http://" + rest}
}

// startWorker starts a distributed worker and waits for it.
func startWorker(t testing.TB, props map[string]string) *workerProc {
	t.Helper()
	w := launch(t, "distributed", props)
	w.ready()
	return w
}

func (w *workerProc) ready() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := kafkatest.WaitREST(ctx, w.url, w.Done()); err != nil {
		w.t.Fatalf("waiting for %s: %v\n%s", w.url, err, tailOf(w.Process))
	}
}

// stop ends the worker with SIGTERM and wants exit code 0.
func (w *workerProc) stop() {
	w.t.Helper()
	w.Signal(syscall.SIGTERM)
	if code := w.exit(patience); code != 0 {
		w.t.Fatalf("exit code %d after SIGTERM:\n%s", code, tailOf(w.Process))
	}
}

var restClient = &http.Client{Timeout: patience}

// try sends a request; body is JSON text, or marshalled.
func (w *workerProc) try(method, path string, body any) (int, string, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return 0, "", err
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, w.url+path, r)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := restClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// rest sends a request that must be answered with the status.
func (w *workerProc) rest(status int, method, path string, body any) string {
	w.t.Helper()
	got, text, err := w.try(method, path, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", method, path, err, tailOf(w.Process))
	}
	if got != status {
		w.t.Fatalf("%s %s answers %d, want %d: %s", method, path, got, status, text)
	}
	return text
}

func at(name string) string { return "/connectors/" + url.PathEscape(name) }

// put creates or updates a connector.
func (w *workerProc) put(name string, config map[string]string) {
	w.t.Helper()
	got, text, err := w.try("PUT", at(name)+"/config", config)
	if err != nil || got != 200 && got != 201 {
		w.t.Fatalf("PUT %s: %d %s %v\n%s", name, got, text, err, tailOf(w.Process))
	}
}

type instanceState struct {
	ID    int
	State string
	Trace string
}

type statusAnswer struct {
	Connector instanceState
	Tasks     []instanceState
}

func (s statusAnswer) String() string {
	out := s.Connector.State
	for _, t := range s.Tasks {
		out += " " + t.State
	}
	return out
}

func (s statusAnswer) traces() string {
	out := s.Connector.Trace
	for _, t := range s.Tasks {
		out += t.Trace
	}
	return out
}

func (w *workerProc) status(name string) statusAnswer {
	w.t.Helper()
	var s statusAnswer
	code, text, err := w.try("GET", at(name)+"/status", nil)
	if err != nil {
		w.t.Fatalf("status of %s: %v\n%s", name, err, tailOf(w.Process))
	}
	if code == 200 {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			w.t.Fatalf("status of %s: %v: %s", name, err, text)
		}
	}
	return s
}

// waitState waits for "RUNNING RUNNING": the connector's state and its tasks'.
func (w *workerProc) waitState(name, want string) statusAnswer {
	w.t.Helper()
	var s statusAnswer
	eventually(w.t, func() string {
		if s = w.status(name); s.String() == want {
			return ""
		}
		return fmt.Sprintf("%s is %q, want %q; trace: %s", name, s, want, s.traces())
	})
	return s
}

// waitTrace waits for a state whose trace has all of these texts.
func (w *workerProc) waitTrace(name, state string, texts ...string) {
	w.t.Helper()
	s := w.waitState(name, state)
	for _, text := range texts {
		if !strings.Contains(s.traces(), text) {
			w.t.Errorf("the trace of %s does not say %q:\n%s", name, text, s.traces())
		}
	}
}

func kafkaClient(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.RequestRetries(20)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// createTopic creates a topic with settings, and waits until it is there.
func createTopic(t testing.TB, addr, topic string, partitions int32, settings ...string) {
	t.Helper()
	cfg := make(map[string]*string)
	for k, v := range pairs(settings) {
		cfg[k] = &v
	}
	adm := kadm.NewClient(kafkaClient(t, addr))
	resp, err := adm.CreateTopic(soon(t), partitions, 1, cfg, topic)
	if err != nil {
		t.Fatalf("creating topic %s: %v %s", topic, err, resp.ErrMessage)
	}
}

// produceLines writes one record a line.
func produceLines(t testing.TB, addr, topic string, lines ...string) {
	t.Helper()
	recs := make([]*kgo.Record, len(lines))
	for i, l := range lines {
		recs[i] = &kgo.Record{Topic: topic, Value: []byte(l)}
	}
	cl := kafkaClient(t, addr, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(50))
	if err := cl.ProduceSync(soon(t), recs...).FirstErr(); err != nil {
		t.Fatalf("producing to %s: %v", topic, err)
	}
}

// tailTopic follows a topic from its start.
type tailTopic struct {
	t     testing.TB
	topic string
	cl    *kgo.Client
	recs  []*kgo.Record
}

func newTailTopic(t testing.TB, addr, topic string) *tailTopic {
	t.Helper()
	return &tailTopic{t: t, topic: topic, cl: kafkaClient(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(time.Second))}
}

// more takes what there is now.
func (r *tailTopic) more(wait time.Duration) []*kgo.Record {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	r.cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { r.recs = append(r.recs, rec) })
	return r.recs
}

// await waits until there are n records, and returns all there are.
func (r *tailTopic) await(n int) []*kgo.Record {
	r.t.Helper()
	end := time.Now().Add(patience)
	for len(r.recs) < n {
		r.more(200 * time.Millisecond)
		if time.Now().After(end) {
			r.t.Fatalf("topic %s has %d records, want %d", r.topic, len(r.recs), n)
		}
	}
	return r.recs
}

// values returns the records' values as text.
func values(recs []*kgo.Record) []string {
	out := make([]string, len(recs))
	for i, r := range recs {
		out[i] = string(r.Value)
	}
	return out
}

// topicValues reads a topic of at least n records; more than n is an error.
func topicValues(t testing.TB, addr, topic string, n int) []string {
	t.Helper()
	got := values(newTailTopic(t, addr, topic).await(n))
	if len(got) > n {
		t.Fatalf("topic %s has %d records, want %d; the first are %q", topic, len(got), n, got[:min(len(got), 10)])
	}
	return got
}

// numberedLines returns "<prefix>0000001" and so on, without line ends.
func numberedLines(prefix string, from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%07d", prefix, from+i)
	}
	return out
}

// appendLines appends lines to a file, creating it.
func appendLines(t testing.TB, path string, lines ...string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
}

// fileLines returns the whole lines of a file; none when it is missing.
func fileLines(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[:bytes.Count(b, []byte{'\n'})]
}

// waitFile waits until a file holds exactly these lines.
func waitFile(t testing.TB, path string, want []string) {
	t.Helper()
	eventually(t, func() string {
		got := fileLines(path)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("line %d of %s is %.200q, want %.200q (it has %d lines, want %d)", i+1, path, got[i], want[i], len(got), len(want))
			}
		}
		if len(got) > len(want) {
			t.Fatalf("%s has %d lines, want %d; the first too many is %.200q", path, len(got), len(want), got[len(want)])
		}
		if len(got) < len(want) {
			return path + " has " + strconv.Itoa(len(got)) + " lines, want " + strconv.Itoa(len(want))
		}
		return ""
	})
}

// fileSource and fileSink are configurations; extra are keys and values in turn.
func fileSource(name, path, topic string, extra ...string) map[string]string {
	m := map[string]string{"name": name, "connector.class": "FileStreamSource", "tasks.max": "1", "file": path, "topic": topic}
	maps.Copy(m, pairs(extra))
	return m
}

func fileSink(name, path, topic string, extra ...string) map[string]string {
	m := map[string]string{"name": name, "connector.class": "FileStreamSink", "tasks.max": "1", "file": path, "topics": topic}
	maps.Copy(m, pairs(extra))
	return m
}

// with returns a copy of a configuration with some settings changed.
func with(config map[string]string, extra ...string) map[string]string {
	m := maps.Clone(config)
	maps.Copy(m, pairs(extra))
	return m
}
