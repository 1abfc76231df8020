package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// puts is a sink by function.
type puts func(recs []data.Record) error

func (p puts) Start(context.Context, connectors.SinkTaskContext, map[string]string) error { return nil }
func (p puts) Put(_ context.Context, recs []data.Record) error                            { return p(recs) }
func (p puts) Stop(context.Context) error                                                 { return nil }

// TestPutAgainstModel drives a sink's put loop by hand, in any order of polls, puts,
// rewinds, commits and partitions that come and go in time, late or not at all.
// Nothing may be committed past a record that no put has taken, nothing may be put
// or committed for a partition that has gone, and in the end all that was read is
// committed.
func TestPutAgainstModel(t *testing.T) {
	const parts = 2
	tpOf := func(p int) connectors.TopicPartition {
		return connectors.TopicPartition{Topic: "t", Partition: int32(p)}
	}
	rapid.Check(t, func(t *rapid.T) {
		spec := SinkSpec{Common: Common{Log: slog.New(slog.DiscardHandler), Metrics: &Metrics{}, Budget: 1 << 30, Grace: time.Second, CallTimeout: time.Second, FlushTimeout: time.Second}}
		r := newSinkRun(spec, 1, new(atomic.Bool), func(e event) {
			if e.kind == evFailed {
				t.Errorf("failed: %v", e.err)
			}
		})
		defer r.cancel()
		type partition struct {
			stay      int64 // 0: not ours
			committed int64
			pos       int64          // of the consumer
			put       map[int64]bool // taken by somebody
			high      int64          // one past the highest that was put
		}
		var model [parts]*partition
		for p := range parts {
			model[p] = &partition{put: map[int64]bool{}}
		}
		var queue []putMsg
		goneNow := func(p int) {
			r.put.gone([]connectors.TopicPartition{tpOf(p)})
			model[p].stay = 0
		}
		// somebodyElse owns a partition for a while and puts so many records.
		somebodyElse := func(p, n int) {
			m := model[p]
			for range n {
				m.put[m.committed] = true
				m.committed++
			}
			m.high = max(m.high, m.committed)
		}
		revoke := func(p, others int, how string) (err error) {
			b := &barrier{kind: revoked, parts: []connectors.TopicPartition{tpOf(p)}, done: make(chan struct{})}
			queue = append(queue, putMsg{barrier: b})
			if how == "at once" {
				err = r.atOnce(b)
			}
			goneNow(p)
			somebodyElse(p, others)
			return err
		}
		// The plugin's calls are recovered, so what is to be drawn is drawn before and
		// what is wrong is told afterwards.
		type attempt struct {
			lose, others, rewind int // lose, rewind: a partition, or too high for any
			to                   int64
			busy                 bool
		}
		var plan []attempt
		draw := func(t *rapid.T) {
			plan = nil
			for range 3 {
				plan = append(plan, attempt{lose: rapid.IntRange(0, 4*parts).Draw(t, "lose"), others: rapid.IntRange(0, 5).Draw(t, "others"),
					rewind: rapid.IntRange(0, 4*parts).Draw(t, "rewind"), to: rapid.Int64Range(0, 1000).Draw(t, "to"), busy: rapid.IntRange(0, 3).Draw(t, "busy") == 0})
			}
		}
		wrong := ""
		fault := func(format string, args ...any) {
			if wrong == "" {
				wrong = fmt.Sprintf(format, args...)
			}
		}
		check := func(t *rapid.T, err error) {
			if wrong != "" {
				t.Fatal(wrong)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.parts.Store(&SinkParts{Task: puts(func(recs []data.Record) error {
			if len(recs) == 0 {
				return nil
			}
			for i := range recs {
				p := recs[i].Partition
				if m := model[p]; m.stay == 0 || m.stay != recs[i].Timestamp {
					fault("put %d@%d of stay %d, the present one is %d", p, recs[i].Offset, recs[i].Timestamp, m.stay)
				}
			}
			if len(plan) > 0 {
				a := plan[0]
				plan = plan[1:]
				if a.lose < parts && model[a.lose].stay != 0 {
					_ = revoke(a.lose, a.others, "late")
				}
				sc := sinkContext{r.plugin, r}
				if a.rewind < parts {
					sc.Offset(map[connectors.TopicPartition]int64{tpOf(a.rewind): a.to % (model[a.rewind].high + 1)})
				}
				if a.busy {
					sc.Timeout(1)
					return connectors.Retriable(errors.New("busy"))
				}
			}
			for i := range recs {
				m := model[recs[i].Partition]
				m.put[recs[i].Offset] = true
				m.high = max(m.high, recs[i].Offset+1)
			}
			return nil
		})})
		r.send = func(_ context.Context, offsets map[string]map[int32]kgo.EpochOffset) error {
			for p, eo := range offsets["t"] {
				m := model[p]
				if m.stay == 0 {
					fault("commit of %d@%d, which has gone", p, eo.Offset)
				}
				for x := range eo.Offset {
					if !m.put[x] {
						fault("commit of %d@%d, but nobody has put %d", p, eo.Offset, x)
					}
				}
				m.committed = eo.Offset
			}
			return nil
		}
		move := func() {
			r.put.mu.Lock()
			defer r.put.mu.Unlock()
			for tp, k := range r.put.seeks {
				if r.put.owned[tp] == k.stay {
					model[tp.Partition].pos, r.gens[tp] = k.offset, k.gen
				}
				delete(r.put.seeks, tp)
			}
		}
		poll := func(most int) {
			b := r.pool.get()
			e := &sinkEntry{}
			for p := range parts {
				m := model[p]
				if m.stay == 0 || m.pos >= m.high+20 {
					continue
				}
				first := m.pos
				for range most {
					b.Raw = append(b.Raw, rawAt(p, m.pos))
					b.Records = append(b.Records, data.Record{Topic: "t", Partition: int32(p), Offset: m.pos, Timestamp: m.stay})
					m.pos++
				}
				e.ends = append(e.ends, partEnd{tp: tpOf(p), first: first, next: m.pos, epoch: 1, gen: r.gens[tpOf(p)]})
			}
			if len(b.Records) == 0 {
				return
			}
			b.Reset(len(b.Records))
			b.Entry = e
			queue = append(queue, putMsg{batch: b})
		}
		step := func(t *rapid.T) {
			m := queue[0]
			queue = queue[1:]
			var err error
			if m.barrier != nil {
				err = r.atBarrier(m.barrier)
			} else {
				err = r.putBatch(m.batch)
			}
			check(t, err)
		}
		tick := func(t *rapid.T) {
			r.rewind()
			r.commit(nil, false)
			r.put.pending.Wait()
			check(t, nil)
		}
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) {
				p := rapid.IntRange(0, parts-1).Draw(t, "p")
				m := model[p]
				if m.stay != 0 {
					return
				}
				tps := []connectors.TopicPartition{tpOf(p)}
				stays := r.put.come(tps)
				m.stay, m.pos = stays[0], m.committed
				queue = append(queue, putMsg{barrier: &barrier{kind: assigned, parts: tps, stays: stays, done: make(chan struct{})}})
			},
			"revoke": func(t *rapid.T) {
				p := rapid.IntRange(0, parts-1).Draw(t, "p")
				if model[p].stay == 0 {
					return
				}
				others := rapid.IntRange(0, 5).Draw(t, "others")
				switch how := rapid.SampledFrom([]string{"in time", "late", "at once", "lost"}).Draw(t, "how"); how {
				case "in time":
					queue = append(queue, putMsg{barrier: &barrier{kind: revoked, parts: []connectors.TopicPartition{tpOf(p)}, done: make(chan struct{})}})
					for len(queue) > 0 {
						step(t)
					}
					goneNow(p)
					somebodyElse(p, others)
				case "lost":
					goneNow(p)
					queue = append(queue, putMsg{barrier: &barrier{kind: lost, parts: []connectors.TopicPartition{tpOf(p)}, done: make(chan struct{})}})
					somebodyElse(p, others)
				default:
					check(t, revoke(p, others, how))
				}
			},
			"poll": func(t *rapid.T) { poll(rapid.IntRange(1, 4).Draw(t, "n")) },
			"step": func(t *rapid.T) {
				if len(queue) == 0 {
					return
				}
				draw(t)
				step(t)
			},
			"tick": tick,
			"move": func(*rapid.T) { move() },
			"":     func(*rapid.T) {},
		})
		plan = nil
		for range 200 { // whatever was rewound comes again
			move()
			poll(4)
			for len(queue) > 0 {
				step(t)
			}
		}
		tick(t)
		for p := range parts {
			r.put.mu.Lock()
			seeking := r.put.seeks[tpOf(p)].gen != 0
			r.put.mu.Unlock()
			if m := model[p]; m.stay != 0 && !seeking && m.committed != m.pos && m.put[m.pos-1] && r.put.need[tpOf(p)] == 0 {
				t.Fatalf("partition %d is committed up to %d, read up to %d", p, m.committed, m.pos)
			}
		}
	})
}

func rawAt(p int, off int64) pipeline.Raw {
	return pipeline.Raw{Topic: "t", Partition: int32(p), Offset: off}
}
