//go:build unix

package textfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	tail, _, err := Open(path, 0) // does not wait for the writer
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tail.Close() }()
	if n, err := tail.Fill(); n != 0 || err != nil {
		t.Fatalf("without a writer: %d, %v", n, err)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	start := time.Now()
	if n, err := tail.Fill(); n != 0 || err != nil {
		t.Fatalf("with a silent writer: %d, %v", n, err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("the read took %v", d)
	}
	if _, err := w.WriteString("x\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := tail.Fill(); n != 2 || err != nil || string(tail.Bytes()) != "x\n" {
		t.Errorf("got %d, %v, %q", n, err, tail.Bytes())
	}
	if c := tail.Change(); c != Same {
		t.Errorf("change %d", c)
	}
}
