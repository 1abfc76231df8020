package protobuf

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/golden"
)

// drawn counts names, which have to differ in one schema, and knows the messages
// around, of which a field may be.
type drawn struct {
	names  int
	around []*data.SchemaBuilder
}

func (d *drawn) name() string { d.names++; return "N" + strconv.Itoa(d.names) }

func (d *drawn) message(t *rapid.T, depth int) *data.SchemaBuilder {
	b := data.NewStructSchema().Name(d.name())
	d.around = append(d.around, b)
	defer func() { d.around = d.around[:len(d.around)-1] }()
	tag := 1
	for i := range rapid.IntRange(0, 8).Draw(t, "fields") {
		if depth > 0 && rapid.IntRange(0, 9).Draw(t, "union") == 0 {
			u := data.NewStructSchema().Name(unionName + ".u" + strconv.Itoa(i)).Optional()
			tag++ // which the union takes
			for j := range rapid.IntRange(1, 3).Draw(t, "members") {
				name, tag := fmt.Sprintf("m%d_%d", i, j), strconv.Itoa(100*(i+1)+j)
				s := d.scalarOrMessage(t, depth-1)
				if s.Repeats() {
					u.Field(name, d.again(t).Self(true, data.Param{Key: tagParam, Value: tag}))
					continue
				}
				u.Field(name, tagged(s.With(true, data.Null), tag))
			}
			b.Field("u"+strconv.Itoa(i), u.MustBuild())
			continue
		}
		b.Field("f"+strconv.Itoa(i), d.field(t, depth))
		tag++
	}
	return b
}

// again draws one of the messages around.
func (d *drawn) again(t *rapid.T) *data.SchemaBuilder {
	return d.around[rapid.IntRange(0, len(d.around)-1).Draw(t, "message around")]
}

func (d *drawn) scalarOrMessage(t *rapid.T, depth int) *data.Schema {
	opt := rapid.Bool().Draw(t, "optional")
	if rapid.IntRange(0, 7).Draw(t, "recursive") == 0 {
		return d.again(t).Self(opt)
	}
	var b *data.SchemaBuilder
	switch k := rapid.IntRange(1, 15).Draw(t, "type"); {
	case k <= 9:
		b = data.NewSchema(data.Type(k))
		if k == int(data.Int64) {
			b.Param(typeParam, rapid.SampledFrom([]string{"int64", "uint32", "fixed32", "uint64", "fixed64", "sint64", "sfixed64"}).Draw(t, "kind"))
		}
	case k == 10:
		b = data.NewDecimalSchema(int32(rapid.IntRange(-3, 6).Draw(t, "scale")))
	case k == 11:
		b = data.NewSchema(data.Int32).Name(data.DateName).Version(1)
	case k == 12:
		b = data.NewSchema(data.Int32).Name(data.TimeName).Version(1)
	case k == 13:
		b = data.NewSchema(data.Int64).Name(data.TimestampName).Version(1)
	case k == 14 || depth <= 0:
		name := d.name()
		b = data.NewSchema(data.String).Name(name).Param(enumParam, name).Param(enumParam+"."+name+"A", "0").Param(enumParam+"."+name+"B", "-3")
	default:
		b = d.message(t, depth-1)
	}
	return b.SetOptional(opt).MustBuild()
}

func (d *drawn) field(t *rapid.T, depth int) *data.Schema {
	switch rapid.IntRange(0, 5).Draw(t, "shape") {
	case 0:
		return data.NewArraySchema(d.scalarOrMessage(t, depth)).MustBuild()
	case 1:
		key := rapid.SampledFrom([]*data.Schema{data.StringSchema, data.Int32Schema, data.Float64Schema}).Draw(t, "keys")
		d.names++
		name := fmt.Sprintf("map%d", d.names)
		return data.NewMapSchema(key, d.scalarOrMessage(t, depth)).Name(name).MustBuild()
	}
	return d.scalarOrMessage(t, depth)
}

