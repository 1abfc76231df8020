package main

import (
	"context"
	"sync"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// gate is what REST talks to: the herder there is. While there is none, because the
// node starts or makes again what failed, requests wait as long as they may, and are
// then answered as those to a worker that starts.
type gate struct {
	idle *cluster.Herder // never started: it answers those who have waited in vain

	mu     sync.Mutex
	herder *cluster.Herder // nil: there is none now
	opened chan struct{}   // closed once there is a herder
}

var (
	_ cluster.API         = (*gate)(nil)
	_ cluster.Nodes       = (*gate)(nil)
	_ cluster.SessionKeys = (*gate)(nil)
)

// newGate returns a gate that is shut. It is given a herder that is not to be started.
func newGate(idle *cluster.Herder) *gate { return &gate{idle: idle, opened: make(chan struct{})} }

// open lets requests through to h, which runs.
func (g *gate) open(h *cluster.Herder) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.herder = h
	close(g.opened)
}

// shut makes requests wait. Those that a herder has begun are its own to answer.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.herder != nil {
		g.herder, g.opened = nil, make(chan struct{})
	}
}

// get waits for a herder that runs. When ctx ends first it returns one that answers
// what a worker answers that starts.
func (g *gate) get(ctx context.Context) *cluster.Herder {
	for {
		g.mu.Lock()
		h, opened := g.herder, g.opened
		g.mu.Unlock()
		if h != nil {
			return h
		}
		if cluster.Forwarded(ctx) { // it is not waited for: another node may be the one by now
			return g.idle
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return g.idle
		}
	}
}

// Server implements [cluster.API].
func (g *gate) Server(ctx context.Context) (cluster.ServerInfo, error) { return g.get(ctx).Server(ctx) }

// Health implements [cluster.API].
func (g *gate) Health(ctx context.Context) cluster.Health { return g.get(ctx).Health(ctx) }

// Connectors implements [cluster.API].
func (g *gate) Connectors(ctx context.Context) ([]string, error) { return g.get(ctx).Connectors(ctx) }

// Connector implements [cluster.API].
func (g *gate) Connector(ctx context.Context, name string) (cluster.ConnectorInfo, error) {
	return g.get(ctx).Connector(ctx, name)
}

// PutConnector implements [cluster.API].
func (g *gate) PutConnector(ctx context.Context, name string, config map[string]string, initial *connectors.TargetState, replace bool) (cluster.ConnectorInfo, bool, error) {
	return g.get(ctx).PutConnector(ctx, name, config, initial, replace)
}

// PatchConnector implements [cluster.API].
func (g *gate) PatchConnector(ctx context.Context, name string, patch map[string]*string) (cluster.ConnectorInfo, error) {
	return g.get(ctx).PatchConnector(ctx, name, patch)
}

// DeleteConnector implements [cluster.API].
func (g *gate) DeleteConnector(ctx context.Context, name string) error {
	return g.get(ctx).DeleteConnector(ctx, name)
}

// Status implements [cluster.API].
func (g *gate) Status(ctx context.Context, name string) (cluster.ConnectorStatus, error) {
	return g.get(ctx).Status(ctx, name)
}

// Tasks implements [cluster.API].
func (g *gate) Tasks(ctx context.Context, name string) ([]cluster.TaskInfo, error) {
	return g.get(ctx).Tasks(ctx, name)
}

// TaskStatus implements [cluster.API].
func (g *gate) TaskStatus(ctx context.Context, id connectors.TaskID) (cluster.TaskStatus, error) {
	return g.get(ctx).TaskStatus(ctx, id)
}

// Pause implements [cluster.API].
func (g *gate) Pause(ctx context.Context, name string) error { return g.get(ctx).Pause(ctx, name) }

// Resume implements [cluster.API].
func (g *gate) Resume(ctx context.Context, name string) error { return g.get(ctx).Resume(ctx, name) }

// StopConnector implements [cluster.API].
func (g *gate) StopConnector(ctx context.Context, name string) error {
	return g.get(ctx).StopConnector(ctx, name)
}

// RestartConnector implements [cluster.API].
func (g *gate) RestartConnector(ctx context.Context, name string) error {
	return g.get(ctx).RestartConnector(ctx, name)
}

// RestartConnectorAndTasks implements [cluster.API].
func (g *gate) RestartConnectorAndTasks(ctx context.Context, r cluster.RestartRequest) (cluster.ConnectorStatus, error) {
	return g.get(ctx).RestartConnectorAndTasks(ctx, r)
}

// RestartTask implements [cluster.API].
func (g *gate) RestartTask(ctx context.Context, id connectors.TaskID) error {
	return g.get(ctx).RestartTask(ctx, id)
}

// Topics implements [cluster.API].
func (g *gate) Topics(ctx context.Context, name string) ([]string, error) {
	return g.get(ctx).Topics(ctx, name)
}

// ResetTopics implements [cluster.API].
func (g *gate) ResetTopics(ctx context.Context, name string) error {
	return g.get(ctx).ResetTopics(ctx, name)
}

// Offsets implements [cluster.API].
func (g *gate) Offsets(ctx context.Context, name string) ([]cluster.Offset, error) {
	return g.get(ctx).Offsets(ctx, name)
}

// AlterOffsets implements [cluster.API].
func (g *gate) AlterOffsets(ctx context.Context, name string, offsets []cluster.Offset) (string, error) {
	return g.get(ctx).AlterOffsets(ctx, name, offsets)
}

// ResetOffsets implements [cluster.API].
func (g *gate) ResetOffsets(ctx context.Context, name string) (string, error) {
	return g.get(ctx).ResetOffsets(ctx, name)
}

// SetClusterLogLevel implements [cluster.API].
func (g *gate) SetClusterLogLevel(ctx context.Context, namespace, level string) error {
	return g.get(ctx).SetClusterLogLevel(ctx, namespace, level)
}

// View implements [cluster.Nodes].
func (g *gate) View(ctx context.Context) (cluster.View, error) { return g.get(ctx).View(ctx) }

// Drain implements [cluster.Nodes].
func (g *gate) Drain(ctx context.Context, node string, drain bool) error {
	return g.get(ctx).Drain(ctx, node, drain)
}

// PutTaskConfigs implements [cluster.Nodes].
func (g *gate) PutTaskConfigs(ctx context.Context, connector string, configs []map[string]string) error {
	return g.get(ctx).PutTaskConfigs(ctx, connector, configs)
}

// Acknowledge implements [cluster.Nodes].
func (g *gate) Acknowledge(ctx context.Context, acks []cluster.Ack) error {
	return g.get(ctx).Acknowledge(ctx, acks)
}

// AwaitLeft implements [cluster.Nodes].
func (g *gate) AwaitLeft(ctx context.Context, member string) error {
	return g.get(ctx).AwaitLeft(ctx, member)
}

// Refresh implements [cluster.Nodes].
func (g *gate) Refresh(ctx context.Context) error { return g.get(ctx).Refresh(ctx) }

// SessionKeys implements [cluster.SessionKeys].
func (g *gate) SessionKeys() []store.SessionKey {
	g.mu.Lock()
	h := g.herder
	g.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.SessionKeys()
}
