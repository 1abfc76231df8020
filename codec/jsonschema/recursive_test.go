package jsonschema

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
)

// TestRecursiveRead: JSON Schemas that refer to themselves, in the ways there are. The
// schema stands for itself where it comes again; what is read is written as it was,
// matches its schema, and the schema is the same when it was written and read again.
func TestRecursiveRead(t *testing.T) {
	for name, tc := range map[string]struct {
		m        Mapping
		text, in string
		want     string
		again    string // the path to what stands for a struct
	}{
		"#": {text: `{"type":"object","properties":{"v":{"type":"integer","connect.index":0},"next":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#"}]}}}`,
			in: `{"v":1,"next":{"v":2,"next":null}}`, want: "Struct{v=1,next=Struct{v=2}}", again: "next"},
		"definitions": {text: `{"$ref":"#/definitions/n","definitions":{"n":{"type":"object","properties":{"l":{"type":"array","items":{"$ref":"#/definitions/n"}}}}}}`,
			in: `{"l":[{"l":[]},{"l":[{"l":[]}]}]}`, want: "Struct{l=[Struct{l=[]}, Struct{l=[Struct{l=[]}]}]}", again: "l.[]"},
		"$defs, one in another": {text: `{"type":"object","properties":{"tree":{"$ref":"#/$defs/tree"}},"$defs":{"tree":{"type":"object","title":"tree","properties":{"leaf":{"$ref":"#/$defs/leaf"}}},
			"leaf":{"type":"object","title":"leaf","properties":{"up":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}}}`,
			in: `{"tree":{"leaf":{"up":[{"leaf":{"up":[]}}]}}}`, want: "Struct{tree=Struct{leaf=Struct{up=[Struct{leaf=Struct{up=[]}}]}}}", again: "tree.leaf.up.[]"},
		"map": {text: `{"type":"object","properties":{"by":{"type":"object","connect.type":"map","additionalProperties":{"$ref":"#"}}}}`,
			in: `{"by":{"a":{"by":{}}}}`, want: "Struct{by={a=Struct{by={}}}}", again: "by.{}"},
		"map of entries": {text: `{"type":"object","properties":{"by":{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"integer"},"value":{"$ref":"#"}}}}}}`,
			in: `{"by":[{"key":5,"value":{"by":[]}}]}`, want: "Struct{by={5=Struct{by={}}}}", again: "by.{}"},
		"branch of a union": {text: `{"type":"object","properties":{"x":{"oneOf":[{"type":"string"},{"$ref":"#"}]}}}`,
			in: `{"x":{"x":{"x":"end"}}}`, want: "Struct{x=Struct{io.confluent.connect.json.OneOf.field.1=Struct{x=Struct{io.confluent.connect.json.OneOf.field.1=Struct{x=Struct{io.confluent.connect.json.OneOf.field.0=end}}}}}}",
			again: "x.io!confluent!connect!json!OneOf!field!1"},
		"union": {text: `{"$ref":"#/definitions/u","definitions":{"u":{"oneOf":[{"type":"null"},{"type":"boolean"},{"type":"object","properties":{"u":{"$ref":"#/definitions/u"},"v":{"type":"string"}}}]}}}`,
			in: `{"v":"s","u":true}`, want: "Struct{io.confluent.connect.json.OneOf.field.1=Struct{u=Struct{io.confluent.connect.json.OneOf.field.0=true},v=s}}", again: "io!confluent!connect!json!OneOf!field!1.u"},
		"general union": {m: Mapping{GeneralizedSumTypes: true}, text: `{"type":"object","properties":{"x":{"oneOf":[{"type":"null"},{"type":"string"},{"$ref":"#"}]}}}`,
			in: `{"x":{"x":null}}`, want: "Struct{x=Struct{connect_union_field_1=Struct{}}}", again: "x.connect_union_field_1"},
		"all of": {text: `{"allOf":[{"$ref":"#/definitions/base"},{"type":"object","properties":{"kid":{"oneOf":[{"type":"null"},{"$ref":"#"}]}}}],"definitions":{"base":{"type":"object","properties":{"id":{"type":"integer"}}}}}`,
			in: `{"id":1,"kid":{"id":2,"kid":null}}`, want: "Struct{id=1,kid=Struct{id=2}}", again: "kid"},
		"null by its type": {m: Mapping{OptionalNonRequired: true}, text: `{"$ref":"#/definitions/n","definitions":{"n":{"type":["object","null"],"properties":{"n":{"$ref":"#/definitions/n"}}}}}`,
			in: `{"n":{"n":null}}`, want: "Struct{n=Struct{}}", again: "n"},
		"an id, as Confluent writes it": {m: Mapping{OptionalNonRequired: true}, text: `{"type":"object","title":"Task","id":"#id1","properties":{"parent":{"$ref":"#id1"},"title":{"type":"string","connect.index":1}}}`,
			in: `{"parent":{"title":"b"},"title":"a"}`, want: "Struct{parent=Struct{title=b},title=a}", again: "parent"},
		"2019-09": {text: `{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object","properties":{"kids":{"type":"array","items":{"$recursiveRef":"#"}}}}`,
			in: `{"kids":[{"kids":[]}]}`, want: "Struct{kids=[Struct{kids=[]}]}", again: "kids.[]"},
		"2020-12": {text: `{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"node","type":"object","properties":{"kids":{"type":"array","items":{"$dynamicRef":"#node"}}}}`,
			in: `{"kids":[{"kids":[]}]}`, want: "Struct{kids=[Struct{kids=[]}]}", again: "kids.[]"},
		"a place in the schema": {text: `{"type":"object","properties":{"t":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/properties/t"}}}}}}`,
			in: `{"t":{"kids":[{"kids":[]}]}}`, want: "Struct{t=Struct{kids=[Struct{kids=[]}]}}", again: "t.kids.[]"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &tc.m
			s, err := m.Connect(tc.text, nil, 3)
			if err != nil {
				t.Fatal(err)
			}
			at := s
			for _, step := range strings.Split(tc.again, ".") {
				switch step {
				case "[]", "{}":
					at = at.ValueSchema()
				default:
					at = at.Field(strings.ReplaceAll(step, "!", ".")).Schema
				}
			}
			if !at.Repeats() {
				t.Errorf("%s does not stand for a schema around it", tc.again)
			}
			v, ok, err := m.Plan(s).Read([]byte(tc.in))
			if err != nil || !ok || v.String() != tc.want {
				t.Fatalf("got  %v, %v\nwant %s", v, err, tc.want)
			}
			text, err := m.Text(s)
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.Plan(s).Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if again, _, err := m.Plan(s).Read(out); err != nil || !again.Equal(v) {
				t.Errorf("it is written as %s, which is %v, %v", out, again, err)
			}
			valid, err := newValidator(text, nil)
			if err != nil {
				t.Fatalf("%s: %s", chain(err), text)
			}
			if err := valid.check(out); err != nil {
				t.Errorf("%s does not match %s: %v", out, text, err)
			}
			// A schema in another's words is written in ours, and then stays as it is.
			back, err := m.Connect(text, nil, 0)
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if again, err := m.Text(back); err != nil || again != text {
				t.Errorf("it is written as\n%s\nand then as\n%s, %v", text, again, err)
			}
		})
	}
}

