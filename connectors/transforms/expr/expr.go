// Package expr is the transform troupe.Expr: expressions of CEL that compute
// fields, rename, route, drop, and set headers and the key. It is the home of
// cel-go, and imports connectors and codec besides.
//
// An expression is compiled twice. When the transform is configured, with
// records of any form in mind: what is no expression is refused there. And once
// for each schema that a record comes with, with the types of its fields: what
// does not fit them fails at the first record, not at the first one that takes
// that branch.
package expr

import (
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Class is the name of the transform.
const Class = "troupe.Expr"

// The settings.
const (
	dropSetting    = "drop"
	fieldsSetting  = "fields"
	renameSetting  = "rename"
	topicSetting   = "topic"
	headersSetting = "headers"
	keySetting     = "key"
	costSetting    = "cost.limit"
)

// expressions are the settings that are one.
var expressions = []string{dropSetting, fieldsSetting, topicSetting, headersSetting, keySetting}

// cachedSchemas is how many schemas the transform remembers programs for.
const cachedSchemas = 16

// Plugins returns the descriptor of the transform.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{{
		Class: Class, Kind: connectors.TransformationKind, Version: connectors.TroupeVersion, Def: def,
		NewTransformation: func(config map[string]string) (connectors.Transformation, error) {
			c, err := def().Parse(config)
			if err != nil {
				return nil, connectors.ConfigError("%v", err)
			}
			return newTransform(c)
		},
	}}
}

func def() *configdef.Def {
	expression := func(name string, wanted shape, doc string) configdef.Key {
		return configdef.Key{Name: name, Type: configdef.String, Importance: configdef.High, Doc: doc,
			Validator: configdef.Lambda(func(name string, value any) error {
				text, ok := value.(string)
				if !ok {
					return nil
				}
				return check(name, text, wanted)
			}, wanted.String())}
	}
	return configdef.New(
		expression(dropSetting, aBool, "Drops the record when it is true; then nothing else is computed."),
		expression(fieldsSetting, aMap, `Fields to compute, a map of their names: {"total": value.price * value.count}. A field that is there is replaced where it stands, a new one comes last.`),
		configdef.Key{Name: renameSetting, Type: configdef.List, Default: []string{}, Importance: configdef.High,
			Doc: "New names of fields of the value, old:new. Expressions know the fields by their old names.",
			Validator: configdef.Lambda(func(name string, value any) error {
				list, _ := value.([]string)
				_, err := parseRenames(name, list)
				return err
			}, "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>")},
		expression(topicSetting, aString, "The topic that the record goes to."),
		expression(headersSetting, aMap, `Headers to set, a map of their names: {"origin": topic}. Those that are there with the same name go; null removes a header.`),
		expression(keySetting, anything, "The record's key."),
		configdef.Key{Name: costSetting, Type: configdef.Long, Default: 10_000, Importance: configdef.Low, Validator: configdef.AtLeast(1),
			Doc: "How much one expression may do for one record, in CEL's units of cost: about one for each operator and each element looked at. More is an error of the record."},
	).AddRule(func(c *configdef.Values) []*configdef.Error {
		given := c.Originals() // what is wrong by itself is there all the same
		if slices.ContainsFunc(slices.Concat(expressions, []string{renameSetting}), func(name string) bool { return strings.TrimSpace(given[name]) != "" }) {
			return nil
		}
		return []*configdef.Error{configdef.ErrorOn(fieldsSetting, "%s has nothing to do: none of %s and %s is configured", Class,
			strings.Join(expressions, ", "), renameSetting)}
	})
}

func parseRenames(setting string, list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, m := range list {
		from, to, ok := strings.Cut(m, ":")
		if !ok || from == "" || to == "" || strings.Contains(to, ":") {
			return nil, connectors.ConfigError("Invalid value %s for configuration %s: %s is not old:new", "["+strings.Join(list, ", ")+"]", setting, m)
		}
		out[from] = to
	}
	return out, nil
}

// transform is the configured transform.
type transform struct {
	texts   map[string]string // the expressions, by setting
	renames map[string]string
	limit   uint64

	plans *data.SchemaCache[*data.SchemaCache[*plan]] // by the schemas of value and key
	vars  variables
	arena data.StructArena
	maker data.HeaderMaker
}

