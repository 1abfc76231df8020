package protobuf

import (
	"sort"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

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
	return &encoder{msg: msg}, err
}

func tagOf(fd protoreflect.FieldDescriptor) uint64 {
	return protowire.EncodeTag(fd.Number(), wireType(fd.Kind()))
}

func (m *encPlanner) encMessage(s *data.Schema, md protoreflect.MessageDescriptor) (*encMessage, error) {
	p := &encMessage{schema: s, ignore: m.IgnoreDefaults}
	if s.Recursive() {
		p.depth = m.depth
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
