package textfile

import (
	"context"
	"time"
)

// tickWait is the pause between two looks at a file.
const tickWait = 250 * time.Millisecond

// Await calls look at once and then four times a second, for as long as d, until
// it returns true or an error or ctx is done. It returns what look returned last.
//
// All that await anything look at the same moments: a process that wakes up once for
// hundreds of files spends a fraction of what it would for each by itself.
func Await(ctx context.Context, d time.Duration, look func() (bool, error)) (bool, error) {
	ok, err := look()
	if ok || err != nil {
		return ok, err
	}
	end := time.Now().Add(d)
	tick := time.NewTimer(untilTick(time.Now()))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-tick.C:
		}
		if ok, err := look(); ok || err != nil {
			return ok, err
		}
		now := time.Now()
		if !now.Add(tickWait / 2).Before(end) {
			return false, nil
		}
		tick.Reset(untilTick(now))
	}
}

// untilTick is how long it is to the next moment that all look at.
func untilTick(now time.Time) time.Duration { return now.Truncate(tickWait).Add(tickWait).Sub(now) }
