package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestQuickStartAvro follows the quick start's part about Avro, command by command.
func TestQuickStartAvro(t *testing.T) {
	page, err := os.ReadFile("docs/quick-start.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "\n## Avro\n")
	part, _, _ = strings.Cut(part, "\n## ")
	created := regexp.MustCompile(`(?s)localhost:8083/connectors -d '(.*?)'\n`).FindAllStringSubmatch(part, -1)
	looked := regexp.MustCompile(`\ncurl -s localhost:8081(/\S+)\n`).FindStringSubmatch(part)
	if len(created) != 2 || looked == nil {
		t.Fatalf("%d connectors and %q in the page", len(created), looked)
	}
	rest := "127.0.0.1:" + strconv.Itoa(freePort(t))
	p := runTroupe(t, nil, "dev", "--ephemeral", "--kafka", "127.0.0.1:"+strconv.Itoa(freePort(t)), "--rest", rest, "--registry", "127.0.0.1:0")
	p.waitLog("Ctrl-C stops it")
	registry := regexp.MustCompile(`Registry +(http://127\.0\.0\.1:\d+)\n`).FindStringSubmatch(p.log())
	if registry == nil {
		t.Fatalf("the banner names no registry:\n%s", p.log())
	}
	file := filepath.Join(t.TempDir(), "orders.csv")
	here := strings.NewReplacer("http://127.0.0.1:8081", registry[1], "/tmp/orders.csv", file)
	for _, c := range created {
		resp, err := http.Post("http://"+rest+"/connectors", "application/json", strings.NewReader(here.Replace(c[1])))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s for %s", resp.Status, c[1])
		}
	}
	eventually(t, func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		if lines := strings.Split(string(b), "\n"); len(lines) < 12 || !strings.HasPrefix(lines[0], "id,task,seq") {
			return "the file has: " + string(b)
		}
		return ""
	})
	resp, err := http.Get(registry[1] + looked[1])
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s for %s", resp.Status, looked[1])
	}
}
