package compat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/registry"
)

// node is a parsed Avro schema. A named type that is used again is the same node.
type node struct {
	kind     string // "record", "enum", "fixed", "array", "map", "union" or a primitive's name
	name     string // full name of a named type
	aliases  []string
	fields   []field
	symbols  []string
	fallback bool // of an enum: it has a default
	size     int
	item     *node // of arrays and maps
	branches []*node
}

type field struct {
	name     string
	aliases  []string
	typ      *node
	fallback bool
}

// maxDepth bounds nesting: what is deeper is no schema but an attack on the stack.
const maxDepth = 500

var (
	avroName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	primitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)

// avroParser knows the named types so far.
type avroParser struct {
	named map[string]*node
	depth int
}

// parseAvro parses a schema after those that it refers to.
func parseAvro(text string, deps []registry.Dependency) (*node, error) {
	p := &avroParser{named: map[string]*node{}}
	for _, d := range deps {
		if _, err := p.text(d.Schema.Text); err != nil {
			return nil, fmt.Errorf("the reference %s: %w", d.Name, err)
		}
	}
	return p.text(text)
}

func (p *avroParser) text(text string) (*node, error) {
	v, err := decodeJSON(text)
	if err != nil {
		// As Avro's parser, a bare name is taken as a schema.
		if name := strings.TrimSpace(text); slices.Contains(primitives, name) {
			return &node{kind: name}, nil
		}
		return nil, err
	}
	return p.any(v, "")
}

// decodeJSON reads one JSON document, with numbers as they are written.
func decodeJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the schema")
	}
	return v, nil
}

func (p *avroParser) any(v any, namespace string) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("the schema is nested too deeply")
	}
	defer func() { p.depth-- }()
	switch v := v.(type) {
	case string:
		return p.byName(v, namespace)
	case []any:
		return p.union(v, namespace)
	case map[string]any:
		return p.object(v, namespace)
	}
	return nil, fmt.Errorf("%s is no schema", short(v))
}

func short(v any) string {
	b, _ := json.Marshal(v)
	if len(b) > 80 {
		b = append(b[:77], "..."...)
	}
	return string(b)
}

