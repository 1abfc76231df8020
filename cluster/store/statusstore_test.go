package store

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/connectors"
)

func st(state, worker string, generation int) Status {
	return Status{State: state, WorkerID: worker, Generation: generation}
}

var a0 = connectors.TaskID{Connector: "a-b", Task: 0}

func statusStores(t *testing.T) map[string]Statuses {
	return map[string]Statuses{"kafka": startStores(t, broker(t)).statuses, "memory": NewMemoryStatusStore()}
}

func TestStatusStores(t *testing.T) {
	for name, s := range statusStores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := deadline(t)
			v := "1.0"
			s.PutConnector("a-b", Status{State: "RUNNING", WorkerID: "w:1", Generation: 3, Version: &v})
			s.PutTask(a0, Status{State: "FAILED", WorkerID: "w:1", Generation: 3, Trace: "oops\n\tat x"})
			s.PutTask(connectors.TaskID{Connector: "a-b", Task: 10}, st("RUNNING", "w:1", 3))
			s.PutTask(connectors.TaskID{Connector: "a-b", Task: 2}, st("PAUSED", "w:1", 3))
			s.PutTopic(TopicUse{"t2", "a-b", 0, 5})
			s.PutTopic(TopicUse{"t1", "a-b", 1, 6})
			check := func(when string) {
				t.Helper()
				if c, ok := s.Connector("a-b"); !ok || c.State != "RUNNING" || *c.Version != "1.0" || c.Generation != 3 || c.WorkerID != "w:1" {
					t.Errorf("%s: connector %v", when, c)
				}
				if c, ok := s.Task(a0); !ok || c.State != "FAILED" || c.Trace != "oops\n\tat x" || c.Version != nil {
					t.Errorf("%s: task %v", when, c)
				}
				var order []int
				for _, x := range s.Tasks("a-b") {
					order = append(order, x.Task)
				}
				if !reflect.DeepEqual(order, []int{0, 2, 10}) {
					t.Errorf("%s: tasks %v", when, order)
				}
				if got := s.Topics("a-b"); len(got) != 2 || got[0] != (TopicUse{"t1", "a-b", 1, 6}) {
					t.Errorf("%s: topics %v", when, got)
				}
				if _, ok := s.Topic("a-b", "t2"); !ok {
					t.Errorf("%s: topic t2 is missing", when)
				}
				if got := s.Connectors(); !reflect.DeepEqual(got, []string{"a-b"}) {
					t.Errorf("%s: connectors %v", when, got)
				}
			}
			check("at once")
			must(t, s.Flush(ctx))
			must(t, s.Refresh(ctx))
			check("read back")
			s.PutConnectorSafe("a-b", st("UNASSIGNED", "w:2", 2)) // from the past
			s.PutTaskSafe(a0, st("UNASSIGNED", "w:2", 2))
			check("after stale safe puts")
			s.PutTaskSafe(a0, st("UNASSIGNED", "w:2", 4))
			if c, _ := s.Task(a0); c.State != "UNASSIGNED" {
				t.Errorf("after a safe put: %v", c)
			}
			s.PutConnector("a-b", st(Destroyed, "w:1", 3))
			for _, x := range s.Tasks("a-b") {
				s.PutTask(connectors.TaskID{Connector: "a-b", Task: x.Task}, st(Destroyed, "w:1", 3))
			}
			s.RemoveTopic("a-b", "t1")
			gone := func(when string) {
				t.Helper()
				if _, ok := s.Connector("a-b"); ok || len(s.Tasks("a-b")) > 0 || len(s.Topics("a-b")) != 1 || len(s.Connectors()) > 0 {
					t.Errorf("%s: %v %v %v", when, s.Tasks("a-b"), s.Topics("a-b"), s.Connectors())
				}
			}
			gone("at once")
			must(t, s.Flush(ctx))
			must(t, s.Refresh(ctx))
			gone("read back")
		})
	}
}

