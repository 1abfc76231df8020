package javaregex

import (
	"fmt"
	"strings"
)

type kind uint8

const (
	kindEmpty kind = iota
	kindLiteral
	kindSet
	kindConcat
	kindAlternate
	kindGroup     // non-capturing
	kindCapture   // number
	kindAtomic    //
	kindAhead     // negated
	kindBehind    // negated
	kindRepeat    // min, max (-1: no bound), mode
	kindBackref   // number; fold: ignore case
	kindBegin     // \A, and ^ outside of multi-line mode
	kindEnd       // \z
	kindDollar    // $ and \Z: the end or before a final line terminator
	kindLineBegin // ^ in multi-line mode
	kindLineEnd   // $ in multi-line mode
	kindWord      // \b, negated \B
)

type mode uint8

const (
	greedy mode = iota
	reluctant
	possessive
)

// node is one construct of a pattern. Flags have been resolved by the parser: case
// folding into sets, the dot into a set, anchors into their kinds.
type node struct {
	kind     kind
	r        rune
	set      set
	subs     []*node
	number   int
	min, max int
	mode     mode
	braces   bool // of a repeat: written {m,n}
	negated  bool
	fold     bool
	unix     bool // (?d): only \n ends a line

	lineBreak bool // \R
}

// dropFinalDollar returns the tree without a $ at its very end, for whole matches.
func dropFinalDollar(n *node) *node {
	switch n.kind {
	case kindDollar, kindEnd:
		return &node{kind: kindEmpty}
	case kindLineEnd:
		return &node{kind: kindEmpty}
	case kindConcat:
		last := len(n.subs) - 1
		c := *n
		c.subs = append([]*node(nil), n.subs...)
		c.subs[last] = dropFinalDollar(n.subs[last])
		return &c
	case kindAlternate, kindGroup:
		c := *n
		c.subs = make([]*node, len(n.subs))
		for i, s := range n.subs {
			c.subs[i] = dropFinalDollar(s)
		}
		return &c
	}
	return n
}

// mayBeEmpty reports whether n can match without taking a character.
func (n *node) mayBeEmpty() bool {
	switch n.kind {
	case kindLiteral, kindSet:
		return false
	case kindConcat:
		for _, s := range n.subs {
			if !s.mayBeEmpty() {
				return false
			}
		}
		return true
	case kindAlternate:
		for _, s := range n.subs {
			if s.mayBeEmpty() {
				return true
			}
		}
		return false
	case kindGroup, kindCapture, kindAtomic:
		return n.subs[0].mayBeEmpty()
	case kindRepeat:
		return n.min == 0 || n.subs[0].mayBeEmpty()
	}
	return true
}

func escaped(r rune) string {
	switch {
	case isAlnum(r):
		return string(r)
	case r < 0x80:
		return fmt.Sprintf(`\x%02X`, r)
	}
	return string(r)
}

func writeClass(b *strings.Builder, s set) {
	b.WriteByte('[')
	for _, r := range s {
		b.WriteString(escaped(r.lo))
		if r.hi > r.lo {
			b.WriteByte('-')
			b.WriteString(escaped(r.hi))
		}
	}
	b.WriteByte(']')
}

func quantifier(n *node) string {
	var q string
	switch {
	case n.min == 0 && n.max < 0:
		q = "*"
	case n.min == 1 && n.max < 0:
		q = "+"
	case n.min == 0 && n.max == 1:
		q = "?"
	case n.max < 0:
		q = fmt.Sprintf("{%d,}", n.min)
	case n.min == n.max:
		q = fmt.Sprintf("{%d}", n.min)
	default:
		q = fmt.Sprintf("{%d,%d}", n.min, n.max)
	}
	if n.mode == reluctant {
		q += "?"
	}
	return q
}

// printStd writes the tree for Go's regexp; false where that engine lacks a
// construct or means something else by it: loops over what may be empty leave
// other captures behind, and its \b knows ASCII words only.
func printStd(n *node) (string, bool) {
	var b strings.Builder
	ok := writeStd(&b, n)
	return b.String(), ok
}

