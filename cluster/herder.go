package cluster

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
)

// Options are what a herder is made with.
type Options struct {
	WorkerID   string
	Standalone bool // POST waits for the tasks; other wordings of some errors
	Server     ServerInfo
	Configs    store.Configs
	Offsets    store.Offsets
	Statuses   store.Statuses
	Sinks      SinkGroups
	Registry   *connectors.Registry
	Resolver   *configprovider.Resolver
	Check      func(ctx context.Context, config map[string]*string) (map[string]string, error)
	SetLevel   func(namespace, level string)
	Log        *slog.Logger
	// Nodes is this node's part in a cluster; nil for a worker that is alone.
	Nodes *Coordinator

	TopicTracking, TopicReset bool
}

// Herder decides what runs: it keeps what REST asks for in the stores, tells the
// worker the whole wanted set whenever that changes, and keeps what the worker
// reports in the status store.
//
// Writes to the config store go through [writer], which orders those of a connector;
// reads come from snapshots and wait for nothing. It implements [API] and
// [worker.Listener].
type Herder struct {
	Options
	system *actor.ActorSystem
	worker *actor.PID

	ready   atomic.Bool
	started chan struct{} // closed once the stores are caught up
	changed chan struct{} // capacity 1: the wanted set may have changed
	writer  *writer
	ctx     context.Context //nolint:containedctx // the herder's life
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	applying sync.Mutex

	mu        sync.Mutex
	proposals map[string]proposal   // newest task configurations by connector
	waiting   map[string]chan error // of standalone POSTs, by connector
	topicSeen map[string]bool
	stays     map[Unit]int64 // epochs in which units were last told to run here
}

// proposal is what a connector last made of its configuration.
type proposal struct {
	applied map[string]string
	configs []map[string]string
}

var (
	_ API             = (*Herder)(nil)
	_ worker.Listener = (*Herder)(nil)
	_ store.Listener  = (*Herder)(nil)
)

// NewHerder returns a herder that does not run yet: it can be handed to a worker, to
// the gateway and to stores as their listener. Its options may be completed until
// Start.
func NewHerder(o Options) *Herder {
	h := &Herder{Options: o, started: make(chan struct{}), changed: make(chan struct{}, 1),
		proposals: make(map[string]proposal), waiting: make(map[string]chan error), topicSeen: make(map[string]bool), stays: make(map[Unit]int64)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.writer = newWriter(h.ctx, &h.wg)
	return h
}

// Start begins to decide. The stores are caught up and the worker is there.
func (h *Herder) Start(system *actor.ActorSystem, w *actor.PID) {
	h.system, h.worker = system, w
	h.wg.Go(h.decideLoop)
	if !h.Standalone && h.Nodes == nil {
		h.wg.Go(h.publishSessionKey)
	}
	h.ready.Store(true)
	close(h.started)
	h.Poke()
	h.Log.Info("Herder started")
}

// Stop ends the loops. The worker has been shut down before, so that the last
// statuses are in the store.
func (h *Herder) Stop(ctx context.Context) error {
	h.cancel()
	h.wg.Wait()
	return h.Statuses.Flush(ctx)
}

// Poke says that what is to run here may have changed. It does not block.
func (h *Herder) Poke() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// awaitStart waits until the herder runs.
func (h *Herder) awaitStart(ctx context.Context) error {
	if h.ready.Load() {
		return nil
	}
	if Forwarded(ctx) { // whoever has sent it on may know a better node by now
		return &NotHere{"this node is starting"}
	}
	select {
	case <-h.started:
		return nil
	case <-ctx.Done():
		return Errorf(500, "Request timed out. The worker is currently initializing and reading to the end of internal topics.")
	}
}

// decideLoop tells the worker what is wanted, as often as that may have changed.
func (h *Herder) decideLoop() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.changed:
			begun := time.Now()
			h.apply()
			// Thousands of units take a while to look at: what comes in a burst is applied
			// together, and the looks leave most of the time to the work.
			h.sleep(pauseAfter(time.Since(begun)))
		}
	}
}

// pauseAfter is the pause after a look at everything that took so long.
func pauseAfter(took time.Duration) time.Duration { return min(2*took, 100*time.Millisecond) }

func (h *Herder) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-h.ctx.Done():
	case <-t.C:
	}
}

