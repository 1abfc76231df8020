package codec

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

func TestDeepLiteralsAreNotRead(t *testing.T) {
	text := strings.Repeat("[", 1_000_000)
	s, v, err := new(SimpleHeaderConverter).ToConnectHeader("t", "h", []byte(text))
	if err != nil || s != data.BytesSchema || len(v.Bytes()) != len(text) {
		t.Errorf("got schema %s, %v", s, err)
	}
	if s, v := ParseString(text); s != data.StringSchema || v.Str() != text {
		t.Errorf("got schema %s", s)
	}
}

func TestLiteralSchemas(t *testing.T) {
	str := func(text string) string { return "STRING " + text }
	for text, want := range map[string]string{
		"\t]":                           str("\t]"), // the blank before a delimiter is no literal of its own
		" \"x\"":                        str(" \"x\""),
		"  ":                            str("  "),
		"[true,1,true]":                 "ARRAY(null) [true, 1, true]", // once there is no common schema there is none
		"[1,99999999999999999999,1]":    "ARRAY(null) [1, 99999999999999999999, 1]",
		"[1,70000,1.5,2]":               "ARRAY(FLOAT32) [1.0, 70000.0, 1.5, 2.0]",
		"{\"a\":1,\"b\":\"x\",\"c\":1}": "MAP(STRING:null) {a=1, b=x, c=1}",
		"[[1,2],[3],4]":                 "ARRAY(null) [[1, 2], [3], 4]",
	} {
		s, v := ParseString(text)
		got := s.Type().String()
		name := func(s *data.Schema) string {
			if s == nil {
				return "null"
			}
			return s.Type().String()
		}
		switch s.Type() {
		case data.Array:
			got += "(" + name(s.ValueSchema()) + ")"
		case data.Map:
			got += "(" + name(s.KeySchema()) + ":" + name(s.ValueSchema()) + ")"
		}
		if got += " " + v.String(); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// Java's calendar carries over in the calendar of the year that is written.
func TestLiteralDates(t *testing.T) {
	for text, want := range map[string]int64{
		"1-1-600001":               -10295769600000, // Julian throughout
		"1587--53-6":               -12227155200000, // so far back that it is Julian
		"1582-9-41T131:596:477.5Z": -12219130562995, // the hours reach the Gregorian calendar
		"2019-02-30":               1551484800000,
	} {
		if _, v := ParseString(text); v.Kind() != data.KindDate || v.Int() != want {
			t.Errorf("%s is %d, want %d", text, v.Int(), want)
		}
	}
}

func TestHugeExponents(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want data.Value
	}{
		"beyond every number": {"1e999999999", data.OfInt64(0)},
		"below every number":  {"1e-999999999", data.OfInt64(0)},
		"zero":                {"0e999999999", data.OfInt64(0)},
		"cut":                 {"-123.99", data.OfInt64(-123)},
		"wrapped":             {"18446744073709551617", data.OfInt64(1)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ConvertToLong(data.StringSchema, data.OfString(tc.text))
			if err != nil || !got.Equal(tc.want) {
				t.Errorf("got %v, %v; want %v", got, err, tc.want)
			}
		})
	}
	if _, ok := ParseDecimal("1e2147483648"); ok {
		t.Error("took an exponent that BigDecimal refuses")
	}
}

// TestLiteralsRoundTrip: arrays and maps of one type of element come back with
// the same text. (Of mixed elements Kafka's parser makes what it can.)
func TestLiteralsRoundTrip(t *testing.T) {
	var value func(t *rapid.T, kind, depth int) data.Value
	value = func(t *rapid.T, kind, depth int) data.Value {
		switch {
		case kind == 0:
			return data.OfInt64(rapid.Int64().Draw(t, "n"))
		case kind == 1:
			return data.OfBool(rapid.Bool().Draw(t, "b"))
		case kind == 2 || depth == 0:
			return data.OfString(rapid.StringMatching(`[a-z,:{}\[\]]{1,8}`).Draw(t, "s"))
		}
		inner := rapid.IntRange(0, 4).Draw(t, "kind")
		n := rapid.IntRange(0, 3).Draw(t, "len")
		if kind == 3 {
			out := []data.Value{}
			for range n {
				out = append(out, value(t, inner, depth-1))
			}
			return data.OfArray(out)
		}
		var b data.MapBuilder
		for range n {
			b.PutString(rapid.StringMatching("[a-z]{1,5}").Draw(t, "key"), value(t, inner, depth-1))
		}
		return data.OfMap(b.Build())
	}
	rapid.Check(t, func(t *rapid.T) {
		v := value(t, rapid.IntRange(3, 4).Draw(t, "kind"), 4)
		c := SimpleHeaderConverter{}
		text, err := c.FromConnectHeader("t", "h", nil, v)
		if err != nil {
			t.Fatal(err)
		}
		s, got, err := c.ToConnectHeader("t", "h", text)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind() != v.Kind() {
			t.Fatalf("%s became %s", text, s)
		}
		again, err := c.FromConnectHeader("t", "h", s, got)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%s became %s, %v", text, again, err)
		}
	})
}

