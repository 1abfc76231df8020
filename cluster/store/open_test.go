package store

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestStartDoesNotWaitForOpenTransactions: a node that starts after a leader died with
// its transaction open reads what was committed before, and goes on. It may be the one
// that is to abort the transaction; what comes then it reads as news.
func TestStartDoesNotWaitForOpenTransactions(t *testing.T) {
	c := broker(t)
	startStores(t, c) // makes the topics
	ctx := deadline(t)
	txn := client(t, c, kgo.TransactionalID("leader"), kgo.DefaultProduceTopic("connect-configs"))
	put := func(name string) {
		t.Helper()
		must(t, txn.BeginTransaction())
		r := connectorRecord(name, map[string]string{"a": "b"})
		must(t, txn.ProduceSync(ctx, rec(r.key, string(r.value))).FirstErr())
	}
	put("before")
	must(t, txn.EndTransaction(ctx, kgo.TryCommit))
	put("open")
	begin := time.Now()
	s := startStores(t, c)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the start took %v", took)
	}
	if got := s.configs.Snapshot().Connectors(); len(got) != 1 || got[0] != "before" {
		t.Errorf("connectors %v", got)
	}
	must(t, txn.EndTransaction(ctx, kgo.TryCommit))
	must(t, s.configs.Refresh(ctx))
	if !s.configs.Snapshot().Contains("open") {
		t.Error("what was committed later is missing")
	}
}
