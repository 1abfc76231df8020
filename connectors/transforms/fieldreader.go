package transforms

import (
	"errors"

	"github.com/troupeio/troupe/codec/data"
)

// errNoField says that a schema lacks a field of a path.
var errNoField = errors.New("no such field")

// fieldReader reads what a path leads to. Of structs it works out the slots once
// for a schema.
type fieldReader struct {
	path        string
	steps       []pathStep
	withDefault bool
	cache       *data.SchemaCache[*readPlan]
}

// readPlan is a path through the structs of one schema.
type readPlan struct {
	slots  []int        // a step each
	schema *data.Schema // of the result; optional when something on the way is
}

func newFieldReader(path string, steps []pathStep, withDefault bool) *fieldReader {
	return &fieldReader{path: path, steps: steps, withDefault: withDefault, cache: data.NewSchemaCache[*readPlan](cachedSchemas)}
}

func newFieldReaders(paths []string, withDefault bool) ([]*fieldReader, error) {
	var out []*fieldReader
	for _, path := range paths {
		steps, err := parseLongPath(path)
		if err != nil {
			return nil, err
		}
		out = append(out, newFieldReader(path, steps, withDefault))
	}
	return out, nil
}

// plan returns the path through s. The error is [errNoField] when there is no
// such path.
func (f *fieldReader) plan(s *data.Schema) (*readPlan, error) {
	if p, ok := f.cache.Get(s); ok {
		return p, nil
	}
	p := &readPlan{}
	var err error
	if p.schema, err = f.follow(p, s, f.steps, 0, false); err != nil {
		return nil, err
	}
	f.cache.Put(s, p)
	return p, nil
}

// follow goes from s, of which elems arrays are to be entered first.
func (f *fieldReader) follow(p *readPlan, s *data.Schema, steps []pathStep, elems int, optional bool) (*data.Schema, error) {
	switch {
	case elems > 0:
		if s.Type() != data.Array {
			return nil, notOnPath(f.path, s)
		}
		elem, err := f.follow(p, s.ValueSchema(), steps, elems-1, false)
		if err != nil {
			return nil, err
		}
		return data.NewArraySchema(elem).SetOptional(optional || s.Optional()).Build()
	case len(steps) == 0:
		if optional == s.Optional() || s.Optional() {
			return s, nil
		}
		return s.With(true, s.Default()), nil
	case s.Type() != data.Struct:
		return nil, notOnPath(f.path, s)
	}
	field := s.Field(steps[0].name)
	if field == nil {
		return nil, errNoField
	}
	p.slots = append(p.slots, field.Index)
	// The record's own schema is no reason: a null record has been dealt with.
	inner := optional || s.Optional() && len(p.slots) > 1
	return f.follow(p, field.Schema, steps[1:], steps[0].elems, inner)
}

// notOnPath is the error about a path that leads through what has no fields.
func notOnPath(path string, s *data.Schema) error {
	hint := ""
	if s.Type() == data.Array {
		hint = "; its elements are name[]"
	}
	return data.Errorf("Cannot look up fields on non-struct type: the path %s leads through %s%s", path, s.Type(), hint)
}

// of reads from a key or value with or without schema. The error is
// [errNoField] when the schema has no such path; purpose is for others.
func (f *fieldReader) of(s *data.Schema, v data.Value, purpose string) (*data.Schema, data.Value, error) {
	if s == nil {
		m, err := requireMap(v, purpose)
		if err != nil {
			return nil, v, err
		}
		v, err = f.ofMap(m)
		return nil, v, err
	}
	st, err := requireStruct(v, purpose)
	if err != nil {
		return nil, v, err
	}
	p, err := f.plan(st.Schema())
	if err != nil {
		return nil, v, err
	}
	v, err = f.read(v, p.slots, f.steps, 0)
	return p.schema, v, err
}

func (f *fieldReader) read(v data.Value, slots []int, steps []pathStep, elems int) (data.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case elems > 0:
		in := v.Elems()
		out := make([]data.Value, len(in))
		for i, e := range in {
			var err error
			if out[i], err = f.read(e, slots, steps, elems-1); err != nil {
				return v, err
			}
		}
		return data.OfArray(out), nil
	case len(steps) == 0:
		return v, nil
	}
	st, err := requireStruct(v, nestedPurpose)
	if err != nil {
		return v, err
	}
	if slots[0] >= len(st.Values()) {
		return v, data.Errorf("Struct schemas do not match.")
	}
	return f.read(fieldValue(st, slots[0], len(steps) > 1 || f.withDefault), slots[1:], steps[1:], steps[0].elems)
}

// ofMap reads from schemaless data; what is missing is null.
func (f *fieldReader) ofMap(m *data.MapValue) (data.Value, error) {
	return readMap(data.OfMap(m), f.steps, 0)
}

func readMap(v data.Value, steps []pathStep, elems int) (data.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case elems > 0:
		in, err := requireArray(v)
		if err != nil {
			return v, err
		}
		out := make([]data.Value, len(in))
		for i, e := range in {
			if out[i], err = readMap(e, steps, elems-1); err != nil {
				return v, err
			}
		}
		return data.OfArray(out), nil
	case len(steps) == 0:
		return v, nil
	}
	m, err := requireMap(v, nestedPurpose)
	if err != nil {
		return v, err
	}
	next, _ := m.Get(steps[0].name)
	return readMap(next, steps[1:], steps[0].elems)
}

func requireArray(v data.Value) ([]data.Value, error) {
	if v.Kind() != data.KindArray {
		return nil, data.Errorf("Only List objects supported for [%s], found: %s", nestedPurpose, className(v))
	}
	return v.Elems(), nil
}
