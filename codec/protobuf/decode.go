package protobuf

import (
	"errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// errWire is the error of bytes that are no message.
var errWire = data.Errorf("Protocol message is not well-formed: it ends too early, or has an invalid tag or length")

var errUTF8 = data.Errorf("Protocol message had invalid UTF-8.")

// decoder reads the records of one message: a struct, or a wrapper that stands
// for what it holds.
type decoder struct {
	msg     *decMessage
	wrapped *decField
	run     *run
}

// read reads a record. Strings of the result share b.
func (d *decoder) read(b []byte) (data.Value, error) {
	if d.wrapped != nil {
		return d.wrapped.unwrap(b)
	}
	*d.run = run{depth: 1, most: maxJoined * len(b)}
	return d.msg.read(d.msg.schema, b)
}

// decMessage is a message compiled for reading: what is done with each number. It
// may contain itself. What it makes is bounded by the length of the bytes.
type decMessage struct {
	schema   *data.Schema
	run      *run
	again    bool         // it contains itself
	defaults []data.Value // of fields that aren't there, by slot
	dense    []*decField  // by number, the small ones
	byNumber map[protowire.Number]*decField
	lists    int // fields that have several values
}

const denseNumbers = 64

type decField struct {
	kind     protoreflect.Kind
	typ      data.Type
	logical  data.Logical
	schema   *data.Schema // of the value; of an element where there are several
	slot     int
	member   int // of a union: which of its fields, else negative
	union    *data.Schema
	oneof    protoreflect.OneofDescriptor
	number   protowire.Number
	repeated bool
	isMap    bool
	list     int
	utf8     bool
	enum     map[protoreflect.EnumNumber]data.Value
	enumName string
	msg      *decMessage
	wrapped  *decField

	key, val               *decField
	keyNumber, valNumber   protowire.Number
	keyDefault, valDefault data.Value // of scalars
}

func (p *decMessage) add(fd protoreflect.FieldDescriptor, f *decField) {
	f.number = fd.Number()
	if f.repeated || f.isMap {
		f.list = p.lists
		p.lists++
	}
	if fd.Number() < denseNumbers {
		for len(p.dense) <= int(fd.Number()) {
			p.dense = append(p.dense, nil)
		}
		p.dense[fd.Number()] = f
		return
	}
	p.byNumber[fd.Number()] = f
}

func (p *decMessage) field(n protowire.Number) *decField {
	if int(n) < len(p.dense) {
		return p.dense[n]
	}
	if n < denseNumbers {
		return nil
	}
	return p.byNumber[n]
}

// nested is read for a message that contains itself and stands in another.
func (p *decMessage) nested(s *data.Schema, b []byte) (data.Value, error) {
	if p.run.depth == maxNesting {
		return data.Null, errDepth
	}
	p.run.depth++
	v, err := p.read(s, b)
	p.run.depth--
	return v, err
}

func (p *decMessage) read(s *data.Schema, b []byte) (data.Value, error) {
	st, vals := data.AllocStruct(s)
	copy(vals, p.defaults)
	var lists [][]data.Value
	var merged map[protowire.Number]data.Value
	whole := b
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n < 0 {
			return data.Null, errWire
		}
		b = b[n:]
		f := p.field(num)
		if f == nil || !f.takes(typ) {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return data.Null, errWire
			}
			b = b[n:]
			continue
		}
		var v data.Value
		var err error
		if f.repeated || f.isMap {
			if lists == nil {
				lists = make([][]data.Value, p.lists)
			}
			if lists[f.list], n, err = f.readList(lists[f.list], typ, b); err != nil {
				return data.Null, err
			}
			b = b[n:]
			continue
		}
		if f.isMessage() && f.there(vals) {
			// A message that is there twice is one, of the fields of both.
			v, known := merged[num]
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return data.Null, errWire
			}
			if !known {
				if v, err = p.merge(f, whole); err != nil {
					return data.Null, err
				}
				if merged == nil {
					merged = map[protowire.Number]data.Value{}
				}
				merged[num] = v
			}
			p.put(f, vals, v)
			b = b[n:]
			continue
		}
		if v, n, err = f.readOne(typ, b); err != nil {
			return data.Null, err
		}
		b = b[n:]
		p.put(f, vals, v)
	}
	for i := range lists {
		if lists[i] != nil {
			p.finish(i, vals, lists[i])
		}
	}
	return data.OfStruct(st), nil
}

// put sets a value, and clears the other members of its oneof.
func (p *decMessage) put(f *decField, vals []data.Value, v data.Value) {
	if f.union != nil {
		u, members := data.AllocStruct(f.union)
		members[f.member] = v
		vals[f.slot] = data.OfStruct(u)
		return
	}
	if f.oneof != nil {
		for i := range f.oneof.Fields().Len() {
			vals[p.field(f.oneof.Fields().Get(i).Number()).slot] = data.Null
		}
	}
	vals[f.slot] = v
}

// there reports whether a value of a message was read before. A default counts:
// it is what the message would be merged with.
func (f *decField) there(vals []data.Value) bool {
	v := vals[f.slot]
	if f.union == nil || v.IsNull() {
		return !v.IsNull()
	}
	return !v.Struct().At(f.member).IsNull()
}

// merge reads all the places where a message stands as one.
func (p *decMessage) merge(f *decField, b []byte) (data.Value, error) {
	var all []byte
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n < 0 {
			return data.Null, errWire
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return data.Null, errWire
		}
		if other := p.field(num); num == f.number && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b[n:])
			if !wellFormed(v) { // by itself: the next part must not complete it
				return data.Null, errWire
			}
			all = append(all, v...)
		} else if other != nil && f.oneof != nil && other.oneof == f.oneof && other.takes(typ) {
			// Another member has taken the place. What it took it from has to be
			// a message all the same.
			if _, err := p.joined(f, all); isOfWire(err) {
				return data.Null, err
			}
			all = nil
		}
		b = b[n+size:]
	}
	return p.joined(f, all)
}

// isOfWire reports whether an error is about the bytes, whatever they mean.
func isOfWire(err error) bool {
	return errors.Is(err, errWire) || errors.Is(err, errUTF8) || errors.Is(err, errDepth) || errors.Is(err, errParts)
}

// joined reads a message whose parts have been put together. The first of them was
// read before, and so on inside: without a bound the work would double at each level.
func (p *decMessage) joined(f *decField, b []byte) (data.Value, error) {
	if p.run.joined += len(b); p.run.joined > p.run.most {
		return data.Null, errParts
	}
	return f.message(b)
}

func wellFormed(b []byte) bool {
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return false
		}
		b = b[n+size:]
	}
	return true
}

func (p *decMessage) finish(list int, vals []data.Value, elems []data.Value) {
	for _, fields := range [][]*decField{p.dense, p.sparse()} {
		for _, f := range fields {
			switch {
			case f == nil || f.list != list || !f.repeated && !f.isMap:
			case f.isMap:
				entries := make([]data.MapEntry, len(elems)/2)
				for i := range entries {
					entries[i] = data.MapEntry{Key: elems[2*i], Value: elems[2*i+1]}
				}
				vals[f.slot] = data.OfMap(data.MapOf(entries))
			default:
				vals[f.slot] = data.OfArray(elems)
			}
		}
	}
}

func (p *decMessage) sparse() []*decField {
	out := make([]*decField, 0, len(p.byNumber))
	for _, f := range p.byNumber {
		out = append(out, f)
	}
	return out
}
