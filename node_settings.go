package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/codec/properties"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/converters"
	csvconnector "github.com/troupeio/troupe/connectors/csv"
	"github.com/troupeio/troupe/connectors/file"
	"github.com/troupeio/troupe/connectors/probe"
	"github.com/troupeio/troupe/connectors/transforms"
	"github.com/troupeio/troupe/connectors/transforms/expr"
)

// registry holds every plugin that is part of the program.
func registry() (*connectors.Registry, error) {
	return connectors.NewRegistry(file.Plugins(), csvconnector.Plugins(), probe.Plugins(), converters.Plugins(), transforms.Plugins(), expr.Plugins())
}

// loadSettings reads and checks a worker's properties.
func loadSettings(mode workerconfig.Mode, props map[string]string, log *slog.Logger) (*workerconfig.Settings, *configprovider.Resolver, error) {
	first, err := configprovider.New(props, configprovider.WithLogger(log))
	if err != nil {
		return nil, nil, err
	}
	resolved, _, err := first.Resolve(context.Background(), props)
	if err != nil {
		return nil, nil, fmt.Errorf("resolving the worker's properties: %w", err)
	}
	resolver, err := configprovider.New(resolved, configprovider.WithLogger(log))
	if err != nil {
		return nil, nil, err
	}
	settings, err := workerconfig.Parse(mode, resolved)
	if err != nil {
		return nil, nil, fmt.Errorf("the worker's properties are not valid:\n%w", err)
	}
	for _, n := range settings.Notes {
		log.Info("worker property: " + n)
	}
	return settings, resolver, nil
}

func loadWorkerFile(path string) (map[string]string, error) {
	p, err := properties.Load(path)
	if err != nil {
		return nil, &fatal{exitUsage, fmt.Errorf("reading the worker's properties: %w", err)}
	}
	return p.Map(), nil
}

// checkConverters finds a worker's converters before anything else does.
func checkConverters(reg *connectors.Registry, props map[string]string) error {
	var errs []error
	for key, kind := range map[string]connectors.Kind{"key.converter": connectors.ConverterKind, "value.converter": connectors.ConverterKind, "header.converter": connectors.HeaderConverterKind} {
		if class := props[key]; class != "" {
			if _, ok := reg.Find(class, kind); !ok {
				errs = append(errs, fmt.Errorf("Invalid value %s for configuration %s: Class %s could not be found.", class, key, class))
			}
		}
	}
	return errors.Join(errs...)
}
