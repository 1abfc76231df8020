package restapi

import (
	"context"
	"crypto/tls"
	_ "embed" // the OpenAPI document
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/cluster"
)

//go:embed openapi.yaml
var openapi []byte

// Listener is one address to serve on.
type Listener struct {
	Scheme string // http or https
	Host   string // "" for all interfaces
	Port   int    // 0: any
}

// ParseListener reads protocol://host:port.
func ParseListener(s string) (Listener, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(s), "://")
	scheme = strings.ToLower(scheme)
	i := strings.LastIndexByte(rest, ':')
	if !ok || i < 0 || (scheme != "http" && scheme != "https") {
		return Listener{}, fmt.Errorf("%q is no listener; http://host:port or https://host:port is expected", s)
	}
	port, err := strconv.Atoi(rest[i+1:])
	if err != nil || port < 0 || port > 65535 {
		return Listener{}, fmt.Errorf("%q is no listener: its port is no number from 0 to 65535", s)
	}
	return Listener{Scheme: scheme, Host: strings.Trim(rest[:i], "[]"), Port: port}, nil
}

// Options are the settings of the gateway.
type Options struct {
	Listeners []Listener
	// Admin listeners serve /admin alone; nil means that the others serve it, an
	// empty slice that nobody does.
	Admin         []Listener
	AdminDisabled bool
	TLS, AdminTLS *tls.Config // needed where a listener is https
	AllowOrigin   string      // access.control.allow.origin
	AllowMethods  string      // access.control.allow.methods
	Headers       []HeaderRule
	Auth          Authenticator // nil: everybody is let in
	ServerHeader  string
	Standalone    bool // the internal endpoints say so
	Log           *slog.Logger
	AccessLog     *slog.Logger // nil: none

	Herder  cluster.API
	Plugins Plugins
	Loggers Loggers
	Metrics http.Handler

	// Nodes is what only a cluster has; nil when there is none. It takes Keys.
	Nodes cluster.Nodes
	// Keys sign requests to other nodes and verify theirs; nil where there are none.
	Keys cluster.SessionKeys
	// ClientTLS is what it takes to reach other nodes by https; nil: the system's
	// authorities.
	ClientTLS *tls.Config
	// SignatureAlgorithm is inter.worker.signature.algorithm, VerificationAlgorithms
	// inter.worker.verification.algorithms; "" and nil are their defaults.
	SignatureAlgorithm     string
	VerificationAlgorithms []string
	// RequestTimeout bounds a request, waiting for a leader included; 0 is Kafka
	// Connect's 90 s.
	RequestTimeout time.Duration
}

// Server is the running gateway.
type Server struct {
	opts    Options
	servers []*http.Server
	Addrs   []net.Addr // of Listeners, in order
	wg      sync.WaitGroup
	failed  chan error
	stopped sync.Once
	forward *forwarder // nil where no other node is known
}

// Start opens all listeners and serves. A port that is taken is an error that names
// the listener.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, main, admin, err := newServer(o)
	if err != nil {
		return nil, err
	}
	for _, l := range o.Listeners {
		if err := s.listen(ctx, l, main, o.TLS, true); err != nil {
			s.close()
			return nil, err
		}
	}
	for _, l := range o.Admin {
		if err := s.listen(ctx, l, admin, o.AdminTLS, false); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// newServer returns a server without listeners, and what they are to serve.
func newServer(o Options) (s *Server, main, admin http.Handler, err error) {
	s = &Server{opts: o, failed: make(chan error, 8)}
	a := &api{herder: o.Herder, plugins: o.Plugins, loggers: o.Loggers, openapi: openapi, metrics: o.Metrics, standalone: o.Standalone,
		timeout: o.RequestTimeout, nodes: o.Nodes}
	if o.Nodes != nil && o.Keys == nil {
		return nil, nil, nil, errors.New("a cluster's REST interface needs the session keys that its nodes know each other by")
	}
	if o.Keys != nil {
		if a.signer, err = newSigner(o.Keys, o.SignatureAlgorithm, o.VerificationAlgorithms); err != nil {
			return nil, nil, nil, err
		}
		s.forward = newForwarder(newPeer(a.signer, o.ClientTLS, false), o.Nodes, o.Log)
		a.forward = s.forward
	}
	adminRouter := newRouter(a.adminRoutes())
	all := newRouter(append(a.routes(), a.adminRoutes()...))
	users := all
	if len(o.Admin) > 0 || o.AdminDisabled {
		users = newRouter(a.routes())
	}
	// Another node may have been asked on an admin listener; it knows only this
	// one's main address.
	main = s.wrap(a.fromPeers(all, authenticate(o.Auth, users)))
	admin = s.wrap(a.fromPeers(adminRouter, adminRouter))
	return s, main, admin, nil
}

func (s *Server) close() {
	for _, srv := range s.servers {
		_ = srv.Close()
	}
	s.wg.Wait()
	if s.forward != nil {
		s.forward.close()
	}
}

func (s *Server) listen(ctx context.Context, l Listener, h http.Handler, tc *tls.Config, counts bool) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(l.Host, strconv.Itoa(l.Port)))
	if err != nil {
		return fmt.Errorf("listening on %s://%s: %w", l.Scheme, net.JoinHostPort(l.Host, strconv.Itoa(l.Port)), err)
	}
	if counts {
		s.Addrs = append(s.Addrs, ln.Addr())
	}
	if l.Scheme == "https" {
		if tc == nil {
			_ = ln.Close()
			return fmt.Errorf("listening on https://%s: no key store is configured (listeners.https.ssl.keystore.location or ssl.keystore.location)", ln.Addr())
		}
		ln = tls.NewListener(ln, tc)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug)}
	s.servers = append(s.servers, srv)
	s.wg.Go(func() {
		if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving on %s: %w", ln.Addr(), err)
		}
	})
	return nil
}

