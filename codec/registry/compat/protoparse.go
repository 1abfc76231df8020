package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/scanner"

	"github.com/troupeio/troupe/codec/registry"
)

// proto is what is compared of a file.
type proto struct {
	pkg      string
	messages []*protoMessage // of the top level
	types    map[string]*protoMessage
	enums    map[string]bool // by full name, as types
}

type protoMessage struct {
	name     string // within its package
	full     string
	imported bool
	fields   []*protoField
	oneofs   []string // of which fields stand
	nested   []*protoMessage
}

type protoField struct {
	number int
	label  string // as it is written; "" for none
	typ    string // as it is written; of a map that of its values
	key    string // of a map
	oneof  string
	in     *protoMessage
}

func parseProto(text string, deps []registry.Dependency) (*proto, error) {
	out := &proto{types: map[string]*protoMessage{}, enums: map[string]bool{}}
	for _, dep := range deps {
		if err := out.read(dep.Schema.Text, true); err != nil {
			return nil, fmt.Errorf("the reference %s: %w", dep.Name, err)
		}
	}
	if err := out.read(text, false); err != nil {
		return nil, err
	}
	if len(out.messages) == 0 && len(out.enums) == 0 {
		return nil, fmt.Errorf("the file defines no message")
	}
	return out, nil
}

// protoTokens splits a file into tokens without comments.
func protoTokens(text string) ([]string, error) {
	var s scanner.Scanner
	s.Init(strings.NewReader(text))
	s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanStrings | scanner.ScanRawStrings | scanner.ScanComments | scanner.SkipComments
	var failed error
	s.Error = func(s *scanner.Scanner, msg string) {
		// A single-quoted string is Protobuf's, not this scanner's; its parts will do.
		if failed == nil && !strings.Contains(msg, "escape") {
			failed = fmt.Errorf("line %d: %s", s.Pos().Line, msg)
		}
	}
	var out []string
	for tok := s.Scan(); tok != scanner.EOF; tok = s.Scan() {
		out = append(out, s.TokenText())
	}
	return out, failed
}

func canonicalProtobuf(text string) (string, error) {
	tokens, err := protoTokens(text)
	return strings.Join(tokens, " "), err
}

// read reads the messages of a file and their fields. It is no compiler: what it does
// not know it steps over.
func (p *proto) read(text string, imported bool) error {
	tokens, err := protoTokens(text)
	if err != nil {
		return err
	}
	parser := &protoParser{tokens: tokens, out: p, imported: imported}
	if err := parser.body(nil, "", false); err != nil {
		return err
	}
	if !imported {
		p.pkg = parser.pkg
	}
	return nil
}

type protoParser struct {
	tokens   []string
	at       int
	depth    int
	pkg      string
	imported bool
	out      *proto
}

// body reads statements up to the brace that ends them, or to the end of the file. m is
// the message around them, nil outside and in what holds no fields; oneof is the one in
// it.
func (p *protoParser) body(m *protoMessage, oneof string, nested bool) error {
	if p.depth++; p.depth > maxDepth {
		return fmt.Errorf("the schema is nested too deeply")
	}
	defer func() { p.depth-- }()
	for p.at < len(p.tokens) {
		if p.tokens[p.at] == "}" {
			if !nested {
				return fmt.Errorf("there is a } too many")
			}
			p.at++
			return nil
		}
		statement, opens := p.statement()
		if err := p.take(statement, opens, m, oneof, nested); err != nil {
			return err
		}
	}
	if nested {
		return fmt.Errorf("a } is missing")
	}
	return nil
}

func (p *protoParser) take(statement []string, opens bool, m *protoMessage, oneof string, nested bool) error {
	named := len(statement) == 2 && (m != nil || !nested)
	switch {
	case !opens && !nested && len(statement) > 1 && statement[0] == "package":
		p.pkg = strings.Join(statement[1:], "")
	case !opens:
		if m != nil {
			m.add(statement, oneof)
		}
	case named && statement[0] == "message":
		inner, err := p.message(statement[1], m)
		if err != nil {
			return err
		}
		return p.body(inner, "", true)
	case named && statement[0] == "enum":
		p.out.enums[p.full(statement[1], m)] = true
		return p.body(nil, "", true)
	case named && m != nil && statement[0] == "oneof":
		m.oneofs = append(m.oneofs, statement[1])
		return p.body(m, statement[1], true)
	case m != nil && slices.Index(statement, "group") == len(statement)-4 && len(statement) > 4:
		name := statement[len(statement)-3]
		inner, err := p.message(name, m)
		if err != nil {
			return err
		}
		m.add(slices.Concat(statement[:len(statement)-4], []string{name, strings.ToLower(name)}, statement[len(statement)-2:]), oneof)
		return p.body(inner, "", true)
	default: // service, extend, an option's value
		return p.body(nil, "", true)
	}
	return nil
}

func (p *protoParser) full(name string, m *protoMessage) string {
	switch {
	case m != nil:
		return m.full + "." + name
	case p.pkg != "":
		return p.pkg + "." + name
	}
	return name
}

func (p *protoParser) message(name string, around *protoMessage) (*protoMessage, error) {
	m := &protoMessage{name: name, full: p.full(name, around), imported: p.imported}
	if p.out.types[m.full] != nil {
		return nil, fmt.Errorf("the message %s is defined twice", m.full)
	}
	p.out.types[m.full] = m
	switch {
	case around != nil:
		m.name = around.name + "." + name
		around.nested = append(around.nested, m)
	case !p.imported:
		p.out.messages = append(p.out.messages, m)
	}
	return m, nil
}

// statement returns the tokens up to a semicolon, or up to an opening brace, which
// it reports.
func (p *protoParser) statement() (tokens []string, opens bool) {
	begin := p.at
	for ; p.at < len(p.tokens); p.at++ {
		switch p.tokens[p.at] {
		case ";", "{":
			p.at++
			return p.tokens[begin : p.at-1], p.tokens[p.at-1] == "{"
		case "}":
			return p.tokens[begin:p.at], false
		}
	}
	return p.tokens[begin:], false
}

// add notes a statement like "optional a.B name = 3".
func (m *protoMessage) add(statement []string, oneof string) {
	eq := slices.Index(statement, "=")
	if eq < 2 || eq+1 >= len(statement) {
		return
	}
	number, err := strconv.ParseInt(statement[eq+1], 0, 32)
	first := statement[0]
	if err != nil || first == "option" || first == "reserved" || first == "extensions" {
		return
	}
	f := &protoField{number: int(number), oneof: oneof, in: m}
	rest := statement[:eq-1]
	if len(rest) > 1 && slices.Contains([]string{"optional", "required", "repeated"}, rest[0]) {
		f.label, rest = rest[0], rest[1:]
	}
	f.typ = strings.Join(rest, "")
	if inner, ok := strings.CutPrefix(f.typ, "map<"); ok {
		f.key, f.typ, _ = strings.Cut(strings.TrimSuffix(inner, ">"), ",")
	}
	m.fields = append(m.fields, f)
}

// resolve finds what a field's type names, from the innermost scope outwards.
func (p *proto) resolve(f *protoField, typ string) (m *protoMessage, enum bool) {
	if name, ok := strings.CutPrefix(typ, "."); ok {
		return p.types[name], p.enums[name]
	}
	for scope := f.in.full + "."; ; {
		if m, enum := p.types[scope+typ], p.enums[scope+typ]; m != nil || enum {
			return m, enum
		}
		if scope == "" {
			return nil, false
		}
		at := strings.LastIndexByte(strings.TrimSuffix(scope, "."), '.')
		scope = scope[:at+1]
	}
}
