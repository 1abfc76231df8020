package json

import (
	"github.com/troupeio/troupe/codec/data"
)

const millisPerDay = 86_400_000

// convert turns a node into a value of schema s (nil: schemaless), step by step
// as Kafka Connect's JsonConverter does.
func (c *Converter) convert(s *data.Schema, n *node) (data.Value, error) {
	if s == nil {
		return c.convertAny(n)
	}
	if n == nil || n.typ == nullNode {
		if def := s.Default(); !def.IsNull() && c.replaceNull {
			return def, nil
		}
		if s.Optional() || n == nil && c.dialect != nil {
			return data.Null, nil
		}
		return data.Null, data.Errorf("Invalid null value for required %s field", s.Type())
	}
	if s.Logical() != data.NotLogical {
		return logicalOf(s, n)
	}
	num := n.typ == numberNode
	lit := n.text
	switch s.Type() {
	case data.Boolean:
		return data.OfBool(n.typ == booleanNode && n.b), nil
	case data.Int8, data.Int16, data.Int32, data.Int64:
		v := int64(0)
		if num {
			v = wrapLong(lit)
		}
		switch s.Type() {
		case data.Int8:
			return data.OfInt8(int8(v)), nil
		case data.Int16:
			return data.OfInt16(int16(v)), nil
		case data.Int32:
			return data.OfInt32(int32(v)), nil
		}
		return data.OfInt64(v), nil
	case data.Float32:
		if !num {
			return data.OfFloat32(0), nil
		}
		return data.OfFloat32(float32Of(lit)), nil
	case data.Float64:
		if !num {
			return data.OfFloat64(0), nil
		}
		return data.OfFloat64(float64Of(lit)), nil
	case data.String:
		if n.typ != stringNode {
			return data.Null, nil
		}
		return data.OfText(n.text), nil
	case data.Bytes:
		if n.typ != stringNode {
			if c.dialect != nil { // Java makes a BigDecimal of it, which no schema of bytes takes
				return data.Null, data.Errorf("Invalid Java object for schema with type BYTES: class java.math.BigDecimal")
			}
			return data.Null, nil
		}
		b, ok := decodeBase64(n.text)
		if !ok {
			return data.Null, data.Errorf("Invalid bytes field")
		}
		return data.OfBytes(b), nil
	case data.Array:
		// Jackson iterates over objects too, and over nothing in scalars.
		out := make([]data.Value, 0, len(n.kids))
		for _, k := range n.kids {
			v, err := c.convert(s.ValueSchema(), k)
			if err != nil {
				return data.Null, err
			}
			out = append(out, v)
		}
		return data.OfArray(out), nil
	case data.Map:
		return c.convertMap(s, n)
	case data.Struct:
		return c.convertStruct(s, n)
	}
	return data.Null, data.Errorf("Unknown schema type: %s", s.Type())
}

func (c *Converter) convertMap(s *data.Schema, n *node) (data.Value, error) {
	out := make([]data.MapEntry, 0, len(n.kids))
	if c.objectMode(s.KeySchema()) {
		if n.typ != objectNode {
			return data.Null, data.Errorf("Maps with string fields should be encoded as JSON objects, but found %s", n.typ)
		}
		for i, k := range n.kids {
			v, err := c.convert(s.ValueSchema(), k)
			if err != nil {
				return data.Null, err
			}
			out = append(out, data.MapEntry{Key: data.OfString(n.names[i]), Value: v})
		}
		return data.OfMap(data.MapOf(out)), nil
	}
	if n.typ != arrayNode && c.dialect != nil {
		return data.Null, data.Errorf("Maps with non-string fields should be encoded as JSON array of objects, but found %s", n.typ)
	}
	if n.typ != arrayNode {
		return data.Null, data.Errorf("Maps with non-string fields should be encoded as JSON array of tuples, but found %s", n.typ)
	}
	for _, k := range n.kids {
		if c.dialect != nil && k.typ != objectNode {
			return data.Null, data.Errorf("Found invalid map entry instead of object: %s", k.typ)
		}
		if c.dialect == nil && k.typ != arrayNode {
			return data.Null, data.Errorf("Found invalid map entry instead of array tuple: %s", k.typ)
		}
		if len(k.kids) != 2 {
			return data.Null, data.Errorf("Found invalid map entry, expected length 2 but found :%d", len(k.kids))
		}
		kn, vn := k.kids[0], k.kids[1]
		if c.dialect != nil {
			kn, vn = k.get("key"), k.get("value")
		}
		key, err := c.convert(s.KeySchema(), kn)
		if err != nil {
			return data.Null, err
		}
		v, err := c.convert(s.ValueSchema(), vn)
		if err != nil {
			return data.Null, err
		}
		out = append(out, data.MapEntry{Key: key, Value: v})
	}
	return data.OfMap(data.MapOf(out)), nil
}