// apply tells the worker what is wanted now.
func (h *Herder) apply() {
	h.applying.Lock() // what is told later was decided later
	defer h.applying.Unlock()
	w := h.wanted(h.Configs.Snapshot())
	h.noteStays(w)
	h.system.Root.Send(h.worker, worker.Apply{Wanted: w})
	if h.Nodes != nil {
		h.Nodes.told(w)
	}
}

// wanted is what this node is to run: everything if it is alone, else what the
// assignment log gives to it.
func (h *Herder) wanted(s *store.Snapshot) worker.Wanted {
	var mine map[Unit]assign.Entry
	alone, held := h.Nodes == nil, true
	if !alone {
		mine, held = h.Nodes.mine()
	}
	// here reports whether a unit is to run here, and in which epoch.
	here := func(u Unit) (int64, bool) {
		if alone {
			return 0, true
		}
		e, ok := mine[u]
		return e.Offset, ok && held && e.State == assign.Assigned && e.Config <= s.Offset()
	}
	w := worker.Wanted{Connectors: make(map[string]worker.WantedConnector), Tasks: make(map[connectors.TaskID]worker.WantedTask)}
	if !alone {
		w.Moved = make(map[connectors.TaskID]bool)
	}
	for _, name := range s.Connectors() {
		target, ok := s.TargetState(name)
		if !ok {
			target = connectors.Started
		}
		if epoch, run := here(placement.Instance(name)); run {
			w.Connectors[name] = worker.WantedConnector{Config: s.Config(name), Target: target, Version: s.ConfigOffset(name), Epoch: epoch}
		}
		if target == connectors.Stopped {
			continue
		}
		applied := s.AppliedConfig(name)
		if applied == nil {
			applied = s.Config(name)
		}
		for _, id := range s.Tasks(name) {
			epoch, run := here(Unit(id))
			if !run {
				// It goes on elsewhere, or here again; but the log may tell of its end
				// before the configurations do.
				e := mine[Unit(id)]
				w.Moved[id] = e.State != assign.Revoking || e.To != ""
				continue
			}
			w.Tasks[id] = worker.WantedTask{Config: s.TaskConfig(id), Connector: applied, Paused: target == connectors.Paused, Version: s.TasksOffset(name), Epoch: epoch}
		}
	}
	return w
}

// write runs f as a write of a connector and waits for it.
func (h *Herder) write(ctx context.Context, connector string, f func(ctx context.Context) error) error {
	if err := h.awaitStart(ctx); err != nil {
		return err
	}
	if h.Nodes == nil {
		return h.writeHere(ctx, connector, f)
	}
	for {
		if err := h.Nodes.here(ctx); err != nil {
			return err
		}
		err := h.writeHere(ctx, connector, f)
		var lost *NotHere
		if !errors.As(err, &lost) || Forwarded(ctx) {
			return err
		}
		// Nothing was written: this node has just ceased to lead.
	}
}

