package restapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster"
)

func TestKeyRotation(t *testing.T) {
	keys := keysOf("old")
	a, b := node(t, Options{Keys: keysOf("new", "old")}), node(t, Options{Keys: keys})
	a.do = to(b.url)
	rotated := make(chan struct{})
	a.do = func(ctx context.Context, what string) error {
		if a.called.Load() == 3 {
			keys.set("new", "old")
			close(rotated)
		}
		return to(b.url)(ctx, what)
	}
	if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 || b.called.Load() != 1 {
		t.Errorf("a key that the other node reads a little later: %d %s", got.status, got.body)
	}
	<-rotated
	c := node(t, Options{Keys: keysOf("old")})
	c.do = to(b.url)
	if got := call(t, "PUT", c.url+"connectors/a/pause", ""); got.status != 202 {
		t.Errorf("the key before: %d %s", got.status, got.body)
	}
}

// TestSignatures holds what a node takes from another.
func TestSignatures(t *testing.T) {
	const target = "/connectors/a/pause?x=1"
	for _, tc := range []struct {
		name    string
		keys    []string // the receiver's; ours is "key"
		method  string
		target  string // "" as signed
		body    string // as sent; "{}" is signed
		at      time.Duration
		alter   func(h http.Header)
		status  int
		message string
		notHere string
	}{
		{name: "right", status: 202},
		{name: "the key before", keys: []string{"new", "key"}, status: 202},
		{name: "a key that is forgotten", keys: []string{"new"}, status: 403, notHere: notHereSignature},
		{name: "no key yet", keys: []string{}, status: 503, notHere: notHereKey, message: "This worker is still starting up and has not been able to read a session key from the config topic yet"},
		{name: "another method", method: "POST", status: 403, notHere: notHereSignature},
		{name: "another path", target: "/connectors/b/pause?x=1", status: 403, notHere: notHereSignature},
		{name: "another query", target: "/connectors/a/pause?x=2", status: 403, notHere: notHereSignature},
		{name: "another body", body: "{ }", status: 403, notHere: notHereSignature},
		{name: "no body", body: "-", status: 403, notHere: notHereSignature},
		{name: "a clock that is behind", at: -clockSlack + 10*time.Second, status: 202},
		{name: "a clock that is far behind", at: -clockSlack - 10*time.Second, status: 403, message: "The clocks of two nodes are apart"},
		{name: "a clock that is far ahead", at: clockSlack + 10*time.Second, status: 403, message: "The clocks of two nodes are apart"},
		{name: "no MAC of the body", alter: func(h http.Header) { h.Del(headerSignature) }, status: 400, message: "Internal request missing required signature"},
		{name: "no algorithm", alter: func(h http.Header) { h.Del(headerAlgorithm) }, status: 400, message: "Internal request missing required signature"},
		{name: "unknown algorithm", alter: func(h http.Header) { h.Set(headerAlgorithm, "HmacFoo") }, status: 400, message: "Algorithm HmacFoo not available"},
		{name: "an algorithm that is not taken", alter: func(h http.Header) { h.Set(headerAlgorithm, "HmacSHA1") }, status: 400,
			message: "This worker does not support the 'HmacSHA1' key signing algorithm used by other workers. This worker is currently configured to use: [HmacSHA256]."},
		{name: "no base64", alter: func(h http.Header) { h.Set(headerSignature, "?") }, status: 400, message: "Reading the signature"},
		{name: "wrong MAC of the body", alter: func(h http.Header) { h.Set(headerSignature, "AAAA") }, status: 403, notHere: notHereSignature},
		{name: "our MAC is missing", alter: func(h http.Header) { h.Del(headerSigned) }, status: 403, notHere: notHereSignature},
		{name: "our MAC is the other", alter: func(h http.Header) { h.Set(headerSigned, h.Get(headerSignature)) }, status: 403, notHere: notHereSignature},
		{name: "our MAC is no base64", alter: func(h http.Header) { h.Set(headerSigned, "?") }, status: 403, notHere: notHereSignature},
		{name: "a later date", alter: func(h http.Header) {
			f := strings.Split(h.Get(headerRequest), " ")
			h.Set(headerRequest, f[0]+" 1 "+f[2]+" "+f[3])
		}, status: 403, notHere: notHereSignature},
		{name: "an empty claim", alter: func(h http.Header) { h.Set(headerRequest, "") }, status: 403, notHere: notHereSignature},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.keys == nil {
				tc.keys = []string{"key"}
			}
			called := 0
			h := handlerOf(Options{Keys: keysOf(tc.keys...), Herder: &nodeHerder{do: func(ctx context.Context, _ string) error {
				if called++; !cluster.Forwarded(ctx) {
					return errors.New("not marked")
				}
				return nil
			}}})
			s, _ := newSigner(keysOf("key"), "", nil)
			r := httptest.NewRequest("PUT", target, nil)
			if err := s.signAt(time.Now().Add(tc.at), r, target, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			if tc.alter != nil {
				tc.alter(r.Header)
			}
			if tc.method != "" {
				r.Method = tc.method
			}
			if tc.target != "" {
				r.URL, _ = url.Parse(tc.target)
			}
			body := map[string]string{"": "{}", "-": ""}[tc.body]
			if body == "" && tc.body != "-" {
				body = tc.body
			}
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if tc.status == 403 && tc.message == "" {
				tc.message = "Internal request contained invalid signature."
			}
			if got := (reply{body: w.Body.String()}).message(); w.Code != tc.status || !strings.HasPrefix(got, tc.message) || w.Header().Get(headerNotHere) != tc.notHere {
				t.Errorf("%d %s %s", w.Code, w.Body, w.Header().Get(headerNotHere))
			}
			if want := map[bool]int{true: 1}[tc.status == 202]; called != want {
				t.Errorf("carried out %d times", called)
			}
		})
	}
}

