// Package membership is this node's gossip: who is alive, where, and what each says
// of itself, within about a second. It decides nothing: Kafka's group and the
// assignment log do, and gossip only lets them be quick.
//
// It is the home of memberlist, and imports nothing of ours.
package membership

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Options are what a node gossips with. Meta.Node and Meta.Boot are needed, all
// else has a default.
type Options struct {
	Bind      string // gossip.bind, host:port; host "" for all addresses, port 0 for one that is free
	Advertise string // gossip.advertise, host:port; "": the address that is bound, or the machine's private one
	Label     string // group.id: groups on one network don't hear each other

	// Keys are AES keys of 16, 24 or 32 bytes. The first encrypts, all are accepted.
	// None: gossip is not encrypted.
	Keys [][]byte

	// A node is probed every ProbeInterval (200 ms) and has ProbeTimeout (100 ms) to
	// answer before others are asked to probe it. If none reaches it, it has
	// SuspicionMult (4) ProbeIntervals to protest (more in groups beyond ten nodes).
	// News travel every GossipInterval (50 ms). Less of any of them means deaths are
	// seen sooner, and stalls are taken for deaths more often.
	ProbeInterval, ProbeTimeout, GossipInterval time.Duration
	SuspicionMult                               int

	// Seeds are gossip.seeds, host:port each; names are resolved anew in each round,
	// and a port that is missing is the one of Bind.
	Seeds []string

	// Transport is for tests: a network in memory. Bind and Advertise are unused then.
	Transport memberlist.Transport
	// LookupHost resolves names of seeds; nil: the machine's resolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)

	Meta Meta // Started: now, unless set; State: Joining, unless set
	Log  *slog.Logger

	// OnEvent is told what happens to peers: from one goroutine, in order, never from
	// within memberlist. While it runs, later events wait; Peers may already know of
	// them. It must not call Close.
	OnEvent func(Event)
}

