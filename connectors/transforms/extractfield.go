package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const (
	extractPurpose = "field extraction"
	nestedPurpose  = "nested field access"
)

// extractField replaces the key or value by one of its fields.
type extractField struct {
	side        side
	path        string
	steps       []string
	withDefault bool
	cache       *data.SchemaCache[*data.Schema] // of the field
}

func extractFieldSpec() spec {
	return spec{
		name: "ExtractField", sides: true,
		paths: []string{"field"},
		keys: []configdef.Key{
			{Name: "field", Type: configdef.String, Default: configdef.Required, Importance: configdef.Medium, Doc: "Field name to extract."},
			replaceNullKey(),
			syntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			return newExtractField(side, c)
		},
	}
}

func newExtractField(side side, c *configdef.Values) (connectors.Transformation, error) {
	path, ok := c.NullableString("field")
	t := &extractField{side: side, path: path, steps: []string{path}, cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}
	var steps []pathStep
	var err error
	switch {
	case !usesPaths(c) && !ok:
		t.path = "null" // no field has that name, which is none
	case !ok:
		return nil, nullSetting("field")
	case usesPaths(c):
		if steps, err = parsePath(path); err != nil {
			return nil, err
		}
		t.steps = nil
		for _, s := range steps {
			t.steps = append(t.steps, s.name)
		}
	}
	if t.withDefault, err = nullDefaults(c); err != nil {
		return nil, err
	}
	if throughArrays(steps) {
		return &extractElements{side: side, reader: newFieldReader(path, steps, t.withDefault)}, nil
	}
	return t, nil
}

// Apply implements [connectors.Transformation].
func (t *extractField) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if *schema == nil {
		if value.IsNull() {
			return true, nil
		}
		m, err := requireMap(*value, extractPurpose)
		if err != nil {
			return false, err
		}
		*value, err = t.fromMap(m)
		return err == nil, err
	}
	var st *data.StructValue
	if !value.IsNull() {
		var err error
		if st, err = requireStruct(*value, extractPurpose); err != nil {
			return false, err
		}
	}
	updated, ok := t.cache.Get(*schema)
	if !ok {
		var err error
		if updated, err = t.fieldSchema(*schema); err != nil {
			return false, err
		}
		t.cache.Put(*schema, updated)
	}
	out := data.Null
	if st != nil {
		var err error
		if out, err = t.fromStruct(st); err != nil {
			return false, err
		}
	}
	*schema, *value = updated, out
	return true, nil
}

// noSteps is what Java says of the empty path of version 2.
func noSteps() error { return recordError(illegalArgument, "fromIndex(0) > toIndex(-1)") }

func (t *extractField) fieldSchema(s *data.Schema) (*data.Schema, error) {
	if len(t.steps) == 0 {
		return nil, noSteps()
	}
	for _, step := range t.steps {
		if s.Type() != data.Struct {
			return nil, data.Errorf("Cannot look up fields on non-struct type")
		}
		f := s.Field(step)
		if f == nil {
			return nil, recordError(illegalArgument, "Unknown field: "+t.path)
		}
		s = f.Schema
	}
	return s, nil
}

func (t *extractField) fromMap(m *data.MapValue) (data.Value, error) {
	if len(t.steps) == 0 {
		return data.Null, noSteps()
	}
	last := len(t.steps) - 1
	for _, step := range t.steps[:last] {
		v, _ := m.Get(step)
		if v.IsNull() {
			return v, nil
		}
		var err error
		if m, err = requireMap(v, nestedPurpose); err != nil {
			return v, err
		}
	}
	v, _ := m.Get(t.steps[last])
	return v, nil
}

// fromStruct reads from a struct whose own schema may lack the fields that the
// record's schema has: then there is nothing.
func (t *extractField) fromStruct(st *data.StructValue) (data.Value, error) {
	last := len(t.steps) - 1
	for _, step := range t.steps[:last] {
		v, _ := st.Get(step)
		if v.IsNull() {
			return v, nil
		}
		var err error
		if st, err = requireStruct(v, nestedPurpose); err != nil {
			return v, err
		}
	}
	if t.withDefault {
		v, _ := st.Get(t.steps[last])
		return v, nil
	}
	v, _ := st.GetWithoutDefault(t.steps[last])
	return v, nil
}