// value draws a value. Null is drawn where Protobuf has it: for messages, and for
// scalars that have presence.
//
// Messages that contain themselves end at some depth.
func value(t *rapid.T, m *Mapping, s *data.Schema, mayBeNull bool, depth int) data.Value {
	presence := s.Logical() != data.NotLogical || s.Type() == data.Struct || m.OptionalNullables || m.WrapperNullables && !isEnum(s)
	if mayBeNull && s.Optional() && presence && s.Type() != data.Array && s.Type() != data.Map && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return data.Null
	}
	switch s.Logical() {
	case data.LogicalDecimal:
		return data.OfDecimal(data.NewDecimal(rapid.Int64().Draw(t, "unscaled"), int32(rapid.IntRange(-9, 9).Draw(t, "scale"))))
	case data.LogicalDate:
		return data.OfDate(rapid.Int64Range(-700_000, 3_000_000).Draw(t, "days") * millisPerDay)
	case data.LogicalTime:
		return data.OfDate(rapid.Int64Range(0, millisPerDay-1).Draw(t, "time"))
	case data.LogicalTimestamp:
		return data.OfDate(rapid.Int64Range(secondsMinimum*1000, secondsMaximum*1000).Draw(t, "timestamp"))
	}
	kind, _ := s.Param(typeParam)
	switch s.Type() {
	case data.Int8:
		return data.OfInt8(rapid.Int8().Draw(t, "int8"))
	case data.Int16:
		return data.OfInt16(rapid.Int16().Draw(t, "int16"))
	case data.Int32:
		return data.OfInt32(rapid.Int32().Draw(t, "int32"))
	case data.Int64:
		if kind == "uint32" || kind == "fixed32" {
			return data.OfInt64(int64(rapid.Uint32().Draw(t, "uint32")))
		}
		return data.OfInt64(rapid.Int64().Draw(t, "int64"))
	case data.Float32:
		return data.OfFloat32(rapid.Float32().Draw(t, "float"))
	case data.Float64:
		return data.OfFloat64(rapid.Float64().Draw(t, "double"))
	case data.Boolean:
		return data.OfBool(rapid.Bool().Draw(t, "boolean"))
	case data.String:
		if name, ok := enumOf(s); ok {
			return data.OfString(name + rapid.SampledFrom([]string{"A", "B"}).Draw(t, "symbol"))
		}
		return data.OfString(rapid.String().Draw(t, "string"))
	case data.Bytes:
		return data.OfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case data.Array:
		out := []data.Value{}
		most := 7
		if s.Recursive() {
			most = 3
		}
		for range rapid.IntRange(0, 70).Draw(t, "elements") % most {
			out = append(out, value(t, m, s.ValueSchema(), false, depth))
		}
		return data.OfArray(out)
	case data.Map:
		var b data.MapBuilder
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			b.Put(value(t, m, s.KeySchema(), false, depth), value(t, m, s.ValueSchema(), false, depth))
		}
		return data.OfMap(b.Build())
	}
	vals := make([]data.Value, len(s.Fields()))
	if isUnion(s) {
		i := rapid.IntRange(0, len(vals)-1).Draw(t, "member")
		vals[i] = value(t, m, s.Fields()[i].Schema, false, depth)
	} else {
		for i, f := range s.Fields() {
			switch {
			case !f.Schema.Recursive() || depth < 4:
				vals[i] = value(t, m, f.Schema, true, depth+1)
			case f.Schema.Type() == data.Array:
				vals[i] = data.OfArray([]data.Value{})
			case f.Schema.Type() == data.Map:
				vals[i] = data.OfMap(data.NewMap(nil))
			}
		}
	}
	return data.OfStruct(data.NewStruct(s, vals))
}

func isEnum(s *data.Schema) bool { _, ok := enumOf(s); return ok }

// plans compiles a schema's own text for both directions.
func plans(m *Mapping, s *data.Schema) (*encoder, *decoder, *data.Schema, protoreflect.MessageDescriptor, error) {
	text, name, err := m.Text(s)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	f, err := compile(text, nil)
	if err != nil {
		return nil, nil, nil, nil, fmt.Errorf("%w in\n%s", err, text)
	}
	path, _ := pathOf(f, name)
	md, err := messageAt(f, path)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	enc, err := m.compileEncoder(s, md)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	back, dec, err := m.connect(md, 0)
	return enc, dec, back, md, err
}

