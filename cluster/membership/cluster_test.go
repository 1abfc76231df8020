package membership_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/cluster/clustertest"
	"github.com/troupeio/troupe/cluster/membership"
)

// node is one node of a test with what it was told.
type node struct {
	*membership.Gossip
	end *clustertest.Endpoint
	log *lines

	mu     sync.Mutex
	events []told
}

type told struct {
	membership.Event
	at time.Time
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

// story returns what was told of one peer's boots: "joined b1, died b1".
func (n *node) story(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, e := range n.events {
		if e.Peer.Node == id && e.Kind != membership.Updated {
			out = append(out, e.Kind.String()+" "+e.Peer.Boot)
		}
	}
	return strings.Join(out, ", ")
}

// when returns the time of the last event of a kind and boot.
func (n *node) when(k membership.Kind, boot string) (at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Kind == k && e.Peer.Boot == boot {
			at = e.at
		}
	}
	return at
}

// world is a bubble's cluster.
type world struct {
	t     *testing.T
	hub   *clustertest.Hub
	nodes []*node
}

// bubble runs a story in virtual time, and lets memberlist's loops run out in it.
func bubble(t *testing.T, story func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, hub: clustertest.New(1)}
		story(w)
		for _, n := range w.nodes {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			if err := n.Close(); err != nil {
				t.Error("second close:", err)
			}
		}
		time.Sleep(time.Minute)
	})
}

func (w *world) start(id, boot string, change ...func(*membership.Options)) *node {
	w.t.Helper()
	return w.startAt(w.hub.Endpoint(), id, boot, change...)
}

func (w *world) startAt(end *clustertest.Endpoint, id, boot string, change ...func(*membership.Options)) *node {
	w.t.Helper()
	n := &node{end: end, log: &lines{}}
	o := membership.Options{
		Label: "group", Transport: end, Log: slog.New(slog.NewTextHandler(n.log, nil)),
		Meta: membership.Meta{Node: id, Boot: boot, State: membership.Running},
		OnEvent: func(e membership.Event) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.events = append(n.events, told{e, time.Now()})
		},
	}
	if len(w.nodes) > 0 {
		o.Seeds = []string{w.nodes[0].end.Addr()}
	}
	for _, c := range change {
		c(&o)
	}
	g, err := membership.Start(o)
	if err != nil {
		w.t.Fatal(err)
	}
	n.Gossip = g
	w.nodes = append(w.nodes, n)
	return n
}

// several starts w1 to wn with the boots b1 to bn, and waits until all see all.
func (w *world) several(n int) []*node {
	w.t.Helper()
	for i := range n {
		w.start(fmt.Sprint("w", i+1), fmt.Sprint("b", i+1))
	}
	w.sleep(2 * time.Second)
	for _, x := range w.nodes {
		for i := 0; i < 100 && len(x.Peers()) != n-1; i++ { // by full exchanges, should gossip miss one of those that start at once
			w.sleep(200 * time.Millisecond)
		}
		if got := len(x.Peers()); got != n-1 {
			w.t.Errorf("%s sees %d peers, want %d: %v", x.Addr(), got, n-1, x.Peers())
			x.mu.Lock()
			for _, e := range x.events {
				w.t.Logf("%v %v %s", e.at.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), e.Kind, e.Peer.Boot)
			}
			x.mu.Unlock()
		}
	}
	return w.nodes
}

func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) want(n *node, id, story string) {
	w.t.Helper()
	if got := n.story(id); got != story {
		w.t.Errorf("%s was told of %s: %q, want %q", n.Addr(), id, got, story)
	}
}

