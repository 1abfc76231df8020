package data

import "hash/maphash"

// MapOf is [NewMap] in linear time whatever the keys are: for maps whose size
// somebody outside decides.
func MapOf(entries []MapEntry) *MapValue {
	if len(entries) <= mapScan {
		return NewMap(entries)
	}
	m := &MapValue{entries: entries[:0], index: make(map[string]int, len(entries))}
	for i := range entries {
		if entries[i].Key.kind != KindString {
			return mapOfAny(m, entries)
		}
	}
	return mapOfStrings(m, entries)
}

func mapOfStrings(m *MapValue, entries []MapEntry) *MapValue {
	for _, e := range entries {
		if i, dup := m.index[e.Key.Str()]; dup {
			m.entries[i].Value = e.Value
			continue
		}
		m.index[e.Key.Str()] = len(m.entries)
		m.entries = append(m.entries, e)
	}
	return m
}

func mapOfAny(m *MapValue, entries []MapEntry) *MapValue {
	last := make(map[uint64]int, len(entries)) // by hash: the last entry of it, plus one
	before := make([]int, 0, len(entries))     // of an entry: the one before it with its hash
next:
	for _, e := range entries {
		h := e.Key.hash()
		for i := last[h]; i > 0; i = before[i-1] {
			if m.entries[i-1].Key.Equal(e.Key) {
				m.entries[i-1].Value = e.Value
				continue next
			}
		}
		m.entries = append(m.entries, e)
		before = append(before, last[h])
		last[h] = len(m.entries)
		if e.Key.kind == KindString {
			m.index[e.Key.Str()] = len(m.entries) - 1
		}
	}
	return m
}

// hash returns a hash that equal values share.
func (v Value) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	_ = h.WriteByte(byte(v.kind))
	switch v.kind {
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
