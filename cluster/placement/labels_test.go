package placement

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseLabels(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[string]string
		err        string
	}{
		{"none", "", map[string]string{}, ""},
		{"blank", " \t", map[string]string{}, ""},
		{"two", "zone=a,disk=ssd", map[string]string{"zone": "a", "disk": "ssd"}, ""},
		{"blanks around", " zone = a , disk=ssd ", map[string]string{"zone": "a", "disk": "ssd"}, ""},
		{"the same twice", "zone=a,zone=a", map[string]string{"zone": "a"}, ""},
		{"dots and dashes", "example.com/rack-no=r_1:7", map[string]string{"example.com/rack-no": "r_1:7"}, ""},
		{"two values", "zone=a,zone=b", nil, `node.labels: zone is given twice, as "a" and as "b", and a node has one value for each label`},
		{"no equals sign", "zone", nil, `node.labels: "zone" is not of the form key=value`},
		{"no key", "=a", nil, `node.labels: "=a" has no key before the equals sign`},
		{"no value", "zone=", nil, `node.labels: "zone=" has no value after the equals sign`},
		{"comma at the end", "zone=a,", nil, `node.labels: there is an empty entry in "zone=a,"; entries are key=value, with commas between them`},
		{"comma forgotten", "zone=a disk=ssd", nil, `node.labels: "zone=a disk=ssd" has more than one equals sign; is a comma missing?`},
		{"blank inside", "zone=a b", nil, `node.labels: "zone=a b" has a blank or a character that cannot be printed inside; is a comma missing?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseLabels(c.text)
			if text(err) != c.err || !maps.Equal(got, c.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestParseRules(t *testing.T) {
	a, b, ssd := Label{"zone", "a"}, Label{"zone", "b"}, Label{"disk", "ssd"}
	for _, c := range []struct {
		name, require, avoid string
		wantRequire          []Label
		wantAvoid            []Label
		err                  string
	}{
		{name: "none"},
		{name: "both", require: "zone=a,disk=ssd", avoid: "zone=b", wantRequire: []Label{a, ssd}, wantAvoid: []Label{b}},
		{name: "several values", require: "zone=a,zone=b,zone=a", wantRequire: []Label{a, b}},
		{name: "one of two avoided", require: "zone=a,zone=b", avoid: "zone=a", wantRequire: []Label{a, b}, wantAvoid: []Label{a}},
		{name: "nothing left", require: "zone=a,zone=b", avoid: "zone=b,zone=a", err: "placement.avoid: every value that placement.require allows for zone is forbidden here (zone=b,zone=a), so that no node could ever run the connector"},
		{name: "bad require", require: "zone", err: `placement.require: "zone" is not of the form key=value`},
		{name: "bad avoid", avoid: "zone==a", err: `placement.avoid: "zone==a" has more than one equals sign; is a comma missing?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require, avoid, err := ParseRules(c.require, c.avoid)
			if text(err) != c.err || !slices.Equal(require, c.wantRequire) || !slices.Equal(avoid, c.wantAvoid) {
				t.Errorf("got %v, %v, %v", require, avoid, err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAllows(t *testing.T) {
	node := map[string]string{"zone": "a", "disk": "ssd"}
	for _, c := range []struct {
		name, require, avoid string
		want                 bool
	}{
		{"no rules", "", "", true},
		{"met", "zone=a", "", true},
		{"another value", "zone=b", "", false},
		{"one of the values", "zone=b,zone=a", "", true},
		{"each key", "zone=a,disk=hdd", "", false},
		{"a key that it doesn't have", "gpu=yes", "", false},
		{"avoided", "", "zone=a", false},
		{"another is avoided", "", "zone=b,gpu=yes", true},
		{"avoided though required", "zone=a,zone=b", "disk=ssd", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require, avoid, err := ParseRules(c.require, c.avoid)
			if err != nil {
				t.Fatal(err)
			}
			if got := Allows(node, require, avoid); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// FuzzParse: whatever is accepted reads the same when it is written again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "zone=a", "zone=a, zone=b,disk=ssd", "=", "a==b", "a=b,", "ä=ß", "a=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		require, _, err := ParseRules(s, "")
		if err != nil {
			if !strings.HasPrefix(err.Error(), RequireSetting+": ") {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		again, _, err := ParseRules(join(require), "")
		if err != nil || !reflect.DeepEqual(again, require) {
			t.Errorf("%q is %v, written again %v, %v", s, require, again, err)
		}
		if labels, err := ParseLabels(s); err == nil && !Allows(labels, require, nil) {
			t.Errorf("a node with the labels %q is not what %q asks for", s, s)
		}
	})
}
