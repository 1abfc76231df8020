package jsonschema

import (
	"strconv"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

func param(b *data.SchemaBuilder, kv ...string) *data.SchemaBuilder {
	for i := 0; i < len(kv); i += 2 {
		b.Param(kv[i], kv[i+1])
	}
	return b
}

// mappings are schemas that have the same meaning in both languages.
var mappings = map[string]struct {
	m    Mapping
	s    *data.Schema
	text string
}{
	"boolean": {s: data.BooleanSchema, text: `{"type":"boolean"}`},
	"int8":    {s: data.Int8Schema, text: `{"type":"integer","connect.type":"int8"}`},
	"int64":   {s: data.Int64Schema, text: `{"type":"integer","connect.type":"int64"}`},
	"float32": {s: data.Float32Schema, text: `{"type":"number","connect.type":"float32"}`},
	"float64": {s: data.Float64Schema, text: `{"type":"number","connect.type":"float64"}`},
	"string":  {s: data.StringSchema, text: `{"type":"string"}`},
	"bytes":   {s: data.BytesSchema, text: `{"type":"string","connect.type":"bytes"}`},
	"optional boolean": {s: data.OptionalBooleanSchema,
		text: `{"oneOf":[{"type":"null"},{"type":"boolean"}]}`},
	"date": {s: data.DateSchema,
		text: `{"type":"integer","title":"org.apache.kafka.connect.data.Date","connect.version":1,"connect.type":"int32"}`},
	"optional timestamp": {s: data.OptionalTimestampSchema,
		text: `{"oneOf":[{"type":"null"},{"type":"integer","title":"org.apache.kafka.connect.data.Timestamp","connect.version":1,"connect.type":"int64"}]}`},
	"decimal": {s: data.NewDecimalSchema(2).MustBuild(),
		text: `{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}`},
	"numeric decimal": {m: Mapping{NumericDecimal: true}, s: data.NewDecimalSchema(2).MustBuild(),
		text: `{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}`},
	"array": {s: data.NewArraySchema(data.Int8Schema).MustBuild(),
		text: `{"type":"array","items":{"type":"integer","connect.type":"int8"}}`},
	"map with string keys": {s: data.NewMapSchema(data.StringSchema, data.Int32Schema).MustBuild(),
		text: `{"type":"object","connect.type":"map","additionalProperties":{"type":"integer","connect.type":"int32"}}`},
	"map with optional string keys": {s: data.NewMapSchema(data.OptionalStringSchema, data.Int32Schema).MustBuild(),
		text: `{"type":"array","connect.type":"map","items":{"type":"object","properties":{"value":{"type":"integer","connect.index":1,"connect.type":"int32"},"key":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"string"}]}}}}`},
	"struct": {s: data.NewStructSchema().Name("orders").Doc("what was ordered").Version(3).
		Field("id", data.Int64Schema).Field("note", data.OptionalStringSchema).MustBuild(),
		text: `{"type":"object","title":"orders","description":"what was ordered","connect.version":3,"properties":{"note":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string"}]},"id":{"type":"integer","connect.index":0,"connect.type":"int64"}}}`},
	"closed struct": {m: Mapping{NoAdditional: true}, s: data.NewStructSchema().Field("id", data.StringSchema).MustBuild(),
		text: `{"type":"object","additionalProperties":false,"properties":{"id":{"type":"string","connect.index":0}}}`},
	"optional struct": {s: data.NewStructSchema().Name("n").Field("id", data.StringSchema).Optional().MustBuild(),
		text: `{"oneOf":[{"type":"null"},{"type":"object","title":"n","properties":{"id":{"type":"string","connect.index":0}}}]}`},
	"defaults": {s: data.NewStructSchema().
		Field("f", data.NewSchema(data.Float64).Default(data.OfFloat64(2)).MustBuild()).
		Field("s", data.NewSchema(data.String).Optional().Default(data.OfString("x")).MustBuild()).MustBuild(),
		text: `{"type":"object","properties":{"s":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string","default":"x"}]},"f":{"type":"number","default":2,"connect.index":0,"connect.type":"float64"}}}`},
	"enum": {s: param(data.NewSchema(data.String), "io.confluent.connect.json.Enum", "", "io.confluent.connect.json.Enum.one", "one", "io.confluent.connect.json.Enum.two", "two").MustBuild(),
		text: `{"enum":["one","two"]}`},
	"general enum": {m: Mapping{GeneralizedSumTypes: true}, s: param(data.NewSchema(data.String), generalEnum, "", generalEnum+".<NULL>", "0", generalEnum+".one", "1").MustBuild(),
		text: `{"enum":[null,"one"],"connect.parameters":{"org.apache.kafka.connect.data.Enum.<NULL>":"0","org.apache.kafka.connect.data.Enum":"","org.apache.kafka.connect.data.Enum.one":"1"}}`},
	"union": {s: data.NewStructSchema().Name(oneOfName).Field(oneOfName+".field.0", data.OptionalInt32Schema).Field(oneOfName+".field.1", data.OptionalStringSchema).MustBuild(),
		text: `{"oneOf":[{"type":"integer","connect.index":0,"connect.type":"int32"},{"type":"string","connect.index":1}]}`},
	"optional general union": {m: Mapping{GeneralizedSumTypes: true},
		s: data.NewStructSchema().Name("connect_union_0").Param(generalUnion, "connect_union_0").Field("connect_union_field_0", data.OptionalInt32Schema).
			Field("connect_union_field_1", data.OptionalStringSchema).Optional().MustBuild(),
		text: `{"oneOf":[{"type":"null"},{"type":"integer","connect.index":0,"connect.type":"int32"},{"type":"string","connect.index":1}]}`},
}

func TestText(t *testing.T) {
	for name, tc := range mappings {
		t.Run(name, func(t *testing.T) {
			got, err := tc.m.Text(tc.s)
			if err != nil || got != tc.text {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.text)
			}
		})
	}
}

