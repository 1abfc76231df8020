package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/troupeio/troupe/actors/memory"
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/converters"
	"github.com/troupeio/troupe/connectors/transforms"
)

const (
	classRound = 500                  // calls between two looks at the clock
	classLook  = 5 * time.Millisecond // between two looks at the CPU time
)

// heldBytes is what a worker with load on it holds, which sets the pace of its
// collections and what each has to do: 10 MB when it feeds a sink with JSON, and 50
// MB when it reads a file through four transforms (GODEBUG=gctrace=1 in the rows
// sink-json and source-smt). With nothing held, this process would collect every 4 MB
// and measure that. The pace itself is the worker's, of package memory.
const heldBytes = 10 << 20

// holdRecords returns records that take so many bytes.
func holdRecords(size uint64) ([]data.Record, error) {
	text, err := newText()
	if err != nil {
		return nil, err
	}
	spec := classes.Records["order"]
	var held []data.Record
	var before, now runtime.MemStats
	runtime.GC()
	for runtime.ReadMemStats(&before); ; {
		for range 1000 {
			r, err := spec.record(text)
			if err != nil {
				return nil, fmt.Errorf("reading the record order: %w", err)
			}
			held = append(held, r)
		}
		runtime.GC() // what the reading left over does not count
		if runtime.ReadMemStats(&now); now.HeapAlloc >= before.HeapAlloc+size {
			return held, nil
		}
	}
}

// classOp is a case made ready: what is measured, and what it results in.
type classOp struct {
	call   func(i int) error
	output func() ([]string, error)
}

