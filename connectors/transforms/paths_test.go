package transforms

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/internal/golden"
)

// jsonValue reads schemaless JSON.
func jsonValue(t testing.TB, text string) data.Value {
	t.Helper()
	c, err := json.New(map[string]string{"schemas.enable": "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	_, v, err := c.ToConnect("t", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// jsonText is the JSON of a value, with or without schema.
func jsonText(t testing.TB, s *data.Schema, v data.Value) string {
	t.Helper()
	c, err := json.New(map[string]string{"schemas.enable": "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.FromConnect("t", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b == nil {
		return "null"
	}
	return string(b)
}

// typed gives a value the schema that it has the look of: maps become structs,
// nulls optional strings, elements of arrays like their first.
func typed(v data.Value) (*data.Schema, data.Value) {
	switch v.Kind() {
	case data.KindNull:
		return data.OptionalStringSchema, v
	case data.KindArray:
		var elem *data.Schema
		out := make([]data.Value, len(v.Elems()))
		for i, e := range v.Elems() {
			s, e := typed(e)
			if elem == nil {
				elem = s
			}
			if st := e.Struct(); st != nil {
				e = data.OfStruct(data.NewStruct(elem, st.Values()))
			}
			out[i] = e
		}
		return data.NewArraySchema(elem).MustBuild(), data.OfArray(out)
	case data.KindMap:
		b := data.NewStructSchema()
		var vals []data.Value
		for _, e := range v.Map().Entries() {
			s, e2 := typed(e.Value)
			b.Field(e.Key.Str(), s)
			vals = append(vals, e2)
		}
		s := b.MustBuild()
		return s, data.OfStruct(data.NewStruct(s, vals))
	}
	return data.PrimitiveSchema(data.Type(v.Kind()), false), v
}

const nestedRecord = `{"id":7,"a":{"b":{"c":"5","d":"x"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p"},{"price":"2","n":"q"}],"tags":["1","2"],"at":{"ts":1700000000000}}`

func TestPaths(t *testing.T) {
	for _, row := range []struct {
		class, config, want string // want: the value, key or headers after it; in place of parts that stay "…"
	}{
		{"Cast$Value", "spec=a.b.c:int32", `{"id":7,"a":{"b":{"c":5,"d":"x"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p"},{"price":"2","n":"q"}],"tags":["1","2"],"at":{"ts":1700000000000}}`},
		{"Cast$Value", "spec=a.e:string,`x.y`.z:string,items[].price:int64,tags[]:int8", `{"id":7,"a":{"b":{"c":"5","d":"x"},"e":"true"},"x.y":{"z":"1"},"items":[{"price":1,"n":"p"},{"price":2,"n":"q"}],"tags":[1,2],"at":{"ts":1700000000000}}`},
		{"MaskField$Value", "fields=a.b.d,items[].n,tags\nreplacement=*", "error: Cannot mask value of type class java.util.ArrayList with custom replacement."},
		{"MaskField$Value", "fields=a.b.d,items[].n,tags[]\nreplacement=*", `{"id":7,"a":{"b":{"c":"5","d":"*"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"*"},{"price":"2","n":"*"}],"tags":["*","*"],"at":{"ts":1700000000000}}`},
		{"TimestampConverter$Value", "field=at.ts\ntarget.type=string\nformat=yyyy", `{"id":7,"a":{"b":{"c":"5","d":"x"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p"},{"price":"2","n":"q"}],"tags":["1","2"],"at":{"ts":"2023"}}`},
		{"ReplaceField$Value", "exclude=a.b.c,items[].n,`x.y`.z,tags\nrenames=a:A,a.b:B,items[].price:cost", `{"id":7,"A":{"B":{"d":"x"},"e":true},"x.y":{},"items":[{"cost":"1"},{"cost":"2"}],"at":{"ts":1700000000000}}`},
		{"ReplaceField$Value", "include=a.b.c,items[].n,id", `{"id":7,"a":{"b":{"c":"5"}},"items":[{"n":"p"},{"n":"q"}]}`},
		{"ReplaceField$Value", "include=id\nrenames=id:ID,a:A,at.ts:t", `{"ID":7}`},
		{"ReplaceField$Value", "include=a.b,a\nexclude=a.e", `{"a":{"b":{"c":"5","d":"x"}}}`},
		{"ReplaceField$Value", "include=items[]\nrenames=items:`i.s`", `{"i.s":[{"price":"1","n":"p"},{"price":"2","n":"q"}]}`},
		{"InsertField$Value", "static.field=a.b.new\nstatic.value=v\ntopic.field=meta.from.topic", `{"id":7,"a":{"b":{"c":"5","d":"x","new":"v"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p"},{"price":"2","n":"q"}],"tags":["1","2"],"at":{"ts":1700000000000},"meta":{"from":{"topic":"t"}}}`},
		{"InsertField$Value", "static.field=items[].s\nstatic.value=v", `{"id":7,"a":{"b":{"c":"5","d":"x"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p","s":"v"},{"price":"2","n":"q","s":"v"}],"tags":["1","2"],"at":{"ts":1700000000000}}`},
		{"HoistField$Value", "field=h\nhoisted=a.b.c", `{"id":7,"a":{"b":{"c":{"h":"5"},"d":"x"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p"},{"price":"2","n":"q"}],"tags":["1","2"],"at":{"ts":1700000000000}}`},
		{"HoistField$Value", "field=h\nhoisted=tags[]", `{"id":7,"a":{"b":{"c":"5","d":"x"},"e":true},"x.y":{"z":1},"items":[{"price":"1","n":"p"},{"price":"2","n":"q"}],"tags":[{"h":"1"},{"h":"2"}],"at":{"ts":1700000000000}}`},
		{"HeaderFrom$Value", "fields=a.b,items[].price\nheaders=h1,h2\noperation=move", `{"id":7,"a":{"e":true},"x.y":{"z":1},"items":[{"n":"p"},{"n":"q"}],"tags":["1","2"],"at":{"ts":1700000000000}} h1={"c":"5","d":"x"} h2=["1","2"]`},
		{"HeaderFrom$Value", "fields=a.b.d\nheaders=h1\noperation=copy", nestedRecord + ` h1="x"`},
		{"ValueToKey", "fields=a.b.c,`x.y`.z,items[].n", nestedRecord + ` key={"c":"5","z":1,"n":["p","q"]}`},
		{"ExtractField$Value", "field=items[].price", `["1","2"]`},
		{"ExtractField$Value", "field=a.b.d", `"x"`},

		// A path that does not fit.
		{"Cast$Value", "spec=id.x:int32", "error: "},
		{"Cast$Value", "spec=items.price:int32", "error: "},
		{"Cast$Value", "spec=a[].b:int32", "error: "},
		{"Cast$Value", "spec=no.where:int32", nestedRecord},
		{"HeaderFrom$Value", "fields=id.x\nheaders=h\noperation=copy", "error: "},
	} {
		t.Run(row.class+" "+row.config, func(t *testing.T) {
			config := map[string]string{syntaxVersion: "V2"}
			for line := range strings.Lines(row.config) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
				config[k] = v
			}
			plain := jsonValue(t, nestedRecord)
			schema, value := typed(plain)
			for i, in := range []data.Record{{Topic: "t", Value: plain}, {Topic: "t", ValueSchema: schema, Value: value}} {
				tr := newTransform(t, row.class, config)
				for range 2 { // the second time from the cache
					r := in
					got := after(t, tr, &r)
					if strings.HasPrefix(got, "error: ") && row.want == "error: " {
						continue
					}
					if got != row.want {
						t.Errorf("with schema: %v:\ngot  %s\nwant %s", i == 1, got, row.want)
					}
				}
			}
		})
	}
}

// after applies a transform and tells what the record then is.
func after(t *testing.T, tr connectors.Transformation, r *data.Record) string {
	t.Helper()
	if _, err := tr.Apply(r); err != nil {
		if class := connectors.ClassOf(err); class != connectors.Poison {
			t.Errorf("%v is of class %s", err, class)
		}
		return "error: " + err.Error()
	}
	if !data.Valid(r.ValueSchema, r.Value) {
		t.Errorf("not valid: %s", r.Value)
	}
	out := jsonText(t, r.ValueSchema, r.Value)
	for h := range r.Headers.All() {
		out += " " + h.Key + "=" + jsonText(t, h.Schema, h.Value)
	}
	if !r.Key.IsNull() {
		out += " key=" + jsonText(t, r.KeySchema, r.Key)
	}
	return out
}

func TestPathsThatAreNoGood(t *testing.T) {
	for _, row := range []struct{ class, config, want string }{
		{"Cast$Value", "spec=a:int32,a.b:int32", "The field a is named as a whole and also by a field in it"},
		{"Cast$Value", "spec=x.a.b:int32,x.a[].c:int32", "The field x.a is named both as an array and as a struct"},
		{"Cast$Value", "spec=`a:int32", "Incomplete backtick pair in path: [`a]"},
		{"ReplaceField$Value", "exclude=a[]", "The elements of a can be neither dropped nor renamed"},
		{"ReplaceField$Value", "renames=a:b.c", "The new name of a field is a name"},
		{"ReplaceField$Value", "renames=a[]:b", "The elements of a can be neither"},
		{"ValueToKey", "fields=a.x,b.x", "Two of the paths end in x"},
		{"InsertField$Value", "static.field=a[]\nstatic.value=v", "cannot be inserted at the elements"},
		{"HoistField$Value", "field=h\nhoisted=a\nfield.syntax.version=V1", "hoisted is a path"},
		{"MaskField$Value", "fields=", "Invalid value"},
	} {
		config := map[string]*string{}
		v2 := "V2"
		config[syntaxVersion] = &v2
		for line := range strings.Lines(row.config) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			config[k] = &v
		}
		_, _, _, err := instance(pkg+row.class, config)
		if err == nil || !strings.Contains(err.Error(), row.want) || connectors.ClassOf(err) != connectors.Configuration {
			t.Errorf("%s %s: %v", row.class, row.config, err)
		}
	}
}

// TestNestedSchemas holds what paths do to the schemas on their way: optional
// structs stay so, defaults are changed with the rest, attributes stay.
func TestNestedSchemas(t *testing.T) {
	inner := data.NewStructSchema().Name("In").Field("n", data.StringSchema).MustBuild()
	def := data.OfStruct(data.NewStruct(inner, []data.Value{data.OfString("3")}))
	opt := inner.With(true, def)
	list := data.NewArraySchema(opt).Name("L").Doc("d").Optional().MustBuild()
	s := data.NewStructSchema().Name("Out").Version(2).Field("in", opt).Field("l", list).MustBuild()
	tr := newTransform(t, "Cast$Value", map[string]string{"spec": "in.n:int32,l[].n:int64", syntaxVersion: "V2"})
	r := data.Record{ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, []data.Value{data.Null, data.OfArray([]data.Value{data.Null, def})}))}
	if _, err := tr.Apply(&r); err != nil {
		t.Fatal(err)
	}
	in, l := r.ValueSchema.Field("in").Schema, r.ValueSchema.Field("l").Schema
	if !in.Optional() || in.Name() != "In" || in.Default().String() != "Struct{n=3}" || in.Default().Struct().At(0).Kind() != data.KindInt32 {
		t.Errorf("in became %v, optional %v, default %v", in, in.Optional(), in.Default())
	}
	if !l.Optional() || l.Name() != "L" || l.Doc() != "d" || !l.ValueSchema().Optional() {
		t.Errorf("l became %v", l)
	}
	if got := r.Value.String(); got != "Struct{in=Struct{n=3},l=[null, Struct{n=3}]}" {
		t.Errorf("got %s", got)
	}
	// Of an optional struct on the way also a required field can be missing.
	key := newTransform(t, "ValueToKey", map[string]string{"fields": "in.n", syntaxVersion: "V2", replaceNull: "false"})
	r = data.Record{ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, []data.Value{data.Null, data.Null}))}
	if _, err := key.Apply(&r); err != nil || !r.KeySchema.Field("n").Schema.Optional() {
		t.Errorf("key %v of %v: %v", r.Key, r.KeySchema, err)
	}
	// Masking changes no schema at all.
	mask := newTransform(t, "MaskField$Value", map[string]string{"fields": "in.n,l[].n", syntaxVersion: "V2"})
	r = data.Record{ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, []data.Value{def, data.Null}))}
	if _, err := mask.Apply(&r); err != nil || r.ValueSchema != s {
		t.Errorf("the schema became %v: %v", r.ValueSchema, err)
	}
}

