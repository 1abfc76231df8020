package transforms

import (
	"fmt"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// newTransform returns a configured transform by its simple class name.
func newTransform(t testing.TB, class string, config map[string]string) connectors.Transformation {
	t.Helper()
	tr, _, known, err := instance(pkg+class, configdef.Nullable(config))
	if !known || err != nil {
		t.Fatalf("%s: known %v, %v", class, known, err)
	}
	return tr
}

// chain is the chain that the pipeline's benchmarks use.
func chain(t testing.TB) []connectors.Transformation {
	return []connectors.Transformation{
		newTransform(t, "HoistField$Value", map[string]string{"field": "line"}),
		newTransform(t, "InsertField$Value", map[string]string{"static.field": "origin", "static.value": "file"}),
		newTransform(t, "ReplaceField$Value", map[string]string{"renames": "line:text"}),
		newTransform(t, "RegexRouter", map[string]string{"regex": "(.*)-raw", "replacement": "$1"}),
	}
}

func lineRecord() data.Record {
	r := data.NewSourceRecord(nil, data.LongOffset("position", 1), "lines-raw", data.StringSchema, data.OfString("a line of text"))
	return r
}

// someHeaders are those of a record that came a few tasks far.
func someHeaders(attempt int32) data.Headers {
	return data.NewHeaders(data.Header{Key: "trace", Schema: data.StringSchema, Value: data.OfString("4bf92f3577b34da6")},
		data.Header{Key: "attempt", Schema: data.Int32Schema, Value: data.OfInt32(attempt)},
		data.Header{Key: "route", Schema: data.StringSchema, Value: data.OfString("eu")})
}

func apply(b testing.TB, chain []connectors.Transformation, r *data.Record) {
	for _, t := range chain {
		if _, err := t.Apply(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChain(b *testing.B) {
	c, in := chain(b), lineRecord()
	b.ReportAllocs()
	var r data.Record
	for b.Loop() {
		r = in
		apply(b, c, &r)
	}
}

func BenchmarkTransform(b *testing.B) {
	wide := data.NewStructSchema().Field("a", data.Int32Schema).Field("b", data.OptionalStringSchema).Field("ts", data.Int64Schema).
		Field("n", data.NewStructSchema().Field("x", data.Float64Schema).MustBuild()).MustBuild()
	value := data.OfStruct(data.NewStruct(wide, []data.Value{data.OfInt32(1), data.OfString("b"), data.OfInt64(1483425001864),
		data.OfStruct(data.NewStruct(wide.Field("n").Schema, []data.Value{data.OfFloat64(1)}))}))
	for _, row := range []struct {
		class  string
		config map[string]string
	}{
		{"HoistField$Value", map[string]string{"field": "line"}},
		{"InsertField$Value", map[string]string{"static.field": "s", "static.value": "v"}},
		{"InsertField$Key", map[string]string{"topic.field": "t", "timestamp.field": "at"}},
		{"ReplaceField$Value", map[string]string{"renames": "a:z", "exclude": "b"}},
		{"RegexRouter", map[string]string{"regex": "(.*)-raw", "replacement": "$1"}},
		{"Cast$Value", map[string]string{"spec": "a:int64,b:string"}},
		{"TimestampConverter$Value", map[string]string{"field": "ts", "target.type": "string", "format": "yyyy-MM-dd HH:mm:ss.SSS"}},
		{"Flatten$Value", map[string]string{}},
		{"MaskField$Value", map[string]string{"fields": "b"}},
		{"ExtractField$Value", map[string]string{"field": "a"}},
		{"ValueToKey", map[string]string{"fields": "a,b"}},
		{"TimestampRouter", map[string]string{}},
		{"DropHeaders", map[string]string{"headers": "trace"}},
		{"DropHeaders", map[string]string{"headers": "attempt"}},
		{"InsertHeader", map[string]string{"header": "origin", "value.literal": "shop"}},
		{"HeaderFrom$Value", map[string]string{"fields": "a,b", "headers": "x,y", "operation": "copy"}},
		{"HeaderFrom$Value", map[string]string{"fields": "a,b", "headers": "x,y", "operation": "move"}},
		{"Cast$Value", map[string]string{"spec": "a:int64,b:string", syntaxVersion: "V2"}},
		{"Cast$Value", map[string]string{"spec": "a:int64,n.x:string", syntaxVersion: "V2"}},
		{"ReplaceField$Value", map[string]string{"renames": "a:z", "exclude": "b", syntaxVersion: "V2"}},
		{"MaskField$Value", map[string]string{"fields": "b", syntaxVersion: "V2"}},
		{"ValueToKey", map[string]string{"fields": "a,b", syntaxVersion: "V2"}},
	} {
		name := row.class
		if row.config[syntaxVersion] != "" {
			name += "/" + row.config["spec"] + "V2"
		}
		name += row.config["headers"] + row.config["operation"]
		b.Run(name, func(b *testing.B) {
			t := newTransform(b, row.class, row.config)
			in := lineRecord()
			in.Headers = someHeaders(3)
			in.ValueSchema, in.Value, in.KeySchema, in.Key, in.Timestamp = wide, value, wide, value, 1483425001864
			b.ReportAllocs()
			var r data.Record
			for b.Loop() {
				r = in
				if _, err := t.Apply(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAllocations holds the chain to its chunks: two allocations for sixteen records, three times.
func TestAllocations(t *testing.T) {
	c, in := chain(t), lineRecord()
	r := in
	apply(t, c, &r)
	if n := testing.AllocsPerRun(100, func() { r = in; apply(t, c, &r) }); n > 0.5 {
		t.Errorf("the chain of four costs %v allocations a record, want less than half of one", n)
	}
}

// TestHeaderAllocations: header transforms carve their lists from chunks, also when the
// records come one by one from a task that makes their headers anew.
func TestHeaderAllocations(t *testing.T) {
	schema := data.NewStructSchema().Field("a", data.Int32Schema).Field("b", data.StringSchema).MustBuild()
	value := data.OfStruct(data.NewStruct(schema, []data.Value{data.OfInt32(1), data.OfString("b")}))
	var records []data.Record
	for i := range 200 {
		r := lineRecord()
		r.ValueSchema, r.Value, r.Headers = schema, value, someHeaders(int32(i))
		records = append(records, r)
	}
	for _, row := range []struct {
		class  string
		config map[string]string
		want   string
	}{
		{"DropHeaders", map[string]string{"headers": "trace"}, "[attempt route]"},
		{"DropHeaders", map[string]string{"headers": "attempt"}, "[trace route]"},
		{"InsertHeader", map[string]string{"header": "x", "value.literal": "1"}, "[trace attempt route x]"},
		{"HeaderFrom$Value", map[string]string{"fields": "a,b", "headers": "x,y", "operation": "copy"}, "[trace attempt route x y]"},
		{"HeaderFrom$Value", map[string]string{"fields": "a", "headers": "x", "operation": "move"}, "[trace attempt route x]"},
	} {
		tr := newTransform(t, row.class, row.config)
		var r data.Record
		n := testing.AllocsPerRun(5, func() {
			for _, r = range records {
				if _, err := tr.Apply(&r); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n /= float64(len(records)); n > 0.3 {
			t.Errorf("%s %v costs %v allocations a record", row.class, row.config, n)
		}
		var keys []string
		for h := range r.Headers.All() {
			keys = append(keys, h.Key)
		}
		if got := fmt.Sprint(keys); got != row.want {
			t.Errorf("%s has left %s, want %s", row.class, got, row.want)
		}
	}
}
