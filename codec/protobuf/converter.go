package protobuf

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/codec/registry/compat"
)

// Converter converts keys or values. It is not safe for concurrent use.
type Converter struct {
	m         *Mapping
	r         *registry.Resolver
	ctx       context.Context //nolint:containedctx // a converter's calls have none; see Bind
	useLatest bool
	cacheSize int

	written *data.SchemaCache[*written]
	read    map[string][]*read // by topic
	nRead   int
	last    *read
}

// written is what is kept for a schema that was written.
type written struct {
	schema *registry.Schema
	name   string // of the message
	enc    *encoder
	path   []int

	// The registry's schema of the last record, where it is another one, and the
	// path of the message in it.
	other     *registry.Schema
	otherPath []int
}

// read is what is kept for a message that was read.
type read struct {
	topic  string
	id     int
	path   []int
	schema *data.Schema
	dec    *decoder
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
	r, err := registry.NewResolver(v, registry.Protobuf, isKey, compat.Texts)
	if err != nil {
		return nil, err
	}
	size := max(v.Int(CacheSizeSetting), 1)
	return &Converter{m: m, r: r, ctx: context.Background(), useLatest: v.Bool(registry.UseLatestSetting), cacheSize: size,
		written: data.NewSchemaCache[*written](size), read: map[string][]*read{}}, nil
}

// Bind does what [codec.Bound] asks of a converter.
func (c *Converter) Bind(ctx context.Context) {
	c.ctx = ctx
	c.r.Bind(ctx)
}

// FromConnect appends v to dst in Confluent's wire format; see [codec.Converter].
func (c *Converter) FromConnect(topic string, s *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	if s == nil {
		return nil, c.failure(topic, true, serialization("Error serializing Protobuf message", fmt.Errorf("the record has no schema, and Protobuf needs one")))
	}
	w, ok := c.written.Get(s)
	if !ok {
		var err error
		if w, err = c.compile(s); err != nil {
			return nil, err
		}
		c.written.Put(s, w)
	}
	reg, err := c.r.Write(topic, w.name, w.schema)
	if err != nil {
		return nil, c.failure(topic, true, err)
	}
	path := w.path
	if reg.Schema != w.schema {
		if path, err = c.pathIn(w, reg.Schema); err != nil {
			return nil, c.failure(topic, true, err)
		}
	}
	return w.enc.append(registry.AppendIndexes(registry.AppendHeader(dst, reg.ID), path), v)
}

func (c *Converter) compile(s *data.Schema) (*written, error) {
	text, name, err := c.m.Text(s)
	if err != nil {
		return nil, err
	}
	f, err := compile(text, nil)
	if err != nil {
		return nil, err
	}
	path, ok := pathOf(f, name)
	if !ok {
		return nil, data.Errorf("Invalid message name: %s", name)
	}
	md, err := messageAt(f, path)
	if err != nil {
		return nil, err
	}
	enc, err := c.m.compileEncoder(s, md)
	if err != nil {
		return nil, err
	}
	return &written{schema: &registry.Schema{Type: registry.Protobuf, Text: text}, name: name, enc: enc, path: path}, nil
}

// pathIn finds the message in a schema of the registry's.
func (c *Converter) pathIn(w *written, s *registry.Schema) ([]int, error) {
	if w.other == s {
		return w.otherPath, nil
	}
	f, err := c.compileRegistered(s)
	if err != nil {
		return nil, err
	}
	path, ok := pathOf(f, w.name)
	if !ok {
		return nil, serialization("Error serializing Protobuf message", fmt.Errorf("the schema in the registry has no message %s", w.name))
	}
	w.other, w.otherPath = s, path
	return path, nil
}

func (c *Converter) compileRegistered(s *registry.Schema) (protoreflect.FileDescriptor, error) {
	var refs map[string]string
	if len(s.References) > 0 {
		deps, err := c.r.Dependencies(s)
		if err != nil {
			return nil, err
		}
		refs = make(map[string]string, len(deps))
		for _, d := range deps {
			refs[d.Name] = d.Schema.Text
		}
	}
	return compile(s.Text, refs)
}

