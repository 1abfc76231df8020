package watch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/kafkatest"
	"github.com/troupeio/troupe/internal/watch"
)

// TestLines holds that lines come whole, also those that are written in two parts or into
// a file that is made late, and empty ones.
func TestLines(t *testing.T) {
	dir := t.TempDir()
	first, late := filepath.Join(dir, "first"), filepath.Join(dir, "late")
	ctx, cancel := context.WithCancel(t.Context())
	type found struct {
		file  string
		lines []string
	}
	got := make(chan found, 100)
	ended := make(chan error, 1)
	write := func(file, text string) {
		t.Helper()
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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
	write(first, "one\n\ntw")
	go func() { // its end is awaited below
		ended <- watch.Lines(ctx, []string{first, late}, time.Millisecond, func(file string, lines [][]byte, _ time.Time) {
			f := found{file: file}
			for _, l := range lines {
				f.lines = append(f.lines, string(l))
			}
			got <- f
		})
	}()
	expect := func(file string, lines ...string) {
		t.Helper()
		select {
		case f := <-got:
			if f.file != file || !slices.Equal(f.lines, lines) {
				t.Errorf("got %q, want %q of %s", f, lines, file)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing came, want %q of %s", lines, file)
		}
	}
	expect(first, "one", "")
	write(late, "late\n")
	expect(late, "late")
	write(first, "o\nthree")
	expect(first, "two")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := watch.Lines(t.Context(), []string{dir}, time.Millisecond, func(string, [][]byte, time.Time) {}); err == nil {
		t.Error("a folder can be read")
	}
}

func TestStarts(t *testing.T) {
	rec := func(key, value string) *kgo.Record { return &kgo.Record{Key: []byte(key), Value: []byte(value)} }
	got := watch.Starts([]*kgo.Record{
		rec("status-task-a-0", `{"state":"RUNNING"}`), rec("status-task-a-0", `{"state":"UNASSIGNED"}`), rec("status-task-a-0", `{"state":"RUNNING"}`),
		rec("status-connector-a", `{"state":"RUNNING"}`), rec("status-task-b-0", ""),
	})
	if len(got) != 2 || got[watch.TaskStatus+"a-0"] != 2 || got["status-connector-a"] != 1 {
		t.Errorf("got %v", got)
	}
}

// TestStalls holds that a stopped process goes on, also when nobody waits any longer.
func TestStalls(t *testing.T) {
	start := func() *kafkatest.Process {
		p, err := kafkatest.StartProcess(kafkatest.ProcessSpec{Path: "sh", Args: []string{"-c", "while :; do echo x; sleep 0.01; done"},
			LogFile: filepath.Join(t.TempDir(), "log")})
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(p.Kill)
		return p
	}
	moves := func(p *kafkatest.Process) {
		t.Helper()
		size := func() int64 {
			st, err := os.Stat(p.LogFile())
			if err != nil {
				t.Fatal(err)
			}
			return st.Size()
		}
		was := size()
		for end := time.Now().Add(10 * time.Second); size() == was; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it does not go on")
			}
		}
	}
	a, b := start(), start()
	var order []int
	begin := time.Now()
	err := watch.Stalls(t.Context(), 3, 100*time.Millisecond, 50*time.Millisecond, func(i int) *kafkatest.Process {
		order = append(order, i)
		return []*kafkatest.Process{a, b}[i%2]
	})
	if took := time.Since(begin); err != nil || took < 300*time.Millisecond || !slices.Equal(order, []int{0, 1, 2}) {
		t.Errorf("%v after %s, in the order %v", err, took, order)
	}
	moves(a)
	moves(b)
	ctx, cancel := context.WithCancel(t.Context())
	err = watch.Stalls(ctx, 2, time.Hour, time.Hour, func(int) *kafkatest.Process { cancel(); return a })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	moves(a)
}
