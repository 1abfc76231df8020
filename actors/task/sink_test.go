package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

var numbers0 = connectors.TopicPartition{Topic: "numbers", Partition: 0}

// taken collects what a sink took.
type taken struct {
	mu   sync.Mutex
	recs []string
}

func (g *taken) add(recs []data.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range recs {
		g.recs = append(g.recs, recs[i].Value.Str())
	}
}

func (g *taken) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.recs)
}

func (g *taken) len() int { return len(g.all()) }

func numbersFrom(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func brokerOf(t *testing.T, partitions int32) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "numbers", "dlq"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// TestSinkRewinds: offsets that the plugin asks for are where it is put on from,
// whenever it asks and whether there is a record at that offset or not.
func TestSinkRewinds(t *testing.T) {
	type asked struct{ once sync.Once }
	for _, tt := range []struct {
		name  string
		early bool // records are there before the task is
		plug  func(g *taken) *sink
		want  []string
	}{
		{"in open, a new group", true, func(g *taken) *sink {
			return &sink{calls: &calls{}, open: func(tc connectors.SinkTaskContext, _ []connectors.TopicPartition) {
				tc.Offset(map[connectors.TopicPartition]int64{numbers0: 700})
			}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
				g.add(recs)
				return nil
			}}
		}, numbersFrom(700, 1000)},
		{"in open, records come later", false, func(g *taken) *sink {
			return &sink{calls: &calls{}, open: func(tc connectors.SinkTaskContext, _ []connectors.TopicPartition) {
				tc.Offset(map[connectors.TopicPartition]int64{numbers0: 700})
			}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
				g.add(recs)
				return nil
			}}
		}, numbersFrom(700, 1000)},
		{"in put, back", true, func(g *taken) *sink {
			var a asked
			return &sink{calls: &calls{}, put: func(_ context.Context, tc connectors.SinkTaskContext, recs []data.Record) error {
				g.add(recs)
				if g.len() == 1000 {
					a.once.Do(func() { tc.Offset(map[connectors.TopicPartition]int64{numbers0: 990}) })
				}
				return nil
			}}
		}, append(numbersFrom(0, 1000), numbersFrom(990, 1000)...)},
		{"in put, which fails", true, func(g *taken) *sink {
			var a asked
			return &sink{calls: &calls{}, put: func(_ context.Context, tc connectors.SinkTaskContext, recs []data.Record) (err error) {
				if len(recs) == 0 { // what was left of the batch when it is put again
					return nil
				}
				if recs[len(recs)-1].Value.Str() == "999" {
					a.once.Do(func() {
						tc.Timeout(time.Millisecond)
						tc.Offset(map[connectors.TopicPartition]int64{numbers0: 500})
						err = connectors.Retriable(errors.New("back to 500"))
					})
				}
				if err == nil {
					g.add(recs)
				}
				return err
			}}
		}, nil},
		{"on", true, func(g *taken) *sink {
			var a asked
			return &sink{calls: &calls{}, put: func(_ context.Context, tc connectors.SinkTaskContext, recs []data.Record) error {
				a.once.Do(func() { tc.Offset(map[connectors.TopicPartition]int64{numbers0: 995}) })
				if recs[0].Value.Str() != "0" {
					g.add(recs)
				}
				return nil
			}}
		}, numbersFrom(995, 1000)},
		{"in preCommit", true, func(g *taken) *sink {
			var a asked
			s := &sink{calls: &calls{}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
				g.add(recs)
				return nil
			}}
			s.safe = func(offs map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 {
				if offs[numbers0] == 1000 {
					a.once.Do(func() { s.tc.Offset(map[connectors.TopicPartition]int64{numbers0: 990}) })
				}
				return offs
			}
			return s
		}, append(numbersFrom(0, 1000), numbersFrom(990, 1000)...)},
		{"preCommit fails", true, func(g *taken) *sink {
			s := &sink{calls: &calls{}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
				g.add(recs)
				return nil
			}}
			var n atomic.Int64
			s.on = map[string]func(context.Context) error{"PreCommit": func(context.Context) error {
				if g.len() == 1000 && n.Add(1) == 1 {
					return errors.New("told to")
				}
				return nil
			}}
			return s
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addrs, st, sys := broker(t), &states{}, system(t)
			if tt.early {
				produce(t, addrs, 0, 1000)
			}
			g := &taken{}
			spec := sinkOf(addrs, st, "w-c-0", func() *sink { return tt.plug(g) }, func(p *task.SinkParts) { p.MaxPoll = 100 })
			pid := sys.Root.Spawn(task.SinkProps(spec, false))
			if !tt.early {
				eventually(t, "assigned", func() bool { return spec.Metrics.Partitions.Load() == 1 })
				produce(t, addrs, 0, 1000)
			}
			eventually(t, "all committed", func() bool {
				return committed(t, addrs) == 1000 && g.len() >= len(tt.want) && len(g.all()) > 0 && g.all()[g.len()-1] == "999"
			})
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
			if tt.want != nil {
				if got := g.all(); !slices.Equal(got, tt.want) {
					t.Errorf("%d records from %s on; want %d", len(got), got[0], len(tt.want))
				}
				return
			}
			seen := map[string]bool{}
			for _, s := range g.all() {
				seen[s] = true
			}
			if len(seen) != 1000 {
				t.Errorf("%d different records", len(seen))
			}
		})
	}
}

