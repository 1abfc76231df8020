package javaregex

import (
	"unicode"
)

// flags are the embedded flags in force at a point of the pattern.
type flags struct {
	ignoreCase, multiline, dotAll, unicodeCase, unixLines, comments, unicodeClass bool
}

// maxDepth bounds the nesting of groups and classes, so that a pattern from outside
// cannot exhaust the stack.
const maxDepth = 500

// parser follows the order in which java.util.regex reads a pattern, because the
// index in an error message is where that reader stood.
type parser struct {
	pattern string
	in      []rune // after the removal of \Q…\E
	pos     int
	flags   flags
	groups  int
	names   map[string]int
	depth   int
}

func newParser(pattern string) *parser {
	return &parser{pattern: pattern, in: unquote([]rune(pattern)), names: map[string]int{}}
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }
func isAlpha(r rune) bool { return r|32 >= 'a' && r|32 <= 'z' }
func isAlnum(r rune) bool { return isDigit(r) || isAlpha(r) }

// unquote replaces \Q…\E by the escaped characters.
func unquote(in []rune) []rune {
	var out []rune
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' || i+1 >= len(in) {
			out = append(out, in[i])
			continue
		}
		if in[i+1] != 'Q' {
			out = append(out, in[i], in[i+1])
			i++
			continue
		}
		for i += 2; i < len(in); i++ {
			if in[i] == '\\' && i+1 < len(in) && in[i+1] == 'E' {
				i++
				break
			}
			if in[i] < 0x80 && !isAlnum(in[i]) {
				out = append(out, '\\')
			}
			out = append(out, in[i])
		}
	}
	return out
}

// fail unwinds to parse; errors are the exception in the reader's many levels.
func (p *parser) fail(desc string) { p.failAt(desc, p.pos-1) }

func (p *parser) failAt(desc string, index int) {
	panic(&SyntaxError{Pattern: p.pattern, Desc: desc, Index: index})
}

func (p *parser) parse() (tree *node, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *SyntaxError:
			tree, err = nil, r
		default:
			panic(r)
		}
	}()
	tree = p.alternation()
	if p.pos < len(p.in) { // only a parenthesis stops the reader early
		p.fail("Unmatched closing ')'")
	}
	p.resolve(tree)
	return tree, nil
}

// resolve makes references to groups that do not exist fail to match.
func (p *parser) resolve(n *node) {
	if n.kind == kindBackref && n.number > p.groups {
		*n = node{kind: kindSet}
	}
	for _, s := range n.subs {
		p.resolve(s)
	}
}

func (p *parser) at(i int) rune {
	if i < len(p.in) {
		return p.in[i]
	}
	return 0
}

// skipComments passes over white space and comments under (?x).
func (p *parser) skipComments() {
	if !p.flags.comments {
		return
	}
	for p.pos < len(p.in) {
		switch c := p.in[p.pos]; {
		case c == ' ' || (c >= '\t' && c <= '\r'):
			p.pos++
		case c == '#':
			for p.pos < len(p.in) && p.in[p.pos] != '\n' && p.in[p.pos] != '\r' {
				p.pos++
			}
		default:
			return
		}
	}
}

func (p *parser) peek() rune {
	p.skipComments()
	return p.at(p.pos)
}

func (p *parser) end() bool {
	p.skipComments()
	return p.pos >= len(p.in)
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.failAt("Pattern is nested too deeply", -1)
	}
}

func (p *parser) alternation() *node {
	p.enter()
	defer func() { p.depth-- }()
	subs := []*node{p.sequence()}
	for !p.end() && p.peek() == '|' {
		p.pos++
		subs = append(subs, p.sequence())
	}
	if len(subs) == 1 {
		return subs[0]
	}
	return &node{kind: kindAlternate, subs: subs}
}

func (p *parser) sequence() *node {
	var subs []*node
	for !p.end() {
		c := p.peek()
		if c == '|' || c == ')' {
			break
		}
		if n := p.atom(c); n != nil {
			subs = append(subs, p.closure(n))
		}
	}
	switch len(subs) {
	case 0:
		return &node{kind: kindEmpty}
	case 1:
		return subs[0]
	}
	return &node{kind: kindConcat, subs: subs}
}

// atom reads one construct without its quantifier; nil for a flag group.
func (p *parser) atom(c rune) *node {
	switch c {
	case '(':
		return p.group()
	case '[':
		return &node{kind: kindSet, set: p.class(true)}
	case '\\':
		return p.escape()
	case '{': // a quantifier of nothing: closure judges it
		return &node{kind: kindEmpty}
	case '*', '+', '?':
		p.pos++
		p.fail("Dangling meta character '" + string(c) + "'")
	case '^':
		p.pos++
		if p.flags.multiline {
			return &node{kind: kindLineBegin, unix: p.flags.unixLines}
		}
		return &node{kind: kindBegin}
	case '$':
		p.pos++
		if p.flags.multiline {
			return &node{kind: kindLineEnd, unix: p.flags.unixLines}
		}
		return &node{kind: kindDollar, unix: p.flags.unixLines}
	case '.':
		p.pos++
		switch {
		case p.flags.dotAll:
			return &node{kind: kindSet, set: asciiRange(0, unicode.MaxRune)}
		case p.flags.unixLines:
			return &node{kind: kindSet, set: runes("\n").negate()}
		}
		return &node{kind: kindSet, set: runes("\n\r\u0085\u2028\u2029").negate()}
	}
	p.pos++
	return p.literal(c)
}

