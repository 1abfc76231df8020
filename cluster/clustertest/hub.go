// Package clustertest is what tests of a whole cluster stand on: a network in
// memory for gossip that can be cut, delayed, made lossy and stalled, and that
// runs in a testing/synctest bubble. Only tests import it; it may import
// memberlist and everything of the cluster folder and below.
package clustertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// Port is the port of every endpoint of a [Hub].
const Port = 7946

const (
	packetQueue = 1024                   // packets that wait for one endpoint; what comes on top is lost, as on a wire
	streamQueue = 128                    // dials that wait to be accepted; what comes on top is refused
	resend      = 200 * time.Millisecond // what a lost segment of a stream costs, the least of TCP's timers
	poll        = 20 * time.Millisecond  // how often what waits for a cut link looks at it again
)

// Hub is a network in memory. Every endpoint has an address of its own,
// 10.0.0.1:7946 and so on in the order of their coming, and between each two of
// them there are two links, one a direction, which can be told to misbehave.
//
// Inside a synctest bubble nothing of it ever waits for anything but channels and
// timers, so virtual time runs on. Loss and jitter come from a seed; the order in
// which goroutines run does not, so a seed makes a run likely, not certain.
//
// All methods may be called from any goroutine, at any time.
type Hub struct {
	mu      sync.Mutex
	rng     *rand.Rand
	ends    map[string]*Endpoint
	links   map[[2]string]Link
	all     Link                 // of links that have none of their own
	stalled map[string]time.Time // until when an endpoint's traffic stands still
	last    int                  // number of the last address given
	port    int                  // last source port of a dial
}

// Link is how one direction between two endpoints behaves. The zero Link
// delivers everything at once.
type Link struct {
	Cut    bool          // packets are lost; dials and what streams carry wait for the cut's end or their deadline
	Delay  time.Duration // of each packet and each write to a stream
	Jitter time.Duration // up to this much more, evenly; packets may overtake each other
	Loss   float64       // share of packets lost, 0 to 1; a stream is late by a resend instead
}

// New returns an empty network whose dice are thrown by seed.
func New(seed uint64) *Hub {
	return &Hub{
		rng:   rand.New(rand.NewPCG(seed, 0x68756221)),
		ends:  map[string]*Endpoint{},
		links: map[[2]string]Link{}, stalled: map[string]time.Time{},
	}
}

// Endpoint plugs a new node in under the next address.
func (h *Hub) Endpoint() *Endpoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	return h.plug(net.JoinHostPort(fmt.Sprintf("10.0.%d.%d", h.last>>8, h.last&255), strconv.Itoa(Port)))
}

// EndpointAt plugs a node in under an address that was used before: a process
// that starts again on its host. The one that had it must be crashed or shut down.
func (h *Hub) EndpointAt(addr string) (*Endpoint, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends[addr] != nil {
		return nil, fmt.Errorf("plugging in at %s: address already in use", addr)
	}
	if _, err := net.ResolveUDPAddr("udp", addr); err != nil {
		return nil, fmt.Errorf("plugging in at %s: %w", addr, err)
	}
	return h.plug(addr), nil
}

func (h *Hub) plug(addr string) *Endpoint {
	udp, _ := net.ResolveUDPAddr("udp", addr) // made of numbers: cannot be wrong
	e := newEndpoint(h, addr, udp)
	h.ends[addr] = e
	return e
}

// Set says how the direction from one address to another behaves from now on.
func (h *Hub) Set(from, to string, l Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.links[[2]string{from, to}] = l
}

// SetAll says how every link behaves that was not told otherwise by [Hub.Set] or
// the cutting methods.
func (h *Hub) SetAll(l Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = l
}

// Cut stops what from sends to to; the way back stays open.
func (h *Hub) Cut(from, to string) { h.change(from, to, func(l *Link) { l.Cut = true }) }

// Heal undoes [Hub.Cut].
func (h *Hub) Heal(from, to string) { h.change(from, to, func(l *Link) { l.Cut = false }) }

// Split cuts, in both directions, every link between an address of a and one of b.
func (h *Hub) Split(a, b []string) { h.between(a, b, h.Cut) }

// Join undoes [Hub.Split].
func (h *Hub) Join(a, b []string) { h.between(a, b, h.Heal) }

// Isolate cuts an address from all others, as if its host had gone without a word.
func (h *Hub) Isolate(addr string) { h.Split([]string{addr}, h.others(addr)) }

// Rejoin undoes [Hub.Isolate].
func (h *Hub) Rejoin(addr string) { h.Join([]string{addr}, h.others(addr)) }

// HealAll makes every link deliver everything at once again.
func (h *Hub) HealAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.links)
	h.all = Link{}
}

// Stall holds all that an address sends and receives for d and delivers it then:
// a process that is stopped, or a virtual machine that is not scheduled. The
// process's own timers go on, which is harder on it than the real thing.
func (h *Hub) Stall(addr string, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(d); until.After(h.stalled[addr]) {
		h.stalled[addr] = until
	}
}

// Crash takes the process at addr away: its streams are reset, dials to it are
// refused, packets to it are lost, and so is all that it still tries to send.
func (h *Hub) Crash(addr string) {
	h.mu.Lock()
	e := h.ends[addr]
	h.mu.Unlock()
	if e != nil {
		e.close()
	}
}

func (h *Hub) change(from, to string, f func(*Link)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.link(from, to)
	f(&l)
	h.links[[2]string{from, to}] = l
}

func (h *Hub) between(a, b []string, f func(from, to string)) {
	for _, x := range a {
		for _, y := range b {
			f(x, y)
			f(y, x)
		}
	}
}

// others returns every address ever given but one: cuts outlive a restart.
func (h *Hub) others(addr string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for a := range h.ends {
		if a != addr {
			out = append(out, a)
		}
	}
	for l := range h.links {
		for _, a := range l {
			if a != addr && h.ends[a] == nil {
				out = append(out, a)
			}
		}
	}
	return out
}

// link is called with h.mu held.
func (h *Hub) link(from, to string) Link {
	if l, ok := h.links[[2]string{from, to}]; ok {
		return l
	}
	return h.all
}

// open says whether from reaches to now, with neither of them standing still.
func (h *Hub) open(from, to string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	return !h.link(from, to).Cut && !h.stalled[from].After(now) && !h.stalled[to].After(now)
}

// flight throws the dice for one packet or segment: how long it takes, and
// whether it is lost.
func (h *Hub) flight(from, to string) (d time.Duration, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.link(from, to)
	d = l.Delay
	if l.Jitter > 0 {
		d += time.Duration(h.rng.Int64N(int64(l.Jitter)))
	}
	now := time.Now()
	for _, a := range [2]string{from, to} {
		d = max(d, h.stalled[a].Sub(now))
	}
	return d, l.Cut || l.Loss > 0 && h.rng.Float64() < l.Loss
}

func (h *Hub) at(addr string) *Endpoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends[addr]
}

func (h *Hub) unplug(e *Endpoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends[e.addr] == e {
		delete(h.ends, e.addr)
	}
}

func (h *Hub) sourcePort() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.port = (h.port + 1) % 16384
	return 49152 + h.port
}