func (c *Converter) convertStruct(s *data.Schema, n *node) (data.Value, error) {
	if c.isUnion(s) {
		return c.convertUnion(s, n)
	}
	if n.typ != objectNode {
		return data.Null, data.Errorf("Structs should be encoded as JSON objects, but found %s", n.typ)
	}
	vals := make([]data.Value, len(s.Fields()))
	for i, f := range s.Fields() {
		v, err := c.convert(f.Schema, n.get(f.Name))
		if err == nil && (c.dialect == nil || !v.IsNull()) {
			err = data.ValidateField(f.Name, f.Schema, v)
		}
		if err != nil {
			return data.Null, err
		}
		vals[i] = v
	}
	return data.OfStruct(data.NewStruct(s, vals)), nil
}

func (c *Converter) convertAny(n *node) (data.Value, error) {
	if n == nil {
		return data.Null, nil
	}
	switch n.typ {
	case booleanNode:
		return data.OfBool(n.b), nil
	case numberNode:
		if n.isInt {
			return data.OfInt64(wrapLong(n.text)), nil
		}
		return data.OfFloat64(float64Of(n.text)), nil
	case stringNode:
		return data.OfText(n.text), nil
	case arrayNode:
		out := make([]data.Value, len(n.kids))
		for i, k := range n.kids {
			out[i], _ = c.convertAny(k)
		}
		return data.OfArray(out), nil
	case objectNode:
		var b data.MapBuilder
		b.Grow(len(n.kids))
		for i, k := range n.kids {
			v, _ := c.convertAny(k)
			b.PutString(n.names[i], v)
		}
		return data.OfMap(b.Build()), nil
	}
	return data.Null, nil
}

// logicalOf reads Decimal, Date, Time and Timestamp.
func logicalOf(s *data.Schema, n *node) (data.Value, error) {
	switch s.Logical() {
	case data.LogicalDecimal:
		switch n.typ {
		case numberNode:
			return data.OfDecimal(decimalOf(n.text)), nil
		case stringNode:
			scale, ok := s.Scale()
			b, ok64 := decodeBase64(n.text)
			if ok && ok64 {
				if d, err := data.DecimalFromUnscaled(b, scale); err == nil {
					return data.OfDecimal(d), nil
				}
			}
			return data.Null, data.Errorf("Invalid bytes for Decimal field")
		}
		return data.Null, data.Errorf("Invalid type for Decimal, underlying representation should be numeric or bytes but was %s", n.typ)
	case data.LogicalTimestamp:
		if !n.isInt {
			return data.Null, data.Errorf("Invalid type for Timestamp, underlying representation should be integral but was %s", n.typ)
		}
		return data.OfDate(wrapLong(n.text)), nil
	case data.LogicalDate:
		if !n.int32 {
			return data.Null, data.Errorf("Invalid type for Date, underlying representation should be integer but was %s", n.typ)
		}
		return data.OfDate(wrapLong(n.text) * millisPerDay), nil
	}
	if !n.int32 {
		return data.Null, data.Errorf("Invalid type for Time, underlying representation should be integer but was %s", n.typ)
	}
	return timeOf(wrapLong(n.text))
}

func timeOf(ms int64) (data.Value, error) {
	if ms < 0 || ms > millisPerDay {
		return data.Null, data.Errorf("Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
	return data.OfDate(ms), nil
}

// decodeBase64 decodes as Jackson's default variant does: padding is needed,
// white space and control characters may stand between groups of four, and
// groups may follow a padded one.
func decodeBase64(s []byte) ([]byte, bool) {
	out := make([]byte, 0, len(s)/4*3)
	for i := 0; i < len(s); {
		if s[i] <= ' ' {
			i++
			continue
		}
		if len(s)-i < 4 {
			return nil, false
		}
		a, b, c, d := base64Value[s[i]], base64Value[s[i+1]], base64Value[s[i+2]], base64Value[s[i+3]]
		last := s[i+2 : i+4]
		i += 4
		switch {
		case a|b|c|d < 64:
			out = append(out, a<<2|b>>4, b<<4|c>>2, c<<6|d)
		case a|b < 64 && last[0] == '=' && last[1] == '=':
			out = append(out, a<<2|b>>4)
		case a|b|c < 64 && last[1] == '=':
			out = append(out, a<<2|b>>4, b<<4|c>>2)
		default:
			return nil, false
		}
	}
	return out, true
}

var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range alphabet {
		t[alphabet[i]] = byte(i)
	}
	return t
}()
