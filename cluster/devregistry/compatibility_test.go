package devregistry

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCompatibility(t *testing.T) {
	const details = `{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'c' at path '/fields/0' in the new schema has no default value and is missing in the old schema', additionalInfo:'c'}`
	old := func(version, schema, level string) string {
		return `{oldSchemaVersion: ` + version + `}", "{oldSchema: '` + strings.ReplaceAll(schema, `"`, `\"`) + `'}", "{validateFields: 'false', compatibility: '` + level + `'}`
	}
	d := newDesk(t)
	d.story([]step{
		{"GET /config", "", `200 {"compatibilityLevel":"BACKWARD"}`},
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/s/versions", schemaOf(v3bad), `409 {"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"s\", details: [` + details + ", " +
			strings.ReplaceAll(old("1", v1, "BACKWARD"), `", "`, ", ") + `]"}`},
		{"POST /compatibility/subjects/s/versions/latest", schemaOf(v2), `200 {"is_compatible":true}`},
		{"POST /compatibility/subjects/s/versions/1?verbose=true", schemaOf(v2), `200 {"is_compatible":true,"messages":[]}`},
		{"POST /compatibility/subjects/s/versions/1", schemaOf(v3bad), `200 {"is_compatible":false}`},
		{"POST /compatibility/subjects/s/versions?verbose=true", schemaOf(v3bad), `200 {"is_compatible":false,"messages":["` + details + `","` + strings.ReplaceAll(old("1", v1, "BACKWARD"), `", "`, `","`) + `"]}`},
		{"POST /compatibility/subjects/none/versions", schemaOf(v1), `200 {"is_compatible":true}`},
		{"POST /compatibility/subjects/s/versions/9", schemaOf(v1), `404 {"error_code":40402,"message":"Version 9 not found."}`},
		{"PUT /config/s", `{"compatibility":"none"}`, `200 {"compatibility":"NONE"}`},
		{"GET /config/s", "", `200 {"compatibilityLevel":"NONE"}`},
		{"POST /subjects/s/versions", schemaOf(v3bad), `200 {"id":2}`},
		{"DELETE /config/s", "", `200 {"compatibilityLevel":"NONE"}`},
		{"GET /config/s?defaultToGlobal=true", "", `200 {"compatibilityLevel":"BACKWARD"}`},
	})
	// Which levels let a field with a default in, and one without out.
	const a, ab, abc = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":1}]}`
	for _, tt := range []struct {
		level    string
		first    []string
		then     string
		accepted bool
	}{
		{"BACKWARD", []string{ab}, a, true},
		{"BACKWARD", []string{a}, ab, false},
		{"FORWARD", []string{ab}, a, false},
		{"FORWARD", []string{a}, ab, true},
		{"FULL", []string{a}, abc, true},
		{"FULL", []string{a}, ab, false},
		{"FULL", []string{ab}, a, false},
		{"NONE", []string{`"int"`}, `"string"`, true},
		// The latest reads the new one's data, the first does not, and the reverse.
		{"BACKWARD", []string{a, abc}, ab, true},
		{"BACKWARD_TRANSITIVE", []string{a, abc}, ab, false},
		{"FORWARD", []string{ab, abc}, a, true},
		{"FORWARD_TRANSITIVE", []string{ab, abc}, a, false},
		{"FULL", []string{a, abc}, ab, true},
		{"FULL_TRANSITIVE", []string{a, abc}, ab, false},
	} {
		d := newDesk(t)
		for _, s := range tt.first {
			d.ask("PUT /config", `{"compatibility":"NONE"}`)
			if got := d.ask("POST /subjects/s/versions", schemaOf(s)); !strings.HasPrefix(got, "200") {
				t.Fatal(got)
			}
		}
		d.ask("PUT /config", `{"compatibility":"`+tt.level+`"}`)
		got := d.ask("POST /subjects/s/versions", schemaOf(tt.then))
		want := "409"
		if tt.accepted {
			want = "200"
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s, %s after %s: %s", tt.level, tt.then, tt.first, got)
		}
	}
}

