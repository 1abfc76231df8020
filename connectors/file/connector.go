package file

import (
	"context"
	"maps"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// SourceConnector plans one task, whatever tasks.max says: a file has one reader.
type SourceConnector struct {
	config map[string]string
}

// Start keeps the configuration.
func (c *SourceConnector) Start(_ context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	v, err := parse(sourceDef(), config)
	if err != nil {
		return err
	}
	name := v.String(fileKey)
	if name == "" {
		name = "standard input"
	}
	c.config = config
	cc.Log().Info("Starting file source connector reading from " + name)
	return nil
}

// TaskConfigs returns the connector's configuration as that of its one task.
func (c *SourceConnector) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return []map[string]string{maps.Clone(c.config)}, nil
}

// Stop does nothing.
func (c *SourceConnector) Stop(context.Context) error { return nil }

// ExactlyOnceSupport is given for files: their offsets say it all. Standard input
// cannot be read twice.
func (c *SourceConnector) ExactlyOnceSupport(config map[string]string) bool {
	return strings.TrimSpace(config[fileKey]) != ""
}

// CanDefineTransactionBoundaries says no.
func (c *SourceConnector) CanDefineTransactionBoundaries(map[string]string) bool { return false }

// AlterOffsets checks offsets as Kafka's connector does, with its messages. Any
// file name is allowed, since earlier configurations can have left offsets.
func (c *SourceConnector) AlterOffsets(_ context.Context, config map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	if strings.TrimSpace(config[fileKey]) == "" {
		return false, connectors.Errorf("Offsets cannot be modified if the 'file' configuration is unspecified. " +
			"This is because stdin is used for input and offsets are not tracked.")
	}
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		pos, ok := o.Offset.Get(positionField)
		switch {
		case !ok:
			return false, connectors.Errorf("Offset objects should either be null or contain the key 'position'")
		case !isInteger(pos):
			return false, connectors.Errorf("The value for the 'position' key in the offset is expected to be a Long value")
		case pos.Int() < 0:
			return false, connectors.Errorf("The value for the 'position' key in the offset should be a non-negative value")
		case o.Partition == nil:
			return false, connectors.Errorf("Partition objects cannot be null")
		}
		if _, ok := o.Partition.Get(filenameField); !ok {
			return false, connectors.Errorf("Partition objects should contain the key 'filename'")
		}
	}
	return true, nil
}

// isInteger reports whether v is a whole number. Offsets come through JSON, which
// does not tell the widths apart.
func isInteger(v data.Value) bool {
	return v.Kind() >= data.KindInt8 && v.Kind() <= data.KindInt64
}

// SinkConnector plans as many equal tasks as there may be.
type SinkConnector struct {
	config map[string]string
}

// Start keeps the configuration.
func (c *SinkConnector) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	return nil
}

// TaskConfigs returns the connector's configuration for each task. All append to
// the same path, each on its own worker.
func (c *SinkConnector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	out := make([]map[string]string, maxTasks)
	for i := range out {
		out[i] = maps.Clone(c.config)
	}
	return out, nil
}

// Stop does nothing.
func (c *SinkConnector) Stop(context.Context) error { return nil }

// AlterSinkOffsets accepts everything: the consumer group's offsets are all that
// there is.
func (c *SinkConnector) AlterSinkOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}
