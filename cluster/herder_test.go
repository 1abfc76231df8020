package cluster

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/file"
)

// countingConfigs is a config store in memory that counts what is written.
type countingConfigs struct {
	*store.MemoryConfigStore
	mu        sync.Mutex
	taskSets  map[string]int
	failTasks int // that many writes of task configurations fail
}

func (c *countingConfigs) PutTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	c.mu.Lock()
	c.taskSets[name]++
	fail := c.failTasks > 0
	if fail {
		c.failTasks--
	}
	c.mu.Unlock()
	if fail {
		return context.DeadlineExceeded
	}
	return c.MemoryConfigStore.PutTaskConfigs(ctx, name, configs)
}

func (c *countingConfigs) sets(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taskSets[name]
}

type memoryOffsets struct {
	mu  sync.Mutex
	all map[string][]connectors.PartitionOffset
}

func (m *memoryOffsets) Get(context.Context, string, []*data.MapValue) ([]*data.MapValue, error) {
	return nil, nil
}

func (m *memoryOffsets) Put(_ context.Context, connector string, offs []connectors.PartitionOffset, _ ...kgo.RecordHeader) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[connector] = append(m.all[connector], offs...)
	return nil
}

func (m *memoryOffsets) All(_ context.Context, connector string) ([]connectors.PartitionOffset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.all[connector]), nil
}

func (m *memoryOffsets) Refresh(context.Context) error { return nil }

func (fakeGroups) Evict(context.Context, string, map[string]string, string) error { return nil }

type fakeGroups struct{ err error }

func (f fakeGroups) Offsets(context.Context, string, map[string]string) (map[connectors.TopicPartition]int64, error) {
	return map[connectors.TopicPartition]int64{{Topic: "t", Partition: 0}: 5}, nil
}

func (f fakeGroups) Alter(context.Context, string, map[string]string, map[connectors.TopicPartition]*int64) error {
	return f.err
}
func (f fakeGroups) Reset(context.Context, string, map[string]string) error { return f.err }

// fakeWorker is the worker's actor as the herder sees it. It keeps the last wanted
// set, and plays connectors by the rule of the tests' plugin: tasks.max tasks.
type fakeWorker struct {
	h        *Herder
	mu       sync.Mutex
	wanted   worker.Wanted
	started  map[string]int64 // version that was started
	state    map[string]connectors.TargetState
	restarts []string
	idle     bool // connectors report nothing by themselves
}

func (w *fakeWorker) setIdle(idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = idle
}

func (w *fakeWorker) Receive(c actor.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m := c.Message().(type) {
	case worker.Apply:
		w.wanted = m.Wanted
		if w.idle {
			return
		}
		for name := range w.started {
			if _, ok := m.Wanted.Connectors[name]; !ok {
				delete(w.started, name)
				delete(w.state, name)
				w.h.ConnectorUnassigned(name)
			}
		}
		for name, want := range m.Wanted.Connectors {
			if v, ok := w.started[name]; ok && v == want.Version && w.state[name] == want.Target {
				continue
			}
			w.started[name], w.state[name] = want.Version, want.Target
			w.run(name, want)
		}
	case worker.RestartConnector:
		w.restarts = append(w.restarts, m.Name)
		if m.Done != nil {
			m.Done <- nil
		}
	case worker.RestartTask:
		w.restarts = append(w.restarts, m.ID.String())
		if m.Done != nil {
			m.Done <- true
		}
	}
}

func (w *fakeWorker) run(name string, want worker.WantedConnector) {
	switch want.Target {
	case connectors.Paused:
		w.h.ConnectorPaused(name)
	case connectors.Stopped:
		w.h.ConnectorStopped(name)
	default:
		w.h.ConnectorRunning(name)
		w.h.TaskConfigs(name, want.Config, taskConfigs(want.Config))
	}
}

