package main

import (
	"slices"
	"time"
)

const (
	// flowWindow is how long a stretch is in which records are counted.
	flowWindow = time.Second
	// flowStep is the pause between the beginnings of two such stretches.
	flowStep = 50 * time.Millisecond
)

// recordNow forgets when records came before now.
func (t *streams) recordNow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		s.times = nil
	}
}

// flow is when records came in all streams but some, in order.
func (t *streams) flow(without []*stream) []time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []time.Time
	for _, s := range t.all {
		if !slices.Contains(without, s) {
			all = append(all, s.times...)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// countIn is how many of the times, which are in order, are in [from, to).
func countIn(times []time.Time, from, to time.Time) int {
	at := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(times, t, time.Time.Compare)
		return i
	}
	return at(to) - at(from)
}

// worstSecond is the fewest records in any second of [from, to), in percent of what
// a second of the calm had on average. NaN when there is nothing to compare.
func worstSecond(times []time.Time, from, to time.Time, average float64) float64 {
	if average <= 0 || to.Sub(from) < flowWindow {
		return nan
	}
	worst := countIn(times, from, from.Add(flowWindow))
	for t := from; !t.Add(flowWindow).After(to); t = t.Add(flowStep) {
		worst = min(worst, countIn(times, t, t.Add(flowWindow)))
	}
	return float64(worst) / average * 100
}
