package devbroker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// triedPorts is how many ports from the one that was asked for are tried.
const triedPorts = 100

// listener hands kfake its connections. It is bound from the start, so that the
// port is known, but until it is opened the connections of clients wait in the
// kernel's queue and only those of dialPrivate are answered.
type listener struct {
	inner      net.Listener
	advertised advertisedAddr
	moved      bool

	opened chan struct{} // closed by open
	shutCh chan struct{} // closed by shut
	conns  chan net.Conn

	openOnce, shutOnce sync.Once
	accepting          sync.WaitGroup

	// beforeMetadata is called with the topics of a client's metadata request
	// that may create them, before kfake sees it; refuse with names that no topic
	// may have, before kfake sees the request of that key. Set before open.
	beforeMetadata func(topics []string)
	refuse         func(key kmsg.Key, topics []string)

	mu   sync.Mutex
	live map[net.Conn]struct{} // what kfake has and has not closed
}

// advertisedAddr is what kfake tells clients: it takes it from the listener.
type advertisedAddr string

func (advertisedAddr) Network() string  { return "tcp" }
func (a advertisedAddr) String() string { return string(a) }

// listen binds addr or, if its port is taken, the next free one.
func listen(addr, advertised string) (*listener, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: the port is not a number from 0 to 65535", addr)
	}
	var inner net.Listener
	tried := port
	for ; tried < port+triedPorts && tried <= 65535; tried++ {
		inner, err = net.Listen("tcp", net.JoinHostPort(host, strconv.FormatUint(tried, 10)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	l := &listener{
		inner:  inner,
		moved:  tried != port,
		opened: make(chan struct{}),
		shutCh: make(chan struct{}),
		conns:  make(chan net.Conn),
		live:   map[net.Conn]struct{}{},
	}
	if l.advertised, err = advertise(advertised, inner.Addr().(*net.TCPAddr)); err != nil {
		_ = inner.Close()
		return nil, err
	}
	l.accepting.Go(l.acceptPublic)
	return l, nil
}

func advertise(asked string, bound *net.TCPAddr) (advertisedAddr, error) {
	host, port := bound.IP.String(), strconv.Itoa(bound.Port)
	if bound.IP.IsUnspecified() {
		host = "localhost"
	}
	if asked != "" {
		h, p, err := net.SplitHostPort(asked)
		if err != nil {
			h, p = asked, port // without a port
		}
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("advertising %s: the port is not a number from 1 to 65535", asked)
		}
		if h != "" {
			host = h
		}
		port = p
	}
	return advertisedAddr(net.JoinHostPort(host, port)), nil
}

// take is kfake's listen function; there is one broker, so one call.
func (l *listener) take(string, string) (net.Listener, error) { return l, nil }

// Addr implements [net.Listener] with the address that clients are told.
func (l *listener) Addr() net.Addr { return l.advertised }

// open lets the clients in.
func (l *listener) open() { l.openOnce.Do(func() { close(l.opened) }) }

func (l *listener) acceptPublic() {
	select {
	case <-l.opened:
	case <-l.shutCh:
		return
	}
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // of one connection, such as one that was reset while it waited
		}
		guarded := &guardedConn{Conn: conn, r: bufio.NewReader(conn), l: l}
		if err := l.hand(context.Background(), guarded); err != nil {
			return
		}
	}
}

// dialPrivate connects to the broker without its port, before it is open.
func (l *listener) dialPrivate(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	if err := l.hand(ctx, server); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

func (l *listener) hand(ctx context.Context, conn net.Conn) error {
	err := net.ErrClosed
	select {
	case l.conns <- conn:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.shutCh:
	}
	conn.Close()
	return err
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.live[conn] = struct{}{}
		return conn, nil
	case <-l.shutCh:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]: no more connections. Those that are there go
// on, so that kfake can answer them while it shuts down.
func (l *listener) Close() error {
	var err error
	l.shutOnce.Do(func() {
		close(l.shutCh)
		err = l.inner.Close()
	})
	l.accepting.Wait()
	return err
}

// shut ends the connections too: kfake leaves them to their clients.
func (l *listener) shut() {
	_ = l.Close()
	l.mu.Lock()
	live := l.live
	l.live = nil
	l.mu.Unlock()
	for conn := range live {
		conn.Close()
	}
}
