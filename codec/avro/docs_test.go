package avro

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/docexample"
)

// TestDocsExample holds the example on the page to what the converter does.
// TROUPE_WRITE_DOCS=1 rewrites it.
func TestDocsExample(t *testing.T) {
	s := data.NewStructSchema().Name("com.acme.Order").
		Field("id", data.Int64Schema).Field("customer", data.StringSchema).Field("amount", data.NewDecimalSchema(2).MustBuild()).
		Field("placed", data.TimestampSchema).Field("note", data.OptionalStringSchema).
		Field("priority", data.NewSchema(data.Int8).Default(data.OfInt8(3)).MustBuild()).MustBuild()
	v := data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt64(7), data.OfString("Erika Mustermann"),
		data.OfDecimal(data.NewDecimal(4250, 2)), data.OfDate(1_700_000_000_000), data.Null, data.OfInt8(1)}))
	c, reg := withRegistry(t, nil)
	record, err := c.FromConnect("orders", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	registered, ok := reg.GetSchema("orders-value", 1)
	if !ok {
		t.Fatal("nothing was registered")
	}
	back, value, err := c.ToConnect("orders", record)
	if version, _ := back.Version(); err != nil || !sameValue(value, v) || version != 1 {
		t.Fatalf("read %v, %v", value, err)
	}
	var schema bytes.Buffer
	if err := json.Indent(&schema, []byte(registered.Schema.Schema), "", "  "); err != nil {
		t.Fatal(err)
	}
	docexample.Hold(t, "../../docs/converters-avro.md", map[string]string{"schema": schema.String() + "\n",
		"record": strings.TrimSpace(regexp.MustCompile("..").ReplaceAllString(hex.EncodeToString(record), "$0 ")) + "\n"}, v.String())
}
