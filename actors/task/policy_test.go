package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

func TestBudgetOfCrashes(t *testing.T) {
	type crash struct {
		after time.Duration // since the last one
		want  time.Duration // -1: FAILED
	}
	s := time.Second
	for _, tt := range []struct {
		name    string
		policy  Policy
		crashes []crash
	}{
		{"dies at once", DefaultPolicy(), []crash{{0, 1 * s}, {1 * s, 2 * s}, {2 * s, 4 * s}, {4 * s, 8 * s}, {8 * s, 16 * s}, {16 * s, -1}}},
		{"a window without a crash", DefaultPolicy(), []crash{{0, 1 * s}, {1 * s, 2 * s}, {601 * s, 1 * s}, {600 * s, 2 * s}}},
		{"never", Policy{Never: true}, []crash{{0, -1}}},
		{"none allowed", Policy{Window: time.Minute, Initial: s, MaxDelay: s}, []crash{{0, -1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b Budget
			now := time.Unix(0, 0)
			for i, c := range tt.crashes {
				now = now.Add(c.after)
				d, ok := b.Next(tt.policy, connectors.Crash, now, time.Second)
				if ok != (c.want >= 0) || ok && d != c.want {
					t.Fatalf("crash %d: %s, %v; want %s", i+1, d, ok, c.want)
				}
			}
		})
	}
	t.Run("many", func(t *testing.T) {
		p := DefaultPolicy()
		p.MaxCrashes = 200
		var b Budget
		for i := range 200 {
			if d, ok := b.Next(p, connectors.Crash, time.Unix(int64(i), 0), time.Second); !ok || d < time.Second || d > p.MaxDelay {
				t.Fatalf("crash %d: %s, %v", i+1, d, ok)
			}
		}
	})
}

// TestBudgetOfTransientFailures: from a second to five minutes, never at one
// instant, for ever; a minute of work begins it anew.
func TestBudgetOfTransientFailures(t *testing.T) {
	p := DefaultPolicy()
	var b Budget
	var seen = make(map[time.Duration]bool)
	for i := range 300 {
		d, ok := b.Next(p, connectors.Transient, time.Time{}, 0)
		base := min(time.Second<<min(i, 20), p.MaxDelay)
		if !ok || d < time.Second || d > p.MaxDelay || d < base*8/10 || d > base*12/10 {
			t.Fatalf("failure %d: %s, %v", i+1, d, ok)
		}
		seen[d] = true
	}
	if len(seen) < 200 {
		t.Errorf("%d different delays in 300", len(seen))
	}
	if d, _ := b.Next(p, connectors.Transient, time.Time{}, 61*time.Second); d > 2*time.Second {
		t.Errorf("after a minute of work: %s", d)
	}
}

func TestClassOf(t *testing.T) {
	poison := func(err error) error { return &pipeline.PoisonError{Report: pipeline.Report{Err: err}} }
	for _, tt := range []struct {
		name string
		err  error
		want connectors.Class
	}{
		{"plain", errors.New("x"), connectors.Crash},
		{"panic", pipeline.Recovered("x"), connectors.Crash},
		{"retriable", connectors.Retriable(errors.New("x")), connectors.Transient},
		{"data", data.Errorf("x"), connectors.Poison},
		{"refused by a registry", &codec.Error{Msg: "x", Cause: errors.New("y"), Fault: codec.RecordFault}, connectors.Poison},
		{"no registry", &codec.Error{Msg: "x", Fault: codec.OutageFault}, connectors.Transient},
		{"no registry, in one that says nothing", &codec.Error{Msg: "z", Cause: &codec.Error{Msg: "x", Fault: codec.OutageFault}}, connectors.Transient},
		{"record, plain", poison(errors.New("x")), connectors.Poison},
		{"record, plain, from put", putError(poison(errors.New("x"))), connectors.Poison},
		{"record, panic", poison(pipeline.Recovered("x")), connectors.Crash},
		{"record, setting", poison(connectors.ConfigError("x")), connectors.Configuration},
		{"record, reported as retriable", poison(connectors.Retriable(errors.New("x"))), connectors.Poison},
		{"abandoned", connectors.Errorf("x: %w", errAbandoned), connectors.Crash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := classOf(tt.err); got != tt.want {
				t.Errorf("class %s, want %s", got, tt.want)
			}
		})
	}
}

