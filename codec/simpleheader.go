package codec

import (
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

// SimpleHeaderConverter reads and writes headers as literals:
// org.apache.kafka.connect.storage.SimpleHeaderConverter.
type SimpleHeaderConverter struct{}

// FromConnectHeader writes the literal of v.
func (SimpleHeaderConverter) FromConnectHeader(_, _ string, s *data.Schema, v data.Value) ([]byte, error) {
	if v.IsNull() {
		return nil, nil
	}
	text, err := ConvertToString(s, v)
	if err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// ToConnectHeader reads a literal. What nests too deeply to be read is taken as
// the bytes that it is.
func (SimpleHeaderConverter) ToConnectHeader(_, _ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null, nil
	}
	s, v, err := parseLiteral(javatext.DecodeUTF8(b))
	if err != nil {
		return data.BytesSchema, data.OfBytes(b), nil
	}
	return s, v, nil
}
