package jsonschema

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/internal/golden"
)

// reads returns what a converter makes of a record: its schema and value, or its
// error with the causes.
func reads(text, body string) func(testing.TB, *Converter, *srfake.Registry) string {
	return func(t testing.TB, c *Converter, fake *srfake.Registry) string {
		s, v, err := c.ToConnect("t", append(registry.AppendHeader(nil, seedText(t, fake, "t-value", text)), body...))
		if err != nil {
			return chain(err)
		}
		return strings.NewReplacer(namespace+".", "~").Replace(golden.Describe(s) + " " + v.String())
	}
}

// writes returns what a converter makes of values: its schema and the record, or its
// error with the causes.
func writes(s *data.Schema, vals ...data.Value) func(testing.TB, *Converter, *srfake.Registry) string {
	return func(_ testing.TB, c *Converter, fake *srfake.Registry) string {
		b, err := c.FromConnect("t", s, data.OfStruct(data.NewStruct(s, vals)), nil)
		if err != nil {
			return chain(err)
		}
		got, _ := fake.GetSchema("t-value", 1)
		return got.Schema.Schema + " " + string(b[registry.HeaderSize:])
	}
}

// TestEachSetting shows what each setting of this converter does: the same thing is
// done by a converter with defaults and by one with the setting.
func TestEachSetting(t *testing.T) {
	one := func(s *data.Schema) *data.Schema { return data.NewStructSchema().Field("a", s).MustBuild() }
	withDefault := one(data.NewSchema(data.String).Optional().Default(data.OfString("x")).MustBuild())
	cases := []struct {
		setting, value string
		do             func(testing.TB, *Converter, *srfake.Registry) string
		without, with  string
	}{
		{GeneralizedSetting, "true", reads(`{"type":"object","properties":{"u":{"connect.index":0,"oneOf":[{"type":"string"},{"type":"boolean"}]},"e":{"connect.index":1,"enum":["A","B"]}}}`, `{"u":true,"e":"B"}`),
			`STRUCT v1(u STRUCT ~OneOf(~OneOf.field.0 STRING?, ~OneOf.field.1 BOOLEAN?), e STRING ~Enum= ~Enum.A=A ~Enum.B=B) Struct{u=Struct{~OneOf.field.1=true},e=B}`,
			`STRUCT v1(u STRUCT connect_union_0 org.apache.kafka.connect.data.Union=connect_union_0(connect_union_field_0 STRING?, connect_union_field_1 BOOLEAN?), ` +
				`e STRING org.apache.kafka.connect.data.Enum= org.apache.kafka.connect.data.Enum.A=0 org.apache.kafka.connect.data.Enum.B=1) Struct{u=Struct{connect_union_field_1=true},e=B}`},
		{IgnoreDefaultSetting, "true", writes(withDefault, data.Null),
			`{"type":"object","properties":{"a":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"string","default":"x"}]}}} {"a":"x"}`,
			`{"type":"object","properties":{"a":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"string","default":"x"}]}}} {"a":null}`},
		{AdditionalSetting, "false", writes(one(data.StringSchema), data.OfString("x")),
			`{"type":"object","properties":{"a":{"type":"string","connect.index":0}}} {"a":"x"}`,
			`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","connect.index":0}}} {"a":"x"}`},
		{NonRequiredSetting, "true", reads(`{"type":"object","required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"string"}}}`, `{"a":"x"}`),
			`STRUCT v1(a STRING, b STRING) Struct{a=x}`, `STRUCT v1(a STRING, b STRING?) Struct{a=x}`},
		{DecimalSetting, "numeric", writes(one(data.NewDecimalSchema(2).MustBuild()), data.OfDecimal(data.NewDecimal(1050, 2))),
			`{"type":"object","properties":{"a":{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.index":0,"connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}}} {"a":"BBo="}`,
			`{"type":"object","properties":{"a":{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.index":0,"connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}}} {"a":10.50}`},
		{SingletonSetting, "false", reads(`{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}]}}}`, `{"a":"x"}`),
			`STRUCT v1(a STRING) Struct{a=x}`, `STRUCT v1(a STRUCT ~OneOf(~OneOf.field.0 STRING?)) Struct{a=Struct{~OneOf.field.0=x}}`},
		{FailInvalidSetting, "true", reads(`{"type":"object","properties":{"a":{"type":"string","maxLength":2}}}`, `{"a":"long"}`),
			`STRUCT v1(a STRING) Struct{a=long}`,
			"Converting byte[] to Kafka Connect data failed due to serialization error of topic t:  <- Validation error in JSON, Error report:\n" +
				"jsonschema validation failed with 'registry:///schema#'\n- at '/a': maxLength: got 4, want 2 <- jsonschema validation failed with 'registry:///schema#'\n- at '/a': maxLength: got 4, want 2"},
		{IndentSetting, "true", writes(one(data.NewArraySchema(data.Int8Schema).MustBuild()), data.OfArray([]data.Value{data.OfInt8(1), data.OfInt8(2)})),
			`{"type":"object","properties":{"a":{"type":"array","connect.index":0,"items":{"type":"integer","connect.type":"int8"}}}} {"a":[1,2]}`,
			`{"type":"object","properties":{"a":{"type":"array","connect.index":0,"items":{"type":"integer","connect.type":"int8"}}}} ` + "{\n  \"a\" : [ 1, 2 ]\n}"},
		{CacheSizeSetting, "1", func(t testing.TB, c *Converter, fake *srfake.Registry) string {
			for _, text := range []string{`{"type":"string"}`, `{"type":"string","maxLength":5}`} {
				reads(text, `"x"`)(t, c, fake)
			}
			return strings.Repeat("*", len(c.read))
		}, "**", "*"},
	}
	shown := map[string]bool{PreserveSetting: true} // which has one value
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
