package data

import "strings"

// HeaderAdder appends headers of the same keys and schemas to the headers of many
// records. It is not safe for concurrent use.
type HeaderAdder struct {
	add  []HeaderKey
	made keysCache[*headerKeys]
	refs Chunks[*Value]
}

// NewHeaderAdder returns an adder of headers with the given keys.
func NewHeaderAdder(keys ...HeaderKey) *HeaderAdder { return &HeaderAdder{add: keys} }

// Extend returns hs with the adder's headers, and the places of their values, which
// the caller sets before it shows the list to anybody. What they point at is never
// written afterwards.
func (a *HeaderAdder) Extend(hs Headers) (out Headers, added []*Value) {
	e := a.made.get(hs.keys)
	if e == nil {
		list := append(make([]HeaderKey, 0, len(hs.vals)+len(a.add)), hs.keys.all()...)
		e = a.made.put(hs.keys, &headerKeys{append(list, a.add...)})
	}
	n := len(hs.vals)
	vals := a.refs.Take(n + len(a.add))
	copy(vals, hs.vals)
	return Headers{e.made, vals}, vals[n:]
}

// HeaderDropper drops headers by their keys. It is not safe for concurrent use.
type HeaderDropper struct {
	drop func(key string) bool
	made keysCache[dropped]
	refs Chunks[*Value]
}

// dropped is what is left of keys.
type dropped struct {
	keys     *headerKeys
	from, to int   // of the original, when what is left is in one piece
	kept     []int // otherwise
}

// NewHeaderDropper returns a dropper of the headers that drop accepts. It is asked
// once about keys that come again.
func NewHeaderDropper(drop func(key string) bool) *HeaderDropper { return &HeaderDropper{drop: drop} }

// Drop returns the headers that are left of hs; hs itself when none is dropped.
func (d *HeaderDropper) Drop(hs Headers) Headers {
	if len(hs.vals) == 0 {
		return hs
	}
	e := d.made.get(hs.keys)
	if e == nil {
		e = d.made.put(hs.keys, d.plan(hs.keys))
	}
	p := &e.made
	if p.kept == nil { // the list is shared: nobody writes to it, nor behind its end
		return Headers{p.keys, hs.vals[p.from:p.to:p.to]}
	}
	vals := d.refs.Take(len(p.kept))
	for i, from := range p.kept {
		vals[i] = hs.vals[from]
	}
	return Headers{p.keys, vals}
}

func (d *HeaderDropper) plan(k *headerKeys) dropped {
	var list []HeaderKey
	var kept []int
	for i, key := range k.list {
		if !d.drop(key.Key) {
			list, kept = append(list, key), append(kept, i)
		}
	}
	switch n := len(kept); {
	case n == 0:
		return dropped{}
	case n == len(k.list):
		return dropped{keys: k, to: n}
	case kept[n-1]-kept[0] == n-1:
		return dropped{keys: &headerKeys{list}, from: kept[0], to: kept[0] + n}
	}
	return dropped{keys: &headerKeys{list}, kept: kept}
}

// HeaderMaker makes the headers of many records, one list at a time: call Begin, Add
// for each header, and Make. It is not safe for concurrent use.
type HeaderMaker struct {
	keys  []HeaderKey // of the list that is being made, as its values
	vals  []*Value
	known keysCache[struct{}]

	values Chunks[Value]
	refs   Chunks[*Value]
}

// Begin begins with the headers of hs.
func (m *HeaderMaker) Begin(hs Headers) {
	m.keys, m.vals = append(m.keys[:0], hs.keys.all()...), append(m.vals[:0], hs.vals...)
}

// Add appends a header.
func (m *HeaderMaker) Add(h Header) {
	v := &m.values.Take(1)[0]
	*v = h.Value
	m.keys, m.vals = append(m.keys, HeaderKey{h.Key, h.Schema}), append(m.vals, v)
}

// Make returns the list.
func (m *HeaderMaker) Make() Headers {
	if len(m.vals) == 0 {
		return Headers{}
	}
	e := m.known.find(m.keys)
	if e == nil {
		k := &headerKeys{append([]HeaderKey(nil), m.keys...)}
		for i := range k.list { // the text may lie in a buffer that is large
			k.list[i].Key = strings.Clone(k.list[i].Key)
		}
		e = m.known.put(k, struct{}{})
	}
	vals := m.refs.Take(len(m.vals))
	copy(vals, m.vals)
	clear(m.vals)
	return Headers{e.keys, vals}
}
