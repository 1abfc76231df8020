package codec

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
)

// TestPlainLiterals: what needs no parser is what the parser makes of it.
func TestPlainLiterals(t *testing.T) {
	atom := rapid.SampledFrom([]string{"null", "true", "false", " ", "1", "-", "+", ".", "e", "300", "70000", "1234567890123456789", "0",
		"a", `"`, `\`, ":", ",", "[", "]", "{", "}", "2019-01-02", "03:04:05.678Z", "T", "٥", "é", "\x00"})
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, s := range rapid.SliceOfN(atom, 0, 4).Draw(t, "text") {
			text += s
		}
		checkPlain(t, text)
	})
}

func checkPlain(t interface{ Errorf(string, ...any) }, text string) {
	s, v, ok := plainLiteral(text)
	if !ok || text == "" {
		return
	}
	var p literalParser
	if want, err := p.read(text); err != nil || !want.schema.Equal(s) || !want.value.Equal(v) {
		t.Errorf("%q is %v of %v, for the parser %v of %v, %v", text, v, s, want.value, want.schema, err)
	}
}

// TestHeadersKeepTheirMemory: what a converter has made is not written to when it
// makes more, and schemas that are equal are one.
func TestHeadersKeepTheirMemory(t *testing.T) {
	c := &SimpleHeaderConverter{}
	texts := make([]string, 3000)
	values, schemas := make([]data.Value, len(texts)), make([]*data.Schema, len(texts))
	for i := range texts {
		texts[i] = []string{fmt.Sprintf("[%d,%d,%[1]d]", i, i+1), fmt.Sprintf(`{"a":%d,"b":%d}`, i, -i), fmt.Sprintf(`[["x%d"],["y"]]`, i)}[i%3]
		var err error
		if schemas[i], values[i], err = c.ToConnectHeader("t", "h", []byte(texts[i])); err != nil {
			t.Fatal(err)
		}
	}
	written := make([][]byte, len(texts))
	for i, v := range values {
		var err error
		if written[i], err = c.FromConnectHeader("t", "h", schemas[i], v); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range texts {
		if got := string(written[i]); got != text {
			t.Fatalf("header %d is %s, was %s", i, got, text)
		}
	}
	if s := schemas[len(texts)-3]; s != schemas[len(texts)-6] || s.ValueSchema() != data.Int16Schema {
		t.Errorf("two arrays of %v have two schemas", s)
	}
}

func TestLongHeadersAreLetGo(t *testing.T) {
	c := &SimpleHeaderConverter{}
	for _, text := range []string{"[" + strings.Repeat("1,", 100_000) + "1]", "{" + strings.Repeat("1:1,", 100_000) + "1:1}"} {
		if _, v, err := c.ToConnectHeader("t", "h", []byte(text)); err != nil || v.Kind() == data.KindString {
			t.Fatalf("read %s, %v", v.Kind().JavaClass(), err)
		}
		if room := cap(c.parser.elems) + cap(c.parser.entries); room > mostKept {
			t.Errorf("room for %d elements is kept", room)
		}
	}
}

func TestHeaderAllocations(t *testing.T) {
	for text, most := range map[string]float64{"eu-west": 0, "4bf92f3577b34da6a3ce929d0e0e4736": 0, "12": 0, "19.99": 0, "2017-01-03": 0,
		"2017-01-03T06:30:01.864Z": 0, `["eu","west"]`: 0.1, `{"a":1,"b":2}`: 2} {
		c := &SimpleHeaderConverter{}
		in := []byte(text)
		n := testing.AllocsPerRun(200, func() {
			s, v, err := c.ToConnectHeader("t", "h", in)
			if err == nil {
				_, err = c.FromConnectHeader("t", "h", s, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if n > most {
			t.Errorf("%s is read and written with %v allocations, want at most %v", text, n, most)
		}
	}
}

// BenchmarkSimpleHeader reads and writes headers of the common shapes.
func BenchmarkSimpleHeader(b *testing.B) {
	for _, text := range []string{"eu-west", "4bf92f3577b34da6a3ce929d0e0e4736", "3", "1483425001864", "19.99", "true", "2017-01-03",
		"2017-01-03T06:30:01.864Z", `["eu","west"]`, `[1,2,300]`, `{"a":1,"b":2}`, "http://example.com/a?b={c}"} {
		c := &SimpleHeaderConverter{}
		in := []byte(text)
		s, v, err := c.ToConnectHeader("t", "h", in)
		b.Run("read/"+text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, err = c.ToConnectHeader("t", "h", in)
			}
		})
		b.Run("write/"+text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = c.FromConnectHeader("t", "h", s, v)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
