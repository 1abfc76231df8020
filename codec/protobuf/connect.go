package protobuf

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// maxFields bounds the schemas that messages unfold into.
const maxFields = 100_000

// reader turns a message into a Connect schema and into the plan by which its
// records are read.
type reader struct {
	m      *Mapping
	run    *run
	open   map[protoreflect.FullName]openMessage // messages that are being turned
	fields int
}

// openMessage is a message whose fields are being turned. A field of its type
// stands for it.
type openMessage struct {
	schema *data.SchemaBuilder
	plan   *decMessage
}

// connect returns the schema of a message and the plan of its records. version is
// the schema's in its subject; 0 is none.
func (m *Mapping) connect(md protoreflect.MessageDescriptor, version int32) (*data.Schema, *decoder, error) {
	r := reader{m: m, run: &run{}, open: map[protoreflect.FullName]openMessage{}}
	if fd, typ := wrapped(md); fd != nil && !m.NoRawWrappers {
		b := data.NewSchema(typ)
		if version != 0 {
			b.Version(version)
		}
		s, err := b.Build()
		return s, &decoder{wrapped: scalarField(fd, typ)}, err
	}
	msg, err := r.message(md, version)
	if err != nil {
		return nil, nil, err
	}
	return msg.schema, &decoder{msg: msg, run: r.run}, nil
}

func (r *reader) message(md protoreflect.MessageDescriptor, version int32) (*decMessage, error) {
	if len(r.open) >= maxDepth {
		return nil, data.Errorf("Messages are nested more than %d levels deep", maxDepth)
	}
	name := string(md.Name())
	if r.m.Enhanced {
		name = string(md.FullName())
	}
	b := data.NewStructSchema().Name(name)
	p := &decMessage{run: r.run, byNumber: map[protowire.Number]*decField{}}
	r.open[md.FullName()] = openMessage{b, p}
	defer delete(r.open, md.FullName())
	slot := 0
	add := func(field string, s *data.Schema, def data.Value) int {
		b.Field(field, s)
		p.defaults = append(p.defaults, def)
		slot++
		return slot - 1
	}
	oneofs := md.Oneofs()
	for i := range oneofs.Len() {
		od := oneofs.Get(i)
		if od.IsSynthetic() {
			continue
		}
		if r.m.FlattenUnions {
			for j := range od.Fields().Len() {
				fd := od.Fields().Get(j)
				s, f, err := r.field(fd, true)
				if err != nil {
					return nil, err
				}
				f.slot, f.oneof = add(string(fd.Name()), s, data.Null), od
				p.add(fd, f)
			}
			continue
		}
		s, fields, err := r.union(od)
		if err != nil {
			return nil, err
		}
		field := string(od.Name())
		if !r.m.NoUnionIndex {
			field += "_" + strconv.Itoa(od.Index())
		}
		at := add(field, s, data.Null)
		for j, f := range fields {
			f.slot, f.member, f.union, f.oneof = at, j, s, od
			p.add(od.Fields().Get(j), f)
		}
	}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if od := fd.ContainingOneof(); od != nil && !od.IsSynthetic() {
			continue
		}
		s, f, err := r.field(fd, false)
		if err != nil {
			return nil, err
		}
		def, err := r.absent(fd, f)
		if err != nil {
			return nil, err
		}
		f.slot = add(string(fd.Name()), s, def)
		p.add(fd, f)
	}
	if version != 0 {
		b.Version(version)
	}
	var err error
	p.schema, err = b.Build()
	p.again = p.schema.Recursive()
	return p, err
}

func (r *reader) union(od protoreflect.OneofDescriptor) (*data.Schema, []*decField, error) {
	b := data.NewStructSchema().Optional()
	switch {
	case r.m.GeneralizedSumTypes:
		b.Name(string(od.Name())).Param(generalUnion, string(od.Name()))
	case r.m.Enhanced:
		b.Name(unionName + "." + string(od.FullName()))
	default:
		b.Name(unionName + "." + string(od.Name()))
	}
	var fields []*decField
	for i := range od.Fields().Len() {
		fd := od.Fields().Get(i)
		s, f, err := r.field(fd, true)
		if err != nil {
			return nil, nil, err
		}
		b.Field(string(fd.Name()), s)
		fields = append(fields, f)
	}
	s, err := b.Build()
	return s, fields, err
}

// params returns the parameters that a field has in Confluent's option of fields.
func params(fd protoreflect.FieldDescriptor) map[string]string {
	const fieldMeta, paramsNumber = 1088, 2
	raw, err := proto.Marshal(fd.Options())
	if err != nil || len(raw) == 0 {
		return nil
	}
	out := map[string]string{}
	each(raw, fieldMeta, func(meta []byte) {
		each(meta, paramsNumber, func(entry []byte) {
			var k, v string
			each(entry, 1, func(b []byte) { k = string(b) })
			each(entry, 2, func(b []byte) { v = string(b) })
			out[k] = v
		})
	})
	return out
}

// each calls f for each field of bytes with that number.
func each(b []byte, number protowire.Number, f func([]byte)) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		b = b[n:]
		if num == number && typ == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return
			}
			f(v)
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return
		}
		b = b[n:]
	}
}

// unknownEnum is what Java calls a number that an enum doesn't name.
func unknownEnum(name string, n int32) data.Value {
	return data.OfString(fmt.Sprintf("UNKNOWN_ENUM_VALUE_%s_%d", name, n))
}
