package restapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/cluster"
)

const (
	firstPause   = 50 * time.Millisecond // before the herder is asked again; it doubles
	longestPause = 500 * time.Millisecond
	refreshTime  = 2 * time.Second // to read back what another node has written
	// keyLag is how long another node may refuse a signature before that is the
	// answer: after a rotation it reads the new key a little later than this one.
	keyLag = 5 * time.Second
	// leftWait is how long a request whose answer was lost waits for the group to be
	// without the node that had it, before the answer is that nobody knows: longer than
	// a session, which is all that tells of a death where gossip is blocked.
	leftWait = 15 * time.Second
)

// headerAgain marks a request that is sent again though an earlier attempt may have been
// carried out; its value is [cluster.Attempt]'s Base.
const headerAgain = "X-Troupe-Again"

// forwarder sends requests on to the node that can carry them out.
type forwarder struct {
	peer  *peer
	nodes cluster.Nodes // may be nil
	log   *slog.Logger

	ending  context.Context // done when the server begins to stop: nothing waits any more
	end     context.CancelFunc
	ended   context.Context // done when it has stopped: nothing is in flight any more
	abandon context.CancelFunc
}

func newForwarder(p *peer, nodes cluster.Nodes, log *slog.Logger) *forwarder {
	f := &forwarder{peer: p, nodes: nodes, log: log}
	f.ending, f.end = context.WithCancel(context.Background())
	f.ended, f.abandon = context.WithCancel(context.Background())
	return f
}

func (f *forwarder) close() {
	f.end()
	f.abandon()
	f.peer.close()
}

// settle sees a request to its end after the handler's first try ended with err: it
// sends it on as long as the error is [cluster.Elsewhere], and waits and tries here
// again when nobody could carry it out. What it returns is the answer, nil after it
// has written one.
//
// It never sends a request again that another node has sent here. One that may have been
// carried out is sent again if it is of a kind that can be repeated, by the rules of
// [cluster.Attempt], once the node that had it has left the group.
func (f *forwarder) settle(ctx context.Context, w http.ResponseWriter, r *request, try func(context.Context) error, err error) error {
	var why string
	var refused time.Time // when a signature was first refused
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		var elsewhere *cluster.Elsewhere
		var notHere *cluster.NotHere
		switch {
		case errors.As(err, &elsewhere):
			if cluster.Forwarded(ctx) {
				return &cluster.NotHere{Why: "The request was forwarded to this worker, which would forward it to " + elsewhere.URL}
			}
			a, lost := f.send(ctx, r, elsewhere)
			var nd *notDone
			switch {
			case lost == nil:
				return f.pass(ctx, w, r, a)
			case !errors.As(lost, &nd):
				if f.repeats(ctx, elsewhere.Member) {
					why = lost.Error()
					err = try(ctx)
					continue
				}
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					return cluster.Errorf(http.StatusInternalServerError, "Request timed out. It was forwarded to %s, which has not answered: it may or may not have been carried out", elsewhere.URL)
				}
				return lost
			}
			if nd.kind == notHereSignature {
				if refused.IsZero() {
					refused = time.Now()
				} else if time.Since(refused) > keyLag {
					f.log.Warn("another node refuses this one's signature; do both read the same config topic?", "node", elsewhere.URL)
					return f.pass(ctx, w, r, nd.said)
				}
			}
			if why == "" || ctx.Err() == nil { // that the time is over explains nothing
				why = nd.why
			}
		case errors.As(err, &notHere):
			if cluster.Forwarded(ctx) {
				return notHere
			}
			why = notHere.Why
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil && why != "":
			return timedOut(ctx, why)
		default:
			return err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return timedOut(ctx, why)
		case <-f.ending.Done():
			wait.Stop()
			return cluster.Errorf(http.StatusServiceUnavailable, "The worker is stopping; %s. %s", outcome(ctx), why)
		}
		err = try(ctx)
	}
}

// timedOut is Kafka Connect's answer with the reason behind it.
func timedOut(ctx context.Context, why string) error {
	what := outcome(ctx)
	return cluster.Errorf(http.StatusInternalServerError, "Request timed out. %s%s: %s", strings.ToUpper(what[:1]), what[1:], why)
}

