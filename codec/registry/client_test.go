package registry

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/codec"
)

// fake is a registry that answers what it is told and counts what it is asked.
type fake struct {
	mu      sync.Mutex
	asked   []string // "METHOD /path?query"
	heads   []http.Header
	bodies  []string
	hosts   []string
	answers map[string]string // by "METHOD /path"; "404 text" sets a status
	block   chan struct{}     // nil, or closed when answers may go
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
	f.heads = append(f.heads, r.Header)
	f.hosts = append(f.hosts, r.Host)
	f.bodies = append(f.bodies, string(text))
	answer, ok := f.answers[r.Method+" "+r.URL.EscapedPath()]
	block := f.block
	f.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-r.Context().Done():
			return
		}
	}
	if !ok {
		answer = `404 {"error_code":40401,"message":"Subject not found."}`
	}
	status := 200
	if !strings.HasPrefix(answer, "{") {
		code, rest, _ := strings.Cut(answer, " ")
		_, _ = fmt.Sscan(code, &status)
		answer = rest
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (f *fake) answer(what, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what] = text
}

func (f *fake) questions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// serve starts the fake and returns its address.
func (f *fake) serve(t *testing.T) string {
	t.Helper()
	if f.answers == nil {
		f.answers = map[string]string{}
	}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// clientFor returns a client with these settings over quick ones.
func clientFor(t *testing.T, props map[string]string) *Client {
	t.Helper()
	all := map[string]string{MaxRetriesSetting: "0", RetryWaitSetting: "1"}
	for k, v := range props {
		all[k] = v
	}
	v, err := Def().Parse(all)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var text = &Schema{Type: Avro, Text: `"string"`}

func TestRegister(t *testing.T) {
	f := &fake{answers: map[string]string{"POST /subjects/a%2Fb%20c-value/versions": `{"id":7}`}}
	c := clientFor(t, map[string]string{URLSetting: f.serve(t) + "/"})
	s := &Schema{Type: JSON, Text: `{}`, References: []Reference{{"n", "s", 3}}}
	for range 3 {
		if id, err := c.Register(t.Context(), "a/b c-value", s, true); err != nil || id != 7 {
			t.Fatalf("id %d, %v", id, err)
		}
	}
	if got := f.questions(); !slices.Equal(got, []string{"POST /subjects/a%2Fb%20c-value/versions?normalize=true"}) {
		t.Errorf("asked %q", got)
	}
	if want := `{"schemaType":"JSON","references":[{"name":"n","subject":"s","version":3}],"schema":"{}"}`; f.bodies[0] != want {
		t.Errorf("sent %s, want %s", f.bodies[0], want)
	}
	// What was registered is known by its id.
	if got, err := c.ByID(t.Context(), 7, ""); err != nil || got != s || len(f.questions()) != 1 {
		t.Errorf("by id: %v, %v, asked %q", got, err, f.questions())
	}
}

func TestReads(t *testing.T) {
	f := &fake{answers: map[string]string{
		"POST /subjects/s":                `{"subject":"s","id":9,"version":2,"schema":"\"string\""}`,
		"GET /schemas/ids/9":              `{"schema":"\"string\""}`,
		"GET /schemas/ids/10":             `{"schemaType":"PROTOBUF","schema":"x","references":[{"name":"n","subject":"r","version":1}]}`,
		"GET /subjects/s/versions/2":      `{"subject":"s","version":2,"id":9,"schema":"\"string\""}`,
		"GET /subjects/s/versions/latest": `{"subject":"s","version":2,"id":9,"schema":"\"string\""}`,
	}}
	c := clientFor(t, map[string]string{URLSetting: f.serve(t)})
	for range 2 {
		if r, err := c.Lookup(t.Context(), "s", text, false); err != nil || r.ID != 9 || r.Version != 2 {
			t.Fatalf("looked up %+v, %v", r, err)
		}
		if s, err := c.ByID(t.Context(), 9, "s"); err != nil || s.Type != Avro || s.Text != text.Text {
			t.Fatalf("by id %+v, %v", s, err)
		}
		if s, err := c.ByID(t.Context(), 10, ""); err != nil || s.Type != Protobuf || len(s.References) != 1 {
			t.Fatalf("by id %+v, %v", s, err)
		}
		if r, err := c.Version(t.Context(), "s", 2); err != nil || r.ID != 9 {
			t.Fatalf("version %+v, %v", r, err)
		}
		if r, err := c.Latest(t.Context(), "s"); err != nil || r.Version != 2 {
			t.Fatalf("latest %+v, %v", r, err)
		}
	}
	want := []string{"POST /subjects/s?deleted=false", "GET /schemas/ids/9?fetchMaxId=false&subject=s", "GET /schemas/ids/10?fetchMaxId=false",
		"GET /subjects/s/versions/2?deleted=true", "GET /subjects/s/versions/latest"}
	if got := f.questions(); !slices.Equal(got, want) {
		t.Errorf("asked %q,\nwant %q", got, want)
	}
}

// TestCacheIsBounded: the oldest answer goes, and is asked for again.
func TestCacheIsBounded(t *testing.T) {
	f := &fake{answers: map[string]string{}}
	for i := range 3 {
		f.answers[fmt.Sprintf("GET /schemas/ids/%d", i)] = `{"schema":"\"int\""}`
	}
	c := clientFor(t, map[string]string{URLSetting: f.serve(t), MaxSchemasSetting: "2"})
	for _, id := range []int{0, 1, 0, 1, 2, 2, 1, 0} {
		if _, err := c.ByID(t.Context(), id, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.questions()); n != 4 {
		t.Errorf("%d questions, want 4: %q", n, f.questions())
	}
	if n := len(c.schemas.known); n != 2 {
		t.Errorf("%d schemas are remembered", n)
	}
}

// TestLatestExpires: the newest schema is asked for again after its time.
func TestLatestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](10, 5*time.Second)
		n := 0
		ask := func() int {
			v, err := c.ask(t.Context(), "k", func(f func(context.Context)) error { go f(t.Context()); return nil },
				func(context.Context) (int, error) { n++; return n, nil })
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {4 * time.Second, 1}, {time.Second, 2}, {0, 2}} {
			time.Sleep(step.after)
			if got := ask(); got != step.want {
				t.Errorf("after %s: answer %d, want %d", step.after, got, step.want)
			}
		}
	})
}

