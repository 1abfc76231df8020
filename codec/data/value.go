package data

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"time"
	"unsafe"
)

// Kind says what a [Value] holds. It stands for the Java class of the value in
// Kafka Connect: an int32 under a Date schema is of KindDate here, as it is a
// java.util.Date there.
type Kind uint8

// The kinds of values.
const (
	KindNull Kind = iota
	KindInt8
	KindInt16
	KindInt32
	KindInt64
	KindFloat32
	KindFloat64
	KindBoolean
	KindString
	KindBytes
	KindArray
	KindMap
	KindStruct
	KindDecimal // java.math.BigDecimal
	KindDate    // java.util.Date: Date, Time and Timestamp
)

var kindClasses = [...]string{
	"null", "java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long", "java.lang.Float", "java.lang.Double",
	"java.lang.Boolean", "java.lang.String", "[B", "java.util.ArrayList", "java.util.HashMap",
	"org.apache.kafka.connect.data.Struct", "java.math.BigDecimal", "java.util.Date",
}

// JavaClass returns the name of the Java class that Kafka Connect's messages
// give for a value of this kind.
func (k Kind) JavaClass() string { return kindClasses[k] }

// Value is one datum: null, a scalar in place, or a pointer to a composite. The
// zero Value is null. Values are immutable; copying one copies 16 bytes.
//
// Of a scalar, p points into scalarKinds, which tells its kind, and n has its
// bits. Of everything else p points at the bytes of a string or byte slice, at
// the first element of an array, or at a composite; n has the kind in its
// highest byte and the length below.
//
// Most of what a worker holds and collects is values, so their size counts for
// more than the two instructions that it costs to tell the kind.
type Value struct {
	p unsafe.Pointer
	n uint64
}

// scalarKinds is what scalars point into: a byte for each kind, which is never
// read.
var scalarKinds [KindDate + 1]byte

const (
	kindShift  = 56
	lengthMask = 1<<kindShift - 1
)

// Null is the null value.
var Null = Value{}

func scalar(k Kind, bits uint64) Value { return Value{unsafe.Pointer(&scalarKinds[k]), bits} }

func pointer(k Kind, p unsafe.Pointer, length int) Value {
	return Value{p, uint64(k)<<kindShift | uint64(length)}
}

// length is the number of bytes or elements of what is no scalar.
func (v Value) length() int { return int(v.n & lengthMask) }

// Of… make a value of the kind in their name.

// OfInt8 makes a KindInt8 value.
func OfInt8(v int8) Value { return scalar(KindInt8, uint64(int64(v))) }

// OfInt16 makes a KindInt16 value.
func OfInt16(v int16) Value { return scalar(KindInt16, uint64(int64(v))) }

// OfInt32 makes a KindInt32 value.
func OfInt32(v int32) Value { return scalar(KindInt32, uint64(int64(v))) }

// OfInt64 makes a KindInt64 value.
func OfInt64(v int64) Value { return scalar(KindInt64, uint64(v)) }

// OfFloat32 makes a KindFloat32 value.
func OfFloat32(v float32) Value { return scalar(KindFloat32, uint64(math.Float32bits(v))) }

// OfFloat64 makes a KindFloat64 value.
func OfFloat64(v float64) Value { return scalar(KindFloat64, math.Float64bits(v)) }

// OfBool makes a KindBoolean value.
func OfBool(v bool) Value {
	if v {
		return scalar(KindBoolean, 1)
	}
	return scalar(KindBoolean, 0)
}

// OfString makes a KindString value. It shares s.
func OfString(s string) Value {
	return pointer(KindString, unsafe.Pointer(unsafe.StringData(s)), len(s))
}

