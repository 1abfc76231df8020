package data

import (
	"iter"
	"unsafe"
)

// MapEntry is one pair of a [MapValue].
type MapEntry struct{ Key, Value Value }

// MapKeys are the keys of maps, in their order. Maps of the same keys may share
// them: records without a schema mostly have the same fields. They are never
// written.
type MapKeys struct {
	keys  []Value        // no two are equal
	index map[string]int // of string keys; only for larger maps
	other bool           // some are no strings
}

const mapScan = 12 // up to this many entries a scan beats a hash

// NewMapKeys returns keys of which no two are equal, which the caller has seen
// to. It takes over the slice.
func NewMapKeys(keys []Value) *MapKeys {
	k := &MapKeys{keys: keys}
	for i := range keys {
		k.other = k.other || keys[i].Kind() != KindString
	}
	if len(keys) > mapScan {
		k.index = make(map[string]int, len(keys))
		for i := range keys {
			if keys[i].Kind() == KindString {
				k.index[keys[i].Str()] = i
			}
		}
	}
	return k
}

func (k *MapKeys) find(key Value) int {
	if k.index != nil && key.Kind() == KindString {
		if i, ok := k.index[key.Str()]; ok {
			return i
		}
		return -1
	}
	for i := range k.keys {
		if k.keys[i].Equal(key) {
			return i
		}
	}
	return -1
}

// MapValue is a map with any keys. It keeps the order in which its entries were
// put, which has no meaning but is stable. The zero value is empty.
type MapValue struct {
	keys *MapKeys // nil: there are none
	vals *Value   // the first of as many as there are keys
}

func mapValue(k *MapKeys, vals []Value) MapValue { return MapValue{k, unsafe.SliceData(vals)} }

// ownMap is a map together with keys of its own: one allocation where two would
// be made.
type ownMap struct {
	m MapValue
	k MapKeys
}

func newOwnMap(keys MapKeys, vals []Value) *MapValue {
	own := &ownMap{k: keys}
	own.m = mapValue(&own.k, vals)
	return &own.m
}

// NewMap returns a map of the given entries; of two with an equal key the later
// wins, in the place of the earlier. It does not keep the slice.
func NewMap(entries []MapEntry) *MapValue {
	var b MapBuilder
	b.Grow(len(entries))
	for i := range entries {
		b.Put(entries[i].Key, entries[i].Value)
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
	if m == nil || m.keys == nil {
		return 0
	}
	return len(m.keys.keys)
}

// StringKeys reports whether all keys are strings.
func (m *MapValue) StringKeys() bool { return m == nil || m.keys == nil || !m.keys.other }

// KeyAt returns the key of entry i.
func (m *MapValue) KeyAt(i int) Value { return m.keys.keys[i] }

// At returns the value of entry i.
func (m *MapValue) At(i int) Value { return m.values()[i] }

func (m *MapValue) values() []Value { return unsafe.Slice(m.vals, m.Len()) }

// Entries ranges over the pairs.
func (m *MapValue) Entries() iter.Seq2[int, MapEntry] {
	return func(yield func(int, MapEntry) bool) {
		for i := range m.Len() {
			if !yield(i, MapEntry{m.KeyAt(i), m.At(i)}) {
				return
			}
		}
	}
}

// Get returns the value under a string key.
func (m *MapValue) Get(key string) (Value, bool) { return m.GetKey(OfString(key)) }

// GetKey returns the value under any key.
func (m *MapValue) GetKey(key Value) (Value, bool) {
	if m.Len() == 0 {
		return Null, false
	}
	if i := m.keys.find(key); i >= 0 {
		return m.At(i), true
	}
	return Null, false
}

// Ref returns where the value under a string key lies: it never changes. Without such
// a key it is a null.
func (m *MapValue) Ref(key string) *Value {
	if m.Len() > 0 {
		if i := m.keys.find(OfString(key)); i >= 0 {
			return &m.values()[i]
		}
	}
	return new(Value)
}

func (m *MapValue) equal(o *MapValue) bool {
	if m == o {
		return true
	}
	if m.Len() != o.Len() {
		return false
	}
	for i := range m.Len() {
		v, ok := o.GetKey(m.KeyAt(i))
		if !ok || !v.Equal(m.At(i)) {
			return false
		}
	}
	return true
}

// MapBuilder makes a [MapValue]. The zero value is an empty map.
type MapBuilder struct {
	keys MapKeys
	vals []Value
	of   *MapKeys // the keys of another map, as long as no key was added to them
}

// Grow makes room for n entries.
func (b *MapBuilder) Grow(n int) {
	if cap(b.vals) < n {
		room := make([]Value, 2*n)
		b.keys.keys = append(room[:0:n], b.keys.keys...)
		b.vals = append(room[n:n], b.vals...)
	}
}

// Put sets the value under key.
func (b *MapBuilder) Put(key, value Value) {
	k := &b.keys
	if b.of != nil {
		k = b.of
	}
	if i := k.find(key); i >= 0 {
		b.vals[i] = value
		return
	}
	b.own()
	b.add(key, value)
}

// own makes the builder's keys its own.
func (b *MapBuilder) own() {
	if b.of == nil {
		return
	}
	b.keys.keys = append(make([]Value, 0, cap(b.vals)), b.of.keys...)
	b.keys.other = b.of.other
	if b.of.index != nil {
		b.keys.index = make(map[string]int, cap(b.vals))
		for k, i := range b.of.index {
			b.keys.index[k] = i
		}
	}
	b.of = nil
}

// add puts an entry whose key is not there yet.
func (b *MapBuilder) add(key, value Value) {
	b.keys.keys = append(b.keys.keys, key)
	b.keys.other = b.keys.other || key.Kind() != KindString
	b.vals = append(b.vals, value)
	n := len(b.keys.keys)
	switch {
	case b.keys.index != nil:
		if key.Kind() == KindString {
			b.keys.index[key.Str()] = n - 1
		}
	case n > mapScan:
		b.keys.index = NewMapKeys(b.keys.keys).index
	}
}

// PutString sets the value under a string key.
func (b *MapBuilder) PutString(key string, value Value) { b.Put(OfString(key), value) }

// Build returns the map; the builder must not be used afterwards.
func (b *MapBuilder) Build() *MapValue {
	if b.of != nil {
		m := mapValue(b.of, b.vals)
		return &m
	}
	return newOwnMap(b.keys, b.vals)
}

// CopyMap returns a builder that holds the entries of m, with room for extra
// more: the way to a changed copy of a map, since maps are never written. While
// nothing is added the copy has m's keys.
func CopyMap(m *MapValue, extra int) MapBuilder {
	n := m.Len()
	b := MapBuilder{vals: make([]Value, n, n+extra)}
	if n > 0 {
		b.of = m.keys
		copy(b.vals, m.values())
	}
	return b
}
