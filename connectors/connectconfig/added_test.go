package connectconfig

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/converters"
	"github.com/troupeio/troupe/connectors/file"
	"github.com/troupeio/troupe/connectors/transforms"
	"github.com/troupeio/troupe/connectors/transforms/expr"
)

// TestValidationKnowsWhatKafkaLacks validates a connector with each transform that
// is not Kafka Connect's, and with field paths: the settings are listed, and a
// mistake is an error of its setting.
func TestValidationKnowsWhatKafkaLacks(t *testing.T) {
	reg, err := connectors.NewRegistry(file.Plugins(), converters.Plugins(), transforms.Plugins(), expr.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	const conf, kafka = "io.confluent.connect.transforms.", "org.apache.kafka.connect.transforms."
	for _, row := range []struct{ class, settings, setting, want string }{ // want: part of the setting's error, "" for none
		{conf + "Drop$Key", "schema.behavior=x", "schema.behavior", "Invalid value x"},
		{conf + "Drop$Value", "", "schema.behavior", ""},
		{conf + "ExtractTopic$Key", "", "field.format", ""},
		{conf + "ExtractTopic$Value", "field.format=x", "field.format", "Invalid value x"},
		{conf + "ExtractTopic$Header", "field=h", "skip.missing.or.null", ""},
		{conf + "Filter$Key", "filter.condition=$.a\nfilter.type=include", "missing.or.null.behavior", ""},
		{conf + "Filter$Value", "filter.condition=$[\nfilter.type=include", "filter.condition", "the path $[ at position 2"},
		{conf + "MessageTimestampRouter", "message.timestamp.keys=a\nmessage.timestamp.format=b", "message.timestamp.format", "Illegal pattern character 'b'"},
		{conf + "ReplaceField$Key", "", "include", ""},
		{conf + "ReplaceField$Value", "renames=x", "renames", "Invalid rename mapping: x"},
		{conf + "TombstoneHandler", "behavior=x", "behavior", "Invalid value x"},
		{expr.Class, "drop=value.a >", "drop", "drop at 1:10: Syntax error"},
		{expr.Class, `fields={"a": value.b}`, "fields", ""},
		{kafka + "Cast$Value", "spec=a:int8\nfield.syntax.version=V3", "field.syntax.version", "V3"},
		{kafka + "HoistField$Key", "field=h\nfield.syntax.version=V2\nhoisted=a", "hoisted", ""},
	} {
		config := map[string]string{"name": "c", "connector.class": "FileStreamSource", "topic": "t", "transforms": "x", "transforms.x.type": row.class}
		for line := range strings.Lines(row.settings) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			config["transforms.x."+k] = v
		}
		json := "org.apache.kafka.connect.json.JsonConverter"
		got, err := Validate(Request{Config: configdef.Nullable(config), Plugins: FromRegistry(reg),
			Worker: Worker{KeyConverter: json, ValueConverter: json, HeaderConverter: json}, Policy: PolicyAll})
		if err != nil {
			t.Errorf("%s: %v", row.class, err)
			continue
		}
		found := false
		for _, c := range got.Configs {
			errs := strings.Join(c.Value.Errors, "; ")
			switch {
			case c.Value.Name == "transforms.x."+row.setting:
				found = true
				if (errs == "") != (row.want == "") || !strings.Contains(errs, row.want) {
					t.Errorf("%s %s: %q, want %q", row.class, row.setting, errs, row.want)
				}
			case errs != "":
				t.Errorf("%s: %s: %s", row.class, c.Value.Name, errs)
			}
		}
		if !found {
			t.Errorf("%s: %s is not listed", row.class, row.setting)
		}
	}
}
