package expr

import (
	"github.com/google/cel-go/common/types"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// plan is what the expressions are for the records of one schema of the value and
// one of the key.
type plan struct {
	err error // the expressions do not fit the schemas: each record is refused

	drop, topic, key *program
	fields, headers  []*program
	setHeaders       *data.HeaderDropper // drops those that headers replace

	schema *data.Schema // of the value, when it has one and is changed
	slots  []slot       // a field of it each
}

// slot is one field of the changed value: computed, or that of the original.
type slot struct {
	program *program
	from    int
}

func (t *transform) plan(value, key *data.Schema) *plan {
	byKey, ok := t.plans.Get(value)
	if !ok {
		byKey = data.NewSchemaCache[*plan](cachedSchemas)
		t.plans.Put(value, byKey)
	}
	p, ok := byKey.Get(key)
	if !ok {
		p = &plan{}
		if err := t.compile(p, value, key); err != nil {
			p = &plan{err: &connectors.Error{JavaClass: connectors.DataException, Msg: err.Error(), Class: connectors.Poison}}
		}
		byKey.Put(key, p)
	}
	return p
}

func (t *transform) compile(p *plan, value, key *data.Schema) error {
	env, err := newEnv(value, key)
	if err != nil {
		return err
	}
	one := func(setting string, wanted shape) (*program, error) {
		text, ok := t.texts[setting]
		if !ok {
			return nil, nil
		}
		return env.compile(setting, text, wanted, t.limit)
	}
	many := func(setting string) ([]*program, error) {
		text, ok := t.texts[setting]
		if !ok {
			return nil, nil
		}
		return env.compileMap(setting, text, t.limit)
	}
	if p.drop, err = one(dropSetting, aBool); err != nil {
		return err
	}
	if p.topic, err = one(topicSetting, aString); err != nil {
		return err
	}
	if p.key, err = one(keySetting, anything); err != nil {
		return err
	}
	if p.headers, err = many(headersSetting); err != nil {
		return err
	}
	if p.fields, err = many(fieldsSetting); err != nil {
		return err
	}
	set := make(map[string]bool)
	p.setHeaders = data.NewHeaderDropper(func(key string) bool { return set[key] })
	for _, h := range p.headers {
		set[h.name] = true
		if value != nil && h.typ.Kind() != types.NullTypeKind { // a header that is always removed
			if err := h.findSchema(env); err != nil {
				return err
			}
		}
	}
	if p.key != nil && value != nil {
		if err := p.key.findSchema(env); err != nil {
			return err
		}
	}
	if value == nil || len(p.fields) == 0 && len(t.renames) == 0 || value.Type() != data.Struct {
		return nil
	}
	return t.layOut(p, env, value)
}

// layOut works out the changed value's schema. It keeps all but its default.
func (t *transform) layOut(p *plan, env *environment, s *data.Schema) error {
	b := data.NewStructSchema().CopyBasics(s).SetOptional(s.Optional())
	computed := make(map[string]*program)
	for _, f := range p.fields {
		if err := f.findSchema(env); err != nil {
			return err
		}
		computed[f.name] = f
	}
	for _, f := range s.Fields() {
		c := computed[f.Name]
		name := f.Name
		switch to := t.renames[f.Name]; {
		case c != nil:
			b.Field(f.Name, c.schema)
			p.slots = append(p.slots, slot{program: c})
			continue
		case to != "":
			name = to
		}
		b.Field(name, f.Schema)
		p.slots = append(p.slots, slot{from: f.Index})
	}
	for _, f := range p.fields {
		if s.Field(f.name) == nil {
			b.Field(f.name, f.schema)
			p.slots = append(p.slots, slot{program: f})
		}
	}
	var err error
	p.schema, err = b.Build()
	return err
}
