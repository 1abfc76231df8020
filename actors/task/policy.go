package task

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// Policy says when a failed task is started again (design: who supervises whom).
type Policy struct {
	Never      bool          // task.restart.policy=never: Kafka Connect's own behaviour
	MaxCrashes int           // task.restart.max: restarts allowed within Window
	Window     time.Duration // task.restart.window.ms
	Initial    time.Duration // delay before the first restart; doubles
	MaxDelay   time.Duration // at most between two restarts
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
		d := p.delay(b.transient)
		b.transient++
		// Up to a fifth more, at the limit less, so that many tasks of one broken
		// system don't come back at one instant.
		jitter := time.Duration(0.2 * rand.Float64() * float64(d))
		if d+jitter > p.MaxDelay {
			return max(d-jitter, min(p.Initial, p.MaxDelay)), true
		}
		return d + jitter, true
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
		d := p.delay(b.crashes)
		b.crashes++
		return d, true
	}
	return 0, false
}

// delay is the n-th of the doubling delays, MaxDelay at most.
func (p Policy) delay(n int) time.Duration {
	d := p.Initial << min(n, 30)
	if d>>min(n, 30) != p.Initial || d > p.MaxDelay {
		return p.MaxDelay
	}
	return d
}

// classOf is the class of a failure. A record that could not be taken is poison,
// whatever its error is made of: a restart would meet it again. A plugin that
// panicked over it crashed, and a wrong setting stays one.
func classOf(err error) connectors.Class {
	var record *pipeline.PoisonError
	if !errors.As(err, &record) {
		return connectors.ClassOf(err)
	}
	var panicked *pipeline.PanicError
	switch class := connectors.ClassOf(record.Report.Err); {
	case class == connectors.Configuration:
		return class
	case errors.As(record.Report.Err, &panicked):
		return connectors.Crash
	}
	return connectors.Poison
}
