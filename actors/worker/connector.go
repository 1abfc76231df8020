package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/connectors"
)

// Messages that a connector's actor takes.
type (
	setTarget     struct{ target connectors.TargetState }
	stopConnector struct{}
	// inheritWaiters hands over who waits for a restart that an instance of a newer
	// version carries out.
	inheritWaiters struct {
		name    string
		waiters []chan error
	}
	restartConnector RestartConnector
	connEvent        struct {
		n    int
		kind connEventKind
		err  error
		// configs and applied come with connConfigs.
		applied map[string]string
		configs []map[string]string
	}
	connRetry struct{ n int }
)

type connEventKind uint8

const (
	connUp      connEventKind = iota // Start has returned
	connConfigs                      // task configurations were made
	connFailed
	connEnded
	connReconfigure // the plugin asks for new task configurations
)

// connector is the actor of one connector instance. Its plugin's methods run on a
// goroutine of the present incarnation, one at a time.
type connector struct {
	w    *Worker
	name string
	want WantedConnector
	info *ConnectorInfo
	log  *slog.Logger

	listener Listener // of the epoch

	target   connectors.TargetState
	n        int
	cur      *connRun
	up       bool
	failed   bool // FAILED: only a restart or STOPPED changes that
	stopping bool
	again    bool
	failure  error
	ending   bool
	upSince  time.Time
	budget   task.Budget
	timer    *time.Timer
	waiters  []chan error // of restarts
}

func (w *Worker) connectorProps(name string, want WantedConnector, info *ConnectorInfo, waiters []chan error) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &connector{w: w, name: name, want: want, info: info, listener: w.listener(want.Epoch), target: want.Target, log: w.Log.With("connector", name), waiters: waiters}
	})
}

// Receive implements [actor.Actor].
func (k *connector) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		k.toTarget(c)
	case *actor.Stopping:
		k.stopTimer()
		if k.cur != nil {
			k.cur.cancel()
		}
	case setTarget:
		k.target = m.target
		k.toTarget(c)
	case restartConnector:
		if m.Done != nil {
			k.waiters = append(k.waiters, m.Done)
		}
		k.budget.Clear()
		k.failed = false
		k.stopTimer()
		if k.cur != nil {
			k.again = true
			k.end(c, nil)
			return
		}
		k.toTarget(c)
	case inheritWaiters:
		k.waiters = append(k.waiters, m.waiters...)
		switch {
		case k.failed, k.cur == nil && k.target == connectors.Started && k.failure != nil:
			k.answer(k.failure)
		case k.cur == nil && k.target != connectors.Started, k.cur != nil && k.up && !k.ending:
			k.answer(nil)
		}
	case stopConnector:
		k.stopping = true
		k.stopTimer()
		if k.cur != nil {
			k.end(c, nil)
			return
		}
		k.gone(c)
	case connRetry:
		if m.n == k.n && k.cur == nil && !k.stopping && !k.failed {
			k.toTarget(c)
		}
	case connEvent:
		k.event(c, m)
	}
}

