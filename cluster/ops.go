package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// Server implements [API].
func (h *Herder) Server(ctx context.Context) (ServerInfo, error) {
	err := h.awaitStart(ctx)
	return h.Options.Server, err
}

// Health implements [API]: the writer answers, so the herder is alive.
func (h *Herder) Health(ctx context.Context) Health {
	if err := h.awaitStart(ctx); err != nil {
		return Health{"starting", "Worker is still starting up."}
	}
	if err := h.writeHere(ctx, "", func(context.Context) error { return nil }); err != nil {
		return Health{"unhealthy", "Worker was unable to handle this request and may be unable to handle other requests."}
	}
	return Health{"healthy", "Worker has completed startup and is ready to handle requests."}
}

// Connectors implements [API].
func (h *Herder) Connectors(ctx context.Context) ([]string, error) {
	if err := h.awaitStart(ctx); err != nil {
		return nil, err
	}
	h.fresh(ctx)
	return h.Configs.Snapshot().Connectors(), nil
}

// Connector implements [API].
func (h *Herder) Connector(ctx context.Context, name string) (ConnectorInfo, error) {
	if err := h.awaitStart(ctx); err != nil {
		return ConnectorInfo{}, err
	}
	h.fresh(ctx)
	return h.info(h.Configs.Snapshot(), name)
}

// fresh reads the configurations to their end before an answer that depends on what
// another node may just have written. When Kafka is slow the answer is from this
// node's view.
func (h *Herder) fresh(ctx context.Context) {
	if h.Nodes == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, freshTimeout)
	defer cancel()
	if err := h.Configs.Refresh(ctx); err != nil {
		h.Log.Debug("reading the configurations to their end before an answer", "err", err)
	}
}

// known reads the configurations to their end when they do not have a connector.
func (h *Herder) known(ctx context.Context, name string) {
	if !h.Configs.Snapshot().Contains(name) {
		h.fresh(ctx)
	}
}

const freshTimeout = 500 * time.Millisecond

func (h *Herder) info(s *store.Snapshot, name string) (ConnectorInfo, error) {
	if !s.Contains(name) {
		return ConnectorInfo{}, Errorf(404, "Connector %s not found", name)
	}
	return ConnectorInfo{Name: name, Config: s.Config(name), Tasks: s.Tasks(name), Type: h.kind(s.Config(name))}, nil
}

func (h *Herder) kind(config map[string]string) string {
	if p, ok := h.Registry.Connector(config["connector.class"]); ok {
		return string(p.Kind)
	}
	return "unknown"
}

// PutConnector implements [API].
func (h *Herder) PutConnector(ctx context.Context, name string, config map[string]string, initial *connectors.TargetState, replace bool) (info ConnectorInfo, created bool, err error) {
	var same func(*store.Snapshot) bool
	if replace && initial == nil {
		same = func(s *store.Snapshot) bool { return maps.Equal(s.Config(name), config) }
	}
	return h.put(ctx, name, initial, same, func(s *store.Snapshot) (map[string]string, error) {
		if !replace && s.Contains(name) {
			return nil, Errorf(409, "Connector %s already exists", name)
		}
		return config, nil
	})
}

// PatchConnector implements [API].
func (h *Herder) PatchConnector(ctx context.Context, name string, patch map[string]*string) (ConnectorInfo, error) {
	info, _, err := h.put(ctx, name, nil, nil, func(s *store.Snapshot) (map[string]string, error) {
		if !s.Contains(name) {
			return nil, Errorf(404, "Connector %s not found", name)
		}
		merged := make(map[string]*string)
		for k, v := range s.Config(name) {
			merged[k] = &v
		}
		for k, v := range patch {
			if v == nil {
				delete(merged, k)
			} else {
				merged[k] = v
			}
		}
		return h.Check(ctx, merged)
	})
	return info, err
}

