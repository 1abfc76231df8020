package expr

import (
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/troupeio/troupe/codec/data"
)

// typeProvider knows the structs of a record's schemas as types of CEL.
type typeProvider struct {
	*types.Registry
	structs map[string]*data.Schema
}

func newTypeProvider() (*typeProvider, error) {
	r, err := types.NewRegistry()
	return &typeProvider{Registry: r, structs: make(map[string]*data.Schema)}, err
}

// typeOf returns the type of the values of a schema; name is for a struct that is
// met there. Integers are int, floats and decimals double. An optional scalar may
// be compared with null.
func (p *typeProvider) typeOf(s *data.Schema, name string) *types.Type {
	if s == nil {
		return types.DynType
	}
	var t *types.Type
	switch s.Logical() {
	case data.LogicalDate, data.LogicalTime, data.LogicalTimestamp:
		return types.TimestampType
	case data.LogicalDecimal:
		t = types.DoubleType
	default:
		switch s.Type() {
		case data.Int8, data.Int16, data.Int32, data.Int64:
			t = types.IntType
		case data.Float32, data.Float64:
			t = types.DoubleType
		case data.Boolean:
			t = types.BoolType
		case data.String:
			t = types.StringType
		case data.Bytes:
			t = types.BytesType
		case data.Array:
			return types.NewListType(p.typeOf(s.ValueSchema(), name))
		case data.Map:
			return types.NewMapType(p.typeOf(s.KeySchema(), name+".key"), p.typeOf(s.ValueSchema(), name))
		default:
			p.structs[name] = s
			return types.NewObjectType(name)
		}
	}
	if s.Optional() {
		return types.NewNullableType(t)
	}
	return t
}

// side returns the type of a whole value or key: null can stand in its place whatever
// the schema of the others is, so that a scalar may always be compared with null.
func (p *typeProvider) side(s *data.Schema, name string) *types.Type {
	t := p.typeOf(s, name)
	switch t.Kind() {
	case types.IntKind, types.DoubleKind, types.BoolKind, types.StringKind, types.BytesKind:
		return types.NewNullableType(t)
	}
	return t
}

// FindStructType implements [types.Provider].
func (p *typeProvider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.structs[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements [types.Provider].
func (p *typeProvider) FindStructFieldNames(name string) ([]string, bool) {
	s, ok := p.structs[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	var out []string
	for _, f := range s.Fields() {
		out = append(out, f.Name)
	}
	return out, true
}

// FindStructFieldType implements [types.Provider].
func (p *typeProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	s, ok := p.structs[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, field)
	}
	f := s.Field(field)
	if f == nil {
		return nil, false
	}
	slot := f.Index
	get := func(target any) (data.Value, bool) {
		st, ok := target.(*data.StructValue)
		if !ok || slot >= len(st.Values()) {
			return data.Null, false
		}
		return st.GetAt(slot), true
	}
	return &types.FieldType{
		Type: p.typeOf(f.Schema, name+"."+field),
		IsSet: func(target any) bool {
			v, ok := get(target)
			return ok && !v.IsNull()
		},
		GetFrom: func(target any) (any, error) {
			v, ok := get(target)
			if !ok {
				return nil, fmt.Errorf("there is no field %s in null", field)
			}
			return toCEL(v), nil
		},
	}, true
}

// NewValue implements [types.Provider]: an expression makes maps, no structs.
func (p *typeProvider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.structs[name]; ok {
		return types.NewErr("a %s cannot be made; write a map", name)
	}
	return p.Registry.NewValue(name, fields)
}

// schemaOf is the way back: the schema of what an expression of a type gives.
func (p *typeProvider) schemaOf(t *types.Type) (*data.Schema, error) {
	switch t.Kind() {
	case types.IntKind, types.UintKind:
		return wrapped(data.Int64, t), nil
	case types.DoubleKind:
		return wrapped(data.Float64, t), nil
	case types.BoolKind:
		return wrapped(data.Boolean, t), nil
	case types.StringKind:
		return wrapped(data.String, t), nil
	case types.BytesKind:
		return wrapped(data.Bytes, t), nil
	case types.TimestampKind:
		return data.OptionalTimestampSchema, nil
	case types.ListKind:
		elem, err := p.schemaOf(t.Parameters()[0])
		if err != nil {
			return nil, err
		}
		return data.NewArraySchema(elem).Optional().Build()
	case types.MapKind:
		key, err := p.schemaOf(t.Parameters()[0])
		if err != nil {
			return nil, err
		}
		value, err := p.schemaOf(t.Parameters()[1])
		if err != nil {
			return nil, err
		}
		return data.NewMapSchema(key, value).Optional().Build()
	case types.StructKind:
		if s := p.structs[t.TypeName()]; s != nil {
			return s.With(true, data.Null), nil
		}
	}
	return nil, fmt.Errorf("its type is %s, of which no schema can be made; say what it is with int(), double(), string() or bool()", t)
}

// wrapped returns the schema of a scalar, optional for a type that has null.
func wrapped(t data.Type, of *types.Type) *data.Schema {
	return data.PrimitiveSchema(t, of.IsAssignableType(types.NullType))
}
