package protobuf

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/troupeio/troupe/codec/data"
)

// first compiles a text and returns its first message.
func first(t testing.TB, text string) protoreflect.MessageDescriptor {
	t.Helper()
	f, err := compile(text, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return f.Messages().Get(0)
}

// listSchema is a list as Avro's converter reads it, and otherType, in which what is
// inside has lost the schema that it stands for: a transform has changed the one
// around it.
func listSchema() (s, next, otherType *data.Schema) {
	b := data.NewStructSchema().Name("com.acme.Node")
	next = b.Self(true)
	s = b.Field("v", data.Int32Schema).Field("next", next).MustBuild()
	return s, next, data.NewStructSchema().Name("com.acme.Node").Field("v", data.StringSchema).Field("next", next).MustBuild()
}

func node(s *data.Schema, v, next data.Value) data.Value {
	return data.OfStruct(data.NewStruct(s, []data.Value{v, next}))
}

// TestRecursiveRead: messages that contain themselves, in the ways there are. The
// schema stands for itself where it comes again, and what is read of it is written
// as it was, by its own text too.
func TestRecursiveRead(t *testing.T) {
	for name, tc := range map[string]struct {
		text, in string // in hex, as protowire writes it
		want     string
		again    string // the path to what stands for a message
	}{
		"itself": {`syntax = "proto3"; package p; message M { int32 v = 1; M next = 7; }`, "\x08\x01\x3a\x04\x08\x02\x3a\x00",
			"Struct{v=1,next=Struct{v=2,next=Struct{v=0}}}", "next"},
		"another": {`syntax = "proto3"; message M { N n = 1; } message N { M m = 2; int32 v = 1; }`, "\x0a\x08\x12\x04\x0a\x02\x08\x05\x08\x06",
			"Struct{n=Struct{m=Struct{n=Struct{v=5}},v=6}}", "n.m"},
		"repeated": {`syntax = "proto3"; message M { repeated M kids = 1; string name = 2; }`, "\x0a\x03\x12\x01a\x0a\x05\x0a\x03\x12\x01c",
			"Struct{kids=[Struct{kids=[],name=a}, Struct{kids=[Struct{kids=[],name=c}],name=}],name=}", "kids.[]"},
		"map": {`syntax = "proto3"; message M { map<string, M> by = 1; }`, "\x0a\x0e\x0a\x01k\x12\x09\x0a\x07\x0a\x01l\x12\x02\x0a\x00",
			"Struct{by={k=Struct{by={l=Struct{by={=Struct{by={}}}}}}}}", "by.{}"},
		"oneof": {`syntax = "proto3"; message M { oneof o { M m = 1; string s = 2; } }`, "\x0a\x05\x0a\x03\x12\x01x",
			"Struct{o_0=Struct{m=Struct{o_0=Struct{m=Struct{o_0=Struct{s=x}}}}}}", "o_0.m"},
		"not the first": {`syntax = "proto3"; message R { M a = 1; M b = 2; } message M { M next = 1; }`, "\x0a\x02\x0a\x00\x12\x00",
			"Struct{a=Struct{next=Struct{}},b=Struct{}}", "a.next"},
		"in parts": {`syntax = "proto3"; message M { int32 v = 1; M next = 2; int32 w = 3; }`, "\x12\x04\x08\x01\x12\x00\x12\x06\x18\x02\x12\x02\x08\x09",
			"Struct{v=0,next=Struct{v=1,next=Struct{v=9,w=0},w=2},w=0}", "next"},
		"google's own": {`syntax = "proto3"; package google.protobuf; message Struct { map<string, Value> fields = 1; } enum NullValue { NULL_VALUE = 0; }
			message Value { oneof kind { NullValue null_value = 1; double number_value = 2; string string_value = 3; bool bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } }
			message ListValue { repeated Value values = 1; }`, "\x0a\x0d\x0a\x01a\x12\x08\x32\x06\x0a\x04\x2a\x02\x0a\x00",
			"Struct{fields={a=Struct{kind_0=Struct{list_value=Struct{values=[Struct{kind_0=Struct{struct_value=Struct{fields={=Struct{}}}}}]}}}}}", "fields.{}.kind_0.struct_value"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Mapping{}
			md := first(t, tc.text)
			s, dec, err := m.connect(md, 3)
			if err != nil {
				t.Fatal(err)
			}
			at := s
			for _, step := range strings.Split(tc.again, ".") {
				switch step {
				case "[]", "{}":
					at = at.ValueSchema()
				default:
					at = at.Field(step).Schema
				}
			}
			if !at.Repeats() || !at.Optional() || name != "not the first" && !at.SameType(s) {
				t.Errorf("%s is %s, which does not stand for a schema around it", tc.again, at)
			}
			v, err := dec.read([]byte(tc.in))
			if err != nil || v.String() != tc.want {
				t.Fatalf("got  %v, %v\nwant %s", v, err, tc.want)
			}
			if err := data.ValidateValue(s, v); err != nil {
				t.Errorf("what was read is not valid: %v", err)
			}
			enc, err := m.compileEncoder(s, md)
			if err != nil {
				t.Fatal(err)
			}
			out, err := enc.append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := dec.read(out); err != nil || !again.Equal(v) {
				t.Errorf("it is written as %x, which is %v, %v", out, again, err)
			}
			read, text, err := asRead(&Mapping{NoUnionIndex: true}, s)
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			if twice, text2, err := asRead(&Mapping{NoUnionIndex: true}, read); err != nil || !twice.Equal(read) {
				t.Errorf("it changed when it was written again: %v\n%s\n%s", err, text, text2)
			}
		})
	}
}

