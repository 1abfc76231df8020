package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/clustertest"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// TestOffsetsGivenUpDoNotArrive: offsets that are on their way when their writer gives
// up, because its node's lease has ended, are not written when the network heals. The
// next write, and one of another task beside the one that is given up, are.
func TestOffsetsGivenUpDoNotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := clustertest.New(1)
		hub.SetAll(clustertest.Link{Delay: time.Millisecond})
		broker, end := hub.Endpoint(), hub.Endpoint()
		k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(broker.Listen))
		if err != nil {
			t.Fatal(err)
		}
		client := func(extra ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(broker.Addr()), kgo.Dialer(end.DialContext)}, extra...)...)
		}
		logs := store.NewLogs(store.Options{Client: client})
		s := store.NewOffsetStore(logs, store.OffsetTopic("offs", 1, 1, nil))
		if err := logs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		cl, err := client()
		if err != nil {
			t.Fatal(err)
		}
		put := func(within time.Duration, n int32) error {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			return s.Put(ctx, "c", []connectors.PartitionOffset{{Partition: data.NewStringMap("p", data.OfInt32(1)), Offset: data.NewStringMap("n", data.OfInt32(n))}})
		}
		records := func(want int64) {
			t.Helper()
			ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "offs")
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := ends.Lookup("offs", 0); got.Offset != want {
				t.Errorf("there are %d records, want %d", got.Offset, want)
			}
		}
		if err := put(5*time.Second, 1); err != nil {
			t.Fatal(err)
		}
		records(1)
		cut := func(on bool) {
			hub.Set(end.Addr(), broker.Addr(), clustertest.Link{Cut: on})
			hub.Set(broker.Addr(), end.Addr(), clustertest.Link{Cut: on})
		}
		cut(true)
		beside := make(chan error, 1)
		go func() { beside <- put(time.Minute, 2) }()
		began := time.Now()
		if err := put(time.Second, 3); err == nil {
			t.Error("a write without a broker has succeeded")
		}
		if d := time.Since(began); d > 2100*time.Millisecond { // closing a client may take a second
			t.Errorf("it was given up after %v", d)
		}
		time.Sleep(5 * time.Second)
		cut(false)
		if err := <-beside; err != nil {
			t.Errorf("the write that was not given up: %v", err)
		}
		time.Sleep(time.Minute)
		records(2)
		if err := put(5*time.Second, 4); err != nil {
			t.Fatal(err)
		}
		records(3)
		logs.Stop()
		cl.Close()
		k.Close()
		_, _ = broker.Shutdown(), end.Shutdown()
		time.Sleep(2 * time.Minute)
	})
}
