package json

import (
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
)

// decoder is a schema compiled for reading.
//
// The fast reader goes over the text once and takes what is as it should be. At
// anything else (another JSON type than the schema's, a name that is there
// twice, an error) it gives up, and the document is read again by way of nodes,
// which decides. So it need not know a single message.
type decoder struct {
	schema  *data.Schema
	typ     data.Type
	logical data.Logical
	def     data.Value // what null becomes
	null    bool       // whether null may become def at all
	absent  bool       // whether def stands for a field that isn't there
	object  bool       // of maps: keys are the names of an object's members
	named   bool       // of maps: an entry is an object of a key and a value
	union   *Converter // of structs: the one field that fits takes the value
	fields  []decField
	byName  map[string]int // for many fields
	key     *decoder
	elem    *decoder
	owner   shape // of maps: of the objects that were read
	era     int   // of owner
}

type decField struct {
	quoted []byte // the name in quotation marks
	name   string
	dec    *decoder
}

const scanFields = 8

// decoderKey is all on which a decoder depends.
type decoderKey struct {
	s      *data.Schema
	nested bool // in a struct in a struct
}

func (c *Converter) compileDecoder(s *data.Schema) *decoder {
	if s == nil {
		return nil
	}
	d := &decoder{schema: s, typ: s.Type(), logical: s.Logical(), null: s.Optional()}
	if s.Recursive() {
		key := decoderKey{s, c.structs > 1}
		if was, ok := c.decoders[key]; ok {
			return was
		}
		c.decoders[key] = d
	}
	if def := s.Default(); !def.IsNull() && c.replaceNull {
		d.def, d.null = def, true
	}
	d.absent = d.null || c.dialect != nil && c.structs <= 1 // a struct in a struct is validated
	switch s.Type() {
	case data.Array:
		d.elem = c.compileDecoder(s.ValueSchema())
	case data.Map:
		d.key, d.elem = c.compileDecoder(s.KeySchema()), c.compileDecoder(s.ValueSchema())
		d.object, d.named = c.objectMode(s.KeySchema()), c.dialect != nil
	case data.Struct:
		if c.isUnion(s) {
			d.union = c
		}
		c.structs++
		defer func() { c.structs-- }()
		d.fields = make([]decField, len(s.Fields()))
		if len(d.fields) > scanFields {
			d.byName = make(map[string]int, len(d.fields))
		}
		for i, f := range s.Fields() {
			d.fields[i] = decField{name: f.Name, dec: c.compileDecoder(f.Schema), quoted: []byte(`"` + f.Name + `"`)}
			if !plainName(f.Name) {
				d.fields[i].quoted = []byte{0} // matches nothing: the name is read in full
			}
			if d.byName != nil {
				d.byName[f.Name] = i
			}
		}
	}
	return d
}

// plainName reports whether a name in JSON can be told by its bytes.
func plainName(s string) bool {
	for i := range len(s) {
		if !plainByte[s[i]] && s[i] < 0x80 {
			return false
		}
	}
	return utf8.ValidString(s)
}

// reader is the fast reader.
type reader struct {
	lexer
	arena  data.Arena
	shapes shapes
	vals   []data.Value    // of the objects and arrays that are open and have many
	pairs  []data.MapEntry // entries of the maps that are open and have keys of their own
}

// begin makes the reader ready for a document.
func (r *reader) begin(text []byte) {
	r.in, r.pos, r.depth = text, 0, 0
	r.arena.Begin(len(text))
}

// end lets go of the document; of what was read of it, too, when it gave up.
func (r *reader) end(gaveUp bool) {
	r.in = nil
	if gaveUp {
		clear(r.vals)
		clear(r.pairs)
		r.vals, r.pairs = r.vals[:0], r.pairs[:0]
	}
}

// value reads a value of d (nil: schemaless). ok is false when it gives up.
func (r *reader) value(d *decoder) (v data.Value, ok bool) {
	if d == nil {
		return r.any(&r.shapes.top)
	}
	c := r.ws()
	if c == 'n' {
		return d.def, d.null && r.word("null")
	}
	if d.logical != data.NotLogical {
		return r.logicalValue(d, c)
	}
	switch d.typ {
	case data.String:
		if c != '"' {
			return v, false
		}
		s, ok := r.str()
		return data.OfText(s), ok
	case data.Int8, data.Int16, data.Int32, data.Int64:
		n, end := plainInt(r.in, r.pos)
		if end > 0 {
			r.pos = end
		} else {
			if c != '-' && (c < '0' || c > '9') || !r.number() {
				return v, false
			}
			if n = r.n; !r.small {
				n = wrapLong(r.lit())
			}
		}
		switch d.typ {
		case data.Int8:
			return data.OfInt8(int8(n)), true
		case data.Int16:
			return data.OfInt16(int16(n)), true
		case data.Int32:
			return data.OfInt32(int32(n)), true
		}
		return data.OfInt64(n), true
	case data.Float32, data.Float64:
		if c != '-' && (c < '0' || c > '9') || !r.number() {
			return v, false
		}
		if d.typ == data.Float32 {
			return data.OfFloat32(float32Of(r.lit())), true
		}
		return data.OfFloat64(r.float64()), true
	case data.Boolean:
		if c == 't' {
			return data.OfBool(true), r.word("true")
		}
		return data.OfBool(false), c == 'f' && r.word("false")
	case data.Bytes:
		if c != '"' {
			return v, false
		}
		s, ok := r.str()
		if !ok {
			return v, false
		}
		b, ok := decodeBase64(s)
		return data.OfBytes(b), ok
	case data.Array:
		return r.array(d.elem, c, &r.shapes.top)
	case data.Map:
		if d.object {
			return r.object(d.elem, c, r.shapes.of(d))
		}
		return r.tuples(d, c)
	case data.Struct:
		if d.union != nil {
			return r.unionValue(d)
		}
		return r.structure(d, c)
	}
	return v, false
}