// ToConnect reads a record; see [codec.Converter]. Strings of the result share b.
func (c *Converter) ToConnect(topic string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	id, rest, err := registry.Header(b)
	if err != nil {
		return nil, data.Null, c.failure(topic, false, err)
	}
	k := c.last
	if len(rest) > 0 && rest[0] == 0 && k != nil && k.id == id && k.topic == topic && len(k.path) == 1 && k.path[0] == 0 && !c.useLatest {
		rest = rest[1:] // the first message of the schema, as of the record before
	} else {
		var path []int
		if path, rest, err = registry.Indexes(rest); err != nil {
			return nil, data.Null, c.failure(topic, false, err)
		}
		if k, err = c.known(topic, id, path); err != nil {
			return nil, data.Null, err
		}
		c.last = k
	}
	v, err := k.dec.read(rest)
	if err == errWire || err == errUTF8 { //nolint:errorlint // they are returned as they are
		return nil, data.Null, c.failure(topic, false, serialization(fmt.Sprintf("Error deserializing Protobuf message for id %d", id), err))
	}
	if err != nil {
		return nil, data.Null, err
	}
	return k.schema, v, nil
}

// known returns what is kept for a message that a record names.
func (c *Converter) known(topic string, id int, path []int) (*read, error) {
	if !c.useLatest {
		for _, k := range c.read[topic] {
			if k.id == id && slices.Equal(k.path, path) {
				return k, nil
			}
		}
	}
	found, err := c.r.Read(topic, id)
	if err != nil {
		return nil, c.failure(topic, false, err)
	}
	f, err := c.compileRegistered(found)
	if err != nil {
		return nil, c.failure(topic, false, err)
	}
	md, err := messageAt(f, path)
	if err != nil {
		return nil, c.failure(topic, false, serialization(fmt.Sprintf("Error deserializing Protobuf message for id %d", id), err))
	}
	name := string(md.FullName())
	version := 0
	if c.useLatest {
		// As in Java, where use.latest.version also says by which schema to read.
		subject, err := c.r.Subject(topic, name)
		if err != nil {
			return nil, c.failure(topic, false, err)
		}
		latest, err := c.r.Client.Latest(c.ctx, subject)
		if err != nil {
			return nil, c.failure(topic, false, err)
		}
		id, version = latest.ID, latest.Version
		for _, k := range c.read[topic] {
			if k.id == id && slices.Equal(k.path, path) {
				return k, nil
			}
		}
		if f, err = c.compileRegistered(latest.Schema); err != nil {
			return nil, c.failure(topic, false, err)
		}
		p, ok := pathOf(f, name)
		if !ok {
			return nil, c.failure(topic, false, serialization(fmt.Sprintf("Error deserializing Protobuf message for id %d", id), fmt.Errorf("the newest schema has no message %s", name)))
		}
		if md, err = messageAt(f, p); err != nil {
			return nil, c.failure(topic, false, err)
		}
	} else if version, err = c.r.Version(topic, name, id, found); err != nil {
		return nil, c.failure(topic, false, err)
	}
	s, dec, err := c.m.connect(md, int32(version)) //nolint:gosec // an int of the registry's
	if err != nil {
		return nil, err
	}
	k := &read{topic: topic, id: id, path: path, schema: s, dec: dec}
	if c.nRead >= c.cacheSize {
		clear(c.read)
		c.nRead = 0
	}
	c.read[topic] = append(c.read[topic], k)
	c.nRead++
	return k, nil
}

// failure words an error of the registry or of serialization.
func (c *Converter) failure(topic string, write bool, err error) error {
	return registry.Failure(registry.Protobuf, topic, write, err)
}

func serialization(msg string, cause error) error {
	return &codec.Error{Class: codec.SerializationException, Msg: msg, Cause: cause, Fault: codec.RecordFault}
}
