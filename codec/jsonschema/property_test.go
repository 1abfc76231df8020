package jsonschema

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/internal/anyvalue"
	"github.com/troupeio/troupe/internal/golden"
)

// anySchema draws a schema that JSON Schema can carry there and back.
func anySchema(t *rapid.T, depth int) *data.Schema { return new(drawn).schema(t, depth) }

// drawn knows the structs around, for which what is in them may stand.
type drawn struct{ around []*data.SchemaBuilder }

// again draws a schema that stands for a struct around, nil for none.
func (d *drawn) again(t *rapid.T, opt bool) *data.Schema {
	if len(d.around) == 0 || rapid.IntRange(0, 2).Draw(t, "recursive") > 0 {
		return nil
	}
	return d.around[rapid.IntRange(0, len(d.around)-1).Draw(t, "struct around")].Self(opt)
}

// element draws the schema of what may not be there at all.
func (d *drawn) element(t *rapid.T, depth int) *data.Schema {
	if s := d.again(t, rapid.Bool().Draw(t, "optional")); s != nil {
		return s
	}
	return d.schema(t, depth)
}

func (d *drawn) schema(t *rapid.T, depth int) *data.Schema {
	kinds := 13
	if depth > 0 {
		kinds = 21 // of which 18 and more are structs
	}
	opt := rapid.Bool().Draw(t, "optional")
	var b *data.SchemaBuilder
	switch k := rapid.IntRange(1, kinds).Draw(t, "type"); k {
	case 10:
		b = data.NewDecimalSchema(int32(rapid.IntRange(-3, 6).Draw(t, "scale")))
	case 11:
		b = data.NewSchema(data.Int32).Name(data.DateName).Version(1)
	case 12:
		b = data.NewSchema(data.Int32).Name(data.TimeName).Version(1)
	case 13:
		b = data.NewSchema(data.Int64).Name(data.TimestampName).Version(1)
	case 14:
		b = data.NewArraySchema(d.element(t, depth-1))
	case 15:
		key := rapid.SampledFrom([]*data.Schema{data.StringSchema, data.OptionalStringSchema, data.Int32Schema}).Draw(t, "keys")
		b = data.NewMapSchema(key, d.element(t, depth-1))
	case 16, 18, 19, 20, 21:
		b = data.NewStructSchema().Name(rapid.SampledFrom([]string{"", "", "x.T", "~/ %"}).Draw(t, "struct"))
		d.around = append(d.around, b)
		for i := range rapid.IntRange(0, 14).Draw(t, "fields") {
			s := d.again(t, true)
			if s == nil {
				s = d.schema(t, depth-1)
			}
			b.Field(fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"f", "é", `q"`, "\n"}).Draw(t, "field"), i), s)
		}
		d.around = d.around[:len(d.around)-1]
	case 17:
		b = data.NewStructSchema().Name(oneOfName)
		branches := []*data.Schema{data.OptionalInt32Schema, data.OptionalBooleanSchema, data.OptionalStringSchema,
			data.NewStructSchema().Field("only", data.StringSchema).Optional().MustBuild()}
		for i, s := range branches[rapid.IntRange(0, 2).Draw(t, "first"):] {
			b.Field(fmt.Sprintf("%s.field.%d", oneOfName, i), s)
		}
	default:
		b = data.NewSchema(data.Type(k))
		if rapid.Bool().Draw(t, "attributes") {
			b.Name(rapid.SampledFrom([]string{"", "n", "com.acme.X"}).Draw(t, "name")).Doc("doc").Version(3).Param("p", "v")
		}
		if k == int(data.String) && rapid.Bool().Draw(t, "default") {
			b.Default(data.OfString("a default"))
		}
	}
	s, err := b.SetOptional(opt).Build()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func anyValue(t *rapid.T, s *data.Schema) data.Value {
	d := anyvalue.Values{JSONFloats: true, Union: isUnion}
	return d.Draw(t, s)
}

