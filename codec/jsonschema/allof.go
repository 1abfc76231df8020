package jsonschema

import (
	"sort"

	"github.com/troupeio/troupe/codec/data"
)

// allOf makes one schema of the parts of an allOf: a struct of all their
// properties, or else the one part that says the most.
func (r *reader) allOf(s *schema, version int32, optional bool) (*data.Schema, error) {
	last := map[kind]*schema{}
	props := properties{l: r.l, seen: map[*schema]bool{}, props: map[string]*schema{}, required: map[string]bool{}}
	for _, sub := range s.subs {
		last[sub.kind] = sub
		if err := props.collect(sub, 0); err != nil {
			return nil, err
		}
	}
	if len(props.names) > 0 {
		b := data.NewStructSchema().SetOptional(optional)
		r.around[s] = around{schema: b}
		defer delete(r.around, s)
		for _, name := range props.names {
			if err := r.field(b, name, props.props[name], props.required[name]); err != nil {
				return nil, err
			}
		}
		return b.Build()
	}
	text, num := last[stringKind], last[numberKind]
	switch {
	case last[combinedKind] != nil:
		return r.connect(last[combinedKind], version, optional)
	case last[constKind] != nil && text != nil:
		return r.connect(text, version, optional)
	case last[constKind] != nil && num != nil:
		return r.connect(num, version, optional)
	case last[constKind] != nil:
	case last[enumKind] != nil && text != nil:
		return r.connect(last[enumKind], version, optional)
	case last[enumKind] != nil && num != nil:
		return r.connect(num, version, optional)
	case last[enumKind] != nil:
	case text != nil && num != nil: // a number with a format
		return r.connect(num, version, optional)
	case text != nil:
		return r.connect(text, version, optional)
	case last[refKind] != nil:
		return r.reference(last[refKind], version, optional)
	}
	return nil, data.Errorf("Unsupported criterion allOf for %s", jsonText(s.raw))
}

// properties collects those of the parts of an allOf.
type properties struct {
	l        *loader
	seen     map[*schema]bool
	names    []string // in the order in which they were met
	props    map[string]*schema
	required map[string]bool
}

func (p *properties) collect(s *schema, depth int) error {
	if p.seen[s] || depth > maxSchemaDepth {
		return nil
	}
	p.seen[s] = true
	switch {
	case s.kind == combinedKind && s.criterion == "allOf":
		for _, sub := range s.subs {
			if err := p.collect(sub, depth+1); err != nil {
				return err
			}
		}
	case s.kind == objectKind:
		names := make([]string, 0, len(s.props))
		for name := range s.props {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range hashOrder(names, defaultTable(len(names))) {
			if _, known := p.props[name]; !known {
				p.names = append(p.names, name)
			}
			p.props[name], p.required[name] = s.props[name], s.required[name]
		}
	case s.kind == refKind:
		to, err := p.l.resolve(s)
		if err != nil {
			return err
		}
		return p.collect(to, depth+1)
	}
	return nil
}
