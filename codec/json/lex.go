package json

import (
	"math"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Limits of Jackson's StreamReadConstraints, which Kafka Connect leaves at their
// defaults.
const (
	maxDepth        = 1000
	maxNumberDigits = 1000
	maxNameBytes    = 50_000
	maxStringUnits  = 20_000_000
)

// lexer walks over JSON text in UTF-8. Its methods report false when the text is
// not JSON in Jackson's eyes; where it stands then has no meaning.
type lexer struct {
	in    []byte
	pos   int
	depth int

	// The last number.
	at    int   // where it is, up to pos
	isInt bool  // no fraction and no exponent
	small bool  // isInt, and n holds it
	n     int64 // its value
	exact bool  // not isInt, and f holds it
	f     float64
}

// ws skips white space and returns the next byte, 0 at the end.
func (l *lexer) ws() byte {
	for l.pos < len(l.in) {
		c := l.in[l.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
		l.pos++
	}
	return 0
}

// plainByte tells the bytes that stand for themselves in a string.
var plainByte = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// str reads a string; pos is at its opening quote. The result shares the text
// where it has no escapes and is proper UTF-8.
func (l *lexer) str() ([]byte, bool) {
	in := l.in
	start := l.pos + 1
	i, end := plainText(in, start)
	if end {
		l.pos = i + 1
		return in[start:i:i], true
	}
	high := false
	for i < len(in) && (plainByte[in[i]] || in[i] >= 0x80) {
		high = high || in[i] >= 0x80
		i++
	}
	if i >= len(in) {
		return nil, false
	}
	s := in[start:i:i]
	if in[i] != '"' || high && !utf8.Valid(s) {
		return l.strSlow() // an escape, a control character, or other bytes
	}
	l.pos = i + 1
	return s, len(s) <= maxStringUnits || units(s) <= maxStringUnits
}

// units returns the length of s in Java's chars.
func units(s []byte) int {
	n := 0
	for _, r := range string(s) {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// strSlow reads a string with escapes or with bytes that only Jackson's decoder
// takes: overlong forms, and surrogates as three bytes each. What is no
// character becomes U+FFFD, as a Java string that holds it would when written.
func (l *lexer) strSlow() ([]byte, bool) {
	in := l.in
	i := l.pos + 1
	out := make([]byte, 0, 64)
	hi := rune(-1) // a high surrogate that waits for its other half
	flush := func() {
		if hi >= 0 {
			out = utf8.AppendRune(out, utf8.RuneError)
			hi = -1
		}
	}
	put := func(r rune) {
		if r >= 0xdc00 && r < 0xe000 && hi >= 0 {
			out = utf8.AppendRune(out, utf16.DecodeRune(hi, r))
			hi = -1
			return
		}
		flush()
		if r >= 0xd800 && r < 0xdc00 {
			hi = r
			return
		}
		out = utf8.AppendRune(out, r) // a lone low surrogate becomes U+FFFD
	}
	cont := func(at int) (rune, bool) {
		if at >= len(in) || in[at]&0xc0 != 0x80 {
			return 0, false
		}
		return rune(in[at] & 0x3f), true
	}
	for i < len(in) {
		c := in[i]
		switch {
		case c == '"':
			flush()
			l.pos = i + 1
			return out, len(out) <= maxStringUnits || units(out) <= maxStringUnits
		case c == '\\':
			if i+1 >= len(in) {
				return nil, false
			}
			e := in[i+1]
			i += 2
			switch e {
			case '"', '\\', '/':
				put(rune(e))
			case 'b':
				put('\b')
			case 'f':
				put('\f')
			case 'n':
				put('\n')
			case 'r':
				put('\r')
			case 't':
				put('\t')
			case 'u':
				if i+4 > len(in) {
					return nil, false
				}
				r := rune(0)
				for _, h := range in[i : i+4] {
					d := unhex(h)
					if d < 0 {
						return nil, false
					}
					r = r<<4 | rune(d)
				}
				put(r)
				i += 4
			default:
				return nil, false
			}
		case c < 0x20:
			return nil, false
		case c < 0x80:
			if hi >= 0 {
				flush()
			}
			out = append(out, c)
			i++
		case c&0xe0 == 0xc0:
			a, ok := cont(i + 1)
			if !ok {
				return nil, false
			}
			put(rune(c&0x1f)<<6 | a)
			i += 2
		case c&0xf0 == 0xe0:
			a, ok1 := cont(i + 1)
			b, ok2 := cont(i + 2)
			if !ok1 || !ok2 {
				return nil, false
			}
			put(rune(c&0x0f)<<12 | a<<6 | b)
			i += 3
		case c&0xf8 == 0xf0:
			a, ok1 := cont(i + 1)
			b, ok2 := cont(i + 2)
			d, ok3 := cont(i + 3)
			if !ok1 || !ok2 || !ok3 {
				return nil, false
			}
			// As two halves, as Jackson makes them of what is no character too.
			r := rune(c&0x07)<<18 | a<<12 | b<<6 | d - 0x10000
			put(rune(uint16(0xd800 | r>>10)))
			put(0xdc00 | r&0x3ff)
			i += 4
		default:
			return nil, false
		}
	}
	return nil, false
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// exactDigits is how many decimal digits a float64 holds without loss.
const exactDigits = 15

// powersOfTen are exact in a float64.
var powersOfTen = [exactDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// float64 returns the last number, which need not have a fraction.
func (l *lexer) float64() float64 {
	if l.exact {
		return l.f
	}
	return float64Of(l.lit())
}

// lit is the text of the last number, until something else is read.
func (l *lexer) lit() []byte { return l.in[l.at:l.pos:l.pos] }

// number reads a number; pos is at its sign or first digit. Leading zeros are
// allowed, as Kafka Connect configures Jackson.
func (l *lexer) number() bool {
	in := l.in
	i := l.pos
	l.at = i
	neg := false
	if i < len(in) && in[i] == '-' {
		neg = true
		i++
	}
	first := i
	for i < len(in) && in[i] == '0' {
		i++
	}
	zeros := i - first
	first = i
	v, i := moreDigits(in, 0, i)
	digits := i - first
	if digits == 0 {
		if zeros == 0 {
			return false
		}
		digits = 1 // the last zero counts
	}
	l.isInt, l.exact = true, false
	if i < len(in) && (in[i] == '.' || in[i]|0x20 == 'e') {
		l.isInt = false
		frac := 0
		if in[i] == '.' {
			i++
			first = i
			v, i = moreDigits(in, v, i)
			frac = i - first
			if frac == 0 {
				return false
			}
			digits += frac
			if l.exact = digits <= exactDigits; l.exact {
				// Both are exact, so that their quotient is rounded once, as it should be.
				l.f = float64(v) / powersOfTen[frac]
				if neg && v != 0 {
					l.f = -l.f
				}
			}
		}
		if i < len(in) && in[i]|0x20 == 'e' {
			l.exact = false
			i++
			expNeg := false
			if i < len(in) && (in[i] == '+' || in[i] == '-') {
				expNeg = in[i] == '-'
				i++
			}
			first = i
			for i < len(in) && in[i]-'0' <= 9 {
				i++
			}
			n := i - first
			if n == 0 || n > 9 && !exponentFits(in[first:i], expNeg, frac) {
				return false
			}
			digits += n
		}
	}
	l.small = l.isInt && digits <= 18
	if l.small {
		l.n = int64(v)
		if neg {
			l.n = -l.n
		}
	}
	l.pos = i
	return digits <= maxNumberDigits
}

// exponentFits reports whether java.math.BigDecimal takes a number with such an
// exponent and that many fraction digits: Jackson makes one of every number with
// a fraction or an exponent.
func exponentFits(digits []byte, neg bool, frac int) bool {
	for len(digits) > 10 && digits[0] == '0' {
		digits = digits[1:]
	}
	if len(digits) > 10 {
		return false
	}
	exp := int64(0)
	for _, c := range digits {
		exp = exp*10 + int64(c-'0')
	}
	if neg {
		exp = -exp
	}
	if exp != int64(int32(exp)) {
		return false
	}
	scale := int64(frac) - exp
	return scale == int64(int32(scale))
}

// rootNumberEnds checks what Jackson wants behind a number that is the whole
// document: white space or the end.
func (l *lexer) rootNumberEnds() bool {
	if l.pos >= len(l.in) {
		return true
	}
	switch l.in[l.pos] {
	case ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// word reads null, true or false.
func (l *lexer) word(w string) bool {
	if len(l.in)-l.pos < len(w) || string(l.in[l.pos:l.pos+len(w)]) != w {
		return false
	}
	l.pos += len(w)
	if l.pos == len(l.in) {
		return true
	}
	c := l.in[l.pos]
	if c < '0' || c == ']' || c == '}' {
		return true
	}
	r, ok := l.char()
	return ok && !unicode.In(r, unicode.Letter, unicode.Nd, unicode.Nl, unicode.Mn, unicode.Mc, unicode.Pc, unicode.Sc, unicode.Cf) && r != 0x7f
}

// char decodes what follows as Jackson does to see whether a word goes on: by the
// lengths of UTF-8 alone, and cut to a char.
func (l *lexer) char() (r rune, ok bool) {
	c := l.in[l.pos]
	more := 0
	switch {
	case c < 0x80:
		return rune(c), true
	case c&0xe0 == 0xc0:
		r, more = rune(c&0x1f), 1
	case c&0xf0 == 0xe0:
		r, more = rune(c&0x0f), 2
	case c&0xf8 == 0xf0:
		r, more = rune(c&0x07), 3
	default:
		return 0, false
	}
	for i := 1; i <= more; i++ {
		if l.pos+i >= len(l.in) || l.in[l.pos+i]&0xc0 != 0x80 {
			return 0, false
		}
		r = r<<6 | rune(l.in[l.pos+i]&0x3f)
	}
	return r & 0xffff, true
}

// skip passes over a value, checking it as reading would.
func (l *lexer) skip() bool {
	switch c := l.ws(); c {
	case '"':
		_, ok := l.str()
		return ok
	case '{', '[':
		end := c + 2 // in ASCII both closing brackets follow two after
		l.pos++
		if l.depth++; l.depth > maxDepth {
			return false
		}
		if l.ws() == end {
			l.pos++
			l.depth--
			return true
		}
		for {
			if c == '{' {
				if _, ok := l.name(); !ok {
					return false
				}
			}
			if !l.skip() {
				return false
			}
			switch l.ws() {
			case ',':
				l.pos++
				l.ws()
			case end:
				l.pos++
				l.depth--
				return true
			default:
				return false
			}
		}
	case 't':
		return l.word("true")
	case 'f':
		return l.word("false")
	case 'n':
		return l.word("null")
	default:
		return (c == '-' || c >= '0' && c <= '9') && l.number()
	}
}

// name reads a member's name and the colon behind it.
func (l *lexer) name() ([]byte, bool) {
	if l.pos >= len(l.in) || l.in[l.pos] != '"' {
		return nil, false
	}
	s, ok := l.str()
	if !ok || len(s) > maxNameBytes || l.ws() != ':' {
		return nil, false
	}
	l.pos++
	return s, true
}

// str1 is a string that shares b.
func str1(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// isInt32 reports whether the last number is what Jackson calls an int.
func (l *lexer) isInt32() bool { return l.small && l.n >= math.MinInt32 && l.n <= math.MaxInt32 }
