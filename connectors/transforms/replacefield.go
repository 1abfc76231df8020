package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const replacePurpose = "field replacement"

// replaceField drops and renames fields.
type replaceField struct {
	side             side
	exclude, include map[string]bool
	renames, origins map[string]string // by old name, by new name
	withDefault      bool
	cache            *data.SchemaCache[*replacement]
	arena            data.StructArena
}

// replacement is what becomes of the structs of one schema.
type replacement struct {
	schema *data.Schema
	from   []int // slot of the original for each field of the result, -1 for none
	asIs   bool  // each field keeps the schema of its origin: no further checks
}

func replaceFieldSpec() spec {
	key := func(name, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.List, Default: []string{}, Importance: configdef.Medium, Doc: doc}
	}
	renames := key("renames", "Field rename mappings.")
	renames.Validator = configdef.Lambda(func(_ string, value any) error {
		mappings, ok := value.([]string)
		if !ok {
			return nil
		}
		_, err := parseRenames(mappings)
		return err
	}, "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>")
	return spec{
		name: "ReplaceField", sides: true,
		paths: []string{"exclude", "include", "renames"},
		keys: []configdef.Key{
			key("exclude", "Fields to exclude. This takes precedence over the fields to include."),
			key("include", "Fields to include. If specified, only these fields will be used."),
			renames, replaceNullKey(), addedSyntaxKey(),
		},
		transform: func(side side, c *configdef.Values) (connectors.Transformation, error) {
			for _, name := range []string{"exclude", "include", "renames"} {
				if c.IsNull(name) {
					return nil, nullSetting(name)
				}
			}
			pairs, err := parseRenames(c.List("renames"))
			if err != nil {
				return nil, err
			}
			withDefault, err := nullDefaults(c)
			if err != nil {
				return nil, err
			}
			if usesPaths(c) {
				return replaceWithPaths(side, c.List("exclude"), c.List("include"), pairs, withDefault)
			}
			t := &replaceField{
				side: side, exclude: set(c.List("exclude")), include: set(c.List("include")),
				renames: make(map[string]string, len(pairs)), origins: make(map[string]string, len(pairs)),
				withDefault: withDefault, cache: data.NewSchemaCache[*replacement](cachedSchemas),
			}
			var names []string
			for _, p := range pairs {
				if _, there := t.renames[p[0]]; !there {
					names = append(names, p[0])
				}
				t.renames[p[0]] = p[1]
			}
			for _, name := range hashMapOrder(names) {
				t.origins[t.renames[name]] = name
			}
			return t, nil
		},
	}
}

func parseRenames(mappings []string) ([][2]string, error) {
	out := make([][2]string, 0, len(mappings))
	for _, m := range mappings {
		parts := splitColon(m)
		if len(parts) != 2 {
			return nil, invalidValue("renames", javaList(mappings), "Invalid rename mapping: "+m)
		}
		out = append(out, [2]string{parts[0], parts[1]})
	}
	return out, nil
}

func (t *replaceField) keeps(name string) bool {
	return !t.exclude[name] && (len(t.include) == 0 || t.include[name])
}

func (t *replaceField) renamed(name string) string {
	if to, ok := t.renames[name]; ok {
		return to
	}
	return name
}

// Apply implements [connectors.Transformation].
func (t *replaceField) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	switch {
	case value.IsNull():
		return true, nil
	case *schema == nil:
		return t.applyMap(value)
	}
	st, err := requireStruct(*value, replacePurpose)
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
	out, vals := t.arena.New(plan.schema)
	if plan.asIs {
		for i, from := range plan.from {
			v := st.At(from)
			if v.IsNull() {
				v = fieldValue(st, from, t.withDefault)
				if err := checkNull(&plan.schema.Fields()[i], v); err != nil {
					return false, err
				}
			}
			vals[i] = v
		}
	} else if err := t.copyOdd(vals, st, plan); err != nil {
		return false, err
	}
	*schema, *value = plan.schema, data.OfStruct(out)
	return true, nil
}

// copyOdd is for renames that lead a field to another origin than its schema's:
// two renames to one name, or to the name of a field that is there already.
func (t *replaceField) copyOdd(dst []data.Value, st *data.StructValue, plan *replacement) error {
	for i, from := range plan.from {
		f := &plan.schema.Fields()[i]
		if from < 0 {
			return data.Errorf("%s is not a valid field name", t.origins[f.Name])
		}
		v := fieldValue(st, from, t.withDefault)
		if err := data.ValidateField(f.Name, f.Schema, v); err != nil {
			return err
		}
		dst[i] = v
	}
	return nil
}

func (t *replaceField) plan(s *data.Schema) (*replacement, error) {
	b := data.NewStructSchema().CopyBasics(s)
	for _, f := range s.Fields() {
		if t.keeps(f.Name) {
			b.Field(t.renamed(f.Name), f.Schema)
		}
	}
	updated, err := b.Build()
	if err != nil {
		return nil, err
	}
	p := &replacement{schema: updated, asIs: true}
	for _, f := range updated.Fields() {
		name := f.Name
		if origin, ok := t.origins[name]; ok {
			name = origin
		}
		from := s.Field(name)
		if from == nil {
			p.from, p.asIs = append(p.from, -1), false
			continue
		}
		p.from = append(p.from, from.Index)
		p.asIs = p.asIs && from.Schema == f.Schema
	}
	return p, nil
}

func (t *replaceField) applyMap(value *data.Value) (bool, error) {
	m, err := requireMap(*value, replacePurpose)
	if err != nil {
		return false, err
	}
	var b data.MapBuilder
	b.Grow(m.Len())
	for _, e := range m.Entries() {
		name, err := stringKey(e.Key)
		if err != nil {
			return false, err
		}
		switch to, renamed := t.renames[name]; {
		case e.Key.IsNull():
			if len(t.include) == 0 {
				b.Put(e.Key, e.Value)
			}
		case !t.keeps(name):
		case renamed:
			b.PutString(to, e.Value)
		default:
			b.Put(e.Key, e.Value)
		}
	}
	*value = data.OfMap(b.Build())
	return true, nil
}

// stringKey returns a map's key, which has to be a string.
func stringKey(k data.Value) (string, error) {
	if k.Kind() == data.KindString || k.IsNull() {
		return k.Str(), nil
	}
	return "", recordError(classCastException, "class "+className(k)+" cannot be cast to class java.lang.String")
}
