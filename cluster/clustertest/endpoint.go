package clustertest

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// Endpoint is one node's plug in a [Hub]: the transport of its gossip. Shutting it
// down, or [Hub.Crash], frees its address.
type Endpoint struct {
	hub     *Hub
	addr    string
	udp     *net.UDPAddr
	packets chan *memberlist.Packet
	streams chan net.Conn
	closed  chan struct{}

	mu    sync.Mutex
	down  bool
	conns map[*conn]bool
}

var _ memberlist.NodeAwareTransport = (*Endpoint)(nil)

func newEndpoint(h *Hub, addr string, udp *net.UDPAddr) *Endpoint {
	return &Endpoint{
		hub: h, addr: addr, udp: udp,
		packets: make(chan *memberlist.Packet, packetQueue),
		streams: make(chan net.Conn, streamQueue),
		closed:  make(chan struct{}),
		conns:   map[*conn]bool{},
	}
}

// Addr returns host:port of the endpoint.
func (e *Endpoint) Addr() string { return e.addr }

// FinalAdvertiseAddr returns the endpoint's address, whatever it is asked for.
func (e *Endpoint) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return e.udp.IP.To4(), e.udp.Port, nil
}

// WriteTo sends a packet. It never waits, and like a wire it does not say whether
// the packet arrives.
func (e *Endpoint) WriteTo(b []byte, to string) (time.Time, error) {
	now := time.Now()
	if e.isDown() {
		return now, &net.OpError{Op: "write", Net: "udp", Addr: e.udp, Err: net.ErrClosed}
	}
	d, lost := e.hub.flight(e.addr, to)
	if lost {
		return now, nil
	}
	buf := append([]byte(nil), b...)
	deliver := func() {
		dst := e.hub.at(to)
		if dst == nil || e.isDown() {
			return
		}
		select {
		case dst.packets <- &memberlist.Packet{Buf: buf, From: e.udp, Timestamp: time.Now()}:
		default:
		}
	}
	if d <= 0 {
		deliver()
	} else {
		time.AfterFunc(d, deliver)
	}
	return now, nil
}

// DialTimeout opens a stream. Over a cut link it waits out the timeout; where
// nobody listens it is refused.
func (e *Endpoint) DialTimeout(to string, timeout time.Duration) (net.Conn, error) {
	remote, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: remote, Err: err}
	}
	expire := time.NewTimer(timeout)
	defer expire.Stop()
	wait := func(d time.Duration) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-expire.C:
			return os.ErrDeadlineExceeded
		case <-e.closed:
			return net.ErrClosed
		}
	}
	for !e.hub.open(e.addr, to) || !e.hub.open(to, e.addr) {
		if err := wait(poll); err != nil {
			return fail(err)
		}
	}
	for _, way := range [2][2]string{{e.addr, to}, {to, e.addr}} {
		d, lost := e.hub.flight(way[0], way[1])
		if lost {
			d += resend
		}
		if d <= 0 {
			continue
		}
		if err := wait(d); err != nil {
			return fail(err)
		}
	}
	dst := e.hub.at(to)
	if dst == nil {
		return fail(syscall.ECONNREFUSED)
	}
	near, far := e.pair(dst, remote)
	if !e.adopt(near) {
		return fail(net.ErrClosed)
	}
	if !dst.adopt(far) {
		near.drop(false)
		return fail(syscall.ECONNREFUSED)
	}
	select {
	case dst.streams <- far:
		return near, nil
	default:
		near.drop(false)
		far.drop(false)
		return fail(syscall.ECONNREFUSED)
	}
}

// WriteToAddress is WriteTo: the hub does not look at names.
func (e *Endpoint) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return e.WriteTo(b, a.Addr)
}

// DialAddressTimeout is DialTimeout: the hub does not look at names.
func (e *Endpoint) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return e.DialTimeout(a.Addr, timeout)
}

// PacketCh returns the packets that arrived. It is never closed.
func (e *Endpoint) PacketCh() <-chan *memberlist.Packet { return e.packets }

// StreamCh returns the streams that others opened. It is never closed.
func (e *Endpoint) StreamCh() <-chan net.Conn { return e.streams }

// Shutdown unplugs the endpoint, as [Hub.Crash] does. More than once is once.
func (e *Endpoint) Shutdown() error {
	e.close()
	return nil
}

func (e *Endpoint) close() {
	e.mu.Lock()
	if e.down {
		e.mu.Unlock()
		return
	}
	e.down = true
	conns := e.conns
	e.conns = nil
	e.mu.Unlock()

	e.hub.unplug(e)
	close(e.closed)
	for c := range conns {
		c.drop(true)
	}
}

func (e *Endpoint) isDown() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.down
}

func (e *Endpoint) adopt(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return false
	}
	e.conns[c] = true
	return true
}

func (e *Endpoint) disown(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
}

// String names the endpoint in a test's log.
func (e *Endpoint) String() string { return fmt.Sprintf("endpoint %s", e.addr) }
