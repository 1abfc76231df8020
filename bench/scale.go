package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	scaleConnectors = 2000
	scaleTopics     = 50
	// scaleSample is how many of the dead worker's sources get a line.
	scaleSample = 20
	scaleIdle   = 20 * time.Second
	// statusEvery is the pause between two looks at the statuses of all connectors,
	// which are some hundred kilobytes.
	statusEvery = 250 * time.Millisecond

	// Each part has its own bound, so that a failure says which one it was.
	createWithin = 5 * time.Minute
	runWithin    = 3 * time.Minute
	moveWithin   = 3 * time.Minute
	backWithin   = 3 * time.Minute
	scaleTimeout = createWithin + runWithin + moveWithin + backWithin + 2*time.Minute
)

const scaleNote = "`-connectors` sets their number. Half are file sources with one line each to begin with, half file sinks, over 50 topics, so that each sink writes the lines of all sources of its topic; " +
	"creation is by 8 clients that ask all three workers. Any worker is killed, with the default settings of Troupe. After the kill a sample of 20 of its sources get a line each. " +
	"The statuses are looked at 4 times a second, which is the error of those times and part of the load."

// scaled is the cluster of the row.
type scaled struct {
	*nodes
	n      int
	topics []string
	files  []string // of the sources, whose number is their index
	sinks  []string
	names  []string
}

// runScale creates many connectors, sees that all of them work, and kills a worker.
func runScale(ctx context.Context, e *env, arm string) (metrics, error) {
	c, err := e.startEmpty(ctx, arm, nil)
	if err != nil {
		return nil, err
	}
	s := &scaled{nodes: c, n: e.number(scaleConnectors)}
	defer s.close()
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	m := metrics{}
	for _, part := range []struct {
		what   string
		within time.Duration
		do     func(context.Context, metrics) error
	}{
		{"creating the connectors", createWithin, s.create},
		{"waiting until what was created works", moveWithin, s.works},
		{"watching it idle", scaleIdle + time.Minute, s.idle},
		{"killing a worker", backWithin, s.kill},
	} {
		one, cancel := context.WithTimeout(ctx, part.within)
		err := part.do(one, m)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("%s, for at most %s: %w", part.what, part.within, err)
		}
	}
	return m, nil
}

func (s *scaled) close() {
	s.nodes.close()
	for _, topic := range s.topics {
		s.e.deleteTopic(topic)
	}
}

// prepare makes the topics and the files.
func (s *scaled) prepare(ctx context.Context) error {
	for range min(scaleTopics, max(1, s.n/4)) {
		s.topics = append(s.topics, s.e.name("topic"))
	}
	made, err := s.e.admin.CreateTopics(ctx, 1, 1, nil, s.topics...)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		return fmt.Errorf("creating %d topics: %w", len(s.topics), err)
	}
	dir, err := os.MkdirTemp(s.e.dir, "scale-")
	if err != nil {
		return fmt.Errorf("making the files' folder: %w", err)
	}
	for i := range s.n {
		if i%2 == 0 {
			file := filepath.Join(dir, fmt.Sprintf("%d.in", i/2))
			if err := os.WriteFile(file, fmt.Appendf(nil, "first of %d\n", i/2), 0o644); err != nil {
				return fmt.Errorf("making the input: %w", err)
			}
			s.files = append(s.files, file)
		} else {
			s.sinks = append(s.sinks, filepath.Join(dir, fmt.Sprintf("%d.out", i/2)))
		}
		s.names = append(s.names, s.e.name("connector"))
	}
	return nil
}

// topic is a source's, or a sink's, by its number among its kind.
func (s *scaled) topic(i int) string { return s.topics[i%len(s.topics)] }

func (s *scaled) create(ctx context.Context, m metrics) error {
	begin := time.Now()
	err := createAll(ctx, s.workers, s.n, func(i int) (string, map[string]string) {
		if i%2 == 0 {
			return s.names[i], fileSource(s.files[i/2], s.topic(i/2))
		}
		return s.names[i], fileSink(s.sinks[i/2], s.topic(i/2))
	})
	if err != nil {
		return err
	}
	m["created"] = time.Since(begin).Seconds()
	fmt.Printf("  %d connectors created after %.2f s\n", s.n, m["created"])
	one, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	if err := s.allRun(one, s.n, statusEvery); err != nil {
		return err
	}
	m["running"] = time.Since(begin).Seconds()
	fmt.Printf("  all running after %.2f s\n", m["running"])
	// The lines may have come before the last status did.
	if err := s.arrived(ctx); err != nil {
		return err
	}
	m["moved"] = time.Since(begin).Seconds()
	return nil
}

// works checks that each source's line came once: nothing runs twice.
func (s *scaled) works(ctx context.Context, _ metrics) error {
	ends, err := s.e.admin.ListEndOffsets(ctx, s.topics...)
	if err != nil {
		return fmt.Errorf("counting what the sources wrote: %w", err)
	}
	for i, topic := range s.topics {
		end, ok := ends.Lookup(topic, 0)
		if want := s.sourcesOf(i); !ok || end.Err != nil || end.Offset != int64(want) {
			return fmt.Errorf("topic %s holds %d records of %d sources: a line was written twice", topic, end.Offset, want)
		}
	}
	return nil
}

