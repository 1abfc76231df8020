package configprovider

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/properties"
	"github.com/troupeio/troupe/connectors"
)

// fileProvider is org.apache.kafka.common.config.provider.FileConfigProvider:
// path is a .properties file.
type fileProvider struct {
	allowed allowedPaths
	logger  *slog.Logger
}

func (o *options) newFile(params map[string]string, prefix string) (Provider, error) {
	allowed, err := parseAllowedPaths(params[allowedPathsParam], prefix+allowedPathsParam)
	if err != nil {
		return nil, err
	}
	return &fileProvider{allowed, o.logger}, nil
}

// Get implements [Provider]. Kafka answers with the text below alone and logs
// the cause, so that is what happens here.
func (p *fileProvider) Get(_ context.Context, path string, keys []string) (map[string]string, time.Duration, error) {
	if path == "" {
		return nil, NoTTL, nil
	}
	unreadable := func(err error) error {
		p.logger.Error("Could not read properties from file "+path, "err", err)
		return connectors.ConfigError("Could not read properties from file %s", path)
	}
	f, ok, err := p.allowed.open(path)
	if !ok {
		p.logger.Warn("The path " + path + " is not allowed to be accessed")
		return nil, NoTTL, nil
	}
	if err != nil {
		return nil, NoTTL, unreadable(err)
	}
	defer func() { _ = f.Close() }()
	props, err := properties.Parse(f)
	if err != nil {
		return nil, NoTTL, unreadable(err)
	}
	values := map[string]string{}
	for _, key := range keys {
		if v, ok := props.Get(key); ok {
			values[key] = v
		}
	}
	return values, NoTTL, nil
}

// directoryProvider is
// org.apache.kafka.common.config.provider.DirectoryConfigProvider: path is a
// directory, key a regular file in it, the value the whole file.
type directoryProvider struct {
	allowed allowedPaths
	logger  *slog.Logger
}

func (o *options) newDirectory(params map[string]string, prefix string) (Provider, error) {
	allowed, err := parseAllowedPaths(params[allowedPathsParam], prefix+allowedPathsParam)
	if err != nil {
		return nil, err
	}
	return &directoryProvider{allowed, o.logger}, nil
}

// Get implements [Provider]. A key is a name in the directory, never a path out
// of it.
func (p *directoryProvider) Get(_ context.Context, path string, keys []string) (map[string]string, time.Duration, error) {
	if path == "" {
		return nil, NoTTL, nil
	}
	dir, ok, err := p.allowed.open(path)
	if !ok {
		p.logger.Warn("The path " + path + " is not allowed to be accessed")
		return nil, NoTTL, nil
	}
	if err == nil {
		defer func() { _ = dir.Close() }()
	}
	if info, statErr := statOf(dir, err); statErr != nil || !info.IsDir() {
		p.logger.Warn("The path " + path + " is not a directory")
		return nil, NoTTL, nil
	}
	values := map[string]string{}
	for _, key := range keys {
		if key == "" || key == "." || key == ".." || strings.ContainsRune(key, filepath.Separator) {
			continue
		}
		full := filepath.Join(path, key)
		value, ok, err := p.read(full)
		if err != nil {
			p.logger.Error("Could not read file "+full+" for property "+key, "err", err)
			return nil, NoTTL, connectors.ConfigError("Could not read file %s for property %s", full, key)
		}
		if ok {
			values[key] = value
		}
	}
	return values, NoTTL, nil
}

// read returns the text of a regular file; ok is false for anything else, and
// for a link that leaves the allowed paths.
func (p *directoryProvider) read(path string) (value string, ok bool, err error) {
	regular, err := isRegular(path)
	if err != nil || !regular {
		return "", false, nil
	}
	f, ok, err := p.allowed.open(path)
	if !ok {
		p.logger.Warn("The path " + path + " is not allowed to be accessed")
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil {
		return "", false, err
	}
	return strings.ToValidUTF8(string(text), "\ufffd"), true, nil
}
