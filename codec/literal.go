package codec

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
)

// ParseString reads a literal as Values.parseString does: null, booleans, numbers
// of the smallest type that holds them, dates, arrays and maps; all other text is
// a string. The text null has no schema.
func ParseString(text string) (*data.Schema, data.Value) {
	s, v, err := parseLiteral(text)
	if err != nil { // nested too deeply
		return data.StringSchema, data.OfString(text)
	}
	return s, v
}

// mostKept is how many elements a parser keeps room for: one long header is no reason
// to hold as much for ever.
const mostKept = 4096

// maxNesting bounds how deep arrays and maps may nest; Java's bound is its stack.
const maxNesting = 2000

var (
	errLiteral = errors.New("no literal")
	errNesting = errors.New("nested too deeply")
)

// parseLiteral reads text with a parser of its own.
func parseLiteral(text string) (*data.Schema, data.Value, error) {
	if s, v, ok := plainLiteral(text); ok {
		return s, v, nil
	}
	var p literalParser
	t, err := p.read(text)
	return t.schema, t.value, err
}

// typed is a value with its schema; none is true where Java has a null
// SchemaAndValue.
type typed struct {
	schema *data.Schema
	value  data.Value
	none   bool
}

// literalParser cuts text into tokens: delimiters, and what lies between them. The
// zero parser is ready.
type literalParser struct {
	text  string
	pos   int
	next  string // the token that was looked at
	has   bool   // whether next is set
	depth int

	elems   []data.Value    // of the arrays that are open, the outermost first
	entries []data.MapEntry // of the maps that are open
	room    *literalRoom    // nil: what is read has memory of its own
}

// read reads one literal.
func (p *literalParser) read(text string) (typed, error) {
	p.text, p.pos, p.has, p.depth = text, 0, false, 0
	t, err := p.parse(false)
	p.text, p.next = "", ""
	if cap(p.elems)+cap(p.entries) > mostKept {
		p.elems, p.entries = nil, nil
	}
	return t, err
}

func (p *literalParser) hasNext() bool { return p.has || p.pos < len(p.text) }

func (p *literalParser) mark() int {
	if p.has {
		return p.pos - len(p.next)
	}
	return p.pos
}

func (p *literalParser) rewind(to int) { p.pos, p.has = to, false }

func (p *literalParser) take() string {
	if p.has {
		p.has = false
		return p.next
	}
	return p.scan()
}

// takeFour returns four tokens as one, or false when there are fewer.
func (p *literalParser) takeFour() (string, bool) {
	start := p.mark()
	for range 4 {
		if !p.hasNext() {
			p.rewind(start)
			return "", false
		}
		p.take()
	}
	return p.text[start:p.mark()], true
}

func (p *literalParser) scan() string {
	escaped := false
	start := p.pos
	for ; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		if isDelimiter[c] && !escaped {
			if start == p.pos {
				p.pos++
			}
			return p.text[start:p.pos]
		}
		escaped = c == '\\' && !escaped
	}
	return p.text[start:]
}

