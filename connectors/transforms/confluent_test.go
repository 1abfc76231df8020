package transforms

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// byClass builds a transform by its full class name from settings, a line each.
func byClass(t testing.TB, class, settings string) (connectors.Transformation, error) {
	t.Helper()
	config := make(map[string]string)
	for line := range strings.Lines(settings) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		if k != "" {
			config[k] = v
		}
	}
	for _, p := range Plugins() {
		if p.Class == class {
			return p.NewTransformation(config)
		}
	}
	t.Fatalf("there is no class %s", class)
	return nil, nil
}

// TestConfluent holds the six transforms to what their public documentation says.
func TestConfluent(t *testing.T) {
	const (
		value = `{"f2":"two","f1":{"f3":"deep"},"nil":null,"n":5,"key":{"nestedKey":"value1"},"time":"2019-08-06","ms":1565049600000}`
		tree  = `{"abc":42,"etc":"etc","foo":{"a1":"k1","a2":{"b2":{"c1":"f4"},"b1":{"c1":"f4"}},"a3":{"b2":{"c1":"f4"},"b1":{"c1":"f4"}}},"dont":"whatever"}`
		keep  = "kept"
	)
	for _, row := range []struct{ name, class, settings, in, want string }{ // want: dropped, kept, the topic or value, or the error
		{"drop the value", "Drop$Value", "", value, "null of no schema"},
		{"retain", "Drop$Value", "schema.behavior=retain", value, "null of required schema"},
		{"validate", "Drop$Value", "schema.behavior=validate", value, "error: The schema Schema{STRUCT} is not optional"},
		{"force optional", "Drop$Value", "schema.behavior=force_optional", value, "null of optional schema"},

		{"whole value", "ExtractTopic$Value", "", `"orders"`, "topic orders"},
		{"whole key", "ExtractTopic$Key", "", value, "topic the-key"},
		{"field", "ExtractTopic$Value", "field=f2", value, "topic two"},
		{"missing", "ExtractTopic$Value", "field=nope", value, "error: The field nope is missing or null"},
		{"null", "ExtractTopic$Value", "field=nil", value, "error: The field nil is missing or null"},
		{"skip", "ExtractTopic$Value", "field=nope\nskip.missing.or.null=true", value, "topic bar"},
		{"no string", "ExtractTopic$Value", "field=n", value, "error: The field n has to be a string to be the topic's name, and is a java.lang.Long"},
		{"path", "ExtractTopic$Value", "field=$[\"f1\"][\"f3\"]\nfield.format=JSON_PATH", value, "topic deep"},
		{"path that skips", "ExtractTopic$Value", "field=$[\"f1\"][\"f4\"]\nfield.format=JSON_PATH\nskip.missing.or.null=true", value, "topic bar"},
		{"header", "ExtractTopic$Header", "field=h", value, "topic from-header"},
		{"no header", "ExtractTopic$Header", "field=x", value, "error: The header x is missing"},
		{"dots are no path", "ExtractTopic$Value", "field=f1.f3", value, "error: The field f1.f3 is missing"},
		{"not a field", "ExtractTopic$Value", "field=a", `"text"`, "error: Only Map and Struct objects supported for [topic extraction], found: java.lang.String"},

		{"include what matches", "Filter$Value", "filter.condition=$.key[?(@.nestedKey == 'value1' || @.nestedKey == 'value2')]\nfilter.type=include", value, keep},
		{"exclude what matches", "Filter$Value", "filter.condition=$.key[?(@.nestedKey == 'value1')]\nfilter.type=exclude", value, "dropped"},
		{"include what does not", "Filter$Value", "filter.condition=$.key[?(@.nestedKey == 'value3')]\nfilter.type=include", value, "dropped"},
		{"exclude what does not", "Filter$Value", "filter.condition=$[?(@.n > 5)]\nfilter.type=exclude", value, keep},
		{"missing fails", "Filter$Value", "filter.condition=$.nope\nfilter.type=include", value, "error: filter.condition $.nope"},
		{"null fails", "Filter$Value", "filter.condition=$.nil\nfilter.type=include", value, "error: filter.condition $.nil"},
		{"missing is included", "Filter$Value", "filter.condition=$.nope\nfilter.type=include\nmissing.or.null.behavior=include", value, keep},
		{"missing is excluded", "Filter$Value", "filter.condition=$.nope[?(@.x == 1)]\nfilter.type=exclude\nmissing.or.null.behavior=exclude", value, "dropped"},
		{"missing in a condition is no match", "Filter$Value", "filter.condition=$[?(@.nope == 1)]\nfilter.type=include", value, "dropped"},

		{"a day in the value", "MessageTimestampRouter", "topic.format=foo-${topic}-${timestamp}\nmessage.timestamp.format=yyyy-MM-dd\ntopic.timestamp.format=yyyy.MM.dd\nmessage.timestamp.keys=timestamp,time,ts", value, "topic foo-bar-2019.08.06"},
		{"milliseconds", "MessageTimestampRouter", "message.timestamp.keys=nil,ms", value, "topic bar-20190806"},
		{"no time", "MessageTimestampRouter", "message.timestamp.keys=nope", value, "error: The value has none of the fields [nope]"},
		{"no such time", "MessageTimestampRouter", "message.timestamp.keys=f2", value, "error: Could not parse timestamp: the field f2 (two)"},

		{"renames and excludes", "ReplaceField$Value", "exclude=dont\nrenames=foo.a2:xyz,foo:bar,foo.a3.b1:luck,foo.a3.b2.c1:happy", tree,
			`{"abc":42,"etc":"etc","bar":{"a1":"k1","xyz":{"b2":{"c1":"f4"},"b1":{"c1":"f4"}},"a3":{"b2":{"happy":"f4"},"luck":{"c1":"f4"}}}}`},
		{"includes", "ReplaceField$Value", "include=foo.a3\nexclude=dont", tree, `{"foo":{"a3":{"b2":{"c1":"f4"},"b1":{"c1":"f4"}}}}`},

		{"warn", "TombstoneHandler", "", "null", "dropped"},
		{"ignore", "TombstoneHandler", "behavior=ignore", "null", "dropped"},
		{"fail", "TombstoneHandler", "behavior=fail", "null", "error: Tombstone record"},
		{"no tombstone", "TombstoneHandler", "behavior=fail", value, keep},
	} {
		t.Run(row.class+" "+row.name, func(t *testing.T) {
			tr, err := byClass(t, confluentPkg+row.class, row.settings)
			if err != nil {
				t.Fatal(err)
			}
			plain := jsonValue(t, row.in)
			schema, typedValue := typed(plain)
			for i, in := range []data.Record{{Value: plain}, {ValueSchema: schema, Value: typedValue}} {
				r := in
				r.Topic, r.Key = "bar", data.OfString("the-key")
				r.Headers = data.NewHeaders(data.Header{Key: "h", Value: data.OfString("from-header")})
				before := r.String()
				ok, err := tr.Apply(&r)
				got := outcome(t, &r, ok, err, row.want, before)
				if i == 0 && strings.HasSuffix(row.want, " schema") || i == 0 && strings.Contains(row.want, "The schema") {
					continue // nothing of the kind without one
				}
				if strings.HasPrefix(row.want, "error: ") && strings.HasPrefix(got, row.want) {
					continue
				}
				if got != row.want {
					t.Errorf("with schema: %v: got %s, want %s", i == 1, got, row.want)
				}
			}
		})
	}
}

