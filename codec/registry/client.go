package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/troupeio/troupe/codec/configdef"
)

// maxAnswer bounds what is read of one answer, bytes. Schemas of a few MB exist;
// an answer beyond this is none of a registry.
const maxAnswer = 64 << 20

// errClosed ends what waits for a client that was closed.
var errClosed = fmt.Errorf("the schema registry's client is closed: %w", context.Canceled)

// Client asks a schema registry, and remembers what it answered. It may be used
// by any number of goroutines, who share one request for the same question.
//
// Errors that are the registry's answer are an [*Error]; of a registry that cannot
// answer at present [IsOutage] is true.
type Client struct {
	nodes   []*sr.Client // one an address
	urls    []string
	current atomic.Int32 // the node that answered last
	t       *transport
	http    *http.Client

	life   context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed against wg.Add
	closed bool
	wg     sync.WaitGroup

	ids      *cache[int]         // by subject, normalization and schema
	versions *cache[*Registered] // by subject, normalization and schema
	schemas  *cache[*Schema]     // by id, and subject where one is asked with it
	numbered *cache[*Registered] // by subject and version
	latest   *cache[*Registered] // by subject
}

// NewClient returns a client for settings that a [Def] parsed. It asks nothing
// yet. The caller must [Client.Close] it.
//
// The error is about a setting.
func NewClient(v *configdef.Values) (*Client, error) {
	t, err := transportOf(v)
	if err != nil {
		return nil, err
	}
	return newClient(t)
}

func newClient(t *transport) (*Client, error) {
	tlsConf, err := tlsOf(t.ssl)
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if t.proxy != nil {
		proxy = http.ProxyURL(t.proxy)
	}
	c := &Client{t: t,
		http: &http.Client{Transport: &bounded{http.Transport{
			Proxy:               proxy,
			DialContext:         (&net.Dialer{Timeout: t.connectTimeout}).DialContext,
			TLSHandshakeTimeout: t.connectTimeout,
			TLSClientConfig:     tlsConf,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     90 * time.Second,
		}}},
		ids:      newCache[int](t.cacheSize, 0),
		versions: newCache[*Registered](t.cacheSize, 0),
		schemas:  newCache[*Schema](t.cacheSize, 0),
		numbered: newCache[*Registered](t.cacheSize, 0),
		latest:   newCache[*Registered](t.latestSize, t.latestTTL),
	}
	for _, e := range t.endpoints {
		opts := []sr.ClientOpt{sr.URLs(e.url), sr.HTTPClient(c.http), sr.UserAgent("troupe")}
		if e.user != "" {
			opts = append(opts, sr.BasicAuth(e.user, e.password))
		}
		if t.bearer != "" {
			opts = append(opts, sr.BearerToken(t.bearer))
		}
		node, err := sr.NewClient(opts...)
		if err != nil {
			return nil, err
		}
		c.nodes, c.urls = append(c.nodes, node), append(c.urls, e.url)
	}
	c.life, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close ends what is on its way and waits for it. Whoever waits for an answer gets
// an error.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
	c.http.CloseIdleConnections()
}

// spawn runs f on a goroutine that Close ends and waits for.
func (c *Client) spawn(f func(context.Context)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.wg.Go(func() { f(c.life) })
	return nil
}

// bounded is a transport whose answers have an end.
type bounded struct{ http.Transport }

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// call asks the registry: the node that answered last, then the others, then all
// again after a wait. What the registry answers ends it, unless the answer is that
// it cannot at present.
func (c *Client) call(ctx context.Context, method, path string, params url.Values, body, into any) error {
	ctx = sr.WithParams(ctx, sr.RawParams(params))
	for attempt := 0; ; attempt++ {
		err := c.round(ctx, method, path, body, into)
		var refused *Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused) && !busy(refused.Status):
			return err
		case c.life.Err() != nil:
			return errClosed
		case ctx.Err() != nil || attempt >= c.t.retries:
			return outage(err)
		}
		if !pause(ctx, c.wait(attempt)) {
			return outage(err)
		}
	}
}

