package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/clustertest"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/membership"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// The settings of every node, those of a worker that is given none but for the
// time to stop in, which is short.
const (
	chaosGroup    = "chaos"
	chaosSession  = 10 * time.Second
	chaosBeat     = 500 * time.Millisecond
	chaosRevoke   = 8 * time.Second // longer than two thirds of the session
	chaosSettle   = 5 * time.Second
	chaosMoves    = 4
	chaosDrain    = 20 * time.Second
	chaosStarting = 60 * time.Second
)

// node is one life of a node: all that main makes of the cluster but for REST, HTTP
// and the worker, which is a fake.
type node struct {
	w         *world
	id, boot  string
	url       string
	gossipEnd *clustertest.Endpoint
	kafkaEnd  *clustertest.Endpoint

	logs   *store.Logs
	stat   *store.StatusStore
	herder *cluster.Herder
	co     *cluster.Coordinator
	member *group.Member
	gossip *membership.Gossip
	worker *fakeWorker
	system *actor.ActorSystem
	log    *slog.Logger

	mu     sync.Mutex
	ready  bool // it has joined, and answers requests
	dead   bool // crashed or left: nothing of it counts any more
	failed error
	poked  chan struct{}
	life   context.Context //nolint:containedctx // of what follows the group's members
	end    context.CancelFunc
	wg     sync.WaitGroup
}

// client makes the node's Kafka clients as main does, over the network in memory.
func (n *node) client(extra ...kgo.Opt) (*kgo.Client, error) {
	props := map[string]string{"bootstrap.servers": n.w.broker.Addr(), "group.id": chaosGroup}
	res, err := kafkaclient.Options(kafkaclient.Admin, kafkaclient.InternalProps(kafkaclient.Admin, props, chaosGroup+"-internal"),
		kafkaclient.Env{Logger: n.log, DialContext: n.kafkaEnd.DialContext})
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(res.Opts, extra...)...)
}

// start brings a node up. It returns once the node has read its topics and begun to
// join, or ctx has ended.
func (n *node) start(ctx context.Context) error {
	n.life, n.end = context.WithCancel(context.Background())
	since := time.Now()
	n.herder = cluster.NewHerder(cluster.Options{WorkerID: n.id + ":8083", Registry: n.w.registry, Resolver: n.w.resolver, Sinks: noSinks{}, Log: n.log, SetLevel: func(string, string) {},
		Check: func(_ context.Context, config map[string]*string) (map[string]string, error) {
			out := make(map[string]string)
			for k, v := range config {
				if v != nil {
					out[k] = *v
				}
			}
			return out, nil
		}})
	n.logs = store.NewLogs(store.Options{Client: n.client, Log: n.log, Failed: n.fail})
	configs := store.NewConfigStore(n.logs, store.ConfigTopic("connect-configs", 1, nil), n.herder)
	n.herder.Configs = configs
	n.herder.Options.Offsets = store.NewOffsetStore(n.logs, store.OffsetTopic("connect-offsets", 2, 1, nil))
	n.stat = store.NewStatusStore(n.logs, store.StatusTopic("connect-status", 1, 1, nil))
	n.herder.Statuses = n.stat
	n.co = cluster.NewCoordinator(cluster.CoordinatorOptions{Node: n.id, Boot: n.boot, Group: chaosGroup, Peers: peers{n}, Configs: configs,
		Writer: func(ctx context.Context) (*store.TxWriter, error) {
			return store.NewTxWriter(ctx, n.client, "connect-cluster-"+chaosGroup, n.log)
		},
		MaxMoves: chaosMoves, Settle: chaosSettle, Session: chaosSession, RevokeTimeout: chaosRevoke, QuarantineWindow: n.w.quarantine, KeyTTL: time.Hour, Logger: n.log})
	n.co.Log = assign.NewLog(n.logs, store.AssignmentTopic("chaos-assignments", 1, nil), func() { n.co.Poke(); n.herder.Poke(); n.poke() }, n.log)
	n.herder.Nodes = n.co
	if err := n.logs.Start(ctx); err != nil {
		return fmt.Errorf("starting the logs of %s: %w", n.boot, err)
	}
	n.stat.Fence(n.id+":8083", n.co.Log.Last())
	g, err := membership.Start(membership.Options{Transport: n.gossipEnd, Label: chaosGroup, Log: n.log,
		Meta: membership.Meta{Node: n.id, Boot: n.boot, Started: since, REST: n.url, State: membership.Running},
		OnEvent: func(e membership.Event) {
			switch e.Kind {
			case membership.Joined:
				n.co.Alive(e.Peer.Boot)
			case membership.Died:
				n.co.Dead(e.Peer.Boot)
			}
		}})
	if err != nil {
		return err
	}
	n.gossip = g
	n.co.Gossip = g
	self := group.Node{Format: group.Format, ID: n.id, Boot: n.boot, Since: since.UnixMilli(), URL: n.url, Worker: n.id + ":8083", Gossip: g.Addr(), Capacity: 1}
	if n.member, err = group.Join(group.Options{Client: n.client, Group: chaosGroup, Topic: "connect-configs", Self: func() group.Node { return self },
		Session: chaosSession, Heartbeat: chaosBeat, Changed: func() { n.co.Poke(); n.poke() }, Failed: n.fail, Log: n.log}); err != nil {
		return err
	}
	n.wg.Go(n.learn)
	n.worker = newFakeWorker(n)
	n.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	pid := n.system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return n.worker }))
	n.worker.pid = pid
	n.herder.Start(n.system, pid)
	n.co.Start(n.herder, n.member)
	n.mu.Lock()
	n.ready = true
	n.mu.Unlock()
	return nil
}

