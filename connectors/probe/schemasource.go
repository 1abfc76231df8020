package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Settings of Kafka's SchemaSourceConnector, besides topic, id and throughput.
const (
	numMessagesKey    = "num.messages"
	multipleSchemaKey = "multiple.schema"
	partitionCountKey = "partition.count"
)

// schemaSourceDef is for the task only: the connector declares no settings.
func schemaSourceDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: topicKey, Type: configdef.String, Default: configdef.Required},
		configdef.Key{Name: numMessagesKey, Type: configdef.Long, Default: int64(1) << 62},
		configdef.Key{Name: throughputKey, Type: configdef.Long, Default: -1},
		configdef.Key{Name: multipleSchemaKey, Type: configdef.Boolean, Default: false},
		configdef.Key{Name: partitionCountKey, Type: configdef.Int, Default: 1, Validator: configdef.AtLeast(1)},
	)
}

// The schemas of its records, two versions of one.
var (
	recordV1 = recordSchema(1).MustBuild()
	recordV2 = recordSchema(2).
			Field("string", data.NewSchema(data.String).Default(data.OfString("abc")).MustBuild()).MustBuild()
)

func recordSchema(version int32) *data.SchemaBuilder {
	return data.NewStructSchema().Name("record").Version(version).
		Field("boolean", data.BooleanSchema).Field("int", data.Int32Schema).Field("long", data.Int64Schema).
		Field("float", data.Float32Schema).Field("double", data.Float64Schema).Field("partitioning", data.Int32Schema).
		Field(idField, data.Int64Schema).Field(seqnoField, data.Int64Schema)
}

// schemaSource makes a bounded number of structs, by turns of two schemas if asked
// for, over a number of partitions.
type schemaSource struct {
	p          *Probe
	tc         connectors.SourceTaskContext
	id         int
	most, made int64
	two        bool
	partitions int64
	pace       pacer
	next       int64
	record     data.Record
}

func (t *schemaSource) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := parse(schemaSourceDef(), config)
	if err != nil {
		return err
	}
	if t.id, err = taskNumber(config, idKey); err != nil {
		return err
	}
	t.tc, t.most, t.two, t.partitions = tc, v.Long(numMessagesKey), v.Bool(multipleSchemaKey), v.Long(partitionCountKey)
	t.pace.rate = max(0, float64(v.Long(throughputKey)))
	t.next, t.record, err = resume(ctx, tc, t.id, v.String(topicKey))
	t.record.KeySchema, t.record.Key = data.StringSchema, data.OfString("key")
	return err
}

func (t *schemaSource) Poll(ctx context.Context) ([]data.Record, error) {
	if t.made >= t.most {
		wait(ctx, time.Second)
		return nil, nil
	}
	n := t.pace.due(ctx, int(min(100, t.most-t.made)))
	if n == 0 {
		return nil, nil
	}
	out := t.tc.Batch(n)
	for range n {
		r := t.record
		r.Partition = int32(t.next % t.partitions)
		r.SourceOffset = data.LongOffset(seqnoField, t.next)
		vals := []data.Value{data.OfBool(true), data.OfInt32(12), data.OfInt64(12), data.OfFloat32(12.2), data.OfFloat64(12.2),
			data.OfInt32(r.Partition), data.OfInt64(int64(t.id)), data.OfInt64(t.next)}
		r.ValueSchema = recordV1
		if t.two && t.made%2 == 1 {
			r.ValueSchema = recordV2
			vals = append(vals, data.OfString("def"))
		}
		r.Value = data.OfStruct(data.NewStruct(r.ValueSchema, vals))
		t.p.print(fmt.Appendf(nil, `{"task": %d, "seqno": %d}`, t.id, t.next))
		out = append(out, r)
		t.next++
		t.made++
	}
	return out, nil
}

func (t *schemaSource) Stop(context.Context) error { return nil }
