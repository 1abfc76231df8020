package task

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// sinkContext is what the plugin is given.
type sinkContext struct {
	*plugin
	r *sinkRun
}

// Offset implements [connectors.SinkTaskContext].
func (c sinkContext) Offset(offsets map[connectors.TopicPartition]int64) {
	if c.r.put.rewinds == nil {
		c.r.put.rewinds = make(map[connectors.TopicPartition]int64)
	}
	maps.Copy(c.r.put.rewinds, offsets)
}

// Timeout implements [connectors.SinkTaskContext].
func (c sinkContext) Timeout(d time.Duration) { c.r.put.timeout = d }

// Assignment implements [connectors.SinkTaskContext].
func (c sinkContext) Assignment() []connectors.TopicPartition {
	return slices.Collect(maps.Keys(c.r.put.open))
}

func (c sinkContext) check(parts []connectors.TopicPartition) error {
	for _, tp := range parts {
		if c.r.put.open[tp] == 0 {
			return &connectors.Error{JavaClass: "org.apache.kafka.connect.errors.IllegalWorkerStateException",
				Msg: "SinkTasks may not pause partitions that are not currently assigned to them."}
		}
	}
	return nil
}

func byTopic(parts []connectors.TopicPartition) map[string][]int32 {
	m := make(map[string][]int32)
	for _, tp := range parts {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}

// Pause implements [connectors.SinkTaskContext].
func (c sinkContext) Pause(parts ...connectors.TopicPartition) error {
	if err := c.check(parts); err != nil {
		return err
	}
	if c.r.client != nil {
		c.r.client.PauseFetchPartitions(byTopic(parts))
	}
	return nil
}

// Resume implements [connectors.SinkTaskContext].
func (c sinkContext) Resume(parts ...connectors.TopicPartition) error {
	if err := c.check(parts); err != nil {
		return err
	}
	if c.r.client != nil {
		c.r.client.ResumeFetchPartitions(byTopic(parts))
	}
	return nil
}

// RequestCommit implements [connectors.SinkTaskContext].
func (c sinkContext) RequestCommit() { c.r.put.wantsNow = true }

// ErrantRecords implements [connectors.SinkTaskContext].
func (c sinkContext) ErrantRecords() connectors.ErrantRecordReporter {
	if c.r.parts.Load().Errant == nil {
		return nil
	}
	return errantReporter{c.r}
}

// errantReporter implements KIP-610. It may be called from any goroutine.
type errantReporter struct{ r *sinkRun }

// Report implements [connectors.ErrantRecordReporter].
func (e errantReporter) Report(ctx context.Context, rec *data.Record, cause error) error {
	if !e.r.allowed() {
		return ErrLease
	}
	parts := e.r.parts.Load()
	raw, err := e.raw(ctx, rec)
	if err != nil {
		return connectors.Errorf("reporting record %s-%d@%d: %w", rec.OriginalTopic, rec.OriginalPartition, rec.OriginalOffset, err)
	}
	_, fatal := parts.Errors.Handle(ctx, pipeline.Report{Stage: pipeline.TaskPut, Class: parts.TaskClass, Raw: raw, Err: cause}, nil)
	if fatal != nil {
		s := &e.r.put
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.reported == nil {
			s.reported = fatal
		}
	}
	return fatal
}

// raw finds the bytes that were consumed for a record; a record that is in no
// batch any more is written anew through the task's converters.
func (e errantReporter) raw(ctx context.Context, rec *data.Record) (*pipeline.Raw, error) {
	if raw := e.consumed(rec); raw != nil {
		return raw, nil
	}
	one := &pipeline.Batch{Records: []data.Record{*rec}}
	one.Reset(1)
	e.r.errant.Lock()
	defer e.r.errant.Unlock()
	if err := e.r.parts.Load().Errant.ToRaw(ctx, one); err != nil {
		return nil, err
	}
	raw := one.Raw[0]
	raw.Topic, raw.Partition, raw.Offset, raw.TimestampType = rec.OriginalTopic, rec.OriginalPartition, rec.OriginalOffset, rec.TimestampType
	return &raw, nil
}

// consumed returns a copy of a record's bytes while its batch is being put.
func (e errantReporter) consumed(rec *data.Record) *pipeline.Raw {
	s := &e.r.put
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batch == nil {
		return nil
	}
	for i := range s.batch.Raw {
		if b := &s.batch.Raw[i]; b.Offset == rec.OriginalOffset && b.Partition == rec.OriginalPartition && b.Topic == rec.OriginalTopic {
			raw := *b
			return &raw
		}
	}
	return nil
}
