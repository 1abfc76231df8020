// Package jsonpath finds values by JSONPath, in the dialect of the Java library
// that Kafka Connect's users write it in (com.jayway.jsonpath): it works on the
// data model as it is, structs as well as maps, so nothing is converted for a
// look. It imports codec, codec/data and codec/javaregex.
//
// There are paths with names, indexes, wildcards, slices, "..", and filters with
// comparisons, =~, in, nin, &&, || and !. Functions such as length() are refused
// when the path is compiled.
package jsonpath

import (
	"errors"
	"fmt"

	"github.com/troupeio/troupe/codec/data"
)

// Path is a compiled path. It may be used by several goroutines.
type Path struct {
	text     string
	steps    []step
	fromRoot bool // begins with $, not @
	definite bool // leads to one value at most
}

// Error is about a path that cannot be read. Position counts characters from 0.
type Error struct {
	Path     string
	Position int
	Msg      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("the path %s at position %d: %s", e.Path, e.Position, e.Msg)
}

// Compile reads a path that begins with $.
func Compile(text string) (*Path, error) {
	p := &parser{in: []rune(text), text: text}
	p.space()
	if p.peek() != '$' {
		return nil, p.errorf("a path begins with $")
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.in) {
		return nil, p.errorf("there is no step that begins with %q", p.peek())
	}
	return path, nil
}

// String returns the path as it was written.
func (p *Path) String() string { return p.text }

// Definite reports whether the path leads to one value at most: it has no
// wildcard, slice, filter, list of names or "..".
func (p *Path) Definite() bool { return p.definite }

// ErrTooMuch says that looking for a path in a value would take too long.
var ErrTooMuch = errors.New("the path visits more than a million values")

// maxVisits bounds the work for one value: several ".." in one path multiply.
const maxVisits = 1_000_000

// Find returns what the path leads to in root. ok is false when a name or index
// that the path gives plainly, before any step that may find nothing, is not
// there; a null that is there is a value.
func (p *Path) Find(root data.Value) (found []data.Value, ok bool, err error) {
	e := &evaluation{root: root, left: maxVisits}
	found, ok = e.find(p, root)
	if e.left < 0 {
		return nil, false, ErrTooMuch
	}
	return found, ok, nil
}

// stepKind says what a step does.
type stepKind uint8

const (
	names stepKind = iota
	indexes
	slice
	wildcard
	filter
)

type step struct {
	kind     stepKind
	deep     bool // of all that is beneath, ".."
	names    []string
	indexes  []int
	from, to *int // of a slice
	by       int
	test     expr
}

// definite reports whether the step leads to one value at most.
func (s *step) definite() bool {
	return !s.deep && (s.kind == names && len(s.names) == 1 || s.kind == indexes && len(s.indexes) == 1)
}

// evaluation is one look at one value.
type evaluation struct {
	root data.Value
	left int // visits
}

func (e *evaluation) find(p *Path, at data.Value) ([]data.Value, bool) {
	if p.fromRoot {
		at = e.root
	}
	now := []data.Value{at}
	definite := true
	for i := range p.steps {
		s := &p.steps[i]
		var next []data.Value
		for _, v := range now {
			if e.left < 0 {
				return nil, false
			}
			var fits bool
			if s.deep {
				e.descend(s, v, &next)
				continue
			}
			if fits = e.step(s, v, &next); !fits && definite {
				return nil, false
			}
		}
		definite = definite && s.definite()
		now = next
	}
	return now, true
}

// descend applies a step to v and all beneath it.
func (e *evaluation) descend(s *step, v data.Value, out *[]data.Value) {
	if e.left < 0 {
		return
	}
	switch v.Kind() {
	case data.KindMap, data.KindStruct, data.KindArray:
	default:
		return
	}
	e.step(s, v, out)
	e.children(v, func(c data.Value) { e.descend(s, c, out) })
}

func (e *evaluation) children(v data.Value, each func(data.Value)) {
	switch v.Kind() {
	case data.KindArray:
		for _, c := range v.Elems() {
			e.left--
			each(c)
		}
	case data.KindMap:
		for _, c := range v.Map().Entries() {
			e.left--
			each(c.Value)
		}
	case data.KindStruct:
		for i := range v.Struct().Values() {
			e.left--
			each(v.Struct().GetAt(i))
		}
	}
}

// step appends what one step leads to from v, and reports whether v is of a kind
// that the step can be taken from and has what it names.
func (e *evaluation) step(s *step, v data.Value, out *[]data.Value) bool {
	e.left--
	switch s.kind {
	case names:
		fits := false
		for _, name := range s.names {
			if c, ok := child(v, name); ok {
				*out, fits = append(*out, c), true
			}
		}
		return fits
	case indexes, slice:
		if v.Kind() != data.KindArray {
			return false
		}
		return s.elements(v.Elems(), out)
	case wildcard:
		e.children(v, func(c data.Value) { *out = append(*out, c) })
		return v.Kind() == data.KindArray || v.Kind() == data.KindMap || v.Kind() == data.KindStruct
	}
	// A filter picks elements of an array; of anything else it says yes or no.
	switch v.Kind() {
	case data.KindArray:
		for _, c := range v.Elems() {
			e.left--
			if s.test.eval(e, c) {
				*out = append(*out, c)
			}
		}
		return true
	case data.KindMap, data.KindStruct:
		if s.test.eval(e, v) {
			*out = append(*out, v)
		}
		return true
	}
	return false
}

func (s *step) elements(in []data.Value, out *[]data.Value) bool {
	fits := s.kind == slice
	for _, i := range s.indexes {
		if i < 0 {
			i += len(in)
		}
		if i >= 0 && i < len(in) {
			*out, fits = append(*out, in[i]), true
		}
	}
	if s.kind != slice {
		return fits
	}
	bound := func(p *int, otherwise int) int {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i += len(in)
		}
		return min(max(i, 0), len(in))
	}
	for i := bound(s.from, 0); i < bound(s.to, len(in)); i += s.by {
		*out = append(*out, in[i])
	}
	return true
}

func child(v data.Value, name string) (data.Value, bool) {
	switch v.Kind() {
	case data.KindMap:
		return v.Map().Get(name)
	case data.KindStruct:
		return v.Struct().Get(name)
	}
	return data.Null, false
}
