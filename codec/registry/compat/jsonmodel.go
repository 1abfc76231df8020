package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/codec/registry"
)

// jsonNode is a JSON Schema as it is compared: of one type, or a combination. What
// says several things at once, such as a type and an enumeration, is a combination of
// all of them, as the registry sees it.
type jsonNode struct {
	kind     string // anything, nothing, a type of JSON, enum, const, not or combined
	has      map[string]any
	criteria string      // of a combination: allOf, anyOf or oneOf
	parts    []*jsonNode // of a combination; of not the one

	// Of objects and arrays. A nil model of what comes in addition is open.
	properties   map[string]*jsonNode
	patterns     []patternNode
	dependencies map[string]*jsonNode // schemas; the lists stay in has
	items        *jsonNode            // of all elements
	tuple        []*jsonNode
	additional   *jsonNode
}

type patternNode struct {
	pattern *javaregex.Pattern
	schema  *jsonNode
}

// jsonDocument makes nodes, each schema once: they may refer to each other in
// circles.
type jsonDocument struct {
	root    any
	others  map[string]any // what the schema refers to, by its name or $id
	nodes   map[uintptr]*jsonNode
	problem error
}

func parseJSON(text string, deps []registry.Dependency) (*jsonNode, error) {
	v, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	d := &jsonDocument{root: v, others: map[string]any{}, nodes: map[uintptr]*jsonNode{}}
	for _, dep := range deps {
		other, err := decodeJSON(dep.Schema.Text)
		if err != nil {
			return nil, fmt.Errorf("the reference %s: %w", dep.Name, err)
		}
		d.others[dep.Name] = other
	}
	switch v.(type) {
	case bool, map[string]any:
	default:
		return nil, errors.New("a JSON Schema is an object or a boolean")
	}
	n := d.node(v, v, 0)
	return n, d.problem
}