// TestRoundTrip: a schema that was read is written and read as it is, its values
// come back as they were, and dynamicpb takes the bytes for the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Mapping{OptionalNullables: rapid.Bool().Draw(t, "optional.for.nullables"), IntEnums: false, NoUnionIndex: true}
		m.WrapperNullables = !m.OptionalNullables && rapid.Bool().Draw(t, "wrapper.for.nullables")
		s0 := (&drawn{}).message(t, 2).MustBuild()
		s, text, err := asRead(m, s0)
		if err == nil && m.WrapperNullables { // wrappers know fewer types: an int8 is an int32 afterwards
			if s, text, err = asRead(m, s); err == nil {
				s, text, err = asRead(m, s)
			}
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		enc, dec, back, md, err := plans(m, s)
		if err != nil {
			t.Fatalf("%v; first\n%s", err, text)
		}
		if !back.Equal(s) {
			again, _, _ := m.Text(s)
			t.Fatalf("a schema changed when it was written again: %v and %v\n%s\n%s", s, back, text, again)
		}
		for range 3 {
			v := value(t, m, s, false, 0)
			out, err := enc.append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			got, err := dec.read(out)
			if err != nil {
				t.Fatalf("%v in %x of %s", err, out, v)
			}
			if d := golden.Diff(s, v, back, got); d != "" {
				t.Fatalf("%x: %s\n%s", out, d, text)
			}
			msg := dynamicpb.NewMessage(md)
			if err := proto.Unmarshal(out, msg); err != nil {
				t.Fatalf("dynamicpb: %v", err)
			}
			if len(msg.GetUnknown()) > 0 {
				t.Fatalf("dynamicpb does not know %x", msg.GetUnknown())
			}
			theirs, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
			if err != nil {
				t.Fatal(err)
			}
			if len(theirs) != len(out) {
				t.Fatalf("we wrote %x, dynamicpb %x", out, theirs)
			}
			if got, err = dec.read(theirs); err != nil {
				t.Fatal(err)
			}
			if d := golden.Diff(s, v, back, got); d != "" {
				t.Fatalf("dynamicpb's %x: %s", theirs, d)
			}
		}
	})
}

const fuzzText = `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "confluent/type/decimal.proto"; import "google/protobuf/wrappers.proto";
message M {
  int32 a = 1; sint64 b = 2; string c = 3; bytes d = 4; repeated fixed32 e = 5; repeated string f = 6; N g = 7;
  M self = 21; repeated M kids = 22; map<string, M> by = 23;
  map<string, N> h = 8; oneof o { string i = 9; N j = 10; uint32 q = 11; M again = 24; } optional bool k = 12; google.protobuf.Timestamp l = 13;
  repeated E m = 14; map<int32, string> n = 15; double p = 100; google.protobuf.StringValue s = 101; repeated sint32 t = 102;
  enum E { Z = 0; Y = -1; }
  message N { int32 x = 1; N2 y = 2; repeated int64 z = 3; oneof w { N2 v = 4; bool u = 5; } }
  message N2 { string deep = 1; int32 more = 2; N up = 3; }
}`

