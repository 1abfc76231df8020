package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/connectors"
)

func TestTopicsAreCreatedCompacted(t *testing.T) {
	c := broker(t)
	s := &stores{heard: new(heard)}
	s.logs = NewLogs(Options{Client: clientOf(c)})
	s.statuses = NewStatusStore(s.logs, StatusTopic("st", 3, -1, map[string]string{"cleanup.policy": "delete", "min.insync.replicas": "1"}))
	t.Cleanup(s.stop)
	must(t, s.logs.Start(deadline(t)))
	adm := kadm.NewClient(client(t, c))
	rs, err := adm.DescribeTopicConfigs(deadline(t), "st")
	must(t, err)
	got := make(map[string]string)
	for _, cf := range rs[0].Configs {
		got[cf.Key] = cf.MaybeValue()
	}
	if got["cleanup.policy"] != "compact" || got["min.insync.replicas"] != "1" {
		t.Errorf("settings %v", got)
	}
	tds, err := adm.ListTopics(deadline(t), "st")
	must(t, err)
	if n := len(tds["st"].Partitions); n != 3 {
		t.Errorf("%d partitions", n)
	}
}

func TestUnfitTopics(t *testing.T) {
	for name, tc := range map[string]struct {
		partitions int32
		policy     string
		want       string
	}{
		"policy": {1, "delete", "Topic 'cf' supplied via the 'config.storage.topic' property is required to have 'cleanup.policy=compact' to guarantee consistency and durability of connector configurations, but found the topic currently has 'cleanup.policy=delete'. Continuing would likely result in eventually losing connector configurations and problems restarting this Connect cluster in the future. Change the 'config.storage.topic' property in the Connect worker configurations to use a topic with 'cleanup.policy=compact'."},
		"both":   {1, "compact,delete", "'cleanup.policy=compact,delete'"},
		"single": {3, "compact", "Topic 'cf' supplied via the 'config.storage.topic' property is required to have a single partition in order to guarantee consistency of connector configurations, but found 3 partitions."},
	} {
		t.Run(name, func(t *testing.T) {
			c := broker(t)
			adm := kadm.NewClient(client(t, c))
			_, err := adm.CreateTopic(deadline(t), tc.partitions, 1, map[string]*string{"cleanup.policy": kadm.StringPtr(tc.policy)}, "cf")
			must(t, err)
			logs := NewLogs(Options{Client: clientOf(c)})
			NewConfigStore(logs, ConfigTopic("cf", 1, nil), nil)
			defer logs.Stop()
			err = logs.Start(deadline(t))
			var te *TopicError
			if !errors.As(err, &te) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUnreadablePolicyIsNoObstacle(t *testing.T) {
	c := broker(t)
	startStores(t, c)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	startStores(t, c)
}

// TestStartWaitsForBroker has nobody listen at first.
func TestStartWaitsForBroker(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	newClient := func(extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port)), kgo.RetryTimeout(200 * time.Millisecond)}, extra...)...)
	}
	impatient := NewLogs(Options{Client: newClient, StartTimeout: 50 * time.Millisecond})
	NewConfigStore(impatient, ConfigTopic("cf", 1, nil), nil)
	defer impatient.Stop()
	if err := impatient.Start(deadline(t)); err == nil || !strings.Contains(err.Error(), "internal topics") {
		t.Errorf("without a broker: %v", err)
	}
	logs := NewLogs(Options{Client: newClient})
	s := NewConfigStore(logs, ConfigTopic("cf", 1, nil), nil)
	defer logs.Stop()
	started := make(chan error, 1)
	go func() { started <- logs.Start(deadline(t)) }()
	if err := s.PutTargetState(deadline(t), "a", connectors.Paused); !errors.Is(err, errNotStarted) {
		t.Errorf("a write before the start: %v", err)
	}
	broker(t, kfake.Ports(port))
	must(t, <-started)
	must(t, s.PutConnector(deadline(t), "a", nil, nil))
}

func TestStartCanBeGivenUp(t *testing.T) {
	logs := NewLogs(Options{Client: func(extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(extra, kgo.SeedBrokers("127.0.0.1:1"))...)
	}})
	NewConfigStore(logs, ConfigTopic("cf", 1, nil), nil)
	defer logs.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := logs.Start(ctx); err == nil {
		t.Error("started without a broker")
	}
}