// writeHere runs f as a write of a connector on this node.
func (h *Herder) writeHere(ctx context.Context, connector string, f func(ctx context.Context) error) error {
	done := make(chan error, 1)
	h.writer.do(connector, func(life context.Context) {
		if ctx.Err() != nil { // whoever asked is gone; nothing was begun
			done <- ctx.Err()
			return
		}
		// From here on the write is seen through even if the client hangs up.
		done <- f(life)
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-h.ctx.Done():
		return Errorf(503, "The worker is shutting down")
	}
}

// ---- what the config store tells ----

// ConnectorUpdated implements [store.Listener].
func (h *Herder) ConnectorUpdated(string) { h.changedConfig() }

// ConnectorRemoved implements [store.Listener].
func (h *Herder) ConnectorRemoved(name string) {
	for _, t := range h.Statuses.Topics(name) {
		h.Statuses.RemoveTopic(name, t.Topic)
	}
	h.mu.Lock()
	delete(h.proposals, name)
	for k := range h.topicSeen {
		if len(k) > len(name) && k[:len(name)+1] == name+"\x00" {
			delete(h.topicSeen, k)
		}
	}
	h.mu.Unlock()
	h.answer(name, nil)
	h.forget(name)
	h.changedConfig()
}

// changedConfig has what runs, and where, decided anew.
func (h *Herder) changedConfig() {
	h.Poke()
	if h.Nodes != nil {
		h.Nodes.Poke()
	}
}

// TasksUpdated implements [store.Listener].
func (h *Herder) TasksUpdated(name string) {
	h.forget(name)
	h.changedConfig()
}

// forget removes the statuses of what is no longer configured and has ended already: a
// node may have heard from the assignment log that it is to give something up, and have
// called it UNASSIGNED, before it reads why. What still runs here is removed when it
// ends, after its last commit. Statuses of nodes that have gone are the leader's to
// remove.
func (h *Herder) forget(name string) {
	if !h.ready.Load() {
		return
	}
	s := h.Configs.Snapshot()
	mine := func(st store.Status) bool {
		ended := st.State == "UNASSIGNED" || st.State == "FAILED"
		return ended && st.WorkerID == h.WorkerID || h.Nodes != nil && h.Nodes.inherits(st.WorkerID)
	}
	if st, ok := h.Statuses.Connector(name); ok && !s.Contains(name) && mine(st) {
		h.putStatus(placement.Instance(name), st.Epoch, store.Destroyed, "")
	}
	for _, t := range h.Statuses.Tasks(name) {
		id := connectors.TaskID{Connector: name, Task: t.Task}
		if !slices.Contains(s.Tasks(name), id) && mine(t.Status) {
			h.putStatus(Unit(id), t.Status.Epoch, store.Destroyed, "")
		}
	}
}

// TargetStateChanged implements [store.Listener].
func (h *Herder) TargetStateChanged(string, connectors.TargetState) { h.changedConfig() }

// RestartRequested implements [store.Listener].
func (h *Herder) RestartRequested(r store.RestartRequest) {
	if !h.ready.Load() {
		return
	}
	plan, ok := h.restartPlan(RestartRequest(r))
	if !ok {
		return
	}
	if h.Nodes != nil { // the others do their parts
		mine, held := h.Nodes.mine()
		runs := func(u Unit) bool { return held && mine[u].State == assign.Assigned }
		plan.connector = plan.connector && runs(placement.Instance(r.Connector))
		plan.tasks = slices.DeleteFunc(plan.tasks, func(id connectors.TaskID) bool { return !runs(Unit(id)) })
	}
	h.recordRestarting(plan)
	if plan.connector {
		h.system.Root.Send(h.worker, worker.RestartConnector{Name: r.Connector})
	}
	for _, id := range plan.tasks {
		h.system.Root.Send(h.worker, worker.RestartTask{ID: id})
	}
}

// LoggerLevelSet implements [store.Listener].
func (h *Herder) LoggerLevelSet(namespace, level string) { h.SetLevel(namespace, level) }

// SessionKeyChanged implements [store.Listener]; a node that is alone signs nothing.
func (h *Herder) SessionKeyChanged(k store.SessionKey) {
	if h.Nodes != nil {
		h.Nodes.keyChanged(k)
	}
}

// ---- what the worker tells ----

// noteStays notes in which epochs what the worker is about to be told runs here.
func (h *Herder) noteStays(w worker.Wanted) {
	if h.Nodes == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, c := range w.Connectors {
		h.stays[placement.Instance(name)] = c.Epoch
	}
	for id, t := range w.Tasks {
		h.stays[Unit(id)] = t.Epoch
	}
}

// stay returns the epoch in which a unit runs here, or last did; nil for none.
func (h *Herder) stay(u Unit) *int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.stays[u]; ok {
		return &e
	}
	return nil
}

// putStatus writes a status of a unit, of a stay.
func (h *Herder) putStatus(u Unit, epoch *int64, state, trace string) {
	st := store.Status{State: state, Trace: trace, WorkerID: h.WorkerID, Generation: h.generation(), Epoch: epoch}
	if state != statusUnassigned && state != store.Destroyed {
		st.Version = h.connectorVersion(u.Connector)
	}
	switch {
	case u.Task < 0 && state == statusUnassigned:
		h.Statuses.PutConnectorSafe(u.Connector, st)
	case u.Task < 0:
		h.Statuses.PutConnector(u.Connector, st)
	case state == statusUnassigned:
		h.Statuses.PutTaskSafe(connectors.TaskID(u), st)
	default:
		h.Statuses.PutTask(connectors.TaskID(u), st)
	}
}

// statusUnassigned is the state of a unit that has ended on its node.
const statusUnassigned = "UNASSIGNED"

// generation is that of the group, as Kafka Connect's statuses have it; a worker that
// is alone is in its first for ever.
func (h *Herder) generation() int {
	if h.Nodes == nil {
		return 1
	}
	return h.Nodes.generation()
}

func (h *Herder) connectorVersion(name string) *string {
	if p, ok := h.Registry.Connector(h.Configs.Snapshot().Config(name)["connector.class"]); ok {
		return &p.Version
	}
	return nil
}

