package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/connectors/connectconfig"
	"github.com/troupeio/troupe/restapi"
)

// node is one worker process: REST, and a core that is made again when a part of it
// fails. Its methods are for one goroutine, but for tasks.
type node struct {
	log        *slog.Logger
	logs       *telemetry.Logs
	settings   *workerconfig.Settings
	plugins    *cluster.Plugins
	begun      time.Time
	workerID   string          // host:port
	scheme     string          // of the advertised listener
	listenHost string          // of the advertised listener; "" for all addresses
	peers      *restapi.Client // requests to other nodes; nil for a worker that is alone
	lives      *lives          // nil before the first one, and when they can't be kept
	tracing    *telemetry.Tracing
	rest       *restapi.Server
	herder     *gate
	metrics    atomic.Pointer[http.Handler]
	core       atomic.Pointer[core] // nil while there is none
	failures   failures
	failed     chan error // what ends the process
	// exclusive says that others may reach the same topics, so that this node must be
	// the only one in its group.
	exclusive bool
}

// startNode brings a worker up. What was started is stopped again when it fails.
func startNode(ctx context.Context, mode workerconfig.Mode, props map[string]string, exclusive bool, logs *telemetry.Logs) (_ *node, err error) {
	log := logs.Logger(telemetry.LogStartup)
	n := &node{log: log, logs: logs, begun: time.Now(), failed: make(chan error, 4), exclusive: exclusive}
	settings, resolver, err := loadSettings(mode, props, log)
	if err != nil {
		return nil, err
	}
	n.settings = settings
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	reg, err := registry()
	if err != nil {
		return nil, err
	}
	n.plugins = &cluster.Plugins{Registry: reg, Resolver: resolver, Props: settings.Props, Policy: settings.Policy, Standalone: n.standalone(),
		GroupID: settings.Props["group.id"], Worker: connectconfig.Worker{KeyConverter: settings.Values.String("key.converter"),
			ValueConverter: settings.Values.String("value.converter"), HeaderConverter: settings.Values.String("header.converter")}}
	if err := checkConverters(reg, settings.Props); err != nil {
		return nil, err
	}
	// The port is open while the stores are read; requests wait for the herder.
	n.herder = newGate(cluster.NewHerder(n.herderOptions()))
	if err := n.startREST(ctx); err != nil {
		return nil, err
	}
	if n.tracing, err = telemetry.FromEnv(ctx, os.Getenv, version, n.workerID); err != nil {
		return nil, err
	}
	c, err := n.newCore(ctx)
	if err != nil {
		return nil, err
	}
	n.core.Store(c)
	n.herder.open(c.herder)
	log.Info("Kafka Connect started", "worker", n.workerID, "version", version)
	return n, nil
}

func (n *node) standalone() bool { return n.settings.Mode == workerconfig.Standalone }

// tasks returns the tasks that run now.
func (n *node) tasks() []*worker.TaskInfo {
	if c := n.core.Load(); c != nil {
		return c.worker.Tasks()
	}
	return nil
}

// fail tells of what ends the process. It does not block.
func (n *node) fail(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

// stop ends everything in order: no more requests, the tasks, the herder, the
// stores.
func (n *node) stop() error {
	if c := n.core.Load(); c != nil && c.nodes != nil {
		c.nodes.drain() // while the others still reach this node: it may lead them
	}
	if n.rest != nil {
		rctx, rcancel := context.WithTimeout(context.Background(), 2*time.Second)
		if err := n.rest.Stop(rctx); err != nil {
			// A request that hangs in a plugin must not make an orderly end a failure.
			n.log.Warn("requests were cut off at the end", "err", err)
		}
		rcancel()
		n.rest = nil
	}
	var errs []error
	if c := n.core.Swap(nil); c != nil {
		errs = append(errs, c.stop(5*time.Second))
	}
	n.close()
	n.log.Info("Kafka Connect stopped")
	return errors.Join(errs...)
}

// close releases what a start that failed has taken.
func (n *node) close() {
	if n.rest != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = n.rest.Stop(ctx)
		cancel()
	}
	if n.peers != nil {
		n.peers.Close()
	}
	n.lives.end()
	_ = n.tracing.Shutdown(context.Background())
}