func taskConfigs(config map[string]string) []map[string]string {
	var out []map[string]string
	for range len(config["tasks.max"]) { // one task for each character
		c := maps.Clone(config)
		c["task.class"] = "T"
		delete(c, "key.converter")
		out = append(out, c)
	}
	return out
}

func (w *fakeWorker) tasks(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for id := range w.wanted.Tasks {
		if id.Connector == name {
			n++
		}
	}
	return n
}

type rig struct {
	*Herder
	t       *testing.T
	w       *fakeWorker
	configs *countingConfigs
	offsets *memoryOffsets
}

const (
	sourceClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	sinkClass   = "org.apache.kafka.connect.file.FileStreamSinkConnector"
)

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	reg, err := connectors.NewRegistry(file.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HERDER_TOPIC", "resolved")
	res, err := configprovider.New(map[string]string{"config.providers": "env", "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider"})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{WorkerID: "w:1", Registry: reg, Resolver: res, SetLevel: func(string, string) {}, Log: slog.New(slog.DiscardHandler), TopicTracking: true, TopicReset: true,
		Sinks: fakeGroups{}, Statuses: store.NewMemoryStatusStore(),
		Check: func(_ context.Context, config map[string]*string) (map[string]string, error) {
			out := make(map[string]string)
			for k, v := range config {
				out[k] = *v
			}
			return out, nil
		}}
	if change != nil {
		change(&o)
	}
	r := &rig{t: t, Herder: NewHerder(o), offsets: &memoryOffsets{all: make(map[string][]connectors.PartitionOffset)}}
	r.configs = &countingConfigs{MemoryConfigStore: store.NewMemoryConfigStore(r.Herder, o.Log), taskSets: make(map[string]int)}
	r.Configs, r.Herder.Options.Offsets = r.configs, r.offsets
	r.w = &fakeWorker{h: r.Herder, started: make(map[string]int64), state: make(map[string]connectors.TargetState)}
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return o.Log }))
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return r.w }))
	r.Start(system, pid)
	t.Cleanup(func() {
		_ = r.Stop(context.Background())
		system.Shutdown()
	})
	return r
}

