package protobuf

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// What becomes of the fields of a message; connect.go has the messages.

// hasOptional reports whether a field was declared with the word optional.
func hasOptional(fd protoreflect.FieldDescriptor) bool { return fd.HasOptionalKeyword() }

// absent returns the value of a field that a record lacks.
func (r *reader) absent(fd protoreflect.FieldDescriptor, f *decField) (data.Value, error) {
	proto3 := fd.ContainingOneof() != nil // a synthetic one
	optional := proto3 || !r.m.NoProto2Optional && hasOptional(fd) && fd.ParentFile().Syntax() == protoreflect.Proto2
	isMessage := fd.Message() != nil && !fd.IsList() && !fd.IsMap()
	if (isMessage || optional) && !r.m.StructForNulls {
		return data.Null, nil
	}
	if isMessage {
		if _, around := r.open[fd.Message().FullName()]; around {
			return data.Null, nil // in Java there would be no end to it
		}
	}
	switch {
	case f.isMap:
		return data.OfMap(data.NewMap(nil)), nil
	case f.repeated:
		return data.OfArray([]data.Value{}), nil
	}
	return f.zero(fd)
}

// field returns the schema of a field and how its values are read.
func (r *reader) field(fd protoreflect.FieldDescriptor, member bool) (*data.Schema, *decField, error) {
	if r.fields++; r.fields > maxFields {
		return nil, nil, data.Errorf("Schema has more than %d fields", maxFields)
	}
	if fd.Kind() == protoreflect.MessageKind && !isMapEntry(fd) {
		if around, ok := r.open[fd.Message().FullName()]; ok {
			return r.again(fd, around)
		}
	}
	b, f, err := r.typed(fd)
	if err != nil {
		return nil, nil, err
	}
	f.kind, f.repeated = fd.Kind(), fd.Cardinality() == protoreflect.Repeated && !f.isMap
	f.utf8 = fd.ParentFile().Syntax() != protoreflect.Proto2
	if f.repeated {
		elem, err := b.Optional().Build()
		if err != nil {
			return nil, nil, err
		}
		f.schema = elem
		b = data.NewArraySchema(elem).Optional()
	}
	switch {
	case member:
		b.Optional()
		if r.m.WrapperNullables && fd.Message() != nil {
			if in, _ := wrapped(fd.Message()); in != nil {
				b.Param(wrapperParam, "true")
			}
		}
	case r.m.OptionalNullables:
		if hasOptional(fd) {
			b.Optional()
		}
	case !r.m.WrapperNullables:
		b.Optional()
	}
	s, err := b.Param(tagParam, strconv.Itoa(int(fd.Number()))).Build()
	if !f.repeated {
		f.schema = s
	}
	return s, f, err
}

// again is field for the type of a message around the field: its schema stands for
// that message's, and its values are read as that message.
func (r *reader) again(fd protoreflect.FieldDescriptor, around openMessage) (*data.Schema, *decField, error) {
	f := &decField{member: -1, kind: fd.Kind(), msg: around.plan, repeated: fd.Cardinality() == protoreflect.Repeated}
	tag := data.Param{Key: tagParam, Value: strconv.Itoa(int(fd.Number()))}
	if !f.repeated {
		f.schema = around.schema.Self(true, tag)
		return f.schema, f, nil
	}
	f.schema = around.schema.Self(true)
	s, err := data.NewArraySchema(f.schema).Optional().Param(tag.Key, tag.Value).Build()
	return s, f, err
}

// wrapped returns the field of a wrapper message that holds its scalar, and that
// one's type; nil for other messages, those too that only have a wrapper's name.
func wrapped(md protoreflect.MessageDescriptor) (protoreflect.FieldDescriptor, data.Type) {
	for _, w := range wrappers {
		if string(md.FullName()) != wellKnown+w.name {
			continue
		}
		if fd := md.Fields().ByNumber(1); fd != nil && fd.Kind().String() == w.scalar && fd.Cardinality() == protoreflect.Optional {
			return fd, w.typ
		}
	}
	return nil, 0
}

