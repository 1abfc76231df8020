package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// clusterView is what GET /cluster, which only Troupe has, says of the nodes and of
// what they run.
type clusterView struct {
	Leader string
	Units  []struct {
		Connector   string
		Task        *int
		Node, State string
		Epoch       int64
	}
}

// unitKey is a task, or with task -1 a connector's instance.
type unitKey = taskKey

// stay is where a unit is, and since which assignment.
type stay struct {
	node  string
	epoch int64
}

// view asks one worker.
func (w *worker) view(ctx context.Context) (clusterView, error) {
	var v clusterView
	code, answer, err := w.do(ctx, http.MethodGet, "/cluster", nil)
	if err != nil {
		return v, err
	}
	if code != http.StatusOK {
		return v, fmt.Errorf("asking %s for its view of the cluster: status %d: %s", w.id(), code, answer)
	}
	if err := json.Unmarshal(answer, &v); err != nil {
		return v, fmt.Errorf("reading %s's view of the cluster: %w", w.id(), err)
	}
	return v, nil
}

// stays are the places of all units; calm is false while one has none or is to move.
func (v clusterView) stays() (all map[unitKey]stay, calm bool) {
	all, calm = map[unitKey]stay{}, true
	for _, u := range v.Units {
		key := unitKey{u.Connector, -1}
		if u.Task != nil {
			key.task = *u.Task
		}
		all[key] = stay{u.Node, u.Epoch}
		calm = calm && u.State == "assigned"
	}
	return all, calm
}

// changed counts the units of other nodes than the dead one that were assigned anew.
func changed(before, after map[unitKey]stay, dead string) (n int) {
	for key, s := range before {
		if s.node != dead && after[key] != s {
			n++
		}
	}
	return n
}

// leader is the index of the worker that leads, and -1 when that is none of them.
func (c *nodes) leader(v clusterView) int {
	for i, w := range c.workers {
		if w.id() == v.Leader {
			return i
		}
	}
	return -1
}

// calm waits until every unit has a place and none is to move.
func (c *nodes) calm(ctx context.Context) error {
	for {
		v, err := c.workers[0].view(ctx)
		if err != nil {
			return err
		}
		if _, calm := v.stays(); calm && c.leader(v) >= 0 {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting until no unit is to move: %w", err)
		}
	}
}
