package avro

import (
	"encoding/binary"
	"math"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// encOp is what an encoder does with a value.
type encOp uint8

const (
	encInt     encOp = iota // int8 to int64 as int or long
	encFloat                // as float
	encDouble               // float32, float64 and whole numbers as double
	encIntAs                // a whole number as float
	encBoolean              //
	encText                 // a string, or bytes, as they are
	encEnum                 //
	encFixed                //
	encDecimal              // as bytes
	encFixedDecimal
	encDate // date, time and timestamp
	encArray
	encMap
	encEntries // a map as an array of records
	encStruct
	encUnion    // a struct of which one field is set
	encAnything // a value without a schema
)

// encoder is the plan by which values of a Connect schema become bytes of an Avro
// schema. It may contain itself.
type encoder struct {
	op       encOp
	kind     data.Kind // of values in Java
	optional bool
	branch   []byte // the index of the union's branch; empty outside unions
	null     []byte // the index of null; nil where Avro has no null
	schema   *data.Schema
	known    *data.Schema // another schema that is equal to schema
	fields   []encField
	key      *encoder
	elem     *encoder
	symbols  map[string]int
	size     int
}

type encField struct {
	at       int // the Connect field's place; -1: constant is all
	enc      *encoder
	def      data.Value
	constant []byte // what stands for the field, or before it in a union
}

var errEncodeDepth = data.Errorf("The value nests too deeply for Avro")

// run encodes one value.
type run struct {
	depth int
}

func (r *run) encode(dst []byte, e *encoder, v data.Value) ([]byte, error) {
	if v.IsNull() {
		switch {
		case e.op == encAnything:
			return append(dst, anythingNull...), nil
		case !e.optional:
			return dst, data.Errorf("Found null value for non-optional schema")
		case e.null == nil:
			return dst, data.Errorf("The Avro schema has no null for the optional schema %s", e.schema)
		}
		return append(dst, e.null...), nil
	}
	switch e.op {
	case encUnion, encAnything:
	default:
		if v.Kind() != e.kind {
			return dst, e.mismatch(v)
		}
		dst = append(dst, e.branch...)
	}
	switch e.op {
	case encInt:
		return binary.AppendVarint(dst, v.Int()), nil
	case encText:
		return append(binary.AppendVarint(dst, int64(len(v.Bytes()))), v.Bytes()...), nil
	case encFloat:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	case encDouble:
		f := v.Float()
		if v.Kind() != data.KindFloat32 && v.Kind() != data.KindFloat64 {
			f = float64(v.Int())
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), nil
	case encIntAs:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Int()))), nil
	case encBoolean:
		return append(dst, byte(v.Int())), nil
	case encEnum:
		i, ok := e.symbols[v.Str()]
		if !ok {
			return dst, data.Errorf("%q is not a symbol of the enum %s", v.Str(), e.schema.Name())
		}
		return binary.AppendVarint(dst, int64(i)), nil
	case encDate:
		n, err := dateNumber(e.schema.Logical(), v)
		return binary.AppendVarint(dst, n), err
	case encDecimal, encFixed, encFixedDecimal:
		return e.appendBytes(dst, v)
	}
	if r.depth++; r.depth > schema.MaxDepth {
		return dst, errEncodeDepth
	}
	dst, err := r.composite(dst, e, v)
	r.depth--
	return dst, err
}

func (e *encoder) mismatch(v data.Value) error {
	class := v.Kind().JavaClass()
	switch e.schema.Logical() {
	case data.LogicalDecimal:
		return data.Errorf("Invalid type for Decimal, expected BigDecimal but was class %s", class)
	case data.LogicalDate, data.LogicalTime, data.LogicalTimestamp:
		_, err := dateNumber(e.schema.Logical(), v)
		return err
	}
	return data.Errorf("Invalid type for %s: class %s", e.schema.Type(), class)
}

func (e *encoder) appendBytes(dst []byte, v data.Value) ([]byte, error) {
	var tmp [40]byte
	b := v.Bytes()
	if e.op != encFixed {
		var err error
		if b, err = appendDecimal(tmp[:0], e.schema, v); err != nil {
			return dst, err
		}
	}
	switch {
	case e.op == encDecimal:
		return append(binary.AppendVarint(dst, int64(len(b))), b...), nil
	case e.op == encFixed && len(b) != e.size:
		return dst, data.Errorf("A value of %d bytes for the fixed %s of %d bytes", len(b), e.schema.Name(), e.size)
	case len(b) > e.size:
		return dst, data.Errorf("Unscaled value byte array length %d is greater than fixed size %d", len(b), e.size)
	}
	for range e.size - len(b) { // the sign, to the size
		dst = append(dst, byte(int8(b[0])>>7)) //nolint:gosec // that is the point
	}
	return append(dst, b...), nil
}

