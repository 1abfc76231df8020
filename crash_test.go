package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	killsEnv = "TROUPE_KILLS" // how often the worker is killed
	seedEnv  = "TROUPE_SEED"  // of the moments; a new one each time without it
)

func fromEnv(t *testing.T, name string, def uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestKillLoop kills the worker with kill -9 at random moments, again and again,
// while lines are appended to the file of a source and a sink writes the topic to
// another file. Nothing may be missing in either place, and first occurrences come
// in the file's order; what comes twice is counted.
func TestKillLoop(t *testing.T) {
	def := uint64(50)
	if testing.Short() {
		def = 5
	}
	kills := int(fromEnv(t, killsEnv, def))
	seed := fromEnv(t, seedEnv, uint64(time.Now().UnixNano()))
	t.Logf("%d kills, split between the brokers; %s=%d for the same moments", kills, seedEnv, seed)
	onBothBrokers(t, func(t *testing.T, addr string) {
		killLoop(t, addr, max(1, kills/2), rand.New(rand.NewPCG(seed, uint64(len(t.Name())))))
	})
}

// killPause is the longest life of a worker after its REST interface answers. A
// start takes 0.1 s, so that many are hit while they read, write or commit.
const killPause = 1500 * time.Millisecond

func killLoop(t *testing.T, addr string, kills int, rng *rand.Rand) {
	name, in, out := unique("kill"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	props := distributedProps(t, addr, "offset.flush.interval.ms", "300")
	w := startWorker(t, props)
	w.put(name+"-source", fileSource(name+"-source", in, name, "batch.size", "200"))
	w.put(name+"-sink", fileSink(name+"-sink", out, name, "consumer.override.max.poll.records", "100"))

	ctx, cancel := context.WithCancel(context.Background())
	total := make(chan int, 1)
	go func() { total <- appendForever(ctx, t, in) }()
	defer cancel()

	var early int
	for range kills {
		life := time.Duration(rng.Int64N(int64(killPause)))
		if rng.IntN(4) == 0 { // while it starts
			early++
			time.Sleep(life / 10)
		} else {
			w.ready()
			time.Sleep(life)
		}
		w.Signal(syscall.SIGKILL)
		if code := w.exit(patience); code != -1 {
			t.Fatalf("the worker ended by itself, with exit code %d, before it was killed:\n%s", code, tailOf(w.Process))
		}
		w = launch(t, "distributed", props)
	}
	cancel()
	lines := numberedLines("line ", 0, <-total)
	w.ready()
	w.waitState(name+"-source", "RUNNING RUNNING")
	w.waitState(name+"-sink", "RUNNING RUNNING")

	var c occurrences
	eventually(t, func() string {
		c = countLines(fileLines(out), lines)
		return c.missing()
	})
	tail := newTailTopic(t, addr, name)
	var topic occurrences
	eventually(t, func() string {
		topic = countLines(values(tail.more(200*time.Millisecond)), lines)
		return topic.missing()
	})
	for where, o := range map[string]occurrences{"topic": topic, "sink's file": c} {
		if o.problem != "" {
			t.Errorf("in the %s: %s", where, o.problem)
		}
	}
	t.Logf("%d kills (%d during the start), %d lines; twice in the topic: %d, in the sink's file: %d", kills, early, len(lines), topic.again, c.again)
	w.stop()
}

// appendForever appends a few numbered lines at a time, some of them in two
// writes, and returns how many lines there are.
func appendForever(ctx context.Context, t *testing.T, path string) (n int) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer f.Close()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return n
		case <-tick.C:
		}
		text := strings.Join(numberedLines("line ", n, 20), "\n") + "\n"
		n += 20
		cut := len(text) / 3
		for _, part := range []string{text[:cut], text[cut:]} {
			if _, err := f.WriteString(part); err != nil {
				t.Error(err)
				return n
			}
		}
	}
}

// occurrences says how the lines of a place compare with those that were written.
type occurrences struct {
	first, want int
	again       int
	problem     string // what no waiting can mend
	next        string // the first that is missing
}

func (o occurrences) missing() string {
	if o.problem != "" || o.first == o.want {
		return ""
	}
	return fmt.Sprintf("%d of %d lines are there; the first that is missing is %q", o.first, o.want, o.next)
}

// countLines finds the first occurrence of each wanted line, which must come in
// order; others are repetitions.
func countLines(got, want []string) (o occurrences) {
	o.want = len(want)
	known := make(map[string]int, len(want))
	for i, l := range want {
		known[l] = i
	}
	for i, l := range got {
		n, ok := known[l]
		switch {
		case !ok:
			o.problem = fmt.Sprintf("line %d is %q, which was never written", i+1, l)
			return o
		case n == o.first:
			o.first++
		case n > o.first:
			o.problem = fmt.Sprintf("line %d is %q before %q", i+1, l, want[o.first])
			return o
		default:
			o.again++
		}
	}
	if o.first < len(want) {
		o.next = want[o.first]
	}
	return o
}