func (n *node) fail(err error) {
	n.mu.Lock()
	first := n.failed == nil && !n.dead
	if first {
		n.failed = err
	}
	n.mu.Unlock()
	if first {
		n.w.say("%s failed: %v", n.boot, err)
	}
}

// failure is why the node may not be in the cluster; nil as it should be.
func (n *node) failure() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failed
}

func (n *node) poke() {
	select {
	case n.poked <- struct{}{}:
	default:
	}
}

// learn makes the group's members known to gossip, as main does.
func (n *node) learn() {
	learnt := make(map[string]bool)
	for {
		if st := n.member.State(); st.Member != "" {
			now := make(map[string]bool)
			for _, p := range st.Peers {
				if p.Gossip != "" && p.Boot != n.boot {
					now[p.Gossip] = true
					n.gossip.AddSeeds(p.Gossip)
				}
			}
			for addr := range learnt {
				if !now[addr] {
					n.gossip.DropSeeds(addr)
				}
			}
			learnt = now
		}
		select {
		case <-n.life.Done():
			return
		case <-n.poked:
		case <-time.After(5 * time.Second):
		}
	}
}

// isDead reports whether the life has ended.
func (n *node) isDead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead
}

// answers reports whether requests to the node find somebody.
func (n *node) answers() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready && !n.dead
}

// crash ends the life at once: nothing of it reaches anybody from now on. What is left
// of it in this process is cleared away in the background.
func (n *node) crash() {
	n.mu.Lock()
	n.dead = true
	ready := n.ready
	n.mu.Unlock()
	n.w.gossipNet.Crash(n.gossipEnd.Addr())
	n.w.kafkaNet.Crash(n.kafkaEnd.Addr())
	if !ready {
		return // start fails, and clears away what there is
	}
	n.worker.kill()
	n.clear(func() { n.member.Kill() }) // nobody waits for it
}

// leave ends the life as SIGTERM does: the work is moved, the worker stopped, the
// group left.
func (n *node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), chaosDrain)
	n.co.Leave(ctx)
	cancel()
	done := make(chan struct{})
	n.system.Root.Send(n.worker.pid, worker.Shutdown{Done: done})
	select {
	case <-done:
	case <-time.After(2 * chaosRevoke):
	}
	n.worker.kill()
	n.mu.Lock()
	gone := n.dead
	n.dead = true
	n.mu.Unlock()
	if gone {
		return // it crashed meanwhile
	}
	<-n.clear(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		_ = n.member.Leave(ctx)
		_ = n.gossip.Leave(ctx)
		time.Sleep(3 * time.Second) // Close would wait for the good-bye with a mutex, and the bubble's time with it
	})
}

