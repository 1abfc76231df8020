package json

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

// encoder is a schema compiled for writing.
type encoder struct {
	schema  *data.Schema
	typ     data.Type
	logical data.Logical
	named   bool // there is a logical type
	fields  []encField
	key     *encoder
	elem    *encoder     // of arrays and maps; nil when the schema has none
	known   *data.Schema // another schema that is equal to schema
	kind    data.Kind    // the kind that values have in Java
	object  bool         // of maps: keys are the names of an object's members
	union   bool         // of structs: the one field that is set stands for it
}

type encField struct {
	prefix []byte   // the opening brace or comma, the name, the colon
	short  [16]byte // prefix, unless it is longer
	enc    *encoder
}

// appendPrefix appends f.prefix. Most are short, and sixteen bytes are copied as
// fast as one.
func (f *encField) appendPrefix(dst []byte) []byte {
	n := len(dst)
	if len(f.prefix) > len(f.short) || cap(dst)-n < len(f.short) {
		return append(dst, f.prefix...)
	}
	*(*[16]byte)(dst[n : n+16]) = f.short
	return dst[:n+len(f.prefix)]
}

// kinds of values by schema type; the two enumerations run in step.
func kindOf(t data.Type) data.Kind { return data.Kind(t) }

func (c *Converter) compile(s *data.Schema) *encoder {
	if s == nil {
		return nil
	}
	e := &encoder{schema: s, typ: s.Type(), logical: s.Logical(), named: s.Logical() != data.NotLogical, kind: kindOf(s.Type())}
	if s.Recursive() {
		if was, ok := c.recursive[s]; ok {
			return was
		}
		c.recursive[s] = e
	}
	switch s.Type() {
	case data.Array:
		e.elem = c.compile(s.ValueSchema())
	case data.Map:
		e.key, e.elem = c.compile(s.KeySchema()), c.compile(s.ValueSchema())
		e.object = c.objectMode(s.KeySchema())
	case data.Struct:
		e.union = c.isUnion(s)
		e.fields = make([]encField, len(s.Fields()))
		for i, f := range s.Fields() {
			p := []byte{','}
			if i == 0 {
				p[0] = '{'
			}
			e.fields[i] = encField{prefix: append(appendString(p, f.Name), ':'), enc: c.compile(f.Schema)}
			copy(e.fields[i].short[:], e.fields[i].prefix)
		}
	}
	return e
}

var errDepth = data.Errorf("Converting Kafka Connect data to byte[] failed due to serialization error: ")

// encode appends v under e (nil: schemaless) as JSON.
func (c *Converter) encode(dst []byte, e *encoder, v data.Value, depth int) ([]byte, error) {
	if e == nil {
		return c.encodeAny(dst, v, depth)
	}
	if v.IsNull() {
		return c.encodeNull(dst, e, depth)
	}
	if e.named {
		return c.encodeLogical(dst, e, v)
	}
	if v.Kind() != e.kind {
		if e.typ == data.Bytes {
			return dst, data.Errorf("Invalid type for bytes type: class %s", v.Kind().JavaClass())
		}
		return dst, data.Errorf("Invalid type for %s: class %s", e.typ, v.Kind().JavaClass())
	}
	switch e.typ {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return appendInt(dst, v.Int()), nil
	case data.String:
		return appendString(dst, v.Str()), nil
	case data.Array:
		return c.encodeArray(dst, e.elem, v, depth)
	case data.Map:
		return c.encodeMap(dst, e, v.Map(), depth)
	case data.Struct:
		return c.encodeStruct(dst, e, v.Struct(), depth)
	}
	return appendScalar(dst, v), nil
}

