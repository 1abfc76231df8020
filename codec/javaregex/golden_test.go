package javaregex

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goldenFile finds a file of recorded vectors: in TROUPE_GOLDEN, else in
// testdata/golden beside go.mod. A file that is not there skips the test by name.
func goldenFile(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TROUPE_GOLDEN")
	for up := "."; dir == ""; up = filepath.Join(up, "..") {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			dir = filepath.Join(up, "testdata", "golden")
		} else if len(up) > 60 {
			t.Fatal("no go.mod above the test")
		}
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("recorded vectors %s are not there", name)
	}
	return path
}

// TestGoldenRouterAndTopicNameMatches replays what RegexRouter and
// TopicNameMatches were recorded to do, as far as it is the pattern's doing.
func TestGoldenRouterAndTopicNameMatches(t *testing.T) {
	f, err := os.Open(goldenFile(t, "smt.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type record struct{ Topic *string }
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	rows := 0
	for in.Scan() {
		var row struct {
			ID, Class     string
			Config        map[string]*string
			Input, Output *record
			Result        *bool
			Error         *struct{ Phase, Message string }
		}
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		setting, router := "regex", strings.HasSuffix(row.Class, ".RegexRouter")
		if !router {
			setting = "pattern"
			if !strings.HasSuffix(row.Class, ".TopicNameMatches") {
				continue
			}
		}
		rows++
		pattern := row.Config[setting]
		if pattern == nil || row.Error != nil && strings.Contains(row.Error.Message, "Missing required") {
			continue // the setting, not the pattern
		}
		if row.Error != nil && strings.Contains(row.Error.Message, "non-empty") {
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			p, err := Compile(*pattern)
			if row.Error != nil && row.Error.Phase == "configure" {
				_, want, _ := strings.Cut(row.Error.Message, "Invalid regex: ")
				if err == nil || err.Error() != want {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Input.Topic == nil {
				return // the transform's matter
			}
			if !router {
				if got := p.MatchString(*row.Input.Topic); got != *row.Result {
					t.Errorf("got %v", got)
				}
				return
			}
			got, _, err := p.Route(*row.Input.Topic, *row.Config["replacement"])
			if row.Error != nil {
				if err == nil || err.Error() != row.Error.Message {
					t.Errorf("got %q, %v; want %s", got, err, row.Error.Message)
				}
				return
			}
			if err != nil || got != *row.Output.Topic {
				t.Errorf("got %q, %v; want %q", got, err, *row.Output.Topic)
			}
		})
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if rows == 0 {
		t.Fatal("no rows")
	}
	t.Logf("%d rows", rows)
}
