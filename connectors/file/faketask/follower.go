package faketask

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Follower is a source task that a test polls.
type Follower struct {
	Task connectors.SourceTask
	All  []data.Record // of all polls
	t    testing.TB
}

// Follow starts task; it is stopped with the test.
func Follow(t testing.TB, c *Context, task connectors.SourceTask, config map[string]string) *Follower {
	t.Helper()
	if err := task.Start(t.Context(), c, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = task.Stop(context.Background()) })
	return &Follower{Task: task, t: t}
}

// Config makes a configuration of keys and values in turn.
func Config(settings ...string) map[string]string {
	config := make(map[string]string)
	for i := 0; i+1 < len(settings); i += 2 {
		config[settings[i]] = settings[i+1]
	}
	return config
}

// Take polls until there are n new records, at least, and returns show of each.
func (f *Follower) Take(n int, show func(*data.Record) string) []string {
	f.t.Helper()
	var out []string
	for deadline := time.Now().Add(20 * time.Second); len(out) < n; {
		recs, err := f.Task.Poll(f.t.Context())
		if err != nil {
			f.t.Fatal(err)
		}
		for i := range recs {
			out = append(out, show(&recs[i]))
		}
		f.All = append(f.All, recs...)
		if time.Now().After(deadline) {
			f.t.Fatalf("got %q, want %d records", out, n)
		}
	}
	return out
}

// None polls for a moment that must bring nothing.
func (f *Follower) None() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 250*time.Millisecond)
	defer cancel()
	if recs, err := f.Task.Poll(ctx); err != nil || len(recs) > 0 {
		f.t.Fatalf("got %v, %v; want nothing", recs, err)
	}
}

// Append writes text to the end of a file, which it makes if there is none.
func Append(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Content is what a file holds.
func Content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
