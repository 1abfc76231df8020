package avro

import (
	"fmt"
	"testing"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

func defaults() *options { return &options{metadata: true, flattenSingle: true} }

// encodeWith maps, compiles and encodes.
func encodeWith(o *options, s *data.Schema, v data.Value) (*schema.Schema, []byte, error) {
	a, err := o.avroSchema(s)
	if err != nil {
		return nil, nil, err
	}
	e, err := o.encoderFor(s, a)
	if err != nil {
		return a, nil, err
	}
	b, err := (&run{}).encode(nil, e, v)
	return a, b, err
}

// decodeWith reads bytes by the text of a schema, as it comes from a registry.
func decodeWith(o *options, text string, b []byte) (*data.Schema, data.Value, error) {
	a, err := schema.Parse(text)
	if err != nil {
		return nil, data.Null, err
	}
	s, err := o.connectSchema(a, 0)
	if err != nil {
		return nil, data.Null, err
	}
	d, err := decoderFor(a, s)
	if err != nil {
		return nil, data.Null, err
	}
	v, rest, err := decodeRecord(d, b, new(data.Arena))
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are left", len(rest))
	}
	return s, v, err
}

func mustText(t testing.TB, a *schema.Schema) string {
	t.Helper()
	text, err := a.Print()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