// TestOneQuestion: many who want the same ask once, and one who gives up spoils it
// for nobody.
func TestOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](10, 0)
		asked, release := 0, make(chan struct{})
		ask := func(ctx context.Context) (int, error) {
			return c.ask(ctx, "k", func(f func(context.Context)) error { go f(context.Background()); return nil },
				func(context.Context) (int, error) { asked++; <-release; return 7, nil })
		}
		impatient, giveUp := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := ask(impatient); first <- err }()
		synctest.Wait()
		giveUp()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Fatalf("the one who gave up: %v", err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if v, err := ask(t.Context()); v != 7 || err != nil {
					t.Error(v, err)
				}
			})
		}
		synctest.Wait() // all of them wait
		close(release)
		wg.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come about within 10 s")
		}
	}
}

func TestFailover(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, tt := range []struct {
		name, first string // what the first address answers; "": nothing listens there
		want        string // part of the error; "": the second is asked
	}{
		{name: "nobody there"},
		{name: "busy", first: `503 {"error_code":50003,"message":"Error while forwarding the request to the primary"}`},
		{name: "too many", first: `429 {}`},
		{name: "a proxy's page", first: `502 <html>bad gateway</html>`},
		{name: "a refusal is an answer", first: `404 {"error_code":40403,"message":"Schema not found"}`, want: "Schema not found; error code: 40403"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad, good := &fake{}, &fake{}
			first := gone.URL
			if tt.first != "" {
				first = bad.serve(t)
			}
			second := good.serve(t)
			for id := range 3 {
				what := fmt.Sprintf("GET /schemas/ids/%d", id)
				bad.answers = map[string]string{what: tt.first}
				good.answer(what, `{"schema":"\"int\""}`)
			}
			bad.answers = map[string]string{"GET /schemas/ids/0": tt.first, "GET /schemas/ids/1": tt.first}
			c := clientFor(t, map[string]string{URLSetting: first + "," + second})
			for id := range 2 {
				_, err := c.ByID(t.Context(), id, "")
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
					t.Fatalf("schema %d: %v, want %q", id, err, tt.want)
				}
			}
			// The one that answered is asked first from then on.
			if n := len(bad.questions()); tt.want == "" && tt.first != "" && n != 1 {
				t.Errorf("the first was asked %d times", n)
			}
			if n := len(good.questions()); tt.want != "" && n != 0 {
				t.Errorf("the second was asked %d times", n)
			}
		})
	}
}