func (h *Herder) putConnector(name, state, trace string) {
	u := placement.Instance(name)
	h.putStatus(u, h.stay(u), state, trace)
}

func (h *Herder) putTask(id connectors.TaskID, state, trace string) {
	h.putStatus(Unit(id), h.stay(Unit(id)), state, trace)
}

// ConnectorRunning implements [worker.Listener].
func (h *Herder) ConnectorRunning(name string) { h.putConnector(name, "RUNNING", "") }

// ConnectorPaused implements [worker.Listener].
func (h *Herder) ConnectorPaused(name string) {
	h.putConnector(name, "PAUSED", "")
	h.answer(name, nil)
}

// ConnectorStopped implements [worker.Listener].
func (h *Herder) ConnectorStopped(name string) {
	h.putConnector(name, "STOPPED", "")
	h.answer(name, nil)
}

// ConnectorFailed implements [worker.Listener].
func (h *Herder) ConnectorFailed(name, trace string) {
	h.putConnector(name, "FAILED", trace)
	h.answer(name, nil)
}

// ConnectorRestarting implements [worker.Listener].
func (h *Herder) ConnectorRestarting(name, trace string) {
	h.putConnector(name, "RESTARTING", trace)
	h.answer(name, nil) // a POST does not wait for the world to come back
}

// ConnectorUnassigned implements [worker.Listener].
func (h *Herder) ConnectorUnassigned(name string) {
	u := placement.Instance(name)
	h.unassigned(u, h.stay(u))
}

// unassigned says of a unit that its stay is over, and removes its status if it is no
// longer configured.
func (h *Herder) unassigned(u Unit, epoch *int64) {
	var st store.Status
	var ok bool
	s := h.Configs.Snapshot()
	gone := !s.Contains(u.Connector)
	if u.Task < 0 {
		st, ok = h.Statuses.Connector(u.Connector)
	} else {
		st, ok = h.Statuses.Task(connectors.TaskID(u))
		gone = gone || !slices.Contains(s.Tasks(u.Connector), connectors.TaskID(u))
	}
	if !ok || st.State != "FAILED" { // which says more than UNASSIGNED would
		h.putStatus(u, epoch, statusUnassigned, "")
	}
	if gone {
		h.putStatus(u, epoch, store.Destroyed, "")
		h.mu.Lock()
		delete(h.stays, u)
		h.mu.Unlock()
	}
}

// TaskRunning implements [task.Listener].
func (h *Herder) TaskRunning(id connectors.TaskID) { h.putTask(id, "RUNNING", "") }

// TaskPaused implements [task.Listener].
func (h *Herder) TaskPaused(id connectors.TaskID) { h.putTask(id, "PAUSED", "") }

// TaskFailed implements [task.Listener].
func (h *Herder) TaskFailed(id connectors.TaskID, trace string) { h.putTask(id, "FAILED", trace) }

// TaskRestarting implements [task.Listener].
func (h *Herder) TaskRestarting(id connectors.TaskID, trace string) {
	h.putTask(id, "RESTARTING", trace)
}

// TaskUnassigned implements [task.Listener].
func (h *Herder) TaskUnassigned(id connectors.TaskID) { h.unassigned(Unit(id), h.stay(Unit(id))) }

// TopicUsed implements [task.Listener].
func (h *Herder) TopicUsed(id connectors.TaskID, topic string) {
	if !h.TopicTracking {
		return
	}
	key := id.Connector + "\x00" + topic
	h.mu.Lock()
	seen := h.topicSeen[key]
	h.topicSeen[key] = true
	h.mu.Unlock()
	if seen {
		return
	}
	if _, known := h.Statuses.Topic(id.Connector, topic); known {
		return
	}
	h.Statuses.PutTopic(store.TopicUse{Topic: topic, Connector: id.Connector, Task: id.Task, Discovered: time.Now().UnixMilli()})
}

// TaskConfigs implements [worker.Listener]: what a running connector wants its
// tasks to be is written when it differs from what is stored, or when the
// connector's configuration has changed since (KAFKA-9228).
func (h *Herder) TaskConfigs(name string, applied map[string]string, configs []map[string]string) {
	h.mu.Lock()
	h.proposals[name] = proposal{applied, configs}
	h.mu.Unlock()
	h.writer.do(name, func(ctx context.Context) { h.publish(ctx, name, 0) })
}

// later publishes after a back-off.
func (h *Herder) later(name string, failures int) {
	if h.sleep(min(250*time.Millisecond<<min(failures, 10), time.Minute)); h.ctx.Err() != nil {
		return
	}
	h.writer.do(name, func(ctx context.Context) { h.publish(ctx, name, failures) })
}