func (r *rig) eventually(what string, f func() bool) {
	r.t.Helper()
	until := time.Now().Add(5 * time.Second)
	for !f() {
		if time.Now().After(until) {
			r.t.Fatalf("%s: not so after 5 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func config(name, class, tasks string) map[string]string {
	return map[string]string{"name": name, "connector.class": class, "tasks.max": tasks, "file": "/f"}
}

func (r *rig) create(name, class, tasks string, initial ...connectors.TargetState) {
	r.t.Helper()
	var s *connectors.TargetState
	if len(initial) > 0 {
		s = &initial[0]
	}
	if _, created, err := r.PutConnector(r.t.Context(), name, config(name, class, tasks), s, false); err != nil || !created {
		r.t.Fatalf("creating %s: %v %v", name, created, err)
	}
}

// shows waits for a connector's state and number of tasks, both as told to REST and
// as asked of the worker.
func (r *rig) shows(name, state string, tasks int) {
	r.t.Helper()
	r.eventually(name+" "+state, func() bool {
		st, err := r.Status(r.t.Context(), name)
		info, ierr := r.Connector(r.t.Context(), name)
		return err == nil && ierr == nil && st.Connector.State == state && len(info.Tasks) == tasks && r.w.tasks(name) == map[bool]int{true: tasks, false: 0}[state != "STOPPED"]
	})
}

func status(err error) int {
	if err == nil {
		return 200
	}
	return StatusOf(err)
}

// TestTaskConfigsAreWrittenOnChangeOnly: the same proposal again writes nothing; the
// same tasks of another connector configuration do (KAFKA-9228).
func TestTaskConfigsAreWrittenOnChangeOnly(t *testing.T) {
	r := newRig(t, nil)
	r.create("c", sourceClass, "ab")
	r.shows("c", "RUNNING", 2)
	if n := r.configs.sets("c"); n != 1 {
		t.Fatalf("%d writes after the creation", n)
	}
	cfg := config("c", sourceClass, "ab")
	r.TaskConfigs("c", cfg, taskConfigs(cfg))
	if _, _, err := r.PutConnector(t.Context(), "c", cfg, nil, true); err != nil { // the same once more
		t.Fatal(err)
	}
	// Settled: a write of another connector comes after all of them.
	r.create("other", sourceClass, "a")
	r.shows("other", "RUNNING", 1)
	r.shows("c", "RUNNING", 2)
	if n := r.configs.sets("c"); n != 1 {
		t.Errorf("%d writes though nothing changed", n)
	}
	cfg = config("c", sourceClass, "ab")
	cfg["key.converter"] = "X" // not in the tasks' configurations
	if _, _, err := r.PutConnector(t.Context(), "c", cfg, nil, true); err != nil {
		t.Fatal(err)
	}
	r.eventually("a commit for the new converter", func() bool { return r.configs.sets("c") == 2 })
	cfg = config("c", sourceClass, "abc")
	if _, _, err := r.PutConnector(t.Context(), "c", cfg, nil, true); err != nil {
		t.Fatal(err)
	}
	r.shows("c", "RUNNING", 3)
	// Made from a configuration that is no longer.
	old := config("c", sourceClass, "a")
	n := r.configs.sets("c")
	r.TaskConfigs("c", old, taskConfigs(old))
	r.create("another", sourceClass, "a")
	r.shows("another", "RUNNING", 1)
	if got := r.configs.sets("c"); got != n {
		t.Error("tasks of an old configuration were written")
	}
}

func TestTaskConfigsAreTriedAgain(t *testing.T) {
	r := newRig(t, nil)
	r.configs.failTasks = 2
	r.create("c", sourceClass, "ab")
	r.shows("c", "RUNNING", 2)
	if n := r.configs.sets("c"); n != 3 {
		t.Errorf("%d writes, want 3", n)
	}
}

// TestStateMatrix goes through the states as Kafka Connect's testPauseStopResume does,
// each request twice.
func TestStateMatrix(t *testing.T) {
	r := newRig(t, nil)
	r.create("c", sourceClass, "abc")
	r.shows("c", "RUNNING", 3)
	for _, step := range []struct {
		name  string
		do    func(context.Context, string) error
		state string
		tasks int
	}{
		{"stop", r.StopConnector, "STOPPED", 0},
		{"resume", r.Resume, "RUNNING", 3},
		{"pause", r.Pause, "PAUSED", 3},
		{"stop from paused", r.StopConnector, "STOPPED", 0},
		{"pause from stopped", r.Pause, "PAUSED", 0},
		{"resume from paused", r.Resume, "RUNNING", 3},
	} {
		for range 2 {
			if err := step.do(t.Context(), "c"); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			r.shows("c", step.state, step.tasks)
		}
	}
	for _, f := range []func(context.Context, string) error{r.Pause, r.Resume, r.StopConnector} {
		if err := f(t.Context(), "nope"); status(err) != 404 || err.Error() != "Unknown connector nope" {
			t.Errorf("unknown: %v", err)
		}
	}
	if err := r.DeleteConnector(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	r.eventually("no status", func() bool { _, err := r.Status(t.Context(), "c"); return status(err) == 404 })
}

// TestTaskStatuses: as many statuses as tasks, whichever way their number goes.
func TestTaskStatuses(t *testing.T) {
	r := newRig(t, nil)
	r.create("c", sourceClass, "a")
	for _, tasks := range []string{"a", "abcd", "ab"} {
		if _, _, err := r.PutConnector(t.Context(), "c", config("c", sourceClass, tasks), nil, true); err != nil {
			t.Fatal(err)
		}
		r.shows("c", "RUNNING", len(tasks))
		for i := range 4 { // what the worker's tasks say: those that are wanted run, others go
			id := connectors.TaskID{Connector: "c", Task: i}
			if i < len(tasks) {
				r.TaskRunning(id)
			} else {
				r.TaskUnassigned(id)
			}
		}
		st, err := r.Status(t.Context(), "c")
		if err != nil || len(st.Tasks) != len(tasks) {
			t.Errorf("%d tasks: %v %v", len(tasks), st.Tasks, err)
		}
	}
}

func TestStoppedState(t *testing.T) {
	r := newRig(t, nil)
	r.w.setIdle(true)
	r.create("c", sourceClass, "a")
	r.ConnectorFailed("c", "org.x.E: no")
	if st, err := r.Status(t.Context(), "c"); err != nil || st.Connector.State != "FAILED" || len(st.Tasks) != 0 || st.Connector.Trace == "" {
		t.Fatalf("%v %v", st, err)
	}
	r.ConnectorUnassigned("c") // a farewell must not hide the failure
	if st, _ := r.Status(t.Context(), "c"); st.Connector.State != "FAILED" {
		t.Errorf("%v", st)
	}
	if err := r.StopConnector(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	r.ConnectorStopped("c")
	if st, _ := r.Status(t.Context(), "c"); st.Connector.State != "STOPPED" || st.Connector.Trace != "" {
		t.Errorf("%v", st)
	}
	r.w.mu.Lock()
	r.w.idle = false
	r.w.mu.Unlock()
	if err := r.Resume(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	r.shows("c", "RUNNING", 1)
}

// TestStatusOfTaskThatIsNoMore: a task was given up here before this node read that its
// connector is stopped, or deleted.
func TestStatusOfTaskThatIsNoMore(t *testing.T) {
	id := connectors.TaskID{Connector: "c", Task: 0}
	for name, end := range map[string]func(r *rig) error{
		"stopped": func(r *rig) error { return r.StopConnector(t.Context(), "c") },
		"deleted": func(r *rig) error { return r.DeleteConnector(t.Context(), "c") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.create("c", sourceClass, "a")
			r.eventually("the task is there", func() bool { return r.w.tasks("c") == 1 })
			r.TaskRunning(id)
			r.TaskUnassigned(id)
			if st, ok := r.Statuses.Task(id); !ok || st.State != "UNASSIGNED" {
				t.Fatalf("the status is %v", st)
			}
			if err := end(r); err != nil {
				t.Fatal(err)
			}
			if st, ok := r.Statuses.Task(id); ok {
				t.Errorf("the status is still %v", st)
			}
		})
	}
}

func TestInitialStates(t *testing.T) {
	r := newRig(t, nil)
	r.create("running", sourceClass, "ab", connectors.Started)
	r.create("paused", sourceClass, "ab", connectors.Paused)
	r.create("stopped", sourceClass, "ab", connectors.Stopped)
	r.shows("running", "RUNNING", 2)
	r.shows("paused", "PAUSED", 0)
	r.shows("stopped", "STOPPED", 0)
	if _, _, err := r.PutConnector(t.Context(), "paused", config("paused", sourceClass, "abc"), nil, true); err != nil {
		t.Fatal(err)
	}
	r.shows("paused", "PAUSED", 0) // an update keeps the state
	for _, name := range []string{"paused", "stopped"} {
		if err := r.Resume(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	r.shows("paused", "RUNNING", 3)
	r.shows("stopped", "RUNNING", 2)
	_, _, err := r.PutConnector(t.Context(), "paused", config("paused", sourceClass, "a"), nil, false)
	if status(err) != 409 || err.Error() != "Connector paused already exists" {
		t.Errorf("once more: %v", err)
	}
}

// TestDeleteWhileStarting: what a connector that is gone proposes is not written.
func TestDeleteWhileStarting(t *testing.T) {
	r := newRig(t, nil)
	r.w.setIdle(true)
	r.create("c", sourceClass, "ab")
	if err := r.DeleteConnector(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	cfg := config("c", sourceClass, "ab")
	r.TaskConfigs("c", cfg, taskConfigs(cfg))
	r.ConnectorUnassigned("c")
	r.create("d", sourceClass, "a")
	if n := r.configs.sets("c"); n != 0 {
		t.Errorf("%d writes of task configurations", n)
	}
	if _, err := r.Status(t.Context(), "c"); status(err) != 404 {
		t.Errorf("a status is left: %v", err)
	}
	if err := r.DeleteConnector(t.Context(), "c"); status(err) != 404 {
		t.Errorf("deleting again: %v", err)
	}
}

func TestRestartPlans(t *testing.T) {
	r := newRig(t, nil)
	r.create("c", sourceClass, "abc")
	r.shows("c", "RUNNING", 3)
	for i, f := range []func(connectors.TaskID){r.TaskRunning, func(id connectors.TaskID) { r.TaskFailed(id, "boom") }, r.TaskPaused} {
		f(connectors.TaskID{Connector: "c", Task: i})
	}
	for _, tc := range []struct {
		name          string
		tasks, failed bool
		want          []string
		states        []string // connector, then tasks
	}{
		{"tasks", true, false, []string{"c", "c-0", "c-1", "c-2"}, []string{"RESTARTING", "RESTARTING", "RESTARTING", "RESTARTING"}},
		{"failed tasks", true, true, []string{"c-1"}, []string{"RUNNING", "RUNNING", "RESTARTING", "PAUSED"}},
		{"failed connector", false, true, nil, []string{"RUNNING", "RUNNING", "FAILED", "PAUSED"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.ConnectorRunning("c")
			r.TaskRunning(connectors.TaskID{Connector: "c", Task: 0})
			r.TaskFailed(connectors.TaskID{Connector: "c", Task: 1}, "boom")
			r.TaskPaused(connectors.TaskID{Connector: "c", Task: 2})
			r.w.mu.Lock()
			r.w.restarts = nil
			r.w.mu.Unlock()
			st, err := r.RestartConnectorAndTasks(t.Context(), RestartRequest{Connector: "c", IncludeTasks: tc.tasks, OnlyFailed: tc.failed})
			if err != nil {
				t.Fatal(err)
			}
			states := []string{st.Connector.State}
			for _, task := range st.Tasks {
				states = append(states, task.State)
			}
			if !slices.Equal(states, tc.states) {
				t.Errorf("%v, want %v", states, tc.states)
			}
			r.eventually("restarts", func() bool {
				r.w.mu.Lock()
				defer r.w.mu.Unlock()
				return slices.Equal(r.w.restarts, tc.want)
			})
		})
	}
	if _, err := r.RestartConnectorAndTasks(t.Context(), RestartRequest{Connector: "x", IncludeTasks: true}); status(err) != 404 || err.Error() != "Unknown connector: x" {
		t.Errorf("%v", err)
	}
	if err := r.RestartTask(t.Context(), connectors.TaskID{Connector: "c", Task: 9}); status(err) != 404 || err.Error() != "Unknown task: c-9" {
		t.Errorf("%v", err)
	}
	if err := r.RestartConnector(t.Context(), "x"); status(err) != 404 {
		t.Errorf("%v", err)
	}
}

func TestOffsetsNeedAStoppedConnector(t *testing.T) {
	r := newRig(t, nil)
	m := func(k string, v data.Value) data.Value { return data.OfMap(data.NewStringMap(k, v)) }
	offs := []Offset{{m("filename", data.OfString("/f")), m("position", data.OfInt64(3))}}
	if _, err := r.AlterOffsets(t.Context(), "c", offs); status(err) != 404 {
		t.Errorf("unknown: %v", err)
	}
	r.create("c", sourceClass, "a")
	r.shows("c", "RUNNING", 1)
	for _, f := range []func(context.Context, string) error{nil, r.Pause} {
		if f != nil {
			if err := f(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.AlterOffsets(t.Context(), "c", offs); status(err) != 400 {
			t.Errorf("not stopped: %v", err)
		}
		if _, err := r.ResetOffsets(t.Context(), "c"); status(err) != 400 {
			t.Errorf("not stopped: %v", err)
		}
	}
	if err := r.StopConnector(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	msg, err := r.AlterOffsets(t.Context(), "c", offs)
	if err != nil || msg != "The offsets for this connector have been altered successfully" {
		t.Errorf("%q %v", msg, err)
	}
	if got, _ := r.Offsets(t.Context(), "c"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	msg, err = r.ResetOffsets(t.Context(), "c")
	if err != nil || msg != "The offsets for this connector have been reset successfully" {
		t.Errorf("%q %v", msg, err)
	}
	// Out of STOPPED by way of PAUSED there are no tasks, and yet it is not stopped.
	if err := r.Pause(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ResetOffsets(t.Context(), "c"); status(err) != 400 {
		t.Errorf("paused without tasks: %v", err)
	}
}

func TestSinkOffsets(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Sinks = fakeGroups{err: store.ErrGroupNotEmpty} })
	r.create("s", sinkClass, "a", connectors.Stopped)
	part := func(kv ...any) data.Value { return data.OfMap(data.NewStringMap(kv...)) }
	good := part("kafka_topic", data.OfString("t"), "kafka_partition", data.OfString("0"))
	for _, tc := range []struct {
		name         string
		part, offset data.Value
		status       int
	}{
		{"zombies", good, part("kafka_offset", data.OfString("7")), 500},
		{"negative", good, part("kafka_offset", data.OfInt64(-1)), 500},
		{"no partition", data.Null, data.Null, 400},
		{"other keys", part("topic", data.OfString("t")), data.Null, 400},
		{"null topic", part("kafka_topic", data.Null, "kafka_partition", data.OfInt64(0)), data.Null, 400},
		{"null number", part("kafka_topic", data.OfString("t"), "kafka_partition", data.Null), data.Null, 400},
		{"no number", part("kafka_topic", data.OfString("t"), "kafka_partition", data.OfString("x")), data.Null, 400},
		{"no offset key", good, part("offset", data.OfInt64(1)), 400},
		{"no offset number", good, part("kafka_offset", data.OfString("x")), 400},
	} {
		if _, err := r.AlterOffsets(t.Context(), "s", []Offset{{tc.part, tc.offset}}); status(err) != tc.status {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestSecretsStayReferences: what was put is what is shown and stored, and neither the
// connector's nor the tasks' configurations have a value in a reference's place.
func TestSecretsStayReferences(t *testing.T) {
	r := newRig(t, nil)
	cfg := config("c", sourceClass, "a")
	cfg["topic"], cfg["password"] = "${env:HERDER_TOPIC}", "hunter2"
	r.w.setIdle(true)
	if _, _, err := r.PutConnector(t.Context(), "c", cfg, nil, false); err != nil {
		t.Fatal(err)
	}
	resolved := maps.Clone(cfg)
	resolved["topic"] = "resolved"
	r.TaskConfigs("c", cfg, taskConfigs(resolved))
	r.eventually("a task", func() bool { ts, err := r.Tasks(t.Context(), "c"); return err == nil && len(ts) == 1 })
	info, err := r.Connector(t.Context(), "c")
	if err != nil || !maps.Equal(info.Config, cfg) {
		t.Errorf("%v %v", info.Config, err)
	}
	ts, _ := r.Tasks(t.Context(), "c")
	if ts[0].Config["topic"] != "${env:HERDER_TOPIC}" || ts[0].Config["password"] != "hunter2" {
		t.Errorf("%v", ts[0].Config)
	}
}

func TestPatch(t *testing.T) {
	r := newRig(t, nil)
	r.create("c", sourceClass, "ab")
	s := func(v string) *string { return &v }
	info, err := r.PatchConnector(t.Context(), "c", map[string]*string{"tasks.max": s("abc"), "x": s("1"), "absent": nil})
	if err != nil || info.Config["tasks.max"] != "abc" || info.Config["x"] != "1" {
		t.Fatalf("%v %v", info, err)
	}
	if info, err = r.PatchConnector(t.Context(), "c", map[string]*string{"x": nil}); err != nil || len(info.Config) != 4 {
		t.Errorf("%v %v", info, err)
	}
	r.shows("c", "RUNNING", 3)
	if _, err := r.PatchConnector(t.Context(), "nope", nil); status(err) != 404 {
		t.Errorf("%v", err)
	}
}

// TestPatchesOfOneConnectorAddUp: each is made from what the one before left.
func TestPatchesOfOneConnectorAddUp(t *testing.T) {
	r := newRig(t, nil)
	r.create("c", sourceClass, "a")
	var wg sync.WaitGroup
	for _, k := range []string{"k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"} {
		wg.Go(func() {
			if _, err := r.PatchConnector(t.Context(), "c", map[string]*string{k: &k}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	info, err := r.Connector(t.Context(), "c")
	if err != nil || len(info.Config) != 4+8 {
		t.Errorf("%d settings: %v %v", len(info.Config), info.Config, err)
	}
}

func TestStandaloneAnswers(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Standalone = true })
	info, created, err := r.PutConnector(t.Context(), "c", config("c", sourceClass, "ab"), nil, false)
	if err != nil || !created || len(info.Tasks) != 2 {
		t.Errorf("%v %v %v", info, created, err)
	}
	for what, tc := range map[string]struct {
		err     error
		status  int
		message string
	}{
		"task":         {r.RestartTask(t.Context(), connectors.TaskID{Connector: "c", Task: 7}), 404, "Task c-7 not found"},
		"task of none": {r.RestartTask(t.Context(), connectors.TaskID{Connector: "x"}), 500, ""},
		"restart":      {r.RestartConnector(t.Context(), "x"), 500, ""},
		"stop":         {r.StopConnector(t.Context(), "x"), 500, "No connector `x` configured"},
		"pause":        {r.Pause(t.Context(), "x"), 404, "Unknown connector x"},
		"restart tasks": {func() error {
			_, err := r.RestartConnectorAndTasks(t.Context(), RestartRequest{Connector: "x", IncludeTasks: true})
			return err
		}(), 404, "Unknown connector: x"},
	} {
		if status(tc.err) != tc.status || tc.message != "" && tc.err.Error() != tc.message {
			t.Errorf("%s: %d %v", what, status(tc.err), tc.err)
		}
	}
}

// TestStandalonePOSTDoesNotOutwaitItsConnector: a POST whose connector never gets as
// far as task configurations ends when it is overtaken, deleted, fails or backs off.
func TestStandalonePOSTDoesNotOutwaitItsConnector(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Standalone = true })
	r.w.setIdle(true)
	for name, f := range map[string]func(string){
		"deleted":   func(n string) { _ = r.DeleteConnector(t.Context(), n) },
		"failed":    func(n string) { r.ConnectorFailed(n, "boom") },
		"backs off": func(n string) { r.ConnectorRestarting(n, "boom") },
		"overtaken": func(n string) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, _, _ = r.PutConnector(ctx, n, config(n, sourceClass, "ab"), nil, true)
		},
	} {
		done := make(chan error, 1)
		go func() {
			_, _, err := r.PutConnector(t.Context(), name, config(name, sourceClass, "a"), nil, true)
			done <- err
		}()
		r.eventually(name+": written", func() bool {
			_, err := r.Connector(t.Context(), name)
			return err == nil
		})
		f(name)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the POST still waits", name)
		}
	}
}