// TestPlainNamesAreTheSameInBothSyntaxes applies each transform by both versions
// to random records whose fields have names without dots.
func TestPlainNamesAreTheSameInBothSyntaxes(t *testing.T) {
	configs := []struct {
		class  string
		config map[string]string
	}{
		{"InsertField$Value", map[string]string{"topic.field": "tt", "partition.field": "pp?", "timestamp.field": "ts", "static.field": "ss!", "static.value": "v"}},
		{"ReplaceField$Value", map[string]string{"exclude": "a", "renames": "b:bb"}},
		{"ReplaceField$Value", map[string]string{"include": "a,n"}},
		{"Cast$Value", map[string]string{"spec": "a:string,b:string,zz:int8"}},
		{"HeaderFrom$Value", map[string]string{"fields": "a", "headers": "h", "operation": "move"}},
		{"HeaderFrom$Value", map[string]string{"fields": "a,b", "headers": "h,i", "operation": "copy"}},
		{"MaskField$Value", map[string]string{"fields": "a,b,zz"}},
		{"TimestampConverter$Value", map[string]string{"field": "zz", "target.type": "unix"}},
		{"TimestampConverter$Value", map[string]string{"field": "b", "target.type": "unix"}},
		{"ValueToKey", map[string]string{"fields": "b,a"}},
		{"ExtractField$Value", map[string]string{"field": "a"}},
		{"HoistField$Value", map[string]string{"field": "h"}},
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(configs).Draw(rt, "transform")
		config := maps.Clone(c.config)
		if c.class != "HoistField$Value" && rapid.Bool().Draw(rt, "replaces nulls") {
			config[replaceNull] = "false"
		}
		v1 := newTransform(t, c.class, config)
		config[syntaxVersion] = "v2"
		v2 := newTransform(t, c.class, config)
		for i := range 2 {
			schema := structSchema(rt, "s", 2)
			value := valueOf(rt, schema, fmt.Sprintf("v%d", i))
			in := data.Record{Topic: "t", Partition: 3, Timestamp: 5, ValueSchema: schema, Value: value}
			switch rapid.IntRange(0, 5).Draw(rt, "form") {
			case 0:
				in.Value = data.Null
			case 1, 2: // without schema
				var b data.MapBuilder
				for i, f := range schema.Fields() {
					if f.Schema.Type() != data.Struct && rapid.Bool().Draw(rt, f.Name+" is there") {
						b.PutString(f.Name, value.Struct().At(i))
					}
				}
				in.ValueSchema, in.Value = nil, data.OfMap(b.Build())
			}
			one, two := in, in
			_, err1 := v1.Apply(&one)
			_, err2 := v2.Apply(&two)
			switch {
			case (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error():
				rt.Fatalf("%s of %s: V1 %v, V2 %v", c.class, &in, err1, err2)
			case err1 == nil && golden.DiffRecord(&one, &two) != "":
				rt.Fatalf("%s of %s: %s", c.class, &in, golden.DiffRecord(&one, &two))
			}
		}
	})
}
