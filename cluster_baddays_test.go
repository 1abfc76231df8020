package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/internal/kafkatest"
	"github.com/troupeio/troupe/internal/watch"
)

// clusterSession is the shortest session that Kafka lets a group have.
const clusterSession = 6 * time.Second

func sessionProps(extra ...string) []string {
	return append([]string{"session.timeout.ms", fmt.Sprint(clusterSession.Milliseconds()), "heartbeat.interval.ms", "500"}, extra...)
}

// failoverBySession kills a node and wants its tasks back after its session.
func failoverBySession(t *testing.T, c *testCluster, load *clusterLoad, victim *clusterNode) {
	t.Helper()
	load.markNow()
	load.waitNew(nil, time.Now())
	statuses := c.statuses()
	before := victim.view()
	dead := before.connectorsOf(victim.id)
	read := len(statuses.catchUp())
	begin := victim.kill()
	load.markNow()
	took := load.waitNew(dead, begin)
	c.waitRunning(len(load.all))
	after := c.running()[0].view()
	kept := undisturbed(t, before, after, victim.id, watch.Starts(statuses.catchUp()[read:]))
	t.Logf("tasks back after %s, with a session of %v; %d tasks of others undisturbed", figures(took), clusterSession, kept)
	if worst(took) > clusterSession+failoverLimit {
		t.Errorf("a task came back after %v, want %v at most", worst(took), clusterSession+failoverLimit)
	}
}

