package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	latencyLines = 300 // 30 s; the 99th percentile is the third worst
	quickLatency = 30
	latencyEvery = 100 * time.Millisecond
	// latencyWarm lines go first and are not counted: the topic, the producer
	// and the JIT come to be.
	latencyWarm = 20
)

// runLatency appends a line at a time to a file that a connector reads, and
// takes the time until a consumer has it.
func runLatency(ctx context.Context, e *env, arm string) (metrics, error) {
	w, err := e.readyWorker(ctx, arm)
	if err != nil {
		return nil, err
	}
	defer w.close()
	topic, name := e.name("topic"), e.name("connector")
	if _, err := e.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", topic, err)
	}
	defer e.deleteTopic(topic)
	file, err := os.Create(filepath.Join(e.dir, name))
	if err != nil {
		return nil, fmt.Errorf("making the input: %w", err)
	}
	defer func() { _ = file.Close() }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.addr), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	defer cl.Close()
	if err := w.create(ctx, name, fileSource(file.Name(), topic)); err != nil {
		return nil, err
	}

	n := latencyLines
	if e.quick {
		n = quickLatency
	}
	n += latencyWarm
	// The file is written at its own pace, whether lines arrive or not, or a
	// stall would hide the wait of the lines behind it.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	written := make(chan time.Time, n)
	writer := make(chan error, 1)
	go func() {
		tick := time.NewTicker(latencyEvery)
		defer tick.Stop()
		var buf []byte
		for i := range n {
			select {
			case <-tick.C:
			case <-ctx.Done():
				writer <- ctx.Err()
				return
			}
			buf = append(line(buf, i, lineLength), '\n')
			written <- time.Now()
			if _, err := file.Write(buf); err != nil {
				writer <- fmt.Errorf("writing a line: %w", err)
				cancel()
				return
			}
		}
		writer <- nil
	}()
	var took []time.Duration
	for len(took) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			cancel()
			return nil, fmt.Errorf("after %d of %d lines: %w (writer: %v)", len(took), n, err, <-writer) //nolint:errorlint // the writer may have ended well: nil
		}
		now := time.Now()
		fetches.EachRecord(func(*kgo.Record) {
			if len(took) < n {
				took = append(took, now.Sub(<-written))
			}
		})
	}
	if err := <-writer; err != nil {
		return nil, err
	}
	took = took[latencyWarm:]
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(len(took)-1, int(q*float64(len(took))))].Microseconds()) / 1000
	}
	return metrics{"p50": at(0.5), "p99": at(0.99)}, nil
}
