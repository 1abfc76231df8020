package telemetry

import (
	"bytes"
	"flag"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/connectors"
)

var update = flag.Bool("update", false, "rewrite testdata/metrics.prom")

// quiet is a listener that hears nothing.
type quiet struct{}

func (quiet) TaskRunning(connectors.TaskID)                              {}
func (quiet) TaskPaused(connectors.TaskID)                               {}
func (quiet) TaskFailed(connectors.TaskID, string)                       {}
func (quiet) TaskRestarting(connectors.TaskID, string)                   {}
func (quiet) TaskUnassigned(connectors.TaskID)                           {}
func (quiet) TopicUsed(connectors.TaskID, string)                        {}
func (quiet) ConnectorRunning(string)                                    {}
func (quiet) ConnectorPaused(string)                                     {}
func (quiet) ConnectorStopped(string)                                    {}
func (quiet) ConnectorFailed(string, string)                             {}
func (quiet) ConnectorRestarting(string, string)                         {}
func (quiet) ConnectorUnassigned(string)                                 {}
func (quiet) TaskConfigs(string, map[string]string, []map[string]string) {}

// fakeWork is a node with what a test puts there.
type fakeWork struct {
	tasks []*worker.TaskInfo
	conns []*worker.ConnectorInfo
}

func (f *fakeWork) Tasks() []*worker.TaskInfo           { return f.tasks }
func (f *fakeWork) Connectors() []*worker.ConnectorInfo { return f.conns }

func (f *fakeWork) task(connector string, n int, kind connectors.Kind, class string) *worker.TaskInfo {
	i := &worker.TaskInfo{ID: connectors.TaskID{Connector: connector, Task: n}, Kind: kind, Metrics: &task.Metrics{}, Class: class, Version: "4.1.0",
		TaskClass: class + "Task", Created: time.Now()}
	f.tasks = append(f.tasks, i)
	return i
}

func (f *fakeWork) connector(name string, kind connectors.Kind, class, version string) *worker.ConnectorInfo {
	c := &worker.ConnectorInfo{Name: name}
	if kind != "" {
		c.Kind.Store(kind)
		c.Class.Store(class)
		c.Ver.Store(version)
	}
	f.conns = append(f.conns, c)
	return c
}

func newTestMetrics(f *fakeWork) (*Metrics, *Config) {
	cfg := Config{Work: f, Totals: &worker.Totals{}, States: NewStates(quiet{}), ClientID: "connect-node1:8083", Version: "0.1.0", Commit: "0123456789abcdef", Start: time.Now()}
	m := newCollector(cfg, prometheus.NewPedanticRegistry())
	m.reg.MustRegister(m)
	return m, &cfg
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// sample returns the value of one series in a scrape.
func sample(t *testing.T, page, series string) string {
	t.Helper()
	for line := range strings.SplitSeq(page, "\n") {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return v
		}
	}
	t.Fatalf("no series %s in:\n%s", series, page)
	return ""
}

