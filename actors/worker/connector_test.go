package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// plugin is a connector whose methods a test scripts. A worker makes several.
type plugin struct {
	mu  sync.Mutex
	log []string
	cc  connectors.ConnectorContext
	on  map[string]func(ctx context.Context) error
	n   int // task configurations
}

func (p *plugin) do(ctx context.Context, method string) error {
	p.mu.Lock()
	p.log = append(p.log, method)
	f := p.on[method]
	p.mu.Unlock()
	if f != nil {
		return f(ctx)
	}
	return nil
}

func (p *plugin) context() connectors.ConnectorContext {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cc
}

func (p *plugin) calls() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, " ")
}

// instance is one that the worker made.
type instance struct{ p *plugin }

func (i *instance) Start(ctx context.Context, cc connectors.ConnectorContext, _ map[string]string) error {
	i.p.mu.Lock()
	i.p.cc = cc
	i.p.mu.Unlock()
	return i.p.do(ctx, "Start")
}

func (i *instance) TaskConfigs(ctx context.Context, n int) ([]map[string]string, error) {
	if err := i.p.do(ctx, "TaskConfigs"); err != nil {
		return nil, err
	}
	i.p.mu.Lock()
	defer i.p.mu.Unlock()
	var out []map[string]string
	for k := range max(1, i.p.n) {
		out = append(out, map[string]string{"k": fmt.Sprint(k)})
	}
	return out, nil
}
func (i *instance) Stop(ctx context.Context) error { return i.p.do(ctx, "Stop") }

// listener hears of everything, with the time since the beginning.
type listener struct {
	begun time.Time
	mu    sync.Mutex
	log   []string
	trace string
	tasks int
}

func (l *listener) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, fmt.Sprintf("%s@%s", s, time.Since(l.begun).Round(time.Second)))
}

func (l *listener) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.log, " ")
}

func (l *listener) ConnectorRunning(string) { l.add("RUNNING") }
func (l *listener) ConnectorPaused(string)  { l.add("PAUSED") }
func (l *listener) ConnectorStopped(string) { l.add("STOPPED") }
func (l *listener) ConnectorFailed(_, trace string) {
	l.add("FAILED")
	l.mu.Lock()
	l.trace = trace
	l.mu.Unlock()
}
func (l *listener) ConnectorRestarting(string, string) { l.add("RESTARTING") }
func (l *listener) ConnectorUnassigned(string)         { l.add("UNASSIGNED") }
func (l *listener) TaskConfigs(_ string, _ map[string]string, c []map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = len(c)
	l.log = append(l.log, fmt.Sprintf("%dtasks@%s", len(c), time.Since(l.begun).Round(time.Second)))
}
func (l *listener) TaskRunning(id connectors.TaskID)              { l.add(id.String() + "=RUNNING") }
func (l *listener) TaskPaused(id connectors.TaskID)               { l.add(id.String() + "=PAUSED") }
func (l *listener) TaskFailed(id connectors.TaskID, _ string)     { l.add(id.String() + "=FAILED") }
func (l *listener) TaskRestarting(id connectors.TaskID, _ string) { l.add(id.String() + "=RESTARTING") }
func (l *listener) TaskUnassigned(id connectors.TaskID)           { l.add(id.String() + "=UNASSIGNED") }
func (l *listener) TopicUsed(connectors.TaskID, string)           {}

type resolver struct{ f func() error }

func (r resolver) Resolve(_ context.Context, c map[string]string) (map[string]string, map[string]time.Duration, error) {
	if r.f != nil {
		if err := r.f(); err != nil {
			return nil, nil, err
		}
	}
	return c, nil, nil
}

type noOffsets struct{}

func (noOffsets) Offset(context.Context, *data.MapValue) (*data.MapValue, error) { return nil, nil }
func (noOffsets) Offsets(_ context.Context, p []*data.MapValue) ([]*data.MapValue, error) {
	return make([]*data.MapValue, len(p)), nil
}
func (noOffsets) Put(context.Context, []task.PartitionOffset) error { return nil }

