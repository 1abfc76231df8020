package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// troupeKills is the number behind the design's "worst of 20". Kafka
	// Connect is killed once: with its defaults that takes five minutes.
	troupeKills = 20
	quickKills  = 2
	// failoverTimeout covers one kill of Kafka Connect with its defaults, a
	// session of 10 s and a delay of 300 s, with room for the rest.
	failoverTimeout = 10 * time.Minute
	// failoverEvery is the pause between two lines, and so the error of the
	// measured time.
	failoverEvery = 20 * time.Millisecond
	// settle is the pause between a worker's return and the next kill: a group
	// that still moves is another story.
	settle = 2 * time.Second
	// watch is how long the lines are then counted: one that comes twice while
	// nobody is killed says that both workers run the task, and a takeover
	// that has always been there takes no time.
	watch = time.Second
)

// noDelay is how Kafka Connect is told to move a lost worker's tasks at once.
var noDelay = map[string]string{"scheduled.rebalance.max.delay.ms": "0"}

// failover kills, of two workers, the one that runs the task, and takes the time
// until a line that was written after the kill is in the topic.
func failover(props map[string]string) func(context.Context, *env, string) (metrics, error) {
	return func(ctx context.Context, e *env, arm string) (metrics, error) {
		kills := 1
		switch {
		case arm == armTroupe && e.quick:
			kills = quickKills
		case arm == armTroupe:
			kills = troupeKills
		}
		f, err := e.startFailover(ctx, arm, props)
		if err != nil {
			return nil, err
		}
		defer f.close()
		var took []float64
		for range kills {
			d, err := f.kill(ctx)
			if err != nil {
				return nil, fmt.Errorf("after %d kills: %w", len(took), err)
			}
			took = append(took, d.Seconds())
		}
		if err := f.complete(); err != nil {
			return nil, err
		}
		median, _, worst, _ := spread(took)
		return metrics{"median": median, "worst": worst}, nil
	}
}

// pair is two workers of one group that run one file source.
type pair struct {
	e          *env
	arm, group string
	props      map[string]string
	name       string
	workers    []*worker
	consumer   *kgo.Client
	written    atomic.Int64 // lines in the file
	stop       context.CancelFunc
	done       chan struct{} // closed when the writer of the file has ended
	topic      string
	seen       []int // how often each line came, by its number
}

func (e *env) startFailover(ctx context.Context, arm string, props map[string]string) (_ *pair, err error) {
	f := &pair{e: e, arm: arm, group: e.name("group"), props: props, done: make(chan struct{})}
	path := filepath.Join(e.dir, f.group)
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making the input: %w", err)
	}
	writing, stop := context.WithCancel(ctx)
	f.stop = stop
	go f.write(writing, file)
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	for range 2 {
		if err := f.join(ctx); err != nil {
			return nil, err
		}
	}
	if err := f.place(ctx, path); err != nil {
		return nil, err
	}
	f.consumer, err = kgo.NewClient(kgo.SeedBrokers(e.addr), kgo.ConsumeTopics(f.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return f, nil
}

// placements is how many connectors are tried; the second is on the other worker
// already, by load.
const placements = 4

// place creates a connector whose task is on the right worker. With Kafka
// Connect that is the one that joined second: the first leads the group, and
// when the leader is lost its successor, who knows of no earlier assignment,
// does not wait for scheduled.rebalance.max.delay.ms. That would be another
// story than the one that the setting tells. A connector on the wrong worker
// stays and keeps the place.
func (f *pair) place(ctx context.Context, path string) error {
	for range placements {
		f.name, f.topic = f.e.name("connector"), f.e.name("topic")
		if _, err := f.e.admin.CreateTopic(ctx, 1, 1, nil, f.topic); err != nil {
			return fmt.Errorf("creating topic %s: %w", f.topic, err)
		}
		if err := f.workers[0].create(ctx, f.name, fileSource(path, f.topic)); err != nil {
			return err
		}
		at, err := f.owner(ctx)
		if err != nil {
			return err
		}
		if f.arm != armConnect || at == 1 {
			return nil
		}
	}
	return fmt.Errorf("placing the task on the second worker: %d are on the first", placements)
}

// write appends a line every now and then until ctx ends.
func (f *pair) write(ctx context.Context, file *os.File) {
	defer close(f.done)
	defer func() { _ = file.Close() }()
	tick := time.NewTicker(failoverEvery)
	defer tick.Stop()
	var buf []byte
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		buf = append(line(buf, i, lineLength), '\n')
		if _, err := file.Write(buf); err != nil {
			return // no more lines: the wait for one runs into its deadline
		}
		f.written.Add(1)
	}
}

