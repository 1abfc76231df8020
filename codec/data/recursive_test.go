package data

import "testing"

func list(name string, elem *Schema) (s, next *Schema) {
	b := NewStructSchema().Name(name)
	next = b.Self(true)
	return b.Field("v", elem).Field("next", next).MustBuild(), next
}

// TestRecursiveSchema: schemas that contain themselves are compared, hashed and
// validated, and each of these ends.
func TestRecursiveSchema(t *testing.T) {
	s, next := list("Node", Int32Schema)
	same, _ := list("Node", Int32Schema)
	otherType, _ := list("Node", Int64Schema)
	otherName, _ := list("List", Int32Schema)
	if !s.Equal(same) || s.Hash() != same.Hash() {
		t.Error("equal schemas differ")
	}
	if s.Equal(otherType) || s.Equal(otherName) || s.Equal(s.With(true, Null)) {
		t.Error("other schemas are equal")
	}
	if !s.Recursive() || !next.Recursive() || StringSchema.Recursive() || s.Repeats() || !next.Repeats() {
		t.Error("it does not know that it contains itself")
	}
	if !next.Optional() || next.Name() != "Node" || len(next.Fields()) != 2 || next.Field("next").Schema != next {
		t.Error("the schema inside is not the one around it")
	}
	v := OfStruct(NewStruct(s, []Value{OfInt32(1), OfStruct(NewStruct(next, []Value{OfInt32(2), Null}))}))
	if err := ValidateValue(s, v); err != nil || !Valid(s, v) {
		t.Error(err)
	}
	wrong := OfStruct(NewStruct(s, []Value{OfInt32(1), OfStruct(NewStruct(next, []Value{OfString("x"), Null}))}))
	if ValidateValue(s, wrong) == nil || Valid(s, wrong) {
		t.Error("a wrong value inside is valid")
	}
}

// TestSelfParameters: what stands for a schema can have parameters of its own, by
// which it differs from another that stands for it, and is of its type.
func TestSelfParameters(t *testing.T) {
	b := NewStructSchema().Name("Node").Param("p", "1").Param("q", "2")
	s := b.Field("a", b.Self(true, Param{"q", "3"}, Param{"r", "4"})).Field("b", b.Self(true, Param{"q", "5"})).MustBuild()
	a, other := s.Field("a").Schema, s.Field("b").Schema
	for key, want := range map[string]string{"p": "1", "q": "3", "r": "4"} {
		if got, _ := a.Param(key); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	if q, _ := s.Param("q"); q != "2" {
		t.Error("a parameter of the schema itself has changed")
	}
	if a.Equal(other) || other.Equal(s.Field("b").Schema.With(true, Null)) != true {
		t.Error("parameters are not compared")
	}
	c := NewStructSchema().Name("Node").Param("p", "1").Param("q", "2")
	again := c.Field("a", c.Self(true, Param{"q", "6"}, Param{"r", "4"})).Field("b", c.Self(true, Param{"q", "5"})).MustBuild()
	if s.Equal(again) {
		t.Error("a parameter inside is not compared")
	}
	node, next := list("Node", Int32Schema)
	changed, lost := list("Node", Int64Schema)
	if !node.SameType(next) || !next.SameType(node) || !a.SameType(s) || next.SameType(changed) || lost.SameType(node) || node.SameType(Int32Schema) {
		t.Error("what is of one type is told wrong")
	}
	finite := NewStructSchema().Name("Node").Field("v", Int32Schema).Field("next", OptionalStringSchema).Optional().MustBuild()
	if next.Equal(finite) || finite.Equal(next) || next.SameType(finite) || finite.SameType(node) || next.Equal(nil) {
		t.Error("what does not contain itself is of the type of what does")
	}
	// The difference is only in what is referred to.
	part := func(around *SchemaBuilder) *Schema {
		return NewStructSchema().Name("Part").Field("up", around.Self(true)).MustBuild()
	}
	x, y, z := NewStructSchema().Name("X"), NewStructSchema().Name("X"), NewStructSchema().Name("X")
	px, py, pz := part(x), part(y), part(z)
	x.Field("v", Int32Schema).Field("part", px).MustBuild()
	y.Field("v", Int64Schema).Field("part", py).MustBuild()
	z.Field("v", Int32Schema).Field("part", pz).MustBuild()
	if px.SameType(py) || !px.SameType(pz) {
		t.Error("what a type refers to is not compared")
	}
	ux, uy, uz := px.Field("up").Schema, py.Field("up").Schema, pz.Field("up").Schema
	if ux.Equal(uy) || !ux.Equal(uz) || ux.Hash() != uz.Hash() || ux.Equal(uz.With(false, Null)) {
		t.Error("what stands for a schema that is not around it is not compared")
	}
}

// web returns one of n types of which each has a field of each.
func web(n, i int, open map[int]*SchemaBuilder) *Schema {
	b := NewStructSchema().Name(string(rune('A' + i)))
	open[i] = b
	for j := range n {
		name := string(rune('a' + j))
		if around, ok := open[j]; ok {
			b.Field(name, around.Self(true))
		} else {
			b.Field(name, web(n, j, open))
		}
	}
	delete(open, i)
	return b.MustBuild()
}

// TestEqualIsLinear: each pair of types is compared once, however many lead to it.
func TestEqualIsLinear(t *testing.T) {
	s, o := web(6, 0, map[int]*SchemaBuilder{}), web(6, 0, map[int]*SchemaBuilder{})
	var equal bool
	if n := testing.AllocsPerRun(1, func() { equal = s.Equal(o) }); n > 5000 || !equal {
		t.Errorf("%v, with %v allocations", equal, n)
	}
}
