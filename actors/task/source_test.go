package task_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// TestRecordCommits: the plugin hears of each record once, with metadata if and
// only if Kafka has it: not of what was filtered, could not be converted, or was
// refused by Kafka.
func TestRecordCommits(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	store := &memory{m: map[string]*data.MapValue{}}
	var mu sync.Mutex
	heard := map[string]bool{}
	offsets := map[int64]bool{}
	spec := sourceOf(addrs, st, store, func() *source {
		return &source{calls: &calls{}, limit: 1000, committed: func(r *data.Record, md *connectors.RecordMetadata) {
			mu.Lock()
			defer mu.Unlock()
			v := r.Value.Str()
			if _, twice := heard[v]; twice {
				t.Errorf("%s twice", v)
			}
			heard[v] = md != nil
			if md != nil {
				if offsets[md.Offset] || md.Topic != "numbers" || md.Offset < 0 {
					t.Errorf("%s has metadata %+v", v, md)
				}
				offsets[md.Offset] = true
			}
		}}
	}, func(p *task.SourceParts) {
		p.Client.Close()
		var err error
		if p.Client, err = kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ProducerBatchMaxBytes(10_000)); err != nil {
			t.Error(err)
		}
		p.Errors.TolerateAll = true
		p.Chain.Steps = []pipeline.Step{{Class: "x", Transform: transform(func(r *data.Record) (bool, error) {
			switch v := r.Value.Str(); {
			case strings.HasSuffix(v, "7"):
				*r = data.Record{}
				return false, nil
			case strings.HasSuffix(v, "8"):
				*r = data.Record{}
				return false, errors.New("told to")
			case strings.HasSuffix(v, "99"):
				r.Value = data.OfString(strings.Repeat("x", 20_000)) // too large for Kafka
			case strings.HasSuffix(v, "6"):
				r.Value = data.OfInt64(1) // no string
			}
			return true, nil
		})}}
	})
	pid := sys.Root.Spawn(task.SourceProps(spec, false))
	eventually(t, "all stored", func() bool { return countOf(store) == 1000 })
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
	mu.Lock()
	defer mu.Unlock()
	if len(heard) != 1000 {
		t.Errorf("heard of %d records", len(heard))
	}
	for v, md := range heard {
		if want := !strings.ContainsAny(v[len(v)-1:], "678") && !strings.HasSuffix(v, "99"); md != want {
			t.Errorf("%s: metadata %v", v, md)
		}
	}
	if n := spec.Metrics.Written.Load(); n != 690 {
		t.Errorf("%d written", n)
	}
}

// TestSourceChunksOfOneArray: a plugin that hands out parts of one long slice keeps
// the rest of it to itself.
func TestSourceChunksOfOneArray(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	store := &memory{m: map[string]*data.MapValue{}}
	spec := sourceOf(addrs, st, store, func() *source { return nil }, func(p *task.SourceParts) { p.Task = &chunks{} })
	spec.Budget = 1 << 13 // a few batches at a time
	pid := sys.Root.Spawn(task.SourceProps(spec, false))
	eventually(t, "all stored", func() bool { return countOf(store) == 5000 })
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
	for i, v := range records(t, addrs, 5000) {
		if v != number(int64(i)) {
			t.Fatalf("record %d is %q", i, v)
		}
	}
}

type chunks struct {
	all []data.Record
	at  int
	tc  connectors.SourceTaskContext
}

func (c *chunks) Start(_ context.Context, tc connectors.SourceTaskContext, _ map[string]string) error {
	part := data.NewStringMap("source", data.OfString("counter"))
	for i := range int64(5000) {
		c.all = append(c.all, data.NewSourceRecord(part, data.LongOffset("n", i+1), "numbers", data.StringSchema, data.OfString(number(i))))
	}
	c.tc = tc
	return nil
}

func (c *chunks) Poll(ctx context.Context) ([]data.Record, error) {
	if c.at == len(c.all) {
		<-ctx.Done()
		return nil, nil
	}
	// What it borrows and does not use must not be taken for what it returns.
	own := c.tc.Batch(100)
	for range 50 {
		own = append(own, data.Record{Topic: "never"})
	}
	_ = own
	c.at += 10
	return c.all[c.at-10 : c.at], nil
}
func (c *chunks) Stop(context.Context) error { return nil }

// refuses is an offset store that fails now and then.
type refuses struct {
	*memory
	n atomic.Int64
}

func (r *refuses) Put(ctx context.Context, offs []task.PartitionOffset) error {
	if r.n.Add(1)%3 != 0 {
		return errors.New("told to")
	}
	return r.memory.Put(ctx, offs)
}

// TestOffsetsThatCouldNotBeStored are stored with the next commit, even if nothing
// was read since.
func TestOffsetsThatCouldNotBeStored(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	store := &refuses{memory: &memory{m: map[string]*data.MapValue{}}}
	spec := sourceOf(addrs, st, nil, func() *source { return &source{calls: &calls{}, limit: 50} }, nil)
	spec.Offsets, spec.FlushInterval = store, 5*time.Millisecond
	pid := sys.Root.Spawn(task.SourceProps(spec, false))
	eventually(t, "all stored", func() bool { return countOf(store.memory) == 50 })
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
}

