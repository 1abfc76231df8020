package schema

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestValidDefault(t *testing.T) {
	one := json.Number("1")
	for _, tt := range []struct {
		name, schema string
		value        any
		want         bool
	}{
		{"int", `"int"`, one, true},
		{"too large", `"int"`, json.Number("3000000000"), false},
		{"first branch", `["int","string"]`, one, true},
		{"second branch", `["int","string"]`, "a", true},
		{"no branch", `["int","string"]`, true, false},
		{"items", `{"type":"array","items":"int"}`, []any{one, "a"}, false},
		{"field's own default", `{"type":"record","name":"R","fields":[{"name":"x","type":"int","default":1}]}`, Object{}, true},
		{"field without default", `{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}`, Object{}, false},
		// Without a bound this is a stack overflow, which nothing recovers from.
		{"needs itself", `{"type":"record","name":"R","fields":[{"name":"x","type":"R","default":{}}]}`, Object{}, false},
	} {
		s, err := Parse(tt.schema)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		if got := ValidDefault(s, tt.value); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestDefaultsThatGrow: a default whose absent fields have defaults of their own, of
// which there are twice as many at each level, ends.
func TestDefaultsThatGrow(t *testing.T) {
	text := `"int"`
	for i := range 60 {
		def := `{}`
		if i == 0 {
			def = `1`
		}
		name := "R" + strconv.Itoa(i)
		field := func(f, typ string) string { return `{"name":"` + f + `","type":` + typ + `,"default":` + def + `}` }
		again := `"R` + strconv.Itoa(i-1) + `"`
		if i == 0 {
			again = `"int"`
		}
		text = `{"type":"record","name":"` + name + `","fields":[` + field("a", text) + "," + field("b", again) + `]}`
	}
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if ValidDefault(s, Object{}) {
		t.Error("a value of 2^60 parts was looked at")
	}
	unions, err := Parse(`{"type":"record","name":"R","fields":[{"name":"x","type":["R",{"type":"record","name":"S","fields":[{"name":"y","type":["R","S"],"default":{}}]}],"default":{}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := unions.Validate(); err == nil {
		t.Error("a default that needs itself is valid")
	}
}

// TestAliases: a type's aliases are in its namespace, a field's are as they stand.
func TestAliases(t *testing.T) {
	s, err := Parse(`{"type":"record","name":"a.R","aliases":["S","b.T"],"fields":[{"name":"x","type":"int","aliases":["y"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a.S", "b.T"}; !reflect.DeepEqual(s.Aliases, want) {
		t.Errorf("%q, want %q", s.Aliases, want)
	}
	if want := []string{"y"}; !reflect.DeepEqual(s.Fields[0].Aliases, want) {
		t.Errorf("%q, want %q", s.Fields[0].Aliases, want)
	}
}

// TestPrintTwinRecords: two records of one name that stand in each other are
// compared without end if a comparison does not know what it has begun.
func TestPrintTwinRecords(t *testing.T) {
	twin := func(text string) *Schema {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	text := `{"type":"record","name":"A","fields":[{"name":"b","type":["null",{"type":"record","name":"B","fields":[{"name":"a","type":["null","A"]}]}]}]}`
	a, other := twin(text), twin(text)
	a.Fields[0].Schema.Branches[1].Fields[0].Schema.Branches[1] = other
	if got, err := a.Print(); err != nil || got != text {
		t.Errorf("%s, %v", got, err)
	}
	if !Same(a, other) {
		t.Error("they are not the same")
	}
	// What is read in another way may not stand under the same name.
	changed := twin(strings.Replace(text, `"name":"a","type":["null","A"]`, `"name":"a","type":["A","null"]`, 1))
	a.Fields[0].Schema.Branches[1].Fields[0].Schema.Branches[1] = changed
	if _, err := a.Print(); err == nil || !strings.HasPrefix(err.Error(), "Can't redefine: ") {
		t.Errorf("the error is %v", err)
	}
}

// TestPrintAgain: what only Connect reads may differ between two uses of a name.
func TestPrintAgain(t *testing.T) {
	for _, tt := range []struct{ name, again, want string }{
		{"doc", `{"type":"fixed","name":"F","size":2,"doc":"x","connect.default":"ab"}`, ""},
		{"size", `{"type":"fixed","name":"F","size":3}`, "Can't redefine: F"},
		{"logical type", `{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":3}`, "Can't redefine: F"},
	} {
		f, err := Parse(`{"type":"fixed","name":"F","size":2}`)
		if err != nil {
			t.Fatal(err)
		}
		g, err := Parse(tt.again)
		if err != nil {
			t.Fatal(err)
		}
		rec := &Schema{Type: Record, Name: "R", Fields: []Field{{Name: "f", Schema: f}, {Name: "g", Schema: g}}}
		text, err := rec.Print()
		switch {
		case tt.want != "":
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: %s, %v", tt.name, text, err)
			}
		case err != nil || !strings.HasSuffix(text, `{"name":"g","type":"F"}]}`):
			t.Errorf("%s: %s, %v", tt.name, text, err)
		}
	}
}

// TestPrintNameless: inside a namespace a name without one is that of the namespace.
func TestPrintNameless(t *testing.T) {
	f := &Schema{Type: Fixed, Name: "A", Size: 2}
	rec := &Schema{Type: Record, Namespace: "n", Name: "A", Fields: []Field{{Name: "f", Schema: f}, {Name: "g", Schema: f}}}
	if text, err := rec.Print(); err == nil {
		t.Errorf("the second field is a record in %s", text)
	}
	rec.Name = "B"
	text, err := rec.Print()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Parse(text); err != nil || back.Fields[1].Schema.Type != Fixed {
		t.Errorf("%s, %v", text, err)
	}
}
