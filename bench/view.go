package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/troupeio/troupe/cluster/placement"
)

// clusterView is what GET /cluster, which only Troupe has, says of the nodes and of
// what they run.
type clusterView struct {
	Leader     string
	Generation int
	Nodes      []struct{ ID, State string }
	Units      []viewUnit
}

type viewUnit struct {
	Connector           string
	Task                *int
	Node, State, Reason string
	Epoch               int64
}

func (u viewUnit) key() unitKey {
	if u.Task == nil {
		return unitKey{u.Connector, -1}
	}
	return unitKey{u.Connector, *u.Task}
}

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
		all[u.key()] = stay{u.Node, u.Epoch}
		calm = calm && u.State == "assigned"
	}
	return all, calm
}

// problem is what keeps a cluster of so many workers from being whole, "" for nothing:
// a node is not there, or a unit has no place, is to move, or does not run where its
// place is, or the nodes do not have their shares. What runs where is in is.
func (v clusterView) problem(is map[unitKey]stay, workers int) string {
	for _, n := range v.Nodes {
		if n.State != "running" {
			return fmt.Sprintf("node %s is %s", n.ID, n.State)
		}
	}
	if len(v.Nodes) != workers || v.Leader == "" {
		return fmt.Sprintf("%d of %d nodes are there, led by %q", len(v.Nodes), workers, v.Leader)
	}
	if len(v.Units) != len(is) {
		return fmt.Sprintf("%d of %d connectors and tasks have a place", len(v.Units), len(is))
	}
	for _, u := range v.Units {
		if u.State != "assigned" {
			return fmt.Sprintf("%s is %s: %s", u.key(), u.State, u.Reason)
		}
		if at := is[u.key()].node; at != u.Node {
			return fmt.Sprintf("%s has its place on %s and runs on %q", u.key(), u.Node, at)
		}
	}
	return v.uneven()
}

// uneven is the next move that placement itself wants for balance, "" when it wants none:
// then each node has its share, by weight. That need not be the same number of tasks.
func (v clusterView) uneven() string {
	in := placement.Input{Current: make(map[placement.Unit]string), MaxMoves: 1}
	for _, n := range v.Nodes {
		in.Nodes = append(in.Nodes, placement.Node{ID: n.ID})
	}
	tasks := make(map[string]int)
	for _, u := range v.Units {
		key := u.key()
		in.Current[placement.Unit{Connector: key.connector, Task: key.task}] = u.Node
		tasks[key.connector] = max(tasks[key.connector], key.task+1)
	}
	for name, n := range tasks {
		in.Connectors = append(in.Connectors, placement.Connector{Name: name, Tasks: n, Instance: true})
	}
	for _, m := range placement.Place(in).Moves {
		return fmt.Sprintf("%s is to go from %s to %s: %s", m.Unit, m.From, m.To, m.Reason)
	}
	return ""
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
