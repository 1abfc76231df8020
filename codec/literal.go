package codec

import (
	"errors"
	"math"
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

// maxNesting bounds how deep arrays and maps may nest; Java's bound is its stack.
const maxNesting = 2000

var (
	errLiteral = errors.New("no literal")
	errNesting = errors.New("nested too deeply")
)

func parseLiteral(text string) (*data.Schema, data.Value, error) {
	if text == "" {
		return data.StringSchema, data.OfString(text), nil
	}
	p := literalParser{text: text}
	t, err := p.parse(false)
	return t.schema, t.value, err
}

// typed is a value with its schema; none is true where Java has a null
// SchemaAndValue.
type typed struct {
	schema *data.Schema
	value  data.Value
	none   bool
}

// literalParser cuts text into tokens: the delimiters : , { } [ ] and quotation
// marks, unless escaped, and what lies between them.
type literalParser struct {
	text  string
	pos   int
	next  string // the token that was looked at
	has   bool   // whether next is set
	depth int
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
		switch p.text[p.pos] {
		case '\\':
			escaped = !escaped
			continue
		case ':', ',', '{', '}', '[', ']', '"':
			if !escaped {
				if start == p.pos {
					p.pos++
				}
				return p.text[start:p.pos]
			}
		}
		escaped = false
	}
	return p.text[start:]
}

// trim is Java's String.trim.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// consume takes the next token if it is want but for white space around it.
// Blank tokens before it are dropped in any case.
func (p *literalParser) consume(want string) bool {
	if !p.has {
		if !p.hasNext() {
			return false
		}
		p.next, p.has = p.scan(), true
	}
	for trim(p.next) == "" && p.pos < len(p.text) {
		p.next = p.scan()
	}
	if trim(p.next) == want {
		p.has = false
		return true
	}
	return false
}

// word takes a literal word; on the top level it has to be all there is.
func (p *literalParser) word(embedded bool, w string) bool {
	start := p.mark()
	if p.consume(w) && (embedded || !p.hasNext()) {
		return true
	}
	p.rewind(start)
	return false
}

func (p *literalParser) parse(embedded bool) (typed, error) {
	switch {
	case !p.hasNext():
		return typed{none: true}, nil
	case embedded && p.consume(`"`):
		return p.quoted(), nil
	case p.word(embedded, "null"):
		return typed{none: true}, nil
	case p.word(embedded, "true"):
		return typed{schema: data.BooleanSchema, value: data.OfBool(true)}, nil
	case p.word(embedded, "false"):
		return typed{schema: data.BooleanSchema, value: data.OfBool(false)}, nil
	}
	if p.depth++; p.depth > maxNesting {
		return typed{}, errNesting
	}
	start := p.mark()
	var t typed
	err, tried := errLiteral, true
	if p.consume("[") {
		t, err = p.array()
	} else if p.consume("{") {
		t, err = p.mapping()
	} else {
		tried = false
	}
	p.depth--
	if err == nil || errors.Is(err, errNesting) {
		return t, err
	}
	if tried { // else the blanks before the next token stay dropped, as in Java
		p.rewind(start)
	}
	token := p.take()
	if trim(token) == "" {
		return typed{schema: data.StringSchema, value: data.OfString(token)}, nil
	}
	return p.token(embedded, trim(token))
}

// quoted reads what follows an opening quotation mark. A missing end is noticed
// by what surrounds the string.
func (p *literalParser) quoted() typed {
	var b strings.Builder
	for p.hasNext() && !p.consume(`"`) {
		b.WriteString(p.take())
	}
	if s, v, ok := parseTemporal(b.String()); ok {
		return typed{schema: s, value: v}
	}
	return typed{schema: data.StringSchema, value: data.OfString(b.String())}
}

func (p *literalParser) array() (typed, error) {
	var elem common
	var out []data.Value
	for p.hasNext() {
		if p.consume("]") {
			s := data.NewArraySchema(elem.schema).MustBuild()
			v, err := alignAll(elem.schema, out)
			return typed{schema: s, value: data.OfArray(v)}, err
		}
		if p.consume(",") {
			return typed{}, errLiteral
		}
		t, err := p.parse(true)
		if err != nil {
			return typed{}, err
		}
		elem.add(t)
		out = append(out, t.value)
		at := p.mark()
		if p.consume("]") {
			p.rewind(at)
		} else if !p.consume(",") {
			return typed{}, errLiteral
		}
	}
	return typed{}, errLiteral
}

// alignAll converts values to the schema that they have in common.
func alignAll(s *data.Schema, vs []data.Value) ([]data.Value, error) {
	if s == nil {
		return vs, nil
	}
	out := make([]data.Value, len(vs))
	for i, v := range vs {
		var err error
		if out[i], err = Convert(s, nil, v); err != nil {
			return nil, errLiteral
		}
	}
	return out, nil
}

func (p *literalParser) mapping() (typed, error) {
	var ks, vs common
	var out []data.MapEntry
	for p.hasNext() {
		if p.consume("}") {
			return p.aligned(ks.schema, vs.schema, data.MapOf(out))
		}
		if p.consume(",") {
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
		out = append(out, data.MapEntry{Key: key.value, Value: val.value})
		p.consume(",")
		ks.add(key)
		vs.add(val)
	}
	return typed{}, errLiteral
}

func (p *literalParser) aligned(ks, vs *data.Schema, m *data.MapValue) (typed, error) {
	if ks == nil {
		return typed{schema: data.NewMapSchema(nil, nil).MustBuild(), value: data.OfMap(m)}, nil
	}
	out := make([]data.MapEntry, 0, m.Len())
	for _, e := range m.Entries() {
		k, err := Convert(ks, nil, e.Key)
		v := e.Value
		if err == nil && vs != nil {
			v, err = Convert(vs, nil, v)
		}
		if err != nil {
			return typed{}, errLiteral
		}
		out = append(out, data.MapEntry{Key: k, Value: v})
	}
	return typed{schema: data.NewMapSchema(ks, vs).MustBuild(), value: data.OfMap(data.MapOf(out))}, nil
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
		if d, ok := ParseDecimal(token); ok {
			return narrowest(d), nil
		}
	}
	if embedded {
		return typed{}, errLiteral
	}
	return typed{schema: data.StringSchema, value: data.OfString(p.text)}, nil
}

// narrowest makes a number of the smallest type that holds it.
func narrowest(d *data.Decimal) typed {
	if n, ok := decimalExact(d); ok {
		t := data.Int64
		switch {
		case n >= math.MinInt8 && n <= math.MaxInt8:
			t = data.Int8
		case n >= math.MinInt16 && n <= math.MaxInt16:
			t = data.Int16
		case n >= math.MinInt32 && n <= math.MaxInt32:
			t = data.Int32
		}
		return typed{schema: data.PrimitiveSchema(t, false), value: numberOf(data.OfInt64(n), t)}
	}
	if d.Scale != 0 {
		if f := decimalFloat(d, 32); !math.IsInf(f, 0) {
			return typed{schema: data.Float32Schema, value: data.OfFloat32(float32(f))}
		}
		if f := decimalFloat(d, 64); !math.IsInf(f, 0) {
			return typed{schema: data.Float64Schema, value: data.OfFloat64(f)}
		}
	}
	return typed{schema: data.NewDecimalSchema(d.Scale).MustBuild(), value: data.OfDecimal(d)}
}
