package kafkaclient

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestLineDropsWhatIsOnItsWay: what waits in the kernel for a peer that takes nothing
// arrives after a plain close, and does not after a cut.
func TestLineDropsWhatIsOnItsWay(t *testing.T) {
	for _, row := range []struct {
		name   string
		secure bool
		close  func(l *Line, conn net.Conn)
		drops  bool
	}{
		{"closed without a line", false, func(_ *Line, conn net.Conn) { _ = conn.Close() }, false},
		{"closed by the client after the release", false, func(l *Line, conn net.Conn) {
			l.Release()
			l.OnBrokerDisconnect(kgo.BrokerMetadata{}, conn)
			_ = conn.Close()
		}, false},
		{"closed by the client", false, func(l *Line, conn net.Conn) {
			l.OnBrokerDisconnect(kgo.BrokerMetadata{}, conn)
			_ = conn.Close()
		}, true},
		{"cut", false, func(l *Line, _ net.Conn) { l.Cut() }, true},
		{"cut under TLS", true, func(l *Line, _ net.Conn) { l.Cut() }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			near, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			// As much as both kernels hold: then the rest is with the sender's.
			written := 0
			if err := near.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			for err = nil; err == nil; {
				var n int
				n, err = near.Write(make([]byte, 64<<10))
				written += n
			}
			line := &Line{}
			conn := near
			if row.secure {
				conn = tls.Client(near, &tls.Config{MinVersion: tls.VersionTLS12})
			}
			line.OnBrokerConnect(kgo.BrokerMetadata{}, 0, conn, nil)
			row.close(line, conn)
			if err := far.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			read, err := io.Copy(io.Discard, far)
			t.Logf("%d of %d bytes have arrived: %v", read, written, err)
			if all := read == int64(written); all == row.drops {
				t.Errorf("%d of %d bytes have arrived", read, written)
			}
		})
	}
}

// TestLineStaysCut: a connection that is made after the cut is closed before the first
// request.
func TestLineStaysCut(t *testing.T) {
	line := &Line{}
	line.Cut()
	near, far := net.Pipe()
	defer far.Close()
	line.OnBrokerConnect(kgo.BrokerMetadata{}, 0, near, nil)
	if _, err := near.Write([]byte{1}); err == nil || len(line.conns) > 0 {
		t.Errorf("wrote with %v; %d connections are kept", err, len(line.conns))
	}
	(*Line)(nil).Cut()
}
