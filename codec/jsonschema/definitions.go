package jsonschema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// definition is a schema that contains itself, to which references lead: the
// outermost one, or one among the definitions of the text.
type definition struct {
	schema *data.Schema
	name   string // "" for the outermost
	text   []byte
}

func (d *definition) ref() string {
	if d.name == "" {
		return "#"
	}
	return "#/definitions/" + d.name
}

// recursive writes a struct that contains itself, or a part of itself, unless it can
// be written as any other.
func (w *writer) recursive(s *data.Schema, index int, ignoreOptional bool) bool {
	at := slices.IndexFunc(w.defs, func(d *definition) bool { return sameText(s, d.schema) })
	switch {
	case at >= 0:
	case !containsText(w.selves, s):
		return false // it does not contain itself, but what is around it, or something in it does
	case w.depth == 1 && (!s.Optional() || isUnion(s)):
		w.defs = append(w.defs, &definition{schema: s})
		return false
	default:
		at = len(w.defs)
		w.define(s)
	}
	w.reference(s, w.defs[at].ref(), index, ignoreOptional)
	return true
}

// define writes s among the definitions.
func (w *writer) define(s *data.Schema) {
	d := &definition{schema: s, name: w.freeName(s.Name())}
	w.defs = append(w.defs, d)
	around := w.out
	w.out = nil
	id, _ := s.Param(idParam)
	if isUnion(s) {
		w.union(s, id, noIndex)
	} else {
		w.plain(s, id, noIndex)
	}
	d.text, w.out = w.out, around
}

// reference writes a reference in place of s.
func (w *writer) reference(s *data.Schema, ref string, index int, ignoreOptional bool) {
	nullable := s.Optional() && !ignoreOptional && !isUnion(s) // a union has null among its branches
	o := &object{w: w, first: true}
	if nullable {
		o = w.combined("", index)
		w.out = append(w.out, `{"type":"null"},`...)
		index = noIndex
	}
	r := w.begin()
	r.text("$ref", ref)
	if index != noIndex {
		r.key(connectIndex)
		w.out = strconv.AppendInt(w.out, int64(index), 10)
	}
	r.end()
	if nullable {
		w.out = append(w.out, ']')
		o.end()
	}
}

// freeName returns a name for a definition that none has. References need not escape
// its characters.
func (w *writer) freeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
	if name == "" {
		name = "struct"
	}
	free := name
	for i := 2; slices.ContainsFunc(w.defs, func(d *definition) bool { return d.name == free }); i++ {
		free = name + strconv.Itoa(i)
	}
	return free
}

// appendDefinitions puts the definitions at the end of the outermost schema.
func (w *writer) appendDefinitions() {
	o := &object{w: w, first: true}
	for _, d := range w.defs {
		if d.name == "" {
			continue
		}
		if o.first {
			w.out = append(w.out[:len(w.out)-1], `,"definitions":{`...)
		}
		o.key(d.name)
		w.out = append(w.out, d.text...)
	}
	if !o.first {
		w.out = append(w.out, '}', '}')
	}
}

// sameText reports whether two structs are written alike, but for null beside them.
func sameText(s, o *data.Schema) bool {
	if !s.SameType(o) || len(s.Params()) != len(o.Params()) || !s.Default().Equal(o.Default()) || isUnion(s) && s.Optional() != o.Optional() {
		return false
	}
	return !slices.ContainsFunc(s.Params(), func(p data.Param) bool {
		v, ok := o.Param(p.Key)
		return !ok || v != p.Value
	})
}

// collect finds the schemas that stand for others, one of those that are alike.
func (w *writer) collect(s *data.Schema) {
	seen := map[*data.Schema]bool{}
	kinds := map[*data.Field][]*data.Schema{} // those of one type share its fields
	var walk func(s *data.Schema)
	walk = func(s *data.Schema) {
		if !s.Recursive() || seen[s] {
			return
		}
		seen[s] = true
		if fields := s.Fields(); s.Repeats() && len(fields) > 0 {
			if first := &fields[0]; !containsText(kinds[first], s) {
				kinds[first] = append(kinds[first], s)
				w.selves = append(w.selves, s)
			}
		}
		walk(s.KeySchema())
		walk(s.ValueSchema())
		for _, f := range s.Fields() {
			walk(f.Schema)
		}
	}
	walk(s)
}

func containsText(list []*data.Schema, s *data.Schema) bool {
	return slices.ContainsFunc(list, func(o *data.Schema) bool { return sameText(o, s) })
}
