package membership

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	roundEvery  = 2 * time.Second // between two looks for what gossip doesn't reach, more or less a quarter
	streamTime  = 2 * time.Second // for a dial and for each exchange over a stream
	patience    = 3 * time.Second // that long an address may fail before it is said; nodes that start together come one by one
	forgetAfter = 24 * time.Hour  // an address is tried no longer after its peer's death
	atATime     = 16              // streams that are opened at once
)

// seeds knows the addresses that this node should reach, and tries those that it
// doesn't. memberlist by itself never mends a partition: both halves take each other
// for dead and stop trying.
//
// Three kinds: configured ones stay for ever; learnt ones until they are dropped or
// a peer there leaves; those of peers that died until a peer is alive there again,
// it left, or a day has passed.
type seeds struct {
	t      *table
	port   int
	join   func(addr string) error // blocks for at most two streamTimes
	lookup func(ctx context.Context, host string) ([]string, error)
	log    *slog.Logger
	slots  chan struct{}
	wg     sync.WaitGroup

	mu     sync.Mutex
	fixed  []string
	learnt map[string]bool
	lost   map[string]time.Time
	state  map[string]*reach // by address as given
}

// reach is what is known of one address.
type reach struct {
	busy    bool
	failing time.Time // since when without a break; zero: reached, or not tried yet
	said    string    // the reason that the log has, "" for none
}

func (s *seeds) add(addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range addrs {
		if a != "" {
			s.learnt[a] = true
		}
	}
}

func (s *seeds) drop(addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range addrs {
		delete(s.learnt, a)
		delete(s.lost, a)
		s.forgetUnused(a)
	}
}

// died and back are called by the table, with its lock held: nothing here may call it.
func (s *seeds) died(p Peer, left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !left {
		s.lost[p.Addr] = time.Now()
		return
	}
	delete(s.lost, p.Addr)
	delete(s.learnt, p.Addr)
	s.forgetUnused(p.Addr)
}

func (s *seeds) back(p Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lost, p.Addr)
}

// forgetUnused is called with s.mu held.
func (s *seeds) forgetUnused(a string) {
	if r := s.state[a]; r != nil && !r.busy && !s.learnt[a] && s.lost[a].IsZero() && !slices.Contains(s.fixed, a) {
		delete(s.state, a)
	}
}