func (o *Options) defaults() error {
	if o.ProbeInterval == 0 {
		o.ProbeInterval = 200 * time.Millisecond
	}
	if o.ProbeTimeout == 0 {
		o.ProbeTimeout = 100 * time.Millisecond
	}
	if o.GossipInterval == 0 {
		o.GossipInterval = 50 * time.Millisecond
	}
	if o.SuspicionMult == 0 {
		o.SuspicionMult = 4
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.LookupHost == nil {
		o.LookupHost = net.DefaultResolver.LookupHost
	}
	if o.Meta.Started.IsZero() {
		o.Meta.Started = time.Now()
	}
	o.Meta.Started = o.Meta.Started.Truncate(time.Millisecond)
	if o.Meta.State == 0 {
		o.Meta.State = Joining
	}
	switch {
	case o.Meta.Node == "" || o.Meta.Boot == "":
		return errors.New("starting gossip: node.id and boot id must be set")
	case len(o.Label) > memberlist.LabelMaxSize:
		return fmt.Errorf("group.id %q: gossip carries at most %d bytes of it", o.Label, memberlist.LabelMaxSize)
	case o.ProbeInterval < 0 || o.ProbeTimeout < 0 || o.GossipInterval < 0 || o.SuspicionMult < 0:
		return errors.New("gossip.probe.*: intervals, timeouts and the suspicion multiplier must be positive")
	case o.ProbeTimeout >= o.ProbeInterval:
		return fmt.Errorf("gossip.probe.timeout.ms %d: must be less than gossip.probe.interval.ms %d, so that others can be asked within it",
			o.ProbeTimeout.Milliseconds(), o.ProbeInterval.Milliseconds())
	}
	for _, s := range o.Seeds {
		if _, _, err := hostPort("gossip.seeds", s, DefaultPort); err != nil {
			return err
		}
	}
	return checkKeys(o.Keys)
}

// Gossip is one node's part in it. All methods may be called from any goroutine,
// those that read also after Close.
type Gossip struct {
	o     Options
	m     *memberlist.Memberlist
	t     *table
	d     *delegate
	s     *seeds
	q     *queue
	ring  *memberlist.Keyring
	addr  string
	grace time.Duration // two lives of one node.id for longer than that are a clash

	stop     context.CancelFunc // of everything
	stopJoin context.CancelFunc // of the seeds' loop
	done     <-chan struct{}
	wg       sync.WaitGroup

	goodbye sync.Mutex // held while memberlist leaves or shuts down

	mu     sync.Mutex // held during short calls of memberlist, so that none comes after Shutdown
	meta   Meta
	left   bool
	closed bool
}

// Start opens the port and begins to look for peers. It waits for none of them: a
// node that can't reach anybody gossips with itself, and says so.
func Start(o Options) (*Gossip, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	meta, err := o.Meta.encode()
	if err != nil {
		return nil, err
	}
	ring, err := memberlist.NewKeyring(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("starting gossip: %w", err)
	}
	if err := rotate(ring, o.Keys); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Gossip{o: o, ring: ring, meta: o.Meta, stop: stop, done: ctx.Done(), q: &queue{wake: make(chan struct{}, 1)}}
	g.grace = 3*time.Duration(o.SuspicionMult)*o.ProbeInterval + time.Second

	words := newScribe(o.Log)
	logger := log.New(words, "", 0)
	w := &wire{ctx: ctx}
	var ip net.IP
	var port int
	if o.Transport != nil {
		if w.NodeAwareTransport, _ = o.Transport.(memberlist.NodeAwareTransport); w.NodeAwareTransport == nil {
			stop()
			return nil, errors.New("starting gossip: the transport must be a memberlist.NodeAwareTransport")
		}
		ip, port, err = w.FinalAdvertiseAddr("", 0)
	} else {
		w.real = true
		var tr *memberlist.NetTransport
		tr, ip, port, err = listen(o, logger)
		w.NodeAwareTransport = tr
	}
	if err != nil {
		stop()
		return nil, err
	}
	g.addr = net.JoinHostPort(ip.String(), strconv.Itoa(port))
	g.t = newTable(o.Meta, g.addr, g.q)
	g.d = &delegate{t: g.t, meta: meta}
	g.s = g.newSeeds(port)
	g.t.lost, g.t.found = g.s.died, g.s.back

	c := memberlist.DefaultLANConfig()
	c.Name = o.Meta.name()
	c.Transport, c.Label, c.Keyring, c.Logger = w, o.Label, ring, logger
	c.BindPort = port
	c.AdvertiseAddr, c.AdvertisePort = ip.String(), port
	c.TCPTimeout = streamTime
	c.ProbeInterval, c.ProbeTimeout = o.ProbeInterval, o.ProbeTimeout
	c.GossipInterval, c.SuspicionMult = o.GossipInterval, o.SuspicionMult
	// memberlist's 6 and 8 let a node that is cut off, and so hears no second opinion,
	// believe for ten seconds in four others; these make it five, and false alarms
	// under loss no more frequent in the tests. 2 did.
	c.SuspicionMaxTimeoutMult, c.AwarenessMaxMultiplier = 3, 3
	// Each news is sent that often (times the digits of the group's size) by each who
	// hears it. With memberlist's 4, one of five nodes missed some in the tests.
	c.RetransmitMult = 8
	// What is missed all the same, the exchange of all there is brings; 30 s for that
	// would be long.
	c.PushPullInterval = 5 * time.Second
	c.DeadNodeReclaimTime = 2 * time.Second // a machine that comes back under another address within one life
	c.Delegate, c.Events, c.Conflict, c.Ping = g.d, g.d, g.d, g.d
	if g.m, err = memberlist.Create(c); err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("starting gossip on %s: %w", g.addr, err), w.Shutdown())
	}

	joinCtx, stopJoin := context.WithCancel(ctx)
	g.stopJoin = stopJoin
	g.wg.Go(func() { words.run(g.done) })
	g.wg.Go(g.dispatch)
	g.wg.Go(func() {
		g.s.run(joinCtx, func() {
			g.t.clashes(g.grace)
			g.t.prune()
		})
	})
	return g, nil
}