// TestGolden compares all of our families on a node with a source, a sink, a failed
// task without plugin, and a history of 75 seconds.
func TestGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeWork{}
		rebalances := &task.Timing{}
		start := time.Now()
		cfg := Config{Work: f, Totals: &worker.Totals{}, States: NewStates(quiet{}), ClientID: "connect-node1:8083", Version: "0.1.0", Commit: "0123456789abcdef", Start: start,
			DeadLetters: func() int64 { return 6 },
			Extra:       []Func{{Name: "troupe_extra", Help: "A number of another package.", Value: func() float64 { return 3 }}},
			Cluster: func() Cluster {
				return Cluster{Lease: 6500 * time.Millisecond, Members: 3, Seen: 2, Leads: true, Held: 42, Terms: 2, Evictions: 1, Evicted: 4, Moves: 17}
			},
			Rebalance: func() Rebalance {
				return Rebalance{Protocol: "SESSIONED", Leader: "http://node2:8083/", Epoch: 7, Completed: 2, Last: start.Add(10 * time.Second), Time: rebalances}
			}}
		m := newCollector(cfg, prometheus.NewPedanticRegistry())
		m.reg.MustRegister(m)
		st := cfg.States

		f.connector("files", connectors.SourceKind, "org.apache.kafka.connect.file.FileStreamSourceConnector", "4.1.0").Restarts.Add(1)
		f.connector("lost \"one\"\n", "", "", "")
		st.ConnectorRunning("files")
		st.ConnectorFailed("lost \"one\"\n", "trace")
		cfg.Totals.ConnectorStartFailures.Add(3)
		rebalances.Add(40 * time.Millisecond)
		rebalances.Add(20 * time.Millisecond)

		src := f.task("files", 0, connectors.SourceKind, "org.apache.kafka.connect.file.FileStreamSource")
		src.Parts.Store(&worker.PartNames{Key: worker.PluginName{Class: "org.apache.kafka.connect.storage.StringConverter", Version: "4.1.0"},
			Value:  worker.PluginName{Class: "org.apache.kafka.connect.json.JsonConverter", Version: "4.1.0"},
			Header: worker.PluginName{Class: "com.example.Headers"},
			Transforms: map[string]worker.PluginName{"route": {Class: "org.apache.kafka.connect.transforms.RegexRouter", Version: "4.1.0"},
				"drop": {Class: "org.apache.kafka.connect.transforms.Filter", Version: "4.1.0"}},
			Predicates: map[string]worker.PluginName{"tomb": {Class: "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone", Version: "4.1.0"}}})
		sink := f.task("store", 3, connectors.SinkKind, "com.example.Store")
		lost := f.task("lost \"one\"\n", 0, "", "")
		lost.Config = map[string]string{"connector.class": "com.example.Gone"}
		lost.Version, lost.TaskClass = "", ""
		time.Sleep(5 * time.Second)
		st.TaskRunning(src.ID)
		st.TaskRunning(sink.ID)
		st.TaskFailed(lost.ID, "trace")
		cfg.Totals.TaskStartFailures.Add(1)

		// The window of the last scrape begins at 35 s: these are not in it.
		src.Metrics.PollTime.Add(time.Hour)
		src.Metrics.BatchMax.Store(9999)
		scrape(t, m)
		time.Sleep(30 * time.Second) // 35 s
		scrape(t, m)
		time.Sleep(30 * time.Second) // 65 s
		scrape(t, m)
		st.TaskPaused(sink.ID)
		s := src.Metrics
		for range 4 {
			s.Polled.Add(500)
			s.Batches.Add(1)
			s.PollTime.Add(2 * time.Millisecond)
			s.BatchTime.Add(250 * time.Millisecond)
			s.Active.Store(500)
			s.Active.Store(1500)
		}
		s.BatchMax.Store(500)
		s.Written.Store(1980)
		s.Filtered.Store(20)
		s.Active.Store(0)
		s.Commits.Store(3)
		s.CommitFails.Store(1)
		s.CommitSeq.Store(4)
		s.CommitTime.Add(8 * time.Millisecond)
		s.CommitTime.Add(4 * time.Millisecond)
		s.Restarts.Store(2)
		s.BackoffMs.Store(2000)
		s.Credit.Store(65536)
		s.Mailbox.Store(1)
		s.Goroutines.Store(2)
		k := sink.Metrics
		k.Read.Store(900)
		k.Sent.Store(890)
		k.Batches.Store(2)
		k.BatchMax.Store(600)
		k.PutTime.Add(3 * time.Millisecond)
		k.Partitions.Store(4)
		k.CommitSeq.Store(5)
		k.Commits.Store(5)
		k.Failures.Store(12)
		k.Errors.Store(10)
		k.Skipped.Store(10)
		k.Retries.Store(2)
		k.Logged.Store(10)
		k.DLQRequests.Store(10)
		k.DLQFailures.Store(1)
		k.LastError.Store(946684860000)
		k.Abandoned.Store(1)
		k.Failed.Store(1)
		time.Sleep(10 * time.Second)

		got := scrape(t, m)
		const file = "testdata/metrics.prom"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("the scrape is not %s (-update rewrites it):\n%s", file, diff(string(want), got))
		}
	})
}