func FuzzSimpleHeader(f *testing.F) {
	for _, s := range []string{"", "null", `{"a":[1,null]}`, "12:34", "2019-13-45T99:99:99.999Z", "1e99999999999", `"\`, "[\x00", "٥"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkPlain(t, string(b))
		c := SimpleHeaderConverter{}
		s, v, err := c.ToConnectHeader("t", "h", b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.FromConnectHeader("t", "h", s, v); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCharsets(t *testing.T) {
	for name, tc := range map[string]struct{ charset, text, bytes string }{
		"utf-16 has a mark":        {"UTF-16", "a😀", "\xfe\xff\x00a\xd8\x3d\xde\x00"},
		"utf-16 of nothing":        {"UTF-16", "", ""},
		"utf-16le has none":        {"UTF-16LE", "a", "a\x00"},
		"windows-1252, old name":   {"Cp1252", "€é", "\x80\xe9"},
		"iso-8859-15, old name":    {"ISO8859_15", "€", "\xa4"},
		"shift_jis":                {"Shift_JIS", "日", "\x93\xfa"},
		"utf-32":                   {"UTF-32BE", "a", "\x00\x00\x00a"},
		"latin1, an alias":         {"latin1", "é", "\xe9"},
		"us-ascii":                 {"US-ASCII", "a", "a"},
		"gb18030 takes everything": {"GB18030", "日", "\xc8\xd5"},
		"EBCDIC":                   {"IBM500", "aé[Z", "\x81\x51\x4a\xe9"},
		"Java's name":              {"x-MacRoman", "é", "\x8e"},
		"a control":                {"ISO-8859-2", "\u0084", "\x84"},
		"Thai":                     {"x-IBM874", "่", "\xe8"}, // two bytes are this character; Java writes one of them
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewStringConverter(map[string]string{EncodingSetting: tc.charset}, false)
			if err != nil {
				t.Fatal(err)
			}
			b, err := c.FromConnect("t", nil, data.OfString(tc.text), nil)
			if err != nil || string(b) != tc.bytes {
				t.Errorf("wrote %q, %v; want %q", b, err, tc.bytes)
			}
			if _, v, err := c.ToConnect("t", []byte(tc.bytes)); err != nil || v.Str() != tc.text {
				t.Errorf("read %q, %v; want %q", v.Str(), err, tc.text)
			}
		})
	}
}

func TestDecodeUTF8(t *testing.T) {
	const r = "\ufffd"
	for name, tc := range map[string]struct{ in, want string }{
		"proper":                   {"hé😀", "hé😀"},
		"lone continuation":        {"a\x80b", "a" + r + "b"},
		"overlong, two bytes":      {"\xc0\x80", r + r},
		"three bytes, cut":         {"\xe4\xb8", r},
		"three bytes, second bad":  {"\xe4ab", r + "ab"},
		"three bytes, third bad":   {"\xe4\xb8b", r + "b"},
		"surrogate":                {"\xed\xa0\x80x", r + "x"},
		"four bytes, cut after 2":  {"\xf0\x9f", r},
		"four bytes, cut after 3":  {"\xf0\x9f\x98", r},
		"four bytes, fourth bad":   {"\xf0\x9f\x98x", r + "x"},
		"four bytes, second bad":   {"\xf0xyz", r + "xyz"},
		"beyond the last":          {"\xf5\x80\x80\x80", r + r + r + r},
		"five bytes are no longer": {"\xf8\x88\x80\x80\x80", r + r + r + r + r},
	} {
		t.Run(name, func(t *testing.T) {
			if got := javatext.DecodeUTF8([]byte(tc.in)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
