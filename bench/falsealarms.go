package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/kafkatest"
	"github.com/troupeio/troupe/internal/watch"
)

const (
	// alarmMinutes is how long the cluster is watched without a fault, and again with
	// stalls.
	alarmMinutes      = 30
	quickAlarmMinutes = 1
	// stallLong and stallEvery are the stalls that a cluster has to bear.
	stallLong  = 700 * time.Millisecond
	stallEvery = 10 * time.Second
	// alarmsTimeout has the start and the times in which the cluster is to be whole.
	alarmsTimeout = 2*alarmMinutes*time.Minute + 15*time.Minute
)

var falseAlarmsNote = fmt.Sprintf("`-minutes` sets how long each of the two times is. The stalls are SIGSTOP and, %v later, SIGCONT, every %v; "+
	"the same worker is stopped for a third of the time, then the next. Evictions are what the workers' metrics count, of others and of themselves; a unit is a connector's instance or a task; "+
	"started again counts their RUNNING statuses in the status topic and the restarts in the metrics. Troupe runs with its default settings.", stallLong, stallEvery)

// falseAlarmMetrics are the same for both times.
func falseAlarmMetrics() []metric {
	none := []target{{atMost, 0}}
	var ms []metric
	for _, of := range []struct{ key, title string }{{"calm", "without a fault"}, {"stalled", "with stalls"}} {
		ms = append(ms,
			metric{of.key + "minutes", of.title + ", time", "min", false, nil},
			metric{of.key + "evictions", "evictions", "", false, none},
			metric{of.key + "standing", "losses of good standing", "", false, none},
			metric{of.key + "generations", "generations of the group", "", false, none},
			metric{of.key + "epochs", "units assigned anew", "", false, none},
			metric{of.key + "starts", "units started again", "", false, none},
			metric{of.key + "again", "lines that came twice", "", false, none},
			metric{of.key + "gap", "longest pause of a stream", "s", false, nil},
			metric{of.key + "worst", "worst second of all tasks", "% of the average", true, nil})
	}
	return append(ms, metric{"stalls", "stalls", "", false, nil})
}