// fakeRun is an incarnation that does as it is told.
type fakeRun struct {
	n      int
	tell   func(event)
	script func(r *fakeRun)
	gate   *gate
	ending time.Duration
}

func (r *fakeRun) begin(actor.Context) { go r.script(r) }
func (r *fakeRun) setPaused(p bool)    { r.gate.set(p) }
func (r *fakeRun) end(bool)            { time.Sleep(r.ending) }

// heard is what a listener heard, with the time since the beginning.
type heard struct {
	begun time.Time
	mu    sync.Mutex
	log   []string
}

func (h *heard) add(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, fmt.Sprintf("%s@%s", s, time.Since(h.begun).Round(time.Second)))
}

func (h *heard) TaskRunning(connectors.TaskID)            { h.add("RUNNING") }
func (h *heard) TaskPaused(connectors.TaskID)             { h.add("PAUSED") }
func (h *heard) TaskFailed(connectors.TaskID, string)     { h.add("FAILED") }
func (h *heard) TaskRestarting(connectors.TaskID, string) { h.add("RESTARTING") }
func (h *heard) TaskUnassigned(connectors.TaskID)         { h.add("UNASSIGNED") }
func (h *heard) TopicUsed(connectors.TaskID, string)      {}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.log)
}

// TestSupervisor tells in virtual time what a task's states are and when.
func TestSupervisor(t *testing.T) {
	crash := func(r *fakeRun) {
		r.tell(event{n: r.n, kind: evRunning})
		r.tell(event{n: r.n, kind: evFailed, err: errors.New("told to")})
	}
	fine := func(r *fakeRun) { r.tell(event{n: r.n, kind: evRunning}) }
	type step struct {
		at   time.Duration
		send any
	}
	for _, tt := range []struct {
		name   string
		policy func(*Policy)
		script func(r *fakeRun)
		paused bool
		ending time.Duration
		steps  []step
		until  time.Duration
		want   string
	}{
		{name: "six crashes in 31 s", script: crash, until: time.Hour,
			want: "[RUNNING@0s RESTARTING@0s RUNNING@1s RESTARTING@1s RUNNING@3s RESTARTING@3s RUNNING@7s RESTARTING@7s RUNNING@15s RESTARTING@15s RUNNING@31s FAILED@31s]"},
		{name: "never", policy: func(p *Policy) { p.Never = true }, script: crash, until: time.Hour, want: "[RUNNING@0s FAILED@0s]"},
		{name: "before it has run", script: func(r *fakeRun) { r.tell(event{n: r.n, kind: evFailed, err: errors.New("x")}) }, until: time.Hour, want: "[FAILED@0s]"},
		{name: "a restart by hand fills the budget", script: crash, until: 20 * time.Second, steps: []step{{10 * time.Second, Restart{}}},
			want: "[RUNNING@0s RESTARTING@0s RUNNING@1s RESTARTING@1s RUNNING@3s RESTARTING@3s RUNNING@7s RESTARTING@7s RUNNING@10s RESTARTING@10s RUNNING@11s RESTARTING@11s RUNNING@13s RESTARTING@13s RUNNING@17s RESTARTING@17s]"},
		{name: "a restart of a failed task", script: func(r *fakeRun) {
			if r.n > 1 {
				fine(r)
				return
			}
			r.tell(event{n: r.n, kind: evFailed, err: connectors.ConfigError("x")})
		}, until: time.Minute, steps: []step{{10 * time.Second, Restart{}}}, want: "[FAILED@0s RUNNING@10s]"},
		{name: "a stop during back-off", script: crash, until: time.Minute, steps: []step{{2 * time.Second, Stop{}}},
			want: "[RUNNING@0s RESTARTING@0s RUNNING@1s RESTARTING@1s UNASSIGNED@2s]"},
		{name: "a restart while it ends", script: fine, ending: 5 * time.Second, until: time.Minute, steps: []step{{1 * time.Second, Restart{}}, {2 * time.Second, Restart{}}},
			want: "[RUNNING@0s UNASSIGNED@6s RUNNING@6s]"},
		{name: "a stop while it is restarted", script: fine, ending: 5 * time.Second, until: time.Minute, steps: []step{{1 * time.Second, Restart{}}, {2 * time.Second, Stop{}}, {3 * time.Second, Restart{}}},
			want: "[RUNNING@0s UNASSIGNED@6s]"},
		{name: "a restart while a crash is cleaned up", script: func(r *fakeRun) {
			if r.n > 1 {
				fine(r)
				return
			}
			crash(r)
		}, ending: 5 * time.Second, until: time.Minute, steps: []step{{1 * time.Second, Restart{}}}, want: "[RUNNING@0s UNASSIGNED@5s RUNNING@5s]"},
		{name: "words of the dead", script: func(r *fakeRun) {
			fine(r)
			if r.n > 1 {
				return
			}
			r.tell(event{n: r.n, kind: evFailed, err: errors.New("x")})
			r.tell(event{n: r.n, kind: evRunning})
			r.tell(event{n: r.n, kind: evPaused})
			time.Sleep(2 * time.Second)
			r.tell(event{n: r.n, kind: evRunning})
			r.tell(event{n: r.n, kind: evFailed, err: errors.New("x")})
			r.tell(event{n: r.n, kind: evEnded})
		}, until: time.Minute, want: "[RUNNING@0s RESTARTING@0s RUNNING@1s]"},
		{name: "transient failures before it has run are no crashes", policy: func(p *Policy) { p.MaxDelay = time.Second; p.Initial = time.Second }, script: func(r *fakeRun) {
			if r.n > 20 {
				fine(r)
				return
			}
			r.tell(event{n: r.n, kind: evFailed, err: connectors.Retriable(errors.New("x"))})
		}, until: 10 * time.Millisecond, want: "[RESTARTING@0s]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &heard{begun: time.Now()}
				c := Common{Log: slog.New(slog.DiscardHandler), Policy: DefaultPolicy(), Listener: h, Metrics: &Metrics{}}
				if tt.policy != nil {
					tt.policy(&c.Policy)
				}
				sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
				pid := sys.Root.Spawn(props(c, tt.paused, func(n int, _ *atomic.Bool, tell func(event)) run {
					return &fakeRun{n: n, tell: tell, script: tt.script, gate: newGate(), ending: tt.ending}
				}))
				for _, s := range tt.steps {
					time.Sleep(s.at - time.Since(h.begun))
					sys.Root.Send(pid, s.send)
				}
				time.Sleep(tt.until - time.Since(h.begun))
				synctest.Wait()
				if got := h.all(); got != tt.want {
					t.Errorf("heard %s\nwant  %s", got, tt.want)
				}
				sys.Root.Send(pid, Stop{})
				time.Sleep(time.Minute)
				sys.Shutdown()
				time.Sleep(time.Minute)
				synctest.Wait()
			})
		})
	}
}

