package connectconfig

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file"
)

func registryOf(t *testing.T) Plugins {
	t.Helper()
	def := func(keys ...configdef.Key) func() *configdef.Def {
		return func() *configdef.Def { return configdef.New(keys...) }
	}
	r, err := connectors.NewRegistry([]connectors.Plugin{
		{Class: "x.DemoSinkConnector", Kind: connectors.SinkKind, Version: "1.2", Def: def()},
		{Class: "x.DemoSourceConnector", Kind: connectors.SourceKind, Version: "1.2",
			Def: def(configdef.Key{Name: "secret", Type: configdef.PasswordType}, configdef.Key{Name: "tasks.max", Type: configdef.Int, Default: 7, Group: "Demo"})},
		{Class: "x.Rename$Key", Kind: connectors.TransformationKind, Version: "3",
			Def: def(configdef.Key{Name: "to", Type: configdef.String, Default: configdef.Required, Group: "Names"})},
		{Class: "x.JsonConverter", Kind: connectors.ConverterKind, Version: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return FromRegistry(r)
}

func validate(t *testing.T, change func(*Request), pairs ...string) (configdef.Infos, error) {
	t.Helper()
	config := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		config[pairs[i]] = pairs[i+1]
	}
	r := Request{Config: configdef.Nullable(config), Plugins: registryOf(t), Worker: Worker{KeyConverter: "x.JsonConverter"}}
	if change != nil {
		change(&r)
	}
	return Validate(r)
}

func errorsOf(i configdef.Infos) map[string][]string {
	out := map[string][]string{}
	for _, c := range i.Configs {
		if len(c.Value.Errors) > 0 {
			out[c.Value.Name] = c.Value.Errors
		}
	}
	return out
}

func TestValidateFindings(t *testing.T) {
	sink := []string{"name", "n", "connector.class", "DemoSink", "topics", "a"}
	source := []string{"name", "n", "connector.class", "DemoSource"}
	in := func(d Distributed) func(*Request) { return func(r *Request) { r.Distributed = &d } }
	for _, c := range []struct {
		name    string
		change  func(*Request)
		config  []string
		key     string
		message string // "": no error at all
	}{
		{"good sink", nil, sink, "", ""},
		{"good source", nil, source, "", ""},
		{"policy none", func(r *Request) { r.Policy = PolicyNone }, append(sink, "consumer.override.max.poll.records", "5"),
			"consumer.override.max.poll.records", "The 'None' policy does not allow 'max.poll.records' to be overridden in the connector configuration."},
		{"policy principal refuses", func(r *Request) { r.Policy = PolicyPrincipal }, append(source, "producer.override.acks", "1"),
			"producer.override.acks", "The 'Principal' policy does not allow 'acks' to be overridden in the connector configuration."},
		{"policy principal allows", func(r *Request) { r.Policy = PolicyPrincipal }, append(source, "producer.override.sasl.mechanism", "PLAIN"), "", ""},
		{"client that is not used", func(r *Request) { r.Policy = PolicyNone }, append(source, "consumer.override.group.id", "g"), "", ""},
		{"producer of a sink with dead letters", func(r *Request) { r.Policy = PolicyNone }, append(sink, "errors.deadletterqueue.topic.name", "d", "producer.override.acks", "1"),
			"producer.override.acks", "The 'None' policy does not allow 'acks' to be overridden in the connector configuration."},
		{"admin of a source that creates topics", func(r *Request) { r.Policy = PolicyNone }, append(source, "topic.creation.default.partitions", "1", "admin.override.client.id", "c"),
			"admin.override.client.id", "The 'None' policy does not allow 'client.id' to be overridden in the connector configuration."},
		{"group of the workers by name", in(Distributed{GroupID: "connect-n"}), sink, "name",
			"Consumer group for sink connector named n conflicts with Connect worker group connect-n"},
		{"group of the workers by override", in(Distributed{GroupID: "w"}), append(sink, "consumer.override.group.id", "w"), "consumer.override.group.id",
			"Consumer group w conflicts with Connect worker group w"},
		{"exactly once, connector silent", in(Distributed{ExactlyOnceSource: true}), append(source, "exactly.once.support", "REQUIRED"), "exactly.once.support",
			"The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created)."},
		{"own transaction boundaries", in(Distributed{}), append(source, "transaction.boundary", "connector"), "transaction.boundary",
			"The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition."},
		{"negate without predicate", nil, append(source, "transforms", "a", "transforms.a.type", "x.Rename$Key", "transforms.a.to", "b", "transforms.a.negate", "true"), "transforms.a.type",
			"Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a predicate to be negated."},
		{"bad regex and dead letters", nil, []string{"name", "n", "connector.class", "DemoSink", "topics.regex", "(", "errors.deadletterqueue.topic.name", "d"}, "topics.regex",
			"Invalid value ( for configuration topics.regex: Invalid regex: Unclosed group near index 1\n("},
		{"the connector's own check", func(r *Request) {
			r.Validator = func(map[string]string) (map[string][]string, error) {
				return map[string][]string{"secret": {"too short"}}, nil
			}
		}, source, "secret", "too short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := validate(t, c.change, c.config...)
			if err != nil {
				t.Fatal(err)
			}
			found := errorsOf(got)
			if c.message == "" {
				if len(found) != 0 || got.ErrorCount != 0 || Refusal(got) != "" {
					t.Errorf("got %v", found)
				}
				return
			}
			if len(found) != 1 || !slices.Equal(found[c.key], []string{c.message}) || got.ErrorCount != 1 {
				t.Errorf("got %q, want %s: %s", found, c.key, c.message)
			}
			if !strings.Contains(Refusal(got), "following 1 error(s):\n"+c.message+"\nYou can") {
				t.Errorf("refused with %s", Refusal(got))
			}
		})
	}
}

// A version that cannot be had is told of the class and of the version; one that
// cannot be read of a converter's version alone.
func TestValidateVersions(t *testing.T) {
	for _, c := range []struct {
		version string
		want    []string
	}{
		{"3", nil}, {"latest", nil}, {"[0.9,4)", nil}, {"1.0,3.0", nil},
		{"[1", []string{"Unbounded range: [1", "Unbounded range: [1"}},
		{"", []string{"Plugin x.Rename$Key not found that matches the version range [,], available versions: [3]", "Plugin x.Rename$Key not found that matches the version range [,], available versions: [3]"}},
		{"2.0", []string{"Plugin x.Rename$Key not found that matches the version range [2.0,2.0], available versions: [3]", "Plugin x.Rename$Key not found that matches the version range [2.0,2.0], available versions: [3]"}},
	} {
		got, err := validate(t, nil, "name", "n", "connector.class", "DemoSource", "transforms", "a", "transforms.a.type", "x.Rename$Key",
			"transforms.a.to", "b", "transforms.a.plugin.version", c.version)
		if err != nil {
			t.Fatal(err)
		}
		found := errorsOf(got)
		have := slices.Concat(found["transforms.a.type"], found["transforms.a.plugin.version"])
		if !slices.Equal(have, c.want) || got.ErrorCount != len(c.want) {
			t.Errorf("%q: got %q, %d errors; want %q", c.version, found, got.ErrorCount, c.want)
		}
	}
}

func TestValidateCannotAnswer(t *testing.T) {
	for _, c := range []struct {
		name   string
		config []string
		want   string
	}{
		{"no class", []string{"name", "n", "a", "b"}, "Connector config {a=b, name=n} contains no connector type"},
		{"unknown class", []string{"connector.class", "Nope"}, "Failed to find any class that implements Connector and which name matches Nope, available connectors are: PluginDesc{klass=class x.DemoSinkConnector, "},
		{"an alias within an alias's settings", []string{"connector.class", "DemoSink", "transforms", "x,x.y", "transforms.x.type", "x.Rename$Key", "transforms.x.y.type", "x.Rename$Key"}, ""},
		{"two aliases that share a setting", []string{"connector.class", "DemoSink", "transforms", "x.plugin,x,x.plugin.version", "predicates", "a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := validate(t, nil, c.config...)
			if c.want == "" {
				return // no answer is fixed; it must not panic
			}
			var e *connectors.Error
			if !errors.As(err, &e) || e.JavaClass != BadRequestException || !strings.HasPrefix(e.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSettingsOfOurOwnComeLast(t *testing.T) {
	got, err := validate(t, func(r *Request) {
		r.Extra = configdef.New(configdef.Key{Name: "troupe.batch.bytes", Type: configdef.Int, Default: 1, Group: "Troupe"})
	}, "name", "n", "connector.class", "x.DemoSourceConnector", "secret", "s3cret", "producer.override.acks", "1")
	if err != nil {
		t.Fatal(err)
	}
	last := got.Configs[len(got.Configs)-1]
	if last.Value.Name != "troupe.batch.bytes" || got.Groups[len(got.Groups)-1] != "Troupe" {
		t.Errorf("last are %s and %s", last.Value.Name, got.Groups[len(got.Groups)-1])
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "s3cret") || !strings.Contains(string(text), `"value":"[hidden]"`) {
		t.Errorf("the password shows in %s", text)
	}
	for _, c := range got.Configs {
		if c.Value.Name == "tasks.max" && (*c.Definition.DefaultValue != "7" || *c.Value.Value != "7") {
			t.Errorf("the connector's own tasks.max does not count: %+v", c.Definition)
		}
	}
}

func TestVersionRanges(t *testing.T) {
	for _, c := range []struct {
		text, version string
		want          bool
	}{
		{"4.1.0", "4.1.0", true}, {"4.1", "4.1.0", true}, {"4.1.1", "4.1.0", false},
		{"[4.0,5.0)", "4.1.0", true}, {"[4.0,4.1)", "4.1.0", false}, {"(4.1,)", "4.1.0", false}, {"(,4.1]", "4.1.0", true},
		{"[4.1.0]", "4.1.0", true}, {"[1,2),[4,5)", "4.1.0", true}, {"latest", "4.1.0", true}, {"", "4.1.0", false}, {"3,5", "4.1.0", true}, {"LATEST", "4.1.0", false},
		{"[1,2)", "2-rc1", true},
	} {
		r, err := parseVersionRange(c.text)
		if err != nil || r.contains(c.version) != c.want {
			t.Errorf("%s in %s: %v, %v", c.version, c.text, !c.want, err)
		}
	}
	for _, bad := range []string{"[1", "1]", "(1)", "[2,1]", "[1],2", "[1,3],[2,4]", "5,4", "[1,1)"} {
		if _, err := parseVersionRange(bad); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestHashOrder(t *testing.T) {
	in := []string{"converter.type", "schemas.enable", "schemas.cache.size", "decimal.format", "replace.null.with.default"}
	want := []string{"decimal.format", "converter.type", "schemas.cache.size", "replace.null.with.default", "schemas.enable"}
	if got := HashOrder(in, GrownBuckets(len(in))); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestCheckPath(t *testing.T) {
	for _, c := range []struct {
		class, plugin string
		ok            bool
	}{
		{"a.FileStreamSourceConnector", "FileStreamSource", true}, {"FileStreamSource", "FileStreamSourceConnector", true},
		{"FileStreamSource", "Source", true}, {"a.FileStreamSinkConnector", "FileStreamSource", false},
	} {
		err := CheckPath(&c.class, c.plugin)
		if (err == nil) != c.ok {
			t.Errorf("%s under %s: %v", c.class, c.plugin, err)
		}
	}
}

// TestGoldenPluginConfig compares the descriptions of the FileStream connectors and
// the 400s about versions with the recorded ones.
func TestGoldenPluginConfig(t *testing.T) {
	reg, err := connectors.NewRegistry(file.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	plugins := FromRegistry(reg)
	dir := os.Getenv("TROUPE_GOLDEN")
	if dir == "" {
		dir = filepath.Join("..", "..", "testdata", "golden")
	}
	f, err := os.Open(filepath.Join(dir, "rest.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("recorded vectors rest.jsonl are not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	compared := 0
	for in.Scan() {
		var row struct {
			ID, Method, Path string
			Status           int
			Body             string `json:"response_body"`
		}
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		name, isConfig := strings.CutPrefix(row.Path, "/connector-plugins/")
		name, query, _ := strings.Cut(name, "?version=")
		name, hasSuffix := strings.CutSuffix(name, "/config")
		p, known := plugins.Find(name, connectors.SourceKind, connectors.SinkKind)
		if row.Method != "GET" || !isConfig || !hasSuffix || !known {
			continue
		}
		compared++
		t.Run(row.ID, func(t *testing.T) {
			var version *string
			if query != "" {
				plain := strings.NewReplacer("%5B", "[", "%5D", "]").Replace(query)
				version = &plain
			}
			got, err := Describe(plugins, p, version)
			if row.Status == 400 {
				var want struct{ Message string }
				if json.Unmarshal([]byte(row.Body), &want) != nil || err == nil || err.Error() != want.Message {
					t.Fatalf("got %v, want %s", err, row.Body)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want []*configdef.KeyInfo
			if err := json.Unmarshal([]byte(row.Body), &want); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d settings, want %d", len(got), len(want))
			}
			for i := range want {
				g, _ := json.Marshal(got[i])
				w, _ := json.Marshal(want[i])
				if string(g) != string(w) {
					t.Errorf("got %s\nwant %s", g, w)
				}
			}
		})
	}
	if in.Err() != nil || compared == 0 {
		t.Fatalf("%d rows compared, %v", compared, in.Err())
	}
}
