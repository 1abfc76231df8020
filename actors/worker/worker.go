// Package worker is what runs on this node: an actor for each connector and each
// task that it is told to run. It knows nothing of other nodes, of REST or of the
// internal topics; it is given the whole wanted set and makes it so. It imports
// actors' packages, connectors and codec.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/connectors"
)

// Listener hears what becomes of connectors and tasks. Its methods are called by
// actors and must not block.
type Listener interface {
	task.Listener
	ConnectorRunning(name string)
	ConnectorPaused(name string)
	ConnectorStopped(name string)
	ConnectorFailed(name, trace string)
	ConnectorRestarting(name, trace string)
	ConnectorUnassigned(name string)
	// TaskConfigs hands over the task configurations that a running connector has
	// made from its configuration applied. It may be called again with the same.
	TaskConfigs(name string, applied map[string]string, configs []map[string]string)
}

// EpochListener is a Listener that is told in which epoch of a connector or task
// things happen: the worker tells what it has to say to what At returns.
type EpochListener interface {
	Listener
	// At returns the listener of what is run in an epoch. It is called once for each
	// connector instance and task that is begun, and must not block.
	At(epoch int64) Listener
}

// Resolver replaces references to config providers; ttl tells by path how long the
// values of providers that say so are good for.
type Resolver interface {
	Resolve(ctx context.Context, config map[string]string) (resolved map[string]string, ttl map[string]time.Duration, err error)
}

// Config is what a worker is made with.
type Config struct {
	ID       string            // host:port of the REST listener, as statuses give it
	Group    string            // group.id; "" in standalone mode
	Props    map[string]string // the worker's properties, resolved
	Registry *connectors.Registry
	Resolver Resolver
	Listener Listener
	// Offsets returns the store of a connector's source offsets, for what runs in the
	// given epoch.
	Offsets func(connector string, epoch int64) task.OffsetStore
	Spans   task.Spans // nil: off
	// Allowed says whether this node is in good standing with its group; nil: always.
	// Tasks ask it before each put, produce and commit. One that hears no ends with
	// task.ErrLease, and is begun anew by the next Apply that wants it and no sooner.
	Allowed func() bool
	Log     *slog.Logger

	Policy         task.Policy
	Grace          time.Duration // task.shutdown.graceful.timeout.ms
	CallTimeout    time.Duration // plugin.call.timeout.ms
	FlushInterval  time.Duration
	FlushTimeout   time.Duration
	Budget         int64 // task.buffer.bytes
	TopicCreation  bool  // topic.creation.enable
	StaticMembers  bool  // sinks join their groups as static members
	StartTogether  int   // at most so many tasks build their clients at once; 16 if zero
	ClientIDPrefix string
}

// Wanted is what the node is to run. Maps and their contents are not changed by
// either side after the message is sent.
type Wanted struct {
	Connectors map[string]WantedConnector
	Tasks      map[connectors.TaskID]WantedTask
	// Moved are tasks that run here and go on elsewhere. A sink's place in its group
	// is kept for the successor; that of a task which just ends is given up.
	Moved map[connectors.TaskID]bool
}

// WantedConnector is one connector instance. A change of Version or Epoch starts it
// anew.
type WantedConnector struct {
	Config  map[string]string
	Target  connectors.TargetState
	Version int64
	// Epoch is that of the assignment by which the instance is here: all that it
	// says and reads is told to be of it ([EpochListener], Config.Offsets).
	Epoch int64
}

// WantedTask is one task. A change of Version or Epoch starts it anew. Connector is
// the connector's configuration in force, from which converters and transforms come.
type WantedTask struct {
	Config    map[string]string
	Connector map[string]string
	Paused    bool
	Version   int64
	Epoch     int64 // as of WantedConnector
}

