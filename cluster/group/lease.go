package group

import (
	"sync/atomic"
	"time"
)

// Lease is this node's good standing: it holds while the coordinator answers its
// heartbeats, counted from when they were sent. Whoever is about to put, produce or
// commit asks [Lease.Held] first; it costs one reading of the clock.
//
// It also ends when the process was stopped for a while (SIGSTOP, a suspended
// machine): then others have gone on without it, whatever its own clock says.
type Lease struct {
	base   time.Time    // where the monotonic counts below begin
	full   int64        // ns
	short  int64        // ns; for a node that gossip shows too few others
	good   atomic.Int64 // when the last heartbeat was sent that was answered well; ns since base
	narrow atomic.Bool
	broken atomic.Int64 // when the lease was ended, ns since base; heartbeats sent later mend it; 0: it was not
	tick   atomic.Int64 // the last time that the clock was looked at; ns since base
	wall   time.Time    // of the ticking goroutine: the wall clock at the last tick
}

const (
	// shortLease is how long a node goes on that sees half or fewer of the others by
	// gossip: they will have evicted it, and its work begins elsewhere about then.
	shortLease = 1500 * time.Millisecond
	// tickEvery and tickGap find out that the process did not run: a gap of more than
	// tickGap between two looks at the clock ends the lease.
	tickEvery = 100 * time.Millisecond
	tickGap   = 2 * time.Second
)

func newLease(session time.Duration) *Lease {
	l := &Lease{base: time.Now(), full: int64(LeaseTime(session)), short: int64(shortLease)}
	l.short = min(l.short, l.full)
	l.broken.Store(1)
	l.wall = l.base.Round(0)
	return l
}

// LeaseTime is how long a node works on after the sending of the last heartbeat that was
// answered, by the group's session.
func LeaseTime(session time.Duration) time.Duration { return session * 2 / 3 }

func (l *Lease) now() int64 { return int64(time.Since(l.base)) }

// Held reports whether this node is in good standing now.
func (l *Lease) Held() bool { return l.Left() > 0 }

// Left returns how long the lease still lasts without another answer; what is negative
// says for how long it has been lost.
func (l *Lease) Left() time.Duration {
	now := l.now()
	if now-l.tick.Load() > int64(tickGap) {
		l.end()
	}
	limit := l.full
	if l.narrow.Load() {
		limit = l.short
	}
	left := l.good.Load() + limit - now
	if l.broken.Load() != 0 {
		left = min(left, -1)
	}
	return time.Duration(left)
}

// Slack is how much longer than the rebalance timeout a node that Kafka no longer
// answers, and that gossip shows the others, holds its lease: for so long it may work
// on although the group has gone on without it.
func (l *Lease) Slack() time.Duration { return max(0, time.Duration(l.full)-rebalanceTimeout) }

// look is called every tickEvery.
func (l *Lease) look() {
	now := l.now()
	wall := time.Now().Round(0)
	// A step back of the wall clock counts for nothing.
	if now-l.tick.Load() > int64(tickGap) || wall.Sub(l.wall) > tickGap {
		l.end()
	}
	l.wall = wall
	l.tick.Store(now)
}

// renew takes a heartbeat that was sent at that time and answered well.
func (l *Lease) renew(sent time.Time) {
	at := int64(sent.Sub(l.base))
	for {
		old := l.good.Load()
		if at <= old || l.good.CompareAndSwap(old, at) {
			break
		}
	}
	if b := l.broken.Load(); b != 0 && at > b {
		l.broken.CompareAndSwap(b, 0)
	}
}

// end ends the lease until a heartbeat that is sent later is answered well.
func (l *Lease) end() { l.broken.Store(max(1, l.now())) }

// Narrow says whether gossip shows this node half or fewer of the others.
func (l *Lease) Narrow(on bool) { l.narrow.Store(on) }