// TestRoundTrip: a schema is read from its text as it was, and a value from its
// bytes, by a validator's leave.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Mapping{NumericDecimal: rapid.Bool().Draw(t, "numeric"), IgnoreDefaults: rapid.Bool().Draw(t, "ignore defaults"), NoAdditional: rapid.Bool().Draw(t, "closed")}
		s := anySchema(t, 3)
		text, err := m.Text(s)
		if err != nil {
			t.Fatal(err)
		}
		back, err := m.Connect(text, nil, 0)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if !back.Equal(s) || !sameType(back, s, map[[2]*data.Schema]bool{}) {
			t.Fatalf("%s is read as %s", text, describe(back))
		}
		valid, err := newValidator(text, nil)
		if err != nil {
			t.Fatalf("%s: %s", chain(err), text)
		}
		p := m.Plan(s)
		for range 3 {
			v := anyValue(t, s)
			out, err := p.Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := p.Read(out)
			if err != nil || !ok {
				t.Fatalf("%s: %v", out, err)
			}
			if m.NumericDecimal && strings.Contains(text, data.DecimalName) {
				if again, err := p.Append(nil, got); err != nil || string(again) != string(out) {
					t.Fatalf("%s became %s, %v", out, again, err)
				}
			} else if d := golden.Diff(s, v, s, got); d != "" {
				t.Fatalf("%s: %s", out, d)
			}
			if err := valid.check(out); err != nil {
				t.Fatalf("%s does not match its schema %s: %v", out, text, err)
			}
		}
	})
}

var fuzzSchema = func() *data.Schema {
	tree := data.NewStructSchema().Name("tree")
	either := data.NewStructSchema().Name(oneOfName).Field("a", data.OptionalStringSchema).Field("b", tree.Self(true)).Optional().MustBuild()
	return tree.
		Field("self", tree.Self(true)).
		Field("kids", data.NewArraySchema(tree.Self(false)).Optional().MustBuild()).
		Field("by", data.NewMapSchema(data.StringSchema, tree.Self(true)).Optional().MustBuild()).
		Field("at", data.NewMapSchema(data.Int32Schema, tree.Self(true)).Optional().MustBuild()).
		Field("either", either).
		Field("flat", flatSchema.With(true, data.Null)).MustBuild()
}()

var flatSchema = data.NewStructSchema().
	Field("i", data.OptionalInt32Schema).
	Field("m", data.NewMapSchema(data.Int32Schema, data.OptionalStringSchema).Optional().MustBuild()).
	Field("o", data.NewMapSchema(data.StringSchema, data.BytesSchema).MustBuild()).
	Field("u", data.NewStructSchema().Name(oneOfName).Field("a", data.OptionalInt64Schema).Field("b", data.NewStructSchema().Field("x", data.StringSchema).Optional().MustBuild()).Optional().MustBuild()).
	Field("d", data.NewDecimalSchema(2).Optional().MustBuild()).MustBuild()

// FuzzRead: no document makes the reader panic, and what it read can be written
// and is then read the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{}`, `{"i":1,"m":[{"key":1,"value":"x"}],"o":{"a":"AA=="},"u":{"x":"y"},"d":"AQ=="}`, `{"m":[{"value":null,"key":2}]}`, `{"m":[[1,2]]}`,
		`{"u":5,"d":1.5}`, `{"u":[]}`, `{"i":null,"o":null}`, `{"o":{"a":5}}`, strings.Repeat(`{"u":`, 2000), strings.Repeat(`[`, 3000)} {
		f.Add([]byte(s))
	}
	for _, s := range []string{`{"self":{"self":null},"kids":[{"kids":[]}],"by":{"a":{"by":{}},"b":null},"either":{"either":"x"},"at":[{"key":1,"value":{}}]}`,
		`{"self":{"self":{},"self":{}}}`, `{"flat":{"o":{},"m":[]},"kids":[null]}`, `{"either":{"either":5}}`, strings.Repeat(`{"self":`, 1200), strings.Repeat(`{"kids":[`, 600)} {
		f.Add([]byte(s))
	}
	p := new(Mapping).Plan(fuzzSchema)
	f.Fuzz(func(t *testing.T, in []byte) {
		v, ok, err := p.Read(in)
		if !ok || err != nil {
			return
		}
		out, err := p.Append(nil, v)
		if err != nil {
			if strings.Contains(err.Error(), "scale") || strings.Contains(err.Error(), "Conversion error") {
				return // a number with another scale; a key that is null
			}
			t.Fatalf("%q was read, and not written: %v", in, err)
		}
		again, ok, err := p.Read(out)
		if err != nil || !ok || !again.Equal(v) {
			t.Fatalf("%q was read as %s, and written as %q, which is %s, %v", in, v, out, again, err)
		}
	})
}