// TestSinkRewindsToAGap: the offset that is asked for holds no record (the end of
// a transaction, or compacted away): reading goes on at the next one.
func TestSinkRewindsToAGap(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, from := range []int{0, 5} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(from+i)), nil)
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	g := &taken{}
	var once sync.Once
	pid := sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "", func() *sink {
		return &sink{calls: &calls{}, put: func(_ context.Context, tc connectors.SinkTaskContext, recs []data.Record) error {
			g.add(recs)
			if g.len() == 10 {
				once.Do(func() { tc.Offset(map[connectors.TopicPartition]int64{numbers0: 5}) }) // 5 is the marker
			}
			return nil
		}}
	}, nil), false))
	want := append(numbersFrom(0, 10), numbersFrom(5, 10)...)
	eventually(t, "the second transaction again", func() bool { return g.len() >= len(want) })
	eventually(t, "committed", func() bool { return committed(t, addrs) >= 11 })
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
	if got := g.all(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSinkLeftBehindPutsNoMore: a put that returns after its task was given up is
// the last.
func TestSinkLeftBehindPutsNoMore(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	produce(t, addrs, 0, 1000)
	on := make(chan struct{})
	c := &calls{}
	spec := sinkOf(addrs, st, "w-c-0", func() *sink {
		return &sink{calls: c, put: func(context.Context, connectors.SinkTaskContext, []data.Record) error { <-on; return nil }}
	}, func(p *task.SinkParts) { p.MaxPoll = 10 })
	spec.Grace = 100 * time.Millisecond
	pid := sys.Root.Spawn(task.SinkProps(spec, false))
	eventually(t, "more than one batch", func() bool { return c.count("Put") == 1 && spec.Metrics.Read.Load() > 100 })
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
	close(on)
	eventually(t, "Stop", func() bool { return c.count("Stop") == 1 })
	if n := c.count("Put"); n != 1 {
		t.Errorf("%d puts", n)
	}
	if n := c.count("PreCommit"); n != 0 {
		t.Errorf("%d preCommits of a task that was given up", n)
	}
	if n := committed(t, addrs); n > 0 {
		t.Errorf("committed %d", n)
	}
}

// produceEach puts records that name their partition and number into each partition.
func produceEach(t *testing.T, addrs []string, partitions int32, from, to int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic("numbers"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := from; i < to; i++ {
		for p := range partitions {
			cl.Produce(t.Context(), &kgo.Record{Partition: p, Value: fmt.Appendf(nil, "%d:%d", p, i)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func offsetsOf(t *testing.T, addrs []string) map[int32]int64 {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offs, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "connect-c")
	out := map[int32]int64{}
	if err == nil {
		offs.Each(func(o kadm.OffsetResponse) { out[o.Partition] = o.At })
	}
	return out
}

// TestSinkGivesPartitionsUpWhileItRetries: a task whose put fails for the time being
// does not hold up the group, commits what it has put, closes what it gives up, and
// does not put that again.
func TestSinkGivesPartitionsUpWhileItRetries(t *testing.T) {
	const parts, each = 4, 50
	addrs, sys := brokerOf(t, parts), system(t)
	produceEach(t, addrs, parts, 0, each)
	var fail atomic.Bool
	a, b := &taken{}, &taken{}
	ca, cb := &calls{}, &calls{}
	var closed atomic.Int64
	var stA, stB states
	specA := sinkOf(addrs, &stA, "a", func() *sink {
		return &sink{calls: ca, put: func(_ context.Context, tc connectors.SinkTaskContext, recs []data.Record) error {
			if fail.Load() {
				tc.Timeout(time.Hour)
				return connectors.Retriable(errors.New("busy"))
			}
			a.add(recs)
			return nil
		}, shut: func(p []connectors.TopicPartition) { closed.Add(int64(len(p))) }}
	}, nil)
	specA.Grace = 30 * time.Second // much longer than the test may take
	pidA := sys.Root.Spawn(task.SinkProps(specA, false))
	eventually(t, "all put", func() bool { return a.len() == parts*each })
	fail.Store(true)
	produceEach(t, addrs, parts, each, 2*each)
	eventually(t, "a put that fails", func() bool { return ca.count("Put") > 0 && specA.Metrics.Read.Load() == parts*2*each })
	specB := sinkOf(addrs, &stB, "b", func() *sink {
		return &sink{calls: cb, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
			b.add(recs)
			return nil
		}}
	}, nil)
	pidB := sys.Root.Spawn(task.SinkProps(specB, false))
	eventually(t, "B has its share", func() bool {
		return specB.Metrics.Partitions.Load() > 0 && b.len() >= int(specB.Metrics.Partitions.Load())*each
	})
	if n := closed.Load(); n != specB.Metrics.Partitions.Load() {
		t.Errorf("A closed %d partitions, B has %d", n, specB.Metrics.Partitions.Load())
	}
	for _, s := range b.all() {
		if _, n, _ := strings.Cut(s, ":"); len(n) == 1 || n < fmt.Sprint(each) {
			t.Errorf("B was given %s, which A had put and was to commit", s)
			break
		}
	}
	sys.Root.Send(pidA, task.Stop{})
	sys.Root.Send(pidB, task.Stop{})
	eventually(t, "stopped", func() bool { return stA.last() == "UNASSIGNED" && stB.last() == "UNASSIGNED" })
}

// TestSinkStuckWhilePartitionsMove: a put that hangs over a rebalance must not, when
// it returns, be followed by records of partitions that moved, and nothing that
// nobody has put is committed.
func TestSinkStuckWhilePartitionsMove(t *testing.T) {
	const parts, each = 2, 200
	addrs, sys := brokerOf(t, parts), system(t)
	produceEach(t, addrs, parts, 0, each)
	a, b := &taken{}, &taken{}
	on := make(chan struct{})
	var stA, stB states
	var first sync.Once
	specA := sinkOf(addrs, &stA, "", func() *sink {
		return &sink{calls: &calls{}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
			stuck := false
			first.Do(func() { stuck = true })
			if stuck {
				<-on
				return connectors.Retriable(errors.New("was stuck"))
			}
			a.add(recs)
			return nil
		}}
	}, func(p *task.SinkParts) { p.MaxPoll = 10 })
	specA.Grace = 100 * time.Millisecond
	pidA := sys.Root.Spawn(task.SinkProps(specA, false))
	eventually(t, "all read", func() bool { return specA.Metrics.Read.Load() == parts*each })
	specB := sinkOf(addrs, &stB, "", func() *sink {
		return &sink{calls: &calls{}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
			b.add(recs)
			return nil
		}}
	}, nil)
	pidB := sys.Root.Spawn(task.SinkProps(specB, false))
	eventually(t, "B has put its partition", func() bool { return b.len() == each })
	moved, _, _ := strings.Cut(b.all()[0], ":")
	close(on)
	eventually(t, "A has put its own", func() bool { return a.len() >= each })
	eventually(t, "all committed", func() bool { o := offsetsOf(t, addrs); return o[0] == each && o[1] == each })
	for _, s := range a.all() {
		if p, _, _ := strings.Cut(s, ":"); p == moved {
			t.Errorf("A put %s, which had moved to B", s)
			break
		}
	}
	sys.Root.Send(pidA, task.Stop{})
	sys.Root.Send(pidB, task.Stop{})
	eventually(t, "stopped", func() bool { return stA.last() == "UNASSIGNED" && stB.last() == "UNASSIGNED" })
}

// TestSinkOpensAndClosesDeltas: with two tasks in a group each is told what comes
// and what goes, no partition is open twice, and all records are put.
func TestSinkOpensAndClosesDeltas(t *testing.T) {
	const parts, each = 6, 100
	addrs, sys := brokerOf(t, parts), system(t)
	var mu sync.Mutex
	open := map[connectors.TopicPartition]string{}
	g := &taken{}
	plug := func(name string) func() *sink {
		return func() *sink {
			return &sink{calls: &calls{},
				open: func(tc connectors.SinkTaskContext, ps []connectors.TopicPartition) {
					mu.Lock()
					defer mu.Unlock()
					for _, p := range ps {
						if who := open[p]; who != "" {
							t.Errorf("%s opens %s, which %s has open", name, p, who)
						}
						open[p] = name
						if !slices.Contains(tc.Assignment(), p) {
							t.Errorf("%s is not in the assignment when it is opened", p)
						}
					}
				},
				shut: func(ps []connectors.TopicPartition) {
					mu.Lock()
					defer mu.Unlock()
					for _, p := range ps {
						if who := open[p]; who != name {
							t.Errorf("%s closes %s, which %q has open", name, p, who)
						}
						delete(open, p)
					}
				},
				put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
					mu.Lock()
					defer mu.Unlock()
					for i := range recs {
						if who := open[connectors.TopicPartition{Topic: "numbers", Partition: recs[i].OriginalPartition}]; who != name {
							t.Errorf("%s is given a record of a partition that %q has open", name, who)
						}
					}
					g.add(recs)
					return nil
				}}
		}
	}
	var stA, stB states
	specA, specB := sinkOf(addrs, &stA, "a", plug("A"), nil), sinkOf(addrs, &stB, "b", plug("B"), nil)
	pidA := sys.Root.Spawn(task.SinkProps(specA, false))
	produceEach(t, addrs, parts, 0, each)
	eventually(t, "A has all", func() bool { return specA.Metrics.Partitions.Load() == parts })
	pidB := sys.Root.Spawn(task.SinkProps(specB, false))
	produceEach(t, addrs, parts, each, 2*each)
	eventually(t, "halves", func() bool {
		return specA.Metrics.Partitions.Load() == parts/2 && specB.Metrics.Partitions.Load() == parts/2
	})
	produceEach(t, addrs, parts, 2*each, 3*each)
	eventually(t, "all put", func() bool { return g.len() >= 3*parts*each })
	sys.Root.Send(pidA, task.Stop{Final: true})
	eventually(t, "A gone", func() bool { return stA.last() == "UNASSIGNED" })
	eventually(t, "B has all", func() bool { return specB.Metrics.Partitions.Load() == parts })
	produceEach(t, addrs, parts, 3*each, 4*each)
	eventually(t, "all put", func() bool { return g.len() >= 4*parts*each })
	sys.Root.Send(pidB, task.Stop{Final: true})
	eventually(t, "B gone", func() bool { return stB.last() == "UNASSIGNED" })
	seen := map[string]bool{}
	for _, s := range g.all() {
		if seen[s] {
			t.Errorf("%s was put twice", s)
		}
		seen[s] = true
	}
	if len(seen) != 4*parts*each || len(open) != 0 {
		t.Errorf("%d records, %d partitions left open", len(seen), len(open))
	}
}

// TestSinkMembership: a static member that moves keeps its place, and one that ends
// gives it up. It says which member it was, so that a broker tells it from a
// successor under the same instance id; the test's own broker does not.
func TestSinkMembership(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var left atomic.Value
	cluster.ControlKey(int16(kmsg.LeaveGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, m := range r.(*kmsg.LeaveGroupRequest).Members {
			left.Store(m.MemberID)
		}
		return nil, nil, false
	})
	addrs, sys := cluster.ListenAddrs(), system(t)
	produce(t, addrs, 0, 10)
	members := func() int {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		gs, err := kadm.NewClient(cl).DescribeGroups(t.Context(), "connect-c")
		if err != nil {
			t.Fatal(err)
		}
		return len(gs["connect-c"].Members)
	}
	plug := func() *sink { return &sink{calls: &calls{}} }
	for _, tt := range []struct {
		final bool
		want  int
	}{{false, 1}, {true, 0}} {
		st := &states{}
		spec := sinkOf(addrs, st, "w-c-0", plug, nil)
		pid := sys.Root.Spawn(task.SinkProps(spec, false))
		eventually(t, "joined", func() bool { return spec.Metrics.Partitions.Load() == 1 })
		sys.Root.Send(pid, task.Stop{Final: tt.final})
		eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
		if n := members(); n != tt.want {
			t.Errorf("final %v: %d members, want %d", tt.final, n, tt.want)
		}
	}
	if id, _ := left.Load().(string); id == "" {
		t.Error("the member left by its instance id alone, which would throw out a successor")
	}
}

// TestSinkPreCommit: only offsets that were asked about and are not past what was
// put are committed, whatever the plugin does with its map.
func TestSinkPreCommit(t *testing.T) {
	other := connectors.TopicPartition{Topic: "other", Partition: 3}
	for _, tt := range []struct {
		name string
		safe func(map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64
		want int64
	}{
		{"all", func(m map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 { return m }, 100},
		{"less", func(m map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 {
			m[numbers0] = 40
			return m
		}, 40},
		{"more", func(m map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 {
			m[numbers0] += 50
			return m
		}, -1},
		{"none", func(map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 { return nil }, -1},
		{"another's", func(m map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 {
			m[other] = 1
			return m
		}, 100},
		{"emptied", func(m map[connectors.TopicPartition]int64) map[connectors.TopicPartition]int64 {
			clear(m)
			return nil
		}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addrs, st, sys := broker(t), &states{}, system(t)
			produce(t, addrs, 0, 100)
			g, c := &taken{}, &calls{}
			pid := sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "w-c-0", func() *sink {
				return &sink{calls: c, safe: tt.safe, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
					g.add(recs)
					return nil
				}}
			}, nil), false))
			eventually(t, "all put", func() bool { return g.len() == 100 })
			n := c.count("PreCommit")
			eventually(t, "asked", func() bool { return c.count("PreCommit") > n+1 })
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
			if got := committed(t, addrs); got != tt.want && !(tt.want < 0 && got <= 0) {
				t.Errorf("committed %d, want %d", got, tt.want)
			}
		})
	}
}

// deadLetters gives a sink a dead letter queue.
func deadLetters(t *testing.T, addrs []string, st *states) func(p *task.SinkParts) {
	return func(p *task.SinkParts) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
		if err != nil {
			t.Error(err)
			return
		}
		p.DLQ = &task.DLQ{Client: cl, Topic: "dlq", Context: true, Task: connectors.TaskID{Connector: "c"}, Log: common(st).Log, Counters: p.Errors.Counters}
		p.Errors.Reporters = append(p.Errors.Reporters, p.DLQ)
		p.Errant = converters(p.Errors)
	}
}

func letters(t *testing.T, addrs []string, want int) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("dlq"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(out) < want && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { out = append(out, r) })
	}
	if len(out) != want {
		t.Fatalf("%d dead letters, want %d", len(out), want)
	}
	return out
}

