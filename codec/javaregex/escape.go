package javaregex

import (
	"strings"
	"unicode"
)

const horizontalSpace = " \t\u00A0\u1680\u180E\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u202F\u205F\u3000"

// classEscape gives the set of \d, \h, \s, \v, \w and their opposites.
func classEscape(c rune, f flags) (set, bool) {
	var s set
	switch unicode.ToLower(c) {
	case 'd':
		s = asciiRange('0', '9')
		if f.unicodeClass {
			s = tables(unicode.Nd)
		}
	case 'w':
		s = setOf(span{'0', '9'}, span{'A', 'Z'}, span{'_', '_'}, span{'a', 'z'})
		if f.unicodeClass {
			s = wordUnicode()
		}
	case 's':
		s = setOf(span{'\t', '\r'}, span{' ', ' '})
		if f.unicodeClass {
			s = tables(unicode.White_Space)
		}
	case 'h':
		s = runes(horizontalSpace)
	case 'v':
		s = runes("\n\v\f\r\u0085\u2028\u2029")
	default:
		return nil, false
	}
	if unicode.IsUpper(c) {
		s = s.negate()
	}
	return s, true
}

// escape reads a backslash and what it introduces, outside of a class.
func (p *parser) escape() *node {
	p.pos += 2
	if p.pos > len(p.in) { // Java reads on past the end, and says what it misses there
		if p.depth > 1 {
			p.failAt("Unclosed group", len(p.in)+1)
		}
		p.fail("Unexpected internal error")
	}
	c := p.at(p.pos - 1)
	if s, ok := classEscape(c, p.flags); ok {
		return &node{kind: kindSet, set: s}
	}
	switch c {
	case 'p', 'P':
		return &node{kind: kindSet, set: p.family(c == 'P')}
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n := int(c - '0')
		for isDigit(p.at(p.pos)) && n*10+int(p.at(p.pos)-'0') <= p.groups {
			n = n*10 + int(p.at(p.pos)-'0')
			p.pos++
		}
		return &node{kind: kindBackref, number: n, fold: p.flags.ignoreCase}
	case 'k':
		p.pos++
		if p.at(p.pos-1) != '<' {
			p.fail(`\k is not followed by '<' for named capturing group`)
		}
		p.pos++
		name := p.groupName(p.at(p.pos - 1))
		n, ok := p.names[name]
		if !ok {
			p.fail("named capturing group <" + name + "> does not exist")
		}
		return &node{kind: kindBackref, number: n, fold: p.flags.ignoreCase}
	case 'A':
		return &node{kind: kindBegin}
	case 'G': // where the last match ended: the start, for the first one
		return &node{kind: kindBegin}
	case 'z':
		return &node{kind: kindEnd}
	case 'Z':
		return &node{kind: kindDollar, unix: p.flags.unixLines}
	case 'b':
		if p.at(p.pos) == '{' && p.at(p.pos+1) == 'g' {
			p.fail(`Unsupported here: the grapheme boundary \b{g}`)
		}
		return &node{kind: kindWord}
	case 'B':
		return &node{kind: kindWord, negated: true}
	case 'R':
		return &node{kind: kindGroup, lineBreak: true, subs: []*node{{kind: kindAlternate, subs: []*node{
			{kind: kindConcat, subs: []*node{{kind: kindLiteral, r: '\r'}, {kind: kindLiteral, r: '\n'}}},
			{kind: kindSet, set: runes("\n\v\f\r\u0085\u2028\u2029")},
		}}}}
	case 'X':
		p.fail(`Unsupported here: the grapheme cluster \X`)
	}
	return p.literal(p.character(c))
}

// character resolves an escape that stands for one character; c has been read.
func (p *parser) character(c rune) rune {
	switch c {
	case '0':
		return p.octal()
	case 'a':
		return 7
	case 'e':
		return 0x1B
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'c':
		if p.pos >= len(p.in) {
			p.fail("Illegal control escape sequence")
		}
		p.pos++
		return p.at(p.pos-1) ^ 64
	case 'u':
		r := p.hex(4, "Illegal Unicode escape sequence")
		if r >= 0xD800 && r < 0xDC00 && p.at(p.pos) == '\\' && p.at(p.pos+1) == 'u' {
			here := p.pos
			p.pos += 2
			if low := p.hex(4, "Illegal Unicode escape sequence"); low >= 0xDC00 && low < 0xE000 {
				return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
			}
			p.pos = here
		}
		return r
	case 'x':
		if p.at(p.pos) != '{' {
			return p.hex(2, "Illegal hexadecimal escape sequence")
		}
		p.pos++
		return p.bracedHex()
	case 'N':
		p.fail(`Unsupported here: characters by name, \N{…}`)
	}
	if isAlnum(c) {
		p.fail("Illegal/unsupported escape sequence")
	}
	return c
}

