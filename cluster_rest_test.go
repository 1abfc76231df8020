package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestClusterREST leads connectors through their lives with requests to random nodes.
// What a node was asked to write it answers at once.
func TestClusterREST(t *testing.T) {
	seed := fromEnv(t, seedEnv, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d for the same nodes", seedEnv, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	c := startCluster(t, 3)
	lives := 3
	if clusterLong() {
		lives = 60
	}
	for i := range lives {
		clusterLife(t, c, func() *clusterNode { return c.nodes[rng.IntN(len(c.nodes))] }, fmt.Sprintf("%s-%d", c.group, i))
	}
}

// clusterLife is the life of one connector.
func clusterLife(t *testing.T, c *testCluster, random func() *clusterNode, name string) {
	t.Helper()
	in := filepath.Join(t.TempDir(), "in.txt")
	lines := numberedLines(name+" ", 0, 20)
	appendLines(t, in, lines...)
	createTopic(t, c.addr, name, 1)
	// write sends a request to a random node; what reads it back is asked of the same node
	// at once, and of another one.
	write := func(status int, method, path string, body any) *clusterNode {
		t.Helper()
		n := random()
		n.rest(status, method, path, body)
		return n
	}
	readBack := func(n *clusterNode, path, want string) {
		t.Helper()
		for _, n := range []*clusterNode{n, random()} {
			if got := n.rest(200, "GET", path, nil); !strings.Contains(got, want) {
				t.Errorf("%s %s on %s right after a write: %s, want %s in it", name, path, n.id, got, want)
			}
		}
	}
	config := fileSource(name, in, name)
	n := write(201, "POST", "/connectors", map[string]any{"name": name, "config": config})
	readBack(n, at(name)+"/config", in)
	readBack(n, "/connectors", name)
	random().waitState(name, "RUNNING RUNNING")
	tail := newTailTopic(t, c.addr, name)
	tail.await(len(lines))

	config["batch.size"] = "7"
	n = write(200, "PUT", at(name)+"/config", config)
	readBack(n, at(name), `"batch.size":"7"`)
	n = write(200, "PATCH", at(name)+"/config", map[string]any{"batch.size": "8"})
	readBack(n, at(name), `"batch.size":"8"`)
	random().rest(409, "POST", "/connectors", map[string]any{"name": name, "config": config})

	write(202, "PUT", at(name)+"/pause", nil)
	random().waitState(name, "PAUSED PAUSED")
	write(202, "PUT", at(name)+"/resume", nil)
	random().waitState(name, "RUNNING RUNNING")
	write(204, "POST", at(name)+"/restart", nil)
	write(204, "POST", at(name)+"/tasks/0/restart", nil)
	write(202, "POST", at(name)+"/restart?includeTasks=true", nil)
	random().waitState(name, "RUNNING RUNNING")

	write(204, "PUT", at(name)+"/stop", nil)
	random().waitState(name, "STOPPED")
	// The offsets of a task that has just ended elsewhere may still be on their way.
	eventually(t, func() string {
		if text := random().rest(200, "GET", at(name)+"/offsets", nil); !strings.Contains(text, in) {
			return "the offsets are " + text
		}
		return ""
	})
	offset := map[string]any{"offsets": []any{map[string]any{"partition": map[string]any{"filename": in}, "offset": map[string]any{"position": 0}}}}
	n = write(200, "PATCH", at(name)+"/offsets", offset)
	readBack(n, at(name)+"/offsets", `"position":0`)
	write(202, "PUT", at(name)+"/resume", nil)
	tail.await(2 * len(lines))
	random().waitState(name, "RUNNING RUNNING")
	write(204, "PUT", at(name)+"/stop", nil)
	random().waitState(name, "STOPPED")
	n = write(200, "DELETE", at(name)+"/offsets", nil)
	readBack(n, at(name)+"/offsets", `"offsets":[]`)

	n = write(204, "DELETE", at(name), nil)
	for _, n := range []*clusterNode{n, random()} {
		n.rest(404, "GET", at(name), nil)
	}
	n.rest(404, "DELETE", at(name), nil)
	eventually(t, func() string {
		for _, u := range random().view().Units {
			if u.Connector == name {
				return fmt.Sprintf("the deleted connector is still in the log: %+v", u)
			}
		}
		return ""
	})
}

// TestClusterRESTLeaderKilled kills the leader in the middle of a stream of writes to the
// other nodes: what was answered 2xx is there, nothing is answered 409, and writes wait
// for the next leader.
func TestClusterRESTLeaderKilled(t *testing.T) {
	c := startCluster(t, 3)
	rounds := 1
	if clusterLong() {
		rounds = 10
	}
	for round := range rounds {
		leader := c.leader()
		var others []*clusterNode
		for _, n := range c.nodes {
			if n != leader {
				others = append(others, n)
			}
		}
		w := &writeStream{t: t, acked: make(map[string]string), codes: make(map[int]int), stop: make(chan struct{})}
		for i := range 4 {
			w.wg.Go(func() { w.run(others[i%2], fmt.Sprintf("%s-%d-%d", c.group, round, i)) })
		}
		time.Sleep(time.Second)
		w.mark()
		killed := leader.kill()
		c.waitTogether()
		elected := time.Since(killed)
		time.Sleep(500 * time.Millisecond)
		close(w.stop)
		w.wg.Wait()
		for name, want := range w.acked {
			for _, n := range others {
				code, text, err := n.try("GET", at(name)+"/config", nil)
				switch {
				case err != nil:
					t.Error(err)
				case want == "" && code != 404, want != "" && (code != 200 || !strings.Contains(text, `"`+want+`"`)):
					t.Errorf("%s on %s is %d %s, and what was answered is %q", name, n.id, code, text, want)
				}
			}
		}
		t.Logf("all nodes have heard of the next leader %v after the kill; answers %v, of unknown outcome %d %.300q; a write took %v (median of %d), the slowest %v before and %v after",
			elected.Round(time.Millisecond), w.codes, len(w.unsure), w.unsure, middle(w.quiet), len(w.quiet), w.before.Round(time.Millisecond), w.after.Round(time.Millisecond))
		if w.codes[409] > 0 {
			t.Errorf("%d writes were answered 409", w.codes[409])
		}
		if w.after > 2*failoverLimit {
			t.Errorf("a write took %v", w.after)
		}
		leader.launch()
		leader.ready()
		c.waitTogether()
	}
}

// TestClusterRESTLeaderStands sends writes to a leader that stands still: what can be
// repeated is carried out by the next leader, of what cannot the answer comes as soon as
// the group is without the old one, and the old one changes nothing when it wakes up.
func TestClusterRESTLeaderStands(t *testing.T) {
	c := startCluster(t, 3)
	name := c.group + "-kept"
	config := fileSource(name, filepath.Join(t.TempDir(), "none.txt"), name)
	n := c.follower()
	n.rest(201, "POST", "/connectors", map[string]any{"name": name, "config": config})
	n.waitState(name, "RUNNING RUNNING")
	leader := c.leader()
	leader.Signal(syscall.SIGSTOP)
	begun := time.Now()
	var wg sync.WaitGroup
	asks := func(status int, method, path string, body any, want string) {
		wg.Go(func() {
			code, text, err := n.try(method, path, body)
			if err != nil || code != status || !strings.Contains(text, want) {
				t.Errorf("%s %s: %d %s %v", method, path, code, text, err)
			}
			t.Logf("%s %s: %d after %v", method, path, code, time.Since(begun).Round(time.Millisecond))
		})
	}
	asks(202, "PUT", at(name)+"/pause", nil, "")
	asks(500, "POST", "/connectors", map[string]any{"name": name + "-new", "config": fileSource(name+"-new", "none", name)}, "may or may not have been carried out")
	wg.Wait()
	if took := time.Since(begun); took > 2*failoverLimit {
		t.Errorf("the answers took %v", took)
	}
	asks(202, "PUT", at(name)+"/resume", nil, "")
	wg.Wait()
	leader.Signal(syscall.SIGCONT)
	c.waitTogether()
	n.waitState(name, "RUNNING RUNNING")
	if text := n.rest(200, "GET", "/connectors", nil); strings.Contains(text, name+"-new") {
		t.Errorf("the woken leader has created a connector: %s", text)
	}
}

func middle(v []time.Duration) time.Duration {
	slices.Sort(v)
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2].Round(time.Millisecond)
}

