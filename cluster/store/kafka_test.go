package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// broker starts a fake Kafka that ends with the test.
func broker(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func clientOf(c *kfake.Cluster) NewClient {
	return func(extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, extra...)...)
	}
}

// client is one more client, closed with the test.
func client(t testing.TB, c *kfake.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := clientOf(c)(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// stores are the three stores of a worker.
type stores struct {
	logs     *Logs
	configs  *ConfigStore
	offsets  *OffsetStore
	statuses *StatusStore
	heard    *heard
	failed   chan error
}

func newStores(c *kfake.Cluster) *stores {
	s := &stores{heard: new(heard), failed: make(chan error, 10)}
	s.logs = NewLogs(Options{Client: clientOf(c), Failed: func(err error) { s.failed <- err }})
	s.configs = NewConfigStore(s.logs, ConfigTopic("connect-configs", 1, nil), s.heard)
	s.offsets = NewOffsetStore(s.logs, OffsetTopic("connect-offsets", 25, 1, nil))
	s.statuses = NewStatusStore(s.logs, StatusTopic("connect-status", 5, 1, nil))
	return s
}

func (s *stores) stop() {
	s.statuses.Stop()
	s.logs.Stop()
}

func startStores(t testing.TB, c *kfake.Cluster) *stores {
	t.Helper()
	s := newStores(c)
	t.Cleanup(s.stop)
	if err := s.logs.Start(deadline(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

// heard keeps what a listener was told.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, fmt.Sprintf(format, args...))
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.list
	h.list = nil
	return l
}

func (h *heard) ConnectorUpdated(n string)                             { h.add("updated %s", n) }
func (h *heard) ConnectorRemoved(n string)                             { h.add("removed %s", n) }
func (h *heard) TasksUpdated(n string)                                 { h.add("tasks %s", n) }
func (h *heard) TargetStateChanged(n string, s connectors.TargetState) { h.add("target %s %s", n, s) }
func (h *heard) RestartRequested(r RestartRequest)                     { h.add("restart %v", r) }
func (h *heard) LoggerLevelSet(n, l string)                            { h.add("logger %s %s", n, l) }
func (h *heard) SessionKeyChanged(k SessionKey)                        { h.add("key %s", k.Algorithm) }

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func rec(key, value string) *kgo.Record { return &kgo.Record{Key: []byte(key), Value: []byte(value)} }