func scalarField(fd protoreflect.FieldDescriptor, typ data.Type) *decField {
	return &decField{kind: fd.Kind(), typ: typ, member: -1, utf8: true}
}

func (r *reader) typed(fd protoreflect.FieldDescriptor) (*data.SchemaBuilder, *decField, error) {
	f := &decField{member: -1}
	var b *data.SchemaBuilder
	switch fd.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		switch params(fd)[connectType] {
		case "int8":
			b, f.typ = data.NewSchema(data.Int8), data.Int8
		case "int16":
			b, f.typ = data.NewSchema(data.Int16), data.Int16
		default:
			b, f.typ = data.NewSchema(data.Int32), data.Int32
			if fd.Kind() != protoreflect.Int32Kind {
				b.Param(typeParam, fd.Kind().String())
			}
		}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Uint64Kind,
		protoreflect.Sint64Kind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		b, f.typ = data.NewSchema(data.Int64), data.Int64
		if fd.Kind() != protoreflect.Int64Kind {
			b.Param(typeParam, fd.Kind().String())
		}
	case protoreflect.FloatKind:
		b, f.typ = data.NewSchema(data.Float32), data.Float32
	case protoreflect.DoubleKind:
		b, f.typ = data.NewSchema(data.Float64), data.Float64
	case protoreflect.BoolKind:
		b, f.typ = data.NewSchema(data.Boolean), data.Boolean
	case protoreflect.StringKind:
		b, f.typ = data.NewSchema(data.String), data.String
	case protoreflect.BytesKind:
		b, f.typ = data.NewSchema(data.Bytes), data.Bytes
	case protoreflect.EnumKind:
		b = r.enum(fd.Enum(), f)
	case protoreflect.MessageKind:
		var err error
		if b, err = r.messageField(fd, f); err != nil {
			return nil, nil, err
		}
		b.Optional()
	default:
		return nil, nil, data.Errorf("Unknown Connect schema type: %s", strings.ToUpper(fd.Kind().String()))
	}
	return b, f, nil
}

func (r *reader) enum(ed protoreflect.EnumDescriptor, f *decField) *data.SchemaBuilder {
	name := string(ed.Name())
	if r.m.Enhanced {
		name = string(ed.FullName())
	}
	f.typ = data.String
	if r.m.IntEnums {
		f.typ = data.Int32
	}
	b := data.NewSchema(f.typ).Name(name).Param(r.m.enumName(), string(ed.Name())).Optional()
	f.enum, f.enumName = map[protoreflect.EnumNumber]data.Value{}, string(ed.Name())
	for i := range ed.Values().Len() {
		v := ed.Values().Get(i)
		b.Param(r.m.enumName()+"."+string(v.Name()), strconv.Itoa(int(v.Number())))
		if _, alias := f.enum[v.Number()]; !alias {
			f.enum[v.Number()] = data.OfString(string(v.Name()))
		}
	}
	return b
}