// FuzzRead: no bytes make the reader panic; it takes what dynamicpb takes, and
// reads them as dynamicpb writes them anew.
func FuzzRead(f *testing.F) {
	file, err := compile(fuzzText, nil)
	if err != nil {
		f.Fatal(err)
	}
	md := file.Messages().Get(0)
	m := &Mapping{WrapperNullables: true}
	s, dec, err := m.connect(md, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0x22, 0xff, 0xff, 0xff, 0xff, 0x07})       // 2 GB of bytes
	f.Add([]byte{0x2a, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 2}) // 2 GB of packed numbers
	f.Add([]byte{0x3a, 2, 8, 1, 0x3a, 4, 0x12, 2, 0x10, 5}) // a message in two parts
	f.Add([]byte{0x52, 2, 8, 1, 0x48, 1, 0x52, 4, 0x12, 2, 0x10, 5, 0x4a, 1, 'x', 0x52, 0})
	f.Add([]byte{0x42, 8, 0x0a, 1, 'k', 0x12, 0, 0x12, 1, 8})
	f.Add([]byte("\x8a\xde\x8a\xbc0\x00"))                                            // a number that is too large
	f.Add([]byte("R\x0200R\x041000J\x010"))                                           // a member that is no message, and another in its place
	f.Add([]byte("B\b\n\x010\b02\x010"))                                              // a key, and another of a wrong type
	f.Add([]byte("\xaa\x01\x05\xaa\x01\x02\x08\x05\xaa\x01\x05\xaa\x01\x02\x10\x05")) // a message in itself, in parts
	f.Add([]byte("\xba\x01\x0c\x0a\x01k\x12\x07\xc2\x01\x04\xb2\x01\x01\x08"))
	f.Add(bytes.Repeat([]byte{0xaa, 0x01, 0x7f}, 600))
	f.Add([]byte{0xa3, 0x06, 0xa3, 0x06, 0xa4, 0x06, 0xa4, 0x06})
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := dec.read(in)
		msg := dynamicpb.NewMessage(md)
		theirErr, panics := oracle(in, msg)
		if panics {
			return
		}
		if err == nil && theirErr != nil {
			t.Fatalf("%x was read, and dynamicpb says %v", in, theirErr)
		}
		if err == errDepth || err == errParts { //nolint:errorlint // as they are; dynamicpb has other bounds
			return
		}
		if theirErr == nil && (err == errWire || err == errUTF8) { //nolint:errorlint // as they are
			t.Fatalf("%x is %v, and dynamicpb takes it", in, err)
		}
		if err != nil {
			return
		}
		theirs, err := proto.Marshal(msg)
		if err != nil {
			t.Fatal(err)
		}
		again, err := dec.read(theirs)
		if err != nil {
			t.Fatalf("%x is read, and not as dynamicpb writes it anew, %x: %v", in, theirs, err)
		}
		if !again.Equal(v) && golden.Diff(s, v, s, again) != "" {
			t.Fatalf("%x is %s; as dynamicpb writes it anew, %x, it is %s", in, v, theirs, again)
		}
	})
}

// oracle has dynamicpb read a message. It panics at a map whose key is there once
// more with another type on the wire; what it then says is not worth knowing.
func oracle(in []byte, msg *dynamicpb.Message) (err error, panics bool) { //nolint:revive // the error is the answer
	defer func() { panics = recover() != nil }()
	return proto.Unmarshal(in, msg), false
}

// TestLengthsAllocateNothing: a length that is not covered costs no memory.
func TestLengthsAllocateNothing(t *testing.T) {
	file, err := compile(fuzzText, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, dec, err := new(Mapping).connect(file.Messages().Get(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, num := range []protowire.Number{3, 4, 5, 6, 7, 8, 14} {
		in := protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), math.MaxInt32)
		in = append(in, 1, 2, 3)
		var err error
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			_, err = dec.read(in)
		}
		runtime.ReadMemStats(&after)
		bytes := (after.TotalAlloc - before.TotalAlloc) / 100
		if err == nil || bytes > 4096 {
			t.Errorf("field %d: %v, with %d bytes allocated", num, err, bytes)
		}
	}
}

// FuzzCompile: no text makes the reader of schemas panic.
func FuzzCompile(f *testing.F) {
	f.Add(fuzzText)
	f.Add(wrappersText())
	f.Add(`syntax = "proto3"; message M { M m = 1; }`)
	f.Add(`syntax = "proto3"; message M { repeated MEntry m = 1; oneof o { N n = 2; } } message MEntry { M key = 1; MEntry value = 2; } message N { M m = 1; N n = 2; }`)
	f.Add(`(confluent.`)
	f.Add(`syntax = "proto3"; package google.protobuf; message DoubleValue { }`)
	f.Add(`syntax = "proto3"; package google.protobuf; message DoubleValue { DoubleValue value = 1; }`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := compile(text, nil)
		if err != nil || file.Messages().Len() == 0 {
			return
		}
		for _, m := range []*Mapping{{}, {StructForNulls: true, FlattenUnions: true}} {
			s, dec, err := m.connect(file.Messages().Get(0), 0)
			if err != nil {
				return
			}
			if _, err := dec.read(nil); err != nil && s == nil {
				t.Fatal(err)
			}
			if text, _, err := m.Text(s); err == nil && s.Type() == data.Struct {
				_, _ = compile(text, nil)
			}
		}
	})
}