func (c *Converter) encodeStruct(dst []byte, e *encoder, st *data.StructValue, depth int) ([]byte, error) {
	if s := st.Schema(); s != e.schema && s != e.known {
		if !s.Equal(e.schema) {
			return dst, data.Errorf("Mismatching schema.")
		}
		e.known = s
	}
	if depth++; depth > maxDepth {
		return dst, errDepth
	}
	vals := st.Values()
	if c.dialect != nil {
		return c.encodeDialect(dst, e, vals, depth)
	}
	if len(vals) == 0 {
		return append(dst, '{', '}'), nil
	}
	var err error
	for i := range vals {
		f := &e.fields[i]
		dst = f.appendPrefix(dst)
		v := vals[i]
		fe := f.enc
		if v.Kind() == fe.kind && !fe.named {
			switch fe.typ {
			case data.Int8, data.Int16, data.Int32, data.Int64:
				dst = appendInt(dst, v.Int())
				continue
			case data.String:
				dst = appendString(dst, v.Str())
				continue
			}
		}
		if dst, err = c.encode(dst, fe, v, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func (c *Converter) encodeNull(dst []byte, e *encoder, depth int) ([]byte, error) {
	if def := e.schema.Default(); !def.IsNull() && c.replaceNull && !c.ignoresDefaults() {
		if st := def.Struct(); st != nil && e.typ == data.Struct {
			e.known = st.Schema() // was checked when the schema was built
		}
		return c.encode(dst, e, def, depth)
	}
	if e.schema.Optional() || c.dialect != nil {
		return append(dst, "null"...), nil
	}
	return dst, data.Errorf("Conversion error: null value for field that is required and has no default value")
}

func (c *Converter) encodeArray(dst []byte, elem *encoder, v data.Value, depth int) ([]byte, error) {
	if depth++; depth > maxDepth {
		return dst, errDepth
	}
	var err error
	dst = append(dst, '[')
	for i, x := range v.Elems() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = c.encode(dst, elem, x, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (c *Converter) encodeMap(dst []byte, e *encoder, m *data.MapValue, depth int) ([]byte, error) {
	if e.key == nil {
		return dst, data.Errorf("Invalid schema for MAP: the key schema is missing")
	}
	if e.object {
		return c.encodeObject(dst, e.key, e.elem, m, depth)
	}
	return c.encodePairs(dst, e.key, e.elem, m, depth)
}

func (c *Converter) encodePairs(dst []byte, key, elem *encoder, m *data.MapValue, depth int) ([]byte, error) {
	if depth += 2; depth > maxDepth && m.Len() > 0 {
		return dst, errDepth
	}
	var err error
	open, mid, end := "[", ",", "]"
	if c.dialect != nil {
		open, mid, end = `{"key":`, `,"value":`, "}"
	}
	dst = append(dst, '[')
	for i, p := range m.Entries() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, open...)
		if dst, err = c.encode(dst, key, p.Key, depth); err != nil {
			return dst, err
		}
		dst = append(dst, mid...)
		if dst, err = c.encode(dst, elem, p.Value, depth); err != nil {
			return dst, err
		}
		dst = append(dst, end...)
	}
	return append(dst, ']'), nil
}

// encodeObject writes a map with string keys. A null key has the text of the
// key schema's default, or "null", and then gives way to a later key of that
// text, in the earlier one's place.
func (c *Converter) encodeObject(dst []byte, key, elem *encoder, m *data.MapValue, depth int) ([]byte, error) {
	if depth++; depth > maxDepth {
		return dst, errDepth
	}
	if !m.StringKeys() && hasNullKey(m) {
		var b data.MapBuilder
		for _, p := range m.Entries() {
			if !p.Key.IsNull() {
				b.Put(p.Key, p.Value)
				continue
			}
			text := "null"
			if def := key.schema.Default(); !def.IsNull() && c.replaceNull {
				text = def.String()
			} else if !key.schema.Optional() {
				// What goes before is written first, and may have an error of its own.
				if dst, err := c.encodeObject(dst, key, elem, b.Build(), depth-1); err != nil {
					return dst, err
				}
				return c.encodeNull(dst, key, depth)
			}
			b.PutString(text, p.Value)
		}
		m = b.Build()
	}
	var err error
	dst = append(dst, '{')
	for i := range m.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		k := m.KeyAt(i)
		if k.Kind() != data.KindString {
			return dst, data.Errorf("Invalid type for STRING: class %s", k.Kind().JavaClass())
		}
		dst = append(appendString(dst, k.Str()), ':')
		if dst, err = c.encode(dst, elem, m.At(i), depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func hasNullKey(m *data.MapValue) bool {
	_, has := m.GetKey(data.Null)
	return has
}

func (c *Converter) encodeAny(dst []byte, v data.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case data.KindNull:
		return append(dst, "null"...), nil
	case data.KindArray:
		return c.encodeArray(dst, nil, v, depth)
	case data.KindMap:
		if !v.Map().StringKeys() {
			return c.encodePairs(dst, nil, nil, v.Map(), depth)
		}
		return c.encodeObject(dst, nil, nil, v.Map(), depth)
	case data.KindStruct:
		return dst, data.Errorf("Mismatching schema.") // it has one, and there is none
	case data.KindDecimal, data.KindDate:
		return dst, data.Errorf("Java class class %s does not have corresponding schema type.", v.Kind().JavaClass())
	}
	return appendScalar(dst, v), nil
}

// appendScalar appends a value that needs no schema to be written.
func appendScalar(dst []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.KindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case data.KindFloat32, data.KindFloat64:
		f := v.Float()
		quote := math.IsNaN(f) || math.IsInf(f, 0)
		if quote {
			dst = append(dst, '"')
		}
		if v.Kind() == data.KindFloat32 {
			dst = javatext.AppendFloat32(dst, float32(f))
		} else {
			dst = javatext.AppendFloat64(dst, f)
		}
		if quote {
			dst = append(dst, '"')
		}
		return dst
	case data.KindString:
		return appendString(dst, v.Str())
	case data.KindBytes:
		return appendBase64(dst, v.Bytes())
	}
	return appendInt(dst, v.Int())
}

func appendBase64(dst, b []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), b)
	return append(dst, '"')
}

func (c *Converter) encodeLogical(dst []byte, e *encoder, v data.Value) ([]byte, error) {
	class := v.Kind().JavaClass()
	if e.logical == data.LogicalDecimal {
		d := v.Decimal()
		if d == nil {
			return dst, data.Errorf("Invalid type for Decimal, expected BigDecimal but was class %s", class)
		}
		if c.numericDecimal {
			return append(dst, d.String()...), nil
		}
		scale, ok := e.schema.Scale()
		if !ok {
			if _, has := e.schema.Param(data.ScaleParameter); has {
				return dst, data.Errorf("Invalid scale parameter found in Decimal schema: ")
			}
			return dst, data.Errorf("Invalid Decimal schema: scale parameter not found.")
		}
		if d.Scale != scale {
			return dst, data.Errorf("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", scale, d.Scale)
		}
		var tmp [32]byte
		return appendBase64(dst, d.AppendUnscaled(tmp[:0])), nil
	}
	name := [...]string{data.LogicalDate: "Date", data.LogicalTime: "Time", data.LogicalTimestamp: "Timestamp"}[e.logical]
	if v.Kind() != data.KindDate {
		return dst, data.Errorf("Invalid type for %s, expected Date but was class %s", name, class)
	}
	ms := v.Int()
	switch e.logical {
	case data.LogicalDate:
		if ms%millisPerDay != 0 {
			return dst, data.Errorf("Kafka Connect Date type should not have any time fields set to non-zero values.")
		}
		return appendInt(dst, int64(int32(ms/millisPerDay))), nil
	case data.LogicalTime:
		if ms < 0 || ms > millisPerDay {
			return dst, data.Errorf("Kafka Connect Time type should not have any date fields set to non-zero values.")
		}
	}
	return appendInt(dst, ms), nil
}
