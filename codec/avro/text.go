package avro

import (
	"strconv"

	"github.com/troupeio/troupe/codec/data"
)

// printer writes schemas as Java's Avro does: a named type in full where it comes
// first, by its name afterwards.
type printer struct {
	names  map[string]*schema
	space  string
	noDocs bool // for comparing: documentation does not make a type another
}

// print returns the text of a schema, in which it is registered.
func (s *schema) print() (string, error) {
	p := &printer{names: make(map[string]*schema)}
	b, err := p.append(nil, s)
	return string(b), err
}

// same reports whether two named types of one name are one type.
func same(a, b *schema) bool {
	if a == b {
		return true
	}
	p, q := &printer{names: make(map[string]*schema), noDocs: true}, &printer{names: make(map[string]*schema), noDocs: true}
	ta, errA := p.append(nil, a)
	tb, errB := q.append(nil, b)
	return errA == nil && errB == nil && string(ta) == string(tb)
}

func (p *printer) append(dst []byte, s *schema) ([]byte, error) {
	switch {
	case s.typ == tUnion:
		dst = append(dst, '[')
		var err error
		for i, b := range s.branches {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = p.append(dst, b); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case s.typ.named():
		return p.appendNamed(dst, s)
	case s.typ <= tString && len(s.props) == 0:
		return appendQuoted(dst, s.typ.String()), nil
	}
	dst = appendQuoted(append(dst, `{"type":`...), s.typ.String())
	var err error
	switch s.typ {
	case tArray:
		dst, err = p.append(append(dst, `,"items":`...), s.elem)
	case tMap:
		dst, err = p.append(append(dst, `,"values":`...), s.elem)
	}
	return append(appendProps(dst, s.props), '}'), err
}

func appendProps(dst []byte, props object) []byte {
	for _, m := range props {
		dst = append(appendQuoted(append(dst, ','), m.key), ':')
		dst = appendJSON(dst, m.val)
	}
	return dst
}

func (p *printer) appendNamed(dst []byte, s *schema) ([]byte, error) {
	if was, ok := p.names[s.fullName()]; ok {
		if !same(was, s) {
			return dst, data.Errorf("Can't redefine: %s", s.fullName())
		}
		if s.space == p.space {
			return appendQuoted(dst, s.name), nil
		}
		return appendQuoted(dst, s.fullName()), nil
	}
	p.names[s.fullName()] = s
	dst = appendQuoted(append(dst, `{"type":`...), s.typ.String())
	dst = appendQuoted(append(dst, `,"name":`...), s.name)
	if s.space != p.space {
		dst = appendQuoted(append(dst, `,"namespace":`...), s.space)
	}
	if s.hasDoc && !p.noDocs {
		dst = appendQuoted(append(dst, `,"doc":`...), s.doc)
	}
	saved := p.space
	p.space = s.space
	var err error
	switch s.typ {
	case tFixed:
		dst = strconv.AppendInt(append(dst, `,"size":`...), int64(s.size), 10)
	case tEnum:
		dst = append(dst, `,"symbols":[`...)
		for i, sym := range s.symbols {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(dst, sym)
		}
		dst = append(dst, ']')
		if s.symbol != "" {
			dst = appendQuoted(append(dst, `,"default":`...), s.symbol)
		}
	case tRecord:
		dst = append(dst, `,"fields":[`...)
		for i := range s.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = p.appendField(dst, &s.fields[i]); err != nil {
				return dst, err
			}
		}
		dst = append(dst, ']')
	}
	p.space = saved
	return append(appendProps(dst, s.props), '}'), nil
}

func (p *printer) appendField(dst []byte, f *field) ([]byte, error) {
	dst = appendQuoted(append(dst, `{"name":`...), f.name)
	dst, err := p.append(append(dst, `,"type":`...), f.schema)
	if err != nil {
		return dst, err
	}
	if f.hasDoc && !p.noDocs {
		dst = appendQuoted(append(dst, `,"doc":`...), f.doc)
	}
	if f.hasDef {
		dst = appendJSON(append(dst, `,"default":`...), f.def)
	}
	if f.order != "" && f.order != "ascending" {
		dst = appendQuoted(append(dst, `,"order":`...), f.order)
	}
	if f.alias != nil {
		dst = appendJSON(append(dst, `,"aliases":`...), f.alias)
	}
	return append(appendProps(dst, f.props), '}'), nil
}
