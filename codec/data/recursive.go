package data

// Self returns a schema that stands for the one that b is about to build, inside
// it: the way to a type that contains itself. It has the built schema's type, name,
// version, documentation, parameters and fields, an optionality of its own, and
// parameters of its own beside or instead of those of the built schema.
//
// It is filled in by [SchemaBuilder.Build]; until then only its address may be
// used.
func (b *SchemaBuilder) Self(opt bool, own ...Param) *Schema {
	s := &Schema{typ: b.s.typ, optional: opt, repeats: true}
	b.selves = append(b.selves, self{s, own})
	return s
}

// self is a schema that [SchemaBuilder.Self] has given out.
type self struct {
	s   *Schema
	own []Param
}

// Repeats reports whether the schema stands for one of the same type around it.
// Whoever walks down a schema has to stop there, or would walk for ever.
func (s *Schema) Repeats() bool { return s != nil && s.repeats }

// Recursive reports whether a schema contains itself.
func (s *Schema) Recursive() bool {
	if s == nil || s.repeats {
		return s != nil
	}
	s.recursiveOnce.Do(func() {
		s.recursive = s.key.Recursive() || s.value.Recursive()
		for i := range s.fields {
			s.recursive = s.recursive || s.fields[i].Schema.Recursive()
		}
	})
	return s.recursive
}

func (b *SchemaBuilder) fillSelves(s *Schema) {
	for _, self := range b.selves {
		p := self.s
		p.hasVersion, p.version, p.name, p.doc = s.hasVersion, s.version, s.name, s.doc
		p.fields, p.byName, p.key, p.value = s.fields, s.byName, s.key, s.value
		params := SchemaBuilder{s: Schema{params: append([]Param(nil), s.params...)}}
		p.params = params.Params(self.own).s.params
	}
}

// SameType reports whether two struct schemas are one type: whether they agree in
// all but optionality, default and parameters. Whoever walks down a schema that
// contains itself is back where he was when he meets the type of a schema around,
// or else at a type that has lost the one it stands for, as when a transform has
// changed what is around it.
func (s *Schema) SameType(o *Schema) bool {
	return s == o || s != nil && o != nil && s.typ == Struct && o.typ == Struct && s.sameType(o, map[[2]*Schema]bool{})
}

// sameType compares types to the end of what they refer to. Two that are being
// compared are alike until a difference is found.
func (s *Schema) sameType(o *Schema, open map[[2]*Schema]bool) bool {
	if s.typ != o.typ || s.hasVersion != o.hasVersion || s.version != o.version ||
		s.name != o.name || s.doc != o.doc || len(s.fields) != len(o.fields) {
		return false
	}
	if len(s.fields) > 0 && &s.fields[0] == &o.fields[0] || open[[2]*Schema{s, o}] {
		return true
	}
	open[[2]*Schema{s, o}] = true
	for i := range s.fields {
		if s.fields[i].Name != o.fields[i].Name || !s.fields[i].Schema.same(o.fields[i].Schema, open) {
			return false
		}
	}
	return s.key.same(o.key, open) && s.value.same(o.value, open)
}

// same is [Schema.Equal] for what may contain itself. What stands for a schema is
// compared as that is, which need not be around it: a transform may have taken it out.
func (s *Schema) same(o *Schema, open map[[2]*Schema]bool) bool {
	switch {
	case s == o:
		return true
	case s.Recursive() != o.Recursive():
		return false
	case !s.Recursive():
		return s.Equal(o)
	}
	return s.optional == o.optional && len(s.params) == len(o.params) && s.sameParams(o) && s.def.Equal(o.def) && s.sameType(o, open)
}

// sameParams compares parameters of two schemas that have as many.
func (s *Schema) sameParams(o *Schema) bool {
	for _, p := range s.params {
		if v, ok := o.Param(p.Key); !ok || v != p.Value {
			return false
		}
	}
	return true
}