func (r *reader) messageField(fd protoreflect.FieldDescriptor, f *decField) (*data.SchemaBuilder, error) {
	md := fd.Message()
	switch string(md.FullName()) {
	case decimalType:
		f.logical = data.LogicalDecimal
		p := params(fd)
		scale, err := strconv.ParseInt(p["scale"], 10, 32)
		if err != nil {
			scale = 0
		}
		b := data.NewDecimalSchema(int32(scale)) //nolint:gosec // read as an int32
		if n, err := strconv.Atoi(p["precision"]); err == nil {
			b.Param(precisionParam, strconv.Itoa(n))
		}
		return b, nil
	case dateType:
		f.logical = data.LogicalDate
		return data.NewSchema(data.Int32).Name(data.DateName).Version(1), nil
	case timeType:
		f.logical = data.LogicalTime
		return data.NewSchema(data.Int32).Name(data.TimeName).Version(1), nil
	case timestampType:
		f.logical = data.LogicalTimestamp
		return data.NewSchema(data.Int64).Name(data.TimestampName).Version(1), nil
	case variantType:
		if b, msg := r.variant(md); b != nil {
			f.msg = msg
			return b, nil
		}
	default:
		if in, typ := wrapped(md); in != nil && r.m.WrapperNullables {
			f.wrapped = scalarField(in, typ)
			return data.NewSchema(typ), nil
		}
	}
	if isMapEntry(fd) {
		return r.mapField(md, f)
	}
	msg, err := r.message(md, 0)
	if err != nil {
		return nil, err
	}
	f.msg = msg
	b := data.NewStructSchema().CopyBasics(msg.schema)
	for _, inner := range msg.schema.Fields() {
		b.Field(inner.Name, inner.Schema)
	}
	return b, nil
}

// variant is the struct in which Confluent has a value of any type, encoded; nil for
// a message that only has the variant's name.
func (r *reader) variant(md protoreflect.MessageDescriptor) (*data.SchemaBuilder, *decMessage) {
	b := data.NewStructSchema().Name(variantName)
	p := &decMessage{run: r.run, byNumber: map[protowire.Number]*decField{}}
	for i, name := range []protoreflect.Name{"metadata", "value"} {
		fd := md.Fields().ByNumber(protowire.Number(i + 1))
		if fd == nil || fd.Name() != name || fd.Kind() != protoreflect.BytesKind || fd.Cardinality() == protoreflect.Repeated {
			return nil, nil
		}
		b.Field(string(name), data.BytesSchema)
		p.defaults = append(p.defaults, data.OfBytes([]byte{}))
		p.add(fd, &decField{kind: protoreflect.BytesKind, typ: data.Bytes, schema: data.BytesSchema, slot: i, member: -1})
	}
	s, err := b.Build()
	p.schema = s
	if err != nil {
		return nil, nil
	}
	return b, p
}

// isMapEntry reports whether a field is a map: one by the language, or one that
// looks as if.
func isMapEntry(fd protoreflect.FieldDescriptor) bool {
	fields := fd.Message().Fields()
	return fd.Cardinality() == protoreflect.Repeated && strings.HasSuffix(string(fd.Message().Name()), entrySuffix) && fields.Len() == 2 &&
		fields.Get(0).Name() == "key" && fields.Get(1).Name() == "value" &&
		fields.Get(0).Cardinality() != protoreflect.Repeated && fields.Get(1).Cardinality() != protoreflect.Repeated
}

func (r *reader) mapField(md protoreflect.MessageDescriptor, f *decField) (*data.SchemaBuilder, error) {
	f.isMap = true
	name := string(md.Name())
	prefix := ""
	if r.m.Enhanced {
		prefix = strings.TrimSuffix(string(md.FullName()), name)
	}
	name = prefix + lowerUnderscore(strings.TrimSuffix(name, entrySuffix))
	kd, vd := md.Fields().Get(0), md.Fields().Get(1)
	ks, kf, err := r.field(kd, false)
	if err != nil {
		return nil, err
	}
	vs, vf, err := r.field(vd, false)
	if err != nil {
		return nil, err
	}
	f.key, f.val = kf, vf
	f.keyNumber, f.valNumber = kd.Number(), vd.Number()
	// A key or value that is not there has its default, presence or not.
	if !kf.isMessage() {
		if f.keyDefault, err = kf.zero(kd); err != nil {
			return nil, err
		}
	}
	if !vf.isMessage() {
		if f.valDefault, err = vf.zero(vd); err != nil {
			return nil, err
		}
	}
	return data.NewMapSchema(ks, vs).Name(name), nil
}

// lowerUnderscore turns a name in camel case into one in snake case, as Guava
// does.
func lowerUnderscore(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			b.WriteByte(c | 0x20)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
