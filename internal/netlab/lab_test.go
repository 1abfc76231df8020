//go:build linux

package netlab_test

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/internal/netlab"
)

// TestLab sends datagrams between hosts while the network between them is broken.
func TestLab(t *testing.T) {
	l := netlab.New(t)
	a, b := l.Host("a"), l.Host("b")
	if !reaches(t, a, l.Broker()) || !reaches(t, a, b) || !reaches(t, b, a) {
		t.Fatal("hosts do not reach each other")
	}
	l.Cut(a, b)
	l.Cut(b, l.Broker())
	l.Cut(l.Broker(), b)
	if reaches(t, a, b) {
		t.Error("what was cut goes through")
	}
	if !reaches(t, b, a) {
		t.Error("the other direction was cut as well")
	}
	if c, err := net.DialTimeout("tcp", b.Addr+":1", 2*time.Second); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the test itself does not reach b: %v %v", c, err)
	}
	l.HealAll()
	if !reaches(t, a, b) {
		t.Error("not healed")
	}
}

func TestShape(t *testing.T) {
	l := netlab.New(t)
	a, b := l.Host("a"), l.Host("b")
	l.Shape(a, b, netlab.Link{Delay: 100 * time.Millisecond})
	begin := time.Now()
	if !reaches(t, a, b) {
		t.Fatal("does not go through")
	}
	took := time.Since(begin)
	l.Shape(a, b, netlab.Link{})
	begin = time.Now()
	if !reaches(t, a, b) {
		t.Fatal("does not go through")
	}
	if plain := time.Since(begin); took-plain < 60*time.Millisecond {
		t.Errorf("%v with a delay of 100 ms, %v without", took, plain)
	}
	l.Shape(a, b, netlab.Link{Loss: 1})
	if reaches(t, a, b) {
		t.Error("what is lost goes through")
	}
}

// reaches sends a datagram to a port of another host that nobody listens at, and says
// whether the other host has counted it within half a second.
func reaches(t *testing.T, from, to *netlab.Host) bool {
	t.Helper()
	before := strays(t, to)
	run(t, from, "bash", "-c", fmt.Sprintf("echo >/dev/udp/%s/9", to.Addr))
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		if strays(t, to) > before {
			return true
		}
	}
	return false
}

// strays is how many datagrams have come to a host that nobody listened for.
func strays(t *testing.T, h *netlab.Host) int {
	t.Helper()
	lines := strings.Split(run(t, h, "grep", "^Udp:", "/proc/net/snmp"), "\n")
	var in, stray int
	if _, err := fmt.Sscanf(lines[1], "Udp: %d %d", &in, &stray); err != nil {
		t.Fatalf("reading %q: %v", lines[1], err)
	}
	return stray
}

func run(t *testing.T, h *netlab.Host, path string, args ...string) string {
	t.Helper()
	path, args = h.Command(path, args...)
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", path, err, out)
	}
	return string(out)
}
