package task

import (
	"math/rand/v2"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// Policy says when a failed task is started again (design: who supervises whom).
type Policy struct {
	Never      bool          // task.restart.policy=never: Kafka Connect's own behaviour
	MaxCrashes int           // task.restart.max: restarts allowed within Window
	Window     time.Duration // task.restart.window.ms
	Initial    time.Duration // delay before the first restart; doubles
	MaxDelay   time.Duration // of transient failures
}

// DefaultPolicy restarts after 1, 2, 4, 8 and 16 s; the sixth crash in ten
// minutes is final. Transient failures are retried for ever, at last every five
// minutes.
func DefaultPolicy() Policy {
	return Policy{MaxCrashes: 5, Window: 10 * time.Minute, Initial: time.Second, MaxDelay: 5 * time.Minute}
}

// Budget is the account of one task's failures. The zero value is a full budget.
type Budget struct {
	crashes   int
	lastCrash time.Time
	transient int
}

// Clear fills the budget again: a manual restart or a new configuration.
func (b *Budget) Clear() { *b = Budget{} }

// Next decides about a failure of the given class at the time now, of a run that
// had been up for so long (0: it never ran). restart is false when the task is to
// be FAILED.
func (b *Budget) Next(p Policy, class connectors.Class, now time.Time, up time.Duration) (delay time.Duration, restart bool) {
	if p.Never {
		return 0, false
	}
	switch class {
	case connectors.Transient:
		if up > time.Minute {
			b.transient = 0
		}
		d := p.Initial << min(b.transient, 30)
		if d <= 0 || d > p.MaxDelay {
			d = p.MaxDelay
		}
		b.transient++
		// Up to a fifth more, so that many tasks of one broken system don't come
		// back at one instant.
		return d + time.Duration(0.2*rand.Float64()*float64(d)), true
	case connectors.Crash:
		if up == 0 {
			return 0, false
		}
		if !b.lastCrash.IsZero() && now.Sub(b.lastCrash) > p.Window {
			b.crashes = 0
		}
		b.lastCrash = now
		if b.crashes >= p.MaxCrashes {
			return 0, false
		}
		d := p.Initial << b.crashes
		b.crashes++
		return d, true
	}
	return 0, false
}
