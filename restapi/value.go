package restapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/troupeio/troupe/codec/data"
)

// appendValue writes a schemaless value as JSON, as the offsets answers have it.
func appendValue(b []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.KindNull:
		return append(b, "null"...)
	case data.KindMap:
		b = append(b, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, encode(e.Key.String())...)
			b = append(b, ':')
			b = appendValue(b, e.Value)
		}
		return append(b, '}')
	case data.KindArray:
		b = append(b, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	case data.KindString:
		return append(b, encode(v.Str())...)
	case data.KindBytes:
		return append(b, encode(base64.StdEncoding.EncodeToString(v.Bytes()))...)
	case data.KindFloat32, data.KindFloat64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return append(b, encode(v.String())...)
		}
	}
	return v.AppendText(b)
}

// parseValue reads JSON as a schemaless value: integers are INT64, other numbers
// FLOAT64, an integer beyond 64 bits a FLOAT64 too.
func parseValue(raw json.RawMessage) (data.Value, error) {
	if len(raw) == 0 {
		return data.Null, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return parseToken(d, 0)
}

const maxDepth = 100

func parseToken(d *json.Decoder, depth int) (data.Value, error) {
	if depth > maxDepth {
		return data.Null, errors.New("the JSON is nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return data.Null, err
	}
	switch t := t.(type) {
	case nil:
		return data.Null, nil
	case bool:
		return data.OfBool(t), nil
	case string:
		return data.OfString(t), nil
	case json.Number:
		if n, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return data.OfInt64(n), nil
		}
		if n, ok := new(big.Int).SetString(t.String(), 10); ok {
			return data.OfDecimal(&data.Decimal{Unscaled: n}), nil
		}
		f, err := t.Float64()
		return data.OfFloat64(f), err
	case json.Delim:
		if t == '[' {
			var elems []data.Value
			for d.More() {
				e, err := parseToken(d, depth+1)
				if err != nil {
					return data.Null, err
				}
				elems = append(elems, e)
			}
			_, err = d.Token()
			return data.OfArray(elems), err
		}
		var m data.MapBuilder
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return data.Null, err
			}
			v, err := parseToken(d, depth+1)
			if err != nil {
				return data.Null, err
			}
			m.PutString(k.(string), v)
		}
		_, err = d.Token()
		return data.OfMap(m.Build()), err
	}
	return data.Null, fmt.Errorf("unexpected token %v", t)
}