func (r *run) composite(dst []byte, e *encoder, v data.Value) ([]byte, error) {
	var err error
	switch e.op {
	case encStruct:
		return r.encodeStruct(dst, e, v.Struct())
	case encArray:
		elems := v.Elems()
		if len(elems) > 0 {
			dst = binary.AppendVarint(dst, int64(len(elems)))
		}
		for _, x := range elems {
			if dst, err = r.encode(dst, e.elem, x); err != nil {
				return dst, err
			}
		}
		return append(dst, 0), nil
	case encMap, encEntries:
		m := v.Map()
		if m.Len() > 0 {
			dst = binary.AppendVarint(dst, int64(m.Len()))
		}
		for i := range m.Len() {
			if dst, err = r.encode(dst, e.key, m.KeyAt(i)); err != nil {
				return dst, err
			}
			if dst, err = r.encode(dst, e.elem, m.At(i)); err != nil {
				return dst, err
			}
		}
		return append(dst, 0), nil
	case encAnything:
		return r.encodeAnything(dst, v)
	}
	return r.encodeUnion(dst, e, v)
}

func (e *encoder) knows(s *data.Schema) bool {
	if s == e.schema || s == e.known {
		return true
	}
	if !s.Equal(e.schema) {
		return false
	}
	e.known = s
	return true
}

func (r *run) encodeStruct(dst []byte, e *encoder, st *data.StructValue) ([]byte, error) {
	if !e.knows(st.Schema()) {
		return dst, data.Errorf("Mismatching struct schema")
	}
	vals := st.Values()
	var err error
	for i := range e.fields {
		f := &e.fields[i]
		if f.at < 0 {
			dst = append(dst, f.constant...)
			continue
		}
		v := vals[f.at]
		fe := f.enc
		if v.IsNull() {
			v = f.def
		} else if v.Kind() == fe.kind && fe.op <= encText {
			switch fe.op {
			case encInt:
				dst = binary.AppendVarint(append(dst, fe.branch...), v.Int())
				continue
			case encText:
				dst = binary.AppendVarint(append(dst, fe.branch...), int64(len(v.Bytes())))
				dst = append(dst, v.Bytes()...)
				continue
			}
		}
		if dst, err = r.encode(dst, fe, v); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// encodeUnion writes the field that is set, the first when there are several.
func (r *run) encodeUnion(dst []byte, e *encoder, v data.Value) ([]byte, error) {
	st := v.Struct()
	if st == nil {
		return dst, e.mismatch(v)
	}
	if !e.knows(st.Schema()) {
		return dst, data.Errorf("Mismatching struct schema")
	}
	for i, x := range st.Values() {
		f := &e.fields[i]
		if x.IsNull() {
			x = f.def
		}
		if !x.IsNull() {
			if f.enc == nil {
				return dst, data.Errorf("The Avro union has no branch for the field %s of %s", e.schema.Fields()[i].Name, e.schema.Name())
			}
			return r.encode(append(dst, f.constant...), f.enc, x)
		}
	}
	if e.null == nil || !e.optional {
		return dst, data.Errorf("Found null value for non-optional schema")
	}
	return append(dst, e.null...), nil
}

// The record of a schemaless value: an index of 0, which is null, for each field but
// the one that is set.
var anythingNull = make([]byte, len(anything.Fields))

var anythingAt = [...]int{data.KindBoolean: 0, data.KindBytes: 1, data.KindFloat64: 2, data.KindFloat32: 3, data.KindInt8: 4,
	data.KindInt16: 4, data.KindInt32: 4, data.KindInt64: 5, data.KindString: 6, data.KindArray: 7, data.KindMap: 8}

func (r *run) encodeAnything(dst []byte, v data.Value) ([]byte, error) {
	k := v.Kind()
	if k == data.KindStruct || k == data.KindDecimal || k == data.KindDate {
		return dst, data.Errorf("Unknown Java type for schemaless data: class %s", k.JavaClass())
	}
	at := anythingAt[k]
	dst = append(append(dst, anythingNull[:at]...), 2) // the second branch
	var err error
	switch k {
	case data.KindBoolean:
		dst = append(dst, byte(v.Int()))
	case data.KindFloat64:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case data.KindFloat32:
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float())))
	case data.KindBytes, data.KindString:
		dst = append(binary.AppendVarint(dst, int64(len(v.Bytes()))), v.Bytes()...)
	case data.KindArray:
		dst, err = r.composite(dst, &encoder{op: encArray, elem: anyEncoder}, v)
	case data.KindMap:
		dst, err = r.composite(dst, &encoder{op: encEntries, key: anyEncoder, elem: anyEncoder}, v)
	default:
		dst = binary.AppendVarint(dst, v.Int())
	}
	return append(dst, anythingNull[at+1:]...), err
}

var anyEncoder = &encoder{op: encAnything, optional: true}
