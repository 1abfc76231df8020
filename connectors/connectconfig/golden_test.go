package connectconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file"
	"github.com/troupeio/troupe/connectors/transforms"
	"github.com/troupeio/troupe/internal/golden"
	"github.com/troupeio/troupe/internal/golden/validation"
)

const oakc = "org.apache.kafka.connect."

// goldenRow is one recorded validation.
type goldenRow struct {
	ID, Mode     string
	Config       json.RawMessage
	Status       int
	ResponseBody string `json:"response_body"`

	config map[string]*string
	order  []string
	answer configdef.Infos
}

// readGolden reads the recorded validations.
func readGolden(t *testing.T) []*goldenRow {
	t.Helper()
	rows := golden.Read[*goldenRow](t, "config_validate.jsonl")
	for _, row := range rows {
		if err := json.Unmarshal(row.Config, &row.config); err != nil {
			t.Fatal(err)
		}
		row.order = validation.MemberOrder(row.Config)
		if row.Status == 200 {
			if err := json.Unmarshal([]byte(row.ResponseBody), &row.answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	return rows
}

// recordedValidators are the validators of plugins, which answers do not show.
func recordedValidators() map[string]configdef.Validator {
	lists, aField := configdef.NonEmptyList(), configdef.NonEmpty()
	version := configdef.OneOfAnyCase("V1", "V2")
	cast := configdef.Lambda(func(_ string, v any) error {
		if l, ok := v.([]string); !ok || len(l) == 0 {
			return configdef.Errorf("Must specify at least one field to cast.")
		}
		return nil
	}, "list of colon-delimited pairs")
	return map[string]configdef.Validator{
		"FileStreamSourceConnector/topic":   aField,
		"JsonConverter/decimal.format":      configdef.OneOfAnyCase("NUMERIC", "BASE64"),
		"JsonConverter/converter.type":      configdef.OneOf("key", "value", "header"),
		"Cast/spec":                         cast,
		"DropHeaders/headers":               lists,
		"ExtractField/field.syntax.version": version,
		"HeaderFrom/fields":                 lists,
		"HeaderFrom/headers":                lists,
		"HeaderFrom/operation":              configdef.OneOf("move", "copy"),
		"MaskField/fields":                  lists,
		"RegexRouter/regex":                 configdef.Regex(),
		"TimestampConverter/target.type":    configdef.OneOf("string", "unix", "Date", "Time", "Timestamp"),
		"TopicNameMatches/pattern":          configdef.Composite(configdef.NonEmpty(), configdef.Regex()),
		"HasHeaderKey/name":                 aField,
		"InsertHeader/header":               aField,
	}
}

// recordedPlugins is the worker of the recordings: its classes are those that the
// answers recommend, their settings those that the answers list.
type recordedPlugins struct {
	byKind map[connectors.Kind][]Plugin
}

func (r *recordedPlugins) List(kind connectors.Kind) []Plugin { return r.byKind[kind] }

func (r *recordedPlugins) Find(name string, kinds ...connectors.Kind) (Plugin, bool) {
	name = strings.TrimSpace(name)
	for _, kind := range allKinds {
		if len(kinds) > 0 && !slices.Contains(kinds, kind) {
			continue
		}
		for _, p := range r.byKind[kind] {
			simple := p.Class[strings.LastIndexByte(p.Class, '.')+1:]
			short := strings.TrimSuffix(strings.TrimSuffix(simple, "Connector"), "Converter")
			if p.Class == name || !strings.Contains(simple, "$") && (simple == name || short == name) {
				return p, true
			}
		}
	}
	return Plugin{}, false
}

func goKey(k *configdef.KeyInfo, name string, validator configdef.Validator) configdef.Key {
	out := configdef.Key{
		Name: name, Doc: k.Documentation, Order: k.Order, DisplayName: k.DisplayName, Validator: validator,
		Type:       configdef.Type(slices.Index([]string{"BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}, k.Type)),
		Importance: configdef.Importance(slices.Index([]string{"HIGH", "MEDIUM", "LOW"}, k.Importance)),
		Width:      configdef.Width(slices.Index([]string{"NONE", "SHORT", "MEDIUM", "LONG"}, k.Width)),
	}
	if k.Required {
		out.Default = configdef.Required
	} else if k.DefaultValue != nil {
		out.Default = *k.DefaultValue
	}
	if k.Group != nil && !strings.HasPrefix(*k.Group, "Transforms: ") && !strings.HasPrefix(*k.Group, "Predicates: ") {
		out.Group = *k.Group
	}
	return out
}

// learnPlugins builds the plugins of the recordings.
func learnPlugins(t *testing.T, rows []*goldenRow) *recordedPlugins {
	validators := recordedValidators()
	defs := make(map[string]*configdef.Def)
	learn := func(class string, row *goldenRow, prefix string) {
		simple, _, _ := strings.Cut(class[strings.LastIndexByte(class, '.')+1:], "$")
		for _, c := range row.answer.Configs {
			name, ok := strings.CutPrefix(c.Value.Name, prefix)
			if !ok || c.Definition == nil || slices.Contains([]string{"type", "plugin.version", "predicate", "negate"}, name) && prefix != "" {
				continue
			}
			if prefix == "" && (CommonDef().Key(name) != nil || SourceDef().Key(name) != nil || SinkDef().Key(name) != nil || strings.HasPrefix(name, "transforms.")) {
				continue
			}
			if defs[class] == nil {
				defs[class] = configdef.New()
			}
			if defs[class].Key(name) == nil {
				defs[class].Define(goKey(c.Definition, name, validators[simple+"/"+name]))
			}
		}
	}
	classes := map[string][]string{}
	for _, row := range rows {
		for _, c := range row.answer.Configs {
			if r := c.Value.RecommendedValues; len(r) > 1 {
				classes[c.Value.Name[strings.LastIndexByte(c.Value.Name, '.')+1:]+c.Value.Name[:1]] = r
			}
			if c.Value.Value == nil {
				continue
			}
			prefix, isType := strings.CutSuffix(c.Value.Name, ".type")
			switch {
			case isType && strings.Count(c.Value.Name, ".") == 2 && !strings.HasSuffix(prefix, ".converter"):
				learn(*c.Value.Value, row, prefix+".")
			case strings.HasSuffix(c.Value.Name, ".converter"):
				if row.config[c.Value.Name] != nil {
					learn(*c.Value.Value, row, c.Value.Name+".")
				}
			}
		}
	}
	// Where the project has the plugin, its own definition counts.
	own := 0
	for _, p := range slices.Concat(transforms.Plugins(), file.Plugins()) {
		if p.Def != nil {
			own++
			defs[p.Class] = p.Def()
		}
	}
	t.Logf("%d of %d definitions are the plugins' own", own, len(defs))
	out := &recordedPlugins{byKind: make(map[connectors.Kind][]Plugin)}
	add := func(kind connectors.Kind, classes ...string) {
		for _, class := range classes {
			out.byKind[kind] = append(out.byKind[kind], Plugin{Class: class, Kind: kind, Version: connectors.KafkaVersion, Def: defs[class]})
		}
	}
	add(connectors.SinkKind, oakc+"file.FileStreamSinkConnector")
	add(connectors.SourceKind, oakc+"file.FileStreamSourceConnector")
	add(connectors.TransformationKind, classes["typet"]...)
	add(connectors.PredicateKind, classes["typep"]...)
	add(connectors.ConverterKind, classes["converterk"]...)
	add(connectors.HeaderConverterKind, classes["converterh"]...)
	return out
}

// exactlyOnceFile is what FileStreamSource says of itself.
type exactlyOnceFile struct{}

func (exactlyOnceFile) ExactlyOnceSupport(map[string]string) bool             { return true }
func (exactlyOnceFile) CanDefineTransactionBoundaries(map[string]string) bool { return false }

// recordedClientConfig knows the client properties that the recordings use.
func recordedClientConfig(rows []*goldenRow) ClientConfig {
	known := map[string]configdef.Key{"consumer/max.poll.records": {Name: "max.poll.records", Type: configdef.Int, Default: 500}}
	for _, row := range rows {
		for _, c := range row.answer.Configs {
			if client, name, ok := strings.Cut(c.Value.Name, ".override."); ok && c.Definition != nil {
				known[client+"/"+name] = goKey(c.Definition, name, nil)
			}
		}
	}
	return func(client Client, name string) (configdef.Key, bool) {
		k, ok := known[string(client)+"/"+name]
		if ok && !k.Required() {
			k = *configdef.New(k).Keys()[0]
		}
		return k, ok
	}
}

// TestGoldenConfigValidate replays every recorded validation.
func TestGoldenConfigValidate(t *testing.T) {
	rows := readGolden(t)
	plugins := learnPlugins(t, rows)
	clientConfig := recordedClientConfig(rows)
	for _, row := range rows {
		t.Run(row.ID, func(t *testing.T) {
			r := Request{
				Config: row.config, Order: row.order, Plugins: plugins, ClientConfig: clientConfig,
				Worker: Worker{
					KeyConverter: oakc + "json.JsonConverter", ValueConverter: oakc + "json.JsonConverter",
					HeaderConverter: oakc + "storage.SimpleHeaderConverter",
				},
				Policy: PolicyAll, ExactlyOnce: exactlyOnceFile{},
			}
			if row.Mode == "distributed" {
				r.Distributed = &Distributed{GroupID: "connect-cluster"}
			}
			got, err := Validate(r)
			if row.Status != 200 {
				var want struct{ Message string }
				if err := json.Unmarshal([]byte(row.ResponseBody), &want); err != nil {
					t.Fatal(err)
				}
				var e *connectors.Error
				if !errors.As(err, &e) || e.JavaClass+": "+e.Error() != want.Message {
					t.Fatalf("got %v, want %s", err, want.Message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := validation.Diff(row.answer, got); d != "" {
				t.Error(d)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			compareMemberOrder(t, text, []byte(row.ResponseBody))
		})
	}
	t.Logf("%d rows replayed, none waived", len(rows))
}

// compareMemberOrder checks that the members of the JSON objects come in the order
// of the recording.
func compareMemberOrder(t *testing.T, got, want []byte) {
	t.Helper()
	members := func(text []byte) string {
		var body struct {
			Configs []struct{ Definition, Value json.RawMessage }
		}
		if err := json.Unmarshal(text, &body); err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, c := range body.Configs[:1] {
			for _, part := range []json.RawMessage{c.Definition, c.Value} {
				d := json.NewDecoder(bytes.NewReader(part))
				depth, isName := 0, false
				for token, err := d.Token(); err == nil; token, err = d.Token() {
					switch v := token.(type) {
					case json.Delim:
						if v == '{' || v == '[' {
							depth++
						} else {
							depth--
						}
						isName = true
						continue
					case string:
						if isName && depth == 1 {
							out = append(out, v)
						}
					}
					isName = !isName
				}
			}
		}
		return strings.Join(out, " ")
	}
	if g, w := members(got), members(want); g != w {
		t.Errorf("members in the order %s, want %s", g, w)
	}
}
