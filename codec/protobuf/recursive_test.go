package protobuf

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// TestRecursiveSchema: a schema that contains itself, as Avro has them, is refused by name.
func TestRecursiveSchema(t *testing.T) {
	b := data.NewStructSchema().Name("Node")
	s := b.Field("next", b.Self(true)).MustBuild()
	c, _ := newConverter(t, nil)
	_, err := c.FromConnect("t", s, data.OfStruct(data.NewStruct(s, []data.Value{data.Null})), nil)
	if err == nil || !strings.Contains(err.Error(), "Node") || !strings.Contains(err.Error(), "contains itself") {
		t.Errorf("%v", err)
	}
}
