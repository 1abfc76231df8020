package json

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/golden"
)

// anyJSON draws a document whose objects are alike, as those of a topic, and
// sometimes are not: members that are left out, in another order, there twice.
func anyJSON(t *rapid.T, depth int) string {
	switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case k < 4 && depth > 0:
		var b strings.Builder
		b.WriteByte('{')
		for i := range rapid.IntRange(0, 20).Draw(t, "members") {
			if i > 0 {
				b.WriteString(rapid.SampledFrom([]string{",", ",", ", ", " ,\n"}).Draw(t, "comma"))
			}
			name := rapid.SampledFrom([]string{"a", "b", "id", "customer", "a longer name of a member", "é", `q\"`, "c\\u0041"}).Draw(t, "name")
			if rapid.IntRange(0, 3).Draw(t, "in order") > 0 {
				name = fmt.Sprintf("member%d", i)
			}
			b.WriteString(`"` + name + `"` + rapid.SampledFrom([]string{":", ":", ": ", " :"}).Draw(t, "colon") + anyJSON(t, depth-1))
		}
		b.WriteByte('}')
		return b.String()
	case k < 6 && depth > 0:
		var all []string
		for range rapid.IntRange(0, 20).Draw(t, "elements") {
			all = append(all, anyJSON(t, depth-1))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	return rapid.SampledFrom([]string{"null", "true", "0", "-7", "12345678", "1483425001864", "123456789012345678901", "19.99", "1e3", `""`, `"text"`,
		`"a text of more than eight bytes"`, `"é and text"`, `"a\nb"`}).Draw(t, "scalar")
}

// TestShapes: what a converter remembers of records changes nothing in what it
// reads next, nor in what it read before.
func TestShapes(t *testing.T) {
	config := map[string]string{SchemasEnableSetting: "false"}
	rapid.Check(t, func(t *rapid.T) {
		c, err := New(config, false)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		var read []data.Value
		for range 15 {
			text := anyJSON(t, 3)
			_, v, err := c.ToConnect("t", []byte(text))
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			texts, read = append(texts, text), append(read, v)
		}
		for i, text := range texts {
			_, want, err := c.byTree([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if d := golden.Diff(nil, want, nil, read[i]); d != "" {
				t.Fatalf("%s: %s", text, d)
			}
			if got := read[i].String(); got != want.String() {
				t.Fatalf("%s: the order differs: %s, want %s", text, got, want)
			}
		}
	})
}

// TestKeysAreShared: records with the same members have one set of keys, whatever
// their values are, and their number is bounded.
func TestKeysAreShared(t *testing.T) {
	c, err := New(map[string]string{SchemasEnableSetting: "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) *data.MapValue {
		_, v, err := c.ToConnect("t", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v.Map()
	}
	allocs := func(text string) float64 {
		b := []byte(text)
		return testing.AllocsPerRun(2000, func() { _, _, _ = c.ToConnect("t", b) })
	}
	stable := `{"a":1,"b":[{"c":2},{"c":3}],"d":{"e":"f"}}`
	if n := allocs(stable); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
	for i := range 3 * maxShapes {
		if m := read(fmt.Sprintf(`{"n%d":%d}`, i, i)); m.Len() != 1 {
			t.Fatalf("record %d: %v", i, data.OfMap(m))
		}
	}
	for i := range 2 * maxShapes {
		read(fmt.Sprintf(`{"a":1,"b%d":{"c%d":1}}`, i%7, i))
	}
	if c.rd.shapes.used > maxShapes {
		t.Errorf("%d members are kept, want %d at most", c.rd.shapes.used, maxShapes)
	}
	if n := allocs(stable); n > 0 {
		t.Errorf("%v allocations a record that was known", n)
	}
	// A topic may change: what is full is forgotten in time.
	c.rd.shapes.used = maxShapes
	other := `{"another":1,"kind":2,"of":3,"record":4}`
	if n := allocs(other); n < 1 {
		t.Errorf("%v allocations a record without room for its keys", n)
	}
	for range forgetMisses {
		read(other)
	}
	if n := allocs(other); n > 0 {
		t.Errorf("%v allocations a record after the others were forgotten", n)
	}
}
