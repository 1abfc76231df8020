package codec

import (
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
)

// plainLiteral reads what needs no parser, which is most of what headers hold: text
// that begins neither as an array nor as a map, and numbers and dates without
// delimiters. ok is false for the rest.
func plainLiteral(text string) (s *data.Schema, v data.Value, ok bool) {
	if text == "" {
		return data.StringSchema, data.OfString(text), true
	}
	switch c := text[0]; {
	case c <= ' ', c == '[', c == '{':
		return nil, data.Null, false
	case c >= '0' && c <= '9', c == '+', c == '-':
		token := trim(text)
		if n, ok := scanNumber(token); ok {
			t := narrowestOf(n, token)
			return t.schema, t.value, true
		}
		if hasDelimiter(text) {
			return nil, data.Null, false
		}
		if c >= '0' {
			if s, v, ok = parseTemporal(token); ok {
				return s, v, true
			}
		}
	case c == 'n', c == 't', c == 'f':
		switch trim(text) {
		case "null":
			return nil, data.Null, true
		case "true":
			return data.BooleanSchema, data.OfBool(true), true
		case "false":
			return data.BooleanSchema, data.OfBool(false), true
		}
	case c >= utf8.RuneSelf:
		if r, _ := utf8.DecodeRuneInString(text); unicode.IsDigit(r) {
			return nil, data.Null, false
		}
	}
	return data.StringSchema, data.OfString(text), true
}

// delimiters cut text into tokens, unless a backslash stands before them.
const delimiters = `:,{}[]"`

var isDelimiter = func() (is [256]bool) {
	for _, c := range []byte(delimiters) {
		is[c] = true
	}
	return is
}()

func hasDelimiter(text string) bool {
	for i := range len(text) {
		if isDelimiter[text[i]] {
			return true
		}
	}
	return false
}

// powersOfTen are those that a number of 18 digits can be a multiple of.
var powersOfTen = func() (p [19]uint64) {
	p[0] = 1
	for i := range p[1:] {
		p[i+1] = p[i] * 10
	}
	return p
}()

// narrowestOf is narrowest for a number that was taken apart; text is the whole.
func narrowestOf(n numberText, text string) typed {
	if n.long || n.scale < 0 || n.scale >= int64(len(powersOfTen)) {
		d, _ := ParseDecimal(text)
		return narrowest(d)
	}
	if unit := powersOfTen[n.scale]; n.digits%unit == 0 {
		n.digits /= unit
		return narrowestInt(n.signed())
	}
	var room [32]byte
	b := strconv.AppendInt(room[:0], n.signed(), 10)
	b = strconv.AppendInt(append(b, 'e'), -n.scale, 10)
	f, _ := strconv.ParseFloat(string(b), 32) // it is in range
	return typed{schema: data.Float32Schema, value: data.OfFloat32(float32(f))}
}

// narrowest makes a number of the smallest type that holds it.
func narrowest(d *data.Decimal) typed {
	if n, ok := decimalExact(d); ok {
		return narrowestInt(n)
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

func narrowestInt(n int64) typed {
	switch {
	case n == int64(int8(n)):
		return typed{schema: data.Int8Schema, value: data.OfInt8(int8(n))}
	case n == int64(int16(n)):
		return typed{schema: data.Int16Schema, value: data.OfInt16(int16(n))}
	case n == int64(int32(n)):
		return typed{schema: data.Int32Schema, value: data.OfInt32(int32(n))}
	}
	return typed{schema: data.Int64Schema, value: data.OfInt64(n)}
}
