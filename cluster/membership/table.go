package membership

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// remember bounds how long and how many boots that are gone are known to have been
// seen: a group's session is seconds, so a day is ample.
const (
	remember     = 24 * time.Hour
	rememberMost = 10_000
)

// table is what this node knows of its peers. memberlist's callbacks write it, and
// its lock is held for a few map operations only, never during a call outwards.
//
// Invariant: of the entries at one address at most one is shown; two lives of one
// process can't both be alive, and the later one has the port.
type table struct {
	self Meta // identity only
	addr string
	out  *queue

	mu      sync.Mutex
	closed  bool
	alive   map[string]*entry    // by memberlist's name: those that memberlist takes for alive
	ever    map[string]time.Time // by boot: last seen alive; for those alive now, when first
	leaving map[string]bool      // by boot: said that it leaves
	heard   time.Time            // when a probe was last answered, or the first peer joined
	told    map[[2]string]bool   // pairs of boots whose clash was told
	lost    func(p Peer, left bool)
	found   func(p Peer)
}

type entry struct {
	Peer
	hidden     bool // not shown: another life has the address
	superseded bool // hidden for good: that life is the later one
}

func newTable(self Meta, addr string, out *queue) *table {
	return &table{
		self: self, addr: addr, out: out,
		alive: map[string]*entry{}, ever: map[string]time.Time{},
		leaving: map[string]bool{}, told: map[[2]string]bool{},
	}
}

// seen is told of a node that is alive, or whose metadata changed.
func (t *table) seen(name, addr string, meta []byte) {
	m, _ := decodeMeta(meta) // what is unreadable is missing; the name says who it is
	m = identity(m, name)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || name == t.self.name() {
		return
	}
	now := time.Now()
	old := t.alive[name]
	if old != nil {
		changed := old.Meta != m || old.Addr != addr
		old.Meta, old.Addr = m, addr
		if changed && !old.hidden {
			t.out.put(Event{Kind: Updated, Peer: old.Peer})
		}
		return
	}
	e := &entry{Peer: Peer{Meta: m, Addr: addr, Since: now}}
	t.alive[name] = e
	if addr == t.addr {
		t.atOurAddress(e)
		return
	}
	for _, o := range t.alive {
		if o == e || o.Addr != addr || o.hidden {
			continue
		}
		if e.Started.Before(o.Started) { // old news of a life that is over
			e.hidden = true
			return
		}
		o.hidden, o.superseded = true, true
		t.end(o)
	}
	t.show(e)
}

// atOurAddress hides a peer that claims this node's own address: an earlier life of
// this process, whose death is not known everywhere yet, or a mistake.
func (t *table) atOurAddress(e *entry) {
	e.hidden, e.superseded = true, true
	if e.Started.After(t.self.Started) {
		t.out.put(Event{Kind: Clashed, Peer: e.Peer, Text: fmt.Sprintf(
			"node %s (boot %s) advertises this node's gossip address %s: gossip.advertise must differ on each node",
			e.Node, e.Boot, e.Addr)})
	}
}

// gone is told of a node that memberlist takes for dead or that left.
func (t *table) gone(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.alive[name]
	if t.closed || e == nil {
		return
	}
	delete(t.alive, name)
	if e.hidden {
		return
	}
	t.end(e)
	var next *entry // a life that was hidden because its clock went back
	for _, o := range t.alive {
		if o.Addr == e.Addr && o.hidden && !o.superseded && (next == nil || o.Started.After(next.Started)) {
			next = o
		}
	}
	if next != nil {
		next.hidden = false
		t.show(next)
	}
}

func (t *table) show(e *entry) {
	t.ever[e.Boot] = e.Since
	if t.alone(e) {
		t.heard = e.Since
	}
	if t.found != nil {
		t.found(e.Peer)
	}
	t.out.put(Event{Kind: Joined, Peer: e.Peer})
}

func (t *table) end(e *entry) {
	t.ever[e.Boot] = time.Now()
	kind := Died
	if e.State == Leaving || t.leaving[e.Boot] {
		kind = Left
	}
	if t.lost != nil {
		t.lost(e.Peer, kind == Left)
	}
	t.out.put(Event{Kind: kind, Peer: e.Peer})
}

// says is told of a boot that announced, over a stream, that it leaves.
func (t *table) says(boot string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.ever[boot]; known && !t.closed {
		t.leaving[boot] = true
	}
}

// clashes looks for two lives of one node.id that have both been alive for longer
// than a death takes to be noticed. Each pair is told once.
func (t *table) clashes(grace time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	byNode := map[string]*entry{t.self.Node: {Peer: Peer{Meta: t.self, Addr: t.addr}}}
	for _, e := range t.sorted() {
		o := byNode[e.Node]
		if o == nil {
			byNode[e.Node] = e
			continue
		}
		pair := [2]string{min(o.Boot, e.Boot), max(o.Boot, e.Boot)}
		if now.Sub(e.Since) < grace || now.Sub(o.Since) < grace || t.told[pair] {
			continue
		}
		t.told[pair] = true
		t.out.put(Event{Kind: Clashed, Peer: e.Peer, Text: fmt.Sprintf(
			"two processes run with node.id %s: boot %s at %s and boot %s at %s; give each node its own",
			e.Node, o.Boot, o.Addr, e.Boot, e.Addr)})
	}
}

// sameName is told of two addresses that claim one life of a process, which only a
// copied virtual machine can bring about.
func (t *table) sameName(name, addr, other string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair := [2]string{name, other}
	if t.closed || t.told[pair] {
		return
	}
	t.told[pair] = true
	m := identity(Meta{}, name)
	t.out.put(Event{Kind: Clashed, Peer: Peer{Meta: m, Addr: other}, Text: fmt.Sprintf(
		"node %s (boot %s) is at %s and at %s: was a running machine copied? Restart the copy", m.Node, m.Boot, addr, other)})
}

// sorted returns the entries that are shown, by time and boot. Called with t.mu held.
func (t *table) sorted() []*entry {
	var out []*entry
	for _, e := range t.alive {
		if !e.hidden {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Boot, b.Boot))
	})
	return out
}

func (t *table) peers() []Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []Peer{}
	for _, e := range t.sorted() {
		out = append(out, e.Peer)
	}
	return out
}

func (t *table) seenBoot(boot string) (now, ever bool) {
	if boot == t.self.Boot {
		return true, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ever = t.ever[boot]
	for _, e := range t.alive {
		now = now || !e.hidden && e.Boot == boot
	}
	return now, ever
}

// alone says whether no peer but e is shown. Called with t.mu held.
func (t *table) alone(e *entry) bool {
	for _, o := range t.alive {
		if o != e && !o.hidden {
			return false
		}
	}
	return true
}

func (t *table) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = time.Now()
}

func (t *table) silence() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.alone(nil) {
		return 0
	}
	return time.Since(t.heard)
}

// addresses returns where peers are alive, this node included.
func (t *table) addresses() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]bool{t.addr: true}
	for _, e := range t.alive {
		if !e.hidden {
			out[e.Addr] = true
		}
	}
	return out
}

// prune forgets what is long gone.
func (t *table) prune() {
	t.mu.Lock()
	defer t.mu.Unlock()
	shown := map[string]bool{}
	for _, e := range t.alive {
		shown[e.Boot] = true
	}
	now := time.Now()
	for boot, at := range t.ever {
		if !shown[boot] && (now.Sub(at) > remember || len(t.ever) > rememberMost) {
			delete(t.ever, boot)
			delete(t.leaving, boot)
		}
	}
	if len(t.told) > rememberMost {
		clear(t.told)
	}
}

func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}
