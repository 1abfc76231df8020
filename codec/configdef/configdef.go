// Package configdef declares settings as Kafka's ConfigDef does: keys with types,
// defaults, validators and documentation, from which configurations are parsed,
// validated (with Kafka's messages) and described over REST. It imports the
// standard library and codec/javaregex only.
package configdef

import (
	"fmt"
	"slices"
	"strings"
)

// Type is the type of a setting.
type Type uint8

// The types of Kafka's ConfigDef.Type.
const (
	Boolean Type = iota
	String
	Int
	Short
	Long
	Double
	List
	ClassType
	PasswordType
)

// String returns Kafka's name of the type, such as "LONG".
func (t Type) String() string {
	return [...]string{"BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}[t]
}

// Importance says how much a user should care about a setting.
type Importance uint8

// The importances of Kafka's ConfigDef.Importance, in its order.
const (
	High Importance = iota
	Medium
	Low
)

// String returns Kafka's name of the importance.
func (i Importance) String() string { return [...]string{"HIGH", "MEDIUM", "LOW"}[i] }

// Width is a hint for the width of an input field.
type Width uint8

// The widths of Kafka's ConfigDef.Width.
const (
	WidthNone Width = iota
	WidthShort
	WidthMedium
	WidthLong
)

// String returns Kafka's name of the width.
func (w Width) String() string { return [...]string{"NONE", "SHORT", "MEDIUM", "LONG"}[w] }

// Required is the Default of a key that must be given (ConfigDef.NO_DEFAULT_VALUE).
const Required = requiredText("")

// requiredText keeps Required a constant that no other value equals.
type requiredText string

// Key declares one setting.
type Key struct {
	Name string
	Type Type
	// Default is Required, nil (null), or a value: bool, string, int, int64, float64,
	// []string, Class or Password. A string is parsed as the type.
	Default    any
	Validator  Validator // nil: any value
	Importance Importance
	Doc        string

	// Group gathers settings for display; "" means none, and then Order means nothing.
	Group       string
	Order       int
	Width       Width
	DisplayName string // "": Name
	// Dependents names the keys whose recommendations depend on this one.
	Dependents  []string
	Recommender Recommender
}

// Required reports whether the key has no default.
func (k *Key) Required() bool { return k.Default == Required }

func (k *Key) order() int {
	if k.Group == "" {
		return -1
	}
	return k.Order
}

func (k *Key) displayName() string {
	if k.DisplayName == "" {
		return k.Name
	}
	return k.DisplayName
}

// Recommender proposes values for a key and decides whether it is shown. parsed
// holds the values of the keys, null where one could not be parsed.
type Recommender interface {
	ValidValues(name string, parsed map[string]any) ([]any, error)
	Visible(name string, parsed map[string]any) bool
}

// ClassResolver finds classes by name or alias. It returns the class's full name.
type ClassResolver interface {
	ResolveClass(name string) (canonical string, ok bool)
}

// Def is a list of keys. Fill it with Define; afterwards it is only read, and then
// it may be shared between goroutines.
type Def struct {
	keys    []*Key
	byName  map[string]*Key
	groups  []string
	classes ClassResolver
	rules   []rule
}

// New returns a Def of the given keys.
func New(keys ...Key) *Def {
	d := &Def{byName: make(map[string]*Key)}
	for _, k := range keys {
		d.Define(k)
	}
	return d
}

// Define adds a key and returns d. A name that is there already, or a default that
// its type or validator refuses, is a mistake in the program: it panics.
func (d *Def) Define(k Key) *Def {
	if d.byName[k.Name] != nil {
		panic("Configuration " + k.Name + " is defined twice.")
	}
	if !k.Required() {
		v, err := normalizeDefault(k.Name, k.Default, k.Type)
		if err != nil {
			panic(err)
		}
		k.Default = v
		if k.Validator != nil {
			if err := k.Validator.Validate(k.Name, v); err != nil {
				panic(fmt.Sprintf("the default of %s: %v", k.Name, err))
			}
		}
	}
	if k.Group != "" && !slices.Contains(d.groups, k.Group) {
		d.groups = append(d.groups, k.Group)
	}
	d.keys = append(d.keys, &k)
	d.byName[k.Name] = &k
	return d
}

// Redefine replaces the key of the same name where it stands, or adds it.
func (d *Def) Redefine(k Key) *Def {
	if d.byName[k.Name] == nil {
		return d.Define(k)
	}
	fresh := New(k)
	*d.byName[k.Name] = *fresh.keys[0]
	if k.Group != "" && !slices.Contains(d.groups, k.Group) {
		d.groups = append(d.groups, k.Group)
	}
	return d
}

// SetClasses gives the resolver for values of type CLASS and returns d. Without one
// every class name is taken as it is.
func (d *Def) SetClasses(r ClassResolver) *Def {
	d.classes = r
	return d
}

// Copy returns a Def with the same keys that can be extended on its own.
func (d *Def) Copy() *Def {
	out := &Def{byName: make(map[string]*Key), groups: slices.Clone(d.groups), classes: d.classes, rules: slices.Clone(d.rules)}
	for _, k := range d.keys {
		c := *k
		out.keys = append(out.keys, &c)
		out.byName[c.Name] = &c
	}
	return out
}

// Merge adds the keys of other, in their order, and its rules, and returns d.
func (d *Def) Merge(other *Def) *Def {
	for _, k := range other.keys {
		d.Define(*k)
	}
	return d.TakeRules(other)
}

// Embed adds the keys of child, sorted as for display, with a prefix before their
// names, in the group (child groups become "group: theirs"), numbered on from
// order. Their validators and rules still see the names without prefix. It is
// ConfigDef.embed.
func (d *Def) Embed(prefix, group string, order int, child *Def) *Def {
	for _, k := range child.Sorted() {
		c := *k
		c.Name = prefix + k.Name
		c.DisplayName = k.displayName()
		c.Group = group
		if k.Group != "" {
			c.Group += ": " + k.Group
		}
		c.Order = order
		order++
		if k.Validator != nil {
			c.Validator = embeddedValidator{k.Validator, prefix}
		}
		c.Dependents = nil
		for _, dep := range k.Dependents {
			c.Dependents = append(c.Dependents, prefix+dep)
		}
		if k.Recommender != nil {
			c.Recommender = embeddedRecommender{k.Recommender, prefix}
		}
		d.Define(c)
	}
	for _, r := range child.rules {
		d.rules = append(d.rules, r.embed(prefix))
	}
	return d
}

// Keys returns the keys in the order in which they were declared. They must not be
// changed.
func (d *Def) Keys() []*Key { return d.keys }

// Key returns the key of that name, or nil.
func (d *Def) Key(name string) *Key { return d.byName[name] }

// Names returns the names in the order in which they were declared.
func (d *Def) Names() []string {
	out := make([]string, len(d.keys))
	for i, k := range d.keys {
		out[i] = k.Name
	}
	return out
}

// Groups returns the groups in the order in which they came up.
func (d *Def) Groups() []string { return d.groups }

// Sorted returns the keys as Kafka sorts them for display: by group and order,
// those without default first, then by importance and name.
func (d *Def) Sorted() []*Key {
	out := slices.Clone(d.keys)
	rank := func(k *Key) int { return slices.Index(d.groups, k.Group) } // -1 without a group
	boolean := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b *Key) int {
		if c := rank(a) - rank(b); c != 0 {
			return c
		}
		if c := a.order() - b.order(); c != 0 {
			return c
		}
		if c := boolean(b.Required()) - boolean(a.Required()); c != 0 {
			return c
		}
		if c := int(a.Importance) - int(b.Importance); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

type embeddedValidator struct {
	Validator
	prefix string
}

func (v embeddedValidator) Validate(name string, value any) error {
	return v.Validator.Validate(strings.TrimPrefix(name, v.prefix), value)
}

type embeddedRecommender struct {
	inner  Recommender
	prefix string
}

func (r embeddedRecommender) own(parsed map[string]any) map[string]any {
	out := make(map[string]any)
	for k, v := range parsed {
		if name, ok := strings.CutPrefix(k, r.prefix); ok {
			out[name] = v
		}
	}
	return out
}

func (r embeddedRecommender) ValidValues(name string, parsed map[string]any) ([]any, error) {
	return r.inner.ValidValues(strings.TrimPrefix(name, r.prefix), r.own(parsed))
}

func (r embeddedRecommender) Visible(name string, parsed map[string]any) bool {
	return r.inner.Visible(strings.TrimPrefix(name, r.prefix), r.own(parsed))
}