// trim is Java's String.trim.
func trim(s string) string {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// peek looks at the next token that is not blank, without the white space around
// it; "" when there is none. Blank tokens before it are dropped.
func (p *literalParser) peek() string {
	if !p.has {
		if !p.hasNext() {
			return ""
		}
		p.next, p.has = p.scan(), true
	}
	for {
		token := trim(p.next)
		if token != "" || p.pos >= len(p.text) {
			return token
		}
		p.next = p.scan()
	}
}

// consume takes the next token if it is want but for white space around it.
// Blank tokens before it are dropped in any case.
func (p *literalParser) consume(want string) bool {
	if p.peek() != want {
		return false
	}
	p.has = false
	return true
}

func (p *literalParser) parse(embedded bool) (typed, error) {
	if !p.hasNext() {
		return typed{none: true}, nil
	}
	start := p.mark()
	token := p.peek()
	if embedded { // the blank tokens are gone for good
		start = p.mark()
		if token == `"` {
			p.has = false
			return p.quoted(), nil
		}
	}
	if embedded || p.pos >= len(p.text) { // on the top level a word has to be all there is
		switch token {
		case "null":
			p.has = false
			return typed{none: true}, nil
		case "true", "false":
			p.has = false
			return typed{schema: data.BooleanSchema, value: data.OfBool(token == "true")}, nil
		}
	}
	if p.depth++; p.depth > maxNesting {
		return typed{}, errNesting
	}
	if token == "[" || token == "{" {
		p.has = false
		t, err := p.composite(token)
		if err == nil || errors.Is(err, errNesting) {
			p.depth--
			return t, err
		}
		p.rewind(start) // an array or map that is none; else blank tokens stay dropped, as in Java
	}
	p.depth--
	token = p.take()
	if trim(token) == "" {
		return typed{schema: data.StringSchema, value: data.OfString(token)}, nil
	}
	return p.token(embedded, trim(token))
}

// composite reads what follows an opening bracket or brace.
func (p *literalParser) composite(open string) (t typed, err error) {
	if open == "[" {
		at := len(p.elems)
		t, err = p.array(at)
		clear(p.elems[at:])
		p.elems = p.elems[:at]
		return t, err
	}
	at := len(p.entries)
	t, err = p.mapping(at)
	clear(p.entries[at:])
	p.entries = p.entries[:at]
	return t, err
}

// quoted reads what follows an opening quotation mark. A missing end is noticed
// by what surrounds the string.
func (p *literalParser) quoted() typed {
	text, whole := p.upToQuote()
	if !whole {
		var b strings.Builder
		for p.hasNext() && !p.consume(`"`) {
			b.WriteString(p.take())
		}
		text = b.String()
	}
	if s, v, ok := parseTemporal(text); ok {
		return typed{schema: s, value: v}
	}
	return typed{schema: data.StringSchema, value: data.OfString(text)}
}

// upToQuote takes a string that is one token, and its end. whole is false, and
// nothing taken, when there is more in it: then blank tokens are left out.
func (p *literalParser) upToQuote() (text string, whole bool) {
	start := p.pos
	text = p.scan()
	end := start + len(text)
	if text == `"` {
		return "", true
	}
	if end >= len(p.text) || p.text[end] != '"' || trim(text) == "" {
		p.pos = start
		return "", false
	}
	p.pos = end + 1
	return text, true
}

// array reads the elements of an array; those so far are in p.elems from at on.
func (p *literalParser) array(at int) (typed, error) {
	var elem common
	for p.hasNext() {
		switch p.peek() {
		case "]":
			p.has = false
			if err := alignAll(elem.schema, p.elems[at:]); err != nil {
				return typed{}, err
			}
			return typed{schema: p.room.arrayOf(elem.schema), value: data.OfArray(p.room.copyElems(p.elems[at:]))}, nil
		case ",":
			return typed{}, errLiteral
		}
		t, err := p.parse(true)
		if err != nil {
			return typed{}, err
		}
		elem.add(t)
		p.elems = append(p.elems, t.value)
		if p.peek() != "]" && !p.consume(",") {
			return typed{}, errLiteral
		}
	}
	return typed{}, errLiteral
}

// alignAll converts values to the schema that they have in common.
func alignAll(s *data.Schema, vs []data.Value) error {
	for i := range vs {
		if err := align(s, &vs[i]); err != nil {
			return err
		}
	}
	return nil
}

// align converts a value to a schema; none takes all.
func align(s *data.Schema, v *data.Value) (err error) {
	if s == nil || v.Kind() == kindOf(s) {
		return nil
	}
	if *v, err = Convert(s, nil, *v); err != nil {
		return errLiteral
	}
	return nil
}

// kindOf is the kind of the values of a schema that a literal can have.
func kindOf(s *data.Schema) data.Kind {
	switch s.Logical() {
	case data.NotLogical:
		return data.Kind(s.Type())
	case data.LogicalDecimal:
		return data.KindDecimal
	}
	return data.KindDate
}

// mapping reads the entries of a map; those so far are in p.entries from at on.
func (p *literalParser) mapping(at int) (typed, error) {
	var ks, vs common
	for p.hasNext() {
		switch p.peek() {
		case "}":
			p.has = false
			return p.aligned(ks.schema, vs.schema, p.entries[at:])
		case ",":
			return typed{}, errLiteral
		}
		key, err := p.parse(true)
		if err != nil {
			return typed{}, err
		}
		if key.none || key.value.IsNull() || !p.consume(":") {
			return typed{}, errLiteral
		}
		val, err := p.parse(true)
		if err != nil {
			return typed{}, err
		}
		p.entries = append(p.entries, data.MapEntry{Key: key.value, Value: val.value})
		p.consume(",")
		ks.add(key)
		vs.add(val)
	}
	return typed{}, errLiteral
}

// aligned makes a map of entries, which are those of a parser. Of two with an equal
// key the later counts, before the conversion and after it.
func (p *literalParser) aligned(ks, vs *data.Schema, entries []data.MapEntry) (typed, error) {
	m := data.MapOf(entries)
	if ks == nil {
		return typed{schema: p.room.mapOf(nil, nil), value: data.OfMap(m)}, nil
	}
	same := true
	for _, e := range m.Entries() {
		same = same && e.Key.Kind() == kindOf(ks) && (vs == nil || e.Value.Kind() == kindOf(vs))
	}
	if !same {
		out := make([]data.MapEntry, 0, m.Len())
		for _, e := range m.Entries() {
			if align(ks, &e.Key) != nil || align(vs, &e.Value) != nil {
				return typed{}, errLiteral
			}
			out = append(out, e)
		}
		m = data.MapOf(out)
	}
	return typed{schema: p.room.mapOf(ks, vs), value: data.OfMap(m)}, nil
}

// common is the schema that values have in common: of numbers the widest type.
type common struct {
	schema *data.Schema
	clash  bool // there is none, whatever else comes
}

func (c *common) add(t typed) {
	switch {
	case t.none || t.schema == nil || c.clash:
	case c.schema == nil || c.schema.Type() == t.schema.Type() || promotable(c.schema.Type(), t.schema.Type()):
		c.schema = t.schema
	case !promotable(t.schema.Type(), c.schema.Type()):
		c.schema, c.clash = nil, true
	}
}

// token reads a token that is none of the delimiters' doing.
func (p *literalParser) token(embedded bool, token string) (typed, error) {
	first, _ := utf8.DecodeRuneInString(token)
	digit := unicode.IsDigit(first) && first <= 0xffff
	if digit {
		// Colons cut times and timestamps into five tokens.
		at := p.mark()
		if rest, ok := p.takeFour(); ok {
			if s, v, ok := parseTemporal(token + rest); ok {
				return typed{schema: s, value: v}, nil
			}
		}
		p.rewind(at)
		if s, v, ok := parseTemporal(token); ok {
			return typed{schema: s, value: v}, nil
		}
	}
	if digit || first == '+' || first == '-' {
		if n, ok := scanNumber(token); ok {
			return narrowestOf(n, token), nil
		}
	}
	if embedded {
		return typed{}, errLiteral
	}
	return typed{schema: data.StringSchema, value: data.OfString(p.text)}, nil
}
