package cluster_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/troupeio/troupe/cluster/clustertest"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/file"
)

// world is one bubble's cluster with its networks, its broker and its troubles.
type world struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand // of the one goroutine that makes trouble

	gossipNet, kafkaNet *clustertest.Hub
	broker              *clustertest.Endpoint
	kafka               *kfake.Cluster
	registry            *connectors.Registry
	resolver            *configprovider.Resolver
	quarantine          time.Duration
	began               time.Time

	mu       sync.Mutex
	hosts    []*host
	faults   map[*fault]bool
	unrest   time.Time // when something last happened that may hold work up
	tale     []string
	starting sync.WaitGroup
	clearing sync.WaitGroup
	check    *checker
	ghosts   *exorcist
}

// host is where a node lives, life after life.
type host struct {
	w             *world
	id            string
	gossip, kafka string // addresses
	lives         int
	now           *node // nil: nothing runs
	busy          bool  // it starts or leaves
}

// fault is a trouble that lasts. The functions say what is between two hosts, and
// between a host and the broker.
type fault struct {
	what   string
	gossip func(from, to *host) clustertest.Link
	kafka  func(h *host) (to, back clustertest.Link)
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), gossipNet: clustertest.New(seed), kafkaNet: clustertest.New(seed + 1),
		faults: make(map[*fault]bool), began: time.Now(), unrest: time.Now()}
	w.broker = w.kafkaNet.Endpoint()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(w.broker.Listen), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	w.kafka = k
	if w.registry, err = connectors.NewRegistry(file.Plugins()); err != nil {
		t.Fatal(err)
	}
	if w.resolver, err = configprovider.New(nil); err != nil {
		t.Fatal(err)
	}
	// No fault, and a network of a data centre.
	w.gossipNet.SetAll(usual)
	w.kafkaNet.SetAll(usual)
	if w.ghosts, err = newExorcist(w); err != nil {
		t.Fatal(err)
	}
	w.check = newChecker(w)
	return w
}

// usual is how a link is that has no trouble.
var usual = clustertest.Link{Delay: 300 * time.Microsecond, Jitter: 400 * time.Microsecond}

// dice returns dice for one part of the world; the order of goroutines does not reach
// them.
func (w *world) dice(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// since is the world's time.
func (w *world) since() time.Duration { return time.Since(w.began) }

// say notes what happens, for the tale that a failed seed tells.
func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := fmt.Sprintf("%8.3fs  %s", w.since().Seconds(), fmt.Sprintf(format, args...))
	w.tale = append(w.tale, line)
	if os.Getenv("TROUPE_CHAOS_LIVE") != "" {
		fmt.Fprintln(os.Stderr, line)
	}
}

// trouble notes that something has happened that may hold work up.
func (w *world) trouble() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unrest = time.Now()
}

// logger returns a node's log: part of the tale if that is asked for.
func (w *world) logger(boot string) *slog.Logger {
	if os.Getenv("TROUPE_CHAOS_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	level := slog.LevelInfo
	if os.Getenv("TROUPE_CHAOS_LOG") == "debug" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(taleWriter{w, boot}, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

type taleWriter struct {
	w    *world
	boot string
}

func (t taleWriter) Write(b []byte) (int, error) {
	t.w.say("  %s: %s", t.boot, strings.TrimSpace(string(b)))
	return len(b), nil
}

// newHost adds a place for a node.
func (w *world) newHost() *host {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The endpoints are only to learn the addresses: each life plugs in anew.
	g, k := w.gossipNet.Endpoint(), w.kafkaNet.Endpoint()
	h := &host{w: w, id: fmt.Sprintf("n%d", len(w.hosts)+1), gossip: g.Addr(), kafka: k.Addr()}
	_, _ = g.Shutdown(), k.Shutdown()
	w.hosts = append(w.hosts, h)
	return h
}

// up starts a life of a node, in the background.
func (h *host) up() {
	w := h.w
	w.mu.Lock()
	h.busy = true
	h.lives++
	n := &node{w: w, id: h.id, boot: fmt.Sprintf("%s-%d", h.id, h.lives), url: "http://" + h.id + "/", poked: make(chan struct{}, 1)}
	w.mu.Unlock()
	n.log = w.logger(n.boot)
	var err error
	if n.gossipEnd, err = w.gossipNet.EndpointAt(h.gossip); err != nil {
		w.t.Error(err)
		return
	}
	if n.kafkaEnd, err = w.kafkaNet.EndpointAt(h.kafka); err != nil {
		w.t.Error(err)
		return
	}
	w.say("%s starts", n.boot)
	w.trouble()
	w.apply()
	w.starting.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*chaosStarting)
		defer cancel()
		err := n.start(ctx)
		w.mu.Lock()
		h.now, h.busy = n, false
		w.mu.Unlock()
		w.trouble()
		if err != nil {
			w.t.Errorf("%s does not start: %v", n.boot, err)
		}
	})
}