// outcome is what is known of a request that this node gives up.
func outcome(ctx context.Context) string {
	if at := cluster.AttemptOf(ctx); at != nil && at.Again {
		return "it may or may not have been carried out"
	}
	return "nothing was done"
}

// repeats reports whether a request whose answer was lost may be tried again. The next
// leader begins after the group is without this one, and by then what this one had not
// committed never will be.
func (f *forwarder) repeats(ctx context.Context, member string) bool {
	at := cluster.AttemptOf(ctx)
	if at == nil || !at.Repeatable || member == "" || f.nodes == nil || ctx.Err() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, leftWait)
	defer cancel()
	defer context.AfterFunc(f.ending, cancel)()
	if f.nodes.AwaitLeft(ctx, member) != nil {
		return false
	}
	at.Again = true
	return true
}

// errLeft is why a request is given up that was sent to a node.
var errLeft = errors.New("the node has left the cluster")

// send sends the request as it came to another node. It gives up when that node leaves
// the group: one that stands still would let it wait for as long as requests may take.
func (f *forwarder) send(ctx context.Context, r *request, to *cluster.Elsewhere) (*answer, error) {
	body, err := r.bytes()
	if err != nil {
		return nil, err
	}
	header := make(http.Header, 8)
	for _, k := range []string{"Content-Type", "Accept", "Authorization"} {
		if v := r.Header.Values(k); len(v) > 0 {
			header[k] = v
		}
	}
	if at := cluster.AttemptOf(ctx); at != nil && at.Again {
		header.Set(headerAgain, strconv.FormatInt(at.Base, 10))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(f.ended, func() { cancel(nil) })()
	if to.Member != "" && f.nodes != nil {
		var watch sync.WaitGroup
		defer watch.Wait()
		defer cancel(nil)
		watch.Go(func() {
			if f.nodes.AwaitLeft(ctx, to.Member) == nil {
				cancel(errLeft)
			}
		})
	}
	return f.peer.do(ctx, to.URL, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, header, body)
}

// pass gives another node's answer on. After a write this node first reads what was
// written, so that it can be read back here at once.
func (f *forwarder) pass(ctx context.Context, w http.ResponseWriter, r *request, a *answer) error {
	if a.status < 200 || a.status/100 == 3 {
		return cluster.Errorf(http.StatusInternalServerError, "Unexpected status code when handling forwarded request: %d", a.status)
	}
	if a.status/100 == 2 && !reads(r.Method) && f.nodes != nil {
		refresh, cancel := context.WithTimeout(ctx, refreshTime)
		if err := f.nodes.Refresh(refresh); err != nil {
			f.log.Debug("reading back what another node has written", "err", err)
		}
		cancel()
	}
	h := w.Header()
	h["Content-Type"] = a.header.Values("Content-Type") // none keeps net/http from guessing one
	if l := a.header.Get("Location"); l != "" {
		h.Set("Location", ownLocation(r, l))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
	return nil
}

// ownLocation is an address at another node as one at this, by which the caller knows
// it; Kafka Connect's workers make it their own too.
func ownLocation(r *request, location string) string {
	u, err := url.Parse(location)
	if err != nil || !u.IsAbs() {
		return location
	}
	_, rest, _ := strings.Cut(location, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return ownBase(r) + rest[i:]
	}
	return location
}

// fromPeers lets requests that other nodes have signed through to trusted, whoever
// the user behind them is: the node that was asked has let the user in. Requests that
// do not claim to be of a node go to next.
func (a *api) fromPeers(trusted, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Values(headerRequest)) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if a.signer == nil {
			fail(w, errSignature) // it has no key, and no other node either
			return
		}
		body, err := a.signer.verify(r)
		if err != nil {
			switch {
			case errors.Is(err, errNoKey):
				w.Header().Set(headerNotHere, notHereKey)
			case errors.Is(err, errSignature):
				w.Header().Set(headerNotHere, notHereSignature)
			}
			fail(w, err)
			return
		}
		ctx := cluster.WithForwarded(r.Context())
		if base, err := strconv.ParseInt(r.Header.Get(headerAgain), 10, 64); err == nil {
			ctx = cluster.WithAttempt(ctx, &cluster.Attempt{Base: base, Again: true})
		}
		r = r.WithContext(ctx)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		trusted.ServeHTTP(w, r)
	})
}
