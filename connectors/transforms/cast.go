package transforms

import (
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const castPurpose = "cast types"

// cast changes the type of the whole key or value, or of some of its fields.
type cast struct {
	side        side
	spec        castSpecs
	withDefault bool
	cache       *data.SchemaCache[*castPlan]
	arena       data.StructArena
}

// castSpecs is the parsed setting: the type of the whole, or types by field. The
// order of the fields decides which of two errors shows.
type castSpecs struct {
	whole  data.Type
	types  map[string]data.Type
	fields []string
}

// castPlan is what becomes of the values of one schema.
type castPlan struct {
	schema *data.Schema
	fields []castField // of structs; nil for a cast of the whole
}

// castField is one field of the result.
type castField struct {
	schema *data.Schema // of the original
	to     data.Type    // 0: as it is
	field  *data.Field  // of the result
}

func castSpec() spec {
	return spec{
		name: "Cast", sides: true,
		paths: []string{"spec"},
		keys: []configdef.Key{
			{Name: "spec", Type: configdef.List, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.Lambda(func(_ string, value any) error {
					list, _ := value.([]string)
					_, err := parseCasts(list)
					return err
				}, "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>"),
				Doc: "List of fields and the type to cast them to of the form field1:type,field2:type to cast fields of Maps or Structs. A single type to cast the entire value. " +
					"Valid types are int8, int16, int32, int64, float32, float64, boolean, and string. Note that binary fields can only be cast to string."},
			replaceNullKey(), addedSyntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			specs, err := parseCasts(c.List("spec"))
			if err != nil {
				return nil, err
			}
			withDefault, err := nullDefaults(c)
			if err != nil {
				return nil, err
			}
			t := &cast{side: side, spec: specs, withDefault: withDefault, cache: data.NewSchemaCache[*castPlan](cachedSchemas)}
			if usesPaths(c) {
				return t.withPaths()
			}
			return t, nil
		},
	}
}

func parseCasts(list []string) (castSpecs, error) {
	out := castSpecs{types: make(map[string]data.Type)}
	if len(list) == 0 {
		return out, connectors.ConfigError("Must specify at least one field to cast.")
	}
	for _, m := range list {
		parts := splitColon(m)
		if len(parts) > 2 {
			// Kafka Connect names the setting of another transform here.
			return out, invalidValue("renames", javaList(list), "Invalid rename mapping: "+m)
		}
		switch len(parts) {
		case 0:
			return out, &connectors.Error{JavaClass: arrayIndex, Msg: "Index 1 out of bounds for length 0", Class: connectors.Configuration}
		case 1:
			to, err := castTarget(trim(parts[0]))
			if err != nil {
				return out, err
			}
			out.whole = to
		default:
			to, err := castTarget(trim(parts[1]))
			if err != nil {
				return out, err
			}
			name := trim(parts[0])
			if _, there := out.types[name]; !there {
				out.fields = append(out.fields, name)
			}
			out.types[name] = to
		}
	}
	out.fields = hashMapOrder(out.fields)
	if out.whole != 0 && len(list) > 1 {
		return out, connectors.ConfigError("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec")
	}
	return out, nil
}

func castTarget(name string) (data.Type, error) {
	upper := strings.ToUpper(name)
	to, ok := data.ParseType(upper)
	if !ok {
		return 0, invalidValue("Invalid type found in casting spec: "+name,
			"java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type."+upper, "")
	}
	if !to.IsPrimitive() || to == data.Bytes {
		return 0, connectors.ConfigError("Cast transformation does not support casting to %s; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]", to)
	}
	return to, nil
}

// Apply implements [connectors.Transformation].
func (t *cast) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	switch {
	case value.IsNull():
		return true, nil
	case *schema == nil:
		return t.applySchemaless(value)
	}
	plan, ok := t.cache.Get(*schema)
	if !ok {
		var err error
		if plan, err = t.plan(*schema); err != nil {
			return false, err
		}
		t.cache.Put(*schema, plan)
	}
	if t.spec.whole != 0 {
		v, err := castValue(*schema, *value, t.spec.whole)
		if err != nil {
			return false, err
		}
		*schema, *value = plan.schema, v
		return true, nil
	}
	st, err := requireStruct(*value, castPurpose)
	if err != nil {
		return false, err
	}
	if len(st.Values()) != len(plan.fields) {
		return false, data.Errorf("Struct schemas do not match.")
	}
	out, vals := t.arena.New(plan.schema)
	for i := range plan.fields {
		f := &plan.fields[i]
		v := fieldValue(st, i, t.withDefault)
		if f.to != 0 {
			if v, err = castValue(f.schema, v, f.to); err != nil {
				return false, err
			}
		}
		if err := checkNull(f.field, v); err != nil {
			return false, err
		}
		vals[i] = v
	}
	*schema, *value = plan.schema, data.OfStruct(out)
	return true, nil
}

func (t *cast) applySchemaless(value *data.Value) (bool, error) {
	if t.spec.whole != 0 {
		v, err := castValue(nil, *value, t.spec.whole)
		*value = v
		return err == nil, err
	}
	m, err := requireMap(*value, castPurpose)
	if err != nil {
		return false, err
	}
	b := data.CopyMap(m, len(t.spec.fields))
	for _, name := range t.spec.fields {
		v, _ := m.Get(name)
		if v, err = castValue(nil, v, t.spec.types[name]); err != nil {
			return false, err
		}
		b.PutString(name, v)
	}
	*value = data.OfMap(b.Build())
	return true, nil
}

func (t *cast) plan(s *data.Schema) (*castPlan, error) {
	if t.spec.whole != 0 {
		updated, err := castSchema(data.NewSchema(t.spec.whole).CopyBasics(s), s, t.spec.whole)
		return &castPlan{schema: updated}, err
	}
	fields, err := requireFields(s)
	if err != nil {
		return nil, err
	}
	b := data.NewStructSchema().CopyBasics(s).SetOptional(s.Optional())
	p := &castPlan{fields: make([]castField, len(fields))}
	for i, f := range fields {
		to := t.spec.types[f.Name]
		p.fields[i] = castField{schema: f.Schema, to: to}
		updated := f.Schema
		if to != 0 {
			if updated, err = castSchema(data.NewSchema(to), f.Schema, to); err != nil {
				return nil, err
			}
		}
		b.Field(f.Name, updated)
	}
	if !s.Default().IsNull() {
		// The struct as a whole is not of a type that can be cast, nor is its default.
		if _, err := castValue(s, s.Default(), data.Struct); err != nil {
			return nil, err
		}
	}
	if p.schema, err = b.Build(); err != nil {
		return nil, err
	}
	for i := range p.fields {
		p.fields[i].field = &p.schema.Fields()[i]
	}
	return p, nil
}

// castSchema finishes the schema that b began, of type to: it is optional if s
// is, and has the default of s, cast. A schema that keeps the name of a logical type
// refuses a default of its new type, as in Kafka Connect.
func castSchema(b *data.SchemaBuilder, s *data.Schema, to data.Type) (*data.Schema, error) {
	def, err := castValue(s, s.Default(), to)
	if err != nil {
		return nil, err
	}
	return b.SetOptional(s.Optional()).Default(def).Build()
}
