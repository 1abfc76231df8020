package protobuf

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/internal/golden"
)

// reads returns what a converter makes of a record: its schema and value, or its
// error.
func reads(text, body string) func(testing.TB, *Converter, *srfake.Registry) string {
	return func(t testing.TB, c *Converter, fake *srfake.Registry) string {
		id, _, err := fake.RegisterSchema("t-value", sr.Schema{Schema: text, Type: sr.TypeProtobuf})
		if err != nil {
			t.Fatal(err)
		}
		s, v, err := c.ToConnect("t", append(registry.AppendHeader(nil, id), body...))
		if err != nil {
			return err.Error()
		}
		return strings.NewReplacer(namespace+".", "~").Replace(golden.Describe(s)) + " " + v.String()
	}
}

// writes returns what a converter makes of a value: the lines of its schema from the
// message on, and the bytes, or its error.
func writes(s *data.Schema, vals ...data.Value) func(testing.TB, *Converter, *srfake.Registry) string {
	return func(_ testing.TB, c *Converter, fake *srfake.Registry) string {
		b, err := c.FromConnect("t", s, data.OfStruct(data.NewStruct(s, vals)), nil)
		if err != nil {
			return err.Error()
		}
		got, _ := fake.GetSchema("t-value", 1)
		_, text, _ := strings.Cut(got.Schema.Schema, "message ")
		return strings.Join(strings.Fields(text), " ") + " " + hex.EncodeToString(b[6:])
	}
}

