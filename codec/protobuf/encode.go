package protobuf

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// encoder writes the records of one schema.
type encoder struct {
	msg     *encMessage
	wrapped *encField
}

func (e *encoder) append(dst []byte, v data.Value) ([]byte, error) {
	if e.wrapped != nil {
		return e.wrapped.appendField(dst, v)
	}
	st := v.Struct()
	if st == nil {
		return dst, data.Errorf("Invalid type for STRUCT: class %s", v.Kind().JavaClass())
	}
	if e.msg.depth != nil {
		*e.msg.depth = 1
	}
	return e.msg.append(dst, st)
}

// encMessage is a struct schema compiled for writing: its fields in the order of
// their numbers, in which Java writes them. It may contain itself.
type encMessage struct {
	schema *data.Schema
	known  *data.Schema // another schema that is equal
	fields []*encField
	ignore bool // defaults
	depth  *int // of the message that is being written, if it contains itself; shared by those of a plan
}

type encField struct {
	schema   *data.Schema
	tag      uint64 // of a single value
	packed   uint64 // of packed values; 0: not
	kind     protoreflect.Kind
	slot     int
	member   int // of a union: which of its fields, else negative
	last     bool
	presence bool // zero is written
	repeated bool
	symbols  map[string]int64
	logical  data.Logical
	wrapped  *encField
	msg      *encMessage
	key, val *encField
}

// nested is append for a message that contains itself and stands in another.
func (p *encMessage) nested(dst []byte, st *data.StructValue) ([]byte, error) {
	if *p.depth == maxNesting {
		return dst, errDepth
	}
	*p.depth++
	dst, err := p.append(dst, st)
	*p.depth--
	return dst, err
}

