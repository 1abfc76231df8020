package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func of(s Status, epoch int64) Status {
	s.Epoch = &epoch
	return s
}

// TestStatusEpochs: of two stays' statuses the later stay's counts, whichever comes
// last; one without an epoch, which is Kafka Connect's, is taken by Kafka Connect's rule.
func TestStatusEpochs(t *testing.T) {
	running, failed, gone := st("RUNNING", "w:2", 5), st("FAILED", "w:1", 5), st(Destroyed, "w:1", 5)
	for _, row := range []struct {
		name string
		list []Status
		want string // state and worker
	}{
		{"late failure of a former owner", []Status{of(running, 20), of(failed, 10)}, "RUNNING w:2"},
		{"of the same stay", []Status{of(running, 20), of(failed, 20)}, "FAILED w:1"},
		{"of a later stay", []Status{of(running, 20), of(failed, 30)}, "FAILED w:1"},
		{"a farewell of a later stay in the same generation", []Status{of(running, 20), of(st("UNASSIGNED", "w:1", 5), 30)}, "UNASSIGNED w:1"},
		{"a late farewell", []Status{of(running, 20), of(st("UNASSIGNED", "w:1", 9), 10)}, "RUNNING w:2"},
		{"a late removal", []Status{of(running, 20), of(gone, 10)}, "RUNNING w:2"},
		{"late after a removal", []Status{of(failed, 10), of(gone, 20), of(running, 15)}, ""},
		{"new after a removal", []Status{of(gone, 20), of(running, 30)}, "RUNNING w:2"},
		{"Kafka Connect's after ours", []Status{of(running, 20), failed}, "FAILED w:1"},
		{"ours after Kafka Connect's", []Status{failed, of(running, 1)}, "RUNNING w:2"},
		{"ours, Kafka Connect's, ours", []Status{of(running, 20), failed, of(running, 21)}, "RUNNING w:2"},
		{"Kafka Connect's late farewell", []Status{of(running, 20), st("UNASSIGNED", "w:1", 4)}, "RUNNING w:2"},
		{"Kafka Connect removes", []Status{of(running, 20), gone}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			tab := newStatusTable(logger(nil))
			for i, s := range row.list {
				tab.apply(taskKey(a0).String(), s.value(), int64(i), s.Epoch)
			}
			got := ""
			if s, ok := tab.Task(a0); ok {
				got = s.State + " " + s.WorkerID
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestStatusEpochForgotten: the epoch of a removed status is kept while a late record may
// come, and no longer.
func TestStatusEpochForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := newStatusTable(logger(nil))
		epoch, other := int64(20), int64(10)
		tab.apply(taskKey(a0).String(), nil, 0, &epoch)
		time.Sleep(lateFor)
		if tab.apply(taskKey(a0).String(), []byte("{}"), 1, nil); len(tab.byOwner) != 1 {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Second)
		tab.apply("status-connector-z", nil, 2, &other)
		if len(tab.byOwner) != 1 || len(tab.ended) != 1 { // z's
			t.Errorf("kept: %v, %v", tab.byOwner, tab.ended)
		}
	})
}

// TestStatusLate: a former owner's late record is dropped by all readers, whoever starts
// later reads the owner's, which has written it again, and nobody writes for a stay that
// is over.
func TestStatusLate(t *testing.T) {
	c := broker(t)
	ctx := deadline(t)
	one, two := startStores(t, c), startStores(t, c)
	two.statuses.Fence("w:2", 30)
	two.statuses.PutTask(a0, of(st("RUNNING", "w:2", 5), 20))
	must(t, two.statuses.Flush(ctx))
	must(t, one.statuses.Refresh(ctx))

	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic(one.statuses.log.topic.Name))
	must(t, err)
	defer cl.Close()
	late := st("FAILED", "w:1", 5)
	must(t, cl.ProduceSync(ctx, &kgo.Record{Key: []byte(taskKey(a0).String()), Value: late.value(), Headers: []kgo.RecordHeader{EpochHeader(10)}}).FirstErr())
	is := func(s *stores, state string) bool {
		must(t, s.statuses.Refresh(ctx))
		got, _ := s.statuses.Task(a0)
		return got.State == state
	}
	if !is(one, "RUNNING") || !is(two, "RUNNING") {
		t.Error("a late status counts")
	}
	eventually(t, "the owner's status again", func() bool {
		must(t, two.statuses.Flush(ctx))
		last := ""
		at := kgo.NewOffset().AtStart()
		r, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(one.statuses.log.topic.Name), kgo.ConsumeResetOffset(at))
		must(t, err)
		defer r.Close()
		for n := 0; n < 3; {
			fs := r.PollFetches(ctx)
			must(t, fs.Err())
			fs.EachRecord(func(rec *kgo.Record) { n, last = n+1, string(rec.Value) })
		}
		return last == string(st("RUNNING", "w:2", 5).value())
	})
	one.statuses.PutTask(a0, of(late, 10))
	if got, _ := one.statuses.Task(a0); got.State != "RUNNING" {
		t.Errorf("a stay that is over says %v", got)
	}
	one.statuses.PutTaskSafe(a0, of(st("UNASSIGNED", "w:1", 9), 10))
	must(t, one.statuses.Flush(ctx))
	if !is(one, "RUNNING") || !is(two, "RUNNING") {
		t.Error("a stay that is over was written")
	}
	// A new assignment log counts from its beginning, for all nodes, which were away meanwhile.
	three := startStores(t, c)
	two.statuses.Fence("w:2", 3)
	three.statuses.Fence("w:3", 3)
	three.statuses.PutTask(a0, of(st("PAUSED", "w:3", 1), 2))
	must(t, three.statuses.Flush(ctx))
	if !is(three, "PAUSED") {
		t.Error("epochs of a log that is no more hide the new ones")
	}
}
