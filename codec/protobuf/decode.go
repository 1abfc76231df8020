package protobuf

import (
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
	d.run.begin(len(b))
	return d.msg.read(d.msg.schema, b)
}

// decMessage is a message compiled for reading: what is done with each number. It
// may contain itself. What it makes is bounded by the length of the bytes.
type decMessage struct {
	schema   *data.Schema
	run      *run
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
	run                    *run       // of a map
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

// read reads a message, which may be in a message of its own type.
func (p *decMessage) read(s *data.Schema, b []byte) (data.Value, error) {
	if p.run.depth == maxNesting {
		return data.Null, errDepth
	}
	p.run.depth++
	v, err := p.fields(s, b)
	p.run.depth--
	return v, err
}

func (p *decMessage) fields(s *data.Schema, b []byte) (data.Value, error) {
	st, vals := data.AllocStruct(s)
	copy(vals, p.defaults)
	var lists [][]data.Value
	base := len(p.run.parts)
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
		if f.oneof != nil && len(p.run.parts) > base {
			if err := p.run.displace(f, base); err != nil {
				return data.Null, err
			}
		}
		if f.isMessage() {
			// It is read when all of it is known: a message that is there twice is
			// one, of the fields of both.
			part, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return data.Null, errWire
			}
			if err := p.run.add(f, part, base); err != nil {
				return data.Null, err
			}
			b = b[n:]
			continue
		}
		var v data.Value
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
	for i, end := base, len(p.run.parts); i < end; i++ {
		f := p.run.parts[i].f
		v, err := f.message(p.run.parts[i].b)
		if err != nil {
			return data.Null, err
		}
		p.put(f, vals, v)
	}
	p.run.cut(base)
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
