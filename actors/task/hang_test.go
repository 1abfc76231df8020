package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// hangs is a converter that does not return.
type hangs struct {
	text
	on chan struct{}
}

func (h hangs) FromConnect(string, *data.Schema, data.Value, []byte) ([]byte, error) {
	<-h.on
	return nil, errors.New("too late")
}
func (h hangs) ToConnect(string, []byte) (*data.Schema, data.Value, error) {
	<-h.on
	return nil, data.Null, errors.New("too late")
}

// TestHangs: whatever plugin code does not return, a stop is over within bounds,
// and the actor is gone, so that its name is free and a shutdown ends.
func TestHangs(t *testing.T) {
	for _, where := range []string{
		"source Start", "source Poll", "source CommitRecord", "source Commit", "source Stop", "source transform", "source converter",
		"sink Start", "sink Open", "sink Put", "sink PreCommit", "sink Close", "sink Stop", "sink transform", "sink converter",
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			kind, method, _ := strings.Cut(where, " ")
			addrs, st, sys := broker(t), &states{}, system(t)
			on := make(chan struct{})
			defer close(on)
			entered := make(chan struct{}, 1000)
			stuck := func(context.Context) error {
				select {
				case entered <- struct{}{}:
				default:
				}
				<-on
				return errors.New("too late")
			}
			c := &calls{on: map[string]func(context.Context) error{method: stuck}}
			smt := transform(func(*data.Record) (bool, error) { return true, stuck(nil) })
			chain := func(ch *pipeline.Chain, cv *pipeline.Converters) {
				switch method {
				case "transform":
					ch.Steps = []pipeline.Step{{Class: "stuck", Transform: smt}}
				case "converter":
					entered <- struct{}{}
					cv.Value.Converter = hangs{on: on}
				}
			}
			var pid *actor.PID
			if kind == "source" {
				spec := sourceOf(addrs, st, &memory{m: map[string]*data.MapValue{}}, func() *source { return &source{calls: c, limit: 100} },
					func(p *task.SourceParts) { chain(p.Chain, p.Converters) })
				spec.Grace, spec.FlushTimeout = 200*time.Millisecond, 200*time.Millisecond
				pid = sys.Root.Spawn(task.SourceProps(spec, false))
			} else {
				produce(t, addrs, 0, 100)
				spec := sinkOf(addrs, st, "w-c-0", func() *sink { return &sink{calls: c} }, func(p *task.SinkParts) { chain(p.Chain, p.Converters) })
				spec.Grace, spec.FlushTimeout = 200*time.Millisecond, 200*time.Millisecond
				pid = sys.Root.Spawn(task.SinkProps(spec, false))
			}
			gone := watch(t, sys, pid)
			if method != "Stop" && method != "Close" {
				<-entered
			} else {
				eventually(t, "RUNNING", func() bool { return st.last() == "RUNNING" && (c.count("Open") > 0 || kind == "source") })
			}
			begun := time.Now()
			sys.Root.Send(pid, task.Stop{Final: true})
			eventually(t, "gone", gone)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("the stop took %s", took)
			}
			if st.last() != "UNASSIGNED" {
				t.Errorf("last state %s", st.last())
			}
			if n := c.together(); n > 1 && method != "Stop" {
				t.Errorf("%d methods of the plugin at once: %v", n, c.log)
			}
		})
	}
}

