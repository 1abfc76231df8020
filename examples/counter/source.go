package counter

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// SourceConnector plans as many counters as there may be tasks.
type SourceConnector struct {
	config map[string]string
}

// Start checks the settings.
func (c *SourceConnector) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	_, err := parse(sourceDef(), config)
	return err
}

// TaskConfigs gives each task its number.
func (c *SourceConnector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	out := make([]map[string]string, maxTasks)
	for i := range out {
		out[i] = maps.Clone(c.config)
		out[i]["counter"] = strconv.Itoa(i)
	}
	return out, nil
}

// Stop does nothing.
func (c *SourceConnector) Stop(context.Context) error { return nil }

// SourceTask counts from where the last record that Kafka acknowledged left off.
type SourceTask struct {
	topic     string
	partition *data.MapValue // one map for all records: it is compared by pointer first
	next      int64
	tick      *time.Ticker
}

// Start reads the stored offset.
func (t *SourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := parse(sourceDef(), config)
	if err != nil {
		return err
	}
	t.topic = v.String("topic")
	t.partition = data.NewStringMap("counter", data.OfString(config["counter"]))
	stored, err := tc.Offsets().Offset(ctx, t.partition)
	if err != nil {
		return connectors.Errorf("reading the stored offset: %w", err)
	}
	if n, ok := stored.Get("next"); ok {
		t.next = n.Int()
	}
	t.tick = time.NewTicker(time.Duration(v.Int("interval.ms")) * time.Millisecond)
	return nil
}

// Poll waits for the next tick, or for the end of the task.
func (t *SourceTask) Poll(ctx context.Context) ([]data.Record, error) {
	select {
	case <-ctx.Done():
		return nil, nil
	case now := <-t.tick.C:
		n := t.next
		t.next++
		r := data.NewSourceRecord(t.partition, data.LongOffset("next", t.next), t.topic, data.Int64Schema, data.OfInt64(n))
		r.Timestamp = now.UnixMilli()
		return []data.Record{r}, nil
	}
}

// Stop releases the ticker.
func (t *SourceTask) Stop(context.Context) error {
	if t.tick != nil {
		t.tick.Stop()
	}
	return nil
}
