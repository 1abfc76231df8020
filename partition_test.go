//go:build linux

package main

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/troupeio/troupe/internal/netlab"
)

// How long two nodes may run a task at once: while the old one reaches Kafka, and when it
// is cut off from all.
const (
	overlapReaching = time.Second
	overlapCutOff   = 2 * time.Second
)

// TestPartition breaks the network of a cluster of three processes, each in a network
// namespace of its own, in one way after the other. Nothing may be lost, and no task
// may run on two nodes for longer than the bounds say, by what the tasks themselves have
// noted.
func TestPartition(t *testing.T) {
	k := newLabKafka(t)
	for _, row := range []struct {
		name string
		long bool // only in the long form
		run  func(t *testing.T, k *labKafka)
	}{
		{"a node from the others", false, fromOthers},
		{"a node from everything", false, fromEverything},
		{"a node from Kafka", true, fromKafka},
		{"one way", true, oneWay},
		{"flapping", true, flapping},
		{"two of five from the others", true, minority},
		{"gossip blocked", true, gossipBlocked},
		{"slow and lossy", true, slowAndLossy},
		{"slow and lossy with defaults", true, slowAndLossyWithDefaults},
		{"Kafka stops for 5 s", true, kafkaStops(5 * time.Second)},
		{"Kafka stops for 15 s", true, kafkaStops(15 * time.Second)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.long && !clusterLong() {
				t.Skipf("takes long; set %s", clusterLongEnv)
			}
			row.run(t, k)
		})
	}
}

// report prints the figures and holds them to a bound.
func (c *labCluster) report(what string, overlap time.Duration, starts int) labFigures {
	c.t.Helper()
	f := c.finish()
	c.t.Logf("%s: %v; %d evictions, %d of the alive; %d times left to the session", what, f, c.said(saysEvicted), c.said(saysDropped), c.said(saysHeld))
	if f.atWork > overlap {
		c.t.Errorf("two nodes ran a task at once for %v, want %v at most", f.atWork, overlap)
	}
	if f.starts > starts {
		c.t.Errorf("a task was started %d times since the fault, want %d at most", f.starts, starts)
	}
	return f
}

// nothingLate: what a node that is cut off from Kafka had on its way when its lease
// ended is not to arrive when the network heals.
func (c *labCluster) nothingLate(f labFigures) {
	c.t.Helper()
	if f.lateRecs > 0 {
		c.t.Errorf("%d records came after the first of their successor, by up to %v", f.lateRecs, f.late)
	}
}

// fromOthers: it is taken out of the group, comes back as a new member, and is then left
// alone, because Kafka is what decides; its work goes and comes back once.
func fromOthers(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil)
	c.waitTogether()
	victim := c.follower()
	before := c.memberOf(victim)
	c.fault(victim)
	k.lab.Split(c.hosts[victim], c.others(victim)...)
	eventually(t, func() string {
		switch now := c.memberOf(victim); {
		case victim.says(saysDropped) == 0:
			return "it was not taken out"
		case now == "" || now == before:
			return "it is no new member: " + now
		}
		return c.problem(2*labTasks, true)
	})
	t.Logf("all tasks in equal numbers again %v after the cut, it being a member again", time.Since(c.begin).Round(time.Millisecond))
	if u := victim.view().Unreachable; len(u) < 2 {
		t.Errorf("it says that gossip does not reach %v, of two", u)
	}
	hold := 5 * time.Second
	if clusterLong() {
		hold = 40 * time.Second
	}
	time.Sleep(hold)
	if n := victim.says(saysDropped); n != 1 {
		t.Errorf("it was taken out of the group %d times", n)
	}
	k.lab.HealAll()
	c.waitTogether()
	c.waitWhole(2 * labTasks)
	c.report("cut off from the other nodes", overlapReaching, 2)
}

// memberOf is a node's member id, as another node sees it.
func (c *labCluster) memberOf(n *clusterNode) string {
	c.t.Helper()
	for _, o := range c.running() {
		if o == n {
			continue
		}
		_, text, err := o.try("GET", "/cluster?units=false", nil)
		var v struct {
			Nodes []struct{ ID, Member string }
		}
		if err != nil || json.Unmarshal([]byte(text), &v) != nil {
			continue
		}
		for _, p := range v.Nodes {
			if p.ID == n.id {
				return p.Member
			}
		}
	}
	return ""
}

