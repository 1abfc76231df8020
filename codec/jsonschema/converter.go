package jsonschema

import (
	"context"
	"fmt"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/codec/registry/compat"
)

// Converter converts keys or values. It is not safe for concurrent use.
type Converter struct {
	m         *Mapping
	r         *registry.Resolver
	validate  bool
	indent    bool
	cacheSize int

	written *data.SchemaCache[*written]
	read    map[readKey]*read
	last    *read
	valid   map[*registry.Schema]*validator
	titles  map[*registry.Schema]string
}

// written is what is kept for a schema that was written.
type written struct {
	schema *registry.Schema
	record string // the name by which subject strategies know it
	plan   *json.Plan
}

type readKey struct {
	topic string
	id    int
}

// read is what is kept for a schema that was read.
type read struct {
	key    readKey
	schema *data.Schema
	plan   *json.Plan
	valid  *validator
}

var (
	_ codec.Converter = (*Converter)(nil)
	_ codec.Bound     = (*Converter)(nil)
)

// New returns a converter for the settings of a connector or worker. The error is
// about a setting, a [codec.Error].
func New(config map[string]string, isKey bool) (*Converter, error) {
	v, m, err := settings(config)
	if err != nil {
		return nil, err
	}
	r, err := registry.NewResolver(v, registry.JSON, isKey, compat.Texts)
	if err != nil {
		return nil, err
	}
	size := max(v.Int(CacheSizeSetting), 1)
	return &Converter{
		m: m, r: r, validate: v.Bool(FailInvalidSetting), indent: v.Bool(IndentSetting), cacheSize: size,
		written: data.NewSchemaCache[*written](size),
		read:    map[readKey]*read{},
		valid:   map[*registry.Schema]*validator{},
		titles:  map[*registry.Schema]string{},
	}, nil
}

// Bind does what [codec.Bound] asks of a converter.
func (c *Converter) Bind(ctx context.Context) { c.r.Bind(ctx) }

// FromConnect appends v to dst in Confluent's wire format; see [codec.Converter].
func (c *Converter) FromConnect(topic string, s *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if s == nil {
		if v.IsNull() {
			return nil, nil
		}
		return nil, c.r.Failure(topic, true, registry.Serialization("Error serializing JSON message", fmt.Errorf("the record has no schema, and JSON Schema needs one")))
	}
	w, ok := c.written.Get(s)
	if !ok {
		text, err := c.m.Text(s)
		if err != nil {
			return nil, err
		}
		w = &written{schema: &registry.Schema{Type: registry.JSON, Text: text}, plan: c.m.Plan(s)}
		if !s.Optional() && !(s.Type() == data.Struct && isUnion(s)) {
			w.record = s.Name()
		}
		c.written.Put(s, w)
	}
	if v.IsNull() && !s.Optional() && (s.Default().IsNull() || c.m.IgnoreDefaults) {
		return nil, nil
	}
	reg, err := c.r.Write(topic, w.record, w.schema)
	if err != nil {
		return nil, c.r.Failure(topic, true, err)
	}
	out, err := w.plan.Append(registry.AppendHeader(dst, reg.ID), v)
	if err != nil {
		return nil, err
	}
	if c.validate {
		if err := c.check(reg.Schema, out[len(dst)+registry.HeaderSize:]); err != nil {
			return nil, c.r.Failure(topic, true, err)
		}
	}
	if c.indent {
		body := len(dst) + registry.HeaderSize
		return appendIndented(out[:body:body], out[body:]), nil
	}
	return out, nil
}

// ToConnect reads a record; see [codec.Converter]. Strings of the result share b
// where they can.
func (c *Converter) ToConnect(topic string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	id, body, err := registry.Header(b)
	if err != nil {
		return nil, data.Null, c.r.Failure(topic, false, err)
	}
	k := c.last
	if k == nil || k.key.id != id || k.key.topic != topic || c.r.UseLatest() {
		if k, err = c.known(topic, id); err != nil {
			return nil, data.Null, err
		}
		c.last = k
	}
	if k.valid != nil {
		if err := k.valid.check(body); err != nil {
			return nil, data.Null, c.r.Failure(topic, false, err)
		}
	}
	v, ok, err := k.plan.Read(body)
	if !ok {
		return nil, data.Null, c.r.Failure(topic, false, registry.Serialization(fmt.Sprintf("Error deserializing JSON message for id %d", id), nil))
	}
	if err != nil {
		return nil, data.Null, err
	}
	return k.schema, v, nil
}

// known returns what is kept for a schema that a record names by its id.
func (c *Converter) known(topic string, id int) (*read, error) {
	key := readKey{topic, id}
	if k, ok := c.read[key]; ok && !c.r.UseLatest() {
		return k, nil
	}
	found, err := c.r.Read(topic, id)
	if err != nil {
		return nil, c.r.Failure(topic, false, err)
	}
	reader, err := c.r.Reader(topic, c.title(found), id, found)
	if err != nil {
		return nil, c.r.Failure(topic, false, err)
	}
	key.id, found = reader.ID, reader.Schema
	if k, ok := c.read[key]; ok {
		return k, nil
	}
	refs, err := c.r.References(found)
	if err != nil {
		return nil, c.r.Failure(topic, false, err)
	}
	s, err := c.m.Connect(found.Text, refs, int32(reader.Version)) //nolint:gosec // an int of the registry's
	if err != nil {
		return nil, err
	}
	k := &read{key: key, schema: s, plan: c.m.Plan(s)}
	if c.validate {
		if k.valid, err = newValidator(found.Text, refs); err != nil {
			return nil, c.r.Failure(topic, false, err)
		}
	}
	if len(c.read) >= c.cacheSize {
		clear(c.read)
	}
	c.read[key] = k
	return k, nil
}

// check validates a record that was written.
func (c *Converter) check(s *registry.Schema, body []byte) error {
	v, ok := c.valid[s]
	if !ok {
		refs, err := c.r.References(s)
		if err != nil {
			return err
		}
		if v, err = newValidator(s.Text, refs); err != nil {
			return err
		}
		if len(c.valid) >= c.cacheSize {
			clear(c.valid)
		}
		c.valid[s] = v
	}
	return v.check(body)
}

// title returns the name that a schema has for the strategies of subjects. With
// use.latest.version it is asked for with each record.
func (c *Converter) title(s *registry.Schema) string {
	if t, ok := c.titles[s]; ok {
		return t
	}
	var t string
	if d, err := parseDocument(s.Text); err == nil {
		m, _ := d.root.(map[string]any)
		t, _ = m["title"].(string)
	}
	if len(c.titles) >= c.cacheSize {
		clear(c.titles)
	}
	c.titles[s] = t
	return t
}