func TestStatusOfOthers(t *testing.T) {
	c := broker(t)
	one, two := startStores(t, c), startStores(t, c)
	ctx := deadline(t)
	one.statuses.PutTask(a0, st("RUNNING", "w:1", 3))
	must(t, one.statuses.Flush(ctx))
	must(t, two.statuses.Refresh(ctx))
	if got, _ := two.statuses.Task(a0); got.State != "RUNNING" {
		t.Errorf("task %v", got)
	}
	two.statuses.PutTask(a0, st("PAUSED", "w:2", 4))
	must(t, two.statuses.Flush(ctx))
	must(t, one.statuses.Refresh(ctx))
	if got, _ := one.statuses.Task(a0); got.State != "PAUSED" || got.WorkerID != "w:2" {
		t.Errorf("another worker's newer status is hidden: %v", got)
	}
	// Nothing stays over what was read.
	for _, s := range []*stores{one, two} {
		eventually(t, "the reading back", func() bool {
			s.statuses.mu.Lock()
			defer s.statuses.mu.Unlock()
			return len(s.statuses.writes) == 0
		})
	}
}

func TestStatusReaderRules(t *testing.T) {
	running := `{"state":"RUNNING","trace":null,"worker_id":"w:2","generation":5,"version":"1"}`
	unassigned := func(worker string, generation int) string {
		return fmt.Sprintf(`{"state":"UNASSIGNED","trace":null,"worker_id":"%s","generation":%d}`, worker, generation)
	}
	for name, tc := range map[string]struct {
		records []string
		want    string
	}{
		"late farewell":          {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0=" + unassigned("w:1", 4)}, "RUNNING"},
		"same generation":        {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0=" + unassigned("w:1", 5)}, "RUNNING"},
		"own farewell":           {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0=" + unassigned("w:2", 5)}, "UNASSIGNED"},
		"own from an older life": {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0=" + unassigned("w:2", 4)}, "RUNNING"},
		"newer generation":       {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0=" + unassigned("w:1", 6)}, "UNASSIGNED"},
		"not running":            {[]string{"status-task-a-b-0=" + strings.Replace(running, "RUNNING", "FAILED", 1), "status-task-a-b-0=" + unassigned("w:1", 4)}, "UNASSIGNED"},
		"tombstone":              {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0"}, ""},
		"bad ones": {[]string{"status-task-a-b-0=" + running, "status-task-a-b-0=", "status-task-a-b-0={}", `status-task-a-b-0={"state":"FLYING","worker_id":"w","generation":9}`,
			`status-task-a-b-0={"state":"PAUSED","worker_id":1,"generation":9}`, "status-task-0={}", "status-task-a-x={}", "status-topic-x={}", "foo={}", `status-topic-t:connector-c={"topic":[]}`}, "RUNNING"},
	} {
		t.Run(name, func(t *testing.T) {
			tab := newStatusTable(logger(nil))
			for i, r := range tc.records {
				k, v := kv(r)
				tab.apply(k, v, int64(i), nil)
			}
			got, _ := tab.Task(a0)
			if got.State != tc.want {
				t.Errorf("got %q, want %q", got.State, tc.want)
			}
		})
	}
	tab := newStatusTable(logger(nil))
	tab.apply("status-topic-t:connector-a:connector-b", []byte(`{"topic":{"name":"t","connector":"a:connector-b","task":1,"discoverTimestamp":5}}`), 0, nil)
	if got := tab.Topics("a:connector-b"); len(got) != 1 || got[0].Task != 1 {
		t.Errorf("topics %v", got)
	}
}

// TestStatusRetries fails sends until a newer status takes their place.
func TestStatusRetries(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "connect-status", Err: kerr.NotEnoughReplicas, Count: -1})
	for i := range 100 {
		s.statuses.PutTask(a0, st("PAUSED", "w:1", i))
	}
	must(t, h.Wait(deadline(t), 1))
	s.statuses.PutTask(a0, st("RUNNING", "w:1", 100))
	if got, _ := s.statuses.Task(a0); got.State != "RUNNING" {
		t.Errorf("not to be seen at once: %v", got)
	}
	short, cancel := context.WithTimeout(deadline(t), 50*time.Millisecond)
	defer cancel()
	if err := s.statuses.Flush(short); err == nil {
		t.Error("flushed what cannot be written")
	}
	h.Remove()
	must(t, s.statuses.Flush(deadline(t)))
	must(t, s.statuses.Refresh(deadline(t)))
	if got, _ := startStores(t, c).statuses.Task(a0); got.Generation != 100 {
		t.Errorf("written: %v", got)
	}
	s.statuses.log.mu.Lock()
	defer s.statuses.log.mu.Unlock()
	var n int64
	for _, p := range s.statuses.log.pos {
		n += p
	}
	if n > 5 {
		t.Errorf("%d records for one key", n)
	}
}

func TestStatusRefusedForGood(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "connect-status", Err: kerr.TopicAuthorizationFailed, Count: -1})
	s.statuses.PutTask(a0, st("PAUSED", "w:1", 1))
	must(t, s.statuses.Flush(deadline(t)))
	if got, _ := s.statuses.Task(a0); got.State != "PAUSED" {
		t.Errorf("lost locally: %v", got)
	}
}

func TestStatusPutBeforeStartAndAfterStop(t *testing.T) {
	c := broker(t)
	s := newStores(c)
	s.statuses.PutTask(a0, st("RUNNING", "w:1", 1))
	must(t, s.logs.Start(deadline(t)))
	must(t, s.statuses.Flush(deadline(t)))
	s.stop()
	s.statuses.PutTask(a0, st("PAUSED", "w:1", 1))
	if err := s.statuses.Flush(deadline(t)); err == nil {
		t.Error("flushed after the stop")
	}
	if got, _ := startStores(t, c).statuses.Task(a0); got.State != "RUNNING" {
		t.Errorf("written: %v", got)
	}
	unstarted := newStores(c)
	unstarted.statuses.PutTask(a0, st("RUNNING", "w:1", 1))
	unstarted.stop()
}

// TestStatusesInParallel has many keys and writers.
func TestStatusesInParallel(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	done := make(chan struct{})
	for w := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 200 {
				s.statuses.PutTask(connectors.TaskID{Connector: "c", Task: i % 20}, st("RUNNING", fmt.Sprint("w", w), i))
			}
		}()
	}
	for range 4 {
		<-done
	}
	must(t, s.statuses.Flush(deadline(t)))
	must(t, s.statuses.Refresh(deadline(t)))
	if got, want := startStores(t, c).statuses.Tasks("c"), s.statuses.Tasks("c"); !reflect.DeepEqual(got, want) || len(got) != 20 {
		t.Errorf("another reader sees %v, we see %v", got, want)
	}
}

func FuzzStatusRecord(f *testing.F) {
	f.Add("status-task-a-b-0", []byte(`{"state":"RUNNING","trace":null,"worker_id":"w:2","generation":5,"version":"1"}`))
	f.Add("status-topic-t:connector-c", []byte(`{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":5}}`))
	f.Add("status-connector-c", []byte(`{"state":"FAILED","trace":"x","worker_id":"w:2","generation":5}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		tab := newStatusTable(logger(nil))
		k, ok, _ := tab.apply(key, value, 0, nil)
		if !ok {
			return
		}
		if again, err := parseStatusKey(k.String()); err != nil || again != k {
			t.Errorf("%q became %q", key, again.String())
		}
		v, there := tab.get(k)
		if !there {
			return
		}
		tab2 := newStatusTable(logger(nil))
		tab2.apply(k.String(), v.bytes(k), 0, nil)
		if v2, _ := tab2.get(k); !reflect.DeepEqual(v, v2) {
			t.Errorf("%s became %s", v.bytes(k), v2.bytes(k))
		}
	})
}
