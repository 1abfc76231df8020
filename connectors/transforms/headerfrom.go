package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// headerFrom copies or moves fields to headers.
type headerFrom struct {
	side            side
	fields, headers []string
	move            bool
	gone            map[string]bool // the fields, when they are moved
	purpose         string
	withDefault     bool
	cache           *data.SchemaCache[*headerPlan]
	arena           data.StructArena
	schemaless      data.HeaderMaker
}

// headerPlan is what becomes of the structs of one schema.
type headerPlan struct {
	schema *data.Schema
	from   []int // slot of the original for each field of the result; of moves only
	slots  []int // slot of each field that becomes a header, -1 where there is none
	adder  *data.HeaderAdder
}

func headerFromSpec() spec {
	list := func(name, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.List, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmptyList(), Doc: doc}
	}
	return spec{
		name: "HeaderFrom", sides: true,
		paths: []string{"fields"},
		keys: []configdef.Key{
			list("fields", "Field names in the record whose values are to be copied or moved to headers."),
			list("headers", "Header names, in the same order as the field names listed in the fields configuration property."),
			{Name: "operation", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.OneOf("move", "copy"),
				Doc: "Either <code>move</code> if the fields are to be moved to the headers (removed from the key/value), " +
					"or <code>copy</code> if the fields are to be copied to the headers (retained in the key/value)."},
			replaceNullKey(), addedSyntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			op := c.String("operation")
			t := &headerFrom{
				side: side, fields: c.List("fields"), headers: c.List("headers"), move: op == "move", purpose: "header " + op,
				cache: data.NewSchemaCache[*headerPlan](cachedSchemas),
			}
			if len(t.fields) != len(t.headers) {
				return nil, connectors.ConfigError("'fields' config must have the same number of elements as 'headers' config.")
			}
			var err error
			if t.withDefault, err = nullDefaults(c); err != nil {
				return nil, err
			}
			if usesPaths(c) {
				return t.withPaths()
			}
			t.gone = set(t.fields)
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *headerFrom) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if *schema == nil {
		return t.applyMap(r, value)
	}
	st, err := requireStruct(*value, t.purpose)
	if err != nil {
		return false, err
	}
	plan, ok := t.cache.Get(*schema)
	if !ok {
		if plan, err = t.plan(*schema); err != nil {
			return false, err
		}
		t.cache.Put(*schema, plan)
	}
	if len(st.Values()) != len((*schema).Fields()) {
		return false, data.Errorf("Struct schemas do not match.")
	}
	left := *value
	if t.move {
		if left, err = t.moved(plan, st); err != nil {
			return false, err
		}
	}
	headers, added := plan.adder.Extend(r.Headers)
	for i, slot := range plan.slots {
		if slot < 0 {
			return false, recordError(nullPointerException, "there is no field "+t.fields[i])
		}
		added[i] = st.Ref(slot, t.withDefault)
		if s := (*schema).Fields()[slot].Schema; added[i].IsNull() && !s.Optional() {
			return false, data.Errorf("A null value requires an optional schema but was %s", s)
		}
	}
	*schema, *value, r.Headers = plan.schema, left, headers
	return true, nil
}

// moved is what is left of a struct. When that is in one piece and stays as it is, both
// structs share it: neither is ever written.
func (t *headerFrom) moved(plan *headerPlan, st *data.StructValue) (data.Value, error) {
	if n := len(plan.from); n > 0 && plan.from[n-1]-plan.from[0] == n-1 {
		if t.stays(plan, st) {
			from := plan.from[0]
			return data.OfStruct(t.arena.Share(plan.schema, st.Values()[from:from+n:from+n])), nil
		}
	}
	out, vals := t.arena.New(plan.schema)
	for i, from := range plan.from {
		v := fieldValue(st, from, t.withDefault)
		if err := checkNull(&plan.schema.Fields()[i], v); err != nil {
			return data.Null, err
		}
		vals[i] = v
	}
	return data.OfStruct(out), nil
}

// stays reports whether there is no null in what is left that is replaced or refused.
func (t *headerFrom) stays(plan *headerPlan, st *data.StructValue) bool {
	for i, from := range plan.from {
		if st.At(from).IsNull() && (!plan.schema.Fields()[i].Schema.Optional() || !fieldValue(st, from, t.withDefault).IsNull()) {
			return false
		}
	}
	return true
}

func (t *headerFrom) plan(s *data.Schema) (*headerPlan, error) {
	fields, err := requireFields(s)
	if err != nil {
		return nil, err
	}
	p := &headerPlan{schema: s}
	keys := make([]data.HeaderKey, len(t.fields))
	for i, name := range t.fields {
		slot := -1
		if f := s.Field(name); f != nil {
			slot = f.Index
			keys[i] = data.HeaderKey{Key: t.headers[i], Schema: f.Schema}
		}
		p.slots = append(p.slots, slot)
	}
	p.adder = data.NewHeaderAdder(keys...)
	if !t.move {
		return p, nil
	}
	b := data.NewStructSchema().CopyBasics(s)
	for _, f := range fields {
		if !t.gone[f.Name] {
			b.Field(f.Name, f.Schema)
			p.from = append(p.from, f.Index)
		}
	}
	p.schema, err = b.Build()
	return p, err
}

func (t *headerFrom) applyMap(r *data.Record, value *data.Value) (bool, error) {
	m, err := requireMap(*value, t.purpose)
	if err != nil {
		return false, err
	}
	t.schemaless.Begin(r.Headers)
	for i, name := range t.fields {
		v, _ := m.Get(name)
		h := data.Header{Key: t.headers[i], Value: v}
		if st := v.Struct(); st != nil {
			h.Schema = st.Schema() // a header takes it from the struct
		}
		t.schemaless.Add(h)
	}
	if t.move {
		var b data.MapBuilder
		b.Grow(m.Len())
		for _, e := range m.Entries() {
			if e.Key.Kind() != data.KindString || !t.gone[e.Key.Str()] {
				b.Put(e.Key, e.Value)
			}
		}
		*value = data.OfMap(b.Build())
	}
	r.Headers = t.schemaless.Make()
	return true, nil
}
