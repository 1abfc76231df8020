package jsonschema

import (
	"bytes"
	ejson "encoding/json"
	"errors"
	"io"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

// Limits of schemas, which come from outside.
const (
	maxSchemaDepth = 200
	maxSchemaNodes = 100_000
)

// kind is what a schema is to the library of JSON Schema that Confluent uses; its
// classes decide what becomes of a schema, and stand in messages.
type kind string

const (
	booleanKind  kind = "BooleanSchema"
	numberKind   kind = "NumberSchema"
	stringKind   kind = "StringSchema"
	constKind    kind = "ConstSchema"
	enumKind     kind = "EnumSchema"
	combinedKind kind = "CombinedSchema"
	nullKind     kind = "NullSchema"
	arrayKind    kind = "ArraySchema"
	objectKind   kind = "ObjectSchema"
	emptyKind    kind = "EmptySchema"
	refKind      kind = "ReferenceSchema"
	notKind      kind = "NotSchema"
	ifKind       kind = "ConditionalSchema"
	trueKind     kind = "TrueSchema"
	falseKind    kind = "FalseSchema"
)

// schema is a schema or a subschema as it was read.
type schema struct {
	kind      kind
	raw       map[string]any // title, default and what is Connect's; nil in a part of a schema
	doc       *document
	integer   bool
	criterion string // of a combined schema: oneOf, anyOf or allOf
	subs      []*schema
	values    []any // of enum and const
	ref       string
	items     *schema            // of an array: that of all its elements
	props     map[string]*schema // of an object
	required  map[string]bool
	extra     *schema // of an object: that of its additional properties
}

// document is a schema's whole text.
type document struct {
	root any
	base *url.URL
	ids  map[string]any // subschemas by their id or anchor
}

// loader holds a schema and those it refers to.
type loader struct {
	docs   map[string]*document
	loaded map[uintptr]*schema // by the address of an object in a document
	nodes  int
}

// parseDocument reads a schema's text.
func parseDocument(text string) (*document, error) {
	d := ejson.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	doc := &document{ids: map[string]any{}}
	if err := d.Decode(&doc.root); err != nil {
		return nil, data.Errorf("Invalid JSON schema: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, data.Errorf("Invalid JSON schema: text after its end")
	}
	if m, ok := doc.root.(map[string]any); ok {
		for _, k := range []string{"$id", "id"} {
			if s, ok := m[k].(string); ok {
				if u, err := url.Parse(s); err == nil {
					doc.base = u
				}
				break
			}
		}
	}
	doc.index(doc.root, 0)
	return doc, nil
}

func (d *document) index(v any, depth int) {
	if depth > maxSchemaDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			d.index(e, depth+1)
		}
	case map[string]any:
		for _, k := range []string{"$id", "id", "$anchor", "$dynamicAnchor"} {
			if s, ok := v[k].(string); ok {
				d.ids[strings.TrimPrefix(s, "#")] = v
			}
		}
		for _, e := range v {
			d.index(e, depth+1)
		}
	}
}

var (
	arrayKeywords  = []string{"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"}
	objectKeywords = []string{"properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties", "additionalProperties", "propertyNames"}
	numberKeywords = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	stringKeywords = []string{"minLength", "maxLength", "pattern", "format"}
	ifKeywords     = []string{"if", "then", "else"}
	refKeywords    = []string{"$ref", "$recursiveRef", "$dynamicRef"} // no schema is around another that would change what they lead to
	criteria       = []string{"oneOf", "anyOf", "allOf"}              // a HashMap's order of them is no other
)

// load reads a subschema, once, so that a schema within itself is noticed by its
// pointer, whatever reference leads to it.
func (l *loader) load(d *document, v any, depth int) (*schema, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return l.build(d, v, depth)
	}
	at := reflect.ValueOf(m).Pointer()
	if s := l.loaded[at]; s != nil {
		return s, nil
	}
	s, err := l.build(d, v, depth)
	if err == nil {
		l.loaded[at] = s
	}
	return s, err
}

// build reads a subschema. Where keywords of several kinds stand together it is an
// allOf of the parts, as everit has it.
func (l *loader) build(d *document, v any, depth int) (*schema, error) {
	if l.nodes++; l.nodes > maxSchemaNodes || depth > maxSchemaDepth {
		return nil, data.Errorf("JSON Schema is too large: more than %d parts or %d levels", maxSchemaNodes, maxSchemaDepth)
	}
	if b, ok := v.(bool); ok {
		if b {
			return &schema{kind: trueKind, doc: d}, nil
		}
		return &schema{kind: falseKind, doc: d}, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, data.Errorf("Invalid JSON schema: expected type: JsonObject, found: %s", jsonText(v))
	}
	for _, k := range refKeywords {
		if ref, ok := m[k].(string); ok {
			return &schema{kind: refKind, ref: ref, raw: m, doc: d}, nil
		}
	}
	p := parts{l: l, d: d, m: m, depth: depth + 1, used: map[string]bool{}}
	if err := p.extract(); err != nil {
		return nil, err
	}
	switch len(p.out) {
	case 0:
		return &schema{kind: emptyKind, raw: m, doc: d}, nil
	case 1:
		p.out[0].raw = m
		return p.out[0], nil
	}
	return &schema{kind: combinedKind, criterion: "allOf", subs: p.out, raw: m, doc: d}, nil
}

// parts are what one schema object is made of.
type parts struct {
	l     *loader
	d     *document
	m     map[string]any
	depth int
	used  map[string]bool
	out   []*schema
}

