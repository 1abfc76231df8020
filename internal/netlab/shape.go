//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Link is what a direction between two hosts is like.
type Link struct {
	Delay time.Duration
	Loss  float64 // part of the packets that is dropped, 0 to 1
}

// shaper delays and loses packets in the test's process: the router sends it what is to
// be shaped through a TUN device, and takes it back from there. Kernels without
// sch_netem are the reason.
type shaper struct {
	tun  *os.File
	stop chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	links map[[8]byte]*shaped // by source and destination address
}

type shaped struct {
	Link
	queue chan waiting
}

type waiting struct {
	due    time.Time
	packet []byte
}

const (
	tunName    = "shape0"
	shapeTable = "200"
	queueLen   = 4096 // packets; what comes on top is dropped
	packetMax  = 1 << 16
)

// Shape makes the direction from one host to another slow and lossy. The test is
// skipped where there are no TUN devices.
func (l *Lab) Shape(from, to *Host, k Link) {
	l.t.Helper()
	if l.shaper == nil {
		l.startShaper()
	}
	s := l.shaper
	var key [8]byte
	for i, a := range []string{from.Addr, to.Addr} {
		var b [4]byte
		if _, err := fmt.Sscanf(a, "%d.%d.%d.%d", &b[0], &b[1], &b[2], &b[3]); err != nil {
			l.t.Fatalf("reading the address %s: %v", a, err)
		}
		copy(key[4*i:], b[:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.links[key]; old != nil {
		old.Link = k
		return
	}
	sh := &shaped{Link: k, queue: make(chan waiting, queueLen)}
	s.links[key] = sh
	s.wg.Go(func() { s.deliver(sh.queue) })
	// Only what comes from the host: what comes back from the device goes on its way.
	l.must("-n", l.router, "rule", "add", "from", from.Addr, "to", to.Addr, "iif", from.link, "pref", shapePref, "lookup", shapeTable)
}

func (l *Lab) startShaper() {
	l.t.Helper()
	name := fmt.Sprintf("t%x", rand.Uint32())
	tun, err := openTUN(name)
	if err != nil {
		l.t.Skipf("delay and loss need a TUN device: %v", err)
	}
	s := &shaper{tun: tun, stop: make(chan struct{}), links: make(map[[8]byte]*shaped)}
	l.shaper = s
	l.must("link", "set", name, "netns", l.router)
	l.must("-n", l.router, "link", "set", name, "name", tunName)
	l.must("-n", l.router, "link", "set", tunName, "mtu", "1500", "txqueuelen", "4000", "up")
	l.must("-n", l.router, "route", "add", "default", "dev", tunName, "table", shapeTable)
	s.wg.Go(s.read)
}

// openTUN makes a TUN device that lasts while the file is open.
func openTUN(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening /dev/net/tun: %w", err)
	}
	var req struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(req.name[:], name)
	req.flags = syscall.IFF_TUN | syscall.IFF_NO_PI
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&req))); errno != 0 {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("making the TUN device %s: %w", name, errno)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

func (s *shaper) read() {
	buf := make([]byte, packetMax)
	for {
		n, err := s.tun.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil || n < 20 || buf[0]>>4 != 4 {
			continue
		}
		s.mu.Lock()
		sh := s.links[[8]byte(buf[12:20])]
		var k Link
		if sh != nil {
			k = sh.Link
		}
		s.mu.Unlock()
		if sh == nil || k.Loss > 0 && rand.Float64() < k.Loss {
			continue
		}
		select {
		case sh.queue <- waiting{time.Now().Add(k.Delay), append([]byte(nil), buf[:n]...)}:
		default:
		}
	}
}

// deliver sends a direction's packets when they are due, in their order.
func (s *shaper) deliver(queue chan waiting) {
	for {
		select {
		case <-s.stop:
			return
		case w := <-queue:
			time.Sleep(time.Until(w.due))
			_, _ = s.tun.Write(w.packet) // a packet that is lost
		}
	}
}

func (s *shaper) close() {
	close(s.stop)
	_ = s.tun.Close()
	s.wg.Wait()
}
