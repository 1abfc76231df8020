package json

import (
	"strconv"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

func smallStruct() (*data.Schema, data.Value) {
	s := data.NewStructSchema().Name("orders").
		Field("id", data.Int64Schema).Field("customer", data.StringSchema).
		Field("amount", data.Float64Schema).Field("paid", data.OptionalBooleanSchema).MustBuild()
	return s, data.OfStruct(data.NewStruct(s, []data.Value{data.OfInt64(123456), data.OfString("Erika Mustermann"), data.OfFloat64(42.5), data.OfBool(true)}))
}

// largeStruct is a record whose JSON is about 1 KB.
func largeStruct() (*data.Schema, data.Value) {
	b := data.NewStructSchema().Name("wide")
	var vals []data.Value
	for i := range 24 {
		name := "field_" + string(rune('a'+i))
		switch i % 4 {
		case 0:
			b.Field(name, data.Int32Schema)
			vals = append(vals, data.OfInt32(int32(i)*1_000_003))
		case 1:
			b.Field(name, data.Float64Schema)
			vals = append(vals, data.OfFloat64(float64(i)*1.37))
		case 2:
			b.Field(name, data.OptionalStringSchema)
			vals = append(vals, data.OfString(strings.Repeat("text é ", 12)))
		default:
			b.Field(name, data.TimestampSchema)
			vals = append(vals, data.OfDate(1_700_000_000_000+int64(i)))
		}
	}
	s := b.MustBuild()
	return s, data.OfStruct(data.NewStruct(s, vals))
}

func bench(b *testing.B, config map[string]string, make func() (*data.Schema, data.Value)) {
	s, v := make()
	c, err := New(config, false)
	if err != nil {
		b.Fatal(err)
	}
	text, err := c.FromConnect("t", s, v, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("FromConnect", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		dst := []byte{}
		for b.Loop() {
			dst, _ = c.FromConnect("t", s, v, dst[:0])
		}
	})
	b.Run("ToConnect", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, _, err := c.ToConnect("t", text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEnvelope4Fields(b *testing.B) { bench(b, nil, smallStruct) }
func BenchmarkEnvelope1KB(b *testing.B)     { bench(b, nil, largeStruct) }
func BenchmarkPlain4Fields(b *testing.B) {
	bench(b, map[string]string{SchemasEnableSetting: "false"}, smallStruct)
}
func BenchmarkPlain1KB(b *testing.B) {
	bench(b, map[string]string{SchemasEnableSetting: "false"}, largeStruct)
}

// BenchmarkPayloadFirst reads an envelope whose schema comes last.
func BenchmarkPayloadFirst(b *testing.B) {
	s, v := smallStruct()
	c, _ := New(nil, false)
	text, _ := c.FromConnect("t", s, v, nil)
	at := strings.Index(string(text), `,"payload":`)
	turned := []byte(`{` + string(text[at+1:len(text)-1]) + `,` + string(text[1:at]) + `}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.ToConnect("t", turned); err != nil {
			b.Fatal(err)
		}
	}
}

// orderText is a record as web services make them.
const orderText = `{"id":7001,"customer":"Ada Lovelace","email":"ada@example.com","quantity":12,"price":19.99,"paid":true,"note":null,` +
	`"created":1483425001864,"changed":1483428601864,"address":{"street":"12 St James's Square","city":"London","zip":10115},` +
	`"tags":["first","gift","express"]}`

// BenchmarkPlainOrder reads an order without a schema, and one whose members are
// all unknown.
func BenchmarkPlainOrder(b *testing.B) {
	c, err := New(map[string]string{SchemasEnableSetting: "false"}, false)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		text := []byte(orderText)
		for b.Loop() {
			if _, _, err := c.ToConnect("t", text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unknown", func(b *testing.B) {
		b.ReportAllocs()
		texts := make([][]byte, 1024)
		for i := range texts {
			texts[i] = []byte(strings.ReplaceAll(orderText, `":`, strconv.Itoa(i)+`":`))
		}
		i := 0
		for b.Loop() {
			if _, _, err := c.ToConnect("t", texts[i&1023]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
