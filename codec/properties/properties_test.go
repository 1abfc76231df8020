package properties

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// rows are also given to java.util.Properties, where a JDK is at hand.
var rows = []struct {
	name string
	text string
	want []Entry
}{
	{"empty", "", nil},
	{"blank lines", "\n  \r\n\t\f\r", nil},
	{"equals", "a=b", []Entry{{"a", "b", 1}}},
	{"colon", "a:b\n", []Entry{{"a", "b", 1}}},
	{"blank separator", "a b c", []Entry{{"a", "b c", 1}}},
	{"blanks round equals", "  a \t = \f b  ", []Entry{{"a", "b  ", 1}}},
	{"two equals", "a==b", []Entry{{"a", "=b", 1}}},
	{"equals after blank, then colon", "a = : b", []Entry{{"a", ": b", 1}}},
	{"only a key", "key", []Entry{{"key", "", 1}}},
	{"empty value", "key=", []Entry{{"key", "", 1}}},
	{"empty key", "=v", []Entry{{"", "v", 1}}},
	{"comments", "# a=b\n ! c=d\n#x\\\ne=f", []Entry{{"e", "f", 4}}},
	{"comment at the end", "a=b\n#c", []Entry{{"a", "b", 1}}},
	{"hash in value", "a=b#c!d", []Entry{{"a", "b#c!d", 1}}},
	{"escaped hash key", `\#a=b`, []Entry{{"#a", "b", 1}}},
	{"escaped separators", `a\=\:\ b=c\=d`, []Entry{{"a=: b", "c=d", 1}}},
	{"named escapes", `a=\t\r\n\f\\x\q\"`, []Entry{{"a", "\t\r\n\f\\xq\"", 1}}},
	{"unicode escapes", `\u0061=\u00e4\u20AC`, []Entry{{"a", "ä€", 1}}},
	{"surrogate pair", `a=\uD83D\uDE00`, []Entry{{"a", "😀", 1}}},
	{"surrogate pair over two lines", "a=\\uD83D\\\n  \\uDE00", []Entry{{"a", "😀", 1}}},
	{"utf-8", "ключ=значение 😀", []Entry{{"ключ", "значение 😀", 1}}},
	{"byte order mark is text", "\ufeffa=b", []Entry{{"\ufeffa", "b", 1}}},
	{"no-break space is text", "a\u00a0b=c", []Entry{{"a\u00a0b", "c", 1}}},
	{"continued", "a=b,\\\n    c,\\\r\n\td", []Entry{{"a", "b,c,d", 1}}},
	{"continued with comment sign", "a=b\\\n#c", []Entry{{"a", "b#c", 1}}},
	{"continued nothing, then comment sign", "\\\n#c=d\ne=f", []Entry{{"e", "f", 3}}},
	{"continued by a blank line", "a=b\\\n  \nc=d", []Entry{{"a", "b", 1}, {"c", "d", 3}}},
	{"continued nothing by a blank line", "\\\n\nc=d", []Entry{{"c", "d", 3}}},
	{"even backslashes do not continue", "a=b\\\\\nc=d", []Entry{{"a", "b\\", 1}, {"c", "d", 2}}},
	{"three backslashes continue", "a=b\\\\\\\nc=d", []Entry{{"a", "b\\c=d", 1}}},
	{"continued at the end", "a=b\\", []Entry{{"a", "b", 1}}},
	{"continued at the end with a newline", "a=b\\\n", []Entry{{"a", "b", 1}}},
	{"lone backslash", "\\", []Entry{{"", "", 1}}},
	{"lone backslash line at the end", "\\\n", []Entry{{"", "", 1}}},
	{"lone backslash line and a blank at the end", "\\\n ", nil},
	{"lone backslash line at the end, two bytes", "\\\r\n", nil},
	{"lone surrogate", `a=\uD83Dx`, []Entry{{"a", "?x", 1}}},
	{"backslash before carriage return", "a=b\\\rc", []Entry{{"a", "bc", 1}}},
	{"carriage returns end lines", "a=b\rc=d\r\ne=f", []Entry{{"a", "b", 1}, {"c", "d", 2}, {"e", "f", 3}}},
	{"last duplicate wins, first place stays", "a=1\nb=2\na=3", []Entry{{"a", "3", 3}, {"b", "2", 2}}},
	{"line of a continued entry", "\n\na=b\\\nc\nd=e", []Entry{{"a", "bc", 3}, {"d", "e", 5}}},
	{"separator on the next line", "a\\\n  =\\\n  b", []Entry{{"a", "b", 1}}},
	{"nul and control characters", "a=\x00\x01", []Entry{{"a", "\x00\x01", 1}}},
}

func TestParse(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p, err := Parse(strings.NewReader(row.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Entries(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, row := range []struct {
		name, text, want string
	}{
		{"no hex", "a=b\nc=\\uZZZZ", `line 2: Malformed \uxxxx encoding.`},
		{"short at the end", `a=\u12`, `line 1: Malformed \uxxxx encoding.`},
		{"in a key", `\u12g4=x`, `line 1: Malformed \uxxxx encoding.`},
		{"on a continued line", "#\na=b\\\n  c\\\n  d\\u00\ne=f", `line 4: Malformed \uxxxx encoding.`},
		{"key does not borrow from the value", `\u12=34`, `line 1: Malformed \uxxxx encoding.`},
		{"not utf-8", "a=b\r\n\rc=\xff", "line 3: the text is not UTF-8"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Parse(strings.NewReader(row.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || err.Error() != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
	if _, err := Parse(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}

func TestAccessors(t *testing.T) {
	p, err := Parse(strings.NewReader("b=1\na=2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := p.Get("a"); v != "2" || !ok {
		t.Errorf("Get(a) = %q, %v", v, ok)
	}
	if v, ok := p.Get("c"); v != "" || ok {
		t.Errorf("Get(c) = %q, %v", v, ok)
	}
	if p.Line("a") != 2 || p.Line("c") != 0 || p.Len() != 2 {
		t.Errorf("Line(a) = %d, Line(c) = %d, Len = %d", p.Line("a"), p.Line("c"), p.Len())
	}
	if got := p.Keys(); !reflect.DeepEqual(got, []string{"b", "a"}) {
		t.Errorf("Keys() = %q", got)
	}
	if got := p.Map(); !reflect.DeepEqual(got, map[string]string{"a": "2", "b": "1"}) {
		t.Errorf("Map() = %q", got)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.properties")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("password=\\u1"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	if err == nil || !strings.Contains(err.Error(), path+": line 1:") {
		t.Errorf("malformed file: %v", err)
	}
}

// FuzzParse holds what is true for any text: it is read or refused with a line
// inside it, and what was read, written as Java would write it, reads the same.
func FuzzParse(f *testing.F) {
	for _, row := range rows {
		f.Add(row.text)
	}
	f.Add(`a=\uZZZZ`)
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(strings.NewReader(text))
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Line > lines {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		var b strings.Builder
		for _, e := range p.Entries() {
			if e.Line < 1 || e.Line > lines {
				t.Fatalf("line %d of %d", e.Line, lines)
			}
			b.WriteString(escaped(e.Key) + "=" + escaped(e.Value) + "\n")
		}
		again, err := Parse(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p.Map(), again.Map()) || !reflect.DeepEqual(p.Keys(), again.Keys()) {
			t.Fatalf("%+v became %+v", p.Entries(), again.Entries())
		}
	})
}

func escaped(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch c {
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\f':
			b.WriteString(`\f`)
		case '\t':
			b.WriteString(`\t`)
		case ' ', '\\', '=', ':', '#', '!':
			b.WriteString(`\` + string(c))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
