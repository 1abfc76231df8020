package protobuf

import (
	"bytes"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// What a decField does with the bytes of its values; decode.go has the messages.

func (f *decField) isMessage() bool { return f.kind == protoreflect.MessageKind }

// wireType returns the type on the wire of a single value.
func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	}
	return protowire.VarintType
}

// takes reports whether a field can have a value of a wire type; what it can't
// take is as good as unknown.
func (f *decField) takes(t protowire.Type) bool {
	w := wireType(f.kind)
	return t == w || t == protowire.BytesType && f.repeated && w != protowire.BytesType
}

// readList reads one or, packed, several values of a repeated field.
func (f *decField) readList(to []data.Value, t protowire.Type, b []byte) ([]data.Value, int, error) {
	if f.isMap {
		return f.readEntry(to, b)
	}
	if t != protowire.BytesType || wireType(f.kind) == protowire.BytesType {
		v, n, err := f.readOne(t, b)
		return append(to, v), n, err
	}
	packed, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return to, 0, errWire
	}
	if to == nil {
		to = make([]data.Value, 0, f.count(packed))
	}
	for len(packed) > 0 {
		v, size, err := f.readOne(wireType(f.kind), packed)
		if err != nil {
			return to, 0, err
		}
		to, packed = append(to, v), packed[size:]
	}
	return to, n, nil
}

// count returns how many values are packed in b.
func (f *decField) count(b []byte) int {
	switch wireType(f.kind) {
	case protowire.Fixed32Type:
		return len(b) / 4
	case protowire.Fixed64Type:
		return len(b) / 8
	}
	n := 0
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// readEntry reads an entry of a map: its key and value, one behind the other.
func (f *decField) readEntry(to []data.Value, b []byte) ([]data.Value, int, error) {
	entry, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return to, 0, errWire
	}
	var key, val data.Value
	var spans []byte // of a value that is a message, which may come in parts
	seenKey, seenVal := false, false
	for len(entry) > 0 {
		num, typ, size := consumeTag(entry)
		if size < 0 {
			return to, 0, errWire
		}
		entry = entry[size:]
		var err error
		switch {
		case num == f.keyNumber && f.key.takes(typ):
			key, size, err = f.key.readOne(typ, entry)
			seenKey = true
		case num == f.valNumber && f.val.takes(typ) && f.val.isMessage():
			var part []byte
			part, size = protowire.ConsumeBytes(entry)
			switch {
			case size < 0:
			case !seenVal:
				spans, seenVal = part[:len(part):len(part)], true // nearly always the only part
			case !wellFormed(part) || !wellFormed(spans): // by themselves
				return to, 0, errWire
			default:
				spans = append(spans, part...)
			}
		case num == f.valNumber && f.val.takes(typ):
			val, size, err = f.val.readOne(typ, entry)
			seenVal = true
		default:
			size = protowire.ConsumeFieldValue(num, typ, entry)
		}
		if err != nil {
			return to, 0, err
		}
		if size < 0 {
			return to, 0, errWire
		}
		entry = entry[size:]
	}
	var err error
	switch {
	case seenKey:
	case f.key.isMessage():
		key, err = f.key.message(nil)
	default:
		key = f.keyDefault
	}
	switch {
	case err != nil:
	case f.val.isMessage():
		val, err = f.val.message(spans) // nothing if it isn't there
	case !seenVal:
		val = f.valDefault
	}
	return append(to, key, val), n, err
}

// readOne reads one value of wire type t, which the field takes.
func (f *decField) readOne(t protowire.Type, b []byte) (v data.Value, n int, err error) {
	switch t {
	case protowire.VarintType:
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return v, 0, errWire
		}
		return f.ofVarint(x), n, nil
	case protowire.Fixed32Type:
		x, n := protowire.ConsumeFixed32(b)
		if n < 0 {
			return v, 0, errWire
		}
		if f.kind == protoreflect.FloatKind {
			return data.OfFloat32(math.Float32frombits(x)), n, nil
		}
		return f.ofInt32(x), n, nil
	case protowire.Fixed64Type:
		x, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return v, 0, errWire
		}
		if f.kind == protoreflect.DoubleKind {
			return data.OfFloat64(math.Float64frombits(x)), n, nil
		}
		return data.OfInt64(int64(x)), n, nil //nolint:gosec // unsigned numbers wrap, as in Java
	}
	raw, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return v, 0, errWire
	}
	switch f.kind {
	case protoreflect.StringKind:
		v, err = f.text(raw)
	case protoreflect.BytesKind:
		v = data.OfBytes(raw)
	default:
		v, err = f.message(raw)
	}
	return v, n, err
}