func TestWritesAreReadBackAndSurvive(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	stopped := connectors.Stopped
	must(t, s.configs.PutConnector(ctx, "a", map[string]string{"k": "é\"\n"}, &stopped))
	if st, _ := s.configs.Snapshot().TargetState("a"); st != connectors.Stopped || s.configs.Snapshot().Config("a")["k"] != "é\"\n" {
		t.Errorf("not read back: %s", describe(s.configs.Snapshot()))
	}
	must(t, s.configs.PutTargetState(ctx, "a", connectors.Started))
	must(t, s.configs.PutTaskConfigs(ctx, "a", []map[string]string{{"n": "0"}, {"n": "1"}}))
	must(t, s.configs.PutTaskCount(ctx, "a", 2))
	must(t, s.configs.PutSessionKey(ctx, SessionKey{[]byte{1, 2, 3}, "HmacSHA256", 42}))
	must(t, s.configs.PutLoggerLevel(ctx, "x", "DEBUG"))
	must(t, s.configs.PutRestartRequest(ctx, RestartRequest{"a", true, false}))
	want := "updated a,target a STARTED,tasks a,key HmacSHA256,logger x DEBUG,restart {a true false}"
	if got := strings.Join(s.heard.take(), ","); got != want {
		t.Errorf("heard %s", got)
	}
	again := startStores(t, c)
	if got := describe(again.configs.Snapshot()); got != "true STARTED count=2 tasks=2 gen=0 fenced=2" {
		t.Error(got)
	}
	if got := again.heard.take(); len(got) != 0 {
		t.Errorf("heard of the past: %v", got)
	}
	if k := again.configs.Snapshot().SessionKey(); k == nil || k.Created != 42 {
		t.Errorf("session key %v", k)
	}
	must(t, s.configs.Stop(ctx, "a"))
	must(t, again.configs.Refresh(ctx))
	if st, _ := again.configs.Snapshot().TargetState("a"); st != connectors.Stopped || again.configs.Snapshot().TaskCount("a") != 0 {
		t.Error(describe(again.configs.Snapshot()))
	}
	must(t, s.configs.RemoveConnector(ctx, "a"))
	must(t, again.configs.Refresh(ctx))
	if again.configs.Snapshot().Contains("a") {
		t.Error("a removed connector is still there")
	}
}

func TestIncompleteCommit(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	for _, r := range []string{cfg, task1, commit2} {
		k, v := kv(r)
		_, err := s.configs.log.append(ctx, rec(k, string(v)))
		must(t, err)
	}
	must(t, s.configs.Refresh(ctx))
	if got := s.configs.Snapshot().InconsistentConnectors(); len(got) != 1 || got[0] != "a" {
		t.Errorf("inconsistent: %v", got)
	}
	must(t, s.configs.PutTaskConfigs(ctx, "a", []map[string]string{{"n": "0"}}))
	if got := describe(s.configs.Snapshot()); got != "true STARTED count=1 tasks=1 gen=0 pending" {
		t.Error(got)
	}
}

