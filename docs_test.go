package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/codec/configdef"
	schemaregistry "github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/connectconfig"
)

// generated is a part of a page that comes from code: a comment that says what, the
// text, and a comment that ends it.
var generated = regexp.MustCompile(`(?s)<!-- begin ([a-z]+) ([^ ]+) -->\n.*?<!-- end -->`)

// TestDocsConfiguration holds the generated parts of the pages to the settings, the
// examples and the files that they are made of. TROUPE_WRITE_DOCS=1 rewrites them.
func TestDocsConfiguration(t *testing.T) {
	reg, err := registry()
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{t: t, reg: reg, seen: make(map[string]bool)}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		have, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := generated.ReplaceAllStringFunc(string(have), func(part string) string {
			m := generated.FindStringSubmatch(part)
			return fmt.Sprintf("<!-- begin %s %s -->\n%s<!-- end -->", m[1], m[2], g.text(m[1], m[2]))
		})
		switch {
		case want == string(have):
		case os.Getenv("TROUPE_WRITE_DOCS") == "1":
			if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is not what the code says; `make docs` rewrites it", page)
		}
	}
	for _, p := range reg.All() {
		if !g.seen[p.Class] {
			t.Errorf("no page describes %s", p.Class)
		}
	}
	for name := range examples {
		if !g.seen["example "+name] {
			t.Errorf("the example of %s is on no page", name)
		}
	}
}

// generator writes the generated parts and remembers what it wrote of.
type generator struct {
	t    *testing.T
	reg  *connectors.Registry
	seen map[string]bool
}

func (g *generator) text(kind, name string) string {
	var b strings.Builder
	switch kind {
	case "worker":
		settingsTable(&b, workerKeys(g.t, name))
	case "withouteffect":
		b.WriteString("| Setting | Why |\n|---|---|\n")
		why := workerconfig.WithoutEffect()
		names := make([]string, 0, len(why))
		for n := range why {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			fmt.Fprintf(&b, "| `%s` | %s |\n", n, why[n])
		}
	case "connector":
		def := map[string]func() *configdef.Def{"common": connectconfig.CommonDef, "source": connectconfig.SourceDef, "sink": connectconfig.SinkDef}[name]
		if def == nil {
			g.t.Fatalf("there are no connector settings %q", name)
		}
		keys := def().Keys()
		if name != "common" {
			keys = slices.DeleteFunc(slices.Clone(keys), func(k *configdef.Key) bool { return connectconfig.CommonDef().Key(k.Name) != nil })
		}
		settingsTable(&b, keys)
	case "plugin":
		g.plugin(&b, g.find(name))
	case "transform", "predicate":
		g.step(&b, kind, name)
	case "example":
		g.example(&b, "transform", transformsPackage, name)
	case "converter":
		g.converter(&b, name)
	case "registry":
		settingsTable(&b, schemaregistry.Def().Keys())
	case "settings":
		// Those of the registry stand on a page of their own.
		keys := slices.Clone(g.find(name, connectors.ConverterKind).Def().Keys())
		settingsTable(&b, slices.DeleteFunc(keys, func(k *configdef.Key) bool { return schemaregistry.Def().Key(k.Name) != nil }))
	case "file":
		code, err := os.ReadFile(name)
		if err != nil {
			g.t.Fatal(err)
		}
		fmt.Fprintf(&b, "```go\n%s```\n", code)
	default:
		g.t.Fatalf("nobody writes a part of the kind %q", kind)
	}
	return b.String()
}

// workerKeys returns the worker's settings of one part of the page.
func workerKeys(t *testing.T, part string) []*configdef.Key {
	dist, alone := workerconfig.Def(workerconfig.Distributed), workerconfig.Def(workerconfig.Standalone)
	tls := func(k *configdef.Key) bool { return strings.HasPrefix(k.Name, "ssl.") && k.Name != "ssl.client.auth" }
	sasl := func(k *configdef.Key) bool { return strings.HasPrefix(k.Name, "sasl.") }
	both := func(k *configdef.Key) bool { return alone.Key(k.Name) != nil && dist.Key(k.Name) != nil }
	ours := func(k *configdef.Key) bool { return k.Group == "Troupe" }
	parts := map[string]struct {
		def  *configdef.Def
		keep func(k *configdef.Key) bool
	}{
		"common":      {dist, func(k *configdef.Key) bool { return both(k) && !tls(k) && !sasl(k) && !ours(k) }},
		"distributed": {dist, func(k *configdef.Key) bool { return !both(k) && !tls(k) && !sasl(k) && !ours(k) }},
		"standalone":  {alone, func(k *configdef.Key) bool { return !both(k) }},
		"tls":         {dist, tls},
		"sasl":        {dist, sasl},
		"troupe":      {dist, ours},
	}
	p, ok := parts[part]
	if !ok {
		t.Fatalf("there are no worker settings %q", part)
	}
	return slices.DeleteFunc(slices.Clone(p.def.Keys()), func(k *configdef.Key) bool { return !p.keep(k) })
}

