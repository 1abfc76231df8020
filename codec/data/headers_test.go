package data

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestHeadersAreNeverWritten: whatever is made of lists of headers, and of lists made
// of them, each stays what it was, and is what a plain slice would be.
func TestHeadersAreNeverWritten(t *testing.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	schema := rapid.SampledFrom([]*Schema{nil, StringSchema, Int8Schema, NewArraySchema(nil).MustBuild()})
	rapid.Check(t, func(t *rapid.T) {
		header := rapid.Custom(func(t *rapid.T) Header {
			return Header{key.Draw(t, "key"), schema.Draw(t, "schema"), OfInt32(rapid.Int32().Draw(t, "value"))}
		})
		headers := rapid.SliceOfN(header, 0, 5)
		gone := rapid.SliceOfNDistinct(key, 1, 3, rapid.ID).Draw(t, "gone")
		drop := func(key string) bool { return slices.Contains(gone, key) }
		added := rapid.SliceOfN(header, 1, 3).Draw(t, "added")
		var keys []HeaderKey
		for _, h := range added {
			keys = append(keys, HeaderKey{h.Key, h.Schema})
		}
		adder, dropper, maker := NewHeaderAdder(keys...), NewHeaderDropper(drop), HeaderMaker{}

		lists, want := []Headers{{}}, [][]Header{nil}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, len(lists)-1).Draw(t, "list")
			from, model := lists[i], slices.Clone(want[i])
			var out Headers
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				var places []*Value
				out, places = adder.Extend(from)
				for j := range places {
					places[j] = &added[j].Value
				}
				model = append(model, added...)
			case 1:
				out, model = dropper.Drop(from), slices.DeleteFunc(model, func(h Header) bool { return drop(h.Key) })
			case 2:
				hs := headers.Draw(t, "made")
				maker.Begin(from)
				for _, h := range hs {
					maker.Add(h)
				}
				out, model = maker.Make(), append(model, hs...)
			case 3:
				hs := headers.Draw(t, "with")
				out, model = from.With(hs...), append(model, hs...)
			case 4:
				name := key.Draw(t, "without")
				out = from.Without(func(key string) bool { return key == name })
				model = slices.DeleteFunc(model, func(h Header) bool { return h.Key == name })
			default:
				model = headers.Draw(t, "new")
				out = NewHeaders(model...)
			}
			lists, want = append(lists, out), append(want, model)
		}
		for i, hs := range lists {
			got := slices.Collect(hs.All())
			if !slices.EqualFunc(got, want[i], sameHeader) || hs.Len() != len(want[i]) {
				t.Fatalf("list %d is %v, want %v", i, got, want[i])
			}
			for _, name := range []string{"a", "b", "c", "d"} {
				at := len(want[i]) - 1
				for at >= 0 && want[i][at].Key != name {
					at--
				}
				last, ok := hs.Last(name)
				if ok != (at >= 0) || ok && !sameHeader(last, want[i][at]) {
					t.Fatalf("the last %s of list %d is %v, %v", name, i, last, ok)
				}
			}
		}
	})
}

func sameHeader(a, b Header) bool {
	return a.Key == b.Key && a.Schema == b.Schema && a.Value.Equal(b.Value)
}

// TestManyKeys: keys that never come again are worked out each time, and not kept.
func TestManyKeys(t *testing.T) {
	adder := NewHeaderAdder(HeaderKey{Key: "last"})
	dropper := NewHeaderDropper(func(key string) bool { return key == "n" })
	var maker HeaderMaker
	for n := range int32(1000) {
		name := fmt.Sprint("k", n)
		maker.Begin(Headers{})
		for _, h := range []Header{{Key: "n", Value: OfInt32(n)}, {Key: name}, {Key: "n"}, {Key: "end"}} {
			maker.Add(h)
		}
		hs, added := adder.Extend(maker.Make())
		added[0] = new(Value)
		hs = dropper.Drop(hs)
		if hs.Len() != 3 || hs.At(0).Key != name || hs.At(1).Key != "end" || hs.At(2).Key != "last" {
			t.Fatalf("%d: got %v", n, slices.Collect(hs.All()))
		}
	}
	for _, kept := range []int{len(adder.made.recent), len(dropper.made.recent), len(maker.known.recent)} {
		if kept != recentKeys {
			t.Errorf("%d lists of keys are kept", kept)
		}
	}
}

// TestHeadersOfStructs: what a list points at in a struct is the slot, or its default.
func TestHeadersOfStructs(t *testing.T) {
	s := NewStructSchema().Field("a", Int32Schema).
		Field("b", NewSchema(Int32).Optional().Default(OfInt32(7)).MustBuild()).MustBuild()
	st := NewStruct(s, []Value{OfInt32(1), Null})
	for i, row := range []struct {
		got  *Value
		want Value
	}{{st.Ref(0, true), OfInt32(1)}, {st.Ref(1, true), OfInt32(7)}, {st.Ref(1, false), Null}} {
		if !row.got.Equal(row.want) {
			t.Errorf("%d: got %v, want %v", i, row.got, row.want)
		}
	}
}

func TestChunks(t *testing.T) {
	var c Chunks[int]
	var all [][]int
	for n := range 200 {
		s := c.Take(n % 50)
		if len(s) != n%50 || cap(s) != len(s) {
			t.Fatalf("asked for %d, got %d with room for %d", n%50, len(s), cap(s))
		}
		for i := range s {
			if s[i] != 0 {
				t.Fatalf("slice %d was used before", n)
			}
			s[i] = n + 1
		}
		all = append(all, s)
	}
	for n, s := range all {
		for _, v := range s {
			if v != n+1 {
				t.Fatalf("slice %d was written to", n)
			}
		}
	}
}