// TestClusterWithoutGossip: with gossip off everything works, and a node that dies is
// noticed by its session.
func TestClusterWithoutGossip(t *testing.T) {
	c := startCluster(t, 3, sessionProps("gossip.enable", "false")...)
	load := newClusterLoad(t, c.addr, 3, 3)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	failoverBySession(t, c, load, c.follower())
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// TestClusterTwoDie kills two of three at once, the leader among them. The one that is
// left sees too few others to take anybody out of the group: their sessions decide, and
// what it runs goes on meanwhile.
func TestClusterTwoDie(t *testing.T) {
	c := startCluster(t, 3, sessionProps()...)
	load := newClusterLoad(t, c.addr, 3, 3)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	leader, other := c.leader(), c.follower()
	var left *clusterNode
	for _, n := range c.nodes {
		if n != leader && n != other {
			left = n
		}
	}
	time.Sleep(2 * time.Second)
	statuses := c.statuses()
	before := left.view()
	own := before.connectorsOf(left.id)
	read := len(statuses.catchUp())
	load.markNow()
	load.waitNew(nil, time.Now())
	begin := time.Now()
	leader.Signal(syscall.SIGKILL)
	other.kill()
	load.markNow()
	took := load.waitNew(nil, begin)
	c.waitRunning(len(load.all))
	starts := watch.Starts(statuses.catchUp()[read:])
	gaps := load.gaps()
	for name, u := range before.tasks() {
		if own[u.Connector] && starts[watch.TaskStatus+name] > 0 {
			t.Errorf("%s, which ran on the node that is left, was started again", name)
		}
		if !own[u.Connector] {
			delete(gaps, u.Connector)
		}
	}
	t.Logf("tasks back after %s, with a session of %v; pauses of what the last node ran %s; it lost its good standing %d times",
		figures(took), clusterSession, figures(gaps), left.says("no longer in good standing"))
	if worst(took) > clusterSession+failoverLimit {
		t.Errorf("a task came back after %v, want %v at most", worst(took), clusterSession+failoverLimit)
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// TestClusterBrokerRestart kills the broker under a cluster of three and starts it again:
// the nodes find each other, and nothing is lost.
func TestClusterBrokerRestart(t *testing.T) {
	if !clusterLong() {
		t.Skip("only with " + clusterLongEnv)
	}
	b := kafkatest.Start(t)
	c := &testCluster{t: t, addr: b.Addr(), group: unique("cluster")}
	for range 3 {
		c.add(sessionProps()...)
	}
	for _, n := range c.nodes {
		n.launch()
	}
	c.waitTogether()
	load := newWideLoad(t, c.addr, 4, 3, 1)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	for _, away := range []time.Duration{0, 10 * time.Second} {
		load.settleGaps()
		load.markNow()
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(away)
		if err := b.Restart(soon(t)); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		load.settleGaps()
		flows := time.Since(back)
		c.waitTogether()
		c.waitWhole(len(load.all))
		t.Logf("%v away: everything moves %v after the broker answers, spread evenly after %v; pauses %s", away, flows.Round(time.Millisecond),
			time.Since(back).Round(time.Millisecond), figures(load.gaps()))
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// TestClusterWrongGossipKey gives one node of three another secret: it works with the
// others, GET /cluster says that gossip does not reach it, and when it dies its session
// tells.
func TestClusterWrongGossipKey(t *testing.T) {
	key := func(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	c := newCluster(t, 2, sessionProps("gossip.secret.keys", key('a'))...)
	stranger := c.add(sessionProps("gossip.secret.keys", key('b'))...)
	for _, n := range c.nodes {
		n.launch()
	}
	for _, n := range c.nodes {
		n.ready()
	}
	state := func(of *clusterNode, id string) string {
		for _, n := range of.view().Nodes {
			if n.ID == id {
				return n.State
			}
		}
		return "missing"
	}
	eventually(t, func() string {
		a, b := c.nodes[0], c.nodes[1]
		if s := state(a, b.id); s != "running" {
			return fmt.Sprintf("%s sees %s as %s", a.id, b.id, s)
		}
		for _, pair := range [][2]*clusterNode{{a, stranger}, {b, stranger}, {stranger, a}} {
			if s := state(pair[0], pair[1].id); s != "silent" {
				return fmt.Sprintf("%s sees %s as %s", pair[0].id, pair[1].id, s)
			}
		}
		if len(a.view().Unreachable) == 0 || len(stranger.view().Unreachable) == 0 {
			return "nobody is unreachable"
		}
		return ""
	})
	t.Logf("%s says that these are unreachable: %q", c.nodes[0].id, c.nodes[0].view().Unreachable)
	load := newClusterLoad(t, c.addr, 3, 3)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	failoverBySession(t, c, load, stranger)
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// TestClusterSameNodeID starts a second process with the node.id of one that runs: the
// one that was there ends with a message that says so, and its work goes on at the other.
func TestClusterSameNodeID(t *testing.T) {
	c := startCluster(t, 2)
	load := newClusterLoad(t, c.addr, 3, 3)
	c.create(load.configs)
	c.waitWhole(len(load.all))
	old := c.nodes[1]
	twin := c.add("node.id", old.id)
	load.markNow()
	begin := time.Now()
	twin.launch()
	code := old.exit(patience)
	took := time.Since(begin)
	if code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	old.waitLog("another process has the node.id "+old.id, "give each node a node.id")
	c.nodes = []*clusterNode{c.nodes[0], twin}
	twin.ready()
	c.waitTogether()
	c.waitWhole(len(load.all))
	load.settleGaps()
	t.Logf("the older process ended %v after the younger was started; pauses %s", took.Round(time.Millisecond), figures(load.gaps()))
	time.Sleep(time.Second)
	if !twin.Running() {
		t.Errorf("the younger process ended, too:\n%s", tailOf(twin.Process))
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// TestClusterGossipPortTaken: a gossip.bind that was asked for and cannot be had ends the
// start, and names the setting.
func TestClusterGossipPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, row := range []struct{ name, key string }{
		{"own secret", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'k'}, 16))},
		{"secret from Kafka", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			extra := []string{"gossip.bind", l.Addr().String()}
			if row.key != "" {
				extra = append(extra, "gossip.secret.keys", row.key)
			}
			n := newCluster(t, 1, extra...).nodes[0]
			n.launch()
			if code := n.exit(patience); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			n.waitLog("troupe: ", "gossip.bind", l.Addr().String())
			t.Logf("it says: %s", lastLine(n.log()))
		})
	}
}

func lastLine(log string) string {
	log = strings.TrimSpace(log)
	return log[strings.LastIndexByte(log, '\n')+1:]
}

// TestClusterRefusesKafkaConnect: Kafka Connect's workers and Troupe's do not share a
// group, whoever comes second.
func TestClusterRefusesKafkaConnect(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka Connect")
	}
	c := newCluster(t, 1)
	dir, port := t.TempDir(), freePort(t)
	props := kafkatest.ConnectWorkerProperties(c.addr, c.group, dir, port, false)
	props["plugin.path"] = kafkatest.FilePlugins(t)
	file := filepath.Join(dir, "worker.properties")
	if err := kafkatest.WriteProperties(file, props); err != nil {
		t.Fatal(err)
	}
	java := kafkatest.StartConnectFile(t, file, fmt.Sprintf("http://127.0.0.1:%d", port), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
	n := c.nodes[0]
	// Its REST interface answers before it is in the group.
	w := &workerProc{&process{t, java.Process}, fmt.Sprintf("http://127.0.0.1:%d", port)}
	eventuallyIn(t, 2*patience, func() string {
		code, text, err := w.try("GET", "/connectors", nil)
		if err != nil || code != 200 {
			return fmt.Sprintf("Kafka Connect answers %d %s %v", code, text, err)
		}
		return ""
	})
	n.launch()
	if code := n.exit(patience); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	n.waitLog("troupe: ", "a Kafka Connect worker", "is in group "+c.group, "Stop Kafka Connect's workers first")
	t.Logf("it says: %s", lastLine(n.log()))
}

// TestClusterDenied: what a cluster needs and its principal may not do is named, with the
// command that grants it; granted, the node goes on by itself or at its next start.
func TestClusterDenied(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.WithProperty("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		kafkatest.WithProperty("allow.everyone.if.no.acl.found", "true"))
	adm := kadm.NewClient(kafkaClient(t, b.Addr()))
	for _, row := range []struct {
		name string
		acl  func(group string) *kadm.ACLBuilder
		say  func(group string) string
	}{
		{"transactional id", func(g string) *kadm.ACLBuilder {
			return kadm.NewACLs().TransactionalIDs("connect-cluster-" + g).Operations(kmsg.ACLOperationWrite)
		}, func(g string) string {
			return "kafka-acls --add --operation Write --operation Describe --transactional-id connect-cluster-" + g
		}},
		{"group", func(g string) *kadm.ACLBuilder { return kadm.NewACLs().Groups(g).Operations(kmsg.ACLOperationRead) },
			func(g string) string { return "kafka-acls --add --operation Read --group " + g }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.addr = b.Addr()
			n := c.nodes[0]
			n.props["bootstrap.servers"] = b.Addr()
			acl := row.acl(c.group).ResourcePatternType(kadm.ACLPatternLiteral)
			created, err := adm.CreateACLs(soon(t), acl.Deny("User:ANONYMOUS").DenyHosts())
			if err == nil {
				err = created[0].Err
			}
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			n.launch()
			n.waitLog(row.say(c.group))
			t.Logf("it says so after %v, and its process runs: %v; %s", time.Since(begin).Round(time.Millisecond), n.Running(), lastLine(n.log()))
			if deleted, err := adm.DeleteACLs(soon(t), acl); err != nil || len(deleted) == 0 {
				t.Fatalf("deleting the ACLs: %+v %v", deleted, err)
			}
			if !n.Running() {
				if code := n.exit(patience); code != 2 {
					t.Errorf("exit code %d, want 2", code)
				}
				n.launch()
			}
			n.ready()
			eventually(t, func() string {
				code, text, err := n.try("POST", "/connectors", map[string]any{"name": c.group, "config": fileSource(c.group, "none", c.group)})
				if err != nil || code != 201 && code != 409 {
					return fmt.Sprintf("granted, the node answers %d %s %v", code, text, err)
				}
				return ""
			})
			n.stop()
		})
	}
}
