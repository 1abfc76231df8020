package main

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/transforms"
)

// TestClassesAreAll holds that every transform and predicate of Kafka Connect has a
// case, in the form for values where it has forms, and that no key is there twice.
func TestClassesAreAll(t *testing.T) {
	var keys, covered []string
	for _, c := range classes.Cases {
		keys = append(keys, c.Key)
		covered = append(covered, c.Class)
	}
	slices.Sort(keys)
	if len(slices.Compact(slices.Clone(keys))) != len(keys) {
		t.Errorf("a key is there twice: %v", keys)
	}
	for _, p := range transforms.Plugins() {
		if p.Version != connectors.KafkaVersion || strings.HasSuffix(p.Class, "$Key") || strings.HasSuffix(p.Class, "$Header") {
			continue
		}
		if !slices.Contains(covered, p.Class) {
			t.Errorf("%s has no case", p.Class)
		}
	}
}

// TestOurClasses holds that each case does something here, and something known where
// a mistake would be easy to miss.
func TestOurClasses(t *testing.T) {
	runs, err := besideRegistry(context.Background(), 0, 0, ourClasses)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"filter":             "dropped",
		"drop-headers":       "header attempt",
		"regex-router":       "topic orders\n",
		"cast":               `"price":"19.99"`,
		"flatten":            `"address_city":"London"`,
		"avro-write":         "bytes 0000000001",
		"avro-read":          `"name":"shop.Order"`,
		"json-read":          `{"schema":null,`,
		"json-write":         `bytes {"id":7001,`,
		"json-read-schemas":  `"name":"shop.Order"`,
		"string-read":        "packed and left",
		"header-write":       `bytes ["eu","west"]`,
		"header-read":        `"type":"array"`,
		"topic-name-matches": "true",
	}
	for _, r := range runs {
		if r.Records < classRound || len(r.Output) == 0 {
			t.Errorf("%s: %d records, output %q", r.Key, r.Records, r.Output)
		}
		if text := strings.Join(r.Output, "\n") + "\n"; !strings.Contains(text, want[r.Key]) {
			t.Errorf("%s: no %q in %s", r.Key, want[r.Key], text)
		}
		delete(want, r.Key)
	}
	if len(want) > 0 {
		t.Errorf("no case is called %v", want)
	}
}

func TestParseClassRuns(t *testing.T) {
	const good = `{"cpuSeconds":0.5,"seconds":0.4,"bytes":64,"records":500,"key":"cast","output":["topic t"]}` + "\n"
	for _, tc := range []struct {
		name, in, err string
		records       []int64
	}{
		{"one", good, "", []int64{500}},
		{"two, and a logger's line between them", good + "WARN something\n" + good, "", []int64{500, 500}},
		{"nothing", "", "it measured nothing", nil},
		{"only a logger", "WARN something\n", "it measured nothing", nil},
		{"cut off", good + `{"key":"ca`, "unexpected end", nil},
		{"no output", strings.Replace(good, `"topic t"`, "", 1), "no output", nil},
		{"no records", strings.Replace(good, "500", "0", 1), "no records", nil},
		{"no key", strings.Replace(good, "cast", "", 1), "no key", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runs, err := parseClassRuns(tc.in)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			var records []int64
			for _, r := range runs {
				records = append(records, r.Records)
			}
			if err != nil || !slices.Equal(records, tc.records) || runs[0].CPUSeconds != 0.5 || runs[0].Bytes != 64 {
				t.Errorf("got %+v, %v", runs, err)
			}
		})
	}
}

// TestDifferences holds that no arm can do less than the other unseen.
func TestDifferences(t *testing.T) {
	run := func(key string, lines ...string) []classRun { return []classRun{{Key: key, Output: lines}} }
	for _, tc := range []struct {
		name         string
		ours, theirs []classRun
		same         bool
	}{
		{"the same", run("a", "topic t", `value {"x":1}`), run("a", "topic t", `value {"x":1}`), true},
		{"a Java map's order", run("a", `value {"x":1,"y":{"b":2,"a":3}}`), run("a", `value {"y":{"a":3,"b":2},"x":1}`), true},
		{"another value", run("a", `value {"x":1}`), run("a", `value {"x":2}`), false},
		{"a number's text", run("a", `value {"x":1.0}`), run("a", `value {"x":1}`), false},
		{"the order of an array", run("a", `value {"x":[1,2]}`), run("a", `value {"x":[2,1]}`), false},
		{"text that is no JSON", run("a", "bytes {1"), run("a", "bytes {2"), false},
		{"more than one document", run("a", "bytes {} {1"), run("a", "bytes {} {2"), false},
		{"more lines", run("a", "topic t"), run("a", "topic t", "header h 1"), false},
		{"no lines at all", run("a"), run("a"), false},
		{"another case", run("a", "x"), run("b", "x"), false},
		{"fewer cases", run("a", "x"), nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := differences(tc.ours, tc.theirs); (err == nil) != tc.same {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestClassesFailTogether holds that a difference fails both arms when Kafka Connect
// goes first, as it does by itself, and the second arm in any case.
func TestClassesFailTogether(t *testing.T) {
	ours, err := besideRegistry(context.Background(), 0, 0, ourClasses)
	if err != nil {
		t.Fatal(err)
	}
	theirs := slices.Clone(ours)
	theirs[3].Output = []string{"topic orders"}
	for _, arms := range [][]string{{armConnect, armTroupe}, {armTroupe, armConnect}} {
		var e env
		for i, arm := range arms {
			runs := ours
			if arm == armConnect {
				runs = theirs
			}
			err := e.compareClasses(arm, runs)
			if arm == armTroupe && i == 0 {
				if err != nil { // nobody to compare with yet
					t.Error(err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), theirs[3].Key) {
				t.Errorf("%v, %s: got %v", arms, arm, err)
			}
		}
	}
}

func TestClassFigures(t *testing.T) {
	runs := []classRun{{Key: "cast", Records: 2000, CPUSeconds: 0.5, Bytes: 4000, Allocs: 1000}}
	m := classFigures(runs, false)
	if m["cast"] != 4 || m["cast"+bytesOf] != 2 || m["cast"+allocsOf] != 0.5 {
		t.Errorf("got %v", m)
	}
	if m := classFigures(runs, true); len(m) > 0 {
		t.Errorf("a quick run has figures: %v", m)
	}
}

// TestClassTable holds that a class that loses reads so in the row's own table.
func TestClassTable(t *testing.T) {
	r := newResults(settings{rows: []string{"classes"}})
	add := func(arm string, cast, read float64) {
		r.add("classes", arm, metrics{"cast": cast, "json-read": read, "cast" + allocsOf: 1.5, "cast" + bytesOf: 640})
	}
	add(armConnect, 100, 100)
	add(armTroupe, 80, 290)
	text := r.tables()
	for _, want := range []string{"| 100 | 80 | 0.80 × | 1.50 | 640 (640) | not worse than Kafka Connect | **LOST** |",
		"| 100 | 290 | 2.90 × |", "**no**: ≥ 3 × Kafka Connect"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if r.table() != "" {
		t.Error("a row with a table of its own is in the common one")
	}
	if math.IsNaN(r.values("classes", armTroupe, "cast")[0]) {
		t.Error("the figure is lost")
	}
}