func diff(want, got string) string {
	var b strings.Builder
	in := func(s, line string) bool { return strings.Contains("\n"+s, "\n"+line+"\n") }
	for line := range strings.SplitSeq(want, "\n") {
		if !in(got, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for line := range strings.SplitSeq(got, "\n") {
		if !in(want, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}

// TestLint holds names and help texts to the linter of the Prometheus project, but
// for what is Kafka's.
func TestLint(t *testing.T) {
	f := &fakeWork{}
	m, _ := newTestMetrics(f)
	f.connector("c", connectors.SourceKind, "C", "1")
	f.task("c", 0, connectors.SourceKind, "C")
	problems, err := promlint.New(strings.NewReader(scrape(t, m))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "troupe_") && p.Metric != "troupe_task_restart_backoff_ms" {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, r := range table() {
		if r.exported() && (r.help == "" || !strings.HasSuffix(r.help, ".")) {
			t.Errorf("%s has the help text %q", r.name, r.help)
		}
	}
}

func TestWindow(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	w := newWindow(begin, []int64{0, 0}, 1)
	for _, step := range []struct {
		name          string
		at            int
		n, sum, max   int64 // counts so far; highest since the step before
		rate, avg, hi float64
	}{
		{"at birth", 0, 0, 0, 0, 0, math.NaN(), math.NaN()},
		{"first", 10, 20, 200, 15, 2, 10, 15},
		{"first sample ends", 30, 30, 300, 12, 1, 10, 15},
		{"same instant again", 30, 30, 300, 0, 1, 10, 15},
		{"within the second", 40, 60, 360, 3, 1.5, 6, 15},
		{"second ends: still the first's", 60, 60, 360, 2, 1, 6, 15},
		{"the first is out of it", 70, 60, 360, 0, 0.75, 2, 3},
		{"nothing at all", 100, 60, 360, 0, 30. / 70, 2, 3},
		{"idle", 130, 60, 360, 0, 0, math.NaN(), math.NaN()},
	} {
		r := w.observe(at(step.at), []int64{step.n, step.sum}, []int64{step.max})
		for _, c := range []struct {
			what      string
			got, want float64
		}{{"rate", r.rate(0), step.rate}, {"avg", r.avg(1, 0), step.avg}, {"max", r.highest(0, 0), step.hi}} {
			if math.Abs(c.got-c.want) > 1e-9 || math.IsNaN(c.got) != math.IsNaN(c.want) {
				t.Errorf("%s: %s is %v, want %v", step.name, c.what, c.got, c.want)
			}
		}
	}
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStates(quiet{})
		id := connectors.TaskID{Connector: "c", Task: 1}
		if got := s.Task(id); got != unassigned {
			t.Errorf("before anything: %s", got)
		}
		s.TaskRunning(id)
		time.Sleep(6 * time.Second)
		s.TaskPaused(id)
		time.Sleep(3 * time.Second)
		s.TaskRunning(id) // resumed: not a start
		time.Sleep(time.Second)
		s.TaskRestarting(id, "")
		time.Sleep(10 * time.Second)
		s.TaskRunning(id)
		run, pause, _, ok := s.times(id, time.Now())
		if run != 7*time.Second || pause != 3*time.Second || !ok {
			t.Errorf("running %v, paused %v, %v", run, pause, ok)
		}
		if n := s.taskStarts.Load(); n != 2 {
			t.Errorf("%d starts, want 2", n)
		}
		s.TaskUnassigned(id)
		s.ConnectorStopped("c")
		if got := s.Task(id) + " " + s.Connector("c"); got != "unassigned stopped" {
			t.Error(got)
		}
		s.ConnectorUnassigned("c")
		if len(s.tasks)+len(s.conns) != 0 {
			t.Error("what left the node is remembered")
		}
	})
}

// TestTaskGone checks that nothing is kept of tasks that left.
func TestTaskGone(t *testing.T) {
	f := &fakeWork{}
	m, _ := newTestMetrics(f)
	f.task("a", 0, connectors.SourceKind, "A")
	sample(t, scrape(t, m), `kafka_connect_source_task_source_record_poll_total{connector="a",task="0"}`)
	f.tasks = nil
	if page := scrape(t, m); strings.Contains(page, `connector="a"`) {
		t.Error(page)
	}
	if len(m.tasks) != 0 {
		t.Errorf("%d windows are kept", len(m.tasks))
	}
}

// TestHandler asks the real handler, with the runtime's metrics, in both formats.
func TestHandler(t *testing.T) {
	f := &fakeWork{}
	_, cfg := newTestMetrics(f)
	srv := httptest.NewServer(NewMetrics(*cfg).Handler())
	defer srv.Close()
	for accept, want := range map[string]string{
		"":                             "troupe_build_info{version=\"0.1.0\"} 1\n",
		"application/openmetrics-text": "# EOF\n",
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		req.Header.Set("Accept", accept)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Contains(body, []byte(want)) || !bytes.Contains(body, []byte("go_goroutines")) {
			t.Errorf("Accept %q: %v, %s", accept, err, body)
		}
		if bytes.Contains(body, []byte("kafka_connect_worker_rebalance")) {
			t.Error("a worker without a group tells of rebalances")
		}
		if bytes.Contains(body, []byte("troupe_cluster_")) {
			t.Error("a worker that is alone tells of a cluster")
		}
	}
}

func TestCountDeadLetters(t *testing.T) {
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer sys.Shutdown()
	count, stop := CountDeadLetters(sys)
	sys.Root.Send(actor.NewPID(sys.Address(), "nobody"), "lost")
	if n := count(); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
	stop()
	sys.Root.Send(actor.NewPID(sys.Address(), "nobody"), "lost")
	if n := count(); n != 1 {
		t.Errorf("%d dead letters after stop, want 1", n)
	}
}

// BenchmarkCount is what a source's batch pays for being counted.
func BenchmarkCount(b *testing.B) {
	var m task.Metrics
	for b.Loop() {
		m.Polled.Add(500)
		m.Batches.Add(1)
		m.PollTime.Add(time.Millisecond)
		m.Active.Store(500)
		m.BatchTime.Add(time.Millisecond)
		m.Active.Store(0)
	}
}
