package main

import (
	"encoding/csv"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestQuickStart is what `make run` promises: the demonstration moves records, a new
// line is in its topic within a second, Ctrl-C stops it cleanly, and the next start
// goes on with nothing twice and nothing missing, and with the schemas that were
// registered.
func TestQuickStart(t *testing.T) {
	dir := t.TempDir()
	start := func() (*process, string, schemaDesk) {
		p := runTroupe(t, nil, "dev", "--data", dir, "--kafka", "127.0.0.1:"+strconv.Itoa(freePort(t)), "--rest", "127.0.0.1:"+strconv.Itoa(freePort(t)), "--registry", "127.0.0.1:0")
		p.waitLog("Ctrl-C stops it", "records: ")
		m := regexp.MustCompile(`Kafka +(127\.0\.0\.1:\d+)\n(?s:.*)Registry +(http://127\.0\.0\.1:\d+)\n`).FindStringSubmatch(p.log())
		if m == nil {
			t.Fatalf("the banner names no broker or no registry:\n%s", p.log())
		}
		return p, m[1], schemaDesk{t, m[2]}
	}
	stop := func(p *process) {
		p.Signal(syscall.SIGINT)
		if code := p.exit(15 * time.Second); code != 0 {
			t.Errorf("exit code %d after Ctrl-C, want 0", code)
		}
	}
	lines := 200
	log := filepath.Join(dir, "access.log")

	p, addr, schemas := start()
	schemas.ask(http.MethodPost, "/subjects/orders-value/versions", `{"schema":"\"string\""}`, `{"id":1}`)
	topic := newTailTopic(t, addr, "access-log")
	topic.await(lines)
	appended := time.Now()
	appendLines(t, log, "a new line")
	got := topic.await(lines + 1)
	// A second on a quiet machine; the test's has other things to do.
	if d := time.Since(appended); d > 3*time.Second {
		t.Errorf("the new line was in the topic after %s", d)
	}
	if v := string(got[len(got)-1].Value); v != `{"line":"a new line","server":"web-1"}` {
		t.Errorf("the new line arrived as %s", v)
	}
	stop(p)

	p, addr, schemas = start()
	schemas.ask(http.MethodGet, "/subjects/orders-value/versions/latest", "", `{"subject":"orders-value","version":1,"id":1,"schema":"\"string\""}`)
	appendLines(t, log, "another line")
	all := topicValues(t, addr, "access-log", lines+2)
	seen := make(map[string]bool)
	for _, v := range all[lines:] {
		if seen[v] {
			t.Errorf("%s came twice", v)
		}
		seen[v] = true
	}
	stop(p)

	f, err := os.Open(filepath.Join(dir, "myfile.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 20 || !strings.HasPrefix(strings.Join(rows[0], ","), "id,task,seq") {
		t.Fatalf("%d rows, the first %v", len(rows), rows[0])
	}
	for i, r := range rows[1:] {
		if r[2] != strconv.Itoa(i) {
			t.Fatalf("row %d has sequence number %s: something is missing or came twice", i, r[2])
		}
	}
}

// schemaDesk asks a schema registry.
type schemaDesk struct {
	t   *testing.T
	url string
}

func (d schemaDesk) ask(method, path, body, want string) {
	d.t.Helper()
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
	if err != nil || resp.StatusCode != http.StatusOK || strings.TrimSpace(string(text)) != want {
		d.t.Fatalf("%s %s: %s %s, %v; want %s", method, path, resp.Status, text, err, want)
	}
}
