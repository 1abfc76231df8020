package main

import (
	"bytes"
	"context"
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

	"github.com/troupeio/troupe/internal/watch"
)

// clusterStream is the way of numbered lines through one task: from a file into a topic,
// or from a topic into a file.
type clusterStream struct {
	connector, topic, file string
	source                 bool
	partition              int32 // of a sink's topic

	// Under the load's lock.
	written  int   // lines that were written so far
	seen     []int // how often each line came
	mark     int   // lines from here on are new
	newAt    time.Time
	lastAt   time.Time // when a line came that had not come before
	gap      time.Duration
	gapEnded time.Time
	unknown  []string
}

// clusterLoad writes lines into streams at a steady pace and watches where they come out.
type clusterLoad struct {
	t       testing.TB
	all     []*clusterStream
	configs map[string]map[string]string

	mu    sync.Mutex
	broke error

	stopWriting, stopWatching context.CancelFunc
	writing, watching         sync.WaitGroup
}

const (
	wideTasks = 3
	lineEvery = 20 * time.Millisecond // in each stream
	lookEvery = 5 * time.Millisecond  // into the files of sinks
)

// newClusterLoad makes topics, files and configurations, and begins to write: for sources
// and sinks of one task each.
func newClusterLoad(t testing.TB, addr string, sources, sinks int) *clusterLoad {
	t.Helper()
	return newWideLoad(t, addr, sources, sinks, 0)
}

// newWideLoad has wide sinks as well, of three tasks each, which share a file and have a
// partition each.
func newWideLoad(t testing.TB, addr string, sources, sinks, wide int) *clusterLoad {
	t.Helper()
	dir := t.TempDir()
	l := &clusterLoad{t: t, configs: make(map[string]map[string]string)}
	add := func(s *clusterStream, config map[string]string) {
		createTopic(t, addr, s.topic, 1)
		l.all = append(l.all, s)
		l.configs[s.connector] = config
	}
	prefix := unique("load")
	for i := range sources {
		name := fmt.Sprintf("%s-source%d", prefix, i)
		s := &clusterStream{connector: name, topic: name, file: filepath.Join(dir, name), source: true}
		add(s, fileSource(name, s.file, name))
	}
	for i := range sinks {
		name := fmt.Sprintf("%s-sink%d", prefix, i)
		s := &clusterStream{connector: name, topic: name, file: filepath.Join(dir, name)}
		add(s, fileSink(name, s.file, name))
	}
	for i := range wide {
		name := fmt.Sprintf("%s-wide%d", prefix, i)
		createTopic(t, addr, name, wideTasks)
		for p := range int32(wideTasks) {
			l.all = append(l.all, &clusterStream{connector: name, topic: name, file: filepath.Join(dir, name), partition: p})
		}
		l.configs[name] = fileSink(name, filepath.Join(dir, name), name, "tasks.max", strconv.Itoa(wideTasks))
	}
	l.begin(addr)
	return l
}

// begin begins to write and to watch; both end with the test.
func (l *clusterLoad) begin(addr string) {
	var topics []string
	inputs := make(map[*clusterStream]*os.File)
	for _, s := range l.all {
		if !s.source {
			continue
		}
		topics = append(topics, s.topic)
		f, err := os.OpenFile(s.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { _ = f.Close() })
		inputs[s] = f
	}
	var write, watch context.Context
	write, l.stopWriting = context.WithCancel(context.Background())
	watch, l.stopWatching = context.WithCancel(context.Background())
	producer := kafkaClient(l.t, addr, kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	l.writing.Go(func() { l.write(write, producer, inputs) })
	if len(topics) > 0 {
		consumer := kafkaClient(l.t, addr, kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second))
		l.watching.Go(func() { l.consume(watch, consumer) })
	}
	l.watching.Go(func() { l.tail(watch) })
	l.t.Cleanup(func() {
		l.stopWriting()
		l.writing.Wait()
		l.stopWatching()
		l.watching.Wait()
	})
}

func (l *clusterLoad) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broke == nil {
		l.broke = err
	}
}

func (l *clusterLoad) write(ctx context.Context, cl *kgo.Client, inputs map[*clusterStream]*os.File) {
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err := cl.Flush(context.Background()); err != nil {
				l.fail(err)
			}
			return
		}
		for _, s := range l.all {
			text := fmt.Sprintf("line %d %07d", s.partition, n)
			// Before it is written: it may come out at once.
			l.mu.Lock()
			s.written = n + 1
			l.mu.Unlock()
			if s.source {
				if _, err := inputs[s].WriteString(text + "\n"); err != nil {
					l.fail(err)
					return
				}
				continue
			}
			cl.Produce(context.Background(), &kgo.Record{Topic: s.topic, Partition: s.partition, Value: []byte(text)}, func(_ *kgo.Record, err error) {
				if err != nil {
					l.fail(err)
				}
			})
		}
	}
}