// world is a worker with one plugin, in virtual time.
type world struct {
	p       *plugin
	l       *listener
	sys     *actor.ActorSystem
	pid     *actor.PID
	wanted  worker.Wanted
	version int64
}

func newWorld(t *testing.T, p *plugin, resolve func() error, make func() connectors.Connector) *world {
	t.Helper()
	if make == nil {
		make = func() connectors.Connector { return &instance{p} }
	}
	reg, err := connectors.NewRegistry([]connectors.Plugin{{Class: "t.C", Kind: connectors.SourceKind, Version: "1", TaskClass: "t.T", NewConnector: make}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{p: p, l: &listener{begun: time.Now()}}
	w.sys = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	node := worker.New(worker.Config{Registry: reg, Resolver: resolver{resolve}, Listener: w.l, Log: slog.New(slog.DiscardHandler), Offsets: func(string, int64) task.OffsetStore { return noOffsets{} },
		Policy: task.DefaultPolicy(), Grace: 5 * time.Second, CallTimeout: 60 * time.Second, FlushInterval: time.Second, FlushTimeout: 5 * time.Second, Budget: 1 << 20})
	w.pid = w.sys.Root.Spawn(node.ActorProps())
	return w
}

func (w *world) want(target connectors.TargetState) {
	w.wanted = worker.Wanted{Connectors: map[string]worker.WantedConnector{"c": {Config: map[string]string{"name": "c", "connector.class": "t.C"}, Target: target, Version: w.version}}}
	w.sys.Root.Send(w.pid, worker.Apply{Wanted: w.wanted})
}

func (w *world) shutdown(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	w.sys.Root.Send(w.pid, worker.Shutdown{Done: done})
	select {
	case <-done:
	case <-time.After(time.Hour):
		t.Error("the worker does not shut down")
	}
}

// TestConnector tells in virtual time what becomes of a connector instance.
func TestConnector(t *testing.T) {
	boom := errors.New("boom")
	fail := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	bang := func(context.Context) error { panic("told to") }
	type step struct {
		at time.Duration
		do func(w *world)
	}
	target := func(s connectors.TargetState) func(*world) { return func(w *world) { w.want(s) } }
	restart := func(w *world) { w.sys.Root.Send(w.pid, worker.RestartConnector{Name: "c"}) }
	s := time.Second
	for _, tt := range []struct {
		name    string
		initial connectors.TargetState
		on      map[string]func(context.Context) error
		n       int
		steps   []step
		until   time.Duration
		want    string
		calls   string
	}{
		{name: "runs", want: "RUNNING@0s 1tasks@0s", calls: "Start TaskConfigs"},
		{name: "initially paused", initial: connectors.Paused, want: "PAUSED@0s"},
		{name: "initially stopped, then resumed", initial: connectors.Stopped, steps: []step{{5 * s, target(connectors.Started)}}, want: "STOPPED@0s RUNNING@5s 1tasks@5s", calls: "Start TaskConfigs"},
		{name: "pause and resume", steps: []step{{5 * s, target(connectors.Paused)}, {9 * s, target(connectors.Started)}}, want: "RUNNING@0s 1tasks@0s PAUSED@5s RUNNING@9s 1tasks@9s", calls: "Start TaskConfigs Stop Start TaskConfigs"},
		{name: "stop while it starts", on: map[string]func(context.Context) error{"Start": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, steps: []step{{5 * s, target(connectors.Stopped)}}, want: "STOPPED@5s", calls: "Start Stop"},
		{name: "cannot start", on: map[string]func(context.Context) error{"Start": fail(boom)}, until: time.Hour, want: "FAILED@0s", calls: "Start Stop"},
		{name: "panics in start", on: map[string]func(context.Context) error{"Start": bang}, until: time.Hour, want: "FAILED@0s", calls: "Start Stop"},
		{name: "panics in stop", on: map[string]func(context.Context) error{"Stop": bang}, steps: []step{{5 * s, target(connectors.Stopped)}}, want: "RUNNING@0s 1tasks@0s STOPPED@5s", calls: "Start TaskConfigs Stop"},
		{name: "panics in task configs", on: map[string]func(context.Context) error{"TaskConfigs": bang}, until: time.Hour,
			want: "RUNNING@0s RESTARTING@0s RUNNING@1s RESTARTING@1s RUNNING@3s RESTARTING@3s RUNNING@7s RESTARTING@7s RUNNING@15s RESTARTING@15s RUNNING@31s FAILED@31s"},
		{name: "hangs in task configs", on: map[string]func(context.Context) error{"TaskConfigs": func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Minute); return nil }}, steps: []step{{5 * s, target(connectors.Stopped)}},
			until: 2 * time.Minute, want: "RUNNING@0s STOPPED@5s", calls: "Start TaskConfigs Stop"},
		{name: "hangs in start", on: map[string]func(context.Context) error{"Start": func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Minute); return nil }}, steps: []step{{5 * s, target(connectors.Stopped)}},
			until: 2 * time.Minute, want: "STOPPED@5s", calls: "Start Stop"},
		{name: "hangs in stop", on: map[string]func(context.Context) error{"Stop": func(context.Context) error { time.Sleep(time.Minute); return nil }}, steps: []step{{5 * s, target(connectors.Stopped)}},
			until: 2 * time.Minute, want: "RUNNING@0s 1tasks@0s STOPPED@10s", calls: "Start TaskConfigs Stop"},
		{name: "too many tasks", n: 2, until: time.Hour, want: "RUNNING@0s FAILED@0s", calls: "Start TaskConfigs Stop"},
		{name: "failed, paused, started", on: map[string]func(context.Context) error{"Start": fail(boom)}, steps: []step{{5 * s, target(connectors.Paused)}, {6 * s, target(connectors.Started)}}, want: "FAILED@0s", calls: "Start Stop"},
		{name: "failed, stopped, started", on: map[string]func(context.Context) error{"Start": fail(boom)}, steps: []step{{5 * s, target(connectors.Stopped)}, {6 * s, target(connectors.Started)}}, want: "FAILED@0s STOPPED@5s FAILED@6s", calls: "Start Stop Start Stop"},
		{name: "failed, restarted", on: map[string]func(context.Context) error{"Start": fail(boom)}, steps: []step{{5 * s, restart}}, want: "FAILED@0s FAILED@5s", calls: "Start Stop Start Stop"},
		{name: "restarted", steps: []step{{5 * s, restart}}, want: "RUNNING@0s 1tasks@0s UNASSIGNED@5s RUNNING@5s 1tasks@5s", calls: "Start TaskConfigs Stop Start TaskConfigs"},
		{name: "restarted while paused", initial: connectors.Paused, steps: []step{{5 * s, restart}}, want: "PAUSED@0s PAUSED@5s"},
		{name: "raises an error", steps: []step{{5 * s, func(w *world) { w.p.context().RaiseError(connectors.ConfigError("x")) }}}, want: "RUNNING@0s 1tasks@0s FAILED@5s", calls: "Start TaskConfigs Stop"},
		{name: "raises no error", steps: []step{{5 * s, func(w *world) { w.p.context().RaiseError(nil) }}}, want: "RUNNING@0s 1tasks@0s RESTARTING@5s RUNNING@6s 1tasks@6s", calls: "Start TaskConfigs Stop Start TaskConfigs"},
		{name: "raises an error once it is over", steps: []step{{5 * s, target(connectors.Stopped)}, {6 * s, func(w *world) { w.p.context().RaiseError(boom) }}}, want: "RUNNING@0s 1tasks@0s STOPPED@5s", calls: "Start TaskConfigs Stop"},
		{name: "asks for new tasks", steps: []step{{5 * s, func(w *world) { w.p.context().RequestTaskReconfiguration() }}}, want: "RUNNING@0s 1tasks@0s 1tasks@5s", calls: "Start TaskConfigs TaskConfigs"},
		{name: "asks for new tasks once it is over", steps: []step{{5 * s, target(connectors.Stopped)}, {6 * s, func(w *world) { w.p.context().RequestTaskReconfiguration() }}}, want: "RUNNING@0s 1tasks@0s STOPPED@5s", calls: "Start TaskConfigs Stop"},
		{name: "a goroutine panics", steps: []step{{5 * s, func(w *world) { w.p.context().Go(bang) }}}, want: "RUNNING@0s 1tasks@0s RESTARTING@5s RUNNING@6s 1tasks@6s"},
		{name: "a goroutine ends with it", steps: []step{{4 * s, func(w *world) { w.p.context().Go(func(ctx context.Context) error { <-ctx.Done(); return boom }) }}, {5 * s, target(connectors.Stopped)}}, want: "RUNNING@0s 1tasks@0s STOPPED@5s"},
		{name: "a goroutine comes too late", steps: []step{{5 * s, target(connectors.Stopped)}, {6 * s, func(w *world) {
			w.p.context().Go(func(ctx context.Context) error { return w.p.do(ctx, "too late") })
		}}}, want: "RUNNING@0s 1tasks@0s STOPPED@5s", calls: "Start TaskConfigs Stop"},
		{name: "paused during back-off", on: map[string]func(context.Context) error{"TaskConfigs": fail(boom)}, steps: []step{{500 * time.Millisecond, target(connectors.Paused)}}, until: time.Minute, want: "RUNNING@0s RESTARTING@0s PAUSED@1s"},
		{name: "transient", on: map[string]func(context.Context) error{"Start": func() func(context.Context) error {
			n := 0
			return func(context.Context) error {
				if n++; n == 1 {
					return connectors.Retriable(boom)
				}
				return nil
			}
		}()}, want: "RESTARTING@0s RUNNING@1s 1tasks@1s", calls: "Start Stop Start TaskConfigs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &plugin{on: tt.on, n: tt.n}
				w := newWorld(t, p, nil, nil)
				w.want(tt.initial)
				for _, st := range tt.steps {
					time.Sleep(st.at - time.Since(w.l.begun))
					st.do(w)
				}
				time.Sleep(max(tt.until, 20*time.Second) - time.Since(w.l.begun))
				synctest.Wait()
				if got := w.l.all(); got != tt.want {
					t.Errorf("heard %s\nwant  %s", got, tt.want)
				}
				if got := p.calls(); tt.calls != "" && got != tt.calls {
					t.Errorf("calls %s, want %s", got, tt.calls)
				}
				w.shutdown(t)
				time.Sleep(time.Hour)
				w.sys.Shutdown()
				time.Sleep(time.Hour)
			})
		})
	}
}

