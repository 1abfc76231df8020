package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Settings of Kafka's verifiable connectors.
const (
	idKey           = "id" // of a task; the connector sets it
	throughputKey   = "throughput"
	completeDataKey = "complete.record.data"

	idField    = "id"
	seqnoField = "seqno"
)

func verifiableSourceDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: topicKey, Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Doc: "The topic to publish sequence numbers to."},
		configdef.Key{Name: throughputKey, Type: configdef.Long, Default: -1, Importance: configdef.Medium,
			Doc: "Records a second and task; -1 is as many as go."},
		configdef.Key{Name: completeDataKey, Type: configdef.Boolean, Default: false, Importance: configdef.Low,
			Doc: "Whether values hold all of what is printed, or the sequence number only."},
	)
}

// numberedConnector plans tasks that are alike but for their id.
type numberedConnector struct{ config map[string]string }

func (c *numberedConnector) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	return nil
}

func (c *numberedConnector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	return numbered(c.config, maxTasks, idKey), nil
}

func (c *numberedConnector) Stop(context.Context) error { return nil }

// verified is a line that the verifiable connectors print.
type verified struct {
	Name      string          `json:"name"`
	Task      json.RawMessage `json:"task"`
	SinkTask  *int            `json:"sinkTask,omitempty"`
	Topic     string          `json:"topic"`
	TimeMs    int64           `json:"time_ms"`
	Seqno     json.RawMessage `json:"seqno"`
	Offset    *int64          `json:"offset,omitempty"`
	Committed bool            `json:"committed,omitempty"`
	Flushed   bool            `json:"flushed,omitempty"`
}

func (p *Probe) verify(v verified) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("printing a record: %w", err)
	}
	p.print(line)
	return nil
}

func number(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }

// jsonOf returns a scalar as JSON, anything else as a JSON string of its text.
func jsonOf(v data.Value) json.RawMessage {
	switch v.Kind() {
	case data.KindNull:
		return json.RawMessage("null")
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindBoolean:
		return v.AppendText(nil)
	}
	b, _ := json.Marshal(v.String()) // strings always have a form
	return b
}

var completeSchema = data.NewStructSchema().Field("name", data.StringSchema).Field("task", data.Int32Schema).Field("topic", data.StringSchema).
	Field("time_ms", data.Int64Schema).Field(seqnoField, data.Int64Schema).MustBuild()

// verifiableSource makes sequence numbers and prints them, and again when Kafka
// has acknowledged them.
type verifiableSource struct {
	p        *Probe
	tc       connectors.SourceTaskContext
	name     string
	id       int
	complete bool
	pace     pacer
	next     int64
	record   data.Record
}

func (t *verifiableSource) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := parse(verifiableSourceDef(), config)
	if err != nil {
		return err
	}
	if t.id, err = taskNumber(config, idKey); err != nil {
		return err
	}
	t.tc, t.name, t.complete = tc, config[nameKey], v.Bool(completeDataKey)
	t.pace.rate = max(0, float64(v.Long(throughputKey)))
	if t.next, t.record, err = resume(ctx, tc, t.id, v.String(topicKey)); err != nil {
		return err
	}
	t.record.KeySchema, t.record.Key = data.Int32Schema, data.OfInt32(int32(t.id))
	t.record.ValueSchema = data.Int64Schema
	if t.complete {
		t.record.ValueSchema = completeSchema
	}
	return nil
}

// resume finds the number after the stored one, and begins the task's records.
func resume(ctx context.Context, tc connectors.SourceTaskContext, id int, topic string) (next int64, r data.Record, err error) {
	part := data.NewStringMap(idField, data.OfInt64(int64(id)))
	stored, err := tc.Offsets().Offset(ctx, part)
	if err != nil {
		return 0, r, connectors.Errorf("reading the stored offset: %w", err)
	}
	if seq, ok := stored.Get(seqnoField); ok && isInteger(seq) {
		next = seq.Int() + 1
	}
	return next, data.NewSourceRecord(part, data.SourceOffset{}, topic, nil, data.Null), nil
}

func (t *verifiableSource) Poll(ctx context.Context) ([]data.Record, error) {
	const most = 100 // a line is printed for each
	n := t.pace.due(ctx, most)
	if n == 0 {
		return nil, nil
	}
	out := t.tc.Batch(n)
	for range n {
		now := time.Now().UnixMilli()
		if err := t.p.verify(verified{Name: t.name, Task: number(int64(t.id)), Topic: t.record.Topic, TimeMs: now, Seqno: number(t.next)}); err != nil {
			return nil, err
		}
		r := t.record
		r.SourceOffset = data.LongOffset(seqnoField, t.next)
		r.Value = data.OfInt64(t.next)
		if t.complete {
			r.Value = data.OfStruct(data.NewStruct(completeSchema, []data.Value{data.OfString(t.name), data.OfInt32(int32(t.id)),
				data.OfString(t.record.Topic), data.OfInt64(now), data.OfInt64(t.next)}))
		}
		out = append(out, r)
		t.next++
	}
	return out, nil
}

// CommitRecord prints that the record is with Kafka.
func (t *verifiableSource) CommitRecord(_ context.Context, r *data.Record, _ *connectors.RecordMetadata) error {
	seq, ok := r.SourceOffset.Map().Get(seqnoField)
	if !ok {
		return nil
	}
	return t.p.verify(verified{Name: t.name, Task: number(int64(t.id)), Topic: r.Topic, TimeMs: time.Now().UnixMilli(), Seqno: number(seq.Int()), Committed: true})
}

func (t *verifiableSource) Stop(context.Context) error { return nil }

// verifiableSink prints the sequence numbers that it is given, and again when
// they are flushed.
type verifiableSink struct {
	p         *Probe
	name      string
	id        int
	unflushed []verified
}

func (t *verifiableSink) Start(_ context.Context, _ connectors.SinkTaskContext, config map[string]string) (err error) {
	t.name = config[nameKey]
	t.id, err = taskNumber(config, idKey)
	return err
}

func (t *verifiableSink) Put(_ context.Context, records []data.Record) error {
	now := time.Now().UnixMilli()
	for i := range records {
		r := &records[i]
		seq := r.Value
		switch r.Value.Kind() { // with complete.record.data
		case data.KindStruct:
			seq, _ = r.Value.Struct().Get(seqnoField)
		case data.KindMap:
			seq, _ = r.Value.Map().Get(seqnoField)
		}
		offset := r.Offset
		v := verified{Name: t.name, Task: jsonOf(r.Key), SinkTask: &t.id, Topic: r.Topic, TimeMs: now, Seqno: jsonOf(seq), Offset: &offset}
		if err := t.p.verify(v); err != nil {
			return err
		}
		t.unflushed = append(t.unflushed, v)
	}
	return nil
}

// Flush prints what was put since the last time.
func (t *verifiableSink) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	now := time.Now().UnixMilli()
	for _, v := range t.unflushed {
		v.TimeMs, v.Flushed = now, true
		if err := t.p.verify(v); err != nil {
			return err
		}
	}
	t.unflushed = t.unflushed[:0]
	return nil
}

func (t *verifiableSink) Stop(context.Context) error { return nil }
