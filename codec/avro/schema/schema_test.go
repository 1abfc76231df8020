package schema

import (
	"encoding/json"
	"reflect"
	"strconv"
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
		{"second branch", `["int","string"]`, "a", false},
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
