package protobuf

import (
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/docexample"
)

// TestDocsExample holds the example on the page to what the converter does.
// TROUPE_WRITE_DOCS=1 rewrites it.
func TestDocsExample(t *testing.T) {
	s := data.NewStructSchema().Name("com.acme.Order").
		Field("id", data.Int64Schema).Field("customer", data.StringSchema).Field("amount", data.NewDecimalSchema(2).MustBuild()).
		Field("placed", data.TimestampSchema).Field("note", data.OptionalStringSchema).MustBuild()
	v := data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt64(7), data.OfString("Erika Mustermann"),
		data.OfDecimal(data.NewDecimal(4250, 2)), data.OfDate(1_700_000_000_000), data.Null}))
	parts := map[string]string{}
	for _, m := range []*Mapping{{}, {OptionalNullables: true}} {
		enc, dec, _, _, err := plans(m, s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := enc.append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dec.read(b)
		if err != nil {
			t.Fatal(err)
		}
		parts["read"] += got.String() + "\n"
	}
	var err error
	if parts["schema"], _, err = new(Mapping).Text(s); err != nil {
		t.Fatal(err)
	}
	docexample.Hold(t, "../../docs/converters-protobuf.md", parts, v.String())
}
