package csv

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// SourceConnector spreads files over tasks and looks for new ones.
type SourceConnector struct {
	config       map[string]string
	file         string
	dir, pattern string

	mu    sync.Mutex
	files []string // as the tasks have them, or are about to
}

// Start checks the settings and, for a directory, begins to look for new files.
func (c *SourceConnector) Start(_ context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	s, err := parseSettings(sourceDef(), config, true)
	if err != nil {
		return err
	}
	c.config, c.file = config, s.v.String(fileKey)
	if c.file != "" {
		return nil
	}
	c.dir, c.pattern = s.v.String(dirKey), s.v.String(patternKey)
	if _, err := c.match(); err != nil {
		return err
	}
	interval := time.Duration(s.v.Int(scanKey)) * time.Millisecond
	cc.Go(func(ctx context.Context) error {
		c.scan(ctx, cc, interval)
		return nil
	})
	return nil
}

// scan asks for new task configurations whenever the files are other ones than
// the tasks have.
func (c *SourceConnector) scan(ctx context.Context, cc connectors.ConnectorContext, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var asked []string
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		files, err := c.match()
		if err != nil {
			if !failing {
				cc.Log().Warn("Looking for new files does not work; trying on", "dir", c.dir, "err", err)
			}
			failing = true
			continue
		}
		failing = false
		c.mu.Lock()
		same := slices.Equal(files, c.files) || slices.Equal(files, asked)
		c.mu.Unlock()
		if !same {
			asked = files
			cc.RequestTaskReconfiguration()
		}
	}
}

// match returns the files in the directory, sorted.
func (c *SourceConnector) match() ([]string, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, connectors.Errorf("listing %s: %w", c.dir, err)
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(c.pattern, ".") {
			continue
		}
		if ok, err := filepath.Match(c.pattern, name); err != nil || !ok {
			continue
		}
		path := filepath.Join(c.dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			out = append(out, path)
		}
	}
	return out, nil
}

// TaskConfigs deals the files out to at most maxTasks tasks; none when there are
// no files.
func (c *SourceConnector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	files := []string{c.file}
	if c.file == "" {
		var err error
		if files, err = c.match(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.files = files
		c.mu.Unlock()
	}
	n := min(maxTasks, len(files))
	out := make([]map[string]string, n)
	for i := range out {
		var mine []string
		for j := i; j < len(files); j += n {
			mine = append(mine, files[j])
		}
		list, err := json.Marshal(mine)
		if err != nil {
			return nil, fmt.Errorf("writing the list of files: %w", err)
		}
		out[i] = maps.Clone(c.config)
		out[i][filesKey] = string(list)
	}
	return out, nil
}

// Stop does nothing: the worker ends the search for files.
func (c *SourceConnector) Stop(context.Context) error { return nil }

// Validate checks settings against each other.
func (c *SourceConnector) Validate(_ context.Context, config map[string]string) (map[string][]string, error) {
	return problems(config, true), nil
}

// ExactlyOnceSupport says yes: the offset says all about a file.
func (c *SourceConnector) ExactlyOnceSupport(map[string]string) bool { return true }

// CanDefineTransactionBoundaries says no.
func (c *SourceConnector) CanDefineTransactionBoundaries(map[string]string) bool { return false }

// AlterOffsets takes {"filename"} → {"position"} with a position from 0 on, which
// should be the start of a row.
func (c *SourceConnector) AlterOffsets(_ context.Context, _ map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		pos, ok := o.Offset.Get(positionField)
		if !ok || pos.Kind() < data.KindInt8 || pos.Kind() > data.KindInt64 || pos.Int() < 0 {
			return false, connectors.Errorf("An offset is null or has a %q of 0 or more, a position in bytes; it is %s", positionField, data.OfMap(o.Offset))
		}
		if name, ok := o.Partition.Get(filenameField); !ok || name.Kind() != data.KindString {
			return false, connectors.Errorf("A partition has a %q; it is %s", filenameField, data.OfMap(o.Partition))
		}
	}
	return true, nil
}

// SinkConnector plans one task, whatever tasks.max says: a file has one writer.
type SinkConnector struct {
	config map[string]string
}

// Start checks the settings.
func (c *SinkConnector) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	_, err := parseSettings(sinkDef(), config, false)
	return err
}

// TaskConfigs returns the connector's configuration as that of its one task.
func (c *SinkConnector) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return []map[string]string{maps.Clone(c.config)}, nil
}

// Stop does nothing.
func (c *SinkConnector) Stop(context.Context) error { return nil }

// Validate checks settings against each other.
func (c *SinkConnector) Validate(_ context.Context, config map[string]string) (map[string][]string, error) {
	return problems(config, false), nil
}

// AlterSinkOffsets accepts everything: the consumer group's offsets are all that
// there is.
func (c *SinkConnector) AlterSinkOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}
