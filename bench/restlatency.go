package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// restWrites is how many there are while all is quiet, half of them
	// configurations, half pauses and resumes.
	restWrites      = 200
	quickRESTWrites = 20
	// restConnectors take turns, so that a write does not find what the one before
	// it left to do.
	restConnectors = 10
	// writeBefore and writeAfter are how long writes go on before the leader is
	// killed, and after.
	writeBefore = 3 * time.Second
	writeAfter  = 10 * time.Second
	// readWithin bounds the time until another worker shows what was written.
	readWithin = 30 * time.Second
)

const restNote = "one client that waits for each answer; 10 connectors of one task take turns. Each request goes to any of the three workers, by chance. " +
	"A write is repeated while it is answered with 409 (the group rebalances), which counts as its time; how many were is shown. A read-back lasts from the answer to the PUT until a GET, " +
	"at a worker drawn anew, shows the configuration; `stale` is how often the first GET did not. In the middle of a stream of writes the leader is killed with -9 (Troupe only); " +
	"those writes go to the other two, and the longest is how long the cluster took none. " +
	"The one that was on its way to the leader may be answered with 500, `may or may not have been carried out`. Afterwards both must show the last configuration that was accepted of each connector."

// verb is a kind of request whose times are a row's figures.
type verb struct{ key, title string }

// The verbs of a quiet cluster, and of one whose leader is killed.
var (
	verbPut    = verb{"put", "PUT config"}
	verbRead   = verb{"read", "read-back of it"}
	verbPause  = verb{"pause", "PUT pause, resume"}
	verbKilled = verb{"killed", "PUT config while the leader is killed"}
)

func restMetrics() []metric {
	var ms []metric
	for _, v := range []verb{verbPut, verbRead, verbPause, verbKilled} {
		for _, p := range []string{"p50", "p99", "max"} {
			targets := []target{{betterConnect, 0}}
			if v == verbKilled {
				targets = nil
			}
			ms = append(ms, metric{v.key + p, v.title + ", " + p, "ms", false, targets})
		}
		switch v {
		case verbPut:
			ms = append(ms, metric{"conflicts", "writes answered with 409 at first", "", false, []target{{atMost, 0}}})
		case verbRead:
			ms = append(ms, metric{"stale", "reads that showed the configuration before", "", false, nil})
		case verbKilled:
			ms = append(ms,
				metric{"writes", "writes from 3 s before the kill to 10 s after", "", false, nil},
				metric{"refused", "of these, answered with an error", "", false, nil},
				metric{"lost", "times that one of the two does not come to show a connector's last configuration", "", false, []target{{atMost, 0}}})
		}
	}
	return ms
}

// writer is the client.
type writer struct {
	c     *nodes
	draw  *rand.Rand
	names []string
	file  string
	topic string

	version   int            // of the last configuration
	last      map[string]int // by connector, the version that was accepted last
	conflicts int
	stale     int
	times     map[verb][]float64 // ms
}

// any is a worker by chance.
func (w *writer) any() *worker { return w.c.workers[w.draw.IntN(len(w.c.workers))] }

const versionKey = "bench.version" // no plugin knows it, and none minds

