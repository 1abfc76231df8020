package protobuf

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupeio/troupe/codec/data"
)

// maxNesting bounds how deep the messages of a record are nested, read or written:
// the bytes decide it where a message contains itself. Avro's converter has the same
// bound. Java reads up to 100.
const maxNesting = 500

// maxJoined bounds how often the bytes of a record are copied because messages in it
// come in parts, one level around another.
const maxJoined = 16

var (
	errDepth = data.Errorf("Protocol message had too many levels of nesting: more than %d", maxNesting)
	errParts = data.Errorf("Protocol message had too many messages in parts, one in another")
)

// run is the state of reading one record, which the messages of a plan share.
type run struct {
	depth  int
	parts  []part // of the messages around and of this one, those that are still to be read
	joined int    // bytes that were copied so far
	most   int    // bytes that may be
}

// part is a message inside another, as far as it has come.
type part struct {
	f   *decField
	b   []byte
	own bool // b is a copy, which may be appended to
}

// begin prepares for a record of n bytes.
func (r *run) begin(n int) {
	r.cut(0)
	r.depth, r.joined, r.most = 0, 0, maxJoined*n
}

// cut forgets the parts from base on.
func (r *run) cut(base int) {
	clear(r.parts[base:])
	r.parts = r.parts[:base]
}

// add takes a part of the message in f.
func (r *run) add(f *decField, b []byte, base int) error {
	for i := base; i < len(r.parts); i++ {
		if p := &r.parts[i]; p.f == f {
			return r.join(p, b)
		}
	}
	r.parts = append(r.parts, part{f: f, b: b})
	return nil
}

// join appends to a part. Each of the two has to be well-formed by itself: what one
// of them lacks at its end, the other must not have at its begin.
func (r *run) join(p *part, b []byte) error {
	if !wellFormed(b) || !p.own && !wellFormed(p.b) {
		return errWire
	}
	r.joined += len(b)
	if !p.own {
		r.joined += len(p.b)
		p.b, p.own = p.b[:len(p.b):len(p.b)], true
	}
	if r.joined > r.most {
		return errParts
	}
	p.b = append(p.b, b...)
	return nil
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

// displace drops a message whose place in its oneof f takes. It has to be a message
// all the same.
func (r *run) displace(f *decField, base int) error {
	for i, end := base, len(r.parts); i < end; i++ {
		p := r.parts[i]
		if p.f == f || p.f.oneof != f.oneof {
			continue
		}
		switch _, err := p.f.message(p.b); err { //nolint:errorlint // they are returned as they are
		case errWire, errUTF8, errDepth, errParts:
			return err
		}
		r.cut(end) // what an error has left
		copy(r.parts[i:], r.parts[i+1:])
		r.cut(end - 1)
		return nil
	}
	return nil
}
