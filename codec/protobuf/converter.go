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
	cacheSize int

	written *data.SchemaCache[*written]
	read    map[string][]*read // by topic
	nRead   int
	last    *read
	files   map[*registry.Schema]protoreflect.FileDescriptor // compiled
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
	return &Converter{m: m, r: r, cacheSize: size,
		written: data.NewSchemaCache[*written](size), read: map[string][]*read{}, files: map[*registry.Schema]protoreflect.FileDescriptor{}}, nil
}

// Bind does what [codec.Bound] asks of a converter.
func (c *Converter) Bind(ctx context.Context) { c.r.Bind(ctx) }

// FromConnect appends v to dst in Confluent's wire format; see [codec.Converter].
func (c *Converter) FromConnect(topic string, s *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	if s == nil {
		return nil, c.r.Failure(topic, true, registry.Serialization("Error serializing Protobuf message", fmt.Errorf("the record has no schema, and Protobuf needs one")))
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
		return nil, c.r.Failure(topic, true, err)
	}
	path := w.path
	if reg.Schema != w.schema {
		if path, err = c.pathIn(w, reg.Schema); err != nil {
			return nil, c.r.Failure(topic, true, err)
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
		return nil, registry.Serialization("Error serializing Protobuf message", fmt.Errorf("the schema in the registry has no message %s", w.name))
	}
	w.other, w.otherPath = s, path
	return path, nil
}

func (c *Converter) compileRegistered(s *registry.Schema) (protoreflect.FileDescriptor, error) {
	if f, ok := c.files[s]; ok {
		return f, nil
	}
	refs, err := c.r.References(s)
	if err != nil {
		return nil, err
	}
	f, err := compile(s.Text, refs)
	if err != nil {
		return nil, err
	}
	if len(c.files) >= c.cacheSize {
		clear(c.files)
	}
	c.files[s] = f
	return f, nil
}

// ToConnect reads a record; see [codec.Converter]. Strings of the result share b.
func (c *Converter) ToConnect(topic string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	id, rest, err := registry.Header(b)
	if err != nil {
		return nil, data.Null, c.r.Failure(topic, false, err)
	}
	k := c.last
	if len(rest) > 0 && rest[0] == 0 && k != nil && k.id == id && k.topic == topic && len(k.path) == 1 && k.path[0] == 0 && !c.r.UseLatest() {
		rest = rest[1:] // the first message of the schema, as of the record before
	} else {
		var path []int
		if path, rest, err = registry.Indexes(rest); err != nil {
			return nil, data.Null, c.r.Failure(topic, false, err)
		}
		if k, err = c.known(topic, id, path); err != nil {
			return nil, data.Null, err
		}
		c.last = k
	}
	v, err := k.dec.read(rest)
	if err == errWire || err == errUTF8 { //nolint:errorlint // they are returned as they are
		return nil, data.Null, c.r.Failure(topic, false, registry.Serialization(fmt.Sprintf("Error deserializing Protobuf message for id %d", id), err))
	}
	if err != nil {
		return nil, data.Null, err
	}
	return k.schema, v, nil
}

// cached returns what is kept for a message, nil for nothing.
func (c *Converter) cached(topic string, id int, path []int) *read {
	for _, k := range c.read[topic] {
		if k.id == id && slices.Equal(k.path, path) {
			return k
		}
	}
	return nil
}

// known returns what is kept for a message that a record names, or reads its schema.
func (c *Converter) known(topic string, id int, path []int) (*read, error) {
	if k := c.cached(topic, id, path); k != nil && !c.r.UseLatest() {
		return k, nil
	}
	found, err := c.r.Read(topic, id)
	if err != nil {
		return nil, c.r.Failure(topic, false, err)
	}
	f, err := c.compileRegistered(found)
	if err != nil {
		return nil, c.r.Failure(topic, false, err)
	}
	md, err := messageAt(f, path)
	if err != nil {
		return nil, c.r.Failure(topic, false, registry.Serialization(fmt.Sprintf("Error deserializing Protobuf message for id %d", id), err))
	}
	name := string(md.FullName())
	reader, err := c.r.Reader(topic, name, id, found)
	if err != nil {
		return nil, c.r.Failure(topic, false, err)
	}
	if reader.Schema != found {
		id = reader.ID
		if f, err = c.compileRegistered(reader.Schema); err != nil {
			return nil, c.r.Failure(topic, false, err)
		}
		var ok bool
		if path, ok = pathOf(f, name); !ok {
			return nil, c.r.Failure(topic, false, registry.Serialization(fmt.Sprintf("Error deserializing Protobuf message for id %d", id), fmt.Errorf("the newest schema has no message %s", name)))
		}
		if md, err = messageAt(f, path); err != nil {
			return nil, c.r.Failure(topic, false, err)
		}
	}
	if k := c.cached(topic, id, path); k != nil {
		return k, nil
	}
	s, dec, err := c.m.connect(md, int32(reader.Version)) //nolint:gosec // an int of the registry's
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