func (k *connector) stopTimer() {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

func (k *connector) gone(c actor.Context) {
	if len(k.waiters) > 0 { // the worker knows whether a newer version starts in its place
		c.Send(c.Parent(), inheritWaiters{k.name, k.waiters})
		k.waiters = nil
	}
	k.listener.ConnectorUnassigned(k.name)
	c.Stop(c.Self())
}

func (k *connector) answer(err error) {
	answerAll(k.waiters, err)
	k.waiters = nil
}

// toTarget moves the instance towards its target state.
func (k *connector) toTarget(c actor.Context) {
	if k.stopping {
		return
	}
	switch k.target {
	case connectors.Started:
		if k.failed || k.cur != nil {
			return
		}
		k.start(c)
	default:
		if k.failed && k.target != connectors.Stopped {
			return // a failed connector can only be stopped
		}
		k.failed = false
		k.stopTimer()
		if k.cur != nil {
			k.end(c, nil)
			return
		}
		k.rest()
	}
}

// rest reports PAUSED or STOPPED.
func (k *connector) rest() {
	if k.target == connectors.Paused {
		k.listener.ConnectorPaused(k.name)
	} else {
		k.listener.ConnectorStopped(k.name)
	}
	k.answer(nil)
}

func (k *connector) start(c actor.Context) {
	k.n++
	k.up, k.ending, k.failure, k.again, k.upSince = false, false, nil, false, time.Time{}
	root, self := c.ActorSystem().Root, c.Self()
	k.w.Totals.ConnectorStarts.Add(1)
	k.cur = newConnRun(k, func(e connEvent) { root.Send(self, e) })
	run := k.cur
	run.loops.Go(run.loop)
}

func (k *connector) end(c actor.Context, why error) {
	if k.ending {
		return
	}
	k.ending, k.failure = true, why
	root, self, n, run := c.ActorSystem().Root, c.Self(), k.n, k.cur
	run.cancel()
	go func() { // waited for through connEnded
		run.wait(k.w.Grace)
		root.Send(self, connEvent{n: n, kind: connEnded})
	}()
}

func (k *connector) event(c actor.Context, e connEvent) {
	if e.n != k.n || k.cur == nil {
		return
	}
	switch e.kind {
	case connUp:
		if k.ending {
			return
		}
		k.up, k.upSince = true, time.Now()
		k.listener.ConnectorRunning(k.name)
		k.answer(nil)
	case connConfigs:
		if !k.ending && k.target == connectors.Started {
			k.listener.TaskConfigs(k.name, e.applied, e.configs)
		}
	case connFailed:
		if !k.up {
			k.w.Totals.ConnectorStartFailures.Add(1)
		}
		if !k.again { // else they wait for the next incarnation
			k.answer(e.err)
		}
		if !k.ending {
			k.end(c, e.err)
		}
	case connReconfigure:
		if !k.ending {
			k.cur.reconfigure()
		}
	case connEnded:
		k.cur = nil
		k.ended(c)
	}
}

func (k *connector) ended(c actor.Context) {
	switch {
	case k.stopping:
		k.gone(c)
		return
	case k.again:
		k.again = false
		k.listener.ConnectorUnassigned(k.name)
		k.toTarget(c)
		return
	case k.failure == nil || k.target == connectors.Stopped:
		k.toTarget(c)
		return
	}
	var up time.Duration
	if k.up {
		up = max(time.Since(k.upSince), 1)
	}
	class := connectors.ClassOf(k.failure)
	if up == 0 && class == connectors.Crash {
		class = connectors.Configuration
	}
	delay, restart := k.budget.Next(k.w.Policy, class, time.Now(), up)
	if !restart {
		k.failed = true
		k.log.Error(fmt.Sprintf("Connector %s failed and is not restarted by itself", k.name), "class", class.String(), "err", k.failure)
		k.listener.ConnectorFailed(k.name, task.Trace(k.failure, "Mend the cause and restart the connector; its running tasks are left alone."))
		return
	}
	k.info.Restarts.Add(1)
	k.log.Warn(fmt.Sprintf("Connector %s failed; it is restarted", k.name), "after", delay.Round(time.Millisecond), "class", class.String(), "err", k.failure)
	k.listener.ConnectorRestarting(k.name, task.Trace(k.failure, fmt.Sprintf("Restarting in %s (a %s failure).", delay.Round(time.Millisecond), class)))
	root, self, n := c.ActorSystem().Root, c.Self(), k.n
	k.timer = time.AfterFunc(delay, func() { root.Send(self, connRetry{n}) })
}

// connRun is one incarnation of a connector.
type connRun struct {
	k      *connector
	n      int
	tell   func(connEvent)
	ctx    context.Context //nolint:containedctx // the incarnation's life
	cancel context.CancelFunc
	loops  sync.WaitGroup
	again  chan struct{}                                          // capacity 1: new task configurations are wanted
	call   func(name string, f func(context.Context) error) error // a method of the plugin
	offset connectors.OffsetReader

	mu     sync.Mutex
	closed bool // nothing new is started: somebody waits for what runs
	plugin sync.WaitGroup
}

func newConnRun(k *connector, tell func(connEvent)) *connRun {
	r := &connRun{k: k, n: k.n, again: make(chan struct{}, 1)}
	r.tell = func(e connEvent) { e.n = r.n; tell(e) }
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

func (r *connRun) reconfigure() {
	select {
	case r.again <- struct{}{}:
	default:
	}
}

// loop runs the plugin: Start, TaskConfigs as often as wanted, Stop.
func (r *connRun) loop() {
	// Guarded as a whole: config providers and constructors are plugin code too.
	if err := task.Guard(r.run); err != nil && r.ctx.Err() == nil {
		r.tell(connEvent{kind: connFailed, err: err})
	}
}

func (r *connRun) run() error {
	w := r.k.w
	config, _, err := w.Resolver.Resolve(r.ctx, r.k.want.Config)
	if err != nil {
		return &connectors.Error{JavaClass: connectors.ConfigException, Class: connectors.Configuration, Msg: "resolving the configuration of connector " + r.k.name, Cause: err}
	}
	p, ok := w.Registry.Connector(config["connector.class"])
	if !ok {
		return missingPlugin(config["connector.class"], w.Registry)
	}
	r.k.info.Kind.Store(p.Kind)
	r.k.info.Class.Store(p.Class)
	r.k.info.Ver.Store(p.Version)
	if p.Kind == connectors.SourceKind {
		r.offset = w.Offsets(r.k.name, r.k.want.Epoch)
		if err := checkTopicCreation(w.TopicCreation, config); err != nil {
			return err
		}
	}
	plugin := p.NewConnector()
	stop := func() {
		if err := task.Call(context.WithoutCancel(r.ctx), "stopping the connector", w.Grace, plugin.Stop, nil); err != nil {
			r.k.log.Warn("stopping the connector's plugin failed", "err", err)
		}
	}
	// A plugin inside a call that was left behind is stopped when it returns, not
	// beside it.
	var left bool
	defer func() {
		if !left {
			stop()
		}
	}()
	r.call = func(name string, f func(context.Context) error) error {
		err := task.Call(r.ctx, name, w.CallTimeout, f, stop)
		left = left || task.Abandoned(err)
		return err
	}
	if err := r.call("starting the connector", func(ctx context.Context) error {
		return plugin.Start(ctx, connectorContext{r}, config)
	}); err != nil {
		return connectors.Errorf("starting: %w", err)
	}
	r.tell(connEvent{kind: connUp})
	for {
		if err := r.makeConfigs(plugin, p, config); err != nil {
			return err
		}
		select {
		case <-r.ctx.Done():
			return nil
		case <-r.again:
		}
	}
}

// makeConfigs asks the plugin for its tasks' configurations.
func (r *connRun) makeConfigs(plugin connectors.Connector, p *connectors.Plugin, config map[string]string) error {
	maxTasks := 1
	if t := config["tasks.max"]; t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			return connectors.ConfigError("Invalid value %s for configuration tasks.max: Value must be at least 1", t)
		}
		maxTasks = n
	}
	made := make(chan []map[string]string, 1)
	if err := r.call("making task configurations", func(ctx context.Context) error {
		configs, err := plugin.TaskConfigs(ctx, maxTasks)
		made <- configs
		return err
	}); err != nil {
		return connectors.Errorf("making task configurations: %w", err)
	}
	configs := slices.Clone(<-made) // the plugin may keep its slice
	if len(configs) > maxTasks {
		if config["tasks.max.enforce"] != "false" {
			return &connectors.Error{JavaClass: "org.apache.kafka.connect.runtime.TooManyTasksException", Class: connectors.Configuration,
				Msg: fmt.Sprintf("The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with 'tasks.max.enforce' set to false; however, this option will be removed in a future release of Kafka Connect.", r.k.name, len(configs), maxTasks)}
		}
		r.k.log.Warn("the connector made more task configurations than tasks.max allows; tasks.max.enforce=false lets them run", "tasks", len(configs), "tasks.max", maxTasks)
	}
	for i := range configs {
		full := make(map[string]string, len(configs[i])+2)
		for key, v := range configs[i] {
			full[key] = v
		}
		full["task.class"] = p.TaskClass
		for _, key := range []string{"topics", "topics.regex"} {
			if v, ok := config[key]; ok && p.Kind == connectors.SinkKind {
				full[key] = v
			}
		}
		configs[i] = full
	}
	r.tell(connEvent{kind: connConfigs, applied: r.k.want.Config, configs: configs})
	return nil
}

