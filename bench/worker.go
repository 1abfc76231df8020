package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/troupeio/troupe/internal/kafkatest"
)

// The arms, by the names of the command line.
const (
	armConnect = "connect"
	armTroupe  = "troupe"
	armBare    = "bare"
)

// worker is a running worker of either kind, behind the REST interface that
// both speak.
type worker struct {
	proc  *kafkatest.Process
	url   string
	close func()
	setup workerSetup
}

// workerSetup is what a worker keeps when it is started again: its folder, and its
// port, by which the others know it.
type workerSetup struct {
	arm, dir string
	props    map[string]string
	port     int
}

// startWorker starts a worker of the arm. Both arms get the same worker
// properties; Kafka Connect gets its plugin.path in addition. It does not wait
// for readiness. More properties, over those that all rows use, are in more.
func (e *env) startWorker(ctx context.Context, arm, group string, more map[string]string) (*worker, error) {
	dir, err := os.MkdirTemp(e.dir, arm+"-")
	if err != nil {
		return nil, fmt.Errorf("making the worker's directory: %w", err)
	}
	ports, err := kafkatest.FreePorts(1)
	if err != nil {
		return nil, err
	}
	props := kafkatest.ConnectWorkerProperties(e.addr, group, dir, ports[0], false)
	if arm == armConnect && e.plugins != "" {
		dist, err := kafkatest.Fetch(ctx)
		if err != nil {
			return nil, err
		}
		props["plugin.path"] = dist.PluginPath() + "," + e.plugins
	}
	maps.Copy(props, more)
	return e.startAgain(ctx, workerSetup{arm, dir, props, ports[0]})
}

// startAgain starts a worker as one before it was started. That one has ended.
func (e *env) startAgain(ctx context.Context, s workerSetup) (*worker, error) {
	w := &worker{url: "http://127.0.0.1:" + strconv.Itoa(s.port), setup: s}
	if s.arm == armConnect {
		c, err := kafkatest.RunConnect(ctx, e.addr, kafkatest.ConnectOptions{Worker: s.props, Dir: s.dir})
		if err != nil {
			return nil, err
		}
		w.proc, w.close = c.Process, c.Close
		return w, nil
	}
	file := filepath.Join(s.dir, "worker.properties")
	// What a node knows of its former lives goes with the folder, and not to the user's.
	if err := kafkatest.WriteProperties(file, merge(s.props, map[string]string{"node.state.dir": s.dir})); err != nil {
		return nil, err
	}
	var err error
	w.proc, err = kafkatest.StartProcess(kafkatest.ProcessSpec{Path: e.troupe, Args: []string{"distributed", file},
		Dir: s.dir, LogFile: filepath.Join(s.dir, "troupe.log")})
	if err != nil {
		return nil, err
	}
	// An orderly end: a killed worker's place in its group is kept for a session.
	w.close = func() {
		w.proc.Signal(syscall.SIGTERM)
		select {
		case <-w.proc.Done():
		case <-time.After(10 * time.Second):
		}
		w.proc.Kill()
	}
	return w, nil
}

// id is what the others and the statuses call the worker.
func (w *worker) id() string { return strings.TrimPrefix(w.url, "http://") }

// readyWorker starts a worker in a new group and waits until it is ready.
func (e *env) readyWorker(ctx context.Context, arm string) (*worker, error) {
	w, err := e.startWorker(ctx, arm, e.name("group"), nil)
	if err != nil {
		return nil, err
	}
	if err := w.waitReady(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *worker) waitReady(ctx context.Context) error {
	if err := kafkatest.WaitREST(ctx, w.url, w.proc.Done()); err != nil {
		return fmt.Errorf("waiting for the worker: %w; the end of its log:\n%s", err, w.proc.Tail(20))
	}
	return nil
}

// create POSTs a connector. A 409 means that the group rebalances, and is
// tried again: that is part of the work.
func (w *worker) create(ctx context.Context, name string, config map[string]string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		return fmt.Errorf("encoding connector %s: %w", name, err)
	}
	for {
		status, answer, err := w.do(ctx, http.MethodPost, "/connectors", body)
		switch {
		case err != nil:
			return err
		case status == http.StatusCreated:
			return nil
		case status != http.StatusConflict:
			return fmt.Errorf("creating connector %s: status %d: %s", name, status, answer)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("creating connector %s: still refused with 409: %w", name, err)
		}
	}
}

func (w *worker) do(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("asking the worker: %w", err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the worker's answer: %w", err)
	}
	return resp.StatusCode, answer, nil
}

// status is what GET …/status says of a connector.
type status struct {
	Connector place
	Tasks     []place
}

// place is where and how a connector's instance, or a task, is.
type place struct {
	ID           int // of a task
	State, Trace string
	WorkerID     string `json:"worker_id"`
}

// failure says why the connector cannot finish; nil while it may.
func (s status) failure() error {
	if s.Connector.State == "FAILED" {
		return errors.New("the connector failed: " + s.Connector.Trace)
	}
	for _, t := range s.Tasks {
		if t.State == "FAILED" {
			return errors.New("a task failed: " + t.Trace)
		}
	}
	return nil
}

// check ends a wait early when the worker is gone or the connector failed.
func (w *worker) check(ctx context.Context, name string) error {
	if !w.proc.Running() {
		return fmt.Errorf("the worker ended; the end of its log:\n%s", w.proc.Tail(20))
	}
	code, answer, err := w.do(ctx, http.MethodGet, "/connectors/"+name+"/status", nil)
	if err != nil || code != http.StatusOK {
		return nil // not there yet, or busy: the deadline decides
	}
	var s status
	if err := json.Unmarshal(answer, &s); err != nil {
		return fmt.Errorf("reading the status of %s: %w", name, err)
	}
	return s.failure()
}

// running counts the connectors that run with all of their one task.
func (w *worker) running(ctx context.Context) (int, error) { return w.runningOn(ctx, nil) }

// runningOn counts those that do on certain workers, by id; nil is any.
func (w *worker) runningOn(ctx context.Context, here map[string]bool) (int, error) {
	code, answer, err := w.do(ctx, http.MethodGet, "/connectors?expand=status", nil)
	if err != nil {
		return 0, err
	}
	if code != http.StatusOK {
		return 0, nil // a rebalance
	}
	var all map[string]struct{ Status status }
	if err := json.Unmarshal(answer, &all); err != nil {
		return 0, fmt.Errorf("reading the status of all connectors: %w", err)
	}
	n := 0
	for name, c := range all {
		if err := c.Status.failure(); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		runs := func(p place) bool { return p.State == "RUNNING" && (here == nil || here[p.WorkerID]) }
		if runs(c.Status.Connector) && len(c.Status.Tasks) == 1 && runs(c.Status.Tasks[0]) {
			n++
		}
	}
	return n, nil
}

// goroutines reads go_goroutines from /metrics; NaN where there is none.
func (w *worker) goroutines(ctx context.Context) float64 { return w.metric(ctx, "go_goroutines") }

// metric is the sum of a metric's values in /metrics, NaN where there is none of that
// name.
func (w *worker) metric(ctx context.Context, name string) float64 {
	code, answer, err := w.do(ctx, http.MethodGet, "/metrics", nil)
	if err != nil || code != http.StatusOK {
		return math.NaN()
	}
	sum := math.NaN()
	for line := range strings.Lines(string(answer)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "{") {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64); err == nil {
			if math.IsNaN(sum) {
				sum = 0
			}
			sum += v
		}
	}
	return sum
}

// pause waits d, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
