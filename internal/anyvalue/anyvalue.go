// Package anyvalue draws values of Connect schemas for property tests. Only tests
// import it.
package anyvalue

import (
	"math"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
)

const millisPerDay = 86_400_000

// Values says which values are drawn.
type Values struct {
	// JSONFloats leaves out the infinities, and zero, whose sign JSON may lose.
	JSONFloats bool
	// Union tells the structs of which exactly one field is set. Nil: none.
	Union func(*data.Schema) bool
	// Special draws the values of schemas that a converter takes for something else
	// than their type says. Nil: none.
	Special func(*rapid.T, *data.Schema) (data.Value, bool)

	depth int // structs around
}

// deepest is how many structs are around where what contains itself comes to its end.
const deepest = 4

// Draw draws a valid value of s, null too where s is optional and has no default.
func (d *Values) Draw(t *rapid.T, s *data.Schema) data.Value {
	if s.Optional() && s.Default().IsNull() && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return data.Null
	}
	if d.depth > deepest && s.Recursive() {
		switch {
		case s.Optional() && s.Default().IsNull():
			return data.Null
		case s.Type() == data.Array:
			return data.OfArray([]data.Value{})
		case s.Type() == data.Map:
			return data.OfMap(data.NewMap(nil))
		}
	}
	if d.Special != nil {
		if v, ok := d.Special(t, s); ok {
			return v
		}
	}
	switch s.Logical() {
	case data.LogicalDecimal:
		scale, _ := s.Scale()
		return data.OfDecimal(data.NewDecimal(rapid.Int64().Draw(t, "unscaled"), scale))
	case data.LogicalDate:
		return data.OfDate(int64(rapid.Int32().Draw(t, "days")) * millisPerDay)
	case data.LogicalTime:
		return data.OfDate(rapid.Int64Range(0, millisPerDay).Draw(t, "time"))
	case data.LogicalTimestamp:
		return data.OfDate(rapid.Int64().Draw(t, "timestamp"))
	}
	written := func(f float64) bool { return !d.JSONFloats || f != 0 && !math.IsInf(f, 0) }
	switch s.Type() {
	case data.Int8:
		return data.OfInt8(rapid.Int8().Draw(t, "int8"))
	case data.Int16:
		return data.OfInt16(rapid.Int16().Draw(t, "int16"))
	case data.Int32:
		return data.OfInt32(rapid.Int32().Draw(t, "int32"))
	case data.Int64:
		return data.OfInt64(rapid.Int64().Draw(t, "int64"))
	case data.Float32:
		return data.OfFloat32(rapid.Float32().Filter(func(f float32) bool { return written(float64(f)) }).Draw(t, "float"))
	case data.Float64:
		return data.OfFloat64(rapid.Float64().Filter(written).Draw(t, "double"))
	case data.Boolean:
		return data.OfBool(rapid.Bool().Draw(t, "boolean"))
	case data.String:
		return data.OfString(rapid.String().Draw(t, "string"))
	case data.Bytes:
		return data.OfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case data.Array:
		out := []data.Value{}
		for range rapid.IntRange(0, most(s, 4)).Draw(t, "elements") {
			out = append(out, d.Draw(t, s.ValueSchema()))
		}
		return data.OfArray(out)
	case data.Map:
		var b data.MapBuilder
		for range rapid.IntRange(0, most(s, 15)).Draw(t, "entries") {
			b.Put(d.Draw(t, s.KeySchema()), d.Draw(t, s.ValueSchema()))
		}
		return data.OfMap(b.Build())
	}
	return d.structOf(t, s)
}

func (d *Values) structOf(t *rapid.T, s *data.Schema) data.Value {
	d.depth++
	defer func() { d.depth-- }()
	vals := make([]data.Value, len(s.Fields()))
	if d.Union == nil || !d.Union(s) {
		for i, f := range s.Fields() {
			vals[i] = d.Draw(t, f.Schema)
		}
		return data.OfStruct(data.NewStruct(s, vals))
	}
	i := rapid.IntRange(0, len(vals)-1).Draw(t, "branch")
	f := s.Fields()[i].Schema
	vals[i] = d.Draw(t, f.With(false, data.Null))
	if st := vals[i].Struct(); st != nil {
		vals[i] = data.OfStruct(data.NewStruct(f, st.Values()))
	}
	return data.OfStruct(data.NewStruct(s, vals))
}

// most is how many values are drawn for an array or a map: fewer of what contains
// itself, which would grow at each level.
func most(s *data.Schema, n int) int {
	if s.Recursive() {
		return 2
	}
	return n
}
