package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/membership"
)

// gossip is this node's gossip, which begins when its secret is known: with the first
// start of a cluster that is after a leader has made one.
type gossip struct {
	mu    sync.Mutex
	g     *membership.Gossip // nil until it begins
	keys  string             // those that are in use, to notice a change
	pokes chan struct{}

	learnt map[string]bool // addresses of the group's members; of run alone
}

func (g *gossip) get() *membership.Gossip {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.g
}

// Sees implements [cluster.Gossip].
func (g *gossip) Sees(boot string) bool {
	m := g.get()
	return m != nil && m.Sees(boot)
}

// Answers asks a life of a node directly, as [membership.Gossip.Answers] does.
func (g *gossip) Answers(node, boot, addr string) bool {
	m := g.get()
	return m != nil && m.Answers(node, boot, addr)
}

// Unreachable implements [cluster.Gossip].
func (g *gossip) Unreachable() []string {
	if m := g.get(); m != nil {
		return m.Unreachable()
	}
	return nil
}

// Silence implements [cluster.Gossip].
func (g *gossip) Silence() time.Duration {
	if m := g.get(); m != nil {
		return m.Silence()
	}
	return 0
}

// addr is where the others reach it; "" until it begins.
func (g *gossip) addr() string {
	if m := g.get(); m != nil {
		return m.Addr()
	}
	return ""
}

func (g *gossip) poke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pokes == nil {
		return
	}
	select {
	case g.pokes <- struct{}{}:
	default:
	}
}

// run begins to gossip when that can be, makes the members of the group known to it
// and follows the secret's rotation.
func (g *gossip) run(ctx context.Context, k *clustered) {
	if !k.n.settings.Values.Bool("gossip.enable") {
		return
	}
	g.mu.Lock()
	g.pokes = make(chan struct{}, 1)
	g.mu.Unlock()
	for {
		begun := g.get() != nil
		if err := k.startGossip(); err != nil {
			k.n.fail(err)
			return
		}
		if m := g.get(); m != nil {
			if !begun {
				k.member.Rejoin() // the others learn where this node gossips
			}
			if st := k.member.State(); st.Member != "" {
				m.AddSeeds(g.learn(st.Peers, k.who.boot, m)...)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-g.pokes:
		case <-time.After(gossipLook):
		}
	}
}

// learn returns where the group's members gossip, and has those forgotten that have
// left it.
func (g *gossip) learn(peers []group.Peer, self string, m *membership.Gossip) []string {
	now := make(map[string]bool)
	for _, p := range peers {
		if p.Gossip != "" && p.Boot != self {
			now[p.Gossip] = true
		}
	}
	for addr := range g.learnt {
		if !now[addr] {
			m.DropSeeds(addr)
		}
	}
	g.learnt = now
	return slices.Collect(maps.Keys(now))
}

// gossipLook is how often a change is looked for that nothing has told of.
const gossipLook = 5 * time.Second

// startGossip begins to gossip unless it has begun or there is no secret yet.
func (k *clustered) startGossip() error {
	n := k.n
	v := n.settings.Values
	if !v.Bool("gossip.enable") {
		return nil
	}
	keys, err := gossipKeys(n.settings.Props["gossip.secret.keys"])
	if err != nil {
		return err
	}
	if keys == nil {
		keys = k.co.Log.GossipKeys()
	}
	if len(keys) == 0 {
		return nil
	}
	g := &k.gossip
	g.mu.Lock()
	defer g.mu.Unlock()
	var b strings.Builder
	for _, key := range keys {
		b.Write(key)
	}
	if g.g != nil {
		if g.keys != b.String() {
			if err := g.g.UseKeys(keys); err != nil {
				return fmt.Errorf("changing gossip's secret: %w", err)
			}
			g.keys = b.String()
		}
		return nil
	}
	o := membership.Options{Bind: n.gossipBind(), Advertise: cmp.Or(n.settings.Props["gossip.advertise"], n.settings.Props["rest.advertised.host.name"]), Label: n.settings.Props["group.id"], Keys: keys,
		ProbeInterval: n.settings.Millis("gossip.probe.interval.ms"), ProbeTimeout: n.settings.Millis("gossip.probe.timeout.ms"), SuspicionMult: v.Int("gossip.suspicion.multiplier"),
		Seeds: v.List("gossip.seeds"), Log: n.logs.Logger(telemetry.LogHerder + ".gossip"),
		Meta: membership.Meta{Node: k.who.id, Boot: k.who.boot, Started: k.since, REST: n.baseURL(), Version: version, State: membership.Running},
		OnEvent: func(e membership.Event) {
			switch e.Kind {
			case membership.Joined:
				k.co.Alive(e.Peer.Boot)
			case membership.Died:
				k.co.Dead(e.Peer.Boot)
			case membership.Clashed:
				k.log.Error(e.Text)
			}
		}}
	m, err := membership.Start(o)
	if err != nil && n.settings.Props["gossip.bind"] == "" {
		// Several workers on one machine: the address travels with the group.
		host, _, _ := net.SplitHostPort(o.Bind)
		o.Bind = net.JoinHostPort(host, "0")
		m, err = membership.Start(o)
	}
	if err != nil {
		return err
	}
	g.g, g.keys = m, b.String()
	k.log.Info("gossip has begun", "address", m.Addr())
	return nil
}

// gossipBind is where to gossip: by default on the interface of the REST listener, so
// that a worker that only this machine reaches opens no other door.
func (n *node) gossipBind() string {
	if b := n.settings.Props["gossip.bind"]; b != "" {
		return b
	}
	host := n.listenHost
	if host == "" {
		host = "0.0.0.0"
	}
	return net.JoinHostPort(host, "7946")
}

// gossipKeys reads gossip.secret.keys; none is nil.
func gossipKeys(text string) ([][]byte, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var keys [][]byte
	for i, part := range strings.Split(text, ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil || len(key) != 16 && len(key) != 24 && len(key) != 32 {
			return nil, fmt.Errorf("Invalid value [hidden] for configuration gossip.secret.keys: key %d is not base64 of 16, 24 or 32 bytes", i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// leave says goodbye to the others and ends.
func (g *gossip) leave(ctx context.Context) {
	m := g.get()
	if m == nil {
		return
	}
	lctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	_ = m.Leave(lctx) // those who do not hear it will notice
	_ = m.Close()
}
