package json

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/anyvalue"
	"github.com/troupeio/troupe/internal/golden"
)

// anySchema draws a schema that JSON can carry there and back.
func anySchema(t *rapid.T, depth int) *data.Schema {
	kinds := 13
	if depth > 0 {
		kinds = 16
	}
	opt := rapid.Bool().Draw(t, "optional")
	var b *data.SchemaBuilder
	switch k := rapid.IntRange(1, kinds).Draw(t, "type"); k {
	case 10:
		b = data.NewDecimalSchema(int32(rapid.IntRange(-3, 6).Draw(t, "scale")))
	case 11:
		b = data.NewSchema(data.Int32).Name(data.DateName).Version(1)
	case 12:
		b = data.NewSchema(data.Int32).Name(data.TimeName).Version(1)
	case 13:
		b = data.NewSchema(data.Int64).Name(data.TimestampName).Version(1)
	case 14:
		b = data.NewArraySchema(anySchema(t, depth-1))
	case 15:
		key := data.StringSchema
		if rapid.Bool().Draw(t, "int keys") {
			key = data.Int32Schema
		}
		b = data.NewMapSchema(key, anySchema(t, depth-1))
	case 16:
		b = data.NewStructSchema()
		for i := range rapid.IntRange(0, 12).Draw(t, "fields") {
			b.Field(fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"f", "é", `q"`, "\n"}).Draw(t, "field"), i), anySchema(t, depth-1))
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
	return s
}

func anyValue(t *rapid.T, s *data.Schema) data.Value {
	d := anyvalue.Values{JSONFloats: true}
	return d.Draw(t, s)
}

// TestRoundTrip: what is written is read as it was, by the fast reader, and by
// way of the tree all the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySchema(t, 3)
		config := map[string]string{DecimalSetting: rapid.SampledFrom([]string{"BASE64", "NUMERIC"}).Draw(t, "format")}
		c, err := New(config, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			v := anyValue(t, s)
			prefix := []byte("before")
			out, err := c.FromConnect("t", s, v, prefix[:len(prefix):len(prefix)])
			if err != nil {
				t.Fatal(err)
			}
			text := out[len(prefix):]
			gs, gv, err := c.ToConnect("t", text)
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if config[DecimalSetting] == "NUMERIC" && strings.Contains(string(text), data.DecimalName) {
				// The scale comes from the number's text: 1E+2 has another one
				// than 100. What is written once more is the same.
				again, err := c.FromConnect("t", gs, gv, nil)
				if err != nil || !bytes.Equal(again, text) {
					t.Fatalf("%s became %s, %v", text, again, err)
				}
			} else if d := golden.Diff(s, v, gs, gv); d != "" {
				t.Fatalf("%s: %s", text, d)
			}
			ts, tv, err := c.byTree(text)
			if err != nil {
				t.Fatal(err)
			}
			if d := golden.Diff(gs, gv, ts, tv); d != "" {
				t.Fatalf("the tree differs on %s: %s", text, d)
			}
		}
	})
}

// sameAsTree checks that the fast reader, where it takes a document, reads what
// the tree reads.
func sameAsTree(t testing.TB, config map[string]string, in []byte) {
	c, err := New(config, false)
	if err != nil {
		t.Fatal(err)
	}
	fs, fv, ferr := c.ToConnect("t", in)
	for range 2 { // the second time with the schema known
		s, v, err := c.ToConnect("t", in)
		if (err == nil) != (ferr == nil) || err != nil && err.Error() != ferr.Error() {
			t.Fatalf("%q: %v, then %v", in, ferr, err)
		}
		if d := golden.Diff(fs, fv, s, v); err == nil && d != "" {
			t.Fatalf("%q differs the second time: %s", in, d)
		}
	}
	if text, ok := toUTF8(in); ok && in != nil {
		s, v, err := c.byTree(text)
		if (err == nil) != (ferr == nil) {
			t.Fatalf("%q: %v, by tree %v", in, ferr, err)
		}
		if err == nil {
			if d := golden.Diff(s, v, fs, fv); d != "" {
				t.Fatalf("%q: by tree %s", in, d)
			}
			// What was read can be written, but for what Java cannot write either.
			if out, err := c.FromConnect("t", s, v, nil); err == nil && out != nil {
				if _, _, err := c.ToConnect("t", out); err != nil && !strings.Contains(string(out), "Decimal") {
					t.Fatalf("%q was written as %q, which is %v", in, out, err)
				}
			}
		}
	}
}