func node(s *data.Schema, v, next data.Value) data.Value {
	return data.OfStruct(data.NewStruct(s, []data.Value{v, next}))
}

func listSchema() (s, next *data.Schema) {
	b := data.NewStructSchema().Name("com.acme.Node")
	next = b.Self(true)
	return b.Field("v", data.Int32Schema).Field("next", next).MustBuild(), next
}

// TestRecursiveText: schemas that contain themselves, as Avro's converter reads them,
// are written and read as they were.
func TestRecursiveText(t *testing.T) {
	list, next := listSchema()
	unnamed := data.NewStructSchema()
	unnamed.Field("kids", data.NewArraySchema(unnamed.Self(false)).MustBuild()).
		Field("named", data.NewMapSchema(data.StringSchema, unnamed.Self(true)).MustBuild())
	a, b := data.NewStructSchema().Name("A").Doc("a"), data.NewStructSchema().Name("B / é")
	mutual := a.Field("b", b.Field("A", a.Self(true)).Field("b", b.Self(false)).Optional().MustBuild()).MustBuild()
	inner := data.NewStructSchema().Name("T")
	inside := data.NewStructSchema().Field("n", inner.Field("kids", data.NewArraySchema(inner.Self(false)).MustBuild()).MustBuild())
	changed := data.NewStructSchema().Name("com.acme.Node").Field("v", data.StringSchema).Field("next", next).MustBuild()
	tagged := data.NewStructSchema().Name("M")
	tagged.Field("m", tagged.Self(true, data.Param{Key: "tag", Value: "1"})).Field("n", tagged.Self(true, data.Param{Key: "tag", Value: "2"}))
	for name, tc := range map[string]struct {
		s    *data.Schema
		want string
	}{
		"list": {list, `{"type":"object","title":"com.acme.Node","properties":{"next":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#"}]},"v":{"type":"integer","connect.index":0,"connect.type":"int32"}}}`},
		"optional": {list.With(true, data.Null), `{"oneOf":[{"type":"null"},{"$ref":"#/definitions/com.acme.Node"}],"definitions":{"com.acme.Node":` +
			`{"type":"object","title":"com.acme.Node","properties":{"next":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/com.acme.Node"}]},"v":{"type":"integer","connect.index":0,"connect.type":"int32"}}}}}`},
		"without a name": {unnamed.MustBuild(), `{"type":"object","properties":{"named":{"type":"object","connect.index":1,"connect.type":"map","additionalProperties":{"oneOf":[{"type":"null"},{"$ref":"#"}]}},` +
			`"kids":{"type":"array","connect.index":0,"items":{"$ref":"#"}}}}`},
		"mutual": {mutual, `{"type":"object","title":"A","description":"a","properties":{"b":{"connect.index":0,"oneOf":[{"type":"null"},{"$ref":"#/definitions/B____"}]}},` +
			`"definitions":{"B____":{"type":"object","title":"B / é","properties":{"A":{"connect.index":0,"oneOf":[{"type":"null"},{"$ref":"#"}]},"b":{"$ref":"#/definitions/B____","connect.index":1}}}}}`},
		"inside": {inside.MustBuild(), `{"type":"object","properties":{"n":{"$ref":"#/definitions/T","connect.index":0}},` +
			`"definitions":{"T":{"type":"object","title":"T","properties":{"kids":{"type":"array","connect.index":0,"items":{"$ref":"#/definitions/T"}}}}}}`},
		"twice": {data.NewStructSchema().Field("a", list).Field("b", list.With(true, data.Null)).MustBuild(), `{"type":"object","properties":{"a":{"$ref":"#/definitions/com.acme.Node","connect.index":0},` +
			`"b":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/com.acme.Node"}]}},"definitions":{"com.acme.Node":` +
			`{"type":"object","title":"com.acme.Node","properties":{"next":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/com.acme.Node"}]},"v":{"type":"integer","connect.index":0,"connect.type":"int32"}}}}}`},
		"changed around": {changed, `{"type":"object","title":"com.acme.Node","properties":{"next":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/com.acme.Node"}]},"v":{"type":"string","connect.index":0}},` +
			`"definitions":{"com.acme.Node":{"type":"object","title":"com.acme.Node","properties":{"next":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/com.acme.Node"}]},"v":{"type":"integer","connect.index":0,"connect.type":"int32"}}}}}`},
		"parameters of its own": {tagged.MustBuild(), `{"type":"object","title":"M","properties":{"m":{"connect.index":0,"oneOf":[{"type":"null"},{"$ref":"#/definitions/M"}]},"n":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/M2"}]}},` +
			`"definitions":{"M":{"type":"object","title":"M","connect.parameters":{"tag":"1"},"properties":{"m":{"connect.index":0,"oneOf":[{"type":"null"},{"$ref":"#/definitions/M"}]},"n":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/M2"}]}}},` +
			`"M2":{"type":"object","title":"M","connect.parameters":{"tag":"2"},"properties":{"m":{"connect.index":0,"oneOf":[{"type":"null"},{"$ref":"#/definitions/M"}]},"n":{"connect.index":1,"oneOf":[{"type":"null"},{"$ref":"#/definitions/M2"}]}}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Mapping{}
			text, err := m.Text(tc.s)
			if err != nil || text != tc.want {
				t.Fatalf("got  %s, %v\nwant %s", text, err, tc.want)
			}
			back, err := m.Connect(text, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !back.Recursive() || !sameType(back, tc.s, map[[2]*data.Schema]bool{}) {
				t.Errorf("it is read as another: %v", back)
			}
			if again, err := m.Text(back); err != nil || again != text {
				t.Errorf("then it is written as %s, %v", again, err)
			}
		})
	}
}

// sameType compares schemas to the end of what they refer to, where Equal stops at
// what stands for another.
func sameType(a, b *data.Schema, seen map[[2]*data.Schema]bool) bool {
	if a == nil || b == nil || seen[[2]*data.Schema{a, b}] {
		return a == b || a != nil && b != nil
	}
	seen[[2]*data.Schema{a, b}] = true
	av, _ := a.Version()
	bv, _ := b.Version()
	if a.Type() != b.Type() || a.Name() != b.Name() || a.Optional() != b.Optional() || a.Doc() != b.Doc() || av != bv || len(a.Fields()) != len(b.Fields()) || len(a.Params()) != len(b.Params()) {
		return false
	}
	for _, p := range a.Params() {
		if v, _ := b.Param(p.Key); v != p.Value {
			return false
		}
	}
	for i, f := range a.Fields() {
		if o := b.Fields()[i]; f.Name != o.Name || !sameType(f.Schema, o.Schema, seen) {
			return false
		}
	}
	return sameType(a.KeySchema(), b.KeySchema(), seen) && sameType(a.ValueSchema(), b.ValueSchema(), seen)
}

// TestRecursiveRecords writes and reads by a converter.
func TestRecursiveRecords(t *testing.T) {
	config := map[string]string{FailInvalidSetting: "true"}
	c, fake := newConverter(t, config)
	s, next := listSchema()
	v := node(s, data.OfInt32(1), node(next, data.OfInt32(2), node(next, data.OfInt32(3), data.Null)))
	b, err := c.FromConnect("t", s, v, nil)
	if err != nil {
		t.Fatal(chain(err))
	}
	if got := string(b[registry.HeaderSize:]); got != `{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}` {
		t.Errorf("got %s", got)
	}
	gs, gv, err := converterFor(t, fake, config).ToConnect("t", b)
	if err != nil || gv.String() != v.String() || data.ValidateValue(gs, gv) != nil || !gs.Recursive() {
		t.Fatalf("got %v, %v", gv, err)
	}
	// What was read is written again, and so is a part of it alone.
	if again, err := c.FromConnect("t", gs, gv, nil); err != nil || string(again[registry.HeaderSize:]) != string(b[registry.HeaderSize:]) {
		t.Errorf("got %s, %v", again, err)
	}
	if _, err := c.FromConnect("part", next, v.Struct().At(1), nil); err != nil {
		t.Error(chain(err))
	}
	wrong := node(s, data.OfInt32(1), node(next, data.OfString("x"), data.Null))
	if _, err := c.FromConnect("t", s, wrong, nil); err == nil || !strings.Contains(err.Error(), "Invalid type for INT32") {
		t.Errorf("a string was written as an int: %v", err)
	}
}

// TestNesting: how deep a record goes is bounded as Jackson bounds it, both ways.
func TestNesting(t *testing.T) {
	const most = 1000
	tree := data.NewStructSchema().Name("T")
	branches := data.NewStructSchema().Name(oneOfName).Field("a", data.OptionalInt32Schema).Field("b", tree.Self(true)).Optional().MustBuild()
	for name, tc := range map[string]struct {
		s         *data.Schema
		open, end string
		written   int // levels; a struct that is a union counts as one when it is written
	}{
		"struct": {func() *data.Schema { s, _ := listSchema(); return s }(), `{"v":0,"next":`, `}`, most - 2},
		"array":  {data.NewStructSchema().Field("a", data.NewArraySchema(func() *data.Schema { s, _ := listSchema(); return s }()).MustBuild()).MustBuild(), `{"v":0,"next":`, `}`, most - 2},
		"union":  {tree.Field("x", branches).MustBuild(), `{"x":`, `}`, most / 2},
	} {
		t.Run(name, func(t *testing.T) {
			c, fake := newConverter(t, nil)
			before, after, levels := "", "", most
			if name == "array" {
				before, after, levels = `{"a":[`, `]}`, most-2
			}
			doc := func(levels int) []byte {
				return []byte(before + strings.Repeat(tc.open, levels) + "null" + strings.Repeat(tc.end, levels) + after)
			}
			p := new(Mapping).Plan(tc.s)
			if _, ok, err := p.Read(doc(levels)); err != nil || !ok {
				t.Fatalf("%d levels: %v", levels, err)
			}
			v, _, err := p.Read(doc(tc.written))
			if err != nil {
				t.Fatal(err)
			}
			if out, err := p.Append(nil, v); err != nil || string(out) != string(doc(tc.written)) {
				t.Errorf("%d levels are not written: %v", tc.written, err)
			}
			text, err := new(Mapping).Text(tc.s)
			if err != nil {
				t.Fatal(err)
			}
			id := seedText(t, fake, "t-value", text)
			for _, n := range []int{levels + 1, 100_000} {
				_, _, err := c.ToConnect("t", append(registry.AppendHeader(nil, id), doc(n)...))
				if ce, ok := err.(*codec.Error); !ok || ce.Class != codec.DataException || !strings.Contains(chain(err), "Error deserializing JSON message for id") { //nolint:errorlint // as it is
					t.Errorf("%d levels: %v", n, err)
				}
			}
		})
	}
	s, next := listSchema()
	deep := data.Null
	for range most {
		deep = node(next, data.OfInt32(0), deep)
	}
	if _, err := new(Mapping).Plan(s).Append(nil, node(s, data.OfInt32(0), deep)); err == nil {
		t.Errorf("%d levels were written", most+1)
	}
}
