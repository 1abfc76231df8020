package protobuf

import (
	"math"
	"sort"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// encoder writes the records of one schema.
type encoder struct {
	msg     *encMessage
	wrapped *encField
	depth   *int
}

func (e *encoder) append(dst []byte, v data.Value) ([]byte, error) {
	if e.wrapped != nil {
		return e.wrapped.appendField(dst, v)
	}
	st := v.Struct()
	if st == nil {
		return dst, data.Errorf("Invalid type for STRUCT: class %s", v.Kind().JavaClass())
	}
	*e.depth = 0
	return e.msg.append(dst, st)
}

// encMessage is a struct schema compiled for writing: its fields in the order of
// their numbers, in which Java writes them. It may contain itself.
type encMessage struct {
	schema *data.Schema
	depth  *int         // of the message that is being written, shared by those of a plan
	known  *data.Schema // another schema that is equal
	fields []*encField
	ignore bool // defaults
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

// encPlanner compiles encoders.
type encPlanner struct {
	*Mapping
	depth *int
	done  map[encPair]*encMessage // of schemas that contain themselves
}

type encPair struct {
	s *data.Schema
	m protoreflect.FullName
}

// compileEncoder compiles s, whose Protobuf message is md.
func (m *Mapping) compileEncoder(s *data.Schema, md protoreflect.MessageDescriptor) (*encoder, error) {
	if s.Type() != data.Struct {
		return &encoder{wrapped: &encField{schema: s, tag: tagOf(md.Fields().ByNumber(1)), kind: md.Fields().ByNumber(1).Kind(), member: -1}}, nil
	}
	p := &encPlanner{Mapping: m, depth: new(int), done: map[encPair]*encMessage{}}
	msg, err := p.encMessage(s, md)
	return &encoder{msg: msg, depth: p.depth}, err
}

func tagOf(fd protoreflect.FieldDescriptor) uint64 {
	return protowire.EncodeTag(fd.Number(), wireType(fd.Kind()))
}

func (m *encPlanner) encMessage(s *data.Schema, md protoreflect.MessageDescriptor) (*encMessage, error) {
	p := &encMessage{schema: s, depth: m.depth, ignore: m.IgnoreDefaults}
	if s.Recursive() {
		if was, ok := m.done[encPair{s, md.FullName()}]; ok {
			return was, nil
		}
		m.done[encPair{s, md.FullName()}] = p
	}
	for i, f := range s.Fields() {
		if f.Schema.Type() == data.Struct && isUnion(f.Schema) {
			for j, member := range f.Schema.Fields() {
				e, err := m.encField(member.Schema, member.Name, md)
				if err != nil {
					return nil, err
				}
				e.slot, e.member, e.last = i, j, j == len(f.Schema.Fields())-1
				p.fields = append(p.fields, e)
			}
			continue
		}
		e, err := m.encField(f.Schema, f.Name, md)
		if err != nil {
			return nil, err
		}
		e.slot, e.member = i, -1
		p.fields = append(p.fields, e)
	}
	sort.SliceStable(p.fields, func(i, j int) bool { return p.fields[i].tag < p.fields[j].tag })
	return p, nil
}

func (m *encPlanner) encField(s *data.Schema, name string, md protoreflect.MessageDescriptor) (*encField, error) {
	name = m.scrub(name)
	fd := md.Fields().ByName(protoreflect.Name(name))
	if fd == nil {
		return nil, data.Errorf("Cannot find field with name %s", name)
	}
	e := &encField{schema: s, tag: tagOf(fd), kind: fd.Kind(), member: -1, presence: fd.HasPresence()}
	if s.Type() == data.Array {
		e.repeated = true
		if fd.IsPacked() {
			e.packed = protowire.EncodeTag(fd.Number(), protowire.BytesType)
		}
		e.schema = s.ValueSchema()
	}
	if !fits(e.schema, fd) {
		return nil, data.Errorf("The field %s of %s cannot be written as %s of the message %s, which has the name of another", name, e.schema.Type(), fd.Kind(), md.FullName())
	}
	return e, m.fill(e, e.schema, fd)
}

// fits reports whether values of s can be written in a field. They always can, but
// where two schemas have the name of one message.
func fits(s *data.Schema, fd protoreflect.FieldDescriptor) bool {
	k := fd.Kind()
	if s.Type() == data.Struct || s.Type() == data.Map || s.Logical() != data.NotLogical {
		return k == protoreflect.MessageKind
	}
	if k == protoreflect.MessageKind {
		in, _ := wrapped(fd.Message())
		return in != nil && fits(s, in)
	}
	switch s.Type() {
	case data.Float32:
		return k == protoreflect.FloatKind
	case data.Float64:
		return k == protoreflect.DoubleKind
	case data.Boolean:
		return k == protoreflect.BoolKind
	case data.String:
		return k == protoreflect.StringKind || k == protoreflect.EnumKind
	case data.Bytes:
		return k == protoreflect.BytesKind
	}
	switch k {
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BoolKind, protoreflect.StringKind, protoreflect.BytesKind:
		return false
	}
	return true
}

func (m *encPlanner) fill(e *encField, s *data.Schema, fd protoreflect.FieldDescriptor) error {
	var err error
	switch {
	case s.Logical() != data.NotLogical:
		e.logical = s.Logical()
	case s.Type() == data.Struct:
		e.msg, err = m.encMessage(s, fd.Message())
	case s.Type() == data.Map:
		if e.key, err = m.encField(s.KeySchema(), "key", fd.Message()); err == nil {
			e.val, err = m.encField(s.ValueSchema(), "value", fd.Message())
		}
	case fd.Kind() == protoreflect.MessageKind:
		in := fd.Message().Fields().ByNumber(1)
		e.wrapped = &encField{schema: s, tag: tagOf(in), kind: in.Kind(), member: -1}
	case fd.Kind() == protoreflect.EnumKind && s.Type() == data.String:
		e.symbols = map[string]int64{}
		for _, p := range s.Params() {
			prefix := m.enumName() + "."
			if len(p.Key) > len(prefix) && p.Key[:len(prefix)] == prefix {
				n, err := strconv.ParseInt(p.Value, 10, 32)
				if err != nil {
					return data.Errorf("Invalid number %s of enum symbol %s", p.Value, p.Key)
				}
				e.symbols[p.Key[len(prefix):]] = n
			}
		}
	}
	return err
}

func (p *encMessage) append(dst []byte, st *data.StructValue) ([]byte, error) {
	if *p.depth == maxNesting {
		return dst, errDepth
	}
	*p.depth++
	dst, err := p.fieldsOf(dst, st)
	*p.depth--
	return dst, err
}

func (p *encMessage) fieldsOf(dst []byte, st *data.StructValue) ([]byte, error) {
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
