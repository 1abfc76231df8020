package avro

import "encoding/json"

// byHand are the vectors that nobody would draw in a lifetime.
var byHand = []*vector{
	connectVector("nan", `{"type":"FLOAT64","optional":false,"default":{"t":"float64","v":"NaN"}}`, `{"t":"float64","v":"Infinity"}`),
	connectVector("nan field", `{"type":"STRUCT","optional":false,"name":"R","fields":[{"name":"f","index":0,"schema":{"type":"FLOAT64","optional":true,"default":{"t":"float64","v":"NaN"}}}]}`, `{"t":"struct","v":[["f",{"t":"float64","v":"1.5"}]]}`),
	connectVector("infinite field", `{"type":"STRUCT","optional":false,"name":"R","fields":[{"name":"f","index":0,"schema":{"type":"FLOAT32","optional":false,"default":{"t":"float32","v":"-Infinity"}}}]}`, `{"t":"struct","v":[["f",{"t":"float32","v":"Infinity"}]]}`),
	connectVector("negative zero", `{"type":"FLOAT64","optional":false,"default":{"t":"float64","v":"-0.0"}}`, `{"t":"float64","v":"-0.0"}`),
	connectVector("long default", `{"type":"STRUCT","optional":false,"name":"R","fields":[{"name":"f","index":0,"schema":{"type":"INT64","optional":false,"default":{"t":"int64","v":"-9223372036854775808"}}}]}`, `{"t":"struct","v":[["f",{"t":"int64","v":"9223372036854775807"}]]}`),
	connectVector("control characters", `{"type":"STRING","optional":false,"doc":"\u0001\u007f\u2028\ud83d\ude00\\\"/","default":{"t":"string","v":"\u0000\u001f\t"}}`, `{"t":"string","v":"\u0000\ud83d\ude00"}`),
	connectVector("one record twice, with other defaults", `{"type":"STRUCT","optional":false,"name":"R","fields":[`+
		`{"name":"a","index":0,"schema":{"type":"STRUCT","optional":false,"name":"x.P","doc":"one","fields":[{"name":"n","index":0,"schema":{"type":"INT32","optional":false}}]}},`+
		`{"name":"b","index":1,"schema":{"type":"STRUCT","optional":true,"name":"x.P","version":2,"fields":[{"name":"n","index":0,"schema":{"type":"INT32","optional":false,"default":{"t":"int32","v":1}}}]}}]}`,
		`{"t":"struct","v":[["a",{"t":"struct","v":[["n",{"t":"int32","v":3}]]}],["b",{"t":"null"}]]}`),
	connectVector("an int called as the record around it", `{"type":"STRUCT","optional":false,"name":"x.P","fields":[{"name":"l","index":0,"schema":{"type":"ARRAY","optional":false,`+
		`"valueSchema":{"type":"INT16","optional":false,"name":"x.P"}}}]}`, `{"t":"struct","v":[["l",{"t":"array","v":[{"t":"int16","v":4}]}]]}`),
	{ID: "by hand/a default with a null for a key", Config: map[string]string{FlattenSetting: "false", OptionalKeysSetting: "true"},
		Schema: json.RawMessage(`{"type":"MAP","optional":false,"keySchema":{"type":"STRING","optional":true},"valueSchema":{"type":"INT32","optional":false},"default":{"t":"map","v":[[{"t":"null"},{"t":"int32","v":1}]]}}`),
		Value:  json.RawMessage(`{"t":"map","v":[]}`)},
	avroVector("a time called as a nameless record", `{"type":"int","logicalType":"time-millis","connect.name":"io.confluent.connect.avro.ConnectDefault2"}`, []byte{2}),
	avroVector("every default", `{"type":"record","name":"R","fields":[{"name":"b","type":"boolean","default":false},{"name":"i","type":"int","default":-7},`+
		`{"name":"l","type":"long","default":9007199254740993},{"name":"f","type":"float","default":0.1},{"name":"d","type":"double","default":1e300},`+
		`{"name":"s","type":"string","default":"\u00e9"},{"name":"y","type":"bytes","default":"\u00ff"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"B"},`+
		`{"name":"x","type":{"type":"fixed","name":"X","size":2},"default":"\u0000\u00fe"},{"name":"a","type":{"type":"array","items":"int"},"default":[1,2]},`+
		`{"name":"m","type":{"type":"map","values":"string"},"default":{"k":"v"}},{"name":"n","type":["null","int"],"default":null},{"name":"o","type":["int","null"],"default":5},`+
		`{"name":"u","type":["string","int"],"default":"t"},{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"},"default":1000},`+
		`{"name":"dt","type":{"type":"int","logicalType":"date"},"default":3},{"name":"dc","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"default":"\u0001\u0000"}]}`,
		[]byte{1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 2, 'b', 0, 7, 8, 2, 4, 0, 0, 0, 2, 2, 2, 4, 2, 6, 2, 9}),
	avroVector("a list", `{"type":"record","name":"a.List","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","List"],"default":null}]}`, []byte{2, 2, 4, 2, 6, 0}),
	avroVector("a tree", `{"type":"record","name":"Tree","fields":[{"name":"kids","type":{"type":"array","items":"Tree"}},{"name":"by","type":{"type":"map","values":"Tree"}}]}`, []byte{2, 0, 0, 0, 2, 2, 'k', 0, 0, 0}),
	avroVector("two in each other", `{"type":"record","name":"x.A","fields":[{"name":"b","type":["null",{"type":"record","name":"y.B","fields":[{"name":"a","type":["null","x.A"]},{"name":"self","type":["null","B"]}]}]}]}`, []byte{2, 2, 0, 0}),
}

func connectVector(id, schema, value string) *vector {
	return &vector{ID: "by hand/" + id, Config: map[string]string{FlattenSetting: "false"}, Schema: json.RawMessage(schema), Value: json.RawMessage(value)}
}

func avroVector(id, schema string, b []byte) *vector {
	return &vector{ID: "by hand/" + id, Config: map[string]string{FlattenSetting: "false"}, Avro: schema, Bytes: b}
}