// keywords say to which type a schema without one belongs.
var keywords = map[string][]string{
	"object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties", "dependencies", "patternProperties", "propertyNames"},
	"array":  {"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "prefixItems"},
	"string": {"minLength", "maxLength", "pattern", "format"},
	"number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}

var jsonTypes = []string{"null", "boolean", "object", "array", "number", "string", "integer"}

// node reads a schema; in is the document around it, to which its references belong.
func (d *jsonDocument) node(v, in any, depth int) *jsonNode {
	if depth > maxDepth {
		d.fail("the schema is nested too deeply")
		return &jsonNode{kind: "anything"}
	}
	s, ok := v.(map[string]any)
	switch {
	case v == false:
		return &jsonNode{kind: "nothing"}
	case !ok:
		return &jsonNode{kind: "anything"}
	}
	if n, ok := d.nodes[reflect.ValueOf(s).Pointer()]; ok {
		return n
	}
	n := &jsonNode{has: s}
	d.nodes[reflect.ValueOf(s).Pointer()] = n
	if ref, ok := s["$ref"].(string); ok {
		n.kind = "anything" // as is what refers to nothing but itself
		if target, in, ok := d.resolve(ref, in); ok {
			n = d.node(target, in, depth+1)
			d.nodes[reflect.ValueOf(s).Pointer()] = n
		}
		return n
	}
	types := typesOf(s)
	for _, t := range types {
		if !slices.Contains(jsonTypes, t) {
			d.fail(fmt.Sprintf("unknown type %q", t))
		}
	}
	if len(types) == 0 {
		for _, t := range []string{"object", "array", "string", "number"} {
			if slices.ContainsFunc(keywords[t], func(k string) bool { return s[k] != nil }) {
				types = append(types, t)
			}
		}
	}
	var parts []*jsonNode
	if len(types) == 1 {
		parts = append(parts, d.typed(types[0], s, in, depth))
	} else if len(types) > 1 {
		either := &jsonNode{kind: "combined", criteria: "anyOf", has: s}
		for _, t := range types {
			either.parts = append(either.parts, d.typed(t, s, in, depth))
		}
		parts = append(parts, either)
	}
	for _, keyword := range []string{"enum", "const"} {
		_, isList := s[keyword].([]any)
		if _, ok := s[keyword]; ok && (isList || keyword == "const") {
			parts = append(parts, &jsonNode{kind: keyword, has: s})
		}
	}
	if not, ok := s["not"]; ok {
		parts = append(parts, &jsonNode{kind: "not", has: s, parts: []*jsonNode{d.node(not, in, depth+1)}})
	}
	for _, criteria := range []string{"allOf", "anyOf", "oneOf"} {
		if list, ok := s[criteria].([]any); ok && len(list) > 0 {
			c := &jsonNode{kind: "combined", criteria: criteria, has: s}
			for _, one := range list {
				c.parts = append(c.parts, d.node(one, in, depth+1))
			}
			parts = append(parts, c)
		}
	}
	switch len(parts) {
	case 0:
		n.kind = "anything"
	case 1:
		*n = *parts[0]
	default:
		n.kind, n.criteria, n.parts = "combined", "allOf", parts
	}
	return n
}

func (d *jsonDocument) typed(t string, s map[string]any, in any, depth int) *jsonNode {
	n := &jsonNode{kind: t, has: s}
	sub := func(v any) *jsonNode { return d.node(v, in, depth+1) }
	all := func(keyword string) map[string]*jsonNode {
		m, _ := s[keyword].(map[string]any)
		out := make(map[string]*jsonNode, len(m))
		for name, v := range m {
			if _, list := v.([]any); !list {
				out[name] = sub(v)
			}
		}
		return out
	}
	more := ""
	switch t {
	case "object":
		n.properties, n.dependencies, more = all("properties"), all("dependencies"), "additionalProperties"
		patterns := all("patternProperties")
		for _, text := range slices.Sorted(maps.Keys(patterns)) {
			p, err := javaregex.Compile(text)
			if err != nil {
				d.fail(fmt.Sprintf("the pattern %q of patternProperties: %s", text, err))
				continue
			}
			n.patterns = append(n.patterns, patternNode{p, patterns[text]})
		}
	case "array":
		list, isTuple := s["items"].([]any)
		if isTuple {
			more = "additionalItems"
		} else if list, isTuple = s["prefixItems"].([]any); isTuple {
			more = "items"
		} else if items, ok := s["items"]; ok {
			n.items = sub(items)
		}
		for _, v := range list {
			n.tuple = append(n.tuple, sub(v))
		}
	}
	if v, ok := s[more]; ok && v != true {
		n.additional = sub(v)
	}
	return n
}

func (d *jsonDocument) fail(problem string) {
	if d.problem == nil {
		d.problem = errors.New(problem)
	}
}

// resolve follows a reference: to the document itself, to a place in it, to an $id, or
// to one of the schemas that it refers to in the registry.
func (d *jsonDocument) resolve(ref string, in any) (v, of any, ok bool) {
	name, place, _ := strings.Cut(ref, "#")
	if name != "" {
		if in, ok = d.document(name, in); !ok {
			d.fail("cannot resolve the reference " + ref)
			return nil, nil, false
		}
	}
	v = in
	if place != "" && place[0] != '/' {
		if v, ok = findBy("$id", "#"+place, in, 0); !ok {
			v, ok = findBy("$anchor", place, in, 0)
		}
		if !ok {
			d.fail("cannot resolve the reference " + ref)
		}
		return v, in, ok
	}
	for _, step := range strings.Split(place, "/")[1:] {
		if plain, err := url.PathUnescape(step); err == nil {
			step = plain
		}
		next, ok := member(v, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		if !ok {
			d.fail("cannot resolve the reference " + ref)
			return nil, nil, false
		}
		v = next
	}
	return v, in, true
}

// document finds what a reference names, as it stands or as an address beside that of
// the document that refers to it.
func (d *jsonDocument) document(name string, from any) (any, bool) {
	names := []string{name}
	if s, ok := from.(map[string]any); ok {
		id, _ := s["$id"].(string)
		base, err := url.Parse(id)
		if ref, e := url.Parse(name); err == nil && e == nil {
			names = append(names, base.ResolveReference(ref).String())
		}
	}
	for _, name := range names {
		if other, ok := d.others[name]; ok {
			return other, true
		}
		for _, document := range append([]any{d.root}, slices.Collect(maps.Values(d.others))...) {
			if found, ok := findBy("$id", name, document, 0); ok {
				return found, true
			}
		}
	}
	return nil, false
}

func member(v any, step string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		next, ok := v[step]
		return next, ok
	case []any:
		for i, next := range v {
			if fmt.Sprint(i) == step {
				return next, true
			}
		}
	}
	return nil, false
}

func findBy(keyword, value string, v any, depth int) (any, bool) {
	if depth > maxDepth {
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		if v[keyword] == value {
			return v, true
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if found, ok := findBy(keyword, value, v[name], depth+1); ok {
				return found, true
			}
		}
	case []any:
		for _, one := range v {
			if found, ok := findBy(keyword, value, one, depth+1); ok {
				return found, true
			}
		}
	}
	return nil, false
}

// typesOf returns the types that a schema names; none for any.
func typesOf(s map[string]any) []string {
	if t, ok := s["type"].(string); ok {
		return []string{t}
	}
	return stringsOf(s["type"])
}

// number returns a keyword's number.
func (n *jsonNode) number(keyword string) (float64, bool) {
	text, ok := n.has[keyword].(json.Number)
	if !ok {
		return 0, false
	}
	f, err := text.Float64()
	return f, err == nil
}

func (n *jsonNode) defaulted() bool {
	_, ok := n.has["default"]
	return ok
}
