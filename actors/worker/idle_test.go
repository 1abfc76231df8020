package worker_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/connectors"
)

// TestIdleSinkIsQuiet: a sink whose topic is quiet asks Kafka for little, has a record
// at once all the same, and does not wait for a fetch that is out when it is stopped.
func TestIdleSinkIsQuiet(t *testing.T) {
	t.Parallel()
	n := newLeasedNode(t)
	var mu sync.Mutex
	seen := map[string]int{}
	n.broker.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		n.broker.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		seen[kmsg.NameForKey(req.Key())]++
		return nil, nil, false
	})
	id := connectors.TaskID{Connector: "s"}
	n.sys.Root.Send(n.pid, worker.Apply{Wanted: worker.Wanted{Tasks: map[connectors.TaskID]worker.WantedTask{
		id: {Config: map[string]string{"task.class": "t.T"}, Connector: map[string]string{"name": "s", "connector.class": "t.S", "topics": "in"}}}}})
	within := func(what string, d time.Duration, ok func() bool) {
		t.Helper()
		begun := time.Now()
		for !ok() {
			if time.Since(begun) > d {
				t.Fatalf("waited longer than %v for: %s; heard %s", d, what, n.l.all())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	within("a partition", 15*time.Second, func() bool { ts := n.worker.Tasks(); return len(ts) == 1 && ts[0].Metrics.Partitions.Load() == 1 })
	within("calls of put", 15*time.Second, func() bool { return n.count("Put") > 2 })
	mu.Lock()
	clear(seen)
	mu.Unlock()
	const watched = 6 * time.Second
	time.Sleep(watched) // what does not happen cannot be waited for
	mu.Lock()
	got := map[string]int{}
	for k, v := range seen {
		got[k] = v
	}
	mu.Unlock()
	for name, most := range map[string]int{"Fetch": 14, "Heartbeat": 3, "OffsetCommit": 0, "Metadata": 0, "OffsetFetch": 0, "ListOffsets": 0} {
		if got[name] > most {
			t.Errorf("%d %s requests in %v, want at most %d; all: %v", got[name], name, watched, most, got)
		}
	}
	if got["Fetch"] == 0 || got["Heartbeat"] == 0 {
		t.Fatalf("the sink does not work: %v", got)
	}
	// The next fetch has just been sent, or is out for a while.
	if err := n.cl.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	within("the record", time.Second, func() bool { ts := n.worker.Tasks(); return len(ts) == 1 && ts[0].Metrics.Sent.Load() == 1 })
	n.sys.Root.Send(n.pid, worker.Apply{})
	within("the end", 1500*time.Millisecond, func() bool { return strings.Contains(n.l.all(), "s-0=UNASSIGNED") })
}
