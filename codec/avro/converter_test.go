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