func FuzzToConnect(f *testing.F) {
	golden.Lines(f, "json_converter.jsonl", func(line []byte) {
		if i := bytes.Index(line, []byte(`"input":{"utf8":"`)); i >= 0 && len(line) < 2000 {
			s := line[i+len(`"input":{"utf8":`):]
			l := lexer{in: s}
			if text, ok := l.str(); ok {
				f.Add(bytes.Clone(text))
			}
		}
	})
	for _, s := range []string{"", " ", "\xff\xfe5\x00", "\xef\xbb\xbf5", "\x00\x00\x005", strings.Repeat("[", 1001), `"\ud83d\ude00\ud83d"`, "\"\xed\xa0\xbd\xed\xb8\x80\"", "1e99999999999", "-", `{"a":1,"a":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		sameAsTree(t, nil, in)
		sameAsTree(t, map[string]string{SchemasEnableSetting: "false"}, in)
	})
}

// TestSchemaIsShared: records with one schema text, or with texts of an equal
// schema, get one schema.
func TestSchemaIsShared(t *testing.T) {
	c, err := New(map[string]string{CacheSizeSetting: "2"}, false)
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) *data.Schema {
		s, _, err := c.ToConnect("t", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := read(`{"schema":{"type":"int32"},"payload":1}`)
	for name, text := range map[string]string{
		"again":         `{"schema":{"type":"int32"},"payload":2}`,
		"payload first": `{"payload":3,"schema":{"type":"int32"}}`,
		"other text":    `{"schema":{"type":"int32","optional":false},"payload":4}`,
	} {
		if s := read(text); s != first {
			t.Errorf("%s: another schema", name)
		}
	}
	for i := range 10 { // more than the cache holds
		s := read(fmt.Sprintf(`{"schema":{"type":"int32","doc":"%d"},"payload":1}`, i))
		if s.Doc() != fmt.Sprint(i) {
			t.Errorf("schema %d is that of %s", i, s.Doc())
		}
		if len(c.read) > 2 {
			t.Fatalf("%d schemas are kept, want 2 at most", len(c.read))
		}
	}
}

// TestReading covers what the vectors leave out of Jackson's ways.
func TestReading(t *testing.T) {
	c, err := New(map[string]string{SchemasEnableSetting: "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in   string
		want data.Value
		fail bool
	}{
		"white space only":       {" \n", data.Null, false},
		"empty":                  {"", data.Null, false},
		"exponent too long":      {"1e99999999999", data.Null, true},
		"exponent within":        {"1e2147483647", data.OfFloat64(math.Inf(1)), false},
		"exponent over":          {"1e2147483648", data.Null, true},
		"depth 1001":             {strings.Repeat("[", 1001) + strings.Repeat("]", 1001), data.Null, true},
		"surrogates, escaped":    {`"\ud83d\uDE00"`, data.OfString("😀"), false},
		"surrogates, raw":        {"\"\xed\xa0\xbd\xed\xb8\x80\"", data.OfString("😀"), false},
		"lone surrogate":         {`"\ud83dx"`, data.OfString("\ufffdx"), false},
		"utf-32, no mark":        {"\x00\x00\x005", data.OfInt64(5), false},
		"utf-16, no mark":        {"\x005", data.OfInt64(5), false},
		"true and a bracket":     {"true]", data.OfBool(true), false},
		"true and a digit":       {"true1", data.Null, true},
		"number and a bracket":   {"5]", data.Null, true},
		"string and anything":    {`"a"b`, data.OfString("a"), false},
		"leading zeros are free": {strings.Repeat("0", 2000) + "5", data.OfInt64(5), false},
		"wrapped":                {"-12345678901234567890", data.OfInt64(6101065172474983726), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, v, err := c.ToConnect("t", []byte(tc.in))
			if (err != nil) != tc.fail || !v.Equal(tc.want) {
				t.Errorf("got %v, %v; want %v, failing %v", v, err, tc.want, tc.fail)
			}
		})
	}
}
