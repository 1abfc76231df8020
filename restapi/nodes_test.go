package restapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// testKeys are session keys that a test changes.
type testKeys struct {
	mu   sync.Mutex
	keys []store.SessionKey
}

func keysOf(texts ...string) *testKeys {
	k := &testKeys{}
	k.set(texts...)
	return k
}

func (k *testKeys) set(texts ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = nil
	for _, t := range texts {
		k.keys = append(k.keys, store.SessionKey{Key: []byte(t), Algorithm: "HmacSHA256"})
	}
}

// SessionKeys implements [cluster.SessionKeys].
func (k *testKeys) SessionKeys() []store.SessionKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys)
}

// nodeHerder asks do for what becomes of a request; "" it stands for nothing else.
type nodeHerder struct {
	cluster.API
	do func(ctx context.Context, what string) error
}

func (h *nodeHerder) PutConnector(ctx context.Context, name string, config map[string]string, _ *connectors.TargetState, _ bool) (cluster.ConnectorInfo, bool, error) {
	if err := h.do(ctx, "put "+name); err != nil {
		return cluster.ConnectorInfo{}, false, err
	}
	return cluster.ConnectorInfo{Name: name, Config: config, Type: "source"}, true, nil
}

func (h *nodeHerder) Pause(ctx context.Context, name string) error { return h.do(ctx, "pause "+name) }

func (h *nodeHerder) DeleteConnector(ctx context.Context, name string) error {
	return h.do(ctx, "delete "+name)
}

func (h *nodeHerder) ResetOffsets(ctx context.Context, name string) (string, error) {
	return "reset", h.do(ctx, "offsets "+name)
}

func (h *nodeHerder) Topics(ctx context.Context, name string) ([]string, error) {
	return []string{"t"}, h.do(ctx, "topics "+name)
}

func (h *nodeHerder) SetClusterLogLevel(ctx context.Context, namespace, level string) error {
	return h.do(ctx, "level "+namespace+" "+level)
}

// fakeNodes notes what it is asked; fail is its answer.
type fakeNodes struct {
	refreshed atomic.Int32
	refresh   func(context.Context) error
	view      cluster.View

	left chan struct{} // closed when the member m1 has left; nil: it does not

	mu    sync.Mutex
	fail  error
	asked []string
	acks  []cluster.Ack
}

func (n *fakeNodes) note(format string, args ...any) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, fmt.Sprintf(format, args...))
	return n.fail
}

func (n *fakeNodes) View(context.Context) (cluster.View, error) { return n.view, nil }

func (n *fakeNodes) Drain(_ context.Context, node string, drain bool) error {
	return n.note("drain %q %v", node, drain)
}

func (n *fakeNodes) PutTaskConfigs(ctx context.Context, connector string, configs []map[string]string) error {
	return n.note("tasks %q %v forwarded=%v", connector, configs, cluster.Forwarded(ctx))
}

func (n *fakeNodes) Acknowledge(_ context.Context, acks []cluster.Ack) error {
	n.mu.Lock()
	n.acks = append(n.acks, acks...)
	n.mu.Unlock()
	return n.note("acks %d", len(acks))
}

func (n *fakeNodes) AwaitLeft(ctx context.Context, member string) error {
	left := n.left
	if member != "m1" {
		left = nil
	}
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *fakeNodes) Refresh(ctx context.Context) error {
	n.refreshed.Add(1)
	if n.refresh != nil {
		return n.refresh(ctx)
	}
	return nil
}

// testNode is a gateway with a herder that counts.
type testNode struct {
	*Server
	url    string
	nodes  *fakeNodes
	called atomic.Int32
	do     func(ctx context.Context, what string) error
}

func node(t *testing.T, o Options) *testNode {
	t.Helper()
	n := &testNode{nodes: &fakeNodes{}, do: func(context.Context, string) error { return nil }}
	o.Herder = &nodeHerder{do: func(ctx context.Context, what string) error {
		n.called.Add(1)
		return n.do(ctx, what)
	}}
	o.Nodes = n.nodes
	if o.Keys == nil {
		o.Keys = keysOf("key")
	}
	n.Server = start(t, o)
	n.url = "http://" + n.Addrs[0].String() + "/"
	return n
}

// to makes a node send everything on; what has been sent on is not here.
func to(url string) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		if cluster.Forwarded(ctx) {
			return &cluster.NotHere{Why: "not the leader"}
		}
		return &cluster.Elsewhere{URL: url}
	}
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) message() string {
	var e errorBody
	_ = json.Unmarshal([]byte(r.body), &e)
	return e.Message
}

func call(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return send(t, r)
}

func send(t *testing.T, r *http.Request) reply {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}
