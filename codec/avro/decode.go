package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

// decOp is what a decoder reads.
type decOp uint8

const (
	decNull decOp = iota
	decInt        // int and long, of any Connect type
	decLong
	decPlainLong // of no logical type
	decPlainInt  // an int32 of no logical type
	decBoolean
	decFloat
	decDouble
	decBytes
	decString
	decFixed
	decDecimal
	decFixedDecimal
	decEnum
	decArray
	decMap
	decEntries
	decStruct
	decNullable
	decUnion
	decAnything
)

// decoder is the plan by which bytes of an Avro schema become values of a Connect
// schema. It may contain itself.
type decoder struct {
	op       decOp
	schema   *data.Schema
	scale    int32
	size     int // of a fixed
	min      int // fewest bytes of a value, so that a length can be checked before room is made
	fields   []*decoder
	key      *decoder
	elem     *decoder
	branches []*decoder // nil for null
	places   []int      // of a union's branches in its struct
	symbols  []data.Value
}

// emptyItems is how many records and items of arrays may have no bytes at all: they
// are the only values whose number the length of what is read does not bound.
const emptyItems = 1 << 16

var (
	errShort  = errors.New("the record ends early")
	errLength = errors.New("a length is negative or beyond the record's end")
	errVarint = errors.New("Invalid long encoding")
	errDecode = errors.New("the record nests too deeply")
)

// reader reads one record. Strings and bytes of the result share its bytes.
type reader struct {
	arena *data.Arena
	b     []byte
	at    int // what is before it has been read; cutting b off would cost a write barrier each time
	depth int
	empty int // items without bytes so far
}

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) long() (int64, error) {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		u := r.b[r.at]
		r.at++
		return int64(u>>1) ^ -int64(u&1), nil
	}
	v, n := binary.Varint(r.b[r.at:])
	switch {
	case n > 0:
		r.at += n
		return v, nil
	case n == 0:
		return 0, errShort
	}
	return 0, errVarint
}

func (r *reader) int() (int64, error) {
	v, err := r.long()
	if err == nil && v != int64(int32(v)) { //nolint:gosec // that is the question
		return 0, errors.New("Invalid int encoding")
	}
	return v, err
}

// take returns the next n bytes, which share the record.
func (r *reader) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(r.left()) {
		return nil, errLength
	}
	from := r.at
	r.at += int(n)
	return r.b[from:r.at:r.at], nil
}