// Messages that a worker takes.
type (
	// Apply makes the node run what is wanted and nothing else.
	Apply struct{ Wanted Wanted }
	// RestartConnector starts a connector instance anew. Done, if not nil, gets the
	// outcome of the start, or [ErrNotHere]; its capacity must be 1. An instance that
	// is being replaced by that of a newer version is not started twice: the newer
	// one's start is the outcome.
	RestartConnector struct {
		Name string
		Done chan error
	}
	// RestartTask starts a task anew, with a full budget; Done gets false when the
	// task is not here.
	RestartTask struct {
		ID   connectors.TaskID
		Done chan bool
	}
	// Shutdown stops everything; Done is closed when nothing runs any more.
	Shutdown struct{ Done chan struct{} }
)

// ErrNotHere is the answer to restarting a connector that this node does not run, or ceases to run
// before it has started anew. Nothing is to be said against the restart elsewhere.
var ErrNotHere = errors.New("it does not run on this node")

// Worker runs connectors and tasks. Send its PID the messages above.
type Worker struct {
	Config
	metrics sync.Map // connectors.TaskID -> *TaskInfo
	conns   sync.Map // name -> *ConnectorInfo
	Totals  Totals
	turns   chan struct{} // held by whoever builds

	// Of the actor.
	connectors map[string]*runningConnector
	tasks      map[connectors.TaskID]*runningTask
	wanted     Wanted
	leaving    map[part]*actor.PID        // stopping actors
	lapsed     map[connectors.TaskID]bool // ended with the node's lease since the last Apply
	restarts   map[string][]chan error    // who waits for an instance that is yet to be begun, by connector
	shutdown   bool
	gone       []chan struct{} // closed once nothing runs any more
}

type runningConnector struct {
	pid     *actor.PID
	version version
	target  connectors.TargetState
}

type runningTask struct {
	pid     *actor.PID
	version version
	paused  bool
}

// version is what starts something anew when it changes.
type version struct{ config, epoch int64 }

func (c WantedConnector) version() version { return version{c.Version, c.Epoch} }
func (t WantedTask) version() version      { return version{t.Version, t.Epoch} }

// listener returns who is told of what runs in an epoch.
func (w *Worker) listener(epoch int64) Listener {
	if l, ok := w.Listener.(EpochListener); ok {
		return l.At(epoch)
	}
	return w.Listener
}

// New returns a worker; spawn its ActorProps.
func New(c Config) *Worker {
	if c.StartTogether <= 0 {
		c.StartTogether = 16
	}
	return &Worker{Config: c, turns: make(chan struct{}, c.StartTogether), connectors: make(map[string]*runningConnector), tasks: make(map[connectors.TaskID]*runningTask), leaving: make(map[part]*actor.PID),
		lapsed: make(map[connectors.TaskID]bool), restarts: make(map[string][]chan error)}
}

// ActorProps returns the recipe of the worker's actor.
func (w *Worker) ActorProps() *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return w })
}

// part is a task, or with -1 in place of its number a connector's instance.
type part connectors.TaskID

// Receive implements [actor.Actor].
func (w *Worker) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case Apply:
		if !w.shutdown {
			w.wanted = m.Wanted
			clear(w.lapsed)
			w.reconcile(c)
		}
	case RestartConnector:
		if rc, ok := w.connectors[m.Name]; ok {
			c.Send(rc.pid, restartConnector(m))
		} else if m.Done != nil {
			w.awaitStart(m.Name, m.Done)
		}
	case inheritWaiters:
		if rc, ok := w.connectors[m.name]; ok {
			c.Send(rc.pid, m)
		} else {
			w.awaitStart(m.name, m.waiters...)
		}
	case RestartTask:
		rt, ok := w.tasks[m.ID]
		if ok {
			c.Send(rt.pid, task.Restart{})
		} else if _, ok = w.wanted.Tasks[m.ID]; ok {
			ok = !w.lapsed[m.ID] // it is about to start anew
		}
		if m.Done != nil {
			m.Done <- ok
		}
	case Report:
		m.Reply <- w.report()
	case Shutdown:
		w.shutdown = true
		if m.Done != nil {
			w.gone = append(w.gone, m.Done)
		}
		w.wanted = Wanted{}
		w.reconcile(c)
		w.checkShutdown()
	case *actor.Terminated:
		for name, pid := range w.leaving {
			if pid.Equal(m.Who) {
				delete(w.leaving, name)
				break
			}
		}
		w.lapse(m.Who)
		w.reconcile(c)
		w.checkShutdown()
	}
}