// wait waits for the incarnation to end, within bounds: the plugin's Stop has the
// grace, and a call that does not return is left behind by then.
func (r *connRun) wait(grace time.Duration) {
	done := make(chan struct{})
	go func() {
		r.loops.Wait()
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.plugin.Wait()
		close(done)
	}()
	t := time.NewTimer(grace + time.Second)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		r.k.log.Warn("the connector ignores its stop signal and is left behind", "waited", grace)
	}
}

// connectorContext is what the plugin is given.
type connectorContext struct{ r *connRun }

// Log implements [connectors.Context].
func (c connectorContext) Log() *slog.Logger { return c.r.k.log }

// Go implements [connectors.Context].
func (c connectorContext) Go(f func(context.Context) error) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.r.closed {
		c.r.k.log.Warn("the plugin starts a goroutine after it was stopped; it is not run")
		return
	}
	c.r.plugin.Go(func() {
		if err := task.Guard(func() error { return f(c.r.ctx) }); err != nil && c.r.ctx.Err() == nil {
			c.RaiseError(connectors.Errorf("on a goroutine of the plugin: %w", err))
		}
	})
}

// RequestTaskReconfiguration implements [connectors.ConnectorContext].
func (c connectorContext) RequestTaskReconfiguration() {
	c.r.tell(connEvent{kind: connReconfigure})
}

// RaiseError implements [connectors.ConnectorContext].
func (c connectorContext) RaiseError(err error) {
	if err == nil {
		err = connectors.Errorf("the connector's plugin raised an error without saying which")
	}
	c.r.tell(connEvent{kind: connFailed, err: err})
}

// Offsets implements [connectors.ConnectorContext].
func (c connectorContext) Offsets() connectors.OffsetReader { return c.r.offset }