func (g *Gossip) newSeeds(port int) *seeds {
	def := DefaultPort
	if _, p, err := hostPort("gossip.bind", g.o.Bind, DefaultPort); err == nil && p != 0 && g.o.Transport == nil {
		def = p
	}
	if g.o.Transport != nil {
		def = port
	}
	return &seeds{
		t: g.t, port: def, lookup: g.o.LookupHost, log: g.o.Log,
		slots: make(chan struct{}, atATime),
		fixed: g.o.Seeds, learnt: map[string]bool{}, lost: map[string]time.Time{}, state: map[string]*reach{},
		join: func(addr string) error {
			_, err := g.m.Join([]string{addr})
			return err
		},
	}
}

// dispatch tells events until Close. What is queued then is not told any more.
func (g *Gossip) dispatch() {
	for {
		for _, e := range g.q.take() {
			select {
			case <-g.done:
				return
			default:
			}
			if e.Kind == Clashed {
				g.o.Log.Error(e.Text)
			}
			g.o.OnEvent(e)
		}
		select {
		case <-g.q.wake:
		case <-g.done:
			return
		}
	}
}

// Addr returns the host:port that others are told to reach this node's gossip at.
func (g *Gossip) Addr() string { return g.addr }

// Meta returns what this node says of itself now.
func (g *Gossip) Meta() Meta {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.meta
}

// Peers returns the others that are alive, in the order in which they were seen.
func (g *Gossip) Peers() []Peer { return g.t.peers() }

// Sees says whether the life named boot is alive by this node's own gossip; its own
// is.
func (g *Gossip) Sees(boot string) bool {
	now, _ := g.t.seenBoot(boot)
	return now
}

// Seen says whether the life named boot is alive now, and whether this node has
// ever seen it alive (in the last day).
func (g *Gossip) Seen(boot string) (now, ever bool) { return g.t.seenBoot(boot) }

// Answers asks a life of a node directly, at its gossip address, and reports whether
// it answers within ProbeTimeout, for which it may block. What others say of that life
// counts for nothing: those who could not be heard for a while, and have lost
// everybody meanwhile, spread that once they are heard again, and it takes those who
// are alive a moment to deny it.
func (g *Gossip) Answers(node, boot, addr string) bool {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return false
	}
	_, err = g.m.Ping(Meta{Node: node, Boot: boot}.name(), at)
	return err == nil
}

// Silence returns how long no peer has answered a probe of this node, 0 while it has
// no peers. One is probed every ProbeInterval, whatever the size of the group, so
// over a second says that this node is cut off from all (or was not running),
// long before it has given up its peers one by one. It says nothing of a partition
// in which some still answer; Peers does, after some seconds.
func (g *Gossip) Silence() time.Duration { return g.t.silence() }

// Unreachable returns the addresses, as they were given, of seeds, learnt peers and
// peers that died without leaving, that gossip does not reach.
func (g *Gossip) Unreachable() []string { return g.s.unreachable() }

// AddSeeds adds addresses, host:port, that were learnt elsewhere: from the group's
// metadata. They are tried from the next round on, until DropSeeds, or until a peer
// there leaves.
func (g *Gossip) AddSeeds(addrs ...string) { g.s.add(addrs...) }

// DropSeeds forgets learnt addresses, and those of peers that died: their members
// have left the group. Configured seeds stay.
func (g *Gossip) DropSeeds(addrs ...string) { g.s.drop(addrs...) }

// UseKeys replaces the keys while gossip runs: the first encrypts, all are accepted.
// To rotate without a gap, give every node the new key behind the old one, then in
// front of it, then alone. From no keys to some is possible, with a gap until all
// nodes have them; the way back isn't.
func (g *Gossip) UseKeys(keys [][]byte) error { return rotate(g.ring, keys) }

// Update tells the others what this node says of itself from now on. It returns at
// once; the news take some gossip intervals. Node, Boot and Started stay as they
// were at Start. The error is of a Meta that is too long, which is not told.
func (g *Gossip) Update(m Meta) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.update(m)
}

