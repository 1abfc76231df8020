package devbroker

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// TestJavaClients has Kafka's own Java clients (admin, producer with and without
// transactions, consumers of both group protocols) work on the broker.
func TestJavaClients(t *testing.T) {
	if testing.Short() {
		t.Skip("starts JVMs")
	}
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Skip("javac is not on the PATH")
	}
	kafka, err := kafkatest.Fetch(t.Context())
	if errors.Is(err, kafkatest.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	libs, classes := filepath.Join(kafka.Dir, "libs", "*"), t.TempDir()
	if out, err := exec.CommandContext(ctx, javac, "-nowarn", "-cp", libs, "-d", classes, "testdata/JavaClients.java").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	b := start(t, Options{Ephemeral: true})
	cmd := exec.CommandContext(ctx, kafka.Java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classes+string(filepath.ListSeparator)+libs, "JavaClients", b.Addr())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.String())
	}
	want := `topic configs partitions 3 leader 0
policy compact
retention 1000000
nodes 1
created with 1
classic [plain, committed]
consumer [plain, committed]
groups [g-classic, g-consumer]
offset lines-0 5
topics [lines]
`
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s\n%s", out, want, stderr.String())
	}
}
