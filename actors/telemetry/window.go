package telemetry

import (
	"math"
	"time"

	"github.com/troupeio/troupe/actors/task"
)

// sampleWindow is metrics.sample.window.ms of Kafka Connect; a window has two.
const sampleWindow = 30 * time.Second

// window makes rates, averages and maxima of numbers that only grow, without cost
// for those who count: it keeps what they were at two earlier scrapes. It reaches
// back 30 to 60 seconds as Kafka's two samples do, or to the scrape before the last
// when scrapes are rarer.
type window struct {
	older, newer       snapshot
	olderMax, newerMax []int64 // of older..newer, and since newer
}

type snapshot struct {
	at     time.Time
	counts []int64
}

// newWindow begins at the time when all counts were first.
func newWindow(at time.Time, first []int64, maxima int) *window {
	s := snapshot{at, first}
	return &window{older: s, newer: s, olderMax: make([]int64, maxima), newerMax: make([]int64, maxima)}
}

// observe takes the counts and the maxima since the last call, and returns what
// the window shows. Call it once a scrape.
func (w *window) observe(now time.Time, counts, maxima []int64) reading {
	r := reading{counts: counts, elapsed: now.Sub(w.older.at), delta: make([]int64, len(counts)), max: make([]int64, len(maxima))}
	for i, c := range counts {
		r.delta[i] = c - w.older.counts[i]
	}
	for i, m := range maxima {
		w.newerMax[i] = max(w.newerMax[i], m)
		r.max[i] = max(w.newerMax[i], w.olderMax[i])
	}
	if now.Sub(w.newer.at) >= sampleWindow {
		w.older, w.newer = w.newer, snapshot{now, counts}
		w.olderMax, w.newerMax = w.newerMax, make([]int64, len(maxima))
	}
	return r
}

// reading is what happened within a window.
type reading struct {
	elapsed    time.Duration
	counts     []int64 // in all
	delta, max []int64
}

// total is a count since its beginning.
func (r reading) total(i int) int64 { return r.counts[i] }

// rate is a count a second.
func (r reading) rate(i int) float64 {
	if r.elapsed <= 0 {
		return 0
	}
	return float64(r.delta[i]) / r.elapsed.Seconds()
}

// avg is sum/count, NaN when nothing was counted, as Kafka's averages are.
func (r reading) avg(sum, count int) float64 {
	if r.delta[count] <= 0 {
		return math.NaN()
	}
	return float64(r.delta[sum]) / float64(r.delta[count])
}

// highest is a maximum, NaN when nothing was counted.
func (r reading) highest(i, count int) float64 {
	if r.delta[count] <= 0 {
		return math.NaN()
	}
	return float64(r.max[i])
}

// share is part/(part+rest), 0 when nothing was counted.
func (r reading) share(part, rest int) float64 {
	all := r.delta[part] + r.delta[rest]
	if all <= 0 {
		return 0
	}
	return float64(r.delta[part]) / float64(all)
}

// Counts of a task's window.
const (
	nPolled = iota
	nWritten
	nRead
	nSent
	nBatches
	nBatchRecords
	nPolls
	nPollTime
	nPuts
	nPutTime
	nCommitTimes
	nCommitTime
	nCommits
	nCommitFails
	nActives
	nActive
	nSettled
)

// Maxima of a task's window.
const (
	maxBatch = iota
	maxPoll
	maxPut
	maxCommit
	maxActive
	maxLatency
	taskMaxima
)

func taskCounts(m *task.Metrics) []int64 {
	polled, read := m.Polled.Load(), m.Read.Load()
	return []int64{
		nPolled: polled, nWritten: m.Written.Load(), nRead: read, nSent: m.Sent.Load(), nBatches: m.Batches.Load(), nBatchRecords: polled + read,
		nPolls: m.PollTime.Count.Load(), nPollTime: m.PollTime.Sum.Load(), nPuts: m.PutTime.Count.Load(), nPutTime: m.PutTime.Sum.Load(),
		nCommitTimes: m.CommitTime.Count.Load(), nCommitTime: m.CommitTime.Sum.Load(), nCommits: m.Commits.Load(), nCommitFails: m.CommitFails.Load(),
		nActives: m.Active.Count.Load(), nActive: m.Active.Sum.Load(), nSettled: m.BatchTime.Count.Load(),
	}
}

func takeTaskMaxima(m *task.Metrics) []int64 {
	return []int64{maxBatch: m.BatchMax.Swap(0), maxPoll: m.PollTime.TakeMax(), maxPut: m.PutTime.TakeMax(), maxCommit: m.CommitTime.TakeMax(),
		maxActive: m.Active.TakeMax(), maxLatency: m.BatchTime.TakeMax()}
}

// Counts of the node's window.
const (
	nConnectorsUp = iota
	nConnectorsFailed
	nTasksUp
	nTasksFailed
	nRebalances
	nRebalanceTime
)
