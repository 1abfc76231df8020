package protobuf

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
)

func newConverter(t testing.TB, config map[string]string) (*Converter, *srfake.Registry) {
	t.Helper()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	return converterFor(t, fake, config), fake
}

func converterFor(t testing.TB, fake *srfake.Registry, config map[string]string) *Converter {
	t.Helper()
	all := map[string]string{registry.URLSetting: fake.URL(), registry.MaxRetriesSetting: "0"}
	maps.Copy(all, config)
	c, err := New(all, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func orders() (*data.Schema, data.Value) {
	s := data.NewStructSchema().Name("com.acme.Order").
		Field("id", data.Int64Schema).Field("customer", data.StringSchema).
		Field("amount", data.NewDecimalSchema(2).MustBuild()).
		Field("placed", data.TimestampSchema).
		Field("note", data.OptionalStringSchema).
		Field("lines", data.NewArraySchema(data.StringSchema).MustBuild()).MustBuild()
	return s, data.OfStruct(data.NewStruct(s, []data.Value{
		data.OfInt64(7), data.OfString("Erika Mustermann"), data.OfDecimal(data.NewDecimal(4250, 2)),
		data.OfDate(1_700_000_000_000), data.Null, data.OfArray([]data.Value{data.OfString("tea")}),
	}))
}

// TestThereAndBack writes a record and reads it with another converter.
func TestThereAndBack(t *testing.T) {
	for name, tc := range map[string]struct {
		config        map[string]string
		subject, want string
	}{
		"defaults":  {nil, "t-value", "Struct{id=7,customer=Erika Mustermann,amount=42.50,placed=Tue Nov 14 22:13:20 UTC 2023,note=,lines=[tea]}"},
		"optional":  {map[string]string{OptionalSetting: "true"}, "t-value", "Struct{id=7,customer=Erika Mustermann,amount=42.50,placed=Tue Nov 14 22:13:20 UTC 2023,lines=[tea]}"},
		"wrapper":   {map[string]string{WrapperSetting: "true"}, "t-value", "Struct{id=7,customer=Erika Mustermann,amount=42.50,placed=Tue Nov 14 22:13:20 UTC 2023,lines=[tea]}"},
		"by record": {map[string]string{registry.ValueStrategySetting: registry.TopicRecordNameStrategy}, "t-com.acme.Order", "Struct{id=7,customer=Erika Mustermann,amount=42.50,placed=Tue Nov 14 22:13:20 UTC 2023,note=,lines=[tea]}"},
	} {
		t.Run(name, func(t *testing.T) {
			c, fake := newConverter(t, tc.config)
			s, v := orders()
			b, err := c.FromConnect("t", s, v, []byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			b = b[len("before"):]
			if b[0] != 0 || b[5] != 0 || b[6] != 1<<3 {
				t.Errorf("got %x", b)
			}
			if _, ok := fake.GetSchema(tc.subject, 1); !ok {
				t.Errorf("nothing is registered as %s", tc.subject)
			}
			r := converterFor(t, fake, tc.config)
			for range 2 { // the second time by what is kept
				gs, gv, err := r.ToConnect("t", b)
				if err != nil {
					t.Fatal(err)
				}
				if version, _ := gs.Version(); version != 1 || gs.Name() != "Order" {
					t.Errorf("got schema %s of version %d", gs, version)
				}
				if gv.String() != tc.want {
					t.Errorf("got  %s\nwant %s", gv, tc.want)
				}
			}
		})
	}
}

// TestScalars: a scalar is a wrapper message, which is not the first of its file.
func TestScalars(t *testing.T) {
	c, _ := newConverter(t, nil)
	for _, tc := range []struct {
		s     *data.Schema
		v     data.Value
		index byte // as a varint in zigzag
		body  string
	}{
		{data.StringSchema, data.OfString("é"), 14, "\x0a\x02é"},
		{data.OptionalInt32Schema, data.OfInt32(-1), 8, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{data.BooleanSchema, data.OfBool(false), 12, ""},
		{data.Float64Schema, data.OfFloat64(1), 0, "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f"},
	} {
		b, err := c.FromConnect("t", tc.s, tc.v, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := string([]byte{2, tc.index}) + tc.body
		if tc.index == 0 {
			want = "\x00" + tc.body
		}
		if got := string(b[5:]); got != want {
			t.Errorf("%v: got %q, want %q", tc.v, got, want)
		}
		s, v, err := c.ToConnect("t", b)
		if err != nil || s.Type() != tc.s.Type() || !v.Equal(tc.v) {
			t.Errorf("%v: got %v of %v, %v", tc.v, v, s, err)
		}
	}
}

func TestNulls(t *testing.T) {
	c, fake := newConverter(t, nil)
	for _, s := range []*data.Schema{nil, data.StringSchema, data.OptionalStringSchema} {
		if b, err := c.FromConnect("t", s, data.Null, nil); b != nil || err != nil {
			t.Errorf("%v: got %x, %v", s, b, err)
		}
	}
	if fake.SubjectExists("t-value") {
		t.Error("a schema was registered for null")
	}
	if s, v, err := c.ToConnect("t", nil); s != nil || !v.IsNull() || err != nil {
		t.Errorf("null became %v, %v, %v", s, v, err)
	}
}

func TestErrors(t *testing.T) {
	c, fake := newConverter(t, nil)
	seed := func(subject, text string) int {
		id, _, err := fake.RegisterSchema(subject, sr.Schema{Schema: text, Type: sr.TypeProtobuf})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	plain := seed("plain-value", `syntax = "proto3"; message M { string a = 1; }`)
	date := seed("date-value", `syntax = "proto3"; import "google/type/date.proto"; message M { google.type.Date d = 1; }`)
	record := func(id int, body string) []byte { return append(registry.AppendHeader(nil, id), body...) }
	for name, tc := range map[string]struct {
		topic string
		in    []byte
		data  bool // a data.Error, else a DataException with a cause
		err   string
	}{
		"no magic":     {"t", []byte("{}"), false, "Unknown magic byte!"},
		"no indexes":   {"plain", record(plain, ""), false, "Invalid message indexes"},
		"bad indexes":  {"plain", record(plain, "\x02\x08"), false, "no message has the indexes of the record"},
		"unknown id":   {"t", record(999, "\x00"), false, "Error retrieving Protobuf schema for id 999"},
		"cut off":      {"plain", record(plain, "\x00\x0a\x05a"), false, "Protocol message is not well-formed"},
		"not UTF-8":    {"plain", record(plain, "\x00\x0a\x01\xff"), false, "Protocol message had invalid UTF-8."},
		"invalid date": {"date", record(date, "\x00\x0a\x07\x08\xe7\x0f\x10\x02\x18\x1e"), true, "Invalid date"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.ToConnect(tc.topic, tc.in)
			if err == nil {
				t.Fatal("no error")
			}
			var ce *codec.Error
			var de *data.Error
			switch {
			case tc.data:
				if !errors.As(err, &de) || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v", err)
				}
			case !errors.As(err, &ce) || ce.Class != codec.DataException || ce.Fault != codec.RecordFault ||
				err.Error() != "Failed to deserialize data for topic "+tc.topic+" to Protobuf: ":
				t.Errorf("got %v", err)
			default:
				var all []string
				for e := err; e != nil; e = errors.Unwrap(e) {
					all = append(all, e.Error())
				}
				if !strings.Contains(strings.Join(all, " <- "), tc.err) {
					t.Errorf("the causes are %v, want %s", all, tc.err)
				}
			}
		})
	}
	for name, tc := range map[string]struct {
		s    *data.Schema
		v    data.Value
		want string
	}{
		"array as a root": {data.NewArraySchema(data.StringSchema).MustBuild(), data.OfArray(nil), "Unsupported root schema of type ARRAY"},
		"array of arrays": {data.NewStructSchema().Field("a", data.NewArraySchema(data.NewArraySchema(data.StringSchema).MustBuild()).MustBuild()).MustBuild(), data.OfInt64(1), "Array cannot be nested"},
		"name":            {data.NewStructSchema().Field("a-b", data.StringSchema).MustBuild(), data.OfInt64(1), "is not a valid identifier"},
		"no struct":       {data.NewStructSchema().Field("a", data.StringSchema).MustBuild(), data.OfInt64(1), "Invalid type for STRUCT: class java.lang.Long"},
		"number":          {data.NewStructSchema().Field("a", data.NewSchema(data.String).Param(tagParam, "x").MustBuild()).MustBuild(), data.OfInt64(1), "field number x of a"},
	} {
		if _, err := c.FromConnect("t", tc.s, tc.v, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := New(map[string]string{registry.URLSetting: "http://localhost:1", FlattenSetting: "maybe"}, false); err == nil || !strings.Contains(err.Error(), FlattenSetting) {
		t.Errorf("got %v", err)
	}
}

// TestReferences reads a record whose schema imports another of the registry, and
// writes one by the newest version of a subject, in which the message is elsewhere.
func TestReferences(t *testing.T) {
	c, fake := newConverter(t, map[string]string{registry.AutoRegisterSetting: "false", registry.UseLatestSetting: "true", registry.LatestStrictSetting: "false"})
	must := func(_ int, _ int, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(fake.RegisterSchema("person", sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; package p; message Person { string name = 1; }`}))
	must(fake.RegisterSchema("t-value", sr.Schema{Type: sr.TypeProtobuf, References: []sr.SchemaReference{{Name: "person.proto", Subject: "person", Version: 1}},
		Schema: `syntax = "proto3"; import "person.proto"; message First {} message Order { p.Person boss = 1; }`}))
	person := data.NewStructSchema().Name("Person").Field("name", data.StringSchema).MustBuild()
	s := data.NewStructSchema().Name("Order").Field("boss", person).MustBuild()
	v := data.OfStruct(data.NewStruct(s, []data.Value{data.OfStruct(data.NewStruct(person, []data.Value{data.OfString("Ada")}))}))
	b, err := c.FromConnect("t", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(b[5:]) != "\x02\x02\x0a\x05\x0a\x03Ada" {
		t.Errorf("got %x", b)
	}
	_, got, err := c.ToConnect("t", b)
	if err != nil || got.String() != "Struct{boss=Struct{name=Ada}}" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestLatest reads by the newest version of a subject, in which the messages have
// changed places.
func TestLatest(t *testing.T) {
	c, fake := newConverter(t, map[string]string{registry.UseLatestSetting: "true"})
	var ids []int
	for _, text := range []string{`message A { string a = 1; } message B { string b = 1; }`, `message B { string b = 1; } message A { string a = 1; string x = 2; }`} {
		id, _, err := fake.RegisterSchema("t-value", sr.Schema{Schema: `syntax = "proto3"; ` + text, Type: sr.TypeProtobuf})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for i, want := range []string{"Struct{a=v,x=}", "Struct{b=v}", "Struct{a=v,x=}"} {
		_, got, err := c.ToConnect("t", append(registry.AppendHeader(nil, ids[i%2]), "\x00\x0a\x01v"...))
		if err != nil || got.String() != want {
			t.Errorf("record %d: got %v, %v, want %s", i, got, err, want)
		}
	}
}

// TestCopied reads a record that was copied from another topic: its schema is not in
// the subject of this one, and has no version there.
func TestCopied(t *testing.T) {
	c, fake := newConverter(t, map[string]string{registry.ValueStrategySetting: registry.TopicRecordNameStrategy})
	id, _, err := fake.RegisterSchema("elsewhere-A", sr.Schema{Schema: `syntax = "proto3"; message A { string a = 1; }`, Type: sr.TypeProtobuf})
	if err != nil {
		t.Fatal(err)
	}
	s, got, err := c.ToConnect("t", append(registry.AppendHeader(nil, id), "\x00\x0a\x01v"...))
	if err != nil || got.String() != "Struct{a=v}" {
		t.Fatalf("got %v, %v", got, err)
	}
	if v, has := s.Version(); has {
		t.Errorf("it has version %d", v)
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
