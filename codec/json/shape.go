package json

import (
	"encoding/binary"

	"github.com/troupeio/troupe/codec/data"
)

// shape is a member of objects that were read before, in the place that it has
// after the members before it. Records of a topic mostly have the same members
// in the same order: they are told by comparing bytes, no two of them are equal
// by then, and their maps share one set of keys.
//
// Shapes are a tree: a shape's root stands for an object of which nothing is
// read yet.
type shape struct {
	member []byte // the name in quotation marks and a colon, where it has no escapes
	first  uint64 // the first eight bytes of member, as much as there is
	mask   uint64 // of first
	last   uint64 // of a longer member, its last eight bytes
	name   string
	before *shape // nil: this is a root
	count  int    // of members, this one included

	next   *shape   // the member that came next the last time
	others []*shape // other members that came next
	inner  *shape   // the root for the objects that are in this member's value

	keys *data.MapKeys // of the objects that end with this member
}

// Bounds of what a converter remembers. Objects beyond them are read all the
// same, each with keys of its own.
const (
	maxShapes    = 4096    // members, and keys in maps' keys
	maxBranches  = 8       // members that may follow one: with more, names are data
	maxMembers   = 128     // of an object
	maxMember    = 64      // bytes of a name
	forgetMisses = 1 << 16 // objects that are too many: the topic's shapes may have changed
)

// shapes says how much is remembered.
type shapes struct {
	top    shape // of the documents without a schema
	used   int
	misses int // objects that were too many
	era    int // which changes when all is forgotten
}

// take asks for room for n more.
func (s *shapes) take(n int) bool {
	if s.used+n > maxShapes {
		s.miss()
		return false
	}
	s.used += n
	return true
}

// miss counts an object that was too much. After many everything is forgotten.
func (s *shapes) miss() {
	if s.misses++; s.misses >= forgetMisses {
		*s = shapes{era: s.era + 1}
	}
}

// rootOf returns the root for the objects in the value of a member, nil when
// there is no room.
func (s *shapes) rootOf(owner *shape) *shape {
	if owner.inner == nil && s.take(1) {
		owner.inner = &shape{}
	}
	return owner.inner
}

// of returns the shape that owns the objects of a map's schema.
func (s *shapes) of(d *decoder) *shape {
	if d.era != s.era {
		d.owner, d.era = shape{}, s.era
	}
	return &d.owner
}

// follow returns the member after sh that has this name, and learns it. It is nil
// when the object has to have keys of its own: where it has the name already, or
// what is remembered is full.
func (s *shapes) follow(sh *shape, name []byte) *shape {
	if n := sh.next; n != nil && n.name == string(name) {
		return n
	}
	for i, n := range sh.others {
		if n.name == string(name) {
			sh.next, sh.others[i] = n, sh.next
			return n
		}
	}
	if len(sh.others) >= maxBranches-1 {
		s.miss()
		return nil
	}
	if sh.count >= maxMembers || len(name) > maxMember || sh.has(name) || !s.take(1) {
		return nil
	}
	n := &shape{name: string(name), before: sh, count: sh.count + 1}
	if plainName(n.name) {
		n.member = []byte(`"` + n.name + `":`)
	} else {
		n.member = []byte{0} // is nowhere in JSON
	}
	var word [8]byte
	copy(word[:], n.member)
	n.first, n.mask = binary.LittleEndian.Uint64(word[:]), ^uint64(0)
	if size := len(n.member); size < 8 {
		n.mask >>= 64 - 8*size
	} else {
		n.last = binary.LittleEndian.Uint64(n.member[size-8:])
	}
	if sh.next != nil {
		sh.others = append(sh.others, sh.next)
	}
	sh.next = n
	return n
}

// is reports whether in begins with the member.
func (sh *shape) is(in []byte) bool {
	if len(in) < 8 || binary.LittleEndian.Uint64(in)&sh.mask != sh.first {
		return false
	}
	size := len(sh.member)
	if size <= 8 {
		return true
	}
	return size <= len(in) && binary.LittleEndian.Uint64(in[size-8:]) == sh.last && (size <= 16 || string(in[8:size-8]) == string(sh.member[8:size-8]))
}

// has reports whether a name is that of sh or of a member before it.
func (sh *shape) has(name []byte) bool {
	for ; sh.before != nil; sh = sh.before {
		if sh.name == string(name) {
			return true
		}
	}
	return false
}

// keysAt returns the keys of an object that ends with sh, nil when there is no
// room for them.
func (s *shapes) keysAt(sh *shape) *data.MapKeys {
	if sh.keys == nil && s.take(sh.count) {
		sh.keys = data.NewMapKeys(sh.names())
	}
	return sh.keys
}

func (sh *shape) names() []data.Value {
	names := make([]data.Value, sh.count)
	for ; sh.before != nil; sh = sh.before {
		names[sh.count-1] = data.OfString(sh.name)
	}
	return names
}
