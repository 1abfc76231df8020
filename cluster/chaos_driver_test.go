package cluster_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/clustertest"
	"github.com/troupeio/troupe/connectors"
)

// driver makes the trouble of one seed, and asks for what users ask for.
type driver struct {
	w   *world
	wg  sync.WaitGroup
	die *rand.Rand // of requests

	mu   sync.Mutex
	want map[string]*asked
	busy map[string]bool // connectors with a request that is not answered
}

// asked is what a connector should be by the requests that were answered.
type asked struct {
	tasks  int
	target connectors.TargetState
	gone   bool
	// After a request whose outcome is not known these may be otherwise.
	open, openTarget bool
}

func newDriver(w *world) *driver {
	return &driver{w: w, die: w.dice("requests"), want: make(map[string]*asked), busy: make(map[string]bool)}
}

// ---- requests ----

const requestTimeout = 25 * time.Second

// request sends one to a node and notes what follows from the answer.
func (d *driver) request(n *node, name, what string, target bool, call func(ctx context.Context, h *cluster.Herder) error, then func(a *asked)) {
	d.mu.Lock()
	d.busy[name] = true
	d.mu.Unlock()
	d.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		began := time.Now()
		_, err := n.ask(ctx, call)
		d.w.say("%s of %s through %s after %v: %v", what, name, n.boot, time.Since(began).Round(time.Millisecond), err)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.busy, name)
		a := d.want[name]
		if a == nil {
			a = &asked{target: connectors.Started, gone: true}
			d.want[name] = a
		}
		switch known := err == nil && !n.isDead(); {
		case known && target:
			a.openTarget = false
			then(a)
		case known:
			a.open = false
			then(a)
		case target:
			a.openTarget = true
		default:
			a.open, a.openTarget = true, true
		}
	})
}

func chaosConfig(name string, tasks int) map[string]string {
	return map[string]string{"name": name, "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": strconv.Itoa(tasks), "file": "/f", "topic": "t"}
}

func (d *driver) create(name string, tasks int) {
	nodes := d.w.nodes()
	if len(nodes) == 0 {
		return
	}
	d.put(nodes[d.die.IntN(len(nodes))], name, tasks)
}

func (d *driver) put(n *node, name string, tasks int) {
	if !n.answers() {
		return
	}
	d.request(n, name, fmt.Sprintf("put with %d tasks", tasks), false, func(ctx context.Context, h *cluster.Herder) error {
		_, _, err := h.PutConnector(ctx, name, chaosConfig(name, tasks), nil, true)
		return err
	}, func(a *asked) {
		if a.gone {
			a.target = connectors.Started
		}
		a.tasks, a.gone = tasks, false
	})
}

// some asks for something.
func (d *driver) some() {
	nodes := d.w.nodes()
	if len(nodes) == 0 {
		return
	}
	n := nodes[d.die.IntN(len(nodes))]
	name := fmt.Sprintf("c%d", d.die.IntN(7))
	tasks, what := 1+d.die.IntN(4), d.die.IntN(10)
	d.mu.Lock()
	a, busy := d.want[name], d.busy[name]
	there := a != nil && !a.gone && !a.open
	d.mu.Unlock()
	if busy || !n.answers() {
		return
	}
	target := func(verb string, s connectors.TargetState, call func(h *cluster.Herder, ctx context.Context, name string) error) {
		d.request(n, name, verb, true, func(ctx context.Context, h *cluster.Herder) error { return call(h, ctx, name) }, func(a *asked) { a.target = s })
	}
	switch {
	case !there || what < 4:
		d.put(n, name, tasks)
	case what == 4:
		d.request(n, name, "deletion", false, func(ctx context.Context, h *cluster.Herder) error { return h.DeleteConnector(ctx, name) }, func(a *asked) { a.gone = true })
	case what == 5:
		target("pause", connectors.Paused, (*cluster.Herder).Pause)
	case what == 6:
		target("stop", connectors.Stopped, (*cluster.Herder).StopConnector)
	default:
		target("resume", connectors.Started, (*cluster.Herder).Resume)
	}
}

// ---- trouble ----

func between(rng *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(rng.Int64N(int64(hi-lo)))
}

// lasting begins a fault and ends it after a while.
func (d *driver) lasting(f *fault, how time.Duration) {
	f.what += " for " + how.Round(time.Millisecond).String()
	d.w.begin(f)
	d.wg.Go(func() {
		time.Sleep(how)
		d.w.end(f)
	})
}

