package cluster

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/store"
)

// Membership is this node's place in the group; [group.Member] is one.
type Membership interface {
	State() *group.State
	Lease() *group.Lease
	// Leads asks the coordinator whether this node leads the generation now.
	Leads(ctx context.Context, generation int32) bool
	Evict(ctx context.Context, member, reason string) error
}

// Gossip is what is seen of other nodes without asking Kafka. It hurries and decides
// nothing.
type Gossip interface {
	// Sees reports whether a life of a node, by its boot id, is seen alive now.
	Sees(boot string) bool
	// Silence is how long no other node has answered.
	Silence() time.Duration
	// Unreachable lists addresses of known nodes that gossip doesn't reach.
	Unreachable() []string
}

// CoordinatorOptions are what a [Coordinator] is made with.
type CoordinatorOptions struct {
	Node  string // node.id
	Boot  string
	Group string

	Log    *assign.Log
	Gossip Gossip // nil: none
	// MakeGossipKeys has the leader make gossip's secret and keep it in the log.
	MakeGossipKeys bool
	Peers          Peers
	// Writer takes the leader's transactional id.
	Writer func(ctx context.Context) (*store.TxWriter, error)
	// Configs are the store that the leader's writer is given to.
	Configs *store.ConfigStore

	// MaxMoves bounds the live moves that are under way at once (rebalance.max.moves).
	MaxMoves int
	// Settle is how long nodes must have been the same before work moves for balance
	// (rebalance.settle.ms).
	Settle time.Duration
	// Session is how long the group waits for a member that is silent
	// (session.timeout.ms).
	Session time.Duration
	// RevokeTimeout is how long an owner may take to stop what it is to give up.
	RevokeTimeout time.Duration
	// QuarantineWindow is how long after a start a node's death is held against what was
	// started (failover.quarantine.window.ms); 0: never.
	QuarantineWindow time.Duration
	// KeyTTL is how long a session key signs (inter.worker.key.ttl.ms).
	KeyTTL time.Duration

	Logger *slog.Logger
}

// Coordinator is this node's part in the cluster: it says what the assignment log
// gives to this node, acknowledges what it has given up, and, on the leader, decides
// and writes who does what. The rules, each with the interleaving that it answers, are
// in docs/clustering.md.
//
// Everything that may change something pokes one loop, which looks at the whole state:
// the group, the lease, the log, the configurations. What blocks (reading to the end,
// writing, asking others) runs beside it, one of a kind at a time, and pokes it when
// done.
type Coordinator struct {
	CoordinatorOptions
	herder *Herder
	member Membership

	began  chan struct{}   // closed by Start: gossip may tell of others before
	pokes  chan struct{}   // capacity 1
	poked  atomic.Uint64   // how often
	ctx    context.Context //nolint:containedctx // the coordinator's life
	cancel context.CancelFunc
	wg     sync.WaitGroup

	standing atomic.Pointer[string] // member id whose assignments this node may run; nil: none
	lapsed   atomic.Bool            // somebody was told that this node may do nothing
	lead     atomic.Pointer[leading]
	counts   counts

	mu        sync.Mutex
	watchers  []chan struct{}       // of whoever waits for a change
	acked     map[assign.Unit]int64 // to the leader: epochs that have ended
	gone      map[string]time.Time  // member ids that this node has taken out of the group
	lives     map[string]life       // to the leader: by boot id, how lives of nodes have ended
	missed    map[string]time.Time  // to the leader: member ids that hold units and are not in the group, and since when
	applied   *worker.Wanted        // what the worker was last told
	everSeen  map[string]bool       // boot ids that gossip has seen
	shown     map[string]time.Time  // boot ids in the group: when gossip last showed them, or else when they came
	seenNodes []string
	stopping  bool
	lost      error              // why there is no leader, for those who wait
	noMoves   time.Time          // since when the set of nodes is the same
	nextTick  time.Time          // when to decide again at the latest
	keys      []store.SessionKey // newest first

	// Of the loop.
	regained   bool // the lease was lost before: starts are spread
	busy       flights
	stepped    uint64        // of pokes that the deciding has seen
	lookTook   time.Duration // of the deciding goroutine, of which there is one: its last look at everything
	nothingDue looked        // of the loop: when this node had nothing to give up
}

// flights are what runs beside the loop, at most one of a kind.
type flights struct{ reading, beginning, deciding, acking atomic.Bool }

// leading is a term of leadership of this node.
type leading struct {
	member string
	since  time.Time
	writer *store.TxWriter
}

