package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// core is what a node makes again as a whole when a part of it fails: the stores, the
// membership, the herder and the worker, in this order. REST is not of it.
type core struct {
	log    *slog.Logger
	herder *cluster.Herder
	worker *worker.Worker
	system *actor.ActorSystem
	pid    *actor.PID
	nodes  *clustered    // nil for a worker that is alone
	grace  time.Duration // how long connectors and tasks may take to stop
	// failed gets the first error of a part that can be made again.
	failed  chan error
	closers []func()
}

// newCore brings a core up. What was started is stopped again when it fails.
func (n *node) newCore(ctx context.Context) (_ *core, err error) {
	c := &core{log: n.log, failed: make(chan error, 1), grace: 2 * (n.settings.Grace + n.settings.FlushTimeout + 5*time.Second)}
	defer func() {
		if err != nil {
			c.close()
			err = explainLogin(err, n.settings.Props)
		}
	}()
	c.herder = cluster.NewHerder(n.herderOptions())
	states := telemetry.NewStates(c.herder)
	c.worker = worker.New(n.workerConfig(c.herder, states))
	if err := n.openStores(ctx, c); err != nil {
		return nil, err
	}
	if c.nodes != nil {
		c.worker.Allowed = c.nodes.co.Allowed
	}
	c.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return n.logs.Logger("troupe.actors") }))
	c.pid = c.system.Root.Spawn(c.worker.ActorProps())
	deadLetters, stopCounting := telemetry.CountDeadLetters(c.system)
	c.closers = append(c.closers, stopCounting)
	c.herder.Start(c.system, c.pid)
	var co *cluster.Coordinator
	if c.nodes != nil {
		co = c.nodes.co
		co.Start(c.herder, c.nodes.member)
	}
	handler := n.metricsHandler(c.worker, states, deadLetters, co)
	n.metrics.Store(&handler)
	return c, nil
}

func (n *node) herderOptions() cluster.Options {
	return cluster.Options{WorkerID: n.workerID, Standalone: n.standalone(), Registry: n.plugins.Registry, Resolver: n.plugins.Resolver, Check: n.plugins.Check,
		Log: n.logs.Logger(telemetry.LogHerder), SetLevel: func(ns, level string) { n.logs.Set(ns, level) },
		TopicTracking: n.settings.TopicTracking, TopicReset: n.settings.TopicReset, Sinks: &cluster.Groups{Worker: n.settings.Props, Log: n.log}}
}

// startTogether is how many tasks build at the same time.
const startTogether = 8

func (n *node) workerConfig(h *cluster.Herder, listener worker.Listener) worker.Config {
	s, v := n.settings, n.settings.Values
	policy := task.Policy{Never: v.String("task.restart.policy") == "never", MaxCrashes: v.Int("task.restart.max"),
		Window: s.Millis("task.restart.window.ms"), Initial: time.Second, MaxDelay: 5 * time.Minute}
	return worker.Config{ID: n.workerID, Group: s.Props["group.id"], Props: s.Props, Registry: n.plugins.Registry, Resolver: n.plugins.Resolver, Listener: listener,
		Offsets: func(name string, epoch int64) task.OffsetStore {
			return offsets{store.ConnectorOffsets{Store: h.Options.Offsets, Connector: name}, epoch}
		},
		Spans: n.tracing.Spans(), Log: n.logs.Logger(telemetry.LogTask), Policy: policy, Grace: s.Grace, CallTimeout: s.CallTimeout,
		FlushInterval: s.FlushInterval, FlushTimeout: s.FlushTimeout, Budget: v.Long("task.buffer.bytes"),
		TopicCreation: s.TopicCreation, StartTogether: startTogether, StaticMembers: !n.standalone()}
}

// fail tells of a part that failed and that can be made again. It does not block.
func (c *core) fail(err error) {
	select {
	case c.failed <- err:
	default: // one is enough
	}
}

// stop ends the tasks, the herder and the stores, in order. flush bounds the wait for
// the last statuses to be written.
func (c *core) stop(flush time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.grace)
	defer cancel()
	done := make(chan struct{})
	c.system.Root.Send(c.pid, worker.Shutdown{Done: done})
	select {
	case <-done:
	case <-ctx.Done():
		c.log.Warn("connectors and tasks did not stop in time and are left behind", "waited", c.grace)
	}
	fctx, fcancel := context.WithTimeout(context.Background(), flush)
	defer fcancel()
	if c.nodes != nil {
		c.nodes.co.Stop()
	}
	err := c.herder.Stop(fctx)
	c.close()
	if err != nil {
		return fmt.Errorf("writing the last statuses: %w", err)
	}
	return nil
}

// close releases what a start that failed has taken.
func (c *core) close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		c.closers[i]()
	}
	c.closers = nil
}

// offsets lets a task store what its ledger gives it.
type offsets struct {
	store.ConnectorOffsets
	epoch int64 // of the stay in which the task runs; goes with each record
}

// Put implements [task.OffsetStore].
func (o offsets) Put(ctx context.Context, offs []task.PartitionOffset) error {
	out := make([]connectors.PartitionOffset, len(offs))
	for i, p := range offs {
		out[i] = connectors.PartitionOffset{Partition: p.Partition, Offset: p.Offset.Map()}
	}
	return o.Store.Put(ctx, o.Connector, out, store.EpochHeader(o.epoch))
}
