package avro

import (
	"encoding/hex"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/troupeio/troupe/codec/data"
)

// withRegistry returns a converter with a registry of its own.
func withRegistry(t testing.TB, config map[string]string) (*Converter, *srfake.Registry) {
	t.Helper()
	reg := srfake.New()
	t.Cleanup(reg.Close)
	return converter(t, reg, config, false), reg
}

func converter(t testing.TB, reg *srfake.Registry, config map[string]string, isKey bool) *Converter {
	t.Helper()
	all := map[string]string{"schema.registry.url": reg.URL(), "max.retries": "0"}
	for k, v := range config {
		all[k] = v
	}
	c, err := New(all, isKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Bind(t.Context())
	return c
}

func person() (*data.Schema, data.Value) {
	s := data.NewStructSchema().Name("com.acme.Person").Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema).MustBuild()
	return s, data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt64(7), data.OfString("Ada")}))
}

// TestThereAndBack is the whole way: registered, written in the wire format, read by
// another converter by the id.
func TestThereAndBack(t *testing.T) {
	c, reg := withRegistry(t, nil)
	s, v := person()
	b, err := c.FromConnect("people", s, v, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b[len("before"):]); got != "0000000001"+"0e"+"02"+"06416461" {
		t.Errorf("wrote %s", got)
	}
	gs, gv, err := converter(t, reg, nil, false).ToConnect("people", b[len("before"):])
	if err != nil || !sameValue(gv, v) {
		t.Fatalf("read %v, %v", gv, err)
	}
	if version, ok := gs.Version(); version != 1 || !ok || gs.Name() != "com.acme.Person" {
		t.Errorf("the schema is %v, version %d", gs, version)
	}
}

// TestNulls: a null is a tombstone, whatever the schema, and one that the schema has
// no room for is an error.
func TestNulls(t *testing.T) {
	c, _ := withRegistry(t, nil)
	for _, s := range []*data.Schema{nil, data.OptionalStringSchema} {
		if b, err := c.FromConnect("t", s, data.Null, nil); b != nil || err != nil {
			t.Errorf("null of %v became %v, %v", s, b, err)
		}
	}
	if _, err := c.FromConnect("t", data.StringSchema, data.Null, nil); err == nil || err.Error() != "Found null value for non-optional schema" {
		t.Errorf("a null of a required string: %v", err)
	}
	if s, v, err := c.ToConnect("t", nil); s != nil || !v.IsNull() || err != nil {
		t.Errorf("no bytes are %v, %v, %v", s, v, err)
	}
}

// TestTopLevel: what is no record goes there and back too. Confluent's serializers
// write bytes without their length.
func TestTopLevel(t *testing.T) {
	c, _ := withRegistry(t, nil)
	for name, tc := range map[string]struct {
		s    *data.Schema
		v    data.Value
		hex  string
		read *data.Schema
	}{
		"string":          {data.StringSchema, data.OfString("é"), "04c3a9", data.NewSchema(data.String).Version(1).MustBuild()},
		"optional int":    {data.OptionalInt32Schema, data.OfInt32(-1), "0201", data.NewSchema(data.Int32).Optional().MustBuild()},
		"bytes":           {data.BytesSchema, data.OfBytes([]byte{1, 2}), "0102", data.NewSchema(data.Bytes).Version(1).MustBuild()},
		"optional bytes":  {data.OptionalBytesSchema, data.OfBytes([]byte{1, 2}), "02040102", data.OptionalBytesSchema},
		"decimal":         {data.NewDecimalSchema(2).MustBuild(), data.OfDecimal(data.NewDecimal(-129, 2)), "ff7f", data.NewDecimalSchema(2).MustBuild()},
		"schemaless long": {nil, data.OfInt64(5), "00000000000" + "20a000000", nil},
		"schemaless": {nil, data.OfMap(data.NewStringMap("a", data.OfArray([]data.Value{data.OfBool(true), data.Null}))),
			"0000000000000000" + "0202" + "000000000000" + "020261" + "0000" + "00000000000000" + "0204" + "02010000000000000000" + "000000000000000000" + "00" + "00" + "00", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := c.FromConnect("top-"+name, tc.s, tc.v, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b[5:]); got != tc.hex {
				t.Errorf("wrote %s, not %s", got, tc.hex)
			}
			s, v, err := c.ToConnect("top-"+name, b)
			if err != nil || !v.Equal(tc.v) {
				t.Errorf("read %v, %v", v, err)
			}
			if !s.Equal(tc.read) {
				version, _ := s.Version()
				t.Errorf("read the schema %v, version %d", s, version)
			}
		})
	}
}
