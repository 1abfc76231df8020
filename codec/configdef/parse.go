package configdef

import (
	"fmt"
	"maps"
	"slices"
)

// Values holds a parsed configuration.
type Values struct {
	def    *Def
	parsed map[string]any
	given  map[string]*string
}

// Parse parses every key of d, in the order in which they were declared, and fails
// with the first error as ConfigDef.parse does. Unknown settings are kept for
// Originals.
func (d *Def) Parse(props map[string]string) (*Values, error) {
	return d.ParseNullable(Nullable(props))
}

// Nullable converts a map without nulls to one that may have them.
func Nullable(props map[string]string) map[string]*string {
	out := make(map[string]*string, len(props))
	for k, v := range props {
		out[k] = &v
	}
	return out
}

// ParseNullable is Parse for a configuration in which values can be null. A key
// that is there with null has the value null, not its default.
func (d *Def) ParseNullable(props map[string]*string) (*Values, error) {
	v := &Values{def: d, parsed: make(map[string]any, len(d.keys)), given: maps.Clone(props)}
	for _, k := range d.keys {
		value, err := d.value(k, props)
		if err != nil {
			return nil, err
		}
		if k.Validator != nil {
			if err := k.Validator.Validate(k.Name, value); err != nil {
				return nil, err
			}
		}
		v.parsed[k.Name] = value
	}
	for _, r := range d.rules {
		if found := r.find(v.parsed, props); len(found) > 0 {
			return nil, found[0]
		}
	}
	return v, nil
}

func (d *Def) value(k *Key, props map[string]*string) (any, error) {
	text, there := props[k.Name]
	switch {
	case there && text == nil:
		return nil, nil
	case there:
		return ParseType(k.Name, *text, k.Type, d.classes)
	case k.Required():
		return nil, missing(k.Name)
	}
	return k.Default, nil
}

// get returns the value of a key; asking for a key that was not declared is a
// mistake in the program.
func get[T any](v *Values, name string) (out T) {
	value, ok := v.parsed[name]
	if !ok {
		panic("Unknown configuration '" + name + "'")
	}
	if value == nil {
		return out
	}
	out, ok = value.(T)
	if !ok {
		panic(fmt.Sprintf("configuration %s is a %T", name, value))
	}
	return out
}

// Raw returns the parsed value of a key: nil, bool, string, int64, float64,
// []string, Class or Password.
func (v *Values) Raw(name string) any { return get[any](v, name) }

// IsNull reports whether the value of a key is null.
func (v *Values) IsNull(name string) bool { return v.Raw(name) == nil }

// String returns a STRING; null is "".
func (v *Values) String(name string) string { return get[string](v, name) }

// NullableString returns a STRING, and false for null.
func (v *Values) NullableString(name string) (string, bool) {
	return get[string](v, name), !v.IsNull(name)
}

// Bool returns a BOOLEAN; null is false.
func (v *Values) Bool(name string) bool { return get[bool](v, name) }

// Int returns an INT or SHORT; null is 0.
func (v *Values) Int(name string) int { return int(get[int64](v, name)) }

// Long returns a LONG, INT or SHORT; null is 0.
func (v *Values) Long(name string) int64 { return get[int64](v, name) }

// NullableLong returns a LONG, INT or SHORT, and false for null.
func (v *Values) NullableLong(name string) (int64, bool) {
	return get[int64](v, name), !v.IsNull(name)
}

// Double returns a DOUBLE; null is 0.
func (v *Values) Double(name string) float64 { return get[float64](v, name) }

// List returns a copy of a LIST; null is nil.
func (v *Values) List(name string) []string { return slices.Clone(get[[]string](v, name)) }

// Class returns the name in a CLASS; null is "".
func (v *Values) Class(name string) string { return string(get[Class](v, name)) }

// Password returns a PASSWORD; null is the empty one.
func (v *Values) Password(name string) Password { return get[Password](v, name) }

// Originals returns the configuration as it was given, unknown settings included;
// nulls are left out.
func (v *Values) Originals() map[string]string {
	out := make(map[string]string, len(v.given))
	for k, p := range v.given {
		if p != nil {
			out[k] = *p
		}
	}
	return out
}

// Given reports whether a setting was in the configuration, with null too.
func (v *Values) Given(name string) bool {
	_, ok := v.given[name]
	return ok
}