// TestDeathIsSeenInTime prints how long a death takes to be seen. The bound is what
// the defaults allow: up to two intervals until the first probe, one for it, and four
// of suspicion; in larger groups one more until others confirm it. The first probe is a
// matter of chance in these: each of seven nodes asks the other seven in an order of its
// own, and in one group of four hundred none has come to the dead one after four
// intervals, in one of a million after six.
func TestDeathIsSeenInTime(t *testing.T) {
	for _, size := range []int{3, 5, 8} {
		t.Run(fmt.Sprint(size, " nodes"), func(t *testing.T) {
			var least, most time.Duration
			for range 10 / share {
				bubble(t, func(w *world) {
					n := w.several(size)
					killed := time.Now()
					if err := n[size-1].Close(); err != nil {
						t.Fatal(err)
					}
					w.sleep(3 * time.Second)
					id, boot := fmt.Sprint("w", size), fmt.Sprint("b", size)
					for _, x := range n[:size-1] {
						w.want(x, id, "joined "+boot+", died "+boot)
						took := x.when(membership.Died, boot).Sub(killed)
						most = max(most, took)
						if least == 0 || took < least {
							least = took
						}
						if now, ever := x.Seen(boot); now || !ever {
							t.Errorf("Seen(%s) = %v, %v after its death", boot, now, ever)
						}
						if !x.Sees("b1") || len(x.Peers()) != size-2 {
							t.Errorf("%s sees %v", x.Addr(), x.Peers())
						}
						if u := x.Unreachable(); len(u) != 1 || u[0] != n[size-1].Addr() {
							t.Errorf("unreachable: %v", u)
						}
					}
				})
			}
			t.Logf("seen after %v to %v", least.Round(time.Millisecond), most.Round(time.Millisecond))
			bound := 2 * time.Second
			if size == 8 {
				bound += 400 * time.Millisecond
			}
			if most > bound {
				t.Errorf("a death was seen after %v only", most)
			}
		})
	}
}

// TestLeavingIsNotDying lets nodes leave under loss: every other must hear that it
// was a leaving, though memberlist's own word for both is the same.
func TestLeavingIsNotDying(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		t.Run(fmt.Sprint("loss ", loss), func(t *testing.T) {
			for range 5 / share {
				bubble(t, func(w *world) {
					n := w.several(6)
					w.hub.SetAll(clustertest.Link{Delay: time.Millisecond, Loss: loss})
					began := time.Now()
					if err := n[5].Leave(w.t.Context()); err != nil {
						t.Error(err)
					}
					if took := time.Since(began); took > 1500*time.Millisecond {
						t.Errorf("leaving took %v", took)
					}
					if err := n[5].Close(); err != nil {
						t.Error(err)
					}
					w.sleep(3 * time.Second)
					for _, x := range n[:5] {
						w.want(x, "w6", "joined b6, left b6")
						if u := x.Unreachable(); len(u) != 0 {
							t.Errorf("unreachable: %v", u)
						}
					}
				})
			}
		})
	}
}

func TestRestartAtOnceIsDeathAndJoin(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(3)
		addr := n[2].end.Addr()
		if err := n[2].Close(); err != nil {
			t.Fatal(err)
		}
		w.sleep(100 * time.Millisecond)
		end, err := w.hub.EndpointAt(addr)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.startAt(end, "w3", "b3x")
		w.sleep(3 * time.Second)
		for _, x := range n[:2] {
			w.want(x, "w3", "joined b3, died b3, joined b3x")
			took := x.when(membership.Died, "b3").Sub(began)
			t.Logf("the earlier life's death was told %v after the restart", took)
			if took > 600*time.Millisecond {
				t.Errorf("the restart was told after %v", took)
			}
			if x.Sees("b3") || !x.Sees("b3x") {
				t.Error("sees the wrong life")
			}
		}
	})
}

// TestRestartWithoutSeeds starts a process anew that knows nobody: its earlier life
// must still be seen to die, and the others fetch it.
func TestRestartWithoutSeeds(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(3)
		addr := n[0].end.Addr()
		if err := n[0].Close(); err != nil {
			t.Fatal(err)
		}
		end, err := w.hub.EndpointAt(addr)
		if err != nil {
			t.Fatal(err)
		}
		again := w.startAt(end, "w1", "b1x", func(o *membership.Options) { o.Seeds = nil })
		w.sleep(6 * time.Second)
		for _, x := range n[1:] {
			w.want(x, "w1", "joined b1, died b1, joined b1x")
		}
		if len(again.Peers()) != 2 {
			t.Errorf("the restarted node sees %v", again.Peers())
		}
	})
}

