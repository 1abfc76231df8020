package avro

import (
	"runtime"
	"testing"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// hostile is a schema with everything whose length the bytes decide, and that
// contains itself.
const hostile = `{"type":"record","name":"N","fields":[
	{"name":"text","type":"string"},{"name":"bytes","type":"bytes"},
	{"name":"list","type":{"type":"array","items":"string"}},
	{"name":"empty","type":{"type":"array","items":{"type":"record","name":"E","fields":[]}}},
	{"name":"map","type":{"type":"map","values":["null","double"]}},
	{"name":"pairs","type":{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"boolean"}]}}},
	{"name":"fixed","type":{"type":"fixed","name":"F","size":4}},
	{"name":"enum","type":{"type":"enum","name":"C","symbols":["A","B"]}},
	{"name":"decimal","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
	{"name":"union","type":["null","int","string","float"]},
	{"name":"next","type":["null","N"]}]}`

func hostilePlan(t testing.TB) *decoder {
	t.Helper()
	a, err := schema.Parse(hostile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := defaults().connectSchema(a, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := decoderFor(a, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// FuzzDecode: whatever the bytes claim, nothing panics, and what is allocated is in
// proportion to them.
func FuzzDecode(f *testing.F) {
	d := hostilePlan(f)
	f.Add([]byte{})
	f.Add([]byte{2, 'x', 2, 1, 2, 2, 'a', 0, 2, 0, 2, 2, 'k', 0, 0, 2, 4, 1, 0, 1, 2, 3, 4, 2, 2, 5, 2, 8, 0})
	f.Add([]byte{0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, rest, err := decodeRecord(d, b, new(data.Arena))
		runtime.ReadMemStats(&after)
		// An item without bytes costs a struct and its slot.
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(b))*1000+emptyItems*200 {
			t.Errorf("%d bytes took %d", len(b), used)
		}
		if err != nil {
			return
		}
		if err := data.ValidateValue(d.schema, v); err != nil {
			t.Errorf("%x was read as what its schema does not allow: %v", b[:len(b)-len(rest)], err)
		}
	})
}

// FuzzSchema: a text that is taken for a schema can be mapped, compiled and printed,
// and its print is the same schema.
func FuzzSchema(f *testing.F) {
	for _, text := range []string{hostile, `"int"`, `["null",{"type":"long","logicalType":"timestamp-millis"}]`, `{"type":"map","values":"string"}`,
		`{"type":"record","name":"A","fields":[{"name":"a","type":"A","default":{"a":1}}]}`,
		`{"type":"record","name":"a.B","doc":"d","fields":[{"name":"x","type":["int","null"],"default":1,"order":"ignore","aliases":["y"]}],"connect.version":2}`,
		`{"type":{"type":"int","connect.type":"int8","connect.default":3}}`} {
		f.Add(text, []byte{0, 1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		a, err := schema.Parse(text)
		if err != nil {
			return
		}
		printed, err := a.Print()
		if err != nil {
			return // one name for two types, by way of references
		}
		again, err := schema.Parse(printed)
		if err != nil {
			t.Fatalf("%s was printed as %s: %v", text, printed, err)
		}
		if twice, _ := again.Print(); twice != printed {
			t.Fatalf("%s was printed as\n%s and then as\n%s", text, printed, twice)
		}
		for _, o := range []*options{defaults(), {metadata: true, enhanced: true}, {sumTypes: true, discardDocs: true}} {
			s, err := o.connectSchema(a, 1)
			if err != nil {
				continue
			}
			d, err := decoderFor(a, s)
			if err != nil {
				continue
			}
			v, _, err := decodeRecord(d, b, new(data.Arena))
			if err != nil || s == nil {
				continue
			}
			// What was read can be written, by the schema that it was read with.
			e, err := o.encoderFor(s, a)
			if err != nil {
				continue
			}
			_, _ = (&run{}).encode(nil, e, v)
		}
	})
}

// TestHostileLengths: a few bytes that claim 2 GB, and a record that contains itself
// for as long as there are bytes.
func TestHostileLengths(t *testing.T) {
	d := hostilePlan(t)
	deep := []byte{}
	for range 100_000 {
		deep = append(deep, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 2, 1, 0, 2)
	}
	for name, b := range map[string][]byte{
		"string":           {0xfe, 0xff, 0xff, 0xff, 0x0f},
		"bytes":            {0, 0xfe, 0xff, 0xff, 0xff, 0x0f},
		"array":            {0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f},
		"negative block":   {0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 2, 0},
		"least block":      {0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
		"items of nothing": {0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f},
		"blocks of nothing": append([]byte{0, 0, 0}, func() (b []byte) {
			for range 40 {
				b = append(b, 0x80, 0x80, 8) // 65536 items
			}
			return b
		}()...),
		"map":            {0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f},
		"negative":       {1},
		"too long a int": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"depth":          deep,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := decodeRecord(d, b, new(data.Arena))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("it was read")
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("%d bytes took %d", len(b), used)
			}
		})
	}
}
