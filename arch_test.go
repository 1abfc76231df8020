package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/troupeio/troupe/"

// floors is the import line: a package imports its own folder and those before it.
var floors = []string{"codec", "connectors", "actors", "cluster", "restapi"}

// homes are libraries that only the named packages import, so that they can be
// replaced.
var homes = map[string][]string{
	"github.com/asynkron/protoactor-go":        {"actors", "cluster", "main"},
	"github.com/twmb/franz-go/pkg/kgo":         {"actors", "cluster", "main"},
	"github.com/twmb/franz-go/pkg/kfake":       {"cluster/devbroker"},
	"github.com/hashicorp/memberlist":          {"cluster/membership", "cluster/clustertest"},
	"github.com/twmb/franz-go/pkg/sr":          {"codec/registry"},
	"github.com/linkedin/goavro":               {"codec/avro"},
	"github.com/dlclark/regexp2":               {"codec/javaregex"},
	"github.com/google/cel-go":                 {"connectors/transforms/expr"},
	"github.com/prometheus":                    {"actors/telemetry"},
	"go.opentelemetry.io":                      {"actors/telemetry"},
	"github.com/santhosh-tekuri/jsonschema/v6": {"codec/jsonschema"},
	"github.com/bufbuild/protocompile":         {"codec/protobuf"},
	"google.golang.org/protobuf":               {"codec/protobuf"},
}

func floor(pkg string) int {
	top, _, _ := strings.Cut(pkg, "/")
	for i, f := range floors {
		if f == top {
			return i
		}
	}
	return len(floors) // main
}

// TestImportsPointOneWay holds the import line of CONTRIBUTING.md for all code that
// is not a test.
func TestImportsPointOneWay(t *testing.T) {
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || path == "internal" || path == "bench" || path == "docs") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		n++
		pkg := filepath.ToSlash(filepath.Dir(path))
		if pkg == "." {
			pkg = "main"
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if ours, ok := strings.CutPrefix(name, module); ok {
				if floor(ours) > floor(pkg) {
					t.Errorf("%s imports %s, against the import line", path, ours)
				}
				if strings.HasPrefix(ours, "internal/") {
					t.Errorf("%s imports %s, which is for tests", path, ours)
				}
				continue
			}
			for lib, allowed := range homes {
				if name != lib && !strings.HasPrefix(name, lib+"/") {
					continue
				}
				ok := false
				for _, a := range allowed {
					ok = ok || pkg == a || strings.HasPrefix(pkg, a+"/")
				}
				if !ok {
					t.Errorf("%s imports %s, whose home is %v", path, name, allowed)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 20 {
		t.Fatalf("only %d files were looked at", n)
	}
}
