package task_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
)

// lingering notes that a connection is to be dropped with what is on its way.
type lingering struct {
	*net.TCPConn
	dropped *atomic.Int64
}

func (c lingering) SetLinger(sec int) error {
	if sec == 0 {
		c.dropped.Add(1)
	}
	return c.TCPConn.SetLinger(sec)
}

// TestSourceDropsWhatIsOnItsWay: out of the lease the producer's connections are reset,
// so that nothing of it arrives later. At an orderly end, with all acknowledged, they
// are closed as usual: without acknowledgements (acks=0) what was written is to arrive.
func TestSourceDropsWhatIsOnItsWay(t *testing.T) {
	for _, row := range []struct {
		name  string
		end   func(lease *atomic.Bool, stop func())
		drops bool
	}{
		{"out of the lease", func(lease *atomic.Bool, _ func()) { lease.Store(false) }, true},
		{"stopped", func(_ *atomic.Bool, stop func()) { stop() }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			addrs, store, st := broker(t), &memory{m: map[string]*data.MapValue{}}, &states{}
			var starts, stops, dropped atomic.Int64
			var lease atomic.Bool
			lease.Store(true)
			spec := sourceSpec(addrs, st, store, func() *counter { return &counter{limit: 1000, batch: 10, starts: &starts, stops: &stops} })
			spec.Allowed = lease.Load
			build := spec.Build
			spec.Build = func(ctx context.Context) (*task.SourceParts, error) {
				p, err := build(ctx)
				if err != nil {
					return nil, err
				}
				p.Client.Close()
				p.Line = &kafkaclient.Line{}
				p.Client, err = kgo.NewClient(kgo.SeedBrokers(addrs...), p.Line.Opt(), kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
					if err != nil {
						return nil, err
					}
					return lingering{conn.(*net.TCPConn), &dropped}, nil
				}))
				return p, err
			}
			sys := system(t)
			pid := sys.Root.Spawn(task.SourceProps(spec, false))
			gone := watch(t, sys, pid)
			eventually(t, "all acknowledged", func() bool { return spec.Metrics.Written.Load()+spec.Metrics.Filtered.Load() >= 1000 })
			if n := dropped.Load(); n > 0 {
				t.Errorf("%d connections were dropped before", n)
			}
			row.end(&lease, func() { sys.Root.Send(pid, task.Stop{}) })
			eventually(t, "the end", gone)
			if n := dropped.Load(); n > 0 != row.drops {
				t.Errorf("%d connections were dropped", n)
			}
		})
	}
}