func (r *reader) structure(d *decoder, c byte) (v data.Value, ok bool) {
	if c != '{' || r.depth >= maxDepth {
		return v, false
	}
	r.depth++
	r.pos++
	st, vals := r.arena.Struct(d.schema)
	next := 0 // the field that is expected
	if r.ws() == '}' {
		r.pos++
	} else {
		for {
			i := r.field(d, next)
			if i == -2 {
				return v, false
			}
			if i < 0 {
				if !r.skip() {
					return v, false
				}
			} else {
				if !vals[i].IsNull() {
					return v, false // the name was there before
				}
				if vals[i], ok = r.value(d.fields[i].dec); !ok {
					return v, false
				}
				next = i + 1
			}
			switch r.ws() {
			case ',':
				r.pos++
				r.ws()
				continue
			case '}':
				r.pos++
			default:
				return v, false
			}
			break
		}
	}
	r.depth--
	for i := range vals {
		if vals[i].IsNull() {
			f := d.fields[i].dec
			if !f.absent {
				return v, false
			}
			vals[i] = f.def
		}
	}
	return data.OfStruct(st), true
}

// field reads a member's name and returns the index of the field of that name,
// -1 for a member that is no field, -2 to give up.
func (r *reader) field(d *decoder, next int) int {
	if next < len(d.fields) {
		q := d.fields[next].quoted
		if end := r.pos + len(q); end < len(r.in) && string(r.in[r.pos:end]) == string(q) {
			r.pos = end
			if r.in[end] != ':' && r.ws() != ':' {
				return -2
			}
			r.pos++
			return next
		}
	}
	name, ok := r.name()
	if !ok {
		return -2
	}
	if d.byName != nil {
		if i, ok := d.byName[string(name)]; ok {
			return i
		}
		return -1
	}
	for i := range d.fields {
		if d.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

func (r *reader) tuples(d *decoder, c byte) (v data.Value, ok bool) {
	if c != '[' || r.depth+1 >= maxDepth {
		return v, false
	}
	open, end := byte('['), byte(']')
	if d.named {
		open, end = '{', '}'
	}
	r.depth += 2
	r.pos++
	base := len(r.pairs)
	if r.ws() != ']' {
		for {
			if r.ws() != open {
				return v, false
			}
			r.pos++
			if d.named && !r.member("key") {
				return v, false
			}
			key, ok := r.value(d.key)
			if !ok || r.ws() != ',' {
				return v, false
			}
			r.pos++
			if d.named && !r.member("value") {
				return v, false
			}
			e, ok := r.value(d.elem)
			if !ok || r.ws() != end {
				return v, false
			}
			r.pos++
			r.pairs = append(r.pairs, data.MapEntry{Key: key, Value: e})
			if c := r.ws(); c == ']' {
				break
			} else if c != ',' {
				return v, false
			}
			r.pos++
		}
	}
	r.pos++
	r.depth -= 2
	return r.take(base), true
}

// take makes a map of the entries from base on.
func (r *reader) take(base int) data.Value {
	m := data.MapOf(r.pairs[base:])
	clear(r.pairs[base:])
	r.pairs = r.pairs[:base]
	return data.OfMap(m)
}

func (r *reader) logicalValue(d *decoder, c byte) (v data.Value, ok bool) {
	if c == '"' {
		if d.logical != data.LogicalDecimal {
			return v, false
		}
		s, ok := r.str()
		if !ok {
			return v, false
		}
		scale, hasScale := d.schema.Scale()
		b, ok := decodeBase64(s)
		if !ok || !hasScale {
			return v, false
		}
		dec, err := data.DecimalFromUnscaled(b, scale)
		return data.OfDecimal(dec), err == nil
	}
	if c != '-' && (c < '0' || c > '9') || !r.number() {
		return v, false
	}
	switch d.logical {
	case data.LogicalDecimal:
		return data.OfDecimal(decimalOf(r.lit())), true
	case data.LogicalTimestamp:
		return data.OfDate(r.n), r.small
	case data.LogicalDate:
		return data.OfDate(r.n * millisPerDay), r.isInt32()
	}
	return data.OfDate(r.n), r.isInt32() && r.n >= 0 && r.n <= millisPerDay
}
