package restapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster"
)

func TestClient(t *testing.T) {
	b := node(t, Options{Auth: PasswordFile{"ann": "x"}})
	c, err := NewClient(keysOf("key"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	unit := cluster.Unit{Connector: "a/b", Task: 3}
	acks := []cluster.Ack{{Unit: unit, Epoch: 7}, {Unit: cluster.Unit{Connector: "é", Task: -1}, Epoch: 8}}
	for name, err := range map[string]error{
		"tasks":    c.PutTaskConfigs(ctx, b.url, "a/b c", []map[string]string{{"x": "1"}, {}}),
		"no tasks": c.PutTaskConfigs(ctx, b.url, "..", nil),
		"acks":     c.Acknowledge(ctx, b.url, acks),
		"drain":    c.Drain(ctx, b.url, "n/1;x", true),
		"undrain":  c.Drain(ctx, b.url, "n%2", false),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	slices.Sort(b.nodes.asked)
	want := []string{"acks 2", `drain "n%2" false`, `drain "n/1;x" true`, `tasks ".." [] forwarded=true`, `tasks "a/b c" [map[x:1] map[]] forwarded=true`}
	if !slices.Equal(b.nodes.asked, want) || !slices.Equal(b.nodes.acks, acks) {
		t.Errorf("%q %v", b.nodes.asked, b.nodes.acks)
	}

	var notHere *cluster.NotHere
	b.nodes.fail = &cluster.NotHere{Why: "not the leader"}
	if err := c.Acknowledge(ctx, b.url, acks); !errors.As(err, &notHere) || notHere.Why != "not the leader" {
		t.Errorf("not here: %v", err)
	}
	b.nodes.fail = cluster.Errorf(404, "There is no node x")
	if err := c.Drain(ctx, b.url, "x", true); cluster.StatusOf(err) != 404 || !strings.HasSuffix(err.Error(), ": There is no node x") {
		t.Errorf("unknown: %v", err)
	}
	if err := c.Acknowledge(ctx, "http://127.0.0.1:1/", acks); err == nil || !strings.Contains(err.Error(), "could not be reached") {
		t.Errorf("gone: %v", err)
	}
	for _, tc := range []struct {
		name   string
		keys   *testKeys
		status int
	}{{"no key here", keysOf(), 500}, {"wrong key", keysOf("other"), 403}} {
		c, _ := NewClient(tc.keys, "", nil)
		if err := c.Acknowledge(ctx, b.url, acks); err == nil || errors.As(err, &notHere) || cluster.StatusOf(err) != tc.status {
			t.Errorf("%s: %v", tc.name, err)
		}
		c.Close()
	}
	if _, err := NewClient(keysOf("key"), "Foo", nil); err == nil {
		t.Error("an unknown algorithm was taken")
	}
	url, _ := leader(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := c.Acknowledge(short, url, acks); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "may or may not") {
		t.Errorf("a node that hangs: %v", err)
	}
}

// TestInternal holds the endpoints that only nodes may use.
func TestInternal(t *testing.T) {
	kip507 := func(body string) []string {
		return []string{headerAlgorithm, "HmacSHA256", headerSignature, base64.StdEncoding.EncodeToString(mac(macOf("HmacSHA256"), []byte("key"), []byte(body)))}
	}
	signed := func(method, target, body string) []string {
		s, _ := newSigner(keysOf("key"), "", nil)
		r := httptest.NewRequest(method, target, nil)
		_ = s.sign(r, target+"?", []byte(body))
		var out []string
		for _, k := range slices.Sorted(maps.Keys(r.Header)) {
			out = append(out, k, r.Header.Get(k))
		}
		return out
	}
	const tasks, acks = "/connectors/a/tasks", "/cluster/acks"
	for _, tc := range []struct {
		name, target, body string
		headers            []string
		keys               []string
		status             int
	}{
		{"tasks", tasks, `[{"a":"b"}]`, signed("POST", tasks, `[{"a":"b"}]`), nil, 204},
		{"unsigned", tasks, `[]`, nil, nil, 400},
		{"signed as Kafka Connect's worker", tasks, `[]`, kip507(`[]`), nil, 403},
		{"signed wrong", tasks, `[]`, kip507(`[{}]`), nil, 403},
		{"no key", tasks, `[]`, kip507(`[]`), []string{}, 503},
		{"no array", tasks, `{}`, signed("POST", tasks, `{}`), nil, 400},
		{"null", tasks, `null`, signed("POST", tasks, `null`), nil, 400},
		{"a null in it", tasks, `[null]`, signed("POST", tasks, `[null]`), nil, 400},
		{"objects as settings", tasks, `[{"a":{}}]`, signed("POST", tasks, `[{"a":{}}]`), nil, 400},
		{"empty", tasks, ``, signed("POST", tasks, ``), nil, 400},
		{"acks", acks, `[{"connector":"a","task":-1,"epoch":9007199254740993,"later":1}]`, signed("POST", acks, `[{"connector":"a","task":-1,"epoch":9007199254740993,"later":1}]`), nil, 204},
		{"acks unsigned", acks, `[]`, nil, nil, 400},
		{"acks of nothing", acks, `[{}]`, signed("POST", acks, `[{}]`), nil, 400},
		{"acks that are none", acks, `{`, signed("POST", acks, `{`), nil, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nodes := &fakeNodes{}
			if tc.keys == nil {
				tc.keys = []string{"key"}
			}
			h := handlerOf(Options{Nodes: nodes, Keys: keysOf(tc.keys...)})
			w := ask(h, "POST", tc.target, tc.body, append(tc.headers, "Content-Type", "application/json")...)
			if w.Code != tc.status {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if (len(nodes.asked) == 1) != (tc.status == 204) {
				t.Errorf("asked %q", nodes.asked)
			}
		})
	}
	alone := handlerOf(Options{Standalone: true})
	for _, target := range [][2]string{{"GET", "/cluster"}, {"POST", "/cluster/nodes/a/drain"}, {"POST", "/cluster/nodes/a/undrain"}, {"POST", acks}} {
		if w := ask(alone, target[0], target[1], ""); w.Code != 404 || !strings.Contains(w.Body.String(), "not part of a cluster") {
			t.Errorf("alone: %s %s: %d %s", target[0], target[1], w.Code, w.Body)
		}
	}
	if w := ask(alone, "POST", tasks, "[]"); w.Code != 500 {
		t.Errorf("standalone: %d %s", w.Code, w.Body)
	}
	if w := ask(handlerOf(Options{}), "PUT", "/connectors/a/pause", "", headerRequest, "1 2 3 4"); w.Code != 403 {
		t.Errorf("without keys: %d %s", w.Code, w.Body)
	}
}

func TestDrain(t *testing.T) {
	a, b := node(t, Options{}), node(t, Options{})
	a.nodes.fail = &cluster.Elsewhere{URL: b.url}
	if got := call(t, "POST", a.url+"cluster/nodes/n%2F1/drain", ""); got.status != 202 || got.body != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := call(t, "POST", b.url+"cluster/nodes/n2/undrain", ""); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if want := []string{`drain "n/1" true`, `drain "n2" false`}; !slices.Equal(b.nodes.asked, want) {
		t.Errorf("%q", b.nodes.asked)
	}
	b.nodes.fail = cluster.Errorf(404, "There is no node x")
	if got := call(t, "POST", a.url+"cluster/nodes/x/drain", ""); got.status != 404 || got.message() != "There is no node x" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestClusterView(t *testing.T) {
	at := time.Date(2025, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600))
	nodes := &fakeNodes{view: cluster.View{Group: "g", Node: "n1", Generation: 4, Leader: "n2", Lease: 6500 * time.Millisecond,
		Nodes: []cluster.NodeView{{ID: "n1", Member: "m", Boot: "b", URL: "http://h:1/", Gossip: "h:2", Version: "v", State: "running", Capacity: 1.5,
			Labels: map[string]string{"zone": "a"}, Connectors: 1, Tasks: 2}, {ID: "n2", State: "joining"}},
		Units: []cluster.UnitView{{Unit: cluster.Unit{Connector: "a", Task: -1}, Node: "n1", Epoch: 5, State: "assigned", Since: at},
			{Unit: cluster.Unit{Connector: "b"}, State: "unplaced", Reason: "no node has zone=<c>"}},
		Unreachable: []string{"h:3"},
		Moves:       []cluster.MoveView{{Unit: cluster.Unit{Connector: "a", Task: 1}, From: "n2", To: "n1", Reason: "balance", At: at, Epoch: 6}, {Unit: cluster.Unit{Connector: "b", Task: -1}}}}}
	h := handlerOf(Options{Nodes: nodes, Keys: keysOf("k")})
	const head = `{"group":"g","node":"n1","generation":4,"leader":"n2","lease_ms":6500,"nodes":[` +
		`{"id":"n1","member":"m","boot":"b","url":"http://h:1/","gossip":"h:2","version":"v","state":"running","capacity":1.5,"labels":{"zone":"a"},"connectors":1,"tasks":2},` +
		`{"id":"n2","member":"","boot":"","url":"","gossip":"","version":"","state":"joining","capacity":0,"labels":{},"connectors":0,"tasks":0}],"unreachable":["h:3"],"moves":[`
	const moveA = `{"connector":"a","task":1,"from":"n2","to":"n1","reason":"balance","at":"2025-03-01T11:00:00.005Z","epoch":6}`
	const moveB = `{"connector":"b","from":null,"to":null,"reason":"","at":null,"epoch":0}`
	const unitA = `{"connector":"a","node":"n1","epoch":5,"state":"assigned","reason":"","since":"2025-03-01T11:00:00.005Z"}`
	const unitB = `{"connector":"b","task":0,"node":null,"epoch":0,"state":"unplaced","reason":"no node has zone=<c>","since":null}`
	for _, tc := range []struct{ name, query, want string }{
		{"all", "", head + moveA + "," + moveB + `],"units":[` + unitA + "," + unitB + "]}"},
		{"without units", "?units=false", head + moveA + "," + moveB + "]}"},
		{"one connector", "?connector=b", head + moveB + `],"units":[` + unitB + "]}"},
		{"an unknown connector", "?connector=x", head + `],"units":[]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := ask(h, "GET", "/cluster"+tc.query, "")
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Body.String() != tc.want {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	nodes.view = cluster.View{}
	if w := ask(h, "GET", "/cluster", ""); w.Body.String() != `{"group":"","node":"","generation":0,"leader":null,"lease_ms":0,"nodes":[],"unreachable":[],"moves":[],"units":[]}` {
		t.Errorf("an empty view: %s", w.Body)
	}
	for i := range 50_000 {
		nodes.view.Units = append(nodes.view.Units, cluster.UnitView{Unit: cluster.Unit{Connector: "c", Task: i}, Node: "n"})
	}
	var all struct{ Units []json.RawMessage }
	if err := json.Unmarshal(ask(h, "GET", "/cluster", "").Body.Bytes(), &all); err != nil || len(all.Units) != 50_000 {
		t.Errorf("%d units, %v", len(all.Units), err)
	}
}
