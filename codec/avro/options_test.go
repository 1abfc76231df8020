package avro

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// describe is a schema as a line: what a user of Connect sees of it.
func describe(s *data.Schema) string {
	if s == nil {
		return "none"
	}
	var b strings.Builder
	b.WriteString(strings.ToLower(s.Type().String()))
	if s.Optional() {
		b.WriteString("?")
	}
	if s.Name() != "" {
		b.WriteString(" " + s.Name())
	}
	if s.Doc() != "" {
		b.WriteString(" doc=" + s.Doc())
	}
	if !s.Default().IsNull() {
		b.WriteString(" default=" + s.Default().String())
	}
	for _, p := range s.Params() {
		b.WriteString(" " + p.Key + "=" + p.Value)
	}
	if s.Repeats() {
		return b.String() + "..."
	}
	for _, f := range s.Fields() {
		b.WriteString(" {" + f.Name + ": " + describe(f.Schema) + "}")
	}
	if s.KeySchema() != nil {
		b.WriteString(" <" + describe(s.KeySchema()) + ">")
	}
	if s.ValueSchema() != nil {
		b.WriteString(" [" + describe(s.ValueSchema()) + "]")
	}
	return b.String()
}

// TestConnectSchema: what becomes of the schemas of other writers, by setting.
func TestConnectSchema(t *testing.T) {
	const enum = `{"type":"enum","name":"Color","namespace":"x","doc":"hue","symbols":["RED","BLUE"],"default":"RED"}`
	const union = `["null","int",{"type":"record","name":"R","namespace":"x","fields":[{"name":"a","type":"long"}]}]`
	enhanced, sum, plain, discard := defaults(), defaults(), &options{flattenSingle: true}, defaults()
	enhanced.enhanced, sum.sumTypes, discard.discardDocs = true, true, true
	for name, tc := range map[string]struct {
		o    *options
		text string
		want string
	}{
		"micros are numbers": {defaults(), `{"type":"long","logicalType":"timestamp-micros"}`, "int64"},
		"uuid is a string":   {defaults(), `{"type":"string","logicalType":"uuid"}`, "string"},
		"date":               {defaults(), `{"type":"int","logicalType":"date"}`, "int32 org.apache.kafka.connect.data.Date"},
		"time of day":        {defaults(), `["null",{"type":"int","logicalType":"time-millis"}]`, "int32? org.apache.kafka.connect.data.Time"},
		"decimal without scale": {defaults(), `{"type":"bytes","logicalType":"decimal","precision":9}`,
			"bytes org.apache.kafka.connect.data.Decimal scale=0 connect.decimal.precision=9"},
		"fixed decimal": {defaults(), `{"type":"fixed","name":"D","size":5,"logicalType":"decimal","precision":9,"scale":2}`,
			"bytes org.apache.kafka.connect.data.Decimal scale=2 connect.decimal.precision=9 connect.fixed.size=5"},
		"fixed": {defaults(), `{"type":"fixed","name":"D","namespace":"x","size":5}`, "bytes x.D connect.fixed.size=5"},
		"enum": {defaults(), enum, "string x.Color io.confluent.connect.avro.enum.doc.Color=hue io.confluent.connect.avro.enum.default.Color=RED " +
			"io.confluent.connect.avro.Enum=x.Color io.confluent.connect.avro.Enum.RED=RED io.confluent.connect.avro.Enum.BLUE=BLUE"},
		"enum, sum types": {sum, enum, "string x.Color io.confluent.connect.avro.enum.doc.Color=hue io.confluent.connect.avro.enum.default.Color=RED " +
			"org.apache.kafka.connect.data.Enum=x.Color org.apache.kafka.connect.data.Enum.RED=0 org.apache.kafka.connect.data.Enum.BLUE=1"},
		"enum, no metadata":  {plain, enum, "string x.Color io.confluent.connect.avro.Enum=x.Color io.confluent.connect.avro.Enum.RED=RED io.confluent.connect.avro.Enum.BLUE=BLUE"},
		"union":              {defaults(), union, "struct? io.confluent.connect.avro.Union {int: int32?} {R: struct? x.R {a: int64}}"},
		"union, enhanced":    {enhanced, union, "struct? io.confluent.connect.avro.Union {int: int32?} {x.R: struct? x.R {a: int64}}"},
		"union, sum types":   {sum, union, "struct? connect_union_0 org.apache.kafka.connect.data.Union=connect_union_0 {connect_union_field_1: int32?} {connect_union_field_2: struct? x.R {a: int64}}"},
		"union of one":       {defaults(), `["int"]`, "int32"},
		"union of one, kept": {&options{}, `["int"]`, "struct io.confluent.connect.avro.Union {int: int32?}"},
		"field docs and defaults": {defaults(), `{"type":"record","name":"R","doc":"rec","fields":[{"name":"a","type":"int","doc":"one","default":7}]}`,
			"struct R io.confluent.connect.avro.record.doc=rec io.confluent.connect.avro.field.doc.a=one {a: int32 default=7 io.confluent.connect.avro.field.default=true}"},
		"field docs and defaults, discarded": {discard, `{"type":"record","name":"R","doc":"rec","fields":[{"name":"a","type":"int","doc":"one","default":7}]}`,
			"struct R doc=rec connect.record.doc=rec {a: int32 doc=one default=7}"},
		"no default of a nullable field": {defaults(), `{"type":"record","name":"R","fields":[{"name":"a","type":["int","null"],"default":7}]}`, "struct R {a: int32?}"},
		"contains itself": {defaults(), `{"type":"record","name":"N","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","N"]},{"name":"all","type":{"type":"array","items":"N"}}]}`,
			"struct N {v: int32} {next: struct? N...} {all: array [struct N...]}"},
		"invalid default": {defaults(), `{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`,
			"struct R {a: int32 io.confluent.connect.avro.field.default=true}"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := schema.Parse(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			s, err := tc.o.connectSchema(a, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(s); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestAvroSchemaBySetting is the other direction.
func TestAvroSchemaBySetting(t *testing.T) {
	enhanced, sum, scrub, plain, keys := defaults(), defaults(), defaults(), &options{}, defaults()
	enhanced.enhanced, sum.sumTypes, scrub.scrub, keys.optionalKeys = true, true, true, true
	odd := data.NewStructSchema().Name("my-app.1st record").Field("a-b", data.Int32Schema).Field("9", data.NewArraySchema(data.StringSchema).MustBuild()).MustBuild()
	optionalKeys := data.NewMapSchema(data.OptionalStringSchema, data.Int32Schema).MustBuild()
	for name, tc := range map[string]struct {
		o    *options
		s    *data.Schema
		want string
	}{
		"enum": {enhanced, enumSchema(), `{"type":"enum","name":"Color","namespace":"x","symbols":["RED","BLUE"],"connect.parameters":{"io.confluent.connect.avro.Enum":"x.Color","io.confluent.connect.avro.Enum.RED":"RED","io.confluent.connect.avro.Enum.BLUE":"BLUE"},"connect.name":"x.Color"}`},
		"enum, sum types": {sum, data.NewSchema(data.String).Param(sumEnumParam, "x.C").Param(sumEnumParam+".A", "0").MustBuild(),
			`{"type":"enum","name":"C","namespace":"x","symbols":["A"],"connect.parameters":{"org.apache.kafka.connect.data.Enum":"x.C","org.apache.kafka.connect.data.Enum.A":"0"}}`},
		"scrubbed":         {scrub, odd, `{"type":"record","name":"x1st_record","namespace":"my_app","fields":[{"name":"a_b","type":"int"},{"name":"x9","type":{"type":"array","items":"string"}}],"connect.name":"my-app.1st record"}`},
		"without metadata": {plain, data.NewSchema(data.Int8).Name("n").Doc("d").Version(2).MustBuild(), `"int"`},
		"optional keys":    {keys, optionalKeys, `{"type":"map","values":"int"}`},
		"used twice":       {defaults(), usedTwice(), `{"type":"record","name":"P","fields":[{"name":"a","type":{"type":"record","name":"In","namespace":"x","fields":[{"name":"v","type":"int"}],"connect.name":"x.In"}},{"name":"b","type":["null","x.In"],"default":null}],"connect.name":"P"}`},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := tc.o.avroSchema(tc.s)
			if err != nil {
				t.Fatal(err)
			}
			if got := mustText(t, a); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	for name, tc := range map[string]struct {
		s    *data.Schema
		want string
	}{
		"field name":  {data.NewStructSchema().Name("x").Field("a-b", data.Int32Schema).MustBuild(), "Illegal character in: a-b"},
		"record name": {odd, "Illegal initial character: 1st record"},
		"one name for two": {data.NewStructSchema().Name("x").Field("a", data.NewStructSchema().Name("y").Field("v", data.Int32Schema).MustBuild()).
			Field("b", data.NewStructSchema().Name("y").Field("w", data.Int64Schema).MustBuild()).MustBuild(), "Can't redefine: y"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := defaults().avroSchema(tc.s)
			if err == nil {
				_, err = a.Print()
			}
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, not %s", err, tc.want)
			}
		})
	}
}

func usedTwice() *data.Schema {
	in := data.NewStructSchema().Name("x.In").Field("v", data.Int32Schema)
	return data.NewStructSchema().Name("P").Field("a", in.MustBuild()).Field("b", in.Optional().MustBuild()).MustBuild()
}

// TestRecursive: a list that contains itself, there and back.
func TestRecursive(t *testing.T) {
	b := data.NewStructSchema().Name("x.Node")
	next := b.Self(true)
	s := b.Field("v", data.Int32Schema).Field("next", next).MustBuild()
	node := func(s *data.Schema, n int32, next data.Value) data.Value {
		return data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt32(n), next}))
	}
	v := node(s, 1, node(next, 2, node(next, 3, data.Null)))
	a, bytes, err := encodeWith(defaults(), s, v)
	if err != nil {
		t.Fatal(err)
	}
	text := mustText(t, a)
	if want := `{"type":"record","name":"Node","namespace":"x","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"],"default":null}],"connect.name":"x.Node"}`; text != want {
		t.Errorf("got %s", text)
	}
	gs, gv, err := decodeWith(defaults(), text, bytes)
	if err != nil || !gv.Equal(v) || !gs.Equal(s) || gs.Hash() != s.Hash() {
		t.Errorf("read %v of %s, %v", gv, describe(gs), err)
	}
	if err := data.ValidateValue(gs, gv); err != nil || !data.Valid(gs, gv) {
		t.Errorf("what was read is not valid: %v", err)
	}
	// A part of it alone, as a transform may leave it.
	if _, _, err := encodeWith(defaults(), next, v.Struct().At(1)); err != nil {
		t.Error(err)
	}
	deep := data.Null
	for range 2 * schema.MaxDepth {
		deep = node(next, 0, deep)
	}
	if _, _, err := encodeWith(defaults(), s, node(s, 0, deep)); !errors.Is(err, errEncodeDepth) {
		t.Errorf("a list of %d: %v", 2*schema.MaxDepth, err)
	}
}

// TestDefaults: null in a field with a default is the default, unless the setting
// says otherwise.
func TestDefaults(t *testing.T) {
	in := data.NewStructSchema().Name("In").Field("a", data.Int32Schema)
	def := data.OfStruct(data.NewStruct(in.MustBuild(), []data.Value{data.OfInt32(9)}))
	s := data.NewStructSchema().Name("x").Field("n", data.NewSchema(data.Int32).Optional().Default(data.OfInt32(7)).MustBuild()).
		Field("in", in.Default(def).MustBuild()).MustBuild()
	v := data.OfStruct(data.NewStruct(s, []data.Value{data.Null, data.Null}))
	o := defaults()
	a, b, err := encodeWith(o, s, v)
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := decodeWith(o, mustText(t, a), b); err != nil || got.String() != "Struct{n=7,in=Struct{a=9}}" {
		t.Errorf("read %v, %v", got, err)
	}
	o.ignoreDefaults = true
	if _, _, err := encodeWith(o, s, v); err == nil || err.Error() != "Found null value for non-optional schema" {
		t.Errorf("the default of a required field was taken: %v", err)
	}
}

// TestWrongValues: the messages are those of Confluent's converter.
func TestWrongValues(t *testing.T) {
	for name, tc := range map[string]struct {
		s    *data.Schema
		v    data.Value
		want string
	}{
		"type":       {data.Int32Schema, data.OfString("x"), "Invalid type for INT32: class java.lang.String"},
		"date":       {data.DateSchema, data.OfInt32(1), "Invalid type for Date, expected Date but was class java.lang.Integer"},
		"half a day": {data.DateSchema, data.OfDate(1), "Kafka Connect Date type should not have any time fields set to non-zero values."},
		"decimal":    {data.NewDecimalSchema(2).MustBuild(), data.OfInt32(1), "Invalid type for Decimal, expected BigDecimal but was class java.lang.Integer"},
		"scale": {data.NewDecimalSchema(2).MustBuild(), data.OfDecimal(data.NewDecimal(1, 3)),
			"Decimal value has mismatching scale for given Decimal schema. Schema has scale 2, value has scale 3."},
		"struct":     {usedTwice(), def2(), "Mismatching struct schema"},
		"schemaless": {nil, data.OfDate(1), "Unknown Java type for schemaless data: class java.util.Date"},
		"in a list":  {data.NewArraySchema(data.Int32Schema).MustBuild(), data.OfArray([]data.Value{data.Null}), "Found null value for non-optional schema"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := encodeWith(defaults(), tc.s, tc.v); err == nil || err.Error() != tc.want {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func def2() data.Value {
	s := data.NewStructSchema().Name("other").MustBuild()
	return data.OfStruct(data.NewStruct(s, nil))
}

// TestOtherWriter: what a schema that stood in the registry before would make of the
// data, by the plan or by its refusal.
func TestOtherWriter(t *testing.T) {
	union := data.NewStructSchema().Name(unionName).Field("int", data.OptionalInt32Schema).Field("string", data.OptionalStringSchema).MustBuild()
	money := data.NewDecimalSchema(2).MustBuild()
	for name, tc := range map[string]struct {
		s    *data.Schema
		v    data.Value
		a    string
		want string // bytes in hex, or the begin of the error
	}{
		"defaults": {data.NewStructSchema().MustBuild(), data.OfStruct(data.NewStruct(data.NewStructSchema().MustBuild(), nil)),
			`{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":5},{"name":"b","type":"float","default":"-Infinity"}]}`, "020a000080ff"},
		"wider int":             {data.Int32Schema, data.OfInt32(-2), `"long"`, "03"},
		"int as float":          {data.Int16Schema, data.OfInt16(1), `"float"`, "0000803f"},
		"float as double":       {data.Float32Schema, data.OfFloat32(1), `"double"`, "000000000000f03f"},
		"narrower":              {data.Int64Schema, data.OfInt64(1), `"int"`, "Data of Schema{INT64} cannot be written"},
		"into a union":          {data.StringSchema, data.OfString("a"), `["null","int","string"]`, "040261"},
		"union into another":    {union, data.OfStruct(data.NewStruct(union, []data.Value{data.Null, data.OfString("a")})), `["string","null","long"]`, "000261"},
		"union into its branch": {union, data.OfStruct(data.NewStruct(union, []data.Value{data.OfInt32(1), data.Null})), `"string"`, "The Avro union has no branch for the field int"},
		"text as enum":          {data.StringSchema, data.OfString("B"), `{"type":"enum","name":"E","symbols":["A","B"]}`, "02"},
		"no such symbol":        {data.StringSchema, data.OfString("C"), `{"type":"enum","name":"E","symbols":["A","B"]}`, `"C" is not a symbol`},
		"bytes as fixed":        {data.BytesSchema, data.OfBytes([]byte{1, 2}), `{"type":"fixed","name":"F","size":2}`, "0102"},
		"too few bytes":         {data.BytesSchema, data.OfBytes([]byte{1}), `{"type":"fixed","name":"F","size":2}`, "A value of 1 bytes for the fixed"},
		"decimal as fixed":      {money, data.OfDecimal(data.NewDecimal(-2, 2)), `{"type":"fixed","name":"F","size":3,"logicalType":"decimal","precision":5,"scale":2}`, "fffffe"},
		"decimal too large":     {money, data.OfDecimal(data.NewDecimal(1<<40, 2)), `{"type":"fixed","name":"F","size":3,"logicalType":"decimal","precision":5,"scale":2}`, "Unscaled value byte array length 6 is greater than fixed size 3"},
		"another scale":         {money, data.OfDecimal(data.NewDecimal(1, 2)), `{"type":"bytes","logicalType":"decimal","precision":5,"scale":3}`, "Data of Schema{org.apache.kafka.connect.data.Decimal:BYTES} cannot be written"},
		"microseconds":          {data.TimestampSchema, data.OfDate(1), `{"type":"long","logicalType":"timestamp-micros"}`, "Data of Schema{org.apache.kafka.connect.data.Timestamp:INT64} cannot be written"},
		"no null":               {data.OptionalInt32Schema, data.OfInt32(1), `"int"`, "02"},
		"a field without a default": {data.NewStructSchema().Name("R").MustBuild(), data.OfStruct(data.NewStruct(data.NewStructSchema().Name("R").MustBuild(), nil)),
			`{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, "The field a of the Avro record R has no default and is not in the data"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := schema.Parse(tc.a)
			if err != nil {
				t.Fatal(err)
			}
			var b []byte
			e, err := defaults().encoderFor(tc.s, a)
			if err == nil {
				b, err = (&run{}).encode(nil, e, tc.v)
			}
			got := hex.EncodeToString(b)
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != tc.want || err != nil && !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}
