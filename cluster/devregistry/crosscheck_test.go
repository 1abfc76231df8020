package devregistry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/avro"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/jsonschema"
	"github.com/troupeio/troupe/codec/protobuf"
	"github.com/troupeio/troupe/codec/registry"
)

// crossed is a record as both sides see it.
type crossed struct {
	kind   registry.Type
	config map[string]string
	schema *data.Schema
	value  data.Value
	read   string // what our converter reads; the value if empty
	js     string // what JavaScript reads
	in     string // what it writes, where that is not what it reads
}

func newConverter(t *testing.T, kind registry.Type, url string, config map[string]string) codec.Converter {
	t.Helper()
	all := map[string]string{registry.URLSetting: url, registry.MaxRetriesSetting: "0"}
	maps.Copy(all, config)
	var c codec.Converter
	var err error
	switch kind {
	case registry.Avro:
		c, err = avro.New(all, false)
	case registry.JSON:
		c, err = jsonschema.New(all, false)
	default:
		c, err = protobuf.New(all, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := c.(codec.Bound); ok {
		b.Bind(t.Context())
	}
	return c
}

// TestJavaScript has the JavaScript client read what our converters write under
// schemas that they registered, and write the same again, which they read.
func TestJavaScript(t *testing.T) {
	url := newDesk(t).url
	js := newJavascript(t, url)
	for name, tc := range crossedRecords() {
		t.Run(name, func(t *testing.T) {
			topic := string(tc.kind) + "-" + name
			ours, err := newConverter(t, tc.kind, url, tc.config).FromConnect(topic, tc.schema, tc.value, nil)
			if err != nil {
				t.Fatal(err)
			}
			id, rest, err := registry.Header(ours)
			if err != nil {
				t.Fatal(err)
			}
			js.decode(t, ours, tc.js)
			in := tc.in
			if in == "" {
				in = tc.js
			}
			theirs := js.encode(t, id, in)
			if tc.kind == registry.Protobuf {
				theirs = withIndex(t, theirs)
			}
			// In JSON numbers and characters have more than one form.
			if same := bytes.Equal(theirs, ours); !same && (tc.kind != registry.JSON || !sameJSON(theirs[registry.HeaderSize:], rest)) {
				t.Errorf("JavaScript writes\nhave %x\nwant %x", theirs[registry.HeaderSize:], rest)
			}
			want := tc.read
			if want == "" {
				want = tc.value.String()
			}
			_, got, err := newConverter(t, tc.kind, url, tc.config).ToConnect(topic, theirs)
			if err != nil || got.String() != want {
				t.Errorf("we read JavaScript's record as\nhave %s, %v\nwant %s", got, err, want)
			}
		})
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// withIndex puts the path of the first message where Confluent's format has it:
// kafkajs's client leaves it out, so that no other reader takes its Protobuf. It reads
// what has one.
func withIndex(t *testing.T, record []byte) []byte {
	t.Helper()
	if len(record) > registry.HeaderSize && record[registry.HeaderSize] == 0 {
		t.Fatalf("the client writes a path: %x; withIndex is not needed any more", record)
	}
	out := append([]byte{}, record[:registry.HeaderSize]...)
	return append(append(out, 0), record[registry.HeaderSize:]...)
}

// enum is a string with a format's parameters of an enum.
func enum(param, name string, symbols ...string) *data.Schema {
	b := data.NewSchema(data.String).Name(name).Param(param, name)
	for i, s := range symbols {
		value := s
		if param == protobufEnum {
			value = fmt.Sprint(i)
		}
		b.Param(param+"."+s, value)
	}
	return b.MustBuild()
}

const (
	avroEnum     = "io.confluent.connect.avro.Enum"
	jsonEnum     = "io.confluent.connect.json.Enum"
	protobufEnum = "io.confluent.connect.protobuf.Enum"
)

func structOf(s *data.Schema, values ...data.Value) data.Value {
	return data.OfStruct(data.NewStruct(s, values))
}

// TestJavaScriptSchemas has our converters read and write under schemas that the
// JavaScript client registered, with what Connect itself does not write.
func TestJavaScriptSchemas(t *testing.T) {
	url := newDesk(t).url
	js := newJavascript(t, url)
	for name, tc := range map[string]struct {
		kind              registry.Type
		text, value, read string
	}{
		"avro": {registry.Avro, `{"type":"record","name":"Reading","namespace":"plant","fields":[
			{"name":"sensor","type":{"type":"string","avro.java.string":"String"}},{"name":"unit","type":{"type":"enum","name":"Unit","symbols":["C","F"]}},
			{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
			{"name":"values","type":{"type":"map","values":["null","double"]}},
			{"name":"of","type":["null",{"type":"record","name":"Place","fields":[{"name":"hall","type":"int"},{"name":"next","type":["null","Place"],"default":null}]}],"default":null},
			{"name":"id","type":{"type":"fixed","name":"Id","size":3}},{"name":"any","type":["string","boolean",{"type":"array","items":"long"}]}]}`,
			`{"sensor":"s1","unit":"F","at":{"$date":"2023-11-14T22:13:20.000Z"},"values":{"x":1.5,"y":null},"of":{"hall":3,"next":{"hall":4,"next":null}},"id":{"$bytes":"010203"},"any":[1,2]}`,
			"Struct{sensor=s1,unit=F,at=Tue Nov 14 22:13:20 UTC 2023,values={x=1.5, y=null},of=Struct{hall=3,next=Struct{hall=4}},id=[B@3,any=Struct{array=[1, 2]}}"},
		"json": {registry.JSON, `{"$schema":"http://json-schema.org/draft-07/schema#","title":"Reading","type":"object","required":["sensor","values"],
			"definitions":{"place":{"type":"object","properties":{"hall":{"type":"integer"}}}},
			"properties":{"sensor":{"type":"string","minLength":1},"unit":{"enum":["C","F"]},"values":{"type":"object","connect.type":"map","additionalProperties":{"type":"number"}},
			"place":{"$ref":"#/definitions/place"},"any":{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"integer"}}]}}}`,
			`{"sensor":"s1","unit":"F","values":{"x":1.5},"place":{"hall":3},"any":[1,2]}`,
			"Struct{unit=F,values={x=1.5},sensor=s1,place=Struct{hall=3},any=Struct{io.confluent.connect.json.OneOf.field.1=[1, 2]}}"},
		"protobuf": {registry.Protobuf, `syntax = "proto3"; package plant;
			message Reading { string sensor = 1; Unit unit = 2; map<string, double> values = 3; optional Place place = 4; repeated sint64 ticks = 5; fixed32 crc = 6;
			  oneof any { string word = 7; bool flag = 8; } enum Unit { C = 0; F = 1; } message Place { int32 hall = 1; } }`,
			`{"sensor":"s1","unit":1,"values":{"x":1.5},"place":{"hall":3},"ticks":[{"$long":"-1"},{"$long":"1099511627776"}],"crc":7,"word":"w"}`,
			"Struct{any_0=Struct{word=w},sensor=s1,unit=F,values={x=1.5},place=Struct{hall=3},ticks=[-1, 1099511627776],crc=7}"},
	} {
		t.Run(name, func(t *testing.T) {
			id := js.register(t, string(tc.kind), name+"-value", tc.text)
			record := js.encode(t, id, tc.value)
			if tc.kind == registry.Protobuf {
				record = withIndex(t, record)
			}
			// A message is found by its name, which without this has no package, as in Java.
			config := map[string]string{protobuf.EnhancedSetting: "true"}
			schema, value, err := newConverter(t, tc.kind, url, config).ToConnect(name, record)
			if err != nil || value.String() != tc.read {
				t.Fatalf("we read JavaScript's record as\nhave %s, %v\nwant %s", value, err, tc.read)
			}
			maps.Copy(config, map[string]string{registry.AutoRegisterSetting: "false", registry.UseLatestSetting: "true", registry.LatestStrictSetting: "false"})
			ours, err := newConverter(t, tc.kind, url, config).FromConnect(name, schema, value, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := registry.Header(ours); err != nil || got != id {
				t.Errorf("it is written with the id %d, not JavaScript's %d: %v", got, id, err)
			}
			js.decode(t, ours, tc.value)
			// A registry's refusal reaches the client in its own words.
			other := map[registry.Type]string{registry.Avro: `{"type":"record","name":"Reading","namespace":"plant","fields":[{"name":"new","type":"int"}]}`,
				registry.JSON: `{"type":"string"}`, registry.Protobuf: `syntax = "proto3"; package plant; message Reading { bytes sensor = 2; }`}[tc.kind]
			a := js.ask(t, map[string]any{"register": other, "type": tc.kind, "subject": name + "-value"})
			if want := "Schema being registered is incompatible with an earlier schema for subject \"" + name + "-value\", details: ["; !strings.Contains(a.Error, want) {
				t.Errorf("an incompatible schema: %+v", a)
			}
		})
	}
}

func crossedRecords() map[string]crossed {
	var (
		line  = data.NewStructSchema().Name("com.acme.Line").Field("sku", data.StringSchema).Field("count", data.Int32Schema).MustBuild()
		lines = data.NewArraySchema(line).MustBuild()
		tea   = structOf(line, data.OfString("tea"), data.OfInt32(2))
		jam   = structOf(line, data.OfString("jäm"), data.OfInt32(-1))
	)
	// What every format has: scalars, an optional field with and without a value,
	// structs in structs, in arrays and in maps.
	order := func(extra ...data.Field) *data.Schema {
		b := data.NewStructSchema().Name("com.acme.Order").
			Field("id", data.Int64Schema).Field("count", data.Int32Schema).Field("ratio", data.Float64Schema).Field("half", data.Float32Schema).
			Field("flag", data.BooleanSchema).Field("name", data.StringSchema).Field("raw", data.BytesSchema).
			Field("note", data.OptionalStringSchema).Field("none", data.OptionalInt32Schema).
			Field("first", line).Field("lines", lines).Field("tags", data.NewArraySchema(data.StringSchema).MustBuild()).
			Field("stock", data.NewMapSchema(data.StringSchema, data.Int32Schema).MustBuild()).
			Field("places", data.NewMapSchema(data.Int32Schema, line).MustBuild())
		for _, f := range extra {
			b.Field(f.Name, f.Schema)
		}
		return b.MustBuild()
	}
	values := func(extra ...data.Value) []data.Value {
		return append([]data.Value{
			data.OfInt64(1 << 40), data.OfInt32(-7), data.OfFloat64(1e-9), data.OfFloat32(0.5),
			data.OfBool(true), data.OfString("Ada € 😀"), data.OfBytes([]byte{0, 1, 0xff}),
			data.OfString("n"), data.Null,
			tea, data.OfArray([]data.Value{tea, jam}), data.OfArray(nil),
			data.OfMap(data.NewStringMap("a", data.OfInt32(1), "b", data.OfInt32(2))),
			data.OfMap(data.NewMap([]data.MapEntry{{Key: data.OfInt32(5), Value: jam}})),
		}, extra...)
	}
	const common = `"count":-7,"ratio":1e-9,"half":0.5,"flag":true,"name":"Ada € 😀",`
	const nested = `"first":{"sku":"tea","count":2},"lines":[{"sku":"tea","count":2},{"sku":"jäm","count":-1}],"tags":[],`

	avroUnion := data.NewStructSchema().Name("io.confluent.connect.avro.Union").Optional().
		Field("int", data.OptionalInt32Schema).Field("string", data.OptionalStringSchema).
		Field("com.acme.Line", data.NewStructSchema().Name("com.acme.Line").Optional().Field("sku", data.StringSchema).Field("count", data.Int32Schema).MustBuild()).MustBuild()
	avroOrder := order(
		data.Field{Name: "color", Schema: enum(avroEnum, "com.acme.Color", "RED", "BLUE")},
		data.Field{Name: "small", Schema: data.Int8Schema},
		data.Field{Name: "price", Schema: data.NewDecimalSchema(2).MustBuild()},
		data.Field{Name: "at", Schema: data.TimestampSchema},
		data.Field{Name: "day", Schema: data.DateSchema},
		data.Field{Name: "clock", Schema: data.TimeSchema},
		data.Field{Name: "code", Schema: data.NewSchema(data.Bytes).Name("com.acme.Code").Param("connect.fixed.size", "2").MustBuild()},
		data.Field{Name: "level", Schema: data.NewSchema(data.Int32).Default(data.OfInt32(3)).MustBuild()},
		data.Field{Name: "either", Schema: data.NewArraySchema(avroUnion).MustBuild()})
	avroValues := values(data.OfString("BLUE"), data.OfInt8(-3), data.OfDecimal(data.NewDecimal(-1234, 2)),
		data.OfDate(1_700_000_000_123), data.OfDate(19_000*86_400_000), data.OfDate(3_600_000), data.OfBytes([]byte{7, 8}), data.OfInt32(4),
		data.OfArray([]data.Value{
			structOf(avroUnion, data.OfInt32(5), data.Null, data.Null), structOf(avroUnion, data.Null, data.OfString("x"), data.Null),
			structOf(avroUnion, data.Null, data.Null, structOf(avroUnion.Fields()[2].Schema, data.OfString("tea"), data.OfInt32(2))), data.Null}))

	jsonOrder := order(
		data.Field{Name: "color", Schema: enum(jsonEnum, "Color", "RED", "BLUE")},
		data.Field{Name: "price", Schema: data.NewDecimalSchema(2).MustBuild()},
		data.Field{Name: "at", Schema: data.TimestampSchema},
		data.Field{Name: "day", Schema: data.DateSchema},
		data.Field{Name: "either", Schema: data.NewStructSchema().Name("io.confluent.connect.json.OneOf").
			Field("io.confluent.connect.json.OneOf.field.0", data.OptionalInt32Schema).Field("io.confluent.connect.json.OneOf.field.1", data.OptionalStringSchema).MustBuild()})
	jsonValues := values(data.OfString("BLUE"), data.OfDecimal(data.NewDecimal(-1234, 2)), data.OfDate(1_700_000_000_123), data.OfDate(19_000*86_400_000),
		structOf(jsonOrder.Fields()[len(jsonOrder.Fields())-1].Schema, data.Null, data.OfString("x")))

	choice := data.NewStructSchema().Name("io.confluent.connect.protobuf.Union.choice").Optional().
		Field("word", data.NewSchema(data.String).Optional().Param(protobufTag, "20").MustBuild()).
		Field("number", data.NewSchema(data.Int32).Optional().Param(protobufTag, "21").MustBuild()).MustBuild()
	protoOrder := order(
		data.Field{Name: "color", Schema: enum(protobufEnum, "Color", "RED", "BLUE")},
		data.Field{Name: "choice_0", Schema: choice})
	protoValue := structOf(protoOrder, values(data.OfString("BLUE"), structOf(choice, data.Null, data.OfInt32(9)))...)
	text := protoValue.String()
	const chosen = ",choice_0=Struct{number=9}}"

	return map[string]crossed{
		"avro": {kind: registry.Avro, config: map[string]string{avro.EnhancedSetting: "true"}, schema: avroOrder, value: structOf(avroOrder, avroValues...),
			js: `{"id":1099511627776,` + common + `"raw":{"$bytes":"0001ff"},"note":"n","none":null,` + nested + `"stock":{"a":1,"b":2},"places":[{"key":5,"value":{"sku":"jäm","count":-1}}],` +
				`"color":"BLUE","small":-3,"price":{"$bytes":"fb2e"},"at":{"$date":"2023-11-14T22:13:20.123Z"},"day":{"$date":"2022-01-08T00:00:00.000Z"},"clock":3600000,"code":{"$bytes":"0708"},"level":4,` +
				`"either":[5,"x",{"sku":"tea","count":2},null]}`},
		"json": {kind: registry.JSON, schema: jsonOrder, value: structOf(jsonOrder, jsonValues...),
			js: `{"id":1099511627776,` + common + `"raw":"AAH/","note":"n","none":null,` + nested + `"stock":{"a":1,"b":2},"places":[{"key":5,"value":{"sku":"jäm","count":-1}}],` +
				`"color":"BLUE","price":"+y4=","at":1700000000123,"day":19000,"either":"x"}`},
		"protobuf": {kind: registry.Protobuf, config: map[string]string{protobuf.OptionalSetting: "true"}, schema: protoOrder, value: protoValue,
			read: "Struct{" + chosen[1:len(chosen)-1] + "," + strings.TrimSuffix(strings.TrimPrefix(text, "Struct{"), chosen) + "}", // oneofs come first, as in Java
			js: `{"id":{"$long":"1099511627776"},` + common + `"raw":{"$bytes":"0001ff"},"note":"n",` + nested +
				`"stock":[{"key":"a","value":1},{"key":"b","value":2}],"places":[{"key":5,"value":{"sku":"jäm","count":-1}}],"color":1,"number":9}`},
	}
}

const protobufTag = "io.confluent.connect.protobuf.Tag"
