package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

// The JSON of the internal topics is what JsonConverter makes without schemas:
// compact, members in the order of the map, text as Jackson escapes it.

const jsonDepth = 200 // how deep a document may nest; ours nest three deep

// appendJSON appends v. Kinds that JSON has no form for (structs, decimals, dates)
// do not occur: callers check first.
func appendJSON(b []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindDate:
		return strconv.AppendInt(b, v.Int(), 10)
	case data.KindFloat32, data.KindFloat64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return appendJSONString(b, javatext.Float64(f))
		}
		if v.Kind() == data.KindFloat32 {
			return javatext.AppendFloat32(b, float32(v.Float()))
		}
		return javatext.AppendFloat64(b, v.Float())
	case data.KindBoolean:
		return strconv.AppendBool(b, v.Bool())
	case data.KindString:
		return appendJSONString(b, v.Str())
	case data.KindBytes:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case data.KindArray:
		b = append(b, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case data.KindMap:
		return appendJSONMap(b, v.Map())
	}
	return append(b, "null"...)
}

func appendJSONMap(b []byte, m *data.MapValue) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, e := range m.Entries() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, e.Key.String())
		b = append(b, ':')
		b = appendJSON(b, e.Value)
	}
	return append(b, '}')
}

// appendProperties appends a configuration, sorted so that the same one always
// gives the same bytes (Kafka Connect's order is that of a hash map).
func appendProperties(b []byte, m map[string]string) []byte {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, k)
		b = append(b, ':')
		b = appendJSONString(b, m[k])
	}
	return append(b, '}')
}

// appendJSONString escapes as Jackson does: quote, backslash and control
// characters only. Bytes that are not UTF-8 become U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	s = strings.ToValidUTF8(s, "\uFFFD")
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// parseJSON reads one JSON value by JsonConverter's schemaless rules: integers
// become int64 (beyond 64 bits they wrap), other numbers float64, objects maps in
// their written order. What follows the value is ignored; empty input is null.
func parseJSON(b []byte) (data.Value, error) {
	p := jsonParser{b: b}
	p.space()
	if p.i == len(b) {
		return data.Null, nil
	}
	return p.value(0)
}

// parseJSONMap is parseJSON for what must be an object. Null gives nil.
func parseJSONMap(b []byte) (*data.MapValue, error) {
	v, err := parseJSON(b)
	if err != nil || v.IsNull() {
		return nil, err
	}
	if v.Kind() != data.KindMap {
		return nil, fmt.Errorf("want a JSON object, got a %s", v.Kind().JavaClass()) // values may be secret
	}
	return v.Map(), nil
}

type jsonParser struct {
	b []byte
	i int
}

var errJSONEnd = errors.New("the JSON text ends too soon")

func (p *jsonParser) bad() error {
	if p.i >= len(p.b) {
		return errJSONEnd
	}
	return fmt.Errorf("unexpected %q at byte %d of the JSON text", p.b[p.i], p.i)
}

func (p *jsonParser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\t' || p.b[p.i] == '\n' || p.b[p.i] == '\r') {
		p.i++
	}
}

// next skips white space and takes c if it is next.
func (p *jsonParser) next(c byte) bool {
	p.space()
	if p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) (data.Value, error) {
	if depth > jsonDepth {
		return data.Null, fmt.Errorf("the JSON text nests deeper than %d", jsonDepth)
	}
	p.space()
	if p.i >= len(p.b) {
		return data.Null, errJSONEnd
	}
	switch c := p.b[p.i]; {
	case c == '{':
		p.i++
		return p.object(depth)
	case c == '[':
		p.i++
		return p.array(depth)
	case c == '"':
		s, err := p.text()
		return data.OfString(s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	switch rest := p.b[p.i:]; {
	case bytes.HasPrefix(rest, []byte("null")):
		p.i += 4
		return data.Null, nil
	case bytes.HasPrefix(rest, []byte("true")):
		p.i += 4
		return data.OfBool(true), nil
	case bytes.HasPrefix(rest, []byte("false")):
		p.i += 5
		return data.OfBool(false), nil
	}
	return data.Null, p.bad()
}

func (p *jsonParser) object(depth int) (data.Value, error) {
	var m data.MapBuilder
	if p.next('}') {
		return data.OfMap(m.Build()), nil
	}
	for {
		p.space()
		if p.i >= len(p.b) || p.b[p.i] != '"' {
			return data.Null, p.bad()
		}
		k, err := p.text()
		if err != nil {
			return data.Null, err
		}
		if !p.next(':') {
			return data.Null, p.bad()
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return data.Null, err
		}
		m.PutString(k, v)
		if p.next('}') {
			return data.OfMap(m.Build()), nil
		}
		if !p.next(',') {
			return data.Null, p.bad()
		}
	}
}

func (p *jsonParser) array(depth int) (data.Value, error) {
	var elems []data.Value
	if p.next(']') {
		return data.OfArray(nil), nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return data.Null, err
		}
		elems = append(elems, v)
		if p.next(']') {
			return data.OfArray(elems), nil
		}
		if !p.next(',') {
			return data.Null, p.bad()
		}
	}
}

func (p *jsonParser) text() (string, error) {
	start := p.i
	plain := true
	for p.i++; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			if plain {
				return strings.ToValidUTF8(string(p.b[start+1:p.i-1]), "\uFFFD"), nil
			}
			var s string
			err := json.Unmarshal(p.b[start:p.i], &s)
			return s, err
		case c == '\\':
			plain = false
			p.i++
		case c < ' ':
			return "", p.bad()
		}
	}
	return "", errJSONEnd
}

func (p *jsonParser) number() (data.Value, error) {
	start := p.i
	integer := true
loop:
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c >= '0' && c <= '9' || c == '-':
		case c == '.' || c == 'e' || c == 'E' || c == '+':
			integer = false
		default:
			break loop
		}
		p.i++
	}
	s := string(p.b[start:p.i])
	if !integer {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return data.Null, fmt.Errorf("%q is no JSON number", s)
		}
		return data.OfFloat64(f), nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return data.OfInt64(n), nil
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return data.Null, fmt.Errorf("%q is no JSON number", s)
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)) // two's complement, as Java's longValue
	return data.OfInt64(int64(low.Uint64())), nil
}
