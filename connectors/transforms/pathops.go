package transforms

import (
	"errors"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// What each transform does at the end of its paths, with field.syntax.version V2.
// Of version 1 nothing passes through here.

func (t *cast) withPaths() (connectors.Transformation, error) {
	if t.spec.whole != 0 {
		return t, nil
	}
	w := &rewriter{side: t.side, purpose: castPurpose, op: t, withDefault: t.withDefault, keepWhole: true, fillMissing: true}
	if err := w.addLeaves(t.spec.fields); err != nil {
		return nil, err
	}
	return w.done()
}

func (t *cast) target(i int) data.Type { return t.spec.types[t.spec.fields[i]] }

func (t *cast) schema(i int, s *data.Schema) (*data.Schema, error) {
	return castSchema(data.NewSchema(t.target(i)), s, t.target(i))
}

func (t *cast) value(i int, from, _ *data.Schema, v data.Value) (data.Value, error) {
	return castValue(from, v, t.target(i))
}

func (t *maskField) withPaths() (connectors.Transformation, error) {
	w := &rewriter{side: t.side, purpose: maskPurpose, op: t, withDefault: t.withDefault, keepWhole: true, fillMissing: true, needsValue: true}
	if err := w.addLeaves(t.fields); err != nil {
		return nil, err
	}
	return w.done()
}

func (t *maskField) schema(_ int, s *data.Schema) (*data.Schema, error) { return s, nil }

func (t *maskField) value(_ int, _, _ *data.Schema, v data.Value) (data.Value, error) {
	return t.mask(v)
}

func (t *timestampConverter) withPaths() (connectors.Transformation, error) {
	if t.field == "" {
		return t, nil
	}
	w := &rewriter{side: t.side, purpose: timestampPurpose, op: t, withDefault: t.withDefault, keepWhole: true, fillMissing: true, schemaOfNull: true}
	if err := w.addLeaves([]string{t.field}); err != nil {
		return nil, err
	}
	return w.done()
}

func (t *timestampConverter) schema(_ int, s *data.Schema) (*data.Schema, error) {
	return t.target.schema(s.Optional()), nil
}

func (t *timestampConverter) value(_ int, from, _ *data.Schema, v data.Value) (data.Value, error) {
	if from == nil {
		return t.convertSchemaless(v)
	}
	form, err := formOfSchema(from)
	if err != nil {
		return v, err
	}
	return t.convert(v, form)
}

// replaceWithPaths drops and renames what paths lead to. A new name is a name,
// and the field stays where it is.
func replaceWithPaths(side side, exclude, include []string, renames [][2]string, withDefault bool) (connectors.Transformation, error) {
	w := &rewriter{side: side, purpose: replacePurpose, withDefault: withDefault}
	for _, path := range exclude {
		n, err := w.add(path)
		if err != nil {
			return nil, err
		}
		n.drop = true
	}
	for _, path := range include {
		steps, err := parseLongPath(path)
		if err != nil {
			return nil, err
		}
		w.root.include(steps)
	}
	for _, r := range renames {
		n, err := w.add(r[0])
		if err != nil {
			return nil, err
		}
		to, err := parseLongPath(r[1])
		if err != nil {
			return nil, err
		}
		if len(to) != 1 || to[0].elems > 0 {
			return nil, invalidValue("renames", r[0]+":"+r[1], "The new name of a field is a name, not a path; put it in backticks if it has dots or brackets")
		}
		n.rename = to[0].name
	}
	return w.done()
}

// include makes all on the way to a path stay, and all beneath it.
func (n *node) include(steps []pathStep) {
	for i := range steps {
		if !n.whole {
			n.only = true
		}
		n.at([]pathStep{{name: steps[i].name}}).included = true
		n = n.at(steps[i : i+1])
	}
	n.whole, n.only = true, false
}

// headerFromPaths is HeaderFrom with paths.
type headerFromPaths struct {
	*headerFrom
	readers []*fieldReader
	dropper *rewriter // nil when fields are copied
	maker   data.HeaderMaker
}

func (t *headerFrom) withPaths() (connectors.Transformation, error) {
	p := &headerFromPaths{headerFrom: t}
	var err error
	if p.readers, err = newFieldReaders(t.fields, t.withDefault); err != nil || !t.move {
		return p, err
	}
	w := &rewriter{side: t.side, purpose: t.purpose, withDefault: t.withDefault}
	for _, path := range t.fields {
		n, err := w.add(path)
		if err != nil {
			return nil, err
		}
		n.drop = true
	}
	p.dropper, err = w.done()
	return p, err
}

// Apply implements [connectors.Transformation].
func (t *headerFromPaths) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	t.maker.Begin(r.Headers)
	for i, f := range t.readers {
		s, v, err := f.of(*schema, *value, t.purpose)
		if errors.Is(err, errNoField) {
			err = recordError(nullPointerException, "there is no field "+f.path)
		}
		if err != nil {
			return false, err
		}
		t.maker.Add(data.Header{Key: t.headers[i], Schema: s, Value: v})
	}
	if t.dropper != nil {
		if _, err := t.dropper.Apply(r); err != nil {
			return false, err
		}
	}
	r.Headers = t.maker.Make()
	return true, nil
}

