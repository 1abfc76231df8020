package data

import "hash/maphash"

// MapOf is [NewMap] in linear time whatever the keys are: for maps whose size
// somebody outside decides.
func MapOf(entries []MapEntry) *MapValue {
	if len(entries) <= mapScan {
		return NewMap(entries)
	}
	for i := range entries {
		if entries[i].Key.Kind() != KindString {
			return mapOfAny(entries)
		}
	}
	b := MapBuilder{keys: MapKeys{index: make(map[string]int, len(entries))}}
	b.Grow(len(entries))
	for i := range entries { // by the index, which is there from the first
		b.Put(entries[i].Key, entries[i].Value)
	}
	return b.Build()
}

func mapOfAny(entries []MapEntry) *MapValue {
	b := MapBuilder{keys: MapKeys{index: make(map[string]int, len(entries))}}
	b.Grow(len(entries))
	last := make(map[uint64]int, len(entries)) // by hash: the last entry of it, plus one
	before := make([]int, 0, len(entries))     // of an entry: the one before it with its hash
next:
	for _, e := range entries {
		h := e.Key.hash()
		for i := last[h]; i > 0; i = before[i-1] {
			if b.keys.keys[i-1].Equal(e.Key) {
				b.vals[i-1] = e.Value
				continue next
			}
		}
		b.add(e.Key, e.Value)
		before = append(before, last[h])
		last[h] = len(b.vals)
	}
	return b.Build()
}

// hash returns a hash that equal values share.
func (v Value) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	_ = h.WriteByte(byte(v.Kind()))
	switch v.Kind() {
	case KindString, KindBytes:
		_, _ = h.Write(v.Bytes())
	case KindNull, KindInt8, KindInt16, KindInt32, KindInt64, KindBoolean, KindDate:
		maphash.WriteComparable(&h, v.n)
	case KindMap:
		maphash.WriteComparable(&h, v.Map().Len()) // the order of entries has no meaning
	case KindArray:
		for _, e := range v.Elems() {
			maphash.WriteComparable(&h, e.hash())
		}
	case KindStruct:
		for _, e := range v.Struct().vals {
			maphash.WriteComparable(&h, e.hash())
		}
	default: // floats and decimals by their text: NaN is NaN
		_, _ = h.WriteString(v.String())
	}
	return h.Sum64()
}