// TestKillDuringRequests kills the worker while connectors are created, changed
// and deleted: what was answered is there afterwards, and the worker starts.
func TestKillDuringRequests(t *testing.T) {
	addr := kfakeAddr(t)
	props := distributedProps(t, addr)
	rng := rand.New(rand.NewPCG(1, 2))
	acked := make(map[string]string) // connector -> its topic; "" is deleted
	for round := range 4 {
		w := startWorker(t, props)
		for name, topic := range acked {
			code, text, err := w.try("GET", at(name)+"/config", nil)
			if err != nil || topic != "" && !strings.Contains(text, topic) || topic == "" && code != http.StatusNotFound {
				t.Errorf("after a kill %s, which was answered with topic %q, is %d %s %v", name, topic, code, text, err)
			}
		}
		if t.Failed() || round == 3 {
			return
		}
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			time.Sleep(50*time.Millisecond + time.Duration(rng.IntN(400))*time.Millisecond)
			w.Signal(syscall.SIGKILL)
		}()
		for i := 0; ; i++ {
			name := fmt.Sprintf("c%d-%d", round, i%30)
			topic := fmt.Sprintf("t%d-%d", round, i)
			var code int
			var err error
			if i%5 == 4 {
				topic = ""
				code, _, err = w.try("DELETE", at(name), nil)
			} else {
				code, _, err = w.try("PUT", at(name)+"/config", fileSource(name, filepath.Join(os.TempDir(), "none"), topic))
			}
			if err != nil {
				delete(acked, name) // one or the other
				break
			}
			if code < 300 {
				acked[name] = topic
			}
		}
		<-killed
		w.exit(patience)
	}
}

// TestFaultsThatEndTheProcess has connectors that take the whole process with them,
// which no worker can prevent: a panic on a goroutine of their own, os.Exit, memory
// without end until the system kills the process. Whoever starts it again finds the
// other connectors where they were: nothing is lost.
func TestFaultsThatEndTheProcess(t *testing.T) {
	t.Parallel()
	const source, sink = "troupe.probe.ProbeSourceConnector", "troupe.probe.ProbeSinkConnector"
	addr := kfakeAddr(t)
	name, in, out := unique("survivor"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	props := distributedProps(t, addr, "offset.flush.interval.ms", "300")
	w := startWorker(t, props)
	w.put(name+"-source", fileSource(name+"-source", in, name, "batch.size", "200"))
	w.put(name+"-sink", fileSink(name+"-sink", out, name))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	total := make(chan int, 1)
	go func() { total <- appendForever(ctx, t, in) }()

	const rounds = 2 // the second death comes from what the first start found stored
	deaths := 0
	for _, row := range []struct {
		class, fault, in string
		code             int // -1: it is killed
		say              string
	}{
		{source, "panic-own-goroutine", "poll", 2, "panic: probe: poll of"},
		{sink, "panic-own-goroutine", "put", 2, "panic: probe: put of"},
		{source, "exit", "poll", 3, ""},
		{sink, "exit", "put", 3, ""},
		{source, "memory", "poll", -1, ""},
		{sink, "memory", "put", -1, ""},
	} {
		bad := unique(row.fault)
		config := map[string]string{"name": bad, "connector.class": row.class, "fault": row.fault, "fault.in": row.in, "fault.times": "0", "fault.after": "20"}
		if row.class == source {
			config["topic"], config["rate"] = bad, "50"
		} else {
			config["topics"] = name
		}
		w.put(bad, config)
		for range rounds {
			if row.code == -1 {
				w.killWhenLarge()
			}
			if code := w.exit(patience); code != row.code {
				t.Fatalf("%s in %s: exit code %d, want %d:\n%s", row.fault, row.in, code, row.code, tailOf(w.Process))
			}
			if row.say != "" && !strings.Contains(w.log(), row.say+" "+bad) {
				t.Errorf("the last words do not name the connector:\n%s", tailOf(w.Process))
			}
			deaths++
			w = launch(t, "distributed", props) // it may be gone again before anybody sees it ready
		}
		// What an operator does: the connector goes while the process still lives.
		eventually(t, func() string {
			if code, text, err := w.try("DELETE", at(bad), nil); err != nil || code != 204 && code != 404 {
				if !w.Running() {
					deaths++
					w = launch(t, "distributed", props)
				}
				return fmt.Sprintf("deleting %s: %d %s %v", bad, code, text, err)
			}
			return ""
		})
		if !stays(w) { // it died with the answer
			deaths++
			w = launch(t, "distributed", props)
			w.ready()
		}
	}
	cancel()
	lines := numberedLines("line ", 0, <-total)
	w.waitState(name+"-source", "RUNNING RUNNING")
	w.waitState(name+"-sink", "RUNNING RUNNING")
	var c occurrences
	eventually(t, func() string {
		c = countLines(fileLines(out), lines)
		return c.missing()
	})
	if c.problem != "" {
		t.Error(c.problem)
	}
	t.Logf("%d deaths, %d lines; twice in the sink's file: %d", deaths, len(lines), c.again)
	w.stop()
}

// stays reports whether a worker still answers after a second.
func stays(w *workerProc) bool {
	select {
	case <-w.Done():
		return false
	case <-time.After(time.Second):
	}
	_, _, err := w.try("GET", "/connectors", nil)
	return err == nil
}

// tooLarge is the resident size at which killWhenLarge kills: far above what a worker
// needs, far below what would trouble the machine.
const tooLarge = 600 << 20

// killWhenLarge does what Linux does to a process that takes too much memory.
func (w *workerProc) killWhenLarge() {
	w.t.Helper()
	statm := fmt.Sprintf("/proc/%d/statm", w.PID())
	if _, err := os.Stat(statm); err != nil && w.Running() {
		w.t.Skipf("the memory of a process is not to be seen here: %v", err)
	}
	eventually(w.t, func() string {
		b, err := os.ReadFile(statm)
		if err != nil {
			return err.Error()
		}
		var size, resident int
		if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
			return err.Error()
		}
		if resident *= os.Getpagesize(); resident < tooLarge {
			return fmt.Sprintf("it has only %d MB", resident>>20)
		}
		return ""
	})
	w.Signal(syscall.SIGKILL)
}
