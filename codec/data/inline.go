package data

import "slices"

// inline is a struct value together with the room for its values: one
// allocation where two would be made.
type inline[A any] struct {
	s StructValue
	a A
}

// AllocStruct returns a struct of schema s whose slots are all null, and the
// slots, which the caller fills before it shows the struct to anybody. Structs
// of up to sixteen fields cost one allocation, larger ones two.
func AllocStruct(s *Schema) (*StructValue, []Value) {
	n := len(s.fields)
	var st *StructValue
	switch {
	case n == 1:
		p := &inline[[1]Value]{}
		p.s.vals, st = p.a[:], &p.s
	case n == 2:
		p := &inline[[2]Value]{}
		p.s.vals, st = p.a[:], &p.s
	case n == 3:
		p := &inline[[3]Value]{}
		p.s.vals, st = p.a[:], &p.s
	case n == 4:
		p := &inline[[4]Value]{}
		p.s.vals, st = p.a[:], &p.s
	case n <= 6:
		p := &inline[[6]Value]{}
		p.s.vals, st = p.a[:n:n], &p.s
	case n <= 8:
		p := &inline[[8]Value]{}
		p.s.vals, st = p.a[:n:n], &p.s
	case n <= 12:
		p := &inline[[12]Value]{}
		p.s.vals, st = p.a[:n:n], &p.s
	case n <= 16:
		p := &inline[[16]Value]{}
		p.s.vals, st = p.a[:n:n], &p.s
	default:
		st = &StructValue{vals: make([]Value, n)}
	}
	st.schema = s
	return st, st.vals
}

// arenaChunk is how many structs an arena makes at once. Records leave a
// pipeline about in the order in which they came, so what a chunk keeps alive
// beyond its time is at most so many values.
const arenaChunk = 16

// StructArena makes structs for a stage that makes one for each record: a chunk
// of them costs two allocations. A chunk lives for as long as one of its structs
// is referenced. The zero value is ready; it is not safe for concurrent use.
type StructArena struct {
	structs []StructValue
	vals    []Value
}

// New is [AllocStruct] out of the arena.
func (a *StructArena) New(s *Schema) (*StructValue, []Value) {
	n := len(s.fields)
	if n > arenaChunk {
		return AllocStruct(s) // large enough to be worth an allocation of its own
	}
	if len(a.vals) < n {
		a.vals = slices.Grow([]Value(nil), arenaChunk*n)
		a.vals = a.vals[:cap(a.vals)] // the allocator may have given more
	}
	vals := a.vals[:n:n]
	a.vals = a.vals[n:]
	return a.Share(s, vals), vals
}

// Share returns a struct of schema s, out of the arena, whose slots are vals, one a
// field: another struct's, or part of them.
func (a *StructArena) Share(s *Schema, vals []Value) *StructValue {
	if len(a.structs) == 0 {
		a.structs = make([]StructValue, arenaChunk)
	}
	st := &a.structs[0]
	a.structs = a.structs[1:]
	st.schema, st.vals = s, vals
	return st
}