func (p *parser) octal() rune {
	digit := func() bool { return p.at(p.pos) >= '0' && p.at(p.pos) <= '7' }
	if !digit() {
		p.pos++
		p.fail("Illegal octal escape sequence")
	}
	first := p.at(p.pos) - '0'
	n := first
	p.pos++
	for i := 1; digit() && (i < 2 || (i < 3 && first <= 3)); i++ {
		n = n*8 + p.at(p.pos) - '0'
		p.pos++
	}
	return n
}

func hexValue(r rune) (rune, bool) {
	if i := strings.IndexRune("0123456789abcdef", unicode.ToLower(r)); i >= 0 && r != 0 {
		return rune(i), true
	}
	return 0, false
}

func (p *parser) hex(digits int, message string) rune {
	n := rune(0)
	for range digits {
		v, ok := hexValue(p.at(p.pos))
		p.pos++
		if !ok {
			p.fail(message)
		}
		n = n<<4 | v
	}
	return n
}

func (p *parser) bracedHex() rune {
	if _, ok := hexValue(p.at(p.pos)); !ok {
		p.fail("Illegal hexadecimal escape sequence")
	}
	n := rune(0)
	for {
		v, ok := hexValue(p.at(p.pos))
		if !ok {
			break
		}
		p.pos++
		if n = n<<4 | v; n > unicode.MaxRune {
			p.fail("Hexadecimal codepoint is too big")
		}
	}
	if p.at(p.pos) != '}' {
		p.fail("Unclosed hexadecimal escape sequence")
	}
	p.pos++
	return n
}

// class reads a character class; with consume from its "[" to its "]", without it
// (the right side of &&) from here up to a "]" that is left unread.
func (p *parser) class(consume bool) set {
	p.enter()
	defer func() { p.depth-- }()
	var all set
	some, negated := false, false
	add := func(s set) { all, some = all.union(s), true }
	if consume {
		p.pos++
		if p.peek() == '^' && p.at(p.pos-1) == '[' {
			p.pos++
			negated = true
		}
	}
	for {
		c := p.peek()
		if p.pos >= len(p.in) {
			p.fail("Unclosed character class")
		}
		switch {
		case c == '[':
			add(p.class(true))
			continue
		case c == ']' && some:
			if consume {
				p.pos++
			}
			if negated {
				return all.negate()
			}
			return all
		case c == '&' && p.at(p.pos+1) == '&':
			p.pos += 2
			var right set
			found := false
			for c := p.peek(); c != ']' && c != '&'; c = p.peek() {
				if p.pos >= len(p.in) {
					p.fail("Unclosed character class")
				}
				right, found = right.union(p.class(c == '[')), true
			}
			switch {
			case !some && !found:
				p.fail("Bad class syntax")
			case !some:
				add(right)
			case found:
				all = all.intersect(right)
			}
			continue
		}
		add(p.classItem())
	}
}

// classItem reads a character, a range or a class escape.
func (p *parser) classItem() set {
	lo := p.peek()
	p.pos++
	if lo == '\\' {
		c := p.at(p.pos)
		if p.pos >= len(p.in) {
			p.failAt("Unclosed character class", len(p.in))
		}
		p.pos++
		if c == 'p' || c == 'P' {
			return p.family(c == 'P')
		}
		if s, ok := classEscape(c, p.flags); ok {
			return s
		}
		lo = p.character(c)
	}
	hi := lo
	if p.peek() == '-' && p.at(p.pos+1) != '[' && p.at(p.pos+1) != ']' {
		p.pos++
		hi = p.peek()
		p.pos++
		switch {
		case p.pos > len(p.in):
			// Java takes the end of the pattern for the end of the range.
			p.fail("Illegal character range")
		case hi == '\\':
			c := p.at(p.pos)
			p.pos++
			if _, isClass := classEscape(c, p.flags); isClass {
				p.fail("Illegal character range")
			}
			hi = p.character(c)
		}
		if hi < lo {
			p.fail("Illegal character range")
		}
	}
	s := set{{lo, hi}}
	if p.flags.ignoreCase {
		s = s.fold(p.flags.unicodeCase)
	}
	return s
}
