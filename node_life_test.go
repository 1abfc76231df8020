package main

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/troupeio/troupe/cluster/group"
)

// lifeEnv has the test binary live one life in the directory that it names.
const lifeEnv, deathEnv = "TROUPE_TEST_LIFE", "TROUPE_TEST_DEATH"

// TestLives has a process end in every way there is and its next life say how.
func TestLives(t *testing.T) {
	if dir := os.Getenv(lifeEnv); dir != "" {
		dieAs(openLives(dir, "g", "n 1/é", os.Getenv(deathEnv), slog.New(slog.DiscardHandler)), os.Getenv(deathEnv))
	}
	dir := t.TempDir()
	next := func(boot string) []group.Life {
		l := openLives(dir, "g", "n 1/é", boot, slog.New(slog.DiscardHandler))
		l.end()
		return l.told()
	}
	if got := next("first"); len(got) != 0 {
		t.Fatalf("before the first life: %v", got)
	}
	want := []group.Life{{Boot: "first", End: group.Ended}}
	for _, death := range []struct {
		how string
		end group.End
	}{{"panic", group.Crashed}, {"goroutine", group.Crashed}, {"fatal", group.Crashed}, {"exit", group.Killed}, {"kill", group.Killed}, {"renew", group.Killed}} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLives$")
		cmd.Env = append(os.Environ(), lifeEnv+"="+dir, deathEnv+"="+death.how)
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Fatalf("%s: it lived: %s", death.how, out)
		}
		want = append(want, group.Life{Boot: death.how, End: death.end})
		if death.how == "renew" {
			want[len(want)-1] = group.Life{Boot: "renew", End: group.Ended}
			want = append(want, group.Life{Boot: "renewed", End: death.end})
		}
		boot := "after " + death.how
		got := next(boot)
		want = want[max(0, len(want)-keptLives):]
		if !slices.Equal(got, want) {
			t.Errorf("%s: the next life says %v, want %v", death.how, got, want)
		}
		if reports, _ := filepath.Glob(filepath.Join(dir, "*.crash")); death.end == group.Crashed {
			if b, err := os.ReadFile(reports[0]); err != nil || !strings.Contains(string(b), "node_life_test.go") {
				t.Errorf("%s: the report: %v\n%s", death.how, err, b)
			}
			_ = os.Remove(reports[0])
		} else if len(reports) > 0 {
			t.Errorf("%s: a report: %v", death.how, reports)
		}
		want = append(want, group.Life{Boot: boot, End: group.Ended})
	}
}

// dieAs ends this process.
func dieAs(l *lives, how string) {
	switch how {
	case "panic":
		panic("on purpose")
	case "goroutine":
		go func() { panic("on purpose") }()
		select {}
	case "fatal":
		var deep func(int) int
		deep = func(n int) int { return deep(n+1) + 1 }
		deep(0) // the stack is used up: no panic that could be recovered from
	case "renew":
		l.renew("renewed")
	case "exit":
		os.Exit(3)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// TestEndOf holds what decides when the system has killed for memory or was started again.
func TestEndOf(t *testing.T) {
	was := lifeRecord{Boot: "b", Machine: "m1", OOM: 3}
	for want, now := range map[group.End]lifeRecord{group.Killed: {Machine: "m1", OOM: 3}, group.OutOfMemory: {Machine: "m1", OOM: 4}, group.Rebooted: {Machine: "m2"}} {
		if got := endOf(was, nil, now); got != want {
			t.Errorf("%+v: %s, want %s", now, got, want)
		}
	}
}

// TestLivesWithoutDirectory: a node that can't keep anything runs, and tells nothing.
func TestLivesWithoutDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLives(filepath.Join(file, "below"), "g", "n", "b", slog.New(slog.DiscardHandler))
	l.renew("c")
	l.end()
	if got := l.told(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	// What was there and makes no sense is as if it was not there.
	dir := t.TempDir()
	first := openLives(dir, "g", "n", "b", slog.New(slog.DiscardHandler))
	if err := os.WriteFile(first.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := openLives(dir, "g", "n", "c", slog.New(slog.DiscardHandler)).told(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