func (l *clusterLoad) consume(ctx context.Context, cl *kgo.Client) {
	byTopic := make(map[string]*clusterStream)
	for _, s := range l.all {
		if s.source {
			byTopic[s.topic] = s
		}
	}
	for ctx.Err() == nil {
		f := cl.PollFetches(ctx)
		now := time.Now()
		l.mu.Lock()
		f.EachRecord(func(r *kgo.Record) { byTopic[r.Topic].came(string(r.Value), now) })
		l.mu.Unlock()
	}
}

func (l *clusterLoad) tail(ctx context.Context) {
	byFile := make(map[string][]*clusterStream) // by partition
	for _, s := range l.all {
		if !s.source {
			byFile[s.file] = append(byFile[s.file], s)
		}
	}
	err := watch.Lines(ctx, slices.Collect(maps.Keys(byFile)), lookEvery, func(file string, lines [][]byte, now time.Time) {
		of := byFile[file]
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, line := range lines {
			s := of[0]
			if p := bytes.TrimPrefix(line, []byte("line ")); len(p) > 0 && int(p[0]-'0') < len(of) {
				s = of[p[0]-'0']
			}
			s.came(string(line), now)
		}
	})
	if err != nil {
		l.fail(err)
	}
}

// came counts a line that has come out.
func (s *clusterStream) came(text string, now time.Time) {
	digits, ok := strings.CutPrefix(text, fmt.Sprintf("line %d ", s.partition))
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n >= s.written || len(digits) != 7 {
		s.unknown = append(s.unknown, text)
		return
	}
	for len(s.seen) <= n {
		s.seen = append(s.seen, 0)
	}
	s.seen[n]++
	if s.seen[n] > 1 {
		return
	}
	if gap := now.Sub(s.lastAt); !s.lastAt.IsZero() && gap > s.gap {
		s.gap, s.gapEnded = gap, now
	}
	s.lastAt = now
	if n >= s.mark && s.newAt.IsZero() {
		s.newAt = now
	}
}

// markNow makes new what is written from now on, and forgets the gaps so far.
func (l *clusterLoad) markNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		s.mark, s.newAt, s.gap, s.gapEnded = s.written, time.Time{}, 0, time.Time{}
	}
}

// waitNew waits until something that was written after the mark has come out of each of
// the streams of these connectors, nil for all, and returns when, counted from begin.
func (l *clusterLoad) waitNew(of map[string]bool, begin time.Time) map[string]time.Duration {
	l.t.Helper()
	out := make(map[string]time.Duration)
	eventually(l.t, func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.broke != nil {
			return l.broke.Error()
		}
		for _, s := range l.all {
			if of != nil && !of[s.connector] {
				continue
			}
			if s.newAt.IsZero() {
				return "nothing new has come out of " + s.connector
			}
			out[s.connector] = max(out[s.connector], s.newAt.Sub(begin))
		}
		return ""
	})
	return out
}

// settleGaps waits until each stream has brought something that is written from now
// on, so that a pause that is under way counts in full, and keeps the older mark's gaps.
func (l *clusterLoad) settleGaps() {
	l.t.Helper()
	l.mu.Lock()
	for _, s := range l.all {
		s.mark, s.newAt = s.written, time.Time{}
	}
	l.mu.Unlock()
	l.waitNew(nil, time.Now())
}

// gaps are the longest pauses of the streams since the mark, of those that still pause too.
func (l *clusterLoad) gaps() map[string]time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]time.Duration)
	for _, s := range l.all {
		out[s.connector] = max(out[s.connector], s.gap, time.Since(s.lastAt))
	}
	return out
}

// finish ends the writing, wants every line to have come out, and returns how many came
// and how many of those more than once.
func (l *clusterLoad) finish() (lines, again int) {
	l.t.Helper()
	l.stopWriting()
	l.writing.Wait()
	eventually(l.t, func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.broke != nil {
			return l.broke.Error()
		}
		lines, again = 0, 0
		for _, s := range l.all {
			missing := s.written - len(s.seen)
			first := len(s.seen)
			for n, times := range s.seen {
				if times == 0 {
					missing++
					first = min(first, n)
				}
				again += max(0, times-1)
			}
			if missing > 0 {
				return fmt.Sprintf("%d of %d lines of %s have not come, the first is %d", missing, s.written, s.connector, first)
			}
			lines += s.written
		}
		return ""
	})
	for _, s := range l.all {
		if len(s.unknown) > 0 {
			l.t.Errorf("out of %s came what was never written: %q", s.connector, s.unknown[:min(5, len(s.unknown))])
		}
	}
	return lines, again
}

// figures prints durations in order: smallest, median, largest.
func figures[K comparable](m map[K]time.Duration) string {
	var v []time.Duration
	for _, d := range m {
		v = append(v, d.Round(time.Millisecond))
	}
	if len(v) == 0 {
		return "none"
	}
	slices.Sort(v)
	return fmt.Sprintf("%d: least %v, median %v, worst %v", len(v), v[0], v[len(v)/2], v[len(v)-1])
}

func worst[K comparable](m map[K]time.Duration) (w time.Duration) {
	for _, d := range m {
		w = max(w, d)
	}
	return w
}
