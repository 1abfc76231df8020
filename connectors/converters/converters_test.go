package converters

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/internal/golden"
)

func registry(t *testing.T) *connectors.Registry {
	r, err := connectors.NewRegistry(Plugins())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type restLine struct {
	Path   string
	Method string
	Status int
	Body   string `json:"response_body"`
}

// TestGoldenConverterConfigs compares the settings with the recorded answers of
// GET /connector-plugins/{converter}/config.
func TestGoldenConverterConfigs(t *testing.T) {
	r := registry(t)
	n := 0
	for _, line := range golden.Read[restLine](t, "rest.jsonl") {
		class, ok := strings.CutPrefix(line.Path, "/connector-plugins/org.apache.kafka.connect.")
		class, isConfig := strings.CutSuffix(class, "/config")
		if !ok || !isConfig || line.Status != 200 || !strings.HasSuffix(class, "Converter") {
			continue
		}
		p, ok := r.Find("org.apache.kafka.connect."+class, connectors.ConverterKind, connectors.HeaderConverterKind)
		if !ok {
			t.Errorf("no plugin %s", class)
			continue
		}
		infos := slices.DeleteFunc(p.Def().Infos(), func(k *configdef.KeyInfo) bool { return k.Group != nil && *k.Group == "Troupe" }) // added
		got, err := json.Marshal(infos)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != line.Body {
			t.Errorf("%s:\ngot  %s\nwant %s", class, got, line.Body)
		}
		n++
	}
	t.Logf("%d answers compared", n)
}

// TestGoldenConverterPlugins: every converter that Kafka Connect lists is there,
// and no other of its packages.
func TestGoldenConverterPlugins(t *testing.T) {
	type plugin struct{ Class, Type, Version string }
	var want map[plugin]bool
	for _, line := range golden.Read[restLine](t, "rest.jsonl") {
		var all []plugin
		if line.Path != "/connector-plugins?connectorsOnly=false" || line.Status != 200 || json.Unmarshal([]byte(line.Body), &all) != nil {
			continue
		}
		want = map[plugin]bool{}
		for _, p := range all {
			if strings.HasSuffix(p.Type, "converter") && strings.HasPrefix(p.Class, "org.apache.kafka.connect.") {
				want[p] = true
			}
		}
	}
	if want == nil {
		t.Skip("no recorded list of plugins")
	}
	for _, p := range registry(t).All() {
		if !strings.HasPrefix(p.Class, "org.apache.kafka.connect.") {
			continue
		}
		k := plugin{p.Class, string(p.Kind), p.Version}
		if !want[k] {
			t.Errorf("%v is not in the recorded list", k)
		}
		delete(want, k)
	}
	for p := range want {
		t.Errorf("%v is missing", p)
	}
}

// TestGoldenNullSettings: a setting that is null does not reach JsonConverter, but
// validation, which refuses it in Kafka Connect's words. What the converter itself
// would do is waived (golden_waivers.yaml, null-setting).
func TestGoldenNullSettings(t *testing.T) {
	p, _ := registry(t).Find("JsonConverter", connectors.ConverterKind)
	n := 0
	for _, v := range golden.Read[struct {
		ID     string
		Config map[string]*string
		Error  *golden.Error
	}](t, "json_converter.jsonl") {
		if v.Error == nil || v.Error.Phase != "configure" || !v.Error.Kafka || !slices.Contains(slices.Collect(maps.Values(v.Config)), nil) {
			continue
		}
		value := "value"
		v.Config["converter.type"] = &value
		_, err := p.Def().ParseNullable(v.Config)
		if d := golden.DiffError(v.Error, "configure", connectors.ConfigException, err); d != "" {
			t.Errorf("%s: %s", v.ID, d)
		}
		n++
	}
	t.Logf("%d settings compared", n)
}

func TestConfigurationErrors(t *testing.T) {
	r := registry(t)
	for name, tc := range map[string]struct {
		class, key, value, java string
	}{
		"json":   {"JsonConverter", "schemas.enable", "maybe", connectors.ConfigException},
		"string": {"StringConverter", "converter.encoding", "no-such", "org.apache.kafka.common.errors.SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			p, ok := r.Find(tc.class, connectors.ConverterKind)
			if !ok {
				t.Fatal("not found by its alias")
			}
			_, err := p.NewConverter(map[string]string{tc.key: tc.value}, false)
			if err == nil || connectors.ClassOf(err) != connectors.Configuration || connectors.JavaClass(err) != tc.java {
				t.Errorf("got %v of class %v, %s", err, connectors.ClassOf(err), connectors.JavaClass(err))
			}
			h, _ := r.Find(tc.class, connectors.HeaderConverterKind)
			if _, err := h.NewHeaderConverter(nil); err == nil || !strings.Contains(err.Error(), "converter.type") {
				t.Errorf("a header converter without converter.type: %v", err)
			}
		})
	}
}

// TestAllWork builds every plugin and converts null with it. Nobody answers at the
// registry's address, and nobody has to.
func TestAllWork(t *testing.T) {
	for _, p := range Plugins() {
		t.Run(p.Class+" "+string(p.Kind), func(t *testing.T) {
			if p.Kind == connectors.ConverterKind {
				c, err := p.NewConverter(map[string]string{"schema.registry.url": "http://127.0.0.1:1"}, true)
				if err != nil {
					t.Fatal(err)
				}
				if _, v, err := c.ToConnect("t", nil); err != nil || !v.IsNull() {
					t.Errorf("null became %v, %v", v, err)
				}
				return
			}
			c, err := p.NewHeaderConverter(map[string]string{"converter.type": "header"})
			if err != nil {
				t.Fatal(err)
			}
			if _, v, err := c.ToConnectHeader("t", "h", nil); err != nil || !v.IsNull() {
				t.Errorf("null became %v, %v", v, err)
			}
		})
	}
}
