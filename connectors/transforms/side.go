package transforms

import (
	"github.com/troupeio/troupe/codec/data"
)

// side says on which half of a record a transform works: its $Key or its $Value
// form.
type side uint8

const (
	valueSide side = iota
	keySide
	headerSide // ExtractTopic alone works on it; it has no place of its own
)

// at returns the places of the schema and the value in the record's slot.
func (s side) at(r *data.Record) (schema **data.Schema, value *data.Value) {
	if s == keySide {
		return &r.KeySchema, &r.Key
	}
	return &r.ValueSchema, &r.Value
}

// cachedSchemas is how many schemas a transform remembers results for.
const cachedSchemas = 16

// className is what Kafka Connect's messages call a value's class; "null" for null.
func className(v data.Value) string { return v.Kind().JavaClass() }

// requireMap returns a schemaless value's map.
func requireMap(v data.Value, purpose string) (*data.MapValue, error) {
	if m := v.Map(); m != nil {
		return m, nil
	}
	return nil, data.Errorf("Only Map objects supported in absence of schema for [%s], found: %s", purpose, className(v))
}

// requireStruct returns a value's struct.
func requireStruct(v data.Value, purpose string) (*data.StructValue, error) {
	if s := v.Struct(); s != nil {
		return s, nil
	}
	return nil, data.Errorf("Only Struct objects supported for [%s], found: %s", purpose, className(v))
}

// requireFields returns the fields of a struct schema.
func requireFields(s *data.Schema) ([]data.Field, error) {
	if s.Type() != data.Struct {
		return nil, data.Errorf("Cannot list fields on non-struct type")
	}
	return s.Fields(), nil
}

// fieldValue reads slot i, with the field's default in place of null if wanted.
func fieldValue(s *data.StructValue, i int, withDefault bool) data.Value {
	if withDefault {
		return s.GetAt(i)
	}
	return s.At(i)
}

// checkNull refuses a null for a required field, with or without default, as
// Struct.put does. A value that comes out of a struct with the same field schema
// needs no more of a check than this.
func checkNull(f *data.Field, v data.Value) error {
	if v.IsNull() && !f.Schema.Optional() {
		return data.ValidateField(f.Name, f.Schema, v)
	}
	return nil
}

// copyFields fills dst with the values of src, field by field under the same
// schemas, with defaults in place of nulls if wanted.
func copyFields(dst []data.Value, src *data.StructValue, withDefault bool) error {
	for i, v := range src.Values() {
		if v.IsNull() {
			v = fieldValue(src, i, withDefault)
			if err := checkNull(&src.Schema().Fields()[i], v); err != nil {
				return err
			}
		}
		dst[i] = v
	}
	return nil
}