// ourClasses drives the cases with our classes in this process, on one thread.
func ourClasses(ctx context.Context, schemas string, warmUp, measure time.Duration) ([]classRun, error) {
	plugins, err := connectors.NewRegistry(transforms.Plugins(), converters.Plugins())
	if err != nil {
		return nil, err
	}
	if measure > 0 {
		memory.Keep()
		held, err := holdRecords(heldBytes)
		if err != nil {
			return nil, err
		}
		defer runtime.KeepAlive(held)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var runs []classRun
	for _, c := range classes.Cases {
		op, err := makeClass(plugins, &c, schemas)
		var run classRun
		if err == nil {
			run, err = op.run(warmUp/4, measure) // nothing is compiled; the heap grows
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Key, err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		run.Key = c.Key
		runs = append(runs, run)
	}
	return runs, nil
}

func (o *classOp) run(warmUp, measure time.Duration) (classRun, error) {
	output, err := o.output()
	if err != nil {
		return classRun{}, err
	}
	if _, err := o.rounds(warmUp); err != nil {
		return classRun{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, begin := usedSeconds(syscall.RUSAGE_SELF), time.Now()
	n, err := o.rounds(measure)
	if err != nil {
		return classRun{}, err
	}
	r := classRun{Output: output, Records: n, Seconds: time.Since(begin).Seconds(), CPUSeconds: usedSeconds(syscall.RUSAGE_SELF) - cpu}
	runtime.ReadMemStats(&after)
	r.Bytes, r.Allocs = int64(after.TotalAlloc-before.TotalAlloc), int64(after.Mallocs-before.Mallocs)
	return r, nil
}

// rounds calls for as long as it is told, in CPU time of this process, once at least.
func (o *classOp) rounds(long time.Duration) (n int64, err error) {
	for begin := usedSeconds(syscall.RUSAGE_SELF); ; {
		for look := time.Now(); time.Since(look) < classLook; n += classRound {
			for i := range classRound {
				if err := o.call(i); err != nil {
					return n, err
				}
			}
		}
		if usedSeconds(syscall.RUSAGE_SELF)-begin >= long.Seconds() {
			return n, nil
		}
	}
}

// makeClass configures the class of a case. schemas is the registry's address.
func makeClass(plugins *connectors.Registry, c *classCase, schemas string) (*classOp, error) {
	text, err := newText()
	if err != nil {
		return nil, err
	}
	spec := classes.Records[c.On]
	in, err := spec.record(text)
	if err != nil {
		return nil, fmt.Errorf("reading the record %s: %w", c.On, err)
	}
	kinds := map[string]connectors.Kind{kindTransform: connectors.TransformationKind, kindPredicate: connectors.PredicateKind,
		kindFromConnect: connectors.ConverterKind, kindToConnect: connectors.ConverterKind,
		kindFromConnectHeader: connectors.HeaderConverterKind, kindToConnectHeader: connectors.HeaderConverterKind}
	plugin, ok := plugins.Find(c.Class, kinds[c.Kind])
	if !ok {
		return nil, fmt.Errorf("no %s %s", c.Kind, c.Class)
	}
	switch c.Kind {
	case kindTransform:
		t, err := plugin.NewTransformation(c.Config)
		if err != nil {
			return nil, err
		}
		return transformOp(t, in, text), nil
	case kindPredicate:
		p, err := plugin.NewPredicate(c.Config)
		if err != nil {
			return nil, err
		}
		return predicateOp(p, in), nil
	case kindFromConnectHeader, kindToConnectHeader:
		h, err := plugin.NewHeaderConverter(c.Config)
		if err != nil {
			return nil, err
		}
		if c.Kind == kindToConnectHeader {
			return readHeaderOp(h, in, text)
		}
		return writeHeaderOp(h, in), nil
	default:
		config := c.Config
		if c.JavaClass != "" {
			config = merge(config, map[string]string{registry.URLSetting: schemas})
		}
		k, err := plugin.NewConverter(config, false)
		if err != nil {
			return nil, err
		}
		if c.Kind == kindFromConnect {
			return writeOp(k, in), nil
		}
		body, err := spec.body(c.Config["schemas.enable"] == "true")
		if c.JavaClass != "" {
			body, err = k.FromConnect(in.Topic, in.ValueSchema, in.Value, nil)
		}
		if err != nil {
			return nil, err
		}
		return readOp(k, in.Topic, body, text), nil
	}
}

// classSink takes what comes out, so that no compiler leaves the work undone.
var classSink struct {
	record data.Record
	yes    bool
	bytes  []byte
	schema *data.Schema
	value  data.Value
}

func transformOp(t connectors.Transformation, in data.Record, text *textForm) *classOp {
	return &classOp{
		call: func(int) (err error) {
			classSink.record = in
			classSink.yes, err = t.Apply(&classSink.record)
			return err
		},
		output: func() ([]string, error) {
			r := in
			keep, err := t.Apply(&r)
			if err != nil || !keep {
				return []string{"dropped"}, err
			}
			return text.record(&r)
		},
	}
}

func predicateOp(p connectors.Predicate, in data.Record) *classOp {
	return &classOp{
		call: func(int) (err error) {
			classSink.yes, err = p.Test(&in)
			return err
		},
		output: func() ([]string, error) {
			yes, err := p.Test(&in)
			return []string{fmt.Sprint(yes)}, err
		},
	}
}

// writeOp gives the converter room as a task does, in chunks; a round is its batch.
func writeOp(k codec.Converter, in data.Record) *classOp {
	var room codec.Buffer
	return &classOp{
		call: func(i int) (err error) {
			if i == 0 {
				room.Expect(classRound)
			}
			classSink.bytes, err = k.FromConnect(in.Topic, in.ValueSchema, in.Value, room.Next())
			room.Keep(classSink.bytes)
			return err
		},
		output: func() ([]string, error) {
			b, err := k.FromConnect(in.Topic, in.ValueSchema, in.Value, nil)
			if bytes.HasPrefix(b, []byte{0}) { // a registry's wire format
				return []string{"bytes " + hex.EncodeToString(b)}, err
			}
			return []string{"bytes " + string(b)}, err
		},
	}
}

func readOp(k codec.Converter, topic string, body []byte, text *textForm) *classOp {
	return &classOp{
		call: func(int) (err error) {
			classSink.schema, classSink.value, err = k.ToConnect(topic, body)
			return err
		},
		output: func() ([]string, error) {
			s, v, err := k.ToConnect(topic, body)
			if err != nil {
				return nil, err
			}
			line, err := text.line("value", s, v)
			return []string{line}, err
		},
	}
}

func writeHeaderOp(k codec.HeaderConverter, in data.Record) *classOp {
	headers := slices.Collect(in.Headers.All())
	return &classOp{
		call: func(i int) (err error) {
			h := &headers[i%len(headers)]
			classSink.bytes, err = k.FromConnectHeader(in.Topic, h.Key, h.Schema, h.Value)
			return err
		},
		output: func() (out []string, err error) {
			for _, h := range headers {
				b, err := k.FromConnectHeader(in.Topic, h.Key, h.Schema, h.Value)
				if err != nil {
					return nil, err
				}
				out = append(out, "bytes "+string(b))
			}
			return out, nil
		},
	}
}

func readHeaderOp(k codec.HeaderConverter, in data.Record, text *textForm) (*classOp, error) {
	var bodies [][]byte
	for h := range in.Headers.All() {
		b, err := k.FromConnectHeader(in.Topic, h.Key, h.Schema, h.Value)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, bytes.Clone(b))
	}
	return &classOp{
		call: func(i int) (err error) {
			classSink.schema, classSink.value, err = k.ToConnectHeader(in.Topic, "h", bodies[i%len(bodies)])
			return err
		},
		output: func() (out []string, err error) {
			for _, b := range bodies {
				s, v, err := k.ToConnectHeader(in.Topic, "h", b)
				if err != nil {
					return nil, err
				}
				line, err := text.line("value", s, v)
				if err != nil {
					return nil, err
				}
				out = append(out, line)
			}
			return out, nil
		},
	}, nil
}

// body is what a converter reads: the envelope or the payload of the value.
func (r *classRecord) body(envelope bool) ([]byte, error) {
	var value struct{ Payload json.RawMessage }
	if err := json.Unmarshal(r.Value, &value); err != nil {
		return nil, fmt.Errorf("reading a payload: %w", err)
	}
	var s string
	if json.Unmarshal(value.Payload, &s) == nil {
		return []byte(s), nil
	}
	var b bytes.Buffer
	raw := value.Payload
	if envelope {
		raw = r.Value
	}
	err := json.Compact(&b, raw)
	return b.Bytes(), err
}
