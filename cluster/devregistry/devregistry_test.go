package devregistry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/codec/registry"
)

// desk asks a registry over HTTP.
type desk struct {
	t   *testing.T
	url string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	h, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, h)
}

func serve(t *testing.T, h *Handler) desk {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return desk{t, s.URL}
}

// ask sends "METHOD /path" with a body and returns "status body".
func (d desk) ask(what, body string) string {
	d.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.Status[:3] + " " + strings.TrimSpace(string(text))
}

// schemaOf is a request's body with an Avro schema.
func schemaOf(text string) string {
	return `{"schema":` + quote(text) + `}`
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

type step struct{ ask, body, want string }

func (d desk) story(steps []step) {
	d.t.Helper()
	for i, s := range steps {
		if got := d.ask(s.ask, s.body); got != s.want {
			d.t.Fatalf("step %d: %s %s\nhave %s\nwant %s", i+1, s.ask, s.body, got, s.want)
		}
	}
}

const (
	v1    = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`
	v2    = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}`
	v3bad = `{"type":"record","name":"R","fields":[{"name":"c","type":"int"}]}`
)

func TestRegisterAndRead(t *testing.T) {
	newDesk(t).story([]step{
		{"GET /", "", "200 {}"},
		{"GET /schemas/types", "", `200 ["JSON","PROTOBUF","AVRO"]`},
		{"GET /contexts", "", `200 ["."]`},
		{"GET /subjects", "", "200 []"},
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/s/versions", schemaOf(" " + v1), `200 {"id":1}`},
		{"POST /subjects/s/versions", `{"schemaType":"AVRO","references":[],"schema":` + quote(v1) + `}`, `200 {"id":1}`},
		{"POST /subjects/s", `{"references":[],"schema":` + quote(v1) + `}`, `200 {"subject":"s","version":1,"id":1,"schema":` + quote(v1) + "}"},
		{"POST /subjects/s/versions", schemaOf(v2), `200 {"id":2}`},
		{"POST /subjects/a%2Fb/versions", schemaOf(v1), `200 {"id":1}`},
		{"GET /subjects", "", `200 ["a/b","s"]`},
		{"GET /subjects?subjectPrefix=a", "", `200 ["a/b"]`},
		{"GET /subjects/s/versions", "", "200 [1,2]"},
		{"GET /subjects/a%2Fb/versions/1", "", `200 {"subject":"a/b","version":1,"id":1,"schema":` + quote(v1) + "}"},
		{"GET /subjects/s/versions/latest", "", `200 {"subject":"s","version":2,"id":2,"schema":` + quote(v2) + "}"},
		{"GET /subjects/s/versions/-1", "", `200 {"subject":"s","version":2,"id":2,"schema":` + quote(v2) + "}"},
		{"GET /subjects/s/versions/1/schema", "", "200 " + v1},
		{"GET /schemas/ids/1", "", `200 {"schema":` + quote(v1) + "}"},
		{"GET /schemas/ids/1/schema", "", "200 " + v1},
		{"GET /schemas/ids/1/subjects", "", `200 ["a/b","s"]`},
		{"GET /schemas/ids/1/versions", "", `200 [{"subject":"a/b","version":1},{"subject":"s","version":1}]`},
		{"POST /subjects/s", schemaOf(v2), `200 {"subject":"s","version":2,"id":2,"schema":` + quote(v2) + "}"},
		{"GET /schemas?latestOnly=true&subjectPrefix=s", "", `200 [{"subject":"s","version":2,"id":2,"schema":` + quote(v2) + "}]"},
	})
}

func TestRefusals(t *testing.T) {
	newDesk(t).story([]step{
		{"GET /nowhere", "", `404 {"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"GET /subjects/s/versions", "", `404 {"error_code":40401,"message":"Subject 's' not found."}`},
		{"GET /subjects/s/versions/latest", "", `404 {"error_code":40401,"message":"Subject 's' not found."}`},
		{"POST /subjects/s", schemaOf(v1), `404 {"error_code":40401,"message":"Subject 's' not found."}`},
		{"DELETE /subjects/s", "", `404 {"error_code":40401,"message":"Subject 's' not found."}`},
		{"GET /schemas/ids/7", "", `404 {"error_code":40403,"message":"Schema 7 not found"}`},
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/s", schemaOf(v2), `404 {"error_code":40403,"message":"Schema not found"}`},
		{"GET /subjects/s/versions/7", "", `404 {"error_code":40402,"message":"Version 7 not found."}`},
		{"GET /subjects/s/versions/x", "", `422 {"error_code":42202,"message":"The specified version 'x' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}`},
		{"POST /subjects/s/versions", `{"schema":""}`, `422 {"error_code":42201,"message":"Empty schema"}`},
		{"POST /subjects/s/versions", `{`, `422 {"error_code":422,"message":"Unprocessable request: unexpected EOF"}`},
		{"POST /subjects/s/versions", schemaOf(`"strin"`), `422 {"error_code":42201,"message":"Invalid schema: Undefined name: \"strin\""}`},
		{"POST /subjects/s/versions", `{"schemaType":"XML","schema":"x"}`, `422 {"error_code":42201,"message":"Invalid schema: Invalid schema type XML"}`},
		{"POST /subjects/s/versions", `{"schema":"\"R\"","references":[{"name":"R","subject":"none","version":1}]}`,
			`422 {"error_code":42201,"message":"Invalid schema: no schema reference found for subject \"none\" and version 1"}`},
		{"PUT /config", `{"compatibility":"SOME"}`, `422 {"error_code":42203,"message":"Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"}`},
		{"GET /config/s", "", `404 {"error_code":40408,"message":"Subject 's' does not have subject-level compatibility configured"}`},
		{"DELETE /config/s", "", `404 {"error_code":40408,"message":"Subject 's' does not have subject-level compatibility configured"}`},
		{"PUT /mode", `{"mode":"SOME"}`, `422 {"error_code":42204,"message":"Invalid mode. Valid values are READWRITE, READONLY, and IMPORT."}`},
		{"GET /mode/s", "", `404 {"error_code":40409,"message":"Subject 's' does not have subject-level mode configured"}`},
	})
}

func TestDelete(t *testing.T) {
	newDesk(t).story([]step{
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/s/versions", schemaOf(v2), `200 {"id":2}`},
		{"DELETE /subjects/s/versions/1?permanent=true", "", `404 {"error_code":40407,"message":"Subject 's' Version 1 was not deleted first before being permanently deleted"}`},
		{"DELETE /subjects/s/versions/1", "", "200 1"},
		{"DELETE /subjects/s/versions/1", "", `404 {"error_code":40406,"message":"Subject 's' Version 1 was soft deleted.Set permanent=true to delete permanently"}`},
		{"GET /subjects/s/versions", "", "200 [2]"},
		{"GET /subjects/s/versions?deleted=true", "", "200 [1,2]"},
		{"GET /subjects/s/versions/1", "", `404 {"error_code":40402,"message":"Version 1 not found."}`},
		{"GET /subjects/s/versions/1?deleted=true", "", `200 {"subject":"s","version":1,"id":1,"schema":` + quote(v1) + "}"},
		{"GET /schemas/ids/1", "", `200 {"schema":` + quote(v1) + "}"},
		{"POST /subjects/s", schemaOf(v1), `404 {"error_code":40403,"message":"Schema not found"}`},
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`}, // again, as a version of its own
		{"GET /subjects/s/versions", "", "200 [2,3]"},
		{"DELETE /subjects/s?permanent=true", "", `404 {"error_code":40405,"message":"Subject 's' was not deleted first before being permanently deleted"}`},
		{"DELETE /subjects/s", "", "200 [2,3]"},
		{"DELETE /subjects/s", "", `404 {"error_code":40404,"message":"Subject 's' was soft deleted.Set permanent=true to delete permanently"}`},
		{"GET /subjects", "", "200 []"},
		{"GET /subjects?deleted=true", "", `200 ["s"]`},
		{"GET /subjects?deletedOnly=true", "", `200 ["s"]`},
		{"DELETE /subjects/s/versions/1?permanent=true", "", "200 1"},
		{"DELETE /subjects/s?permanent=true", "", "200 [2,3]"},
		{"GET /subjects?deleted=true", "", "200 []"},
		{"POST /subjects/s/versions", schemaOf(v3bad), `200 {"id":3}`}, // ids are not given twice
	})
}

func TestReferences(t *testing.T) {
	const point = `{"type":"record","name":"a.P","fields":[{"name":"x","type":"int"}]}`
	const line = `{"schema":"{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"p\",\"type\":\"a.P\"}]}","references":[{"name":"a.P","subject":"point","version":1}]}`
	newDesk(t).story([]step{
		{"POST /subjects/line/versions", line, `422 {"error_code":42201,"message":"Invalid schema: no schema reference found for subject \"point\" and version 1"}`},
		{"POST /subjects/point/versions", schemaOf(point), `200 {"id":1}`},
		{"POST /subjects/line/versions", line, `200 {"id":2}`},
		{"GET /schemas/ids/2", "", `200 {"references":[{"name":"a.P","subject":"point","version":1}],"schema":"{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"p\",\"type\":\"a.P\"}]}"}`},
		{"GET /subjects/point/versions/1/referencedby", "", "200 [2]"},
		{"DELETE /subjects/point", "", `422 {"error_code":42206,"message":"One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=point,version=1}."}`},
		{"DELETE /subjects/line", "", "200 [1]"},
		{"DELETE /subjects/point", "", "200 [1]"},
	})
}

func TestModes(t *testing.T) {
	newDesk(t).story([]step{
		{"GET /mode", "", `200 {"mode":"READWRITE"}`},
		{"POST /subjects/s/versions", `{"id":40,"schema":"\"int\""}`, `422 {"error_code":42205,"message":"Subject s is not in import mode"}`},
		{"PUT /mode/s", `{"mode":"IMPORT"}`, `200 {"mode":"IMPORT"}`},
		{"POST /subjects/s/versions", `{"id":40,"version":3,"schema":"\"int\""}`, `200 {"id":40}`},
		{"POST /subjects/s/versions", `{"id":40,"version":4,"schema":"\"string\""}`, `422 {"error_code":42207,"message":"Overwrite new schema with id 40 is not permitted."}`},
		{"GET /subjects/s/versions", "", "200 [3]"},
		{"PUT /mode", `{"mode":"readonly"}`, `200 {"mode":"READONLY"}`},
		{"POST /subjects/t/versions", schemaOf(v1), `422 {"error_code":42205,"message":"Subject t is in read-only mode"}`},
		{"DELETE /mode/s", "", `200 {"mode":"IMPORT"}`},
		{"DELETE /subjects/s", "", `422 {"error_code":42205,"message":"Subject s is in read-only mode"}`},
		{"GET /mode/s?defaultToGlobal=true", "", `200 {"mode":"READONLY"}`},
		{"PUT /mode", `{"mode":"READWRITE"}`, `200 {"mode":"READWRITE"}`},
		{"POST /subjects/t/versions", schemaOf(v1), `200 {"id":41}`},
	})
}

// TestOtherTypes: JSON Schema and Protobuf keep their type, and are compared.
func TestOtherTypes(t *testing.T) {
	newDesk(t).story([]step{
		{"POST /subjects/j/versions", `{"schemaType":"JSON","schema":"{\"type\":\"string\"}"}`, `200 {"id":1}`},
		{"GET /schemas/ids/1", "", `200 {"schemaType":"JSON","schema":"{\"type\":\"string\"}"}`},
		{"POST /compatibility/subjects/j/versions/latest", `{"schemaType":"JSON","schema":"{\"type\":\"number\"}"}`, `200 {"is_compatible":false}`},
		{"POST /compatibility/subjects/j/versions/latest", schemaOf(`"string"`), `200 {"is_compatible":false}`},
		{"POST /subjects/p/versions", `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; message A { int32 x = 1; }"}`, `200 {"id":2}`},
		{"POST /compatibility/subjects/p/versions/latest", `{"schemaType":"PROTOBUF","schema":"message A { string x = 1; }"}`, `200 {"is_compatible":false}`},
		{"POST /compatibility/subjects/p/versions/latest", `{"schemaType":"PROTOBUF","schema":"message A { int64 x = 1; }"}`, `200 {"is_compatible":true}`},
	})
}

func start(t *testing.T, file, addr string) *Registry {
	t.Helper()
	r, err := Start(t.Context(), Options{File: file, Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stop(t *testing.T, r *Registry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestKept: what was registered is there after a new start, through the converters'
// client.
func TestKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "schema-registry.json")
	client := func(r *Registry) *registry.Client {
		v, err := registry.Def().Parse(map[string]string{registry.URLSetting: r.URL()})
		if err != nil {
			t.Fatal(err)
		}
		c, err := registry.NewClient(v)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	if err := os.WriteFile(file+".tmp", []byte("left by a kill"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, file, "127.0.0.1:0")
	s := &registry.Schema{Type: registry.Avro, Text: v1}
	id, err := client(r).Register(t.Context(), "s", s, false)
	if err != nil || id != 1 {
		t.Fatal(id, err)
	}
	desk{t, r.URL()}.story([]step{{"PUT /config", `{"compatibility":"FULL"}`, `200 {"compatibility":"FULL"}`}})
	stop(t, r)
	r = start(t, file, "127.0.0.1:0")
	defer stop(t, r)
	c := client(r)
	if got, err := c.ByID(t.Context(), id, "s"); err != nil || got.Text != v1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := c.Lookup(t.Context(), "s", s, true); err != nil || got.ID != id || got.Version != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	desk{t, r.URL()}.story([]step{{"GET /config", "", `200 {"compatibilityLevel":"FULL"}`}})
	var refused *registry.Error
	if _, err := c.Register(t.Context(), "s", &registry.Schema{Text: v3bad}, false); !errors.As(err, &refused) || refused.Code != registry.CodeIncompatible {
		t.Errorf("an incompatible schema: %v", err)
	}
	// Nothing is left beside the file.
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestFailedWrite: what did not get into the file is not registered.
func TestFailedWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := start(t, filepath.Join(dir, "f"), "127.0.0.1:0")
	defer stop(t, r)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	d := desk{t, r.URL()}
	if got := d.ask("POST /subjects/s/versions", schemaOf(v1)); !strings.HasPrefix(got, `500 {"error_code":50001,`) {
		t.Error(got)
	}
	d.story([]step{{"GET /subjects", "", "200 []"}})
}

func TestDamagedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{`{"format":1,"sch`, `{"format":3}`, "{\"format\":2}\n{\"do\":\"delete\",\"subject\":\"s\",\"version\":1}\n", "{\"format\":2}\n{\"do\":\"register\"}\n", "{\"format\":2}\n{\"do\"\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(t.Context(), Options{File: file, Addr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "reading the dev registry's file "+file) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestTakenPort: a free port is used and said.
func TestTakenPort(t *testing.T) {
	first := start(t, "", "127.0.0.1:0")
	defer stop(t, first)
	u, err := url.Parse(first.URL())
	if err != nil {
		t.Fatal(err)
	}
	second := start(t, "", u.Host)
	defer stop(t, second)
	if first.Note() != "" || second.URL() == first.URL() || !strings.HasPrefix(second.Note(), u.Host+" is taken, so the dev registry listens on 127.0.0.1:") {
		t.Errorf("%q, %q", first.Note(), second.Note())
	}
	if _, err := Start(t.Context(), Options{Addr: "no address"}); err == nil {
		t.Error("it listens nowhere")
	}
}
