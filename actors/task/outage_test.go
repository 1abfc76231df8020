package task_test

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// line is the way to the broker, and can be cut.
type line struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *line) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if down {
		for _, c := range l.conns {
			_ = c.Close()
		}
		l.conns = nil
	}
}

// TestSinkOutage: a broker that is away for a while ends no incarnation. While the
// coordinator keeps the member, nothing that was put comes again, although nothing
// was committed before.
func TestSinkOutage(t *testing.T) {
	for _, tt := range []struct {
		name          string
		instance      string
		session, away time.Duration
		want          []string
	}{
		{"shorter than the session", "w-c-0", 10 * time.Second, 1500 * time.Millisecond, numbersFrom(0, 1200)},
		{"shorter than the session, a dynamic member", "", 10 * time.Second, 1500 * time.Millisecond, numbersFrom(0, 1200)},
		{"longer than the session", "w-c-0", 500 * time.Millisecond, 3 * time.Second, append(numbersFrom(0, 1000), numbersFrom(0, 1200)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "numbers"), kfake.GroupMinSessionTimeout(100*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(k.Close)
			addrs, st, sys := k.ListenAddrs(), &states{}, system(t)
			produce(t, addrs, 0, 1000)
			g, c, l := &taken{}, &calls{}, &line{}
			spec := sinkOf(addrs, st, tt.instance, func() *sink {
				return &sink{calls: c, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
					g.add(recs)
					return nil
				}}
			}, func(p *task.SinkParts) {
				made := p.NewClient
				p.NewClient = func(extra ...kgo.Opt) (*kgo.Client, error) {
					return made(append(extra, kgo.Dialer(l.dial), kgo.SessionTimeout(tt.session))...)
				}
			})
			spec.FlushInterval = time.Hour
			pid := sys.Root.Spawn(task.SinkProps(spec, false))
			eventually(t, "all put", func() bool { return g.len() == 1000 })
			l.set(true)
			produce(t, addrs, 1000, 1200)
			time.Sleep(tt.away) // what is tested is that nothing happens meanwhile
			l.set(false)
			eventually(t, "the rest", func() bool { all := g.all(); return all[len(all)-1] == "1199" })
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
			if got := g.all(); !slices.Equal(got, tt.want) {
				t.Errorf("%d records, want %d", len(got), len(tt.want))
			}
			if n := c.count("Start"); n != 1 || st.count("RESTARTING") != 0 {
				t.Errorf("%d starts, %d restarts", n, st.count("RESTARTING"))
			}
			if o, c := c.count("Open"), c.count("Close"); o != 2 || c != 2 {
				t.Errorf("%d opened, %d closed, want 2 each", o, c)
			}
			if n := committed(t, addrs); n != 1200 {
				t.Errorf("committed %d, want 1200", n)
			}
		})
	}
}

// TestSinkFenced: who takes a static member's place ends the task's incarnation.
func TestSinkFenced(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	var c calls
	spec := sinkOf(addrs, st, "w-c-0", func() *sink { return &sink{calls: &c} }, nil)
	spec.Policy.Initial = time.Hour
	spec.Policy.MaxDelay = time.Hour
	pid := sys.Root.Spawn(task.SinkProps(spec, false))
	eventually(t, "assigned", func() bool { return spec.Metrics.Partitions.Load() == 1 })
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("connect-c"), kgo.InstanceID("w-c-0"), kgo.ConsumeTopics("numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	eventually(t, "RESTARTING", func() bool { return st.last() == "RESTARTING" })
	if c.count("Close") != 1 || c.count("Stop") != 1 {
		t.Error("the plugin was not closed and stopped")
	}
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
}
