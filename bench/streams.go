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
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/watch"
)

const (
	// streamEvery is the pause between two lines of a stream, and so the error of
	// the times that are taken from it.
	streamEvery = 50 * time.Millisecond
	// tailEvery is the pause between two looks at the sinks' files.
	tailEvery = 5 * time.Millisecond
)

// stream is what exactly one task moves: the lines of a source's file, or the
// records of one partition of a sink's topic. Each carries its number.
type stream struct {
	connector string
	topic     string
	file      string
	source    bool
	partition int32

	// The rest is guarded by streams.mu.
	written int64
	seen    []uint8   // how often each number came
	mark    int64     // numbers from here on are new
	at      time.Time // when the first new one came; zero: not yet
	last    time.Time // when a number higher than all before came
	gap     time.Duration
	times   []time.Time // when each number higher than all before came, since recordNow
}

func (s *stream) String() string {
	if s.source {
		return "source " + s.connector
	}
	return fmt.Sprintf("sink %s, partition %d", s.connector, s.partition)
}

// came counts a number at its destination.
func (s *stream) came(n int64, now time.Time) {
	if n >= int64(len(s.seen)) {
		if !s.last.IsZero() {
			s.gap = max(s.gap, now.Sub(s.last))
		}
		s.last = now
		for range n + 1 - int64(len(s.seen)) {
			s.times = append(s.times, now)
		}
	}
	for int64(len(s.seen)) <= n {
		s.seen = append(s.seen, 0)
	}
	if s.seen[n] < 255 {
		s.seen[n]++
	}
	if n >= s.mark && s.at.IsZero() {
		s.at = now
	}
}

// streams writes all streams at their sources and watches their destinations, from
// start to close.
type streams struct {
	mu    sync.Mutex
	all   []*stream
	torn  int   // lines that could not be read
	broke error // the first failure of a loop

	stop    context.CancelFunc
	loops   sync.WaitGroup
	clients []*kgo.Client
	files   []*os.File
}

// startStreams begins to write and to watch. The topics are there.
func startStreams(ctx context.Context, addr string, all []*stream) (_ *streams, err error) {
	ctx, stop := context.WithCancel(ctx)
	t := &streams{all: all, stop: stop}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	// A broker that is busy says of a topic that was just made that it has none.
	writer, err := t.client(addr, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1))
	if err != nil {
		return nil, err
	}
	inputs := map[*stream]*os.File{}
	byTopic, byFile := map[string]*stream{}, map[string][]*stream{}
	var topics []string
	for _, s := range all {
		if !s.source {
			byFile[s.file] = append(byFile[s.file], s)
			continue
		}
		f, err := os.OpenFile(s.file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, fmt.Errorf("making the input: %w", err)
		}
		t.files = append(t.files, f)
		inputs[s], byTopic[s.topic] = f, s
		topics = append(topics, s.topic)
	}
	reader, err := t.client(addr, kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	for _, loop := range []func() error{
		func() error { return t.write(ctx, writer, inputs) },
		func() error { return t.consume(ctx, reader, byTopic) },
		func() error { return t.tail(ctx, byFile) },
	} {
		t.loops.Go(func() {
			if err := loop(); err != nil && ctx.Err() == nil {
				t.fail(err)
			}
		})
	}
	return t, nil
}

func (t *streams) client(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		return nil, fmt.Errorf("making a client for %s: %w", addr, err)
	}
	t.clients = append(t.clients, cl)
	return cl, nil
}

func (t *streams) close() {
	t.stop()
	t.loops.Wait()
	for _, cl := range t.clients {
		cl.Close()
	}
	for _, f := range t.files {
		_ = f.Close()
	}
}

func (t *streams) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broke == nil {
		t.broke = err
	}
}

// write adds a line to each stream at every tick.
func (t *streams) write(ctx context.Context, cl *kgo.Client, inputs map[*stream]*os.File) error {
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		for _, s := range t.all {
			text := fmt.Appendf(nil, "%d ", s.partition)
			text = append(text, line(nil, i, lineLength)...)
			if s.source {
				if _, err := inputs[s].Write(append(text, '\n')); err != nil {
					return fmt.Errorf("writing a line: %w", err)
				}
			} else {
				cl.Produce(ctx, &kgo.Record{Topic: s.topic, Partition: s.partition, Value: text}, func(_ *kgo.Record, err error) {
					if err != nil && ctx.Err() == nil {
						t.fail(fmt.Errorf("filling topic %s: %w", s.topic, err))
					}
				})
			}
			t.mu.Lock()
			s.written = int64(i) + 1
			t.mu.Unlock()
		}
	}
}

