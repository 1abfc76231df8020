package expr

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/troupeio/troupe/codec/data"
)

// variables are those of one record. It is an activation of CEL.
type variables struct {
	r       *data.Record
	headers *data.MapValue
}

func (v *variables) reset(r *data.Record) { v.r, v.headers = r, nil }

// Parent implements [cel.Activation].
func (v *variables) Parent() cel.Activation { return nil }

// ResolveName implements [cel.Activation].
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "value":
		return toCEL(v.r.Value), true
	case "key":
		return toCEL(v.r.Key), true
	case "topic":
		return types.String(v.r.Topic), true
	case "partition":
		if v.r.Partition == data.NoPartition {
			return types.NullValue, true
		}
		return types.Int(v.r.Partition), true
	case "offset":
		if !v.r.Sink {
			return types.NullValue, true
		}
		return types.Int(v.r.Offset), true
	case "timestamp":
		if v.r.Timestamp == data.NoTimestamp {
			return types.NullValue, true
		}
		return types.Timestamp{Time: time.UnixMilli(v.r.Timestamp).UTC()}, true
	case "headers":
		if v.headers == nil {
			var b data.MapBuilder
			for h := range v.r.Headers.All() {
				b.PutString(h.Key, h.Value) // the last of a name counts
			}
			v.headers = b.Build()
		}
		return mapVal{v.headers}, true
	}
	return nil, false
}

// adapter makes values of CEL of what it does not know.
type adapter struct{}

// NativeToValue implements [types.Adapter].
func (adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case data.Value:
		return toCEL(v)
	case *data.StructValue:
		return structVal{v}
	case *data.MapValue:
		return mapVal{v}
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// toCEL returns a value as one of CEL. Nothing but arrays is copied.
func toCEL(v data.Value) ref.Val {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return types.Int(v.Int())
	case data.KindFloat32, data.KindFloat64:
		return types.Double(v.Float())
	case data.KindDecimal:
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return types.NewErr("the decimal %s is out of the range of a double", v)
		}
		return types.Double(f)
	case data.KindBoolean:
		return types.Bool(v.Bool())
	case data.KindString:
		return types.String(v.Str())
	case data.KindBytes:
		return types.Bytes(v.Bytes())
	case data.KindDate:
		return types.Timestamp{Time: v.Time()}
	case data.KindArray:
		out := make([]ref.Val, len(v.Elems()))
		for i, e := range v.Elems() {
			out[i] = toCEL(e)
		}
		return types.NewRefValList(adapter{}, out)
	case data.KindMap:
		return mapVal{v.Map()}
	case data.KindStruct:
		return structVal{v.Struct()}
	}
	return types.NullValue
}

// toData is the way back, to a value of schema s if there is one.
func toData(v ref.Val, s *data.Schema) (data.Value, error) {
	switch v := v.(type) {
	case types.Null:
		return data.Null, nil
	case types.Int:
		return data.OfInt64(int64(v)), nil
	case types.Uint:
		if v > math.MaxInt64 {
			return data.Null, fmt.Errorf("the number %d is too large", uint64(v))
		}
		return data.OfInt64(int64(v)), nil
	case types.Double:
		return data.OfFloat64(float64(v)), nil
	case types.Bool:
		return data.OfBool(bool(v)), nil
	case types.String:
		return data.OfString(string(v)), nil
	case types.Bytes:
		return data.OfBytes(v), nil
	case types.Timestamp:
		return data.OfDate(v.UnixMilli()), nil
	case structVal:
		if s != nil && s != v.st.Schema() { // the same, but for whether it may be null
			return data.OfStruct(data.NewStruct(s, v.st.Values())), nil
		}
		return data.OfStruct(v.st), nil
	case mapVal:
		if s == nil {
			return data.OfMap(v.m), nil
		}
		return mapToData(v.full(), s)
	case traits.Lister:
		return listToData(v, s)
	case traits.Mapper:
		return mapToData(v, s)
	}
	return data.Null, fmt.Errorf("a %s cannot be in a record", v.Type())
}