// OfText makes a KindString value that shares b, which must not be written
// afterwards.
func OfText(b []byte) Value {
	return pointer(KindString, unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

// OfBytes makes a KindBytes value that shares b, which must not be written
// afterwards. A nil slice makes an empty value, not null.
func OfBytes(b []byte) Value {
	return pointer(KindBytes, unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

// OfArray makes a KindArray value that shares elems.
func OfArray(elems []Value) Value {
	return pointer(KindArray, unsafe.Pointer(unsafe.SliceData(elems)), len(elems))
}

// OfMap makes a KindMap value; nil makes null.
func OfMap(m *MapValue) Value {
	if m == nil {
		return Null
	}
	return pointer(KindMap, unsafe.Pointer(m), 0)
}

// OfStruct makes a KindStruct value; nil makes null.
func OfStruct(s *StructValue) Value {
	if s == nil {
		return Null
	}
	return pointer(KindStruct, unsafe.Pointer(s), 0)
}

// OfDecimal makes a KindDecimal value: unscaled × 10^-scale.
func OfDecimal(d *Decimal) Value { return pointer(KindDecimal, unsafe.Pointer(d), 0) }

// OfDate makes a KindDate value from milliseconds since the epoch, UTC.
func OfDate(ms int64) Value { return scalar(KindDate, uint64(ms)) }

// Kind returns what the value holds.
func (v Value) Kind() Kind {
	if k := uintptr(v.p) - uintptr(unsafe.Pointer(&scalarKinds)); k <= uintptr(KindDate) {
		return Kind(k)
	}
	return Kind(v.n >> kindShift)
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v == Value{} }

// Int returns the number of a KindInt8 to KindInt64 value, and the milliseconds
// of a KindDate value. It is 0 for other kinds but KindBoolean (0 or 1).
func (v Value) Int() int64 {
	const whole = 1<<KindInt8 | 1<<KindInt16 | 1<<KindInt32 | 1<<KindInt64 | 1<<KindBoolean | 1<<KindDate
	if whole>>v.Kind()&1 == 0 {
		return 0
	}
	return int64(v.n)
}

// Float returns the number of a KindFloat32 or KindFloat64 value, 0 for others.
func (v Value) Float() float64 {
	switch v.Kind() {
	case KindFloat32:
		return float64(math.Float32frombits(uint32(v.n)))
	case KindFloat64:
		return math.Float64frombits(v.n)
	}
	return 0
}

// Bool returns the boolean of a KindBoolean value, false for others.
func (v Value) Bool() bool { return v.Kind() == KindBoolean && v.n != 0 }

// Str returns the text of a KindString value, "" for others. See [Value.String]
// for Java's text form of any value.
func (v Value) Str() string {
	if v.Kind() != KindString {
		return ""
	}
	return unsafe.String((*byte)(v.p), v.length())
}

// Bytes returns the bytes of a KindBytes or KindString value without copying;
// the caller must not write to them. It is nil for other kinds, never for these.
func (v Value) Bytes() []byte {
	if k := v.Kind(); k != KindBytes && k != KindString {
		return nil
	}
	if v.length() == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(v.p), v.length())
}

// Elems returns the elements of a KindArray value. The caller must not change
// the slice.
func (v Value) Elems() []Value {
	if v.Kind() != KindArray || v.length() == 0 {
		return nil
	}
	return unsafe.Slice((*Value)(v.p), v.length())
}

// Map returns the map of a KindMap value, nil for others.
func (v Value) Map() *MapValue {
	if v.Kind() != KindMap {
		return nil
	}
	return (*MapValue)(v.p)
}

// Struct returns the struct of a KindStruct value, nil for others.
func (v Value) Struct() *StructValue {
	if v.Kind() != KindStruct {
		return nil
	}
	return (*StructValue)(v.p)
}

// Decimal returns the number of a KindDecimal value, nil for others.
func (v Value) Decimal() *Decimal {
	if v.Kind() != KindDecimal {
		return nil
	}
	return (*Decimal)(v.p)
}

// Time returns a KindDate value as a time in UTC.
func (v Value) Time() time.Time { return time.UnixMilli(v.Int()).UTC() }

// Equal reports whether two values are equal as Java's equals has it: same kind,
// same content; NaN equals itself, 0.0 and -0.0 differ; maps regardless of order.
func (v Value) Equal(o Value) bool {
	if v.Kind() != o.Kind() {
		return false
	}
	switch v.Kind() {
	case KindNull:
		return true
	case KindString, KindBytes:
		return bytes.Equal(v.Bytes(), o.Bytes())
	case KindArray:
		a, b := v.Elems(), o.Elems()
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if !a[i].Equal(b[i]) {
				return false
			}
		}
		return true
	case KindMap:
		return v.Map().equal(o.Map())
	case KindStruct:
		a, b := v.Struct(), o.Struct()
		if a == b {
			return true
		}
		if !a.schema.Equal(b.schema) {
			return false
		}
		for i := range a.vals {
			if !a.vals[i].Equal(b.vals[i]) {
				return false
			}
		}
		return true
	case KindDecimal:
		a, b := v.Decimal(), o.Decimal()
		return a.Scale == b.Scale && a.Unscaled.Cmp(b.Unscaled) == 0
	case KindFloat32, KindFloat64:
		return v.n == o.n || (math.IsNaN(v.Float()) && math.IsNaN(o.Float()))
	}
	return v.n == o.n
}

// Decimal is a java.math.BigDecimal: Unscaled × 10^-Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// NewDecimal returns unscaled × 10^-scale.
func NewDecimal(unscaled int64, scale int32) *Decimal {
	return &Decimal{Unscaled: big.NewInt(unscaled), Scale: scale}
}

// StructValue is a struct: one value a field of its schema, in order. A slot
// that was never set is null.
type StructValue struct {
	schema *Schema
	vals   []Value
}

// NewStruct returns a struct of the given values, one a field; it takes over
// the slice. Values are not checked: see [StructValue.Validate].
func NewStruct(s *Schema, vals []Value) *StructValue {
	if len(vals) != len(s.fields) {
		panic(fmt.Sprintf("data: %d values for the %d fields of %s", len(vals), len(s.fields), s))
	}
	return &StructValue{schema: s, vals: vals}
}

// Schema returns the struct's schema.
func (s *StructValue) Schema() *Schema { return s.schema }

// Values returns the slots, without defaults put in. The caller must not change
// the slice.
func (s *StructValue) Values() []Value { return s.vals }

// At returns slot i without its default put in.
func (s *StructValue) At(i int) Value { return s.vals[i] }

// Get returns the named field's value, or its default when the slot is null.
// ok is false when there is no such field.
func (s *StructValue) Get(name string) (v Value, ok bool) {
	f := s.schema.Field(name)
	if f == nil {
		return Null, false
	}
	return s.GetAt(f.Index), true
}

// GetAt returns slot i, or its default when the slot is null.
func (s *StructValue) GetAt(i int) Value {
	if v := s.vals[i]; !v.IsNull() {
		return v
	}
	return s.schema.fields[i].Schema.def
}

// GetWithoutDefault returns the named slot as it is.
func (s *StructValue) GetWithoutDefault(name string) (v Value, ok bool) {
	f := s.schema.Field(name)
	if f == nil {
		return Null, false
	}
	return s.vals[f.Index], true
}

// Ref returns where slot i lies, or its default when the slot is null and that is
// wanted. What lies there never changes.
func (s *StructValue) Ref(i int, withDefault bool) *Value {
	if withDefault && s.vals[i].IsNull() {
		return &s.schema.fields[i].Schema.def
	}
	return &s.vals[i]
}
