package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// classesJava is the program that drives Kafka Connect's classes.
//
//go:embed java/Classes.java
var classesJava []byte

// errLeftOut says that this machine cannot run a row in an arm. It is told, and is
// no failure.
var errLeftOut = errors.New("left out")

// javaClasses drives the cases with Kafka Connect's classes. Each has a JVM of its
// own: what a JVM compiles depends on all that it has run, and another case's calls
// at the same place make it slower. Nothing that is quick needs that.
func (e *env) javaClasses(ctx context.Context, schemas string, warmUp, measure time.Duration) ([]classRun, error) {
	dist, err := kafkatest.Fetch(ctx)
	if errors.Is(err, kafkatest.ErrUnavailable) {
		return nil, fmt.Errorf("%w: %w", errLeftOut, err)
	}
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(e.dir, "classes-")
	if err != nil {
		return nil, fmt.Errorf("making the classes' folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	source, list := filepath.Join(dir, "Classes.java"), filepath.Join(dir, "classes.json")
	for path, b := range map[string][]byte{source: classesJava, list: classesJSON} {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return nil, fmt.Errorf("writing the classes' program: %w", err)
		}
	}
	jars, err := compileStandIn(ctx, dist, dir, source)
	if err != nil {
		return nil, err
	}
	cp := strings.Join(append([]string{dir, dist.ClassPath()}, jars...), string(os.PathListSeparator))
	keys := []string{"all"}
	if !e.quick {
		keys = nil
		for _, c := range classes.Cases {
			keys = append(keys, c.Key)
		}
	}
	var runs []classRun
	for _, key := range keys {
		args := append(kafkatest.ConnectJVM(), "-cp", cp, "Classes", list, key, millis(warmUp), millis(measure), schemas)
		cmd := exec.CommandContext(ctx, dist.Java, args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("running Kafka Connect's %s: %w\n%s", key, err, stderr.Bytes())
		}
		some, err := parseClassRuns(stdout.String())
		if err != nil {
			return nil, fmt.Errorf("Kafka Connect's %s: %w", key, err)
		}
		runs = append(runs, some...)
	}
	return runs, nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// parseClassRuns reads a line of JSON for each case. Other lines are a logger's.
func parseClassRuns(text string) ([]classRun, error) {
	var runs []classRun
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var r classRun
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("reading what it measured: %w in %q", err, line)
		}
		if r.Key == "" || r.Records <= 0 || len(r.Output) == 0 {
			return nil, fmt.Errorf("reading what it measured: no key, no records or no output in %q", line)
		}
		runs = append(runs, r)
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("it measured nothing: %q", text)
	}
	return runs, nil
}
