package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
)

func fromJSON(t testing.TB, text string) data.Value {
	t.Helper()
	c, err := json.New(map[string]string{"schemas.enable": "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	_, v, err := c.ToConnect("t", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const store = `{"store":{"book":[{"c":"ref","p":8.95,"t":"S"},{"c":"fic","p":12,"t":"H","isbn":"1"},{"c":"fic","p":"22.99","t":"L","isbn":null}],"bike":{"p":19}},
"key":{"nestedKey":"value1","n":5},"nil":null,"a.b":{"x y":1},"e":[],"max":10}`

func TestFind(t *testing.T) {
	root := fromJSON(t, store)
	for _, row := range []struct{ path, want string }{ // "missing", or the values between bars
		{"$.key.nestedKey", "value1"},
		{"$['key'][\"n\"]", "5"},
		{"$['a.b']['x y']", "1"},
		{"$.nope", "missing"},
		{"$.nil", "null"},
		{"$.nil.x", "missing"},
		{"$.key.nestedKey.x", "missing"},
		{"$.store.book[1].t", "H"},
		{"$.store.book[-1].t", "L"},
		{"$.store.book[7].t", "missing"},
		{"$.store.book[0,2].t", "S|L"},
		{"$.store.book[:2].t", "S|H"},
		{"$.store.book[::2].t", "S|L"},
		{"$.store.book[*].isbn", "1|null"},
		{"$.store.book.*.t", "S|H|L"},
		{"$..p", "8.95|12|22.99|19"},
		{"$..book[1].t", "H"},
		{"$.e[*]", ""},
		{"$.nope[*]", "missing"},
		{"$.key[?(@.nestedKey == 'value1' || @.nestedKey == \"value2\")].n", "5"},
		{"$.key[?(@.nestedKey == 'value2')]", ""},
		{"$.nope[?(@.x == 1)]", "missing"},
		{"$.max[?(@.x == 1)]", "missing"},
		{"$[?(@.key.n > 4)].max", "10"},
		{"$.store.book[?(@.p < 10)].t", "S"},
		{"$.store.book[?(@.p > $.max)].t", "H"},
		{"$.store.book[?(@.p == 22.99)].t", "L"},
		{"$.store.book[?(@.p == 8.95)].t", "S"},
		{"$.store.book[?(@.p == '12')].t", "H"},
		{"$.store.book[?(@.isbn)].t", "H|L"},
		{"$.store.book[?(!@.isbn)].t", "S"},
		{"$.store.book[?(@.isbn == null)].t", "L"},
		{"$.store.book[?(@.isbn != '2')].t", "H|L"},
		{"$.store.book[?(@.t =~ /[a-h]/i)].t", "H"},
		{"$.store.book[?(@.t in ['S', 'L'] && !(@.c == 'fic'))].t", "S"},
		{"$.store.book[?(@.t nin ['S', 'L'])].t", "H"},
		{"$.store.book[?(@.p >= 12 && @.p <= 12.0)].t", "H"},
		{"$.store.book[?(@.nope < 1)].t", ""},
	} {
		p, err := Compile(row.path)
		if err != nil {
			t.Error(err)
			continue
		}
		found, ok, err := p.Find(root)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range found {
			texts = append(texts, v.String())
		}
		got := strings.Join(texts, "|")
		if !ok {
			got = "missing"
		}
		if got != row.want {
			t.Errorf("%s: got %s, want %s", row.path, got, row.want)
		}
	}
}

func TestStructs(t *testing.T) {
	in := data.NewStructSchema().Field("n", data.NewSchema(data.Int32).Optional().Default(data.OfInt32(7)).MustBuild()).MustBuild()
	s := data.NewStructSchema().Field("in", in).Field("price", data.NewDecimalSchema(2).MustBuild()).MustBuild()
	v := data.OfStruct(data.NewStruct(s, []data.Value{data.OfStruct(data.NewStruct(in, []data.Value{data.Null})), data.OfDecimal(data.NewDecimal(1999, 2))}))
	for path, want := range map[string]int{"$[?(@.in.n == 7)]": 1, "$[?(@.price > 19.98 && @.price < 20)]": 1, "$..n": 1, "$.*": 2, "$[?(@.price == 19.99)]": 1} {
		p, err := Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		if found, _, err := p.Find(v); err != nil || len(found) != want {
			t.Errorf("%s: %v, %v, want %d", path, found, err, want)
		}
	}
}

func TestPathsThatCannotBeRead(t *testing.T) {
	for path, want := range map[string]string{
		"":                                "position 0: a path begins with $",
		"key":                             "position 0: a path begins with $",
		"$.":                              "position 2: a name is missing",
		"$x":                              "position 1: there is no step",
		"$.a.length()":                    "position 10: the function length() is not supported",
		"$[":                              "position 2: expected a name in quotes",
		"$['a":                            "position 4: the quotes do not end",
		"$['a'":                           "position 5: expected ]",
		"$[1,x]":                          "position 4: expected an index",
		"$[99999999999]":                  "99999999999 is no index",
		"$[::0]":                          "a slice goes forward",
		"$[?(@.a === 1)]":                 "position 10: expected a path, a text",
		"$[?(@.a ~ 1)]":                   "position 8: there is no such operator",
		"$[?(@.a =~ /[/)]":                "Unclosed character class",
		"$[?(@.a =~ x)]":                  "expected a pattern between slashes",
		"$[?(1)]":                         "expected a comparison",
		"$[?(@.a in 1)]":                  "expected a list in brackets",
		"$[?(@.a == 1]":                   "expected )",
		"$[?(@.a == 1.2.3)]":              "1.2.3 is no number",
		"$[?(@.a size 3)]":                "there is no such operator",
		"$" + strings.Repeat("[?(@", 100): "nested too deep",
	} {
		_, err := Compile(path)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// TestTheWorkIsBounded: each ".." looks into all that the one before found.
func TestTheWorkIsBounded(t *testing.T) {
	v := data.OfInt32(1)
	for range 400 {
		v = data.OfArray([]data.Value{v})
	}
	p, err := Compile("$..[*]..[*]..[*]")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Find(v); !errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"$.a[?(@.b == 'x' && !(@.c in [1, 2.5]))]", "$..['a','b'][1:2:3]", "$[?(@.a =~ /x/i)]", "$[?($.a nin @.b)]"} {
		f.Add(s)
	}
	v := fromJSON(f, store)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(text)
		if err != nil {
			return
		}
		if _, _, err := p.Find(v); err != nil && !errors.Is(err, ErrTooMuch) {
			t.Error(err)
		}
	})
}
