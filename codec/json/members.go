package json

import "github.com/troupeio/troupe/codec/data"

// any reads a value without a schema; owner is the shape in whose value it stands.
func (r *reader) any(owner *shape) (v data.Value, ok bool) {
	switch c := r.ws(); c {
	case '"':
		s, ok := r.str()
		return data.OfText(s), ok
	case '{':
		return r.object(nil, c, owner)
	case '[':
		return r.array(nil, c, owner)
	case 't':
		return data.OfBool(true), r.word("true")
	case 'f':
		return data.OfBool(false), r.word("false")
	case 'n':
		return data.Null, r.word("null")
	default:
		if c != '-' && (c < '0' || c > '9') || !r.number() {
			return v, false
		}
		switch {
		case r.small:
			return data.OfInt64(r.n), true
		case r.isInt:
			return data.OfInt64(wrapLong(r.lit())), true
		}
		return data.OfFloat64(r.float64()), true
	}
}

// array reads an array; owner is the shape in whose value it stands, where it has
// no schema.
func (r *reader) array(elem *decoder, c byte, owner *shape) (v data.Value, ok bool) {
	if c != '[' || r.depth >= maxDepth {
		return v, false
	}
	r.depth++
	r.pos++
	var vals pile
	if r.ws() != ']' {
		for {
			var e data.Value
			end := 0
			if elem == nil {
				e, end = plainValue(r.in, r.pos)
			}
			switch {
			case end > 0:
				r.pos, ok = end, true
			case elem == nil:
				e, ok = r.any(owner)
			default:
				e, ok = r.value(elem)
			}
			if !ok {
				return v, false
			}
			vals.push(r, e)
			if c := r.ws(); c == ']' {
				break
			} else if c != ',' {
				return v, false
			}
			r.pos++
		}
	}
	r.pos++
	r.depth--
	return data.OfArray(vals.take(r)), true
}

// object reads an object; owner is the shape in whose value it stands.
func (r *reader) object(elem *decoder, c byte, owner *shape) (v data.Value, ok bool) {
	if c != '{' || r.depth >= maxDepth {
		return v, false
	}
	r.depth++
	r.pos++
	sh := r.shapes.rootOf(owner)
	if r.ws() == '}' || sh == nil {
		return r.loose(elem, nil, sh, owner)
	}
	var vals pile
	pos := r.pos // stays out of memory for as long as the text is as it mostly is
	for {
		next := sh.next
		if next != nil && next.is(r.in[pos:]) {
			pos += len(next.member)
		} else {
			r.pos = pos
			name, ok := r.name()
			if !ok {
				return v, false
			}
			if next = r.shapes.follow(sh, name); next == nil {
				r.pos = pos
				return r.loose(elem, &vals, sh, owner)
			}
			pos = r.pos
		}
		sh = next
		var e data.Value
		end := 0
		if elem == nil {
			if e, end = plainValue(r.in, pos); end == 0 {
				r.pos = pos
				e, ok = r.any(sh)
			}
		} else {
			r.pos = pos
			e, ok = r.value(elem)
		}
		if end > 0 {
			pos = end
		} else if pos = r.pos; !ok {
			return v, false
		}
		vals.push(r, e)
		if pos+1 < len(r.in) && r.in[pos] == ',' && r.in[pos+1] == '"' {
			pos++
			continue
		}
		r.pos = pos
		if c := r.ws(); c == '}' {
			break
		} else if c != ',' {
			return v, false
		}
		r.pos++
		r.ws()
		pos = r.pos
	}
	keys := r.shapes.keysAt(sh)
	if keys == nil {
		return r.loose(elem, &vals, sh, owner)
	}
	r.pos++
	r.depth--
	return data.OfMap(r.arena.Map(keys, vals.take(r))), true
}

// few is how many values of an object or array have room on the stack while it is
// open.
const few = 16

// pile is the values of an object or array that is open. On the stack they cost
// the collector nothing; when they become more, all of them go to the reader's
// pile of values.
type pile struct {
	few  [few]data.Value
	n    int  // of few
	many bool // they are in the reader's
	base int  // and begin there
}

func (p *pile) push(r *reader, v data.Value) {
	if p.n < few {
		p.few[p.n] = v
		p.n++
		return
	}
	p.pushMany(r, v)
}

func (p *pile) pushMany(r *reader, v data.Value) {
	if !p.many {
		p.many, p.base = true, len(r.vals)
		r.vals = append(r.vals, p.few[:]...)
	}
	r.vals = append(r.vals, v)
}

// all returns the values. The slice is good until the next push.
func (p *pile) all(r *reader) []data.Value {
	if p.many {
		return r.vals[p.base:]
	}
	return p.few[:p.n]
}

// drop takes the values off the reader's.
func (p *pile) drop(r *reader) {
	if p.many {
		clear(r.vals[p.base:])
		r.vals = r.vals[:p.base]
	}
}

// take returns a copy of the values, which are done with.
func (p *pile) take(r *reader) []data.Value {
	vals := p.all(r)
	own := r.arena.Values(len(vals))
	for i := range own { // one by one: copy costs much more while the collector marks
		own[i] = vals[i]
	}
	p.drop(r)
	return own
}

// loose reads on in an object that has keys of its own: from the name of a
// member, or the brace at its end. Its members up to sh are read already.
func (r *reader) loose(elem *decoder, read *pile, sh, owner *shape) (v data.Value, ok bool) {
	from := len(r.pairs)
	if read != nil {
		vals := read.all(r)
		for i, name := range sh.names() {
			r.pairs = append(r.pairs, data.MapEntry{Key: name, Value: vals[i]})
		}
		read.drop(r)
		owner = sh // as good as any: what is within is alike for each of the names
	}
	if r.ws() != '}' {
		for {
			name, ok := r.name()
			if !ok {
				return v, false
			}
			var e data.Value
			if elem == nil {
				e, ok = r.any(owner)
			} else {
				e, ok = r.value(elem)
			}
			if !ok {
				return v, false
			}
			r.pairs = append(r.pairs, data.MapEntry{Key: data.OfText(name), Value: e})
			if c := r.ws(); c == '}' {
				break
			} else if c != ',' {
				return v, false
			}
			r.pos++
			r.ws()
		}
	}
	r.pos++
	r.depth--
	return r.take(from), true
}
