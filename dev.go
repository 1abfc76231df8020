package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster/devbroker"
	"github.com/troupeio/troupe/cluster/devregistry"
	"github.com/troupeio/troupe/cluster/workerconfig"
)

// devFlags are the flags of `troupe dev`.
type devFlags struct {
	data, kafka, rest, registry string
	ephemeral                   bool
}

func (d *devFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&d.data, "data", "", "")
	fs.StringVar(&d.kafka, "kafka", devbroker.DefaultAddr, "")
	fs.StringVar(&d.rest, "rest", "127.0.0.1:8083", "")
	fs.StringVar(&d.registry, "registry", devregistry.DefaultAddr, "")
	fs.BoolVar(&d.ephemeral, "ephemeral", false, "")
}

// stateDir is the user's directory for what programs keep between runs.
func stateDir() (string, error) {
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "troupe"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding a directory for the data: %w", err)
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(home, "AppData", "Local", "troupe"), nil
	}
	return filepath.Join(home, ".local", "state", "troupe"), nil
}

// runDev is `troupe dev`: a broker, a schema registry and a worker in this process.
func runDev(ctx context.Context, d devFlags, files []string, logs *telemetry.Logs, out io.Writer) (err error) {
	dir := d.data
	if d.ephemeral {
		if dir, err = os.MkdirTemp("", "troupe-dev-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	} else if dir == "" {
		state, err := stateDir()
		if err != nil {
			return fmt.Errorf("%w; --data names one", err)
		}
		dir = filepath.Join(state, "dev")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	b, err := devbroker.Start(ctx, devbroker.Options{Dir: filepath.Join(dir, "kafka"), Addr: d.kafka, Logger: logs.Logger(telemetry.LogBroker)})
	if err != nil {
		return endedWhileStarting(ctx, err)
	}
	defer func() {
		cctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(err, b.Close(cctx))
	}()
	// The broker's lock keeps a second process from this file too.
	reg, err := devregistry.Start(ctx, devregistry.Options{File: filepath.Join(dir, "schema-registry.json"), Addr: d.registry, Logger: logs.Logger(telemetry.LogRegistry)})
	if err != nil {
		return endedWhileStarting(ctx, err)
	}
	defer func() {
		cctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, reg.Close(cctx))
	}()
	n, err := startNode(ctx, workerconfig.Distributed, devProperties(b.Addr(), d.rest), false, logs)
	if err != nil {
		return endedWhileStarting(ctx, err)
	}
	demo := len(files) == 0
	var q *quickStart
	if demo {
		if q, err = newQuickStart(dir); err == nil {
			err = q.create(ctx, n)
		}
	} else {
		for _, path := range files {
			if err = n.createFromFile(ctx, path); err != nil {
				err = fmt.Errorf("creating the connector of %s: %w", path, err)
				break
			}
		}
	}
	if err != nil {
		_ = n.stop()
		if ctx.Err() != nil {
			return nil
		}
		return &fatal{exitConnector, err}
	}
	banner(out, b, reg, n, dir, d, q)
	done := make(chan struct{})
	pctx, cancel := context.WithCancel(ctx)
	go func() { defer close(done); progress(pctx, out, n) }()
	err = n.wait(ctx)
	cancel()
	<-done
	fmt.Fprintln(out, "Stopping ...")
	return errors.Join(err, n.stop())
}

// devProperties are the worker's properties in dev.
func devProperties(kafka, rest string) map[string]string {
	return map[string]string{
		"bootstrap.servers":                 kafka,
		"group.id":                          "troupe-dev",
		"listeners":                         "http://" + rest,
		"key.converter":                     "org.apache.kafka.connect.json.JsonConverter",
		"value.converter":                   "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic":              "connect-configs",
		"offset.storage.topic":              "connect-offsets",
		"status.storage.topic":              "connect-status",
		"config.storage.replication.factor": "1",
		"offset.storage.replication.factor": "1",
		"status.storage.replication.factor": "1",
	}
}

func banner(out io.Writer, b *devbroker.Broker, reg *devregistry.Registry, n *node, dir string, d devFlags, q *quickStart) {
	rest := "http://" + n.rest.Addrs[0].String()
	fmt.Fprintf(out, `
Troupe %s: a worker, a Kafka broker and a schema registry in one process. For laptops,
demonstrations and tests; for anything else use an Apache Kafka cluster, a schema
registry of its own and troupe distributed.

  Kafka     %s
  REST      %s
  Registry  %s
  Data      %s
`, version, b.Addr(), rest, reg.URL(), dir)
	if d.ephemeral {
		fmt.Fprintln(out, "            (removed at the end)")
	}
	for _, note := range []string{b.Note(), reg.Note()} {
		if note != "" {
			fmt.Fprintf(out, "  Note      %s\n", note)
		}
	}
	if q != nil {
		fmt.Fprintf(out, `
Running:
  access-log   lines appended to %s
               go through two transforms into the topic access-log
  products     a generator writes product events with a schema to product-events
  products-csv the topic product-events flows into %s

Try:
  curl -s %s/connectors?expand=status
  curl -s -X PUT %s/connectors/products/pause
  echo '192.0.2.7 - - "GET /hello HTTP/1.1" 200 42' >> %s
`, q.log, q.csv, rest, rest, q.log)
	} else {
		fmt.Fprintf(out, "\nTry:\n  curl -s %s/connectors?expand=status\n", rest)
	}
	fmt.Fprintln(out, "\nCtrl-C stops it; the next start goes on where it stopped.")
	fmt.Fprintln(out)
}

// progress prints the records per second of each task as long as something moves.
func progress(ctx context.Context, out io.Writer, n *node) {
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	last := map[string]int64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		var parts []string
		moving := false
		for _, info := range n.tasks() {
			m := info.Metrics
			total := m.Written.Load() + m.Sent.Load()
			name := info.ID.String()
			rate := (total - last[name]) / 2
			moving = moving || total != last[name]
			last[name] = total
			parts = append(parts, fmt.Sprintf("%s %d/s (%d)", name, rate, total))
		}
		if moving {
			fmt.Fprintln(out, time.Now().Format("15:04:05")+"  records: "+strings.Join(parts, "  "))
		}
	}
}
