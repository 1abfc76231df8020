package properties

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// lineReader cuts a text into logical lines: blank and comment lines left out,
// continued lines joined. Every character with a meaning is ASCII, so it works on
// bytes.
type lineReader struct {
	text []byte
	pos  int
	line int // the natural line that pos is on, counted from 1

	logical []byte  // the current logical line, escapes still in it
	starts  []start // where in logical its natural lines begin, ascending
}

type start struct{ offset, line int }

// next reads the next logical line and reports whether there was one.
//
// Three corners follow Java's reader, not its documentation: whether a "#" begins
// a comment is decided while nothing of the logical line has been kept, so it
// does so also after a continuation of nothing; a blank line after a
// continuation ends the logical line; and a line of a lone backslash is an entry
// with an empty key when its terminator is the file's last character.
func (r *lineReader) next() bool {
	r.logical, r.starts = r.logical[:0], r.starts[:0]
	skipBlanks, continued, escaped := true, false, false
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		eol := c == '\n' || c == '\r'
		if skipBlanks {
			if isBlank(c) {
				r.pos++
				continue
			}
			if eol && !continued {
				r.endLine()
				continue
			}
			skipBlanks, continued = false, false
			r.starts = append(r.starts, start{len(r.logical), r.line})
		}
		if len(r.logical) == 0 && (c == '#' || c == '!') {
			r.skipComment()
			r.starts, skipBlanks = r.starts[:0], true
			continue
		}
		if !eol {
			r.logical = append(r.logical, c)
			escaped = c == '\\' && !escaped
			r.pos++
			continue
		}
		last := r.pos+1 == len(r.text)
		r.endLine()
		switch {
		case len(r.logical) == 0:
			r.starts, skipBlanks = r.starts[:0], true
		case escaped:
			r.logical = r.logical[:len(r.logical)-1]
			if last {
				return true
			}
			skipBlanks, continued, escaped = true, true, false
		default:
			return true
		}
	}
	if len(r.logical) == 0 {
		return false
	}
	if escaped {
		// A backslash as the last character of the file continues into nothing.
		r.logical = r.logical[:len(r.logical)-1]
	}
	return true
}

// endLine steps over one line terminator: \n, \r or \r\n.
func (r *lineReader) endLine() {
	if r.text[r.pos] == '\r' && r.pos+1 < len(r.text) && r.text[r.pos+1] == '\n' {
		r.pos++
	}
	r.pos++
	r.line++
}

func (r *lineReader) skipComment() {
	if n := bytes.IndexAny(r.text[r.pos:], "\r\n"); n >= 0 {
		r.pos += n
		r.endLine()
		return
	}
	r.pos = len(r.text)
}

// lineAt returns the natural line that an offset in the logical line came from.
func (r *lineReader) lineAt(offset int) int {
	line := r.line
	for _, s := range r.starts {
		if s.offset > offset {
			break
		}
		line = s.line
	}
	return line
}

// entry splits the current logical line: the key ends before the first blank,
// "=" or ":" without a backslash, and the value begins after the blanks there,
// of which one "=" or ":" may be part.
func (r *lineReader) entry() (Entry, error) {
	l := r.logical
	keyEnd, valueStart := 0, len(l)
	separated, escaped := false, false
	for ; keyEnd < len(l); keyEnd++ {
		c := l[keyEnd]
		if !escaped && (isSeparator(c) || isBlank(c)) {
			separated = isSeparator(c)
			valueStart = keyEnd + 1
			break
		}
		escaped = c == '\\' && !escaped
	}
	for ; valueStart < len(l); valueStart++ {
		if isBlank(l[valueStart]) {
			continue
		}
		if separated || !isSeparator(l[valueStart]) {
			break
		}
		separated = true
	}
	key, err := r.unescape(0, keyEnd)
	if err != nil {
		return Entry{}, err
	}
	value, err := r.unescape(valueStart, len(l))
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Value: value, Line: r.lineAt(0)}, nil
}

// unescape returns logical[from:to] with its escapes replaced. A surrogate
// escaped without its other half becomes "?", which is what Java makes of it when
// the text leaves the process as UTF-8.
func (r *lineReader) unescape(from, to int) (string, error) {
	l := r.logical[from:to]
	if bytes.IndexByte(l, '\\') < 0 {
		return string(l), nil
	}
	out := make([]byte, 0, len(l))
	for i := 0; i < len(l); i++ {
		if l[i] != '\\' || i+1 == len(l) {
			out = append(out, l[i])
			continue
		}
		i++
		switch c := l[i]; c {
		case 'u':
			unit, ok := hex4(l[i+1:])
			if !ok {
				return "", &SyntaxError{Line: r.lineAt(from + i), Msg: `Malformed \uxxxx encoding.`}
			}
			i += 4
			char := rune(unit)
			if utf16.IsSurrogate(char) {
				char = '?'
				if rest := l[i+1:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
					if low, ok := hex4(rest[2:]); ok {
						if pair := utf16.DecodeRune(rune(unit), rune(low)); pair != utf8.RuneError {
							char = pair
							i += 6
						}
					}
				}
			}
			out = utf8.AppendRune(out, char)
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'n':
			out = append(out, '\n')
		case 'f':
			out = append(out, '\f')
		default:
			out = append(out, c)
		}
	}
	return string(out), nil
}

func hex4(b []byte) (uint16, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var n uint16
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint16(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint16(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | uint16(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

func isBlank(c byte) bool     { return c == ' ' || c == '\t' || c == '\f' }
func isSeparator(c byte) bool { return c == '=' || c == ':' }

// invalidUTF8 returns the line, counted from 1, of the first byte that is not
// part of UTF-8 text, and 0 when there is none.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return 0
	}
	line := 1
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			return line
		case c == '\n', c == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			line++
		}
		i += n
	}
	return line
}
