package restapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

type openAPIDoc struct {
	OpenAPI    string
	Paths      map[string]map[string]any
	Components map[string]map[string]any
}

func parseOpenAPI(t *testing.T) openAPIDoc {
	t.Helper()
	var d openAPIDoc
	if err := yaml.Unmarshal(openapi, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Fatalf("openapi %q", d.OpenAPI)
	}
	return d
}

// TestOpenAPIRoutes holds the document and the table of routes equal, both ways.
func TestOpenAPIRoutes(t *testing.T) {
	d := parseOpenAPI(t)
	documented := make(map[string]bool)
	for path, ops := range d.Paths {
		for m := range ops {
			if m != "parameters" {
				documented[strings.ToUpper(m)+" "+path] = true
			}
		}
	}
	a := &api{metrics: http.NotFoundHandler()}
	served := make(map[string]bool)
	for _, r := range append(a.routes(), a.adminRoutes()...) {
		for m := range r.methods {
			served[m+" "+strings.ReplaceAll(r.pattern, ":int}", "}")] = true
		}
	}
	for k := range served {
		if !documented[k] {
			t.Errorf("%s is not documented", k)
		}
	}
	for k := range documented {
		if !served[k] {
			t.Errorf("%s is documented and not served", k)
		}
	}
}

// TestOpenAPIIsWhole checks that references lead somewhere, that the variables of a
// path are declared, and that bodies and answers are described.
func TestOpenAPIIsWhole(t *testing.T) {
	d := parseOpenAPI(t)
	var walk func(at string, v any)
	used := make(map[string]bool)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				parts := strings.Split(ref, "/")
				if len(parts) != 4 || d.Components[parts[2]][parts[3]] == nil {
					t.Errorf("%s: %s leads nowhere", at, ref)
				}
				used[ref] = true
			}
			for k, e := range v {
				walk(at+"/"+k, e)
			}
		case []any:
			for _, e := range v {
				walk(at, e)
			}
		}
	}
	ids := make(map[string]bool)
	bodies := make(map[string][]string)
	a := &api{}
	for _, r := range append(a.routes(), a.adminRoutes()...) {
		bodies[strings.ReplaceAll(r.pattern, ":int}", "}")] = r.body
	}
	for path, ops := range d.Paths {
		var vars []string
		for _, s := range strings.Split(path, "/") {
			if strings.HasPrefix(s, "{") {
				vars = append(vars, strings.Trim(s, "{}"))
			}
		}
		params, _ := ops["parameters"].([]any)
		if len(params) != len(vars) {
			t.Errorf("%s declares %d of the variables %v", path, len(params), vars)
		}
		for m, op := range ops {
			walk(path+" "+m, op)
			o, ok := op.(map[string]any)
			if m == "parameters" || !ok {
				continue
			}
			id, _ := o["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operationId %q", m, path, id)
			}
			ids[id] = true
			if rs, _ := o["responses"].(map[string]any); len(rs) == 0 {
				t.Errorf("%s %s has no responses", m, path)
			}
			if _, has := o["requestBody"]; has != slices.Contains(bodies[path], strings.ToUpper(m)) {
				t.Errorf("%s %s: a body is documented: %v", m, path, has)
			}
		}
	}
	for _, all := range d.Components {
		for _, c := range all {
			walk("components", c)
		}
	}
	for _, kind := range []string{"parameters", "responses", "schemas"} {
		for name := range d.Components[kind] {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("#/components/%s/%s is not used", kind, name)
			}
		}
	}
}
