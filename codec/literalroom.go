package codec

import "github.com/troupeio/troupe/codec/data"

// roomSchemas is how many schemas of arrays, and of maps, are kept.
const roomSchemas = 64

// literalRoom is what a reader of many literals keeps between them: schemas that
// come again, so that equal ones are one, and memory for elements. A nil room makes
// all anew. It is not safe for concurrent use.
type literalRoom struct {
	arrays map[*data.Schema]*data.Schema
	maps   map[[2]*data.Schema]*data.Schema
	elems  data.Chunks[data.Value]
}

// arrayOf is the schema of arrays whose elements have schema elem, which may be nil.
func (r *literalRoom) arrayOf(elem *data.Schema) *data.Schema {
	if r == nil {
		return data.NewArraySchema(elem).MustBuild()
	}
	return keep(&r.arrays, elem, func() *data.Schema { return data.NewArraySchema(elem).MustBuild() })
}

// mapOf is the schema of maps with keys and values of these schemas, which may be nil.
func (r *literalRoom) mapOf(key, value *data.Schema) *data.Schema {
	if r == nil {
		return data.NewMapSchema(key, value).MustBuild()
	}
	return keep(&r.maps, [2]*data.Schema{key, value}, func() *data.Schema { return data.NewMapSchema(key, value).MustBuild() })
}

// keep returns what is kept under a key, or makes it. When there is too much it
// begins anew.
func keep[K comparable](kept *map[K]*data.Schema, key K, build func() *data.Schema) *data.Schema {
	if s, ok := (*kept)[key]; ok {
		return s
	}
	if *kept == nil || len(*kept) >= roomSchemas {
		*kept = map[K]*data.Schema{}
	}
	s := build()
	(*kept)[key] = s
	return s
}

// copyElems returns a copy that nobody writes to.
func (r *literalRoom) copyElems(vs []data.Value) []data.Value {
	if r == nil {
		return append([]data.Value(nil), vs...)
	}
	out := r.elems.Take(len(vs))
	copy(out, vs)
	return out
}
