package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const valueToKeyPurpose = "copying fields from value to key"

// valueToKey makes the key out of fields of the value.
type valueToKey struct {
	fields      []string
	withDefault bool
	cache       *data.SchemaCache[*keyPlan]
	arena       data.StructArena
}

// keyPlan is the key's schema for the values of one schema.
type keyPlan struct {
	schema *data.Schema
	from   []int
}

func valueToKeySpec() spec {
	return spec{
		name:  "ValueToKey",
		paths: []string{"fields"},
		keys: []configdef.Key{
			{Name: "fields", Type: configdef.List, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.NonEmptyList(), Doc: "Field names on the record value to extract as the record key."},
			replaceNullKey(), addedSyntaxKey(),
		},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			withDefault, err := nullDefaults(c)
			if err != nil {
				return nil, err
			}
			t := &valueToKey{fields: c.List("fields"), withDefault: withDefault, cache: data.NewSchemaCache[*keyPlan](cachedSchemas)}
			if usesPaths(c) {
				return t.withPaths()
			}
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *valueToKey) Apply(r *data.Record) (bool, error) {
	if r.ValueSchema == nil {
		m, err := requireMap(r.Value, valueToKeyPurpose)
		if err != nil {
			return false, err
		}
		var b data.MapBuilder
		b.Grow(len(t.fields))
		for _, name := range t.fields {
			v, _ := m.Get(name)
			b.PutString(name, v)
		}
		r.KeySchema, r.Key = nil, data.OfMap(b.Build())
		return true, nil
	}
	st, err := requireStruct(r.Value, valueToKeyPurpose)
	if err != nil {
		return false, err
	}
	plan, ok := t.cache.Get(st.Schema())
	if !ok {
		if plan, err = t.plan(st.Schema()); err != nil {
			return false, err
		}
		t.cache.Put(st.Schema(), plan)
	}
	key, vals := t.arena.New(plan.schema)
	for i, from := range plan.from {
		v := fieldValue(st, from, t.withDefault)
		if err := checkNull(&plan.schema.Fields()[i], v); err != nil {
			return false, err
		}
		vals[i] = v
	}
	r.KeySchema, r.Key, r.ValueSchema = plan.schema, data.OfStruct(key), st.Schema()
	return true, nil
}

func (t *valueToKey) plan(s *data.Schema) (*keyPlan, error) {
	b, p := data.NewStructSchema(), &keyPlan{}
	for _, name := range t.fields {
		f := s.Field(name)
		if f == nil {
			if _, err := b.Build(); err != nil {
				return nil, err // of a field before this one
			}
			return nil, data.Errorf("Field does not exist: %s", name)
		}
		b.Field(name, f.Schema)
		p.from = append(p.from, f.Index)
	}
	var err error
	p.schema, err = b.Build()
	return p, err
}
