package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// allKills is the number behind the design's "worst of 20".
	allKills   = 20
	quickKills = 2
	// tunedKills is the number of either arm where Kafka Connect has no delay; with its
	// defaults it is killed once: that takes five minutes.
	tunedKills = 5
	// failoverTimeout bounds all kills of an arm, with the starts of the workers
	// between them.
	failoverTimeout = 40 * time.Minute
	// killTimeout bounds one takeover: Kafka Connect's defaults take a session of
	// 10 s and a delay of 300 s.
	killTimeout = 8 * time.Minute
	// flowAfter is how long what the other tasks move is counted after a kill, at least.
	flowAfter = 5 * time.Second
	// wholeTimeout bounds the time until a cluster is whole again after it.
	wholeTimeout = 5 * time.Minute
)

// noDelay is Kafka Connect tuned to take over as fast as its documented settings
// let it without a shorter session: a lost worker's tasks are moved at once, and a
// lost sink task's partitions after 10 s and not the consumer's 45.
var noDelay = map[string]string{
	"scheduled.rebalance.max.delay.ms": "0",
	"session.timeout.ms":               "10000",
	"heartbeat.interval.ms":            "500",
	"consumer.session.timeout.ms":      "10000",
	"consumer.heartbeat.interval.ms":   "500",
}

var failoverNote = "a kill counts with the slowest of the dead worker's tasks, from the kill to the first record at its destination that was " +
	"written after the kill. Between kills the dead worker is started again, and the next kill comes when all workers are there, all connectors and tasks are RUNNING, " +
	"each worker has its share (Troupe: its placement wants no move, by weight, in which a connector's instance counts a tenth of a task; Kafka Connect: as many tasks) and nothing has moved for " +
	fmt.Sprintf("%v. Troupe's quarantine is on, with its default window. ", settle+flowBefore) +
	"A task that FAILS, a line that is lost, or one that comes twice while nobody is killed fails the row. Each stream gets 20 lines a second; file sources look for lines once a second, " +
	"so a second without a kill can have fewer than the average too: that is the line `before`. " +
	fmt.Sprintf("What a second of before has is the average of the %v before each kill, and not of a whole minute: the streams' pace is steady. ", flowBefore) +
	"Figures of the other workers' tasks are the lowest of all kills; their units' epochs are counted over all kills."

// failoverMetrics are the same whatever Kafka Connect is tuned to. A kill counts
// with the slowest of the dead worker's tasks.
var failoverMetrics = []metric{
	{"median", "all its tasks are back, median of the kills", "s", false, []target{{atMost, 2.5}}},
	{"worst", "the same, worst of the kills", "s", false, []target{{atMost, 3.5}}},
	{"task", "a task is back, median of all", "s", false, []target{{betterConnect, 0}}},
	{"source", "slowest source task", "s", false, []target{{betterConnect, 0}}},
	{"sink", "slowest sink task", "s", false, []target{{betterConnect, 0}}},
	{"others", "the other workers' tasks, worst second after a kill", "% of the 5 s before it", true, []target{{atLeast, 80}}},
	{"before", "their worst second before a kill, for comparison", "% of the same", true, nil},
	{"epochs", "of the other workers' units, started anew", "", false, []target{{atMost, 0}}},
}

// failover kills, as kill -9 does, one of the workers of a cluster of three that
// runs 30 connectors with 60 tasks. For each task of the dead worker it takes the
// time from the kill until a line that was written after the kill is at its
// destination: in the source's topic, or in the sink's file. A kill counts with the
// slowest of them. Then the cluster is made whole, and checked for tasks that run
// twice, before the next kill.
//
// The victim is drawn from a fixed seed, any worker alike. Troupe's first is the one
// that leads. Kafka Connect with its defaults is killed once, and not the one that
// leads: a leader's successor, who knows of no earlier assignment, does not wait for
// scheduled.rebalance.max.delay.ms, which would be another story than the one that
// the setting tells.
func failover(props map[string]string) func(context.Context, *env, string) (metrics, error) {
	return func(ctx context.Context, e *env, arm string) (metrics, error) {
		c, err := e.startNodes(ctx, arm, props)
		if err != nil {
			return nil, err
		}
		defer c.close()
		draw := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same victims every time
		var worst, tasks, sources, sinks, others, calm []float64
		m := metrics{}
		kills := e.kills(arm, props)
		for k := range kills {
			victim := draw.IntN(len(c.workers))
			switch {
			case arm == armTroupe && k == 0:
				v, err := c.workers[0].view(ctx)
				if err != nil {
					return nil, err
				}
				victim = max(0, c.leader(v))
			case arm == armConnect && props == nil:
				victim = 1
			}
			one, err := c.kill(ctx, victim)
			if err != nil {
				return nil, fmt.Errorf("kill %d of %d: %w", k+1, kills, err)
			}
			slowest := 0.0
			for i, d := range one.took {
				t := d.Seconds()
				slowest = max(slowest, t)
				tasks = append(tasks, t)
				if one.dead[i].source {
					sources = append(sources, t)
				} else {
					sinks = append(sinks, t)
				}
			}
			worst, others, calm = append(worst, slowest), append(others, one.others), append(calm, one.before)
			if arm == armTroupe {
				m["epochs"] += float64(one.epochs)
			}
			fmt.Printf("  kill %d of %d: %s\n", k+1, kills, one)
		}
		if err := c.complete(); err != nil {
			return nil, err
		}
		m["median"], _, m["worst"], _ = spread(worst)
		m["task"], _, _, _ = spread(tasks)
		_, _, m["source"], _ = spread(sources)
		_, _, m["sink"], _ = spread(sinks)
		_, m["others"], _, _ = spread(others)
		_, m["before"], _, _ = spread(calm)
		return m, nil
	}
}

