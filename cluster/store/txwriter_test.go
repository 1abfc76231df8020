package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/store"
)

func txBroker(t *testing.T) store.NewClient {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "configs", "assignments"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return func(extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, extra...)...)
	}
}

// committed reads n records of a topic, committed ones alone.
func committed(t *testing.T, client store.NewClient, topic string, n int) []string {
	t.Helper()
	cl, err := client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out []string
	for len(out) < n {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("topic %s has %v, wanted %d records", topic, out, n)
		}
		fs.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	return out
}

func record(topic, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(value), Value: []byte(value)}
}

// TestTxWriterIsFenced: whoever takes the id later is the only one that writes; what
// the former one still tries is in no topic, and it knows why.
func TestTxWriterIsFenced(t *testing.T) {
	client := txBroker(t)
	first, err := store.NewTxWriter(t.Context(), client, "connect-cluster-g", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	rec := record("configs", "one")
	if err := first.Write(t.Context(), rec, record("assignments", "one")); err != nil {
		t.Fatal(err)
	}
	if rec.Offset != 0 {
		t.Errorf("offset %d", rec.Offset)
	}
	second, err := store.NewTxWriter(t.Context(), client, "connect-cluster-g", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := first.Write(t.Context(), record("configs", "late")); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the former leader's write: %v", err)
	}
	<-first.Failed()
	if err := first.Write(t.Context(), record("configs", "later")); !errors.Is(err, store.ErrFenced) {
		t.Errorf("and the one after it: %v", err)
	}
	if err := second.Write(t.Context(), record("configs", "two")); err != nil {
		t.Fatal(err)
	}
	if got := committed(t, client, "configs", 2); fmt.Sprint(got) != "[one two]" {
		t.Errorf("read %v", got)
	}
}

// TestTxWriterTogether: writes that wait while a transaction commits go into the next
// together, and each is told when it is committed.
func TestTxWriterTogether(t *testing.T) {
	client := txBroker(t)
	w, err := store.NewTxWriter(t.Context(), client, "connect-cluster-g", nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := w.Write(t.Context(), record("configs", fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	recs := committed(t, client, "configs", n)
	if len(recs) != n {
		t.Errorf("%d records", len(recs))
	}
	w.Close()
	if err := w.Write(t.Context(), record("configs", "closed")); err == nil {
		t.Error("a closed writer writes")
	}
}
