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
