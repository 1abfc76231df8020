package restapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/connectors"
)

// fakeHerder answers what the tests ask; anything else is a nil pointer's panic,
// which the gateway answers too.
type fakeHerder struct {
	cluster.API
	names   []string
	put     func(name string, config map[string]string) error
	offsets func([]cluster.Offset) (string, error)
}

func (f *fakeHerder) Connectors(context.Context) ([]string, error) { return f.names, nil }

func (f *fakeHerder) Connector(_ context.Context, name string) (cluster.ConnectorInfo, error) {
	for _, n := range f.names {
		if n == name {
			return cluster.ConnectorInfo{Name: n, Config: map[string]string{"name": n}, Type: "source"}, nil
		}
	}
	return cluster.ConnectorInfo{}, cluster.Errorf(404, "Connector %s not found", name)
}

func (f *fakeHerder) PutConnector(_ context.Context, name string, config map[string]string, _ *connectors.TargetState, _ bool) (cluster.ConnectorInfo, bool, error) {
	if f.put != nil {
		if err := f.put(name, config); err != nil {
			return cluster.ConnectorInfo{}, false, err
		}
	}
	f.names = append(f.names, name)
	return cluster.ConnectorInfo{Name: name, Config: config, Type: "source"}, true, nil
}

func (f *fakeHerder) AlterOffsets(_ context.Context, _ string, offs []cluster.Offset) (string, error) {
	return f.offsets(offs)
}

func (f *fakeHerder) Pause(context.Context, string) error { return nil }

func (f *fakeHerder) Resume(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

type fakePlugins struct{ Plugins }

func (fakePlugins) List(bool) any { return []string{} }

func (fakePlugins) Check(_ context.Context, config map[string]*string) (map[string]string, error) {
	out := make(map[string]string)
	for k, v := range config {
		if v != nil {
			out[k] = *v
		}
	}
	return out, nil
}

type fakeLoggers struct{ Loggers }

func (fakeLoggers) All() map[string]LoggerLevel {
	return map[string]LoggerLevel{"root": {Level: "INFO"}}
}

// start runs a gateway; options without listeners get one.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Listeners == nil {
		o.Listeners = []Listener{{Scheme: "http", Host: "127.0.0.1"}}
	}
	if o.Herder == nil {
		o.Herder = &fakeHerder{}
	}
	o.Plugins, o.Loggers, o.Log = fakePlugins{}, fakeLoggers{}, slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s
}

// handler is the gateway without a port.
func handlerOf(o Options) http.Handler {
	if o.Herder == nil {
		o.Herder = &fakeHerder{}
	}
	o.Plugins, o.Loggers, o.Log = fakePlugins{}, fakeLoggers{}, slog.New(slog.DiscardHandler)
	_, main, _, err := newServer(o)
	if err != nil {
		panic(err)
	}
	return main
}

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://x/", strings.NewReader(body))
	r.URL, _ = url.ParseRequestURI(target)
	if r.URL == nil {
		r.URL = &url.URL{Path: target}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	long := strings.Repeat("n", 10_000)
	h := handlerOf(Options{Herder: &fakeHerder{names: []string{"a", ".", "..", "a/b", "50%", "a;b", "é", long, "a b", "{x}"}}})
	for _, tc := range []struct {
		name, path string
		status     int
	}{
		{"plain", "/connectors/a", 200},
		{"slash at the end", "/connectors/a/", 200},
		{"two slashes at the end", "/connectors/a//", 400},
		{"empty segment", "/connectors//a", 400},
		{"empty segment in front", "//connectors", 400},
		{"matrix parameter", "/connectors/a;x=y", 200},
		{"matrix parameter of another segment", "/connectors;v=1/a", 200},
		{"encoded semicolon", "/connectors/a%3Bb", 200},
		{"dot", "/connectors/.", 200},
		{"dots", "/connectors/..", 200},
		{"encoded dots", "/connectors/%2E%2e", 200},
		{"dots are no way up", "/connectors/../health", 404},
		{"encoded slash", "/connectors/a%2Fb", 200},
		{"encoded percent", "/connectors/50%25", 200},
		{"twice encoded", "/connectors/50%2525", 404},
		{"UTF-8", "/connectors/%C3%A9", 200},
		{"no UTF-8", "/connectors/%ff", 400},
		{"NUL", "/connectors/a%00", 400},
		{"space", "/connectors/a%20b", 200},
		{"plus is no space", "/connectors/a+b", 404},
		{"braces", "/connectors/%7Bx%7D", 200},
		{"10000 characters", "/connectors/" + long, 200},
		{"case", "/Connectors/a", 404},
		{"more segments", "/connectors/a/b/c/d/e/f", 404},
		{"unknown", "/nope", 404},
		{"query", "/connectors/a?x=/y", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := ask(h, "GET", tc.path, ""); w.Code != tc.status {
				t.Errorf("%d %.200s, want %d", w.Code, w.Body, tc.status)
			}
		})
	}
}

