package expr

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
	"github.com/troupeio/troupe/connectors"
)

func configured(t testing.TB, settings string) (connectors.Transformation, error) {
	t.Helper()
	config := make(map[string]string)
	for line := range strings.Lines(settings) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			config[k] = v
		}
	}
	return Plugins()[0].NewTransformation(config)
}

func converter(t testing.TB, schemas string) *json.Converter {
	t.Helper()
	c, err := json.New(map[string]string{"schemas.enable": schemas}, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(t testing.TB, s *data.Schema, v data.Value) string {
	t.Helper()
	b, err := converter(t, "false").FromConnect("t", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b == nil {
		return "null"
	}
	return string(b)
}

const (
	orderSchema = `{"type":"struct","name":"Order","optional":false,"fields":[{"field":"price","type":"double"},{"field":"count","type":"int32"},{"field":"name","type":"string","optional":true},` +
		`{"field":"tags","type":"array","items":{"type":"string"}},{"field":"in","type":"struct","fields":[{"field":"x","type":"int8"}]},{"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"int64"}}]}`
	order = `{"price":2.5,"count":4,"name":"anvil","tags":["a","b"],"in":{"x":3},"m":{"k":9}}`
)

// records are the order with schema and without.
func records(t testing.TB) []data.Record {
	t.Helper()
	s, v, err := converter(t, "true").ToConnect("t", []byte(`{"schema":`+orderSchema+`,"payload":`+order+`}`))
	if err != nil {
		t.Fatal(err)
	}
	_, plain, err := converter(t, "false").ToConnect("t", []byte(order))
	if err != nil {
		t.Fatal(err)
	}
	rest := data.Record{Topic: "orders", Partition: data.NoPartition, Timestamp: 1700000000000, Key: data.OfString("k1"),
		Headers: data.NewHeaders(data.Header{Key: "trace", Schema: data.StringSchema, Value: data.OfString("abc")}, data.Header{Key: "other", Value: data.OfInt8(1)})}
	with, without := rest, rest
	with.ValueSchema, with.Value, with.KeySchema = s, v, data.StringSchema
	without.Value = plain
	return []data.Record{with, without}
}

func TestExpr(t *testing.T) {
	for _, row := range []struct{ name, settings, want string }{
		{"compute", `fields={"total": value.price * double(value.count), "name": value.name + "!"}`,
			`{"price":2.5,"count":4,"name":"anvil!","tags":["a","b"],"in":{"x":3},"m":{"k":9},"total":10.0}`},
		{"rename", "rename=price:cost,in:out", `{"cost":2.5,"count":4,"name":"anvil","tags":["a","b"],"out":{"x":3},"m":{"k":9}}`},
		{"both know the old names", "rename=price:cost\nfields={\"twice\": value.price * 2.0}",
			`{"cost":2.5,"count":4,"name":"anvil","tags":["a","b"],"in":{"x":3},"m":{"k":9},"twice":5.0}`},
		{"nested, lists, maps", strings.ReplaceAll(`fields={"a": value.~in~.x + 1, "b": value.tags.map(x, x + topic), "c": value.m["k"], "d": value.~in~, "e": value.tags.size() > 1 && "a" in value.tags, "f": value.m}`, "~", "`"),
			`{"price":2.5,"count":4,"name":"anvil","tags":["a","b"],"in":{"x":3},"m":{"k":9},"a":4,"b":["aorders","borders"],"c":9,"d":{"x":3},"e":true,"f":{"k":9}}`},
		{"texts", `fields={"price": string(value.price), "name": value.name.upperAscii().substring(0, 2)}`,
			`{"price":"2.5","count":4,"name":"AN","tags":["a","b"],"in":{"x":3},"m":{"k":9}}`},
		{"drop", "drop=value.price < 3.0", "dropped"},
		{"not dropped", "drop=value.price > 3.0", order},
		{"route", `topic=topic + (value.count > 3 ? "-many" : "-few")`, order + " topic=orders-many"},
		{"headers", `headers={"trace": headers.trace + "d", "at": timestamp.getFullYear(), "other": null}`, order + ` trace="abcd" at=2023`},
		{"no header", `headers={"x": "nope" in headers ? "yes" : "no"}`, order + ` trace="abc" other=1 x="no"`},
		{"key", `key=key + "/" + string(value.count)`, order + ` key="k1/4"`},
		{"a key may be null", `drop=key == null || value == null`, order},
		{"has", `drop=has(value.name) && !has(headers.nope)`, "dropped"},
		{"has what is not there", `drop=has(value.nosuch)`, order},
		{"has what is not there, deeper", "drop=!has(value.`in`.nosuch)", "dropped"},
		{"has what is not there, and more", `drop=has(value.nosuch) && value.nosuch > 1 || value.name == "none"`, order},
		{"has not", `drop=!has(value.nosuch) || value.nosuch`, "dropped"},
		{"has, else", `topic=has(value.nosuch) ? value.nosuch : has(value.name) ? topic + "-named" : topic`, order + " topic=orders-named"},
		{"has, in a list", `drop=value.tags.exists(x, has(value.nosuch) ? value.nosuch == x : x == "b")`, "dropped"},
		{"has, in one of the fields", `fields={"a": has(value.nosuch) ? value.nosuch : value.count, "b": !has(value.nosuch)}`,
			`{"price":2.5,"count":4,"name":"anvil","tags":["a","b"],"in":{"x":3},"m":{"k":9},"a":4,"b":true}`},
		{"the pattern", `drop=value.name.matches("^an.*l$")`, "dropped"},
		{"too expensive", "cost.limit=20\n" + `drop=value.tags.map(a, value.tags.map(b, value.tags.map(c, a + b + c))).size() > 100`, "error: troupe.Expr: drop: it does more than cost.limit=20 allows"},
		{"fails", `topic=value.tags[7]`, "error: troupe.Expr: topic: index out of bounds: 7"},
		{"by zero", `fields={"n": value.count / 0}`, "error: troupe.Expr: fields (n): division by zero"},
	} {
		t.Run(row.name, func(t *testing.T) {
			tr, err := configured(t, row.settings)
			if err != nil {
				t.Fatal(err)
			}
			for i, in := range records(t) {
				for range 2 { // the second time from the cache
					r := in
					before := in.String()
					ok, err := tr.Apply(&r)
					got := ""
					switch {
					case err != nil:
						got = "error: " + err.Error()
						if connectors.ClassOf(err) != connectors.Poison {
							t.Errorf("%v is of class %s", err, connectors.ClassOf(err))
						}
						if r.String() != before {
							t.Error("a record that failed was changed")
						}
					case !ok:
						got = "dropped"
					default:
						got = described(t, &in, &r)
					}
					if in.String() != before {
						t.Error("the input was written to")
					}
					if got != row.want {
						t.Errorf("with schema: %v: got\n%s, want\n%s", i == 0, got, row.want)
					}
				}
			}
		})
	}
}

// described tells of a record what changed.
func described(t *testing.T, in, r *data.Record) string {
	t.Helper()
	if !data.Valid(r.ValueSchema, r.Value) {
		t.Errorf("not valid: %s", r.Value)
	}
	out := text(t, r.ValueSchema, r.Value)
	if r.Topic != in.Topic {
		out += " topic=" + r.Topic
	}
	if !r.Key.Equal(in.Key) {
		out += " key=" + text(t, r.KeySchema, r.Key)
	}
	if !slices.EqualFunc(slices.Collect(r.Headers.All()), slices.Collect(in.Headers.All()), func(a, b data.Header) bool {
		return a.Key == b.Key && a.Schema == b.Schema && a.Value.Equal(b.Value)
	}) {
		for h := range r.Headers.All() {
			out += " " + h.Key + "=" + text(t, h.Schema, h.Value)
		}
	}
	return out
}

func TestExpressionsThatAreNone(t *testing.T) {
	for settings, want := range map[string]string{
		"":                                   "troupe.Expr has nothing to do",
		"drop=value.price >":                 "Invalid value value.price > for configuration drop: drop at 1:14: Syntax error",
		"drop=nope == 1":                     "drop at 1:1: undeclared reference to 'nope'",
		"drop=1 + 2":                         "drop is to be an expression of CEL that is true or false, and is of the type int",
		"topic=topic.size()":                 "topic is to be an expression of CEL that is a string, and is of the type int",
		"topic=topic.nope()":                 "undeclared reference to 'nope'",
		"fields=value.price":                 `fields is to be a map of names and expressions`,
		`fields={"a": 1, "a": 2}`:            "fields at 1:10: a name is a text in quotes",
		`fields={topic: 1}`:                  "fields at 1:2: a name is a text in quotes",
		`fields={"a": 1 + "x"}`:              "fields at 1:9: found no matching overload for '_+_'",
		"rename=a":                           "Invalid value [a] for configuration rename: a is not old:new",
		"drop=true\ncost.limit=0":            "Invalid value 0 for configuration cost.limit",
		"headers={\"h\": value.a.b.nope(1)}": "undeclared reference to 'nope'",
	} {
		_, err := configured(t, settings)
		if err == nil || !strings.Contains(err.Error(), want) || connectors.ClassOf(err) != connectors.Configuration || connectors.JavaClass(err) != connectors.ConfigException {
			t.Errorf("%q: %v (%s), want %s", settings, err, connectors.JavaClass(err), want)
		}
	}
}

// TestTypesAreChecked: what does not fit a schema fails at its first record,
// whether or not the record takes the branch.
func TestTypesAreChecked(t *testing.T) {
	for settings, want := range map[string]string{
		`drop=value.nope == 1`:                       "drop at 1:6: undefined field 'nope'",
		"drop=false && value.`in`.nope == 1":         "drop at 1:20: undefined field 'nope'",
		`fields={"a": value.price + value.count}`:    "fields at 1:19: found no matching overload for '_+_' applied to '(double, int)'",
		`drop=has(value.nope) || value.nope == 1`:    "drop at 1:25: undefined field 'nope'",
		`drop=has(value.nope.more)`:                  "drop at 1:10: undefined field 'nope'",
		`drop=has(value.name.more)`:                  "does not support field selection",
		`topic=value.price`:                          "topic is to be an expression of CEL that is a string, and is of the type double",
		`fields={"a": headers.trace}`:                "fields (a): its type is dyn, of which no schema can be made; say what it is with int(), double(), string() or bool()",
		`fields={"a": true ? null : duration("1s")}`: "fields (a): its type is",
		`rename=price:count`:                         "field name duplication count",
	} {
		tr, err := configured(t, settings)
		if err != nil {
			t.Errorf("%s: %v", settings, err)
			continue
		}
		for range 2 {
			r := records(t)[0]
			if _, err := tr.Apply(&r); err == nil || !strings.Contains(err.Error(), want) || connectors.ClassOf(err) != connectors.Poison {
				t.Errorf("%s: %v, want %s", settings, err, want)
			}
		}
	}
}

func TestNullsAndSchemas(t *testing.T) {
	in := records(t)[0]
	vals := append([]data.Value{}, in.Value.Struct().Values()...)
	vals[2] = data.Null // name
	in.Value = data.OfStruct(data.NewStruct(in.ValueSchema, vals))
	tr, err := configured(t, `fields={"known": value.name != null, "name": value.name == null ? "none" : value.name, "copy": value.name, "when": timestamp}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Apply(&in); err != nil {
		t.Fatal(err)
	}
	if got := text(t, in.ValueSchema, in.Value); !strings.Contains(got, `"name":"none"`) || !strings.Contains(got, `"known":false,"copy":null,"when":1700000000000`) {
		t.Errorf("got %s", got)
	}
	s := in.ValueSchema
	if s.Name() != "Order" || s.Field("known").Schema != data.BooleanSchema || s.Field("copy").Schema != data.OptionalStringSchema || s.Field("when").Schema.Logical() != data.LogicalTimestamp {
		t.Errorf("the schema became %v: %v", s, s.Fields())
	}
	// A tombstone has nothing to compute fields of, but it can be told and routed.
	tomb := records(t)[0]
	tomb.Value = data.Null
	tr, err = configured(t, "fields={\"a\": value.price}\ntopic=value == null ? 'tombs' : topic")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := tr.Apply(&tomb); !ok || err != nil || tomb.Topic != "tombs" || !tomb.Value.IsNull() {
		t.Errorf("%v, %v: %s", ok, err, &tomb)
	}
}

// TestCopiesAreTheSame computes each field of random records as itself.
func TestCopiesAreTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := data.NewStructSchema()
		var vals []data.Value
		var entries []string
		add := func(name string, s *data.Schema, v data.Value) {
			if s.Optional() && rapid.Bool().Draw(rt, name+" is null") {
				v = data.Null
			}
			b.Field(name, s)
			vals = append(vals, v)
			entries = append(entries, `"`+name+`": value.`+name)
		}
		opt := func(name string) bool { return rapid.Bool().Draw(rt, name) }
		add("i", data.PrimitiveSchema(data.Int64, opt("i?")), data.OfInt64(rapid.Int64().Draw(rt, "i")))
		add("f", data.PrimitiveSchema(data.Float64, opt("f?")), data.OfFloat64(rapid.Float64().Draw(rt, "f")))
		add("s", data.PrimitiveSchema(data.String, opt("s?")), data.OfString(rapid.String().Draw(rt, "s")))
		add("y", data.PrimitiveSchema(data.Bytes, opt("y?")), data.OfBytes(rapid.SliceOf(rapid.Byte()).Draw(rt, "y")))
		add("o", data.PrimitiveSchema(data.Boolean, opt("o?")), data.OfBool(rapid.Bool().Draw(rt, "o")))
		add("t", data.OptionalTimestampSchema, data.OfDate(rapid.Int64Range(-1e13, 1e13).Draw(rt, "t")))
		var list []data.Value
		for _, n := range rapid.SliceOfN(rapid.Int64(), 0, 4).Draw(rt, "l") {
			list = append(list, data.OfInt64(n))
		}
		add("l", data.NewArraySchema(data.Int64Schema).Optional().MustBuild(), data.OfArray(list))
		var m data.MapBuilder
		for k, n := range rapid.MapOfN(rapid.String(), rapid.Float64(), 0, 4).Draw(rt, "m") {
			m.PutString(k, data.OfFloat64(n))
		}
		add("m", data.NewMapSchema(data.StringSchema, data.Float64Schema).Optional().MustBuild(), data.OfMap(m.Build()))
		s := b.MustBuild()
		in := data.Record{ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, vals))}
		tr, err := configured(t, "fields={"+strings.Join(entries, ", ")+"}")
		if err != nil {
			rt.Fatal(err)
		}
		out := in
		if _, err := tr.Apply(&out); err != nil {
			rt.Fatal(err)
		}
		if !out.ValueSchema.Equal(in.ValueSchema) || !out.Value.Equal(in.Value) {
			rt.Fatalf("%s became %s", in.Value, out.Value)
		}
	})
}

func BenchmarkExpr(b *testing.B) {
	for _, row := range []struct{ name, settings string }{
		{"drop", "drop=value.price < 1.0"},
		{"field", `fields={"total": value.price * double(value.count)}`},
		{"rename", "rename=price:cost"},
	} {
		for i, in := range records(b) {
			b.Run(row.name+map[int]string{0: "/schema", 1: "/schemaless"}[i], func(b *testing.B) {
				tr, err := configured(b, row.settings)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					r := in
					if _, err := tr.Apply(&r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
