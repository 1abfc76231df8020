package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// deleteTopic deletes a topic under whoever uses it.
func deleteTopic(t testing.TB, addr, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(kafkaClient(t, addr)).DeleteTopic(soon(t), topic); err != nil {
		t.Fatalf("deleting topic %s: %v", topic, err)
	}
}

const (
	saysRebuild  = "A part of the worker failed; stores, herder and worker are made again"
	saysRunAgain = "The worker runs again"
)

// waitLogTimes waits until the log says something for the n-th time.
func (p *process) waitLogTimes(n int, text string) {
	p.t.Helper()
	eventually(p.t, func() string {
		if got := strings.Count(p.log(), text); got < n {
			return fmt.Sprintf("the log says %q %d times, want %d:\n%s", text, got, n, tailOf(p.Process))
		}
		return ""
	})
}

// TestStoreFails deletes an internal topic under a running worker: what hangs on it is
// made again, the connectors run again, and REST is there all the time.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	onBothBrokers(t, func(t *testing.T, addr string) {
		for _, topic := range []string{"status.storage.topic", "offset.storage.topic"} {
			t.Run(topic, func(t *testing.T) {
				t.Parallel()
				props := distributedProps(t, addr)
				w := startWorker(t, props)
				s := newBystanders(w)
				s.moves(t)
				asked := make(chan error, 1)
				stop := make(chan struct{})
				go func() { // a client that knows nothing of it
					for {
						code, text, err := w.try("GET", "/connectors", nil)
						if err != nil || code != 200 || !strings.Contains(text, s.name) {
							asked <- fmt.Errorf("the list of connectors is %d %s %w", code, text, err)
							return
						}
						select {
						case <-stop:
							asked <- nil
							return
						case <-time.After(10 * time.Millisecond):
						}
					}
				}()
				deleteTopic(t, addr, props[topic])
				w.waitLog(saysRebuild, "it was deleted", saysRunAgain)
				for _, name := range []string{s.name, s.name + "-sink"} {
					w.waitState(name, "RUNNING RUNNING")
				}
				s.moves(t)
				close(stop)
				if err := <-asked; err != nil {
					t.Error(err)
				}
				w.rest(204, "DELETE", at(s.name), nil) // writes go through, too
				if text := w.rest(200, "GET", "/health", nil); !strings.Contains(text, "healthy") {
					t.Errorf("health is %s", text)
				}
				w.stop()
			})
		}
	})
}

// TestConfigsDeleted deletes the connectors with their topic: the worker says so and
// runs on with what the topic holds, which is nothing.
func TestConfigsDeleted(t *testing.T) {
	t.Parallel()
	addr := kfakeAddr(t)
	props := distributedProps(t, addr)
	w := startWorker(t, props)
	s := newBystanders(w)
	s.moves(t)
	deleteTopic(t, addr, props["config.storage.topic"])
	w.waitLog(saysRebuild, props["config.storage.topic"], "it was deleted", saysRunAgain)
	if text := w.rest(200, "GET", "/connectors", nil); strings.TrimSpace(text) != "[]" {
		t.Errorf("the connectors are %s", text)
	}
	newBystanders(w).moves(t)
	w.stop()
}

// TestStoreFailsAgain makes a store fail three times in a minute, which ends the
// process with the reason.
func TestStoreFailsAgain(t *testing.T) {
	t.Parallel()
	addr := kfakeAddr(t)
	props := distributedProps(t, addr)
	w := startWorker(t, props)
	for i := range maxFailures {
		deleteTopic(t, addr, props["status.storage.topic"])
		if i < maxFailures-1 {
			w.waitLogTimes(i+1, saysRunAgain)
		}
	}
	if code := w.exit(patience); code != exitGaveUp {
		t.Errorf("exit code %d, want %d", code, exitGaveUp)
	}
	w.waitLog("troupe: a part of the worker failed 3 times within 1m0s, so the worker gives up; the last failure:", props["status.storage.topic"], "it was deleted")
}