// update is called with g.mu held.
func (g *Gossip) update(m Meta) error {
	m.Node, m.Boot, m.Started = g.meta.Node, g.meta.Boot, g.meta.Started
	b, err := m.encode()
	if err != nil {
		return err
	}
	g.meta = m
	if !g.d.set(b) || g.left || g.closed {
		return nil
	}
	// The shortest timeout: the announcement is queued at once, and how far it has
	// come is nobody's business here. Its error says only that it is still under way.
	_ = g.m.UpdateNode(time.Nanosecond)
	return nil
}

// Leave says good-bye: the others see Left instead of Died. It returns when they
// have most likely heard it, at the latest when ctx ends or after two seconds, and
// is followed by Close. The second call does nothing.
func (g *Gossip) Leave(ctx context.Context) error {
	g.mu.Lock()
	if g.left || g.closed {
		g.mu.Unlock()
		return nil
	}
	m := g.meta
	m.State = Leaving
	err := g.update(m)
	g.left = true
	g.stopJoin()
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	over := make(chan error, 1)
	g.wg.Go(func() {
		g.farewell(ctx)
		over <- errors.Join(err, g.depart(ctx))
	})
	g.mu.Unlock()

	select {
	case err := <-over:
		return err
	case <-ctx.Done():
		return fmt.Errorf("leaving gossip: %w", ctx.Err())
	}
}

// farewell tells each peer over a stream, and gives the metadata a few gossip
// intervals to arrive.
func (g *Gossip) farewell(ctx context.Context) {
	heard := make(chan struct{})
	peers := g.t.peers()
	g.wg.Go(func() {
		defer close(heard)
		g.tell(ctx, peers, append([]byte{leaveMsg}, g.o.Meta.Boot...))
	})
	wait := func(c <-chan struct{}) {
		select {
		case <-c:
		case <-ctx.Done():
		case <-g.done:
		}
	}
	if len(peers) > 0 {
		short, cancel := context.WithTimeout(ctx, 3*g.o.GossipInterval)
		defer cancel()
		wait(short.Done())
	}
	wait(heard)
}

// tell sends text to each peer over a stream. One that can't be told this way hears
// of the leaving by gossip, or takes this node for dead.
func (g *Gossip) tell(ctx context.Context, peers []Peer, text []byte) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, atATime)
	for _, p := range peers {
		host, port, err := hostPort("peer", p.Addr, DefaultPort)
		if err != nil {
			continue
		}
		// A node of our own making: memberlist goes on writing to those of Members.
		n := &memberlist.Node{Name: p.name(), Addr: net.ParseIP(host), Port: uint16(port)}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := g.m.SendReliable(n, text); err != nil {
				g.o.Log.Debug("gossip: telling a peer that this node leaves", "peer", n.Name, "err", err)
			}
		})
	}
}

func (g *Gossip) depart(ctx context.Context) error {
	wait := streamTime
	if at, ok := ctx.Deadline(); ok {
		wait = max(time.Until(at), time.Millisecond)
	}
	g.goodbye.Lock()
	defer g.goodbye.Unlock()
	if g.isClosed() {
		return nil
	}
	if err := g.m.Leave(wait); err != nil {
		return fmt.Errorf("leaving gossip: %w", err)
	}
	return nil
}

func (g *Gossip) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Close ends gossip without a word, as a crash would; Leave comes first otherwise.
// It returns when all goroutines of this package have ended and no event is told
// any more; a Leave under way is waited for, at most two seconds. memberlist's own end by themselves shortly after.
func (g *Gossip) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	g.mu.Unlock()
	g.t.close()
	g.stop()
	g.goodbye.Lock() // memberlist panics when it leaves after its shutdown
	err := g.m.Shutdown()
	g.goodbye.Unlock()
	g.wg.Wait()
	if err != nil {
		return fmt.Errorf("closing gossip: %w", err)
	}
	return nil
}