func TestConnect(t *testing.T) {
	for name, tc := range mappings {
		t.Run(name, func(t *testing.T) {
			got, err := tc.m.Connect(tc.text, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(tc.s) {
				t.Errorf("got %s", describe(got))
			}
		})
	}
}

// describe writes a schema as JSON Schema, which shows all there is to it.
func describe(s *data.Schema) string {
	text, err := new(Mapping).Text(s)
	if err != nil {
		return err.Error()
	}
	return text
}

// TestForeign reads schemas that no converter wrote.
func TestForeign(t *testing.T) {
	optional := func(s *data.Schema) *data.Schema { return s.With(true, data.Null) }
	person := data.NewStructSchema().Name("Person").Field("name", data.StringSchema).MustBuild()
	for name, tc := range map[string]struct {
		m       Mapping
		text    string
		refs    map[string]string
		version int32
		want    *data.Schema
		err     string
	}{
		"no connect.type":   {text: `{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"number"}}}`, want: data.NewStructSchema().Field("a", data.Float64Schema).Field("b", data.Int64Schema).MustBuild()},
		"registry version":  {text: `{"type":"string"}`, version: 4, want: data.NewSchema(data.String).Version(4).MustBuild()},
		"own version first": {text: `{"type":"string","connect.version":2}`, version: 4, want: data.NewSchema(data.String).Version(2).MustBuild()},
		"type array":        {text: `{"type":["string","null"]}`, want: data.OptionalStringSchema},
		"non-required": {m: Mapping{OptionalNonRequired: true}, text: `{"type":"object","required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"string"}}}`,
			want: data.NewStructSchema().Field("a", data.StringSchema).Field("b", data.OptionalStringSchema).MustBuild()},
		"definition": {text: `{"type":"object","properties":{"boss":{"$ref":"#/definitions/p"}},"definitions":{"p":{"type":"object","title":"Person","properties":{"name":{"type":"string"}}}}}`,
			want: data.NewStructSchema().Field("boss", person).MustBuild()},
		"definition twice": {text: `{"type":"object","properties":{"a":{"$ref":"#/$defs/p"},"b":{"oneOf":[{"type":"null"},{"$ref":"#/$defs/p"}]}},"$defs":{"p":{"type":"object","title":"Person","properties":{"name":{"type":"string"}}}}}`,
			want: data.NewStructSchema().Field("a", person).Field("b", optional(person)).MustBuild()},
		"reference by name": {text: `{"type":"object","properties":{"boss":{"$ref":"person.json"}}}`, refs: map[string]string{"person.json": `{"type":"object","title":"Person","properties":{"name":{"type":"string"}}}`},
			want: data.NewStructSchema().Field("boss", person).MustBuild()},
		"reference by base": {text: `{"$id":"http://x.y/order.json","type":"object","properties":{"boss":{"$ref":"person.json"}}}`, refs: map[string]string{"http://x.y/person.json": `{"type":"object","title":"Person","properties":{"name":{"type":"string"}}}`},
			want: data.NewStructSchema().Field("boss", person).MustBuild()},
		"all of": {text: `{"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"object","properties":{"b":{"type":"boolean"}}}]}`,
			want: data.NewStructSchema().Field("a", data.StringSchema).Field("b", data.BooleanSchema).MustBuild()},
		"number with a format": {text: `{"type":"number","format":"x"}`, want: data.Float64Schema},
		"string with a const":  {text: `{"type":"string","const":"x"}`, want: data.StringSchema},
		"typed enum": {text: `{"type":"string","enum":["x"]}`,
			want: param(data.NewSchema(data.String), enumParam, "", enumParam+".x", "x").MustBuild()},
		"properties alone": {text: `{"properties":{"a":{"type":"string"}}}`, want: data.NewStructSchema().Field("a", data.StringSchema).MustBuild()},
		"singleton union":  {text: `{"oneOf":[{"type":"string"}]}`, want: data.StringSchema},
		"singleton union kept": {m: Mapping{KeepSingletonUnions: true}, text: `{"oneOf":[{"type":"string"}]}`,
			want: data.NewStructSchema().Name(oneOfName).Field(oneOfName+".field.0", data.OptionalStringSchema).MustBuild()},

		"recursive map":      {text: `{"type":"object","connect.type":"map","additionalProperties":{"$ref":"#"}}`, err: "Recursive schemas without an object among them are not supported: # refers to a schema that it is part of"},
		"recursive array":    {text: `{"type":"object","properties":{"a":{"$ref":"#/definitions/a"}},"definitions":{"a":{"type":"array","items":{"$ref":"#/definitions/a"}}}}`, err: "Recursive schemas without an object among them are not supported: #/definitions/a refers to a schema that it is part of"},
		"unfinished default": {text: `{"type":"object","properties":{"l":{"type":"array","items":{"$ref":"#"},"default":[{}]}}}`, err: "Invalid default value"},
		"empty":              {text: `{}`, err: "Unsupported schema type org.everit.json.schema.EmptySchema"},
		"no items":           {text: `{"type":"array"}`, err: "Array schema did not specify the items type"},
		"lost reference":     {text: `{"$ref":"#/definitions/x"}`, err: "Invalid JSON schema: reference #/definitions/x leads nowhere"},
		"foreign name":       {text: `{"$ref":"x.json"}`, err: "Invalid JSON schema: reference x.json is not among the schema's references"},
		"self reference":     {text: `{"$ref":"#"}`, err: "Recursive schemas without an object among them are not supported: # refers to a schema that it is part of"},
		"no such type":       {text: `{"type":"text"}`, err: "Invalid JSON schema: unknown type: [text]"},
		"null default":       {text: `{"type":"string","default":null}`, err: "Invalid null value for required STRING field"},
		"not JSON":           {text: `{"type":`, err: "Invalid JSON schema: unexpected EOF"},
		"bad connecttype":    {text: `{"type":"integer","connect.type":"int7"}`, err: "Unsupported type int7"},
		"deep":               {text: strings.Repeat(`{"type":"array","items":`, 300) + `{"type":"string"}` + strings.Repeat("}", 300), err: "JSON Schema is too large: more than 100000 parts or 200 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.m.Connect(tc.text, tc.refs, tc.version)
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("got %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(tc.want) {
				t.Errorf("got  %s\nwant %s", describe(got), describe(tc.want))
			}
		})
	}
}

// TestBillionReferences: a short text that would unfold into a schema without end.
func TestBillionReferences(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/d/0","d":[`)
	for i := range 40 {
		next := `{"type":"string"}`
		if i < 39 {
			next = `{"$ref":"#/d/` + itoa(i+1) + `"}`
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"type":"object","properties":{"a":` + next + `,"b":` + next + `}}`)
	}
	b.WriteString("]}")
	if _, err := new(Mapping).Connect(b.String(), nil, 0); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}

func itoa(i int) string { return strconv.Itoa(i) }