func (p *parser) literal(r rune) *node {
	if r >= 0xD800 && r < 0xE000 { // half a character: no text here holds one
		return &node{kind: kindSet}
	}
	if p.flags.ignoreCase {
		if s := (set{{r, r}}).fold(p.flags.unicodeCase); len(s) > 1 || s[0].lo != s[0].hi {
			return &node{kind: kindSet, set: s}
		}
	}
	return &node{kind: kindLiteral, r: r}
}

func (p *parser) closure(n *node) *node {
	if p.end() {
		return n
	}
	minimum, maximum, braces := 0, -1, false
	switch p.peek() {
	case '?':
		p.pos++
		maximum = 1
	case '*':
		p.pos++
	case '+':
		p.pos++
		minimum = 1
	case '{':
		minimum, maximum = p.repetition()
		braces = true
	default:
		return n
	}
	if n.lineBreak { // a loop takes CR LF as one and doesn't go back into it
		n = &node{kind: kindAtomic, subs: []*node{n}}
	}
	out := &node{kind: kindRepeat, subs: []*node{n}, min: minimum, max: maximum, braces: braces}
	switch p.peek() {
	case '?':
		p.pos++
		out.mode = reluctant
	case '+':
		p.pos++
		out.mode = possessive
	}
	return out
}

func (p *parser) repetition() (minimum, maximum int) {
	if !isDigit(p.at(p.pos + 1)) {
		p.failAt("Illegal repetition", p.pos+1)
	}
	p.pos++
	number := func() int {
		n := 0
		for isDigit(p.at(p.pos)) {
			n = n*10 + int(p.at(p.pos)-'0')
			p.pos++
			if n > 1<<31-1 {
				p.fail("Illegal repetition range")
			}
		}
		return n
	}
	minimum = number()
	maximum = minimum
	if p.at(p.pos) == ',' {
		p.pos++
		if p.at(p.pos) == '}' {
			p.pos++
			return minimum, -1
		}
		maximum = number()
	}
	p.pos++
	if p.at(p.pos-1) != '}' || p.pos > len(p.in) {
		p.fail("Unclosed counted closure")
	}
	if maximum < minimum {
		p.fail("Illegal repetition range")
	}
	return minimum, maximum
}

func (p *parser) group() *node {
	saved := p.flags
	out := &node{kind: kindGroup}
	p.pos++
	if p.peek() != '?' {
		p.groups++
		out.kind, out.number = kindCapture, p.groups
	} else {
		p.pos += 2
		switch c := p.at(p.pos - 1); c {
		case ':':
		case '=', '!':
			out.kind, out.negated = kindAhead, c == '!'
		case '>':
			out.kind = kindAtomic
		case '<':
			p.pos++
			switch c := p.at(p.pos - 1); c {
			case '=', '!':
				out.kind, out.negated = kindBehind, c == '!'
			default:
				name := p.groupName(c)
				if _, ok := p.names[name]; ok {
					p.fail("Named capturing group <" + name + "> is already defined")
				}
				p.groups++
				p.names[name] = p.groups
				out.kind, out.number = kindCapture, p.groups
			}
		case '$', '@':
			p.fail("Unknown group type")
		default:
			p.pos--
			p.readFlags()
			p.pos++
			switch p.at(p.pos - 1) {
			case ')':
				return nil // in force until the group around ends
			case ':':
			default:
				p.fail("Unknown inline modifier")
			}
		}
	}
	sub := p.alternation()
	if out.kind == kindBehind && !sub.bounded() {
		p.fail("Look-behind group does not have an obvious maximum length")
	}
	c := p.peek()
	closed := p.pos < len(p.in) && c == ')'
	p.pos++
	if !closed {
		p.fail("Unclosed group")
	}
	p.flags = saved
	out.subs = []*node{sub}
	return out
}

// groupName reads on from the first character c, which has been read.
func (p *parser) groupName(c rune) string {
	if !isAlpha(c) {
		p.fail("capturing group name does not start with a Latin letter")
	}
	start := p.pos - 1
	for isAlnum(p.at(p.pos)) {
		p.pos++
	}
	name := string(p.in[start:p.pos])
	p.pos++
	if p.at(p.pos-1) != '>' {
		p.fail("named capturing group is missing trailing '>'")
	}
	return name
}

func (p *parser) readFlags() {
	on := true
	for {
		switch p.peek() {
		case 'i':
			p.flags.ignoreCase = on
		case 'm':
			p.flags.multiline = on
		case 's':
			p.flags.dotAll = on
		case 'd':
			p.flags.unixLines = on
		case 'u':
			p.flags.unicodeCase = on
		case 'x':
			p.flags.comments = on
		case 'U':
			p.flags.unicodeClass = on
			p.flags.unicodeCase = on
		case 'c': // canonical equivalence, which Java ignores as an embedded flag
		case '-':
			if !on {
				return
			}
			on = false
		default:
			return
		}
		p.pos++
	}
}

// family reads the rest of \p or \P, from the character after it.
func (p *parser) family(negated bool) set {
	var name string
	if p.at(p.pos) != '{' {
		if p.pos >= len(p.in) {
			p.pos++
			p.fail("Unclosed character family")
		}
		name = string(p.at(p.pos))
		p.pos++
	} else {
		start := p.pos + 1
		end := start
		for end < len(p.in) && p.in[end] != '}' {
			end++
		}
		if end == len(p.in) {
			p.failAt("Unclosed character family", len(p.in))
		}
		if end == start {
			p.pos = end + 1
			p.fail("Empty character family")
		}
		name = string(p.in[start:end])
		p.pos = end + 1
	}
	s, message := property(name, p.flags)
	if message != "" {
		p.fail(message)
	}
	if negated {
		return s.negate()
	}
	return s
}