// TestWhatSurroundsAConnectorPanics: constructors and config providers are plugin
// code as well.
func TestWhatSurroundsAConnectorPanics(t *testing.T) {
	for _, tt := range []struct {
		name    string
		resolve func() error
		make    func() connectors.Connector
	}{
		{"provider", func() error { panic("told to") }, nil},
		{"constructor", nil, func() connectors.Connector { panic("told to") }},
		{"no constructor's result", nil, func() connectors.Connector { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &plugin{}, tt.resolve, tt.make)
				w.want(connectors.Started)
				time.Sleep(time.Minute)
				if got := w.l.all(); got != "FAILED@0s" {
					t.Errorf("heard %s", got)
				}
				w.shutdown(t)
				w.sys.Shutdown()
				time.Sleep(time.Hour)
			})
		})
	}
}

// TestRestartAnswers: who asked for a restart hears how the start went.
func TestRestartAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		on   map[string]func(context.Context) error
		conn string
		want string
	}{
		{"started", nil, "c", ""},
		{"fails", map[string]func(context.Context) error{"Start": func(context.Context) error { return errors.New("boom") }}, "c", "boom"},
		{"not here", nil, "d", "does not run on this node"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &plugin{on: tt.on}, nil, nil)
				w.want(connectors.Started)
				time.Sleep(time.Minute)
				done := make(chan error, 1)
				w.sys.Root.Send(w.pid, worker.RestartConnector{Name: tt.conn, Done: done})
				time.Sleep(time.Minute)
				select {
				case err := <-done:
					if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
						t.Errorf("answered %v", err)
					}
				default:
					t.Error("no answer")
				}
				w.shutdown(t)
				w.sys.Shutdown()
				time.Sleep(time.Hour)
			})
		})
	}
}

