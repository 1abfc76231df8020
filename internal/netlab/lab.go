//go:build linux

// Package netlab is a network for tests that can be broken: one Linux network
// namespace for each host, all joined by a router that drops, delays and loses what
// goes from one host to another, in each direction for itself. Nothing on the hosts
// notices but by silence, as it is with a switch or a firewall that fails.
//
// It needs root and the commands ip and sh; [New] skips a test by name where they, or
// namespaces, are missing. It imports only the standard library.
package netlab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// prefix begins the names of all namespaces; the id of the test's process follows, so
// that what a killed test left behind can be told from what is in use.
const prefix = "netlab"

// Lab is a router with hosts around it. Its methods belong to one goroutine, but for
// what [Lab.Shape] does in the background.
type Lab struct {
	t      testing.TB
	router string // namespace
	net    netip.Prefix
	hosts  []*Host
	cuts   map[[2]*Host]bool

	broker *Host
	shaper *shaper
}

// Host is a namespace with one address. Processes run in it by [Host.Command].
type Host struct {
	Name string
	Addr string // numeric
	ns   string // "" for the test's own namespace
	link string // the router's end
}

// New makes a network, which ends with the test. The test's own namespace is a host of
// it with two addresses: [Lab.Broker] is where servers listen that the test starts; the
// test's own connections to hosts come from another one, so that a host that is cut
// off from all others can still be asked how it is.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("network namespaces need the command %s", tool)
		}
	}
	sweep()
	l := &Lab{t: t, router: fmt.Sprintf("%s-%d-%x", prefix, os.Getpid(), rand.Uint32()), cuts: make(map[[2]*Host]bool)}
	if out, err := ip("netns", "add", l.router); err != nil {
		t.Skipf("network namespaces do not work here: %s", out)
	}
	t.Cleanup(l.close)
	l.net = freeNet(t)
	l.must("netns", "exec", l.router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; for f in all default; do echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; done")
	l.broker = l.attach("root", "")
	return l
}

// ip runs the command of that name.
func ip(args ...string) (string, error) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("ip %s: %v: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out))), err
	}
	return string(out), nil
}

func (l *Lab) must(args ...string) {
	l.t.Helper()
	if out, err := ip(args...); err != nil {
		l.t.Fatal(out)
	}
}

// sweep removes what tests left behind that were killed.
func sweep() {
	out, err := ip("netns", "list")
	if err != nil {
		return
	}
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		parts := strings.Split(name, "-")
		if len(parts) < 3 || parts[0] != prefix {
			continue
		}
		pid, err := strconv.Atoi(parts[1])
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_, _ = ip("netns", "del", name) // its links go with it
		}
	}
}

// freeNet finds a network that this machine has no address in, for 31 hosts.
func freeNet(t testing.TB) netip.Prefix {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for {
		n := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(192 + rand.IntN(63)), byte(rand.IntN(256)), 0}), 24)
		taken := false
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			taken = taken || err == nil && p.Overlaps(n)
		}
		if !taken {
			return n
		}
	}
}

// at returns an address of host number i: 1 is the router's, 2 the host's, 3 the one of
// which only the test's own namespace has need.
func (l *Lab) at(i, k int) string {
	b := l.net.Addr().As4()
	b[3] = byte(8*i + k)
	return netip.AddrFrom4(b).String()
}

// Host adds a host.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	ns := l.router + "-" + name
	l.must("netns", "add", ns)
	return l.attach(name, ns)
}

