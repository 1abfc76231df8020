package devregistry

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// javascript is a program that writes and reads records with
// @kafkajs/confluent-schema-registry, see testdata/javascript.
type javascript struct {
	in  io.Writer
	out *bufio.Reader
}

// newJavascript starts the program against a registry. The test is skipped where Node
// or npm is missing, or npm reaches no registry of packages.
func newJavascript(t *testing.T, registry string) *javascript {
	t.Helper()
	modules := nodeModules(t)
	cmd := exec.Command("node", filepath.Join("testdata", "javascript", "crosscheck.js"), registry)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil || t.Failed() && complaints.Len() > 0 {
			t.Errorf("node: %v\n%s", err, &complaints)
		}
	})
	return &javascript{in, bufio.NewReader(out)}
}

// unreachable is how npm says that there is no network or no such package in it.
var unreachable = regexp.MustCompile(`npm (ERR!|error) code (E401|E403|E404|E5\d\d|EAI_AGAIN|ECONN\w+|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ERR_SOCKET_TIMEOUT|ETIMEDOUT|FETCH_ERROR)`)

// nodeModules returns a folder with the packages of testdata/javascript, which are
// installed once into the cache of scripts/fetch-kafka.sh, outside the checkout.
func nodeModules(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s, which is not on PATH", tool)
		}
	}
	cache := os.Getenv("TROUPE_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("needs a directory for packages: %v", err)
		}
		cache = filepath.Join(dir, "troupe")
	}
	lock, err := os.ReadFile(filepath.Join("testdata", "javascript", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	dest := filepath.Join(cache, fmt.Sprintf("javascript-%x", sum[:6]))
	modules := filepath.Join(dest, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(cache, "javascript-tmp-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := os.CopyFS(tmp, os.DirFS(filepath.Join("testdata", "javascript"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// The lock file has the packages' hashes; what they would run at their
	// installation is not wanted.
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=60000")
	cmd.Dir = tmp
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
	case ctx.Err() != nil || unreachable.Match(out):
		t.Skipf("needs the packages of testdata/javascript, and npm cannot fetch them: %v\n%s", err, out)
	default:
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	// Who comes second finds the first one's.
	if err := os.Rename(tmp, dest); err != nil {
		if _, missing := os.Stat(modules); missing != nil {
			t.Fatal(err)
		}
	}
	return modules
}

type jsAnswer struct {
	ID    int
	Hex   string
	Value any
	Error string
}

func (j *javascript) ask(t *testing.T, question map[string]any) jsAnswer {
	t.Helper()
	line, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	text, err := j.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%v after %s", err, line)
	}
	var a jsAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// register registers a schema by the JavaScript client and returns its id.
func (j *javascript) register(t *testing.T, kind, subject, text string) int {
	t.Helper()
	a := j.ask(t, map[string]any{"register": text, "type": kind, "subject": subject})
	if a.Error != "" {
		t.Fatalf("registering %s in JavaScript: %s", text, a.Error)
	}
	return a.ID
}

// encode writes a record of a value in JSON.
func (j *javascript) encode(t *testing.T, id int, value string) []byte {
	t.Helper()
	a := j.ask(t, map[string]any{"id": id, "encode": json.RawMessage(value)})
	b, err := hex.DecodeString(a.Hex)
	if a.Error != "" || err != nil || len(b) == 0 {
		t.Fatalf("JavaScript writes %s as %s: %v, %s", value, a.Hex, err, a.Error)
	}
	return b
}

// decode reads a record, which has to be a value in JSON.
func (j *javascript) decode(t *testing.T, record []byte, want string) {
	t.Helper()
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	a := j.ask(t, map[string]any{"decode": hex.EncodeToString(record)})
	if a.Error != "" || !reflect.DeepEqual(a.Value, wanted) {
		have, _ := json.Marshal(a.Value)
		t.Errorf("JavaScript reads %x as\nhave %s %s\nwant %s", record, have, a.Error, want)
	}
}
