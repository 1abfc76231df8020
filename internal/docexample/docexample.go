// Package docexample holds the examples on a page of the documentation to what the
// program does. Only tests import it.
package docexample

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// block is a fence of Markdown that a comment before it gives a name.
var block = regexp.MustCompile("(?s)<!-- example (\\w+) -->\n```(\\w*)\n(.*?)```\n")

// Hold holds the named blocks of a page to their texts, which end in a newline, each of
// them and no other, and looks for lines that the page must show somewhere. TROUPE_WRITE_DOCS=1 rewrites the
// blocks.
func Hold(t *testing.T, page string, texts map[string]string, lines ...string) {
	t.Helper()
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !strings.Contains(string(have), "\n"+line+"\n") {
			t.Errorf("%s does not show %s", page, line)
		}
	}
	seen := make(map[string]bool)
	want := block.ReplaceAllStringFunc(string(have), func(part string) string {
		m := block.FindStringSubmatch(part)
		text, ok := texts[m[1]]
		if !ok || seen[m[1]] {
			t.Errorf("%s has an example %s that nothing, or another one, is held to", page, m[1])
		}
		seen[m[1]] = true
		return "<!-- example " + m[1] + " -->\n```" + m[2] + "\n" + text + "```\n"
	})
	if len(seen) != len(texts) {
		t.Errorf("the page has %d examples, want %d", len(seen), len(texts))
	}
	if want == string(have) {
		return
	}
	if os.Getenv("TROUPE_WRITE_DOCS") != "1" {
		t.Errorf("%s is not what the program does; TROUPE_WRITE_DOCS=1 rewrites it", page)
	} else if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page of documentation
		t.Fatal(err)
	}
}
