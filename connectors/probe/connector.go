package probe

import (
	"context"
	"maps"
	"strconv"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// nameKey is the setting in which every connector has its name.
const nameKey = "name"

// taskKey is in task configurations only: the task's number.
const taskKey = "probe.task"

// Connector plans the tasks of the probe's source and sink: as many as there may
// be, all alike but for their number.
type Connector struct {
	p      *Probe
	sink   bool
	config map[string]string
	fault  *faulter
}

func (c *Connector) def() *configdef.Def {
	if c.sink {
		return sinkDef()
	}
	return sourceDef()
}

// Start checks the settings.
func (c *Connector) Start(_ context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	v, err := parse(c.def(), config)
	if err != nil {
		return err
	}
	c.config, c.fault = config, c.p.arm(v, config[nameKey], -1, cc)
	return c.fault.at(inConnectorStart)
}

// TaskConfigs returns maxTasks configurations.
func (c *Connector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	if err := c.fault.at(inTaskConfigs); err != nil {
		return nil, err
	}
	return numbered(c.config, maxTasks, taskKey), nil
}

// numbered returns n copies of config that have their number under key.
func numbered(config map[string]string, n int, key string) []map[string]string {
	out := make([]map[string]string, n)
	for i := range out {
		out[i] = maps.Clone(config)
		if out[i] == nil {
			out[i] = make(map[string]string)
		}
		out[i][key] = strconv.Itoa(i)
	}
	return out
}

// Stop does nothing but fail on demand.
func (c *Connector) Stop(context.Context) error { return c.fault.at(inConnectorStop) }

// Validate does nothing but fail on demand.
func (c *Connector) Validate(_ context.Context, config map[string]string) (map[string][]string, error) {
	v, err := parse(c.def(), config)
	if err != nil {
		return nil, nil // the worker says what is wrong with single settings
	}
	return nil, c.p.arm(v, config[nameKey], -1, nil).at(inValidate)
}

// ExactlyOnceSupport says yes: a task's offset says all about it.
func (c *Connector) ExactlyOnceSupport(map[string]string) bool { return true }

// CanDefineTransactionBoundaries says no.
func (c *Connector) CanDefineTransactionBoundaries(map[string]string) bool { return false }

// AlterOffsets takes {"task": n} → {"seq": m}.
func (c *Connector) AlterOffsets(_ context.Context, _ map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		task, ok1 := o.Partition.Get(taskField)
		seq, ok2 := o.Offset.Get(seqField)
		if !ok1 || !ok2 || !isInteger(task) || !isInteger(seq) {
			return false, connectors.Errorf("an offset is {%q: n} for the partition {%q: n}; these are %s and %s",
				seqField, taskField, data.OfMap(o.Offset), data.OfMap(o.Partition))
		}
	}
	return true, nil
}

// AlterSinkOffsets accepts everything.
func (c *Connector) AlterSinkOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

func isInteger(v data.Value) bool { return v.Kind() >= data.KindInt8 && v.Kind() <= data.KindInt64 }

// taskNumber reads the task's number from its configuration.
func taskNumber(config map[string]string, key string) (int, error) {
	n, err := strconv.Atoi(config[key])
	if err != nil || n < 0 {
		return 0, connectors.ConfigError("Invalid value %s for configuration %s: Not a number of type INT", config[key], key)
	}
	return n, nil
}