// TestCallLeavesNothingBehindUnseen: a call that returns too late runs what was
// left for it, one that returns in time does not, and a panic is an error.
func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := 0
		slow := func(d time.Duration) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return errors.New("done") }
		}
		for _, tt := range []struct {
			name string
			f    func(context.Context) error
			left bool
			want string
		}{
			{"in time", slow(time.Second), false, "done"},
			{"on its way out", slow(10*time.Second + 50*time.Millisecond), false, "done"},
			{"too late", slow(20 * time.Second), true, "x: the call did not return in time and was left behind after 10s"},
			{"panics", func(context.Context) error { panic("told to") }, false, "panic: told to"},
		} {
			late = 0
			err := Call(t.Context(), "x", 10*time.Second, tt.f, func() { late++ })
			if err == nil || err.Error() != tt.want || Abandoned(err) != tt.left {
				t.Errorf("%s: %v", tt.name, err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if (late == 1) != tt.left {
				t.Errorf("%s: %d late", tt.name, late)
			}
		}
	})
}

// TestCredit: what is in flight is bounded, and a wait ends with its context.
func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCredit(10)
		c.take(12)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.wait(ctx); err == nil {
			t.Error("went on without credit")
		}
		time.AfterFunc(time.Second, func() { c.give(1) })
		time.AfterFunc(2*time.Second, func() { c.give(2) })
		begun := time.Now()
		if err := c.wait(t.Context()); err != nil || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}
