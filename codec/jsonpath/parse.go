package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

type parser struct {
	in    []rune
	pos   int
	text  string
	depth int
}

// maxDepth bounds how deep conditions and paths may be nested.
const maxDepth = 64

func (p *parser) errorf(format string, args ...any) error {
	return &Error{Path: p.text, Position: p.pos, Msg: fmt.Sprintf(format, args...)}
}

// peek returns the next character, 0 at the end.
func (p *parser) peek() rune {
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}

func (p *parser) space() {
	for p.pos < len(p.in) && unicode.IsSpace(p.in[p.pos]) {
		p.pos++
	}
}

// take passes over text if it is next.
func (p *parser) take(text string) bool {
	t := []rune(text)
	if len(p.in)-p.pos < len(t) || string(p.in[p.pos:p.pos+len(t)]) != text {
		return false
	}
	p.pos += len(t)
	return true
}

func (p *parser) want(text string) error {
	p.space()
	if !p.take(text) {
		return p.errorf("expected %s", text)
	}
	return nil
}

// path reads a path whose $ or @ is next.
func (p *parser) path() (*Path, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("nested too deep")
	}
	defer func() { p.depth-- }()
	start := p.pos
	out := &Path{fromRoot: p.peek() == '$', definite: true}
	p.pos++
	for {
		var s step
		var err error
		switch {
		case p.take(".."):
			s.deep = true
			if p.peek() == '[' {
				p.pos++
				err = p.bracket(&s)
			} else {
				err = p.name(&s)
			}
		case p.peek() == '.':
			p.pos++
			err = p.name(&s)
		case p.peek() == '[':
			p.pos++
			err = p.bracket(&s)
		default:
			out.text = string(p.in[start:p.pos])
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out.steps = append(out.steps, s)
		out.definite = out.definite && s.definite()
	}
}

// name reads the step after a dot.
func (p *parser) name(s *step) error {
	if p.take("*") {
		s.kind = wildcard
		return nil
	}
	start := p.pos
	for p.pos < len(p.in) && !strings.ContainsRune(" \t\n.[]()=!<>&|,'\"*?", p.in[p.pos]) {
		p.pos++
	}
	switch {
	case p.pos == start:
		return p.errorf("a name is missing")
	case p.peek() == '(':
		return p.errorf("the function %s() is not supported", string(p.in[start:p.pos]))
	}
	s.names = []string{string(p.in[start:p.pos])}
	return nil
}

// bracket reads a step whose bracket is behind.
func (p *parser) bracket(s *step) error {
	p.space()
	switch c := p.peek(); {
	case c == '*':
		p.pos++
		s.kind = wildcard
	case c == '\'' || c == '"':
		for {
			p.space()
			name, err := p.quoted()
			if err != nil {
				return err
			}
			s.names = append(s.names, name)
			if p.space(); !p.take(",") {
				break
			}
		}
	case c == '?':
		p.pos++
		s.kind = filter
		p.space()
		if !p.take("(") {
			return p.errorf("expected (")
		}
		var err error
		if s.test, err = p.or(); err != nil {
			return err
		}
		if err := p.want(")"); err != nil {
			return err
		}
	case c == '-' || c == ':' || c >= '0' && c <= '9':
		if err := p.numbers(s); err != nil {
			return err
		}
	default:
		return p.errorf("expected a name in quotes, an index, * or ?(")
	}
	return p.want("]")
}

// numbers reads indexes or a slice.
func (p *parser) numbers(s *step) error {
	s.kind, s.by = indexes, 1
	var bounds [3]*int
	for part := 0; ; {
		p.space()
		if c := p.peek(); c == '-' || c >= '0' && c <= '9' {
			n, err := p.integer()
			if err != nil {
				return err
			}
			bounds[part] = &n
			s.indexes = append(s.indexes, n)
		} else if s.kind == indexes && c != ':' {
			return p.errorf("expected an index")
		}
		p.space()
		switch {
		case p.peek() == ':' && part < 2 && (s.kind == slice || len(s.indexes) < 2):
			p.pos++
			part++
			s.kind = slice
		case p.peek() == ',' && s.kind == indexes:
			p.pos++
		default:
			if s.kind == slice {
				s.indexes, s.from, s.to = nil, bounds[0], bounds[1]
				if bounds[2] != nil {
					s.by = *bounds[2]
				}
				if s.by < 1 {
					return p.errorf("a slice goes forward in steps of at least 1")
				}
			}
			return nil
		}
	}
}

func (p *parser) integer() (int, error) {
	start := p.pos
	p.take("-")
	for p.peek() >= '0' && p.peek() <= '9' {
		p.pos++
	}
	n, err := strconv.ParseInt(string(p.in[start:p.pos]), 10, 32)
	if err != nil {
		return 0, p.errorf("%s is no index", string(p.in[start:p.pos]))
	}
	return int(n), nil
}

// quoted reads a text in quotes of either kind; a backslash makes the next
// character stand for itself.
func (p *parser) quoted() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", p.errorf("expected a name in quotes")
	}
	var b strings.Builder
	for p.pos++; p.pos < len(p.in); p.pos++ {
		switch c := p.in[p.pos]; {
		case c == quote:
			p.pos++
			return b.String(), nil
		case c == '\\' && p.pos+1 < len(p.in):
			p.pos++
			b.WriteRune(p.in[p.pos])
		default:
			b.WriteRune(c)
		}
	}
	return "", p.errorf("the quotes do not end")
}

func (p *parser) or() (expr, error) {
	a, err := p.and()
	for err == nil {
		if p.space(); !p.take("||") {
			return a, nil
		}
		var b expr
		b, err = p.and()
		a = or{a, b}
	}
	return nil, err
}

func (p *parser) and() (expr, error) {
	a, err := p.not()
	for err == nil {
		if p.space(); !p.take("&&") {
			return a, nil
		}
		var b expr
		b, err = p.not()
		a = and{a, b}
	}
	return nil, err
}

func (p *parser) not() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("nested too deep")
	}
	defer func() { p.depth-- }()
	p.space()
	switch {
	case p.take("!"):
		a, err := p.not()
		return not{a}, err
	case p.take("("):
		a, err := p.or()
		if err == nil {
			err = p.want(")")
		}
		return a, err
	}
	return p.comparison()
}

func (p *parser) comparison() (expr, error) {
	a, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.space()
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.take(op) {
			b, err := p.operand()
			return comparison{op, a, b}, err
		}
	}
	switch {
	case p.take("=~"):
		pattern, err := p.pattern()
		return matches{a, pattern}, err
	case p.word("in"):
		list, err := p.list()
		return among{a, list, true}, err
	case p.word("nin"):
		list, err := p.list()
		return among{a, list, false}, err
	case a.path == nil:
		return nil, p.errorf("expected a comparison")
	case p.peek() != ')' && p.peek() != '&' && p.peek() != '|' && p.peek() != 0:
		return nil, p.errorf("there is no such operator")
	}
	return exists{a.path}, nil
}

// word passes over an operator that is a word.
func (p *parser) word(w string) bool {
	at := p.pos
	if !p.take(strings.ToLower(w)) && !p.take(strings.ToUpper(w)) {
		return false
	}
	if c := p.peek(); unicode.IsLetter(c) || unicode.IsDigit(c) {
		p.pos = at
		return false
	}
	return true
}
