package task

import "time"

// beatGrid is the distance of the moments at which all tasks do what they do at
// intervals: a process that wakes up four times a second for all of them spends a
// fraction of what it would for each by itself. It is also the pace of the file
// connectors' looks.
const beatGrid = 250 * time.Millisecond

// beat ticks at an interval. Ticks that nobody waits for are dropped. Intervals of a
// second and more end at the next earlier moment of the grid.
type beat struct {
	C     <-chan time.Time
	timer *time.Timer
	every time.Duration
}

func newBeat(every time.Duration) *beat {
	t := time.NewTimer(untilBeat(time.Now(), every))
	return &beat{C: t.C, timer: t, every: every}
}

// again sets the next tick. Call it after each.
func (b *beat) again() { b.timer.Reset(untilBeat(time.Now(), b.every)) }

func (b *beat) stop() { b.timer.Stop() }

func untilBeat(now time.Time, every time.Duration) time.Duration {
	if every < time.Second {
		return every
	}
	return now.Add(every).Truncate(beatGrid).Sub(now)
}