func TestNegotiation(t *testing.T) {
	h := handlerOf(Options{Herder: &fakeHerder{names: []string{"a"}}})
	for _, tc := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		contentType              string
	}{
		{"unknown path", "GET", "/nope", "", nil, 404, ""},
		{"wrong method", "DELETE", "/connectors", "", nil, 405, ""},
		{"accept", "GET", "/connectors", "", []string{"Accept", "text/plain"}, 406, ""},
		{"accept with q=0", "GET", "/connectors", "", []string{"Accept", "application/json;q=0"}, 406, ""},
		{"accept any", "GET", "/connectors", "", []string{"Accept", "text/html,*/*;q=0.1"}, 200, "application/json"},
		{"wrong type of body", "POST", "/connectors", "{}", []string{"Content-Type", "text/plain"}, 415, ""},
		{"no type of body", "POST", "/connectors", "{}", []string{"Content-Type", ""}, 415, "application/json"},
		{"no type where no body is read", "PUT", "/connectors/a/pause", "x", []string{"Content-Type", ""}, 202, ""},
		{"no number", "GET", "/connectors/a/tasks/x/status", "", nil, 404, "application/json"},
		{"number too big", "GET", "/connectors/a/tasks/99999999999/status", "", nil, 404, "application/json"},
		{"no number, wrong method", "PUT", "/connectors/a/tasks/x/status", "", nil, 405, ""},
		{"internal", "POST", "/connectors/a/tasks", "[]", nil, 400, "application/json"},
		{"internal, signed", "PUT", "/connectors/a/fence", "", []string{headerSignature, "x", headerAlgorithm, "HmacSHA256"}, 403, "application/json"},
		{"openapi whatever is accepted", "GET", "/openapi.yaml", "", []string{"Accept", "text/html"}, 200, "application/yaml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := ask(h, tc.method, tc.path, tc.body, tc.headers...)
			if w.Code != tc.status || w.Header().Get("Content-Type") != tc.contentType {
				t.Errorf("%d %q %.200s, want %d %q", w.Code, w.Header().Get("Content-Type"), w.Body, tc.status, tc.contentType)
			}
			if w.Code >= 400 {
				var e errorBody
				if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Code != w.Code || e.Message == "" {
					t.Errorf("the error's body is %q", w.Body)
				}
			}
		})
	}
	w := ask(h, "OPTIONS", "/connectors/a/config", "")
	if w.Code != 200 || w.Header().Get("Allow") != "HEAD, GET, OPTIONS, PUT, PATCH" || w.Body.String() != w.Header().Get("Allow") {
		t.Errorf("OPTIONS: %d %q %q", w.Code, w.Header().Get("Allow"), w.Body)
	}
}

