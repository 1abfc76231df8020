package avro

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// avroType is one of Avro's types.
type avroType uint8

const (
	tNull avroType = iota
	tBoolean
	tInt
	tLong
	tFloat
	tDouble
	tBytes
	tString
	tRecord
	tEnum
	tArray
	tMap
	tUnion
	tFixed
)

var typeNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map", "union", "fixed"}

func (t avroType) String() string { return typeNames[t] }

func (t avroType) named() bool { return t == tRecord || t == tEnum || t == tFixed }

func typeByName(name string) (avroType, bool) {
	for i, n := range typeNames {
		if n == name {
			return avroType(i), true
		}
	}
	return 0, name == "error"
}

// schema is an Avro schema. A named type is one schema wherever it is used, so the
// graph may have cycles. It is not written after it was made.
type schema struct {
	typ      avroType
	name     string // of named types, without the namespace
	space    string
	doc      string
	hasDoc   bool
	props    object // all that Avro itself does not know
	fields   []field
	elem     *schema // of an array's items and a map's values
	branches []*schema
	symbols  []string
	symbol   string // the enum's default; "" for none
	size     int    // of a fixed
}

type field struct {
	name   string
	schema *schema
	doc    string
	hasDoc bool
	def    any
	hasDef bool
	order  string
	props  object
	alias  any
}

func (s *schema) fullName() string {
	switch {
	case !s.typ.named():
		return s.typ.String()
	case s.space == "":
		return s.name
	}
	return s.space + "." + s.name
}

func (s *schema) prop(name string) (any, bool) { return s.props.get(name) }

// text returns a property that is a text, "" for any other.
func (s *schema) text(name string) string {
	v, _ := s.props.get(name)
	t, _ := v.(string)
	return t
}

// logical reports whether the schema has this logical type.
func (s *schema) logical(name string) bool { return strings.EqualFold(s.text(propLogical), name) }

func (s *schema) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// isMapEntry reports whether arrays of this record stand for maps.
func (s *schema) isMapEntry() bool {
	return s.typ == tRecord && (s.space == namespace && s.name == mapEntryName || s.text(propInternal) == mapEntryName)
}

// parser reads schemas that may refer to each other's names.
type parser struct {
	names map[string]*schema
}

// parse reads an Avro schema. refs are the texts of the schemas that it refers to,
// those that others need first.
func parse(text string, refs ...string) (*schema, error) {
	p := &parser{names: make(map[string]*schema)}
	for _, ref := range refs {
		if _, err := p.read(ref); err != nil {
			return nil, fmt.Errorf("reading a referenced Avro schema: %w", err)
		}
	}
	s, err := p.read(text)
	if err != nil {
		return nil, fmt.Errorf("reading an Avro schema: %w", err)
	}
	return s, nil
}

func (p *parser) read(text string) (*schema, error) {
	tree, err := parseJSON(text)
	if err != nil {
		// Java's parser takes the bare name of a primitive type, and so do registries.
		if t, ok := typeByName(text); ok && t <= tString {
			return &schema{typ: t}, nil
		}
		return nil, err
	}
	return p.schema(tree, "", 0)
}

func (p *parser) schema(tree any, space string, depth int) (*schema, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch v := tree.(type) {
	case string:
		return p.byName(v, space)
	case []any:
		return p.union(v, space, depth)
	case object:
		typ, ok := v.get("type")
		if !ok {
			return nil, fmt.Errorf("no type: %s", appendJSON(nil, v))
		}
		name, ok := typ.(string)
		if !ok {
			return p.schema(typ, space, depth+1) // as Java has it: {"type": {...}} is what is inside
		}
		t, ok := typeByName(name)
		if !ok {
			return p.byName(name, space)
		}
		if name == "error" {
			t = tRecord
		}
		return p.complex(t, v, space, depth)
	}
	return nil, fmt.Errorf("no schema: %s", appendJSON(nil, tree))
}

func (p *parser) byName(name, space string) (*schema, error) {
	if t, ok := typeByName(name); ok && t <= tString {
		return &schema{typ: t}, nil
	}
	full := name
	if !strings.Contains(name, ".") && space != "" {
		full = space + "." + name
	}
	if s, ok := p.names[full]; ok {
		return s, nil
	}
	if s, ok := p.names[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("Undefined name: %q", name) //nolint:staticcheck // Avro's own message
}

func (p *parser) union(list []any, space string, depth int) (*schema, error) {
	s := &schema{typ: tUnion}
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		b, err := p.schema(e, space, depth+1)
		if err != nil {
			return nil, err
		}
		if b.typ == tUnion {
			return nil, fmt.Errorf("Nested union: %s", appendJSON(nil, list)) //nolint:staticcheck // Avro's own message
		}
		if seen[b.fullName()] {
			return nil, fmt.Errorf("Duplicate in union:%s", b.fullName()) //nolint:staticcheck // Avro's own message
		}
		seen[b.fullName()] = true
		s.branches = append(s.branches, b)
	}
	return s, nil
}

