package kafkaclient

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Line is a client's connections to the brokers, which can be cut. Closing a client
// does less: what it has written and the broker's machine has not acknowledged stays
// with the kernel, which goes on sending it for minutes and delivers it once a
// partition of the network heals. By then somebody else may do the client's work.
// The client also closes connections by itself, as when the context of a request has
// ended; a line drops what is on its way there as well.
//
// Give it to one client by [Line.Opt]. A nil Line is one of which nothing is known.
type Line struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	cut   bool
	free  bool
}

var (
	_ kgo.HookBrokerConnect    = (*Line)(nil)
	_ kgo.HookBrokerDisconnect = (*Line)(nil)
)

// Opt is the option of the client whose line it is.
func (l *Line) Opt() kgo.Opt { return kgo.WithHooks(l) }

// Cut ends all connections at once and for good: what the kernel still holds of them
// is thrown away, and no new one carries a request. What a broker's machine has
// received already is not taken back. The client is to be closed next. It does not
// block, and may be called by any goroutine, more than once.
func (l *Line) Cut() {
	if l == nil {
		return
	}
	l.mu.Lock()
	conns := l.conns
	l.conns, l.cut = nil, true
	l.mu.Unlock()
	for c := range conns {
		drop(c)
	}
}

// Release has the client's connections be closed as usual from now on: nothing is
// waited for any more, and what was sent without asking for an answer is to arrive.
func (l *Line) Release() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = true
}

// OnBrokerConnect implements [kgo.HookBrokerConnect]. The client calls it before its
// first request on a connection, but for those that log in.
func (l *Line) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	if err != nil || conn == nil {
		return
	}
	l.mu.Lock()
	cut := l.cut
	if !cut {
		if l.conns == nil {
			l.conns = make(map[net.Conn]bool)
		}
		l.conns[conn] = true
	}
	l.mu.Unlock()
	if cut {
		drop(conn)
	}
}

// OnBrokerDisconnect implements [kgo.HookBrokerDisconnect].
func (l *Line) OnBrokerDisconnect(_ kgo.BrokerMetadata, conn net.Conn) {
	l.mu.Lock()
	known := l.conns[conn]
	delete(l.conns, conn)
	free := l.free
	l.mu.Unlock()
	if known && !free {
		drop(conn)
	}
}

// drop closes a connection so that its unsent and unacknowledged bytes are dropped.
func drop(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // TLS would say good-bye first, and wait for room to say it
	}
	if t, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0) // a connection that is closed by now has nothing left to drop
	}
	_ = conn.Close()
}
