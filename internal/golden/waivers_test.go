package golden

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestWaiversFile: the rules can be read, and are for files of vectors.
func TestWaiversFile(t *testing.T) {
	rules := Waivers(t, "")
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	for _, w := range rules {
		for _, file := range w.Files {
			if !strings.HasSuffix(file, ".jsonl") {
				t.Errorf("%s is for %q", w.Name, file)
			}
		}
	}
}

func TestWaiverNeedsAReason(t *testing.T) {
	for name, text := range map[string]string{
		"no reason":    "[{name: a, files: [x.jsonl], where: {/class: a}}]",
		"no condition": "[{name: a, files: [x.jsonl], reason: It is as it is, and that is so.}]",
		"by id":        "[{name: a, files: [x.jsonl], reason: It is as it is and that is so., where: {/id: a}}]",
		"misspelt":     "[{name: a, files: [x.jsonl], reason: It is as it is and that is so., were: {/class: a}}]",
	} {
		if _, err := parseWaivers([]byte(text)); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

func TestWaiverCovers(t *testing.T) {
	rules, err := parseWaivers([]byte(`
- name: a
  files: [x.jsonl]
  reason: It is as it is, and that is so.
  where: {/config/(field|fields): '.*\..*', /flag: 'true', /none: 'null'}
  unless: {/class: '.*Extract.*'}
  ours: '[0-9]+'`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		vector, ours string
		want         bool
	}{
		{`{"config":{"fields":"a.b"},"flag":true,"none":null,"class":"Cast"}`, "12", true},
		{`{"config":{"fields":"a.b"},"flag":true,"none":null,"class":"Cast"}`, "x12", false},
		{`{"config":{"fields":"ab"},"flag":true,"none":null,"class":"Cast"}`, "12", false},
		{`{"config":{"other":"a.b"},"flag":true,"none":null,"class":"Cast"}`, "12", false},
		{`{"config":{"fields":"a.b"},"flag":true,"class":"Cast"}`, "12", false},
		{`{"config":{"fields":"a.b"},"flag":true,"none":null,"class":"ExtractField"}`, "12", false},
		{`{"config":"a.b","flag":true,"none":null}`, "12", false},
	} {
		var v any
		if err := json.Unmarshal([]byte(tt.vector), &v); err != nil {
			t.Fatal(err)
		}
		if got := rules[0].covers(v, tt.ours); got != tt.want {
			t.Errorf("%s, %s: %v", tt.vector, tt.ours, got)
		}
	}
}

func TestDiffError(t *testing.T) {
	text := func(s string) *string { return &s }
	kafka := &Error{Phase: "apply", Class: "DataException", Message: text("a java.util.LinkedHashMap"), Kafka: true}
	for _, tt := range []struct {
		name         string
		want         *Error
		phase, class string
		err          error
		same         bool
	}{
		{"neither", nil, "apply", "", nil, true},
		{"unexpected", nil, "apply", "", errors.New("x"), false},
		{"missing", kafka, "apply", "", nil, false},
		{"same but for the class of map", kafka, "apply", "a.b.DataException", errors.New("a java.util.HashMap"), true},
		{"other phase", kafka, "configure", "a.b.DataException", errors.New("a java.util.HashMap"), false},
		{"other class", kafka, "apply", "a.b.ConfigException", errors.New("a java.util.HashMap"), false},
		{"other text", kafka, "apply", "a.b.DataException", errors.New("b"), false},
		{"the runtime's", &Error{Phase: "apply", Class: "NullPointerException"}, "apply", "x", errors.New("b"), true},
		{"the transform's", &Error{Phase: "apply", Class: "IllegalArgumentException", Message: text("Unknown field: a")}, "apply", "IllegalArgumentException", errors.New("b"), false},
		{"identities", &Error{Phase: "apply", Class: "E", Message: text("[B@12ab, x"), Kafka: true}, "apply", "E", errors.New("[B@3, x"), true},
		{"identity cut", &Error{Phase: "apply", Class: "E", Message: text("[B@<hash>, x"), Kafka: true}, "apply", "E", errors.New("[B@3, y"), false},
		{"regex", &Error{Phase: "apply", Class: "E", Message: text("Invalid regex: a"), Kafka: true}, "apply", "E", errors.New("Invalid regex: b"), true},
	} {
		if d := DiffError(tt.want, tt.phase, tt.class, tt.err); (d == "") != tt.same {
			t.Errorf("%s: %q", tt.name, d)
		}
	}
}
