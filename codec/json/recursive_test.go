package json

import (
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// TestRecursiveSchema: a value whose schema contains itself is JSON as any other; the
// schema has no end and is refused.
func TestRecursiveSchema(t *testing.T) {
	b := data.NewStructSchema().Name("Node")
	next := b.Self(true)
	s := b.Field("v", data.Int32Schema).Field("next", next).MustBuild()
	node := func(s *data.Schema, n int32, next data.Value) data.Value {
		return data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt32(n), next}))
	}
	v := node(s, 1, node(next, 2, node(next, 3, data.Null)))
	plain, _ := New(map[string]string{SchemasEnableSetting: "false"}, false)
	for range 2 {
		got, err := plain.FromConnect("t", s, v, nil)
		if want := `{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}`; string(got) != want || err != nil {
			t.Errorf("got %s, %v", got, err)
		}
	}
	full, _ := New(nil, false)
	if _, err := full.FromConnect("t", s, v, nil); err == nil {
		t.Error("a schema without an end was written")
	}
}
