package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestNotify has a node wait and end, and looks at what a service manager is told.
func TestNotify(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no datagram sockets in the file system")
	}
	names := map[string]string{"file": filepath.Join(t.TempDir(), "s")}
	if runtime.GOOS == "linux" {
		names["abstract"] = "@troupe-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000000")
	}
	for kind, name := range names {
		t.Run(kind, func(t *testing.T) {
			manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			t.Setenv("NOTIFY_SOCKET", name)
			next := func() string {
				_ = manager.SetReadDeadline(time.Now().Add(10 * time.Second))
				b := make([]byte, 100)
				n, err := manager.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				return string(b[:n])
			}
			n := &node{log: slog.New(slog.DiscardHandler), failed: make(chan error, 1)}
			n.core.Store(&core{failed: make(chan error)})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- n.wait(ctx) }()
			if got := next(); got != "READY=1" {
				t.Errorf("the manager is told %q", got)
			}
			cancel()
			if got := next(); got != "STOPPING=1" {
				t.Errorf("the manager is told %q at the end", got)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNotifyNobody checks that a node goes on when nobody listens, or is to be told.
func TestNotifyNobody(t *testing.T) {
	var out bytes.Buffer
	n := &node{log: slog.New(slog.NewTextHandler(&out, nil))}
	t.Setenv("NOTIFY_SOCKET", "")
	n.notify(serviceReady)
	if out.Len() > 0 {
		t.Errorf("without a manager: %s", &out)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	n.notify(serviceReady)
	if !strings.Contains(out.String(), "NOTIFY_SOCKET") {
		t.Errorf("with one that is gone: %q", &out)
	}
}

// TestDocsUnit holds the page to the unit that it shows.
func TestDocsUnit(t *testing.T) {
	unit, err := os.ReadFile("examples/systemd/troupe.service")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```ini\n"+string(unit)+"```\n") {
		t.Error("docs/operations.md does not show examples/systemd/troupe.service as it is")
	}
}
