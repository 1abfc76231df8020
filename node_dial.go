package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// answerGrace is how long a broker that has not answered anything on a connection may
// still take once the node is to end.
const answerGrace = 2 * time.Second

// dialWhile returns a dialer for a node that lives until ctx ends. The client's
// handshake heeds no context: on a connection that is accepted and never answered it
// would hold up an orderly end for request.timeout.ms. So such connections are closed.
func dialWhile(ctx context.Context) func(context.Context, string, string) (net.Conn, error) {
	return func(dctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{Control: quickToNotice}).DialContext(dctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &untilAnswered{Conn: conn}
		c.unwatch = context.AfterFunc(ctx, func() {
			t := time.AfterFunc(answerGrace, func() {
				if !c.answered.Load() {
					_ = conn.Close()
				}
			})
			c.timer.Store(t)
		})
		return c, nil
	}
}

// untilAnswered is a connection that is watched until its first byte comes.
type untilAnswered struct {
	net.Conn
	answered atomic.Bool
	unwatch  func() bool
	timer    atomic.Pointer[time.Timer]
}

// Read implements [net.Conn].
func (c *untilAnswered) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.answered.Load() {
		c.answered.Store(true)
		c.unwatch()
	}
	return n, err
}

// SetLinger is that of the connection below, for who wants to drop it with all that is
// on its way.
func (c *untilAnswered) SetLinger(sec int) error {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		return t.SetLinger(sec)
	}
	return nil
}

// Close implements [net.Conn].
func (c *untilAnswered) Close() error {
	c.unwatch()
	if t := c.timer.Load(); t != nil {
		t.Stop()
	}
	return c.Conn.Close()
}
