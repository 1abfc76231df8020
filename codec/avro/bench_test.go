package avro

import (
	"testing"

	"github.com/linkedin/goavro/v2"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// order is a record of fifteen fields, as they come: nullable unions, a timestamp, a
// decimal, an array, a map and a record in it.
func order() (*data.Schema, data.Value) {
	address := data.NewStructSchema().Name("bench.Address").Field("street", data.StringSchema).Field("zip", data.Int32Schema).MustBuild()
	s := data.NewStructSchema().Name("bench.Order").
		Field("id", data.Int64Schema).Field("customer", data.StringSchema).Field("email", data.OptionalStringSchema).
		Field("phone", data.OptionalStringSchema).Field("quantity", data.Int32Schema).Field("price", data.Float64Schema).
		Field("discount", data.OptionalFloat64Schema).Field("paid", data.BooleanSchema).Field("at", data.TimestampSchema).
		Field("total", data.NewDecimalSchema(2).MustBuild()).Field("tags", data.NewArraySchema(data.StringSchema).MustBuild()).
		Field("attributes", data.NewMapSchema(data.StringSchema, data.StringSchema).MustBuild()).Field("address", address).
		Field("note", data.OptionalStringSchema).Field("version", data.OptionalInt32Schema).MustBuild()
	at := data.OfStruct(data.NewStruct(address, []data.Value{data.OfString("12 Main Street"), data.OfInt32(90210)}))
	return s, data.OfStruct(data.NewStruct(s, []data.Value{
		data.OfInt64(1234567), data.OfString("Ada Lovelace"), data.OfString("ada@example.com"), data.Null, data.OfInt32(3), data.OfFloat64(19.99),
		data.OfFloat64(0.1), data.OfBool(true), data.OfDate(1_700_000_000_000), data.OfDecimal(data.NewDecimal(5397, 2)),
		data.OfArray([]data.Value{data.OfString("new"), data.OfString("priority"), data.OfString("eu")}),
		data.OfMap(data.NewStringMap("channel", data.OfString("web"), "campaign", data.OfString("spring"))), at, data.Null, data.OfInt32(2)}))
}

func BenchmarkConverter(b *testing.B) {
	c, _ := withRegistry(b, nil)
	s, v := order()
	text, err := c.FromConnect("orders", s, v, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("FromConnect", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		dst := []byte{}
		for b.Loop() {
			dst, _ = c.FromConnect("orders", s, v, dst[:0])
		}
	})
	b.Run("ToConnect", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, _, err := c.ToConnect("orders", text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkGoavro is the same record through a library's native maps, for comparison;
// the maps are made beforehand.
func BenchmarkGoavro(b *testing.B) {
	s, v := order()
	a, err := defaults().avroSchema(s)
	if err != nil {
		b.Fatal(err)
	}
	stripped := bare(a, map[*schema.Schema]*schema.Schema{})
	codec, err := goavro.NewCodec(mustText(b, stripped))
	if err != nil {
		b.Fatal(err)
	}
	ready := native(s, stripped, v)
	text, err := codec.BinaryFromNative(nil, ready)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		dst := []byte{}
		for b.Loop() {
			dst, _ = codec.BinaryFromNative(dst[:0], ready)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := codec.NativeFromBinary(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
