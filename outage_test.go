package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
