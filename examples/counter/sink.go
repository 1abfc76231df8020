package counter

import (
	"context"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// SinkConnector plans one task: the file has one writer.
type SinkConnector struct {
	config map[string]string
}

// Start checks the settings.
func (c *SinkConnector) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	_, err := parse(sinkDef(), config)
	return err
}

// TaskConfigs returns the one task's configuration.
func (c *SinkConnector) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return []map[string]string{maps.Clone(c.config)}, nil
}

// Stop does nothing.
func (c *SinkConnector) Stop(context.Context) error { return nil }

// SinkTask adds numbers up and writes the sum when offsets are about to be
// committed. It is at least once: numbers that were added, but not yet committed,
// come again after a crash.
type SinkTask struct {
	tc         connectors.SinkTaskContext
	file       string
	sum, saved int64
}

// Start goes on from the sum in the file.
func (t *SinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	v, err := parse(sinkDef(), config)
	if err != nil {
		return err
	}
	t.tc, t.file = tc, v.String("file")
	b, err := os.ReadFile(t.file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return connectors.Errorf("reading the sum: %w", err)
	}
	if t.sum, err = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err != nil {
		return connectors.ConfigError("the file %s holds no sum: %w", t.file, err)
	}
	t.saved = t.sum
	return nil
}

// Put adds the values up. What is no integer goes to the dead letter queue if there
// is one, and fails the task otherwise.
func (t *SinkTask) Put(ctx context.Context, records []data.Record) error {
	for i := range records {
		v := records[i].Value
		if v.Kind() >= data.KindInt8 && v.Kind() <= data.KindInt64 {
			t.sum += v.Int()
			continue
		}
		cause := data.Errorf("the value is %s, not an integer", v.Kind().JavaClass())
		errant := t.tc.ErrantRecords()
		if errant == nil {
			return cause
		}
		if err := errant.Report(ctx, &records[i], cause); err != nil {
			return err
		}
	}
	return nil
}

// Flush makes the sum safe. The offsets are committed once it has returned nil;
// after an error the worker goes back to those that were committed last.
func (t *SinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	next := t.file + ".new"
	err := os.WriteFile(next, []byte(strconv.FormatInt(t.sum, 10)+"\n"), 0o644)
	if err == nil {
		err = os.Rename(next, t.file)
	}
	if err != nil {
		t.sum = t.saved // the numbers since then come again
		return connectors.Errorf("writing the sum: %w", err)
	}
	t.saved = t.sum
	return nil
}

// Stop does nothing: the last Flush came before it.
func (t *SinkTask) Stop(context.Context) error { return nil }