// TestRecursiveText: schemas that no Protobuf schema was read for, as Avro's
// converter has them.
func TestRecursiveText(t *testing.T) {
	list, _, changed := listSchema()
	tree := data.NewStructSchema().Name("Tree")
	tree.Field("kids", data.NewArraySchema(tree.Self(false)).MustBuild()).
		Field("named", data.NewMapSchema(data.StringSchema, tree.Self(true)).Name("named").MustBuild())
	a, b := data.NewStructSchema().Name("x.A"), data.NewStructSchema().Name("x.B")
	mutual := a.Field("b", b.Field("A", a.Self(true)).Field("b", b.Self(true)).MustBuild()).MustBuild()
	for name, tc := range map[string]struct {
		s    *data.Schema
		want string
	}{
		"list": {list, `package com.acme;

message Node {
  int32 v = 1;
  Node next = 2;
}
`},
		"tree": {tree.MustBuild(), `
message Tree {
  repeated Tree kids = 1;
  repeated namedEntry named = 2;

  message namedEntry {
    string key = 1;
    .Tree value = 2;
  }
}
`},
		"mutual": {mutual, `package x;

message A {
  B b = 1;

  message B {
    .x.A A = 1;
    B b = 2;
  }
}
`},
		"used again": {data.NewStructSchema().Name("R").Field("a", list).Field("b", list).Field("c", data.NewStructSchema().Name("C").Field("Node", list).MustBuild()).MustBuild(), `
message R {
  Node a = 1;
  Node b = 2;
  C c = 3;

  message Node {
    int32 v = 1;
    Node next = 2;
  }

  message C {
    .R.Node Node = 1;
  }
}
`},
		"changed around": {data.NewStructSchema().Name("R").Field("n", changed).MustBuild(), `
message R {
  Node n = 1;

  message Node {
    string v = 1;
    Node next = 2;

    message Node {
      int32 v = 1;
      Node next = 2;
    }
  }
}
`},
	} {
		t.Run(name, func(t *testing.T) {
			text, _, err := new(Mapping).Text(tc.s)
			if err != nil || strings.TrimPrefix(text, "syntax = \"proto3\";\n") != tc.want {
				t.Fatalf("got %v\n%s", err, text)
			}
			m := &Mapping{}
			s, _, err := asRead(m, tc.s)
			if err != nil {
				t.Fatal(err)
			}
			if again, _, err := asRead(m, s); err != nil || !again.Equal(s) || !s.Recursive() {
				t.Errorf("it is read as %v and again as %v, %v", s, again, err)
			}
		})
	}
}

