package compat

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/registry"
)

func record(fields string) string {
	return `{"type":"record","name":"R","namespace":"a","fields":[` + fields + `]}`
}

func TestAvro(t *testing.T) {
	const (
		id    = `{"name":"id","type":"int"}`
		abc   = `{"type":"enum","name":"E","symbols":["A","B","C"]}`
		tree  = `{"type":"record","name":"T","fields":[{"name":"left","type":["null","T"]}]}`
		tree2 = `{"type":"record","name":"T","fields":[{"name":"left","type":["null","T"]},{"name":"n","type":"int"}]}`
	)
	for _, tt := range []struct{ name, reader, writer, want string }{
		{"same", record(id), record(id), ""},
		{"field added with default", record(id + `,{"name":"x","type":"string","default":""}`), record(id), ""},
		{"field added with null default", record(id + `,{"name":"x","type":["null","string"],"default":null}`), record(id), ""},
		{"field added without default", record(id + `,{"name":"x","type":"string"}`), record(id),
			"READER_FIELD_MISSING_DEFAULT_VALUE: The field 'x' at path '/fields/1' in the new schema has no default value and is missing in the old schema"},
		{"field removed", record(id), record(id + `,{"name":"x","type":"string"}`), ""},
		{"field renamed by alias", record(`{"name":"key","aliases":["id"],"type":"int"}`), record(id), ""},
		{"widened", record(`{"name":"id","type":"long"}`), record(id), ""},
		{"narrowed", record(id), record(`{"name":"id","type":"long"}`), "TYPE_MISMATCH: The type (path '/fields/0/type') of a field in the new schema does not match with the old schema"},
		{"bytes and string", `"bytes"`, `"string"`, ""},
		{"string and bytes", `"string"`, `"bytes"`, ""},
		{"int to string", `"string"`, `"int"`, "TYPE_MISMATCH: The type (path '/') of a field in the new schema does not match with the old schema"},
		{"made nullable", record(`{"name":"id","type":["null","int"]}`), record(id), ""},
		{"made nullable and wider", record(`{"name":"id","type":["null","long"]}`), record(id), ""},
		{"no longer nullable", record(id), record(`{"name":"id","type":["null","int"]}`), "TYPE_MISMATCH: The type (path '/fields/0/type/0') of a field in the new schema does not match with the old schema"},
		{"branch added", `["int","string"]`, `["int"]`, ""},
		{"branch removed", `["int"]`, `["int","string"]`, "MISSING_UNION_BRANCH: The new schema is missing a type inside a union field at path '/1' in the old schema"},
		{"not in the union", `["int","null"]`, `"string"`, "MISSING_UNION_BRANCH: The new schema is missing a type inside a union field at path '/' in the old schema"},
		{"symbol added", abc, `{"type":"enum","name":"E","symbols":["A","B"]}`, ""},
		{"symbols removed", `{"type":"enum","name":"E","symbols":["B"]}`, abc, "MISSING_ENUM_SYMBOLS: The new schema is missing enum symbols '[A, C]' at path '/symbols' in the old schema"},
		{"symbols removed with default", `{"type":"enum","name":"E","symbols":["B"],"default":"B"}`, abc, ""},
		{"record renamed", `{"type":"record","name":"S","fields":[]}`, record(id), "NAME_MISMATCH: The name of the schema has changed (path '/name')"},
		{"record renamed by alias", `{"type":"record","name":"S","aliases":["a.R"],"fields":[]}`, record(id), ""},
		{"namespace changed", `{"type":"record","name":"b.R","fields":[` + id + `]}`, record(id), ""},
		{"fixed size", `{"type":"fixed","name":"F","size":8}`, `{"type":"fixed","name":"F","size":4}`, "FIXED_SIZE_MISMATCH: The size of FIXED type field at path '/size' in the new schema does not match with the old schema"},
		{"array items", `{"type":"array","items":"long"}`, `{"type":"array","items":"int"}`, ""},
		{"array items, narrowed", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, "TYPE_MISMATCH: The type (path '/items') of a field in the new schema does not match with the old schema"},
		{"map values, narrowed", `{"type":"map","values":"int"}`, `{"type":"map","values":"string"}`, "TYPE_MISMATCH: The type (path '/values') of a field in the new schema does not match with the old schema"},
		{"recursive", tree, tree, ""},
		{"recursive, field added", tree2, tree, "READER_FIELD_MISSING_DEFAULT_VALUE: The field 'n' at path '/fields/1' in the new schema has no default value and is missing in the old schema"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, registry.Avro, tt.reader, tt.writer, tt.want)
		})
	}
}

