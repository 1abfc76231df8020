package codec

import (
	"encoding/binary"
	"math"

	"github.com/troupeio/troupe/codec/data"
)

// ByteArrayConverter passes bytes through:
// org.apache.kafka.connect.converters.ByteArrayConverter.
type ByteArrayConverter struct{}

// FromConnect returns the bytes of v itself.
func (ByteArrayConverter) FromConnect(_ string, s *data.Schema, v data.Value, _ []byte) ([]byte, error) {
	if s != nil && s.Type() != data.Bytes {
		return nil, data.Errorf("Invalid schema type for ByteArrayConverter: %s", s.Type())
	}
	if v.IsNull() {
		return nil, nil
	}
	if v.Kind() != data.KindBytes {
		return nil, data.Errorf("ByteArrayConverter is not compatible with objects of type class %s", v.Kind().JavaClass())
	}
	return v.Bytes(), nil
}

// ToConnect returns b as a value.
func (ByteArrayConverter) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return data.OptionalBytesSchema, data.Null, nil
	}
	return data.OptionalBytesSchema, data.OfBytes(b), nil
}

// FromConnectHeader is FromConnect for a header.
func (c ByteArrayConverter) FromConnectHeader(topic, _ string, s *data.Schema, v data.Value) ([]byte, error) {
	return c.FromConnect(topic, s, v, nil)
}

// ToConnectHeader is ToConnect for a header.
func (c ByteArrayConverter) ToConnectHeader(topic, _ string, b []byte) (*data.Schema, data.Value, error) {
	return c.ToConnect(topic, b)
}

// BooleanConverter reads and writes a boolean as one byte, 0 or 1:
// org.apache.kafka.connect.converters.BooleanConverter.
type BooleanConverter struct{}

// FromConnect appends one byte.
func (BooleanConverter) FromConnect(_ string, s *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if s != nil && s.Type() != data.Boolean {
		return nil, data.Errorf("Invalid schema type for BooleanConverter: %s", s.Type())
	}
	switch {
	case v.IsNull():
		return nil, nil
	case v.Kind() != data.KindBoolean:
		return nil, data.Errorf("BooleanConverter is not compatible with objects of type class %s", v.Kind().JavaClass())
	case v.Bool():
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

// ToConnect reads one byte.
func (BooleanConverter) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	switch {
	case b == nil:
		return data.OptionalBooleanSchema, data.Null, nil
	case len(b) == 1 && b[0] <= 1:
		return data.OptionalBooleanSchema, data.OfBool(b[0] == 1), nil
	}
	return nil, data.Null, data.Errorf("Failed to deserialize boolean: ")
}

// FromConnectHeader is FromConnect for a header.
func (c BooleanConverter) FromConnectHeader(topic, _ string, s *data.Schema, v data.Value) ([]byte, error) {
	return c.FromConnect(topic, s, v, nil)
}

// ToConnectHeader is ToConnect for a header.
func (c BooleanConverter) ToConnectHeader(topic, _ string, b []byte) (*data.Schema, data.Value, error) {
	return c.ToConnect(topic, b)
}

// NumberConverter reads and writes a number of one type, big endian: the
// Short-, Integer-, Long-, Float- and DoubleConverter of
// org.apache.kafka.connect.converters. The schema has no say when writing.
type NumberConverter struct {
	name   string // as in messages
	kind   data.Kind
	size   int
	schema *data.Schema
}

// The converters of numbers.
var (
	ShortConverter   = NumberConverter{"short", data.KindInt16, 2, data.OptionalInt16Schema}
	IntegerConverter = NumberConverter{"integer", data.KindInt32, 4, data.OptionalInt32Schema}
	LongConverter    = NumberConverter{"long", data.KindInt64, 8, data.OptionalInt64Schema}
	FloatConverter   = NumberConverter{"float", data.KindFloat32, 4, data.OptionalFloat32Schema}
	DoubleConverter  = NumberConverter{"double", data.KindFloat64, 8, data.OptionalFloat64Schema}
)

// FromConnect appends the number.
func (c NumberConverter) FromConnect(_ string, _ *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	if v.Kind() != c.kind {
		return nil, data.Errorf("Failed to serialize to %s (was class %s): ", c.name, v.Kind().JavaClass())
	}
	switch c.kind {
	case data.KindInt16:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int())), nil
	case data.KindInt32:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), nil
	case data.KindInt64:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), nil
	case data.KindFloat32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	}
	f := v.Float()
	if f != f {
		return binary.BigEndian.AppendUint64(dst, 0x7ff8<<48), nil // Java has one NaN here
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), nil
}

// ToConnect reads a number.
func (c NumberConverter) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return c.schema, data.Null, nil
	}
	if len(b) != c.size {
		return nil, data.Null, data.Errorf("Failed to deserialize %s: ", c.name)
	}
	switch c.kind {
	case data.KindInt16:
		return c.schema, data.OfInt16(int16(binary.BigEndian.Uint16(b))), nil
	case data.KindInt32:
		return c.schema, data.OfInt32(int32(binary.BigEndian.Uint32(b))), nil
	case data.KindInt64:
		return c.schema, data.OfInt64(int64(binary.BigEndian.Uint64(b))), nil
	case data.KindFloat32:
		return c.schema, data.OfFloat32(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	}
	return c.schema, data.OfFloat64(math.Float64frombits(binary.BigEndian.Uint64(b))), nil
}

// FromConnectHeader is FromConnect for a header.
func (c NumberConverter) FromConnectHeader(topic, _ string, s *data.Schema, v data.Value) ([]byte, error) {
	return c.FromConnect(topic, s, v, nil)
}

// ToConnectHeader is ToConnect for a header.
func (c NumberConverter) ToConnectHeader(topic, _ string, b []byte) (*data.Schema, data.Value, error) {
	return c.ToConnect(topic, b)
}
