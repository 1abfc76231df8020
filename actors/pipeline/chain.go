package pipeline

import (
	"context"
	"fmt"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Step is one transform of a chain with the predicate that guards it.
type Step struct {
	Alias     string
	Class     string
	Transform connectors.Transformation
	Predicate connectors.Predicate // nil: always
	Negate    bool
}

// Chain applies transforms in order (transforms, predicates).
type Chain struct {
	Steps  []Step
	Errors *Errors
	Sink   bool

	before data.Record // as it was before the present step; kept while errors.retry.timeout is set
}

// Apply runs the chain over the live records of a batch. A record that a
// transform drops is Filtered; one that fails and is tolerated is Skipped. The
// error, if any, ends the task.
//
// Where a source record comes from (its source partition and offset) is not the
// transforms' to change: what they write there is undone, as Kafka Connect
// accounts for the record that the task returned.
func (c *Chain) Apply(ctx context.Context, b *Batch) error {
	if len(c.Steps) == 0 {
		return nil
	}
	for at, step := 0, 0; at < len(b.Records); {
		i, s, err := c.run(b, at, step)
		if err == nil {
			return nil
		}
		// A transform is tried again with the record as it was before that
		// transform; those before it have done their work.
		var again func(*Report) error
		if c.Errors.RetryTimeout != 0 {
			before := c.before
			again = func(*Report) error {
				b.Records[i] = before
				return c.one(b, i, s)
			}
		}
		ok, fatal := c.Errors.Handle(ctx, c.report(b, i, c.Steps[s].Class, err), again)
		if fatal != nil {
			return fatal
		}
		if ok && b.States[i] == Live {
			at, step = i, s+1
			continue
		}
		if !ok {
			b.Drop(i, Skipped)
		}
		at, step = i+1, 0
	}
	return nil
}

// run applies the chain from a step of record i on until one fails; it returns
// where, in which step, and why. One deferred call serves the whole run, so that
// catching a plugin's panic costs nothing a record.
func (c *Chain) run(b *Batch, i, from int) (at, step int, err error) {
	var origin data.SourceOffset
	var part *data.MapValue
	defer func() {
		if r := recover(); r != nil {
			at, err = i, Recovered(r)
		}
		if err != nil {
			b.Records[at].SourcePartition, b.Records[at].SourceOffset = part, origin
		}
	}()
	steps, retries := c.Steps, c.Errors.RetryTimeout != 0
	for ; i < len(b.Records); i, from = i+1, 0 {
		if b.States[i] != Live {
			continue
		}
		rec := &b.Records[i]
		part, origin = rec.SourcePartition, rec.SourceOffset
		for step = from; step < len(steps); step++ {
			if retries {
				c.before = *rec
			}
			s := &steps[step]
			if s.Predicate != nil {
				yes, e := s.Predicate.Test(rec)
				if e != nil {
					return i, step, e
				}
				if yes == s.Negate {
					continue
				}
			}
			keep, e := s.Transform.Apply(rec)
			if e != nil {
				return i, step, e
			}
			if !keep {
				b.Drop(i, Filtered)
				c.Errors.Counters.Filtered.Add(1)
				break
			}
		}
		if rec.SourcePartition != part || rec.SourceOffset != origin {
			rec.SourcePartition, rec.SourceOffset = part, origin
		}
	}
	return i, 0, nil
}

// apply runs the step on a record, if its predicate lets it.
func (s *Step) apply(rec *data.Record) (keep bool, err error) {
	if s.Predicate != nil {
		yes, err := s.Predicate.Test(rec)
		if err != nil {
			return false, err
		}
		if yes == s.Negate {
			return true, nil
		}
	}
	return s.Transform.Apply(rec)
}

// one applies one step to record i alone.
func (c *Chain) one(b *Batch, i, step int) (err error) {
	rec := &b.Records[i]
	part, off := rec.SourcePartition, rec.SourceOffset
	defer func() {
		if r := recover(); r != nil {
			err = Recovered(r)
		}
		rec.SourcePartition, rec.SourceOffset = part, off
	}()
	keep, err := c.Steps[step].apply(rec)
	if err == nil && !keep {
		b.Drop(i, Filtered)
		c.Errors.Counters.Filtered.Add(1)
	}
	return err
}

func (c *Chain) report(b *Batch, i int, class string, err error) Report {
	return reportOf(c.Sink, Transformation, b, i, class, err)
}

func reportOf(sink bool, stage Stage, b *Batch, i int, class string, err error) Report {
	r := Report{Stage: stage, Class: class, Err: err}
	if sink {
		raw := b.Raw[i]
		r.Raw = &raw
	} else {
		rec := *b.Original(i)
		r.Record = &rec
	}
	return r
}

// Side is a converter with the class name that reports give.
type Side struct {
	Class     string
	Converter codec.Converter
}

// Converters turn records into bytes (source) or bytes into records (sink).
type Converters struct {
	Key, Value  Side
	HeaderClass string
	Header      codec.HeaderConverter
	Errors      *Errors

	keys, values codec.Buffer
	rawHeaders   data.Chunks[RawHeader]
	headers      data.HeaderMaker
}

// ToRaw converts the live records of a source batch into b.Raw: headers, key and
// value in this order, as Kafka Connect does.
func (c *Converters) ToRaw(ctx context.Context, b *Batch) error {
	raw := b.RawRoom()
	c.keys.Expect(len(b.Records))
	c.values.Expect(len(b.Records))
	var stage Stage
	for i := 0; i < len(b.Records); {
		at, err := c.runToRaw(b, raw, i, &stage)
		if err == nil {
			return nil
		}
		i = at
		again := func(r *Report) error {
			err := c.oneToRaw(b, raw, i, &stage)
			r.Stage, r.Class = stage, c.class(stage)
			return err
		}
		ok, fatal := c.Errors.Handle(ctx, reportOf(false, stage, b, i, c.class(stage), err), again)
		if fatal != nil {
			return fatal
		}
		if !ok {
			b.Drop(i, Skipped)
		}
		i++
	}
	return nil
}

func (c *Converters) class(s Stage) string {
	switch s {
	case KeyConverter:
		return c.Key.Class
	case HeaderConverter:
		return c.HeaderClass
	}
	return c.Value.Class
}

func (c *Converters) runToRaw(b *Batch, raw []Raw, i int, stage *Stage) (at int, err error) {
	defer func() {
		if r := recover(); r != nil {
			at, err = i, Recovered(r)
		}
	}()
	for ; i < len(b.Records); i++ {
		if b.States[i] != Live {
			continue
		}
		if err := c.toRaw(&b.Records[i], &raw[i], stage); err != nil {
			return i, err
		}
	}
	return i, nil
}

func (c *Converters) oneToRaw(b *Batch, raw []Raw, i int, stage *Stage) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Recovered(r)
		}
	}()
	return c.toRaw(&b.Records[i], &raw[i], stage)
}

