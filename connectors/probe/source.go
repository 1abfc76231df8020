package probe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Names of the source's settings.
const (
	topicKey  = "topic"
	rateKey   = "rate"
	sizeKey   = "size"
	limitKey  = "limit"
	batchKey  = "batch.size"
	formatKey = "format"
	priceKey  = "price"
	stampKey  = "stamp"

	formatStruct = "struct"
	formatString = "string"
	priceDecimal = "decimal"
	priceFloat   = "float64"
)

// Names in the source partition, the offset and the value.
const (
	taskField = "task"
	seqField  = "seq"
)

// Names of the headers that stamp=true adds: the node (host and process id), the
// process's id, the time at which the task's incarnation began, in milliseconds,
// and the time at which the record was made, in nanoseconds. Two incarnations of a
// task that run at once show in them.
const (
	NodeHeader  = "probe.node"
	BootHeader  = "probe.boot"
	EpochHeader = "probe.epoch"
	ClockHeader = "probe.clock"
)

func sourceDef() *configdef.Def {
	d := configdef.New(
		configdef.Key{Name: topicKey, Type: configdef.String, Default: configdef.Required, Importance: configdef.High, Validator: configdef.NonEmpty(),
			Doc: "The topic to publish events to."},
		configdef.Key{Name: rateKey, Type: configdef.Double, Default: 0.0, Importance: configdef.Medium, Validator: configdef.AtLeast(0),
			Doc: "Records a second and task; 0 is as many as go."},
		configdef.Key{Name: limitKey, Type: configdef.Long, Default: 0, Importance: configdef.Medium, Validator: configdef.AtLeast(0),
			Doc: "How many records each task makes in all, over restarts; 0 is no limit."},
		configdef.Key{Name: sizeKey, Type: configdef.Int, Default: 0, Importance: configdef.Low, Validator: configdef.AtLeast(0),
			Doc: "Bytes of padding in each record."},
		configdef.Key{Name: batchKey, Type: configdef.Int, Default: 1000, Importance: configdef.Low, Validator: configdef.AtLeast(1),
			Doc: "The largest number of records that one poll returns."},
		configdef.Key{Name: formatKey, Type: configdef.String, Default: formatStruct, Importance: configdef.Medium, Validator: configdef.OneOf(formatStruct, formatString),
			Doc: "A struct with a schema, or the same as a string in JSON."},
		configdef.Key{Name: priceKey, Type: configdef.String, Default: priceDecimal, Importance: configdef.Low, Validator: configdef.OneOf(priceDecimal, priceFloat),
			Doc: "The type of the field price."},
		configdef.Key{Name: stampKey, Type: configdef.Boolean, Default: false, Importance: configdef.Low,
			Doc: "Whether headers say which node, process and incarnation made a record, and when."},
		journalSetting,
	)
	for _, k := range faultKeys(inPoll) {
		d.Define(k)
	}
	return d
}

// SourceTask makes product events, numbered from 0 in each task without a gap. The
// key is the task's number, so that a task's events stay in order.
type SourceTask struct {
	p      *Probe
	tc     connectors.SourceTaskContext
	fault  *faulter
	diary  *journal
	task   int
	epoch  int64
	stamp  bool
	text   bool
	float  bool
	batch  int
	limit  int64
	pad    data.Value
	pace   pacer
	next   int64
	record data.Record
}

// Start reads the stored offset.
func (t *SourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := parse(sourceDef(), config)
	if err != nil {
		return err
	}
	if t.task, err = taskNumber(config, taskKey); err != nil {
		return err
	}
	t.tc, t.fault = tc, t.p.arm(v, config[nameKey], t.task, tc)
	if err := t.fault.at(inStart); err != nil {
		return err
	}
	t.epoch = time.Now().UnixMilli()
	t.stamp, t.batch, t.limit = v.Bool(stampKey), v.Int(batchKey), v.Long(limitKey)
	t.text, t.float = v.String(formatKey) == formatString, v.String(priceKey) == priceFloat
	t.pace.rate = v.Double(rateKey)
	if n := v.Int(sizeKey); n > 0 {
		t.pad = data.OfString(strings.Repeat("x", n))
	}
	part := data.NewStringMap(taskField, data.OfInt64(int64(t.task)))
	stored, err := tc.Offsets().Offset(ctx, part)
	if err != nil {
		return connectors.Errorf("reading the stored offset: %w", err)
	}
	if seq, ok := stored.Get(seqField); ok && isInteger(seq) {
		t.next = seq.Int() + 1
	}
	schema := data.StringSchema
	if !t.text {
		schema = productSchema(t.float)
	}
	t.record = data.NewSourceRecord(part, data.SourceOffset{}, v.String(topicKey), schema, data.Null)
	t.record.KeySchema, t.record.Key = data.Int32Schema, data.OfInt32(int32(t.task))
	t.diary, err = t.p.openJournal(v.String(journalKey), config[nameKey], t.task, t.epoch)
	return err
}