// clear stops what runs of a life, in the order in which main does. The channel that
// it returns is closed once nothing is left.
func (n *node) clear(leave func()) <-chan struct{} {
	done := make(chan struct{})
	n.w.clearing.Go(func() {
		defer close(done)
		n.end()
		n.step("the coordinator", n.co.Stop)
		n.step("the herder", func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_ = n.herder.Stop(ctx)
		})
		n.step("the membership", leave)
		n.step("gossip", func() { _ = n.gossip.Close() })
		n.step("the statuses", n.stat.Stop)
		n.step("the logs", n.logs.Stop)
		n.wg.Wait()
		n.system.Shutdown()
		_, _ = n.gossipEnd.Shutdown(), n.kafkaEnd.Shutdown()
	})
	return done
}

// step stops one part, and notes it when that takes long.
func (n *node) step(what string, stop func()) {
	began := time.Now()
	stop()
	if d := time.Since(began); d > slowStop {
		n.w.say("stopping %s of %s took %v", what, n.boot, d.Round(time.Millisecond))
	}
}

// slowStop is more than any part should take to stop.
const slowStop = 5 * time.Second

// peers carries requests between nodes. They travel like gossip: what cuts that cuts
// them.
type peers struct{ from *node }

var errRefused = errors.New("connection refused")

// to finds the node of an address and calls it there.
func (p peers) to(ctx context.Context, url string, call func(ctx context.Context, n *node) error) error {
	way := func(from, to string) error {
		for p.from.w.isCut(from, to) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		}
		return nil
	}
	n := p.from.w.byURL(url)
	if n == nil {
		return errRefused
	}
	here, there := p.from.gossipEnd.Addr(), n.gossipEnd.Addr()
	if err := way(here, there); err != nil {
		return err
	}
	if !n.answers() {
		return errRefused
	}
	done := make(chan error, 1)
	go func() { done <- call(cluster.WithForwarded(ctx), n) }()
	select {
	case err := <-done:
		if werr := way(there, here); werr != nil {
			return werr
		}
		if n.isDead() {
			return errRefused
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p peers) PutTaskConfigs(ctx context.Context, url, connector string, configs []map[string]string) error {
	return p.to(ctx, url, func(ctx context.Context, n *node) error { return n.herder.PutTaskConfigs(ctx, connector, configs) })
}

func (p peers) Acknowledge(ctx context.Context, url string, acks []cluster.Ack) error {
	return p.to(ctx, url, func(ctx context.Context, n *node) error { return n.herder.Acknowledge(ctx, acks) })
}

func (p peers) Drain(ctx context.Context, url, id string, drain bool) error {
	return p.to(ctx, url, func(ctx context.Context, n *node) error { return n.herder.Drain(ctx, id, drain) })
}

// ask carries a request out as the gateway does: here, or where the herder says. sure
// is false when it is open whether it was carried out.
func (n *node) ask(ctx context.Context, call func(ctx context.Context, h *cluster.Herder) error) (sure bool, err error) {
	sure = true
	for {
		err = call(ctx, n.herder)
		var there *cluster.Elsewhere
		if errors.As(err, &there) {
			began := false
			err = peers{n}.to(ctx, there.URL, func(ctx context.Context, o *node) error {
				began = true
				return call(ctx, o.herder)
			})
			if err != nil && began {
				var not *cluster.NotHere
				if !errors.As(err, &not) {
					return false, err
				}
			}
		}
		var not *cluster.NotHere
		if err == nil || !errors.As(err, &not) && !errors.Is(err, errRefused) {
			return sure && err == nil, err
		}
		select {
		case <-ctx.Done():
			return sure, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// noSinks stands for the consumer groups of sinks, which there are none of.
type noSinks struct{}

func (noSinks) Offsets(context.Context, string, map[string]string) (map[connectors.TopicPartition]int64, error) {
	return nil, nil
}

func (noSinks) Alter(context.Context, string, map[string]string, map[connectors.TopicPartition]*int64) error {
	return nil
}

func (noSinks) Reset(context.Context, string, map[string]string) error { return nil }

func (noSinks) Evict(context.Context, string, map[string]string, string) error { return nil }