// TestRestartWhileReplaced: a restart that meets the change to a newer version is
// answered by the newer version's start.
func TestRestartWhileReplaced(t *testing.T) {
	slow := func(context.Context) error { time.Sleep(3 * time.Second); return nil }
	for _, tt := range []struct {
		name    string
		target  connectors.TargetState
		on      map[string]func(context.Context) error
		restart time.Duration // before (negative) or after the newer version is wanted
		last    func(w *world)
		want    string
	}{
		{"asked before, paused", connectors.Paused, nil, -1, nil, ""},
		{"asked after, paused", connectors.Paused, nil, 1, nil, ""},
		{"asked before", connectors.Started, map[string]func(context.Context) error{"Stop": slow, "Start": slow}, -1, nil, ""},
		{"asked while the old one stops", connectors.Started, map[string]func(context.Context) error{"Stop": slow}, time.Second, nil, ""},
		{"asked while the old one stops, and moved", connectors.Started, map[string]func(context.Context) error{"Stop": slow}, time.Second,
			func(w *world) { w.sys.Root.Send(w.pid, worker.Apply{}) }, "does not run on this node"},
		{"asked before, and moved", connectors.Started, map[string]func(context.Context) error{"Stop": slow, "Start": slow}, -1,
			func(w *world) { w.sys.Root.Send(w.pid, worker.Apply{}) }, "does not run on this node"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &plugin{on: tt.on}, nil, nil)
				w.want(tt.target)
				time.Sleep(time.Minute)
				done := make(chan error, 1)
				ask := func() { w.sys.Root.Send(w.pid, worker.RestartConnector{Name: "c", Done: done}) }
				if tt.restart < 0 {
					ask()
				}
				w.version++
				w.want(tt.target)
				if tt.restart > 0 {
					time.Sleep(tt.restart - 1)
					ask()
				}
				if tt.last != nil {
					tt.last(w)
				}
				time.Sleep(time.Minute)
				select {
				case err := <-done:
					if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
						t.Errorf("answered %v", err)
					}
				default:
					t.Error("no answer")
				}
				w.shutdown(t)
				w.sys.Shutdown()
				time.Sleep(time.Hour)
			})
		})
	}
}

// TestShutdownTwice: each who asks for the end hears of it.
func TestShutdownTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &plugin{on: map[string]func(context.Context) error{"Stop": func(context.Context) error { time.Sleep(time.Second); return nil }}}, nil, nil)
		w.want(connectors.Started)
		time.Sleep(time.Second)
		a, b := make(chan struct{}), make(chan struct{})
		w.sys.Root.Send(w.pid, worker.Shutdown{Done: a})
		w.sys.Root.Send(w.pid, worker.Shutdown{Done: b})
		<-a
		<-b
		w.shutdown(t)
		w.want(connectors.Started) // too late
		time.Sleep(time.Minute)
		if got := strings.Fields(w.l.all()); !slices.Equal(got, []string{"RUNNING@0s", "1tasks@0s", "UNASSIGNED@2s"}) {
			t.Errorf("heard %v", got)
		}
		w.sys.Shutdown()
		time.Sleep(time.Hour)
	})
}