// writeStream writes connectors as fast as it is answered.
type writeStream struct {
	t    testing.TB
	stop chan struct{}
	wg   sync.WaitGroup

	mu            sync.Mutex
	acked         map[string]string // connector -> its topic; "" is deleted
	codes         map[int]int
	unsure        []string
	quiet         []time.Duration // before the mark
	before, after time.Duration   // the slowest
	marked        time.Time
}

func (w *writeStream) mark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marked = time.Now()
}

func (w *writeStream) run(n *clusterNode, prefix string) {
	unsure := 0 // writes of unknown outcome; then others' names are written
	for i := 0; ; i++ {
		select {
		case <-w.stop:
			return
		default:
		}
		name, topic := fmt.Sprintf("%s-%d-%d", prefix, unsure, i%10), fmt.Sprintf("topic-%d", i)
		begin := time.Now()
		var code int
		var text string
		var err error
		w.mu.Lock()
		had := w.acked[name]
		w.mu.Unlock()
		switch {
		case i%7 == 6 && had != "":
			topic = ""
			code, text, err = n.try("DELETE", at(name), nil)
		case had == "":
			body, _ := json.Marshal(map[string]any{"name": name, "config": fileSource(name, "none", topic), "initial_state": "STOPPED"})
			code, text, err = n.try("POST", "/connectors", string(body))
		default:
			code, text, err = n.try("PUT", at(name)+"/config", fileSource(name, "none", topic))
		}
		took := time.Since(begin)
		w.mu.Lock()
		w.codes[code]++
		if w.marked.IsZero() {
			w.before = max(w.before, took)
			w.quiet = append(w.quiet, took)
		} else {
			w.after = max(w.after, took)
		}
		switch {
		case err != nil:
			w.t.Errorf("%s on a node that lives: %v", name, err)
			w.mu.Unlock()
			return
		case code < 300:
			w.acked[name] = topic
		case strings.Contains(text, "Nothing was done"), strings.Contains(text, "nothing was written"):
		default:
			// It may have been carried out or not: neither is known of this connector.
			w.unsure = append(w.unsure, text)
			delete(w.acked, name)
			unsure++
		}
		w.mu.Unlock()
	}
}
