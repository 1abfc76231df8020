package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
)

// identity is who this process is in its cluster.
type identity struct {
	id, boot string
	labels   map[string]string
	lives    []group.Life // former ones
}

// identity begins a life of this node in its cluster.
func (n *node) identity() (identity, error) {
	id := cmp.Or(n.settings.Props["node.id"], n.workerID)
	labels, err := placement.ParseLabels(n.settings.Values.String("node.labels"))
	if err != nil {
		return identity{}, fmt.Errorf("Invalid value %s for configuration node.labels: %w", n.settings.Values.String("node.labels"), err)
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	boot := hex.EncodeToString(b[:])
	if n.lives == nil {
		n.lives = openLives(n.settings.Props["node.state.dir"], n.settings.Props["group.id"], id, boot, n.log)
	} else {
		n.lives.renew(boot)
	}
	return identity{id, boot, labels, n.lives.told()}, nil
}

// baseURL is where other nodes reach this one.
func (n *node) baseURL() string { return n.scheme + "://" + n.workerID + "/" }

// self is what this node tells when it joins the group.
func (n *node) self(who identity, since time.Time, gossip string) group.Node {
	v := n.settings.Values
	return group.Node{Format: group.Format, ID: who.id, Boot: who.boot, Since: since.UnixMilli(), URL: n.baseURL(), Worker: n.workerID,
		Gossip: gossip, Version: version, Capacity: v.Double("node.capacity"), Limit: v.Int("node.limit"), Labels: who.labels, Lives: who.lives}
}

// assignmentTopic is the topic of the assignment log.
func (n *node) assignmentTopic(extra map[string]string) store.Topic {
	v, props := n.settings.Values, n.settings.Props
	name := cmp.Or(props["assignment.storage.topic"], props["group.id"]+"-assignments")
	replicas := int16(v.Int("config.storage.replication.factor"))
	if props["assignment.storage.replication.factor"] != "" {
		replicas = int16(v.Int("assignment.storage.replication.factor"))
	}
	return store.AssignmentTopic(name, replicas, extra)
}

// clustered is what a node of a cluster has besides the stores.
type clustered struct {
	n      *node
	who    identity
	since  time.Time
	co     *cluster.Coordinator
	gossip gossip
	member *group.Member
	client store.NewClient
	log    *slog.Logger
}

// newClustered makes this node's part in the cluster, which is started once the topics
// have been read.
func (n *node) newClustered(c *core, logs *store.Logs, configs *store.ConfigStore, client store.NewClient, extra map[string]string) (*clustered, error) {
	who, err := n.identity()
	if err != nil {
		return nil, err
	}
	s, groupID := n.settings, n.settings.Props["group.id"]
	k := &clustered{n: n, who: who, since: time.Now(), client: client, log: n.logs.Logger(telemetry.LogHerder)}
	o := cluster.CoordinatorOptions{Node: who.id, Boot: who.boot, Group: groupID, Peers: n.peers, Configs: configs,
		Writer: func(ctx context.Context) (*store.TxWriter, error) {
			return store.NewTxWriter(ctx, client, "connect-cluster-"+groupID, k.log)
		},
		MaxMoves: s.Values.Int("rebalance.max.moves"), Settle: s.Millis("rebalance.settle.ms"), KeyTTL: s.Millis("inter.worker.key.ttl.ms"),
		QuarantineWindow: s.Millis("failover.quarantine.window.ms"),
		Session:          s.Millis("session.timeout.ms"), RevokeTimeout: cluster.RevokeTimeout(s.Grace, s.FlushTimeout, s.Millis("session.timeout.ms")), Logger: k.log}
	if s.Values.Bool("gossip.enable") {
		o.Gossip = &k.gossip
		o.MakeGossipKeys = s.Props["gossip.secret.keys"] == ""
	}
	k.co = cluster.NewCoordinator(o)
	k.co.Log = assign.NewLog(logs, n.assignmentTopic(extra), func() { k.co.Poke(); c.herder.Poke(); k.gossip.poke() }, k.log)
	c.herder.Nodes = k.co
	return k, nil
}

// membership is what this node joins its group with.
func (k *clustered) membership() group.Options {
	n := k.n
	return group.Options{Client: k.client, Group: n.settings.Props["group.id"], Topic: n.settings.Props["config.storage.topic"],
		Self:    func() group.Node { return n.self(k.who, k.since, k.gossip.addr()) },
		Session: n.settings.Millis("session.timeout.ms"), Heartbeat: n.settings.Millis("heartbeat.interval.ms"),
		Changed: func() { k.co.Poke(); k.gossip.poke() }, Failed: func(err error) { n.fail(&refused{err}) }, Log: k.log}
}

// join joins the group, and begins to gossip as soon as the secret is known.
func (k *clustered) join(c *core) error {
	if err := k.startGossip(); err != nil {
		return err
	}
	member, err := group.Join(k.membership())
	if err != nil {
		return err
	}
	k.member = member
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.gossip.run(ctx, k)
	}()
	c.closers = append(c.closers, func() {
		lctx, lcancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer lcancel()
		if err := member.Leave(lctx); err != nil {
			k.log.Warn("leaving the worker's group failed", "err", err)
		}
		cancel()
		<-done
		k.gossip.leave(lctx)
	})
	return nil
}

// drain moves this node's work to others before it ends.
func (k *clustered) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), k.n.settings.Millis("drain.timeout.ms"))
	defer cancel()
	k.co.Leave(ctx)
}
