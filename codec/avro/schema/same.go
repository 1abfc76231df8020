package schema

import "slices"

// Same reports whether two schemas are one type. As in Java, documentation and the
// aliases of a type do not make it another.
func Same(a, b *Schema) bool { return comparison{strict, map[[2]*Schema]bool{}}.same(a, b) }

// alike reports whether values of one schema can be read by the other, and as the
// same: then one of them may stand for both under their name.
func alike(a, b *Schema) bool { return comparison{loose, map[[2]*Schema]bool{}}.same(a, b) }

// comparison says how properties are compared, and holds the pairs that are the same
// unless something else differs: types may stand in themselves, and not in the same
// places of both.
type comparison struct {
	props func(a, b Object) bool
	pairs map[[2]*Schema]bool
}

func strict(a, b Object) bool { return sameJSON(a, b) }

// meaning are the properties that say how values are read.
var meaning = []string{LogicalType, "scale", "precision", "connect.type", "connect.internal.type"}

func loose(a, b Object) bool {
	for _, key := range meaning {
		x, hasX := a.Get(key)
		y, hasY := b.Get(key)
		if hasX != hasY || !sameJSON(x, y) {
			return false
		}
	}
	return true
}

func (c comparison) same(a, b *Schema) bool {
	pair := [2]*Schema{a, b}
	if a == b || c.pairs[pair] {
		return true
	}
	if a == nil || b == nil || a.Type != b.Type || a.Name != b.Name || a.Namespace != b.Namespace || a.Size != b.Size ||
		len(a.Fields) != len(b.Fields) || len(a.Branches) != len(b.Branches) || !slices.Equal(a.Symbols, b.Symbols) || !c.props(a.Props, b.Props) {
		return false
	}
	c.pairs[pair] = true
	for i := range a.Branches {
		if !c.same(a.Branches[i], b.Branches[i]) {
			return false
		}
	}
	for i := range a.Fields {
		f, g := &a.Fields[i], &b.Fields[i]
		if f.Name != g.Name || !c.props(f.facts(), g.facts()) || !c.same(f.Schema, g.Schema) {
			return false
		}
	}
	return c.same(a.Elem, b.Elem)
}

// facts are what a field says besides its name and type.
func (f *Field) facts() Object {
	out := append(Object{}, f.Props...)
	if f.HasDefault {
		out = append(out, Member{"default", f.Default})
	}
	if f.Order != "" && f.Order != "ascending" {
		out = append(out, Member{"order", f.Order})
	}
	for _, a := range f.Aliases {
		out = append(out, Member{"alias", a})
	}
	return out
}

func sameJSON(a, b any) bool { return string(AppendJSON(nil, a)) == string(AppendJSON(nil, b)) }
