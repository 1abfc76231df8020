package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Waiver is one rule of testdata/golden_waivers.yaml, which describes the members.
type Waiver struct {
	Name, Reason  string
	Files         []string
	Where, Unless map[string]string
	Ours          string

	where, unless []place
	ours          *regexp.Regexp
}

// place is a value somewhere in a vector.
type place struct {
	path  []*regexp.Regexp
	value *regexp.Regexp
}

// Waivers reads the rules, those for one file of vectors where file is not "".
func Waivers(t testing.TB, file string) []*Waiver {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(), "testdata", "golden_waivers.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := parseWaivers(b)
	if err != nil {
		t.Fatalf("golden_waivers.yaml: %v", err)
	}
	return slices.DeleteFunc(rules, func(w *Waiver) bool { return file != "" && !slices.Contains(w.Files, file) })
}

func parseWaivers(text []byte) ([]*Waiver, error) {
	var rules []*Waiver
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		return nil, err
	}
	for _, w := range rules {
		if w.Name == "" || len(w.Reason) < 20 || len(w.Files) == 0 || len(w.Where) == 0 {
			return nil, fmt.Errorf("the rule %q needs a name, a reason, files and where", w.Name)
		}
		if err := w.compile(); err != nil {
			return nil, fmt.Errorf("the rule %s: %w", w.Name, err)
		}
	}
	return rules, nil
}

func (w *Waiver) compile() (err error) {
	if w.where, err = places(w.Where); err != nil {
		return err
	}
	if w.unless, err = places(w.Unless); err != nil {
		return err
	}
	w.ours, err = whole(w.Ours)
	return err
}

func places(m map[string]string) (out []place, err error) {
	for path, value := range m {
		if path == "/id" {
			return nil, errors.New("a rule does not go by ids")
		}
		var p place
		for _, part := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
			e, err := whole(part)
			if err != nil {
				return nil, err
			}
			p.path = append(p.path, e)
		}
		if p.value, err = whole(value); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func whole(expr string) (*regexp.Regexp, error) { return regexp.Compile(`^(?:` + expr + `)$`) }

// covers reports whether the rule names a vector whose result here is ours.
func (w *Waiver) covers(vector any, ours string) bool {
	is := func(p place) bool { return p.in(vector, p.path) }
	if w.Ours != "" && !w.ours.MatchString(ours) {
		return false
	}
	return !slices.ContainsFunc(w.unless, is) && !slices.ContainsFunc(w.where, func(p place) bool { return !is(p) })
}

func (p place) in(v any, path []*regexp.Regexp) bool {
	if len(path) > 0 {
		m, _ := v.(map[string]any)
		for k, e := range m {
			if path[0].MatchString(k) && p.in(e, path[1:]) {
				return true
			}
		}
		return false
	}
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return false
		}
		text = string(b)
	}
	return p.value.MatchString(text)
}

// Replay runs f for each vector of a file, as a subtest under its id. f returns the
// result as a text and how it differs from the recorded one, "" for not at all. A
// difference fails the test unless a rule of golden_waivers.yaml covers the vector.
// At the end it reports how many vectors passed, and what each rule waived.
func Replay[T any](t *testing.T, file string, f func(t *testing.T, v T) (ours, diff string)) {
	t.Helper()
	rules := Waivers(t, file)
	waived, passed := make([]int, len(rules)), 0
	Lines(t, file, func(line []byte) {
		var v T
		var raw map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v in %.200s", file, err, line)
		}
		if err := json.Unmarshal(line, &raw); err != nil {
			t.Fatal(err)
		}
		id, _ := raw["id"].(string)
		t.Run(id, func(t *testing.T) {
			ours, diff := f(t, v)
			if diff == "" {
				passed++
				return
			}
			for i, w := range rules {
				if w.covers(raw, ours) {
					waived[i]++
					t.Skipf("waived by %s: %s", w.Name, diff)
				}
			}
			t.Error(diff)
		})
	})
	t.Logf("%s: %d vectors pass", file, passed)
	for i, w := range rules {
		if waived[i] == 0 {
			t.Logf("the waiver %s covers no vector of this recording", w.Name)
			continue
		}
		t.Logf("waived %d by %s: %s", waived[i], w.Name, w.Reason)
	}
}
