package jsonschema

import (
	"bytes"
	ejson "encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

var example = regexp.MustCompile("(?s)<!-- example (\\w+) -->\n```json\n(.*?)```\n")

// TestDocsExample holds the example on the page to what the converter does.
// TROUPE_WRITE_DOCS=1 rewrites it.
func TestDocsExample(t *testing.T) {
	const page = "../../docs/converters-json-schema.md"
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
		var b bytes.Buffer
		name := example.FindStringSubmatch(part)[1]
		if err := ejson.Indent(&b, map[string][]byte{"schema": []byte(text), "record": record}[name], "", "  "); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return "<!-- example " + name + " -->\n```json\n" + strings.TrimSpace(b.String()) + "\n```\n"
	})
	if n != 2 {
		t.Errorf("the page has %d examples, want 2", n)
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