// attach joins a namespace, "" for the test's own, to the router.
func (l *Lab) attach(name, ns string) *Host {
	l.t.Helper()
	i := len(l.hosts)
	id := fmt.Sprintf("%x", rand.Uint32())
	h := &Host{Name: name, Addr: l.at(i, 2), ns: ns, link: fmt.Sprintf("r%d", i)}
	l.hosts = append(l.hosts, h)
	far := "v" + id
	in := []string{"-n", ns}
	if ns == "" {
		in = nil
	}
	do := func(args ...string) { l.must(append(append([]string{}, in...), args...)...) }
	l.must("-n", l.router, "link", "add", h.link, "type", "veth", "peer", "name", far)
	dest := ns
	if ns == "" {
		dest = strconv.Itoa(os.Getpid())
	}
	l.must("-n", l.router, "link", "set", far, "netns", dest)
	l.must("-n", l.router, "addr", "add", l.at(i, 1)+"/29", "dev", h.link)
	l.must("-n", l.router, "link", "set", h.link, "up")
	do("addr", "add", h.Addr+"/29", "dev", far)
	do("link", "set", far, "up")
	if ns != "" {
		do("link", "set", "lo", "up")
		do("route", "add", "default", "via", l.at(i, 1))
		return h
	}
	do("addr", "add", l.at(i, 3)+"/29", "dev", far)
	do("route", "add", l.net.String(), "via", l.at(i, 1), "dev", far, "src", l.at(i, 3))
	return h
}

// Broker is the address of the test's own namespace for servers that hosts can be cut
// off from.
func (l *Lab) Broker() *Host { return l.broker }

// Command returns what to run for a command to run in the host. The process that is
// started becomes the command.
func (h *Host) Command(path string, args ...string) (string, []string) {
	if h.ns == "" {
		return path, args
	}
	return "ip", append([]string{"netns", "exec", h.ns, path}, args...)
}

// Cut drops what goes from one host to another from now on, open connections included.
// The other direction stays.
func (l *Lab) Cut(from, to *Host) {
	l.t.Helper()
	if l.cuts[[2]*Host{from, to}] {
		return
	}
	l.cuts[[2]*Host{from, to}] = true
	l.must("-n", l.router, "rule", "add", "from", from.Addr, "to", to.Addr, "pref", cutPref, "blackhole")
}

// Heal undoes Cut.
func (l *Lab) Heal(from, to *Host) {
	l.t.Helper()
	if !l.cuts[[2]*Host{from, to}] {
		return
	}
	delete(l.cuts, [2]*Host{from, to})
	l.must("-n", l.router, "rule", "del", "from", from.Addr, "to", to.Addr, "pref", cutPref, "blackhole")
}

// The order in which the router asks its rules.
const (
	cutPref   = "100"
	shapePref = "200"
)

// CutPort drops what goes between two hosts from or to a port of either, by UDP and TCP.
// It lasts as long as the lab.
func (l *Lab) CutPort(a, b *Host, port int) {
	l.t.Helper()
	for _, pair := range [][2]*Host{{a, b}, {b, a}} {
		for _, proto := range []string{"udp", "tcp"} {
			for _, side := range []string{"sport", "dport"} {
				l.must("-n", l.router, "rule", "add", "from", pair[0].Addr, "to", pair[1].Addr, "ipproto", proto, side, strconv.Itoa(port), "pref", cutPref, "blackhole")
			}
		}
	}
}

// Split cuts a host off from others in both directions.
func (l *Lab) Split(h *Host, others ...*Host) {
	l.t.Helper()
	for _, o := range others {
		l.Cut(h, o)
		l.Cut(o, h)
	}
}

// HealAll undoes all cuts.
func (l *Lab) HealAll() {
	l.t.Helper()
	for pair := range l.cuts {
		l.Heal(pair[0], pair[1])
	}
}

func (l *Lab) close() {
	var wg sync.WaitGroup
	if l.shaper != nil {
		l.shaper.close()
	}
	for _, h := range l.hosts {
		if h.ns != "" {
			wg.Go(func() {
				if out, err := ip("netns", "del", h.ns); err != nil {
					l.t.Error(out)
				}
			})
		}
	}
	wg.Wait()
	if out, err := ip("netns", "del", l.router); err != nil {
		l.t.Error(out)
	}
}
