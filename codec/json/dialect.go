package json

import (
	"github.com/troupeio/troupe/codec/data"
)

// Dialect is the way of JSON of Confluent's JsonSchemaConverter, as far as it
// differs from JsonConverter's:
//
//   - there is no envelope: the schema is elsewhere;
//   - a null field that is required and has no default is left out when written,
//     and null when it isn't there (in the outermost struct only: Java validates
//     those within);
//   - a map whose keys are not required strings is an array of objects of a "key"
//     and a "value";
//   - a union is a struct with a field for each of its branches, and written as
//     the one field that is set.
type Dialect struct {
	NumericDecimal bool                      // decimals are numbers, not bytes in base64
	IgnoreDefaults bool                      // null is written where there is a default
	Union          func(s *data.Schema) bool // whether a struct schema is a union
}

// Plan writes and reads the values of one schema in a [Dialect]. It is not safe
// for concurrent use.
type Plan struct {
	c   *Converter
	enc *encoder
	dec *decoder
}

// Plan compiles a schema, which is not nil.
func (d Dialect) Plan(s *data.Schema) *Plan {
	c := &Converter{dialect: &d, numericDecimal: d.NumericDecimal, replaceNull: true}
	if s.Recursive() {
		c.recursive, c.decoders = make(map[*data.Schema]*encoder), make(map[decoderKey]*decoder)
	}
	return &Plan{c: c, enc: c.compile(s), dec: c.compileDecoder(s)}
}

// Append appends v as JSON to dst. Null without a default is written as null,
// whatever the schema says. Errors are [data.Error] values.
func (p *Plan) Append(dst []byte, v data.Value) ([]byte, error) { return p.c.encode(dst, p.enc, v, 0) }

// Read reads a document. Strings of the result share b where they can. Errors
// are [data.Error] values; ok is false when b is no JSON in Jackson's eyes.
func (p *Plan) Read(b []byte) (v data.Value, ok bool, err error) {
	text, ok := toUTF8(b)
	if !ok {
		return data.Null, false, nil
	}
	r := &p.c.rd
	r.begin(text)
	first := r.ws()
	v, ok = r.value(p.dec)
	if ok && (first == '-' || first >= '0' && first <= '9') {
		ok = r.rootNumberEnds()
	}
	r.end(!ok)
	if ok {
		return v, true, nil
	}
	n, ok := parse(text)
	if !ok || n.typ == missingNode {
		return data.Null, false, nil
	}
	v, err = p.c.convert(p.dec.schema, n)
	return v, true, err
}

// AppendString appends s as a JSON string, as Jackson writes it.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

func (c *Converter) ignoresDefaults() bool { return c.dialect != nil && c.dialect.IgnoreDefaults }

func (c *Converter) isUnion(s *data.Schema) bool {
	return c.dialect != nil && c.dialect.Union != nil && c.dialect.Union(s)
}

// objectMode reports whether a map with keys of schema s is a JSON object.
func (c *Converter) objectMode(s *data.Schema) bool {
	return s != nil && s.Type() == data.String && (c.dialect == nil || !s.Optional())
}

// encodeDialect writes a struct of a dialect.
func (c *Converter) encodeDialect(dst []byte, e *encoder, vals []data.Value, depth int) ([]byte, error) {
	if e.union {
		return c.encodeUnion(dst, e, vals, depth)
	}
	var err error
	start := len(dst)
	for i := range vals {
		f := &e.fields[i]
		v, fe := vals[i], f.enc
		if v.IsNull() && !fe.schema.Optional() && (fe.schema.Default().IsNull() || c.dialect.IgnoreDefaults) {
			continue
		}
		at := len(dst)
		dst = append(dst, f.prefix...)
		if at == start {
			dst[at] = '{'
		} else {
			dst[at] = ','
		}
		if v.Kind() == fe.kind && !fe.named && fe.typ == data.String {
			dst = appendString(dst, v.Str())
			continue
		}
		if dst, err = c.encode(dst, fe, v, depth); err != nil {
			return dst, err
		}
	}
	if len(dst) == start {
		dst = append(dst, '{')
	}
	return append(dst, '}'), nil
}

func (c *Converter) encodeUnion(dst []byte, e *encoder, vals []data.Value, depth int) ([]byte, error) {
	for i, v := range vals {
		fe := e.fields[i].enc
		if v.IsNull() && !c.dialect.IgnoreDefaults {
			v = fe.schema.Default()
		}
		if !v.IsNull() {
			return c.encode(dst, fe, v, depth)
		}
	}
	return c.encodeNull(dst, e, depth)
}

// member passes over the name of a member that has to be the next.
func (r *reader) member(name string) bool {
	if r.ws() != '"' {
		return false
	}
	got, ok := r.name()
	return ok && string(got) == name
}

// unionValue reads a value of a union. Which branch takes it is decided with the
// whole of it in view.
func (r *reader) unionValue(d *decoder) (data.Value, bool) {
	n, ok := r.tree()
	if !ok {
		return data.Null, false
	}
	v, err := d.union.convertUnion(d.schema, n)
	return v, err == nil
}

// convertUnion finds the branch for a value: the first whose simple type fits,
// or else the struct that knows the most of the object's members.
func (c *Converter) convertUnion(s *data.Schema, n *node) (data.Value, error) {
	best, most := -1, 0
	for i, f := range s.Fields() {
		if fitsSimple(f.Schema.Type(), n) {
			best = i
			break
		}
		if m := matches(f.Schema, n); m > most {
			best, most = i, m
		}
	}
	if best < 0 {
		return data.Null, data.Errorf("Did not find matching oneof field for data")
	}
	f := s.Fields()[best]
	v, err := c.convert(f.Schema, n)
	if err == nil && !v.IsNull() {
		err = data.ValidateField(f.Name, f.Schema, v)
	}
	if err != nil {
		return data.Null, err
	}
	vals := make([]data.Value, len(s.Fields()))
	vals[best] = v
	return data.OfStruct(data.NewStruct(s, vals)), nil
}

func fitsSimple(t data.Type, n *node) bool {
	switch t {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return n.typ == numberNode && n.isInt
	case data.Float32, data.Float64:
		return n.typ == numberNode
	case data.Boolean:
		return n.typ == booleanNode
	case data.String:
		return n.typ == stringNode
	case data.Bytes: // what Jackson reads as a BigDecimal; text is never binary
		return n.typ == numberNode && !n.isInt
	case data.Array:
		return n.typ == arrayNode
	case data.Map:
		return n.typ == objectNode || n.typ == arrayNode
	}
	return false
}

// matches counts the members of an object that a struct schema knows, those of
// the structs in it too.
func matches(s *data.Schema, n *node) int {
	if s.Type() != data.Struct || n.typ != objectNode {
		return 0
	}
	m := 0
	for i, name := range n.names {
		if f := s.Field(name); f != nil {
			m += 1 + matches(f.Schema, n.kids[i])
		}
	}
	return m
}