// all returns every address that should be reached, each once.
func (s *seeds) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.fixed)
	for a := range s.learnt {
		out = append(out, a)
	}
	for a, at := range s.lost {
		if time.Since(at) > forgetAfter {
			delete(s.lost, a)
			s.forgetUnused(a)
			continue
		}
		out = append(out, a)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// run looks for what is not reached until ctx ends, and waits for its goroutines.
func (s *seeds) run(ctx context.Context, each func()) {
	defer s.wg.Wait()
	for {
		each()
		s.round(ctx)
		wait := roundEvery*3/4 + rand.N(roundEvery/2)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// round starts an attempt for each address that is not reached and has none under
// way. It doesn't wait for them: one that answers nothing must not hold up the others.
func (s *seeds) round(ctx context.Context) {
	alive := s.t.addresses()
	for _, a := range s.settled(alive) {
		s.note(a, nil)
		s.mu.Lock()
		s.forgetUnused(a)
		s.mu.Unlock()
	}
	for _, a := range s.all() {
		if n := s.numeric(a); n != "" && alive[n] {
			s.note(a, nil)
			continue
		}
		s.mu.Lock()
		r := s.of(a)
		busy := r.busy
		r.busy = true
		s.mu.Unlock()
		if busy {
			continue
		}
		s.wg.Go(func() {
			err := s.try(ctx, a)
			if ctx.Err() == nil {
				s.note(a, err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.of(a).busy = false
			s.forgetUnused(a)
		})
	}
}

// settled returns addresses that failed, and where a peer has come back without an
// attempt of ours.
func (s *seeds) settled(alive map[string]bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for a, r := range s.state {
		if !r.failing.IsZero() && !r.busy && alive[s.numeric(a)] {
			out = append(out, a)
		}
	}
	return out
}

// of is called with s.mu held.
func (s *seeds) of(a string) *reach {
	if s.state[a] == nil {
		s.state[a] = &reach{}
	}
	return s.state[a]
}

// try resolves an address and joins whatever of it is not alive. It succeeds when
// any of it is reached.
func (s *seeds) try(ctx context.Context, a string) error {
	addrs, err := s.resolve(ctx, a)
	if err != nil {
		return err
	}
	addrs = slices.DeleteFunc(addrs, func(addr string) bool { return addr == s.t.addr })
	if len(addrs) == 0 {
		return nil // this node is the only one there
	}
	alive := s.t.addresses()
	reached := false
	var wg sync.WaitGroup
	errs := make([]error, len(addrs))
	for i, addr := range addrs {
		if alive[addr] {
			reached = true
			continue
		}
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			wg.Wait()
			return ctx.Err()
		}
		wg.Go(func() {
			defer func() { <-s.slots }()
			errs[i] = s.join(addr)
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil && !alive[addrs[i]] {
			reached = true
		}
	}
	if reached {
		return nil
	}
	return errs[0]
}

// numeric returns an address without names in memberlist's form, "" for others.
func (s *seeds) numeric(a string) string {
	host, port, err := hostPort("gossip.seeds", a, s.port)
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return ""
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(port))
}

func (s *seeds) resolve(ctx context.Context, a string) ([]string, error) {
	if n := s.numeric(a); n != "" {
		return []string{n}, nil
	}
	host, port, err := hostPort("gossip.seeds", a, s.port)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	ips, err := s.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", host, err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("resolving %s: it has no addresses", host)
	}
	var out []string
	for _, text := range ips {
		if ip := net.ParseIP(text); ip != nil {
			out = append(out, net.JoinHostPort(ip.String(), strconv.Itoa(port)))
		}
	}
	return out, nil
}

// note keeps what an attempt brought, and says it when it is news.
func (s *seeds) note(a string, err error) {
	s.mu.Lock()
	r := s.of(a)
	said, since := r.said, r.failing
	if err == nil {
		r.failing, r.said = time.Time{}, ""
		s.mu.Unlock()
		if said != "" {
			s.log.Info("gossip reaches "+a+" again", "after", time.Since(since).Round(time.Second))
		}
		return
	}
	if since.IsZero() {
		r.failing, since = time.Now(), time.Now()
	}
	why := reason(err)
	news := why != said && time.Since(since) >= patience
	if news {
		r.said = why
	}
	s.mu.Unlock()
	if news {
		s.log.Warn("gossip does not reach "+a+": "+why, "for", time.Since(since).Round(time.Second))
	}
}

// unreachable returns the addresses whose last attempts failed. One that was not
// tried yet counts as reached.
func (s *seeds) unreachable() []string {
	alive := s.t.addresses()
	out := []string{}
	for _, a := range s.all() {
		if alive[s.numeric(a)] {
			continue
		}
		s.mu.Lock()
		r := s.state[a]
		failing := r != nil && !r.failing.IsZero() || !s.lost[a].IsZero()
		s.mu.Unlock()
		if failing {
			out = append(out, a)
		}
	}
	return out
}

// reason says why a join failed in words that stay the same from attempt to
// attempt; memberlist's hold the numbers of source ports.
func reason(err error) string {
	text := err.Error()
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	switch {
	case has("no installed keys", "remote state is encrypted", "remote state is not encrypted"):
		return keysDiffer
	case has("connection refused"):
		return "connection refused (nothing listens there)"
	case has("timeout", "timed out", "deadline exceeded"):
		return "no answer over TCP"
	case has("EOF", "reset by peer", "broken pipe", "closed pipe", "use of closed network connection"):
		return "the connection is closed without an answer (gossip of another group.id, or something else listens there)"
	}
	if _, rest, ok := strings.Cut(text, ": "); ok && strings.Contains(text, "failed to join") {
		text = rest
	}
	return strings.TrimSpace(text)
}
