package restapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/cluster"
)

// headerNotHere marks an answer that says: nothing was done, ask again. Its value says
// why, for the node that asked.
const headerNotHere = "X-Troupe-Not-Here"

const (
	notHereRole      = "role"      // this node is not, or no longer, the one
	notHereKey       = "no-key"    // it has no session key yet
	notHereSignature = "signature" // it does not know the key, perhaps not yet
)

const (
	dialTimeout = 2 * time.Second  // a node that is gone costs no more, then the herder is asked who it is now
	tlsTimeout  = 5 * time.Second  // a handshake is some ms of work
	idleTimeout = 30 * time.Second // less than the server's, or a request could meet a connection that is being closed
	maxConns    = 64               // to one node; more requests wait for one
	maxAnswer   = 64 << 20         // bytes; an answer holds a configuration, which maxBody bounds, more than once
)

// peer sends signed requests to other nodes.
type peer struct {
	signer *signer
	http   *http.Client
}

// newPeer returns one that keeps its connections, or one that makes a connection for
// each request: a node that is gone then shows itself before anything is sent, where a
// connection that was kept would take the request and leave it open what became of it.
func newPeer(s *signer, conf *tls.Config, keep bool) *peer {
	return &peer{signer: s, http: &http.Client{
		// A redirect would take the signature elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               nil, // nodes know each other by address; what the environment says is for others
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 5 * time.Second}).DialContext,
			TLSClientConfig:     conf,
			TLSHandshakeTimeout: tlsTimeout,
			IdleConnTimeout:     idleTimeout,
			MaxConnsPerHost:     maxConns,
			MaxIdleConnsPerHost: 8,
			MaxIdleConns:        256,
			DisableKeepAlives:   !keep,
			DisableCompression:  true, // answers are passed on as they are
		},
	}}
}

func (p *peer) close() { p.http.CloseIdleConnections() }

// answer is what another node said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// message is the text of an error's answer.
func (a *answer) message() string {
	var e errorBody
	if err := json.Unmarshal(a.body, &e); err == nil && e.Message != "" {
		return e.Message
	}
	return fmt.Sprintf("HTTP %d %.200s", a.status, a.body)
}

// notDone is the error of a request that was surely not carried out.
type notDone struct {
	why  string
	kind string  // as headerNotHere has it; "" for one that did not get there
	said *answer // nil for one that did not get there
}

func (e *notDone) Error() string { return e.why }

// unsure is the error of a request that was, or may have been, sent, and whose answer
// did not come.
type unsure struct {
	base  string
	cause error
}

func (e *unsure) Error() string {
	return fmt.Sprintf("The request was forwarded to %s, whose answer did not come (%v): it may or may not have been carried out", e.base, e.cause)
}

func (e *unsure) Unwrap() error { return e.cause }

// do sends a request to the node at base. path is what follows the base, escaped and
// with a slash in front. An error is a [notDone] or an [unsure].
func (p *peer) do(ctx context.Context, base, method, path, query string, header http.Header, body []byte) (*answer, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/") + path)
	if err != nil {
		return nil, &notDone{why: fmt.Sprintf("The address of another node, %s, is none: %v", base, err)}
	}
	u.RawQuery = query
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &notDone{why: fmt.Sprintf("A request to %s could not be made: %v", base, err)}
	}
	req.URL = u // its query may hold what String and Parse change
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "troupe")
	if err := p.signer.sign(req, path+"?"+query, body); err != nil {
		return nil, &notDone{why: err.Error(), kind: notHereKey}
	}
	resp, err := p.http.Do(req)
	if err != nil {
		if context.Cause(ctx) != nil && errors.Is(ctx.Err(), context.Canceled) {
			err = context.Cause(ctx) // says more
		}
		// Without a connection nothing has left; with one, who knows. What only
		// reads is never carried out.
		if !sent.Load() || reads(method) {
			return nil, &notDone{why: fmt.Sprintf("The node at %s could not be reached: %v", base, bare(err))}
		}
		return nil, &unsure{base, bare(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = fmt.Errorf("it answered %d with more than %d bytes", resp.StatusCode, maxAnswer)
	}
	if err != nil {
		return nil, &unsure{base, err}
	}
	a := &answer{resp.StatusCode, resp.Header, b}
	if kind := resp.Header.Get(headerNotHere); kind != "" && a.status >= 400 {
		return nil, &notDone{why: a.message(), kind: kind, said: a}
	}
	return a, nil
}

// reads reports whether a method changes nothing.
func reads(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// bare takes net/http's "Post <url>:" off; whoever reads the error is told the node.
func bare(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // it is the outermost
		return e.Err
	}
	return err
}

// Client asks other nodes for what only a cluster has, in requests signed with the
// session key. It may be used from any goroutine; calls end with their contexts.
type Client struct{ peer *peer }

var _ cluster.Peers = (*Client)(nil)

// NewClient returns a client; algorithm is inter.worker.signature.algorithm ("" for
// its default), conf what it takes to reach nodes by https. Close it in the end.
func NewClient(keys cluster.SessionKeys, algorithm string, conf *tls.Config) (*Client, error) {
	s, err := newSigner(keys, algorithm, nil)
	if err != nil {
		return nil, err
	}
	return &Client{newPeer(s, conf, true)}, nil
}

// Close closes the connections that are not in use; the others close with their calls.
func (c *Client) Close() { c.peer.close() }

// post sends v as JSON; doing says for what. An error is a *[cluster.NotHere], or holds
// a *[cluster.Error] with the status of the answer, or says that the node was not
// reached, or that the request may or may not have been carried out.
func (c *Client) post(ctx context.Context, base, path string, v any, doing string) error {
	var body []byte
	header := http.Header{"Accept": {"application/json"}}
	if v != nil {
		body = encode(v)
		header.Set("Content-Type", "application/json")
	}
	a, err := c.peer.do(ctx, base, http.MethodPost, path, "", header, body)
	var nd *notDone
	switch {
	case err == nil && a.status/100 == 2:
		return nil
	case err == nil:
		err = &cluster.Error{Status: a.status, Message: a.message()}
	case errors.As(err, &nd) && nd.kind == notHereRole:
		return &cluster.NotHere{Why: nd.why}
	case nd != nil && nd.said != nil:
		err = &cluster.Error{Status: nd.said.status, Message: nd.why}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// PutTaskConfigs implements [cluster.Peers].
func (c *Client) PutTaskConfigs(ctx context.Context, base, connector string, configs []map[string]string) error {
	if configs == nil {
		configs = []map[string]string{}
	}
	return c.post(ctx, base, "/connectors/"+url.PathEscape(connector)+"/tasks", configs,
		fmt.Sprintf("sending %d task configurations of %s to %s", len(configs), connector, base))
}

// Acknowledge implements [cluster.Peers].
func (c *Client) Acknowledge(ctx context.Context, base string, acks []cluster.Ack) error {
	out := make([]ackBody, len(acks))
	for i, a := range acks {
		out[i] = ackBody{a.Unit.Connector, a.Unit.Task, a.Epoch}
	}
	return c.post(ctx, base, "/cluster/acks", out, fmt.Sprintf("acknowledging %d stopped units to %s", len(acks), base))
}

// Drain implements [cluster.Peers].
func (c *Client) Drain(ctx context.Context, base, node string, drain bool) error {
	verb := "drain"
	if !drain {
		verb = "undrain"
	}
	return c.post(ctx, base, "/cluster/nodes/"+url.PathEscape(node)+"/"+verb, nil, fmt.Sprintf("asking %s to %s the node %s", base, verb, node))
}
