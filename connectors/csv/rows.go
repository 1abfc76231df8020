package csv

import (
	"bytes"
	"errors"
)

// dialect says how fields are told apart; quote 0 means that none are quoted.
type dialect struct{ delim, quote byte }

// scanner finds the ends of rows in text that arrives in pieces. It goes over
// each byte once, however long a row is.
//
// A quote opens a quoted field only as the first character of a field; elsewhere
// it is a character as any other. Rows end with \n or \r\n outside quotes.
type scanner struct {
	off   int // how much of the row was looked at
	state scanState
}

type scanState uint8

const (
	fieldStart scanState = iota
	plain                // in a field, outside quotes
	quoted               // inside quotes
	closing              // after a quote inside quotes: the end, or the first of two
)

// next returns the length of the row at the start of b with its line end; false
// when it is not complete. Call it with the same row, and more behind it, until
// it is.
func (s *scanner) next(b []byte, d dialect) (int, bool) {
	if s.off == 0 {
		if i := bytes.IndexByte(b, '\n'); i >= 0 && (d.quote == 0 || bytes.IndexByte(b[:i], d.quote) < 0) {
			return i + 1, true
		}
	}
	for i := s.off; i < len(b); i++ {
		c := b[i]
		if s.state == quoted {
			k := bytes.IndexByte(b[i:], d.quote)
			if k < 0 {
				break
			}
			i += k
			s.state = closing
			continue
		}
		switch {
		case c == '\n':
			*s = scanner{}
			return i + 1, true
		case c == d.delim:
			s.state = fieldStart
		case c == d.quote && d.quote != 0 && (s.state == fieldStart || s.state == closing):
			s.state = quoted
		default:
			s.state = plain
		}
	}
	s.off = len(b)
	return 0, false
}

// field is one field of a row, without its quotes.
type field struct {
	text   []byte
	quoted bool
}

var (
	errAfterQuote = errors.New("there is text after the closing quote")
	errOpenQuote  = errors.New("the quote is not closed")
)

// split appends the fields of a row, given without or with its line end, to dst.
// Fields share the row's bytes where they can. After an error the number of
// fields says which could not be read.
func split(row []byte, d dialect, dst []field) ([]field, error) {
	row = trimEnd(row)
	for {
		if d.quote != 0 && len(row) > 0 && row[0] == d.quote {
			text, rest, err := unquote(row, d.quote)
			if err != nil {
				return dst, err
			}
			dst = append(dst, field{text, true})
			if len(rest) == 0 {
				return dst, nil
			}
			if rest[0] != d.delim {
				return dst[:len(dst)-1], errAfterQuote
			}
			row = rest[1:]
			continue
		}
		i := bytes.IndexByte(row, d.delim)
		if i < 0 {
			return append(dst, field{text: row}), nil
		}
		dst = append(dst, field{text: row[:i]})
		row = row[i+1:]
	}
}

func trimEnd(row []byte) []byte {
	if n := len(row); n > 0 && row[n-1] == '\n' {
		row = row[:n-1]
	}
	if n := len(row); n > 0 && row[n-1] == '\r' {
		row = row[:n-1]
	}
	return row
}

// unquote reads the quoted field at the start of row.
func unquote(row []byte, quote byte) (text, rest []byte, err error) {
	i := bytes.IndexByte(row[1:], quote)
	if i < 0 {
		return nil, nil, errOpenQuote
	}
	text, rest = row[1:1+i], row[2+i:]
	if len(rest) == 0 || rest[0] != quote {
		return text, rest, nil
	}
	out := append(make([]byte, 0, len(row)), text...)
	for len(rest) > 0 && rest[0] == quote {
		out = append(out, quote)
		rest = rest[1:]
		if i = bytes.IndexByte(rest, quote); i < 0 {
			return nil, nil, errOpenQuote
		}
		out = append(out, rest[:i]...)
		rest = rest[i+1:]
	}
	return out, rest, nil
}

// appendField appends a field in quotes where it needs them. ok is false when it
// needs them and there are none.
func appendField(b, text []byte, d dialect) (out []byte, ok bool) {
	needs := len(text) == 0 || bytes.IndexByte(text, d.delim) >= 0 || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 ||
		d.quote != 0 && bytes.IndexByte(text, d.quote) >= 0
	if !needs {
		return append(b, text...), true
	}
	if d.quote == 0 {
		return b, len(text) == 0
	}
	b = append(b, d.quote)
	for {
		i := bytes.IndexByte(text, d.quote)
		if i < 0 {
			break
		}
		b = append(b, text[:i+1]...)
		b = append(b, d.quote)
		text = text[i+1:]
	}
	b = append(b, text...)
	return append(b, d.quote), true
}