// Failed gets an error when a listener fails, and is closed by Stop.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop lets requests in flight end until ctx does, then closes. Those that wait for a
// leader end at once.
func (s *Server) Stop(ctx context.Context) error {
	if s.forward != nil {
		s.forward.end()
		defer s.forward.close()
	}
	var errs []error
	for _, srv := range s.servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, err, srv.Close())
		}
	}
	s.wg.Wait()
	s.stopped.Do(func() { close(s.failed) })
	return errors.Join(errs...)
}

// wrap puts what concerns every answer around the routes.
func (s *Server) wrap(h http.Handler) http.Handler {
	if s.opts.AllowOrigin != "" {
		h = s.cors(h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		rec := &recorder{ResponseWriter: w}
		if s.opts.ServerHeader != "" {
			rec.Header().Set("Server", s.opts.ServerHeader)
		}
		for _, rule := range s.opts.Headers {
			rule.apply(rec.Header())
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // that is how it is told apart
					panic(p)
				}
				s.opts.Log.Error("answering a request panicked", "method", r.Method, "path", r.URL.Path, "err", p)
				if rec.status == 0 {
					writeError(rec, http.StatusInternalServerError, fmt.Sprintf("internal error: %v", p))
				}
			}
			if s.opts.AccessLog != nil {
				s.opts.AccessLog.Info("request", "method", r.Method, "uri", r.RequestURI, "status", rec.status, "bytes", rec.bytes,
					"ms", time.Since(begun).Milliseconds(), "remote", r.RemoteAddr)
			}
		}()
		h.ServeHTTP(rec, r)
	})
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status, bytes int
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

type routeKey struct{}

// setRoute tells whoever asked for it which pattern was matched; spans want it as
// http.route.
func setRoute(r *http.Request, pattern string) {
	if p, ok := r.Context().Value(routeKey{}).(*string); ok {
		*p = pattern
	}
}

// cors answers the cross-origin checks of browsers (access.control.allow.*).
func (s *Server) cors(next http.Handler) http.Handler {
	methods := s.opts.AllowMethods
	if methods == "" {
		methods = "GET,POST,HEAD"
	}
	allowed := strings.Split(s.opts.AllowOrigin, ",")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			for _, a := range allowed {
				if a = strings.TrimSpace(a); a != "*" && a != origin {
					continue
				}
				w.Header().Set("Access-Control-Allow-Origin", origin)
				if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
					w.Header().Set("Access-Control-Allow-Methods", methods)
					w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
					w.Header().Set("Access-Control-Max-Age", "60")
				}
				break
			}
		}
		next.ServeHTTP(w, r)
	})
}

// HeaderRule is one rule of response.http.headers.config.
type HeaderRule struct {
	Action string // set, add, setDate, addDate
	Name   string
	Value  string // for the date actions an offset in ms
}

func (h HeaderRule) apply(to http.Header) {
	v := h.Value
	if strings.HasSuffix(h.Action, "Date") {
		ms, _ := strconv.ParseInt(v, 10, 64) // checked by ParseHeaderRules
		v = time.Now().Add(time.Duration(ms) * time.Millisecond).UTC().Format(http.TimeFormat)
	}
	if strings.HasPrefix(h.Action, "set") {
		to.Set(h.Name, v)
	} else {
		to.Add(h.Name, v)
	}
}

// ParseHeaderRules reads response.http.headers.config: rules "[action] [name]:[value]"
// separated by commas, each in double quotes where it holds a comma itself.
func ParseHeaderRules(s string) ([]HeaderRule, error) {
	var rules []HeaderRule
	for _, part := range splitQuoted(s) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		action, rest, ok := strings.Cut(part, " ")
		name, value, colon := strings.Cut(rest, ":")
		if !ok || !colon || strings.Contains(value, ":") || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("Invalid value %s for configuration response.http.headers.config: the rule %q is not of the form '[action] [header name]:[header value]'", s, part)
		}
		r := HeaderRule{Action: action, Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
		switch action {
		case "set", "add":
		case "setDate", "addDate":
			if _, err := strconv.ParseInt(r.Value, 10, 64); err != nil {
				return nil, fmt.Errorf("Invalid value %s for configuration response.http.headers.config: %q is no number of milliseconds", s, r.Value)
			}
		default:
			return nil, fmt.Errorf("Invalid value %s for configuration response.http.headers.config: the action %q is not one of set, add, setDate, addDate", s, action)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func splitQuoted(s string) []string {
	var out []string
	var b strings.Builder
	quoted := false
	for _, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteRune(c)
		}
	}
	return append(out, b.String())
}
