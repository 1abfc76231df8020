package transforms

import (
	"strings"

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
		keys: []configdef.Key{
			{Name: "field", Type: configdef.String, Default: configdef.Required, Importance: configdef.Medium, Doc: "Field name to extract."},
			{Name: "field.syntax.version", Type: configdef.String, Default: "V1", Importance: configdef.High,
				Validator: configdef.OneOfAnyCase("V1", "V2"),
				Doc: "Defines the version of the syntax to access fields. If set to `V1`, then the field paths are limited to access the elements at the root level of the struct or map. " +
					"If set to `V2`, the syntax will support accessing nested elements. To access nested elements, dotted notation is used. " +
					"If dots are already included in the field name, then backtick pairs can be used to wrap field names containing dots. " +
					"E.g. to access the subfield `baz` from a field named \"foo.bar\" in a struct/map the following format can be used to access its elements: \"`foo.bar`.baz\"."},
			replaceNullKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			path, ok := c.NullableString("field")
			t := &extractField{side: side, path: path, steps: []string{path}, withDefault: c.Bool(replaceNull),
				cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}
			if strings.EqualFold(c.String("field.syntax.version"), "V2") {
				if !ok {
					return nil, &connectors.Error{JavaClass: nullPointerException, Msg: "field is null", Class: connectors.Configuration}
				}
				var err error
				if t.steps, err = parsePath(path); err != nil {
					return nil, err
				}
			}
			return t, nil
		},
	}
}

// parsePath splits a path of KIP-821 into its steps. A step that begins with a
// backtick runs to the next one that stands before a dot or at the end and has
// no backslash before it; every other backtick stands for itself, and the
// backslash of one before a dot is dropped.
func parsePath(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	var steps []string
	for rest := path; ; {
		if !strings.HasPrefix(rest, "`") {
			step, after, more := strings.Cut(rest, ".")
			steps = append(steps, step)
			if !more {
				return steps, nil
			}
			rest = after
			continue
		}
		step, n := quotedStep(rest[1:])
		if n < 0 {
			at := len([]rune(path[:len(path)-len(rest)]))
			return nil, connectors.ConfigError("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it", path, at)
		}
		steps = append(steps, step)
		rest = rest[1+n:]
		if rest == "" {
			return steps, nil
		}
		rest = rest[1:] // the dot
	}
}

// quotedStep reads a step whose first backtick is behind us, and returns how many
// bytes it takes with its last backtick; -1 when that is not there.
func quotedStep(s string) (step string, n int) {
	var b strings.Builder
	from := 0
	for i := range len(s) {
		if s[i] != '`' {
			continue
		}
		end := i == len(s)-1
		if !end && s[i+1] != '.' {
			continue
		}
		// The first character of a step cannot be escaped: before it is the backtick.
		escaped := i > 0 && s[i-1] == '\\'
		if !escaped {
			b.WriteString(s[from:i])
			return b.String(), i + 1
		}
		if end {
			return "", -1
		}
		b.WriteString(s[from:i-1] + "`")
		from = i + 1
	}
	return "", -1
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

func (t *extractField) fromStruct(st *data.StructValue) (data.Value, error) {
	last := len(t.steps) - 1
	for _, step := range t.steps[:last] {
		v, err := field(st, step, true)
		if err != nil || v.IsNull() {
			return v, err
		}
		if st, err = requireStruct(v, nestedPurpose); err != nil {
			return v, err
		}
	}
	return field(st, t.steps[last], t.withDefault)
}

// field is Struct.get.
func field(st *data.StructValue, name string, withDefault bool) (data.Value, error) {
	f := st.Schema().Field(name)
	if f == nil {
		return data.Null, data.Errorf("%s is not a valid field name", name)
	}
	return fieldValue(st, f.Index, withDefault), nil
}
