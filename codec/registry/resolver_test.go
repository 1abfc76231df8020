package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/connectors"
)

func resolverFor(t *testing.T, isKey bool, compatible Compatible, props map[string]string) *Resolver {
	t.Helper()
	all := map[string]string{MaxRetriesSetting: "0"}
	for k, v := range props {
		all[k] = v
	}
	v, err := Def().Parse(all)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResolver(v, Avro, isKey, compatible)
	if err != nil {
		t.Fatal(err)
	}
	r.Bind(t.Context())
	return r
}

func TestSubjects(t *testing.T) {
	for _, tt := range []struct {
		strategy, record string
		key              bool
		want, fails      string
	}{
		{strategy: TopicNameStrategy, want: "t-value"},
		{strategy: TopicNameStrategy, key: true, record: "a.R", want: "t-key"},
		{strategy: RecordNameStrategy, record: "a.R", want: "a.R"},
		{strategy: TopicRecordNameStrategy, record: "a.R", want: "t-a.R"},
		{strategy: "TopicRecordNameStrategy", record: "a.R", want: "t-a.R"},
		{strategy: RecordNameStrategy, fails: "In configuration value.subject.name.strategy = " + RecordNameStrategy + ", the message value must only be a record schema"},
		{strategy: TopicRecordNameStrategy, key: true, fails: "In configuration key.subject.name.strategy = " + TopicRecordNameStrategy + ", the message key must only be a record schema"},
	} {
		r := resolverFor(t, tt.key, nil, map[string]string{URLSetting: "http://h", KeyStrategySetting: tt.strategy, ValueStrategySetting: tt.strategy})
		for range 2 { // the second time from memory
			got, err := r.Subject("t", tt.record)
			if got != tt.want || (err == nil) != (tt.fails == "") || err != nil && err.Error() != tt.fails {
				t.Errorf("%s of %q: %q, %v", tt.strategy, tt.record, got, err)
			}
		}
	}
	_, err := Def().Parse(map[string]string{URLSetting: "http://h", ValueStrategySetting: "com.acme.Mine"})
	if err == nil || !strings.HasPrefix(err.Error(), "Invalid value com.acme.Mine for configuration value.subject.name.strategy: ") {
		t.Error(err)
	}
}

// TestWrite: which questions each setting asks, in what order of precedence, and
// under which schema the record is written.
func TestWrite(t *testing.T) {
	const newer = `{"type":"string","x":1}`
	answers := map[string]string{
		"POST /subjects/t-value/versions":       `{"id":1}`,
		"POST /subjects/t-value":                `{"subject":"t-value","id":2,"version":5,"schema":"\"string\""}`,
		"GET /subjects/t-value/versions/latest": `{"subject":"t-value","id":3,"version":6,"schema":"{\"type\":\"string\",\"x\":1}"}`,
		"GET /schemas/ids/4":                    `{"schema":"{\"type\":\"string\",\"x\":1}"}`,
	}
	refuse := func(_, _ *Schema, _, _ []Dependency) []string { return []string{"it is incompatible"} }
	for _, tt := range []struct {
		name       string
		props      map[string]string
		compatible Compatible
		id         int
		schema     string // "": the record's own
		asked      string
		fails      string
	}{
		{name: "registers", id: 1, asked: "POST /subjects/t-value/versions"},
		{name: "registers, normalized", props: map[string]string{NormalizeSetting: "true"}, id: 1, asked: "POST /subjects/t-value/versions?normalize=true"},
		{name: "registering goes first", props: map[string]string{UseLatestSetting: "true", UseSchemaIDSetting: "4"}, id: 1, asked: "POST /subjects/t-value/versions"},
		{name: "looks up", props: map[string]string{AutoRegisterSetting: "false"}, id: 2, asked: "POST /subjects/t-value?deleted=false"},
		{name: "looks up, normalized", props: map[string]string{AutoRegisterSetting: "false", NormalizeSetting: "true"}, id: 2, asked: "POST /subjects/t-value?deleted=false&normalize=true"},
		{name: "latest", props: map[string]string{AutoRegisterSetting: "false", UseLatestSetting: "true"}, id: 3, schema: newer, asked: "GET /subjects/t-value/versions/latest"},
		{name: "id", props: map[string]string{AutoRegisterSetting: "false", UseSchemaIDSetting: "4", UseLatestSetting: "true"}, id: 4, schema: newer,
			asked: "GET /schemas/ids/4?fetchMaxId=false&subject=t-value"},
		{name: "latest, incompatible", props: map[string]string{AutoRegisterSetting: "false", UseLatestSetting: "true"}, compatible: refuse,
			fails: "Error serializing Avro message | Incompatible schema " + newer + ` with refs [] of type AVRO for schema "string". Set latest.compatibility.strict=false to disable this check | it is incompatible`},
		{name: "latest, incompatible, not strict", props: map[string]string{AutoRegisterSetting: "false", UseLatestSetting: "true", LatestStrictSetting: "false"}, compatible: refuse,
			id: 3, schema: newer, asked: "GET /subjects/t-value/versions/latest"},
		{name: "id, incompatible", props: map[string]string{AutoRegisterSetting: "false", UseSchemaIDSetting: "4"}, compatible: refuse,
			fails: "Error serializing Avro message | Incompatible schema " + newer + ` with refs [] of type AVRO for schema "string". Set id.compatibility.strict=false to disable this check | it is incompatible`},
		{name: "id, incompatible, not strict", props: map[string]string{AutoRegisterSetting: "false", UseSchemaIDSetting: "4", IDStrictSetting: "false"}, compatible: refuse, id: 4, schema: newer,
			asked: "GET /schemas/ids/4?fetchMaxId=false&subject=t-value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{answers: answers}
			props := map[string]string{URLSetting: f.serve(t)}
			for k, v := range tt.props {
				props[k] = v
			}
			r := resolverFor(t, false, tt.compatible, props)
			for range 3 {
				got, err := r.Write("t", "", text)
				if tt.fails != "" {
					if chain(err) != tt.fails || connectors.ClassOf(err) != connectors.Poison {
						t.Fatalf("%s\n%s, want\n%s", connectors.ClassOf(err), chain(err), tt.fails)
					}
					continue
				}
				if err != nil || got.ID != tt.id || tt.schema == "" && got.Schema != text || tt.schema != "" && got.Schema.Text != tt.schema {
					t.Fatalf("%+v, %v", got, err)
				}
			}
			if got := f.questions(); tt.fails == "" && !slices.Equal(got, []string{tt.asked}) {
				t.Errorf("asked %q", got)
			}
		})
	}
}