// TestMessages: JSON Schema and Protobuf have forms of their own. With FULL what the old
// schema cannot read comes first.
func TestMessages(t *testing.T) {
	body := func(kind, schema string) string {
		return `{"schemaType":"` + kind + `","schema":` + quote(schema) + `}`
	}
	const verbose = "POST /compatibility/subjects/s/versions?verbose=true"
	const open, grown = `{"type":"object","properties":{}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`
	newDesk(t).story([]step{
		{"PUT /config", `{"compatibility":"FULL"}`, `200 {"compatibility":"FULL"}`},
		{"POST /subjects/s/versions", body("PROTOBUF", `message A { int32 x = 1; }`), `200 {"id":1}`},
		{verbose, body("PROTOBUF", `message A { string x = 1; } message B { }`), `200 {"is_compatible":false,"messages":[` +
			`"{errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/A/1' in the old schema does not match its kind in the new schema\"}",` +
			`"{errorType:\"MESSAGE_REMOVED\", description:\"The old schema is missing a field of type MESSAGE at path '#/B' in the new schema\"}",` +
			`"{errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/A/1' in the new schema does not match its kind in the old schema\"}",` +
			`"{oldSchemaVersion: 1}","{oldSchema: 'message A { int32 x = 1; }'}","{validateFields: 'false', compatibility: 'FULL'}"]}`},
		{"PUT /config", `{"compatibility":"BACKWARD"}`, `200 {"compatibility":"BACKWARD"}`},
		{"POST /subjects/j/versions", body("JSON", open), `200 {"id":2}`},
		{"POST /subjects/j/versions", body("JSON", grown), `409 {"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"j\", details: [` +
			`{errorType:\"PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL\", description:\"The new schema has an open content model and has a property or item at path '#/properties/a' which is missing in the old schema'}, ` +
			`{oldSchemaVersion: 1}, {oldSchema: '{\"type\":\"object\",\"properties\":{}}'}, {validateFields: 'false', compatibility: 'BACKWARD'}]"}`},
	})
}

// TestPolicy: LENIENT lets properties of open JSON Schemas come, for all subjects or one.
func TestPolicy(t *testing.T) {
	body := func(schema string) string { return `{"schemaType":"JSON","schema":` + quote(schema) + `}` }
	const open, grown = `{"type":"object","properties":{}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`
	path := filepath.Join(t.TempDir(), "f")
	h, err := New(path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, h).story([]step{
		{"POST /subjects/s/versions", body(open), `200 {"id":1}`},
		{"POST /subjects/t/versions", body(open), `200 {"id":1}`},
		{"PUT /config", `{"compatibilityPolicy":"some"}`, `422 {"error_code":42203,"message":"Invalid compatibility policy. Valid values are strict and lenient"}`},
		{"PUT /config/s", `{"compatibilityPolicy":"lenient"}`, `200 {"compatibilityPolicy":"LENIENT"}`},
		{"GET /config/s", "", `200 {"compatibilityLevel":"BACKWARD","compatibilityPolicy":"LENIENT"}`},
		{"GET /config", "", `200 {"compatibilityLevel":"BACKWARD"}`},
		{"POST /compatibility/subjects/t/versions", body(grown), `200 {"is_compatible":false}`},
	})
	if h, err = New(path); err != nil {
		t.Fatal(err)
	}
	serve(t, h).story([]step{
		{"POST /subjects/s/versions", body(grown), `200 {"id":2}`},
		{"DELETE /config/s", "", `200 {"compatibilityLevel":"BACKWARD","compatibilityPolicy":"LENIENT"}`},
		{"POST /compatibility/subjects/s/versions/1", body(grown), `200 {"is_compatible":false}`},
		{"PUT /config", `{"compatibility":"FULL","compatibilityPolicy":"LENIENT"}`, `200 {"compatibility":"FULL","compatibilityPolicy":"LENIENT"}`},
		{"PUT /config", `{"compatibility":"BACKWARD"}`, `200 {"compatibility":"BACKWARD"}`},
		{"POST /subjects/t/versions", body(grown), `200 {"id":2}`},
	})
}