// fromEverything: its lease is the short one, since it hears nobody.
func fromEverything(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil)
	c.waitTogether()
	victim := c.follower()
	c.fault(victim)
	k.lab.Split(c.hosts[victim], append(c.others(victim), k.lab.Broker())...)
	t.Logf("its lease ended %v after the cut", victim.leaseEnds(5*time.Second).Sub(c.begin).Round(time.Millisecond))
	time.Sleep(time.Until(c.begin.Add(8 * time.Second)))
	k.lab.HealAll()
	healed := time.Now()
	c.waitTogether()
	back := time.Since(healed)
	c.waitWhole(2 * labTasks)
	t.Logf("in the group again %v after the healing, with its share of the work %v after", back.Round(time.Millisecond), time.Since(healed).Round(time.Millisecond))
	c.nothingLate(c.report("cut off from everything", overlapCutOff, 2))
}

// fromKafka: gossip sees it, so nobody hurries: it stops by its lease before its session
// ends and others begin.
func fromKafka(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil)
	c.waitTogether()
	victim := c.follower()
	c.fault(victim)
	k.lab.Split(c.hosts[victim], k.lab.Broker())
	ended := victim.leaseEnds(12 * time.Second).Sub(c.begin)
	t.Logf("its lease ended %v after the cut", ended.Round(time.Millisecond))
	if ended < 5500*time.Millisecond || ended > 7500*time.Millisecond {
		t.Error("want two thirds of the session, counted from the last heartbeat")
	}
	time.Sleep(time.Until(c.begin.Add(20 * time.Second)))
	k.lab.HealAll()
	c.waitTogether()
	c.waitWhole(2 * labTasks)
	c.nothingLate(c.report("cut off from Kafka", 0, 2))
}

// oneWay: it hears the others and is not heard.
func oneWay(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil)
	c.waitTogether()
	victim := c.follower()
	c.fault(victim)
	for _, o := range c.others(victim) {
		k.lab.Cut(c.hosts[victim], o)
	}
	time.Sleep(20 * time.Second)
	if n := victim.says(saysDropped); n > 1 {
		t.Errorf("it was taken out of the group %d times", n)
	}
	k.lab.HealAll()
	c.waitTogether()
	c.waitWhole(2 * labTasks)
	c.report("not heard by the other nodes", overlapReaching, 2)
}

// flapping: one eviction, and then peace.
func flapping(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil)
	c.waitTogether()
	victim := c.follower()
	c.fault(victim)
	for time.Since(c.begin) < 30*time.Second {
		k.lab.Split(c.hosts[victim], c.others(victim)...)
		time.Sleep(2 * time.Second)
		k.lab.HealAll()
		time.Sleep(2 * time.Second)
	}
	if n := victim.says(saysDropped); n > 1 {
		t.Errorf("it was taken out of the group %d times", n)
	}
	c.waitTogether()
	c.waitWhole(2 * labTasks)
	c.report("flapping", overlapReaching, 2)
}

// minority: the two see each other and lose the three one after the other. They may not
// take those out of the group whom they still believe to be fewer than half; the three
// take out the two.
func minority(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 5, nil)
	c.waitTogether()
	leader := c.leader()
	var few, most []*clusterNode
	for _, n := range c.nodes {
		if n != leader && len(few) < 2 {
			few = append(few, n)
		} else {
			most = append(most, n)
		}
	}
	c.fault(few...)
	for _, a := range few {
		for _, b := range most {
			k.lab.Split(c.hosts[a], c.hosts[b])
		}
	}
	time.Sleep(20 * time.Second)
	for _, n := range few {
		t.Logf("%s of the two has evicted %d times and was taken out %d times", n.id, n.says(saysEvicted), n.says(saysDropped))
	}
	for _, n := range most {
		t.Logf("%s of the three has evicted %d times and was taken out %d times", n.id, n.says(saysEvicted), n.says(saysDropped))
	}
	k.lab.HealAll()
	c.waitTogether()
	c.waitWhole(2 * labTasks)
	c.report("two of five cut off from the others", overlapReaching, 3)
}

