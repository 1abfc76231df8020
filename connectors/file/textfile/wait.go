package textfile

import (
	"context"
	"time"
)

// Await calls look at once and then ten times a second, for as long as d, until
// it returns true or an error or ctx is done. It returns what look returned last.
func Await(ctx context.Context, d time.Duration, look func() (bool, error)) (bool, error) {
	ok, err := look()
	if ok || err != nil {
		return ok, err
	}
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(tickWait)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-tick.C:
			if ok, err := look(); ok || err != nil {
				return ok, err
			}
		case <-end.C:
			return false, nil
		}
	}
}
