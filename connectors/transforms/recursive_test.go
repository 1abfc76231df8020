package transforms

import (
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// TestFlattenRecursive: a struct that contains itself has no end of fields.
func TestFlattenRecursive(t *testing.T) {
	b := data.NewStructSchema().Name("Node")
	s := b.Field("v", data.Int32Schema).Field("next", b.Self(true)).MustBuild()
	reg, err := connectors.NewRegistry(Plugins())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := reg.Find(pkg+"Flatten$Value", connectors.TransformationKind)
	if !ok {
		t.Fatal("no Flatten")
	}
	flatten, err := p.NewTransformation(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := data.NewSourceRecord(nil, data.SourceOffset{}, "t", s, data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt32(1), data.Null})))
	if _, err := flatten.Apply(&r); err == nil || connectors.ClassOf(err) != connectors.Poison {
		t.Errorf("got %v", err)
	}
}