// known are the members of a schema that Avro itself gives a meaning, by type.
var known = map[avroType][]string{
	tRecord: {"type", "name", "namespace", "doc", "fields", "aliases"},
	tEnum:   {"type", "name", "namespace", "doc", "symbols", "default", "aliases"},
	tFixed:  {"type", "name", "namespace", "doc", "size", "aliases"},
	tArray:  {"type", "items"},
	tMap:    {"type", "values"},
}

func others(obj object, known ...string) object {
	var out object
next:
	for _, m := range obj {
		for _, k := range known {
			if m.key == k {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

func (p *parser) complex(t avroType, obj object, space string, depth int) (*schema, error) {
	s := &schema{typ: t, props: others(obj, known[t]...)}
	if t <= tString {
		s.props = others(obj, "type")
		return s, nil
	}
	if t.named() {
		if err := s.setName(obj, space); err != nil {
			return nil, err
		}
		if _, dup := p.names[s.fullName()]; dup {
			return nil, fmt.Errorf("Can't redefine: %s", s.fullName()) //nolint:staticcheck // Avro's own message
		}
		p.names[s.fullName()] = s
		if d, ok := obj.get("doc"); ok {
			s.doc, s.hasDoc = d.(string)
		}
	}
	var err error
	switch t {
	case tArray, tMap:
		key := "items"
		if t == tMap {
			key = "values"
		}
		e, ok := obj.get(key)
		if !ok {
			return nil, fmt.Errorf("%s has no %s type", t, key)
		}
		s.elem, err = p.schema(e, space, depth+1)
		return s, err
	case tFixed:
		n, _ := obj.get("size")
		num, _ := n.(json.Number)
		if s.size, err = strconv.Atoi(string(num)); err != nil || s.size < 0 {
			return nil, fmt.Errorf("invalid or no size of the fixed %s", s.fullName())
		}
		return s, nil
	case tEnum:
		return s, s.setSymbols(obj)
	case tRecord:
		return s, p.fields(s, obj, depth)
	}
	return nil, fmt.Errorf("no type: %s", t)
}

func (s *schema) setName(obj object, space string) error {
	n, _ := obj.get("name")
	name, _ := n.(string)
	if name == "" {
		return fmt.Errorf("no name in the schema of a %s", s.typ)
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		s.space, s.name = name[:i], name[i+1:]
		return nil
	}
	s.name, s.space = name, space
	if ns, ok := obj.get("namespace"); ok {
		s.space, _ = ns.(string)
	}
	return nil
}

func (s *schema) setSymbols(obj object) error {
	list, _ := obj.get("symbols")
	symbols, ok := list.([]any)
	if !ok {
		return fmt.Errorf("the enum %s has no symbols", s.fullName())
	}
	seen := make(map[string]bool, len(symbols))
	for _, e := range symbols {
		sym, ok := e.(string)
		if !ok || seen[sym] {
			return fmt.Errorf("the enum %s has a symbol that is no text or comes twice", s.fullName())
		}
		seen[sym] = true
		s.symbols = append(s.symbols, sym)
	}
	if d, ok := obj.get("default"); ok {
		if s.symbol, ok = d.(string); !ok || !seen[s.symbol] {
			return fmt.Errorf("the default of the enum %s is none of its symbols", s.fullName())
		}
	}
	return nil
}

func (p *parser) fields(s *schema, obj object, depth int) error {
	list, _ := obj.get("fields")
	fields, ok := list.([]any)
	if !ok {
		return fmt.Errorf("the record %s has no fields", s.fullName())
	}
	seen := make(map[string]bool, len(fields))
	for _, e := range fields {
		fo, ok := e.(object)
		if !ok {
			return fmt.Errorf("a field of %s is no JSON object", s.fullName())
		}
		f := field{props: others(fo, "name", "type", "doc", "default", "order", "aliases")}
		n, _ := fo.get("name")
		f.name, _ = n.(string)
		if f.name == "" {
			return fmt.Errorf("a field of %s has no name", s.fullName())
		}
		if seen[f.name] {
			return fmt.Errorf("Duplicate field %s in record %s", f.name, s.fullName()) //nolint:staticcheck // Avro's own message
		}
		seen[f.name] = true
		typ, ok := fo.get("type")
		if !ok {
			return fmt.Errorf("the field %s of %s has no type", f.name, s.fullName())
		}
		var err error
		if f.schema, err = p.schema(typ, s.space, depth+1); err != nil {
			return err
		}
		if d, ok := fo.get("doc"); ok {
			f.doc, f.hasDoc = d.(string)
		}
		f.def, f.hasDef = fo.get("default")
		o, _ := fo.get("order")
		f.order, _ = o.(string)
		f.alias, _ = fo.get("aliases")
		s.fields = append(s.fields, f)
	}
	return nil
}
