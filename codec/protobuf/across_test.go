package protobuf

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/avro"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/jsonschema"
	"github.com/troupeio/troupe/codec/registry"
)

// TestAcrossFormats takes a tree from each format to each other: its schema, as one
// converter reads it, is written by another, and the record is the same.
func TestAcrossFormats(t *testing.T) {
	tree := data.NewStructSchema().Name("com.acme.Tree")
	tree.Field("name", data.StringSchema).Field("kids", data.NewArraySchema(tree.Self(false)).MustBuild()).Field("next", tree.Self(true))
	s := tree.MustBuild()
	var grow func(s *data.Schema, depth int) data.Value
	grow = func(s *data.Schema, depth int) data.Value {
		kids, next := []data.Value{}, data.Null
		if depth > 0 {
			elem := s.Field("kids").Schema.ValueSchema()
			kids = append(kids, grow(elem, depth-1), grow(elem, 0))
			next = grow(s.Field("next").Schema, depth-1)
		}
		return data.OfStruct(data.NewStruct(s, []data.Value{data.OfString("n"), data.OfArray(kids), next}))
	}
	v := grow(s, 4)
	formats := []string{"avro", "protobuf", "json"}
	for _, from := range formats {
		for _, to := range formats {
			t.Run(from+" to "+to, func(t *testing.T) {
				fake := srfake.New()
				defer fake.Close()
				config := map[string]string{registry.URLSetting: fake.URL(), registry.MaxRetriesSetting: "0"}
				a, err := avro.New(config, false)
				if err != nil {
					t.Fatal(err)
				}
				j, err := jsonschema.New(config, false)
				if err != nil {
					t.Fatal(err)
				}
				p, err := New(config, false)
				if err != nil {
					t.Fatal(err)
				}
				converters := map[string]codec.Converter{"avro": a, "protobuf": p, "json": j}
				rs, rv := s, v
				for _, c := range []struct{ topic, format string }{{"a", from}, {"b", to}, {"c", from}, {"d", to}} {
					b, err := converters[c.format].FromConnect(c.topic, rs, rv, nil)
					if err != nil {
						t.Fatalf("writing %s: %v", c.format, err)
					}
					if rs, rv, err = converters[c.format].ToConnect(c.topic, b); err != nil {
						t.Fatalf("reading %s: %v", c.format, err)
					}
					if !rs.Recursive() || data.ValidateValue(rs, rv) != nil || rv.String() != v.String() {
						t.Fatalf("%s: got %v of %v, %v", c.format, rv, rs, data.ValidateValue(rs, rv))
					}
				}
			})
		}
	}
}

// TestLatestRecursive: with use.latest.version a schema that contains itself is
// compared with the newest of its subject, which comes to an end and finds what
// differs inside.
func TestLatestRecursive(t *testing.T) {
	tree := func(v *data.Schema) (*data.Schema, *data.Schema) {
		b := data.NewStructSchema().Name("com.acme.Tree")
		next := b.Self(true)
		return b.Field("v", v).Field("next", next).Field("kids", data.NewArraySchema(b.Self(false)).MustBuild()).MustBuild(), next
	}
	for _, format := range []string{"protobuf", "json"} {
		t.Run(format, func(t *testing.T) {
			fake := srfake.New()
			defer fake.Close()
			of := func(config map[string]string) codec.Converter {
				config[registry.URLSetting], config[registry.MaxRetriesSetting] = fake.URL(), "0"
				var c codec.Converter
				var err error
				if format == "json" {
					c, err = jsonschema.New(config, false)
				} else {
					c, err = New(config, false)
				}
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			s, next := tree(data.StringSchema)
			node := func(s *data.Schema, v data.Value, next data.Value) data.Value {
				return data.OfStruct(data.NewStruct(s, []data.Value{v, next, data.OfArray(nil)}))
			}
			v := node(s, data.OfString("a"), node(next, data.OfString("b"), data.Null))
			if _, err := of(map[string]string{}).FromConnect("t", s, v, nil); err != nil {
				t.Fatal(err)
			}
			latest := of(map[string]string{registry.AutoRegisterSetting: "false", registry.UseLatestSetting: "true"})
			b, err := latest.FromConnect("t", s, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, got, err := latest.ToConnect("t", b); err != nil || got.String() != v.String() {
				t.Errorf("got %v, %v", got, err)
			}
			other, _ := tree(data.Float64Schema)
			if _, err := latest.FromConnect("t", other, node(other, data.OfFloat64(1), data.Null), nil); err == nil {
				t.Error("a double was written as a string")
			}
		})
	}
}
