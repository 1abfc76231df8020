package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/javatext"
)

// Object is an object of JSON. A text is a tree of nil, bool, json.Number, string,
// []any and Object. The order of members is kept, for it shows in the schemas that
// are registered.
type Object []Member

// Member is a member of an Object.
type Member struct {
	Key   string
	Value any
}

// Get returns a member's value.
func (o Object) Get(key string) (any, bool) {
	for i := range o {
		if o[i].Key == key {
			return o[i].Value, true
		}
	}
	return nil, false
}

// ErrDeep is the error of what nests deeper than MaxDepth.
var ErrDeep = errors.New("the schema nests too deeply")

// parseJSON reads one JSON text.
func parseJSON(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	v, err := parseNode(d, 0)
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("text after the schema")
	}
	return v, nil
}

func parseNode(d *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ErrDeep
	}
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseNode(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		obj := Object{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := parseNode(d, depth+1)
			if err != nil {
				return nil, err
			}
			obj = append(obj, Member{key.(string), v})
		}
		_, err := d.Token()
		return obj, err
	}
	return tok, nil
}

// AppendJSON writes a tree without spaces, as Java's Avro does.
func AppendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case json.Number:
		return append(dst, v...)
	case string:
		return appendQuoted(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, e)
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		for i, m := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, m.Key), ':')
			dst = AppendJSON(dst, m.Value)
		}
		return append(dst, '}')
	}
	panic("avro: no JSON value")
}

func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\b':
			dst = append(dst, '\\', 'b')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// IntNode is a number of JSON.
func IntNode(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// FloatNode is a number, or the text in which Java puts what JSON has no number for.
func FloatNode(f float64, bits int) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case bits == 32:
		return json.Number(javatext.AppendFloat32(nil, float32(f)))
	}
	return json.Number(javatext.AppendFloat64(nil, f))
}

// Latin1 is a byte array as Avro's JSON has it: a character a byte.
func Latin1(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}

// FromLatin1 is the inverse of Latin1. Other characters become question marks, as in Java.
func FromLatin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}
