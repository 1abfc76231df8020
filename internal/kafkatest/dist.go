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
	"context"
	"errors"
	"fmt"
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
	root, err := moduleRoot()
	if err != nil {
		return Dist{}, err
	}
	script := filepath.Join(root, "scripts", "fetch-kafka.sh")
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, script, "--print-dir").Output()
	if err != nil {
		return Dist{}, fmt.Errorf("asking %s for the cache directory: %w", script, err)
	}
	d := Dist{Java: java, Dir: strings.TrimSpace(string(out))}
	if _, err := os.Stat(filepath.Join(d.Dir, ".complete")); err == nil {
		return d, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return Dist{}, fmt.Errorf("%w: no mvn on PATH", ErrUnavailable)
	}
	cmd := exec.CommandContext(ctx, script)
	// Maven is a grandchild: without WaitDelay its hold on the pipe would
	// outlive the deadline.
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return Dist{}, fmt.Errorf("fetching Apache Kafka: %w\n%s", err, out)
	}
	return d, nil
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