func TestHealedPartitionRejoins(t *testing.T) {
	for _, long := range []time.Duration{10 * time.Second, 2 * time.Minute} {
		t.Run(long.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				n := w.several(5)
				a := []string{n[0].Addr(), n[1].Addr()}
				b := []string{n[2].Addr(), n[3].Addr(), n[4].Addr()}
				w.hub.Split(a, b)
				w.sleep(long)
				for i, x := range n {
					want := 1
					if i > 1 {
						want = 2
					}
					if got := len(x.Peers()); got != want {
						t.Errorf("%s sees %d in the partition, want %d", x.Addr(), got, want)
					}
				}
				w.hub.Join(a, b)
				healed := time.Now()
				w.sleep(6 * time.Second)
				var last time.Time
				for _, x := range n {
					if got := len(x.Peers()); got != 4 {
						t.Errorf("%s sees %d after the healing, want 4", x.Addr(), got)
					}
					for i := range 5 {
						if at := x.when(membership.Joined, fmt.Sprint("b", i+1)); at.After(last) {
							last = at
						}
					}
				}
				w.want(n[0], "w5", "joined b5, died b5, joined b5")
				t.Logf("all see all %v after the healing", last.Sub(healed))
				if long < time.Minute { // said only after some failed dials of two seconds
					return
				}
				if n[0].log.count("gossip does not reach "+n[4].Addr()+": no answer") != 1 ||
					n[0].log.count("gossip reaches "+n[4].Addr()+" again") != 1 {
					t.Errorf("log of w1:\n%s", n[0].log.b.String())
				}
			})
		})
	}
}

// TestOneWayPartition cuts one direction between two of three: the third vouches
// for both. With only two nodes there is nobody to ask.
func TestOneWayPartition(t *testing.T) {
	t.Run("three nodes", func(t *testing.T) {
		bubble(t, func(w *world) {
			n := w.several(3)
			w.hub.Cut(n[0].Addr(), n[1].Addr())
			w.sleep(2 * time.Minute)
			w.want(n[0], "w2", "joined b2")
			w.want(n[1], "w1", "joined b1")
			w.want(n[2], "w1", "joined b1")
		})
	})
	t.Run("two nodes", func(t *testing.T) {
		bubble(t, func(w *world) {
			n := w.several(2)
			w.hub.Cut(n[0].Addr(), n[1].Addr())
			w.sleep(4 * time.Second)
			w.want(n[0], "w2", "joined b2, died b2")
			w.hub.Heal(n[0].Addr(), n[1].Addr())
			w.sleep(5 * time.Second)
			w.want(n[0], "w2", "joined b2, died b2, joined b2")
			if !n[1].Sees("b1") {
				t.Error("w2 does not see w1 after the healing")
			}
		})
	})
}

func TestLabelsSeparateGroups(t *testing.T) {
	bubble(t, func(w *world) {
		w.start("w1", "b1")
		w.start("w2", "b2")
		other := w.start("w3", "b3", func(o *membership.Options) { o.Label = "another" })
		w.sleep(20 * time.Second)
		if len(other.Peers()) != 0 || len(w.nodes[0].Peers()) != 1 {
			t.Errorf("another sees %v, w1 sees %v", other.Peers(), w.nodes[0].Peers())
		}
		if n := w.nodes[0].log.count(`is of the group.id \"another\", not of ours`); n != 1 {
			t.Errorf("w1 says it %d times:\n%s", n, w.nodes[0].log.b.String())
		}
		if n := other.log.count("closed without an answer"); n != 1 {
			t.Errorf("the other says it %d times:\n%s", n, other.log.b.String())
		}
	})
}