// chain is the text of an error and its causes.
func chain(err error) string {
	var parts []string
	for ; err != nil; err = errors.Unwrap(err) {
		parts = append(parts, err.Error())
	}
	return strings.Join(parts, " | ")
}

// TestLatestChanges: with a time to live, records are written with a newer schema
// once there is one; without a question a record.
func TestLatestChanges(t *testing.T) {
	f := &fake{answers: map[string]string{"GET /subjects/t-value/versions/latest": `{"id":3,"version":1,"schema":"1"}`}}
	r := resolverFor(t, false, nil, map[string]string{URLSetting: f.serve(t), AutoRegisterSetting: "false", UseLatestSetting: "true", LatestCacheTTLSetting: "1000"})
	write := func(want int) {
		t.Helper()
		got, err := r.Write("t", "", text)
		if err != nil || got.ID != want {
			t.Fatalf("%+v, %v; want %d", got, err, want)
		}
	}
	write(3)
	f.answer("GET /subjects/t-value/versions/latest", `{"id":4,"version":2,"schema":"2"}`)
	write(3)
	c := r.Client.latest
	c.mu.Lock()
	e := c.known["t-value"]
	e.until = time.Now().Add(-time.Second)
	c.known["t-value"] = e
	c.mu.Unlock()
	write(4)
	write(4)
	if n := len(f.questions()); n != 2 {
		t.Errorf("%d questions", n)
	}
}

// TestFailures: what an answer of the registry becomes for the task.
func TestFailures(t *testing.T) {
	const incompatible = `Schema being registered is incompatible with an earlier schema for subject "t-value"`
	for _, tt := range []struct {
		name, answer string
		class        connectors.Class
		java         string
		want         string
	}{
		{"incompatible", `409 {"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"t-value\""}`, connectors.Poison, codec.ConfigException,
			"Failed to access Avro data from topic t : " + incompatible + "; error code: 409 | " + incompatible + "; error code: 409 | " + incompatible + "; error code: 409"},
		{"invalid", `422 {"error_code":42201,"message":"Invalid schema"}`, connectors.Poison, codec.DataException,
			`Failed to serialize Avro data from topic t : | Error registering Avro schema"string" | Invalid schema; error code: 42201`},
		{"not allowed", `401 {"error_code":401,"message":"Unauthorized"}`, connectors.Transient, codec.RetriableException,
			"Failed to access Avro data from topic t : Unauthorized; error code: 401 | Unauthorized; error code: 401 | Unauthorized; error code: 401"},
		{"a proxy's refusal", `403 <html>`, connectors.Transient, codec.RetriableException,
			"Failed to access Avro data from topic t : HTTP status 403 Forbidden; error code: 403 | HTTP status 403 Forbidden; error code: 403 | HTTP status 403 Forbidden; error code: 403"},
		{"no registry there", `404 <html>`, connectors.Transient, codec.RetriableException,
			"Failed to access Avro data from topic t : HTTP status 404 Not Found; error code: 404 | HTTP status 404 Not Found; error code: 404 | HTTP status 404 Not Found; error code: 404"},
		{"busy", `429 {"error_code":429,"message":"slow down"}`, connectors.Transient, codec.RetriableException, ""},
		{"broken", `500 {"error_code":50001,"message":"Error in the backend data store"}`, connectors.Transient, codec.RetriableException, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{answers: map[string]string{"POST /subjects/t-value/versions": tt.answer}}
			r := resolverFor(t, false, nil, map[string]string{URLSetting: f.serve(t)})
			_, err := r.Write("t", "", text)
			err = r.Failure("t", true, err)
			if connectors.ClassOf(err) != tt.class || connectors.JavaClass(err) != tt.java || connectors.IsRetriable(err) != (tt.class == connectors.Transient) {
				t.Errorf("class %s, %s", connectors.ClassOf(err), connectors.JavaClass(err))
			}
			if tt.want != "" && chain(err) != tt.want {
				t.Errorf("have %s\nwant %s", chain(err), tt.want)
			}
			if tt.want == "" && !strings.HasPrefix(chain(err), `Failed to serialize Avro data from topic t : | Error registering Avro schema"string" | asking the schema registry http://`) {
				t.Errorf("have %s", chain(err))
			}
		})
	}
}

