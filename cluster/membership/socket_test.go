package membership_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/membership"
)

// TestDeathOverSockets runs three nodes over UDP and TCP on the loopback and lets
// one end without a word.
func TestDeathOverSockets(t *testing.T) {
	events := make(chan string, 64)
	var nodes []*membership.Gossip
	var seeds []string
	for i := range 3 {
		me := fmt.Sprint("w", i+1)
		g, err := membership.Start(membership.Options{
			Bind: "127.0.0.1:0", Label: "sockets", Keys: [][]byte{keyA}, Seeds: seeds,
			Meta: membership.Meta{Node: me, Boot: fmt.Sprint("b", i+1), State: membership.Running},
			Log:  slog.New(slog.DiscardHandler),
			OnEvent: func(e membership.Event) {
				if e.Kind != membership.Updated {
					events <- fmt.Sprintf("%s: %v %s", me, e.Kind, e.Peer.Boot)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes, seeds = append(nodes, g), []string{g.Addr()}
	}
	// wait collects events until all that are wanted have come, in any order.
	wait := func(want ...string) {
		t.Helper()
		missing := map[string]bool{}
		for _, w := range want {
			missing[w] = true
		}
		late := time.After(20 * time.Second)
		for len(missing) > 0 {
			select {
			case e := <-events:
				if !missing[e] {
					t.Errorf("unexpected: %s", e)
				}
				delete(missing, e)
			case <-late:
				t.Fatalf("did not come: %v", missing)
			}
		}
	}
	wait("w1: joined b2", "w1: joined b3", "w2: joined b1", "w2: joined b3", "w3: joined b1", "w3: joined b2")

	killed := time.Now()
	if err := nodes[2].Close(); err != nil {
		t.Fatal(err)
	}
	closed := time.Since(killed)
	wait("w1: died b3", "w2: died b3")
	took := time.Since(killed)
	t.Logf("Close took %v; both others saw the death after %v", closed.Round(time.Millisecond), took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("the death was seen after %v, more than 2 s", took)
	}

	began := time.Now()
	if err := nodes[1].Leave(t.Context()); err != nil {
		t.Error(err)
	}
	wait("w1: left b2")
	t.Logf("Leave was seen after %v", time.Since(began).Round(time.Millisecond))
}

// TestPortTaken starts a second node on the first one's port.
func TestPortTaken(t *testing.T) {
	meta := membership.Meta{Node: "w1", Boot: "b1"}
	g, err := membership.Start(membership.Options{Bind: "127.0.0.1:0", Meta: meta})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	second, err := membership.Start(membership.Options{Bind: g.Addr(), Meta: meta})
	if err == nil {
		second.Close()
		t.Fatal("it started")
	}
	for _, want := range []string{"gossip.bind " + g.Addr(), "address already in use", "another worker"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q; want one with %q", err, want)
		}
	}
}