// TestNoCommitDuringStart: the plugin's Commit waits for its Start, which may take
// longer than the interval of commits.
func TestNoCommitDuringStart(t *testing.T) {
	addrs, st, sys := broker(t), &states{}, system(t)
	plugin, release := &calls{}, make(chan struct{})
	plugin.on = map[string]func(context.Context) error{"Start": func(context.Context) error { <-release; return nil }}
	spec := sourceOf(addrs, st, &memory{m: map[string]*data.MapValue{}}, func() *source { return &source{calls: plugin, limit: 50} }, nil)
	spec.FlushInterval = 5 * time.Millisecond
	pid := sys.Root.Spawn(task.SourceProps(spec, false))
	eventually(t, "started", func() bool { return plugin.count("Start") == 1 })
	seen := spec.Metrics.Commits.Load()
	eventually(t, "commits", func() bool { return spec.Metrics.Commits.Load() >= seen+5 })
	if n := plugin.count("Commit"); n > 0 {
		t.Errorf("%d calls of Commit beside Start", n)
	}
	close(release)
	eventually(t, "Commit", func() bool { return plugin.count("Commit") > 0 })
	sys.Root.Send(pid, task.Stop{})
	eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
}

// TestOffsetsOfAFailedTask: a record that ends the task keeps back its own offset
// and those behind it, and none before it.
func TestOffsetsOfAFailedTask(t *testing.T) {
	for _, stage := range []string{"transform", "converter", "produce"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			addrs, st, sys := broker(t), &states{}, system(t)
			store := &memory{m: map[string]*data.MapValue{}}
			spec := sourceOf(addrs, st, store, func() *source { return &source{calls: &calls{}, limit: 1000} }, func(p *task.SourceParts) {
				p.Chain.Steps = []pipeline.Step{{Class: "x", Transform: transform(func(r *data.Record) (bool, error) {
					if r.Value.Str() == "505" {
						switch stage {
						case "transform":
							return false, errors.New("told to")
						case "converter":
							r.Value = data.OfInt64(1)
						case "produce":
							r.Timestamp = -5
						}
					}
					return true, nil
				})}}
			})
			pid := sys.Root.Spawn(task.SourceProps(spec, false))
			eventually(t, "FAILED", func() bool { return st.last() == "FAILED" })
			if st.count("RESTARTING") != 0 {
				t.Error("restarted, only to meet the record again")
			}
			// Batches are of ten, and those before the one with the record are acknowledged.
			if n := countOf(store); n < 500 || n > 505 {
				t.Errorf("the offset is %d", n)
			}
			sys.Root.Send(pid, task.Stop{})
			eventually(t, "UNASSIGNED", func() bool { return st.last() == "UNASSIGNED" })
		})
	}
}

// TestNoGoroutineOutlivesItsTask counts before and after tasks that run, are
// paused, crash and end.
func TestNoGoroutineOutlivesItsTask(t *testing.T) {
	addrs, sys := broker(t), system(t)
	produce(t, addrs, 0, 100)
	round := func() {
		store := &memory{m: map[string]*data.MapValue{}}
		var once sync.Once
		flaky := func(context.Context) (err error) {
			once.Do(func() { err = errors.New("told to") })
			return err
		}
		stA, stB := &states{}, &states{}
		a := sourceOf(addrs, stA, store, func() *source {
			s := &source{calls: &calls{}, limit: 500}
			s.on = map[string]func(context.Context) error{"Poll": flaky, "CommitRecord": func(context.Context) error {
				if s.next == 500 {
					s.tc.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
				}
				return nil
			}}
			return s
		}, nil)
		b := sinkOf(addrs, stB, "w-c-0", func() *sink {
			return &sink{calls: &calls{on: map[string]func(context.Context) error{"Put": flaky}}}
		}, deadLetters(t, addrs, stB))
		a.Policy.Initial, b.Policy.Initial = time.Millisecond, time.Millisecond
		pa, pb := sys.Root.Spawn(task.SourceProps(a, false)), sys.Root.Spawn(task.SinkProps(b, false))
		ga, gb := watch(t, sys, pa), watch(t, sys, pb)
		eventually(t, "work", func() bool { return countOf(store) == 500 && b.Metrics.Sent.Load() >= 100 })
		sys.Root.Send(pa, task.SetPaused{Paused: true})
		sys.Root.Send(pb, task.SetPaused{Paused: true})
		eventually(t, "PAUSED", func() bool { return stB.last() == "PAUSED" })
		sys.Root.Send(pb, task.SetPaused{Paused: false})
		eventually(t, "RUNNING", func() bool { return stB.last() == "RUNNING" })
		sys.Root.Send(pa, task.Stop{Final: true})
		sys.Root.Send(pb, task.Stop{Final: true})
		eventually(t, "gone", func() bool { return ga() && gb() })
	}
	round() // what the broker and the runtime start once
	eventually(t, "quiet", func() bool {
		n := runtime.NumGoroutine()
		time.Sleep(50 * time.Millisecond)
		return runtime.NumGoroutine() == n
	})
	before := runtime.NumGoroutine()
	for range 3 {
		round()
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}
