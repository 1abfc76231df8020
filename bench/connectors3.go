package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

const (
	// quickConnectors is the number in the quick form of the rows with many.
	quickConnectors = 24
	idleOf3         = 10 * time.Second
)

const connectors3Note = "the workers are one group before the first request; memory, threads, goroutines and CPU are those of the worker that has most of it. " +
	"What the creation left to do has a second before idle CPU is counted."

// number is how many connectors a row with many creates.
func (e *env) number(own int) int {
	switch {
	case e.many > 0:
		return e.many
	case e.quick:
		return quickConnectors
	}
	return own
}

// runConnectors3 is runConnectors on a cluster of three.
func runConnectors3(ctx context.Context, e *env, arm string) (metrics, error) {
	empty := filepath.Join(e.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, fmt.Errorf("making the input: %w", err)
	}
	c, err := e.startEmpty(ctx, arm, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	n, topic, name := e.number(manyConnectors), e.name("topic"), e.name("connector")
	begin := time.Now()
	err = createAll(ctx, c.workers, n, func(i int) (string, map[string]string) {
		return fmt.Sprintf("%s-%d", name, i), fileSource(empty, topic)
	})
	if err != nil {
		return nil, err
	}
	if err := c.allRun(ctx, n, 50*time.Millisecond); err != nil {
		return nil, err
	}
	took := time.Since(begin)
	if err := pause(ctx, time.Second); err != nil {
		return nil, err
	}
	idle, err := c.busiest(ctx, idleOf3)
	if err != nil {
		return nil, err
	}
	owners, err := c.owners(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Printf("  the %d tasks are spread %v\n", n, c.counts(owners))
	return metrics{
		"running":    took.Seconds(),
		"resident":   c.most(func(w *worker) float64 { return residentMB(w.proc.PID()) }),
		"threads":    c.most(func(w *worker) float64 { return statusField(w.proc.PID(), "Threads") }),
		"goroutines": c.most(func(w *worker) float64 { return math.Round(w.goroutines(ctx)) }),
		"idlecpu":    idle,
	}, nil
}

// most is the highest of the workers' figures, NaN when they have none.
func (c *nodes) most(of func(*worker) float64) float64 {
	var all []float64
	for _, w := range c.workers {
		all = append(all, of(w))
	}
	_, _, high, _ := spread(all)
	return high
}

// busiest is the CPU of the worker that uses most of it meanwhile, in percent of a
// core.
func (c *nodes) busiest(ctx context.Context, meanwhile time.Duration) (float64, error) {
	used := map[*worker]float64{}
	for _, w := range c.workers {
		used[w] = cpuSeconds(w.proc.PID())
	}
	from := time.Now()
	if err := pause(ctx, meanwhile); err != nil {
		return nan, err
	}
	took := time.Since(from).Seconds()
	return c.most(func(w *worker) float64 { return (cpuSeconds(w.proc.PID()) - used[w]) / took * 100 }), nil
}

// allRun waits until n connectors and their one task each run on workers that are
// there. It asks all of them in turn, so that the asking is no one's load.
func (c *nodes) allRun(ctx context.Context, n int, every time.Duration) error {
	here := map[string]bool{}
	for _, w := range c.workers {
		here[w.id()] = true
	}
	for i := 0; ; i++ {
		w := c.workers[i%len(c.workers)]
		got, err := w.runningOn(ctx, here)
		if err != nil {
			if gone := c.ended(); gone != nil {
				return gone
			}
			return fmt.Errorf("waiting for %d connectors to run: %w", n, err)
		}
		if got == n {
			return nil
		}
		if err := pause(ctx, every); err != nil {
			return fmt.Errorf("waiting for %d connectors to run: %d do, says %s: %w", n, got, w.id(), err)
		}
	}
}

// ended says which worker is gone though nobody killed it.
func (c *nodes) ended() error {
	for _, w := range c.workers {
		if !w.proc.Running() {
			return fmt.Errorf("worker %s ended by itself; the end of its log:\n%s", w.id(), w.proc.Tail(20))
		}
	}
	return nil
}