func listToData(l traits.Lister, s *data.Schema) (data.Value, error) {
	var elem *data.Schema
	if s != nil {
		elem = s.ValueSchema()
	}
	var out []data.Value
	for it := l.Iterator(); it.HasNext() == types.True; {
		e, err := toData(it.Next(), elem)
		if err != nil {
			return data.Null, err
		}
		out = append(out, e)
	}
	return data.OfArray(out), nil
}

func mapToData(m traits.Mapper, s *data.Schema) (data.Value, error) {
	var key, value *data.Schema
	if s != nil {
		key, value = s.KeySchema(), s.ValueSchema()
	}
	var b data.MapBuilder
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		kv, err := toData(k, key)
		if err != nil {
			return data.Null, err
		}
		vv, err := toData(m.Get(k), value)
		if err != nil {
			return data.Null, err
		}
		b.Put(kv, vv)
	}
	return data.OfMap(b.Build()), nil
}

// structVal is a struct of the record.
type structVal struct{ st *data.StructValue }

func (s structVal) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a struct cannot become a %v", t)
}

func (s structVal) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a struct cannot become a %s", t.TypeName())
}

func (s structVal) Equal(o ref.Val) ref.Val {
	other, ok := o.(structVal)
	return types.Bool(ok && data.OfStruct(s.st).Equal(data.OfStruct(other.st)))
}

func (s structVal) Type() ref.Type { return types.NewObjectType("Struct") }
func (s structVal) Value() any     { return s.st }

// Get reads a field where the types of an expression do not tell which struct it
// is.
func (s structVal) Get(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	v, ok := s.st.Get(string(name))
	if !ok {
		return types.NewErr("no such field: %s", name)
	}
	return toCEL(v)
}

func (s structVal) IsSet(field ref.Val) ref.Val {
	name, ok := field.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(field)
	}
	v, ok := s.st.Get(string(name))
	return types.Bool(ok && !v.IsNull())
}

// mapVal is a map of the record; looking into it copies nothing.
type mapVal struct{ m *data.MapValue }

// full is the map as one of CEL's own, for all but a look.
func (m mapVal) full() traits.Mapper {
	out := make(map[ref.Val]ref.Val, m.m.Len())
	for _, e := range m.m.Entries() {
		key := toCEL(e.Key)
		if b, ok := key.(types.Bytes); ok {
			key = types.String(b) // bytes are no key of a map in CEL
		}
		out[key] = toCEL(e.Value)
	}
	return types.NewRefValMap(adapter{}, out)
}

func (m mapVal) ConvertToNative(t reflect.Type) (any, error) { return m.full().ConvertToNative(t) }
func (m mapVal) ConvertToType(t ref.Type) ref.Val            { return m.full().ConvertToType(t) }
func (m mapVal) Equal(o ref.Val) ref.Val                     { return m.full().Equal(o) }
func (m mapVal) Type() ref.Type                              { return types.MapType }
func (m mapVal) Value() any                                  { return m.m }
func (m mapVal) Iterator() traits.Iterator                   { return m.full().Iterator() }
func (m mapVal) Size() ref.Val                               { return types.Int(m.m.Len()) }

func (m mapVal) Contains(key ref.Val) ref.Val {
	_, ok := m.Find(key)
	return types.Bool(ok)
}

func (m mapVal) Get(key ref.Val) ref.Val {
	v, ok := m.Find(key)
	if !ok {
		return types.NewErr("no such key: %v", key.Value())
	}
	return v
}

func (m mapVal) Find(key ref.Val) (ref.Val, bool) {
	if name, ok := key.(types.String); ok {
		v, ok := m.m.Get(string(name))
		return toCEL(v), ok
	}
	for _, e := range m.m.Entries() {
		if toCEL(e.Key).Equal(key) == types.True {
			return toCEL(e.Value), true
		}
	}
	return nil, false
}
