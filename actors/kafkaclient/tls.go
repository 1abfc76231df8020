package kafkaclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/tlsconfig"
)

// TLSConfig builds a TLS configuration from Kafka's ssl.* properties, which have no
// prefix here, as [tlsconfig.New] does; what only the clients' table knows about them
// is checked too.
//
// The error joins all that is wrong, a [*ConfigError] each.
func TLSConfig(props map[string]string, server bool) (*tls.Config, error) {
	var errs []error
	for _, e := range tlsTable() {
		text, ok := props[e.Name]
		if !ok || strings.TrimSpace(text) == "" && e.Null {
			continue // an empty location or password is none
		}
		if err := e.Check(text); err != nil {
			errs = append(errs, err)
		}
	}
	c, err := tlsconfig.New(props, server)
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// dialThrough dials by hand what franz-go would dial with TLS itself; the time bounds
// connection and handshake together.
func dialThrough(dial func(context.Context, string, string) (net.Conn, error), conf *tls.Config, timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil || conf == nil {
			return conn, err
		}
		own := conf.Clone()
		if own.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				conn.Close()
				return nil, fmt.Errorf("reading the broker's address %q: %w", address, err)
			}
			own.ServerName = host
		}
		secured := tls.Client(conn, own)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("shaking hands with %s: %w", address, err)
		}
		return secured, nil
	}
}
