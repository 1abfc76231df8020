package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is what a cluster runs: file sources of one task each, and file sinks whose
// tasks have one partition each.
type load struct{ sources, sinks, sinkTasks int }

var (
	// fullLoad is 30 connectors with 60 tasks.
	fullLoad  = load{sources: 15, sinks: 15, sinkTasks: 3}
	quickLoad = load{sources: 2, sinks: 2, sinkTasks: 2}
)

func (l load) tasks() int { return l.sources + l.sinks*l.sinkTasks }

func (l load) connectors() int { return l.sources + l.sinks }

const (
	// clusterNodes is how many workers a cluster has.
	clusterNodes = 3
)

// nodes is a cluster of workers of one arm that runs a load.
type nodes struct {
	e          *env
	arm, group string
	props      map[string]string
	load       load
	workers    []*worker // in the order in which they joined
	*streams
}

// startEmpty starts the workers one after the other and returns when they are one
// group.
func (e *env) startEmpty(ctx context.Context, arm string, props map[string]string) (_ *nodes, err error) {
	c := &nodes{e: e, arm: arm, group: e.name("group"), props: props}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	for range clusterNodes {
		if err := c.join(ctx); err != nil {
			return nil, err
		}
	}
	return c, c.together(ctx)
}

// startNodes starts the workers, creates the connectors and returns when everything
// runs and everything moves.
func (e *env) startNodes(ctx context.Context, arm string, props map[string]string) (_ *nodes, err error) {
	c, err := e.startEmpty(ctx, arm, props)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	c.load = fullLoad
	if e.quick {
		c.load = quickLoad
	}
	all, configs, err := c.plan(ctx)
	if err != nil {
		return nil, err
	}
	if c.streams, err = startStreams(ctx, e.addr, all); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(configs))
	for name := range configs {
		names = append(names, name)
	}
	slices.Sort(names)
	err = createAll(ctx, c.workers[:1], len(names), func(i int) (string, map[string]string) { return names[i], configs[names[i]] })
	if err != nil {
		return nil, err
	}
	_, err = c.whole(ctx)
	return c, err
}

// together waits until the group has as many members as there are workers.
func (c *nodes) together(ctx context.Context) error {
	for {
		described, err := c.e.admin.DescribeGroups(ctx, c.group)
		if err == nil {
			err = described.Error()
		}
		if err != nil {
			return fmt.Errorf("asking who is in group %s: %w", c.group, err)
		}
		g := described[c.group]
		if g.State == "Stable" && len(g.Members) == len(c.workers) {
			return nil
		}
		if err := c.refused(); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %d workers to be one group: it is %s with %d members: %w", len(c.workers), g.State, len(g.Members), err)
		}
	}
}

// plan makes the topics, the streams and the connectors' configurations.
func (c *nodes) plan(ctx context.Context) ([]*stream, map[string]map[string]string, error) {
	var all []*stream
	configs := map[string]map[string]string{}
	topic := func(name string, partitions int) error {
		if _, err := c.e.admin.CreateTopic(ctx, int32(partitions), 1, nil, name); err != nil {
			return fmt.Errorf("creating topic %s: %w", name, err)
		}
		return nil
	}
	for range c.load.sources {
		s := &stream{connector: c.e.name("source"), topic: c.e.name("topic"), source: true}
		s.file = filepath.Join(c.e.dir, s.connector+".in")
		if err := topic(s.topic, 1); err != nil {
			return nil, nil, err
		}
		all = append(all, s)
		configs[s.connector] = fileSource(s.file, s.topic)
	}
	for range c.load.sinks {
		name, from := c.e.name("sink"), c.e.name("topic")
		if err := topic(from, c.load.sinkTasks); err != nil {
			return nil, nil, err
		}
		file := sinkFile(c.e.dir, name)
		for p := range c.load.sinkTasks {
			all = append(all, &stream{connector: name, topic: from, file: file, partition: int32(p)})
		}
		configs[name] = fileSink(file, from)
		configs[name]["tasks.max"] = strconv.Itoa(c.load.sinkTasks)
	}
	return all, configs, nil
}

// join adds a worker. One that ends instead of joining others is told apart: then
// there is no cluster to measure.
func (c *nodes) join(ctx context.Context) error {
	w, err := c.e.startWorker(ctx, c.arm, c.group, c.props)
	if err != nil {
		return err
	}
	return c.add(ctx, w)
}

