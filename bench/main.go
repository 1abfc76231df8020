// Command bench runs the same work side by side on one Apache Kafka broker:
// Troupe, Apache Kafka Connect 4.1 and, as the ceiling, the bare franz-go
// client. It counts at the destination, checks what arrived there, alternates
// the arms, and writes medians, ratios and the rows that Troupe loses to
// bench/results.md.
//
//	go run ./bench                          everything; needs java, mvn and bin/troupe
//	go run ./bench -quick                   100,000 lines once; does the right thing arrive?
//	go run ./bench -rows source-smt -arms connect,troupe -reps 5
//	go run ./bench -rows failover,failover-tuned,join,connectors-3,rest-latency
//	                                        clusters of three workers
//	go run ./bench -rows false-alarms -minutes 30
//	                                        an hour, in which nothing should happen
//	go run ./bench -rows scale -connectors 2000
//	                                        a large one
//	go run ./bench -rows classes            classes beside Kafka Connect's own in a JVM; no broker
//
// It drives built programs: of ours it imports internal/kafkatest, internal/watch,
// cluster/placement, which says whether nodes have their shares, cluster/devregistry,
// which keeps the schemas of the Avro rows, codec/registry, which registers the first of
// them, and actors, connectors and codec for the rows trace-off and classes alone, which
// measure within this process. The row classes
// drives Kafka Connect's classes with bench/java/Classes.java, on the same records and
// settings (bench/java/classes.json); it needs a JDK.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/troupeio/troupe/internal/kafkatest"
)

const (
	defaultLines = 3_000_000
	quickLines   = 100_000
	defaultReps  = 3 // fewer have no median
)

// settings are the command line.
type settings struct {
	lines   int
	reps    int
	trials  int // of the rows that repeat inside; 0 is their own number
	many    int // connectors of connectors-3 and of scale; 0 is their own number
	minutes int // of each of the two times of false-alarms; 0 is its own number
	quick   bool
	rows    []string
	arms    []string
	troupe  string        // the built program
	out     string        // results file
	timeout time.Duration // of one row of one arm, once
	broker  string        // host:port; empty starts one
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == bareCommand {
		os.Exit(bareMain(os.Args[2:]))
	}
	os.Exit(run())
}

