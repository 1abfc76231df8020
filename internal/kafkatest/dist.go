// Package kafkatest runs the real Apache Kafka 4.1.0 for tests and for the
// benchmark: a broker of its own ([Start]), one for a whole test binary
// ([Shared]) and Kafka Connect's workers ([StartConnect]). The jars come
// through Maven, once, into a cache (scripts/fetch-kafka.sh).
//
// Without java or mvn a test that asks for a broker is skipped, with the reason.
//
// It may import the standard library and franz-go with kadm, nothing of ours;
// only tests, bench and its own command import it.
package kafkatest

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrUnavailable says that this machine cannot run Apache Kafka at all: java is
// missing, or mvn is missing and nothing was fetched before. A test skips on
// it; every other error fails the test.
var ErrUnavailable = errors.New("needs Apache Kafka")

// fetchTimeout bounds one run of the fetch script: some 150 MB of jars over a
// slow line.
const fetchTimeout = 5 * time.Minute

// Dist is a fetched Apache Kafka.
type Dist struct {
	Java string // the java command
	Dir  string // holds libs and plugins
}

// Fetch returns the cached Apache Kafka and fetches it first where needed.
// The error is [ErrUnavailable] when this machine lacks what it takes.
func Fetch(ctx context.Context) (Dist, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return Dist{}, fmt.Errorf("%w: no java on PATH", ErrUnavailable)
	}
	dir, err := fetch(ctx, "Apache Kafka")
	return Dist{Java: java, Dir: dir}, err
}

// FetchAvroData does the same for the fork of Confluent's AvroData (see the script),
// and returns its jars. They need Kafka's beside them. The error is [ErrUnavailable]
// when they cannot be fetched, too: what the fork answers is recorded as well.
func FetchAvroData(ctx context.Context) ([]string, error) {
	dir, err := fetch(ctx, "AvroData", "--avrodata")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return filepath.Glob(filepath.Join(dir, "libs", "*.jar"))
}

// fetch runs the script if what it fetches is not there, and returns where it is.
func fetch(ctx context.Context, what string, args ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	script := filepath.Join(root, "scripts", "fetch-kafka.sh")
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, script, append(args, "--print-dir")...).Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for the cache directory: %w", script, err)
	}
	dir := strings.TrimSpace(string(out))
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("%w: no mvn on PATH", ErrUnavailable)
	}
	cmd := exec.CommandContext(ctx, script, args...)
	// Maven is a grandchild: without WaitDelay its hold on the pipe would
	// outlive the deadline.
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetching %s: %w\n%s", what, err, out)
	}
	return dir, nil
}

// Compile compiles Java sources into a folder, once and not by the source launcher
// in each JVM, which takes a second. The error is [ErrUnavailable] with a JRE.
func (d Dist) Compile(ctx context.Context, dir string, jars []string, sources ...string) error {
	own, err := filepath.Glob(d.ClassPath() + ".jar") // only the launcher expands the path itself
	if err != nil {
		return fmt.Errorf("looking for Kafka Connect's jars: %w", err)
	}
	args := []string{"-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn", "-d", dir,
		"-cp", strings.Join(append(own, jars...), string(os.PathListSeparator))}
	if out, err := exec.CommandContext(ctx, d.Java, append(args, sources...)...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "java.lang.module.FindException") {
			return fmt.Errorf("%w: %s is of a JRE, and this needs a JDK's compiler", ErrUnavailable, d.Java)
		}
		return fmt.Errorf("compiling %s: %w\n%s", strings.Join(sources, ", "), err, out)
	}
	return nil
}

// Jar packs the classes in a folder, and more files with their texts, into a jar.
func Jar(file, dir string, more map[string]string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	add := func(name string, b []byte) error {
		w, err := z.Create(filepath.ToSlash(name))
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		if err := errors.Join(err, relErr); err != nil || filepath.Ext(name) != ".class" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return add(name, b)
	})
	for name, text := range more {
		err = errors.Join(err, add(name, []byte(text)))
	}
	return errors.Join(err, z.Close())
}

// ClassPath is every jar but the file connectors, which Kafka keeps apart.
func (d Dist) ClassPath() string { return filepath.Join(d.Dir, "libs", "*") }

// PluginPath is the plugin.path with which a Connect worker finds the file
// connectors.
func (d Dist) PluginPath() string { return filepath.Join(d.Dir, "plugins") }

// moduleRoot is the folder of go.mod, looked for upwards from the working
// directory: go test sets that to the tested package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the module's root: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("looking for the module's root: no go.mod at or above %s", dir)
		}
	}
}
