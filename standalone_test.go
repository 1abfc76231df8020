package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/workerconfig"
)

// TestStandaloneREST goes through what a standalone worker answers otherwise than a
// distributed one: memory for configurations and statuses, a file for offsets.
func TestStandaloneREST(t *testing.T) {
	g := newGoldenNode(t, workerconfig.Standalone, nil)
	in := filepath.Join(g.files, "in.txt")
	if err := os.WriteFile(in, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) restAnswer {
		var b *string
		headers := map[string]string{}
		if body != "" {
			b, headers["Content-Type"] = &body, "application/json"
		}
		return g.send(method, path, headers, b)
	}
	a := ask("POST", "/connectors", `{"name":"s","config":{"connector.class":"FileStreamSource","tasks.max":"1","file":"`+in+`","topic":"standalone"}}`)
	if a.status != 201 || !strings.Contains(a.body, `"tasks":[{"connector":"s","task":0}]`) {
		t.Fatalf("POST answers before the tasks were made: %d %s", a.status, a.body)
	}
	for _, initial := range []string{"PAUSED", "STOPPED"} {
		a := ask("POST", "/connectors", `{"name":"`+initial+`","initial_state":"`+initial+`","config":{"connector.class":"FileStreamSource","topic":"standalone"}}`)
		if a.status != 201 || !strings.Contains(a.body, `"tasks":[]`) {
			t.Errorf("%s: %d %s", initial, a.status, a.body)
		}
		if a = ask("GET", "/connectors/"+initial+"/status", ""); !strings.Contains(a.body, `"state":"`+initial+`"`) {
			t.Errorf("%s: %d %s", initial, a.status, a.body)
		}
	}
	if a := ask("POST", "/connectors", `{"name":"bad","config":{"connector.class":"FileStreamSource"}}`); a.status != 400 {
		t.Errorf("an invalid configuration: %d %s", a.status, a.body)
	}
	for _, tc := range []struct {
		method, path string
		status       int
		message      string
	}{
		{"POST", "/connectors/s/tasks/7/restart", 404, "Task s-7 not found"},
		{"POST", "/connectors/x/tasks/0/restart", 500, ""},
		{"POST", "/connectors/x/restart", 500, ""},
		{"POST", "/connectors/x/restart?includeTasks=true", 404, "Unknown connector: x"},
		{"PUT", "/connectors/x/stop", 500, "No connector `x` configured"},
		{"PUT", "/connectors/x/pause", 404, "Unknown connector x"},
		{"GET", "/connectors/x", 404, "Connector x not found"},
		{"PUT", "/connectors/s/fence", 500, "Kafka Connect in standalone mode does not support exactly-once source connectors."},
	} {
		a := ask(tc.method, tc.path, "")
		var e struct{ Message string }
		_ = json.Unmarshal([]byte(a.body), &e)
		if a.status != tc.status || tc.message != "" && e.Message != tc.message {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, a.status, a.body)
		}
	}
	if a := ask("POST", "/connectors/s/tasks", "[]"); a.status != 500 || !strings.Contains(a.body, "does not support externally setting task configurations") {
		t.Errorf("internal: %d %s", a.status, a.body)
	}
	if a := ask("PUT", "/admin/loggers/com.example.x?scope=cluster", `{"level":"DEBUG"}`); a.status != 204 {
		t.Errorf("a level for the cluster: %d %s", a.status, a.body)
	}
	if a := ask("GET", "/admin/loggers/com.example.x", ""); !strings.Contains(a.body, `"DEBUG"`) {
		t.Errorf("the level: %d %s", a.status, a.body)
	}
	until := time.Now().Add(10 * time.Second)
	for !strings.Contains(ask("GET", "/connectors/s/offsets", "").body, `"position":8`) {
		if time.Now().After(until) {
			t.Fatalf("offsets: %s", ask("GET", "/connectors/s/offsets", "").body)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a := ask("PUT", "/connectors/s/stop", ""); a.status != 204 {
		t.Fatalf("stop: %d %s", a.status, a.body)
	}
	if a := ask("DELETE", "/connectors/s/offsets", ""); a.status != 200 {
		t.Errorf("reset: %d %s", a.status, a.body)
	}
	if a := ask("GET", "/connectors/s/offsets", ""); a.body != `{"offsets":[]}` {
		t.Errorf("after the reset: %s", a.body)
	}
}