// keyFromPaths is ValueToKey with paths. A field of the key has the name of the
// last step of its path.
type keyFromPaths struct {
	readers []*fieldReader
	names   []string
	cache   *data.SchemaCache[*data.Schema] // of the key, by that of the value
	arena   data.StructArena
}

func (t *valueToKey) withPaths() (connectors.Transformation, error) {
	p := &keyFromPaths{cache: data.NewSchemaCache[*data.Schema](cachedSchemas)}
	var err error
	if p.readers, err = newFieldReaders(t.fields, t.withDefault); err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for _, f := range p.readers {
		name := f.steps[len(f.steps)-1].name
		if seen[name] {
			return nil, invalidValue("fields", javaList(t.fields), "Two of the paths end in "+name+", which can be only one field of the key")
		}
		seen[name] = true
		p.names = append(p.names, name)
	}
	return p, nil
}

// Apply implements [connectors.Transformation].
func (t *keyFromPaths) Apply(r *data.Record) (bool, error) {
	if r.ValueSchema == nil {
		m, err := requireMap(r.Value, valueToKeyPurpose)
		if err != nil {
			return false, err
		}
		var b data.MapBuilder
		b.Grow(len(t.readers))
		for i, f := range t.readers {
			v, err := f.ofMap(m)
			if err != nil {
				return false, err
			}
			b.PutString(t.names[i], v)
		}
		r.KeySchema, r.Key = nil, data.OfMap(b.Build())
		return true, nil
	}
	st, err := requireStruct(r.Value, valueToKeyPurpose)
	if err != nil {
		return false, err
	}
	schema, ok := t.cache.Get(st.Schema())
	if !ok {
		if schema, err = t.schema(st.Schema()); err != nil {
			return false, err
		}
		t.cache.Put(st.Schema(), schema)
	}
	key, vals := t.arena.New(schema)
	for i, f := range t.readers {
		_, v, err := f.of(st.Schema(), r.Value, valueToKeyPurpose)
		if err == nil {
			err = checkNull(&schema.Fields()[i], v)
		}
		if err != nil {
			return false, err
		}
		vals[i] = v
	}
	r.KeySchema, r.Key = schema, data.OfStruct(key)
	return true, nil
}

func (t *keyFromPaths) schema(s *data.Schema) (*data.Schema, error) {
	b := data.NewStructSchema()
	for i, f := range t.readers {
		p, err := f.plan(s)
		if errors.Is(err, errNoField) {
			err = data.Errorf("Field does not exist: %s", f.path)
		}
		if err != nil {
			return nil, err
		}
		b.Field(t.names[i], p.schema)
	}
	return b.Build()
}

// extractElements is ExtractField by a path through arrays.
type extractElements struct {
	side   side
	reader *fieldReader
}

