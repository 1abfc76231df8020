package avro

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/linkedin/goavro/v2"
	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// bare is a without what Avro's binary form does not depend on: goavro reads some of
// that otherwise than Java's Avro.
func bare(a *schema.Schema, done map[*schema.Schema]*schema.Schema) *schema.Schema {
	if a == nil {
		return nil
	}
	if b, ok := done[a]; ok {
		return b
	}
	b := &schema.Schema{Type: a.Type, Name: a.Name, Namespace: a.Namespace, Symbols: a.Symbols, Size: a.Size}
	if b.Type.Named() && b.Namespace == "" {
		b.Namespace = "none" // goavro takes an empty namespace for the one around it
	}
	done[a] = b
	b.Elem = bare(a.Elem, done)
	for _, x := range a.Branches {
		b.Branches = append(b.Branches, bare(x, done))
	}
	for _, f := range a.Fields {
		b.Fields = append(b.Fields, schema.Field{Name: f.Name, Schema: bare(f.Schema, done)})
	}
	return b
}

// native is a value as goavro takes it, derived without the plan.
func native(s *data.Schema, a *schema.Schema, v data.Value) any {
	if a.Type == schema.Union {
		if v.IsNull() {
			return nil
		}
		if isUnion(s) {
			for i, x := range v.Struct().Values() {
				if !x.IsNull() {
					at := i
					if a.Branches[0].Type == schema.Null {
						at++
					}
					return goavro.Union(a.Branches[at].FullName(), native(s.Fields()[i].Schema, a.Branches[at], x))
				}
			}
			return nil
		}
		b := a.Branches[0]
		if b.Type == schema.Null {
			b = a.Branches[1]
		}
		return goavro.Union(b.FullName(), native(s, b, v))
	}
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		n := v.Int()
		if s.Logical() == data.LogicalDate {
			n /= millisPerDay
		}
		if a.Type == schema.Int {
			return int32(n)
		}
		return n
	case data.Float32:
		return float32(v.Float())
	case data.Float64:
		return v.Float()
	case data.Boolean:
		return v.Bool()
	case data.String:
		return v.Str()
	case data.Bytes:
		if d := v.Decimal(); d != nil {
			return d.AppendUnscaled(nil)
		}
		return v.Bytes()
	case data.Array:
		out := []any{}
		for _, x := range v.Elems() {
			out = append(out, native(s.ValueSchema(), a.Elem, x))
		}
		return out
	case data.Map:
		if a.Type == schema.Map {
			out := map[string]any{}
			for _, e := range v.Map().Entries() {
				out[e.Key.Str()] = native(s.ValueSchema(), a.Elem, e.Value)
			}
			return out
		}
		out := []any{}
		for _, e := range v.Map().Entries() {
			out = append(out, map[string]any{"key": native(s.KeySchema(), a.Elem.Fields[0].Schema, e.Key),
				"value": native(s.ValueSchema(), a.Elem.Fields[1].Schema, e.Value)})
		}
		return out
	}
	out := map[string]any{}
	for i, f := range s.Fields() {
		out[f.Name] = native(f.Schema, a.Fields[i].Schema, v.Struct().GetAt(i))
	}
	return out
}

// TestPlanAgainstGoavro: another implementation writes the same bytes, and reads
// ours. A map's entries come in any order, so those are compared by reading.
func TestPlanAgainstGoavro(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		o := defaults()
		s := (&names{}).anySchema(t, 3)
		a, err := o.avroSchema(s)
		if err != nil {
			t.Fatal(err)
		}
		stripped := bare(a, map[*schema.Schema]*schema.Schema{})
		plain := mustPrint(stripped)
		codec, err := goavro.NewCodec(plain)
		if err != nil {
			t.Fatalf("goavro: %v in %s", err, plain)
		}
		e, err := o.encoderFor(s, a)
		if err != nil {
			t.Fatal(err)
		}
		v := anyValue(t, s)
		if v.IsNull() {
			return
		}
		ours, err := (&run{}).encode(nil, e, v)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := codec.BinaryFromNative(nil, native(s, stripped, v))
		if err != nil {
			t.Fatalf("goavro: %v for %v of %s", err, v, plain)
		}
		if !bytes.Contains([]byte(plain), []byte(`"map"`)) {
			compared++
			if !bytes.Equal(ours, theirs) {
				t.Fatalf("%v of %s is\n%x, by goavro\n%x", v, plain, ours, theirs)
			}
		}
		_, back, err := decodeWith(o, mustPrint(a), theirs)
		if err != nil || !sameValue(back, v) {
			t.Fatalf("goavro's %x of %s was read as %v, %v, not %v", theirs, plain, back, err, v)
		}
		if _, rest, err := codec.NativeFromBinary(ours); err != nil || len(rest) > 0 {
			t.Fatalf("goavro cannot read %x of %s: %v, %d bytes left", ours, plain, err, len(rest))
		}
	})
	if compared < 20 {
		t.Errorf("only %s records were compared", strconv.Itoa(compared))
	}
}
