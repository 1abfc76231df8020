package data

import (
	"math"
	"testing"
	"unsafe"
)

// Java's calendar is Julian before 15 October 1582.
func TestDateText(t *testing.T) {
	for ms, want := range map[int64]string{
		0:                   "Thu Jan 01 00:00:00 UTC 1970",
		1483425001864:       "Tue Jan 03 06:30:01 UTC 2017",
		-12_219_292_800_001: "Thu Oct 04 23:59:59 UTC 1582",
		-62_135_596_800_000: "Mon Jan 03 00:00:00 UTC 1",
		-62_167_392_000_000: "Thu Jan 01 00:00:00 UTC 1",
		math.MinInt64:       "Sun Dec 02 16:47:04 UTC 292269055",
		253_402_300_800_000: "Sat Jan 01 00:00:00 UTC 10000",
	} {
		if got := OfDate(ms).String(); got != want {
			t.Errorf("%d is %s, want %s", ms, got, want)
		}
	}
}

func TestKindsRunInStepWithTypes(t *testing.T) {
	for ty := Int8; ty <= Struct; ty++ {
		s := &Schema{typ: ty}
		if !kindFits(s, Kind(ty)) {
			t.Errorf("kind %d does not fit type %s", ty, ty)
		}
		if kindFits(s, KindNull) || kindFits(s, KindDate) {
			t.Errorf("type %s takes a null or a date", ty)
		}
	}
	if unsafe.Sizeof(Value{}) != 16 {
		t.Errorf("a Value has %d bytes, want 16", unsafe.Sizeof(Value{}))
	}
}

func TestText(t *testing.T) {
	st := NewStructSchema().Field("a", Int32Schema).Field("b", OptionalStringSchema).MustBuild()
	for name, tc := range map[string]struct {
		v    Value
		want string
	}{
		"null":          {Null, "null"},
		"negative":      {OfInt8(-5), "-5"},
		"long":          {OfInt64(math.MinInt64), "-9223372036854775808"},
		"float":         {OfFloat32(1.1), "1.1"},
		"double plain":  {OfFloat64(1), "1.0"},
		"double big":    {OfFloat64(1e10), "1.0E10"},
		"double small":  {OfFloat64(1.5e-5), "1.5E-5"},
		"double 1e7":    {OfFloat64(1e7), "1.0E7"},
		"negative zero": {OfFloat64(math.Copysign(0, -1)), "-0.0"},
		"array":         {OfArray([]Value{OfInt32(1), OfString("x")}), "[1, x]"},
		"map":           {OfMap(NewStringMap("k", OfBool(true))), "{k=true}"},
		"struct":        {OfStruct(NewStruct(st, []Value{OfInt32(1), Null})), "Struct{a=1}"},
		"decimal":       {OfDecimal(NewDecimal(150, 2)), "1.50"},
		"decimal small": {OfDecimal(NewDecimal(1, 10)), "1E-10"},
		"decimal neg":   {OfDecimal(NewDecimal(-12, -3)), "-1.2E+4"},
		"date":          {OfDate(1700000000000), "Tue Nov 14 22:13:20 UTC 2023"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.v.String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUnscaledRoundTrip(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 255, 256, math.MaxInt64, math.MinInt64} {
		b := NewDecimal(n, 0).AppendUnscaled(nil)
		d, err := DecimalFromUnscaled(b, 0)
		if err != nil || d.Unscaled.Int64() != n {
			t.Errorf("%d became % x and then %v, %v", n, b, d, err)
		}
		if len(b) > 1 && (b[0] == 0 && b[1]&0x80 == 0 || b[0] == 0xff && b[1]&0x80 != 0) {
			t.Errorf("% x is not the shortest form of %d", b, n)
		}
	}
}

func TestMapFindsInOrderAndByHash(t *testing.T) {
	var b MapBuilder
	for i := range int32(100) {
		b.PutString(OfInt32(i%50).String(), OfInt32(i))
	}
	m := b.Build()
	if m.Len() != 50 {
		t.Fatalf("%d entries, want 50", m.Len())
	}
	if v, ok := m.Get("7"); !ok || v.Int() != 57 {
		t.Errorf("7 is %v, want the later value 57", v)
	}
	if _, ok := m.Get("50"); ok {
		t.Error("found a key that is not there")
	}
}

func TestSchemaEqualityAndCache(t *testing.T) {
	mk := func(doc string) *Schema {
		return NewStructSchema().Name("n").Field("a", NewSchema(Int32).Doc(doc).Default(OfInt32(3)).MustBuild()).MustBuild()
	}
	a, b, c := mk("x"), mk("x"), mk("y")
	if !a.Equal(b) || a.Hash() != b.Hash() {
		t.Error("equal schemas differ")
	}
	if a.Equal(c) {
		t.Error("schemas with other docs are equal")
	}
	cache := NewSchemaCache[int](2)
	cache.Put(a, 1)
	cache.Put(c, 2)
	if v, ok := cache.Get(b); !ok || v != 1 {
		t.Errorf("an equal schema finds %d, %v", v, ok)
	}
	cache.Put(StringSchema, 3) // over the bound: starts anew
	if _, ok := cache.Get(a); ok {
		t.Error("the cache holds more than its bound")
	}
	if v, ok := cache.Get(StringSchema); !ok || v != 3 {
		t.Errorf("the newest is not there: %d, %v", v, ok)
	}
}

func TestValidateMessages(t *testing.T) {
	st := NewStructSchema().Field("f", Int32Schema).MustBuild()
	for name, tc := range map[string]struct {
		s    *Schema
		v    Value
		want string
	}{
		"null":     {Int32Schema, Null, "Invalid value: null used for required value, schema type: INT32"},
		"class":    {Int32Schema, OfString("x"), "Invalid Java object for schema with type INT32: class java.lang.String"},
		"field":    {st, OfStruct(NewStruct(st, []Value{Null})), `Invalid value: null used for required field: "f", schema type: INT32`},
		"optional": {OptionalStringSchema, Null, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := ValidateValue(tc.s, tc.v)
			if got := ""; err != nil {
				got = err.Error()
				if got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			} else if tc.want != "" {
				t.Errorf("no error, want %q", tc.want)
			}
		})
	}
}