func run() int {
	var s settings
	var rowList, armList string
	flag.IntVar(&s.lines, "n", defaultLines, "lines of 95 bytes to move")
	flag.IntVar(&s.reps, "reps", defaultReps, "repetitions of each row")
	flag.IntVar(&s.trials, "trials", 0, "repetitions within the rows that repeat inside: kills of failover, writes of rest-latency, rounds of trace-off; 0 is their own number")
	flag.IntVar(&s.many, "connectors", 0, "connectors of the rows connectors-3 and scale; 0 is their own number, 200 and 2000")
	flag.IntVar(&s.minutes, "minutes", 0, "how long false-alarms watches without a fault, and again with stalls; 0 is its own number, 30; for more than that set -timeout")
	flag.BoolVar(&s.quick, "quick", false, "100,000 lines, once: checks what arrives, writes no results")
	flag.StringVar(&rowList, "rows", "", "rows to run, separated by commas; empty is all; 'list' lists them")
	flag.StringVar(&armList, "arms", "", "arms to run: connect,troupe,bare; empty is all that are there")
	flag.StringVar(&s.troupe, "troupe", filepath.Join("bin", "troupe"), "the built program")
	flag.StringVar(&s.out, "o", filepath.Join("bench", "results.md"), "results file")
	flag.DurationVar(&s.timeout, "timeout", 5*time.Minute, "bound of one row of one arm, once; some rows have more: failover 40 minutes")
	flag.StringVar(&s.broker, "broker", "", "host:port of a broker that runs; empty starts one")
	flag.Parse()
	if rowList == "list" {
		for _, r := range rows {
			fmt.Printf("%-14s %s\n", r.key, r.title)
		}
		return 0
	}
	if s.quick {
		s.lines, s.reps = quickLines, 1
	}
	if err := s.choose(rowList, armList); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := benchmark(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// choose resolves the two lists. Only an arm that was named must be there.
func (s *settings) choose(rowList, armList string) error {
	for _, r := range rows {
		s.rows = append(s.rows, r.key)
	}
	if rowList != "" {
		all := s.rows
		s.rows = strings.Split(rowList, ",")
		for _, r := range s.rows {
			if !slices.Contains(all, r) {
				return fmt.Errorf("-rows: no row %q; there are %s", r, strings.Join(all, ", "))
			}
		}
	}
	_, missing := os.Stat(s.troupe)
	s.arms = []string{armConnect, armTroupe, armBare}
	if armList != "" {
		s.arms = strings.Split(armList, ",")
		for _, a := range s.arms {
			if a != armConnect && a != armTroupe && a != armBare {
				return fmt.Errorf("-arms: no arm %q; there are %s, %s, %s", a, armConnect, armTroupe, armBare)
			}
		}
		if missing != nil && slices.Contains(s.arms, armTroupe) {
			return fmt.Errorf("-arms: looking for the built program: %w", missing)
		}
	} else if missing != nil {
		fmt.Fprintf(os.Stderr, "bench: %s is not there (make build): the arm %s is left out\n", s.troupe, armTroupe)
		s.arms = []string{armConnect, armBare}
	}
	if path, err := filepath.Abs(s.troupe); err == nil {
		s.troupe = path // workers start in folders of their own
	}
	return nil
}

// needBroker reports whether a chosen row does.
func (s *settings) needBroker() bool {
	return slices.ContainsFunc(rows, func(r row) bool { return !r.brokerless && slices.Contains(s.rows, r.key) })
}

// benchmark runs the chosen rows and reports. A row that fails in one arm is
// reported as failed and does not end the others; it ends in an error.
func benchmark(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "troupe-bench-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	addr, brokerPID := s.broker, 0
	if addr == "" && s.needBroker() {
		// Kafka's own settings for a broker, with its heap of 1 GB.
		b, err := kafkatest.Run(ctx, kafkatest.WithJVM("-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC",
			"-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"))
		if err != nil {
			return err
		}
		defer b.Close()
		addr, brokerPID = b.Addr(), b.PID()
	}
	e, err := newEnv(s, dir, addr)
	if err != nil {
		return err
	}
	defer e.close()
	e.brokerPID = brokerPID

	if err := e.warmUp(ctx); err != nil {
		return err
	}
	res := newResults(s)
	for _, r := range rows {
		if !slices.Contains(s.rows, r.key) {
			continue
		}
		for rep := range s.reps {
			arms := slices.Clone(s.arms)
			if rep%2 == 1 {
				slices.Reverse(arms) // nobody always goes first
			}
			for _, arm := range arms {
				if arm == armBare && !r.bare || arm != armTroupe && r.ours || rep > 0 && r.once {
					continue
				}
				if err := e.once(ctx, r, arm, rep, res); err != nil {
					return err // only when called off
				}
			}
		}
	}
	fmt.Println()
	fmt.Print(res.table(), res.tables(), res.notes())
	if !s.quick {
		if err := res.write(s.out); err != nil {
			return err
		}
		fmt.Println("\nwritten to", s.out)
	}
	if n := len(res.failures); n > 0 {
		return fmt.Errorf("%d runs failed:\n%s", n, strings.Join(res.failures, "\n"))
	}
	return nil
}

// once runs one row in one arm, within the timeout.
func (e *env) once(ctx context.Context, r row, arm string, rep int, res *results) error {
	one, cancel := context.WithTimeout(ctx, max(e.timeout, r.timeout))
	defer cancel()
	begin, others := time.Now(), e.othersSeconds()
	m, err := r.run(one, e, arm)
	if ctx.Err() != nil {
		return errors.New("called off")
	}
	if errors.Is(err, errLeftOut) {
		fmt.Printf("%-14s %-8s #%d %v\n", r.key, arm, rep+1, err)
		return nil
	}
	if err != nil {
		res.failed(r.key, arm, err)
		fmt.Printf("%-14s %-8s #%d FAILED: %v\n", r.key, arm, rep+1, err)
		return nil
	}
	took := time.Since(begin).Seconds()
	// Clocks of different coarseness are subtracted: a little below 0 is 0.
	share := max(0, (e.othersSeconds()-others)/took/float64(runtime.NumCPU())*100)
	res.add(r.key, arm, m)
	res.others = append(res.others, share)
	fmt.Printf("%-14s %-8s #%d %s (%.1f s in all; other processes used %.0f %% of the machine)\n", r.key, arm, rep+1, m.line(r), took, share)
	return nil
}
