// Package schema is Avro's schemas: their parser, their text, and what makes one
// valid. The converter (codec/avro) maps and compiles them, codec/registry/compat
// compares them. It imports codec/data and codec/javatext.
package schema

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// MaxDepth bounds how deep schemas and values nest: far more than anybody needs,
// far less than a goroutine's stack.
const MaxDepth = 500

// LogicalType is the property that names a logical type.
const LogicalType = "logicalType"

// Type is one of Avro's types.
type Type uint8

// Avro's types; those up to String are the primitive ones.
const (
	Null Type = iota
	Boolean
	Int
	Long
	Float
	Double
	Bytes
	String
	Record
	Enum
	Array
	Map
	Union
	Fixed
)

var typeNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map", "union", "fixed"}

// String returns the type's name in Avro.
func (t Type) String() string { return typeNames[t] }

// Named reports whether schemas of the type have names.
func (t Type) Named() bool { return t == Record || t == Enum || t == Fixed }

func typeByName(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name {
			return Type(i), true
		}
	}
	return 0, name == "error"
}

// Schema is an Avro schema. A named type is one schema wherever it is used, so the
// graph may have cycles. It is not written after it was made.
type Schema struct {
	Type      Type
	Name      string // of named types, without the namespace
	Namespace string
	Aliases   []string // of named types, with their namespaces
	Doc       string
	HasDoc    bool
	Props     Object // all that Avro itself does not know
	Fields    []Field
	Elem      *Schema // of an array's items and a map's values
	Branches  []*Schema
	Symbols   []string
	Symbol    string // the enum's default; "" for none
	Size      int    // of a fixed
}

// Field is a field of a record.
type Field struct {
	Name       string
	Schema     *Schema
	Doc        string
	HasDoc     bool
	Default    any // JSON, see Object
	HasDefault bool
	Order      string
	Props      Object
	Aliases    []string
}

// FullName returns the name with its namespace, or that of a type without names.
func (s *Schema) FullName() string {
	switch {
	case !s.Type.Named():
		return s.Type.String()
	case s.Namespace == "":
		return s.Name
	}
	return s.Namespace + "." + s.Name
}

// Prop returns a property.
func (s *Schema) Prop(name string) (any, bool) { return s.Props.Get(name) }

// TextProp returns a property that is a text, "" for any other.
func (s *Schema) TextProp(name string) string {
	v, _ := s.Props.Get(name)
	t, _ := v.(string)
	return t
}

// IsLogical reports whether the schema has this logical type.
func (s *Schema) IsLogical(name string) bool { return strings.EqualFold(s.TextProp(LogicalType), name) }

// Field returns a record's field of that name, nil for none.
func (s *Schema) Field(name string) *Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	return nil
}

// parser reads schemas that may refer to each other's names.
type parser struct {
	names map[string]*Schema
}

// Parse reads an Avro schema. refs are the texts of the schemas that it refers to,
// those that others need first.
func Parse(text string, refs ...string) (*Schema, error) {
	p := &parser{names: make(map[string]*Schema)}
	for _, ref := range refs {
		if _, err := p.read(ref); err != nil {
			return nil, fmt.Errorf("reading a referenced Avro schema: %w", err)
		}
	}
	return p.read(text)
}

func (p *parser) read(text string) (*Schema, error) {
	tree, err := parseJSON(text)
	if err != nil {
		// Java's parser takes the bare name of a primitive type, and so do registries.
		if t, ok := typeByName(strings.TrimSpace(text)); ok && t <= String {
			return &Schema{Type: t}, nil
		}
		return nil, err
	}
	return p.schema(tree, "", 0)
}

func (p *parser) schema(tree any, space string, depth int) (*Schema, error) {
	if depth > MaxDepth {
		return nil, ErrDeep
	}
	switch v := tree.(type) {
	case string:
		return p.byName(v, space)
	case []any:
		return p.union(v, space, depth)
	case Object:
		typ, ok := v.Get("type")
		if !ok {
			return nil, fmt.Errorf("no type: %s", AppendJSON(nil, v))
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
			t = Record
		}
		return p.complex(t, v, space, depth)
	}
	return nil, fmt.Errorf("no schema: %s", AppendJSON(nil, tree))
}

func (p *parser) byName(name, space string) (*Schema, error) {
	if t, ok := typeByName(name); ok && t <= String {
		return &Schema{Type: t}, nil
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
	return nil, fmt.Errorf("Undefined name: %q", name)
}

func (p *parser) union(list []any, space string, depth int) (*Schema, error) {
	s := &Schema{Type: Union}
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		b, err := p.schema(e, space, depth+1)
		if err != nil {
			return nil, err
		}
		if b.Type == Union {
			return nil, fmt.Errorf("Nested union: %s", AppendJSON(nil, list))
		}
		if seen[b.FullName()] {
			return nil, fmt.Errorf("Duplicate in union:%s", b.FullName())
		}
		seen[b.FullName()] = true
		s.Branches = append(s.Branches, b)
	}
	return s, nil
}

