package data

import "testing"

func TestValidAgreesWithValidateValue(t *testing.T) {
	inner := NewStructSchema().Field("x", Int8Schema).Field("y", NewSchema(Int8).Default(OfInt8(3)).MustBuild()).MustBuild()
	schemas := []*Schema{
		nil, Int8Schema, OptionalInt8Schema, StringSchema, BytesSchema, DateSchema, OptionalTimestampSchema,
		NewDecimalSchema(2).MustBuild(), NewArraySchema(Int8Schema).MustBuild(), NewArraySchema(OptionalInt8Schema).Optional().MustBuild(),
		NewMapSchema(StringSchema, Int8Schema).MustBuild(), inner, NewStructSchema().Field("in", inner).MustBuild(), NewArraySchema(nil).MustBuild(),
		NewArraySchema(inner).MustBuild(),
	}
	in := OfStruct(NewStruct(inner, []Value{OfInt8(1), Null}))
	bad := OfStruct(NewStruct(inner, []Value{Null, OfInt8(1)}))
	values := []Value{
		Null, OfInt8(1), OfInt16(1), OfString("a"), OfBytes(nil), OfDate(1), OfDecimal(NewDecimal(1, 2)), OfArray(nil), OfArray([]Value{OfInt8(1)}),
		OfArray([]Value{Null}), OfArray([]Value{OfString("x")}), OfMap(NewStringMap("a", OfInt8(1))), OfMap(NewStringMap("a", Null)), in, bad,
		OfStruct(NewStruct(schemas[12], []Value{in})), OfStruct(NewStruct(schemas[12], []Value{bad})), OfStruct(NewStruct(schemas[12], []Value{Null})),
		OfArray([]Value{in, bad}),
	}
	for i, s := range schemas {
		for j, v := range values {
			if err := ValidateValue(s, v); (err == nil) != Valid(s, v) {
				t.Errorf("schema %d, value %d: Valid says %v, ValidateValue %v", i, j, Valid(s, v), err)
			}
		}
	}
}

func TestAllocStruct(t *testing.T) {
	for n := range 20 {
		b := NewStructSchema()
		for i := range n {
			b.Field(string(rune('a'+i)), OptionalInt32Schema)
		}
		s := b.MustBuild()
		st, vals := AllocStruct(s)
		if len(vals) != n || cap(vals) != n || len(st.Values()) != n || st.Schema() != s {
			t.Errorf("%d fields: %d slots, room for %d", n, len(vals), cap(vals))
		}
		for i := range vals {
			vals[i] = OfInt32(int32(i))
		}
		if n > 0 && st.At(n-1).Int() != int64(n-1) {
			t.Errorf("%d fields: the slots are not the struct's", n)
		}
	}
}

func TestCopyMapLeavesTheOriginal(t *testing.T) {
	for _, n := range []int{0, 1, mapScan, mapScan + 5} {
		var b MapBuilder
		for i := range n {
			b.PutString(string(rune('a'+i)), OfInt32(int32(i)))
		}
		m := b.Build()
		c := CopyMap(m, 3)
		for _, k := range []string{"a", "x", "y", "z"} {
			c.PutString(k, OfString("new"))
		}
		out := c.Build()
		if m.Len() != n {
			t.Fatalf("the original of %d has %d entries", n, m.Len())
		}
		if v, ok := m.Get("a"); ok && v.Kind() != KindInt32 {
			t.Errorf("the original of %d was written to", n)
		}
		for _, k := range []string{"a", "x", "y", "z"} {
			if v, _ := out.Get(k); v.Str() != "new" {
				t.Errorf("copy of %d: %s is %v", n, k, v)
			}
		}
	}
}
