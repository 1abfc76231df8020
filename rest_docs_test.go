package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestRESTDocs holds docs/rest.md to the file of differences and to the OpenAPI
// document. TROUPE_WRITE_DOCS=1 rewrites the differences.
func TestRESTDocs(t *testing.T) {
	path := filepath.Join("docs", "rest.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- differences -->\n", "<!-- end -->"
	page := string(b)
	i, j := strings.Index(page, begin), strings.Index(page, end)
	if i < 0 || j < i {
		t.Fatal("docs/rest.md lacks its marks")
	}
	i += len(begin)
	want := page[:i] + differencesTable(restDifferences(t)) + page[j:]
	if page != want {
		if os.Getenv("TROUPE_WRITE_DOCS") != "1" {
			t.Fatal("docs/rest.md differs from testdata/rest_differences.yaml; `make docs` rewrites it")
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a page of documentation
			t.Fatal(err)
		}
	}
	var doc struct{ Paths map[string]map[string]any }
	spec, err := os.ReadFile(filepath.Join("restapi", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(spec, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for p, ops := range doc.Paths {
		for m := range ops {
			if m == "parameters" {
				continue
			}
			n++
			if row := fmt.Sprintf("| `%s %s` |", strings.ToUpper(m), p); !strings.Contains(page, row) {
				t.Errorf("docs/rest.md lacks %s", row)
			}
		}
	}
	rows := 0
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "| `") && strings.Contains(line, "` | ") {
			rows++
		}
	}
	if rows != n {
		t.Errorf("docs/rest.md lists %d requests, the OpenAPI document %d", rows, n)
	}
}

func differencesTable(rules []restDifference) string {
	var b strings.Builder
	b.WriteString("| What | Kafka Connect | Here | Why |\n|---|---|---|---|\n")
	for _, r := range rules {
		there := fmt.Sprint(r.Recorded.Status)
		here := map[string]string{"same": "the same but for it", "!409": "the answer itself"}[r.Ours["any"]]
		if here == "" {
			var parts []string
			for _, m := range sortedKeys(r.Ours) {
				if m != "any" && r.Ours[m] != r.Ours["any"] {
					parts = append(parts, m+" "+r.Ours[m])
				}
			}
			here = strings.Join(append([]string{r.Ours["any"]}, parts...), ", ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Title, there, here, r.Reason)
	}
	return b.String()
}