// awaitStart has those who wait for a restart wait for the start that comes by itself
// once the connector's last instance has ended.
func (w *Worker) awaitStart(name string, waiters ...chan error) {
	if _, ok := w.wanted.Connectors[name]; ok {
		w.restarts[name] = append(w.restarts[name], waiters...)
		return
	}
	answerAll(waiters, ErrNotHere)
}

// answerAll answers those who still wait.
func answerAll(waiters []chan error, err error) {
	for _, ch := range waiters {
		select {
		case ch <- err:
		default:
		}
	}
}

// lapse forgets a task whose actor stopped without being told to, for want of a lease.
func (w *Worker) lapse(who *actor.PID) {
	for id, rt := range w.tasks {
		if rt.pid.Equal(who) {
			delete(w.tasks, id)
			w.metrics.Delete(id)
			if w.Allowed == nil || !w.Allowed() {
				w.lapsed[id] = true // until the next Apply, which comes once the lease is back
			}
			return
		}
	}
}

func (w *Worker) checkShutdown() {
	if !w.shutdown || len(w.leaving)+len(w.connectors)+len(w.tasks) > 0 {
		return
	}
	for _, done := range w.gone {
		close(done)
	}
	w.gone = nil
}

// reconcile makes what runs what is wanted. Something that is still stopping under
// the same name is waited for: its Terminated brings us here again.
func (w *Worker) reconcile(c actor.Context) {
	for id, rt := range w.tasks {
		want, ok := w.wanted.Tasks[id]
		if ok && want.version() == rt.version {
			if want.Paused != rt.paused {
				rt.paused = want.Paused
				c.Send(rt.pid, task.SetPaused{Paused: want.Paused})
			}
			continue
		}
		delete(w.tasks, id)
		w.leaving[part(id)] = rt.pid
		final := !ok && !w.shutdown && !w.wanted.Moved[id]
		c.Send(rt.pid, task.Stop{Final: final})
		w.metrics.Delete(id)
	}
	for name, rc := range w.connectors {
		want, ok := w.wanted.Connectors[name]
		if ok && want.version() == rc.version {
			if want.Target != rc.target {
				rc.target = want.Target
				c.Send(rc.pid, setTarget{want.Target})
			}
			continue
		}
		delete(w.connectors, name)
		w.leaving[part{name, -1}] = rc.pid
		c.Send(rc.pid, stopConnector{})
		w.conns.Delete(name)
	}
	for name, waiters := range w.restarts {
		if _, ok := w.wanted.Connectors[name]; !ok {
			answerAll(waiters, ErrNotHere)
			delete(w.restarts, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.wanted.Connectors)) {
		want := w.wanted.Connectors[name]
		if _, running := w.connectors[name]; running || w.leaving[part{name, -1}] != nil {
			continue
		}
		info := &ConnectorInfo{Name: name}
		w.conns.Store(name, info)
		pid := c.SpawnPrefix(w.connectorProps(name, want, info, w.restarts[name]), "connector-")
		delete(w.restarts, name)
		w.connectors[name] = &runningConnector{pid: pid, version: want.version(), target: want.Target}
	}
	for id, want := range w.wanted.Tasks {
		if _, running := w.tasks[id]; running || w.lapsed[id] || w.leaving[part(id)] != nil {
			continue
		}
		pid := c.SpawnPrefix(w.taskProps(id, want), "task-")
		w.tasks[id] = &runningTask{pid: pid, version: want.version(), paused: want.Paused}
	}
}
