package protobuf

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

var example = regexp.MustCompile("(?s)<!-- example (\\w+) -->\n```(\\w*)\n(.*?)```\n")

// TestDocsExample holds the example on the page to what the converter does.
// TROUPE_WRITE_DOCS=1 rewrites it.
func TestDocsExample(t *testing.T) {
	const page = "../../docs/converters-protobuf.md"
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
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(have, []byte("\n"+v.String()+"\n")) {
		t.Errorf("%s does not show the record %s", page, v)
	}
	n := 0
	want := example.ReplaceAllStringFunc(string(have), func(part string) string {
		n++
		m := example.FindStringSubmatch(part)
		return "<!-- example " + m[1] + " -->\n```" + m[2] + "\n" + parts[m[1]] + "```\n"
	})
	if n != len(parts) {
		t.Errorf("the page has %d examples, want %d", n, len(parts))
	}
	if want == string(have) {
		return
	}
	if os.Getenv("TROUPE_WRITE_DOCS") == "1" {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page of documentation
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the converter does; TROUPE_WRITE_DOCS=1 rewrites it", page)
}
