package jsonschema

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

// newConverter returns a converter of values and the registry it talks to.
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

// seedText registers a schema and returns its id.
func seedText(t testing.TB, fake *srfake.Registry, subject, text string) int {
	t.Helper()
	id, _, err := fake.RegisterSchema(subject, sr.Schema{Schema: text, Type: sr.TypeJSON})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func orders() (*data.Schema, data.Value) {
	s := data.NewStructSchema().Name("orders").
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
		config map[string]string
		want   string
	}{
		"defaults": {nil, `{"id":7,"customer":"Erika Mustermann","amount":"EJo=","placed":1700000000000,"note":null,"lines":["tea"]}`},
		"numeric":  {map[string]string{DecimalSetting: "numeric", FailInvalidSetting: "true"}, `{"id":7,"customer":"Erika Mustermann","amount":42.50,"placed":1700000000000,"note":null,"lines":["tea"]}`},
		"by record": {map[string]string{registry.ValueStrategySetting: registry.RecordNameStrategy},
			`{"id":7,"customer":"Erika Mustermann","amount":"EJo=","placed":1700000000000,"note":null,"lines":["tea"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			c, fake := newConverter(t, tc.config)
			s, v := orders()
			b, err := c.FromConnect("t", s, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b[registry.HeaderSize:]); got != tc.want || b[0] != 0 {
				t.Errorf("got  %q\nwant %q", b, tc.want)
			}
			subject := "t-value"
			if name == "by record" {
				subject = "orders"
			}
			if _, ok := fake.GetSchema(subject, 1); !ok {
				t.Errorf("nothing is registered as %s", subject)
			}
			gs, gv, err := converterFor(t, fake, tc.config).ToConnect("t", b)
			if err != nil {
				t.Fatal(err)
			}
			// What is read has the version that its schema has in the registry.
			want := data.NewStructSchema().Name("orders").Version(1)
			for _, f := range s.Fields() {
				want.Field(f.Name, f.Schema)
			}
			if !gs.Equal(want.MustBuild()) {
				t.Errorf("got schema %s", describe(gs))
			}
			if gv.String() != v.String() {
				t.Errorf("got %s, want %s", gv, v)
			}
		})
	}
}

func TestNulls(t *testing.T) {
	c, fake := newConverter(t, nil)
	for name, tc := range map[string]struct {
		s    *data.Schema
		want string // after the header; "none" for no bytes
	}{
		"schemaless": {nil, "none"},
		"required":   {data.StringSchema, "none"},
		"optional":   {data.OptionalStringSchema, "null"},
		"default":    {data.NewSchema(data.String).Default(data.OfString("x")).MustBuild(), `"x"`},
	} {
		b, err := c.FromConnect("t-"+name, tc.s, data.Null, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.want == "none" {
			if b != nil {
				t.Errorf("%s: got %q", name, b)
			}
			continue
		}
		if string(b[registry.HeaderSize:]) != tc.want {
			t.Errorf("%s: got %q", name, b)
		}
	}
	if fake.SubjectExists("t-required-value") || !fake.SubjectExists("t-optional-value") {
		t.Error("a schema is registered exactly where there are bytes to write")
	}
	if s, v, err := c.ToConnect("t", nil); s != nil || !v.IsNull() || err != nil {
		t.Errorf("null became %v, %v, %v", s, v, err)
	}
}

func TestErrors(t *testing.T) {
	c, fake := newConverter(t, map[string]string{FailInvalidSetting: "true"})
	seed := func(subject, text string) int { return seedText(t, fake, subject, text) }
	strict := seed("strict-value", `{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":3}}}`)
	recursive := seed("rec-value", `{"type":"object","connect.type":"map","additionalProperties":{"$ref":"#"}}`)
	file := seed("file-value", `{"type":"object","properties":{"a":{"type":"string"}},"patternProperties":{"x":{"$ref":"file:///etc/passwd"}}}`)
	record := func(id int, body string) []byte { return append(registry.AppendHeader(nil, id), body...) }
	const reading = "Converting byte[] to Kafka Connect data failed due to serialization error of topic "
	for name, tc := range map[string]struct {
		topic string
		in    []byte
		class string // "" for DataException without a codec.Error
		err   string
		cause string
	}{
		"no magic":    {"t", []byte("{}"), codec.DataException, reading + "t: ", "Unknown magic byte!"},
		"short":       {"t", []byte{0, 0}, codec.DataException, reading + "t: ", "must be at least 5 bytes"},
		"unknown id":  {"t", record(999, "{}"), codec.DataException, reading + "t: ", "Error retrieving JSON schema for id 999"},
		"not JSON":    {"strict", record(strict, "{"), codec.DataException, reading + "strict: ", "JSON does not match schema"},
		"invalid":     {"strict", record(strict, `{"a":1}`), codec.DataException, reading + "strict: ", "minimum: got 1, want 3"},
		"recursive":   {"rec", record(recursive, `{}`), "", "Recursive schemas without an object among them are not supported: # refers to a schema that it is part of", ""},
		"foreign ref": {"file", record(file, `{}`), codec.DataException, reading + "file: ", "is not among the schema's references"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.ToConnect(tc.topic, tc.in)
			if err == nil || err.Error() != tc.err {
				t.Fatalf("got %v", err)
			}
			var ce *codec.Error
			if tc.class == "" {
				var de *data.Error
				if !errors.As(err, &de) {
					t.Errorf("got a %T", err)
				}
				return
			}
			if !errors.As(err, &ce) || ce.Class != tc.class || ce.Fault != codec.RecordFault {
				t.Errorf("got %+v", ce)
			}
			if all := chain(err); !strings.Contains(all, tc.cause) {
				t.Errorf("the causes are %s, want %s", all, tc.cause)
			}
		})
	}
	t.Run("schemaless", func(t *testing.T) {
		_, err := c.FromConnect("t", nil, data.OfInt64(1), nil)
		if err == nil || err.Error() != "Converting Kafka Connect data to byte[] failed due to serialization error of topic t: " {
			t.Errorf("got %v", err)
		}
	})
	t.Run("outage", func(t *testing.T) {
		fake.Close()
		_, err := c.FromConnect("t", data.StringSchema, data.OfString("x"), nil)
		var ce *codec.Error
		if !errors.As(err, &ce) || ce.Fault != codec.OutageFault || ce.Class != codec.RetriableException {
			t.Errorf("got %v", err)
		}
	})
}

func chain(err error) string {
	var out []string
	for ; err != nil; err = errors.Unwrap(err) {
		out = append(out, err.Error())
	}
	return strings.Join(out, " <- ")
}

// TestReferences reads a record whose schema refers to another of the registry.
func TestReferences(t *testing.T) {
	c, fake := newConverter(t, map[string]string{FailInvalidSetting: "true"})
	if _, _, err := fake.RegisterSchema("person", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object","title":"Person","properties":{"name":{"type":"string"}}}`}); err != nil {
		t.Fatal(err)
	}
	id, _, err := fake.RegisterSchema("t-value", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object","properties":{"boss":{"$ref":"person.json"}}}`,
		References: []sr.SchemaReference{{Name: "person.json", Subject: "person", Version: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	_, v, err := c.ToConnect("t", append(registry.AppendHeader(nil, id), `{"boss":{"name":"Ada"}}`...))
	if err != nil || v.String() != "Struct{boss=Struct{name=Ada}}" {
		t.Errorf("got %v, %v, %s", v, err, chain(err))
	}
	if _, _, err := c.ToConnect("t", append(registry.AppendHeader(nil, id), `{"boss":{"name":1}}`...)); err == nil {
		t.Error("a number was taken for a string")
	}
}

// TestCopied reads a record that was copied from another topic: its schema is not in
// the subject of this one, and has no version there.
func TestCopied(t *testing.T) {
	c, fake := newConverter(t, map[string]string{registry.ValueStrategySetting: registry.TopicRecordNameStrategy})
	id, _, err := fake.RegisterSchema("elsewhere-A", sr.Schema{Schema: `{"type":"object","title":"A","properties":{"a":{"type":"string"}}}`, Type: sr.TypeJSON})
	if err != nil {
		t.Fatal(err)
	}
	s, got, err := c.ToConnect("t", append(registry.AppendHeader(nil, id), `{"a":"v"}`...))
	if err != nil || got.String() != "Struct{a=v}" {
		t.Fatalf("got %v, %v", got, err)
	}
	if v, has := s.Version(); has {
		t.Errorf("it has version %d", v)
	}
}

// TestUnions covers how a value finds its branch.
func TestUnions(t *testing.T) {
	m := &Mapping{}
	s, err := m.Connect(`{"oneOf":[{"type":"null"},{"type":"integer"},{"type":"object","title":"a","properties":{"x":{"type":"string"},"y":{"type":"string"}}},
		{"type":"object","title":"b","properties":{"x":{"type":"string"},"z":{"type":"string"}}},{"type":"string"}]}`, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := m.Plan(s)
	for in, want := range map[string]string{
		`5`:                 "Struct{io.confluent.connect.json.OneOf.field.0=5}",
		`"s"`:               "Struct{io.confluent.connect.json.OneOf.field.3=s}",
		`null`:              "null",
		`{"x":"1","z":"2"}`: "Struct{io.confluent.connect.json.OneOf.field.2=Struct{x=1,z=2}}",
		`{"x":"1"}`:         `Invalid value: null used for required field: "y", schema type: STRING`,
		`{"q":"1"}`:         "Did not find matching oneof field for data",
		`1.5`:               "Did not find matching oneof field for data",
	} {
		v, ok, err := p.Read([]byte(in))
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if !ok || got != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, ok, want)
		}
		if err != nil {
			continue
		}
		if out, err := p.Append(nil, v); err != nil || string(out) != in {
			t.Errorf("%s was written as %s, %v", in, out, err)
		}
	}
}

func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct{ key, value, want string }{
		"decimals": {DecimalSetting, "hex", "decimal.format"},
		"preserve": {PreserveSetting, "true", "preserve.additional.properties"},
		"boolean":  {NonRequiredSetting, "maybe", "use.optional.for.nonrequired"},
		"no url":   {registry.URLSetting, "", "schema.registry.url"},
	} {
		_, err := New(map[string]string{registry.URLSetting: "http://localhost:1", tc.key: tc.value}, false)
		var ce *codec.Error
		if !errors.As(err, &ce) || ce.Class != codec.ConfigException || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestLatest writes and reads by the newest version of a subject, which has to be
// able to read what the record's own schema writes.
func TestLatest(t *testing.T) {
	c, fake := newConverter(t, map[string]string{registry.AutoRegisterSetting: "false", registry.UseLatestSetting: "true"})
	for _, text := range []string{
		`{"type":"object","title":"old","properties":{"id":{"type":"integer","connect.index":0,"connect.type":"int64"}}}`,
		`{"type":"object","title":"new","properties":{"id":{"type":"integer","connect.index":0,"connect.type":"int64"}}}`,
	} {
		if _, _, err := fake.RegisterSchema("t-value", sr.Schema{Schema: text, Type: sr.TypeJSON}); err != nil {
			t.Fatal(err)
		}
	}
	s := data.NewStructSchema().Name("mine").Field("id", data.Int64Schema).MustBuild()
	b, err := c.FromConnect("t", s, data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt64(5)})), nil)
	if err != nil {
		t.Fatal(chain(err))
	}
	latest, _ := fake.GetSchema("t-value", 2)
	if id, _, _ := registry.Header(b); id != latest.ID {
		t.Errorf("written with id %d, want %d", id, latest.ID)
	}
	gs, _, err := c.ToConnect("t", b)
	if err != nil || gs.Name() != "new" {
		t.Errorf("read by %v, %v", gs, err)
	}
	text := data.NewStructSchema().Name("mine").Field("id", data.StringSchema).MustBuild()
	if _, err := c.FromConnect("t", text, data.OfStruct(data.NewStruct(text, []data.Value{data.OfString("x")})), nil); err == nil ||
		!strings.Contains(chain(err), "latest.compatibility.strict=false") {
		t.Errorf("a string was written as an integer: %v", err)
	}
}