// TestDeadLetterHeaders holds the headers, their order, and that those of the
// record stay.
func TestDeadLetterHeaders(t *testing.T) {
	addrs, st, sys := brokerOf(t, 1), &states{}, system(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	in := &kgo.Record{Topic: "numbers", Key: []byte("k"), Value: []byte("poison"), Timestamp: time.UnixMilli(1234),
		Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "__connect.errors.topic", Value: []byte("before")}}}
	if err := cl.ProduceSync(t.Context(), in).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// With tolerance none the letter is written before the task fails.
	pid := sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "", func() *sink { return &sink{calls: &calls{}} }, deadLetters(t, addrs, st)), false))
	eventually(t, "FAILED", func() bool { return st.last() == "FAILED" })
	got := letters(t, addrs, 1)[0]
	if string(got.Key) != "k" || string(got.Value) != "poison" || got.Timestamp.UnixMilli() != 1234 {
		t.Errorf("letter %s=%s at %s", got.Key, got.Value, got.Timestamp)
	}
	var keys []string
	head := map[string]string{}
	for _, h := range got.Headers {
		keys = append(keys, strings.TrimPrefix(h.Key, "__connect.errors."))
		head[h.Key] = string(h.Value)
	}
	if want := "h topic topic partition offset connector.name task.id stage class.name exception.class.name exception.message exception.stacktrace"; strings.Join(keys, " ") != want {
		t.Errorf("headers %v", keys)
	}
	for k, want := range map[string]string{"topic": "numbers", "partition": "0", "offset": "0", "connector.name": "c", "task.id": "0", "stage": "VALUE_CONVERTER", "class.name": "text",
		"exception.class.name": "org.apache.kafka.connect.errors.DataException", "exception.message": "poison"} {
		if head["__connect.errors."+k] != want {
			t.Errorf("%s is %q, want %q", k, head["__connect.errors."+k], want)
		}
	}
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
}

