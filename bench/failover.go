package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// troupeKills is the number behind the design's "worst of 20".
	troupeKills = 20
	quickKills  = 2
	// connectKills is the number with no delay; with its defaults Kafka Connect is
	// killed once: that takes five minutes.
	connectKills = 5
	// failoverTimeout bounds all kills of an arm, with the starts of the workers
	// between them.
	failoverTimeout = 40 * time.Minute
	// killTimeout bounds one takeover: Kafka Connect's defaults take a session of
	// 10 s and a delay of 300 s.
	killTimeout = 8 * time.Minute
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

// failover kills, as kill -9 does, one of the workers of a cluster of three that
// runs 30 connectors with 60 tasks. For each task of the dead worker it takes the
// time from the kill until a line that was written after the kill is at its
// destination: in the source's topic, or in the sink's file. A kill counts with the
// slowest of them. Then the cluster is made whole, and checked for tasks that run
// twice, before the next kill.
//
// The victim is drawn from a fixed seed, any worker alike. Troupe's first is the
// worker that came first and so leads. Kafka Connect with its defaults is killed
// once, and not the one that leads: a leader's successor, who knows of no earlier
// assignment, does not wait for scheduled.rebalance.max.delay.ms, which would be
// another story than the one that the setting tells.
func failover(props map[string]string) func(context.Context, *env, string) (metrics, error) {
	return func(ctx context.Context, e *env, arm string) (metrics, error) {
		c, err := e.startNodes(ctx, arm, props)
		if err != nil {
			return nil, err
		}
		defer c.close()
		draw := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same victims every time
		var worst, tasks, sources, sinks []float64
		kills := e.kills(arm, props)
		for k := range kills {
			victim := draw.IntN(len(c.workers))
			switch {
			case arm == armTroupe && k == 0:
				victim = 0
			case arm == armConnect && props == nil:
				victim = 1
			}
			dead, took, err := c.kill(ctx, victim)
			if err != nil {
				return nil, fmt.Errorf("kill %d of %d: %w", k+1, kills, err)
			}
			slowest := 0.0
			for i, d := range took {
				t := d.Seconds()
				slowest = max(slowest, t)
				tasks = append(tasks, t)
				if dead[i].source {
					sources = append(sources, t)
				} else {
					sinks = append(sinks, t)
				}
			}
			worst = append(worst, slowest)
			middle, _, _, _ := spread(seconds(took))
			fmt.Printf("  kill %d of %d: worker %d of %d by age, %d tasks; the slowest was back after %.2f s, the median after %.2f s\n",
				k+1, kills, victim+1, clusterNodes, len(took), slowest, middle)
		}
		if err := c.complete(); err != nil {
			return nil, err
		}
		m := metrics{}
		m["median"], _, m["worst"], _ = spread(worst)
		m["task"], _, _, _ = spread(tasks)
		_, _, m["source"], _ = spread(sources)
		_, _, m["sink"], _ = spread(sinks)
		return m, nil
	}
}

// kills is how many there are.
func (e *env) kills(arm string, props map[string]string) int {
	own := troupeKills
	switch {
	case arm == armConnect && props == nil:
		return 1
	case e.quick && e.trials == 0:
		return quickKills
	case arm == armConnect:
		own = connectKills
		if e.trials > 0 {
			return min(own, e.trials)
		}
	case e.trials > 0:
		return e.trials
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

// kill ends a worker, waits until what it did is done by others, and brings the
// cluster back to its number.
func (c *nodes) kill(ctx context.Context, victim int) ([]*stream, []time.Duration, error) {
	if err := c.runsOnce(ctx); err != nil {
		return nil, nil, err
	}
	owners, err := c.owners(ctx)
	if err != nil {
		return nil, nil, err
	}
	dead, err := c.of(ctx, victim, owners)
	if err != nil {
		return nil, nil, err
	}
	if len(dead) == 0 {
		return nil, nil, fmt.Errorf("worker %d runs no task: %v", victim+1, c.counts(owners))
	}
	one, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	begin := time.Now()
	c.workers[victim].proc.Kill()
	c.markNow() // what was written before could have come from the dead
	took, err := c.wait(one, dead, begin)
	if err != nil {
		other := c.workers[(victim+1)%len(c.workers)]
		return nil, nil, fmt.Errorf("waiting for the others to take over: %w; the end of one's log:\n%s", err, other.proc.Tail(10))
	}
	c.workers[victim].close()
	c.workers = slices.Delete(c.workers, victim, victim+1)
	one, cancel = context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	if err := c.join(one); err != nil {
		return nil, nil, err
	}
	return dead, took, c.whole(one)
}

// runJoin starts a fourth worker beside three that run the load, and takes the time
// from the start of its process until it runs its share, a quarter of the tasks
// rounded down, while all tasks run. The longest pause is that of any stream from
// the start until it has settled: what the others feel.
func runJoin(ctx context.Context, e *env, arm string) (metrics, error) {
	c, err := e.startNodes(ctx, arm, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	c.markNow()
	begin := time.Now()
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	ready := time.Since(begin)
	share, newest := c.load.tasks()/len(c.workers), len(c.workers)-1
	for {
		owners, err := c.owners(ctx)
		if err != nil {
			return nil, err
		}
		n := c.counts(owners)
		if n[newest] >= share && sum(n) == c.load.tasks() {
			break
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("waiting for the new worker to hold %d of %d tasks: they are spread %v: %w", share, c.load.tasks(), n, err)
		}
	}
	took := time.Since(begin)
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	gap := c.longestGap()
	if err := c.runsOnce(ctx); err != nil {
		return nil, err
	}
	return metrics{"ready": ready.Seconds(), "share": took.Seconds(), "gap": gap.Seconds()}, c.complete()
}
