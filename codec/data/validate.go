package data

import (
	"fmt"
	"strings"
)

// Error is the counterpart of Kafka's DataException: data and schema disagree.
// It is about the record, not about the world, so retrying cannot help.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

// Errorf returns an [Error].
func Errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// kindFits reports whether Java would accept a value of kind k for schema s.
func kindFits(s *Schema, k Kind) bool {
	switch s.logical {
	case LogicalDecimal:
		return k == KindDecimal
	case LogicalDate, LogicalTime, LogicalTimestamp:
		return k == KindDate
	}
	switch s.typ {
	case Int8, Int16, Int32, Int64, Float32, Float64, Boolean, String, Bytes, Array, Map, Struct:
		return Kind(s.typ) == k // the two enumerations run in step, see the test
	}
	return false
}

// ValidateValue checks v against s as ConnectSchema.validateValue does, with
// Kafka's messages.
func ValidateValue(s *Schema, v Value) error { return validate("", s, v, "value") }

// ValidateField is ValidateValue for the value of a named field.
func ValidateField(name string, s *Schema, v Value) error { return validate(name, s, v, "field") }

func validate(name string, s *Schema, v Value, what string) error {
	where := what
	if name != "" {
		where = what + `: "` + name + `"`
	}
	if s == nil {
		if what == "value" {
			return nil
		}
		return Errorf("No schema defined for %s", where)
	}
	if v.IsNull() {
		if !s.optional {
			return Errorf("Invalid value: null used for required %s, schema type: %s", where, s.typ)
		}
		return nil
	}
	if !kindFits(s, v.Kind()) {
		tail := ""
		if name != "" {
			tail = " for " + where
		}
		if s.name != "" {
			return Errorf("Invalid Java object for schema %q with type %s: class %s%s", s.name, s.typ, v.Kind().JavaClass(), tail)
		}
		return Errorf("Invalid Java object for schema with type %s: class %s%s", s.typ, v.Kind().JavaClass(), tail)
	}
	switch s.typ {
	case Struct:
		st := v.Struct()
		if !st.schema.Equal(s) {
			return Errorf("Struct schemas do not match.")
		}
		return st.Validate()
	case Array:
		for _, e := range v.Elems() {
			if err := validate(name, s.value, e, nested("element of array ", what)); err != nil {
				return err
			}
		}
	case Map:
		for _, e := range v.Map().Entries() {
			if err := validate(name, s.key, e.Key, nested("key of map ", what)); err != nil {
				return err
			}
			if err := validate(name, s.value, e.Value, nested("value of map ", what)); err != nil {
				return err
			}
		}
	}
	return nil
}

func nested(prefix, what string) string {
	if strings.HasPrefix(what, prefix) {
		return what
	}
	return prefix + what
}

// Validate checks every slot. A null is allowed where the field is optional or
// has a default.
func (s *StructValue) Validate() error {
	for i := range s.schema.fields {
		f := &s.schema.fields[i]
		if s.vals[i].IsNull() && (f.Schema.optional || !f.Schema.def.IsNull()) {
			continue
		}
		if err := validate(f.Name, f.Schema, s.vals[i], "field"); err != nil {
			return err
		}
	}
	return nil
}