// kills is how many there are.
func (e *env) kills(arm string, props map[string]string) int {
	own := allKills
	switch {
	case arm == armConnect && props == nil:
		return 1
	case props != nil:
		own = tunedKills
	}
	switch {
	case e.trials > 0 && arm == armConnect:
		return min(own, e.trials)
	case e.trials > 0:
		return e.trials
	case e.quick:
		return quickKills
	}
	return own
}

func seconds(v []time.Duration) []float64 {
	out := make([]float64, len(v))
	for i, d := range v {
		out[i] = d.Seconds()
	}
	return out
}

// killed is what is known of a kill.
type killed struct {
	worker string // which one, in words
	dead   []*stream
	took   []time.Duration // until each of them was back
	whole  time.Duration   // from the start of the worker again until the cluster was whole
	spread []int           // the tasks that each worker had before

	others float64 // worst second of the other tasks after the kill, percent
	before float64 // and before it
	epochs int     // units of others that were assigned anew
}

func (k killed) String() string {
	middle, _, slowest, _ := spread(seconds(k.took))
	return fmt.Sprintf("%s, %d tasks of %v; the slowest was back after %.2f s, the median after %.2f s; the others' worst second had %.0f %% (before the kill %.0f %%), "+
		"%d of their units were assigned anew; whole again %.1f s after its start", k.worker, len(k.took), k.spread, slowest, middle, k.others, k.before, k.epochs, k.whole.Seconds())
}

// kill ends a worker of a cluster that is whole, waits until what it did is done by
// others, and brings the cluster back to its number.
func (c *nodes) kill(ctx context.Context, victim int) (k killed, err error) {
	k.worker = fmt.Sprintf("worker %d of %d by age", victim+1, clusterNodes)
	witness, stays := c.workers[(victim+1)%len(c.workers)], map[unitKey]stay(nil)
	owners, err := c.owners(ctx)
	if err != nil {
		return k, err
	}
	k.spread = c.counts(owners)
	if k.dead, err = c.of(ctx, victim, owners); err != nil {
		return k, err
	}
	if len(k.dead) == 0 {
		return k, fmt.Errorf("worker %d runs no task: %v", victim+1, k.spread)
	}
	if c.arm == armTroupe {
		v, err := witness.view(ctx)
		if err != nil {
			return k, err
		}
		stays, _ = v.stays()
		if c.leader(v) == victim {
			k.worker += ", which leads"
		}
	}
	one, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	begin := time.Now()
	c.workers[victim].proc.Kill()
	c.markNow() // what was written before could have come from the dead
	if k.took, err = c.wait(one, k.dead, begin); err != nil {
		return k, fmt.Errorf("waiting for the others to take over: %w; the end of one's log:\n%s", err, witness.proc.Tail(10))
	}
	if err := pause(ctx, time.Until(begin.Add(flowAfter))); err != nil {
		return k, err
	}
	flow, calm := c.flow(k.dead), begin.Add(-flowBefore)
	average := float64(countIn(flow, calm, begin)) / flowBefore.Seconds()
	k.before, k.others = worstSecond(flow, calm, begin, average), worstSecond(flow, begin, time.Now(), average)
	if c.arm == armTroupe {
		v, err := witness.view(ctx)
		if err != nil {
			return k, err
		}
		after, _ := v.stays()
		k.epochs = changed(stays, after, c.workers[victim].id())
	}
	one, cancel = context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	again := time.Now()
	if err := c.back(one, victim); err != nil {
		return k, err
	}
	since, err := c.whole(one)
	k.whole = since.Sub(again)
	return k, err
}

// runJoin starts a fourth worker beside three that run the load, and takes the time
// from the start of its process until the cluster is whole with it. The longest pause
// is that of any stream from the start until it has settled: what the others feel.
func runJoin(ctx context.Context, e *env, arm string) (metrics, error) {
	c, err := e.startNodes(ctx, arm, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	c.gapsNow()
	begin := time.Now()
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	ready := time.Since(begin)
	since, err := c.whole(ctx)
	if err != nil {
		return nil, err
	}
	return metrics{"ready": ready.Seconds(), "share": since.Sub(begin).Seconds(), "gap": c.longestGap().Seconds()}, c.complete()
}