// TestCaptured: a request that somebody has listened to is not taken again.
func TestCaptured(t *testing.T) {
	h := handlerOf(Options{Keys: keysOf("key"), Nodes: &fakeNodes{}, Herder: &nodeHerder{do: func(context.Context, string) error { return nil }}})
	s, _ := newSigner(keysOf("key"), "", nil)
	for _, tc := range []struct {
		method, target string
		first, second  int
	}{{"PUT", "/connectors/a/pause?", 202, 403}, {"DELETE", "/connectors/a?", 204, 403}, {"GET", "/connectors/a/topics?", 200, 200}} {
		r := httptest.NewRequest(tc.method, tc.target, nil)
		if err := s.sign(r, tc.target, nil); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{tc.first, tc.second} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.Clone(t.Context()))
			if w.Code != want {
				t.Errorf("%s, time %d: %d %s", tc.method, i+1, w.Code, w.Body)
			}
		}
	}
}

func TestNonces(t *testing.T) {
	var n nonces
	now := time.Now()
	id := func(i int) (b [16]byte) {
		copy(b[:], fmt.Sprint(i))
		return b
	}
	if !n.first(id(1), now) || n.first(id(1), now) || n.first(id(1), now.Add(2*clockSlack)) {
		t.Error("one that was there is new")
	}
	if n.first(id(1), now.Add(3*clockSlack)) {
		t.Error("it is forgotten when it is moved aside")
	}
	if !n.first(id(1), now.Add(10*clockSlack)) {
		t.Error("it is never forgotten") // two turns later
	}
	for i := range 3 * maxNonces {
		n.first(id(i), now)
	}
	if len(n.cur)+len(n.prev) > 2*maxNonces {
		t.Errorf("%d are kept", len(n.cur)+len(n.prev))
	}
}

func TestAlgorithms(t *testing.T) {
	for _, tc := range []struct {
		name, signature string
		verification    []string
		want            string
	}{
		{"the default", "HmacSHA256", []string{"HmacSHA256"}, ""},
		{"two", "hmacsha512", []string{"HmacSHA256", "HmacSHA512"}, ""},
		{"not among them", "HmacSHA512", []string{"HmacSHA256"}, "Invalid value HmacSHA512 for configuration inter.worker.signature.algorithm: Signature algorithm must be present in inter.worker.verification.algorithms list"},
		{"unknown", "Foo", []string{"Foo"}, "Invalid value Foo for configuration inter.worker.signature.algorithm"},
		{"unknown to verify", "HmacSHA256", []string{"HmacSHA256", "Foo"}, "Invalid value Foo for configuration inter.worker.verification.algorithms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := CheckAlgorithms(tc.signature, tc.verification)
			if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
				t.Error(err)
			}
			if tc.want == "" {
				return
			}
			if _, err := Start(t.Context(), Options{Log: slog.New(slog.DiscardHandler), Keys: keysOf("k"), SignatureAlgorithm: tc.signature, VerificationAlgorithms: tc.verification}); err == nil {
				t.Error("the server started")
			}
		})
	}
	for _, name := range []string{"HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512", "HmacSHA512/224", "HmacSHA512/256", "HmacSHA3-256", "HmacSHA3-384", "HmacSHA3-512"} {
		o := Options{SignatureAlgorithm: name, VerificationAlgorithms: []string{"HmacSHA256", name}}
		a, b := node(t, o), node(t, Options{VerificationAlgorithms: o.VerificationAlgorithms, SignatureAlgorithm: "HmacSHA256"})
		a.do = to(b.url)
		if got := call(t, "PUT", a.url+"connectors/a/pause", ""); got.status != 202 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if _, err := Start(t.Context(), Options{Log: slog.New(slog.DiscardHandler), Nodes: &fakeNodes{}}); err == nil || !strings.Contains(err.Error(), "session keys") {
		t.Errorf("a cluster without keys: %v", err)
	}
}

// FuzzParseWhat: the header is read before anybody has signed it in earnest.
func FuzzParseWhat(f *testing.F) {
	f.Add("1 1700000000000 000102030405060708090a0b0c0d0e0f 00")
	f.Add("1 x y z")
	f.Add("")
	f.Fuzz(func(_ *testing.T, s string) { _, _, _, _ = parseWhat(s) })
}

// TestAgainIsSigned: nobody on the way can make a repetition of a request, or one that
// tells of another state.
func TestAgainIsSigned(t *testing.T) {
	s, _ := newSigner(keysOf("key"), "", nil)
	for _, tc := range []struct {
		signed, sent string
		want         error
	}{{"", "", nil}, {"7", "7", nil}, {"", "7", errSignature}, {"7", "", errSignature}, {"7", "8", errSignature}} {
		r := httptest.NewRequest("PUT", "/connectors/a/pause?", nil)
		r.Header.Set(headerAgain, tc.signed)
		if err := s.sign(r, "/connectors/a/pause?", nil); err != nil {
			t.Fatal(err)
		}
		r.Header.Set(headerAgain, tc.sent)
		if _, err := s.verify(r); !errors.Is(err, tc.want) {
			t.Errorf("signed with %q, sent with %q: %v", tc.signed, tc.sent, err)
		}
	}
}