func (c *Converters) toRaw(r *data.Record, out *Raw, stage *Stage) (err error) {
	out.Headers = nil
	if n := r.Headers.Len(); n > 0 {
		*stage = HeaderConverter
		out.Headers = c.rawHeaders.Take(n)
		for j := range n {
			h := r.Headers.At(j)
			v, err := c.Header.FromConnectHeader(r.Topic, h.Key, h.Schema, h.Value)
			if err != nil {
				return err
			}
			out.Headers[j] = RawHeader{h.Key, v}
		}
	}
	*stage = KeyConverter
	if r.Key.IsNull() && r.KeySchema == nil {
		// Every converter turns a null without a schema into null bytes, except
		// those that check; the call is spared for the commonest key there is.
		out.Key = nil
	} else {
		dst := c.keys.Next()
		if out.Key, err = c.Key.Converter.FromConnect(r.Topic, r.KeySchema, r.Key, dst); err != nil {
			return err
		}
		c.keys.Keep(out.Key)
	}
	*stage = ValueConverter
	dst := c.values.Next()
	if out.Value, err = c.Value.Converter.FromConnect(r.Topic, r.ValueSchema, r.Value, dst); err != nil {
		return err
	}
	c.values.Keep(out.Value)
	out.Topic, out.Partition, out.Timestamp = r.Topic, r.Partition, r.Timestamp
	return nil
}

// FromRaw converts the raw records of a sink batch into b.Records: key, value and
// headers in this order.
func (c *Converters) FromRaw(ctx context.Context, b *Batch) error {
	var stage Stage
	for i := 0; i < len(b.Raw); {
		at, err := c.runFromRaw(b, i, &stage)
		if err == nil {
			return nil
		}
		i = at
		again := func(r *Report) error {
			err := c.oneFromRaw(b, i, &stage)
			r.Stage, r.Class = stage, c.class(stage)
			return err
		}
		ok, fatal := c.Errors.Handle(ctx, reportOf(true, stage, b, i, c.class(stage), err), again)
		if fatal != nil {
			return fatal
		}
		if !ok {
			b.Drop(i, Skipped)
		}
		i++
	}
	return nil
}

func (c *Converters) runFromRaw(b *Batch, i int, stage *Stage) (at int, err error) {
	defer func() {
		if r := recover(); r != nil {
			at, err = i, Recovered(r)
		}
	}()
	for ; i < len(b.Raw); i++ {
		if err := c.fromRaw(&b.Raw[i], &b.Records[i], stage); err != nil {
			return i, err
		}
	}
	return i, nil
}

func (c *Converters) oneFromRaw(b *Batch, i int, stage *Stage) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Recovered(r)
		}
	}()
	return c.fromRaw(&b.Raw[i], &b.Records[i], stage)
}

func (c *Converters) fromRaw(raw *Raw, r *data.Record, stage *Stage) (err error) {
	*stage = KeyConverter
	if r.KeySchema, r.Key, err = c.Key.Converter.ToConnect(raw.Topic, raw.Key); err != nil {
		return err
	}
	*stage = ValueConverter
	if r.ValueSchema, r.Value, err = c.Value.Converter.ToConnect(raw.Topic, raw.Value); err != nil {
		return err
	}
	r.Headers = data.Headers{}
	if len(raw.Headers) > 0 {
		*stage = HeaderConverter
		c.headers.Begin(data.Headers{})
		for _, h := range raw.Headers {
			s, v, err := c.Header.ToConnectHeader(raw.Topic, h.Key, h.Value)
			if err != nil {
				return err
			}
			c.headers.Add(data.Header{Key: h.Key, Schema: s, Value: v})
		}
		r.Headers = c.headers.Make()
	}
	r.Topic, r.Partition, r.Offset = raw.Topic, raw.Partition, raw.Offset
	r.Timestamp, r.TimestampType = raw.Timestamp, raw.TimestampType
	if raw.TimestampType == data.NoTimestampType || raw.Timestamp < 0 {
		r.Timestamp = data.NoTimestamp
	}
	r.Sink = true
	r.OriginalTopic, r.OriginalPartition, r.OriginalOffset = raw.Topic, raw.Partition, raw.Offset
	return nil
}

// CheckTimestamp returns an error for a timestamp that Kafka does not take.
func CheckTimestamp(ts int64) error {
	if ts == data.NoTimestamp || ts == -1 || ts >= 0 {
		return nil
	}
	return &connectors.Error{JavaClass: "org.apache.kafka.connect.errors.InvalidRecordException", Class: connectors.Poison,
		Msg: fmt.Sprintf("Invalid record timestamp %d", ts)}
}
