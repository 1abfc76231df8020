package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const flattenPurpose = "flattening"

// flatten brings the fields of nested structs and maps to the top.
type flatten struct {
	side      side
	delimiter string
	cache     *data.SchemaCache[*data.Schema]
	arena     data.StructArena
}

func flattenSpec() spec {
	return spec{
		name: "Flatten", sides: true,
		keys: []configdef.Key{{Name: "delimiter", Type: configdef.String, Default: ".", Importance: configdef.Medium,
			Doc: "Delimiter to insert between field names from the input record when generating field names for the output record"}},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			delimiter, ok := c.NullableString("delimiter")
			if !ok {
				delimiter = "null" // what Java makes of it between two strings
			}
			return &flatten{side: side, delimiter: delimiter, cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *flatten) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	switch {
	case value.IsNull():
		return true, nil
	case *schema == nil:
		m, err := requireMap(*value, flattenPurpose)
		if err != nil {
			return false, err
		}
		var b data.MapBuilder
		if err := t.fromMap(&b, m, ""); err != nil {
			return false, err
		}
		*value = data.OfMap(b.Build())
		return true, nil
	}
	st, err := requireStruct(*value, flattenPurpose)
	if err != nil {
		return false, err
	}
	updated, ok := t.cache.Get(*schema)
	if !ok {
		b := data.NewStructSchema().CopyBasics(*schema)
		if err := t.addFields(b, *schema, "", (*schema).Optional(), (*schema).Default().Struct()); err != nil {
			return false, err
		}
		if updated, err = b.Build(); err != nil {
			return false, err
		}
		t.cache.Put(*schema, updated)
	}
	out, vals := t.arena.New(updated)
	if like(st, *schema) {
		w := flatWriter{schema: updated, vals: vals}
		err = w.write(st)
	} else {
		err = t.writeByName(updated, vals, st, "")
	}
	if err != nil {
		return false, err
	}
	*schema, *value = updated, data.OfStruct(out)
	return true, nil
}

func (t *flatten) join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + t.delimiter + name
}

func (t *flatten) fromMap(b *data.MapBuilder, m *data.MapValue, prefix string) error {
	for _, e := range m.Entries() {
		key, err := stringKey(e.Key)
		if err != nil {
			return err
		}
		bare := e.Key.IsNull() && prefix == "" // stays null, and is nothing to prefix
		if e.Key.IsNull() {
			key = "null"
		}
		name := t.join(prefix, key)
		switch e.Value.Kind() {
		case data.KindMap:
			if bare && e.Value.Map().Len() > 0 {
				return recordError(nullPointerException, "the key of a map is null")
			}
			if err := t.fromMap(b, e.Value.Map(), name); err != nil {
				return err
			}
		case data.KindStruct:
			return data.Errorf("Flatten transformation does not support class %s for record without schemas (for field %s).", className(e.Value), name)
		case data.KindDate, data.KindDecimal:
			return data.Errorf("Flatten transformation was passed a value of type class %s which is not supported by Connect's data API", className(e.Value))
		default:
			if bare {
				b.Put(e.Key, e.Value)
			} else {
				b.PutString(name, e.Value)
			}
		}
	}
	return nil
}

// addFields adds the fields of s. optional: a struct around them may be null;
// def is the default of that struct, which gives its fields theirs.
func (t *flatten) addFields(b *data.SchemaBuilder, s *data.Schema, prefix string, optional bool, def *data.StructValue) error {
	for _, f := range s.Fields() {
		name := t.join(prefix, f.Name)
		opt := optional || f.Schema.Optional()
		fieldDef := f.Schema.Default()
		if fieldDef.IsNull() && def != nil {
			fieldDef = def.GetAt(f.Index)
		}
		switch f.Schema.Type() {
		case data.Struct:
			if f.Schema.Repeats() {
				return data.Errorf("Flatten transformation does not support a struct that contains itself (for field %s).", name)
			}
			if err := t.addFields(b, f.Schema, name, opt, fieldDef.Struct()); err != nil {
				return err
			}
		case data.Map:
			return data.Errorf("Flatten transformation does not support MAP for record with schemas (for field %s).", name)
		default:
			b.Field(name, f.Schema.With(opt, fieldDef))
		}
	}
	return nil
}

// like reports whether a struct is of that schema.
func like(st *data.StructValue, s *data.Schema) bool { return st.Schema() == s || st.Schema().Equal(s) }

// writeByName is for a struct that is of another schema than the record says.
func (t *flatten) writeByName(s *data.Schema, vals []data.Value, st *data.StructValue, prefix string) error {
	for i, f := range st.Schema().Fields() {
		name := t.join(prefix, f.Name)
		switch f.Schema.Type() {
		case data.Struct:
			if inner := st.At(i).Struct(); inner != nil {
				if err := t.writeByName(s, vals, inner, name); err != nil {
					return err
				}
			}
			continue
		case data.Map:
			return data.Errorf("Flatten transformation does not support MAP for record with schemas (for field %s).", name)
		}
		flat := s.Field(name)
		if flat == nil {
			return data.Errorf("%s is not a valid field name", name)
		}
		if err := data.ValidateField(name, flat.Schema, st.GetAt(i)); err != nil {
			return err
		}
		vals[flat.Index] = st.GetAt(i)
	}
	return nil
}

// flatWriter writes the leaves of a struct, in the order of its schema, into the
// slots of the flat one.
type flatWriter struct {
	schema *data.Schema
	vals   []data.Value
	next   int
}

func (w *flatWriter) write(st *data.StructValue) error {
	for i := range st.Schema().Fields() {
		f := &st.Schema().Fields()[i]
		if f.Schema.Type() == data.Struct {
			// A null here stays null whatever the default of the struct: its fields
			// have taken that over.
			if inner := st.At(i).Struct(); inner != nil {
				if !like(inner, f.Schema) {
					return data.Errorf("Struct schemas do not match.")
				}
				if err := w.write(inner); err != nil {
					return err
				}
			} else {
				w.next += leaves(f.Schema)
			}
			continue
		}
		v := st.GetAt(i)
		flat := &w.schema.Fields()[w.next]
		if err := checkNull(flat, v); err != nil {
			return err
		}
		w.vals[w.next] = v
		w.next++
	}
	return nil
}

// leaves counts the flat fields of a struct schema.
func leaves(s *data.Schema) int {
	n := 0
	for _, f := range s.Fields() {
		if f.Schema.Type() == data.Struct {
			n += leaves(f.Schema)
		} else {
			n++
		}
	}
	return n
}
