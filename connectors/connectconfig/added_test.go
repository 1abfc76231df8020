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
	const backtick = "Incomplete backtick pair in path"
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
		{expr.Class, "", "fields", "troupe.Expr has nothing to do"},
		{expr.Class, "cost.limit=5\ndrop= ", "fields", "troupe.Expr has nothing to do"},
		{expr.Class, "rename=a:b", "fields", ""},
		// Paths whose first backtick has no partner.
		{kafka + "Cast$Value", "field.syntax.version=V2\nspec=`a:int8", "spec", backtick},
		{kafka + "Cast$Value", "spec=`a:int8", "spec", ""},
		{kafka + "ExtractField$Value", "field.syntax.version=V2\nfield=a.`b", "field", backtick},
		{kafka + "HeaderFrom$Value", "field.syntax.version=V2\nfields=a,`b.c\nheaders=a,b\noperation=copy", "fields", backtick},
		{kafka + "HoistField$Value", "field.syntax.version=V2\nfield=h\nhoisted=`a", "hoisted", backtick},
		{kafka + "InsertField$Value", "field.syntax.version=V2\ntopic.field=`a!", "topic.field", backtick},
		{kafka + "InsertField$Value", "field.syntax.version=V2\ntopic.field=`a`!", "topic.field", ""},
		{kafka + "MaskField$Value", "field.syntax.version=v2\nfields=`a", "fields", backtick},
		{kafka + "ReplaceField$Value", "field.syntax.version=V2\nexclude=`a", "exclude", backtick},
		{kafka + "ReplaceField$Value", "field.syntax.version=V2\ninclude=`a", "include", backtick},
		{kafka + "ReplaceField$Value", "field.syntax.version=V2\nrenames=a:`b", "renames", backtick},
		{kafka + "TimestampConverter$Value", "field.syntax.version=V2\nfield=`a\ntarget.type=unix", "field", backtick},
		{kafka + "ValueToKey", "field.syntax.version=V2\nfields=`a", "fields", backtick},
		{conf + "ReplaceField$Value", "exclude=`a", "exclude", backtick},
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

// TestValidationOfRegistrySettings: what a converter's settings lack together is an error
// of one of them, under its name in the connector.
func TestValidationOfRegistrySettings(t *testing.T) {
	reg, err := connectors.NewRegistry(file.Plugins(), converters.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"io.confluent.connect.avro.AvroConverter", "io.confluent.connect.json.JsonSchemaConverter", "io.confluent.connect.protobuf.ProtobufConverter"} {
		own := map[string]string{"schema.registry.url": "http://localhost:8081", "basic.auth.credentials.source": "USER_INFO", "proxy.host": "p", "schema.registry.ssl.keystore.location": "/no/such"}
		config := map[string]string{"name": "c", "connector.class": "FileStreamSource", "topic": "t", "value.converter": class}
		for k, v := range own {
			config["value.converter."+k] = v
		}
		got, err := Validate(Request{Config: configdef.Nullable(config), Plugins: FromRegistry(reg), Policy: PolicyAll})
		if err != nil {
			t.Fatal(err)
		}
		wrong := map[string]string{}
		for _, c := range got.Configs {
			if len(c.Value.Errors) > 0 {
				wrong[c.Value.Name] = strings.Join(c.Value.Errors, "; ")
			}
		}
		if len(wrong) != 3 || got.ErrorCount != 3 || wrong["value.converter.basic.auth.user.info"] == "" || wrong["value.converter.proxy.port"] == "" ||
			!strings.Contains(wrong["value.converter.schema.registry.ssl.keystore.password"], "key store password is not specified") {
			t.Errorf("%s: %d, %q", class, got.ErrorCount, wrong)
		}
		p, ok := reg.Find(class, connectors.ConverterKind)
		if !ok {
			t.Fatal(class)
		}
		if _, err := p.NewConverter(own, false); err == nil || !strings.Contains(err.Error(), "basic.auth.user.info must be user:password") {
			t.Errorf("%s starts: %v", class, err)
		}
	}
}
