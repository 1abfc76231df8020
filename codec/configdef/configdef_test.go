package configdef

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// classes resolves one alias.
type classes struct{}

func (classes) ResolveClass(name string) (string, bool) {
	if name == "Json" || name == "a.Json" {
		return "a.Json", true
	}
	return "", false
}

func TestParseType(t *testing.T) {
	for _, c := range []struct {
		name, text string
		typ        Type
		want       any
		fails      string
	}{
		{"boolean any case", " TRUE ", Boolean, true, ""},
		{"boolean else", "yes", Boolean, nil, "Invalid value yes for configuration k: Expected value to be either true or false"},
		{"string is trimmed", " a b\t", String, "a b", ""},
		{"int", " 2 ", Int, int64(2), ""},
		{"int with plus", "+2", Int, int64(2), ""},
		{"int too large", "2147483648", Int, nil, "Invalid value 2147483648 for configuration k: Not a number of type INT"},
		{"int empty", "", Int, nil, "Invalid value  for configuration k: Not a number of type INT"},
		{"int in Go's spelling", "1_000", Int, nil, "Invalid value 1_000 for configuration k: Not a number of type INT"},
		{"short too large", "32768", Short, nil, "Invalid value 32768 for configuration k: Not a number of type SHORT"},
		{"long", "9223372036854775807", Long, int64(math.MaxInt64), ""},
		{"double", "1e3", Double, 1000.0, ""},
		{"double with suffix", "1.5d", Double, 1.5, ""},
		{"double infinite", "-Infinity", Double, math.Inf(-1), ""},
		{"double too large", "1e999", Double, math.Inf(1), ""},
		{"double in Go's spelling", "inf", Double, nil, "Invalid value inf for configuration k: Not a number of type DOUBLE"},
		{"list", " a , b,c ", List, []string{"a", "b", "c"}, ""},
		{"list with empty entries", "a,,b,", List, []string{"a", "", "b", ""}, ""},
		{"list empty", "  ", List, []string{}, ""},
		{"class by alias", "Json", ClassType, Class("a.Json"), ""},
		{"class unknown", "Nope", ClassType, nil, "Invalid value Nope for configuration k: Class Nope could not be found."},
		{"password", " p ", PasswordType, NewPassword("p"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseType("k", c.text, c.typ, classes{})
			if c.fails != "" {
				if err == nil || err.Error() != c.fails || !IsError(err) {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", c.want) {
				t.Errorf("got %#v, %v", got, err)
			}
		})
	}
}

func TestValidators(t *testing.T) {
	for _, c := range []struct {
		name      string
		validator Validator
		value     any
		fails     string
	}{
		{"at least", AtLeast(1), int64(1), ""},
		{"below", AtLeast(1), int64(0), "Invalid value 0 for configuration k: Value must be at least 1"},
		{"null number", AtLeast(1), nil, "Invalid value null for configuration k: Value must be non-null"},
		{"above", Between(0, 10), int64(11), "Invalid value 11 for configuration k: Value must be no more than 10"},
		{"double above", Between(0, 0.25), 0.5, "Invalid value 0.5 for configuration k: Value must be no more than 0.25"},
		{"double below", Between(0.5, 1), 0.1, "Invalid value 0.1 for configuration k: Value must be at least 0.5"},
		{"null allowed", NullOr(AtLeast(1)), nil, ""},
		{"one of", OneOf("none", "all"), "some", "Invalid value some for configuration k: String must be one of: none, all"},
		{"one of, null", OneOf("a"), nil, "Invalid value null for configuration k: String must be one of: a"},
		{"any case", OneOfAnyCase("poll"), "Poll", ""},
		{"any case, none", OneOfAnyCase("interval", "poll"), "x", "Invalid value x for configuration k: String must be one of (case insensitive): INTERVAL, POLL"},
		{"empty", NonEmpty(), "", "Invalid value  for configuration k: String must be non-empty"},
		{"empty, null", NonEmpty(), nil, ""},
		{"name empty", NonEmptyWithoutControlChars(), "", "Invalid value  for configuration k: String may not be empty"},
		{"name with controls", NonEmptyWithoutControlChars(), "a\nb\x7f", "Invalid value a\nb\x7f for configuration k: String may not contain control sequences but had the following ASCII chars: 10, 127"},
		{"non-null", NonNull(), nil, "Invalid value null for configuration k: entry must be non null"},
		{"list empty", NonEmptyList(), []string{}, "Invalid value [] for configuration k: Empty list"},
		{"list null", NonEmptyList(), nil, "Invalid value null for configuration k: Empty list"},
		{"duplicates", UniqueAliases(), []string{"a", "b", "a"}, "Invalid value [a, b, a] for configuration k: Duplicate alias provided."},
		{"regex", Regex(), "a.*", ""},
		{"regex bad", Regex(), "(", "Invalid value ( for configuration k: Invalid regex: Unclosed group near index 1\n("},
		{"regex null", Regex(), nil, "Invalid value null for configuration k: Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null"},
		{"composite", Composite(NonEmpty(), OneOf("a")), "", "Invalid value  for configuration k: String must be non-empty"},
		{"class", OneOf("a"), Class("x.Y"), "Invalid value class x.Y for configuration k: String must be one of: a"},
		{"password is not told", NonNull(), NewPassword("s"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.validator.Validate("k", c.value)
			if got := fmt.Sprint(err); (c.fails == "" && err != nil) || (c.fails != "" && got != c.fails) {
				t.Errorf("got %s", got)
			}
		})
	}
	for _, c := range []struct{ got, want string }{
		{AtLeast(1).String(), "[1,...]"}, {Between(0.5, 1).String(), "[0.5,...,1]"}, {OneOf("a", "b").String(), "[a, b]"},
		{OneOfAnyCase("a").String(), "(case insensitive) [A]"},
	} {
		if c.got != c.want {
			t.Errorf("documented as %s, want %s", c.got, c.want)
		}
	}
}

func sample() *Def {
	return New(
		Key{Name: "n", Type: Int, Default: 3, Importance: Low, Validator: AtLeast(1)},
		Key{Name: "must", Type: String, Default: Required, Importance: High, Doc: "Needed."},
		Key{Name: "may", Type: String},
		Key{Name: "pw", Type: PasswordType},
		Key{Name: "list", Type: List, Default: "a,b"},
		Key{Name: "class", Type: ClassType, Default: "a.Json"},
		Key{Name: "ratio", Type: Double, Default: 0.5},
		Key{Name: "on", Type: Boolean, Default: true, Group: "Switches", Order: 2, Width: WidthShort, DisplayName: "On?", Dependents: []string{"may"}},
	)
}

func TestParse(t *testing.T) {
	v, err := sample().Parse(map[string]string{"must": " x ", "n": "5", "pw": "secret", "other": "o"})
	if err != nil {
		t.Fatal(err)
	}
	may, given := v.NullableString("may")
	if v.String("must") != "x" || v.Int("n") != 5 || v.Long("n") != 5 || may != "" || given || !v.IsNull("may") ||
		v.Password("pw").Reveal() != "secret" || !slices.Equal(v.List("list"), []string{"a", "b"}) || v.Class("class") != "a.Json" ||
		v.Double("ratio") != 0.5 || !v.Bool("on") || v.Originals()["other"] != "o" || !v.Given("n") || v.Given("on") {
		t.Errorf("got %+v", v.parsed)
	}
	for _, c := range []struct {
		name   string
		config map[string]*string
		want   string
	}{
		{"missing", nil, `Missing required configuration "must" which has no default value.`},
		{"the first key that is wrong", Nullable(map[string]string{"n": "x"}), "Invalid value x for configuration n: Not a number of type INT"},
		{"validator", Nullable(map[string]string{"n": "0"}), "Invalid value 0 for configuration n: Value must be at least 1"},
		{"null is not the default", map[string]*string{"n": nil}, "Invalid value null for configuration n: Value must be non-null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := sample().ParseNullable(c.config); err == nil || err.Error() != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// recommend proposes a value, and shows its key only beside another.
type recommend struct{}

func (recommend) ValidValues(string, map[string]any) ([]any, error) {
	return []any{"r", Class("c")}, nil
}
func (recommend) Visible(_ string, parsed map[string]any) bool { return parsed["b"] != nil }

func TestValidate(t *testing.T) {
	d := New(
		Key{Name: "a", Type: String, Recommender: recommend{}},
		Key{Name: "b", Type: Int, Default: Required, Validator: AtLeast(1), Dependents: []string{"a", "ghost"}},
	)
	values := d.Validate(map[string]*string{"b": new(string)})
	got := map[string]string{}
	for _, v := range values {
		got[v.Name] = fmt.Sprint(v.Value, v.Recommended, v.Errors, v.Visible)
	}
	want := map[string]string{
		"a":     "<nil> [r class c] [] false",
		"b":     "<nil> [] [Invalid value  for configuration b: Not a number of type INT Invalid value null for configuration b: Value must be non-null] true",
		"ghost": "<nil> [] [ghost is referred in the dependents, but not defined.] false",
	}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s: got %s, want %s", k, got[k], w)
		}
	}
	missing := d.Validate(nil)[1]
	if len(missing.Errors) != 2 || missing.Errors[0] != `Missing required configuration "b" which has no default value.` {
		t.Errorf("got %q", missing.Errors)
	}
}

func TestEmbed(t *testing.T) {
	child := New(
		Key{Name: "low", Type: String, Importance: Low},
		Key{Name: "must", Type: String, Default: Required, Importance: Low, Validator: NonEmpty()},
		Key{Name: "grouped", Type: String, Group: "G", Dependents: []string{"low"}},
		Key{Name: "high", Type: Boolean, Default: false},
	)
	d := New(Key{Name: "first", Type: String}).Embed("t.x.", "T: x", 2, child)
	var got []string
	for _, k := range d.Keys()[1:] {
		got = append(got, fmt.Sprint(k.Name, " ", k.Group, " ", k.Order, " ", k.displayName(), " ", k.Dependents))
	}
	want := []string{"t.x.must T: x 2 must []", "t.x.high T: x 3 high []", "t.x.low T: x 4 low []", "t.x.grouped T: x: G 5 grouped [t.x.low]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	values := d.Validate(Nullable(map[string]string{"t.x.must": "", "t.x.high": "z"}))
	if e := values[1].Errors; !slices.Equal(e, []string{"Invalid value  for configuration must: String must be non-empty"}) {
		t.Errorf("a validator sees the name without prefix: %q", e)
	}
	if e := values[2].Errors; !slices.Equal(e, []string{"Invalid value z for configuration t.x.high: Expected value to be either true or false"}) {
		t.Errorf("a type error has the whole name: %q", e)
	}
}

// TestRules: what is wrong between settings is found by validation, under the name that
// a setting has there, and by parsing; a setting with an error of its own gets no other.
func TestRules(t *testing.T) {
	child := New(Key{Name: "a", Type: Int, Default: 0}, Key{Name: "b", Type: Int, Default: 0}).AddRule(func(v *Values) []*Error {
		if v.Int("a") <= v.Int("b") {
			return nil
		}
		return []*Error{ErrorOn("a", "a is more than b, which is %s", v.Originals()["b"]), ErrorOn("b", "b is less")}
	})
	props := map[string]string{"t.x.a": "2", "t.x.b": "1"}
	embedded := New(Key{Name: "first", Type: String}).Embed("t.x.", "T", 0, child)
	for _, d := range []*Def{embedded, embedded.Copy(), New().Merge(embedded), New().Embed("t.", "T", 0, New().Embed("x.", "X", 0, child))} {
		got := map[string][]string{}
		for _, v := range d.Validate(Nullable(props)) {
			got[v.Name] = v.Errors
		}
		if len(got["first"]) > 0 || !slices.Equal(got["t.x.a"], []string{"a is more than b, which is 1"}) || !slices.Equal(got["t.x.b"], []string{"b is less"}) {
			t.Errorf("got %q", got)
		}
		if _, err := d.Parse(props); err == nil || err.Error() != "a is more than b, which is 1" {
			t.Errorf("parsing: %v", err)
		}
	}
	for _, v := range child.Validate(Nullable(map[string]string{"a": "2", "b": "x"})) {
		if want := map[string]int{"a": 1, "b": 1}[v.Name]; len(v.Errors) != want {
			t.Errorf("%s: %q", v.Name, v.Errors)
		}
	}
	if _, err := child.Parse(map[string]string{"a": "1", "b": "1"}); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	a, b := InvalidValue("a", 1, "why"), ErrorOn("b", "b: %d", 2)
	got := Errors(errors.Join(a, fmt.Errorf("more: %w", b), errors.New("other")))
	if len(got) != 2 || got[0] != a || got[1] != b || a.Name != "a" || Errors(nil) != nil {
		t.Errorf("got %v", got)
	}
}

func TestInfoAndMerge(t *testing.T) {
	d := sample()
	text, err := json.Marshal(d.Key("on").Info("p."))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"p.on","type":"BOOLEAN","required":false,"default_value":"true","importance":"HIGH","documentation":"","group":"Switches","width":"SHORT","display_name":"On?","dependents":["p.may"],"order":2}`
	if string(text) != want {
		t.Errorf("got %s", text)
	}
	if i := d.Infos()[1]; i.DefaultValue != nil || !i.Required || i.Order != -1 || i.Group != nil || i.DisplayName != "must" {
		t.Errorf("got %+v", i)
	}
	values := d.Validate(Nullable(map[string]string{"must": "m", "pw": "secret"}))
	if got := *values[3].Info("", d.Key("pw")).Value; got != Hidden {
		t.Errorf("password shown as %s", got)
	}
	merged := New(Key{Name: "z", Type: String}).Merge(d)
	if !slices.Equal(merged.Names(), append([]string{"z"}, d.Names()...)) || !slices.Equal(merged.Groups(), []string{"Switches"}) {
		t.Errorf("got %q, %q", merged.Names(), merged.Groups())
	}
	c := d.Copy()
	c.Redefine(Key{Name: "n", Type: Int, Default: 9})
	if d.Key("n").Default != int64(3) || c.Key("n").Default != int64(9) || c.Names()[0] != "n" {
		t.Error("a copy changes the original")
	}
}

func TestPasswordIsNeverPrinted(t *testing.T) {
	p := NewPassword("s3cret")
	text, err := json.Marshal(map[string]any{"p": p})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(p), fmt.Sprintf("%+v %#v %q", p, p, p), string(text), InvalidValue("k", p, "x").Error()} {
		if strings.Contains(s, "s3cret") {
			t.Errorf("told in %s", s)
		}
	}
}

func TestMistakesOfTheProgramPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"defined twice":         func() { New(Key{Name: "a"}, Key{Name: "a"}) },
		"default of other type": func() { New(Key{Name: "a", Type: Int, Default: "x"}) },
		"default refused":       func() { New(Key{Name: "a", Type: Int, Default: 0, Validator: AtLeast(1)}) },
		"unknown key":           func() { v, _ := New().Parse(nil); v.String("a") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestConvertToString(t *testing.T) {
	for _, c := range []struct {
		value any
		typ   Type
		want  string
	}{
		{[]string{"a", "b"}, List, "a,b"}, {Class("x.Y"), ClassType, "x.Y"}, {int64(5), Int, "5"}, {0.8, Double, "0.8"},
		{1e7, Double, "1.0E7"}, {5.0, Double, "5.0"}, {1.5e-5, Double, "1.5E-5"}, {true, Boolean, "true"}, {NewPassword("x"), PasswordType, Hidden},
	} {
		if got := ConvertToString(c.value, c.typ); got == nil || *got != c.want {
			t.Errorf("%v: got %v, want %s", c.value, got, c.want)
		}
	}
	if ConvertToString(nil, String) != nil {
		t.Error("null has a text")
	}
}

func FuzzParseType(f *testing.F) {
	for _, s := range []string{" a , b ", "1e5d", "0x1p3", "TRUE", "-0", ",", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for typ := Boolean; typ <= PasswordType; typ++ {
			v, err := ParseType("k", text, typ, nil)
			if err != nil || typ == PasswordType {
				continue
			}
			again, err := ParseType("k", *ConvertToString(v, typ), typ, nil)
			if err != nil {
				t.Fatalf("%s: %q became %v, which is not read: %v", typ, text, v, err)
			}
			if fmt.Sprint(again) != fmt.Sprint(v) {
				t.Fatalf("%s: %q became %v, then %v", typ, text, v, again)
			}
		}
	})
}