func parsed(t *testing.T, typ registry.Type, text string, deps ...registry.Dependency) *Parsed {
	t.Helper()
	p, err := Parse(&registry.Schema{Type: typ, Text: text}, deps)
	if err != nil {
		t.Fatalf("%s is not valid: %v", text, err)
	}
	return p
}

func check(t *testing.T, typ registry.Type, reader, writer, want string) {
	t.Helper()
	var have []string
	for _, p := range parsed(t, typ, reader).Reads(parsed(t, typ, writer), Strict) {
		have = append(have, p.Type+": "+p.Describe("new", "old"))
	}
	if got := strings.Join(have, "\n"); got != want {
		t.Errorf("have %s\nwant %s", got, want)
	}
}

func TestAvroReferences(t *testing.T) {
	dep := func(typ string) []registry.Dependency {
		return []registry.Dependency{{Reference: registry.Reference{Name: "a.P"}, Schema: &registry.Schema{Text: `{"type":"record","name":"a.P","fields":[{"name":"x","type":"` + typ + `"}]}`}}}
	}
	s := &registry.Schema{Type: registry.Avro, Text: record(`{"name":"p","type":"P"}`)}
	long, short := parsed(t, s.Type, s.Text, dep("long")...), parsed(t, s.Type, s.Text, dep("int")...)
	if _, err := Parse(s, nil); err == nil || !strings.Contains(err.Error(), `Undefined name: "P"`) {
		t.Error(err)
	}
	if p := long.Reads(short, Strict); len(p) > 0 {
		t.Error(p)
	}
	if p := short.Reads(long, Strict); len(p) != 1 || p[0].Path != "/fields/0/type/fields/0/type" {
		t.Error(p)
	}
	if got := Texts(s, s, dep("int"), dep("long")); len(got) != 1 || !strings.Contains(got[0], "in the reader's schema does not match with the writer's schema") {
		t.Error(got)
	}
	if got := Texts(s, s, dep("int"), nil); len(got) != 1 || !strings.Contains(got[0], `the writer's schema: Undefined name: "P"`) {
		t.Error(got)
	}
}

func canonical(typ registry.Type, text string, normalize bool) (string, error) {
	p, err := Parse(&registry.Schema{Type: typ, Text: text}, nil)
	if err != nil {
		return "", err
	}
	return p.Canonical(normalize)
}

