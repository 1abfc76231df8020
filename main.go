// Command troupe is Kafka Connect on actors: one binary that runs connectors, speaks
// the REST API and keeps the internal topics of Kafka Connect 4.1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/troupeio/troupe/actors/memory"
	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/connectors"
)

// Set by the build.
var (
	version = "dev"
	commit  = "unknown"
)

// Exit codes, as Kafka Connect's.
const (
	exitUsage     = 1 // no or wrong arguments
	exitStart     = 2 // the worker could not be prepared or started
	exitConnector = 3 // a connector of the command line could not be created
)

const usage = `Troupe runs Kafka Connect's connectors, without a JVM.

Usage:
  troupe dev [flags] [connector.properties|.json ...]
      A worker, a broker and a schema registry in one process, to try things out.
      Without connector files it starts a small demonstration.
  troupe standalone [flags] worker.properties [connector.properties|.json ...]
      What connect-standalone does: one worker, offsets in a file.
  troupe distributed [flags] worker.properties
      What connect-distributed does: configurations, offsets and statuses in Kafka.
  troupe doctor takeover [--json] worker.properties
      Says, without changing anything, what would run if troupe distributed were
      started with this file in place of Kafka Connect, and what would not.
  troupe version
  troupe help

Flags of all workers:
  --log-format text|json   how log lines on standard error look (text)
  --log-level LEVEL        OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE or ALL (INFO)

Flags of dev:
  --data DIR        where the broker keeps its data (in the user's state directory)
  --kafka HOST:PORT where the broker listens (127.0.0.1:9092, the next free port if taken)
  --rest HOST:PORT  where REST listens (127.0.0.1:8083)
  --registry HOST:PORT
                    where the schema registry listens (127.0.0.1:8081, a free port if taken)
  --ephemeral       keep nothing after the end

The properties files are Kafka Connect's; docs/configuration.md lists the settings.
`

// fatal is an error with the exit code that it ends the process with.
type fatal struct {
	code int
	err  error
}

func (f *fatal) Error() string { return f.err.Error() }
func (f *fatal) Unwrap() error { return f.err }

func main() {
	memory.Keep()
	err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	var f *fatal
	if errors.As(err, &f) {
		fmt.Fprintln(os.Stderr, "troupe: "+f.Error())
		os.Exit(f.code)
	}
	fmt.Fprintln(os.Stderr, "troupe: "+err.Error())
	os.Exit(exitStart)
}

func run(args []string, _ io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return &fatal{exitUsage, errors.New("which command?")}
	}
	cmd, args := args[0], args[1:]
	switch cmd {
	case "version", "--version":
		fmt.Fprintf(stdout, "troupe %s (commit %s, %s, speaks Kafka Connect %s)\n", version, commit, runtime.Version(), connectors.KafkaVersion)
		return nil
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return nil
	case "doctor":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return runDoctor(ctx, args, stdout)
	case "dev", "standalone", "distributed":
	default:
		fmt.Fprint(stderr, usage)
		return &fatal{exitUsage, fmt.Errorf("there is no command %q", cmd)}
	}
	fs := flag.NewFlagSet("troupe "+cmd, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { fmt.Fprint(stderr, usage) }
	format := fs.String("log-format", "text", "")
	level := fs.String("log-level", "INFO", "")
	var dev devFlags
	if cmd == "dev" {
		dev.define(fs)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return &fatal{exitUsage, err}
	}
	lv, err := telemetry.ParseLevel(*level)
	if err != nil {
		return &fatal{exitUsage, err}
	}
	if *format != "text" && *format != "json" {
		return &fatal{exitUsage, fmt.Errorf("--log-format is %q; text and json are known", *format)}
	}
	logs := telemetry.NewLogs(stderr, *format == "json", lv)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer dumpOnQuit(stderr)()
	nameJVMVariables(logs.Logger(telemetry.LogStartup))

	switch cmd {
	case "dev":
		return runDev(ctx, dev, fs.Args(), logs, stdout)
	case "standalone":
		return runStandalone(ctx, fs.Args(), logs)
	default:
		return runDistributed(ctx, fs.Args(), logs)
	}
}

// dumpOnQuit prints all goroutines on SIGQUIT, and the worker lives on, as a JVM
// does with kill -3.
func dumpOnQuit(w io.Writer) (stop func()) {
	ch := make(chan os.Signal, 1)
	quit := notifyQuit(ch)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range ch {
			buf := make([]byte, 16<<20)
			_, _ = w.Write(buf[:runtime.Stack(buf, true)])
		}
	}()
	return func() {
		quit()
		close(ch)
		<-done
	}
}

// nameJVMVariables says once which variables of a Kafka Connect installation mean
// nothing here.
func nameJVMVariables(log *slog.Logger) {
	var set []string
	for _, v := range []string{"KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_JMX_OPTS", "JMX_PORT", "KAFKA_LOG4J_OPTS", "CLASSPATH"} {
		if os.Getenv(v) != "" {
			set = append(set, v)
		}
	}
	if len(set) > 0 {
		log.Info("these variables configure a JVM and have no effect here", "variables", set)
	}
}
