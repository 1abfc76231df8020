// Package devregistry is the schema registry that lives in the process of `troupe
// dev`: Confluent's REST interface over a file, for laptops, demonstrations and
// tests. It has no authentication, no contexts and one node. It imports
// codec/registry; only main and tests import it.
package devregistry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// DefaultAddr is where the registry listens unless it is told otherwise.
const DefaultAddr = "127.0.0.1:8081"

// Options say how to run a registry.
type Options struct {
	// File keeps what is registered between runs; it is created with the first
	// schema. Without one everything is forgotten at the end. Two registries on one
	// file overwrite each other: the caller holds the lock of the directory.
	File string
	// Addr is the host and port to listen on, [DefaultAddr] if empty. If the port
	// is taken, a free one is used; port 0 is any free one.
	Addr string
	// Logger gets what goes wrong while it serves. Nil is silent.
	Logger *slog.Logger
}

// Registry is a running registry.
type Registry struct {
	listener net.Listener
	server   *http.Server
	served   chan struct{} // closed when the server has ended
	asked    string
	moved    bool
}

// Start reads the file and listens. The caller must call Close. Errors name the
// file or the address.
func Start(ctx context.Context, o Options) (*Registry, error) {
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h, err := New(o.File)
	if err != nil {
		return nil, err
	}
	r := &Registry{asked: o.Addr, served: make(chan struct{})}
	var lc net.ListenConfig
	r.listener, err = lc.Listen(ctx, "tcp", o.Addr)
	if err != nil {
		host, port, splitErr := net.SplitHostPort(o.Addr)
		if splitErr != nil || port == "0" {
			return nil, fmt.Errorf("starting the dev registry: %w", err)
		}
		if r.listener, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
			return nil, fmt.Errorf("starting the dev registry: %w", err)
		}
		r.moved = true
	}
	r.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug)}
	go func() {
		defer close(r.served)
		if err := r.server.Serve(r.listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("the dev registry stopped serving", "err", err)
		}
	}()
	return r, nil
}

// URL returns the address for schema.registry.url.
func (r *Registry) URL() string { return "http://" + r.listener.Addr().String() }

// Note says in a sentence where the registry listens instead of where it was asked
// to; it is empty when it is there.
func (r *Registry) Note() string {
	if !r.moved {
		return ""
	}
	return fmt.Sprintf("%s is taken, so the dev registry listens on %s", r.asked, r.listener.Addr())
}

// Close answers what was asked, or, when ctx ends first, cuts it off. What is
// registered is in the file already.
func (r *Registry) Close(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("closing the dev registry: %w", err), r.server.Close())
	}
	<-r.served
	return err
}