// round asks each node once, until one answers.
func (c *Client) round(ctx context.Context, method, path string, body, into any) (err error) {
	first := int(c.current.Load())
	for i := range c.nodes {
		at := (first + i) % len(c.nodes)
		err = c.one(ctx, c.nodes[at], method, path, body, into)
		var refused *Error
		if err == nil || errors.As(err, &refused) && !busy(refused.Status) {
			c.current.Store(int32(at)) //nolint:gosec // a handful of addresses
			return err
		}
		err = fmt.Errorf("asking the schema registry %s: %w", c.urls[at], err)
		if ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (c *Client) one(ctx context.Context, node *sr.Client, method, path string, body, into any) error {
	ctx, stop := c.timed(ctx)
	defer stop()
	err := node.Do(ctx, method, path, body, into)
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	var refused *sr.ResponseError
	if errors.As(err, &refused) {
		return refusal(refused)
	}
	var where *url.Error
	if errors.As(err, &where) {
		return where.Err // the rest of the text is ours already
	}
	return err
}

// timed returns a context for one request: it ends when the answer is not there
// within the read timeout of the connection, which a new one has its own time for.
func (c *Client) timed(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.t.connectTimeout+c.t.readTimeout, func() { cancel(context.DeadlineExceeded) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { timer.Reset(c.t.readTimeout) }})
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// wait is how long to wait before the next attempt, counted from 0.
func (c *Client) wait(attempt int) time.Duration {
	d := c.t.retryWait << min(attempt, 30)
	if d <= 0 || d > c.t.retryMaxWait {
		d = c.t.retryMaxWait
	}
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func subjectPath(subject, rest string) string { return "/subjects/" + url.PathEscape(subject) + rest }

func normalized(params url.Values, normalize bool) url.Values {
	if normalize {
		params.Set("normalize", "true")
	}
	return params
}

// body is a schema in the registry's JSON.
type body struct {
	ID         int         `json:"id,omitempty"`
	Version    int         `json:"version,omitempty"`
	Subject    string      `json:"subject,omitempty"`
	Type       Type        `json:"schemaType,omitempty"`
	References []Reference `json:"references,omitempty"`
	Text       string      `json:"schema"`
}

func bodyOf(s *Schema) body {
	b := body{Text: s.Text, References: s.References}
	if s.kind() != Avro {
		b.Type = s.Type // registries from before the other types know no schemaType
	}
	return b
}

func (b *body) schema() *Schema {
	s := &Schema{Type: b.Type, Text: b.Text, References: b.References}
	s.Type = s.kind()
	return s
}

func (b *body) registered() *Registered {
	return &Registered{ID: b.ID, Version: b.Version, Subject: b.Subject, Schema: b.schema()}
}

func questionKey(subject string, s *Schema, normalize bool) string {
	return strconv.FormatBool(normalize) + subject + "\x00" + s.key()
}

// Register registers a schema and returns its id; a schema that the subject has
// already keeps its id. normalize has the registry compare it in its normal form.
func (c *Client) Register(ctx context.Context, subject string, s *Schema, normalize bool) (id int, err error) {
	return c.ids.ask(ctx, "register "+questionKey(subject, s, normalize), c.spawn, func(ctx context.Context) (int, error) {
		var answer body
		err := c.call(ctx, http.MethodPost, subjectPath(subject, "/versions"), normalized(url.Values{}, normalize), bodyOf(s), &answer)
		if err == nil && answer.ID > 0 {
			c.schemas.put(strconv.Itoa(answer.ID), s)
		}
		return answer.ID, err
	})
}

// Lookup returns the id and version that a schema has in a subject. The answer is
// an [*Error] with [CodeSchemaNotFound] when it has none.
func (c *Client) Lookup(ctx context.Context, subject string, s *Schema, normalize bool) (*Registered, error) {
	return c.versions.ask(ctx, questionKey(subject, s, normalize), c.spawn, func(ctx context.Context) (*Registered, error) {
		var answer body
		params := normalized(url.Values{"deleted": {"false"}}, normalize)
		if err := c.call(ctx, http.MethodPost, subjectPath(subject, ""), params, bodyOf(s), &answer); err != nil {
			return nil, err
		}
		r := answer.registered()
		r.Subject = subject
		return r, nil
	})
}

// ByID returns the schema of an id. Where ids belong to the contexts of a registry,
// subject says which context is meant; it may be empty.
func (c *Client) ByID(ctx context.Context, id int, subject string) (*Schema, error) {
	key, params := strconv.Itoa(id), url.Values{"fetchMaxId": {"false"}}
	if subject != "" {
		params.Set("subject", subject)
		key += " " + subject
	}
	return c.schemas.ask(ctx, key, c.spawn, func(ctx context.Context) (*Schema, error) {
		var answer body
		if err := c.call(ctx, http.MethodGet, "/schemas/ids/"+strconv.Itoa(id), params, nil, &answer); err != nil {
			return nil, err
		}
		return answer.schema(), nil
	})
}

// Latest returns the newest schema of a subject, as latest.cache.ttl.sec allows.
func (c *Client) Latest(ctx context.Context, subject string) (*Registered, error) {
	return c.latest.ask(ctx, subject, c.spawn, func(ctx context.Context) (*Registered, error) {
		return c.version(ctx, subject, "latest")
	})
}

// Version returns one version of a subject, deleted ones too: others may refer to
// it.
func (c *Client) Version(ctx context.Context, subject string, version int) (*Registered, error) {
	v := strconv.Itoa(version)
	return c.numbered.ask(ctx, v+" "+subject, c.spawn, func(ctx context.Context) (*Registered, error) {
		return c.version(ctx, subject, v)
	})
}

func (c *Client) version(ctx context.Context, subject, version string) (*Registered, error) {
	params := url.Values{}
	if version != "latest" {
		params.Set("deleted", "true")
	}
	var answer body
	if err := c.call(ctx, http.MethodGet, subjectPath(subject, "/versions/"+version), params, nil, &answer); err != nil {
		return nil, err
	}
	return answer.registered(), nil
}

// Dependencies returns the text of all that a schema refers to, directly or
// through others, each once and after what it refers to itself.
func (c *Client) Dependencies(ctx context.Context, s *Schema) ([]Dependency, error) {
	var out []Dependency
	seen := map[Reference]bool{}
	var walk func(s *Schema) error
	walk = func(s *Schema) error {
		for _, r := range s.References {
			if seen[r] {
				continue
			}
			seen[r] = true // before its own, so that a circle ends
			found, err := c.Version(ctx, r.Subject, r.Version)
			if err != nil {
				return fmt.Errorf("resolving the reference %s to version %d of the subject %s: %w", r.Name, r.Version, r.Subject, err)
			}
			if err := walk(found.Schema); err != nil {
				return err
			}
			out = append(out, Dependency{r, found.Schema})
		}
		return nil
	}
	return out, walk(s)
}
