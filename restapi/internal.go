package restapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/troupeio/troupe/cluster"
)

// The endpoints that nodes have for each other. Those of Kafka Connect's workers are
// not for Kafka Connect's workers: none is ever in a group with nodes.

func (a *api) internalTasks(w http.ResponseWriter, r *request) {
	if a.nodes == nil {
		_, err := taskConfigs(r)
		a.refuseInternal(w, r, err, "Kafka Connect in standalone mode does not support externally setting task configurations.")
		return
	}
	a.internal(w, r, func(ctx context.Context) error {
		configs, err := taskConfigs(r)
		if err != nil {
			return err
		}
		return a.nodes.PutTaskConfigs(ctx, r.vars["connector"], configs)
	})
}

// taskConfigs reads the body of POST /connectors/{connector}/tasks.
func taskConfigs(r *request) ([]map[string]string, error) {
	b, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, unreadable(errors.New("it is empty; a JSON array of task configurations is expected"))
	}
	var list []map[string]json.RawMessage
	if err := decode(b, &list); err != nil {
		return nil, err
	}
	if list == nil {
		return nil, unreadable(errors.New("it is null; a JSON array of task configurations is expected"))
	}
	out := make([]map[string]string, 0, len(list))
	for _, m := range list {
		if m == nil {
			return nil, unreadable(errors.New("a task configuration is null"))
		}
		c, err := FlatConfig(m)
		if err != nil {
			return nil, unreadable(err)
		}
		out = append(out, c)
	}
	return out, nil
}

// ackBody is one acknowledgement; task is -1 for the connector's instance.
type ackBody struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
	Epoch     int64  `json:"epoch"`
}

func (a *api) acknowledge(w http.ResponseWriter, r *request) {
	if a.nodes == nil {
		fail(w, errAlone)
		return
	}
	a.internal(w, r, func(ctx context.Context) error {
		b, err := readBody(r)
		if err != nil {
			return err
		}
		var list []ackBody // a newer version's nodes may say more
		if err := decode(b, &list); err != nil {
			return err
		}
		acks := make([]cluster.Ack, 0, len(list))
		for _, k := range list {
			if k.Connector == "" || k.Task < -1 {
				return unreadable(errors.New("an acknowledgement names no unit"))
			}
			acks = append(acks, cluster.Ack{Unit: cluster.Unit{Connector: k.Connector, Task: k.Task}, Epoch: k.Epoch})
		}
		return a.nodes.Acknowledge(ctx, acks)
	})
}

// internal is for requests that only nodes may make; they are answered without a
// body.
func (a *api) internal(w http.ResponseWriter, r *request, f func(context.Context) error) {
	a.within(w, r, func(ctx context.Context) error {
		if !cluster.Forwarded(ctx) { // which only a signature leads to
			return a.signer.refusal(r.Request)
		}
		if err := f(ctx); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// internalFence is refused: the leader fences by itself.
func (a *api) internalFence(w http.ResponseWriter, r *request) {
	a.refuseInternal(w, r, nil, "Kafka Connect in standalone mode does not support exactly-once source connectors.")
}

// refuseInternal answers where there is no cluster, so that no request is ever signed
// with a key that counts.
func (a *api) refuseInternal(w http.ResponseWriter, r *request, err error, standalone string) {
	switch {
	case err != nil:
	case a.standalone:
		err = errors.New(standalone)
	case a.signer != nil:
		err = a.signer.refusal(r.Request)
	case r.Header.Get(headerSignature) == "" || r.Header.Get(headerAlgorithm) == "":
		err = errUnsigned
	default:
		err = errSignature
	}
	fail(w, err)
}