func (h *Herder) publish(ctx context.Context, name string, failures int) {
	h.mu.Lock()
	p, ok := h.proposals[name]
	delete(h.proposals, name)
	h.mu.Unlock()
	s := h.Configs.Snapshot()
	if !ok || !s.Contains(name) {
		h.answer(name, nil)
		return
	}
	if target, has := s.TargetState(name); has && target == connectors.Stopped {
		return // stopped in the meantime: its tasks are gone, and stay so
	}
	if !maps.Equal(p.applied, s.Config(name)) {
		return // made from a configuration that is no longer: the new one's are on their way
	}
	raw := make([]map[string]string, len(p.configs))
	for i := range p.configs {
		raw[i] = configprovider.RestoreReferences(p.applied, p.configs[i])
	}
	same := s.TasksOffset(name) >= 0 && !s.Inconsistent(name) && s.TaskCount(name) == len(raw) && maps.Equal(s.AppliedConfig(name), s.Config(name))
	for i, c := range s.TaskConfigs(name) {
		same = same && i < len(raw) && maps.Equal(c, raw[i])
	}
	if !same {
		if err := h.putTaskConfigs(ctx, name, raw); err != nil {
			if ctx.Err() != nil {
				return
			}
			h.Log.Warn("writing task configurations failed and is tried again", "connector", name, "err", err)
			h.mu.Lock()
			if _, newer := h.proposals[name]; !newer {
				h.proposals[name] = p
			}
			h.mu.Unlock()
			h.wg.Go(func() { h.later(name, failures+1) })
			return
		}
	}
	h.answer(name, nil)
}

// putTaskConfigs writes task configurations, or has the leader write them.
func (h *Herder) putTaskConfigs(ctx context.Context, name string, configs []map[string]string) error {
	if h.Nodes == nil {
		return h.Configs.PutTaskConfigs(ctx, name, configs)
	}
	ctx, cancel := context.WithTimeout(ctx, taskConfigsTimeout)
	defer cancel()
	err := h.Nodes.here(ctx)
	// That may have taken long. Whoever has the connector by now has made task
	// configurations of its own, perhaps of a newer configuration.
	mine, held := h.Nodes.mine()
	if held && mine[placement.Instance(name)].State != assign.Assigned {
		return nil
	}
	var there *Elsewhere
	if errors.As(err, &there) {
		if !held {
			return errors.New("this node is not in good standing")
		}
		return h.Nodes.Peers.PutTaskConfigs(ctx, there.URL, name, configs)
	}
	if err != nil {
		return err
	}
	return h.Configs.PutTaskConfigs(ctx, name, configs)
}

// taskConfigsTimeout bounds one try to hand task configurations over.
const taskConfigsTimeout = 30 * time.Second

// answer tells a standalone POST that the connector has come as far as it will.
func (h *Herder) answer(name string, err error) {
	h.mu.Lock()
	ch := h.waiting[name]
	delete(h.waiting, name)
	h.mu.Unlock()
	if ch != nil {
		ch <- err
	}
}

// restartPlan is which parts of a connector a restart request names.
type plan struct {
	status    ConnectorStatus
	connector bool
	tasks     []connectors.TaskID
}

func (h *Herder) restartPlan(r RestartRequest) (plan, bool) {
	st, ok := h.connectorStatus(r.Connector)
	if !ok {
		return plan{}, false
	}
	p := plan{status: st, connector: !r.OnlyFailed || h.counts(st.Connector.State)}
	if p.connector {
		p.status.Connector.State = "RESTARTING" // the trace stays, as Kafka Connect shows it
	}
	for i, t := range st.Tasks {
		if r.IncludeTasks && (!r.OnlyFailed || h.counts(t.State)) {
			p.tasks = append(p.tasks, connectors.TaskID{Connector: r.Connector, Task: t.ID})
			p.status.Tasks[i].State = "RESTARTING"
		}
	}
	return p, true
}

// counts reports whether a state is failed for onlyFailed: a task in back-off is.
func (h *Herder) counts(state string) bool { return state == "FAILED" || state == "RESTARTING" }

func (h *Herder) recordRestarting(p plan) {
	if p.connector {
		h.putConnector(p.status.Name, "RESTARTING", "")
	}
	for _, id := range p.tasks {
		h.putTask(id, "RESTARTING", "")
	}
}
