package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// countEvery is the pause between two counts at the destination, and so the
	// error of a measured time.
	countEvery = 5 * time.Millisecond
	// checkEvery is how often a wait asks whether the connector failed.
	checkEvery = time.Second
)

// env is what the rows share: the broker, the input and a folder.
type env struct {
	settings
	dir   string
	addr  string
	cl    *kgo.Client
	admin *kadm.Client
	// brokerPID is the broker's process, 0 when it was started elsewhere.
	brokerPID int

	names  int             // for names that no earlier run used
	inputs map[string]bool // files and topics that were made already

	plugins   string                // a directory more for plugin.path of Kafka Connect's workers; "": none
	classRuns map[string][]classRun // of the row classes, each arm's last
}

func newEnv(s settings, dir, addr string) (*env, error) {
	e := &env{settings: s, dir: dir, addr: addr, inputs: map[string]bool{}}
	if addr == "" { // no chosen row needs a broker
		return e, nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(100_000),
		// A topic that appears is to be seen at once.
		kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("making a client for %s: %w", addr, err)
	}
	e.cl, e.admin = cl, kadm.NewClient(cl)
	return e, nil
}

func (e *env) close() {
	if e.cl != nil {
		e.cl.Close()
	}
}

// othersSeconds is the CPU time that processes which are not ours have spent:
// the machine's, less our own, the broker's, and that of the workers, which are
// gone when a run ends. Only differences mean something. NaN when the broker is
// not ours either.
func (e *env) othersSeconds() float64 {
	broker := 0.0
	switch {
	case e.brokerPID != 0:
		broker = cpuSeconds(e.brokerPID)
	case e.addr != "":
		return nan
	}
	return busySeconds() - ourSeconds() - broker
}

// name returns a name for a topic, a group or a connector that is new to this
// broker, also when the broker outlives us.
func (e *env) name(kind string) string {
	e.names++
	return fmt.Sprintf("bench-%d-%s-%d", os.Getpid(), kind, e.names)
}

// inputFile is a file with the lines, made once.
func (e *env) inputFile(lines, length int) (string, error) {
	path := filepath.Join(e.dir, fmt.Sprintf("in-%d-%d", lines, length))
	if e.inputs[path] {
		return path, nil
	}
	if err := plain.writeFile(path, lines, length); err != nil {
		return "", err
	}
	e.inputs[path] = true
	return path, nil
}

// inputTopic is a topic of one partition with the lines in a form, made once.
func (e *env) inputTopic(ctx context.Context, f form, lines, length int) (string, error) {
	topic := fmt.Sprintf("bench-%d-in-%d-%d-%d", os.Getpid(), lines, length, len(f.before))
	if e.inputs[topic] {
		return topic, nil
	}
	if _, err := e.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return "", fmt.Errorf("creating topic %s: %w", topic, err)
	}
	var failed error // promises of one partition run one after the other
	err := f.each(lines, length, func(b []byte) error {
		e.cl.Produce(ctx, &kgo.Record{Topic: topic, Value: bytes.Clone(b)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
		return ctx.Err()
	})
	if err = errors.Join(err, e.cl.Flush(ctx)); err == nil {
		err = failed
	}
	if err != nil {
		return "", fmt.Errorf("filling topic %s: %w", topic, err)
	}
	e.inputs[topic] = true
	return topic, nil
}

// warmUp lets a new broker's JVM compile what the rows use, or the first rows
// would measure that.
func (e *env) warmUp(ctx context.Context) error {
	if e.brokerPID == 0 || e.quick {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	const lines, length = 1_000_000, lineLength - 1 // a topic of its own
	topic, err := e.inputTopic(ctx, plain, lines, length)
	if err != nil {
		return err
	}
	defer e.deleteTopic(topic)
	return plain.checkTopic(ctx, e.addr, topic, lines, length)
}

// deleteTopic frees the disk; what cannot be deleted only costs space.
func (e *env) deleteTopic(topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = e.admin.DeleteTopic(ctx, topic)
}

// waitTopic waits until a topic, which need not exist yet, holds n records.
func (e *env) waitTopic(ctx context.Context, topic string, n int64, check func(context.Context) error) error {
	return e.wait(ctx, n, check, func(ctx context.Context) int64 {
		ends, err := e.admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return 0
		}
		end, ok := ends.Lookup(topic, 0)
		if !ok || end.Err != nil {
			return 0
		}
		return end.Offset
	})
}

// waitFile waits until a file, which need not exist yet, holds size bytes. The
// lines are known, so their size counts them without reading.
func (e *env) waitFile(ctx context.Context, path string, size int64, check func(context.Context) error) error {
	return e.wait(ctx, size, check, func(context.Context) int64 {
		st, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return st.Size()
	})
}

func (e *env) wait(ctx context.Context, want int64, check func(context.Context) error, count func(context.Context) int64) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	checked := time.Now()
	for {
		got := count(ctx)
		if got >= want {
			return nil
		}
		if time.Since(checked) > checkEvery {
			if err := check(ctx); err != nil {
				return fmt.Errorf("at %d of %d: %w", got, want, err)
			}
			checked = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("at %d of %d: %w", got, want, ctx.Err())
		}
	}
}

