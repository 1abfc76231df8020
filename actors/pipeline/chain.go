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
}

// Apply runs the chain over the live records of a batch. A record that a
// transform drops is Filtered; one that fails and is tolerated is Skipped. The
// error, if any, ends the task.
func (c *Chain) Apply(ctx context.Context, b *Batch) error {
	if len(c.Steps) == 0 {
		return nil
	}
	for i := 0; i < len(b.Records); {
		n, step, err := c.run(b, i)
		if err == nil {
			return nil
		}
		i = n
		// The slot is spoilt. With originals at hand the whole chain can be tried
		// again; without them a retriable transform is not retried.
		var again func() error
		if b.Originals != nil {
			again = func() error {
				b.Records[i] = b.Originals[i]
				_, e := c.one(b, i)
				return e
			}
		}
		ok, fatal := c.Errors.Handle(ctx, c.report(b, i, c.Steps[step].Class, err), again)
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

// run applies the chain from record i on until one fails; it returns where, in
// which step, and why. One deferred call serves the whole run, so that catching
// a plugin's panic costs nothing a record.
func (c *Chain) run(b *Batch, i int) (at, step int, err error) {
	defer func() {
		if r := recover(); r != nil {
			at, step, err = i, min(step, len(c.Steps)-1), Recovered(r)
		}
	}()
	for ; i < len(b.Records); i++ {
		if b.States[i] != Live {
			continue
		}
		rec := &b.Records[i]
		for step = 0; step < len(c.Steps); step++ {
			s := &c.Steps[step]
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
	}
	return i, 0, nil
}

// one applies the whole chain to record i alone.
func (c *Chain) one(b *Batch, i int) (step int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Recovered(r)
		}
	}()
	for step = range c.Steps {
		s := &c.Steps[step]
		if s.Predicate != nil {
			yes, e := s.Predicate.Test(&b.Records[i])
			if e != nil {
				return step, e
			}
			if yes == s.Negate {
				continue
			}
		}
		keep, e := s.Transform.Apply(&b.Records[i])
		if e != nil {
			return step, e
		}
		if !keep {
			b.Drop(i, Filtered)
			c.Errors.Counters.Filtered.Add(1)
			return step, nil
		}
	}
	return 0, nil
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
}

// ToRaw converts the live records of a source batch into b.Raw: headers, key and
// value in this order, as Kafka Connect does.
func (c *Converters) ToRaw(ctx context.Context, b *Batch) error {
	raw := b.RawRoom()
	var stage Stage
	for i := 0; i < len(b.Records); {
		at, err := c.runToRaw(b, raw, i, &stage)
		if err == nil {
			return nil
		}
		i = at
		again := func() error {
			_, e := c.oneToRaw(b, raw, i, &stage)
			return e
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

func (c *Converters) oneToRaw(b *Batch, raw []Raw, i int, stage *Stage) (_ int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Recovered(r)
		}
	}()
	return i, c.toRaw(&b.Records[i], &raw[i], stage)
}

func (c *Converters) toRaw(r *data.Record, out *Raw, stage *Stage) (err error) {
	out.Headers = nil
	if len(r.Headers) > 0 {
		*stage = HeaderConverter
		out.Headers = make([]RawHeader, len(r.Headers))
		for j, h := range r.Headers {
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
		again := func() error { return c.oneFromRaw(b, i, &stage) }
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
	r.Headers = nil
	if len(raw.Headers) > 0 {
		*stage = HeaderConverter
		r.Headers = make(data.Headers, len(raw.Headers))
		for j, h := range raw.Headers {
			s, v, err := c.Header.ToConnectHeader(raw.Topic, h.Key, h.Value)
			if err != nil {
				return err
			}
			r.Headers[j] = data.Header{Key: h.Key, Schema: s, Value: v}
		}
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
