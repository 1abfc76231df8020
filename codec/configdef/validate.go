package configdef

// ConfigValue is what validation found about one setting.
type ConfigValue struct {
	Name        string
	Value       any // as ParseType returns it; nil where it could not be parsed
	Recommended []any
	Errors      []string
	Visible     bool
}

// AddError adds a message.
func (v *ConfigValue) AddError(message string) { v.Errors = append(v.Errors, message) }

// Validate checks a configuration as ConfigDef.validate does: every key is looked
// at, a missing or unreadable one goes to its validator as null, and each message
// is kept. Then the rules are asked. The answer has one value for each key, in the
// order in which they were declared, and then one for each dependent that was not
// declared.
func (d *Def) Validate(props map[string]*string) []*ConfigValue {
	out := make([]*ConfigValue, 0, len(d.keys))
	byName := make(map[string]*ConfigValue, len(d.keys))
	add := func(v *ConfigValue) {
		out = append(out, v)
		byName[v.Name] = v
	}
	for _, k := range d.keys {
		add(&ConfigValue{Name: k.Name, Visible: true})
	}
	child := make(map[string]bool)
	for _, k := range d.keys {
		for _, dep := range k.Dependents {
			child[dep] = true
			if byName[dep] == nil {
				add(&ConfigValue{Name: dep, Errors: []string{dep + " is referred in the dependents, but not defined."}})
			}
		}
	}
	parsed := make(map[string]any, len(d.keys))
	walk := func(visit func(*Key, *ConfigValue)) {
		done := make(map[string]bool)
		var each func(k *Key)
		each = func(k *Key) {
			if done[k.Name] { // a key of two parents, or a circle
				return
			}
			done[k.Name] = true
			visit(k, byName[k.Name])
			for _, dep := range k.Dependents {
				if c := d.byName[dep]; c != nil {
					each(c)
				}
			}
		}
		for _, k := range d.keys {
			if !child[k.Name] {
				each(k)
			}
		}
	}
	walk(func(k *Key, v *ConfigValue) {
		value, err := d.value(k, props)
		if err != nil {
			v.AddError(err.Error())
		}
		if k.Validator != nil {
			if err := k.Validator.Validate(k.Name, value); err != nil {
				v.AddError(err.Error())
			}
		}
		parsed[k.Name] = value
	})
	sound := make(map[string]any, len(parsed))
	for name, value := range parsed {
		if len(byName[name].Errors) == 0 {
			sound[name] = value
		}
	}
	for _, r := range d.rules {
		for _, e := range r.find(sound, props) {
			if _, ok := sound[e.Name]; ok {
				byName[e.Name].AddError(e.Message)
			}
		}
	}
	walk(func(k *Key, v *ConfigValue) {
		if k.Recommender != nil {
			values, err := k.Recommender.ValidValues(k.Name, parsed)
			if err != nil {
				v.AddError(err.Error())
			} else {
				v.Recommended = values
				v.Visible = k.Recommender.Visible(k.Name, parsed)
			}
		}
		v.Value = parsed[k.Name]
	})
	return out
}
