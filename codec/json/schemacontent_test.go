package json

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/internal/golden"
)

const contentSchema = `{"type":"struct","name":"Person","optional":true,"default":null,"fields":[{"field":"id","type":"int32"},{"field":"name","type":"string","optional":true,"default":"anon"}]}`

// TestSchemaContent holds that a body is read by the schema of the settings.
func TestSchemaContent(t *testing.T) {
	for _, row := range []struct{ name, schema, more, in, want string }{ // want: the value, or the error
		{"object", contentSchema, "", `{"id":7,"name":"Ada"}`, "Struct{id=7,name=Ada}"},
		{"default", contentSchema, "", `{"id":7,"name":null}`, "Struct{id=7,name=anon}"},
		{"no default", contentSchema, "replace.null.with.default=false", `{"id":7,"name":null}`, "Struct{id=7}"},
		{"what the schema lacks", contentSchema, "", `{"id":7,"x":[1,{}]}`, "Struct{id=7,name=anon}"},
		{"null", contentSchema, "", `null`, "null"},
		{"missing", contentSchema, "", `{"name":"x"}`, "error: Invalid null value for required INT32 field"},
		{"an envelope is no body", contentSchema, "", `{"schema":null,"payload":{"id":7}}`, "error: Invalid null value for required INT32 field"},
		{"not JSON", contentSchema, "", `{`, "error: Converting byte[] to Kafka Connect data failed"},
		{"number", `{"type":"int8"}`, "", ` 12 `, "12"},
		{"list", `{"type":"array","items":{"type":"int64"}}`, "", `[1,2]`, "[1, 2]"},
		{"without schemas", contentSchema, "schemas.enable=false", `{"id":7}`, "{id=7}"},
		{"none", "", "", `{"schema":{"type":"int8"},"payload":3}`, "3"},
		{"null schema", "null", "", `{"schema":{"type":"int8"},"payload":3}`, "3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := map[string]string{SchemaContentSetting: row.schema}
			if k, v, ok := strings.Cut(row.more, "="); ok {
				config[k] = v
			}
			c, err := New(config, false)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				s, v, err := c.ToConnect("t", []byte(row.in))
				got := v.String()
				if err != nil {
					got = "error: " + err.Error()
				}
				if got != row.want && !(strings.HasPrefix(row.want, "error: ") && strings.HasPrefix(got, row.want)) {
					t.Errorf("got %s, want %s", got, row.want)
				}
				if err == nil && (s == nil) != (config[SchemasEnableSetting] == "false") {
					t.Errorf("the schema is %v", s)
				}
			}
		})
	}
	for text, want := range map[string]string{
		`{`: "schema.content is not JSON", `{"type":"nope"}`: "schema.content: Unknown schema type: nope", `7`: "schema.content: Schema must contain 'type' field",
	} {
		if _, err := New(map[string]string{SchemaContentSetting: text}, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSchemaContentIsTheEnvelopesSchema reads random values both ways.
func TestSchemaContentIsTheEnvelopesSchema(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := anySchema(rt, 2)
		v := anyValue(rt, s)
		plain, err := New(nil, false)
		if err != nil {
			rt.Fatal(err)
		}
		whole, err := plain.FromConnect("t", s, v, nil)
		if err != nil {
			rt.Skip("not to be written as JSON")
		}
		n, ok := parse(whole)
		if !ok {
			rt.Fatalf("%s is not JSON", whole)
		}
		given, err := New(map[string]string{SchemaContentSetting: string(n.get("schema").raw)}, false)
		if err != nil {
			rt.Fatal(err)
		}
		bodies, err := New(map[string]string{SchemasEnableSetting: "false"}, false)
		if err != nil {
			rt.Fatal(err)
		}
		body, err := bodies.FromConnect("t", s, v, nil)
		if err != nil {
			rt.Fatal(err)
		}
		s1, v1, err1 := plain.ToConnect("t", whole)
		s2, v2, err2 := given.ToConnect("t", body)
		if (err1 == nil) != (err2 == nil) {
			rt.Fatalf("%s: in an envelope %v, as a body %v", whole, err1, err2)
		}
		if err1 == nil && golden.Diff(s1, v1, s2, v2) != "" {
			rt.Fatalf("%s: %s", whole, golden.Diff(s1, v1, s2, v2))
		}
	})
}