// TestPanics: whatever panics, nothing but the task notices, and the class of the
// failure is the design's.
func TestPanics(t *testing.T) {
	for _, tt := range []struct{ where, want string }{
		{"source Build", "FAILED"}, {"source Start", "FAILED"}, {"source Poll", "RESTARTING"}, {"source CommitRecord", "RUNNING"}, {"source Commit", "RUNNING"},
		{"source Go", "RESTARTING"}, {"source transform", "RESTARTING"}, {"source size", "RESTARTING"},
		{"sink Build", "FAILED"}, {"sink NewClient", "FAILED"}, {"sink Start", "FAILED"}, {"sink Open", "RESTARTING"}, {"sink Put", "RESTARTING"}, {"sink PreCommit", "RUNNING"},
		{"sink transform", "RESTARTING"},
	} {
		t.Run(tt.where, func(t *testing.T) {
			t.Parallel()
			kind, method, _ := strings.Cut(tt.where, " ")
			addrs, st, sys := broker(t), &states{}, system(t)
			bang := func(context.Context) error { panic("told to") }
			c := &calls{on: map[string]func(context.Context) error{method: bang}}
			steps := func(ch *pipeline.Chain) {
				if method == "transform" {
					ch.Steps = []pipeline.Step{{Class: "bang", Transform: transform(func(*data.Record) (bool, error) { panic("told to") })}}
				}
				if method == "Build" {
					panic("told to")
				}
			}
			var pid *actor.PID
			reached := func() bool { return c.count(method) > 0 }
			if kind == "source" {
				spec := sourceOf(addrs, st, &memory{m: map[string]*data.MapValue{}}, func() *source {
					s := &source{calls: c, limit: 100}
					switch method {
					case "Go":
						c.on["Poll"] = func(context.Context) error { s.tc.Go(bang); return nil }
					case "size":
						c.on["Poll"] = func(context.Context) error { s.part = nil; return nil }
					}
					return s
				}, func(p *task.SourceParts) {
					steps(p.Chain)
					if method == "size" {
						p.Topics = bangs{}
					}
				})
				spec.Policy.Initial = time.Hour
				spec.Policy.MaxDelay = time.Hour
				pid = sys.Root.Spawn(task.SourceProps(spec, false))
			} else {
				produce(t, addrs, 0, 100)
				spec := sinkOf(addrs, st, "w-c-0", func() *sink { return &sink{calls: c} }, func(p *task.SinkParts) {
					steps(p.Chain)
					if method == "NewClient" {
						p.NewClient = nil
					}
				})
				spec.Policy.Initial = time.Hour
				spec.Policy.MaxDelay = time.Hour
				pid = sys.Root.Spawn(task.SinkProps(spec, false))
			}
			gone := watch(t, sys, pid)
			if tt.want == "RUNNING" {
				eventually(t, "reached", reached)
			}
			eventually(t, tt.want, func() bool { return st.last() == tt.want })
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "gone", gone)
		})
	}
}

type bangs struct{}

func (bangs) Ensure(context.Context, string) error { panic("told to") }

// TestStartThatReturnsLate: a plugin is not stopped beside its Start, but once that
// returns.
func TestStartThatReturnsLate(t *testing.T) {
	for _, kind := range []string{"source", "sink"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			addrs, st, sys := broker(t), &states{}, system(t)
			on := make(chan struct{})
			c := &calls{on: map[string]func(context.Context) error{"Start": func(context.Context) error { <-on; return nil }}}
			var pid *actor.PID
			if kind == "source" {
				spec := sourceOf(addrs, st, &memory{m: map[string]*data.MapValue{}}, func() *source { return &source{calls: c} }, nil)
				pid = sys.Root.Spawn(task.SourceProps(spec, false))
			} else {
				pid = sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "", func() *sink { return &sink{calls: c} }, nil), false))
			}
			eventually(t, "Start", func() bool { return c.count("Start") == 1 })
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
			if c.count("Stop") != 0 {
				t.Error("stopped beside its Start")
			}
			close(on)
			eventually(t, "Stop", func() bool { return c.count("Stop") == 1 })
		})
	}
}

// TestRetriesEndWithTheTask: a record that is tried again for ever does not hold up
// a stop, is not lost, and nothing behind it is committed.
func TestRetriesEndWithTheTask(t *testing.T) {
	for _, kind := range []string{"source", "sink"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			addrs, st, sys := broker(t), &states{}, system(t)
			reached := make(chan struct{}, 1000)
			smt := transform(func(r *data.Record) (bool, error) {
				if r.Value.Str() == "42" {
					select {
					case reached <- struct{}{}:
					default:
					}
					return false, connectors.Retriable(errors.New("not yet"))
				}
				return true, nil
			})
			change := func(ch *pipeline.Chain) {
				ch.Steps, ch.Errors.RetryTimeout = []pipeline.Step{{Class: "busy", Transform: smt}}, -time.Millisecond
			}
			c := &calls{}
			store := &memory{m: map[string]*data.MapValue{}}
			var pid *actor.PID
			if kind == "source" {
				pid = sys.Root.Spawn(task.SourceProps(sourceOf(addrs, st, store, func() *source { return &source{calls: c, limit: 1000} }, func(p *task.SourceParts) { change(p.Chain) }), false))
			} else {
				produce(t, addrs, 0, 1000)
				pid = sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "w-c-0", func() *sink { return &sink{calls: c} }, func(p *task.SinkParts) { p.MaxPoll = 10; change(p.Chain) }), false))
			}
			<-reached
			begun := time.Now()
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
			if took := time.Since(begun); took > time.Second {
				t.Errorf("the stop took %s", took)
			}
			if n := countOf(store); n > 42 {
				t.Errorf("the source's offset is %d", n)
			}
			if n := committed(t, addrs); kind == "sink" && n > 42 {
				t.Errorf("the sink committed %d", n)
			}
		})
	}
}
