package task

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
)

func sourceBatch(parts []*data.MapValue, first int64) *pipeline.Batch {
	b := &pipeline.Batch{}
	for i, p := range parts {
		b.Records = append(b.Records, data.NewSourceRecord(p, data.LongOffset("n", first+int64(i)), "t", nil, data.Null))
	}
	b.Reset(len(parts))
	return b
}

func offsetOf(o data.SourceOffset) int64 {
	v, _ := o.Map().Get("n")
	return v.Int()
}

// TestLedgerAgainstModel adds batches over a few partitions (some of them equal
// maps that are not the same), settles, filters and skips records in any order,
// and stores offsets with and without success. What would be stored must at each
// step be the offset of the last record of the longest settled prefix.
func TestLedgerAgainstModel(t *testing.T) {
	type rec struct {
		off     int64
		settled bool
	}
	rapid.Check(t, func(t *rapid.T) {
		l := NewLedger()
		const parts = 4
		mk := func(p int) *data.MapValue { return data.NewStringMap("p", data.OfInt64(int64(p))) }
		var fixed [parts]*data.MapValue
		for p := range parts {
			fixed[p] = mk(p)
		}
		var model [parts][]*rec
		stored, taken := map[int]int64{}, map[int]int64{}
		type open struct {
			f    *inflight
			todo []int
			recs []*rec
		}
		var live []*open
		next := int64(1)
		partOf := func(o PartitionOffset) int { v, _ := o.Partition.Get("p"); return int(v.Int()) }
		prefix := func(p int) (off int64) {
			for _, r := range model[p] {
				if !r.settled {
					break
				}
				off = r.off
			}
			return off
		}
		forget := func(o *open, i int) {
			for k, x := range o.todo {
				if x == i {
					o.todo = append(o.todo[:k], o.todo[k+1:]...)
					return
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := rapid.IntRange(1, 70).Draw(t, "n")
				var ps []*data.MapValue
				o := &open{}
				for i := range n {
					p := rapid.IntRange(0, parts-1).Draw(t, "p")
					if rapid.Bool().Draw(t, "again") && i > 0 {
						v, _ := ps[i-1].Get("p")
						p = int(v.Int())
					}
					m := fixed[p]
					if rapid.IntRange(0, 9).Draw(t, "equal") == 0 {
						m = mk(p)
					}
					ps = append(ps, m)
					r := &rec{off: next + int64(i)}
					model[p] = append(model[p], r)
					o.recs, o.todo = append(o.recs, r), append(o.todo, i)
				}
				b := sourceBatch(ps, next)
				next += int64(n)
				o.f = l.add(b, func(f *inflight) { f.close(); clear(f.records) })
				live = append(live, o)
			},
			"settle": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "times") {
					if len(live) == 0 {
						return
					}
					o := rapid.SampledFrom(live).Draw(t, "batch")
					if len(o.todo) == 0 {
						continue
					}
					i := rapid.SampledFrom(o.todo).Draw(t, "record")
					o.recs[i].settled = true
					forget(o, i)
					if rapid.IntRange(0, 5).Draw(t, "how") == 0 {
						o.f.skip(i)
					} else {
						o.f.settle(i)
					}
				}
			},
			"drop": func(t *rapid.T) {
				if len(live) == 0 {
					return
				}
				o := rapid.SampledFrom(live).Draw(t, "batch")
				states := make([]pipeline.State, len(o.recs))
				for _, i := range append([]int(nil), o.todo...) {
					if s := pipeline.State(rapid.IntRange(0, 2).Draw(t, "state")); s != pipeline.Live {
						states[i] = s
						o.recs[i].settled = true
						forget(o, i)
					}
				}
				o.f.settleDropped(states)
			},
			"commit": func(t *rapid.T) {
				fails := rapid.Bool().Draw(t, "fails")
				offs := l.Take()
				seen := map[int]bool{}
				for _, o := range offs {
					p, off := partOf(o), offsetOf(o.Offset)
					if seen[p] {
						t.Fatalf("partition %d twice", p)
					}
					seen[p] = true
					if want := prefix(p); off != want {
						t.Fatalf("partition %d: %d may be stored, want %d", p, off, want)
					}
					if off == taken[p] {
						t.Fatalf("partition %d: %d is taken again", p, off)
					}
					if fails {
						taken[p] = 0
					} else {
						taken[p], stored[p] = off, off
					}
				}
				if fails {
					l.PutBack(offs)
				}
			},
			"": func(t *rapid.T) {
				var unsettled int64
				for p := range parts {
					for _, r := range model[p] {
						if !r.settled {
							unsettled++
						}
					}
				}
				// Batches that were settled in full are acknowledged as a whole.
				var waiting int64
				for _, o := range live {
					if len(o.todo) > 0 {
						waiting += int64(len(o.recs)) - o.f.dropped.Load()
					}
				}
				if got := l.Active(); got != waiting {
					t.Fatalf("%d active, want %d (%d unsettled)", got, waiting, unsettled)
				}
			},
		})
		// In the end all is settled and stored.
		for _, o := range live {
			for _, i := range append([]int(nil), o.todo...) {
				o.recs[i].settled = true
				forget(o, i)
				o.f.settle(i)
			}
		}
		for _, o := range l.Take() {
			stored[partOf(o)] = offsetOf(o.Offset)
		}
		for p := range parts {
			if want := prefix(p); stored[p] != want {
				t.Fatalf("partition %d ends at %d, want %d", p, stored[p], want)
			}
		}
		select {
		case <-l.Idle():
		default:
			t.Fatal("not idle")
		}
	})
}