// put writes the configuration that makes returns. It is made when it is the turn of
// this write, so that two patches of one connector add up. same, if not nil, reports
// whether the connector has that configuration; then the write may be repeated.
func (h *Herder) put(ctx context.Context, name string, initial *connectors.TargetState, same func(*store.Snapshot) bool, makes func(*store.Snapshot) (map[string]string, error)) (ConnectorInfo, bool, error) {
	// Of the writer until write returns without an error.
	var w struct {
		config  map[string]string
		created bool
		wait    chan error
	}
	err := h.once(ctx, name, same, func(ctx context.Context) (err error) {
		s := h.Configs.Snapshot()
		if w.config, err = makes(s); err != nil {
			return err
		}
		w.created = !s.Contains(name)
		if h.Standalone {
			w.wait = make(chan error, 1)
			h.answer(name, nil) // one that still waits is overtaken
			h.mu.Lock()
			h.waiting[name] = w.wait
			h.mu.Unlock()
		}
		return h.Configs.PutConnector(ctx, name, w.config, initial)
	})
	if err != nil {
		return ConnectorInfo{}, false, err
	}
	if w.config == nil { // an earlier attempt has done it
		w.config = h.Configs.Snapshot().Config(name)
	}
	info := ConnectorInfo{Name: name, Config: w.config, Type: h.kind(w.config)}
	if w.wait != nil {
		select {
		case <-w.wait: // a connector that fails is there all the same; its status says why
		case <-ctx.Done():
			return info, w.created, ctx.Err()
		}
	}
	if !w.created || h.Standalone {
		info.Tasks = h.Configs.Snapshot().Tasks(name)
	}
	return info, w.created, nil
}

// DeleteConnector implements [API].
func (h *Herder) DeleteConnector(ctx context.Context, name string) error {
	return h.once(ctx, name, func(s *store.Snapshot) bool { return !s.Contains(name) }, func(ctx context.Context) error {
		if !h.Configs.Snapshot().Contains(name) {
			return Errorf(404, "Connector %s not found", name)
		}
		return h.Configs.RemoveConnector(ctx, name)
	})
}

// Status implements [API].
func (h *Herder) Status(ctx context.Context, name string) (ConnectorStatus, error) {
	if err := h.awaitStart(ctx); err != nil {
		return ConnectorStatus{}, err
	}
	st, ok := h.connectorStatus(name)
	if !ok {
		return ConnectorStatus{}, Errorf(404, "No status found for connector %s", name)
	}
	return st, nil
}

func (h *Herder) connectorStatus(name string) (ConnectorStatus, bool) {
	c, ok := h.Statuses.Connector(name)
	if !ok {
		return ConnectorStatus{}, false
	}
	out := ConnectorStatus{Name: name, Connector: instance(c), Type: h.kind(h.Configs.Snapshot().Config(name))}
	for _, t := range h.Statuses.Tasks(name) {
		out.Tasks = append(out.Tasks, TaskStatus{t.Task, instance(t.Status)})
	}
	return out, true
}

func instance(s store.Status) InstanceStatus {
	return InstanceStatus{State: s.State, WorkerID: s.WorkerID, Version: s.Version, Trace: s.Trace}
}

// Tasks implements [API].
func (h *Herder) Tasks(ctx context.Context, name string) ([]TaskInfo, error) {
	if err := h.awaitStart(ctx); err != nil {
		return nil, err
	}
	h.fresh(ctx)
	s := h.Configs.Snapshot()
	if !s.Contains(name) {
		return nil, Errorf(404, "Connector %s not found", name)
	}
	var out []TaskInfo
	for _, id := range s.Tasks(name) {
		out = append(out, TaskInfo{id, s.TaskConfig(id)})
	}
	return out, nil
}

