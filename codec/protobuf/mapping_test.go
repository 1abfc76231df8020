package protobuf

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// asRead writes a schema and reads it back.
func asRead(m *Mapping, s *data.Schema) (*data.Schema, string, error) {
	text, name, err := m.Text(s)
	if err != nil {
		return nil, "", err
	}
	f, err := compile(text, nil)
	if err != nil {
		return nil, text, err
	}
	path, ok := pathOf(f, name)
	if !ok {
		return nil, text, data.Errorf("no message %s", name)
	}
	md, err := messageAt(f, path)
	if err != nil {
		return nil, text, err
	}
	got, _, err := m.connect(md, 0)
	return got, text, err
}

func tagged(s *data.Schema, tag string) *data.Schema {
	b := data.NewSchema(s.Type())
	switch s.Type() {
	case data.Array:
		b = data.NewArraySchema(s.ValueSchema())
	case data.Map:
		b = data.NewMapSchema(s.KeySchema(), s.ValueSchema())
	case data.Struct:
		b = data.NewStructSchema()
		for _, f := range s.Fields() {
			b.Field(f.Name, f.Schema)
		}
	}
	return b.CopyBasics(s).SetOptional(s.Optional()).Param(tagParam, tag).MustBuild()
}

func TestText(t *testing.T) {
	color := data.NewSchema(data.String).Name("Color").Param(enumParam, "Color").Param(enumParam+".RED", "0").Param(enumParam+".BLUE", "1").MustBuild()
	union := data.NewStructSchema().Name(unionName+".choice").
		Field("a", tagged(data.OptionalStringSchema, "14")).Field("b", tagged(data.OptionalInt32Schema, "15")).Optional().MustBuild()
	inner := data.NewStructSchema().Name("com.acme.Inner").Field("x", data.BooleanSchema).MustBuild()
	s := data.NewStructSchema().Name("com.acme.Order").
		Field("small", data.Int8Schema).
		Field("price", data.NewDecimalSchema(2).MustBuild()).
		Field("at", data.OptionalTimestampSchema).
		Field("choice_0", union).
		Field("inner", inner).
		Field("list", data.NewArraySchema(data.StringSchema).MustBuild()).
		Field("map", data.NewMapSchema(data.StringSchema, data.Float64Schema).MustBuild()).
		Field("color", color).
		Field("note", data.OptionalStringSchema).MustBuild()
	const want = `syntax = "proto3";
package com.acme;

import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "google/protobuf/timestamp.proto";

message Order {
  int32 small = 1 [(confluent.field_meta) = { params: [{ key: "connect.type", value: "int8" }] }];
  confluent.type.Decimal price = 2 [(confluent.field_meta) = { params: [{ key: "scale", value: "2" }] }];
  google.protobuf.Timestamp at = 3;
  Inner inner = 5;
  repeated string list = 6;
  repeated ConnectDefault1Entry map = 7;
  Color color = 8;
  string note = 9;
  oneof choice {
    string a = 14;
    int32 b = 15;
  }

  message Inner {
    bool x = 1;
  }

  message ConnectDefault1Entry {
    string key = 1;
    double value = 2;
  }

  enum Color {
    RED = 0;
    BLUE = 1;
  }
}
`
	// A union takes a number, 4, although its members have theirs.
	text, name, err := new(Mapping).Text(s)
	if err != nil || name != "com.acme.Order" {
		t.Fatal(name, err)
	}
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// TestNumbers: a field without a number, which a transform may have added, takes one
// that is free.
func TestNumbers(t *testing.T) {
	u := data.NewStructSchema().Name(unionName+".u").Field("b", tagged(data.OptionalStringSchema, "2")).Optional().MustBuild()
	s := data.NewStructSchema().Name("M").Field("a", tagged(data.StringSchema, "1")).Field("new", data.StringSchema).Field("u", u).
		Field("c", tagged(data.StringSchema, "5")).Field("newer", data.StringSchema).MustBuild()
	const want = `
message M {
  string a = 1;
  string new = 3;
  string c = 5;
  string newer = 6;
  oneof u {
    string b = 2;
  }
}
`
	text, _, err := new(Mapping).Text(s)
	if got := text[strings.IndexByte(text, '\n')+1:]; err != nil || got != want {
		t.Errorf("got %v\n%s", err, got)
	}
}

// TestRead reads schemas that no converter wrote.
func TestRead(t *testing.T) {
	tag := func(s *data.Schema, n string) *data.Schema { return tagged(s.With(true, data.Null), n) }
	compileTo := func(m *Mapping, text string, path ...int) (*data.Schema, error) {
		f, err := compile(text, map[string]string{"other.proto": `syntax = "proto3"; message Other { string x = 1; }`})
		if err != nil {
			return nil, err
		}
		md, err := messageAt(f, path)
		if err != nil {
			return nil, err
		}
		s, _, err := m.connect(md, 7)
		return s, err
	}
	typed := func(n string, typ data.Type, kind string) *data.Schema {
		return data.NewSchema(typ).Optional().Param(typeParam, kind).Param(tagParam, n).MustBuild()
	}
	for name, tc := range map[string]struct {
		m    Mapping
		text string
		path []int
		want *data.Schema
		err  string
	}{
		"kinds": {text: `syntax = "proto3"; message M { int32 a = 1; uint32 b = 2; fixed64 c = 3; sint32 d = 4; float e = 5; bytes f = 6; }`, path: []int{0},
			want: data.NewStructSchema().Name("M").Version(7).Field("a", tag(data.Int32Schema, "1")).Field("b", typed("2", data.Int64, "uint32")).Field("c", typed("3", data.Int64, "fixed64")).
				Field("d", typed("4", data.Int32, "sint32")).Field("e", tag(data.Float32Schema, "5")).Field("f", tag(data.BytesSchema, "6")).MustBuild()},
		"nested, by its path": {text: `syntax = "proto3"; package p; message A {} message B { message C { string x = 1; } }`, path: []int{1, 0}, m: Mapping{Enhanced: true},
			want: data.NewStructSchema().Name("p.B.C").Version(7).Field("x", tag(data.StringSchema, "1")).MustBuild()},
		"imported": {text: `syntax = "proto3"; import "other.proto"; message M { Other o = 1; }`, path: []int{0},
			want: data.NewStructSchema().Name("M").Version(7).Field("o", data.NewStructSchema().Name("Other").Optional().Param(tagParam, "1").Field("x", tag(data.StringSchema, "1")).MustBuild()).MustBuild()},
		"oneof, flattened": {text: `syntax = "proto3"; message M { string z = 3; oneof o { string a = 1; bool b = 2; } }`, path: []int{0}, m: Mapping{FlattenUnions: true},
			want: data.NewStructSchema().Name("M").Version(7).Field("a", tag(data.StringSchema, "1")).Field("b", tag(data.BooleanSchema, "2")).Field("z", tag(data.StringSchema, "3")).MustBuild()},
		"oneof": {text: `syntax = "proto3"; message M { oneof o { string a = 1; bool b = 2; } }`, path: []int{0},
			want: data.NewStructSchema().Name("M").Version(7).Field("o_0", data.NewStructSchema().Name(unionName+".o").Optional().
				Field("a", tag(data.StringSchema, "1")).Field("b", tag(data.BooleanSchema, "2")).MustBuild()).MustBuild()},
		"optional": {text: `syntax = "proto3"; message M { string a = 1; optional string b = 2; }`, path: []int{0}, m: Mapping{OptionalNullables: true},
			want: data.NewStructSchema().Name("M").Version(7).Field("a", tagged(data.StringSchema, "1")).Field("b", tag(data.StringSchema, "2")).MustBuild()},
		"enum as a number": {text: `syntax = "proto3"; message M { E e = 1; enum E { A = 0; B = 5; } }`, path: []int{0}, m: Mapping{IntEnums: true},
			want: data.NewStructSchema().Name("M").Version(7).Field("e", data.NewSchema(data.Int32).Name("E").Optional().Param(enumParam, "E").Param(enumParam+".A", "0").Param(enumParam+".B", "5").Param(tagParam, "1").MustBuild()).MustBuild()},
		"map": {text: `syntax = "proto3"; message M { map<string, int64> my_map = 1; }`, path: []int{0},
			want: data.NewStructSchema().Name("M").Version(7).Field("my_map", data.NewMapSchema(tag(data.StringSchema, "1"), tag(data.Int64Schema, "2")).Name("my_map").Optional().Param(tagParam, "1").MustBuild()).MustBuild()},
		"options without their import": {text: `syntax = "proto3"; message M { int32 a = 1 [(confluent.field_meta) = { params: [ { key: "connect.type", value: "int16" } ] }]; }`, path: []int{0},
			want: data.NewStructSchema().Name("M").Version(7).Field("a", tag(data.Int16Schema, "1")).MustBuild()},
		"wrapper":     {text: wrappersText(), path: []int{7}, want: data.NewSchema(data.String).Version(7).MustBuild()},
		"wrapper raw": {text: wrappersText(), path: []int{7}, m: Mapping{NoRawWrappers: true}, want: data.NewStructSchema().Name("StringValue").Version(7).Field("value", tag(data.StringSchema, "1")).MustBuild()},

		"group":        {text: `syntax = "proto2"; message M { optional group G = 1 { optional string a = 1; } }`, path: []int{0}, err: "Unknown Connect schema type: GROUP"},
		"no message":   {text: `syntax = "proto3"; message M {}`, path: []int{0, 3}, err: "no message has the indexes of the record"},
		"not imported": {text: `syntax = "proto3"; import "none.proto"; message M {}`, path: []int{0}, err: `Invalid protobuf schema definition: schema.proto:1:27: could not resolve path "none.proto": file does not exist`},
		"syntax":       {text: `message {`, path: []int{0}, err: "Invalid protobuf schema definition: schema.proto:1:9: syntax error: unexpected '{'"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compileTo(&tc.m, tc.text, tc.path...)
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(tc.want) {
				gt, _, _ := new(Mapping).Text(got)
				t.Errorf("got %v\n%s", got, gt)
			}
		})
	}
}

func TestScrub(t *testing.T) {
	m := Mapping{ScrubNames: true}
	for in, want := range map[string]string{"plain": "plain", "a-b": "a_b", "1st": "x1st", "_x": "x_x", "a b": "a_b", "é": "_C3_A9", "a.b*": "a_b_", "~": "_7E"} {
		if got := m.scrub(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}
