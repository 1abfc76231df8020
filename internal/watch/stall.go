package watch

import (
	"context"
	"syscall"
	"time"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// Stalls stops a process for a while and lets it go on, a number of times: every so often
// from now on, the process that pick names. It returns that long after the last stall
// began, or when ctx ends, with ctx's error. What was stopped goes on in any case.
func Stalls(ctx context.Context, times int, every, long time.Duration, pick func(i int) *kafkatest.Process) error {
	next := time.NewTicker(every)
	defer next.Stop()
	for i := range times {
		p := pick(i)
		p.Signal(syscall.SIGSTOP)
		awake := time.NewTimer(long)
		select {
		case <-awake.C:
		case <-ctx.Done():
		}
		awake.Stop()
		p.Signal(syscall.SIGCONT)
		select {
		case <-next.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