// join adds a worker to the group.
func (f *pair) join(ctx context.Context) error {
	w, err := f.e.startWorker(ctx, f.arm, f.group, f.props)
	if err != nil {
		return err
	}
	f.workers = append(f.workers, w)
	return w.waitReady(ctx)
}

func (f *pair) close() {
	f.stop()
	<-f.done
	for _, w := range f.workers {
		w.close()
	}
	if f.consumer != nil {
		f.consumer.Close()
	}
	f.e.deleteTopic(f.topic)
}

// kill ends the worker that runs the task, waits for the other to take over,
// and brings the group back to two.
func (f *pair) kill(ctx context.Context) (time.Duration, error) {
	if err := f.sees(ctx, f.written.Load()); err != nil {
		return 0, err
	}
	if err := pause(ctx, settle); err != nil {
		return 0, err
	}
	if err := f.runsOnce(ctx); err != nil {
		return 0, err
	}
	at, err := f.owner(ctx)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	f.workers[at].proc.Kill()
	if err := f.sees(ctx, f.written.Load()); err != nil {
		return 0, fmt.Errorf("waiting for the other worker to take over: %w; the end of its log:\n%s", err, f.workers[1-at].proc.Tail(10))
	}
	took := time.Since(begin)
	f.workers[at].close()
	f.workers = slices.Delete(f.workers, at, at+1)
	return took, f.join(ctx)
}

// runsOnce watches for a while that no line comes twice.
func (f *pair) runsOnce(ctx context.Context) error {
	from := int(f.written.Load())
	if err := pause(ctx, watch); err != nil {
		return err
	}
	to := f.written.Load()
	if err := f.sees(ctx, to); err != nil {
		return err
	}
	// The copy of another worker may be a little behind.
	if err := f.sees(ctx, f.written.Load()+1); err != nil {
		return err
	}
	for i, n := range f.seen[from:to] {
		if n > 1 {
			return fmt.Errorf("line %d came %d times while nobody was killed: two workers run the task", from+i, n)
		}
	}
	return nil
}

// complete checks that no line before the last one was lost.
func (f *pair) complete() error {
	for i, n := range f.seen {
		if n == 0 {
			return fmt.Errorf("line %d of %d was lost", i, len(f.seen))
		}
	}
	return nil
}

// sees waits until the topic holds line number n or a later one.
func (f *pair) sees(ctx context.Context, n int64) error {
	for found := false; !found; {
		fetches := f.consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("waiting for line %d: %w", n, err)
		}
		for r := range fetches.RecordsAll() {
			number, _, _ := strings.Cut(string(r.Value), " ")
			i, err := strconv.ParseInt(number, 10, 64)
			if err != nil || i < 0 || i > f.written.Load() {
				return fmt.Errorf("reading the topic: a line that we did not write: %q", r.Value)
			}
			for int64(len(f.seen)) <= i {
				f.seen = append(f.seen, 0)
			}
			f.seen[i]++
			found = found || i >= n
		}
	}
	return nil
}

// owner is the index of the worker that runs the task.
func (f *pair) owner(ctx context.Context) (int, error) {
	for {
		var s struct {
			Tasks []struct {
				State    string
				WorkerID string `json:"worker_id"`
			}
		}
		code, answer, err := f.workers[0].do(ctx, http.MethodGet, "/connectors/"+f.name+"/status", nil)
		if err != nil {
			return 0, err
		}
		if code == http.StatusOK {
			if err := json.Unmarshal(answer, &s); err != nil {
				return 0, fmt.Errorf("reading the status: %w", err)
			}
		}
		for i, w := range f.workers {
			if len(s.Tasks) == 1 && s.Tasks[0].State == "RUNNING" && strings.HasSuffix(w.url, "/"+s.Tasks[0].WorkerID) {
				return i, nil
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, errors.Join(fmt.Errorf("waiting for the task to run on one of our workers; the last answer: %s", answer), err)
		}
	}
}
