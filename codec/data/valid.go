package data

// Valid reports whether [ValidateValue] accepts v, without the cost of a
// message: for the hot paths, which ask for the message only when it is needed.
func Valid(s *Schema, v Value) bool {
	if s == nil {
		return true
	}
	return valid(s, v)
}

func valid(s *Schema, v Value) bool {
	switch {
	case s == nil: // of an element: nothing fits
		return false
	case v.Kind() == KindNull:
		return s.optional
	case !kindFits(s, v.Kind()):
		return false
	}
	switch v.Kind() {
	case KindStruct:
		st := v.Struct()
		return st.schema.Equal(s) && st.valid()
	case KindArray:
		for _, e := range v.Elems() {
			if !valid(s.value, e) {
				return false
			}
		}
	case KindMap:
		for _, e := range v.Map().Entries() {
			if !valid(s.key, e.Key) || !valid(s.value, e.Value) {
				return false
			}
		}
	}
	return true
}

func (s *StructValue) valid() bool {
	for i := range s.schema.fields {
		f := s.schema.fields[i].Schema
		if v := s.vals[i]; v.Kind() == KindNull {
			if !f.optional && f.def.IsNull() {
				return false
			}
		} else if !valid(f, v) {
			return false
		}
	}
	return true
}
