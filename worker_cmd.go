package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/codec/properties"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/restapi"
)

// runDistributed is `troupe distributed worker.properties`.
func runDistributed(ctx context.Context, args []string, logs *telemetry.Logs) error {
	if len(args) != 1 {
		return &fatal{exitUsage, errors.New("troupe distributed takes one worker.properties")}
	}
	props, err := loadWorkerFile(args[0])
	if err != nil {
		return err
	}
	n, err := startNode(ctx, workerconfig.Distributed, props, true, logs)
	if err != nil {
		return endedWhileStarting(ctx, err)
	}
	return errors.Join(n.wait(ctx), n.stop())
}

// endedWhileStarting tells a start that was cut short by a signal from one that
// failed.
func endedWhileStarting(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return &fatal{exitStart, err}
}

// runStandalone is `troupe standalone worker.properties connector...`.
func runStandalone(ctx context.Context, args []string, logs *telemetry.Logs) error {
	if len(args) == 0 {
		return &fatal{exitUsage, errors.New("troupe standalone takes a worker.properties and any number of connector files")}
	}
	props, err := loadWorkerFile(args[0])
	if err != nil {
		return err
	}
	n, err := startNode(ctx, workerconfig.Standalone, props, false, logs)
	if err != nil {
		return endedWhileStarting(ctx, err)
	}
	for _, path := range args[1:] {
		if err := n.createFromFile(ctx, path); err != nil {
			_ = n.stop()
			return &fatal{exitConnector, fmt.Errorf("creating the connector of %s: %w", path, err)}
		}
	}
	return errors.Join(n.wait(ctx), n.stop())
}

// connectorFile is a connector as a file describes it.
type connectorFile struct {
	name    string
	config  map[string]string
	initial *connectors.TargetState
}

// readConnectorFile reads a .properties file, or JSON that is either a flat map of
// settings or a create request.
func readConnectorFile(path string) (*connectorFile, error) {
	if !strings.EqualFold(filepath.Ext(path), ".json") {
		p, err := properties.Load(path)
		if err != nil {
			return nil, err
		}
		m := p.Map()
		return &connectorFile{name: m["name"], config: m}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var req struct {
		Name    string                     `json:"name"`
		Config  map[string]json.RawMessage `json:"config"`
		Initial *string                    `json:"initial_state"`
	}
	if err := json.Unmarshal(b, &req); err == nil && req.Config != nil {
		f := &connectorFile{name: req.Name}
		if f.config, err = restapi.FlatConfig(req.Config); err != nil {
			return nil, err
		}
		if f.initial, err = restapi.InitialState(req.Initial); err != nil {
			return nil, err
		}
		if _, ok := f.config["name"]; !ok {
			f.config["name"] = f.name
		}
		return f, nil
	}
	var flat map[string]json.RawMessage
	if err := json.Unmarshal(b, &flat); err != nil {
		return nil, fmt.Errorf("it is neither a JSON map of settings nor a create request: %w", err)
	}
	config, err := restapi.FlatConfig(flat)
	if err != nil {
		return nil, err
	}
	return &connectorFile{name: config["name"], config: config}, nil
}

// createFromFile creates or updates the connector that a file describes.
func (n *node) createFromFile(ctx context.Context, path string) error {
	f, err := readConnectorFile(path)
	if err != nil {
		return err
	}
	return n.create(ctx, f)
}

func (n *node) create(ctx context.Context, f *connectorFile) error {
	nullable := make(map[string]*string, len(f.config))
	for k, v := range f.config {
		nullable[k] = &v
	}
	checked, err := n.plugins.Check(ctx, nullable)
	if err != nil {
		return err
	}
	if f.name != checked["name"] {
		return cluster.Errorf(400, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", checked["name"], f.name)
	}
	_, _, err = n.herder.PutConnector(ctx, f.name, checked, f.initial, true)
	return err
}
