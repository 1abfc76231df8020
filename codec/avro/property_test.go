package avro

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/linkedin/goavro/v2"
	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/anyvalue"
)

func init() { // without these a record of six bytes takes all memory
	goavro.MaxBlockCount = 1 << 20
	goavro.MaxBlockSize = 16 << 20
}

// names gives every named type of a drawn schema another name, as Avro wants it.
type names struct {
	n        int
	enhanced bool // unions name their branches in full
	strict   bool // only what other readers of Avro take: no unions of two numbers, no scale beyond the precision
}

func (n *names) next() string {
	n.n++
	return []string{"", "com.acme.", "a."}[n.n%3] + "N" + strconv.Itoa(n.n)
}

// anySchema draws a schema of what Connect has.
func (n *names) anySchema(t *rapid.T, depth int) *data.Schema {
	kinds := 15
	if depth > 0 {
		kinds = 20
	}
	opt := rapid.Bool().Draw(t, "optional")
	var b *data.SchemaBuilder
	k := rapid.IntRange(1, kinds).Draw(t, "type")
	if k == 19 && n.strict {
		k = 20
	}
	switch k {
	case 10:
		lo, hi := -3, 70
		if n.strict {
			lo, hi = 0, 20
		}
		b = data.NewDecimalSchema(int32(rapid.IntRange(lo, hi).Draw(t, "scale")))
		if rapid.Bool().Draw(t, "has precision") {
			b.Param(precisionParam, "20")
		}
	case 11:
		b = data.NewSchema(data.Int32).Name(data.DateName).Version(1)
	case 12:
		b = data.NewSchema(data.Int32).Name(data.TimeName).Version(1)
	case 13:
		b = data.NewSchema(data.Int64).Name(data.TimestampName).Version(1)
	case 14:
		name := n.next()
		b = data.NewSchema(data.String).Name(name).Param(enumParam, name).Param(enumParam+".RED", "RED").Param(enumParam+".BLUE", "BLUE")
	case 15:
		b = data.NewSchema(data.Bytes).Name(n.next()).Param(fixedSizeParam, "3")
	case 16:
		b = data.NewArraySchema(n.anySchema(t, depth-1))
	case 17:
		b = data.NewMapSchema(data.StringSchema, n.anySchema(t, depth-1))
	case 18:
		// Its pairs are a record, which needs a name of its own.
		key := rapid.SampledFrom([]*data.Schema{data.Int32Schema, data.OptionalStringSchema, data.Int8Schema, data.TimestampSchema}).Draw(t, "key")
		b = data.NewMapSchema(key, n.anySchema(t, depth-1)).Name(n.next())
	case 19:
		b = n.union(t, depth)
	case 20:
		b = data.NewStructSchema()
		if rapid.Bool().Draw(t, "named") {
			b.Name(n.next()).Version(2).Doc("doc")
		}
		for i := range rapid.IntRange(0, 12).Draw(t, "fields") {
			b.Field(fmt.Sprintf("f%d", i), n.anySchema(t, depth-1))
		}
	default:
		b = data.NewSchema(data.Type(k))
		if rapid.Bool().Draw(t, "attributes") {
			b.Name(rapid.SampledFrom([]string{"", "n", "com.acme.X"}).Draw(t, "name")).Doc("doc").Version(3).Param("p", "v")
		}
	}
	s, err := b.SetOptional(opt).Build()
	if err != nil {
		t.Fatal(err)
	}
	// JSON has one form for a union's branches: such a default is lost, as in Java.
	if rapid.IntRange(0, 5).Draw(t, "default") > 0 || hasUnion(s) {
		return s
	}
	def := anyValue(t, s.With(false, data.Null))
	if st := def.Struct(); st != nil {
		def = data.OfStruct(data.NewStruct(s, st.Values()))
	}
	if withDef, err := b.Default(def).Build(); err == nil {
		return withDef
	}
	return s
}

func (n *names) union(t *rapid.T, depth int) *data.SchemaBuilder {
	b := data.NewStructSchema().Name(unionName)
	used := rapid.Permutation([]string{"int", "long", "string", "bytes", "boolean", "double", "record", "enum"}).Draw(t, "branches")
	for _, name := range used[:rapid.IntRange(2, 6).Draw(t, "branches used")] {
		var m *data.SchemaBuilder
		switch name {
		case "record", "enum":
			full := n.next()
			if name = full; !n.enhanced {
				_, name = (&options{}).split(full)
			}
			if used[0] < used[1] {
				m = data.NewStructSchema().Name(full).Field("in", n.anySchema(t, depth-1))
			} else {
				m = data.NewSchema(data.String).Name(full).Param(enumParam, full).Param(enumParam+".A", "A")
				if !n.enhanced { // then an enum is a string
					if name = "string"; hasField(b, "string") {
						continue
					}
				}
			}
		case "int":
			m = data.NewSchema(data.Int32)
		case "long":
			m = data.NewSchema(data.Int64)
		case "string":
			if hasField(b, "string") {
				continue
			}
			m = data.NewSchema(data.String)
		case "bytes":
			m = data.NewSchema(data.Bytes)
		case "boolean":
			m = data.NewSchema(data.Boolean)
		case "double":
			m = data.NewSchema(data.Float64)
		}
		b.Field(name, m.Optional().MustBuild())
	}
	return b.Field("float", data.OptionalFloat32Schema) // a union of one would come back as what is in it
}