// TaskStatus implements [API].
func (h *Herder) TaskStatus(ctx context.Context, id connectors.TaskID) (TaskStatus, error) {
	if err := h.awaitStart(ctx); err != nil {
		return TaskStatus{}, err
	}
	s, ok := h.Statuses.Task(id)
	if !ok {
		return TaskStatus{}, Errorf(404, "No status found for task %s", id)
	}
	return TaskStatus{id.Task, instance(s)}, nil
}

// Pause implements [API].
func (h *Herder) Pause(ctx context.Context, name string) error {
	return h.setTarget(ctx, name, connectors.Paused)
}

// Resume implements [API].
func (h *Herder) Resume(ctx context.Context, name string) error {
	return h.setTarget(ctx, name, connectors.Started)
}

func (h *Herder) setTarget(ctx context.Context, name string, state connectors.TargetState) error {
	return h.once(ctx, name, is(name, state), func(ctx context.Context) error {
		if !h.Configs.Snapshot().Contains(name) {
			return Errorf(404, "Unknown connector %s", name)
		}
		return h.Configs.PutTargetState(ctx, name, state)
	})
}

// is returns what reports whether a connector has a target state.
func is(name string, state connectors.TargetState) func(*store.Snapshot) bool {
	return func(s *store.Snapshot) bool {
		target, ok := s.TargetState(name)
		return ok && s.Contains(name) && target == state
	}
}

// StopConnector implements [API].
func (h *Herder) StopConnector(ctx context.Context, name string) error {
	return h.once(ctx, name, is(name, connectors.Stopped), func(ctx context.Context) error {
		if !h.Configs.Snapshot().Contains(name) {
			if h.Standalone {
				return Errorf(500, "No connector `%s` configured", name)
			}
			return Errorf(404, "Unknown connector %s", name)
		}
		return h.Configs.Stop(ctx, name)
	})
}

// unknown is the answer to restarting what does not exist. Kafka Connect's standalone
// worker stumbles over it: 500.
func (h *Herder) unknown(name string) error {
	if h.Standalone {
		return Errorf(500, "Unknown connector: %s", name)
	}
	return Errorf(404, "Unknown connector: %s", name)
}