// Apply implements [connectors.Transformation].
func (t *extractElements) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	if value.IsNull() {
		if *schema == nil {
			return true, nil
		}
		p, err := t.reader.plan(*schema)
		if err != nil {
			return false, t.unknown(err)
		}
		*schema = p.schema
		return true, nil
	}
	s, v, err := t.reader.of(*schema, *value, extractPurpose)
	if err != nil {
		return false, t.unknown(err)
	}
	*schema, *value = s, v
	return true, nil
}

func (t *extractElements) unknown(err error) error {
	if errors.Is(err, errNoField) {
		return recordError(illegalArgument, "Unknown field: "+t.reader.path)
	}
	return err
}

// insertWithPaths puts fields where paths lead, and makes the structs and maps on
// the way that are missing.
type insertWithPaths struct {
	t      *insertField
	fields []*insertion // by number; nil for what is not configured
	names  []string
	values [5]data.Value
	there  [5]bool
}

func (t *insertField) withPaths() (connectors.Transformation, error) {
	op := &insertWithPaths{t: t, fields: []*insertion{t.topic, t.partition, t.offset, t.ts, t.fixed}, names: make([]string, 5)}
	w := &rewriter{side: t.side, purpose: insertPurpose, withDefault: t.withDefault, ins: op, start: op.start}
	for i, f := range op.fields {
		if f == nil {
			continue
		}
		steps, err := parseLongPath(f.name)
		if err != nil {
			return nil, err
		}
		last := steps[len(steps)-1]
		if last.elems > 0 {
			return nil, connectors.ConfigError("A field cannot be inserted at the elements of %s", f.name)
		}
		op.names[i] = last.name
		n := w.root.at(steps[:len(steps)-1])
		n.inserts = append(n.inserts, i)
	}
	return w.done()
}

func (op *insertWithPaths) start(r *data.Record) error {
	var room [5]inserted
	ins, err := op.t.values(r, room[:0])
	if err != nil {
		return err
	}
	op.there = [5]bool{}
	for _, in := range ins {
		for i, f := range op.fields {
			if f == in.insertion {
				op.values[i], op.there[i] = in.value, true
			}
		}
	}
	return nil
}

func (op *insertWithPaths) name(i int) string { return op.names[i] }

func (op *insertWithPaths) fieldSchema(i int) *data.Schema {
	s := [...]*data.Schema{data.StringSchema, data.Int32Schema, data.Int64Schema, data.TimestampSchema, data.StringSchema}[i]
	return s.With(op.fields[i].optional, data.Null)
}

func (op *insertWithPaths) field(i int, schemaless bool) (data.Value, bool) {
	switch {
	case !op.there[i]:
		return data.Null, false
	case schemaless && op.fields[i] == op.t.ts:
		return data.OfInt64(op.values[i].Int()), true // no schema says that it is a time
	}
	return op.values[i], true
}

// hoist wraps what a path leads to.
type hoist struct {
	t *hoistField
}

// withPaths is for a field of the record; without one the whole is hoisted.
func (t *hoistField) withPaths(c *configdef.Values) (connectors.Transformation, error) {
	path, ok := c.NullableString("hoisted")
	switch {
	case !ok || path == "":
		return t, nil
	case !usesPaths(c):
		return nil, connectors.ConfigError("hoisted is a path of fields and needs %s=V2", syntaxVersion)
	}
	w := &rewriter{side: t.side, purpose: "hoisting a field", op: hoist{t}, withDefault: true, keepWhole: true}
	if err := w.addLeaves([]string{path}); err != nil {
		return nil, err
	}
	return w.done()
}

func (h hoist) schema(_ int, s *data.Schema) (*data.Schema, error) {
	return data.NewStructSchema().Field(h.t.field, s).Build()
}

func (h hoist) value(_ int, from, to *data.Schema, v data.Value) (data.Value, error) {
	if from == nil {
		return data.OfMap(data.NewMap([]data.MapEntry{{Key: h.t.key, Value: v}})), nil
	}
	if !data.Valid(from, v) {
		return v, data.ValidateField(h.t.field, from, v)
	}
	return data.OfStruct(data.NewStruct(to, []data.Value{v})), nil
}