// idle lists hosts by what is on them: a node that is not starting or leaving, or
// nothing.
func (d *driver) idle(running bool) []*host {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	var out []*host
	for _, h := range d.w.hosts {
		if !h.busy && (h.now != nil) == running {
			out = append(out, h)
		}
	}
	return out
}

func names(hosts map[*host]bool) string {
	var out []string
	for h := range hosts {
		out = append(out, h.id)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// some of all hosts, at least one.
func (d *driver) part() map[*host]bool {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	out := make(map[*host]bool)
	n := 1 + d.w.rng.IntN(max(1, len(d.w.hosts)/2))
	for _, i := range d.w.rng.Perm(len(d.w.hosts))[:min(n, len(d.w.hosts))] {
		out[d.w.hosts[i]] = true
	}
	return out
}

var cut = clustertest.Link{Cut: true}

// trouble makes one trouble.
func (d *driver) trouble() {
	w, rng := d.w, d.w.rng
	running := d.idle(true)
	kind := rng.IntN(100)
	short, long := between(rng, 200*time.Millisecond, 3*time.Second), between(rng, 2*time.Second, 16*time.Second)
	how := short
	if rng.IntN(2) == 0 {
		how = long
	}
	switch {
	case kind < 18 && len(running) > 1: // a crash, and mostly a new start
		h := running[rng.IntN(len(running))]
		h.down(true)
		if rng.IntN(5) > 0 {
			d.again(h, between(rng, 100*time.Millisecond, 12*time.Second))
		}
	case kind < 28 && len(running) > 1: // an upgrade
		h := running[rng.IntN(len(running))]
		h.down(false)
		d.again(h, between(rng, 100*time.Millisecond, 5*time.Second))
	case kind < 36:
		if empty := d.idle(false); len(empty) > 0 {
			empty[rng.IntN(len(empty))].up()
		} else if len(w.hosts) < 6 {
			w.newHost().up()
		}
	case kind < 46:
		side := d.part()
		d.lasting(&fault{what: "gossip is split, apart are " + names(side), gossip: func(a, b *host) clustertest.Link {
			return clustertest.Link{Cut: side[a] != side[b]}
		}}, how)
	case kind < 54:
		side := d.part()
		d.lasting(&fault{what: "gossip is cut one way, from " + names(side), gossip: func(a, b *host) clustertest.Link {
			return clustertest.Link{Cut: side[a] && !side[b]}
		}}, how)
	case kind < 62:
		side := d.part()
		d.lasting(&fault{what: "the broker is out of reach of " + names(side), kafka: func(h *host) (to, back clustertest.Link) {
			return clustertest.Link{Cut: side[h]}, clustertest.Link{Cut: side[h]}
		}}, how)
	case kind < 68:
		side := d.part()
		d.lasting(&fault{what: "the broker's answers do not reach " + names(side), kafka: func(h *host) (to, back clustertest.Link) {
			return clustertest.Link{}, clustertest.Link{Cut: side[h]}
		}}, how)
	case kind < 78:
		side := d.part()
		if len(side) > 1 { // one host is off every network
			for h := range side {
				if len(side) > 1 {
					delete(side, h)
				}
			}
		}
		d.lasting(&fault{what: "off every network is " + names(side), gossip: func(a, b *host) clustertest.Link {
			return clustertest.Link{Cut: side[a] || side[b]}
		}, kafka: func(h *host) (to, back clustertest.Link) {
			return clustertest.Link{Cut: side[h]}, clustertest.Link{Cut: side[h]}
		}}, how)
	case kind < 85:
		side := d.part()
		delay := between(rng, 20*time.Millisecond, 400*time.Millisecond)
		slow := clustertest.Link{Delay: delay, Jitter: delay, Loss: 0.05}
		d.lasting(&fault{what: fmt.Sprintf("slow by %v are %s", delay.Round(time.Millisecond), names(side)), gossip: func(a, b *host) clustertest.Link {
			if side[a] || side[b] {
				return slow
			}
			return clustertest.Link{}
		}, kafka: func(h *host) (to, back clustertest.Link) {
			if side[h] {
				return slow, slow
			}
			return clustertest.Link{}, clustertest.Link{}
		}}, how)
	case kind < 92:
		d.lasting(&fault{what: "the broker is gone", kafka: func(*host) (to, back clustertest.Link) { return cut, cut }}, min(how, 8*time.Second))
	case kind < 96:
		for h := range d.part() {
			w.say("the broker resets what %s has open", h.id)
			w.kafkaNet.Reset(h.kafka)
		}
		w.trouble()
	case kind < 97 && len(running) > 0: // power
		for _, h := range running {
			h.down(true)
			d.again(h, between(rng, 100*time.Millisecond, 6*time.Second))
		}
	}
}

// again starts a node after a while.
func (d *driver) again(h *host, after time.Duration) {
	d.wg.Go(func() {
		time.Sleep(after)
		for {
			d.w.mu.Lock()
			busy, there := h.busy, h.now != nil
			if !busy && !there {
				h.busy = true
			}
			d.w.mu.Unlock()
			if there && !busy {
				return
			}
			if !busy {
				h.up()
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// run is one seed.
func (d *driver) run() {
	w := d.w
	w.quarantine = 0
	for range 2 + w.rng.IntN(3) {
		w.newHost().up()
	}
	if w.rng.IntN(2) == 0 {
		w.starting.Wait()
	}
	end := time.Now().Add(between(w.rng, 30*time.Second, 75*time.Second))
	d.wg.Go(func() {
		for time.Now().Before(end) {
			time.Sleep(between(d.die, 100*time.Millisecond, 4*time.Second))
			d.some()
		}
	})
	if w.rng.IntN(3) > 0 {
		time.Sleep(between(w.rng, time.Second, 12*time.Second))
	}
	for time.Now().Before(end) {
		d.trouble()
		if w.rng.IntN(4) > 0 { // else at once with the next
			time.Sleep(between(w.rng, 300*time.Millisecond, 8*time.Second))
		}
	}
	d.finish()
}

// settle waits until everything is in its place.
func (d *driver) settle() {
	d.wg.Wait()
	d.w.starting.Wait()
	until := time.Now().Add(settleWithin)
	for {
		why := d.w.check.settled()
		if why == "" {
			return
		}
		if time.Now().After(until) {
			d.w.check.mu.Lock()
			d.w.check.broken("not in its place %v after the last trouble: %s", settleWithin, why)
			d.w.check.mu.Unlock()
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// finish ends a world: what is to hold at the end is looked at.
func (d *driver) finish() {
	w := d.w
	d.wg.Wait()
	w.starting.Wait()
	if len(w.nodes()) == 0 {
		w.hosts[0].up()
	}
	w.say("no more trouble")
	d.settle()
	w.say("settled")
	w.check.stop() // a bubble's time stands still while somebody waits for a mutex
	if len(w.check.faults) == 0 {
		if why := w.check.replay(); why != "" {
			w.check.broken("%s", why)
		}
		d.answered()
	}
	broken := slices.Clone(w.check.faults)
	w.close()
	for _, f := range broken {
		w.t.Errorf("seed %d: %s", w.seed, f)
	}
	if w.t.Failed() || os.Getenv("TROUPE_CHAOS_LOG") != "" {
		w.tell()
	}
}

// answered compares the configurations with what the requests were answered.
func (d *driver) answered() {
	snap, _ := newest(d.w.nodes())
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.want)) {
		a := d.want[name]
		if a.open {
			continue
		}
		target, _ := snap.TargetState(name)
		switch there := snap.Contains(name); {
		case there == a.gone:
			d.w.check.broken("%s: there is %v, by the answers gone is %v", name, there, a.gone)
		case there && (snap.Config(name)["tasks.max"] != strconv.Itoa(a.tasks) || target != a.target && !a.openTarget):
			d.w.check.broken("%s: %s tasks and %v, by the answers %d and %v", name, snap.Config(name)["tasks.max"], target, a.tasks, a.target)
		}
	}
}

// summary is what many seeds have shown.
type summary struct {
	mu            sync.Mutex
	seeds         int
	virtual, wall time.Duration

	reaching, cut, blind, gap longest
}

// longest is the longest of a kind, and the seed that has shown it.
type longest struct {
	d    time.Duration
	seed uint64
}

func (l *longest) see(d time.Duration, seed uint64) {
	if d > l.d {
		*l = longest{d, seed}
	}
}

// String implements [fmt.Stringer].
func (l longest) String() string { return fmt.Sprintf("%v (seed %d)", l.d, l.seed) }

func (s *summary) add(w *world) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeds++
	s.virtual += w.since()
	c := w.check
	s.reaching.see(c.longest, w.seed)
	s.cut.see(c.longestCut, w.seed)
	s.blind.see(c.longestBlind, w.seed)
	s.gap.see(c.longestGap, w.seed)
}

func (s *summary) took(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wall += d
}

func (s *summary) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d seeds, %v of virtual time in %v; longest double run %v where the old node reaches Kafka, %v where not, %v where gossip shows it to some besides; longest without a node, counted from the end of trouble, %v",
		s.seeds, s.virtual.Round(time.Second), s.wall.Round(time.Millisecond), s.reaching, s.cut, s.blind, s.gap)
}
