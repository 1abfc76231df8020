package avro

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/codec/registry/compat"
)

// Converter converts keys or values. It is not safe for concurrent use.
type Converter struct {
	opts     options
	resolver *registry.Resolver
	size     int

	written *data.SchemaCache[*written]
	read    map[readKey]*read
	last    readKey
	lastRd  *read
	run     run
	arena   data.Arena
}

// written is what is kept for a Connect schema.
type written struct {
	own    *registry.Schema // what the Connect schema is mapped to
	record string           // its full name, "" when it is no record
	null   bool             // a struct without any field set is null: a union
	plans  map[*registry.Schema]*writePlan
}

// writePlan writes by one schema of the registry, mostly the Connect schema's own.
type writePlan struct {
	enc *encoder
	raw bool
}

// readKey is on what the schema of a record depends: its version is the subject's.
type readKey struct {
	topic string
	id    int
}

type read struct {
	schema *data.Schema
	dec    *decoder
	raw    bool
}

var (
	_ codec.Converter = (*Converter)(nil)
	_ codec.Bound     = (*Converter)(nil)
)

// New returns a converter of keys or values. The error is about a setting.
func New(config map[string]string, isKey bool) (*Converter, error) {
	v, err := Def().Parse(config)
	if err != nil {
		return nil, codec.ConfigError(err.Error())
	}
	c := &Converter{opts: optionsOf(v), size: max(v.Int(CacheSizeSetting), 1), read: make(map[readKey]*read)}
	c.written = data.NewSchemaCache[*written](c.size)
	c.resolver, err = registry.NewResolver(v, registry.Avro, isKey, compat.Texts)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Bind does what [codec.Bound] asks for.
func (c *Converter) Bind(ctx context.Context) { c.resolver.Bind(ctx) }

// FromConnect appends v as Avro behind the id of its schema; see [codec.Converter].
func (c *Converter) FromConnect(topic string, s *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if v.IsNull() && (s == nil || s.Optional()) {
		return nil, nil
	}
	w, ok := c.written.Get(s)
	if !ok {
		var err error
		if w, err = c.newWritten(s); err != nil {
			return nil, err
		}
		c.written.Put(s, w)
	}
	if w.null && v.Struct() != nil && allNull(v.Struct()) {
		return nil, nil
	}
	reg, err := c.resolver.Write(topic, w.record, w.own)
	if err != nil {
		return nil, c.resolver.Failure(topic, true, err)
	}
	p, ok := w.plans[reg.Schema]
	if !ok {
		if p, err = c.newPlan(topic, s, reg); err != nil {
			return nil, err
		}
		if len(w.plans) >= c.size {
			clear(w.plans)
		}
		w.plans[reg.Schema] = p
	}
	dst = registry.AppendHeader(dst, reg.ID)
	if p.raw {
		return p.enc.appendRaw(dst, v)
	}
	c.run.depth = 0
	return c.run.encode(dst, p.enc, v)
}

func (c *Converter) newWritten(s *data.Schema) (*written, error) {
	a, err := c.opts.avroSchema(s)
	if err != nil {
		return nil, err
	}
	text, err := a.Print()
	if err != nil {
		return nil, err
	}
	w := &written{own: &registry.Schema{Type: registry.Avro, Text: text}, plans: make(map[*registry.Schema]*writePlan)}
	w.null = s != nil && isUnion(s) && s.Optional()
	if a.Type == schema.Record {
		w.record = a.FullName()
	}
	enc, err := c.opts.encoderFor(s, a)
	if err != nil {
		return nil, err
	}
	w.plans[w.own] = &writePlan{enc: enc, raw: a.Type == schema.Bytes}
	return w, nil
}

// newPlan compiles for a schema that stood in the registry before.
func (c *Converter) newPlan(topic string, s *data.Schema, reg *registry.Registered) (*writePlan, error) {
	a, err := c.parse(reg.Schema)
	if err != nil {
		return nil, c.resolver.Failure(topic, true, registry.Serialization("Error serializing Avro message", err))
	}
	enc, err := c.opts.encoderFor(s, a)
	if err != nil {
		return nil, err
	}
	return &writePlan{enc: enc, raw: a.Type == schema.Bytes}, nil
}

// parse reads a schema of the registry with those that it refers to.
func (c *Converter) parse(s *registry.Schema) (*schema.Schema, error) {
	deps, err := c.resolver.Dependencies(s)
	if err != nil {
		return nil, err
	}
	a, err := schema.Parse(s.Text, registry.Texts(deps)...)
	if err != nil {
		return nil, fmt.Errorf("reading an Avro schema: %w", err)
	}
	return a, nil
}

func allNull(st *data.StructValue) bool {
	for i := range st.Values() {
		if !st.GetAt(i).IsNull() {
			return false
		}
	}
	return true
}

// ToConnect reads a record by the schema whose id it begins with; see
// [codec.Converter]. Strings and bytes of the result share b.
func (c *Converter) ToConnect(topic string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	id, rest, err := registry.Header(b)
	if err != nil {
		return nil, data.Null, c.resolver.Failure(topic, false, err)
	}
	rd := c.lastRd
	if key := (readKey{topic, id}); rd == nil || key != c.last {
		var ok bool
		if rd, ok = c.read[key]; !ok {
			if rd, err = c.newRead(key); err != nil {
				return nil, data.Null, err
			}
			if len(c.read) >= c.size {
				clear(c.read)
			}
			c.read[key] = rd
		}
		c.last, c.lastRd = key, rd
	}
	var v data.Value
	if rd.raw {
		v, err = rawValue(rd.dec, rest)
	} else {
		v, _, err = decodeRecord(rd.dec, rest, &c.arena)
	}
	switch {
	case err != nil:
		return nil, data.Null, c.unreadable(topic, id, err)
	case v.IsNull() && rd.schema != nil:
		return nil, data.Null, nil // as AvroData: a null has no schema
	}
	return rd.schema, v, nil
}

// unreadable is the error of a record; by itself it costs the others nothing.
func (c *Converter) unreadable(topic string, id int, err error) error {
	var own *data.Error
	if errors.As(err, &own) {
		return err
	}
	return c.resolver.Failure(topic, false, registry.Serialization(fmt.Sprintf("Error deserializing Avro message for id %d", id), err))
}

func (c *Converter) newRead(key readKey) (*read, error) {
	failure := func(err error) error { return c.resolver.Failure(key.topic, false, err) }
	reg, err := c.resolver.Read(key.topic, key.id)
	if err != nil {
		return nil, failure(err)
	}
	a, err := c.parse(reg)
	if err != nil {
		return nil, failure(registry.Serialization(fmt.Sprintf("Error deserializing Avro message for id %d", key.id), err))
	}
	version := 0
	if _, has := a.Prop(propVersion); !has {
		record := ""
		if a.Type == schema.Record {
			record = a.FullName()
		}
		if version, err = c.resolver.Version(key.topic, record, key.id, reg); err != nil {
			return nil, failure(err)
		}
	}
	s, err := c.opts.connectSchema(a, version)
	if err != nil {
		return nil, err
	}
	dec, err := decoderFor(a, s)
	if err != nil {
		return nil, err
	}
	return &read{schema: s, dec: dec, raw: a.Type == schema.Bytes}, nil
}

// appendRaw writes a record that is bytes and nothing else: Confluent's serializers
// leave out the length.
func (e *encoder) appendRaw(dst []byte, v data.Value) ([]byte, error) {
	switch {
	case v.IsNull():
		return dst, data.Errorf("Found null value for non-optional schema")
	case v.Kind() != e.kind:
		return dst, e.mismatch(v)
	case e.op == encDecimal:
		return appendDecimal(dst, e.schema, v)
	}
	return append(dst, v.Bytes()...), nil
}

// rawValue is the inverse of appendRaw.
func rawValue(d *decoder, b []byte) (data.Value, error) {
	if d.op != decDecimal {
		return data.OfBytes(b), nil
	}
	n, err := data.DecimalFromUnscaled(b, d.scale)
	if err != nil {
		return data.Null, err
	}
	return data.OfDecimal(n), nil
}
