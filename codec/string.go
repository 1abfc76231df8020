package codec

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
)

// EncodingSetting is the charset of a [StringConverter].
const EncodingSetting = "converter.encoding"

// StringConverter writes the text form that Java's toString gives, and reads
// text: org.apache.kafka.connect.storage.StringConverter.
type StringConverter struct {
	to, from         charset
	toUTF8, fromUTF8 bool
}

// NewStringConverter returns a converter of keys or values. The error is an
// [Error]: an unknown charset.
func NewStringConverter(config map[string]string, isKey bool) (*StringConverter, error) {
	name := "UTF-8"
	if v, ok := config[EncodingSetting]; ok {
		name = strings.TrimSpace(v)
	}
	side := "value."
	if isKey {
		side = "key."
	}
	// Kafka's serializers look for a setting of their own first.
	pick := func(what string) (charset, error) {
		n := name
		if v, ok := config[side+what+".encoding"]; ok {
			n = v
		}
		cs, ok := charsetOf(n)
		if !ok {
			return nil, &Error{Class: SerializationException, Msg: "Unsupported encoding " + n}
		}
		return cs, nil
	}
	to, err := pick("serializer")
	if err != nil {
		return nil, err
	}
	from, err := pick("deserializer")
	if err != nil {
		return nil, err
	}
	c := &StringConverter{to: to, from: from}
	_, c.toUTF8 = to.(utf8Charset)
	_, c.fromUTF8 = from.(utf8Charset)
	return c, nil
}

// NewStringHeaderConverter returns a converter of headers.
func NewStringHeaderConverter(config map[string]string) (*StringConverter, error) {
	if err := Settings(config).CheckType(); err != nil {
		return nil, err
	}
	return NewStringConverter(config, strings.TrimSpace(config[TypeSetting]) == "key")
}

// FromConnect appends the text of v; the schema has no say.
func (c *StringConverter) FromConnect(_ string, _ *data.Schema, v data.Value, dst []byte) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	if c.toUTF8 {
		if v.Kind() == data.KindString {
			return v.Bytes(), nil // no need to copy
		}
		return v.AppendText(notNil(dst)), nil
	}
	return c.to.append(notNil(dst), v.String()), nil
}

// notNil keeps empty text from being null.
func notNil(dst []byte) []byte {
	if dst == nil {
		return []byte{}
	}
	return dst
}

// ToConnect reads text; null is a null string.
func (c *StringConverter) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return data.OptionalStringSchema, data.Null, nil
	}
	if c.fromUTF8 && validUTF8(b) {
		return data.OptionalStringSchema, data.OfText(b), nil
	}
	return data.OptionalStringSchema, data.OfString(c.from.decode(b)), nil
}

// validUTF8 is utf8.Valid, which takes eight bytes at a time where this takes 32:
// most text is ASCII.
func validUTF8(b []byte) bool {
	const high = 0x8080808080808080
	i := 0
	for ; i+32 <= len(b); i += 32 {
		p := b[i : i+32 : i+32]
		if (binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:])|binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:]))&high != 0 {
			return utf8.Valid(b[i:])
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&high != 0 {
			return utf8.Valid(b[i:])
		}
	}
	for ; i < len(b); i++ {
		if b[i] >= utf8.RuneSelf {
			return utf8.Valid(b[i:])
		}
	}
	return true
}

// FromConnectHeader is FromConnect for a header.
func (c *StringConverter) FromConnectHeader(topic, _ string, s *data.Schema, v data.Value) ([]byte, error) {
	return c.FromConnect(topic, s, v, nil)
}

// ToConnectHeader is ToConnect for a header.
func (c *StringConverter) ToConnectHeader(topic, _ string, b []byte) (*data.Schema, data.Value, error) {
	return c.ToConnect(topic, b)
}
