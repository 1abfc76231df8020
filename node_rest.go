package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/restapi"
)

// startREST opens the listeners and finds out what this worker is called.
func (n *node) startREST(ctx context.Context) error {
	v, props, logs := n.settings.Values, n.settings.Props, n.logs
	o := restapi.Options{Herder: n.herder, Plugins: n.plugins, Loggers: loggers{logs}, Log: logs.Logger(telemetry.LogREST),
		AccessLog: logs.Logger(telemetry.LogREST + ".requests"), ServerHeader: "Troupe/" + version,
		Standalone:  n.settings.Mode == workerconfig.Standalone,
		AllowOrigin: v.String("access.control.allow.origin"), AllowMethods: v.String("access.control.allow.methods")}
	var err error
	parse := func(key string) (out []restapi.Listener, tls bool, err error) {
		for _, l := range v.List(key) {
			p, err := restapi.ParseListener(l)
			if err != nil {
				return nil, false, fmt.Errorf("Invalid value %s for configuration %s: %w", l, key, err)
			}
			out, tls = append(out, p), tls || p.Scheme == "https"
		}
		return out, tls, nil
	}
	var secure, adminSecure bool
	if o.Listeners, secure, err = parse("listeners"); err != nil {
		return err
	}
	if len(o.Listeners) == 0 {
		return errors.New("Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443.")
	}
	if val, ok := props["admin.listeners"]; ok {
		if strings.TrimSpace(val) == "" {
			o.AdminDisabled = true
		} else if o.Admin, adminSecure, err = parse("admin.listeners"); err != nil {
			return err
		}
	}
	if secure {
		if o.TLS, err = kafkaclient.TLSConfig(listenerTLS(props, "listeners.https."), true); err != nil {
			return fmt.Errorf("preparing TLS for the REST listeners: %w", err)
		}
	}
	if adminSecure {
		if o.AdminTLS, err = kafkaclient.TLSConfig(listenerTLS(props, "admin.listeners.https."), true); err != nil {
			return fmt.Errorf("preparing TLS for the admin listeners: %w", err)
		}
	}
	if o.Headers, err = restapi.ParseHeaderRules(v.String("response.http.headers.config")); err != nil {
		return err
	}
	for _, class := range v.List("rest.extension.classes") {
		if class != restapi.BasicAuthExtension {
			return fmt.Errorf("Invalid value %s for configuration rest.extension.classes: only %s is built in; another extension could be what guards the interface, so it is not left out", class, restapi.BasicAuthExtension)
		}
		if o.Auth, err = basicAuth(props, os.Getenv("KAFKA_OPTS")); err != nil {
			return err
		}
	}
	if v.Bool("rest.metrics.enable") {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // made once the worker has its name
			if h := n.metrics.Load(); h != nil {
				(*h).ServeHTTP(w, r)
				return
			}
			http.Error(w, "the worker is starting", http.StatusServiceUnavailable)
		})
	}
	if n.exclusive { // other nodes may be there, or come
		if secure {
			if o.ClientTLS, err = kafkaclient.TLSConfig(listenerTLS(props, "listeners.https."), false); err != nil {
				return fmt.Errorf("preparing TLS for requests to other nodes: %w", err)
			}
		}
		o.Nodes, o.Keys = n.herder, n.herder
		o.SignatureAlgorithm, o.VerificationAlgorithms = v.String("inter.worker.signature.algorithm"), v.List("inter.worker.verification.algorithms")
		if n.peers, err = restapi.NewClient(n.herder, o.SignatureAlgorithm, o.ClientTLS); err != nil {
			return err
		}
	}
	if n.rest, err = restapi.Start(ctx, o); err != nil {
		return err
	}
	i := advertisedListener(props, o.Listeners)
	n.scheme, n.listenHost = o.Listeners[i].Scheme, o.Listeners[i].Host
	n.workerID = advertised(props, o.Listeners[i], n.rest.Addrs[i])
	failed := n.rest.Failed()
	go func() { // ends with the server, which closes the channel
		if err := <-failed; err != nil {
			n.fail(err)
		}
	}()
	return nil
}

// listenerTLS are the ssl.* settings of a listener: those under its prefix if there
// are any, else the worker's.
func listenerTLS(props map[string]string, prefix string) map[string]string {
	own := make(map[string]string)
	plain := make(map[string]string)
	for k, v := range props {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			own[rest] = v
		} else if strings.HasPrefix(k, "ssl.") {
			plain[k] = v
		}
	}
	if len(own) > 0 {
		return own
	}
	return plain
}

// advertisedListener is the listener that other workers are told of, by
// rest.advertised.listener.
func advertisedListener(props map[string]string, listeners []restapi.Listener) int {
	want := strings.ToLower(strings.TrimSpace(props["rest.advertised.listener"]))
	if want == "" {
		want = "http"
	}
	return max(0, slices.IndexFunc(listeners, func(l restapi.Listener) bool { return l.Scheme == want }))
}

// advertised is the worker's name, host:port, by rest.advertised.*.
func advertised(props map[string]string, l restapi.Listener, addr net.Addr) string {
	host := strings.TrimSpace(props["rest.advertised.host.name"])
	if host == "" {
		host = l.Host
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		if h, err := os.Hostname(); err == nil {
			host = h
		}
	}
	port := strings.TrimSpace(props["rest.advertised.port"])
	if port == "" {
		port = strconv.Itoa(addr.(*net.TCPAddr).Port)
	}
	return net.JoinHostPort(host, port)
}

// loggers shows the process's log levels to REST.
type loggers struct{ *telemetry.Logs }

// All implements [restapi.Loggers].
func (l loggers) All() map[string]restapi.LoggerLevel {
	out := make(map[string]restapi.LoggerLevel)
	for n, i := range l.Logs.All() {
		out[n] = restapi.LoggerLevel(i)
	}
	return out
}

// Level implements [restapi.Loggers].
func (l loggers) Level(name string) (restapi.LoggerLevel, bool) {
	i, ok := l.Logs.Level(name)
	return restapi.LoggerLevel(i), ok
}