// outcome tells of a record what the row is about.
func outcome(t *testing.T, r *data.Record, ok bool, err error, want, before string) string {
	t.Helper()
	switch {
	case err != nil:
		if connectors.ClassOf(err) != connectors.Poison {
			t.Errorf("%v is of class %s", err, connectors.ClassOf(err))
		}
		return "error: " + err.Error()
	case !ok:
		return "dropped"
	case r.String() == before && !strings.HasPrefix(want, "topic "):
		return "kept"
	case r.Value.IsNull() && r.ValueSchema == nil:
		return "null of no schema"
	case r.Value.IsNull():
		return "null of " + map[bool]string{true: "optional", false: "required"}[r.ValueSchema.Optional()] + " schema"
	case strings.HasPrefix(want, "{"):
		return jsonText(t, r.ValueSchema, r.Value)
	}
	return "topic " + r.Topic
}

func TestConfluentSettings(t *testing.T) {
	for _, row := range []struct{ class, settings, want string }{
		{"Drop$Key", "schema.behavior=keep", "Invalid value keep for configuration schema.behavior"},
		{"ExtractTopic$Header", "", "Invalid value  for configuration field: It has to name a header"},
		{"ExtractTopic$Header", "field=h\nfield.format=json_path", "A header is found by its name"},
		{"ExtractTopic$Value", "field=f1[\nfield.format=JSON_PATH", "Invalid value f1[ for configuration field: the path f1[ at position 0: a path begins with $"},
		{"Filter$Value", "filter.condition=$.a[?(@.b = 1)]\nfilter.type=include", "position 10"},
		{"Filter$Value", "filter.condition=$.a", `Missing required configuration "filter.type"`},
		{"MessageTimestampRouter", "", `Missing required configuration "message.timestamp.keys"`},
		{"MessageTimestampRouter", "message.timestamp.keys=a\ntopic.timestamp.format=bad", "topic.timestamp.format"},
		{"ReplaceField$Value", "renames=a", "Invalid rename mapping: a"},
		{"TombstoneHandler", "behavior=x", "Invalid value x for configuration behavior"},
	} {
		_, err := byClass(t, confluentPkg+row.class, row.settings)
		if err == nil || !strings.Contains(err.Error(), row.want) || connectors.JavaClass(err) != connectors.ConfigException {
			t.Errorf("%s %q: %v (%s)", row.class, row.settings, err, connectors.JavaClass(err))
		}
	}
}
