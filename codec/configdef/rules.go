package configdef

import "strings"

// Rule looks at settings together, and at what they name outside of the configuration,
// such as files. A setting that has an error of its own is null to it. What it finds is
// about one setting each, by [Error.Name].
//
// Kafka's ConfigDef has none: there such mistakes come to light when a plugin starts.
type Rule func(v *Values) []*Error

type rule struct {
	prefix string // of the names in a Def that embeds that of the rule
	def    *Def   // the rule's own
	check  Rule
}

// AddRule adds a rule, which [Def.Validate] asks for what it finds, and [Def.Parse] for
// the first of it; it returns d.
func (d *Def) AddRule(check Rule) *Def {
	d.rules = append(d.rules, rule{def: d, check: check})
	return d
}

// TakeRules adds the rules of a Def whose keys d has too, and returns d.
func (d *Def) TakeRules(from *Def) *Def {
	d.rules = append(d.rules, from.rules...)
	return d
}

func (r rule) embed(prefix string) rule {
	r.prefix = prefix + r.prefix
	return r
}

// find asks the rule; names are those of the Def that embeds it.
func (r rule) find(parsed map[string]any, props map[string]*string) []*Error {
	v := &Values{def: r.def, parsed: make(map[string]any, len(r.def.keys)), given: map[string]*string{}}
	for _, k := range r.def.keys {
		v.parsed[k.Name] = parsed[r.prefix+k.Name]
	}
	for name, text := range props {
		if own, ok := strings.CutPrefix(name, r.prefix); ok {
			v.given[own] = text
		}
	}
	found := r.check(v)
	for i, e := range found {
		found[i] = &Error{Name: r.prefix + e.Name, Message: e.Message}
	}
	return found
}