// TestRetries: all addresses are asked again when none could answer.
func TestRetries(t *testing.T) {
	f := &fake{answers: map[string]string{"GET /schemas/ids/1": `500 {"error_code":50001,"message":"Error in the backend data store"}`}}
	c := clientFor(t, map[string]string{URLSetting: f.serve(t), MaxRetriesSetting: "2"})
	_, err := c.ByID(t.Context(), 1, "")
	if !IsOutage(err) || !strings.HasSuffix(err.Error(), "Error in the backend data store; error code: 50001") || len(f.questions()) != 3 {
		t.Fatalf("%v after %d questions", err, len(f.questions()))
	}
	// A failure is not remembered.
	f.answer("GET /schemas/ids/1", `{"schema":"\"int\""}`)
	if _, err := c.ByID(t.Context(), 1, ""); err != nil {
		t.Error(err)
	}
}

func TestAuthentication(t *testing.T) {
	for _, tt := range []struct {
		name  string
		user  string // in the address
		props map[string]string
		want  string
	}{
		{name: "none"},
		{name: "in the address", user: "u:p%40x@", want: "Basic dTpwQHg="},
		{name: "user info", props: map[string]string{BasicSourceSetting: "USER_INFO", UserInfoSetting: "u:p:x"}, want: "Basic dTpwOng="},
		{name: "user info by its old name", props: map[string]string{BasicSourceSetting: "USER_INFO", OldUserInfoSetting: "u:p@x"}, want: "Basic dTpwQHg="},
		{name: "token", props: map[string]string{BearerSourceSetting: "STATIC_TOKEN", BearerTokenSetting: "tok"}, want: "Bearer tok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{answers: map[string]string{"GET /schemas/ids/1": `{"schema":"\"int\""}`}}
			props := map[string]string{URLSetting: strings.Replace(f.serve(t), "http://", "http://"+tt.user, 1)}
			for k, v := range tt.props {
				props[k] = v
			}
			if _, err := clientFor(t, props).ByID(t.Context(), 1, ""); err != nil {
				t.Fatal(err)
			}
			if got := f.heads[0].Get("Authorization"); got != tt.want {
				t.Errorf("authorization %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNoSecrets: a password in an address stands in no error.
func TestNoSecrets(t *testing.T) {
	c := clientFor(t, map[string]string{URLSetting: "http://user:topsecret@127.0.0.1:1"})
	if _, err := c.ByID(t.Context(), 1, ""); err == nil || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
		t.Error(err)
	}
	// Validation refuses it already.
	if _, err := Def().Parse(map[string]string{URLSetting: "http://ok:8081,htp://user:topsecret@h"}); err == nil || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), URLSetting) {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	f := &fake{answers: map[string]string{"GET /schemas/ids/1": `{"schema":"\"int\""}`}}
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		props map[string]string
		want  string
	}{
		{"file", map[string]string{"schema.registry.ssl.truststore.type": "PEM", "schema.registry.ssl.truststore.location": file}, ""},
		{"text", map[string]string{"schema.registry.ssl.truststore.type": "PEM", "schema.registry.ssl.truststore.certificates": ca}, ""},
		{"not trusted", nil, "certificate signed by unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			props := map[string]string{URLSetting: s.URL}
			for k, v := range tt.props {
				props[k] = v
			}
			_, err := clientFor(t, props).ByID(t.Context(), 1, "")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestProxy: with proxy.host the registry's name is the proxy's to look up.
func TestProxy(t *testing.T) {
	f := &fake{answers: map[string]string{"GET /schemas/ids/1": `{"schema":"\"int\""}`}}
	host, port, _ := strings.Cut(strings.TrimPrefix(f.serve(t), "http://"), ":")
	c := clientFor(t, map[string]string{URLSetting: "http://registry.invalid:8081", ProxyHostSetting: host, ProxyPortSetting: port})
	if _, err := c.ByID(t.Context(), 1, ""); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.hosts, []string{"registry.invalid:8081"}) {
		t.Errorf("the proxy was asked for %q", f.hosts)
	}
}

// TestHangs: a registry that accepts and says nothing is an outage, and nobody
// waits for it beyond the settings or once the client is closed.
func TestHangs(t *testing.T) {
	f := &fake{block: make(chan struct{})}
	url := f.serve(t)
	c := clientFor(t, map[string]string{URLSetting: url, ConnectTimeoutSetting: "50", ReadTimeoutSetting: "50"})
	begun := time.Now()
	_, err := c.ByID(t.Context(), 1, "")
	var e *codec.Error
	if !IsOutage(err) || !errors.As(err, &e) || e.Class != timeoutException || time.Since(begun) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
	// The time to connect is not added for a registry that accepts.
	c = clientFor(t, map[string]string{URLSetting: url, ReadTimeoutSetting: "50"})
	begun = time.Now()
	if _, err = c.ByID(t.Context(), 1, ""); !errors.As(err, &e) || e.Class != timeoutException || time.Since(begun) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
	c = clientFor(t, map[string]string{URLSetting: url})
	failed := make(chan error, 1)
	go func() { _, err := c.ByID(context.Background(), 1, ""); failed <- err }()
	eventually(t, func() bool { return len(f.questions()) == 3 })
	c.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) || IsOutage(err) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := c.ByID(t.Context(), 2, ""); !errors.Is(err, errClosed) {
		t.Errorf("a question to a closed client: %v", err)
	}
}

// TestLongAnswer: an answer without end is given up.
func TestLongAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	if _, err := clientFor(t, map[string]string{URLSetting: s.URL}).ByID(t.Context(), 1, ""); err == nil || !strings.Contains(err.Error(), "the answer is longer than") {
		t.Error(err)
	}
}

// TestDependencies: each schema once, after what it refers to; a circle ends.
func TestDependencies(t *testing.T) {
	f := &fake{}
	url := f.serve(t)
	add := func(subject string, refs ...Reference) {
		b, _ := json.Marshal(body{Subject: subject, ID: 1, Version: 1, Text: subject, References: refs})
		f.answer("GET /subjects/"+subject+"/versions/1", string(b))
	}
	a, b, base := Reference{"A", "a", 1}, Reference{"B", "b", 1}, Reference{"Base", "base", 1}
	add("a", base)
	add("b", base, a)
	add("base")
	c := clientFor(t, map[string]string{URLSetting: url})
	order := func(refs ...Reference) string {
		t.Helper()
		deps, err := c.Dependencies(t.Context(), &Schema{References: refs})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, d := range deps {
			names = append(names, d.Name+"="+d.Schema.Text)
		}
		return strings.Join(names, " ")
	}
	if got := order(a, b); got != "Base=base A=a B=b" {
		t.Errorf("order %q", got)
	}
	if got := order(b, a); got != "Base=base A=a B=b" {
		t.Errorf("order %q", got)
	}
	if n := len(f.questions()); n != 3 {
		t.Errorf("%d questions, want 3: %q", n, f.questions())
	}
	circle := &fake{}
	curl := circle.serve(t)
	f = circle
	add("x", Reference{"Y", "y", 1})
	add("y", Reference{"X", "x", 1})
	c = clientFor(t, map[string]string{URLSetting: curl})
	if got := order(Reference{"X", "x", 1}); got != "Y=y X=x" {
		t.Errorf("a circle: %q", got)
	}
	_, err := c.Dependencies(t.Context(), &Schema{References: []Reference{{"N", "none", 1}}})
	if err == nil || !IsNotFound(err) || !strings.Contains(err.Error(), "resolving the reference N to version 1 of the subject none") {
		t.Error(err)
	}
}
