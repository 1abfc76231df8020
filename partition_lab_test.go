//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors/probe"
	"github.com/troupeio/troupe/internal/kafkatest"
	"github.com/troupeio/troupe/internal/netlab"
)

// labPort and labGossip are the same on all hosts of a lab.
const (
	labPort   = 8083
	labGossip = 7946
	labBroker = "9092"
)

// labKafka is a broker that the hosts of a lab can be cut off from.
type labKafka struct {
	lab    *netlab.Lab
	broker *kafkatest.Broker
	addr   string // where the hosts reach it
	hosts  int
}

func newLabKafka(t *testing.T) *labKafka {
	t.Helper()
	lab := netlab.New(t)
	addr := lab.Broker().Addr + ":" + labBroker
	return &labKafka{lab: lab, broker: kafkatest.Start(t, kafkatest.WithListener(addr)), addr: addr}
}

// labCluster is a cluster of worker processes, each on a host of its own, with work that
// can be checked afterwards: probe tasks that number, stamp and note what they make, and
// probe tasks that note what they are given.
type labCluster struct {
	*testCluster
	k     *labKafka
	hosts map[*clusterNode]*netlab.Host

	source, sink string // connectors, and their topics
	journal      string
	feedStop     context.CancelFunc
	feeding      sync.WaitGroup
	fedAll       []int64 // records by partition; read after finish

	begin  time.Time       // of the fault
	victim map[string]bool // tasks of the nodes that it is about
}

const (
	labTasks = 6 // of each of the two connectors
	labEvery = 20 * time.Millisecond
)

// newLabCluster starts n nodes and waits until the tasks run on them in equal numbers. Before
// they start, prepare may break the network between their hosts.
func newLabCluster(t *testing.T, k *labKafka, n int, prepare func(hosts []*netlab.Host), extra ...string) *labCluster {
	t.Helper()
	c := &labCluster{testCluster: &testCluster{t: t, addr: k.addr, group: unique("lab")}, k: k, hosts: make(map[*clusterNode]*netlab.Host),
		journal: filepath.Join(t.TempDir(), "journal"), source: unique("made"), sink: unique("given")}
	var hosts []*netlab.Host
	for range n {
		k.hosts++
		h := k.lab.Host("h" + strconv.Itoa(k.hosts))
		hosts = append(hosts, h)
		node := c.add(append([]string{"listeners", fmt.Sprintf("HTTP://%s:%d", h.Addr, labPort), "gossip.bind", fmt.Sprintf("%s:%d", h.Addr, labGossip)}, extra...)...)
		c.hosts[node] = h
	}
	t.Cleanup(k.lab.HealAll)
	if prepare != nil {
		prepare(hosts)
	}
	for _, node := range c.nodes {
		c.start(node)
	}
	for _, node := range c.nodes {
		node.ready()
	}
	createTopic(t, k.broker.Addr(), c.source, 1, "message.timestamp.type", "LogAppendTime")
	createTopic(t, k.broker.Addr(), c.sink, labTasks)
	c.feed()
	tasks := strconv.Itoa(labTasks)
	c.nodes[0].put(c.source, map[string]string{"name": c.source, "connector.class": "ProbeSource", "tasks.max": tasks, "topic": c.source,
		"rate": "50", "format": "string", "stamp": "true", "journal.file": c.journal})
	c.nodes[0].put(c.sink, map[string]string{"name": c.sink, "connector.class": "ProbeSink", "tasks.max": tasks, "topics": c.sink, "journal.file": c.journal})
	c.waitWhole(2 * labTasks)
	return c
}

// start starts a node's process on its host.
func (c *labCluster) start(n *clusterNode) {
	c.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	path, args := c.hosts[n].Command(exe, "distributed", writeProps(c.t, n.props))
	log := filepath.Join(c.t.TempDir(), n.id+".log")
	p, err := kafkatest.StartProcess(kafkatest.ProcessSpec{Path: path, Args: args, Env: []string{commandEnv + "=1"}, LogFile: log})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		p.Kill()
		if c.t.Failed() {
			c.t.Logf("the end of the log of %s:\n%s", n.id, tailOf(p))
		}
		keepLog(c.t, log)
	})
	n.workerProc = &workerProc{&process{c.t, p}, "http://" + c.hosts[n].Addr + ":" + strconv.Itoa(labPort)}
}