// TestErrantRecords: reports from any goroutine carry the consumed bytes; with
// tolerance none the task fails at once, whatever the plugin makes of the error.
func TestErrantRecords(t *testing.T) {
	for _, tt := range []struct {
		name  string
		all   bool
		cause error
		want  string
	}{
		{"all", true, errors.New("no place for it"), "RUNNING"},
		{"none", false, errors.New("no place for it"), "FAILED"},
		{"none, retriable", false, connectors.Retriable(errors.New("busy")), "FAILED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addrs, st, sys := brokerOf(t, 1), &states{}, system(t)
			produce(t, addrs, 0, 100)
			g := &taken{}
			dlq := deadLetters(t, addrs, st)
			pid := sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "", func() *sink {
				return &sink{calls: &calls{}, put: func(ctx context.Context, tc connectors.SinkTaskContext, recs []data.Record) error {
					rep := tc.ErrantRecords()
					var wg sync.WaitGroup
					for i := range recs {
						if strings.HasSuffix(recs[i].Value.Str(), "7") {
							r := recs[i]
							wg.Go(func() {
								r.Value = data.OfString("changed")
								if err := rep.Report(ctx, &r, tt.cause); (err == nil) != tt.all {
									t.Errorf("the report's error: %v", err)
								}
							})
						}
					}
					wg.Wait()
					g.add(recs)
					return nil // it swallows the error
				}}
			}, func(p *task.SinkParts) { p.Errors.TolerateAll = tt.all; dlq(p) }), false))
			eventually(t, tt.want, func() bool { return st.last() == tt.want && g.len() > 0 })
			if tt.all {
				eventually(t, "committed", func() bool { return committed(t, addrs) == 100 })
			}
			for _, l := range letters(t, addrs, 10) {
				if !strings.HasSuffix(string(l.Value), "7") {
					t.Errorf("letter %s", l.Value)
				}
			}
			if !tt.all && (committed(t, addrs) > 0 || st.count("RESTARTING") > 0) {
				t.Errorf("committed %d, restarted %d times", committed(t, addrs), st.count("RESTARTING"))
			}
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
		})
	}
}

