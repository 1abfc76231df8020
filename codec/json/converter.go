// Package json is the counterpart of Kafka Connect's JsonConverter: records as
// JSON, in an envelope that carries their schema or without. It imports codec,
// codec/data and codec/javatext.
//
// It is on the path of every record, so it works on bytes: a schema is encoded
// once and a record appended to it by a plan compiled from the schema; a record
// is read in one pass over its text, sharing its strings, and the schema in it
// is recognised by its bytes. What that pass doesn't take (see fast.go) is read
// again by way of a tree, which follows Java step by step and decides.
package json

import (
	"bytes"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
)

// Settings of the converter.
const (
	SchemasEnableSetting = "schemas.enable"
	CacheSizeSetting     = "schemas.cache.size"
	DecimalSetting       = "decimal.format"
	ReplaceNullSetting   = "replace.null.with.default"
	// SchemaContentSetting is of Kafka 4.2 (KIP-1054).
	SchemaContentSetting = "schema.content"
)

// Converter converts keys, values or headers. It is not safe for concurrent use.
type Converter struct {
	schemas        bool
	replaceNull    bool
	numericDecimal bool
	dialect        *Dialect // nil: JsonConverter's own
	structs        int      // while a schema is compiled: the structs around
	cacheSize      int
	given          *read // the schema of the settings: bodies have no envelope then

	written *data.SchemaCache[*written]
	read    map[string]*read         // by the text of the schema
	same    *data.SchemaCache[*read] // by the schema

	recursive map[*data.Schema]*encoder // of schemas that contain themselves, while they are compiled
	decoders  map[decoderKey]*decoder   // of these too
	last      *read                     // of the record before
	rd        reader
}

// written is what is kept for a schema that was written.
type written struct {
	head []byte // the envelope up to the payload; the schema in JSON
	enc  *encoder
}

// read is what is kept for a schema that was read.
type read struct {
	raw    []byte
	schema *data.Schema
	dec    *decoder
}

var (
	_ codec.Converter       = (*Converter)(nil)
	_ codec.HeaderConverter = (*Converter)(nil)
)

// New returns a converter of keys or values. The error is about a setting, a
// [codec.Error].
func New(config map[string]string, _ bool) (*Converter, error) {
	s := codec.Settings(config)
	c := &Converter{}
	var err error
	if c.schemas, err = s.Bool(SchemasEnableSetting, true); err != nil {
		return nil, err
	}
	if c.cacheSize, err = s.Int(CacheSizeSetting, 1000); err != nil {
		return nil, err
	}
	format, err := s.OneOfFold(DecimalSetting, "BASE64", "NUMERIC")
	if err != nil {
		return nil, err
	}
	c.numericDecimal = format == "NUMERIC"
	if c.replaceNull, err = s.Bool(ReplaceNullSetting, true); err != nil {
		return nil, err
	}
	c.cacheSize = max(c.cacheSize, 1)
	c.written = data.NewSchemaCache[*written](c.cacheSize)
	c.same = data.NewSchemaCache[*read](c.cacheSize)
	c.read = make(map[string]*read)
	c.recursive = make(map[*data.Schema]*encoder)
	return c, c.takeSchema(config[SchemaContentSetting])
}

// takeSchema reads the schema of the settings. Without schemas.enable it has no
// effect, as in Kafka Connect.
func (c *Converter) takeSchema(text string) error {
	if text == "" {
		return nil
	}
	n, ok := parse([]byte(text))
	if !ok {
		return data.Errorf("%s is not JSON: %s", SchemaContentSetting, text)
	}
	s, err := c.schemaOf(n)
	if err != nil {
		return data.Errorf("%s: %v", SchemaContentSetting, err)
	}
	if s != nil && c.schemas {
		c.given = &read{schema: s, dec: c.compileDecoder(s)}
	}
	return nil
}

// NewHeader returns a converter of headers.
func NewHeader(config map[string]string) (*Converter, error) {
	if err := codec.Settings(config).CheckType(); err != nil {
		return nil, err
	}
	return New(config, false)
}

var schemalessHead = []byte(`{"schema":null,"payload":`)

// FromConnect appends v to dst as JSON; see [codec.Converter].
func (c *Converter) FromConnect(_ string, s *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if s == nil {
		if v.IsNull() {
			return nil, nil
		}
		if !c.schemas {
			return c.encode(dst, nil, v, 0)
		}
		dst, err := c.encode(append(dst, schemalessHead...), nil, v, 1)
		if err != nil {
			return nil, err
		}
		return append(dst, '}'), nil
	}
	w, ok := c.written.Get(s)
	if !ok {
		if c.schemas && s.Recursive() {
			// JSON has the schema beside the value, in full: there is no end to it.
			return nil, data.Errorf("The schema %s contains itself, which JsonConverter has no form for", s)
		}
		w = &written{}
		if c.schemas {
			head, err := c.appendSchema([]byte(`{"schema":`), s, "", false)
			if err != nil {
				return nil, err
			}
			w.head = append(head, `,"payload":`...)
		}
		clear(c.recursive)
		w.enc = c.compile(s)
		c.written.Put(s, w)
	}
	if !c.schemas {
		dst, err := c.encode(dst, w.enc, v, 0)
		if err != nil {
			return nil, err
		}
		return dst, nil
	}
	dst, err := c.encode(append(dst, w.head...), w.enc, v, 1)
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}

// FromConnectHeader is FromConnect for a header.
func (c *Converter) FromConnectHeader(topic, _ string, s *data.Schema, v data.Value) ([]byte, error) {
	return c.FromConnect(topic, s, v, nil)
}

