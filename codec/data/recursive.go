package data

// Self returns a schema that stands for the one that b is about to build, inside
// it: the way to a type that contains itself. It has the built schema's type, name,
// version, documentation, parameters and fields, and an optionality of its own.
//
// It is filled in by [SchemaBuilder.Build]; until then only its address may be
// used. The builder must have a name by then, for that is how whoever walks a
// schema knows where he has been.
func (b *SchemaBuilder) Self(opt bool) *Schema {
	s := &Schema{typ: b.s.typ, optional: opt, repeats: true}
	b.selves = append(b.selves, s)
	return s
}

// Repeats reports whether the schema stands for one of the same name around it.
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
	for _, p := range b.selves {
		p.hasVersion, p.version, p.name, p.doc, p.params = s.hasVersion, s.version, s.name, s.doc, s.params
		p.fields, p.byName, p.key, p.value = s.fields, s.byName, s.key, s.value
	}
}

// equalRepeated compares schemas of which one stands for another around it: what
// is inside is compared there.
func (s *Schema) equalRepeated(o *Schema) bool {
	if s.typ != o.typ || s.optional != o.optional || s.hasVersion != o.hasVersion || s.version != o.version ||
		s.name != o.name || s.doc != o.doc || len(s.fields) != len(o.fields) || len(s.params) != len(o.params) {
		return false
	}
	for i := range s.fields {
		if s.fields[i].Name != o.fields[i].Name {
			return false
		}
	}
	return true
}