func (f *decField) text(raw []byte) (data.Value, error) {
	if !utf8.Valid(raw) {
		if f.utf8 {
			return data.Null, errUTF8
		}
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	return data.OfText(raw), nil
}

//nolint:gosec // numbers are cut to the field's size, as everywhere in Protobuf
func (f *decField) ofVarint(x uint64) data.Value {
	switch f.kind {
	case protoreflect.BoolKind:
		return data.OfBool(x != 0)
	case protoreflect.EnumKind:
		return f.ofEnum(int32(x))
	case protoreflect.Sint32Kind:
		return data.OfInt32(int32(protowire.DecodeZigZag(x & math.MaxUint32)))
	case protoreflect.Sint64Kind:
		return data.OfInt64(protowire.DecodeZigZag(x))
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		return data.OfInt64(int64(x))
	}
	return f.ofInt32(uint32(x))
}

//nolint:gosec // numbers are cut to the field's size, as everywhere in Protobuf
func (f *decField) ofInt32(x uint32) data.Value {
	switch f.typ {
	case data.Int8:
		return data.OfInt8(int8(x))
	case data.Int16:
		return data.OfInt16(int16(x))
	case data.Int64:
		return data.OfInt64(int64(x)) // unsigned
	}
	return data.OfInt32(int32(x))
}

func (f *decField) ofEnum(n int32) data.Value {
	if f.typ == data.Int32 {
		return data.OfInt32(n)
	}
	if v, ok := f.enum[protoreflect.EnumNumber(n)]; ok {
		return v
	}
	return unknownEnum(f.enumName, n)
}

// message reads the value of a message from its bytes.
func (f *decField) message(b []byte) (data.Value, error) {
	switch {
	case f.logical != data.NotLogical:
		return readLogical(f.logical, b)
	case f.wrapped != nil:
		return f.wrapped.unwrap(b)
	}
	if f.msg.again {
		return f.msg.nested(f.schema, b)
	}
	return f.msg.read(f.schema, b)
}

// unwrap reads the one field of a wrapper message.
func (f *decField) unwrap(b []byte) (data.Value, error) {
	out := f.zeroScalar()
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n < 0 {
			return data.Null, errWire
		}
		b = b[n:]
		if num == 1 && f.takes(typ) {
			var err error
			if out, n, err = f.readOne(typ, b); err != nil {
				return data.Null, err
			}
		} else if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return data.Null, errWire
		}
		b = b[n:]
	}
	return out, nil
}

func (f *decField) zeroScalar() data.Value {
	switch f.typ {
	case data.Int8:
		return data.OfInt8(0)
	case data.Int16:
		return data.OfInt16(0)
	case data.Int32:
		return data.OfInt32(0)
	case data.Int64:
		return data.OfInt64(0)
	case data.Float32:
		return data.OfFloat32(0)
	case data.Float64:
		return data.OfFloat64(0)
	case data.Boolean:
		return data.OfBool(false)
	case data.Bytes:
		return data.OfBytes([]byte{})
	}
	return data.OfString("")
}

// zero returns what a field that isn't there has for a value: its default.
func (f *decField) zero(fd protoreflect.FieldDescriptor) (data.Value, error) {
	if f.isMessage() {
		return f.message(nil)
	}
	def := fd.Default()
	switch fd.Kind() {
	case protoreflect.EnumKind:
		return f.ofEnum(int32(def.Enum())), nil
	case protoreflect.StringKind:
		return data.OfString(def.String()), nil
	case protoreflect.BytesKind:
		return data.OfBytes(append([]byte{}, def.Bytes()...)), nil
	case protoreflect.BoolKind:
		return data.OfBool(def.Bool()), nil
	case protoreflect.FloatKind:
		return data.OfFloat32(float32(def.Float())), nil
	case protoreflect.DoubleKind:
		return data.OfFloat64(def.Float()), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return data.OfInt64(int64(def.Uint())), nil //nolint:gosec // unsigned numbers wrap, as in Java
	}
	if f.typ == data.Int64 {
		return data.OfInt64(def.Int()), nil
	}
	return f.ofInt32(uint32(def.Int())), nil //nolint:gosec // an int32
}

// consumeTag is protowire's, without numbers that no field can have.
func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	num, typ, n := protowire.ConsumeTag(b)
	if num > protowire.MaxValidNumber {
		return 0, 0, -1
	}
	return num, typ, n
}
