package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// SinkGroups reads and changes the committed offsets of sinks' consumer groups,
// with the clients that a connector's configuration asks for (KIP-875).
type SinkGroups interface {
	Offsets(ctx context.Context, name string, config map[string]string) (map[connectors.TopicPartition]int64, error)
	// Alter sets offsets; a nil offset removes that partition's.
	Alter(ctx context.Context, name string, config map[string]string, offsets map[connectors.TopicPartition]*int64) error
	// Reset removes the whole group; one that does not exist is no error.
	Reset(ctx context.Context, name string, config map[string]string) error
	// Evict takes a static member out of the group: the task of a node that died, which
	// nobody will run again. One that is not there is no error.
	Evict(ctx context.Context, name string, config map[string]string, instance string) error
}

// The keys of sink offsets over REST.
const (
	keyTopic     = "kafka_topic"
	keyPartition = "kafka_partition"
	keyOffset    = "kafka_offset"
)

// Offsets implements [API].
func (h *Herder) Offsets(ctx context.Context, name string) ([]Offset, error) {
	if err := h.awaitStart(ctx); err != nil {
		return nil, err
	}
	s := h.Configs.Snapshot()
	if !s.Contains(name) {
		return nil, Errorf(404, "Connector %s not found", name)
	}
	config, _, err := h.Resolver.Resolve(ctx, s.Config(name))
	if err != nil {
		return nil, err
	}
	if h.kind(config) == string(connectors.SinkKind) {
		offs, err := h.Sinks.Offsets(ctx, name, config)
		if err != nil {
			return nil, Errorf(500, "Failed to retrieve consumer group offsets for connector %s: %v", name, err)
		}
		var out []Offset
		for tp, off := range offs {
			out = append(out, Offset{
				Partition: data.OfMap(data.NewStringMap(keyPartition, data.OfInt32(tp.Partition), keyTopic, data.OfString(tp.Topic))),
				Offset:    data.OfMap(data.NewStringMap(keyOffset, data.OfInt64(off))),
			})
		}
		return out, nil
	}
	all, err := h.Options.Offsets.All(ctx, name)
	if err != nil {
		return nil, Errorf(500, "Failed to retrieve offsets for connector %s: %v", name, err)
	}
	var out []Offset
	for _, o := range all {
		out = append(out, Offset{data.OfMap(o.Partition), data.OfMap(o.Offset)})
	}
	return out, nil
}

