package avro

import (
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// TestSchemaText holds the texts of schemas, which Confluent's converter is known to
// register letter by letter: another text is another version in the registry.
func TestSchemaText(t *testing.T) {
	for name, tc := range map[string]struct {
		schema *data.Schema
		want   string
	}{
		"string":     {data.StringSchema, `"string"`},
		"optional":   {data.OptionalStringSchema, `["null","string"]`},
		"int8":       {data.Int8Schema, `{"type":"int","connect.type":"int8"}`},
		"int16":      {data.Int16Schema, `{"type":"int","connect.type":"int16"}`},
		"schemaless": {nil, `{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":[{"name":"boolean","type":["null","boolean"],"default":null},{"name":"bytes","type":["null","bytes"],"default":null},{"name":"double","type":["null","double"],"default":null},{"name":"float","type":["null","float"],"default":null},{"name":"int","type":["null","int"],"default":null},{"name":"long","type":["null","long"],"default":null},{"name":"string","type":["null","string"],"default":null},{"name":"array","type":["null",{"type":"array","items":"Anything"}],"default":null},{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}],"default":null}]}`},
		"record": {data.NewStructSchema().Name("com.acme.Order").Field("id", data.Int64Schema).Field("note", data.OptionalStringSchema).MustBuild(),
			`{"type":"record","name":"Order","namespace":"com.acme","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}],"connect.name":"com.acme.Order"}`},
		"unnamed": {data.NewStructSchema().Field("id", data.Int32Schema).MustBuild(),
			`{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"id","type":"int"}]}`},
		"unnamed twice": {data.NewStructSchema().Field("in", data.NewStructSchema().Field("id", data.Int32Schema).MustBuild()).MustBuild(),
			`{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"in","type":{"type":"record","name":"ConnectDefault2","fields":[{"name":"id","type":"int"}]}}]}`},
		"timestamp": {data.TimestampSchema, `{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}`},
		"date":      {data.OptionalDateSchema, `["null",{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}]`},
		"time":      {data.TimeSchema, `{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Time","logicalType":"time-millis"}`},
		"decimal": {data.NewDecimalSchema(2).MustBuild(),
			`{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`},
		"decimal with a precision": {data.NewDecimalSchema(2).Param(precisionParam, "10").MustBuild(),
			`{"type":"bytes","scale":2,"precision":10,"connect.version":1,"connect.parameters":{"scale":"2","connect.decimal.precision":"10"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`},
		"default": {data.NewStructSchema().Name("d").Field("n", data.NewSchema(data.Int32).Optional().Default(data.OfInt32(7)).MustBuild()).
			Field("s", data.NewSchema(data.String).Default(data.OfString("a\"é")).MustBuild()).MustBuild(),
			`{"type":"record","name":"d","fields":[{"name":"n","type":[{"type":"int","connect.default":7},"null"],"default":7},{"name":"s","type":{"type":"string","connect.default":"a\"é"},"default":"a\"é"}],"connect.name":"d"}`},
		"documented": {data.NewSchema(data.Int32).Doc("how many").Version(3).Param("a", "b").Name("n").MustBuild(),
			`{"type":"int","connect.doc":"how many","connect.version":3,"connect.parameters":{"a":"b"},"connect.name":"n"}`},
		"array": {data.NewArraySchema(data.Int32Schema).MustBuild(), `{"type":"array","items":"int"}`},
		"map":   {data.NewMapSchema(data.StringSchema, data.OptionalInt32Schema).MustBuild(), `{"type":"map","values":["null","int"]}`},
		"map of other keys": {data.NewMapSchema(data.Int32Schema, data.StringSchema).MustBuild(),
			`{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]}}`},
		"named map of other keys": {data.NewMapSchema(data.OptionalStringSchema, data.StringSchema).Name("x.M").MustBuild(),
			`{"type":"array","items":{"type":"record","name":"M","namespace":"x","fields":[{"name":"key","type":["null","string"],"default":null},{"name":"value","type":"string"}],"connect.internal.type":"MapEntry"},"connect.name":"x.M"}`},
		"union": {data.NewStructSchema().Name(unionName).Optional().Field("int", data.OptionalInt32Schema).Field("string", data.OptionalStringSchema).MustBuild(),
			`["null","int","string"]`},
		"enum as text": {enumSchema(), `{"type":"string","connect.parameters":{"io.confluent.connect.avro.Enum":"x.Color","io.confluent.connect.avro.Enum.RED":"RED","io.confluent.connect.avro.Enum.BLUE":"BLUE"},"connect.name":"x.Color"}`},
		"fixed": {data.NewSchema(data.Bytes).Name("x.Id").Param(fixedSizeParam, "4").MustBuild(),
			`{"type":"fixed","name":"Id","namespace":"x","size":4,"connect.parameters":{"connect.fixed.size":"4"},"connect.name":"x.Id"}`},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := defaults().avroSchema(tc.schema)
			if err != nil {
				t.Fatal(err)
			}
			if got := mustText(t, a); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func enumSchema() *data.Schema {
	return data.NewSchema(data.String).Name("x.Color").Param(enumParam, "x.Color").Param(enumParam+".RED", "RED").Param(enumParam+".BLUE", "BLUE").MustBuild()
}