var (
	keyA = bytes.Repeat([]byte{'a'}, 32)
	keyB = bytes.Repeat([]byte{'b'}, 32)
)

func keys(k ...[]byte) func(*membership.Options) {
	return func(o *membership.Options) { o.Keys = k }
}

func TestWrongKeyIsSaidOnce(t *testing.T) {
	for name, wrong := range map[string][][]byte{"another key": {keyB}, "no key": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				n1 := w.start("w1", "b1", keys(keyA))
				n2 := w.start("w2", "b2", keys(keyA))
				n3 := w.start("w3", "b3", keys(wrong...))
				w.sleep(time.Minute)
				if len(n1.Peers()) != 1 || len(n2.Peers()) != 1 || len(n3.Peers()) != 0 {
					t.Errorf("peers %v, %v, %v", n1.Peers(), n2.Peers(), n3.Peers())
				}
				host, _, _ := strings.Cut(n3.Addr(), ":")
				if n := n1.log.count("gossip from " + host + " cannot be decrypted: gossip.secret.keys differ"); n != 1 {
					t.Errorf("w1 says it %d times:\n%s", n, n1.log.b.String())
				}
				if n := n3.log.count("gossip does not reach " + n1.Addr() + ": gossip.secret.keys differ"); n != 1 {
					t.Errorf("w3 says it %d times:\n%s", n, n3.log.b.String())
				}
				if u := n3.Unreachable(); len(u) != 1 || u[0] != n1.Addr() {
					t.Errorf("w3's unreachable: %v", u)
				}
			})
		})
	}
}

func TestKeyRotationLosesNobody(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range 3 {
			w.start(fmt.Sprint("w", i+1), fmt.Sprint("b", i+1), keys(keyA))
		}
		w.sleep(2 * time.Second)
		for _, ring := range [][][]byte{{keyA, keyB}, {keyB, keyA}, {keyB}} {
			for _, n := range w.nodes { // one after the other, as the topic tells them
				if err := n.UseKeys(ring); err != nil {
					t.Fatal(err)
				}
				w.sleep(5 * time.Second)
			}
		}
		late := w.start("w4", "b4", keys(keyB))
		w.sleep(3 * time.Second)
		if len(late.Peers()) != 3 {
			t.Errorf("a node with the new key sees %v", late.Peers())
		}
		for i, n := range w.nodes[:3] {
			for j := range 3 {
				if i != j {
					w.want(n, fmt.Sprint("w", j+1), fmt.Sprint("joined b", j+1))
				}
			}
		}
		if err := late.UseKeys(nil); err == nil {
			t.Error("encryption was switched off")
		}
	})
}

// TestStallIsNotDeath holds one node for 700 ms every 10 s for ten minutes.
func TestStallIsNotDeath(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(3)
		for range 60 / share {
			w.hub.Stall(n[1].Addr(), 700*time.Millisecond)
			w.sleep(10 * time.Second)
		}
		for i, x := range n {
			for j := range n {
				if i != j {
					w.want(x, fmt.Sprint("w", j+1), fmt.Sprint("joined b", j+1))
				}
			}
		}
	})
}

func TestLossAndDelayAreNotDeath(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(4)
		w.hub.SetAll(clustertest.Link{Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.02})
		w.sleep(5 * time.Minute / share)
		for i, x := range n {
			for j := range n {
				if i != j {
					w.want(x, fmt.Sprint("w", j+1), fmt.Sprint("joined b", j+1))
				}
			}
		}
	})
}