func TestRead(t *testing.T) {
	f := &fake{answers: map[string]string{
		"GET /schemas/ids/1":     `{"schema":"\"string\""}`,
		"GET /schemas/ids/2":     `{"schemaType":"JSON","schema":"{}"}`,
		"GET /schemas/ids/3":     `404 {"error_code":40403,"message":"Schema not found"}`,
		"POST /subjects/t-value": `{"subject":"t-value","id":1,"version":5,"schema":"\"string\""}`,
	}}
	r := resolverFor(t, false, nil, map[string]string{URLSetting: f.serve(t)})
	s, err := r.Read("t", 1)
	if err != nil || s.Text != `"string"` {
		t.Fatal(s, err)
	}
	if v, err := r.Version("t", "", 1, s); err != nil || v != 5 {
		t.Error(v, err)
	}
	if v, err := r.Version("copied", "", 1, s); err != nil || v != 0 {
		t.Errorf("version %d of a schema that is in another subject, %v", v, err)
	}
	for id, want := range map[int]string{
		2: "Failed to deserialize data for topic t to Avro:  | the schema with id 2 is of type JSON, not AVRO",
		3: "Failed to deserialize data for topic t to Avro:  | Error retrieving Avro schema for id 3 | Schema not found; error code: 40403",
	} {
		_, err := r.Read("t", id)
		if err = r.Failure("t", false, err); chain(err) != want || connectors.ClassOf(err) != connectors.Poison {
			t.Errorf("id %d: %s", id, chain(err))
		}
	}
}

// TestStopped: a task that stops waits for no registry, and the record is not
// blamed for it.
func TestStopped(t *testing.T) {
	f := &fake{block: make(chan struct{})}
	r := resolverFor(t, false, nil, map[string]string{URLSetting: f.serve(t)})
	ctx, stop := context.WithCancel(t.Context())
	r.Bind(ctx)
	failed := make(chan error, 1)
	go func() { _, err := r.Write("t", "", text); failed <- r.Failure("t", true, err) }()
	eventually(t, func() bool { return len(f.questions()) == 1 })
	stop()
	if err := <-failed; !errors.Is(err, context.Canceled) || connectors.ClassOf(err) == connectors.Poison {
		t.Error(err)
	}
}

// TestWaits: the waits between retries double and have a limit.
func TestWaits(t *testing.T) {
	c := &Client{t: &transport{retryWait: time.Second, retryMaxWait: 5 * time.Second}}
	for attempt, most := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		longest := time.Duration(0)
		for range 200 {
			d := c.wait(attempt)
			if d < 0 || d >= most {
				t.Fatalf("attempt %d: %s", attempt, d)
			}
			longest = max(longest, d)
		}
		if longest < most/2 {
			t.Errorf("attempt %d: never beyond %s", attempt, longest)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if pause(ctx, time.Minute) || time.Since(begun) != time.Second {
			t.Errorf("a pause went on for %s", time.Since(begun))
		}
	})
}

// BenchmarkWrite: what the registry costs a record whose schema is known.
func BenchmarkWrite(b *testing.B) {
	r := &Resolver{typ: Avro, strategy: strategy{class: TopicNameStrategy}, autoRegister: true, written: map[writeKey]*Registered{{"topic-value", text}: {ID: 1}}}
	for b.Loop() {
		if _, err := r.Write("topic", "", text); err != nil {
			b.Fatal(err)
		}
	}
}