// TestConcurrentWriters has two workers write at once; both end with the same state.
func TestConcurrentWriters(t *testing.T) {
	c := broker(t)
	one, two := startStores(t, c), startStores(t, c)
	ctx := deadline(t)
	var wg sync.WaitGroup
	for w := range 8 {
		s := []*stores{one, two}[w%2]
		wg.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("c%d", i)
				if err := s.configs.PutConnector(ctx, name, map[string]string{"w": fmt.Sprint(w)}, nil); err != nil {
					t.Error(err)
				}
				if !s.configs.Snapshot().Contains(name) {
					t.Errorf("%s was not read back", name)
				}
				if err := s.configs.Refresh(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, one.configs.Refresh(ctx))
	must(t, two.configs.Refresh(ctx))
	a, b := one.configs.Snapshot(), two.configs.Snapshot()
	for _, name := range a.Connectors() {
		if a.Config(name)["w"] != b.Config(name)["w"] || a.ConfigOffset(name) != b.ConfigOffset(name) {
			t.Errorf("%s differs: %v, %v", name, a.Config(name), b.Config(name))
		}
	}
	if a.Offset() != 80 || b.Offset() != 80 {
		t.Errorf("offsets %d and %d", a.Offset(), b.Offset())
	}
}

// TestOutage stops the broker and starts it again with its data.
func TestOutage(t *testing.T) {
	dir := t.TempDir()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	must(t, err)
	_, ports, _ := strings.Cut(c.ListenAddrs()[0], ":")
	var port int
	_, err = fmt.Sscan(ports, &port)
	must(t, err)
	s := startStores(t, c)
	ctx := deadline(t)
	must(t, s.configs.PutConnector(ctx, "before", map[string]string{"a": "b"}, nil))
	c.Close()

	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := s.configs.PutConnector(short, "lost", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write without a broker: %v", err)
	}
	if err := s.configs.Refresh(short); err == nil {
		t.Error("a refresh without a broker")
	}
	if !s.configs.Snapshot().Contains("before") {
		t.Error("the snapshot is gone")
	}
	s.statuses.PutConnector("before", Status{State: "PAUSED", WorkerID: "w", Generation: 1})
	s.statuses.PutConnector("before", Status{State: "RUNNING", WorkerID: "w", Generation: 1})
	during := make(chan error, 1)
	go func() { during <- s.configs.PutConnector(ctx, "during", map[string]string{"a": "b"}, nil) }()

	c, err = kfake.NewCluster(kfake.Ports(port), kfake.DataDir(dir))
	must(t, err)
	t.Cleanup(c.Close)
	must(t, <-during)
	must(t, s.statuses.Flush(ctx))
	must(t, s.configs.Refresh(ctx))
	snap := s.configs.Snapshot()
	if !snap.Contains("before") || !snap.Contains("during") {
		t.Errorf("connectors %v", snap.Connectors())
	}
	again := startStores(t, c)
	if st, _ := again.statuses.Connector("before"); st.State != "RUNNING" {
		t.Errorf("status %v", st)
	}
	select {
	case err := <-s.failed:
		t.Errorf("an outage is no failure: %v", err)
	default:
	}
}

// TestLeaderMoves takes the leadership of the config topic round the brokers.
func TestLeaderMoves(t *testing.T) {
	c := broker(t, kfake.NumBrokers(3))
	s := startStores(t, c)
	other := startStores(t, c)
	for node := range int32(3) {
		must(t, c.MoveTopicPartition("connect-configs", 0, node))
		name := fmt.Sprint("c", node)
		must(t, s.configs.PutConnector(deadline(t), name, nil, nil))
		must(t, other.configs.Refresh(deadline(t)))
		if !other.configs.Snapshot().Contains(name) {
			t.Errorf("%s is not seen", name)
		}
	}
	select {
	case err := <-s.failed:
		t.Errorf("a move is no failure: %v", err)
	default:
	}
}

// TestOnlyOneStore has a worker of one topic, as a connector's own offset topic is.
func TestOnlyOneStore(t *testing.T) {
	c := broker(t)
	logs := NewLogs(Options{Client: clientOf(c), ReadUncommitted: true})
	s := NewOffsetStore(logs, OffsetTopic("own", -1, -1, nil))
	defer logs.Stop()
	must(t, logs.Start(deadline(t)))
	must(t, s.Put(deadline(t), "c", po(m(), m())))
	if got, err := s.All(deadline(t), "c"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDeletedTopicIsTold(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	_, err := kadm.NewClient(client(t, c)).DeleteTopic(ctx, "connect-configs")
	must(t, err)
	select {
	case err := <-s.failed:
		if !strings.Contains(err.Error(), "topic connect-configs: it was deleted") {
			t.Errorf("told: %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("nobody was told")
	}
	if err := s.configs.Refresh(ctx); err == nil {
		t.Error("a refresh of a deleted topic")
	}
	must(t, s.offsets.Refresh(ctx)) // the others go on
}

// TestTransactions writes committed, aborted and open transactions beside the
// store's own records.
func TestTransactions(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	txn := client(t, c, kgo.TransactionalID("leader"), kgo.DefaultProduceTopic("connect-configs"))
	put := func(name string, end kgo.TransactionEndTry) {
		t.Helper()
		must(t, txn.BeginTransaction())
		r := connectorRecord(name, nil)
		must(t, txn.ProduceSync(ctx, rec(r.key, string(r.value))).FirstErr())
		must(t, txn.EndTransaction(ctx, end))
	}
	put("good", kgo.TryCommit)
	must(t, s.configs.Refresh(ctx)) // ends in a control record
	put("ghost", kgo.TryAbort)
	must(t, s.configs.Refresh(ctx)) // ends in an abort
	if got := s.configs.Snapshot().Connectors(); len(got) != 1 || got[0] != "good" {
		t.Errorf("connectors %v", got)
	}
	again := startStores(t, c)
	if got := again.configs.Snapshot().Connectors(); len(got) != 1 {
		t.Errorf("a second reader sees %v", got)
	}
	// An open one holds up a read to the end until it is decided.
	must(t, txn.BeginTransaction())
	r := connectorRecord("open", nil)
	must(t, txn.ProduceSync(ctx, rec(r.key, string(r.value))).FirstErr())
	short, cancel := context.WithTimeout(ctx, 700*time.Millisecond) // longer than a probe takes to come
	defer cancel()
	if err := s.configs.Refresh(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read to the end within an open transaction: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.configs.Refresh(ctx) }()
	begin := time.Now()
	must(t, txn.EndTransaction(ctx, kgo.TryCommit))
	must(t, <-done)
	t.Logf("from the commit to the end of the read: %v", time.Since(begin))
	if !s.configs.Snapshot().Contains("open") {
		t.Error("a committed connector is missing")
	}
}

// txnWriter is what a leader brings: all of a write in one transaction.
type txnWriter struct {
	mu sync.Mutex
	cl *kgo.Client
	n  int
}

func (w *txnWriter) Atomic() bool { return true }
func (w *txnWriter) Write(ctx context.Context, recs ...*kgo.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	if err := w.cl.BeginTransaction(); err != nil {
		return err
	}
	if err := w.cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		return err
	}
	return w.cl.EndTransaction(ctx, kgo.TryCommit)
}

func TestTransactionalWriter(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	w := &txnWriter{cl: client(t, c, kgo.TransactionalID("leader"))}
	s.configs.UseWriter(w)
	must(t, s.configs.PutConnector(ctx, "a", nil, nil))
	must(t, s.configs.PutTaskConfigs(ctx, "a", []map[string]string{{}, {}}))
	if got := describe(s.configs.Snapshot()); got != "true STARTED count=2 tasks=2 gen=0 pending" || w.n != 2 {
		t.Errorf("%s in %d transactions", got, w.n)
	}
	s.configs.UseWriter(nil)
	must(t, s.configs.Stop(ctx, "a"))
	if w.n != 2 || s.configs.Snapshot().TaskCount("a") != 0 {
		t.Errorf("%d transactions", w.n)
	}
}

// TestCompactedTopic reads a topic whose offsets have holes.
func TestCompactedTopic(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	for i := range 20 {
		must(t, s.configs.PutConnector(ctx, "a", map[string]string{"i": fmt.Sprint(i)}, nil))
		must(t, s.configs.PutTaskConfigs(ctx, "a", []map[string]string{{"i": fmt.Sprint(i)}, {}}))
	}
	must(t, s.configs.PutConnector(ctx, "b", nil, nil))
	must(t, s.configs.RemoveConnector(ctx, "b"))
	want := describe(s.configs.Snapshot())
	c.Compact()
	again := startStores(t, c)
	got := again.configs.Snapshot()
	if d := strings.Replace(describe(got), "gen=0", "gen=19", 1); d != want || got.Config("a")["i"] != "19" || got.Contains("b") {
		t.Errorf("after compaction: %s, want %s", describe(got), want)
	}
	if got.Offset() != s.configs.Snapshot().Offset() {
		t.Errorf("offset %d, want %d", got.Offset(), s.configs.Snapshot().Offset())
	}
}

// TestReadToEndOverHoles has the last offsets hold nothing for a reader: only
// asking the broker can tell.
func TestReadToEndOverHoles(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	for i := range 5 {
		must(t, s.configs.PutConnector(ctx, fmt.Sprint("c", i), nil, nil))
	}
	// All records go, the end offset stays.
	adm := kadm.NewClient(client(t, c))
	ends, err := adm.ListEndOffsets(ctx, "connect-configs")
	must(t, err)
	_, err = adm.DeleteRecords(ctx, ends.Offsets())
	must(t, err)
	fresh := startStores(t, c)
	if got := fresh.configs.Snapshot().Connectors(); len(got) != 0 {
		t.Errorf("connectors %v", got)
	}
	// A log that believes it stands before the hole gets over it by a probe.
	l := fresh.configs.log
	l.mu.Lock()
	l.pos[0] = 1
	l.mu.Unlock()
	must(t, fresh.configs.Refresh(ctx))
}

// TestRefreshesShareListings holds that callers that wait together cost one request.
func TestRefreshesShareListings(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	var asked sync.WaitGroup
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "connect-configs", Observe: true, Count: -1})
	release := make(chan struct{})
	held := make(chan struct{}, 1)
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case held <- struct{}{}:
		default:
		}
		c.SleepControl(func() { <-release })
		return nil, nil, false
	})
	for range 1 {
		asked.Go(func() { must(t, s.configs.Refresh(ctx)) })
	}
	<-held
	for range 50 {
		asked.Go(func() { must(t, s.configs.Refresh(ctx)) })
	}
	eventually(t, "the second round", func() bool {
		s.configs.log.mu.Lock()
		defer s.configs.log.mu.Unlock()
		return s.configs.log.next != nil
	})
	close(release)
	asked.Wait()
	if n := h.Hits(); n > 10 {
		t.Errorf("51 refreshes cost %d listings", n)
	} else {
		t.Logf("51 refreshes cost %d listings", n)
	}
}

func TestStoppedLogs(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	s.stop()
	if err := s.configs.Refresh(deadline(t)); !errors.Is(err, kgo.ErrClientClosed) {
		t.Errorf("refresh: %v", err)
	}
	if err := s.configs.PutTargetState(deadline(t), "a", connectors.Paused); !errors.Is(err, kgo.ErrClientClosed) {
		t.Errorf("write: %v", err)
	}
}