func TestUpdateReachesAll(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(5)
		m := n[0].Meta()
		m.State, m.Load, m.Member = membership.Draining, 17, "member"
		m.Boot = "not its own"
		if err := n[0].Update(m); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.sleep(2 * time.Second)
		for _, x := range n[1:] {
			var got membership.Peer
			for _, p := range x.Peers() {
				if p.Node == "w1" {
					got = p
				}
			}
			if got.Boot != "b1" || got.State != membership.Draining || got.Load != 17 || got.Member != "member" {
				t.Errorf("%s sees %+v", x.Addr(), got)
			}
			if took := x.when(membership.Updated, "b1").Sub(began); took > 500*time.Millisecond {
				t.Errorf("%s was told after %v", x.Addr(), took)
			}
		}
		m.Member = strings.Repeat("m", 600)
		if err := n[0].Update(m); err == nil {
			t.Error("metadata of over 512 bytes was taken")
		}
	})
}

func TestOneNodeIDForTwoIsSaidOnce(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(2)
		w.start("w2", "other")
		w.sleep(30 * time.Second)
		for _, x := range w.nodes {
			if got := x.log.count("two processes run with node.id w2"); got != 1 {
				t.Errorf("%s says it %d times:\n%s", x.Addr(), got, x.log.b.String())
			}
		}
		w.want(n[0], "w2", "joined b2, joined other, clashed other")
	})
}

// TestSeedsAreResolvedAnew changes what a name stands for while it is a seed.
func TestSeedsAreResolvedAnew(t *testing.T) {
	bubble(t, func(w *world) {
		n1 := w.start("w1", "b1")
		var mu sync.Mutex
		answer, fails := []string(nil), fmt.Errorf("no such host")
		n2 := w.start("w2", "b2", func(o *membership.Options) {
			o.Seeds = []string{"seeds.test"}
			o.LookupHost = func(_ context.Context, host string) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				return answer, fails
			}
		})
		w.sleep(20 * time.Second)
		if n := n2.log.count("gossip does not reach seeds.test: resolving seeds.test: no such host"); n != 1 {
			t.Errorf("w2 says it %d times:\n%s", n, n2.log.b.String())
		}
		if u := n2.Unreachable(); len(u) != 1 || u[0] != "seeds.test" {
			t.Errorf("unreachable %v", u)
		}
		mu.Lock()
		host, _, _ := strings.Cut(n1.Addr(), ":")
		answer, fails = []string{"10.0.9.9", host}, nil
		mu.Unlock()
		w.sleep(6 * time.Second)
		if !n1.Sees("b2") || !n2.Sees("b1") || len(n2.Unreachable()) != 0 {
			t.Errorf("w2 sees %v, unreachable %v", n2.Peers(), n2.Unreachable())
		}
	})
}

// TestLearntAddresses joins nodes without seeds by what the group tells of them.
func TestLearntAddresses(t *testing.T) {
	bubble(t, func(w *world) {
		none := func(o *membership.Options) { o.Seeds = nil }
		n1, n2 := w.start("w1", "b1", none), w.start("w2", "b2", none)
		n1.AddSeeds(n2.Addr(), "10.0.9.9:7946", n1.Addr())
		w.sleep(10 * time.Second)
		if !n1.Sees("b2") || !n2.Sees("b1") {
			t.Errorf("w1 sees %v", n1.Peers())
		}
		if u := n1.Unreachable(); len(u) != 1 || u[0] != "10.0.9.9:7946" {
			t.Errorf("unreachable %v", u)
		}
		n1.DropSeeds("10.0.9.9:7946")
		if u := n1.Unreachable(); len(u) != 0 {
			t.Errorf("unreachable %v after it was dropped", u)
		}
	})
}

// TestSlowListenerHoldsNobody blocks in OnEvent: the node must stay alive to all.
func TestSlowListenerHoldsNobody(t *testing.T) {
	bubble(t, func(w *world) {
		release := make(chan struct{})
		w.start("w1", "b1")
		w.start("w2", "b2", func(o *membership.Options) { o.OnEvent = func(membership.Event) { <-release } })
		w.start("w3", "b3")
		w.sleep(30 * time.Second)
		w.want(w.nodes[0], "w2", "joined b2")
		if len(w.nodes[1].Peers()) != 2 {
			t.Errorf("the slow node sees %v", w.nodes[1].Peers())
		}
		close(release)
	})
}
