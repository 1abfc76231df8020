package group

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLease holds how long a node is in good standing, in virtual time.
func TestLease(t *testing.T) {
	ticking := func(l *Lease, d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); {
			time.Sleep(min(tickEvery, time.Until(end)))
			l.look()
		}
	}
	for _, row := range []struct {
		name string
		run  func(l *Lease)
		held bool
	}{
		{"before the first answer", func(*Lease) {}, false},
		{"after it", func(l *Lease) { l.renew(time.Now()) }, true},
		{"just within two thirds of the session", func(l *Lease) { l.renew(time.Now()); ticking(l, 6600*time.Millisecond) }, true},
		{"just beyond them", func(l *Lease) { l.renew(time.Now()); ticking(l, 6700*time.Millisecond) }, false},
		{"counted from the sending", func(l *Lease) {
			sent := time.Now()
			ticking(l, 3*time.Second)
			l.renew(sent)
			ticking(l, 3700*time.Millisecond)
		}, false},
		{"an older answer that comes late changes nothing", func(l *Lease) {
			old := time.Now()
			ticking(l, time.Second)
			l.renew(time.Now())
			l.renew(old)
			ticking(l, 6*time.Second)
		}, true},
		{"cut off from half of the others, within 1.5 s", func(l *Lease) { l.renew(time.Now()); l.Narrow(true); ticking(l, 1400*time.Millisecond) }, true},
		{"cut off from half of the others, beyond", func(l *Lease) { l.renew(time.Now()); l.Narrow(true); ticking(l, 1600*time.Millisecond) }, false},
		{"no longer cut off", func(l *Lease) {
			l.renew(time.Now())
			l.Narrow(true)
			ticking(l, 1600*time.Millisecond)
			l.Narrow(false)
		}, true},
		{"the process was stopped for 3 s", func(l *Lease) { l.renew(time.Now()); time.Sleep(3 * time.Second) }, false},
		{"and an answer from before that comes in", func(l *Lease) {
			sent := time.Now()
			l.renew(sent)
			time.Sleep(3 * time.Second)
			l.look()
			l.renew(sent.Add(time.Second))
		}, false},
		{"and one that was sent since", func(l *Lease) {
			l.renew(time.Now())
			time.Sleep(3 * time.Second)
			l.look()
			time.Sleep(time.Millisecond)
			l.renew(time.Now())
		}, true},
		{"ended", func(l *Lease) { l.renew(time.Now()); l.end() }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLease(10 * time.Second)
				time.Sleep(time.Millisecond)
				l.look()
				row.run(l)
				if l.Held() != row.held {
					t.Errorf("held %v, left %v", l.Held(), l.Left())
				}
			})
		})
	}
}

// TestBootOf: a member id names the life of its node, whatever is in the node's name.
func TestBootOf(t *testing.T) {
	const uuid = "-01234567-89ab-cdef-0123-456789abcdef"
	for member, boot := range map[string]string{
		clientID(Node{ID: "host:8083", Boot: "b1"}) + uuid:                        "b1",
		clientID(Node{ID: "a/b-c", Boot: "b2"}) + uuid:                            "b2",
		clientID(Node{ID: "a", Boot: "b3"}) + "-0123456789abcdef0123456789abcdef": "b3",
		"connect-1" + uuid: "",
		"":                 "",
		"troupe/x/y":       "",
	} {
		if got := BootOf(member); got != boot {
			t.Errorf("%q: %q, want %q", member, got, boot)
		}
	}
}
