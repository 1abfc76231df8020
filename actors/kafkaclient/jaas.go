package kafkaclient

import (
	"errors"
	"fmt"
	"strings"
)

// loginModule is one entry of a JAAS configuration.
type loginModule struct {
	class   string
	options map[string]string
}

// parseJAAS reads the value of sasl.jaas.config: a login module, a control flag,
// options as key=value, and a semicolon. It reads what Java's tokenizer reads (quotes
// of both kinds, escapes, comments) and bare values besides, such as numbers, that
// Java would refuse.
//
// No error contains any part of the text: where quoting went wrong, any part may be
// the password.
func parseJAAS(text string) (loginModule, error) {
	p := jaasParser{text: text}
	var modules []loginModule
	for {
		tok, err := p.next()
		if err != nil {
			return loginModule{}, err
		}
		if tok.kind == jaasEnd {
			break
		}
		m, err := p.module(tok)
		if err != nil {
			return loginModule{}, err
		}
		modules = append(modules, m)
	}
	switch len(modules) {
	case 0:
		return loginModule{}, errors.New("Login module not specified in JAAS config")
	case 1:
		return modules[0], nil
	default:
		return loginModule{}, fmt.Errorf("JAAS config property contains %d login modules, should be 1 module", len(modules))
	}
}

type jaasKind int

const (
	jaasEnd jaasKind = iota
	jaasWord
	jaasQuoted
	jaasEquals
	jaasSemicolon
)

type jaasToken struct {
	kind jaasKind
	text string
}

type jaasParser struct {
	text string
	pos  int
}

func (p *jaasParser) module(class jaasToken) (loginModule, error) {
	m := loginModule{class: class.text, options: map[string]string{}}
	if class.kind != jaasWord && class.kind != jaasQuoted {
		return m, errors.New("Login module not specified in JAAS config")
	}
	flag, err := p.next()
	if err != nil {
		return m, err
	}
	if flag.kind != jaasWord && flag.kind != jaasQuoted {
		return m, errors.New("Login module control flag not specified in JAAS config")
	}
	switch strings.ToLower(flag.text) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return m, errors.New("Invalid login module control flag in JAAS config: it must be required, requisite, sufficient or optional")
	}
	for n := 1; ; n++ {
		key, err := p.next()
		if err != nil {
			return m, err
		}
		switch key.kind {
		case jaasSemicolon:
			return m, nil
		case jaasEnd:
			return m, errors.New("JAAS config entry not terminated by semi-colon")
		case jaasEquals:
			return m, fmt.Errorf("option %d has no name in JAAS config", n)
		}
		equals, err := p.next()
		if err != nil {
			return m, err
		}
		v, err := p.next()
		if err != nil {
			return m, err
		}
		if equals.kind != jaasEquals || v.kind != jaasWord && v.kind != jaasQuoted {
			return m, fmt.Errorf("Value not specified for option %d in JAAS config", n)
		}
		m.options[key.text] = v.text
	}
}

// next returns the next token, passing over blanks and comments.
func (p *jaasParser) next() (jaasToken, error) {
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch c := rest[0]; {
		case c <= ' ':
			p.pos++
		case strings.HasPrefix(rest, "//"):
			p.pos += lineEnd(rest)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return jaasToken{}, errors.New("a comment in JAAS config is not closed")
			}
			p.pos += end + 4
		case c == '=':
			p.pos++
			return jaasToken{kind: jaasEquals}, nil
		case c == ';':
			p.pos++
			return jaasToken{kind: jaasSemicolon}, nil
		case c == '"' || c == '\'':
			return p.quoted(c)
		default:
			n := strings.IndexFunc(rest, func(r rune) bool {
				return r <= ' ' || r == '=' || r == ';' || r == '"' || r == '\''
			})
			if n < 0 {
				n = len(rest)
			}
			p.pos += n
			return jaasToken{kind: jaasWord, text: rest[:n]}, nil
		}
	}
	return jaasToken{kind: jaasEnd}, nil
}

func lineEnd(text string) int {
	if n := strings.IndexAny(text, "\r\n"); n >= 0 {
		return n
	}
	return len(text)
}

// quoted reads a string in quotes with the escapes of java.io.StreamTokenizer: \a \b
// \f \n \r \t \v, up to three octal digits, and any other character for itself.
func (p *jaasParser) quoted(quote byte) (jaasToken, error) {
	var out strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		c := p.text[i]
		switch {
		case c == quote:
			p.pos = i + 1
			return jaasToken{kind: jaasQuoted, text: out.String()}, nil
		case c == '\n' || c == '\r':
			return jaasToken{}, errors.New("a quoted value in JAAS config is not closed in its line")
		case c != '\\':
			out.WriteByte(c)
		default:
			i++
			if i == len(p.text) {
				continue
			}
			i += unescape(p.text[i:], &out) - 1
		}
	}
	return jaasToken{}, errors.New("a quoted value in JAAS config is not closed")
}

// unescape writes what stands after a backslash and returns how many bytes it read.
func unescape(text string, out *strings.Builder) int {
	const letters, controls = "abfnrtv", "\a\b\f\n\r\t\v"
	c := text[0]
	if n := strings.IndexByte(letters, c); n >= 0 {
		out.WriteByte(controls[n])
		return 1
	}
	if c < '0' || c > '7' {
		out.WriteByte(c)
		return 1
	}
	most := 2 // \377 is the largest
	if c <= '3' {
		most = 3
	}
	value, n := rune(0), 0
	for n < most && n < len(text) && text[n] >= '0' && text[n] <= '7' {
		value = value*8 + rune(text[n]-'0')
		n++
	}
	out.WriteRune(value)
	return n
}
