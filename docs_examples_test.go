package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
	"github.com/troupeio/troupe/connectors"
)

// example is one worked example: a record before and after, or what a predicate
// says of it.
type example struct {
	class    string // simple name, with its side
	settings string // a line each
	in, out  string
}

func settingsOf(text string) map[string]string {
	config := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			config[k] = v
		}
	}
	return config
}

// runExample builds the plugin from its settings and applies it to the record.
func runExample(t *testing.T, reg *connectors.Registry, kind, class string, ex example) string {
	t.Helper()
	p, ok := reg.Find(class)
	if !ok {
		t.Fatalf("there is no class %s", class)
	}
	r, schemas := docsRecord(t, ex.in)
	if kind == "predicate" {
		pred, err := p.NewPredicate(settingsOf(ex.settings))
		if err != nil {
			t.Fatalf("%s: %v", class, err)
		}
		yes, err := pred.Test(r)
		if err != nil {
			t.Fatalf("%s: %v", class, err)
		}
		return fmt.Sprint(yes)
	}
	tr, err := p.NewTransformation(settingsOf(ex.settings))
	if err != nil {
		t.Fatalf("%s: %v", class, err)
	}
	keep, err := tr.Apply(r)
	if err != nil {
		t.Fatalf("%s: %v", class, err)
	}
	if !keep {
		return "(dropped)"
	}
	return docsText(t, r, schemas)
}