// TestEachSetting shows what each setting of this converter does: the same thing is
// done by a converter with defaults and by one with the setting.
func TestEachSetting(t *testing.T) {
	enum := data.NewSchema(data.String).Name("E").Param(generalEnum, "E").Param(generalEnum+".A", "0").Param(generalEnum+".B", "4").MustBuild()
	cases := []struct {
		setting, value string
		do             func(testing.TB, *Converter, *srfake.Registry) string
		without, with  string
	}{
		{GeneralizedSetting, "true", reads(`syntax = "proto3"; message M { oneof o { string a = 1; } E e = 2; enum E { X = 0; } }`, "\x00\x0a\x01x"),
			`STRUCT M v1(o_0 STRUCT? ~Union.o(a STRING? ~Tag=1), e STRING? E ~Enum=E ~Enum.X=0 ~Tag=2) Struct{o_0=Struct{a=x},e=X}`,
			`STRUCT M v1(o_0 STRUCT? o org.apache.kafka.connect.data.Union=o(a STRING? ~Tag=1), e STRING? E org.apache.kafka.connect.data.Enum=E org.apache.kafka.connect.data.Enum.X=0 ~Tag=2) Struct{o_0=Struct{a=x},e=X}`},
		{GeneralizedSetting, "true", writes(data.NewStructSchema().Name("M").Field("e", enum).MustBuild(), data.OfString("B")),
			`Invalid protobuf schema definition: schema.proto:6:3: enum M.E: enums must define at least one value`, `M { E e = 1; enum E { A = 0; B = 4; } } 0804`},
		{IgnoreDefaultSetting, "true", writes(data.NewStructSchema().Name("M").Field("a", data.NewSchema(data.String).Optional().Default(data.OfString("x")).MustBuild()).MustBuild(), data.Null),
			`M { string a = 1; } 0a0178`, `M { string a = 1; } `},
		{EnhancedSetting, "true", reads(`syntax = "proto3"; package p; message M { N n = 1; oneof o { string a = 2; } E e = 3; message N {} } enum E { X = 0; }`, "\x00\x0a\x00"),
			`STRUCT M v1(o_0 STRUCT? ~Union.o(a STRING? ~Tag=2), n STRUCT? N ~Tag=1(), e STRING? E ~Enum=E ~Enum.X=0 ~Tag=3) Struct{n=Struct{},e=X}`,
			`STRUCT p.M v1(o_0 STRUCT? ~Union.p.M.o(a STRING? ~Tag=2), n STRUCT? p.M.N ~Tag=1(), e STRING? p.E ~Enum=E ~Enum.X=0 ~Tag=3) Struct{n=Struct{},e=X}`},
		{ScrubSetting, "true", writes(data.NewStructSchema().Name("my-app.1st").Field("a b", data.StringSchema).MustBuild(), data.OfString("x")),
			`Invalid protobuf schema definition: "a b" is not a valid identifier; scrub.invalid.names=true makes it one`, `x1st { string a_b = 1; } 0a0178`},
		{IntEnumsSetting, "true", reads(`syntax = "proto3"; message M { E e = 1; enum E { X = 0; Y = 7; } }`, "\x00\x08\x07"),
			`STRUCT M v1(e STRING? E ~Enum=E ~Enum.X=0 ~Enum.Y=7 ~Tag=1) Struct{e=Y}`, `STRUCT M v1(e INT32? E ~Enum=E ~Enum.X=0 ~Enum.Y=7 ~Tag=1) Struct{e=7}`},
		{OptionalSetting, "true", reads(`syntax = "proto3"; message M { string a = 1; optional string b = 2; }`, "\x00"),
			`STRUCT M v1(a STRING? ~Tag=1, b STRING? ~Tag=2) Struct{a=}`, `STRUCT M v1(a STRING ~Tag=1, b STRING? ~Tag=2) Struct{a=}`},
		{OptionalSetting, "true", writes(data.NewStructSchema().Name("M").Field("a", data.OptionalStringSchema).MustBuild(), data.OfString("")),
			`M { string a = 1; } `, `M { optional string a = 1; } 0a00`},
		{Proto2Setting, "false", reads(`syntax = "proto2"; message M { optional int32 a = 1 [default = 5]; required string b = 2; }`, "\x00\x12\x00"),
			`STRUCT M v1(a INT32? ~Tag=1, b STRING? ~Tag=2) Struct{b=}`, `STRUCT M v1(a INT32? ~Tag=1, b STRING? ~Tag=2) Struct{a=5,b=}`},
		{WrapperSetting, "true", reads(`syntax = "proto3"; import "google/protobuf/wrappers.proto"; message M { google.protobuf.Int32Value a = 1; int32 b = 2; }`, "\x00\x0a\x02\x08\x05"),
			`STRUCT M v1(a STRUCT? Int32Value ~Tag=1(value INT32? ~Tag=1), b INT32? ~Tag=2) Struct{a=Struct{value=5},b=0}`, `STRUCT M v1(a INT32? ~Tag=1, b INT32 ~Tag=2) Struct{a=5,b=0}`},
		{WrapperSetting, "true", writes(data.NewStructSchema().Name("M").Field("a", data.OptionalStringSchema).Field("b", data.StringSchema).MustBuild(), data.OfString(""), data.OfString("")),
			`M { string a = 1; string b = 2; } `, `M { google.protobuf.StringValue a = 1; string b = 2; } 0a00`},
		{RawWrapperSetting, "false", reads(wrappersText(), "\x02\x0e\x0a\x01x"), `STRING v1 x`, `STRUCT StringValue v1(value STRING? ~Tag=1) Struct{value=x}`},
		{StructNullsSetting, "true", reads(`syntax = "proto3"; message M { N n = 1; optional int32 i = 2; message N { string a = 1; } }`, "\x00"),
			`STRUCT M v1(n STRUCT? N ~Tag=1(a STRING? ~Tag=1), i INT32? ~Tag=2) Struct{}`, `STRUCT M v1(n STRUCT? N ~Tag=1(a STRING? ~Tag=1), i INT32? ~Tag=2) Struct{n=Struct{a=},i=0}`},
		{UnionIndexSetting, "false", reads(`syntax = "proto3"; message M { oneof o { string a = 1; } }`, "\x00"),
			`STRUCT M v1(o_0 STRUCT? ~Union.o(a STRING? ~Tag=1)) Struct{}`, `STRUCT M v1(o STRUCT? ~Union.o(a STRING? ~Tag=1)) Struct{}`},
		{FlattenSetting, "true", reads(`syntax = "proto3"; message M { oneof o { string a = 1; int32 b = 2; } }`, "\x00\x0a\x01x\x10\x00"),
			`STRUCT M v1(o_0 STRUCT? ~Union.o(a STRING? ~Tag=1, b INT32? ~Tag=2)) Struct{o_0=Struct{b=0}}`, `STRUCT M v1(a STRING? ~Tag=1, b INT32? ~Tag=2) Struct{b=0}`},
		{CacheSizeSetting, "1", func(t testing.TB, c *Converter, fake *srfake.Registry) string {
			for _, text := range []string{`message A { string a = 1; }`, `message A { string a = 1; string b = 2; }`} {
				reads(`syntax = "proto3"; `+text, "\x00")(t, c, fake)
			}
			return strings.Repeat("*", c.nRead)
		}, "**", "*"},
	}
	shown := map[string]bool{}
	for _, tc := range cases {
		shown[tc.setting] = true
		t.Run(tc.setting+"="+tc.value, func(t *testing.T) {
			for want, config := range map[string]map[string]string{tc.without: nil, tc.with: {tc.setting: tc.value}} {
				c, fake := newConverter(t, config)
				if got := tc.do(t, c, fake); got != want {
					t.Errorf("with %v\n got  %s\n want %s", config, got, want)
				}
			}
		})
	}
	shared := registry.Def()
	for _, k := range Def().Keys() {
		if shared.Key(k.Name) == nil && !shown[k.Name] {
			t.Errorf("nothing shows what %s does", k.Name)
		}
	}
}