// RestartConnector implements [API].
func (h *Herder) RestartConnector(ctx context.Context, name string) error {
	if err := h.awaitStart(ctx); err != nil {
		return err
	}
	h.known(ctx, name)
	if !h.Configs.Snapshot().Contains(name) {
		return h.unknown(name)
	}
	if lifted, err := h.lift(ctx, placement.Instance(name)); lifted {
		return err
	}
	err := h.restartHere(ctx, placement.Instance(name), func() error {
		done := make(chan error, 1)
		h.system.Root.Send(h.worker, worker.RestartConnector{Name: name, Done: done})
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if failed, ok := errors.AsType[*startFailed](err); ok {
		h.Log.Warn("restarting a connector failed", "connector", name, "err", failed.error)
		return Errorf(500, "Failed to start connector: %s", name)
	}
	return err
}

// restartHere has the worker restart a unit that is to be found on this node, and tells
// where it is to be found otherwise. An outcome of the restart itself is a startFailed.
func (h *Herder) restartHere(ctx context.Context, u Unit, restart func() error) error {
	until := time.Now().Add(ownedTimeout)
	for {
		if err := h.owned(ctx, u); err != nil {
			return err
		}
		h.apply() // it may have been written, or placed here, a moment ago
		err := restart()
		if err == nil || ctx.Err() != nil {
			return err
		}
		// A unit that is on the move is soon to be found somewhere.
		if h.Nodes == nil || !errors.Is(err, worker.ErrNotHere) || time.Now().After(until) {
			return &startFailed{err}
		}
		select {
		case <-h.Nodes.change():
		case <-time.After(restartRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const restartRetry = 100 * time.Millisecond

// startFailed is why something did not start.
type startFailed struct{ error }

// RestartConnectorAndTasks implements [API].
func (h *Herder) RestartConnectorAndTasks(ctx context.Context, r RestartRequest) (ConnectorStatus, error) {
	if err := h.awaitStart(ctx); err != nil {
		return ConnectorStatus{}, err
	}
	h.known(ctx, r.Connector)
	if !h.Configs.Snapshot().Contains(r.Connector) {
		return ConnectorStatus{}, Errorf(404, "Unknown connector: %s", r.Connector)
	}
	p, ok := h.restartPlan(r)
	if !ok {
		return ConnectorStatus{}, Errorf(404, "Status for connector %s not found", r.Connector)
	}
	err := h.write(ctx, r.Connector, func(ctx context.Context) error {
		units := make([]Unit, len(p.tasks), len(p.tasks)+1)
		for i, id := range p.tasks {
			units[i] = Unit(id)
		}
		if p.connector {
			units = append(units, placement.Instance(r.Connector))
		}
		if _, err := h.lift(ctx, units...); err != nil {
			return err
		}
		return h.Configs.PutRestartRequest(ctx, store.RestartRequest(r))
	})
	return p.status, err
}

// RestartTask implements [API].
func (h *Herder) RestartTask(ctx context.Context, id connectors.TaskID) error {
	if err := h.awaitStart(ctx); err != nil {
		return err
	}
	h.fresh(ctx)
	s := h.Configs.Snapshot()
	if !s.Contains(id.Connector) {
		return h.unknown(id.Connector)
	}
	if !slices.Contains(s.Tasks(id.Connector), id) {
		if h.Standalone {
			return Errorf(404, "Task %s not found", id)
		}
		return Errorf(404, "Unknown task: %s", id)
	}
	if lifted, err := h.lift(ctx, Unit(id)); lifted {
		return err
	}
	err := h.restartHere(ctx, Unit(id), func() error {
		done := make(chan bool, 1)
		h.system.Root.Send(h.worker, worker.RestartTask{ID: id, Done: done})
		select {
		case ok := <-done:
			if !ok {
				return worker.ErrNotHere
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if _, ok := errors.AsType[*startFailed](err); ok {
		return Errorf(500, "Failed to start task: %s", id)
	}
	return err
}

// lift lets what was quarantined start again; then there is nothing else to restart.
func (h *Herder) lift(ctx context.Context, units ...Unit) (bool, error) {
	if h.Nodes == nil {
		return false, nil
	}
	return h.Nodes.lift(ctx, units...)
}

// owned returns nil when a unit is to be found on this node, and else where it is.
func (h *Herder) owned(ctx context.Context, u Unit) error {
	if h.Nodes == nil {
		return nil
	}
	return h.Nodes.owned(ctx, u)
}

// Topics implements [API].
func (h *Herder) Topics(ctx context.Context, name string) ([]string, error) {
	if !h.TopicTracking {
		return nil, Errorf(403, "Topic tracking is disabled.")
	}
	if err := h.awaitStart(ctx); err != nil {
		return nil, err
	}
	var out []string
	for _, t := range h.Statuses.Topics(name) {
		out = append(out, t.Topic)
	}
	return out, nil
}

// ResetTopics implements [API].
func (h *Herder) ResetTopics(ctx context.Context, name string) error {
	if !h.TopicTracking {
		return Errorf(403, "Topic tracking is disabled.")
	}
	if !h.TopicReset {
		return Errorf(403, "Topic tracking reset is disabled.")
	}
	if err := h.awaitStart(ctx); err != nil {
		return err
	}
	for _, t := range h.Statuses.Topics(name) {
		h.Statuses.RemoveTopic(name, t.Topic)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.topicSeen, func(k string, _ bool) bool { return len(k) > len(name) && k[:len(name)+1] == name+"\x00" })
	return nil
}

// SetClusterLogLevel implements [API].
func (h *Herder) SetClusterLogLevel(ctx context.Context, namespace, level string) error {
	return h.write(ctx, "", func(ctx context.Context) error { return h.Configs.PutLoggerLevel(ctx, namespace, level) })
}