// use is what a process used between two moments.
type use struct {
	seconds, cpuSeconds, peakMB float64
}

// runConnector starts a worker in a new group, POSTs the connector and measures
// until the destination is complete.
func (e *env) runConnector(ctx context.Context, arm string, config map[string]string, complete func(context.Context, func(context.Context) error) error) (use, error) {
	w, err := e.readyWorker(ctx, arm)
	if err != nil {
		return use{}, err
	}
	defer w.close()
	name := e.name("connector")
	cpu, begin := cpuSeconds(w.proc.PID()), time.Now()
	if err := w.create(ctx, name, config); err != nil {
		return use{}, err
	}
	if err := complete(ctx, func(ctx context.Context) error { return w.check(ctx, name) }); err != nil {
		return use{}, fmt.Errorf("waiting for the destination: %w; the end of the worker's log:\n%s", err, w.proc.Tail(10))
	}
	took := time.Since(begin)
	return use{took.Seconds(), cpuSeconds(w.proc.PID()) - cpu, peakMB(w.proc.PID())}, nil
}

// runBare does the same with the bare client in a process of its own. Its time
// includes the start of the process.
func (e *env) runBare(ctx context.Context, verb, topic, file string, lines int, complete func(context.Context, func(context.Context) error) error) (use, error) {
	self, err := os.Executable()
	if err != nil {
		return use{}, fmt.Errorf("finding this program: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // kills the client
	cmd := exec.CommandContext(ctx, self, bareCommand, verb, e.addr, topic, file, strconv.Itoa(lines))
	stdin, err := cmd.StdinPipe() // the client stays until this closes
	if err != nil {
		return use{}, fmt.Errorf("starting the bare client: %w", err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return use{}, fmt.Errorf("starting the bare client: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var early error
	err = complete(ctx, func(context.Context) error {
		select {
		case early = <-ended:
			return fmt.Errorf("the bare client ended: %w", errors.Join(early, errors.New(stderr.String())))
		default:
			return nil
		}
	})
	if err != nil {
		return use{}, err
	}
	u := use{time.Since(begin).Seconds(), cpuSeconds(cmd.Process.Pid), peakMB(cmd.Process.Pid)}
	_ = stdin.Close() // it may have ended
	select {
	case err := <-ended:
		if err != nil {
			return use{}, fmt.Errorf("the bare client: %w: %s", err, stderr.String())
		}
	case <-ctx.Done():
		return use{}, fmt.Errorf("waiting for the bare client: %w", ctx.Err())
	}
	return u, nil
}

// metrics are one run's figures by the names in the row.
type metrics map[string]float64

func (u use) metrics(lines int) metrics {
	return metrics{
		"rate": float64(lines) / u.seconds / 1000,
		"cpu":  u.cpuSeconds / float64(lines) * 1e6,
		"peak": u.peakMB,
	}
}

var nan = math.NaN()