func anyValue(t *rapid.T, s *data.Schema) data.Value {
	d := anyvalue.Values{Union: isUnion, Special: func(t *rapid.T, s *data.Schema) (data.Value, bool) {
		switch {
		case isEnum(s):
			return data.OfString(s.Params()[1].Value), true
		case isFixed(s) && s.Logical() == data.NotLogical:
			return data.OfBytes(rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "bytes")), true
		}
		return data.Null, false
	}}
	return d.Draw(t, s)
}

// TestRoundTrip: what is written is read as it was, schema and value, with and
// without enums and full names in the Avro schema.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := defaults()
		o.enhanced = rapid.Bool().Draw(t, "enhanced")
		s := (&names{enhanced: o.enhanced}).anySchema(t, 3)
		a, err := o.avroSchema(s)
		if err != nil {
			t.Fatal(err)
		}
		text, err := a.Print()
		if err != nil {
			t.Fatal(err)
		}
		e, err := o.encoderFor(s, a)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			v := anyValue(t, s)
			if v.IsNull() {
				continue // is no record at all
			}
			b, err := (&run{}).encode(nil, e, v)
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			gs, gv, err := decodeWith(o, text, b)
			if err != nil {
				t.Fatalf("%v in %x of %s", err, b, text)
			}
			if s.Optional() && !isUnion(s) && !gs.Optional() {
				gs = gs.With(true, gs.Default())
			}
			if !sameSchema(gs, s) {
				again, _ := o.avroSchema(gs)
				t.Fatalf("the schema came back as another one:\n%s\n%s", text, mustPrint(again))
			}
			if !sameValue(gv, v) {
				t.Fatalf("%v became %v by %s", v, gv, text)
			}
		}
	})
}

func mustPrint(a *schema.Schema) string {
	if a == nil {
		return "none"
	}
	text, _ := a.Print()
	return text
}

// sameSchema compares everything but the parameter by which Confluent's converter
// remembers that a union of three has null for its default.
func sameSchema(a, b *data.Schema) bool {
	if a == nil || b == nil {
		return a == b
	}
	av, aok := a.Version()
	bv, bok := b.Version()
	if a.Type() != b.Type() || a.Optional() != b.Optional() || av != bv || aok != bok || a.Name() != b.Name() || a.Doc() != b.Doc() ||
		len(a.Fields()) != len(b.Fields()) || !sameValue(a.Default(), b.Default()) {
		return false
	}
	for _, p := range append(a.Params()[:len(a.Params()):len(a.Params())], b.Params()...) {
		pa, _ := a.Param(p.Key)
		pb, _ := b.Param(p.Key)
		if pa != pb && (p.Key != fieldDefaultParam || !isUnion(a)) {
			return false
		}
	}
	for i := range a.Fields() {
		if a.Fields()[i].Name != b.Fields()[i].Name || !sameSchema(a.Fields()[i].Schema, b.Fields()[i].Schema) {
			return false
		}
	}
	return sameSchema(a.KeySchema(), b.KeySchema()) && sameSchema(a.ValueSchema(), b.ValueSchema())
}

func hasUnion(s *data.Schema) bool {
	if s == nil {
		return false
	}
	has := isUnion(s) || hasUnion(s.ValueSchema())
	for _, f := range s.Fields() {
		has = has || hasUnion(f.Schema)
	}
	return has
}

// sameValue compares values; the schema of a struct that is a default has no default.
func sameValue(a, b data.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case data.KindStruct:
		for i := range a.Struct().Values() {
			if !sameValue(a.Struct().At(i), b.Struct().At(i)) {
				return false
			}
		}
		return len(a.Struct().Values()) == len(b.Struct().Values())
	case data.KindArray:
		for i := range a.Elems() {
			if !sameValue(a.Elems()[i], b.Elems()[i]) {
				return false
			}
		}
		return len(a.Elems()) == len(b.Elems())
	case data.KindMap:
		for _, e := range a.Map().Entries() {
			v, ok := b.Map().GetKey(e.Key)
			if !ok || !sameValue(e.Value, v) {
				return false
			}
		}
		return a.Map().Len() == b.Map().Len()
	case data.KindFloat32, data.KindFloat64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	}
	return a.Equal(b)
}

func hasField(b *data.SchemaBuilder, name string) bool {
	s, err := b.Build()
	return err == nil && s.Field(name) != nil
}