func TestBodies(t *testing.T) {
	var got map[string]string
	h := handlerOf(Options{Herder: &fakeHerder{put: func(_ string, c map[string]string) error { got = c; return nil }}})
	w := ask(h, "POST", "/connectors", "\ufeff"+`{"name":" a ","config":{"i":1,"d":1.50,"e":1e5,"z":-0,"b":false,"l":12345678901234567890,"s":" s ","u":"\u00e9"}}`)
	if w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for k, want := range map[string]string{"name": "a", "i": "1", "d": "1.50", "e": "1e5", "z": "-0", "b": "false", "l": "12345678901234567890", "s": " s ", "u": "é"} {
		if got[k] != want {
			t.Errorf("%s is %q, want %q", k, got[k], want)
		}
	}
	for _, body := range []string{"", " ", "null", "[]", `"x"`, "5", `{"name":`, "{}", `{"name":"a"}`, `{"name":"a","config":null}`, `{"name":"a","config":[]}`,
		`{"name":"a","config":{"x":{}}}`, `{"name":"a","config":{"x":[1]}}`, `{"name":{},"config":{}}`, `{"name":"a","config":{},"z":1}`, `{"name":"a","config":{}} x`,
		`{"Name":"a","config":{}}`, `{"name":"a","config":{},"initial_state":"FOO"}`, `{"name":"a","config":{},"initial_state":1}`, `{"name":"a","config":{"name":"b"}}`} {
		if w := ask(h, "POST", "/connectors", body, "Content-Type", "application/json"); w.Code != 400 {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"a":{}}`} {
		if w := ask(h, "PUT", "/connectors/a/config", body, "Content-Type", "application/json"); w.Code != 400 {
			t.Errorf("PUT %q: %d %s", body, w.Code, w.Body)
		}
	}
	big := `{"a":"` + strings.Repeat("x", maxBody) + `"}`
	if w := ask(h, "PUT", "/connectors/a/config", big); w.Code != 413 {
		t.Errorf("a body that is too large: %d", w.Code)
	}
}

func TestLocation(t *testing.T) {
	h := handlerOf(Options{})
	for name, want := range map[string]string{"a b": "a%20b", "a+b": "a+b", "50%": "50%25", "é": "%C3%A9", "x/y": "x/y", "q?r": "q%3Fr", "h#i": "h%23i",
		"s;t": "s;t", "c:d": "c:d", `b\c`: "b%5Cc", "a&b=c": "a&b=c", "{a}[b]": "%7Ba%7D%5Bb%5D"} {
		b, _ := json.Marshal(map[string]any{"name": name, "config": map[string]string{}})
		w := ask(h, "POST", "/connectors", string(b))
		if got := w.Header().Get("Location"); got != "http://x/connectors/"+want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestCORS(t *testing.T) {
	h := handlerOf(Options{AllowOrigin: "http://a.example, http://b.example", AllowMethods: "GET,PUT"})
	w := ask(h, "GET", "/connectors", "", "Origin", "http://b.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "http://b.example" || w.Header().Get("Vary") != "Origin" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("matching origin: %v", w.Header())
	}
	w = ask(h, "GET", "/connectors", "", "Origin", "http://evil.example")
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
		t.Errorf("other origin: %d %v", w.Code, w.Header())
	}
	w = ask(h, "OPTIONS", "/connectors", "", "Origin", "http://a.example", "Access-Control-Request-Method", "PUT")
	want := map[string]string{"Access-Control-Allow-Methods": "GET,PUT", "Access-Control-Allow-Headers": "Content-Type", "Access-Control-Max-Age": "60", "Allow": "HEAD, POST, GET, OPTIONS"}
	for k, v := range want {
		if w.Header().Get(k) != v {
			t.Errorf("preflight: %s is %q, want %q", k, w.Header().Get(k), v)
		}
	}
	if w = ask(handlerOf(Options{AllowOrigin: "*"}), "GET", "/connectors", "", "Origin", "http://x"); w.Header().Get("Access-Control-Allow-Origin") != "http://x" {
		t.Errorf("any origin: %v", w.Header())
	}
	if w = ask(handlerOf(Options{}), "GET", "/connectors", "", "Origin", "http://x"); w.Header().Get("Vary") != "" {
		t.Errorf("switched off: %v", w.Header())
	}
}

func TestHeaderRules(t *testing.T) {
	rules, err := ParseHeaderRules(`set X-A:1, add X-B:2,"set Cache-Control:no-cache, no-store","setDate Expires:1000"`)
	if err != nil {
		t.Fatal(err)
	}
	w := ask(handlerOf(Options{Headers: rules}), "GET", "/nope", "")
	if w.Header().Get("X-A") != "1" || w.Header().Get("X-B") != "2" || w.Header().Get("Cache-Control") != "no-cache, no-store" {
		t.Errorf("%v", w.Header())
	}
	if _, err := http.ParseTime(w.Header().Get("Expires")); err != nil {
		t.Error(err)
	}
	if rules, err := ParseHeaderRules(""); err != nil || len(rules) != 0 {
		t.Errorf("empty: %v %v", rules, err)
	}
	for _, bad := range []string{"set", "set X", "put X:1", "set X:1:2", "set :1", "setDate X:soon"} {
		if _, err := ParseHeaderRules(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestBasicAuth(t *testing.T) {
	h := handlerOf(Options{Auth: PasswordFile{"ann": "pa:ss"}})
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tc := range []struct {
		name, header string
		ok           bool
	}{
		{"right", "Basic " + basic("ann:pa:ss"), true},
		{"scheme in any case", "bAsIc " + basic("ann:pa:ss"), true},
		{"none", "", false},
		{"wrong password", "Basic " + basic("ann:pa"), false},
		{"unknown user", "Basic " + basic("bob:pa:ss"), false},
		{"empty", "Basic " + basic(":"), false},
		{"no base64", "Basic ?", false},
		{"other scheme", "Bearer " + basic("ann:pa:ss"), false},
	} {
		for _, target := range [][2]string{{"GET", "/connectors"}, {"GET", "/health"}, {"GET", "/nope"}, {"GET", "/admin/loggers"}, {"GET", "/openapi.yaml"},
			{"POST", "/connectors/a/tasks"}, {"PUT", "/connectors/a/fence"}, {"OPTIONS", "/connectors"}, {"GET", "//x"}} {
			if tc.ok && (target[1] == "/health") {
				continue // the fake herder has none
			}
			w := ask(h, target[0], target[1], "", "Authorization", tc.header)
			if refused := w.Code == 401; refused == tc.ok {
				t.Errorf("%s: %s %s: %d", tc.name, target[0], target[1], w.Code)
			}
			if w.Code == 401 && (w.Header().Get("Content-Type") != "text/plain" || w.Body.String() != "User cannot access the resource." || w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("401: %v %q", w.Header(), w.Body)
			}
		}
	}
	if w := ask(handlerOf(Options{Auth: PasswordFile{}}), "GET", "/connectors", ""); w.Code != 200 {
		t.Errorf("an empty file: %d", w.Code)
	}
}

func TestPanicsAndTimeouts(t *testing.T) {
	h := handlerOf(Options{})
	w := ask(h, "GET", "/connectors/a/status", "") // a nil herder method
	var e errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 500 || e.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("PUT", "/connectors/a/resume", nil)
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r.WithContext(ctx))
	if rec.Code != 500 {
		t.Errorf("a client that hung up: %d", rec.Code)
	}
}

func TestErrorsHaveOnePlace(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
	}{{cluster.Errorf(409, "x"), 409}, {errors.Join(errors.New("a"), cluster.Errorf(404, "x")), 404}, {errors.New("plain"), 500}} {
		w := httptest.NewRecorder()
		fail(w, tc.err)
		if w.Code != tc.status {
			t.Errorf("%v: %d", tc.err, w.Code)
		}
	}
}

func TestAdminListeners(t *testing.T) {
	get := func(addr net.Addr, path string) int {
		resp, err := http.Get("http://" + addr.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	s := start(t, Options{Auth: PasswordFile{"a": "b"}, Admin: []Listener{{Scheme: "http", Host: "127.0.0.1", Port: freePort(t)}}})
	admin := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.opts.Admin[0].Port}
	if len(s.Addrs) != 1 {
		t.Fatalf("the admin listener counts: %v", s.Addrs)
	}
	if got := get(admin, "/admin/loggers"); got != 200 {
		t.Errorf("admin on its own listener, without the authentication: %d", got)
	}
	if got := get(admin, "/connectors"); got != 404 {
		t.Errorf("/connectors on the admin listener: %d", got)
	}
	s = start(t, Options{Admin: []Listener{{Scheme: "http", Host: "127.0.0.1"}}})
	if got := get(s.Addrs[0], "/admin/loggers"); got != 404 {
		t.Errorf("/admin on the other listener: %d", got)
	}
	s = start(t, Options{AdminDisabled: true})
	if got := get(s.Addrs[0], "/admin/loggers"); got != 404 {
		t.Errorf("/admin switched off: %d", got)
	}
	s = start(t, Options{})
	if got := get(s.Addrs[0], "/admin/loggers"); got != 200 {
		t.Errorf("/admin on the main listener: %d", got)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Options{Log: slog.New(slog.DiscardHandler), Listeners: []Listener{{Scheme: "http", Host: "127.0.0.1"}, {Scheme: "http", Host: "127.0.0.1", Port: port}}})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("%v does not name the listener", err)
	}
}

func TestParseListener(t *testing.T) {
	for in, want := range map[string]Listener{
		"http://:8083": {"http", "", 8083}, "HTTPS://h:1": {"https", "h", 1}, " http://[::1]:0 ": {"http", "::1", 0}} {
		if got, err := ParseListener(in); err != nil || got != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "h:1", "ftp://h:1", "http://h", "http://h:x", "http://h:99999"} {
		if _, err := ParseListener(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[1,2.5,"x",null,true]`, `99999999999999999999`, `{"a":{"b":[]}}`, strings.Repeat("[", 200), `1e400`, `{"a"`, `"\ud800"`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseValue(b)
		if err != nil || !json.Valid(b) {
			return
		}
		out := appendValue(nil, v)
		if !json.Valid(out) {
			t.Fatalf("%q became %q", b, out)
		}
		again, err := parseValue(out)
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if twice := appendValue(nil, again); !bytes.Equal(out, twice) {
			t.Fatalf("%q became %q and then %q", b, out, twice)
		}
	})
}

func FuzzBodies(f *testing.F) {
	for _, s := range []string{`{"name":"a","config":{"x":1}}`, `null`, `{"offsets":[{"partition":{"a":1},"offset":null}]}`, `{"offsets":[null]}`, "\xef\xbb\xbf{}", `{"level":"DEBUG"}`} {
		f.Add(s)
	}
	h := handlerOf(Options{Herder: &fakeHerder{offsets: func([]cluster.Offset) (string, error) { return "", nil }}})
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range [][2]string{{"POST", "/connectors"}, {"PUT", "/connectors/a/config"}, {"PATCH", "/connectors/a/offsets"}, {"POST", "/connectors/a/tasks"}} {
			w := ask(h, target[0], target[1], body, "Content-Type", "application/json")
			if w.Code >= 500 {
				t.Fatalf("%v %q: %d %s", target, body, w.Code, w.Body)
			}
		}
	})
}
