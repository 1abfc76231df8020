package protobuf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/golden"
)

// TestStandard: the files that a registry knows by itself are found without a
// reference, and their types are read.
func TestStandard(t *testing.T) {
	types := map[string][]string{
		"google/type/": {"calendar_period CalendarPeriod", "color Color", "date Date", "datetime DateTime", "datetime TimeZone", "dayofweek DayOfWeek", "decimal Decimal", "expr Expr",
			"fraction Fraction", "interval Interval", "latlng LatLng", "money Money", "month Month", "phone_number PhoneNumber", "postal_address PostalAddress", "quaternion Quaternion", "timeofday TimeOfDay"},
		"google/protobuf/": {"any Any", "api Api", "descriptor FileOptions", "duration Duration", "empty Empty", "field_mask FieldMask", "source_context SourceContext", "struct Struct", "struct Value",
			"timestamp Timestamp", "type Type", "wrappers BytesValue"},
		"confluent/type/": {"decimal Decimal", "variant Variant"},
		"confluent/":      {"meta Meta"},
	}
	var seen []string
	for dir, list := range types {
		for _, line := range list {
			file, name, _ := strings.Cut(line, " ")
			seen = append(seen, dir+file+".proto")
			text := fmt.Sprintf(`syntax = "proto3"; import "%s%s.proto"; message M { %s%s a = 1; }`, dir, file, strings.ReplaceAll(dir, "/", "."), name)
			s, _, err := new(Mapping).connect(first(t, text), 0)
			if err != nil || s.Field("a") == nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for file := range standard {
		if !slices.Contains(seen, file) {
			t.Errorf("nothing of %s was read", file)
		}
	}
	s, dec, err := new(Mapping).connect(first(t, `syntax = "proto3"; import "google/type/money.proto"; message M { google.type.Money price = 1; }`), 0)
	if err != nil {
		t.Fatal(err)
	}
	v, err := dec.read([]byte("\x0a\x07\x0a\x03EUR\x10\x05"))
	if err != nil || v.String() != "Struct{price=Struct{currency_code=EUR,units=5,nanos=0}}" || s.Field("price").Schema.Name() != "Money" {
		t.Errorf("got %v, %v", v, err)
	}
}

// TestVariant: a value of any type, encoded, keeps its form.
func TestVariant(t *testing.T) {
	m := &Mapping{}
	s, dec, err := m.connect(first(t, `syntax = "proto3"; import "confluent/type/variant.proto"; message M { confluent.type.Variant v = 3; repeated confluent.type.Variant l = 4; }`), 0)
	if err != nil {
		t.Fatal(err)
	}
	const variant = "org.apache.kafka.connect.data.Variant"
	if got := golden.Describe(s); got != "STRUCT M(v STRUCT? "+variant+" io.confluent.connect.protobuf.Tag=3(metadata BYTES, value BYTES), "+
		"l ARRAY? io.confluent.connect.protobuf.Tag=4[STRUCT? "+variant+"(metadata BYTES, value BYTES)])" {
		t.Errorf("got %s", got)
	}
	enc, again, back, _, err := plans(m, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{"", "\x1a\x07\x0a\x01\x01\x12\x02\x0c\x05\x22\x00"} {
		v, err := dec.read([]byte(in))
		if err != nil || data.ValidateValue(s, v) != nil {
			t.Fatalf("%x: %v, %v", in, err, data.ValidateValue(s, v))
		}
		out, err := enc.append(nil, v)
		if err != nil || string(out) != in {
			t.Errorf("%x is written as %x, %v", in, out, err)
		}
		if gv, err := again.read(out); err != nil || golden.Diff(s, v, back, gv) != "" {
			t.Errorf("%x: %v %s", in, err, golden.Diff(s, v, back, gv))
		}
	}
	text, _, err := m.Text(s)
	if err != nil || !strings.Contains(text, "import \"confluent/type/variant.proto\";") || !strings.Contains(text, "  confluent.type.Variant v = 3;") {
		t.Errorf("got %v\n%s", err, text)
	}
	// A message that only has the name.
	own, err := compile(`syntax = "proto3"; import "v.proto"; message M { confluent.type.Variant v = 1; }`, map[string]string{"v.proto": `syntax = "proto3"; package confluent.type; message Variant { string x = 1; }`})
	if err != nil {
		t.Fatal(err)
	}
	if s, _, err := m.connect(own.Messages().Get(0), 0); err != nil || s.Field("v").Schema.Field("x") == nil {
		t.Errorf("got %v", err)
	}
}
