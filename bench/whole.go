package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// settle is how long nothing may have moved before a cluster is taken for whole:
	// one that still moves is another story.
	settle = 2 * time.Second
	// flowBefore is how long a whole cluster is watched then: nothing may move or come
	// twice, and what the tasks move is counted. With settle it is longer than
	// rebalance.settle.ms, after which Troupe begins to move for balance.
	flowBefore = 5 * time.Second
	// lookEvery is the pause between two looks at a cluster, and the error of the times
	// that are taken from them.
	lookEvery = 50 * time.Millisecond
	// evenWithin is how long Kafka Connect has to spread its tasks evenly. After that
	// every worker with a task of its own must do, and the row says so.
	evenWithin = time.Minute
)

// whole waits until the cluster is whole and has been for settle and flowBefore, with
// something new in each stream, and returns since when it has been. A cluster is whole
// when each of its workers is there, each connector and task is RUNNING on one of them
// and is not to move, and each worker has its share. The flow of flowBefore is recorded.
func (c *nodes) whole(ctx context.Context) (since time.Time, err error) {
	var was map[unitKey]stay
	recorded, begin, uneven := false, time.Now(), false
	for {
		at := time.Now()
		is, counts, problem, err := c.where(ctx)
		if err != nil {
			return since, err
		}
		if problem != "" && c.arm == armConnect && at.Sub(begin) > evenWithin && is != nil && slices.Min(counts) > 0 {
			if !uneven {
				fmt.Printf("  the tasks are not spread evenly after %s: %v\n", evenWithin, counts)
			}
			problem, uneven = "", true
		}
		switch {
		case problem != "":
			was = nil
		case was == nil || !maps.Equal(is, was):
			was, since, recorded, problem = is, at, false, "it has not settled"
		case !recorded && at.Sub(since) >= settle:
			c.recordNow()
			c.markNow()
			recorded, problem = true, "it is watched"
		case !recorded:
			problem = "it has not settled"
		default:
			_, missing, err := c.look(c.all, at)
			if err != nil {
				return since, err
			}
			switch {
			case len(missing) > 0:
				problem = fmt.Sprintf("all tasks are RUNNING, but %d of %d streams have nothing new, among them %s", len(missing), len(c.all), missing[0])
			case at.Sub(since) < settle+flowBefore:
				problem = "it is watched"
			default:
				if n, which := c.again(); n > 0 {
					return since, fmt.Errorf("%s while nobody was killed: two tasks move it, or one was started again", which)
				}
				return since, nil
			}
		}
		if err := pause(ctx, lookEvery); err != nil {
			return since, fmt.Errorf("waiting for the cluster to be whole and still: %s: %w", problem, err)
		}
	}
}

// where says where every connector and task is, how many tasks each worker has, and what
// keeps the cluster from being whole, "" for nothing. Where they are is nil while one is
// not RUNNING on a worker that is there.
func (c *nodes) where(ctx context.Context) (is map[unitKey]stay, counts []int, problem string, err error) {
	if err := c.refused(); err != nil {
		return nil, nil, "", err
	}
	statuses, err := c.statuses(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	is, counts, problem = c.standing(statuses)
	if is == nil {
		return is, counts, problem, nil
	}
	if c.arm != armTroupe {
		if share := c.load.tasks() / len(c.workers); slices.Min(counts) < share {
			problem = fmt.Sprintf("the tasks are spread unevenly: %v", counts)
		}
		return is, counts, problem, nil
	}
	v, err := c.workers[0].view(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	if problem = v.problem(is, len(c.workers)); problem == "" {
		is, _ = v.stays() // with the epochs
	}
	return is, counts, problem, nil
}

// standing reads where everything runs from the statuses.
func (c *nodes) standing(statuses map[unitKey]place) (is map[unitKey]stay, counts []int, problem string) {
	is, counts = make(map[unitKey]stay), make([]int, len(c.workers))
	for key, s := range statuses {
		i := c.index(s.WorkerID)
		if s.State != "RUNNING" || i < 0 {
			return nil, counts, fmt.Sprintf("%s is %s on %s", key, s.State, s.WorkerID)
		}
		is[key] = stay{node: s.WorkerID}
		if key.task >= 0 {
			counts[i]++
		}
	}
	if want := c.load.tasks() + c.load.connectors(); len(is) != want {
		return nil, counts, fmt.Sprintf("%d of %d connectors and tasks have a status", len(is), want)
	}
	return is, counts, ""
}

// index is a worker's by its id, -1 when it is none of the cluster's.
func (c *nodes) index(id string) int {
	return slices.IndexFunc(c.workers, func(w *worker) bool { return w.id() == id })
}