// write sends until something else than 409 comes. The first error answer ends it.
func (w *writer) write(ctx context.Context, v verb, path string, body []byte) (code int, answer []byte, err error) {
	begin := time.Now()
	for first := true; ; first = false {
		code, answer, err = w.any().do(ctx, http.MethodPut, path, body)
		if err != nil {
			return 0, nil, err
		}
		if code != http.StatusConflict {
			w.times[v] = append(w.times[v], ms(time.Since(begin)))
			return code, answer, nil
		}
		if first {
			w.conflicts++
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return 0, nil, fmt.Errorf("%s is still refused with 409: %w", path, err)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// put writes a configuration that differs from all before.
func (w *writer) put(ctx context.Context, v verb, name string) (code int, answer []byte, err error) {
	w.version++
	conf := fileSource(w.file, w.topic)
	conf[versionKey] = strconv.Itoa(w.version)
	body, err := json.Marshal(conf)
	if err != nil {
		return 0, nil, fmt.Errorf("encoding connector %s: %w", name, err)
	}
	code, answer, err = w.write(ctx, v, "/connectors/"+name+"/config", body)
	if err == nil && code/100 == 2 {
		w.last[name] = w.version
	}
	return code, answer, err
}

// shows says whether a worker shows the last configuration of a connector.
func (w *writer) shows(ctx context.Context, at *worker, name string) (bool, error) {
	code, answer, err := at.do(ctx, http.MethodGet, "/connectors/"+name+"/config", nil)
	if err != nil || code == http.StatusConflict {
		return false, err
	}
	if code != http.StatusOK {
		return false, fmt.Errorf("reading the configuration of %s back from %s: status %d: %s", name, at.id(), code, answer)
	}
	var conf map[string]string
	if err := json.Unmarshal(answer, &conf); err != nil {
		return false, fmt.Errorf("reading the configuration of %s back: %w", name, err)
	}
	return conf[versionKey] == strconv.Itoa(w.last[name]), nil
}

// readBack asks workers by chance until one shows it.
func (w *writer) readBack(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	begin := time.Now()
	for first := true; ; first = false {
		shown, err := w.shows(ctx, w.any(), name)
		if err != nil {
			return err
		}
		if shown {
			w.times[verbRead] = append(w.times[verbRead], ms(time.Since(begin)))
			return nil
		}
		if first {
			w.stale++
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("configuration %d of %s was accepted and is not shown: %w", w.last[name], name, err)
		}
	}
}

func runREST(ctx context.Context, e *env, arm string) (metrics, error) {
	c, err := e.startEmpty(ctx, arm, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	empty := filepath.Join(e.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, fmt.Errorf("making the input: %w", err)
	}
	w := &writer{c: c, draw: rand.New(rand.NewPCG(3, 4)), //nolint:gosec // the same workers every time
		file: empty, topic: e.name("topic"), last: map[string]int{}, times: map[verb][]float64{}}
	for range restConnectors {
		w.names = append(w.names, e.name("connector"))
	}
	err = createAll(ctx, c.workers, len(w.names), func(i int) (string, map[string]string) { return w.names[i], fileSource(w.file, w.topic) })
	if err != nil {
		return nil, err
	}
	if err := c.allRun(ctx, len(w.names), 50*time.Millisecond); err != nil {
		return nil, err
	}
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	if err := w.quiet(ctx, e.writes()); err != nil {
		return nil, err
	}
	m := metrics{"conflicts": float64(w.conflicts), "stale": float64(w.stale)}
	if arm == armTroupe {
		if err := w.killed(ctx, m); err != nil {
			return nil, err
		}
	}
	for v, times := range w.times {
		m[v.key+"p50"], m[v.key+"p99"], m[v.key+"max"] = quantile(times, 0.5), quantile(times, 0.99), slices.Max(times)
	}
	return m, nil
}

// writes is how many there are while all is quiet.
func (e *env) writes() int {
	switch {
	case e.trials > 0:
		return e.trials
	case e.quick:
		return quickRESTWrites
	}
	return restWrites
}

// quantile is the lowest time that a share of them does not exceed.
func quantile(times []float64, share float64) float64 {
	if len(times) == 0 {
		return nan
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// quiet writes n times: a configuration, read back, and then a pause, or a resume of
// what was paused last.
func (w *writer) quiet(ctx context.Context, n int) error {
	paused := ""
	for i := range max(1, n/2) {
		name := w.names[i%len(w.names)]
		code, answer, err := w.put(ctx, verbPut, name)
		if err == nil && code/100 != 2 {
			err = fmt.Errorf("putting the configuration of %s: status %d: %s", name, code, answer)
		}
		if err == nil {
			err = w.readBack(ctx, name)
		}
		if err != nil {
			return err
		}
		verb := "pause"
		if paused == "" {
			paused = name
		} else {
			name, verb, paused = paused, "resume", ""
		}
		code, answer, err = w.write(ctx, verbPause, "/connectors/"+name+"/"+verb, nil)
		if err != nil {
			return err
		}
		if code != http.StatusAccepted {
			return fmt.Errorf("%s of %s: status %d: %s", verb, name, code, answer)
		}
	}
	return nil
}

// killed kills the leader in the middle of a stream of configurations.
func (w *writer) killed(ctx context.Context, m metrics) error {
	v, err := w.c.workers[0].view(ctx)
	if err != nil {
		return err
	}
	leader := w.c.leader(v)
	if leader < 0 {
		return fmt.Errorf("no worker leads: %q does", v.Leader)
	}
	dead := w.c.workers[leader]
	begin := time.Now()
	var killer sync.WaitGroup
	defer dead.close() // when this ends early it is alive
	defer killer.Wait()
	killer.Go(func() {
		if pause(ctx, writeBefore) == nil {
			dead.proc.Kill()
		}
	})
	w.c.workers = slices.Delete(w.c.workers, leader, leader+1)
	refused := ""
	for i := 0; time.Since(begin) < writeBefore+writeAfter; i++ {
		code, answer, err := w.put(ctx, verbKilled, w.names[i%len(w.names)])
		if err != nil {
			return err
		}
		m["writes"]++
		if code/100 != 2 {
			m["refused"]++
			refused = fmt.Sprintf("status %d: %s", code, answer)
		}
	}
	if refused != "" {
		fmt.Println("  the last write that was refused:", refused)
	}
	m["refused"] += 0 // a figure also when there is none
	m["lost"], err = w.unseen(ctx)
	return err
}

// unseen counts how often a worker does not come to show a connector's last
// configuration.
func (w *writer) unseen(ctx context.Context) (n float64, err error) {
	one, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	for _, name := range w.names {
		for _, at := range w.c.workers {
			for {
				shown, err := w.shows(one, at, name)
				if err == nil && !shown {
					err = pause(one, countEvery)
				}
				if one.Err() != nil && ctx.Err() == nil {
					n++
					break
				}
				if err != nil {
					return 0, err
				}
				if shown {
					break
				}
			}
		}
	}
	return n, nil
}