// back starts a worker again, as the one that it was: the last of the workers by
// age from now on. It has ended.
func (c *nodes) back(ctx context.Context, worker int) error {
	old := c.workers[worker]
	old.close()
	c.workers = slices.Delete(c.workers, worker, worker+1)
	w, err := c.e.startAgain(ctx, old.setup)
	if err != nil {
		return err
	}
	return c.add(ctx, w)
}

func (c *nodes) add(ctx context.Context, w *worker) error {
	c.workers = append(c.workers, w)
	err := w.waitReady(ctx)
	if refused := c.refused(); refused != nil {
		return refused
	}
	return err
}

// refused says which worker has ended by itself; one may answer requests before it
// learns that it may not be there.
func (c *nodes) refused() error {
	for i, w := range c.workers {
		if !w.proc.Running() && i > 0 {
			return fmt.Errorf("worker %d ended by itself: this build of %s refuses a second node of a group, or it failed; there is no cluster to measure; the end of its log:\n%s",
				i+1, c.arm, w.proc.Tail(20))
		}
	}
	return nil
}

func (c *nodes) close() {
	var ends sync.WaitGroup
	for _, w := range c.workers {
		ends.Go(w.close)
	}
	ends.Wait()
	if c.streams == nil {
		return
	}
	c.streams.close()
	gone := ""
	for _, s := range c.all {
		if s.topic != gone {
			c.e.deleteTopic(s.topic)
			gone = s.topic
		}
	}
}

// unitKey is a task, or with task -1 a connector's instance.
type unitKey struct {
	connector string
	task      int
}

func (k unitKey) String() string {
	if k.task < 0 {
		return "connector " + k.connector
	}
	return fmt.Sprintf("task %s-%d", k.connector, k.task)
}

// statuses are those of all connectors' instances and tasks, none during a rebalance
// that does not answer. What has FAILED is an error.
func (c *nodes) statuses(ctx context.Context) (map[unitKey]place, error) {
	code, answer, err := c.workers[0].do(ctx, http.MethodGet, "/connectors?expand=status", nil)
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, nil // a rebalance
	}
	var all map[string]struct{ Status status }
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, fmt.Errorf("reading the status of all connectors: %w", err)
	}
	out := map[unitKey]place{}
	for name, s := range all {
		if err := s.Status.failure(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[unitKey{name, -1}] = s.Status.Connector
		for _, t := range s.Status.Tasks {
			out[unitKey{name, t.ID}] = t
		}
	}
	return out, nil
}

// owners are the workers, by index, that run tasks which are RUNNING; tasks of
// workers that are gone are not among them.
func (c *nodes) owners(ctx context.Context) (map[unitKey]int, error) {
	statuses, err := c.statuses(ctx)
	if err != nil {
		return nil, err
	}
	owners := map[unitKey]int{}
	for key, s := range statuses {
		if i := c.index(s.WorkerID); key.task >= 0 && s.State == "RUNNING" && i >= 0 {
			owners[key] = i
		}
	}
	return owners, nil
}

// counts is how many tasks each worker runs.
func (c *nodes) counts(owners map[unitKey]int) []int {
	n := make([]int, len(c.workers))
	for _, i := range owners {
		n[i]++
	}
	return n
}

// of are the streams that the tasks of a worker move. Which partition is whose is
// asked of the sinks' groups: a member's client.id ends in its task's number.
func (c *nodes) of(ctx context.Context, worker int, owners map[unitKey]int) ([]*stream, error) {
	var groups []string
	for _, s := range c.all {
		if !s.source && s.partition == 0 {
			groups = append(groups, "connect-"+s.connector)
		}
	}
	described, err := c.e.admin.DescribeGroups(ctx, groups...)
	if err == nil {
		err = described.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking whose the partitions are: %w", err)
	}
	type partition struct {
		topic string
		n     int32
	}
	holder := map[partition]int{}
	for _, g := range described {
		for _, m := range g.Members {
			task, err := strconv.Atoi(m.ClientID[strings.LastIndexByte(m.ClientID, '-')+1:])
			assigned, ok := m.Assigned.AsConsumer()
			if err != nil || !ok {
				return nil, fmt.Errorf("asking whose the partitions are: member %s of %s is no sink task", m.ClientID, g.Group)
			}
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					holder[partition{t.Topic, p}] = task
				}
			}
		}
	}
	var out []*stream
	for _, s := range c.all {
		task := 0
		if !s.source {
			var ok bool
			if task, ok = holder[partition{s.topic, s.partition}]; !ok {
				return nil, fmt.Errorf("partition %d of %s is nobody's", s.partition, s.topic)
			}
		}
		if at, ok := owners[unitKey{s.connector, task}]; ok && at == worker {
			out = append(out, s)
		}
	}
	return out, nil
}
