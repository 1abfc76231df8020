package data

import (
	"fmt"
	"math"
	"testing"
)

func TestMapOfIsNewMap(t *testing.T) {
	for name, key := range map[string]func(i int) Value{
		"ints":     func(i int) Value { return OfInt32(int32(i)) },
		"strings":  func(i int) Value { return OfString(fmt.Sprint(i)) },
		"decimals": func(i int) Value { return OfDecimal(NewDecimal(int64(i), 1)) },
		"arrays":   func(i int) Value { return OfArray([]Value{OfInt8(int8(i)), OfFloat64(math.NaN())}) },
		"maps":     func(i int) Value { return OfMap(NewMap([]MapEntry{{OfInt8(int8(i)), Null}})) },
		"mixed": func(i int) Value {
			if i%2 == 0 {
				return OfInt64(int64(i))
			}
			return OfString(fmt.Sprint(i))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var a, b []MapEntry
			for i := range 100 {
				a = append(a, MapEntry{key(i % 60), OfInt32(int32(i))})
				b = append(b, MapEntry{key(i % 60), OfInt32(int32(i))})
			}
			want, got := NewMap(a), MapOf(b)
			if got.Len() != 60 || !OfMap(want).Equal(OfMap(got)) || OfMap(want).String() != OfMap(got).String() {
				t.Errorf("got %v, want %v", OfMap(got), OfMap(want))
			}
			if v, ok := got.GetKey(key(7)); !ok || v.Int() != 67 {
				t.Errorf("7 is %v", v)
			}
		})
	}
}

func TestMapOfIsLinear(t *testing.T) {
	var entries []MapEntry
	for i := range 300_000 { // by scanning this took minutes
		entries = append(entries, MapEntry{OfInt32(int32(i)), Null})
	}
	if m := MapOf(entries); m.Len() != len(entries) {
		t.Errorf("%d entries", m.Len())
	}
}

func TestStringKeys(t *testing.T) {
	text, number := MapEntry{OfString("a"), Null}, MapEntry{OfInt32(1), Null}
	added := CopyMap(NewMap([]MapEntry{text}), 1)
	added.Put(Null, Null)
	of := CopyMap(NewMap([]MapEntry{number}), 1)
	of.Put(OfString("b"), Null) // takes the keys over
	var many []MapEntry
	for i := range 2 * mapScan {
		many = append(many, MapEntry{OfString(string(rune('a' + i))), Null})
	}
	for _, tt := range []struct {
		m    *MapValue
		want bool
	}{
		{nil, true}, {&MapValue{}, true}, {NewMap([]MapEntry{text}), true}, {NewMap([]MapEntry{text, number}), false}, {added.Build(), false},
		{of.Build(), false}, {MapOf(many), true}, {MapOf(append(many, number)), false}, {NewMap(many), true},
		{OfMap(NewMap([]MapEntry{number})).Map(), false},
	} {
		if got := tt.m.StringKeys(); got != tt.want {
			t.Errorf("%v: all keys are strings: %v, want %v", OfMap(tt.m), got, tt.want)
		}
	}
	if keys := NewMapKeys([]Value{OfString("a"), OfInt32(1)}); !keys.other {
		t.Error("keys of two kinds count as strings")
	}
}
