package clustertest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one end of a stream. Writes never wait (the buffer has no bound, tests
// send little); reads wait for data whose time has come over a link that is open.
type conn struct {
	owner         *Endpoint
	in, out       *half
	local, remote net.Addr
	discard       atomic.Bool // Close drops what is on its way
}

// half is one direction of a stream. Invariant: segments are read in the order in
// which they were written, so one that is late holds those behind it.
type half struct {
	hub      *Hub
	from, to string
	wake     chan struct{} // of one: something changed for the reader

	mu       sync.Mutex
	segments []segment
	ended    bool  // the writer closed: EOF follows the segments
	broken   error // nothing is read or written any more
	deadline time.Time
}

type segment struct {
	data []byte
	due  time.Time
}

func (e *Endpoint) pair(dst *Endpoint, remote *net.TCPAddr) (near, far *conn) {
	local := &net.TCPAddr{IP: e.udp.IP, Port: e.hub.sourcePort()}
	there := &half{hub: e.hub, from: e.addr, to: dst.addr, wake: make(chan struct{}, 1)}
	back := &half{hub: e.hub, from: dst.addr, to: e.addr, wake: make(chan struct{}, 1)}
	near = &conn{owner: e, in: back, out: there, local: local, remote: remote}
	far = &conn{owner: dst, in: there, out: back, local: remote, remote: local}
	return near, far
}

// Read waits for data, the end, a reset or the deadline.
func (c *conn) Read(b []byte) (int, error) {
	for {
		n, wait, err := c.in.take(b)
		if err != nil && !errors.Is(err, io.EOF) {
			err = &net.OpError{Op: "read", Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
		}
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		if wait <= 0 {
			<-c.in.wake
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-c.in.wake:
		}
		t.Stop()
	}
}

// take returns what can be read now, or how long it is worth waiting (0: until
// woken).
func (h *half) take(b []byte) (n int, wait time.Duration, err error) {
	open := h.hub.open(h.from, h.to)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	switch {
	case h.broken != nil:
		return 0, 0, h.broken
	case !h.deadline.IsZero() && !h.deadline.After(now):
		return 0, 0, os.ErrDeadlineExceeded
	case len(h.segments) == 0 && h.ended && open:
		return 0, 0, io.EOF
	case len(h.segments) > 0 && open && !h.segments[0].due.After(now):
		s := &h.segments[0]
		n = copy(b, s.data)
		if s.data = s.data[n:]; len(s.data) == 0 {
			h.segments = h.segments[1:]
		}
		return n, 0, nil
	case len(h.segments) > 0 && open:
		wait = h.segments[0].due.Sub(now)
	case len(h.segments) > 0 || h.ended:
		wait = poll
	}
	if !h.deadline.IsZero() {
		if d := h.deadline.Sub(now); wait == 0 || d < wait {
			wait = d
		}
	}
	return 0, wait, nil
}

// Write hands data to the link. It never waits.
func (c *conn) Write(b []byte) (int, error) {
	h := c.out
	d, lost := h.hub.flight(h.from, h.to)
	if lost {
		d += resend
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.broken
	if err == nil && h.ended {
		err = net.ErrClosed
	}
	if err != nil {
		return 0, &net.OpError{Op: "write", Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
	}
	h.segments = append(h.segments, segment{append([]byte(nil), b...), time.Now().Add(d)})
	h.stir()
	return len(b), nil
}

// Close ends the direction out after what was written, which arrives when the link
// lets it, as a kernel sends on for a process that has closed; and breaks the direction
// in.
func (c *conn) Close() error {
	c.drop(c.discard.Load())
	return nil
}

// SetLinger with 0 has Close reset the stream, and drop what has not arrived by then,
// as [net.TCPConn.SetLinger] does.
func (c *conn) SetLinger(sec int) error {
	c.discard.Store(sec == 0)
	return nil
}

func (c *conn) drop(reset bool) {
	c.owner.disown(c)
	c.in.end(net.ErrClosed)
	if reset {
		c.out.end(syscall.ECONNRESET)
	} else {
		c.out.end(nil)
	}
}

func (h *half) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.ended = true
	} else if h.broken == nil {
		h.broken = err
	}
	h.stir()
}

// stir is called with h.mu held.
func (h *half) stir() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline bounds reads; writes never wait.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline bounds the reads that wait now as well.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.deadline = t
	c.in.stir()
	return nil
}

// SetWriteDeadline does nothing: writes never wait.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
