package restapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/cluster"
)

// TestForwarded is one request through two nodes.
func TestForwarded(t *testing.T) {
	a, b := node(t, Options{}), node(t, Options{})
	a.do = to(b.url)
	b.do = func(ctx context.Context, _ string) error {
		if !cluster.Forwarded(ctx) {
			return errors.New("not marked as forwarded")
		}
		return nil
	}
	got := call(t, "POST", a.url+"connectors", `{"name":"a b","config":{"x":1}}`)
	if got.status != 201 || got.body != `{"name":"a b","config":{"name":"a b","x":"1"},"tasks":[],"type":"source"}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	if l := got.header.Get("Location"); l != a.url+"connectors/a%20b" {
		t.Errorf("Location %s is not at the node that was asked, %s", l, a.url)
	}
	if got.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
	if n := a.nodes.refreshed.Load(); n != 1 {
		t.Errorf("the node that was asked has read %d times what was written", n)
	}
	if n := b.nodes.refreshed.Load(); n != 0 {
		t.Errorf("the node that has written has read %d times", n)
	}
	if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 || got.body != "" || got.header.Get("Content-Type") != "" {
		t.Errorf("an empty answer: %d %q %v", got.status, got.body, got.header)
	}
	before := a.nodes.refreshed.Load()
	if got := call(t, "GET", a.url+"connectors/a/topics", ""); got.status != 200 || got.body != `{"a":{"topics":["t"]}}` {
		t.Errorf("a read: %d %s", got.status, got.body)
	}
	if got := call(t, "HEAD", a.url+"connectors/a/topics", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %d %s", got.status, got.body)
	}
	b.do = func(context.Context, string) error { return cluster.Errorf(409, "Connector a already exists") }
	if got := call(t, "POST", a.url+"connectors", `{"name":"a","config":{}}`); got.status != 409 || got.message() != "Connector a already exists" {
		t.Errorf("an error of the other node: %d %s", got.status, got.body)
	}
	if n := a.nodes.refreshed.Load(); n != before {
		t.Errorf("a read and an error made it read %d times", n-before)
	}
}

// seen is a request as another node gets it.
type seen struct {
	method, uri, body string
	header            http.Header
	err               error
}

// leader is a node that only looks at requests. They are verified by a signer of its own.
func leader(t *testing.T, then http.HandlerFunc) (url string, got chan seen) {
	t.Helper()
	s, err := newSigner(keysOf("key"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got = make(chan seen, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := s.verify(r)
		got <- seen{r.Method, r.RequestURI, string(body), r.Header.Clone(), err}
		then(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/", got
}

// TestForwardedAsItCame holds what arrives equal to what was sent, byte for byte.
func TestForwardedAsItCame(t *testing.T) {
	url, got := leader(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	a := node(t, Options{})
	a.do = to(url)
	const config = "/connectors"
	for _, tc := range []struct{ name, method, target, body string }{
		{"plain", "POST", config, `{"name":"a","config":{}}`},
		{"mark, blanks and escapes in the body", "POST", config, "\ufeff \n{\"name\":\"a\\u00e9\",\"config\":{\"x\": 1.50}}\r\n "},
		{"large", "POST", config, `{"name":"a","config":{"x":"` + strings.Repeat("y", 3<<20) + `"}}`},
		{"a body that is not read here", "PUT", "/connectors/a/pause", "\x00\xff any"},
		{"none", "PUT", "/connectors/a/pause", ""},
		{"slash in the name", "DELETE", "/connectors/a%2Fb", ""},
		{"percent, dots, UTF-8", "DELETE", "/connectors/50%25..%C3%a9", ""},
		{"two dots", "DELETE", "/connectors/..", ""},
		{"matrix parameter", "DELETE", "/connectors/a;v=1", ""},
		{"slash at the end", "DELETE", "/connectors/a/", ""},
		{"query", "DELETE", "/connectors/a?x=%20+&&y=a/b?c=d&;z", ""},
		{"a sharp in the query", "DELETE", "/connectors/a?x=#y", ""},
		{"empty query", "DELETE", "/connectors/a?", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, _ := http.NewRequestWithContext(t.Context(), tc.method, a.url, strings.NewReader(tc.body))
			r.URL.Opaque = tc.target // as it stands
			if tc.body != "" {
				r.Header.Set("Content-Type", "application/json; charset=utf-8")
			}
			r.Header["Accept"] = []string{"application/json", "*/*;q=0.1"}
			r.Header.Set("Authorization", "Bearer x")
			r.Header.Set("Cookie", "not=forwarded")
			if res := send(t, r); res.status != 204 {
				t.Fatalf("%d %s", res.status, res.body)
			}
			s := <-got
			if s.err != nil {
				t.Fatalf("the signature: %v", s.err)
			}
			if s.method != tc.method || s.uri != strings.TrimSuffix(tc.target, "?") || s.body != tc.body {
				t.Errorf("%s %s %.100q", s.method, s.uri, s.body)
			}
			want := map[string][]string{"Accept": {"application/json", "*/*;q=0.1"}, "Authorization": {"Bearer x"}, "Cookie": nil, "Accept-Encoding": nil, "Content-Type": nil}
			if tc.body != "" {
				want["Content-Type"] = []string{"application/json; charset=utf-8"}
			}
			for k, v := range want {
				if !slices.Equal(s.header[k], v) {
					t.Errorf("%s: %q, want %q", k, s.header[k], v)
				}
			}
			if s.header.Get(headerAlgorithm) != "HmacSHA256" || s.header.Get(headerSignature) == "" {
				t.Errorf("Kafka Connect's headers: %v", s.header)
			}
		})
	}
}

func TestLeaderThatMoves(t *testing.T) {
	t.Run("not here, then here", func(t *testing.T) {
		a, b := node(t, Options{}), node(t, Options{})
		a.do = to(b.url)
		b.do = func(context.Context, string) error {
			if b.called.Load() < 4 {
				return fmt.Errorf("herder: %w", &cluster.NotHere{Why: "not yet the leader"})
			}
			return nil
		}
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 || b.called.Load() != 4 || a.called.Load() != 4 {
			t.Errorf("%d %s after %d and %d calls", got.status, got.body, a.called.Load(), b.called.Load())
		}
		if got := a.nodes.refreshed.Load(); got != 1 {
			t.Errorf("refreshed %d times", got)
		}
	})
	t.Run("another leader meanwhile", func(t *testing.T) {
		a, b, c := node(t, Options{}), node(t, Options{}), node(t, Options{})
		a.do = func(ctx context.Context, what string) error {
			if a.called.Load() < 3 {
				return to(b.url)(ctx, what)
			}
			return to(c.url)(ctx, what)
		}
		b.do = to(c.url)
		got := call(t, "POST", a.url+"connectors", `{"name":"a","config":{}}`)
		if got.status != 201 || b.called.Load() != 2 || c.called.Load() != 1 {
			t.Errorf("%d %s, b %d c %d", got.status, got.body, b.called.Load(), c.called.Load())
		}
	})
	t.Run("this node becomes it", func(t *testing.T) {
		a, b := node(t, Options{}), node(t, Options{})
		b.do = to(a.url)
		a.do = func(ctx context.Context, what string) error {
			if a.called.Load() < 3 {
				return to(b.url)(ctx, what)
			}
			return nil
		}
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 || a.called.Load() != 3 {
			t.Errorf("%d %s after %d calls", got.status, got.body, a.called.Load())
		}
	})
	t.Run("nobody knows one for a while", func(t *testing.T) {
		a, b := node(t, Options{}), node(t, Options{})
		a.do = func(ctx context.Context, what string) error {
			if a.called.Load() < 3 {
				return &cluster.NotHere{Why: "there is no leader"}
			}
			return to(b.url)(ctx, what)
		}
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 || b.called.Load() != 1 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a leader that is gone", func(t *testing.T) {
		a, b := node(t, Options{}), node(t, Options{})
		a.do = func(ctx context.Context, what string) error {
			if a.called.Load() < 3 {
				return to(fmt.Sprintf("http://127.0.0.1:%d/", freePort(t)))(ctx, what)
			}
			return to(b.url)(ctx, what)
		}
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 || a.called.Load() != 3 || b.called.Load() != 1 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("an answer of this node's own ends it", func(t *testing.T) {
		a, b := node(t, Options{}), node(t, Options{})
		b.do = to(a.url)
		a.do = func(ctx context.Context, what string) error {
			if a.called.Load() < 2 {
				return to(b.url)(ctx, what)
			}
			return cluster.Errorf(404, "Connector a not found")
		}
		if got := call(t, "DELETE", a.url+"connectors/a", ""); got.status != 404 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

// TestNobodyCarriesItOut: a request that waits in vain says why.
func TestNobodyCarriesItOut(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(t *testing.T) func(context.Context, string) error
		want string
	}{
		{"no leader", func(*testing.T) func(context.Context, string) error {
			return func(context.Context, string) error { return &cluster.NotHere{Why: "There is no leader: x."} }
		}, "Request timed out. Nothing was done: There is no leader: x."},
		{"not here", func(t *testing.T) func(context.Context, string) error {
			b := node(t, Options{})
			b.do = func(context.Context, string) error { return &cluster.NotHere{Why: "I lead no more."} }
			return to(b.url)
		}, "Request timed out. Nothing was done: I lead no more."},
		{"gone", func(t *testing.T) func(context.Context, string) error {
			return to(fmt.Sprintf("http://127.0.0.1:%d/", freePort(t)))
		}, "Request timed out. Nothing was done: The node at http://127.0.0.1:"},
		{"it would be forwarded twice", func(t *testing.T) func(context.Context, string) error {
			b, c := node(t, Options{}), node(t, Options{})
			b.do = func(context.Context, string) error { return &cluster.Elsewhere{URL: c.url} }
			t.Cleanup(func() {
				if c.called.Load() != 0 {
					t.Error("a forwarded request was forwarded")
				}
			})
			return to(b.url)
		}, "Request timed out. Nothing was done: The request was forwarded to this worker, which would forward it to http://127.0.0.1:"},
		{"the other has no key", func(t *testing.T) func(context.Context, string) error {
			return to(node(t, Options{Keys: keysOf()}).url)
		}, "Request timed out. Nothing was done: This worker is still starting up and has not been able to read a session key"},
		{"no address", func(*testing.T) func(context.Context, string) error { return to("http://[::1/") }, "Request timed out. Nothing was done: The address of another node, http://[::1/, is none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := node(t, Options{RequestTimeout: 300 * time.Millisecond})
			a.do = tc.do(t)
			got := call(t, "PUT", a.url+"connectors/a/pause", "")
			if got.status != 500 || !strings.HasPrefix(got.message(), tc.want) {
				t.Errorf("%d %s", got.status, got.body)
			}
			if n := a.called.Load(); n < 2 {
				t.Errorf("the herder was asked %d times", n)
			}
		})
	}
	t.Run("no key here", func(t *testing.T) {
		a := node(t, Options{RequestTimeout: 200 * time.Millisecond, Keys: keysOf()})
		a.do = to("http://127.0.0.1:1/")
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 500 || !strings.Contains(got.message(), "session key") {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("the herder itself waits in vain", func(t *testing.T) {
		a := node(t, Options{RequestTimeout: 200 * time.Millisecond})
		a.do = func(ctx context.Context, _ string) error {
			if a.called.Load() == 1 {
				return &cluster.NotHere{Why: "There is no leader."}
			}
			<-ctx.Done()
			return ctx.Err()
		}
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 500 || got.message() != "Request timed out. Nothing was done: There is no leader." {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("the worker stops", func(t *testing.T) {
		a := node(t, Options{})
		waiting := make(chan struct{})
		a.do = func(context.Context, string) error {
			if a.called.Load() == 2 {
				close(waiting)
			}
			return &cluster.NotHere{Why: "There is no leader."}
		}
		done := make(chan reply, 1)
		go func() { done <- call(t, "PUT", a.url+"connectors/a/pause", "") }()
		<-waiting
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
		if got := <-done; got.status != 503 || !strings.Contains(got.message(), "nothing was done. There is no leader.") {
			t.Errorf("%d %s", got.status, got.body)
		}
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("stopping took %v", d)
		}
	})
}

// TestNobodyKnows: a request that may have been carried out is never sent again, and
// the answer says so.
func TestNobodyKnows(t *testing.T) {
	release := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = c.Close()
		}
	}
	breakOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(201)
		_, _ = w.Write([]byte("{"))
		panic(http.ErrAbortHandler)
	}
	tooMuch := func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range maxAnswer>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for _, tc := range []struct {
		name string
		then http.HandlerFunc
		want string
	}{
		{"it hangs", hang, "Request timed out. It was forwarded to http://"},
		{"it hangs up", hangUp, "The request was forwarded to http://"},
		{"the answer breaks off", breakOff, "The request was forwarded to http://"},
		{"the answer is too large", tooMuch, "The request was forwarded to http://"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, got := leader(t, tc.then)
			timeout := 20 * time.Second
			if tc.name == "it hangs" {
				timeout = 300 * time.Millisecond
			}
			a := node(t, Options{RequestTimeout: timeout})
			a.do = to(url)
			res := call(t, "PUT", a.url+"connectors/a/pause", "")
			if res.status != 500 || !strings.HasPrefix(res.message(), tc.want) || !strings.Contains(res.message(), "may or may not have been carried out") {
				t.Errorf("%d %s", res.status, res.body)
			}
			if len(got) != 1 || a.called.Load() != 1 {
				t.Errorf("it was sent %d times, the herder asked %d times", len(got), a.called.Load())
			}
			if a.nodes.refreshed.Load() != 0 {
				t.Error("refreshed for nothing")
			}
		})
	}
	close(release)
	t.Run("a read may be sent again", func(t *testing.T) {
		var n atomic.Int32
		url, _ := leader(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) < 3 {
				hangUp(w, r)
				return
			}
			w.WriteHeader(200)
		})
		a := node(t, Options{})
		a.do = to(url)
		if res := call(t, "GET", a.url+"connectors/a/topics", ""); res.status != 200 {
			t.Errorf("%d %s", res.status, res.body)
		}
	})
	t.Run("the worker stops meanwhile", func(t *testing.T) {
		arrived, left := make(chan struct{}), make(chan struct{})
		url, _ := leader(t, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			close(left)
		})
		a := node(t, Options{})
		a.do = to(url)
		r, _ := http.NewRequestWithContext(t.Context(), "PUT", a.url+"connectors/a/pause", nil)
		var asker sync.WaitGroup
		asker.Go(func() {
			if resp, err := http.DefaultClient.Do(r); err == nil { // or its connection breaks
				_ = resp.Body.Close()
			}
		})
		<-arrived
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a request in flight was not waited for: %v", err)
		}
		<-left // its connection to the other node is closed
		asker.Wait()
	})
	t.Run("a redirect is not followed", func(t *testing.T) {
		url, got := leader(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
		a := node(t, Options{})
		a.do = to(url)
		res := call(t, "PUT", a.url+"connectors/a/pause", "")
		if res.status != 500 || res.message() != "Unexpected status code when handling forwarded request: 302" || len(got) != 1 {
			t.Errorf("%d %s", res.status, res.body)
		}
	})
}

func TestRefreshIsBounded(t *testing.T) {
	a, b := node(t, Options{}), node(t, Options{})
	a.do = to(b.url)
	a.nodes.refresh = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	begun := time.Now()
	if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if d := time.Since(begun); d < refreshTime || d > refreshTime+5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestForwardedUsers: who may do something is decided where it was asked.
func TestForwardedUsers(t *testing.T) {
	auth := PasswordFile{"ann": "secret"}
	ann := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	b := node(t, Options{Auth: auth, Admin: []Listener{{Scheme: "http", Host: "127.0.0.1", Port: freePort(t)}}})
	port := freePort(t)
	a := node(t, Options{Auth: auth, Admin: []Listener{{Scheme: "http", Host: "127.0.0.1", Port: port}}})
	a.do = to(b.url)
	if got := call(t, "PUT", a.url+"connectors/a/pause", "", "Authorization", ann); got.status != 202 {
		t.Errorf("with credentials: %d %s", got.status, got.body)
	}
	if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 401 || a.called.Load() != 1 {
		t.Errorf("without: %d %s", got.status, got.body)
	}
	if got := call(t, "PUT", a.url+"connectors/a/pause", "", headerRequest, "1 2 3 4"); got.status != 400 && got.status != 403 {
		t.Errorf("without, claiming to be a node: %d %s", got.status, got.body)
	}
	if got := call(t, "PUT", fmt.Sprintf("http://127.0.0.1:%d/admin/loggers/x?scope=cluster", port), `{"level":"debug"}`); got.status != 204 {
		t.Errorf("on an admin listener, which asks for none: %d %s", got.status, got.body)
	}
	if got := call(t, "PUT", b.url+"admin/loggers/x?scope=cluster", `{"level":"debug"}`, "Authorization", ann); got.status != 404 {
		t.Errorf("a user at the main listener's /admin: %d %s", got.status, got.body)
	}
}

func TestForwardedOverTLS(t *testing.T) {
	ca, leaf := authority(t)
	conf, err := kafkaclient.TLSConfig(map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": leaf.cert, "ssl.keystore.key": leaf.key,
		"ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca, "ssl.client.auth": "required"}, true)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	b := node(t, Options{Listeners: []Listener{{Scheme: "https", Host: "127.0.0.1"}}, TLS: conf})
	b.url = "https://" + b.Addrs[0].String() + "/"
	a := node(t, Options{ClientTLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{leaf.pair(t)}, MinVersion: tls.VersionTLS12}})
	a.do = to(b.url)
	got := call(t, "POST", a.url+"connectors", `{"name":"a","config":{}}`)
	if got.status != 201 || got.header.Get("Location") != a.url+"connectors/a" {
		t.Errorf("%d %s %s", got.status, got.body, got.header.Get("Location"))
	}
	stranger := node(t, Options{RequestTimeout: 300 * time.Millisecond})
	stranger.do = to(b.url)
	if got := call(t, "PUT", stranger.url+"connectors/a/pause", ""); got.status != 500 || !strings.Contains(got.message(), "Nothing was done") || !strings.Contains(got.message(), "certificate") {
		t.Errorf("without the authority: %d %s", got.status, got.body)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	a, b := node(t, Options{}), node(t, Options{})
	a.do = to(b.url)
	if got := call(t, "PUT", a.url+"connectors/a/pause", strings.Repeat("x", maxBody+1)); got.status != 413 || b.called.Load() != 0 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := call(t, "PUT", a.url+"connectors/a/pause", strings.Repeat("x", maxBody)); got.status != 202 {
		t.Errorf("the largest: %d %s", got.status, got.body)
	}
	// Whoever has no key makes no node read.
	s, _ := newSigner(keysOf("other"), "", nil)
	body := &counting{Reader: bytes.NewReader(make([]byte, maxBody))}
	r := httptest.NewRequest("PUT", "/connectors/a/pause", body)
	_ = s.sign(r, "/connectors/a/pause?", nil)
	w := httptest.NewRecorder()
	handlerOf(Options{Keys: keysOf("key")}).ServeHTTP(w, r)
	if w.Code != 403 || body.n != 0 {
		t.Errorf("%d after %d bytes", w.Code, body.n)
	}
}

type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// TestManyAtOnce moves the lead between three nodes while requests come to all of
// them; each is carried out exactly once.
func TestManyAtOnce(t *testing.T) {
	ns := []*testNode{node(t, Options{}), node(t, Options{}), node(t, Options{})}
	var lead atomic.Int32
	var mu sync.Mutex
	done := make(map[string]int)
	for i, n := range ns {
		n.do = func(ctx context.Context, what string) error {
			mu.Lock()
			defer mu.Unlock()
			l := int(lead.Load())
			if l == i {
				done[what]++
				return nil
			}
			if n.called.Load()%4 == 0 {
				l++ // a node's view may be behind
			}
			return to(ns[l%3].url)(ctx, what)
		}
	}
	stop := make(chan struct{})
	var mover sync.WaitGroup
	mover.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-tick.C:
				lead.Store((lead.Load() + 1) % 3)
			case <-stop:
				tick.Stop()
				return
			}
		}
	})
	const requests = 150
	var wg sync.WaitGroup
	sem := make(chan struct{}, 40)
	for i := range requests {
		sem <- struct{}{}
		wg.Go(func() {
			defer func() { <-sem }()
			if got := call(t, "PUT", fmt.Sprintf("%sconnectors/c%d/pause", ns[i%3].url, i), ""); got.status != 202 {
				t.Errorf("%d: %d %s", i, got.status, got.body)
			}
		})
	}
	wg.Wait()
	close(stop)
	mover.Wait()
	for i := range requests {
		if n := done[fmt.Sprintf("pause c%d", i)]; n != 1 {
			t.Errorf("%d was carried out %d times", i, n)
		}
	}
}