// others are the hosts of all nodes but one.
func (c *labCluster) others(n *clusterNode) (out []*netlab.Host) {
	for _, o := range c.nodes {
		if o != n {
			out = append(out, c.hosts[o])
		}
	}
	return out
}

// feed writes a record into each partition of the sink's topic, again and again.
func (c *labCluster) feed() {
	ctx, cancel := context.WithCancel(context.Background())
	c.feedStop = cancel
	c.fedAll = make([]int64, labTasks)
	cl := kafkaClient(c.t, c.k.broker.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	var mu sync.Mutex
	c.feeding.Go(func() {
		tick := time.NewTicker(labEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				if err := cl.Flush(context.Background()); err != nil {
					c.t.Error(err)
				}
				return
			}
			for p := range int32(labTasks) {
				cl.Produce(context.Background(), &kgo.Record{Topic: c.sink, Partition: p, Value: []byte("x")}, func(r *kgo.Record, err error) {
					if err != nil {
						c.t.Error(err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					c.fedAll[r.Partition] = max(c.fedAll[r.Partition], r.Offset+1)
				})
			}
		}
	})
	c.t.Cleanup(func() { cancel(); c.feeding.Wait() })
}

// fault marks the moment at which something breaks that is about some nodes.
func (c *labCluster) fault(about ...*clusterNode) {
	c.t.Helper()
	time.Sleep(time.Second) // of steady work, for the figures
	c.victim = make(map[string]bool)
	for name, u := range c.nodes[0].view().tasks() {
		for _, n := range about {
			if u.Node == n.id {
				c.victim[name] = true
			}
		}
	}
	c.begin = time.Now()
}

// said counts what all nodes have logged of something.
func (c *labCluster) said(text string) (n int) {
	for _, node := range c.nodes {
		n += node.says(text)
	}
	return n
}

// What nodes say.
const (
	saysEvicted  = "took a lost node out of the worker's group"
	saysDropped  = "the group has taken this node out"
	saysHeld     = "gossip has lost a node that came back before after such a loss"
	saysStanding = "this node is no longer in good standing"
)

// labFigures are what a fault did to the work.
type labFigures struct {
	atWork   time.Duration // the longest that tasks on two nodes made or took records at once
	late     time.Duration // how long after the first record of a later life one of an earlier came into the topic
	lateRecs int           // such records
	batches  int           // the most batches of one life that these came in
	gap      time.Duration // the longest pause of a task that the fault was about
	others   time.Duration // of another
	starts   int           // most starts of a task since the fault
	restarts int           // starts of the tasks that the fault was not about
	records  int
	lost     int
	again    int // that came more than once
	detail   []string
}

func (f labFigures) String() string {
	return fmt.Sprintf("overlap %v; late %d records, in at most %d batches of a life, by at most %v; gap %v, of others %v; at most %d starts of a task, %d of others' tasks; %d records, %d lost, %d duplicates",
		f.atWork.Round(time.Millisecond), f.lateRecs, f.batches, f.late.Round(time.Millisecond), f.gap.Round(time.Millisecond), f.others.Round(time.Millisecond), f.starts, f.restarts, f.records, f.lost, f.again)
}

// labLife is when an incarnation of a task worked.
type labLife struct {
	boot        string
	start, stop time.Time
	first, last time.Time // batches
	batches     int
}

// story says when a life did what, counted from a time.
func (l *labLife) story(since time.Time) string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return t.Sub(since).Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%.4s began at %s, worked from %s to %s, stopped at %s", l.boot, at(l.start), at(l.first), at(l.last), at(l.stop))
}

// labGap is a pause of a task.
type labGap struct {
	length time.Duration
	until  time.Time
}

// finish waits until all tasks work and the sinks have caught up, and works out the
// figures.
func (c *labCluster) finish() labFigures {
	c.t.Helper()
	time.Sleep(time.Second)
	c.feedStop()
	c.feeding.Wait()
	var f labFigures
	put := make(map[int32][]int)
	var lives map[string][]*labLife
	var gaps map[string]labGap
	eventually(c.t, func() string {
		lives, gaps, put = c.readJournal()
		f.lost, f.again, f.records = 0, 0, 0
		for p, n := range c.fedAll {
			f.records += int(n)
			for off := range n {
				if times := at0(put[int32(p)], int(off)); times == 0 {
					f.lost++
				} else {
					f.again += times - 1
				}
			}
		}
		if f.lost > 0 {
			return fmt.Sprintf("the sinks miss %d of %d records", f.lost, f.records)
		}
		return ""
	})
	c.readTopic(&f, gaps)
	for name, ls := range lives {
		starts := 0
		for i, a := range ls {
			if a.start.After(c.begin) {
				starts++
			}
			for _, b := range ls[i+1:] {
				if a.boot == b.boot || a.batches == 0 || b.batches == 0 {
					continue
				}
				from, to := a.first, a.last
				if b.first.After(from) {
					from = b.first
				}
				if b.last.Before(to) {
					to = b.last
				}
				if d := to.Sub(from); d > 0 {
					f.detail = append(f.detail, fmt.Sprintf("%s on two nodes for %v, %v after the fault", name, d.Round(time.Millisecond), from.Sub(c.begin).Round(time.Millisecond)))
					f.atWork = max(f.atWork, d)
				}
			}
		}
		f.starts = max(f.starts, starts)
		if !c.victim[name] {
			f.restarts += starts
		}
	}
	for name, g := range gaps {
		if g.length > time.Second {
			f.detail = append(f.detail, fmt.Sprintf("%s paused for %v until %v after the fault", name, g.length.Round(time.Millisecond), g.until.Sub(c.begin).Round(time.Millisecond)))
			for _, l := range lives[name] {
				f.detail = append(f.detail, name+": "+l.story(c.begin))
			}
		}
		if c.victim[name] {
			f.gap = max(f.gap, g.length)
		} else {
			f.others = max(f.others, g.length)
		}
	}
	slices.Sort(f.detail)
	for _, d := range f.detail {
		c.t.Log(d)
	}
	if f.lost > 0 {
		c.t.Errorf("%d records were lost", f.lost)
	}
	return f
}

func at0(s []int, i int) int {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// readJournal returns the lives of each task, the longest pauses of sinks since the
// fault, and how often each record was put, by partition and offset.
func (c *labCluster) readJournal() (map[string][]*labLife, map[string]labGap, map[int32][]int) {
	c.t.Helper()
	b, err := os.ReadFile(c.journal)
	if err != nil {
		c.t.Fatal(err)
	}
	type key struct {
		name, boot string
		epoch      int64
	}
	lives, by := make(map[string][]*labLife), make(map[key]*labLife)
	gaps, last := make(map[string]labGap), make(map[string]time.Time)
	put := make(map[int32][]int)
	for line := range strings.Lines(string(b)) {
		var e probe.JournalEntry
		if json.Unmarshal([]byte(line), &e) != nil {
			continue // the end of it, half written
		}
		name, at := fmt.Sprintf("%s-%d", e.Connector, e.Task), time.Unix(0, e.Clock)
		id := key{name, e.Boot, e.Epoch}
		l := by[id]
		if l == nil {
			l = &labLife{boot: e.Boot, start: at}
			by[id] = l
			lives[name] = append(lives[name], l)
		}
		if e.Did == probe.DidStop {
			l.stop = at
		}
		if e.Did != probe.DidBatch {
			continue
		}
		if l.batches == 0 {
			l.first = at
		}
		l.batches++
		l.last = at
		if e.Connector != c.sink {
			continue
		}
		if before := last[name]; !before.IsZero() && at.After(c.begin) && at.Sub(before) > gaps[name].length {
			gaps[name] = labGap{at.Sub(before), at}
		}
		last[name] = at
		for _, s := range e.Spans {
			for off := s.From; off <= s.To; off++ {
				for len(put[s.Partition]) <= int(off) {
					put[s.Partition] = append(put[s.Partition], 0)
				}
				put[s.Partition][off]++
			}
		}
	}
	return lives, gaps, put
}

// readTopic counts what the sources have made, and adds their pauses and what the topic
// says of lives that overlapped.
func (c *labCluster) readTopic(f *labFigures, gaps map[string]labGap) {
	c.t.Helper()
	end := time.Now()
	tail := newTailTopic(c.t, c.k.broker.Addr(), c.source)
	eventually(c.t, func() string {
		recs := tail.more(300 * time.Millisecond)
		if len(recs) == 0 || recs[len(recs)-1].Timestamp.Before(end) {
			return fmt.Sprintf("the sources make nothing: %d records", len(recs))
		}
		return ""
	})
	type task struct {
		seen  []int
		last  time.Time
		lives map[string][]time.Time // when its records came into the topic
	}
	tasks := make(map[int64]*task)
	for _, r := range tail.recs {
		var v struct{ Task, Seq int64 }
		if err := json.Unmarshal(r.Value, &v); err != nil {
			c.t.Fatalf("%s: %v", r.Value, err)
		}
		k := tasks[v.Task]
		if k == nil {
			k = &task{lives: make(map[string][]time.Time)}
			tasks[v.Task] = k
		}
		for int64(len(k.seen)) <= v.Seq {
			k.seen = append(k.seen, 0)
		}
		k.seen[v.Seq]++
		name := fmt.Sprintf("%s-%d", c.source, v.Task)
		if !k.last.IsZero() && r.Timestamp.After(c.begin) && r.Timestamp.Sub(k.last) > gaps[name].length {
			gaps[name] = labGap{r.Timestamp.Sub(k.last), r.Timestamp}
		}
		k.last = r.Timestamp
		h := headersOf(r)
		id := h[probe.BootHeader] + " " + h[probe.EpochHeader]
		k.lives[id] = append(k.lives[id], r.Timestamp)
	}
	for n, k := range tasks {
		for _, times := range k.seen {
			f.records++
			if times == 0 {
				f.lost++
				continue
			}
			f.again += times - 1
		}
		lives := slices.SortedFunc(maps.Values(k.lives), func(a, b []time.Time) int { return a[0].Compare(b[0]) })
		for i, old := range lives[:len(lives)-1] {
			next := lives[i+1][0]
			late := slices.DeleteFunc(old, func(at time.Time) bool { return !at.After(next) })
			if len(late) == 0 {
				continue
			}
			f.lateRecs += len(late)
			f.batches = max(f.batches, len(slices.Compact(slices.Clone(late))))
			f.late = max(f.late, late[len(late)-1].Sub(next))
			f.detail = append(f.detail, fmt.Sprintf("%d records of an earlier life of source task %d came late, from %v to %v after the first of the next", len(late), n,
				late[0].Sub(next), late[len(late)-1].Sub(next)))
		}
	}
	if len(tasks) != labTasks {
		c.t.Errorf("%d source tasks have made records, want %d", len(tasks), labTasks)
	}
}

// leaseEnds waits until a node's lease has run out, and returns when that was.
func (n *clusterNode) leaseEnds(within time.Duration) time.Time {
	n.c.t.Helper()
	var at time.Time
	eventuallyIn(n.c.t, within, func() string {
		v, err := n.look()
		if err != nil {
			return err.Error()
		}
		if v.Lease >= 0 {
			return fmt.Sprintf("the lease lasts another %d ms", v.Lease)
		}
		at = time.Now().Add(time.Duration(v.Lease) * time.Millisecond)
		return ""
	})
	return at
}