// gossipBlocked: everything works; a death is noticed when the session ends.
func gossipBlocked(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, func(hosts []*netlab.Host) {
		for i, a := range hosts {
			for _, b := range hosts[i+1:] {
				k.lab.CutPort(a, b, labGossip)
			}
		}
	})
	eventually(t, func() string {
		for _, n := range c.nodes {
			if v := n.view(); len(v.Unreachable) != 2 || v.Leader == "" {
				return n.id + " says that gossip does not reach " + v.counts()
			}
		}
		return ""
	})
	v := c.nodes[0].view()
	t.Logf("n1 sees %s; unreachable: %v", v.counts(), v.Unreachable)
	victim := c.nodes[0]
	if victim.id == v.Leader {
		victim = c.nodes[1]
	}
	c.fault(victim)
	victim.kill()
	eventually(t, func() string { return c.problem(2*labTasks, true) })
	t.Logf("all tasks on the other two %v after the kill", time.Since(c.begin).Round(time.Millisecond))
	c.start(victim)
	victim.ready()
	eventually(t, func() string {
		if v := victim.view(); len(v.Nodes) != 3 {
			return "the node that was started again sees " + v.counts()
		}
		return ""
	})
	c.waitWhole(2 * labTasks)
	c.report("killed while gossip is blocked", 0, 2)
}

// slow makes all links between nodes slow and lossy, in each direction.
func (c *labCluster) slow() {
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			if a != b {
				c.k.lab.Shape(c.hosts[a], c.hosts[b], netlab.Link{Delay: 200 * time.Millisecond, Loss: 0.05})
			}
		}
	}
	n := c.follower()
	begin := time.Now()
	n.rest(404, "POST", "/cluster/nodes/nobody/drain", nil) // the leader says it
	took := time.Since(begin)
	c.t.Logf("a request that goes on from %s to the leader takes %v", n.id, took.Round(time.Millisecond))
	if took < 400*time.Millisecond {
		c.t.Error("the links are not slow")
	}
}

const slowFor = 60 * time.Second

// slowAndLossy: with the time that a packet needs told to gossip, nobody is evicted.
func slowAndLossy(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil, "gossip.probe.timeout.ms", "500", "gossip.probe.interval.ms", "1500")
	c.waitTogether()
	c.fault(c.nodes...)
	c.slow()
	time.Sleep(slowFor)
	if n := c.said(saysEvicted) + c.said(saysStanding); n > 0 {
		t.Errorf("%d nodes were evicted or lost their good standing", n)
	}
	c.waitWhole(2 * labTasks)
	c.report("200 ms and 5 % loss, gossip.probe.* raised", 0, 0)
}

// slowAndLossyWithDefaults: how often is not promised; that nothing is lost and nothing
// runs twice is.
func slowAndLossyWithDefaults(t *testing.T, k *labKafka) {
	c := newLabCluster(t, k, 3, nil)
	c.waitTogether()
	c.fault(c.nodes...)
	c.slow()
	time.Sleep(slowFor)
	for _, n := range c.nodes {
		t.Logf("%s has evicted %d times, was taken out %d times, has lost its good standing %d times", n.id, n.says(saysEvicted), n.says(saysDropped), n.says(saysStanding))
	}
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			if a != b {
				k.lab.Shape(c.hosts[a], c.hosts[b], netlab.Link{})
			}
		}
	}
	c.waitTogether()
	c.waitWhole(2 * labTasks)
	c.report("200 ms and 5 % loss, defaults", overlapReaching, 6)
}

// kafkaStops: the whole cluster waits for its broker.
func kafkaStops(d time.Duration) func(t *testing.T, k *labKafka) {
	return func(t *testing.T, k *labKafka) {
		c := newLabCluster(t, k, 3, nil)
		c.waitTogether()
		c.fault(c.nodes...)
		if err := syscall.Kill(k.broker.PID(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(d)
		if err := syscall.Kill(k.broker.PID(), syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		on := time.Now()
		c.waitTogether()
		c.waitWhole(2 * labTasks)
		t.Logf("all well %v after it went on", time.Since(on).Round(time.Millisecond))
		c.report("Kafka stopped for "+d.String(), 0, 2)
	}
}
