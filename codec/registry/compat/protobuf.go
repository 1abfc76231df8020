package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/scanner"
)

// What is said of Protobuf's incompatibilities.
var (
	messageRemoved = Problem{Type: "MESSAGE_REMOVED", format: "The message %i is missing in the %r schema"}
	kindChanged    = Problem{Type: "FIELD_SCALAR_KIND_CHANGED", format: "The field at path '%p' has another type in the %r schema than in the %w schema: %i"}
	requiredField  = Problem{Type: "REQUIRED_FIELD_ADDED", format: "The required field '%i' at path '%p' in the %r schema is missing in the %w schema"}
)

// protoField is a field of a message, by its number.
type protoField struct {
	name, typ string
	required  bool
}

// checkProtobuf compares messages by their full names and fields by their numbers:
// a removed message, a type that is written otherwise, a new required field. Moves
// into and out of a oneof and imported types are not compared.
func checkProtobuf(r, w *proto) (out []Problem) {
	for _, name := range w.order {
		ours, ok := r.messages[name]
		if !ok {
			out = append(out, messageRemoved.at("#/"+name, name))
			continue
		}
		theirs := w.messages[name]
		for _, n := range sortedNumbers(ours) {
			f := ours[n]
			where := "#/" + name + "/" + strconv.Itoa(n)
			old, ok := theirs[n]
			switch {
			case !ok && f.required:
				out = append(out, requiredField.at(where, f.name))
			case ok && wireGroup(f.typ) != wireGroup(old.typ):
				out = append(out, kindChanged.at(where, f.typ+" and "+old.typ))
			}
		}
	}
	return out
}

func sortedNumbers(m map[int]protoField) []int {
	out := make([]int, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// wireGroup is the same for types that read each other's bytes as the language
// guide says; for a message or enum it is its name.
func wireGroup(typ string) string {
	switch typ {
	case "int32", "uint32", "int64", "uint64", "bool":
		return "varint"
	case "sint32", "sint64":
		return "zigzag"
	case "fixed32", "sfixed32":
		return "fixed32"
	case "fixed64", "sfixed64":
		return "fixed64"
	case "string", "bytes":
		return "bytes"
	}
	return typ[strings.LastIndexByte(typ, '.')+1:]
}

// proto is what is compared of a file.
type proto struct {
	messages map[string]map[int]protoField // by full name within the file
	order    []string
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

// parseProto reads the messages of a file and their fields. It is no compiler: what
// it does not know it steps over.
func parseProto(text string) (*proto, error) {
	tokens, err := protoTokens(text)
	if err != nil {
		return nil, err
	}
	p := &protoParser{tokens: tokens, out: &proto{messages: map[string]map[int]protoField{}}}
	if err := p.body("", nil, false); err != nil {
		return nil, err
	}
	if len(p.out.order) == 0 && !slices.Contains(tokens, "enum") {
		return nil, fmt.Errorf("the file defines no message")
	}
	return p.out, nil
}

type protoParser struct {
	tokens []string
	at     int
	depth  int
	out    *proto
}

// body reads statements up to the brace that ends them, or to the end of the file.
// message is the full name of the message around them, "" outside.
func (p *protoParser) body(message string, fields map[int]protoField, nested bool) error {
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
		switch {
		case !opens:
			addField(fields, statement)
		case len(statement) == 2 && statement[0] == "message":
			name := statement[1]
			if message != "" {
				name = message + "." + name
			}
			own := map[int]protoField{}
			if p.out.messages[name] != nil {
				return fmt.Errorf("the message %s is defined twice", name)
			}
			p.out.messages[name], p.out.order = own, append(p.out.order, name)
			if err := p.body(name, own, true); err != nil {
				return err
			}
		case len(statement) == 2 && statement[0] == "oneof":
			if err := p.body(message, fields, true); err != nil {
				return err
			}
		default: // enum, service, extend, an option's value
			if err := p.body(message, nil, true); err != nil {
				return err
			}
		}
	}
	if nested {
		return fmt.Errorf("a } is missing")
	}
	return nil
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

// addField notes a statement like "optional a.B name = 3".
func addField(fields map[int]protoField, statement []string) {
	eq := slices.Index(statement, "=")
	if fields == nil || eq < 2 || eq+1 >= len(statement) {
		return
	}
	number, err := strconv.Atoi(statement[eq+1])
	first := statement[0]
	if err != nil || first == "option" || first == "reserved" || first == "extensions" {
		return
	}
	f := protoField{name: statement[eq-1], required: first == "required"}
	rest := statement[:eq-1]
	if len(rest) > 1 && slices.Contains([]string{"optional", "required", "repeated"}, rest[0]) {
		rest = rest[1:]
	}
	f.typ = strings.Join(rest, "")
	fields[number] = f
}
