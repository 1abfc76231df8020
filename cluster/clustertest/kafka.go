package clustertest

import (
	"context"
	"net"
	"time"
)

// dialPatience is how long a dial over a cut link waits when its context does not say:
// what Kafka clients give a connection.
const dialPatience = 10 * time.Second

// Listen lets a server have the streams that others open to this endpoint, as
// [kfake.ListenFn] wants it: a broker's traffic can then be cut, delayed and stalled
// like gossip's. The names of network and address count for nothing.
//
// [kfake.ListenFn]: https://pkg.go.dev/github.com/twmb/franz-go/pkg/kfake#ListenFn
func (e *Endpoint) Listen(string, string) (net.Listener, error) { return listener{e}, nil }

type listener struct{ e *Endpoint }

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.e.streams:
		return c, nil
	case <-l.e.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close implements [net.Listener].
func (l listener) Close() error { return l.e.Shutdown() }

// Addr implements [net.Listener].
func (l listener) Addr() net.Addr { return &net.TCPAddr{IP: l.e.udp.IP, Port: l.e.udp.Port} }

// DialContext opens a stream, as a Kafka client's dialer does.
func (e *Endpoint) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	patience := dialPatience
	if until, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(until))
	}
	type dialed struct {
		c   net.Conn
		err error
	}
	done := make(chan dialed, 1)
	go func() { // ends within patience
		c, err := e.DialTimeout(address, patience)
		done <- dialed{c, err}
	}()
	select {
	case d := <-done:
		return d.c, d.err
	case <-ctx.Done():
		go func() {
			if d := <-done; d.c != nil {
				_ = d.c.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Reset breaks every stream of an address; what is dialed afterwards is let through.
func (h *Hub) Reset(addr string) {
	h.mu.Lock()
	e := h.ends[addr]
	h.mu.Unlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	conns := e.conns
	e.conns = map[*conn]bool{}
	e.mu.Unlock()
	for c := range conns {
		c.drop(true)
	}
}
