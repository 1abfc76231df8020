package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/kafkatest"
	"github.com/troupeio/troupe/internal/watch"
)

// doubleLimit is how long two nodes may run the same task when the old one can reach
// Kafka: it stops within a heartbeat of waking up.
const doubleLimit = time.Second

// TestClusterStall stops a node's process for 5 s and lets it go on: others take over,
// the woken one gives up what it had at once, joins again and gets work again; nothing is
// lost. The probes' stamps say how long two nodes ran the same task.
func TestClusterStall(t *testing.T) {
	c := startCluster(t, 3)
	load := newClusterLoad(t, c.addr, 4, 4)
	probe := newProbes(t, c.addr, 6)
	load.configs[probe.topic] = probe.config
	tasks := len(load.all) + probe.tasks
	c.create(load.configs)
	c.waitWhole(tasks)
	type stall struct {
		role string
		long time.Duration
	}
	stalls := []stall{{"a follower", 5 * time.Second}}
	if clusterLong() {
		stalls = append(stalls, stall{"the leader", 5 * time.Second}, stall{"a follower", 30 * time.Second}, stall{"the leader", 30 * time.Second})
	}
	stopped := make(map[*clusterNode]bool)
	for _, s := range stalls {
		role := s.role
		victim := c.follower()
		if role == "the leader" {
			victim = c.leader()
		}
		load.settleGaps()
		before := victim.view()
		held := before.connectorsOf(victim.id)
		delete(held, probe.topic)
		begin := time.Now()
		victim.Signal(syscall.SIGSTOP)
		load.markNow()
		took := load.waitNew(held, begin)
		t.Logf("%s stopped for %v: tasks back after %s", role, s.long, figures(took))
		limit := failoverLimit
		if stopped[victim] {
			limit += 10 * time.Second // its session: one that came back is not hurried for a minute
		}
		stopped[victim] = true
		if worst(took) > limit {
			t.Errorf("a task came back %v after %s was stopped, want %v at most", worst(took), role, limit)
			logTasks(t, took)
		}
		time.Sleep(time.Until(begin.Add(s.long)))
		woken := time.Now()
		victim.Signal(syscall.SIGCONT)
		c.waitTogether()
		t.Logf("back in the group %v after it woke up", time.Since(woken).Round(time.Millisecond))
		c.waitWhole(tasks)
		t.Logf("its share again %v after it woke up: %s", time.Since(woken).Round(time.Millisecond), victim.view().counts())
		if n := victim.says("this node is no longer in good standing"); n == 0 {
			t.Errorf("the woken node does not say that it lost its good standing")
		}
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
	probe.check()
}

// TestClusterShortStalls stops a node for 700 ms now and then: nobody is evicted and
// nothing starts again.
func TestClusterShortStalls(t *testing.T) {
	stalls, every := 2, 3*time.Second
	if clusterLong() {
		stalls, every = 6, 10*time.Second
	}
	c := startCluster(t, 3)
	load := newClusterLoad(t, c.addr, 4, 4)
	tasks := len(load.all)
	c.create(load.configs)
	c.waitWhole(tasks)
	statuses := c.statuses()
	victim := c.follower()
	before := victim.view()
	read := len(statuses.catchUp())
	load.markNow()
	if err := watch.Stalls(t.Context(), stalls, every, 700*time.Millisecond, func(int) *kafkatest.Process { return victim.Process }); err != nil {
		t.Fatal(err)
	}
	load.settleGaps()
	t.Logf("%d stalls; pauses %s", stalls, figures(load.gaps()))
	after := victim.view()
	if after.Generation != before.Generation {
		t.Errorf("the group was in generation %d and is in %d", before.Generation, after.Generation)
	}
	undisturbed(t, before, after, "", watch.Starts(statuses.catchUp()[read:]))
	for _, n := range c.nodes {
		for _, text := range []string{"took a lost node out", "the group has taken this node out", "no longer in good standing"} {
			if times := n.says(text); times > 0 {
				t.Errorf("node %s says %d times %q", n.id, times, text)
			}
		}
	}
	lines, again := load.finish()
	t.Logf("%d lines, %d of them came more than once", lines, again)
}

// probes is a probe connector whose tasks number and stamp what they make.
type probes struct {
	t      testing.TB
	addr   string
	topic  string
	tasks  int
	config map[string]string
}

func newProbes(t testing.TB, addr string, tasks int) *probes {
	t.Helper()
	p := &probes{t: t, addr: addr, topic: unique("probe"), tasks: tasks}
	// When the broker takes a record is what counts, and not when a task made it.
	createTopic(t, addr, p.topic, 1, "message.timestamp.type", "LogAppendTime")
	p.config = map[string]string{"name": p.topic, "connector.class": "troupe.probe.ProbeSourceConnector", "tasks.max": strconv.Itoa(tasks),
		"topic": p.topic, "rate": "100", "format": "string", "stamp": "true"}
	return p
}

// probeLife is one incarnation of a task in the records of a topic.
type probeLife struct {
	boot, epoch string
	made, kept  [2]time.Time // first and last: by the task's clock, and by the broker's
	n           int
}

// overlap is how long two lives were there at once, by the given pair of times.
func (a probeLife) overlap(b probeLife, of func(probeLife) [2]time.Time) time.Duration {
	x, y := of(a), of(b)
	from, to := x[0], x[1]
	if y[0].After(from) {
		from = y[0]
	}
	if y[1].Before(to) {
		to = y[1]
	}
	return to.Sub(from)
}

// check reads what the probes have made until now, wants each task's numbers without a
// gap, and no two lives of a task on different nodes at once for longer than the limit.
func (p *probes) check() {
	p.t.Helper()
	type task struct {
		seqs  map[int64]int
		max   int64
		lives []*probeLife
	}
	tasks := make(map[string]*task)
	tail := newTailTopic(p.t, p.addr, p.topic)
	end := time.Now()
	eventually(p.t, func() string {
		recs := tail.more(300 * time.Millisecond)
		if len(recs) == 0 || recs[len(recs)-1].Timestamp.Before(end) {
			return fmt.Sprintf("the probes' topic has nothing new: %d records", len(recs))
		}
		return ""
	})
	for _, r := range tail.recs {
		h := headersOf(r)
		var v struct{ Task, Seq int64 }
		if err := json.Unmarshal(r.Value, &v); err != nil {
			p.t.Fatalf("%s: %v", r.Value, err)
		}
		name := strconv.FormatInt(v.Task, 10)
		k := tasks[name]
		if k == nil {
			k = &task{seqs: make(map[int64]int), max: -1}
			tasks[name] = k
		}
		k.seqs[v.Seq]++
		k.max = max(k.max, v.Seq)
		ns, err := strconv.ParseInt(h["probe.clock"], 10, 64)
		if err != nil {
			p.t.Fatalf("the stamps are %v", h)
		}
		made := time.Unix(0, ns)
		i := slices.IndexFunc(k.lives, func(l *probeLife) bool { return l.boot == h["probe.boot"] && l.epoch == h["probe.epoch"] })
		if i < 0 {
			i = len(k.lives)
			k.lives = append(k.lives, &probeLife{boot: h["probe.boot"], epoch: h["probe.epoch"], made: [2]time.Time{made}, kept: [2]time.Time{r.Timestamp}})
		}
		l := k.lives[i]
		l.made[1], l.kept[1] = made, r.Timestamp
		l.n++
	}
	if len(tasks) != p.tasks {
		p.t.Errorf("%d tasks have made records, want %d", len(tasks), p.tasks)
	}
	var records, again, lives int
	var madeAtOnce, keptAtOnce time.Duration
	for name, k := range tasks {
		for seq := range k.max + 1 {
			if k.seqs[seq] == 0 {
				p.t.Errorf("record %d of probe task %s was lost", seq, name)
				break
			}
			again += k.seqs[seq] - 1
			records++
		}
		lives += len(k.lives)
		for i, a := range k.lives {
			for _, b := range k.lives[i+1:] {
				if a.boot == b.boot {
					continue
				}
				madeAtOnce = max(madeAtOnce, a.overlap(*b, func(l probeLife) [2]time.Time { return l.made }))
				keptAtOnce = max(keptAtOnce, a.overlap(*b, func(l probeLife) [2]time.Time { return l.kept }))
			}
		}
	}
	p.t.Logf("probes: %d records of %d lives of %d tasks, %d came more than once; the longest time that two nodes ran a task: %v by their own clocks, %v by the broker's",
		records, lives, len(tasks), again, madeAtOnce.Round(time.Millisecond), keptAtOnce)
	if d := max(madeAtOnce, keptAtOnce); d > doubleLimit {
		p.t.Errorf("two nodes ran a task for %v, want %v at most", d, doubleLimit)
	}
}

func headersOf(r *kgo.Record) map[string]string {
	out := make(map[string]string)
	for _, h := range r.Headers {
		out[h.Key] = strings.Trim(string(h.Value), `"`)
	}
	return out
}
