package data

// Bounds of what an [Arena] makes at once.
const (
	groupRecords = 32
	groupValues  = 431      // 7 KiB: a size of which the runtime has large spans
	groupText    = 16 << 10 // bytes
	ownValues    = 128      // so many in one piece have an allocation of their own
)

// Arena makes the maps, arrays and structs of records that are read one after
// the other, for a group of records at once: a few allocations a group where
// each record would cost several. The zero value is ready; it is not safe for
// concurrent use.
//
// Whoever keeps one record keeps its group: thirty-one records beside it at most,
// with no more than 16 KiB of text (a longer record is in a group of its own)
// and 7 KiB of values that are not longer than theirs. All the chunks of a group
// begin and end with it, so that no group refers to another, which would keep
// the next in turn.
type Arena struct {
	vals    []Value
	maps    []MapValue
	structs []StructValue

	room    arenaSizes // of the chunks of this group that are not made yet
	used    arenaSizes // by this group
	records int        // begun in this group
	size    int        // records that this group is made for
	text    int        // bytes of text that it may still take
	over    bool       // a chunk was too small: the group ends with this record
}

type arenaSizes struct{ vals, maps, structs int }

// Begin tells that a record of so many bytes of text is read next.
func (a *Arena) Begin(text int) {
	if a.records < a.size && text <= a.text && !a.over {
		a.records++
		a.text -= text
		return
	}
	a.renew(text)
}

// renew begins a group, which is made for as many records of the last group's
// kind as the bounds allow, and for twice as many as that at most: who sees a
// record now and then need not hold much.
func (a *Arena) renew(text int) {
	n := max(a.records, 1)
	per := arenaSizes{(a.used.vals + n - 1) / n, (a.used.maps + n - 1) / n, (a.used.structs + n - 1) / n}
	size := min(2*n, groupRecords, groupValues/max(per.vals, 1), groupText/max((groupText-a.text)/n, 1))
	if a.records == 0 {
		size = 1
	}
	*a = Arena{size: max(size, 1), records: 1, text: groupText - text}
	a.room = arenaSizes{min(per.vals*a.size, groupValues), per.maps * a.size, per.structs * a.size}
}

// Values returns n null values, to be filled by the caller.
func (a *Arena) Values(n int) []Value {
	if n > len(a.vals) {
		return a.moreValues(n)
	}
	a.used.vals += n
	v := a.vals[:n:n]
	a.vals = a.vals[n:]
	return v
}

func (a *Arena) moreValues(n int) []Value {
	if n >= ownValues {
		return make([]Value, n)
	}
	a.used.vals += n
	if n > a.room.vals {
		a.over = true
		return make([]Value, n)
	}
	chunk := make([]Value, a.room.vals)
	a.vals, a.room.vals = chunk[n:], 0
	return chunk[:n:n]
}

// Map returns the map of these keys and values, of which there are as many.
func (a *Arena) Map(keys *MapKeys, vals []Value) *MapValue {
	if len(a.maps) == 0 {
		a.maps = make([]MapValue, max(a.room.maps, 1))
		a.over = a.over || a.room.maps == 0
		a.room.maps = 0
	}
	a.used.maps++
	m := &a.maps[0]
	a.maps = a.maps[1:]
	*m = mapValue(keys, vals)
	return m
}

// Struct returns a struct of schema s whose slots are all null, and the slots,
// to be filled by the caller.
func (a *Arena) Struct(s *Schema) (*StructValue, []Value) {
	if len(a.structs) == 0 {
		a.structs = make([]StructValue, max(a.room.structs, 1))
		a.over = a.over || a.room.structs == 0
		a.room.structs = 0
	}
	a.used.structs++
	st := &a.structs[0]
	a.structs = a.structs[1:]
	st.schema, st.vals = s, a.Values(len(s.fields))
	return st, st.vals
}