// FuzzConnect: no schema makes the reader of schemas panic or run away.
func FuzzConnect(f *testing.F) {
	for _, tc := range mappings {
		f.Add(tc.text)
	}
	for _, s := range []string{`{"$ref":"#"}`, `{"properties":{"a":{"$ref":"#"},"b":{"oneOf":[{"$ref":"#"},{"type":"null"},{"type":"array","items":{"$ref":"#"}}]}}}`,
		`{"properties":{"a":{"$ref":"#/d/a"},"b":{"$ref":"#/d/b"}},"d":{"a":{"properties":{"b":{"$ref":"#/d/b"}}},"b":{"properties":{"a":{"$ref":"#/d/a"},"r":{"$ref":"#"}}}}}`,
		`{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"$ref":"#/d"}],"d":{"allOf":[{"$ref":"#"},{"properties":{"b":{"$ref":"#/d"}}}]}}`, `{"allOf":[{"$ref":"#"}]}`, `{"type":["string","null"],"$id":"::"}`, `{"oneOf":[]}`, `true`, `[]`, `{"items":[{}],"type":"array"}`,
		`{"type":"object","properties":{"":{}}}`, `{"type":"object","connect.type":"map"}`, `{"type":"string","default":{"a":1}}`} {
		f.Add(s)
	}
	m := &Mapping{}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := m.Connect(text, nil, 0)
		if err != nil {
			return
		}
		again, err := m.Text(s)
		if err != nil {
			if !strings.Contains(err.Error(), "levels deep") {
				t.Fatalf("%s was read, and not written: %v", text, err)
			}
			return
		}
		if _, _, err := m.Plan(s).Read([]byte(`{}`)); err == nil && s.Recursive() {
			if _, err := m.Connect(again, nil, 0); err != nil && !strings.Contains(err.Error(), "too large") {
				t.Fatalf("%s was written as %s, which is not read: %v", text, again, err)
			}
		}
	})
}

// TestPython has Python's jsonschema check schemas and records.
func TestPython(t *testing.T) {
	if err := exec.Command("python3", "-c", "import jsonschema").Run(); err != nil {
		t.Skip("python3 with the package jsonschema is not there")
	}
	s, v := orders()
	var lines []string
	m := &Mapping{NoAdditional: true}
	add := func(s *data.Schema, v data.Value) {
		text, err := m.Text(s)
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Plan(s).Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, text, string(out))
	}
	add(s, v)
	list, next := listSchema()
	add(list, node(list, data.OfInt32(1), node(next, data.OfInt32(2), data.Null)))
	recursive := 0
	gen := rapid.Custom(func(t *rapid.T) []string {
		s := anySchema(t, 3)
		if s.Recursive() {
			recursive++
		}
		text, err := m.Text(s)
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Plan(s).Append(nil, anyValue(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return []string{text, string(out)}
	})
	for i := range 200 {
		lines = append(lines, gen.Example(i)...)
	}
	script := `import sys,json,jsonschema
lines=sys.stdin.read().split("\n")
n=0
for i in range(0,len(lines)-1,2):
    s,d=json.loads(lines[i]),json.loads(lines[i+1])
    jsonschema.Draft7Validator.check_schema(s)
    jsonschema.Draft7Validator(s).validate(d)
    n+=1
# and two that must not pass, one of them inside itself
for i,wrong in (0,{"id":"x"}),(2,{"v":1,"next":{"v":2,"next":{"v":"x","next":None}}}):
    try:
        jsonschema.Draft7Validator(json.loads(lines[i])).validate(wrong)
        sys.exit("a wrong record passed")
    except jsonschema.ValidationError:
        pass
print(n)
`
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "202" || recursive < 8 {
		t.Errorf("got %s, %v, with %d schemas that contain themselves", out, err, recursive)
	}
}

func bench(b *testing.B, f func(b *testing.B, c *Converter, s *data.Schema, v data.Value, bytes []byte)) {
	c, _ := newConverter(b, nil)
	s, v := orders()
	out, err := c.FromConnect("t", s, v, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(out)))
	f(b, c, s, v, out)
}

func BenchmarkFromConnect(b *testing.B) {
	bench(b, func(b *testing.B, c *Converter, s *data.Schema, v data.Value, out []byte) {
		for b.Loop() {
			if _, err := c.FromConnect("t", s, v, out[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkToConnect(b *testing.B) {
	bench(b, func(b *testing.B, c *Converter, _ *data.Schema, _ data.Value, out []byte) {
		for b.Loop() {
			if _, _, err := c.ToConnect("t", out); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlan is the part without the registry's cache.
func BenchmarkPlan(b *testing.B) {
	s, v := orders()
	p := json.Dialect{Union: isUnion}.Plan(s)
	dst := registry.AppendHeader(nil, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Append(dst, v); err != nil {
			b.Fatal(err)
		}
	}
}
