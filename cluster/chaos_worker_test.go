package cluster_test

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/connectors"
)

// fakeWorker is a node's worker as the herder and the coordinator see it. It runs
// nothing: it keeps what would run, takes a while to start and to stop, and sometimes
// nearly as long as it may.
type fakeWorker struct {
	n   *node
	pid *actor.PID

	mu       sync.Mutex
	rng      *rand.Rand
	wanted   map[cluster.Unit]want
	runs     map[cluster.Unit]*run // also those that are on their way out
	gone     []chan struct{}
	shutdown bool
	killed   bool
}

// want is what is to run of a unit.
type want struct {
	config, epoch int64
	target        connectors.TargetState
	connector     map[string]string
}

// run is one stay of a unit on a node.
type run struct {
	want
	working  bool // it may put, produce and commit
	stopping bool
	lapsed   bool // it has met the end of the node's good standing: it does nothing any more
}

func newFakeWorker(n *node) *fakeWorker {
	return &fakeWorker{n: n, rng: n.w.dice(n.boot), wanted: make(map[cluster.Unit]want), runs: make(map[cluster.Unit]*run)}
}

// settled is a timer's word: what was begun at a unit has come to its end.
type settled struct {
	unit cluster.Unit
	run  *run
}

// lapsed is word of a task that has ended for want of a lease.
type lapsed settled

// Receive implements [actor.Actor].
func (f *fakeWorker) Receive(c actor.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.killed {
		if m, ok := c.Message().(worker.Report); ok {
			m.Reply <- worker.Held{}
		}
		return
	}
	switch m := c.Message().(type) {
	case worker.Apply:
		if f.shutdown {
			return
		}
		clear(f.wanted)
		for name, w := range m.Wanted.Connectors {
			f.wanted[placement.Instance(name)] = want{w.Version, w.Epoch, w.Target, w.Config}
		}
		for id, w := range m.Wanted.Tasks {
			target := connectors.Started
			if w.Paused {
				target = connectors.Paused
			}
			f.wanted[cluster.Unit(id)] = want{w.Version, w.Epoch, target, nil}
		}
		f.reconcile()
	case worker.Report:
		held := worker.Held{Connectors: make(map[string]bool), Tasks: make(map[connectors.TaskID]bool)}
		for u := range f.runs {
			if u.Task < 0 {
				held.Connectors[u.Connector] = true
			} else {
				held.Tasks[connectors.TaskID(u)] = true
			}
		}
		m.Reply <- held
	case worker.RestartConnector:
		if m.Done != nil {
			m.Done <- nil
		}
	case worker.RestartTask:
		if m.Done != nil {
			m.Done <- true
		}
	case worker.Shutdown:
		f.shutdown = true
		f.gone = append(f.gone, m.Done)
		clear(f.wanted)
		f.reconcile()
	case lapsed:
		if f.runs[m.unit] == m.run && !m.run.stopping && f.n.co.Allowed() { // else the next Apply begins it anew
			delete(f.runs, m.unit)
			f.reconcile()
		}
	case settled:
		if f.runs[m.unit] != m.run {
			return
		}
		if m.run.stopping {
			delete(f.runs, m.unit)
			f.stopped(m.unit)
			f.reconcile()
		} else if !m.run.lapsed {
			m.run.working = true
			f.started(m.unit, m.run)
		}
	}
	if f.shutdown && len(f.runs) == 0 {
		for _, done := range f.gone {
			close(done)
		}
		f.gone = nil
	}
}

// reconcile makes what runs what is wanted, as worker's does.
func (f *fakeWorker) reconcile() {
	for u, r := range f.runs {
		w, ok := f.wanted[u]
		if ok && !r.lapsed && w.config == r.config && w.epoch == r.epoch {
			if w.target != r.target {
				r.want = w
				if r.working {
					f.started(u, r)
				}
			}
			continue
		}
		if !r.stopping {
			r.stopping = true
			d := time.Duration(f.rng.Int64N(int64(150 * time.Millisecond)))
			if f.rng.IntN(40) == 0 { // it hangs, and is cancelled
				d = time.Duration(f.rng.Int64N(int64(chaosRevoke - 2*time.Second)))
			}
			f.later(d, u, r)
		}
	}
	for u, w := range f.wanted {
		if f.runs[u] == nil {
			r := &run{want: w}
			f.runs[u] = r
			f.later(time.Duration(f.rng.Int64N(int64(60*time.Millisecond))), u, r)
		}
	}
}

func (f *fakeWorker) later(d time.Duration, u cluster.Unit, r *run) {
	time.AfterFunc(d, func() { f.n.system.Root.Send(f.pid, settled{u, r}) })
}

// started tells the herder what a worker tells of something that has begun.
func (f *fakeWorker) started(u cluster.Unit, r *run) {
	h := f.n.herder
	if u.Task >= 0 {
		if r.target == connectors.Paused {
			h.TaskPaused(connectors.TaskID(u))
		} else {
			h.TaskRunning(connectors.TaskID(u))
		}
		return
	}
	switch r.target {
	case connectors.Paused:
		h.ConnectorPaused(u.Connector)
	case connectors.Stopped:
		h.ConnectorStopped(u.Connector)
	default:
		h.ConnectorRunning(u.Connector)
		h.TaskConfigs(u.Connector, r.connector, chaosTasks(r.connector))
	}
}

func (f *fakeWorker) stopped(u cluster.Unit) {
	if u.Task < 0 {
		f.n.herder.ConnectorUnassigned(u.Connector)
	} else {
		f.n.herder.TaskUnassigned(connectors.TaskID(u))
	}
}

// chaosTasks are the task configurations that the tests' connector makes.
func chaosTasks(config map[string]string) []map[string]string {
	count, _ := strconv.Atoi(config["tasks.max"])
	out := make([]map[string]string, count)
	for i := range out {
		out[i] = maps.Clone(config)
		out[i]["task.class"] = "T"
		out[i]["task.number"] = strconv.Itoa(i)
	}
	return out
}

// kill ends all that runs, as the end of the process does.
func (f *fakeWorker) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.killed = true
	clear(f.runs)
	for _, done := range f.gone {
		close(done)
	}
	f.gone = nil
}

// working lists what is at work here now, with its epoch. allowed says whether the
// node is in good standing: what meets that it is not does nothing any more and ends
// soon, as a task ends with its lease.
func (f *fakeWorker) working(allowed bool) map[cluster.Unit]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[cluster.Unit]int64)
	for u, r := range f.runs {
		switch {
		case r.lapsed:
		case !allowed:
			r.lapsed, r.working = true, false
			time.AfterFunc(time.Duration(f.rng.Int64N(int64(50*time.Millisecond))), func() { f.n.system.Root.Send(f.pid, lapsed{u, r}) })
		case r.working:
			out[u] = r.epoch
		}
	}
	return out
}