// lineNumber reads the partition and the number that write put in front of a line.
func lineNumber(text []byte) (partition int32, n int64, ok bool) {
	first, rest, ok1 := bytes.Cut(text, []byte{' '})
	second, rest, ok2 := bytes.Cut(rest, []byte{' '})
	p, err1 := strconv.ParseInt(string(first), 10, 32)
	n, err2 := strconv.ParseInt(string(second), 10, 64)
	whole := len(second)+1+len(rest) == lineLength
	return int32(p), n, ok1 && ok2 && whole && err1 == nil && err2 == nil && n >= 0
}

// arrived counts a line at the destination of some streams.
func (t *streams) arrived(of []*stream, text []byte, now time.Time) {
	p, n, ok := lineNumber(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range of {
		if ok && s.partition == p && n <= s.written {
			s.came(n, now)
			return
		}
	}
	t.torn++
}

// consume watches the sources' topics.
func (t *streams) consume(ctx context.Context, cl *kgo.Client, byTopic map[string]*stream) error {
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("watching the sources' topics: %w", err)
		}
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) { t.arrived([]*stream{byTopic[r.Topic]}, r.Value, now) })
	}
	return nil
}

// tail watches the sinks' files, which need not exist yet.
func (t *streams) tail(ctx context.Context, byFile map[string][]*stream) error {
	return watch.Lines(ctx, slices.Collect(maps.Keys(byFile)), tailEvery, func(file string, lines [][]byte, at time.Time) {
		for _, text := range lines {
			t.arrived(byFile[file], text, at)
		}
	})
}

// markNow makes new what is written from now on.
func (t *streams) markNow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		s.mark, s.at = s.written, time.Time{}
	}
}

// gapsNow forgets the longest gaps.
func (t *streams) gapsNow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		s.gap = 0
	}
}

// wait waits until something new has come in each of the streams, and returns how
// long that took from begin, in their order.
func (t *streams) wait(ctx context.Context, of []*stream, begin time.Time) ([]time.Duration, error) {
	for {
		took, missing, err := t.look(of, begin)
		if err != nil || len(missing) == 0 {
			return took, err
		}
		if err := pause(ctx, countEvery); err != nil {
			return nil, fmt.Errorf("%d of %d streams have nothing new, among them %s: %w", len(missing), len(of), missing[0], err)
		}
	}
}

func (t *streams) look(of []*stream, begin time.Time) (took []time.Duration, missing []*stream, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range of {
		if s.at.IsZero() {
			missing = append(missing, s)
		}
		took = append(took, s.at.Sub(begin))
	}
	return took, missing, t.broke
}

// again counts how often a line that is new came when it had come before, and names one.
// While nobody is killed that says that two tasks move the same, and a takeover that has
// always been there takes no time.
func (t *streams) again() (n int, which string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		for i := s.mark; i < int64(len(s.seen)); i++ {
			if s.seen[i] > 1 {
				n += int(s.seen[i]) - 1
				which = fmt.Sprintf("%s: line %d came %d times", s, i, s.seen[i])
			}
		}
	}
	return n, which
}

// complete checks that nothing before the last line of each stream was lost. Lines
// that cannot be read are told: two tasks that append to one file may tear some.
func (t *streams) complete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		for i, n := range s.seen {
			if n == 0 {
				return fmt.Errorf("%s: line %d of %d was lost (%d lines of all streams could not be read)", s, i, len(s.seen), t.torn)
			}
		}
	}
	return nil
}

// longestGap is the longest time without anything new in any stream since gapsNow,
// the one that lasts included.
func (t *streams) longestGap() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var longest time.Duration
	for _, s := range t.all {
		longest = max(longest, s.gap)
		if !s.last.IsZero() {
			longest = max(longest, time.Since(s.last))
		}
	}
	return longest
}

// sinkFile is where the sink of a connector appends.
func sinkFile(dir, connector string) string { return filepath.Join(dir, connector+".out") }
