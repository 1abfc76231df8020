package restapi

import (
	"bufio"
	"context"
	"net/http"
	"time"

	"github.com/troupeio/troupe/cluster"
)

var errAlone = cluster.Errorf(http.StatusNotFound, "This worker is not part of a cluster: standalone and dev mode have one worker and no nodes")

// viewBody is [cluster.View] without its units, which are written one by one.
type viewBody struct {
	Group       string     `json:"group"`
	Node        string     `json:"node"`
	Generation  int32      `json:"generation"`
	Leader      *string    `json:"leader"`
	LeaseMs     int64      `json:"lease_ms"`
	Nodes       []nodeBody `json:"nodes"`
	Unreachable []string   `json:"unreachable"`
	Moves       []moveBody `json:"moves"`
}

type nodeBody struct {
	ID         string            `json:"id"`
	Member     string            `json:"member"`
	Boot       string            `json:"boot"`
	URL        string            `json:"url"`
	Gossip     string            `json:"gossip"`
	Version    string            `json:"version"`
	State      string            `json:"state"`
	Capacity   float64           `json:"capacity"`
	Labels     map[string]string `json:"labels"`
	Connectors int               `json:"connectors"`
	Tasks      int               `json:"tasks"`
}

// unitName names a task, or without one a connector's instance.
type unitName struct {
	Connector string `json:"connector"`
	Task      *int   `json:"task,omitempty"`
}

func nameOf(u cluster.Unit) unitName {
	if u.Task < 0 {
		return unitName{Connector: u.Connector}
	}
	return unitName{u.Connector, &u.Task}
}

type unitBody struct {
	unitName
	Node   *string `json:"node"`
	Epoch  int64   `json:"epoch"`
	State  string  `json:"state"`
	Reason string  `json:"reason"`
	Since  *string `json:"since"`
}

type moveBody struct {
	unitName
	From   *string `json:"from"`
	To     *string `json:"to"`
	Reason string  `json:"reason"`
	At     *string `json:"at"`
	Epoch  int64   `json:"epoch"`
}

// orNull is null for nobody.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// instant is a time to the millisecond, as RFC 3339; null for none.
func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// viewOf keeps the moves of one connector, "" for all.
func viewOf(v cluster.View, connector string) viewBody {
	b := viewBody{Group: v.Group, Node: v.Node, Generation: v.Generation, Leader: orNull(v.Leader), LeaseMs: v.Lease.Milliseconds(),
		Nodes: make([]nodeBody, 0, len(v.Nodes)), Unreachable: append([]string{}, v.Unreachable...), Moves: []moveBody{}}
	for _, n := range v.Nodes {
		labels := n.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		b.Nodes = append(b.Nodes, nodeBody{n.ID, n.Member, n.Boot, n.URL, n.Gossip, n.Version, n.State, n.Capacity, labels, n.Connectors, n.Tasks})
	}
	for _, m := range v.Moves {
		if connector == "" || m.Unit.Connector == connector {
			b.Moves = append(b.Moves, moveBody{nameOf(m.Unit), orNull(m.From), orNull(m.To), m.Reason, instant(m.At), m.Epoch})
		}
	}
	return b
}

// cluster answers GET /cluster. Units are the part that grows with the cluster: they
// come last and are written as they are encoded.
func (a *api) cluster(w http.ResponseWriter, r *request) {
	if a.nodes == nil {
		fail(w, errAlone)
		return
	}
	a.within(w, r, func(ctx context.Context) error {
		v, err := a.nodes.View(ctx)
		if err != nil {
			return err
		}
		connector := r.query.Get("connector")
		head := encode(viewOf(v, connector))
		if r.query.Get("units") == "false" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(head)
			return nil
		}
		w.Header().Set("Content-Type", "application/json")
		out := bufio.NewWriterSize(w, 32<<10)
		_, _ = out.Write(head[:len(head)-1])
		_, _ = out.WriteString(`,"units":[`)
		first := true
		for _, u := range v.Units {
			if connector != "" && u.Unit.Connector != connector {
				continue
			}
			if !first {
				_ = out.WriteByte(',')
			}
			first = false
			if _, err := out.Write(encode(unitBody{nameOf(u.Unit), orNull(u.Node), u.Epoch, u.State, u.Reason, instant(u.Since)})); err != nil {
				return nil // the caller is gone
			}
		}
		_, _ = out.WriteString("]}")
		_ = out.Flush()
		return nil
	})
}

// drain answers POST /cluster/nodes/{node}/drain and undrain.
func (a *api) drain(drain bool) handler {
	return func(w http.ResponseWriter, r *request) {
		if a.nodes == nil {
			fail(w, errAlone)
			return
		}
		a.within(w, r, func(ctx context.Context) error {
			if err := a.nodes.Drain(ctx, r.vars["node"], drain); err != nil {
				return err
			}
			w.WriteHeader(http.StatusAccepted)
			return nil
		})
	}
}