// has reports whether one of the keywords stands there that no part has taken.
func (p *parts) has(keywords []string) bool {
	for _, k := range keywords {
		if _, ok := p.m[k]; ok && !p.used[k] {
			return true
		}
	}
	return false
}

func (p *parts) take(keywords []string) {
	for _, k := range keywords {
		p.used[k] = true
	}
}

func (p *parts) add(s *schema) *schema {
	s.doc = p.d
	p.out = append(p.out, s)
	return s
}

func (p *parts) extract() error {
	if values, ok := p.m["enum"].([]any); ok {
		p.add(&schema{kind: enumKind, values: values})
	}
	for _, c := range criteria {
		list, ok := p.m[c].([]any)
		if !ok {
			continue
		}
		s := p.add(&schema{kind: combinedKind, criterion: c})
		for _, e := range list {
			sub, err := p.l.load(p.d, e, p.depth)
			if err != nil {
				return err
			}
			s.subs = append(s.subs, sub)
		}
	}
	if _, ok := p.m["not"]; ok {
		p.add(&schema{kind: notKind})
	}
	if v, ok := p.m["const"]; ok {
		p.add(&schema{kind: constKind, values: []any{v}})
	}
	switch t := p.m["type"].(type) {
	case string:
		s, err := p.typed(t)
		if err != nil {
			return err
		}
		p.add(s)
	case []any:
		any := p.add(&schema{kind: combinedKind, criterion: "anyOf"})
		for _, e := range t {
			name, _ := e.(string)
			s, err := p.typed(name)
			if err != nil {
				return err
			}
			any.subs = append(any.subs, s)
		}
	}
	for _, sniff := range []struct {
		keywords []string
		kind     kind
	}{{arrayKeywords, arrayKind}, {objectKeywords, objectKind}, {numberKeywords, numberKind}, {stringKeywords, stringKind}, {ifKeywords, ifKind}} {
		if !p.has(sniff.keywords) {
			continue
		}
		s := &schema{kind: sniff.kind, doc: p.d}
		if err := p.fill(s); err != nil {
			return err
		}
		p.add(s)
	}
	return nil
}

func (p *parts) typed(name string) (*schema, error) {
	s := &schema{doc: p.d}
	switch name {
	case "string":
		s.kind = stringKind
	case "integer":
		s.kind, s.integer = numberKind, true
	case "number":
		s.kind = numberKind
	case "boolean":
		s.kind = booleanKind
	case "null":
		s.kind = nullKind
	case "array":
		s.kind = arrayKind
	case "object":
		s.kind = objectKind
	default:
		return nil, data.Errorf("Invalid JSON schema: unknown type: [%s]", name)
	}
	return s, p.fill(s)
}

// fill reads the keywords of a kind.
func (p *parts) fill(s *schema) error {
	switch s.kind {
	case stringKind:
		p.take(stringKeywords)
	case numberKind:
		p.take(numberKeywords)
	case arrayKind:
		p.take(arrayKeywords)
		switch items := p.m["items"].(type) {
		case map[string]any, bool:
			var err error
			s.items, err = p.l.load(p.d, items, p.depth)
			return err
		}
	case objectKind:
		p.take(objectKeywords)
		return p.fillObject(s)
	}
	return nil
}

func (p *parts) fillObject(s *schema) error {
	s.props, s.required = map[string]*schema{}, map[string]bool{}
	if list, ok := p.m["required"].([]any); ok {
		for _, e := range list {
			if name, ok := e.(string); ok {
				s.required[name] = true
			}
		}
	}
	if props, ok := p.m["properties"].(map[string]any); ok {
		for name, v := range props {
			sub, err := p.l.load(p.d, v, p.depth)
			if err != nil {
				return err
			}
			s.props[name] = sub
		}
	}
	if extra, ok := p.m["additionalProperties"].(map[string]any); ok {
		var err error
		s.extra, err = p.l.load(p.d, extra, p.depth)
		return err
	}
	return nil
}

// resolve finds what a reference refers to: in the document, by a pointer or an
// id, or in one of the registry's references, by its name.
func (l *loader) resolve(s *schema) (*schema, error) {
	name, fragment, _ := strings.Cut(s.ref, "#")
	d := s.doc
	if name != "" {
		if d = l.find(name, s.doc); d == nil {
			if v, ok := s.doc.ids[name]; ok && fragment == "" {
				return l.load(s.doc, v, 0)
			}
			return nil, data.Errorf("Invalid JSON schema: reference %s is not among the schema's references", s.ref)
		}
	}
	if fragment == "" {
		return l.load(d, d.root, 0)
	}
	if !strings.HasPrefix(fragment, "/") {
		v, ok := d.ids[fragment]
		if !ok {
			return nil, data.Errorf("Invalid JSON schema: no schema has the id of reference %s", s.ref)
		}
		return l.load(d, v, 0)
	}
	if u, err := url.PathUnescape(fragment); err == nil {
		fragment = u
	}
	v := d.root
	for _, step := range strings.Split(fragment[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil, data.Errorf("Invalid JSON schema: reference %s leads nowhere", s.ref)
			}
			v = at[i]
		default:
			v = nil
		}
		if v == nil {
			return nil, data.Errorf("Invalid JSON schema: reference %s leads nowhere", s.ref)
		}
	}
	return l.load(d, v, 0)
}

func (l *loader) find(name string, from *document) *document {
	if d := l.docs[name]; d != nil {
		return d
	}
	if from.base != nil {
		if u, err := from.base.Parse(name); err == nil {
			return l.docs[u.String()]
		}
	}
	return nil
}

func jsonText(v any) string {
	var b bytes.Buffer
	e := ejson.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}
