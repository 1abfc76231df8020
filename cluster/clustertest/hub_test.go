package clustertest

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// arrive returns what has come to e, and how long ago it was sent by the text.
func arrive(e *Endpoint) string {
	select {
	case p := <-e.packets:
		return string(p.Buf)
	default:
		return ""
	}
}

func send(t *testing.T, from, to *Endpoint, text string) {
	t.Helper()
	if _, err := from.WriteTo([]byte(text), to.Addr()); err != nil {
		t.Error(err)
	}
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(1)
		a, b := h.Endpoint(), h.Endpoint()
		step := func(want, what string) {
			t.Helper()
			synctest.Wait()
			if got := arrive(b); got != want {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		send(t, a, b, "1")
		step("1", "open")
		h.Cut(a.Addr(), b.Addr())
		send(t, a, b, "2")
		step("", "cut")
		send(t, b, a, "back")
		if got := arrive(a); got != "back" {
			t.Errorf("the way back of a cut: %q", got)
		}
		h.Heal(a.Addr(), b.Addr())
		step("", "what a cut swallowed stays away")

		h.Set(a.Addr(), b.Addr(), Link{Delay: time.Second})
		send(t, a, b, "3")
		time.Sleep(999 * time.Millisecond)
		step("", "a millisecond early")
		time.Sleep(time.Millisecond)
		step("3", "in time")

		h.HealAll()
		h.Stall(b.Addr(), time.Minute)
		send(t, a, b, "4")
		time.Sleep(time.Minute - time.Second)
		step("", "stalled")
		time.Sleep(time.Second)
		step("4", "after the stall")

		h.SetAll(Link{Loss: 0.3})
		n := 0
		for range 1000 {
			send(t, a, b, "x")
			if arrive(b) != "" {
				n++
			}
		}
		if n < 650 || n > 750 {
			t.Errorf("%d of 1000 packets came through a loss of 0.3", n)
		}
		h.HealAll()
		h.Crash(b.Addr())
		send(t, a, b, "5")
		step("", "crashed")
		if _, err := b.WriteTo([]byte("6"), a.Addr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a crashed endpoint writes: %v", err)
		}
	})
}

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(1)
		a, b := h.Endpoint(), h.Endpoint()
		open := func() (near, far net.Conn) {
			t.Helper()
			near, err := a.DialTimeout(b.Addr(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return near, <-b.StreamCh()
		}
		put := func(c net.Conn, text string) {
			t.Helper()
			if _, err := io.WriteString(c, text); err != nil {
				t.Error(err)
			}
		}
		near, far := open()
		put(near, "hello")
		put(near, " there")
		near.Close()
		if got, err := io.ReadAll(far); string(got) != "hello there" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}

		near, far = open()
		h.Cut(a.Addr(), b.Addr())
		put(near, "held")
		if err := far.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Error(err)
		}
		if _, err := far.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over a cut link: %v", err)
		}
		began := time.Now()
		if _, err := b.DialTimeout(a.Addr(), 3*time.Second); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("dialing over a cut link: %v after %v", err, time.Since(began))
		}
		h.Heal(a.Addr(), b.Addr())
		if err := far.SetDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
		buf := make([]byte, 9)
		if n, err := far.Read(buf); string(buf[:n]) != "held" || err != nil {
			t.Errorf("after the cut: %q, %v", buf[:n], err)
		}

		go func() { time.Sleep(time.Second); h.Crash(b.Addr()) }()
		if _, err := near.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a crash reads as %v", err)
		}
		if _, err := a.DialTimeout(b.Addr(), time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialing a crashed process: %v", err)
		}
		again, err := h.EndpointAt(b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.EndpointAt(b.Addr()); err == nil {
			t.Error("an address was given twice")
		}
		b = again
		near, far = open()
		near.Close()
		far.Close()
	})
}

// TestMemberlistRunsInABubble joins bare memberlist nodes over the hub with its LAN
// defaults, takes one away and brings it back.
func TestMemberlistRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(1)
		var nodes []*memberlist.Memberlist
		first, last := "", ""
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			e := h.Endpoint()
			if last = e.Addr(); first == "" {
				first = last
			}
			c := memberlist.DefaultLANConfig()
			c.Name, c.Transport, c.LogOutput = name, e, io.Discard
			m, err := memberlist.Create(c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Join([]string{first}); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, m)
		}
		want := func(n int, when string) {
			t.Helper()
			if got := nodes[0].NumMembers(); got != n {
				t.Errorf("%s: %d members, want %d", when, got, n)
			}
		}
		time.Sleep(time.Minute)
		want(5, "joined")
		h.Isolate(last)
		time.Sleep(15 * time.Second)
		want(4, "cut off")
		h.Rejoin(last)
		if _, err := nodes[4].Join([]string{first}); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		want(5, "back")
		for _, m := range nodes {
			if err := m.Shutdown(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Hour) // its loops are not waited for: they run out in the bubble
	})
}
