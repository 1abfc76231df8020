package main

import (
	"context"
	_ "embed" // the web server log
	"fmt"
	"os"
	"path/filepath"
)

//go:embed quickstart/access.log
var accessLog []byte

// quickStart is the demonstration of `troupe dev`: three connectors that show a
// file, transforms, a schema and a sink.
type quickStart struct{ log, csv string }

// newQuickStart puts the web server log where the source reads it, unless it is
// there from an earlier run.
func newQuickStart(dir string) (*quickStart, error) {
	q := &quickStart{log: filepath.Join(dir, "access.log"), csv: filepath.Join(dir, "myfile.csv")}
	if _, err := os.Stat(q.log); err == nil {
		return q, nil
	}
	if err := os.WriteFile(q.log, accessLog, 0o600); err != nil {
		return nil, fmt.Errorf("writing the demonstration's log: %w", err)
	}
	return q, nil
}

// connectors returns the configurations.
func (q *quickStart) connectors() []map[string]string {
	return []map[string]string{
		{
			"name":                           "access-log",
			"connector.class":                "FileStreamSource",
			"tasks.max":                      "1",
			"file":                           q.log,
			"topic":                          "access-log",
			"transforms":                     "line,server",
			"transforms.line.type":           "org.apache.kafka.connect.transforms.HoistField$Value",
			"transforms.line.field":          "line",
			"transforms.server.type":         "org.apache.kafka.connect.transforms.InsertField$Value",
			"transforms.server.static.field": "server",
			"transforms.server.static.value": "web-1",
			"value.converter":                "org.apache.kafka.connect.json.JsonConverter",
			"value.converter.schemas.enable": "false",
		},
		{
			"name":            "products",
			"connector.class": "troupe.probe.ProbeSourceConnector",
			"tasks.max":       "1",
			"topic":           "product-events",
			"rate":            "10",
		},
		{
			"name":            "products-csv",
			"connector.class": "CsvSink",
			"tasks.max":       "1",
			"topics":          "product-events",
			"file":            q.csv,
		},
	}
}

// create puts the connectors, which leaves those of an earlier run as they are when
// nothing changed: a paused one stays paused.
func (q *quickStart) create(ctx context.Context, n *node) error {
	for _, c := range q.connectors() {
		if info, err := n.herder.Connector(ctx, c["name"]); err == nil && sameConfig(info.Config, c) {
			continue
		}
		if err := n.create(ctx, &connectorFile{name: c["name"], config: c}); err != nil {
			return fmt.Errorf("creating the demonstration's connector %s: %w", c["name"], err)
		}
	}
	return nil
}

func sameConfig(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}
