package task

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// errAbandoned ends a call that did not return in time.
var errAbandoned = errors.New("the call did not return in time and was left behind")

// Call is what every call into a plugin with a deadline goes through: on a
// goroutine of its own, recovered, and left behind when it ignores its context.
// late, if not nil, is run should a call that was left behind return after all.
func Call(ctx context.Context, name string, timeout time.Duration, f func(context.Context) error, late func()) error {
	return callOr(ctx, nil, name, timeout, f, late)
}

// Abandoned reports whether err is that of a call that was left behind: the plugin
// may still be in it, and is not to be called beside it.
func Abandoned(err error) bool { return errors.Is(err, errAbandoned) }

// Guard runs f and turns a panic into an error.
func Guard(f func() error) error { return guard(f) }

// call runs a plugin's method with a deadline, on a goroutine of its own, and
// turns a panic into an error. A method that ignores its context is left behind.
func call(ctx context.Context, m *Metrics, name string, timeout time.Duration, f func(context.Context) error) error {
	return callOr(ctx, m, name, timeout, f, nil)
}

// callOr is call with something to do after a call that was left behind.
func callOr(ctx context.Context, m *Metrics, name string, timeout time.Duration, f func(context.Context) error, late func()) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan error, 1)
	var left atomic.Bool // one of the two sides sets it: the caller that leaves, or the call that returns
	go func() {
		err := guard(func() error { return f(ctx) })
		if left.CompareAndSwap(false, true) {
			done <- err
		} else if late != nil {
			late()
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// The plugin may be on its way out: a moment more, then leave it.
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		if !left.CompareAndSwap(false, true) {
			return <-done
		}
		if m != nil {
			m.Abandoned.Add(1)
		}
		return connectors.Errorf("%s: %w after %s", name, errAbandoned, timeout)
	}
}

// stopLate stops a plugin whose call was left behind and has returned after all.
func stopLate(log *slog.Logger, stop func(context.Context) error, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := guard(func() error { return stop(ctx) }); err != nil {
		log.Warn("stopping the task's plugin failed", "err", err)
	}
}

// guard runs f and turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = pipeline.Recovered(r)
		}
	}()
	return f()
}