func (p *encMessage) append(dst []byte, st *data.StructValue) ([]byte, error) {
	if s := st.Schema(); s != p.schema && s != p.known {
		if !s.Equal(p.schema) {
			return dst, data.Errorf("Mismatching struct schema")
		}
		p.known = s
	}
	vals := st.Values()
	var err error
	for _, f := range p.fields {
		v := vals[f.slot]
		if f.member >= 0 {
			if v.IsNull() {
				continue
			}
			var set int
			if v, set, err = p.branch(v); err != nil {
				return dst, err
			}
			if set != f.member {
				continue
			}
		} else if v.IsNull() {
			if p.ignore {
				continue
			}
			if v = p.schema.Fields()[f.slot].Schema.Default(); v.IsNull() {
				continue
			}
		}
		if dst, err = f.appendField(dst, v); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// branch returns the field of a union that is set, the first if there are more.
func (p *encMessage) branch(u data.Value) (data.Value, int, error) {
	st := u.Struct()
	if st == nil {
		return u, 0, data.Errorf("Invalid type for STRUCT: class %s", u.Kind().JavaClass())
	}
	for i, v := range st.Values() {
		if v.IsNull() && !p.ignore {
			v = st.Schema().Fields()[i].Schema.Default()
		}
		if !v.IsNull() {
			return v, i, nil
		}
	}
	return u, 0, data.Errorf("Cannot find non-null field")
}

// appendField appends a field with its tag. Null is written as nothing.
func (f *encField) appendField(dst []byte, v data.Value) ([]byte, error) {
	if v.IsNull() {
		return dst, nil
	}
	switch {
	case f.repeated:
		return f.appendList(dst, v)
	case f.key != nil:
		return f.appendMap(dst, v)
	}
	if !f.presence && f.kind != protoreflect.MessageKind && isZero(v, f) {
		if err := f.check(v); err != nil {
			return dst, err
		}
		return dst, nil
	}
	return f.appendValue(protowire.AppendVarint(dst, f.tag), v)
}

func (f *encField) check(v data.Value) error {
	if v.Kind() != data.Kind(f.schema.Type()) && !(f.schema.Type() == data.Bytes && v.Kind() == data.KindBytes) {
		return data.Errorf("Invalid type for %s: class %s", f.schema.Type(), v.Kind().JavaClass())
	}
	return nil
}

func isZero(v data.Value, f *encField) bool {
	switch v.Kind() {
	case data.KindFloat32:
		return math.Float32bits(float32(v.Float())) == 0
	case data.KindFloat64:
		return math.Float64bits(v.Float()) == 0
	case data.KindBoolean:
		return !v.Bool()
	case data.KindString:
		if f.symbols != nil {
			n, ok := f.symbols[v.Str()]
			return ok && n == 0
		}
		return v.Str() == ""
	case data.KindBytes:
		return len(v.Bytes()) == 0
	case data.KindInt64:
		if f.kind == protoreflect.Uint32Kind || f.kind == protoreflect.Fixed32Kind {
			return int32(v.Int()) == 0 //nolint:gosec // cut to the field's size, as in Java
		}
		return v.Int() == 0
	case data.KindInt8, data.KindInt16, data.KindInt32:
		return v.Int() == 0
	}
	return false
}

func (f *encField) appendList(dst []byte, v data.Value) ([]byte, error) {
	if v.Kind() != data.KindArray {
		return dst, data.Errorf("Invalid type for ARRAY: class %s", v.Kind().JavaClass())
	}
	elems := v.Elems()
	if len(elems) == 0 {
		return dst, nil
	}
	start := 0
	if f.packed != 0 {
		dst = protowire.AppendVarint(dst, f.packed)
		dst = append(dst, 0)
		start = len(dst)
	}
	var err error
	for _, e := range elems {
		switch {
		case e.IsNull():
			return dst, data.Errorf("An array with null as an element cannot be written as Protobuf")
		case f.key != nil:
			if dst, err = f.appendMap(dst, e); err != nil {
				return dst, err
			}
			continue
		case f.packed == 0:
			dst = protowire.AppendVarint(dst, f.tag)
		}
		if dst, err = f.appendValue(dst, e); err != nil {
			return dst, err
		}
	}
	if f.packed != 0 {
		dst = closeLength(dst, start)
	}
	return dst, nil
}

func (f *encField) appendMap(dst []byte, v data.Value) ([]byte, error) {
	if v.Kind() != data.KindMap {
		return dst, data.Errorf("Invalid type for MAP: class %s", v.Kind().JavaClass())
	}
	var err error
	for _, e := range v.Map().Entries() {
		dst = append(protowire.AppendVarint(dst, f.tag), 0)
		start := len(dst)
		if dst, err = f.key.appendField(dst, e.Key); err != nil {
			return dst, err
		}
		if dst, err = f.val.appendField(dst, e.Value); err != nil {
			return dst, err
		}
		dst = closeLength(dst, start)
	}
	return dst, nil
}

// closeLength writes the length of what begins at start into the byte before, and
// makes room where it needs more.
func closeLength(dst []byte, start int) []byte {
	n := len(dst) - start
	if n < 0x80 {
		dst[start-1] = byte(n)
		return dst
	}
	more := protowire.SizeVarint(uint64(n)) - 1 //nolint:gosec // a length
	var room [10]byte
	dst = append(dst, room[:more]...)
	copy(dst[start+more:], dst[start:start+n])
	protowire.AppendVarint(dst[:start-1], uint64(n)) //nolint:gosec // a length
	return dst
}

// appendValue appends a value without its tag.
func (f *encField) appendValue(dst []byte, v data.Value) ([]byte, error) {
	var err error
	if f.kind == protoreflect.MessageKind {
		dst = append(dst, 0)
		start := len(dst)
		switch {
		case f.logical != data.NotLogical:
			dst, err = appendLogical(dst, f.logical, v)
		case f.wrapped != nil:
			dst, err = f.wrapped.appendField(dst, v)
		case v.Kind() != data.KindStruct:
			err = data.Errorf("Invalid type for STRUCT: class %s", v.Kind().JavaClass())
		case f.msg.depth != nil:
			dst, err = f.msg.nested(dst, v.Struct())
		default:
			dst, err = f.msg.append(dst, v.Struct())
		}
		if err != nil {
			return dst, err
		}
		return closeLength(dst, start), nil
	}
	if err := f.check(v); err != nil {
		return dst, err
	}
	switch f.kind {
	case protoreflect.StringKind:
		return protowire.AppendString(dst, v.Str()), nil
	case protoreflect.BytesKind:
		return protowire.AppendBytes(dst, v.Bytes()), nil
	case protoreflect.FloatKind:
		return protowire.AppendFixed32(dst, math.Float32bits(float32(v.Float()))), nil
	case protoreflect.DoubleKind:
		return protowire.AppendFixed64(dst, math.Float64bits(v.Float())), nil
	case protoreflect.BoolKind:
		return protowire.AppendVarint(dst, protowire.EncodeBool(v.Bool())), nil
	case protoreflect.EnumKind:
		n := v.Int()
		if f.symbols != nil {
			var ok bool
			if n, ok = f.symbols[v.Str()]; !ok {
				return dst, data.Errorf("Enum %s has no symbol %s", f.schema.Name(), v.Str())
			}
		}
		return protowire.AppendVarint(dst, uint64(n)), nil //nolint:gosec // the wire's form of a negative number
	}
	return appendInt(dst, f.kind, v.Int()), nil
}

//nolint:gosec // numbers are cut to the field's size, as everywhere in Protobuf
func appendInt(dst []byte, k protoreflect.Kind, n int64) []byte {
	switch k {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(dst, protowire.EncodeZigZag(n))
	case protoreflect.Uint32Kind:
		return protowire.AppendVarint(dst, uint64(uint32(n)))
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.AppendFixed32(dst, uint32(n))
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.AppendFixed64(dst, uint64(n))
	}
	return protowire.AppendVarint(dst, uint64(n))
}