// Poll returns the events that are due.
func (t *SourceTask) Poll(ctx context.Context) ([]data.Record, error) {
	if err := t.fault.at(inPoll); err != nil {
		return nil, err
	}
	most := t.batch
	if t.limit > 0 {
		most = int(min(int64(most), t.limit-t.next))
	}
	if most <= 0 {
		wait(ctx, time.Second)
		return nil, nil
	}
	n := t.pace.due(ctx, most)
	if n == 0 {
		return nil, nil
	}
	now := time.Now()
	rec := t.record
	rec.Timestamp = now.UnixMilli()
	if t.stamp {
		rec.Headers = data.NewHeaders(
			data.Header{Key: NodeHeader, Schema: data.StringSchema, Value: data.OfString(t.p.node)},
			data.Header{Key: BootHeader, Schema: data.StringSchema, Value: data.OfString(t.p.boot)},
			data.Header{Key: EpochHeader, Schema: data.Int64Schema, Value: data.OfInt64(t.epoch)},
			data.Header{Key: ClockHeader, Schema: data.Int64Schema, Value: data.OfInt64(now.UnixNano())})
	}
	if err := t.diary.write(DidBatch, JournalSpan{From: t.next, To: t.next + int64(n) - 1}); err != nil {
		return nil, err
	}
	out := t.tc.Batch(n)
	for range n {
		rec.SourceOffset = data.LongOffset(seqField, t.next)
		rec.Value = t.value(now)
		if t.fault.poisons(t.next + 1) {
			rec.Value = data.OfBool(true) // which fits neither schema
		}
		out = append(out, rec)
		t.next++
	}
	return out, nil
}

var productNames = [...]string{"anvil", "bellows", "chisel", "drill", "easel", "file", "gimlet", "hammer"}

func productSchema(float bool) *data.Schema {
	price := data.NewDecimalSchema(2).MustBuild()
	if float {
		price = data.Float64Schema
	}
	return data.NewStructSchema().Name("troupe.probe.Product").
		Field("id", data.Int64Schema).Field(taskField, data.Int32Schema).Field(seqField, data.Int64Schema).
		Field("name", data.StringSchema).Field("price", price).Field("quantity", data.Int32Schema).
		Field("at", data.TimestampSchema).Field("padding", data.OptionalStringSchema).MustBuild()
}

// value makes the event of t.next, which is always the same but for its time.
func (t *SourceTask) value(now time.Time) data.Value {
	n := t.next
	cents := 99 + n*37%10000
	name, quantity := productNames[n%int64(len(productNames))], 1+n%9
	id := int64(t.task)<<40 | n
	if t.text {
		return data.OfString(fmt.Sprintf(`{"id":%d,"task":%d,"seq":%d,"name":%q,"price":%d.%02d,"quantity":%d,"at":%d,"padding":%q}`,
			id, t.task, n, name, cents/100, cents%100, quantity, now.UnixMilli(), t.pad.Str()))
	}
	price := data.OfFloat64(float64(cents) / 100)
	if !t.float {
		price = data.OfDecimal(data.NewDecimal(cents, 2))
	}
	return data.OfStruct(data.NewStruct(t.record.ValueSchema, []data.Value{
		data.OfInt64(id), data.OfInt32(int32(t.task)), data.OfInt64(n), data.OfString(name), price, data.OfInt32(int32(quantity)),
		data.OfDate(now.UnixMilli()), t.pad,
	}))
}

// Commit does nothing but fail on demand.
func (t *SourceTask) Commit(context.Context) error { return t.fault.at(inCommit) }

// Stop fails on demand.
func (t *SourceTask) Stop(context.Context) error {
	err := t.fault.at(inStop)
	if jerr := t.diary.close(); err == nil {
		err = jerr
	}
	return err
}

// pacer spreads records over time.
type pacer struct {
	rate  float64 // a second; 0 is no limit
	start time.Time
	sent  float64
}

// due waits, for up to a second, until at least one record is due, and returns how
// many are. What a stalled pipeline delayed for more than a second isn't made up
// for.
func (p *pacer) due(ctx context.Context, most int) int {
	if p.rate <= 0 {
		return most
	}
	now := time.Now()
	if p.start.IsZero() {
		p.start = now
	}
	due := now.Sub(p.start).Seconds()*p.rate - p.sent
	if due > p.rate && due > float64(most) {
		p.start, p.sent, due = now, 0, float64(most)
	}
	if due < 1 {
		// At least a millisecond, so that rounding cannot make it none.
		pause := time.Duration((1 - due) / p.rate * float64(time.Second))
		if !wait(ctx, min(time.Second, max(time.Millisecond, pause))) {
			return 0
		}
		due = time.Since(p.start).Seconds()*p.rate - p.sent
	}
	n := min(most, int(due))
	p.sent += float64(n)
	return n
}

// wait returns true after d, false when ctx is done first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
