package codec

import (
	"errors"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

const schemaProjectorException = "org.apache.kafka.connect.errors.SchemaProjectorException"

func projectorError(msg string, cause error) error {
	return &Error{Class: schemaProjectorException, Msg: msg, Cause: cause}
}

// Project turns v of schema source into a value of schema target, between
// versions of a schema: fields may come and go when they are optional or have a
// default, and numbers may become wider. It is SchemaProjector.project; an
// [Error] says why the schemas don't fit.
func Project(source *data.Schema, v data.Value, target *data.Schema) (data.Value, error) {
	if err := compatible(source, target); err != nil {
		return data.Null, err
	}
	if source.Optional() && !target.Optional() {
		def := target.Default()
		if def.IsNull() {
			return data.Null, projectorError("Writer schema is optional, however, target schema does not provide a default value.", nil)
		}
		if v.IsNull() {
			return def, nil
		}
	}
	if v.IsNull() {
		return data.Null, nil
	}
	switch target.Type() {
	case data.Struct:
		return projectStruct(source, v, target)
	case data.Array:
		if v.Kind() != data.KindArray {
			return data.Null, wrongClass(v, "java.util.Collection")
		}
		out := make([]data.Value, len(v.Elems()))
		for i, e := range v.Elems() {
			var err error
			if out[i], err = Project(source.ValueSchema(), e, target.ValueSchema()); err != nil {
				return data.Null, err
			}
		}
		return data.OfArray(out), nil
	case data.Map:
		if v.Kind() != data.KindMap {
			return data.Null, wrongClass(v, "java.util.Map")
		}
		out := make([]data.MapEntry, 0, v.Map().Len())
		for _, e := range v.Map().Entries() {
			key, err := Project(source.KeySchema(), e.Key, target.KeySchema())
			if err != nil {
				return data.Null, err
			}
			val, err := Project(source.ValueSchema(), e.Value, target.ValueSchema())
			if err != nil {
				return data.Null, err
			}
			out = append(out, data.MapEntry{Key: key, Value: val})
		}
		return data.OfMap(data.MapOf(out)), nil
	}
	return widen(source.Type(), v, target.Type()), nil
}

func wrongClass(v data.Value, class string) error {
	return data.Errorf("class %s cannot be cast to class %s", v.Kind().JavaClass(), class)
}

func compatible(source, target *data.Schema) error {
	switch {
	case source.Type() != target.Type() && !promotable(source.Type(), target.Type()):
		return projectorError("Schema type mismatch. source type: "+source.Type().String()+" and target type: "+target.Type().String(), nil)
	case source.Name() != target.Name() || source.HasName() != target.HasName():
		return projectorError("Schema name mismatch. source name: "+nameOf(source)+" and target name: "+nameOf(target), nil)
	case !sameParams(source, target):
		return projectorError("Schema parameters not equal. source parameters: "+paramsText(source)+" and target parameters: "+paramsText(target), nil)
	}
	return nil
}

// promotable reports whether a number of type from may become one of type to:
// the types stand in the order of their width.
func promotable(from, to data.Type) bool {
	return from >= data.Int8 && to <= data.Float64 && from < to
}

func nameOf(s *data.Schema) string {
	if !s.HasName() {
		return "null"
	}
	return s.Name()
}

func sameParams(a, b *data.Schema) bool {
	if len(a.Params()) != len(b.Params()) {
		return false
	}
	for _, p := range a.Params() {
		if v, ok := b.Param(p.Key); !ok || v != p.Value {
			return false
		}
	}
	return true
}

func paramsText(s *data.Schema) string {
	if len(s.Params()) == 0 {
		return "null"
	}
	var b strings.Builder
	for i, p := range s.Params() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Key + "=" + p.Value)
	}
	return "{" + b.String() + "}"
}

func projectStruct(source *data.Schema, v data.Value, target *data.Schema) (data.Value, error) {
	st := v.Struct()
	if st == nil {
		return data.Null, wrongClass(v, "org.apache.kafka.connect.data.Struct")
	}
	vals := make([]data.Value, len(target.Fields()))
	for i, f := range target.Fields() {
		from := source.Field(f.Name)
		switch {
		case from != nil:
			val, ok := st.Get(f.Name)
			if !ok {
				return data.Null, data.Errorf("%s is not a valid field name", f.Name)
			}
			out, err := Project(from.Schema, val, f.Schema)
			if e := (*Error)(nil); errors.As(err, &e) {
				return data.Null, projectorError("Error projecting "+f.Name, e)
			}
			if err == nil {
				err = data.ValidateField(f.Name, f.Schema, out)
			}
			if err != nil {
				return data.Null, err
			}
			vals[i] = out
		case f.Schema.Optional(): // stays unset
		case !f.Schema.Default().IsNull():
			vals[i] = f.Schema.Default()
		default:
			return data.Null, projectorError("Required field `"+f.Name+"` is missing from source schema: "+source.String(), nil)
		}
	}
	return data.OfStruct(data.NewStruct(target, vals)), nil
}

// widen makes a number of type from one of type to, whatever number it really is.
// What is no number stays as it is, as it does in Java.
func widen(from data.Type, v data.Value, to data.Type) data.Value {
	if from > data.Float64 || v.Kind() == data.Kind(to) || !isNumber(v) {
		return v
	}
	return numberOf(v, to)
}