// stopped checks what altering and resetting need: a connector that is STOPPED and
// has no tasks, as of the end of the config topic.
func (h *Herder) stopped(ctx context.Context, name string) (map[string]string, error) {
	if err := h.Configs.Refresh(ctx); err != nil {
		return nil, err
	}
	s := h.Configs.Snapshot()
	if !s.Contains(name) {
		return nil, Errorf(404, "Connector %s not found", name)
	}
	if target, _ := s.TargetState(name); target != connectors.Stopped || s.TaskCount(name) > 0 {
		return nil, Errorf(400, "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	}
	if h.Nodes != nil {
		h.Nodes.awaitEnd(ctx, name)
	}
	config, _, err := h.Resolver.Resolve(ctx, s.Config(name))
	return config, err
}

// AlterOffsets implements [API].
func (h *Herder) AlterOffsets(ctx context.Context, name string, offsets []Offset) (string, error) {
	return h.modifyOffsets(ctx, name, "altered", func(ctx context.Context, p *connectors.Plugin, config map[string]string) (bool, error) {
		if p.Kind == connectors.SinkKind {
			parsed, err := sinkOffsets(offsets)
			if err != nil {
				return false, err
			}
			return h.alterSink(ctx, name, p, config, parsed)
		}
		pairs := make([]connectors.PartitionOffset, len(offsets))
		for i, o := range offsets {
			pairs[i] = connectors.PartitionOffset{Partition: o.Partition.Map(), Offset: o.Offset.Map()}
		}
		return h.alterSource(ctx, name, p, config, pairs)
	})
}

// ResetOffsets implements [API].
func (h *Herder) ResetOffsets(ctx context.Context, name string) (string, error) {
	return h.modifyOffsets(ctx, name, "reset", func(ctx context.Context, p *connectors.Plugin, config map[string]string) (bool, error) {
		if p.Kind == connectors.SinkKind {
			return h.resetSink(ctx, name, p, config)
		}
		all, err := h.Options.Offsets.All(ctx, name)
		if err != nil {
			return false, err
		}
		for i := range all {
			all[i].Offset = nil
		}
		return h.alterSource(ctx, name, p, config, all)
	})
}

func (h *Herder) modifyOffsets(ctx context.Context, name, verb string, f func(context.Context, *connectors.Plugin, map[string]string) (bool, error)) (string, error) {
	msg := ""
	err := h.write(ctx, name, func(ctx context.Context) error {
		config, err := h.stopped(ctx, name)
		if err != nil {
			return err
		}
		p, ok := h.Registry.Connector(config["connector.class"])
		if !ok {
			return Errorf(500, "Failed to find any class that implements Connector and which name matches %s", config["connector.class"])
		}
		all, err := f(ctx, p, config)
		if err != nil {
			return err
		}
		if all {
			msg = fmt.Sprintf("The offsets for this connector have been %s successfully", verb)
		} else {
			msg = fmt.Sprintf("The Connect framework-managed offsets for this connector have been %s successfully. However, if this connector manages offsets externally, they will need to be manually %s in the system that the connector uses.", verb, verb)
		}
		return nil
	})
	return msg, err
}

// alterSource lets the plugin check and take the offsets, then stores them.
func (h *Herder) alterSource(ctx context.Context, name string, p *connectors.Plugin, config map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	if err := store.CheckOffsets(offsets); err != nil {
		return false, err
	}
	all := false
	if alterer, ok := p.NewConnector().(connectors.OffsetAlterer); ok {
		var err error
		if all, err = alterer.AlterOffsets(ctx, config, offsets); err != nil {
			return false, err
		}
	}
	if len(offsets) == 0 {
		return all, nil
	}
	if h.Nodes != nil {
		return all, h.Options.Offsets.Put(ctx, name, offsets, store.EpochHeader(h.Nodes.epochNow()))
	}
	return all, h.Options.Offsets.Put(ctx, name, offsets)
}

func (h *Herder) alterSink(ctx context.Context, name string, p *connectors.Plugin, config map[string]string, offsets map[connectors.TopicPartition]*int64) (bool, error) {
	all := false
	if alterer, ok := p.NewConnector().(connectors.SinkOffsetAlterer); ok {
		var err error
		if all, err = alterer.AlterSinkOffsets(ctx, config, offsets); err != nil {
			return false, err
		}
	}
	for _, off := range offsets {
		if off != nil && *off < 0 { // what Kafka's client refuses
			return false, Errorf(500, "Failed to modify offsets for sink connector %s", name)
		}
	}
	return all, groupError(name, "alter", h.emptied(ctx, name, config, func() error { return h.Sinks.Alter(ctx, name, config, offsets) }))
}

func (h *Herder) resetSink(ctx context.Context, name string, p *connectors.Plugin, config map[string]string) (bool, error) {
	have, err := h.Sinks.Offsets(ctx, name, config)
	if err != nil {
		return false, groupError(name, "reset", err)
	}
	none := make(map[connectors.TopicPartition]*int64, len(have))
	for tp := range have {
		none[tp] = nil
	}
	all := false
	if alterer, ok := p.NewConnector().(connectors.SinkOffsetAlterer); ok {
		if all, err = alterer.AlterSinkOffsets(ctx, config, none); err != nil {
			return false, err
		}
	}
	return all, groupError(name, "reset", h.emptied(ctx, name, config, func() error { return h.Sinks.Reset(ctx, name, config) }))
}

// emptied changes a sink's group. Static members that are in it although no node has a
// task of the connector any more, since theirs died, are taken out first.
func (h *Herder) emptied(ctx context.Context, name string, config map[string]string, change func() error) error {
	err := change()
	if h.Nodes == nil || !errors.Is(err, store.ErrGroupNotEmpty) || h.Nodes.Log.HasTasks(name) {
		return err
	}
	tasks, perr := strconv.Atoi(config["tasks.max"])
	if perr != nil {
		tasks = 1
	}
	for i := range tasks {
		if err := h.Nodes.evictTask(ctx, Unit{Connector: name, Task: i}, config); err != nil {
			return err
		}
	}
	return change()
}

// groupError words the broker's refusals as Kafka Connect does.
func groupError(name, verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrGroupNotEmpty):
		return Errorf(500, "Failed to %s consumer group offsets for connector %s either because its tasks haven't stopped completely yet or the connector was resumed before the request to %s its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks.", verb, name, verb)
	}
	return Errorf(500, "Failed to %s consumer group offsets for connector %s", verb, name)
}

// sinkOffsets reads {"kafka_topic","kafka_partition"} → {"kafka_offset"}; numbers may
// be given as text.
func sinkOffsets(offsets []Offset) (map[connectors.TopicPartition]*int64, error) {
	out := make(map[connectors.TopicPartition]*int64, len(offsets))
	for _, o := range offsets {
		p := o.Partition.Map()
		if p.Len() == 0 {
			return nil, Errorf(400, "The partition for a sink connector offset cannot be null or missing")
		}
		topic, hasTopic := p.Get(keyTopic)
		part, hasPart := p.Get(keyPartition)
		switch {
		case !hasTopic || !hasPart:
			return nil, Errorf(400, "The partition for a sink connector offset must contain the keys '%s' and '%s'", keyTopic, keyPartition)
		case topic.IsNull():
			return nil, Errorf(400, "Kafka topic names must be valid strings and may not be null")
		case part.IsNull():
			return nil, Errorf(400, "Kafka partitions must be valid numbers and may not be null")
		}
		n, err := strconv.ParseInt(part.String(), 10, 32)
		if err != nil {
			return nil, Errorf(400, "Failed to parse the following Kafka partition value in the provided offsets: '%s'. Partition values for sink connectors need to be integers.", part)
		}
		tp := connectors.TopicPartition{Topic: topic.String(), Partition: int32(n)}
		if o.Offset.IsNull() {
			out[tp] = nil
			continue
		}
		off, ok := o.Offset.Map().Get(keyOffset)
		if !ok {
			return nil, Errorf(400, "The offset for a sink connector should either be null or contain the key '%s'", keyOffset)
		}
		v, err := strconv.ParseInt(off.String(), 10, 64)
		if err != nil {
			return nil, Errorf(400, "Failed to parse the following Kafka offset value in the provided offsets: '%s'. Offset values for sink connectors need to be integers.", off)
		}
		out[tp] = &v
	}
	return out, nil
}