// TestRecursiveRecords writes and reads by a converter.
func TestRecursiveRecords(t *testing.T) {
	c, fake := newConverter(t, map[string]string{OptionalSetting: "true"})
	s, next, changed := listSchema()
	v := node(s, data.OfInt32(1), node(next, data.OfInt32(2), node(next, data.OfInt32(3), data.Null)))
	b, err := c.FromConnect("t", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		gs, gv, err := converterFor(t, fake, map[string]string{OptionalSetting: "true"}).ToConnect("t", b)
		if want := "Struct{v=1,next=Struct{v=2,next=Struct{v=3}}}"; err != nil || gv.String() != want || data.ValidateValue(gs, gv) != nil {
			t.Fatalf("got %v, %v, want %s", gv, err, want)
		}
		// What was read is written again, with the version that it has by now.
		if b, err = c.FromConnect("t", gs, gv, nil); err != nil {
			t.Fatal(err)
		}
	}
	// A part of it alone, as a transform may leave it.
	if _, err := c.FromConnect("part", next, v.Struct().At(1), nil); err != nil {
		t.Error(err)
	}
	// The message inside has the name of the one around, and other fields.
	v = node(changed, data.OfString("x"), node(next, data.OfInt32(2), data.Null))
	if b, err = c.FromConnect("changed", changed, v, nil); err != nil {
		t.Fatal(err)
	}
	if _, gv, err := c.ToConnect("changed", b); err != nil || gv.String() != v.String() {
		t.Errorf("got %v, %v, want %v", gv, err, v)
	}
	around := data.NewStructSchema().Name("x.Node").Field("v", data.StringSchema).
		Field("next", data.NewStructSchema().Name("x.Node").Field("v", data.Int32Schema).MustBuild()).MustBuild()
	if _, err = c.FromConnect("around", around, data.OfStruct(data.NewStruct(around, []data.Value{data.OfString("x"), data.Null})), nil); err == nil ||
		!strings.Contains(err.Error(), "The field v of INT32 cannot be written as string of the message x.Node") {
		t.Errorf("a message of one name for two: %v", err)
	}
}

// TestNesting: how deep a record goes is bounded where its schema does not bound it,
// both ways, and the bound is the same.
func TestNesting(t *testing.T) {
	nested := func(levels int) []byte {
		// From the inside out, each level in the rest of one buffer.
		size := 0
		sizes := make([]int, levels)
		for i := range sizes {
			sizes[i] = size
			size = 1 + protowire.SizeBytes(size)
		}
		out := make([]byte, 0, size)
		for i := levels - 1; i >= 0; i-- {
			out = protowire.AppendVarint(append(out, 0x12), uint64(sizes[i]))
		}
		return out
	}
	kinds := map[string]string{
		"field":    `syntax = "proto3"; message M { int32 v = 1; M next = 2; }`,
		"repeated": `syntax = "proto3"; message M { int32 v = 1; repeated M next = 2; }`,
		"oneof":    `syntax = "proto3"; message M { oneof o { int32 v = 1; M next = 2; } }`,
		"mutual":   `syntax = "proto3"; message M { int32 v = 1; N n = 2; } message N { int32 v = 1; M m = 2; }`,
		"map":      `syntax = "proto3"; message M { map<int32, M> m = 2; }`,
	}
	for name, text := range kinds {
		t.Run(name, func(t *testing.T) {
			md := first(t, text)
			s, dec, err := new(Mapping).connect(md, 0)
			if err != nil {
				t.Fatal(err)
			}
			levels := maxNesting - 1 // beside the outermost
			if name == "map" {
				levels *= 2 // an entry is one on the wire, and no message of ours
			}
			v, err := dec.read(nested(levels))
			if err != nil {
				t.Fatalf("%d levels: %v", maxNesting, err)
			}
			for _, n := range []int{levels + 2, 100_000} {
				if _, err := dec.read(nested(n)); err != errDepth { //nolint:errorlint // as it is
					t.Errorf("%d levels: %v", n, err)
				}
			}
			if again, err := dec.read(nested(levels)); err != nil || !again.Equal(v) {
				t.Errorf("after an error: %v", err)
			}
			enc, err := new(Mapping).compileEncoder(s, md)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := enc.append(nil, v); err != nil {
				t.Errorf("%d levels are not written: %v", maxNesting, err)
			}
		})
	}
	s, next, _ := listSchema()
	enc, _, _, _, err := plans(&Mapping{}, s)
	if err != nil {
		t.Fatal(err)
	}
	deep := data.Null
	for range maxNesting {
		deep = node(next, data.OfInt32(0), deep)
	}
	if _, err := enc.append(nil, node(s, data.OfInt32(0), deep)); err != errDepth { //nolint:errorlint // as it is
		t.Errorf("%d levels were written: %v", maxNesting+1, err)
	}
	if _, err := enc.append(nil, node(s, data.OfInt32(0), deep.Struct().At(1))); err != nil {
		t.Errorf("%d levels after an error: %v", maxNesting, err)
	}
}