// TestSinkPauses: a task that is paused before it starts is not started, and one
// that is paused later takes nothing more; a plugin's own pause stops a partition.
func TestSinkPauses(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	produce(t, addrs, 0, 10)
	g, c := &taken{}, &calls{}
	var pause atomic.Bool
	pid := sys.Root.Spawn(task.SinkProps(sinkOf(addrs, st, "w-c-0", func() *sink {
		return &sink{calls: c, put: func(_ context.Context, tc connectors.SinkTaskContext, recs []data.Record) error {
			g.add(recs)
			if pause.Load() {
				if err := tc.Pause(numbers0); err != nil {
					t.Error(err)
				}
			}
			if err := tc.Pause(connectors.TopicPartition{Topic: "numbers", Partition: 9}); err == nil {
				t.Error("paused a partition of somebody else's")
			}
			return nil
		}}
	}, nil), true))
	eventually(t, "PAUSED", func() bool { return st.last() == "PAUSED" })
	if c.count("Start") != 0 {
		t.Error("started while paused")
	}
	sys.Root.Send(pid, task.Restart{})
	eventually(t, "PAUSED again", func() bool { return st.count("PAUSED") == 2 })
	if c.count("Start") != 0 || st.count("RUNNING") != 0 {
		t.Error("a restart began a paused task")
	}
	sys.Root.Send(pid, task.SetPaused{Paused: false})
	eventually(t, "RUNNING", func() bool { return st.last() == "RUNNING" && g.len() == 10 })
	sys.Root.Send(pid, task.SetPaused{Paused: true})
	eventually(t, "PAUSED", func() bool { return st.last() == "PAUSED" })
	produce(t, addrs, 10, 20)
	n := c.count("PreCommit")
	eventually(t, "committed while paused", func() bool { return c.count("PreCommit") > n })
	if g.len() != 10 {
		t.Error("put while paused")
	}
	pause.Store(true)
	sys.Root.Send(pid, task.SetPaused{Paused: false})
	eventually(t, "RUNNING", func() bool { return st.last() == "RUNNING" && g.len() == 20 })
	produce(t, addrs, 20, 30)
	n = c.count("PreCommit")
	eventually(t, "some time", func() bool { return c.count("PreCommit") > n+3 })
	if g.len() != 20 {
		t.Errorf("%d records, though the plugin paused the partition", g.len())
	}
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
}