// ToConnectHeader is ToConnect for a header.
func (c *Converter) ToConnectHeader(topic, _ string, b []byte) (*data.Schema, data.Value, error) {
	return c.ToConnect(topic, b)
}

// ToConnect reads a record; see [codec.Converter]. Strings of the result share
// b where they can.
func (c *Converter) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	text, ok := toUTF8(b)
	if !ok {
		return nil, data.Null, errSyntax()
	}
	c.rd.begin(text)
	var s *data.Schema
	var v data.Value
	switch {
	case c.given != nil:
		s = c.given.schema
		v, ok = c.body()
	case c.schemas:
		s, v, ok = c.envelope()
	default:
		v, ok = c.document()
	}
	c.rd.end(!ok)
	if ok {
		return s, v, nil
	}
	return c.byTree(text)
}

func errSyntax() error {
	return data.Errorf("Converting byte[] to Kafka Connect data failed due to serialization error: ")
}

// document reads schemaless JSON the fast way.
func (c *Converter) document() (data.Value, bool) {
	r := &c.rd
	first := r.ws()
	v, ok := r.any(&r.shapes.top)
	return v, ok && r.rootEnds(first)
}

// body reads JSON of the schema of the settings the fast way.
func (c *Converter) body() (data.Value, bool) {
	r := &c.rd
	first := r.ws()
	v, ok := r.value(c.given.dec)
	return v, ok && r.rootEnds(first)
}

// rootEnds reports whether a document that began with first may end here.
func (r *reader) rootEnds(first byte) bool {
	return first != '-' && (first < '0' || first > '9') || r.rootNumberEnds()
}

// envelope reads an envelope the fast way: of a schema that is known and a
// payload, in any order.
func (c *Converter) envelope() (s *data.Schema, v data.Value, ok bool) {
	r := &c.rd
	if r.ws() != '{' {
		return nil, v, false
	}
	r.pos++
	r.depth++
	r.ws()
	var known *read
	haveSchema, havePayload, payloadAt := false, false, -1
	for range 2 {
		name, ok := r.name()
		if !ok {
			return nil, v, false
		}
		switch {
		case string(name) == "schema" && !haveSchema:
			if known, ok = c.knownSchema(); !ok {
				return nil, v, false
			}
			haveSchema = true
		case string(name) == "payload" && !havePayload:
			havePayload = true
			if !haveSchema {
				payloadAt = r.pos
				ok = r.skip()
			} else {
				v, ok = r.value(known.dec)
			}
			if !ok {
				return nil, v, false
			}
		default:
			return nil, v, false
		}
		if !(haveSchema && havePayload) {
			if r.ws() != ',' {
				return nil, v, false
			}
			r.pos++
			r.ws()
		}
	}
	if r.ws() != '}' {
		return nil, v, false
	}
	if payloadAt >= 0 {
		r.pos = payloadAt
		if v, ok = r.value(known.dec); !ok {
			return nil, v, false
		}
	}
	return known.schema, v, true
}

var noSchema = &read{}

// knownSchema passes over the schema of an envelope and returns what is kept for
// it. An object's text ends where it ends, so equal bytes are the same schema.
func (c *Converter) knownSchema() (*read, bool) {
	r := &c.rd
	if r.ws() == 'n' {
		return noSchema, r.word("null")
	}
	if c.last != nil && bytes.HasPrefix(r.in[r.pos:], c.last.raw) {
		r.pos += len(c.last.raw)
		return c.last, true
	}
	start := r.pos
	if r.pos >= len(r.in) || r.in[r.pos] != '{' || !r.skip() {
		return nil, false
	}
	k, ok := c.read[string(r.in[start:r.pos])]
	if ok {
		c.last = k
	}
	return k, ok
}

const errEnvelope = `JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.`

// byTree reads a document the way of Java, and keeps its schema for the next.
func (c *Converter) byTree(text []byte) (*data.Schema, data.Value, error) {
	n, ok := parse(text)
	if !ok {
		return nil, data.Null, errSyntax()
	}
	if !c.schemas {
		v, err := c.convertAny(n)
		return nil, v, err
	}
	if c.given != nil {
		v, err := c.convert(c.given.schema, n)
		if err != nil {
			return nil, data.Null, err
		}
		return c.given.schema, v, nil
	}
	js, payload := n.get("schema"), n.get("payload")
	if len(n.kids) != 2 || js == nil || payload == nil {
		return nil, data.Null, data.Errorf(errEnvelope)
	}
	k, ok := c.read[string(js.raw)]
	if !ok || js.typ != objectNode {
		s, err := c.schemaOf(js)
		if err != nil {
			return nil, data.Null, err
		}
		if s == nil {
			v, err := c.convertAny(payload)
			return nil, v, err
		}
		k = c.keep(js.raw, s)
	}
	v, err := c.convert(k.schema, payload)
	if err != nil {
		return nil, data.Null, err
	}
	return k.schema, v, nil
}

// keep takes note of the schema that raw stands for. Schemas that are equal
// become one, however they are written.
func (c *Converter) keep(raw []byte, s *data.Schema) *read {
	if len(c.read) >= c.cacheSize {
		clear(c.read)
	}
	k := &read{raw: bytes.Clone(raw), schema: s}
	if twin, ok := c.same.Get(s); ok {
		k.schema, k.dec = twin.schema, twin.dec
	} else {
		k.dec = c.compileDecoder(s)
		c.same.Put(s, k)
	}
	c.read[string(k.raw)] = k
	c.last = k
	return k
}
