package jsonschema

import (
	"bytes"
	ejson "encoding/json"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/docexample"
)

// TestDocsExample holds the example on the page to what the converter does.
// TROUPE_WRITE_DOCS=1 rewrites it.
func TestDocsExample(t *testing.T) {
	s := data.NewStructSchema().Name("orders").
		Field("id", data.Int64Schema).Field("customer", data.StringSchema).Field("amount", data.NewDecimalSchema(2).MustBuild()).
		Field("placed", data.TimestampSchema).Field("note", data.OptionalStringSchema).MustBuild()
	v := data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt64(7), data.OfString("Erika Mustermann"),
		data.OfDecimal(data.NewDecimal(4250, 2)), data.OfDate(1_700_000_000_000), data.Null}))
	m := &Mapping{}
	text, err := m.Text(s)
	if err != nil {
		t.Fatal(err)
	}
	record, err := m.Plan(s).Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"schema": text, "record": string(record)}
	for name, text := range texts {
		var b bytes.Buffer
		if err := ejson.Indent(&b, []byte(text), "", "  "); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		texts[name] = strings.TrimSpace(b.String()) + "\n"
	}
	docexample.Hold(t, "../../docs/converters-json-schema.md", texts, v.String())
}