// known are the members of a schema that Avro itself gives a meaning, by type.
var known = map[Type][]string{
	Record: {"type", "name", "namespace", "doc", "fields", "aliases"},
	Enum:   {"type", "name", "namespace", "doc", "symbols", "default", "aliases"},
	Fixed:  {"type", "name", "namespace", "doc", "size", "aliases"},
	Array:  {"type", "items"},
	Map:    {"type", "values"},
}

func others(obj Object, known ...string) Object {
	var out Object
next:
	for _, m := range obj {
		for _, k := range known {
			if m.Key == k {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

func (p *parser) complex(t Type, obj Object, space string, depth int) (*Schema, error) {
	s := &Schema{Type: t, Props: others(obj, known[t]...)}
	if t <= String {
		s.Props = others(obj, "type")
		return s, nil
	}
	if t.Named() {
		if err := s.setName(obj, space); err != nil {
			return nil, err
		}
		if _, dup := p.names[s.FullName()]; dup {
			return nil, fmt.Errorf("Can't redefine: %s", s.FullName())
		}
		p.names[s.FullName()] = s
		if d, ok := obj.Get("doc"); ok {
			s.Doc, s.HasDoc = d.(string)
		}
		for _, a := range textsOf(obj, "aliases") {
			if !strings.Contains(a, ".") && s.Namespace != "" {
				a = s.Namespace + "." + a
			}
			s.Aliases = append(s.Aliases, a)
		}
	}
	var err error
	switch t {
	case Array, Map:
		key := "items"
		if t == Map {
			key = "values"
		}
		e, ok := obj.Get(key)
		if !ok {
			return nil, fmt.Errorf("%s has no %s type", t, key)
		}
		s.Elem, err = p.schema(e, space, depth+1)
		return s, err
	case Fixed:
		n, _ := obj.Get("size")
		num, _ := n.(json.Number)
		size, err := strconv.ParseInt(string(num), 10, 32) // an int in Java
		if err != nil || size < 0 {
			return nil, fmt.Errorf("invalid or no size of the fixed %s", s.FullName())
		}
		s.Size = int(size)
		return s, nil
	case Enum:
		return s, s.setSymbols(obj)
	case Record:
		return s, p.fields(s, obj, depth)
	}
	return nil, fmt.Errorf("no type: %s", t)
}

func (s *Schema) setName(obj Object, space string) error {
	n, _ := obj.Get("name")
	name, _ := n.(string)
	if name == "" {
		return fmt.Errorf("no name in the schema of a %s", s.Type)
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		s.Namespace, s.Name = name[:i], name[i+1:]
		return nil
	}
	s.Name, s.Namespace = name, space
	if ns, ok := obj.Get("namespace"); ok {
		s.Namespace, _ = ns.(string)
	}
	return nil
}

func (s *Schema) setSymbols(obj Object) error {
	list, _ := obj.Get("symbols")
	symbols, ok := list.([]any)
	if !ok {
		return fmt.Errorf("the enum %s has no symbols", s.FullName())
	}
	seen := make(map[string]bool, len(symbols))
	for _, e := range symbols {
		sym, ok := e.(string)
		if !ok || seen[sym] {
			return fmt.Errorf("the enum %s has a symbol that is no text or comes twice", s.FullName())
		}
		seen[sym] = true
		s.Symbols = append(s.Symbols, sym)
	}
	if d, ok := obj.Get("default"); ok {
		if s.Symbol, ok = d.(string); !ok || !seen[s.Symbol] {
			return fmt.Errorf("the default of the enum %s is none of its symbols", s.FullName())
		}
	}
	return nil
}

// textsOf returns the texts of a list.
func textsOf(obj Object, name string) (out []string) {
	v, _ := obj.Get(name)
	list, _ := v.([]any)
	for _, e := range list {
		if t, ok := e.(string); ok {
			out = append(out, t)
		}
	}
	return out
}

func (p *parser) fields(s *Schema, obj Object, depth int) error {
	list, _ := obj.Get("fields")
	fields, ok := list.([]any)
	if !ok {
		return fmt.Errorf("the record %s has no fields", s.FullName())
	}
	seen := make(map[string]bool, len(fields))
	for _, e := range fields {
		fo, ok := e.(Object)
		if !ok {
			return fmt.Errorf("a field of %s is no JSON object", s.FullName())
		}
		f := Field{Props: others(fo, "name", "type", "doc", "default", "order", "aliases")}
		n, _ := fo.Get("name")
		f.Name, _ = n.(string)
		if f.Name == "" {
			return fmt.Errorf("a field of %s has no name", s.FullName())
		}
		if seen[f.Name] {
			return fmt.Errorf("Duplicate field %s in record %s", f.Name, s.FullName())
		}
		seen[f.Name] = true
		typ, ok := fo.Get("type")
		if !ok {
			return fmt.Errorf("the field %s of %s has no type", f.Name, s.FullName())
		}
		var err error
		if f.Schema, err = p.schema(typ, s.Namespace, depth+1); err != nil {
			return err
		}
		if d, ok := fo.Get("doc"); ok {
			f.Doc, f.HasDoc = d.(string)
		}
		f.Default, f.HasDefault = fo.Get("default")
		o, _ := fo.Get("order")
		f.Order, _ = o.(string)
		f.Aliases = textsOf(fo, "aliases")
		s.Fields = append(s.Fields, f)
	}
	return nil
}
