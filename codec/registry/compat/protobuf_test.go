package compat

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/registry"
)

func TestProtobuf(t *testing.T) {
	file := func(body string) string { return "syntax = \"proto3\";\npackage a;\nimport \"x.proto\";\n" + body }
	const m = `message M { int32 id = 1; /* the
		name */ string name = 2; oneof o { bool b = 3; } map<string, int64> t = 4; message In { bytes x = 1 [deprecated = true]; } enum E { A = 0; } E e = 5; In in = 6; }`
	changed := func(from, to string) string { return file(strings.Replace(m, from, to, 1)) }
	two := func(body string) string { return `syntax = "proto2"; message M { ` + body + ` }` }
	for _, tt := range []bothWays{
		{"field", file(`message M { int32 id = 1; }`), file(`message M { int32 id = 1; string s = 9; }`), "", ""},
		{"name", file(`message M { int32 id = 1; }`), file(`message M { int32 number = 1; }`), "", ""},
		{"order", file(m + `message N {}`), file(`message N {}` + m), "", ""},
		{"package", file(m), strings.Replace(file(m), "package a", "package b", 1), "PACKAGE_CHANGED #/", "PACKAGE_CHANGED #/"},
		{"message", file(m), file(m + `message N { int32 x = 1; }`), "", "MESSAGE_REMOVED #/N"},
		{"nested message", file(`message M { }`), file(`message M { message In { } }`), "", "MESSAGE_REMOVED #/M/In"},
		{"number", file(m), changed("int32 id", "uint64 id"), "", ""},
		{"text and bytes", file(m), changed("string name", "bytes name"), "", ""},
		{"number and enum", file(m), changed("E e", "int32 e"), "", ""},
		{"number to text", file(m), changed("int32 id", "string id"), "FIELD_SCALAR_KIND_CHANGED #/M/1", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"zigzag", file(m), changed("int32 id", "sint32 id"), "FIELD_SCALAR_KIND_CHANGED #/M/1", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"float and double", file(`message M { float id = 1; }`), file(`message M { double id = 1; }`), "FIELD_SCALAR_KIND_CHANGED #/M/1", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"in a oneof", file(m), changed("bool b", "double b"), "FIELD_SCALAR_KIND_CHANGED #/M/o/3", "FIELD_SCALAR_KIND_CHANGED #/M/o/3"},
		{"in a nested message", file(m), changed("bytes x", "float x"), "FIELD_SCALAR_KIND_CHANGED #/M/In/1", "FIELD_SCALAR_KIND_CHANGED #/M/In/1"},
		{"value of a map", file(m), changed("map<string, int64>", "map<string, string>"), "FIELD_SCALAR_KIND_CHANGED #/M/4", "FIELD_SCALAR_KIND_CHANGED #/M/4"},
		{"key of a map", file(m), changed("map<string, int64>", "map<bool, int64>"), "FIELD_SCALAR_KIND_CHANGED #/M/4", "FIELD_SCALAR_KIND_CHANGED #/M/4"},
		{"map and number", file(m), changed("map<string, int64>", "int64"), "FIELD_KIND_CHANGED #/M/4", "FIELD_KIND_CHANGED #/M/4"},
		{"message and number", file(m), changed("In in", "int64 in"), "FIELD_KIND_CHANGED #/M/6", "FIELD_KIND_CHANGED #/M/6"},
		{"other message", file(m + `message N {}`), changed("In in", "N in") + `message N {}`, "FIELD_NAMED_TYPE_CHANGED #/M/6", "FIELD_NAMED_TYPE_CHANGED #/M/6"},
		{"the same message", file(m), changed("In in", ".a.M.In in"), "", ""},
		{"other message of the language", file(`message M { google.protobuf.Timestamp t = 1; }`), file(`message M { google.protobuf.Duration t = 1; }`), "FIELD_NAMED_TYPE_CHANGED #/M/1", "FIELD_NAMED_TYPE_CHANGED #/M/1"},
		{"required", two(``), two(`required int32 id = 1;`), "REQUIRED_FIELD_ADDED #/M/1", "REQUIRED_FIELD_REMOVED #/M/1"},
		{"label of a number", two(`optional int32 id = 1;`), two(`repeated int32 id = 1;`), "FIELD_NUMERIC_LABEL_CHANGED #/M/1", "FIELD_NUMERIC_LABEL_CHANGED #/M/1"},
		{"label of a text", two(`optional string id = 1;`), two(`repeated string id = 1;`), "", ""},
		{"group", two(`optional group G = 1 { optional int32 x = 1; }`), two(`optional group G = 1 { optional string x = 1; }`), "FIELD_SCALAR_KIND_CHANGED #/M/G/1", "FIELD_SCALAR_KIND_CHANGED #/M/G/1"},
		{"oneof", file(`message M { oneof o { int32 x = 1; } }`), file(`message M { oneof o { int32 x = 1; int32 y = 2; } }`), "", "ONEOF_FIELD_REMOVED #/M/o/2"},
		{"oneof as a whole", file(`message M { }`), file(`message M { oneof o { int32 x = 1; } }`), "", ""},
		{"one into a new oneof", file(`message M { int32 x = 1; }`), file(`message M { oneof o { int32 x = 1; } }`), "", ""},
		{"two into a oneof", file(`message M { int32 x = 1; int32 y = 2; }`), file(`message M { oneof o { int32 x = 1; int32 y = 2; } }`), "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/M/o", ""},
		{"one into a oneof that was there", file(`message M { int32 x = 1; oneof o { int32 y = 2; } }`), file(`message M { oneof o { int32 x = 1; int32 y = 2; } }`), "FIELD_MOVED_TO_EXISTING_ONEOF #/M/o", ""},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.check(t, registry.Protobuf, Strict) })
	}
}

// TestProtobufImports: messages of other files are compared where a field has them.
func TestProtobufImports(t *testing.T) {
	dep := func(field string) registry.Dependency {
		return registry.Dependency{Reference: registry.Reference{Name: "p.proto"}, Schema: &registry.Schema{Text: `syntax = "proto3"; package p; message P { ` + field + ` P next = 2; } enum E { A = 0; }`}}
	}
	const text = `syntax = "proto3"; import "p.proto"; message M { p.P p = 1; p.E e = 2; }`
	older, same, other := parsed(t, registry.Protobuf, text, dep("int32 x = 1;")), parsed(t, registry.Protobuf, text, dep("int64 x = 1;")), parsed(t, registry.Protobuf, text, dep("string x = 1;"))
	if got := kinds(same.Reads(older, Strict)); got != "" {
		t.Error(got)
	}
	if got := kinds(other.Reads(older, Strict)); got != "FIELD_SCALAR_KIND_CHANGED #/P/1\nFIELD_NAMED_TYPE_CHANGED #/M/1" {
		t.Error(got)
	}
}

// TestProtobufWords: what the registry says.
func TestProtobufWords(t *testing.T) {
	problems := parsed(t, registry.Protobuf, `syntax = "proto3"; message M { string x = 1; }`).Reads(parsed(t, registry.Protobuf, `syntax = "proto3"; message M { int32 x = 1; }`), Strict)
	if len(problems) != 1 || problems[0].Describe("new", "old") != "The kind of a SCALAR field at path '#/M/1' in the new schema does not match its kind in the old schema" {
		t.Error(problems)
	}
}