func writeStd(b *strings.Builder, n *node) bool {
	switch n.kind {
	case kindEmpty:
		b.WriteString("(?:)")
	case kindLiteral:
		b.WriteString(escaped(n.r))
	case kindSet:
		switch {
		case len(n.set) == 0:
			b.WriteString(`[^\x00-\x{10FFFF}]`)
		default:
			writeClass(b, n.set)
		}
	case kindConcat:
		for _, s := range n.subs {
			if !writeStd(b, s) {
				return false
			}
		}
	case kindAlternate:
		for i, s := range n.subs {
			if i > 0 {
				b.WriteByte('|')
			}
			if !writeStd(b, s) {
				return false
			}
		}
	case kindGroup, kindCapture:
		if n.kind == kindGroup {
			b.WriteString("(?:")
		} else {
			b.WriteByte('(')
		}
		if !writeStd(b, n.subs[0]) {
			return false
		}
		b.WriteByte(')')
	case kindRepeat:
		if n.mode == possessive || n.subs[0].mayBeEmpty() || max(n.min, n.max) > 1000 {
			return false
		}
		b.WriteString("(?:")
		if !writeStd(b, n.subs[0]) {
			return false
		}
		b.WriteByte(')')
		b.WriteString(quantifier(n))
	case kindBegin:
		b.WriteString(`\A`)
	case kindEnd:
		b.WriteString(`\z`)
	default:
		return false
	}
	return true
}

const lineEnds = `\r\u0085\u2028\u2029`

// printBack writes the tree for regexp2. Groups are numbered, never named, because
// that engine counts named groups after the others.
func printBack(n *node) string {
	var b strings.Builder
	writeBack(&b, n)
	return b.String()
}

func writeBack(b *strings.Builder, n *node) {
	wrap := func(open string) {
		b.WriteString(open)
		writeBack(b, n.subs[0])
		b.WriteByte(')')
	}
	switch n.kind {
	case kindEmpty:
		b.WriteString("(?:)")
	case kindLiteral:
		b.WriteString(escaped(n.r))
	case kindSet:
		if len(n.set) == 0 {
			b.WriteString("(?!)")
			return
		}
		writeClass(b, n.set)
	case kindConcat:
		for _, s := range n.subs {
			writeBack(b, s)
		}
	case kindAlternate:
		for i, s := range n.subs {
			if i > 0 {
				b.WriteByte('|')
			}
			writeBack(b, s)
		}
	case kindGroup:
		wrap("(?:")
	case kindCapture:
		wrap("(")
	case kindAtomic:
		wrap("(?>")
	case kindAhead:
		wrap(map[bool]string{false: "(?=", true: "(?!"}[n.negated])
	case kindBehind:
		wrap(map[bool]string{false: "(?<=", true: "(?<!"}[n.negated])
	case kindRepeat:
		if n.mode == possessive {
			b.WriteString("(?>")
		}
		wrap("(?:")
		b.WriteString(quantifier(n))
		if n.mode == possessive {
			b.WriteByte(')')
		}
	case kindBackref:
		if n.fold {
			fmt.Fprintf(b, `(?i:\k<%d>)`, n.number)
		} else {
			fmt.Fprintf(b, `\k<%d>`, n.number)
		}
	case kindBegin:
		b.WriteString(`\A`)
	case kindEnd:
		b.WriteString(`\z`)
	case kindDollar:
		if n.unix {
			b.WriteString(`(?=\n?\z)`)
		} else {
			b.WriteString(`(?=(?:\r\n|[` + lineEnds + `]|(?<!\r)\n)?\z)`)
		}
	case kindLineBegin:
		if n.unix {
			b.WriteString(`(?!\z)(?:\A|(?<=\n))`)
		} else {
			b.WriteString(`(?!\z)(?:\A|(?<=[\n\u0085\u2028\u2029])|(?<=\r)(?!\n))`)
		}
	case kindLineEnd:
		if n.unix {
			b.WriteString(`(?=\z|\n)`)
		} else {
			b.WriteString(`(?=\z|[` + lineEnds + `]|(?<!\r)\n)`)
		}
	case kindWord:
		b.WriteString(map[bool]string{false: `\b`, true: `\B`}[n.negated])
	}
}