// settingsTable writes what a definition says.
func settingsTable(b *strings.Builder, keys []*configdef.Key) {
	if len(keys) == 0 {
		b.WriteString("It has no settings of its own.\n")
		return
	}
	b.WriteString("| Setting | Type | Default | Values | Importance | |\n|---|---|---|---|---|---|\n")
	cell := func(s string) string {
		return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
	}
	for _, k := range keys {
		def := "required"
		if !k.Required() {
			switch s := configdef.ConvertToString(k.Default, k.Type); {
			case s == nil:
				def = "none"
			case *s == "":
				def = "empty"
			default:
				def = "`" + cell(*s) + "`"
			}
		}
		values := ""
		if v, ok := k.Validator.(fmt.Stringer); ok && k.Validator != nil {
			values = cell(v.String())
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, strings.ToLower(k.Type.String()), def, values,
			strings.ToLower(k.Importance.String()), cell(k.Doc))
	}
}

func (g *generator) find(class string, kinds ...connectors.Kind) *connectors.Plugin {
	p, ok := g.reg.Find(class, kinds...)
	if !ok {
		g.t.Fatalf("there is no plugin %q", class)
	}
	g.seen[p.Class] = true
	return p
}

// plugin writes the names and settings of a connector.
func (g *generator) plugin(b *strings.Builder, p *connectors.Plugin) {
	simple := p.Class[strings.LastIndexByte(p.Class, '.')+1:]
	names := []string{"`" + p.Class + "`"}
	for _, alias := range []string{simple, strings.TrimSuffix(simple, "Connector")} {
		if q, ok := g.reg.Connector(alias); ok && q == p {
			names = append(names, "`"+alias+"`")
		}
	}
	fmt.Fprintf(b, "`connector.class`: %s. Version %s, a %s.\n\n", strings.Join(names, ", "), p.Version, p.Kind)
	settingsTable(b, p.Def().Keys())
}

const transformsPackage = "org.apache.kafka.connect.transforms."

// step writes the class names, the settings and the example of a transform or
// predicate. A name with dots is in a package of its own.
func (g *generator) step(b *strings.Builder, kind, name string) {
	pkg, simple := transformsPackage, name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		pkg, simple = name[:i+1], name[i+1:]
	} else if kind == "predicate" {
		pkg += "predicates."
	}
	var classes []string
	for _, side := range []string{"", "$Key", "$Value", "$Header"} {
		if p, ok := g.reg.Find(pkg + simple + side); ok && p.Class == pkg+simple+side {
			g.seen[p.Class] = true
			classes = append(classes, "`"+p.Class+"`")
		}
	}
	if len(classes) == 0 {
		g.t.Fatalf("there is no %s %q", kind, name)
	}
	fmt.Fprintf(b, "%s\n\n", strings.Join(classes, ", "))
	settingsTable(b, g.find(pkg+examples[name].class).Def().Keys())
	b.WriteString("\n")
	g.example(b, kind, pkg, name)
}

// example writes a worked example, once it has been run.
func (g *generator) example(b *strings.Builder, kind, pkg, name string) {
	ex, ok := examples[name]
	if !ok {
		g.t.Fatalf("%s has no example", name)
	}
	g.seen["example "+name] = true
	out := runExample(g.t, g.reg, kind, pkg+ex.class, ex)
	if out != ex.out {
		g.t.Errorf("the example of %s ends in\n%s\nnot in\n%s", name, out, ex.out)
	}
	what, verb, join := "transforms", "turns", "into"
	if kind == "predicate" {
		what, verb, join = "predicates", "says of", "this:"
	}
	fmt.Fprintf(b, "```properties\n%s=t\n%s.t.type=%s%s\n", what, what, pkg, ex.class)
	for line := range strings.Lines(ex.settings) {
		fmt.Fprintf(b, "%s.t.%s\n", what, strings.TrimSpace(line))
	}
	fmt.Fprintf(b, "```\n\n%s this record\n\n```\n%s\n```\n\n%s\n\n```\n%s\n```\n", verb, ex.in, join, ex.out)
}

// link is a Markdown link's target; code and images with a scheme aside.
var (
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// made are files that commands write and that need not be there.
var made = map[string]string{"bench/results.md": "make bench"}

// TestDocsLinks follows every relative link of every page, to its heading if it
// names one, and looks for pages that the README leads nobody to.
func TestDocsLinks(t *testing.T) {
	var pages []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || path == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			pages = append(pages, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fromReadme := make(map[string]bool)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			path, heading, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
			}
			if page == "README.md" {
				fromReadme[target] = true
			}
			if made[target] != "" {
				continue
			}
			body, err := os.ReadFile(target)
			if st, serr := os.Stat(target); serr == nil && st.IsDir() && heading == "" {
				continue
			}
			if err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
				continue
			}
			if heading != "" && !slices.Contains(headings(string(body)), heading) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
	for _, page := range pages {
		if strings.HasPrefix(page, "docs/") && !fromReadme[page] {
			t.Errorf("README.md does not link to %s", page)
		}
	}
}

// headings returns the anchors of a page's headings, as GitHub makes them.
func headings(text string) []string {
	var out []string
	for line := range strings.Lines(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		title = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, "")
		out = append(out, strings.ReplaceAll(title, " ", "-"))
	}
	return out
}