func newTransform(c *configdef.Values) (*transform, error) {
	t := &transform{texts: make(map[string]string), limit: uint64(c.Long(costSetting)), plans: data.NewSchemaCache[*data.SchemaCache[*plan]](cachedSchemas)}
	for _, name := range expressions {
		if text, ok := c.NullableString(name); ok && strings.TrimSpace(text) != "" {
			t.texts[name] = text
		}
	}
	var err error
	if t.renames, err = parseRenames(renameSetting, c.List(renameSetting)); err != nil {
		return nil, err
	}
	return t, nil
}

// Apply implements [connectors.Transformation].
func (t *transform) Apply(r *data.Record) (bool, error) {
	p := t.plan(r.ValueSchema, r.KeySchema)
	if p.err != nil {
		return false, p.err
	}
	t.vars.reset(r)
	if p.drop != nil {
		v, err := p.drop.eval(&t.vars)
		if err != nil {
			return false, err
		}
		if v.Kind() != data.KindBoolean {
			return false, p.drop.errorf("it is to be true or false, and is %s", v.Kind().JavaClass())
		}
		if v.Bool() {
			return false, nil
		}
	}
	// All expressions see the record as it came: the slot changes at the end.
	out := *r
	if err := t.compute(p, r, &out); err != nil {
		return false, err
	}
	*r = out
	return true, nil
}

func (t *transform) compute(p *plan, r, out *data.Record) error {
	if err := t.value(p, r, out); err != nil {
		return err
	}
	if p.topic != nil {
		v, err := p.topic.eval(&t.vars)
		if err != nil {
			return err
		}
		if v.Kind() != data.KindString || v.Str() == "" {
			return p.topic.errorf("it is to be the name of a topic, and is %s", v)
		}
		out.Topic = v.Str()
	}
	if p.key != nil {
		v, err := p.key.eval(&t.vars)
		if err != nil {
			return err
		}
		out.KeySchema, out.Key = p.key.schemaOf(v), v
	}
	if len(p.headers) == 0 {
		return nil
	}
	t.maker.Begin(p.setHeaders.Drop(r.Headers))
	for _, h := range p.headers {
		v, err := h.eval(&t.vars)
		if err != nil {
			return err
		}
		if !v.IsNull() {
			t.maker.Add(data.Header{Key: h.name, Schema: h.schemaOf(v), Value: v})
		}
	}
	out.Headers = t.maker.Make()
	return nil
}

// value puts computed fields in and renames.
func (t *transform) value(p *plan, r, out *data.Record) error {
	switch {
	case len(p.fields) == 0 && len(t.renames) == 0 || r.Value.IsNull():
		return nil
	case r.ValueSchema == nil:
		m := r.Value.Map()
		if m == nil {
			return data.Errorf("Only Map objects supported in absence of schema for [computing fields], found: %s", r.Value.Kind().JavaClass())
		}
		return t.mapValue(p, m, out)
	}
	st := r.Value.Struct()
	if st == nil || len(st.Values()) != len(r.ValueSchema.Fields()) {
		return data.Errorf("Only Struct objects of the value's schema supported for [computing fields], found: %s", r.Value.Kind().JavaClass())
	}
	made, vals := t.arena.New(p.schema)
	for i, slot := range p.slots {
		if slot.program == nil {
			vals[i] = st.At(slot.from)
			continue
		}
		v, err := slot.program.eval(&t.vars)
		if err != nil {
			return err
		}
		f := &p.schema.Fields()[i]
		if err := data.ValidateField(f.Name, f.Schema, v); err != nil {
			return slot.program.errorf("%v", err)
		}
		vals[i] = v
	}
	out.ValueSchema, out.Value = p.schema, data.OfStruct(made)
	return nil
}

func (t *transform) mapValue(p *plan, m *data.MapValue, out *data.Record) error {
	computed := make(map[string]data.Value, len(p.fields))
	for _, f := range p.fields {
		v, err := f.eval(&t.vars)
		if err != nil {
			return err
		}
		computed[f.name] = v
	}
	var b data.MapBuilder
	b.Grow(m.Len() + len(p.fields))
	for _, e := range m.Entries() {
		key, v := e.Key, e.Value
		if key.Kind() == data.KindString {
			if c, ok := computed[key.Str()]; ok {
				v = c
			} else if to, ok := t.renames[key.Str()]; ok {
				key = data.OfString(to)
			}
		}
		b.Put(key, v)
	}
	for _, f := range p.fields {
		if _, there := m.Get(f.name); !there {
			b.PutString(f.name, computed[f.name])
		}
	}
	out.Value = data.OfMap(b.Build())
	return nil
}