func (r *reader) bytes() ([]byte, error) {
	n, err := r.long()
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

func (r *reader) text() (data.Value, error) {
	b, err := r.bytes()
	if err != nil {
		return data.Null, err
	}
	if !utf8.Valid(b) {
		return data.OfString(javatext.DecodeUTF8(b)), nil
	}
	return data.OfText(b), nil
}

func (r *reader) decode(d *decoder) (data.Value, error) {
	switch d.op {
	case decNull:
		return data.Null, nil
	case decInt:
		n, err := r.int()
		if err != nil {
			return data.Null, err
		}
		return intValue(d.schema, n)
	case decLong:
		n, err := r.long()
		if err != nil {
			return data.Null, err
		}
		return intValue(d.schema, n)
	case decPlainLong:
		n, err := r.long()
		return data.OfInt64(n), err
	case decPlainInt:
		n, err := r.int()
		return data.OfInt32(int32(n)), err //nolint:gosec // int has looked
	case decString:
		return r.text()
	case decBytes:
		b, err := r.bytes()
		return data.OfBytes(b), err
	case decBoolean:
		b, err := r.take(1)
		if err != nil {
			return data.Null, errShort
		}
		return data.OfBool(b[0] == 1), nil
	case decFloat:
		b, err := r.take(4)
		if err != nil {
			return data.Null, errShort
		}
		return data.OfFloat32(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
	case decDouble:
		b, err := r.take(8)
		if err != nil {
			return data.Null, errShort
		}
		return data.OfFloat64(math.Float64frombits(binary.LittleEndian.Uint64(b))), nil
	case decFixed:
		b, err := r.take(int64(d.size))
		return data.OfBytes(b), err
	case decDecimal, decFixedDecimal:
		return r.decimal(d)
	case decEnum:
		n, err := r.long()
		if err != nil {
			return data.Null, err
		}
		if n < 0 || n >= int64(len(d.symbols)) {
			return data.Null, fmt.Errorf("symbol %d of an enum of %d", n, len(d.symbols))
		}
		return d.symbols[n], nil
	}
	if r.depth++; r.depth > schema.MaxDepth {
		return data.Null, errDecode
	}
	v, err := r.composite(d)
	r.depth--
	return v, err
}

func (r *reader) decimal(d *decoder) (data.Value, error) {
	var b []byte
	var err error
	if d.op == decFixedDecimal {
		b, err = r.take(int64(d.size))
	} else {
		b, err = r.bytes()
	}
	if err != nil {
		return data.Null, err
	}
	n, err := data.DecimalFromUnscaled(b, d.scale)
	if err != nil {
		return data.Null, err
	}
	return data.OfDecimal(n), nil
}

func (r *reader) composite(d *decoder) (data.Value, error) {
	switch d.op {
	case decStruct:
		if d.min == 0 {
			if r.empty++; r.empty > emptyItems {
				return data.Null, errLength
			}
		}
		st, vals := r.arena.Struct(d.schema)
		return data.OfStruct(st), r.fields(d, vals)
	case decNullable, decUnion:
		i, err := r.long()
		if err != nil {
			return data.Null, err
		}
		if i < 0 || i >= int64(len(d.branches)) {
			return data.Null, fmt.Errorf("branch %d of a union of %d", i, len(d.branches))
		}
		b := d.branches[i]
		if b == nil || d.op == decNullable {
			if b == nil {
				return data.Null, nil
			}
			return r.decode(b)
		}
		st, vals := r.arena.Struct(d.schema)
		vals[d.places[i]], err = r.decode(b)
		return data.OfStruct(st), err
	case decArray:
		return r.array(d)
	case decMap, decEntries:
		return r.entries(d)
	}
	return r.anything()
}

// fields reads the fields of a record into as many slots, which are null. What most
// fields are is read here, without a call more.
func (r *reader) fields(d *decoder, vals []data.Value) (err error) {
	for i, f := range d.fields {
		if f.op == decNullable && r.at < len(r.b) {
			// The first two branches are a byte of 0 or 2; decode takes any other.
			if b := r.b[r.at]; b&0x81 == 0 && int(b>>1) < len(f.branches) {
				r.at++
				if f = f.branches[b>>1]; f == nil {
					continue
				}
			}
		}
		switch f.op {
		case decString:
			vals[i], err = r.text()
		case decPlainLong:
			var n int64
			n, err = r.long()
			vals[i] = data.OfInt64(n)
		default:
			vals[i], err = r.decode(f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) array(d *decoder) (data.Value, error) {
	var out []data.Value
	for {
		n, err := r.block(d.elem.min)
		if err != nil || n == 0 {
			return data.OfArray(out), err
		}
		if out == nil && d.elem.min > 0 {
			out = r.arena.Values(n)[:0]
		}
		for range n {
			from := r.at
			v, err := r.decode(d.elem)
			if err == nil {
				err = r.item(from)
			}
			if err != nil {
				return data.Null, err
			}
			out = append(out, v)
		}
	}
}

func (r *reader) entries(d *decoder) (data.Value, error) {
	var out []data.MapEntry
	for {
		n, err := r.block(d.key.min + d.elem.min)
		if err != nil {
			return data.Null, err
		}
		if n == 0 {
			return data.OfMap(data.MapOf(out)), nil
		}
		if out == nil {
			out = make([]data.MapEntry, 0, min(n, r.left()+1))
		}
		for range n {
			from := r.at
			k, err := r.decode(d.key)
			if err != nil {
				return data.Null, err
			}
			v, err := r.decode(d.elem)
			if err == nil {
				err = r.item(from)
			}
			if err != nil {
				return data.Null, err
			}
			out = append(out, data.MapEntry{Key: k, Value: v})
		}
	}
}

// block reads how many items the next block of an array or a map has, 0 at the end.
// They are no more than the bytes that are left allow: a length is a claim.
func (r *reader) block(minItem int) (int, error) {
	n, err := r.long()
	if err != nil || n == 0 {
		return 0, err
	}
	if n < 0 {
		if n == math.MinInt64 {
			return 0, errLength
		}
		n = -n
		if _, err := r.long(); err != nil { // the block's size, for those who skip it
			return 0, err
		}
	}
	if minItem > 0 && n > int64(r.left()/minItem) || n > emptyItems && minItem == 0 {
		return 0, errLength
	}
	return int(n), nil
}

// item counts an item without bytes; from is where it began.
func (r *reader) item(from int) error {
	if r.at == from {
		if r.empty++; r.empty > emptyItems {
			return errLength
		}
	}
	return nil
}

// anything reads a value without a schema: the first field that is set is it.
func (r *reader) anything() (data.Value, error) {
	out := data.Null
	for i, d := range anyFields {
		n, err := r.long()
		if err != nil {
			return data.Null, err
		}
		switch n {
		case 0:
		case 1:
			v, err := r.decode(d)
			if err != nil {
				return data.Null, err
			}
			if out.IsNull() {
				out = v
			}
		default:
			return data.Null, fmt.Errorf("branch %d of the field %s", n, anything.Fields[i].Name)
		}
	}
	return out, nil
}

var (
	anyDecoder = &decoder{op: decAnything, min: len(anything.Fields)}
	anyFields  []*decoder
)

func init() { // the decoder contains itself
	anyFields = []*decoder{{op: decBoolean}, {op: decBytes}, {op: decDouble}, {op: decFloat}, {op: decInt, schema: data.Int32Schema},
		{op: decLong, schema: data.Int64Schema}, {op: decString}, {op: decArray, elem: anyDecoder}, {op: decEntries, key: anyDecoder, elem: anyDecoder}}
}

// decodeRecord reads one record, whose values are of the arena, and returns what
// follows it, which Java ignores.
func decodeRecord(d *decoder, b []byte, arena *data.Arena) (v data.Value, rest []byte, err error) {
	arena.Begin(len(b))
	r := reader{arena: arena, b: b}
	v, err = r.decode(d)
	return v, r.b[r.at:], err
}
