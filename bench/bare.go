package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bareCommand makes this program run the bare client: as a process of its own
// its CPU time and memory can be measured like a worker's.
const bareCommand = "bare-client"

// bareMain is `bench bare-client produce|consume addr topic file count`.
func bareMain(args []string) int {
	err := func() error {
		if len(args) != 5 {
			return errors.New("want produce|consume addr topic file count")
		}
		count, err := strconv.Atoi(args[4])
		if err != nil {
			return fmt.Errorf("reading the count: %w", err)
		}
		if args[0] == "produce" {
			return bareProduce(context.Background(), args[1], args[2], args[3])
		}
		return bareConsume(context.Background(), args[1], args[2], args[3], count)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: bare client:", err)
		return 1
	}
	// The parent reads /proc before it closes our standard input.
	fmt.Println("done")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// slabRecords is how many records are allocated at once.
const slabRecords = 1000

// bareProduce sends every line of the file, as fast as the client takes them.
func bareProduce(ctx context.Context, addr, topic, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("opening the input: %w", err)
	}
	defer func() { _ = in.Close() }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000),
		// The topic is absent: without this the client may look for it again only
		// seconds after the broker made it.
		kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	defer cl.Close()

	var mu sync.Mutex
	var failed error
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			mu.Lock()
			failed = err
			mu.Unlock()
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	var slab []kgo.Record
	var text []byte
	for lines.Scan() {
		if len(slab) == 0 {
			slab, text = make([]kgo.Record, slabRecords), make([]byte, 0, slabRecords*(lineLength+1))
		}
		from := len(text)
		text = append(text, lines.Bytes()...)
		r := &slab[0]
		slab = slab[1:]
		r.Value = text[from:len(text):len(text)]
		cl.Produce(ctx, r, promise)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the input: %w", err)
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("flushing: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// bareConsume writes count values of a topic to a file, a line each.
func bareConsume(ctx context.Context, addr, topic, file string, count int) error {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("making the output: %w", err)
	}
	defer func() { _ = out.Close() }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	defer cl.Close()
	w := bufio.NewWriterSize(out, 256<<10)
	for n := 0; n < count; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("consuming: %w", err)
		}
		for r := range fetches.RecordsAll() {
			_, _ = w.Write(r.Value) // Flush tells
			_ = w.WriteByte('\n')
			n++
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return nil
}