// TestSinkFailsWhileItStops: a stage that fails when the task drains holds up
// neither the end nor the commit of what was put.
func TestSinkFailsWhileItStops(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	produce(t, addrs, 0, 10)
	g := &taken{}
	on := make(chan struct{})
	spec := sinkOf(addrs, st, "", func() *sink {
		return &sink{calls: &calls{}, put: func(_ context.Context, _ connectors.SinkTaskContext, recs []data.Record) error {
			g.add(recs)
			return nil
		}}
	}, func(p *task.SinkParts) {
		p.Chain.Steps = []pipeline.Step{{Class: "x", Transform: transform(func(r *data.Record) (bool, error) {
			if r.Value.Str() == "10" {
				<-on
				return false, errors.New("told to")
			}
			return true, nil
		})}}
	})
	spec.Grace, spec.FlushInterval = 20*time.Second, time.Hour
	pid := sys.Root.Spawn(task.SinkProps(spec, false))
	eventually(t, "ten put", func() bool { return g.len() == 10 })
	produce(t, addrs, 10, 20)
	eventually(t, "read", func() bool { return spec.Metrics.Read.Load() == 20 })
	sys.Root.Send(pid, task.Stop{})
	time.AfterFunc(50*time.Millisecond, func() { close(on) })
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
	if n := committed(t, addrs); n != 10 {
		t.Errorf("committed %d, want 10", n)
	}
}