// NewCoordinator returns a coordinator that does not run yet; its options may be
// completed until Start.
func NewCoordinator(o CoordinatorOptions) *Coordinator {
	c := &Coordinator{CoordinatorOptions: o, began: make(chan struct{}), pokes: make(chan struct{}, 1), acked: make(map[assign.Unit]int64), gone: make(map[string]time.Time), lives: make(map[string]life), everSeen: make(map[string]bool), shown: make(map[string]time.Time)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Start begins to follow the log, and to lead when it is this node's turn. The stores
// are caught up.
func (c *Coordinator) Start(h *Herder, m Membership) {
	c.herder, c.member = h, m
	close(c.began)
	c.wg.Go(c.loop)
	c.Poke()
}

// Stop ends the loop and a term of leadership.
func (c *Coordinator) Stop() {
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
	c.stepDown(nil)
}

// start runs f on a goroutine that Stop waits for. Gossip and the stores may still tell
// of something while that happens: then nothing is begun any more.
func (c *Coordinator) start(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping {
		c.wg.Go(f)
	}
}

// Poke says that something may have changed. It does not block.
func (c *Coordinator) Poke() {
	c.poked.Add(1)
	c.nudge()
}

// nudge has the loop look again without a reason to decide anything anew.
func (c *Coordinator) nudge() {
	select {
	case c.pokes <- struct{}{}:
	default:
	}
}

// idleTick is the pace of the loop when nothing tells it of a change; a node that is
// cut off from all others notices within it.
const idleTick = 250 * time.Millisecond

func (c *Coordinator) loop() {
	timer := time.NewTimer(idleTick)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.pokes:
		case <-timer.C:
		}
		next := c.step()
		timer.Reset(next)
		c.wake()
	}
}

// beside runs f beside the loop unless one of its kind does already, and has the loop
// look again afterwards.
func (c *Coordinator) beside(busy *atomic.Bool, f func()) {
	if !busy.CompareAndSwap(false, true) {
		return
	}
	c.wg.Go(func() {
		defer c.nudge()
		defer busy.Store(false)
		f()
	})
}

// step looks at everything once and returns when to look again at the latest.
func (c *Coordinator) step() time.Duration {
	st := c.member.State()
	c.counts.saw(st)
	held := c.member.Lease().Held()
	c.watchOthers(st)
	c.follow(st, held)
	next := idleTick
	if c.acknowledge(st) {
		next = ackEvery
	}
	return min(next, c.leadStep(st, held))
}

// follow decides whether this node may run what the log gives to its member id: it
// must be in good standing, and have read the log to the end as of when it came to be
// so.
func (c *Coordinator) follow(st *group.State, held bool) {
	if c.lapsed.Swap(false) {
		c.regained = true
		c.herder.Poke()
	}
	if !held || st.Member == "" {
		if c.standing.Swap(nil) != nil {
			c.regained = true
			c.herder.Poke()
		}
		return
	}
	if cur := c.standing.Load(); cur != nil && *cur == st.Member {
		return
	}
	if cur := c.standing.Swap(nil); cur != nil {
		c.herder.Poke()
	}
	member, spread := st.Member, c.regained
	c.beside(&c.busy.reading, func() {
		if spread { // all nodes come back at the same moment after an outage of Kafka
			if !c.sleep(time.Duration(rand.Int64N(int64(startJitter)))) {
				return
			}
		}
		ctx, cancel := context.WithTimeout(c.ctx, readTimeout)
		defer cancel()
		if err := c.Log.Refresh(ctx); err != nil {
			if c.ctx.Err() == nil {
				c.Logger.Warn("reading the assignment log to its end; it is tried again", "err", err)
				c.sleep(retryPause)
			}
			return
		}
		if cur := c.member.State(); cur.Member == member && c.member.Lease().Held() {
			c.standing.Store(&member)
			c.herder.Poke()
		}
	})
}

const (
	startJitter = 300 * time.Millisecond
	readTimeout = 10 * time.Second
	retryPause  = 200 * time.Millisecond
	ackEvery    = 50 * time.Millisecond
)

func (c *Coordinator) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// Allowed reports whether this node may put, produce and commit now: the gate before
// each of them.
//
// Whoever hears no ends for it. So the lease counts as lost from then on, even if it is
// back before the loop has looked: the log is read again, and the worker told again.
func (c *Coordinator) Allowed() bool {
	cur := c.standing.Load()
	if cur == nil {
		return false
	}
	if c.member.Lease().Held() {
		return true
	}
	if c.standing.CompareAndSwap(cur, nil) {
		c.lapsed.Store(true)
		c.nudge()
	}
	return false
}

// mine returns what the log gives to this node now, and whether it may run anything at
// all.
func (c *Coordinator) mine() (map[assign.Unit]assign.Entry, bool) {
	member := c.standing.Load()
	if member == nil {
		return nil, false
	}
	return c.Log.Of(*member), true
}

// told notes what the worker has been told, once it has been.
func (c *Coordinator) told(w worker.Wanted) {
	c.mu.Lock()
	c.applied = &w
	c.mu.Unlock()
	c.Poke()
}

// wake tells those who wait that something may have changed.
func (c *Coordinator) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.watchers {
		close(w)
	}
	c.watchers = nil
}

// change returns a channel that is closed when something may have changed.
func (c *Coordinator) change() <-chan struct{} {
	w := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, w)
	return w
}

func (c *Coordinator) generation() int {
	if g := c.member.State().Generation; g > 0 {
		return int(g)
	}
	return 1
}
