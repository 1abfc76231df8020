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
// zero Value is null. Values are immutable; copying one copies 24 bytes.
//
// p points at the bytes of a string or byte slice, at the first element of an
// array, or at a composite; n is the length there, and the scalar's bits
// elsewhere.
type Value struct {
	p    unsafe.Pointer
	n    uint64
	kind Kind
}

// Null is the null value.
var Null = Value{}

// Of… make a value of the kind in their name.

// OfInt8 makes a KindInt8 value.
func OfInt8(v int8) Value { return Value{n: uint64(int64(v)), kind: KindInt8} }

// OfInt16 makes a KindInt16 value.
func OfInt16(v int16) Value { return Value{n: uint64(int64(v)), kind: KindInt16} }

// OfInt32 makes a KindInt32 value.
func OfInt32(v int32) Value { return Value{n: uint64(int64(v)), kind: KindInt32} }

// OfInt64 makes a KindInt64 value.
func OfInt64(v int64) Value { return Value{n: uint64(v), kind: KindInt64} }

// OfFloat32 makes a KindFloat32 value.
func OfFloat32(v float32) Value { return Value{n: uint64(math.Float32bits(v)), kind: KindFloat32} }

// OfFloat64 makes a KindFloat64 value.
func OfFloat64(v float64) Value { return Value{n: math.Float64bits(v), kind: KindFloat64} }

// OfBool makes a KindBoolean value.
func OfBool(v bool) Value {
	if v {
		return Value{n: 1, kind: KindBoolean}
	}
	return Value{kind: KindBoolean}
}

// OfString makes a KindString value. It shares s.
func OfString(s string) Value {
	return Value{p: unsafe.Pointer(unsafe.StringData(s)), n: uint64(len(s)), kind: KindString}
}

// OfText makes a KindString value that shares b, which must not be written
// afterwards.
func OfText(b []byte) Value {
	return Value{p: unsafe.Pointer(unsafe.SliceData(b)), n: uint64(len(b)), kind: KindString}
}

// OfBytes makes a KindBytes value that shares b, which must not be written
// afterwards. A nil slice makes an empty value, not null.
func OfBytes(b []byte) Value {
	return Value{p: unsafe.Pointer(unsafe.SliceData(b)), n: uint64(len(b)), kind: KindBytes}
}

// OfArray makes a KindArray value that shares elems.
func OfArray(elems []Value) Value {
	return Value{p: unsafe.Pointer(unsafe.SliceData(elems)), n: uint64(len(elems)), kind: KindArray}
}

// OfMap makes a KindMap value; nil makes null.
func OfMap(m *MapValue) Value {
	if m == nil {
		return Null
	}
	return Value{p: unsafe.Pointer(m), kind: KindMap}
}

// OfStruct makes a KindStruct value; nil makes null.
func OfStruct(s *StructValue) Value {
	if s == nil {
		return Null
	}
	return Value{p: unsafe.Pointer(s), kind: KindStruct}
}

// OfDecimal makes a KindDecimal value: unscaled × 10^-scale.
func OfDecimal(d *Decimal) Value { return Value{p: unsafe.Pointer(d), kind: KindDecimal} }

// OfDate makes a KindDate value from milliseconds since the epoch, UTC.
func OfDate(ms int64) Value { return Value{n: uint64(ms), kind: KindDate} }

// Kind returns what the value holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Int returns the number of a KindInt8 to KindInt64 value, and the milliseconds
// of a KindDate value. It is 0 for other kinds but KindBoolean (0 or 1).
func (v Value) Int() int64 {
	switch v.kind {
	case KindInt8, KindInt16, KindInt32, KindInt64, KindBoolean, KindDate:
		return int64(v.n)
	}
	return 0
}

// Float returns the number of a KindFloat32 or KindFloat64 value, 0 for others.
func (v Value) Float() float64 {
	switch v.kind {
	case KindFloat32:
		return float64(math.Float32frombits(uint32(v.n)))
	case KindFloat64:
		return math.Float64frombits(v.n)
	}
	return 0
}

// Bool returns the boolean of a KindBoolean value, false for others.
func (v Value) Bool() bool { return v.kind == KindBoolean && v.n != 0 }

// Str returns the text of a KindString value, "" for others. See [Value.String]
// for Java's text form of any value.
func (v Value) Str() string {
	if v.kind != KindString {
		return ""
	}
	return unsafe.String((*byte)(v.p), int(v.n))
}

// Bytes returns the bytes of a KindBytes or KindString value without copying;
// the caller must not write to them. It is nil for other kinds, never for these.
func (v Value) Bytes() []byte {
	if v.kind != KindBytes && v.kind != KindString {
		return nil
	}
	if v.n == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(v.p), int(v.n))
}

