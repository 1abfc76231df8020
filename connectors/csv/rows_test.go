package csv

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var standard = dialect{delim: ',', quote: '"'}

func texts(fields []field) []string {
	var out []string
	for _, f := range fields {
		s := string(f.text)
		if f.quoted {
			s = "'" + s + "'"
		}
		out = append(out, s)
	}
	return out
}

func TestRows(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		d    dialect
		want string // rows and fields, quoted ones in ''
		rest string // what is not a complete row
	}{
		"plain":               {"a,b\nc,d\n", standard, "[a b][c d]", ""},
		"crlf":                {"a,b\r\nc,d\r\n", standard, "[a b][c d]", ""},
		"no last line end":    {"a,b\nc,d", standard, "[a b]", "c,d"},
		"empty fields":        {",,\n", standard, "[  ]", ""},
		"blank line":          {"\n\r\n", standard, "[][]", ""},
		"quoted":              {`"a","b,c"` + "\n", standard, "['a' 'b,c']", ""},
		"quoted crlf":         {"a,\"b\"\r\n", standard, "[a 'b']", ""},
		"line end in quotes":  {"\"a\nb\r\nc\",d\ne\n", standard, "['a\nb\r\nc' d][e]", ""},
		"doubled quotes":      {`"a""b","""",""""""` + "\n", standard, `['a"b' '"' '""']`, ""},
		"empty in quotes":     {`"",x` + "\n", standard, "['' x]", ""},
		"quote inside":        {`5" pipe,x"y"` + "\n", standard, `[5" pipe x"y"]`, ""},
		"open quote":          {"\"a\nb\n", standard, "", "\"a\nb\n"},
		"text after a quote":  {"\"a\"b,c\nd\n", standard, "[!0][d]", ""},
		"cr after quote, mid": {"\"a\"\rb,c\n", standard, "[!0]", ""},
		"bare cr":             {"a\rb,c\n", standard, "[a\rb c]", ""},
		"semicolon and quote": {"a;'b;c'\n", dialect{';', '\''}, "[a 'b;c']", ""},
		"tab":                 {"a\tb,c\n", dialect{'\t', '"'}, "[a b,c]", ""},
		"no quotes":           {"\"a,b\"\n", dialect{',', 0}, `["a b"]`, ""},
		"spaces stay":         {" a , b \n", standard, "[ a   b ]", ""},
		"space before quote":  {`x, "a"` + "\n", standard, `[x  "a"]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for step := 1; step <= len(tc.in); step++ { // in pieces of every size
				var got strings.Builder
				var s scanner
				from := 0
				for have := step; ; have = min(have+step, len(tc.in)) {
					for {
						n, ok := s.next([]byte(tc.in[from:have]), tc.d)
						if !ok {
							break
						}
						f, err := split([]byte(tc.in[from:from+n]), tc.d, nil)
						if err != nil {
							fmt.Fprintf(&got, "[!%d]", len(f))
						} else {
							fmt.Fprintf(&got, "%v", texts(f))
						}
						from += n
					}
					if have == len(tc.in) {
						break
					}
				}
				if got.String() != tc.want || tc.in[from:] != tc.rest {
					t.Fatalf("in pieces of %d: got %q and %q, want %q and %q", step, got.String(), tc.in[from:], tc.want, tc.rest)
				}
			}
		})
	}
}

// Rows must be framed alike whatever the pieces in which they come, and fields
// that are read must be written so that they are read again.
func FuzzRows(f *testing.F) {
	f.Add([]byte("a,\"b\"\"\nc\"\r\nd,e\n"), byte(','), byte('"'), uint8(3))
	f.Add([]byte("\"a\"b\n\"\n,,\n"), byte(';'), byte('\''), uint8(1))
	f.Add([]byte("\"\"\"\"\n\r\n"), byte(','), byte(0), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, delim, quote byte, step uint8) {
		if delim == quote || delim == '\n' || delim == '\r' || quote == '\n' || quote == '\r' || delim == 0 {
			t.Skip()
		}
		d := dialect{delim, quote}
		rows := func(step int) (ends []int) {
			var s scanner
			from := 0
			for have := min(step, len(in)); ; have = min(have+step, len(in)) {
				for {
					n, ok := s.next(in[from:have], d)
					if !ok {
						break
					}
					from += n
					ends = append(ends, from)
				}
				if have == len(in) {
					return ends
				}
			}
		}
		whole := rows(len(in) + 1)
		if pieces := rows(1 + int(step)); !slices.Equal(whole, pieces) {
			t.Fatalf("rows end at %v, and at %v in pieces of %d", whole, pieces, 1+int(step))
		}
		from := 0
		for _, end := range whole {
			row := in[from:end]
			from = end
			fields, err := split(row, d, nil)
			if err != nil {
				continue
			}
			var out []byte
			for i, f := range fields {
				if i > 0 {
					out = append(out, delim)
				}
				if len(f.text) == 0 && !f.quoted {
					continue
				}
				var ok bool
				if out, ok = appendField(out, f.text, d); !ok {
					return // it needs quotes and there are none
				}
			}
			out = append(out, '\n')
			var s scanner
			if n, ok := s.next(out, d); !ok || n != len(out) {
				t.Fatalf("%q was written as %q, which is not one row", row, out)
			}
			again, err := split(out, d, nil)
			if err != nil || len(again) != len(fields) {
				t.Fatalf("%q was written as %q: %v", row, out, err)
			}
			for i := range again {
				if !bytes.Equal(again[i].text, fields[i].text) {
					t.Fatalf("field %d of %q became %q", i, row, again[i].text)
				}
			}
		}
	})
}

func TestColumnTypes(t *testing.T) {
	cols, err := parseColumns("s, i8:int8,i16:int16,i32:int32,i64:int64,f32:float32,f64:float64,b:boolean,d:decimal(2),p:decimal(5,2),day:date,at:time,ts:Timestamp, a:b:string")
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*column)
	for i := range cols {
		byName[cols[i].name] = &cols[i]
	}
	if byName["a:b"] == nil {
		t.Error("a name with a colon is not read")
	}
	for _, tc := range []struct{ col, in, want string }{
		{"s", "x", "x"}, {"s", "", "null"}, {"i8", "-128", "-128"}, {"i8", "128", "!"}, {"i16", "40000", "!"},
		{"i32", "x", "!"}, {"i32", "", "null"}, {"i64", "9223372036854775807", "9223372036854775807"}, {"i64", "1.0", "!"}, {"i64", " 1", "!"},
		{"f32", "1.5", "1.5"}, {"f64", "1e10", "1.0E10"}, {"f64", "NaN", "NaN"}, {"f64", "0x1p2", "!"}, {"f64", "1_0", "!"},
		{"b", "TRUE", "true"}, {"b", "false", "false"}, {"b", "1", "!"},
		{"d", "1", "1.00"}, {"d", "-1.5", "-1.50"}, {"d", "+.5", "0.50"}, {"d", "1.500", "1.50"}, {"d", "1.505", "!"}, {"d", "-", "!"},
		{"d", "1e3", "!"}, {"d", ".", "!"}, {"d", "--1", "!"}, {"d", "0", "0.00"}, {"d", strings.Repeat("9", 2000), "!"},
		{"p", "123.45", "123.45"}, {"p", "1234.5", "!"},
		{"day", "2023-11-14", "Tue Nov 14 00:00:00 UTC 2023"}, {"day", "14.11.2023", "!"},
		{"at", "22:13:20.5", "Thu Jan 01 22:13:20 UTC 1970"}, {"at", "25:00:00", "!"},
		{"ts", "2023-11-14T22:13:20Z", "Tue Nov 14 22:13:20 UTC 2023"}, {"ts", "2023-11-14 22:13:20", "Tue Nov 14 22:13:20 UTC 2023"},
		{"ts", "2023-11-14T23:13:20.000+01:00", "Tue Nov 14 22:13:20 UTC 2023"}, {"ts", "now", "!"},
		{"s", "\xff", "\ufffd"},
	} {
		v, err := byName[tc.col].value(field{text: []byte(tc.in)})
		got := v.String()
		if err != nil {
			got = "!"
		}
		if got != tc.want {
			t.Errorf("%s %.40q: got %s (%v), want %s", tc.col, tc.in, got, err, tc.want)
		}
		if err != nil || v.IsNull() {
			continue
		}
		text, err := appendText(nil, v, byName[tc.col].schema)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := byName[tc.col].value(field{text: text}); err != nil || !again.Equal(v) {
			t.Errorf("%s %q was written as %q and read as %s, %v", tc.col, tc.in, text, again, err)
		}
	}
	for _, bad := range []string{"a:what", "a,a", ":int8", "a:decimal", "a:decimal(x)", "a:decimal(2,3)", "a:decimal(0,0)", ","} {
		if _, err := parseColumns(bad); err == nil {
			t.Errorf("columns %q were taken", bad)
		}
	}
}
