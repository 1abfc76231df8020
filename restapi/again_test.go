package restapi

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster"
)

// lostTo is a node whose requests go to the member first, and after that has been asked
// to then.
func lostTo(t *testing.T, o Options, repeatable bool, first string, then func(context.Context, string) error) (a *testNode, asked *atomic.Int32) {
	a, asked = node(t, o), new(atomic.Int32)
	a.nodes.left = make(chan struct{})
	a.do = func(ctx context.Context, what string) error {
		at := cluster.AttemptOf(ctx)
		if asked.Add(1) == 1 {
			at.Repeatable, at.Base = repeatable, 7
			return &cluster.Elsewhere{URL: first, Member: "m1"}
		}
		if at.Base != 7 || !at.Again {
			t.Errorf("the second attempt: %+v", *at)
		}
		return then(ctx, what)
	}
	return a, asked
}

// hangs is a node that stands still: it takes requests and answers none.
func hangs(t *testing.T) (url string, got chan seen) {
	return leader(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// TestLeaderThatStands: a request that was sent to a node that stands still ends when that
// node leaves the group. One that can be repeated goes to the next leader, marked; of
// another nobody knows.
func TestLeaderThatStands(t *testing.T) {
	b := node(t, Options{})
	var again []cluster.Attempt
	b.do = func(ctx context.Context, _ string) error {
		again = append(again, *cluster.AttemptOf(ctx))
		return nil
	}
	toB := func(context.Context, string) error { return &cluster.Elsewhere{URL: b.url, Member: "m2"} }
	for _, repeatable := range []bool{true, false} {
		url, got := hangs(t)
		a, asked := lostTo(t, Options{}, repeatable, url, toB)
		done := make(chan reply, 1)
		begun := time.Now()
		go func() { done <- call(t, "PUT", a.url+"connectors/a/pause", "") }()
		if s := <-got; s.header.Get(headerAgain) != "" {
			t.Error("the first attempt is marked")
		}
		select {
		case r := <-done:
			t.Fatalf("answered while the leader is there: %d %s", r.status, r.body)
		case <-time.After(50 * time.Millisecond):
		}
		close(a.nodes.left)
		r := <-done
		if time.Since(begun) > 10*time.Second {
			t.Errorf("it took %v", time.Since(begun))
		}
		switch {
		case repeatable && (r.status != 202 || len(again) != 1 || again[0].Base != 7 || !again[0].Again):
			t.Errorf("repeated: %d %s, %+v", r.status, r.body, again)
		case !repeatable && (r.status != 500 || asked.Load() != 1 || !strings.Contains(r.message(), "left the cluster): it may or may not have been carried out")):
			t.Errorf("not repeated: %d %s", r.status, r.body)
		}
	}
}

// TestAnswerLost: a request whose answer was lost waits for the node to leave the group;
// while it is there, or if nobody leads in time, nobody knows.
func TestAnswerLost(t *testing.T) {
	nobody := func(context.Context, string) error { return &cluster.NotHere{Why: "There is no leader."} }
	here := func(context.Context, string) error { return nil }
	for _, row := range []struct {
		name    string
		leaves  bool
		timeout time.Duration
		then    func(context.Context, string) error
		status  int
		want    string
		asked   int32 // at least
	}{
		{"it is there still", false, 300 * time.Millisecond, nobody, 500, "Request timed out. It was forwarded to http://", 1},
		{"nobody leads", true, 300 * time.Millisecond, nobody, 500, "Request timed out. It may or may not have been carried out: There is no leader.", 2},
		{"this node leads", true, 0, here, 202, "", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			var a *testNode
			url, _ := leader(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.leaves {
					close(a.nodes.left)
				}
				if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
					_ = c.Close()
				}
			})
			var asked *atomic.Int32
			a, asked = lostTo(t, Options{RequestTimeout: row.timeout}, true, url, row.then)
			r := call(t, "PUT", a.url+"connectors/a/pause", "")
			if r.status != row.status || r.status == 500 && !strings.HasPrefix(r.message(), row.want) || asked.Load() < row.asked || !row.leaves && asked.Load() > 1 {
				t.Errorf("%d %s, tried %d times", r.status, r.body, asked.Load())
			}
		})
	}
}