// TestParts: at each level a message in two parts. Reading the first part and then
// both would double the work at each level.
func TestParts(t *testing.T) {
	md := first(t, `syntax = "proto3"; message M { M next = 1; int32 v = 2; map<int32, M> m = 3; oneof o { M a = 4; int32 b = 5; } }`)
	_, dec, err := new(Mapping).connect(md, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func([]byte) []byte{
		"field": func(in []byte) []byte {
			out := protowire.AppendBytes([]byte{0x0a}, in)
			return append(out, 0x0a, 0)
		},
		"entry": func(in []byte) []byte {
			e := append(protowire.AppendBytes([]byte{0x12}, in), 0x12, 0)
			return protowire.AppendBytes([]byte{0x1a}, e)
		},
		"displaced": func(in []byte) []byte {
			return append(protowire.AppendBytes([]byte{0x22}, in), 0x22, 0, 0x28, 1, 0x22, 0, 0x22, 0)
		},
	} {
		in := []byte{0x10, 9}
		for range 5 {
			in = wrap(in)
		}
		v, err := dec.read(in)
		if err != nil {
			t.Fatalf("%s: five levels: %v", name, err)
		}
		msg := dynamicpb.NewMessage(md)
		if err := proto.Unmarshal(in, msg); err != nil {
			t.Fatal(err)
		}
		theirs, err := proto.Marshal(msg)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := dec.read(theirs); err != nil || !again.Equal(v) {
			t.Errorf("%s: got %v; as dynamicpb writes it anew, %v, %v", name, v, again, err)
		}
		for range 200 { // 2²⁰⁰ steps without a bound
			in = wrap(in)
		}
		if _, err := dec.read(in); err != nil && err != errParts { //nolint:errorlint // as it is
			t.Errorf("%s: %v", name, err)
		}
	}
	for in, want := range map[string]error{
		"\x0a\x01\x08\x0a\x01\x05":         errWire, // a tag in one part, its number in the next
		"\x0a\x02\x08\x80\x0a\x01\x05":     errWire,
		"\x1a\x06\x12\x01\x08\x12\x01\x05": errWire,
		"\x0a\x02\x10\x05\x0a\x02\x10\x06": nil,
	} {
		if _, err := dec.read([]byte(in)); err != want { //nolint:errorlint // as it is
			t.Errorf("%x: got %v, want %v", in, err, want)
		}
	}
}

// TestRecursiveNulls: with generate.struct.for.nulls a message that isn't there is a
// struct of defaults, in which the message that it is part of is null.
func TestRecursiveNulls(t *testing.T) {
	s, dec, err := (&Mapping{StructForNulls: true}).connect(first(t, `syntax = "proto3"; message M { N n = 1; M m = 2; } message N { M m = 1; int32 v = 2; N n = 3; }`), 0)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"":                 "Struct{n=Struct{v=0}}",
		"\x12\x00":         "Struct{n=Struct{v=0},m=Struct{n=Struct{v=0}}}",
		"\x0a\x02\x0a\x00": "Struct{n=Struct{m=Struct{n=Struct{v=0}},v=0}}",
	} {
		v, err := dec.read([]byte(in))
		if err != nil || v.String() != want || data.ValidateValue(s, v) != nil {
			t.Errorf("%x: got %v, %v, want %s", in, v, err, want)
		}
	}
}