func (p *avroParser) byName(name, namespace string) (*node, error) {
	if slices.Contains(primitives, name) {
		return &node{kind: name}, nil
	}
	if n := p.named[fullName(name, namespace)]; n != nil {
		return n, nil
	}
	if n := p.named[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%q is not a defined name", fullName(name, namespace))
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (p *avroParser) union(list []any, namespace string) (*node, error) {
	n := &node{kind: "union"}
	seen := map[string]bool{}
	for _, v := range list {
		b, err := p.any(v, namespace)
		if err != nil {
			return nil, err
		}
		id := b.kind + " " + b.name
		switch {
		case b.kind == "union":
			return nil, errors.New("a union stands directly in a union")
		case seen[id]:
			return nil, fmt.Errorf("%s is twice in a union", strings.TrimSpace(id))
		}
		seen[id] = true
		n.branches = append(n.branches, b)
	}
	return n, nil
}

func (p *avroParser) object(v map[string]any, namespace string) (*node, error) {
	kind, ok := v["type"].(string)
	if !ok {
		if v["type"] == nil {
			return nil, fmt.Errorf("%s has no type", short(v))
		}
		return p.any(v["type"], namespace) // {"type": {…}} or {"type": […]}
	}
	switch kind {
	case "array", "map":
		part := map[string]string{"array": "items", "map": "values"}[kind]
		if v[part] == nil {
			return nil, fmt.Errorf("%s has no %s", short(v), part)
		}
		item, err := p.any(v[part], namespace)
		if err != nil {
			return nil, err
		}
		return &node{kind: kind, item: item}, nil
	case "record", "error", "enum", "fixed":
		return p.namedType(v, kind, namespace)
	}
	return p.byName(kind, namespace)
}

func (p *avroParser) namedType(v map[string]any, kind, namespace string) (*node, error) {
	name, _ := v["name"].(string)
	if ns, ok := v["namespace"].(string); ok && !strings.Contains(name, ".") {
		namespace = ns
	}
	full := fullName(name, namespace)
	if !avroName.MatchString(full) {
		return nil, fmt.Errorf("illegal name %q of a %s", full, kind)
	}
	if p.named[full] != nil {
		return nil, fmt.Errorf("can't redefine: %s", full)
	}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		namespace = full[:i]
	}
	if kind == "error" {
		kind = "record"
	}
	n := &node{kind: kind, name: full}
	for _, a := range stringsOf(v["aliases"]) {
		n.aliases = append(n.aliases, fullName(a, namespace))
	}
	p.named[full] = n
	switch kind {
	case "enum":
		list, ok := v["symbols"].([]any)
		n.symbols = stringsOf(v["symbols"])
		if !ok || len(n.symbols) != len(list) {
			return nil, fmt.Errorf("enum %s has no symbols", full)
		}
		for i, s := range n.symbols {
			if !simpleName.MatchString(s) || slices.Contains(n.symbols[:i], s) {
				return nil, fmt.Errorf("enum %s: the symbol %q is illegal or there twice", full, s)
			}
		}
		if d, ok := v["default"]; ok {
			if s, _ := d.(string); !slices.Contains(n.symbols, s) {
				return nil, fmt.Errorf("enum %s: its default %s is none of its symbols", full, short(d))
			}
			n.fallback = true
		}
	case "fixed":
		number, _ := v["size"].(json.Number)
		size, err := number.Int64()
		if err != nil || size < 0 || size > 1<<31-1 {
			return nil, fmt.Errorf("fixed %s: %s is no size", full, short(v["size"]))
		}
		n.size = int(size)
	case "record":
		list, ok := v["fields"].([]any)
		if !ok {
			return nil, fmt.Errorf("record %s has no fields", full)
		}
		for _, item := range list {
			f, err := p.field(item, full, namespace)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(n.fields, func(o field) bool { return o.name == f.name }) {
				return nil, fmt.Errorf("record %s has the field %s twice", full, f.name)
			}
			n.fields = append(n.fields, f)
		}
	}
	return n, nil
}

func (p *avroParser) field(item any, record, namespace string) (field, error) {
	v, ok := item.(map[string]any)
	name, _ := v["name"].(string)
	if !ok || !simpleName.MatchString(name) {
		return field{}, fmt.Errorf("record %s: %s is no field", record, short(item))
	}
	if v["type"] == nil {
		return field{}, fmt.Errorf("record %s: the field %s has no type", record, name)
	}
	typ, err := p.any(v["type"], namespace)
	if err != nil {
		return field{}, fmt.Errorf("record %s, field %s: %w", record, name, err)
	}
	d, has := v["default"]
	if has && !fits(typ, d) {
		return field{}, fmt.Errorf("record %s: invalid default %s for the field %s", record, short(d), name)
	}
	return field{name: name, aliases: stringsOf(v["aliases"]), typ: typ, fallback: has}, nil
}

// fits reports whether a field of that type can have a default of that JSON. A
// union's default is one of its first branch; parsers that are newer take any.
func fits(n *node, d any) bool {
	switch n.kind {
	case "union":
		return slices.ContainsFunc(n.branches, func(b *node) bool { return fits(b, d) })
	case "null":
		return d == nil
	case "boolean":
		_, ok := d.(bool)
		return ok
	case "int", "long", "float", "double":
		number, ok := d.(json.Number)
		if !ok && (n.kind == "float" || n.kind == "double") {
			s, _ := d.(string)
			return s == "NaN" || s == "Infinity" || s == "-Infinity"
		}
		if n.kind == "int" || n.kind == "long" {
			v, err := number.Int64()
			return ok && err == nil && (n.kind == "long" || v == int64(int32(v))) //nolint:gosec // that is the check
		}
		return ok
	case "array":
		_, ok := d.([]any)
		return ok
	case "map", "record":
		_, ok := d.(map[string]any)
		return ok
	}
	_, ok := d.(string)
	return ok
}

func stringsOf(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func canonicalAvro(s *registry.Schema, deps []registry.Dependency) (string, error) {
	if _, err := parseAvro(s.Text, deps); err != nil {
		return "", err
	}
	v, err := decodeJSON(s.Text)
	if err != nil {
		v = strings.TrimSpace(s.Text) // the bare name of a primitive
	}
	return marshal(v)
}

// marshal writes JSON with the members of objects sorted.
func marshal(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