// TestLedgerTellsPartitionsApart: partitions whose text forms are the same are
// not the same.
func TestLedgerTellsPartitionsApart(t *testing.T) {
	str, num := data.OfString, data.OfInt64
	pair := func(a, b string) *data.MapValue {
		return data.NewMap([]data.MapEntry{{Key: str("a"), Value: str(a)}, {Key: str("b"), Value: str(b)}})
	}
	for _, tt := range []struct {
		name string
		p, q *data.MapValue
		same bool
	}{
		{"text and number", data.NewStringMap("a", str("1")), data.NewStringMap("a", num(1)), false},
		{"text and null", data.NewStringMap("a", str("null")), data.NewStringMap("a", data.Null), false},
		{"text and boolean", data.NewStringMap("a", str("true")), data.NewStringMap("a", data.OfBool(true)), false},
		{"separators in a value", data.NewStringMap("a", str("1, b=2")), pair("1", "2"), false},
		{"quotes in a value", data.NewStringMap("a", str(`1",b="2`)), pair("1", "2"), false},
		{"none and empty", nil, data.NewMap(nil), false},
		{"widths of numbers", data.NewStringMap("a", data.OfInt32(1)), data.NewStringMap("a", num(1)), true},
		{"equal maps", pair("1", "2"), pair("1", "2"), true},
		{"none", nil, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLedger()
			f := l.add(sourceBatch([]*data.MapValue{tt.p, tt.q}, 1), (*inflight).close)
			f.settle(1) // the second alone
			if got := len(l.Take()); (got == 0) != tt.same {
				t.Errorf("%d offsets may be stored", got)
			}
			f.settle(0)
			l.Take()
		})
	}
}

// TestLedgerForgetsIdlePartitions: a task with a partition a file does not keep
// the account of each for ever, and one that comes back is accounted for.
func TestLedgerForgetsIdlePartitions(t *testing.T) {
	l := NewLedger()
	part := func(i int) *data.MapValue { return data.NewStringMap("file", data.OfString(fmt.Sprint(i))) }
	first := part(0)
	for i := range 5 * keepQueues {
		p := part(i)
		if i == 0 {
			p = first
		}
		l.add(sourceBatch([]*data.MapValue{p}, 1), (*inflight).close).settle(0)
		if i%100 == 0 {
			l.Take()
			l.Take()
		}
	}
	l.Take()
	l.Take()
	if n := len(l.byKey); n > 2*keepQueues {
		t.Errorf("%d partitions are kept", n)
	}
	l.add(sourceBatch([]*data.MapValue{first}, 7), (*inflight).close).settle(0)
	if got := l.Take(); len(got) != 1 || offsetOf(got[0].Offset) != 7 {
		t.Errorf("a partition that came back: %v", got)
	}
}

// TestLedgerPrefixWithinABatch: what is taken is not taken again while a record
// of the batch stays unsettled.
func TestLedgerPrefixWithinABatch(t *testing.T) {
	l := NewLedger()
	p := data.NewStringMap("p", data.OfInt64(1))
	f := l.add(sourceBatch([]*data.MapValue{p, p, p}, 1), (*inflight).close)
	f.settle(0)
	if got := l.Take(); len(got) != 1 || offsetOf(got[0].Offset) != 1 {
		t.Fatalf("took %v", got)
	}
	if got := l.Take(); len(got) != 0 {
		t.Errorf("took %v again", got)
	}
	f.settle(2)
	if got := l.Take(); len(got) != 0 {
		t.Errorf("took %v past an unsettled record", got)
	}
	f.settle(1)
	if got := l.Take(); len(got) != 1 || offsetOf(got[0].Offset) != 3 {
		t.Errorf("took %v", got)
	}
}