// Elems returns the elements of a KindArray value. The caller must not change
// the slice.
func (v Value) Elems() []Value {
	if v.kind != KindArray || v.n == 0 {
		return nil
	}
	return unsafe.Slice((*Value)(v.p), int(v.n))
}

// Map returns the map of a KindMap value, nil for others.
func (v Value) Map() *MapValue {
	if v.kind != KindMap {
		return nil
	}
	return (*MapValue)(v.p)
}

// Struct returns the struct of a KindStruct value, nil for others.
func (v Value) Struct() *StructValue {
	if v.kind != KindStruct {
		return nil
	}
	return (*StructValue)(v.p)
}

// Decimal returns the number of a KindDecimal value, nil for others.
func (v Value) Decimal() *Decimal {
	if v.kind != KindDecimal {
		return nil
	}
	return (*Decimal)(v.p)
}

// Time returns a KindDate value as a time in UTC.
func (v Value) Time() time.Time { return time.UnixMilli(v.Int()).UTC() }

// Equal reports whether two values are equal as Java's equals has it: same kind,
// same content; NaN equals itself, 0.0 and -0.0 differ; maps regardless of order.
func (v Value) Equal(o Value) bool {
	if v.kind != o.kind {
		return false
	}
	switch v.kind {
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

// MapEntry is one pair of a [MapValue].
type MapEntry struct{ Key, Value Value }

// MapValue is a map with any keys. It keeps the order in which its entries were
// put, which has no meaning but is stable.
type MapValue struct {
	entries []MapEntry
	index   map[string]int // of string keys; only for larger maps
}

const mapScan = 12 // up to this many entries a scan beats a hash

// NewMap returns a map of the given entries; of two with an equal key the later
// wins, in the place of the earlier. It takes over the slice.
func NewMap(entries []MapEntry) *MapValue {
	b := MapBuilder{m: MapValue{entries: entries[:0]}}
	for _, e := range entries {
		b.Put(e.Key, e.Value)
	}
	return b.Build()
}

// NewStringMap is NewMap for pairs of a string and a value.
func NewStringMap(pairs ...any) *MapValue {
	var b MapBuilder
	for i := 0; i+1 < len(pairs); i += 2 {
		b.Put(OfString(pairs[i].(string)), pairs[i+1].(Value))
	}
	return b.Build()
}

// Len returns the number of entries.
func (m *MapValue) Len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// Entries returns the pairs. The caller must not change the slice.
func (m *MapValue) Entries() []MapEntry {
	if m == nil {
		return nil
	}
	return m.entries
}

// Get returns the value under a string key.
func (m *MapValue) Get(key string) (Value, bool) {
	if i := m.find(OfString(key)); i >= 0 {
		return m.entries[i].Value, true
	}
	return Null, false
}

// GetKey returns the value under any key.
func (m *MapValue) GetKey(key Value) (Value, bool) {
	if i := m.find(key); i >= 0 {
		return m.entries[i].Value, true
	}
	return Null, false
}

func (m *MapValue) find(key Value) int {
	if m == nil {
		return -1
	}
	if m.index != nil && key.kind == KindString {
		if i, ok := m.index[key.Str()]; ok {
			return i
		}
		return -1
	}
	for i := range m.entries {
		if m.entries[i].Key.Equal(key) {
			return i
		}
	}
	return -1
}

func (m *MapValue) equal(o *MapValue) bool {
	if m == o {
		return true
	}
	if m.Len() != o.Len() {
		return false
	}
	for i := range m.entries {
		v, ok := o.GetKey(m.entries[i].Key)
		if !ok || !v.Equal(m.entries[i].Value) {
			return false
		}
	}
	return true
}

// MapBuilder makes a [MapValue]. The zero value is an empty map.
type MapBuilder struct{ m MapValue }

// Grow makes room for n entries.
func (b *MapBuilder) Grow(n int) {
	if cap(b.m.entries) < n {
		e := make([]MapEntry, len(b.m.entries), n)
		copy(e, b.m.entries)
		b.m.entries = e
	}
}

// Put sets the value under key.
func (b *MapBuilder) Put(key, value Value) {
	if i := b.m.find(key); i >= 0 {
		b.m.entries[i].Value = value
		return
	}
	b.m.entries = append(b.m.entries, MapEntry{key, value})
	if b.m.index != nil {
		if key.kind == KindString {
			b.m.index[key.Str()] = len(b.m.entries) - 1
		}
	} else if len(b.m.entries) > mapScan {
		b.m.index = make(map[string]int, 2*mapScan)
		for i, e := range b.m.entries {
			if e.Key.kind == KindString {
				b.m.index[e.Key.Str()] = i
			}
		}
	}
}

// PutString sets the value under a string key.
func (b *MapBuilder) PutString(key string, value Value) { b.Put(OfString(key), value) }

// Build returns the map; the builder must not be used afterwards.
func (b *MapBuilder) Build() *MapValue {
	m := b.m
	return &m
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
