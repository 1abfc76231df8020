package schema

import (
	"strconv"

	"github.com/troupeio/troupe/codec/data"
)

// printer writes schemas as Java's Avro does: a named type in full where it comes
// first, by its name afterwards. What comes later under the name may differ in what
// Connect keeps there, such as its documentation: that is lost, as in Java since
// Avro 1.12.
type printer struct {
	names map[string]*Schema
	space string
}

// Print returns the text of a schema, in which it is registered.
func (s *Schema) Print() (string, error) {
	p := &printer{names: make(map[string]*Schema)}
	b, err := p.append(nil, s)
	return string(b), err
}

func (p *printer) append(dst []byte, s *Schema) ([]byte, error) {
	switch {
	case s.Type == Union:
		dst = append(dst, '[')
		var err error
		for i, b := range s.Branches {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = p.append(dst, b); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case s.Type.Named():
		return p.appendNamed(dst, s)
	case s.Type <= String && len(s.Props) == 0:
		return appendQuoted(dst, s.Type.String()), nil
	}
	dst = appendQuoted(append(dst, `{"type":`...), s.Type.String())
	var err error
	switch s.Type {
	case Array:
		dst, err = p.append(append(dst, `,"items":`...), s.Elem)
	case Map:
		dst, err = p.append(append(dst, `,"values":`...), s.Elem)
	}
	return append(appendProps(dst, s.Props), '}'), err
}

func appendProps(dst []byte, props Object) []byte {
	for _, m := range props {
		dst = append(appendQuoted(append(dst, ','), m.Key), ':')
		dst = AppendJSON(dst, m.Value)
	}
	return dst
}

func (p *printer) appendNamed(dst []byte, s *Schema) ([]byte, error) {
	if was, ok := p.names[s.FullName()]; ok {
		if !alike(was, s) {
			return dst, data.Errorf("Can't redefine: %s", s.FullName())
		}
		if s.Namespace == p.space {
			return appendQuoted(dst, s.Name), nil
		}
		if near := p.space + "." + s.Name; s.Namespace == "" && p.names[near] != nil {
			return dst, data.Errorf("%s would be read as %s: Avro has no way to name it there", s.Name, near)
		}
		return appendQuoted(dst, s.FullName()), nil
	}
	p.names[s.FullName()] = s
	dst = appendQuoted(append(dst, `{"type":`...), s.Type.String())
	dst = appendQuoted(append(dst, `,"name":`...), s.Name)
	if s.Namespace != p.space {
		dst = appendQuoted(append(dst, `,"namespace":`...), s.Namespace)
	}
	if s.HasDoc {
		dst = appendQuoted(append(dst, `,"doc":`...), s.Doc)
	}
	saved := p.space
	p.space = s.Namespace
	var err error
	switch s.Type {
	case Fixed:
		dst = strconv.AppendInt(append(dst, `,"size":`...), int64(s.Size), 10)
	case Enum:
		dst = appendTexts(append(dst, `,"symbols":`...), s.Symbols)
		if s.Symbol != "" {
			dst = appendQuoted(append(dst, `,"default":`...), s.Symbol)
		}
	case Record:
		dst = append(dst, `,"fields":[`...)
		for i := range s.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = p.appendField(dst, &s.Fields[i]); err != nil {
				return dst, err
			}
		}
		dst = append(dst, ']')
	}
	p.space = saved
	return append(appendProps(dst, s.Props), '}'), nil
}

func appendTexts(dst []byte, texts []string) []byte {
	dst = append(dst, '[')
	for i, t := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, t)
	}
	return append(dst, ']')
}

func (p *printer) appendField(dst []byte, f *Field) ([]byte, error) {
	dst = appendQuoted(append(dst, `{"name":`...), f.Name)
	dst, err := p.append(append(dst, `,"type":`...), f.Schema)
	if err != nil {
		return dst, err
	}
	if f.HasDoc {
		dst = appendQuoted(append(dst, `,"doc":`...), f.Doc)
	}
	if f.HasDefault {
		dst = AppendJSON(append(dst, `,"default":`...), f.Default)
	}
	if f.Order != "" && f.Order != "ascending" {
		dst = appendQuoted(append(dst, `,"order":`...), f.Order)
	}
	if len(f.Aliases) > 0 {
		dst = appendTexts(append(dst, `,"aliases":`...), f.Aliases)
	}
	return append(appendProps(dst, f.Props), '}'), nil
}