func TestFailureWindow(t *testing.T) {
	start := time.Unix(0, 0)
	for name, row := range map[string]struct {
		at   []time.Duration
		last bool
	}{
		"one":                 {[]time.Duration{0}, false},
		"two":                 {[]time.Duration{0, 1}, false},
		"three":               {[]time.Duration{0, 1, failureWindow - 1}, true},
		"three, far apart":    {[]time.Duration{0, 1, failureWindow}, false},
		"four, then too fast": {[]time.Duration{0, failureWindow - 2, failureWindow + 1, failureWindow + 2}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var f failures
			for i, at := range row.at {
				want := row.last && i == len(row.at)-1
				if got := f.add(start.Add(at)); got != want {
					t.Errorf("failure %d: too many is %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

// outage is how long the broker is away. It is longer than the client's back-offs and
// than any of the worker's short waits, and shorter than a producer's delivery.timeout.ms.
const outage = 20 * time.Second

// TestBrokerRestarts stops Apache Kafka in the middle of a run, in order and with
// kill -9, and starts it again with its data: everything goes on by itself, and no line
// is missing.
func TestBrokerRestarts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the broker is away for a while")
	}
	for name, end := range map[string]func(*kafkatest.Broker) error{"in order": (*kafkatest.Broker).Stop, "killed": (*kafkatest.Broker).Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kafkatest.Start(t)
			w := startWorker(t, distributedProps(t, b.Addr(), "offset.flush.interval.ms", "1000"))
			name, in, out := unique("restart"), filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
			w.put(name+"-source", fileSource(name+"-source", in, name))
			w.put(name+"-sink", fileSink(name+"-sink", out, name))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			total := make(chan int, 1)
			go func() { total <- appendForever(ctx, t, in) }()
			eventually(t, func() string {
				if n := len(fileLines(out)); n < 1000 {
					return fmt.Sprintf("only %d lines arrived before the restart", n)
				}
				return ""
			})
			if err := end(b); err != nil {
				t.Fatal(err)
			}
			away := time.Now()
			for time.Since(away) < outage {
				if code, text, err := w.try("GET", at(name+"-source")+"/status", nil); err != nil || code != 200 {
					t.Errorf("without a broker the status is %d %s %v", code, text, err)
				}
				time.Sleep(500 * time.Millisecond)
			}
			if err := b.Restart(soon(t)); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			before := len(fileLines(out))
			eventuallyIn(t, 2*patience, func() string {
				if n := len(fileLines(out)); n < before+1000 {
					return fmt.Sprintf("only %d lines arrived after the restart; source %v %s, sink %v %s", n-before,
						w.status(name+"-source"), w.status(name+"-source").traces(), w.status(name+"-sink"), w.status(name+"-sink").traces())
				}
				return ""
			})
			t.Logf("lines arrive again %s after the broker does", time.Since(back).Round(100*time.Millisecond))
			cancel()
			lines := numberedLines("line ", 0, <-total)
			w.waitState(name+"-source", "RUNNING RUNNING")
			w.waitState(name+"-sink", "RUNNING RUNNING")
			var c occurrences
			eventuallyIn(t, 2*patience, func() string {
				c = countLines(fileLines(out), lines)
				return c.missing()
			})
			topic := countLines(values(newTailTopic(t, b.Addr(), name).await(len(lines))), lines)
			if c.problem != "" || topic.problem != "" {
				t.Errorf("in the sink's file: %s; in the topic: %s", c.problem, topic.problem)
			}
			// Changes go through again, too.
			w.rest(202, "PUT", at(name+"-sink")+"/pause", nil)
			w.waitState(name+"-sink", "PAUSED PAUSED")
			t.Logf("%d lines; twice in the topic: %d, in the sink's file: %d", len(lines), topic.again, c.again)
			w.stop()
		})
	}
}
