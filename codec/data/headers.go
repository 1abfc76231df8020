package data

import "iter"

// Header is one header of a record.
type Header struct {
	Key    string
	Schema *Schema
	Value  Value
}

// HeaderKey is what a header has in common with those of other records.
type HeaderKey struct {
	Key    string
	Schema *Schema
}

// headerKeys are the keys and schemas of a record's headers, in order. They are never
// written. nil stands for none.
type headerKeys struct{ list []HeaderKey }

func (k *headerKeys) all() []HeaderKey {
	if k == nil {
		return nil
	}
	return k.list
}

// Headers is an ordered list; keys may repeat. It is shared between records and
// never written: what changes headers makes a new list. The zero Headers is empty.
//
// Keys and schemas stand apart from the values: records whose headers were made alike
// share them, as structs share a schema, and what a transform makes of them is worked
// out once. A list holds its values by pointers to where they lie, be it in another
// list or in a struct, so that a changed list costs eight bytes a header.
//
// With and Without are for those who change a header now and then; a stage that does
// so with each record has a [HeaderAdder], a [HeaderDropper] or a [HeaderMaker].
type Headers struct {
	keys *headerKeys
	vals []*Value // one a key
}

// NewHeaders returns the list of the given headers.
func NewHeaders(hs ...Header) Headers { return Headers{}.With(hs...) }

// Len returns the number of headers.
func (hs Headers) Len() int { return len(hs.vals) }

// At returns header i.
func (hs Headers) At(i int) Header {
	k := &hs.keys.list[i]
	return Header{Key: k.Key, Schema: k.Schema, Value: *hs.vals[i]}
}

// All returns the headers in order.
func (hs Headers) All() iter.Seq[Header] {
	return func(yield func(Header) bool) {
		for i := range hs.vals {
			if !yield(hs.At(i)) {
				return
			}
		}
	}
}

// Last returns the last header called key.
func (hs Headers) Last(key string) (Header, bool) {
	for i := len(hs.vals) - 1; i >= 0; i-- {
		if hs.keys.list[i].Key == key {
			return hs.At(i), true
		}
	}
	return Header{}, false
}

// With returns the headers with h appended.
func (hs Headers) With(h ...Header) Headers {
	if len(h) == 0 {
		return hs
	}
	n := len(hs.vals)
	out := Headers{keys: &headerKeys{make([]HeaderKey, n+len(h))}, vals: make([]*Value, n+len(h))}
	copy(out.keys.list, hs.keys.all())
	copy(out.vals, hs.vals)
	vals := make([]Value, len(h))
	for i := range h {
		vals[i] = h[i].Value
		out.keys.list[n+i], out.vals[n+i] = HeaderKey{h[i].Key, h[i].Schema}, &vals[i]
	}
	return out
}

// Without returns the headers without those that drop accepts; hs itself when
// there are none.
func (hs Headers) Without(drop func(key string) bool) Headers {
	return NewHeaderDropper(drop).Drop(hs)
}

// recentKeys is how many different lists of keys a stage remembers.
const recentKeys = 8

// keysCache remembers what was made of keys. Those that are met again by their pointer
// cost one comparison; equal ones behind another pointer find the same entry.
type keysCache[T any] struct {
	recent []keysEntry[T]
	at     int // what was found last
	oldest int
}

type keysEntry[T any] struct {
	keys *headerKeys
	made T
}

// get returns what was made of k, nil if nothing was.
func (c *keysCache[T]) get(k *headerKeys) *keysEntry[T] {
	if c.at < len(c.recent) && c.recent[c.at].keys == k {
		return &c.recent[c.at]
	}
	return c.find(k.all())
}

func (c *keysCache[T]) find(list []HeaderKey) *keysEntry[T] {
	for n, i := 0, c.at; n < len(c.recent); n, i = n+1, (i+1)%len(c.recent) {
		if sameKeys(c.recent[i].keys.all(), list) {
			c.at = i
			return &c.recent[i]
		}
	}
	return nil
}

func (c *keysCache[T]) put(k *headerKeys, made T) *keysEntry[T] {
	if len(c.recent) < recentKeys {
		c.recent = append(c.recent, keysEntry[T]{})
		c.at = len(c.recent) - 1
	} else {
		c.at, c.oldest = c.oldest, (c.oldest+1)%recentKeys
	}
	c.recent[c.at] = keysEntry[T]{k, made}
	return &c.recent[c.at]
}

// sameKeys tells schemas apart by their pointers.
func sameKeys(a, b []HeaderKey) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Schema != b[i].Schema || a[i].Key != b[i].Key {
			return false
		}
	}
	return true
}
