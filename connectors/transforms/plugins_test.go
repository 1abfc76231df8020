package transforms

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/internal/golden"
)

func TestPluginsAreComplete(t *testing.T) {
	reg, err := connectors.NewRegistry(Plugins())
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[connectors.Kind]int)
	for _, p := range reg.All() {
		kinds[p.Kind]++
		if want := map[bool]string{true: connectors.KafkaVersion, false: connectors.TroupeVersion}[strings.HasPrefix(p.Class, pkg)]; p.Version != want || p.Def() == nil {
			t.Errorf("%s: version %q", p.Class, p.Version)
		}
		if (p.Kind == connectors.TransformationKind) != (p.NewTransformation != nil) || (p.Kind == connectors.PredicateKind) != (p.NewPredicate != nil) {
			t.Errorf("%s lacks the function of its kind", p.Class)
		}
	}
	if kinds[connectors.TransformationKind] != 26+11 || kinds[connectors.PredicateKind] != 3 {
		t.Errorf("kinds: %v", kinds)
	}
	p, ok := reg.Find(pkg + "HoistField$Key")
	if !ok {
		t.Fatal("HoistField$Key is not there")
	}
	if _, err := p.NewTransformation(nil); connectors.JavaClass(err) != connectors.ConfigException || connectors.ClassOf(err) != connectors.Configuration {
		t.Errorf("a missing setting is a %s: %v", connectors.JavaClass(err), err)
	}
	if _, err := p.NewTransformation(map[string]string{"field": "f", "unknown": "x"}); err != nil {
		t.Error(err)
	}
}

// definition is what REST tells of a setting.
type definition struct {
	Name, Type    string
	Required      bool
	DefaultValue  *string `json:"default_value"`
	Importance    string
	Documentation string
	Width         string
	DisplayName   string `json:"display_name"`
}

// TestDefinitionsAreAsRecorded compares the keys with those that the recorded
// validations list for a transform or predicate.
func TestDefinitionsAreAsRecorded(t *testing.T) {
	own := make(map[string]*configdef.Def)
	for _, p := range Plugins() {
		own[p.Class] = p.Def()
	}
	seen := make(map[string]bool)
	for _, row := range golden.Read[struct {
		ID           string
		Config       json.RawMessage
		ResponseBody string `json:"response_body"`
	}](t, "config_validate.jsonl") {
		var config map[string]any
		var text string
		if json.Unmarshal(row.Config, &text) == nil {
			row.Config = json.RawMessage(text)
		}
		var body struct {
			Configs []struct{ Definition definition }
		}
		if json.Unmarshal(row.Config, &config) != nil || json.Unmarshal([]byte(row.ResponseBody), &body) != nil {
			continue // a request that could not be read, or an error
		}
		for _, c := range body.Configs {
			parts := strings.SplitN(c.Definition.Name, ".", 3)
			if len(parts) < 3 || parts[0] != "transforms" && parts[0] != "predicates" {
				continue
			}
			class, _ := config[parts[0]+"."+parts[1]+".type"].(string)
			def := own[class]
			if def == nil {
				continue
			}
			switch parts[2] {
			case "type", "predicate", "negate", "plugin.version":
				continue // the worker's
			}
			seen[class] = true
			k := def.Key(parts[2])
			if k == nil {
				t.Errorf("%s: %s has no key %s", row.ID, class, parts[2])
				continue
			}
			got, err := json.Marshal(k.Info(""))
			if err != nil {
				t.Fatal(err)
			}
			var have definition
			if err := json.Unmarshal(got, &have); err != nil {
				t.Fatal(err)
			}
			want := c.Definition
			want.Name = parts[2]
			if w, h := asJSON(t, want), asJSON(t, have); w != h {
				t.Errorf("%s, %s: want %s, got %s", row.ID, class, w, h)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no recorded definition was compared")
	}
	t.Logf("compared %d classes", len(seen))
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