func TestInvalid(t *testing.T) {
	for _, tt := range []struct {
		typ        registry.Type
		text, want string
	}{
		{registry.Avro, `{"type":"record"`, "unexpected EOF"},
		{registry.Avro, `"strin"`, `Undefined name: "strin"`},
		{registry.Avro, `{"name":"x"}`, "no type: "},
		{registry.Avro, `{"type":"record","name":"R"}`, "the record R has no fields"},
		{registry.Avro, `{"type":"record","name":"1R","fields":[]}`, "the record 1R: Illegal initial character: 1R"},
		{registry.Avro, record(`{"name":"x","type":"int"},{"name":"x","type":"int"}`), "Duplicate field x in record a.R"},
		{registry.Avro, record(`{"name":"x","type":"int","default":"1"}`), `Invalid default for field x: "1" not a int`},
		{registry.Avro, record(`{"name":"x","type":"int","default":3000000000}`), "Invalid default for field x: 3000000000"},
		{registry.Avro, record(`{"name":"x","type":{"type":"array","items":"int"},"default":["1"]}`), `Invalid default for field x: ["1"] not a array`},
		{registry.Avro, record(`{"name":"x","type":"R","default":{}}`), "Invalid default for field x"},
		{registry.Avro, record(`{"name":"x y","type":"int"}`), "Illegal character in: x y"},
		{registry.Avro, `{"type":"record","name":"R","namespace":"a.-","fields":[]}`, "Illegal initial character: -"},
		{registry.Avro, `{"type":"enum","name":"E","symbols":["A B"]}`, "Illegal character in: A B"},
		{registry.Avro, `{"type":"enum","name":"E","symbols":["A"],"default":"B"}`, "none of its symbols"},
		{registry.Avro, `{"type":"fixed","name":"F","size":3000000000}`, "no size"},
		{registry.Avro, `["int","int"]`, "Duplicate in union:int"},
		{registry.Avro, `["int",["null"]]`, "Nested union: "},
		{registry.Avro, `{"type":"enum","name":"E","symbols":["A","A"]}`, "comes twice"},
		{registry.Avro, `{"type":"fixed","name":"F","size":-1}`, "invalid or no size of the fixed F"},
		{registry.Avro, `{"type":"array"}`, "array has no items type"},
		{registry.Avro, `"int" 5`, "text after the schema"},
		{registry.Avro, strings.Repeat(`{"type":"array","items":`, 2000) + `"int"` + strings.Repeat("}", 2000), "nests too deeply"},
		{registry.JSON, `5`, "an object or a boolean"},
		{registry.JSON, `{"type":"strin"}`, `unknown type "strin"`},
		{registry.Protobuf, `syntax = "proto3"; message A { int32 x = 1;`, "a } is missing"},
		{registry.Protobuf, `syntax = "proto3";`, "defines no message"},
		{registry.Protobuf, strings.Repeat("message A {", 2000), "nested too deeply"},
		{"XML", `<a/>`, "Invalid schema type XML"},
	} {
		if _, err := canonical(tt.typ, tt.text, false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: %v, want %q", tt.text, err, tt.want)
		}
	}
}

// TestCanonical: what counts as the same schema.
func TestCanonical(t *testing.T) {
	for _, tt := range []struct {
		name      string
		typ       registry.Type
		a, b      string
		normalize bool
		same      bool
	}{
		{"avro, blanks and order", registry.Avro, `{"type":"record","name":"R","fields":[]}`, `{ "name": "R", "fields": [], "type": "record" }`, false, true},
		{"avro, bare and quoted", registry.Avro, `string`, `"string"`, false, true},
		{"avro, doc", registry.Avro, `{"type":"record","name":"R","fields":[]}`, `{"type":"record","name":"R","fields":[],"doc":"d"}`, false, false},
		{"json, blanks", registry.JSON, `{"type":"string","title":"x"}`, `{ "type":"string", "title":"x"}`, false, true},
		{"json, order", registry.JSON, `{"type":"string","title":"x"}`, `{"title":"x","type":"string"}`, false, false},
		{"json, order, normalized", registry.JSON, `{"type":"string","title":"x"}`, `{"title":"x","type":"string"}`, true, true},
		{"protobuf, comments", registry.Protobuf, "message A { int32 x = 1; }", "// a\nmessage A {\n int32 x=1; }", false, true},
	} {
		a, err := canonical(tt.typ, tt.a, tt.normalize)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		b, err := canonical(tt.typ, tt.b, tt.normalize)
		if err != nil || (a == b) != tt.same {
			t.Errorf("%s: %s and %s, %v", tt.name, a, b, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`{"type":"record","name":"T","fields":[{"name":"l","type":["null","T"]}]}`, `["int"]`)
	f.Add(`{"properties":{"a":{"enum":[1]}}}`, `{"required":["a"]}`)
	f.Add(`message A { oneof x { int32 y = 1; } }`, `message A { }`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, typ := range []registry.Type{registry.Avro, registry.JSON, registry.Protobuf} {
			r, err := Parse(&registry.Schema{Type: typ, Text: a}, nil)
			if err != nil {
				continue
			}
			if _, err := r.Canonical(true); err == nil {
				if p := r.Reads(r, Strict); len(p) > 0 {
					t.Errorf("%s: it cannot read what it wrote itself: %v", typ, p)
				}
			}
			if w, err := Parse(&registry.Schema{Type: typ, Text: b}, nil); err == nil {
				r.Reads(w, Strict)
				w.Reads(r, Strict)
			}
		}
	})
}
