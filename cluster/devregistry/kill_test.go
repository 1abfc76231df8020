package devregistry

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// childEnv names the file of the registry that a child of the test is to be.
const childEnv = "TROUPE_TEST_REGISTRY"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		r, err := Start(context.Background(), Options{File: path, Addr: "127.0.0.1:0"})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(r.URL())
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// child starts the registry as a process; kill ends it by kill -9.
func child(t *testing.T, path string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

// TestKill kills the registry while schemas are registered, again and again: what was
// answered is there.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	rng := rand.New(rand.NewPCG(1, 2))
	post := func(url, subject, body string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/subjects/"+subject+"/versions", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		return strings.TrimSpace(line), err
	}
	answered := map[int]string{} // by the number of the subject
	next := 0
	for round := range 6 {
		url, kill := child(t, path)
		for n, want := range answered {
			if got, err := post(url, fmt.Sprint("s", n), schemaOf(many(fmt.Sprint("R", n), 1))); err != nil || got != want {
				t.Fatalf("round %d: the subject s%d is %s, %v; it was answered with %s", round, n, got, err, want)
			}
		}
		if got := (desk{t, url}).ask("GET /schemas?latestOnly=true", ""); strings.Count(got, `"subject"`) > len(answered)+round {
			t.Errorf("%d schemas were answered, and there are %d", len(answered), strings.Count(got, `"subject"`))
		}
		enough, killed := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(killed)
			<-enough
			kill()
		}()
		begun, until := next, next+5+rng.IntN(30)
		for {
			got, err := post(url, fmt.Sprint("s", next), schemaOf(many(fmt.Sprint("R", next), 1)))
			if err != nil {
				next++ // it may be there or not
				break
			}
			answered[next] = got
			if next++; next == until {
				close(enough) // while the next ones are under way
			}
		}
		if next < until {
			close(enough)
			t.Errorf("round %d: the registry failed after %d schemas, before it was killed", round, next-begun)
		}
		<-killed
	}
}

// TestCutOff: a line of the file that a kill has cut off was not answered; the next
// change is not written behind it.
func TestCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	open := func() desk {
		h, err := New(path)
		if err != nil {
			t.Fatal(err)
		}
		return serve(t, h)
	}
	d := open()
	d.story([]step{
		{"POST /subjects/s/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/s/versions", schemaOf(v2), `200 {"id":2}`},
		{"PUT /config/s", `{"compatibility":"NONE"}`, `200 {"compatibility":"NONE"}`},
	})
	for range 2 {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, `{"do":"purge-subject","subj`...), 0o600); err != nil {
			t.Fatal(err)
		}
		d = open()
		d.story([]step{
			{"GET /subjects/s/versions", "", "200 [1,2]"},
			{"PUT /mode/s", `{"mode":"READONLY"}`, `200 {"mode":"READONLY"}`},
			{"DELETE /mode/s", "", `200 {"mode":"READONLY"}`},
		})
	}
	// A file that somebody else has put there, or taken away, is replaced.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.story([]step{{"POST /subjects/s/versions", schemaOf(v3bad), `200 {"id":3}`}})
	open().story([]step{
		{"GET /subjects/s/versions", "", "200 [1,2,3]"},
		{"GET /config/s", "", `200 {"compatibilityLevel":"NONE"}`},
	})
}

// TestReplay: all kinds of changes are read from the file as they were made.
func TestReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	h, err := New(path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, h).story([]step{
		{"PUT /config", `{"compatibility":"NONE"}`, `200 {"compatibility":"NONE"}`},
		{"POST /subjects/a/versions", schemaOf(v1), `200 {"id":1}`},
		{"POST /subjects/a/versions", schemaOf(v2), `200 {"id":2}`},
		{"POST /subjects/a/versions", schemaOf(v3bad), `200 {"id":3}`},
		{"POST /subjects/b/versions", schemaOf(v2), `200 {"id":2}`},
		{"POST /subjects/c/versions", schemaOf(v2), `200 {"id":2}`},
		{"PUT /config/b", `{"compatibility":"FULL"}`, `200 {"compatibility":"FULL"}`},
		{"PUT /mode/a", `{"mode":"IMPORT"}`, `422 {"error_code":42205,"message":"Cannot import since found existing subjects"}`},
		{"PUT /mode/d", `{"mode":"IMPORT"}`, `200 {"mode":"IMPORT"}`},
		{"POST /subjects/d/versions", `{"id":40,"version":3,"schema":"\"int\""}`, `200 {"id":40}`},
		{"DELETE /subjects/a/versions/1", "", "200 1"},
		{"DELETE /subjects/a/versions/2", "", "200 2"},
		{"DELETE /subjects/a/versions/2?permanent=true", "", "200 2"},
		{"DELETE /subjects/b", "", "200 [1]"},
		{"DELETE /subjects/c", "", "200 [1]"},
		{"DELETE /subjects/c?permanent=true", "", "200 [1]"},
		{"PUT /mode", `{"mode":"READONLY"}`, `200 {"mode":"READONLY"}`},
		{"DELETE /mode", "", `200 {"mode":"READONLY"}`},
		{"DELETE /config", "", `200 {"compatibilityLevel":"NONE"}`},
	})
	again, err := New(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []desk{serve(t, h), serve(t, again)} {
		d.story([]step{
			{"GET /subjects?deleted=true", "", `200 ["a","b","d"]`},
			{"GET /subjects/a/versions", "", "200 [3]"},
			{"GET /subjects/a/versions?deleted=true", "", "200 [1,3]"},
			{"GET /config", "", `200 {"compatibilityLevel":"BACKWARD"}`},
			{"GET /config/b", "", `404 {"error_code":40408,"message":"Subject 'b' does not have subject-level compatibility configured"}`},
			{"GET /mode", "", `200 {"mode":"READWRITE"}`},
			{"GET /mode/d", "", `200 {"mode":"IMPORT"}`},
			{"GET /subjects/d/versions/3", "", `200 {"subject":"d","version":3,"id":40,"schema":"\"int\""}`},
		})
	}
	serve(t, again).story([]step{{"POST /subjects/e/versions", schemaOf(`"long"`), `200 {"id":41}`}})
}