// down ends the life of a node, by a crash or by the book.
func (h *host) down(crash bool) {
	w := h.w
	w.mu.Lock()
	n := h.now
	h.now = nil
	w.mu.Unlock()
	w.trouble()
	if crash {
		w.say("%s crashes", n.boot)
		n.crash()
		return
	}
	w.say("%s leaves", n.boot)
	w.mu.Lock()
	h.busy = true
	h.now = n // it works on while it drains
	w.mu.Unlock()
	w.starting.Go(func() {
		n.leave()
		w.say("%s has left", n.boot)
		w.trouble()
		w.mu.Lock()
		h.now, h.busy = nil, false
		w.mu.Unlock()
	})
}

// nodes lists the lives that are there.
func (w *world) nodes() []*node {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*node
	for _, h := range w.hosts {
		if h.now != nil {
			out = append(out, h.now)
		}
	}
	return out
}

func (w *world) byURL(url string) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if h.now != nil && h.now.url == url {
			return h.now
		}
	}
	return nil
}

// begin puts a fault in place, end takes it away.
func (w *world) begin(f *fault) {
	w.say("begins: %s", f.what)
	w.mu.Lock()
	w.faults[f] = true
	w.unrest = time.Now()
	w.mu.Unlock()
	w.apply()
}

func (w *world) end(f *fault) {
	w.mu.Lock()
	there := w.faults[f]
	delete(w.faults, f)
	w.unrest = time.Now()
	w.mu.Unlock()
	if there {
		w.say("ends: %s", f.what)
		w.apply()
	}
}

func join(a, b clustertest.Link) clustertest.Link {
	return clustertest.Link{Cut: a.Cut || b.Cut, Delay: max(a.Delay, b.Delay), Jitter: max(a.Jitter, b.Jitter), Loss: max(a.Loss, b.Loss)}
}

// between is what all faults together make of the way between two hosts; to and back
// what they make of that to the broker. Called with mu held.
func (w *world) between(from, to *host) clustertest.Link {
	l := usual
	for f := range w.faults {
		if f.gossip != nil {
			l = join(l, f.gossip(from, to))
		}
	}
	return l
}

func (w *world) toBroker(h *host) (to, back clustertest.Link) {
	to, back = usual, usual
	for f := range w.faults {
		if f.kafka != nil {
			t, b := f.kafka(h)
			to, back = join(to, t), join(back, b)
		}
	}
	return to, back
}

// apply tells the networks of the faults that there are.
func (w *world) apply() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if a != b {
				w.gossipNet.Set(a.gossip, b.gossip, w.between(a, b))
			}
		}
		to, back := w.toBroker(a)
		w.kafkaNet.Set(a.kafka, w.broker.Addr(), to)
		w.kafkaNet.Set(w.broker.Addr(), a.kafka, back)
	}
}

// isCut reports whether gossip's way from one address to another is cut.
func (w *world) isCut(from, to string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	var a, b *host
	for _, h := range w.hosts {
		if h.gossip == from {
			a = h
		}
		if h.gossip == to {
			b = h
		}
	}
	return a != b && w.between(a, b).Cut
}

// reaches reports whether a node has no trouble with the broker now.
func (w *world) reaches(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if h.id == id {
			to, back := w.toBroker(h)
			return to == usual && back == usual
		}
	}
	return false
}

// calm is for how long nothing has happened that may hold work up; 0 while a fault is
// in place or a node starts or leaves.
func (w *world) calm() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) > 0 {
		return 0
	}
	for _, h := range w.hosts {
		if h.busy {
			return 0
		}
	}
	return time.Since(w.unrest)
}

// close ends everything in the bubble.
func (w *world) close() {
	w.starting.Wait()
	for _, h := range w.hosts {
		if h.now != nil {
			h.now.crash()
		}
	}
	w.clearing.Wait()
	w.ghosts.stop()
	w.kafka.Close()
	_ = w.broker.Shutdown()
	time.Sleep(2 * time.Minute) // memberlist does not wait for its loops: they run out in the bubble
}