// sourcesOf is how many write to a topic.
func (s *scaled) sourcesOf(topic int) (n int) {
	for i := range s.files {
		if i%len(s.topics) == topic {
			n++
		}
	}
	return n
}

// arrived waits until each sink's file has a line of each source of its topic.
func (s *scaled) arrived(ctx context.Context) error {
	done := make([]bool, len(s.sinks))
	for {
		missing := ""
		left := 0
		for i, file := range s.sinks {
			if done[i] {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("reading a sink's file: %w", err)
			}
			want := s.sourcesOf(i % len(s.topics))
			if got := bytes.Count(text, []byte{'\n'}); got < want {
				left++
				missing = fmt.Sprintf("that of %s has %d of %d lines", s.names[2*i+1], got, want)
				continue
			}
			done[i] = true
		}
		if left == 0 {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for the lines in the sinks' files: %d of %d lack some, %s: %w", left, len(s.sinks), missing, err)
		}
	}
}

func (s *scaled) idle(ctx context.Context, m metrics) error {
	if err := s.calm(ctx); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	var err error
	if m["idlecpu"], err = s.busiest(ctx, scaleIdle); err != nil {
		return err
	}
	m["resident"] = s.most(func(w *worker) float64 { return residentMB(w.proc.PID()) })
	m["goroutines"] = s.most(func(w *worker) float64 { return math.Round(w.goroutines(ctx)) })
	owners, err := s.owners(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("  idle CPU of the busiest %s %%, resident at most %s MB; the tasks are spread %v\n", number(m["idlecpu"]), number(m["resident"]), s.counts(owners))
	return s.ended()
}

// sample are the numbers of some sources that a worker runs, spread over all of them.
func (s *scaled) sample(owners map[unitKey]int, worker int) []int {
	var all []int
	for i := range s.files {
		if at, ok := owners[unitKey{s.names[2*i], 0}]; ok && at == worker {
			all = append(all, i)
		}
	}
	var out []int
	n := min(scaleSample, len(all))
	for i := range n {
		out = append(out, all[i*len(all)/n])
	}
	return out
}

// kill ends the worker that came second, and waits for what it ran to run elsewhere:
// by the records and by the statuses, at the same time.
func (s *scaled) kill(ctx context.Context, m metrics) error {
	const victim = 1
	owners, err := s.owners(ctx)
	if err != nil {
		return err
	}
	sample := s.sample(owners, victim)
	if len(sample) == 0 {
		return fmt.Errorf("worker %d runs no source", victim+1)
	}
	fmt.Printf("  killing worker %d, which runs %d tasks\n", victim+1, s.counts(owners)[victim])
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.e.addr), kgo.ConsumeTopics(s.topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return fmt.Errorf("making a client for %s: %w", s.e.addr, err)
	}
	defer cl.Close()

	dead := s.workers[victim]
	begin := time.Now()
	dead.proc.Kill()
	dead.close()
	s.workers = slices.Delete(s.workers, victim, victim+1)
	want := map[string]bool{}
	for _, i := range sample {
		text := fmt.Sprintf("second of %d", i)
		want[text] = true
		if err := appendLine(s.files[i], text); err != nil {
			return err
		}
	}
	type outcome struct {
		took []float64
		err  error
	}
	records := make(chan outcome, 1)
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with both; what it says is read below
		took, err := firstOf(both, cl, want, begin)
		records <- outcome{took, err}
	}()
	err = s.allRun(both, s.n, statusEvery)
	m["back"] = time.Since(begin).Seconds()
	if err != nil {
		cancel()
	} else {
		fmt.Printf("  all running elsewhere after %.2f s, by the statuses\n", m["back"])
	}
	got := <-records
	if err := errors.Join(err, got.err); err != nil {
		return err
	}
	m["first"], _, m["last"], _ = spread(got.took)
	m["after"] = s.most(func(w *worker) float64 { return residentMB(w.proc.PID()) })
	return s.ended()
}

// firstOf waits for records with each of the texts, and returns how long that took
// from begin.
func firstOf(ctx context.Context, cl *kgo.Client, want map[string]bool, begin time.Time) (took []float64, err error) {
	all := len(want)
	for len(want) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return took, fmt.Errorf("waiting for the first records after the kill: %d of %d moved sources have written none: %w", len(want), all, ctx.Err())
		}
		if err := fetches.Err(); err != nil {
			return took, fmt.Errorf("waiting for the first records after the kill: %w", err)
		}
		t := time.Since(begin).Seconds()
		fetches.EachRecord(func(r *kgo.Record) {
			if text := string(r.Value); want[text] {
				delete(want, text)
				took = append(took, t)
			}
		})
	}
	return took, nil
}

// appendLine adds a line to a file.
func appendLine(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("writing a line: %w", err)
	}
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing a line: %w", err)
	}
	return nil
}
