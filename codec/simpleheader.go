package codec

import (
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

// SimpleHeaderConverter reads and writes headers as literals:
// org.apache.kafka.connect.storage.SimpleHeaderConverter. The zero value is ready.
type SimpleHeaderConverter struct {
	bytes  Buffer
	parser literalParser
	room   literalRoom
}

// headerChunk is for how many headers of middle size a chunk of bytes is made.
const headerChunk = 4

// FromConnectHeader writes the literal of v. Strings are not copied.
func (c *SimpleHeaderConverter) FromConnectHeader(_, _ string, _ *data.Schema, v data.Value) ([]byte, error) {
	switch v.Kind() {
	case data.KindNull:
		return nil, nil
	case data.KindString:
		return v.Bytes(), nil
	}
	if c.bytes.chunk == 0 {
		c.bytes.Expect(headerChunk)
	}
	b, err := appendLiteral(c.bytes.Next(), v, false)
	if err != nil {
		return nil, err
	}
	c.bytes.Keep(b)
	return b, nil
}

// ToConnectHeader reads a literal. What nests too deeply to be read is taken as
// the bytes that it is. Strings of the result share b.
func (c *SimpleHeaderConverter) ToConnectHeader(_, _ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	text := data.OfText(b).Str()
	if !utf8.Valid(b) {
		text = javatext.DecodeUTF8(b)
	}
	if s, v, ok := plainLiteral(text); ok {
		return s, v, nil
	}
	c.parser.room = &c.room
	t, err := c.parser.read(text)
	if err != nil {
		return data.BytesSchema, data.OfBytes(b), nil
	}
	return t.schema, t.value, nil
}
