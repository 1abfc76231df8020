package transforms

import "github.com/troupeio/troupe/codec/data"

// structPlan is what becomes of the structs of one schema.
type structPlan struct {
	schema *data.Schema
	slots  []slotPlan // a field of the result each
	before int        // how many fields the original has
}

// slotPlan is one field of the result. Of from, insert and made one says where
// its value comes from.
type slotPlan struct {
	from   int        // slot of the original, -1 for none
	insert int        // number of an inserted field, plus one
	value  *valuePlan // what becomes of the value; nil: it stays
}

// valuePlan is what becomes of the values of one schema. One of the last three is
// set.
type valuePlan struct {
	from, to *data.Schema
	leaf     int // number of the path that ends here, plus one
	elems    *valuePlan
	fields   *structPlan
}

func (w *rewriter) plan(s *data.Schema) (*structPlan, error) {
	if p, ok := w.cache.Get(s); ok {
		return p, nil
	}
	p, err := w.planStruct(&w.root, s, w.keepWhole, "")
	if err == nil {
		w.cache.Put(s, p)
	}
	return p, err
}

// noFields is the schema of a struct that is made on the way to an inserted field.
var noFields = data.NewStructSchema().MustBuild()

// planStruct works out what becomes of structs of schema s. keep: the result
// stays optional, and keeps the default with the same done to it.
func (w *rewriter) planStruct(n *node, s *data.Schema, keep bool, path string) (*structPlan, error) {
	b := data.NewStructSchema().CopyBasics(s)
	p := &structPlan{before: len(s.Fields())}
	changed := false
	for _, f := range s.Fields() {
		k := n.kid(f.Name)
		if k == nil && n.only || k != nil && (k.drop || n.only && !k.included) {
			changed = true
			continue
		}
		slot, name, to := slotPlan{from: f.Index}, f.Name, f.Schema
		if k != nil {
			if k.rename != "" {
				name = k.rename
			}
			if k.deep() {
				v, err := w.planValue(k, f.Schema, joinPath(path, k.name))
				if err != nil {
					return nil, err
				}
				slot.value, to = v, v.to
			}
		}
		changed = changed || name != f.Name || to != f.Schema
		b.Field(name, to)
		p.slots = append(p.slots, slot)
	}
	for _, k := range n.kids {
		if !k.fills() || s.Field(k.name) != nil {
			continue
		}
		inner, err := w.planStruct(k, noFields, false, joinPath(path, k.name))
		if err != nil {
			return nil, err
		}
		changed = true
		b.Field(k.name, inner.schema)
		p.slots = append(p.slots, slotPlan{from: -1, value: &valuePlan{from: noFields, to: inner.schema, fields: inner}})
	}
	for _, i := range n.inserts {
		changed = true
		b.Field(w.ins.name(i), w.ins.fieldSchema(i))
		p.slots = append(p.slots, slotPlan{from: -1, insert: i + 1})
	}
	if !changed && (keep || !s.Optional() && s.Default().IsNull()) {
		p.schema = s
		return p, nil
	}
	return p, w.finish(p, b, s, keep)
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// finish builds the schema. What is inserted depends on the record, so a default
// cannot have it: such a struct has none.
func (w *rewriter) finish(p *structPlan, b *data.SchemaBuilder, s *data.Schema, keep bool) error {
	var err error
	if p.schema, err = b.SetOptional(keep && s.Optional()).Build(); err != nil {
		return err
	}
	def := s.Default().Struct()
	if !keep || def == nil || w.ins != nil {
		return nil
	}
	v, err := w.rewriteStruct(p, def)
	if err != nil {
		return err
	}
	p.schema = p.schema.With(p.schema.Optional(), v)
	return nil
}

func (w *rewriter) planValue(n *node, s *data.Schema, path string) (*valuePlan, error) {
	v := &valuePlan{from: s, to: s, leaf: n.leaf}
	var err error
	switch {
	case n.leaf > 0:
		v.to, err = w.op.schema(n.leaf-1, s)
	case n.elems != nil:
		if s.Type() != data.Array {
			return nil, notOnPath(path+"[]", s)
		}
		if v.elems, err = w.planValue(n.elems, s.ValueSchema(), path+"[]"); err == nil {
			err = w.planArray(v)
		}
	case s.Type() != data.Struct:
		return nil, notOnPath(path+"."+n.firstName(), s)
	default:
		if v.fields, err = w.planStruct(n, s, true, path); err == nil {
			v.to = v.fields.schema
		}
	}
	return v, err
}

func (n *node) firstName() string {
	if len(n.kids) > 0 {
		return n.kids[0].name
	}
	return "…"
}

func (w *rewriter) planArray(v *valuePlan) error {
	s := v.from
	if v.elems.to == s.ValueSchema() {
		return nil
	}
	to, err := data.NewArraySchema(v.elems.to).CopyBasics(s).SetOptional(s.Optional()).Build()
	if err != nil {
		return err
	}
	v.to = to
	if def := s.Default(); !def.IsNull() && w.ins == nil {
		if def, err = w.rewriteValue(v, def); err != nil {
			return err
		}
		v.to = to.With(to.Optional(), def)
	}
	return nil
}

func (w *rewriter) rewriteStruct(p *structPlan, st *data.StructValue) (data.Value, error) {
	if st != nil && len(st.Values()) != p.before {
		return data.Null, data.Errorf("Struct schemas do not match.")
	}
	out, vals := w.arena.New(p.schema)
	fields := p.schema.Fields()
	for i := range p.slots {
		slot := &p.slots[i]
		var v data.Value
		var err error
		switch {
		case slot.insert > 0:
			v, _ = w.ins.field(slot.insert-1, false)
		case slot.from < 0:
			v, err = w.rewriteStruct(slot.value.fields, nil)
		default:
			v = fieldValue(st, slot.from, w.withDefault)
			if slot.value != nil {
				v, err = w.rewriteValue(slot.value, v)
			}
		}
		if err == nil {
			err = checkNull(&fields[i], v)
		}
		if err != nil {
			return data.Null, err
		}
		vals[i] = v
	}
	return data.OfStruct(out), nil
}

func (w *rewriter) rewriteValue(p *valuePlan, v data.Value) (data.Value, error) {
	switch {
	case p.leaf > 0:
		return w.op.value(p.leaf-1, p.from, p.to, v)
	case v.IsNull():
		return v, nil
	case p.elems != nil:
		in, err := requireArray(v)
		if err != nil {
			return v, err
		}
		out := make([]data.Value, len(in))
		for i, e := range in {
			if out[i], err = w.rewriteValue(p.elems, e); err != nil {
				return v, err
			}
		}
		return data.OfArray(out), nil
	}
	st, err := requireStruct(v, nestedPurpose)
	if err != nil {
		return v, err
	}
	return w.rewriteStruct(p.fields, st)
}
