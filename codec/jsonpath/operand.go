package jsonpath

import (
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javaregex"
)

func (p *parser) operand() (operand, error) {
	p.space()
	switch c := p.peek(); {
	case c == '@' || c == '$':
		path, err := p.path()
		return operand{path: path}, err
	case c == '\'' || c == '"':
		text, err := p.quoted()
		return operand{value: data.OfString(text)}, err
	case p.word("true"):
		return operand{value: data.OfBool(true)}, nil
	case p.word("false"):
		return operand{value: data.OfBool(false)}, nil
	case p.word("null"):
		return operand{}, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return operand{}, p.errorf("expected a path, a text in quotes, a number, true, false or null")
}

func (p *parser) number() (operand, error) {
	start := p.pos
	for p.pos < len(p.in) && strings.ContainsRune("+-.0123456789eE", p.in[p.pos]) {
		p.pos++
	}
	text := string(p.in[start:p.pos])
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return operand{value: data.OfInt64(n)}, nil
	}
	d, ok := codec.ParseDecimal(text)
	if !ok {
		return operand{}, p.errorf("%s is no number", text)
	}
	return operand{value: data.OfDecimal(d)}, nil
}

// pattern reads /regular expression/flags.
func (p *parser) pattern() (*javaregex.Pattern, error) {
	p.space()
	if !p.take("/") {
		return nil, p.errorf("expected a pattern between slashes")
	}
	var b strings.Builder
	for p.peek() != '/' {
		c := p.peek()
		if c == 0 {
			return nil, p.errorf("the pattern does not end")
		}
		if c == '\\' && p.pos+1 < len(p.in) && p.in[p.pos+1] == '/' {
			p.pos++
			c = '/'
		} else if c == '\\' && p.pos+1 < len(p.in) {
			b.WriteRune(c)
			p.pos++
			c = p.in[p.pos]
		}
		b.WriteRune(c)
		p.pos++
	}
	p.pos++
	flags := p.pos
	for strings.ContainsRune("idmsuxU", p.peek()) && p.peek() != 0 {
		p.pos++
	}
	text := b.String()
	if p.pos > flags {
		text = "(?" + string(p.in[flags:p.pos]) + ")" + text
	}
	re, err := javaregex.Compile(text)
	if err != nil {
		return nil, p.errorf("%v", err)
	}
	return re, nil
}

// list reads what in and nin look into: [a, b] or a path.
func (p *parser) list() ([]operand, error) {
	p.space()
	if c := p.peek(); c == '@' || c == '$' {
		o, err := p.operand()
		return []operand{o}, err
	}
	if !p.take("[") {
		return nil, p.errorf("expected a list in brackets")
	}
	var out []operand
	for {
		if p.space(); len(out) == 0 && p.take("]") {
			return out, nil
		}
		o, err := p.operand()
		if err != nil {
			return nil, err
		}
		out = append(out, o)
		if p.space(); !p.take(",") {
			return out, p.want("]")
		}
	}
}