func docsJSON(t *testing.T, schemas bool) codec.Converter {
	t.Helper()
	c, err := json.New(map[string]string{"schemas.enable": fmt.Sprint(schemas)}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// docsRecord reads the form of the examples: a line each for the parts of a record,
// keys and values as JSON, after "value+schema" with its schema.
func docsRecord(t *testing.T, text string) (r *data.Record, schemas bool) {
	t.Helper()
	r = &data.Record{Partition: data.NoPartition, Timestamp: data.NoTimestamp}
	for line := range strings.Lines(text) {
		part, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		read := func(schemas bool) (*data.Schema, data.Value) {
			s, v, err := docsJSON(t, schemas).ToConnect(r.Topic, []byte(rest))
			if err != nil {
				t.Fatalf("reading %s: %v", line, err)
			}
			return s, v
		}
		switch part {
		case "topic":
			r.Topic = rest
		case "timestamp":
			if _, err := fmt.Sscan(rest, &r.Timestamp); err != nil {
				t.Fatal(err)
			}
		case "key":
			r.KeySchema, r.Key = read(false)
		case "value":
			r.ValueSchema, r.Value = read(false)
		case "value+schema":
			r.ValueSchema, r.Value = read(true)
			schemas = true
		case "header":
			name, val, _ := strings.Cut(rest, "=")
			r.Headers = r.Headers.With(data.Header{Key: name, Schema: data.StringSchema, Value: data.OfString(val)})
		default:
			t.Fatalf("a record has no %q", part)
		}
	}
	return r, schemas
}

func docsText(t *testing.T, r *data.Record, schemas bool) string {
	t.Helper()
	var lines []string
	add := func(part string, text any) { lines = append(lines, fmt.Sprintf("%-9s %v", part, text)) }
	write := func(s *data.Schema, v data.Value, schemas bool) string {
		b, err := docsJSON(t, schemas).FromConnect(r.Topic, s, v, nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if r.Topic != "" {
		add("topic", r.Topic)
	}
	if r.Timestamp != data.NoTimestamp {
		add("timestamp", r.Timestamp)
	}
	if !r.Key.IsNull() {
		add("key", write(r.KeySchema, r.Key, false))
	}
	for h := range r.Headers.All() {
		add("header", h.Key+"="+h.Value.String())
	}
	switch {
	case r.Value.IsNull():
		add("value", "null")
	case schemas:
		lines = append(lines, "value+schema "+write(r.ValueSchema, r.Value, true))
	default:
		add("value", write(r.ValueSchema, r.Value, false))
	}
	return strings.Join(lines, "\n")
}

// converterExample is a value and the bytes that a converter makes of it.
type converterExample struct {
	settings string
	schema   *data.Schema
	value    data.Value
	bytes    string // as text, or in hex after "0x"
}

var person = data.NewStructSchema().Name("Person").Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema).MustBuild()

var ada = data.OfStruct(data.NewStruct(person, []data.Value{data.OfInt64(7), data.OfString("Ada")}))

// converterExamples are by the simple name of the converter.
var converterExamples = map[string][]converterExample{
	"JsonConverter": {
		{"schemas.enable=true", person, ada, `{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"}],"optional":false,"name":"Person"},"payload":{"id":7,"name":"Ada"}}`},
		{"schemas.enable=false", person, ada, `{"id":7,"name":"Ada"}`},
		{"schemas.enable=false\ndecimal.format=NUMERIC", data.NewDecimalSchema(2).MustBuild(), data.OfDecimal(data.NewDecimal(1999, 2)), `19.99`},
	},
	"StringConverter":    {{"", data.StringSchema, data.OfString("Grüße"), "Grüße"}, {"converter.encoding=ISO-8859-1", data.StringSchema, data.OfString("Grüße"), "0x4772fcdf65"}, {"", person, ada, "Struct{id=7,name=Ada}"}},
	"ByteArrayConverter": {{"", data.BytesSchema, data.OfBytes([]byte{0xca, 0xfe}), "0xcafe"}},
	"BooleanConverter":   {{"", data.BooleanSchema, data.OfBool(true), "0x01"}},
	"ShortConverter":     {{"", data.Int16Schema, data.OfInt16(7), "0x0007"}},
	"IntegerConverter":   {{"", data.Int32Schema, data.OfInt32(7), "0x00000007"}},
	"LongConverter":      {{"", data.Int64Schema, data.OfInt64(7), "0x0000000000000007"}},
	"FloatConverter":     {{"", data.Float32Schema, data.OfFloat32(1.5), "0x3fc00000"}},
	"DoubleConverter":    {{"", data.Float64Schema, data.OfFloat64(1.5), "0x3ff8000000000000"}},
	"SimpleHeaderConverter": {{"", data.StringSchema, data.OfString("red"), "red"}, {"", data.Int64Schema, data.OfInt64(7), "7"},
		{"", data.NewArraySchema(data.StringSchema).MustBuild(), data.OfArray([]data.Value{data.OfString("a"), data.OfString("b")}), `["a","b"]`}},
}

// converter writes the settings and examples of a converter, once the examples have
// been run to the bytes and back.
func (g *generator) converter(b *strings.Builder, class string) {
	p := g.find(class)
	_, asHeader := g.reg.Find(class, connectors.HeaderConverterKind)
	fmt.Fprintf(b, "`%s`", class)
	switch {
	case p.Kind == connectors.HeaderConverterKind:
		b.WriteString(", for headers alone")
	case asHeader:
		b.WriteString(", for keys, values and headers")
	}
	b.WriteString("\n\n")
	settingsTable(b, p.Def().Keys())
	b.WriteString("\n| Settings | Value | In Kafka | Read back |\n|---|---|---|---|\n")
	for _, ex := range converterExamples[class[strings.LastIndexByte(class, '.')+1:]] {
		got, back := convertExample(g.t, p, ex)
		if got != ex.bytes {
			g.t.Errorf("%s makes %s of %s, not %s", class, got, ex.value, ex.bytes)
		}
		settings := "–"
		if ex.settings != "" {
			settings = "`" + strings.ReplaceAll(ex.settings, "\n", "`, `") + "`"
		}
		fmt.Fprintf(b, "| %s | %s `%s` | `%s` | %s |\n", settings, strings.ToLower(ex.schema.Type().String()), ex.value, got, back)
	}
}

func convertExample(t *testing.T, p *connectors.Plugin, ex converterExample) (bytes, back string) {
	t.Helper()
	config := settingsOf(ex.settings)
	config["converter.type"] = "value"
	var raw []byte
	var schema *data.Schema
	var value data.Value
	if p.Kind == connectors.HeaderConverterKind {
		config["converter.type"] = "header"
		c, err := p.NewHeaderConverter(config)
		if err == nil {
			raw, err = c.FromConnectHeader("t", "h", ex.schema, ex.value)
		}
		if err == nil {
			schema, value, err = c.ToConnectHeader("t", "h", raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		c, err := p.NewConverter(config, false)
		if err == nil {
			raw, err = c.FromConnect("t", ex.schema, ex.value, nil)
		}
		if err == nil {
			schema, value, err = c.ToConnect("t", raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bytes = string(raw)
	if strings.HasPrefix(ex.bytes, "0x") {
		bytes = fmt.Sprintf("0x%x", raw)
	}
	kind := "without schema"
	if schema != nil {
		kind = strings.ToLower(schema.Type().String())
		if schema.Optional() {
			kind = "optional " + kind
		}
	}
	return bytes, fmt.Sprintf("%s `%s`", kind, value)
}

// examples are by the simple name of the transform or predicate.
var examples = map[string]example{
	"Cast": {class: "Cast$Value", settings: "spec=id:int64,price:float64",
		in:  "value     {\"id\":\"7\",\"price\":\"19.9\"}",
		out: "value     {\"id\":7,\"price\":19.9}"},
	"DropHeaders": {class: "DropHeaders", settings: "headers=trace",
		in:  "header    trace=abc\nheader    color=red\nvalue     1",
		out: "header    color=red\nvalue     1"},
	"ExtractField": {class: "ExtractField$Key", settings: "field=id",
		in:  "key       {\"id\":7}\nvalue     \"x\"",
		out: "key       7\nvalue     \"x\""},
	"Filter": {class: "Filter",
		in:  "value     \"x\"",
		out: "(dropped)"},
	"Flatten": {class: "Flatten$Value", settings: "delimiter=_",
		in:  "value     {\"id\":7,\"at\":{\"city\":\"Bern\",\"zip\":3000}}",
		out: "value     {\"id\":7,\"at_city\":\"Bern\",\"at_zip\":3000}"},
	"HeaderFrom": {class: "HeaderFrom$Value", settings: "fields=trace\nheaders=trace-id\noperation=move",
		in:  "value     {\"id\":7,\"trace\":\"abc\"}",
		out: "header    trace-id=abc\nvalue     {\"id\":7}"},
	"HoistField": {class: "HoistField$Value", settings: "field=line",
		in:  "value     \"GET /\"",
		out: "value     {\"line\":\"GET /\"}"},
	"InsertField": {class: "InsertField$Value", settings: "static.field=server\nstatic.value=web-1\ntopic.field=from",
		in:  "topic     access-log\nvalue     {\"line\":\"GET /\"}",
		out: "topic     access-log\nvalue     {\"line\":\"GET /\",\"from\":\"access-log\",\"server\":\"web-1\"}"},
	"InsertHeader": {class: "InsertHeader", settings: "header=origin\nvalue.literal=troupe",
		in:  "value     1",
		out: "header    origin=troupe\nvalue     1"},
	"MaskField": {class: "MaskField$Value", settings: "fields=card\nreplacement=****",
		in:  "value     {\"id\":7,\"card\":\"4111111111111111\"}",
		out: "value     {\"id\":7,\"card\":\"****\"}"},
	"RegexRouter": {class: "RegexRouter", settings: "regex=(.*)-log\nreplacement=logs.$1",
		in:  "topic     access-log\nvalue     1",
		out: "topic     logs.access\nvalue     1"},
	"ReplaceField": {class: "ReplaceField$Value", settings: "exclude=secret\nrenames=id:order_id",
		in:  "value     {\"id\":7,\"name\":\"anvil\",\"secret\":\"x\"}",
		out: "value     {\"order_id\":7,\"name\":\"anvil\"}"},
	"SetSchemaMetadata": {class: "SetSchemaMetadata$Value", settings: "schema.name=Order\nschema.version=2",
		in:  `value+schema {"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false},"payload":{"id":7}}`,
		out: `value+schema {"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"Order","version":2},"payload":{"id":7}}`},
	"TimestampConverter": {class: "TimestampConverter$Value", settings: "field=at\ntarget.type=string\nformat=yyyy-MM-dd HH:mm",
		in:  "value     {\"at\":1700000000000}",
		out: "value     {\"at\":\"2023-11-14 22:13\"}"},
	"TimestampRouter": {class: "TimestampRouter", settings: "topic.format=${topic}-${timestamp}\ntimestamp.format=yyyyMMdd",
		in:  "topic     orders\ntimestamp 1700000000000\nvalue     1",
		out: "topic     orders-20231114\ntimestamp 1700000000000\nvalue     1"},
	"ValueToKey": {class: "ValueToKey", settings: "fields=id",
		in:  "value     {\"id\":7,\"name\":\"anvil\"}",
		out: "key       {\"id\":7}\nvalue     {\"id\":7,\"name\":\"anvil\"}"},

	"paths": {class: "Cast$Value", settings: "field.syntax.version=V2\nspec=customer.id:int64,`line.items`[].price:float64",
		in:  `value     {"customer":{"id":"7"},"line.items":[{"price":"1.5"},{"price":"2"}]}`,
		out: `value     {"customer":{"id":7},"line.items":[{"price":1.5},{"price":2.0}]}`},
	"paths-made": {class: "InsertField$Value", settings: "field.syntax.version=V2\ntopic.field=meta.topic",
		in:  "topic     orders\nvalue     {\"id\":7}",
		out: "topic     orders\nvalue     {\"id\":7,\"meta\":{\"topic\":\"orders\"}}"},
	"paths-hoisted": {class: "HoistField$Value", settings: "field.syntax.version=V2\nhoisted=tags[]\nfield=name",
		in:  `value     {"tags":["a","b"]}`,
		out: `value     {"tags":[{"name":"a"},{"name":"b"}]}`},

	"io.confluent.connect.transforms.Drop": {class: "Drop$Value",
		in: "key       7\nvalue     {\"id\":7}", out: "key       7\nvalue     null"},
	"io.confluent.connect.transforms.ExtractTopic": {class: "ExtractTopic$Value", settings: "field=$.meta.table\nfield.format=JSON_PATH",
		in:  "topic     all\nvalue     {\"meta\":{\"table\":\"orders\"}}",
		out: "topic     orders\nvalue     {\"meta\":{\"table\":\"orders\"}}"},
	"io.confluent.connect.transforms.Filter": {class: "Filter$Value", settings: "filter.condition=$[?(@.price > 10 && @.state =~ /open|new/i)]\nfilter.type=exclude",
		in: `value     {"price":12.5,"state":"Open"}`, out: "(dropped)"},
	"io.confluent.connect.transforms.MessageTimestampRouter": {class: "MessageTimestampRouter", settings: "message.timestamp.keys=time,ts\nmessage.timestamp.format=yyyy-MM-dd\ntopic.timestamp.format=yyyy.MM",
		in:  "topic     log\nvalue     {\"ts\":\"2026-11-27\"}",
		out: "topic     log-2026.11\nvalue     {\"ts\":\"2026-11-27\"}"},
	"io.confluent.connect.transforms.ReplaceField": {class: "ReplaceField$Value", settings: "exclude=card.number\nrenames=card:payment,card.kind:brand",
		in:  `value     {"id":7,"card":{"kind":"visa","number":"4111"}}`,
		out: `value     {"id":7,"payment":{"brand":"visa"}}`},
	"io.confluent.connect.transforms.TombstoneHandler": {class: "TombstoneHandler",
		in: "key       7\nvalue     null", out: "(dropped)"},

	"troupe.Expr": {class: "Expr", settings: "drop=value.count == 0\nfields={\"total\": value.price * double(value.count), \"name\": value.name.lowerAscii()}\n" +
		"rename=price:unit_price\ntopic=topic + (value.price > 100.0 ? \"-large\" : \"-small\")\nheaders={\"origin\": topic}",
		in:  "topic     orders\nvalue     {\"name\":\"Anvil\",\"price\":19.5,\"count\":4}",
		out: "topic     orders-small\nheader    origin=orders\nvalue     {\"name\":\"anvil\",\"unit_price\":19.5,\"count\":4,\"total\":78.0}"},

	"HasHeaderKey": {class: "HasHeaderKey", settings: "name=color",
		in: "header    color=red\nvalue     1", out: "true"},
	"RecordIsTombstone": {class: "RecordIsTombstone",
		in: "key       7\nvalue     null", out: "true"},
	"TopicNameMatches": {class: "TopicNameMatches", settings: "pattern=access-.*",
		in: "topic     orders\nvalue     1", out: "false"},
}