// runFalseAlarms runs the load on a cluster of three, first without a fault, then with a
// worker that is stopped now and then for less than makes it dead.
func runFalseAlarms(ctx context.Context, e *env, arm string) (metrics, error) {
	c, err := e.startNodes(ctx, arm, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	long, m := e.alarmTime(), metrics{}
	if err := c.alarms(ctx, "calm", m, func() error { return pause(ctx, long) }); err != nil {
		return nil, fmt.Errorf("without a fault: %w", err)
	}
	stalls := int(long / stallEvery)
	m["stalls"] = float64(stalls)
	err = c.alarms(ctx, "stalled", m, func() error {
		return watch.Stalls(ctx, stalls, stallEvery, stallLong, func(i int) *kafkatest.Process {
			return c.workers[i*len(c.workers)/stalls].proc
		})
	})
	if err != nil {
		return nil, fmt.Errorf("with stalls: %w", err)
	}
	return m, c.complete()
}

// alarmTime is how long each of the two times is.
func (e *env) alarmTime() time.Duration {
	switch {
	case e.minutes > 0:
		return time.Duration(e.minutes) * time.Minute
	case e.quick:
		return quickAlarmMinutes * time.Minute
	}
	return alarmMinutes * time.Minute
}

// lostStanding is what a worker says that stops its tasks, since it has not heard from
// Kafka, or neither from most of the others, for too long.
const lostStanding = "this node is no longer in good standing"

// alarmCounts are what a cluster has counted by now.
type alarmCounts struct {
	evictions, restarts float64
	standing            int // losses of it
	view                clusterView
}

func (c *nodes) alarmCounts(ctx context.Context) (a alarmCounts, err error) {
	if a.view, err = c.workers[0].view(ctx); err != nil {
		return a, err
	}
	for _, w := range c.workers {
		log, err := os.ReadFile(w.proc.LogFile())
		if err != nil {
			return a, fmt.Errorf("reading the log of %s: %w", w.id(), err)
		}
		a.standing += bytes.Count(log, []byte(lostStanding))
		for _, name := range []string{"troupe_cluster_evictions_total", "troupe_cluster_evicted_total"} {
			a.evictions += w.metric(ctx, name)
		}
		for _, name := range []string{"troupe_connector_restarts_total", "troupe_task_restarts_total"} {
			a.restarts += w.metric(ctx, name)
		}
	}
	if math.IsNaN(a.evictions + a.restarts) {
		return a, errors.New("the workers' metrics lack evictions or restarts")
	}
	return a, nil
}

// alarms counts what happens meanwhile in a cluster that is whole, and until it is whole
// after it.
func (c *nodes) alarms(ctx context.Context, key string, m metrics, meanwhile func() error) error {
	before, err := c.alarmCounts(ctx)
	if err != nil {
		return err
	}
	from, err := c.statusEnds(ctx)
	if err != nil {
		return err
	}
	c.recordNow()
	c.markNow()
	c.gapsNow()
	begin := time.Now()
	if err := meanwhile(); err != nil {
		return err
	}
	end := time.Now()
	if _, err := c.wait(ctx, c.all, end); err != nil {
		return err
	}
	flow := c.flow(nil)
	again, which := c.again()
	if again > 0 {
		fmt.Println("  " + which)
	}
	m[key+"minutes"], m[key+"again"] = end.Sub(begin).Minutes(), float64(again)
	m[key+"worst"] = worstSecond(flow, begin, end, float64(countIn(flow, begin, end))/end.Sub(begin).Seconds())
	if _, err := c.whole(ctx); err != nil { // nothing is under way any more
		return err
	}
	m[key+"gap"] = c.longestGap().Seconds()
	after, err := c.alarmCounts(ctx)
	if err != nil {
		return err
	}
	to, err := c.statusEnds(ctx)
	if err != nil {
		return err
	}
	starts, err := c.starts(ctx, from, to)
	if err != nil {
		return err
	}
	m[key+"evictions"] = after.evictions - before.evictions
	m[key+"standing"] = float64(after.standing - before.standing)
	m[key+"generations"] = float64(after.view.Generation - before.view.Generation)
	m[key+"epochs"] = float64(after.view.tellAnew(before.view))
	m[key+"starts"] = float64(starts) + after.restarts - before.restarts
	return c.ended()
}

// tellAnew counts the units that were assigned anew, and prints the reasons that the
// cluster has for it.
func (v clusterView) tellAnew(before clusterView) int {
	was, _ := before.stays()
	is, _ := v.stays()
	reasons := make(map[string]int)
	for _, u := range v.Units {
		if was[u.key()] != is[u.key()] {
			reasons[u.Reason]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Printf("  %d units were assigned anew: %s\n", reasons[reason], reason)
	}
	return changed(was, is, "")
}

// statusEnds are the ends of the status topic's partitions.
func (c *nodes) statusEnds(ctx context.Context) (kadm.ListedOffsets, error) {
	topic := c.workers[0].setup.props["status.storage.topic"]
	ends, err := c.e.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the ends of %s: %w", topic, err)
	}
	return ends, nil
}

// starts counts the RUNNING statuses between two ends of the status topic.
func (c *nodes) starts(ctx context.Context, from, to kadm.ListedOffsets) (n int, err error) {
	parts, left := map[string]map[int32]kgo.Offset{}, map[int32]int64{}
	to.Each(func(end kadm.ListedOffset) {
		begin, ok := from.Lookup(end.Topic, end.Partition)
		if !ok || begin.Offset >= end.Offset {
			return
		}
		if parts[end.Topic] == nil {
			parts[end.Topic] = map[int32]kgo.Offset{}
		}
		parts[end.Topic][end.Partition] = kgo.NewOffset().At(begin.Offset)
		left[end.Partition] = end.Offset
	})
	if len(left) == 0 {
		return 0, nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.e.addr), kgo.ConsumePartitions(parts), kgo.KeepControlRecords())
	if err != nil {
		return 0, fmt.Errorf("making a client for %s: %w", c.e.addr, err)
	}
	defer cl.Close()
	var recs []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("reading the statuses: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, ok := left[r.Partition]; ok && r.Offset < end {
				recs = append(recs, r)
			}
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
		})
	}
	for _, times := range watch.Starts(recs) {
		n += times
	}
	return n, nil
}
