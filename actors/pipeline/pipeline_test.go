package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// step is a transform by function.
type step func(r *data.Record) (bool, error)

func (f step) Apply(r *data.Record) (bool, error) { return f(r) }

// test is a predicate by function.
type test func(r *data.Record) (bool, error)

func (f test) Test(r *data.Record) (bool, error) { return f(r) }

// seen collects reports.
type seen struct{ reports []pipeline.Report }

func (s *seen) Report(_ context.Context, r pipeline.Report) { s.reports = append(s.reports, r) }

var part = data.NewStringMap("p", data.OfInt64(1))

func source(values ...string) *pipeline.Batch {
	b := &pipeline.Batch{}
	for i, v := range values {
		b.Records = append(b.Records, data.NewSourceRecord(part, data.LongOffset("n", int64(i)), "t", data.StringSchema, data.OfString(v)))
	}
	b.Reset(len(values))
	return b
}

func values(b *pipeline.Batch) string {
	var out []string
	for i := range b.Records {
		if b.States[i] == pipeline.Live {
			out = append(out, b.Records[i].Value.Str())
		}
	}
	return strings.Join(out, " ")
}

func add(s string) step {
	return func(r *data.Record) (bool, error) { r.Value = data.OfString(r.Value.Str() + s); return true, nil }
}

// TestChain: what becomes of records whose transform fails, panics, drops or
// needs to be tried again.
func TestChain(t *testing.T) {
	boom := errors.New("boom")
	// busy fails n times for a value, after it has spoilt the slot.
	busy := func(value string, n int) step {
		return func(r *data.Record) (bool, error) {
			if strings.HasPrefix(r.Value.Str(), value) && n > 0 {
				n--
				*r = data.Record{}
				return false, connectors.Retriable(boom)
			}
			r.Value = data.OfString(r.Value.Str() + "!")
			return true, nil
		}
	}
	on := func(value string, f step) step {
		return func(r *data.Record) (bool, error) {
			if strings.HasPrefix(r.Value.Str(), value) {
				return f(r)
			}
			return true, nil
		}
	}
	fails := func(*data.Record) (bool, error) { return false, boom }
	panics := func(*data.Record) (bool, error) { panic(boom) }
	drops := func(*data.Record) (bool, error) { return false, nil }
	for _, tt := range []struct {
		name    string
		all     bool
		timeout time.Duration
		steps   []pipeline.Step
		want    string
		fatal   bool
		counts  string // failures errors skipped retries filtered
		stage   string // class of the report
		took    time.Duration
	}{
		{name: "nothing fails", steps: []pipeline.Step{{Transform: add("1")}, {Transform: add("2")}}, want: "a12 b12 c12", counts: "0 0 0 0 0"},
		{name: "drops", steps: []pipeline.Step{{Transform: on("b", drops)}, {Transform: add("2")}}, want: "a2 c2", counts: "0 0 0 0 1"},
		{name: "fails, all", all: true, steps: []pipeline.Step{{Transform: add("1")}, {Class: "F", Transform: on("b", fails)}, {Transform: add("2")}}, want: "a12 c12", counts: "1 1 1 0 0", stage: "F"},
		{name: "fails, none", steps: []pipeline.Step{{Class: "F", Transform: on("b", fails)}}, want: "a b c", fatal: true, counts: "1 1 0 0 0", stage: "F"},
		{name: "panics, all", all: true, steps: []pipeline.Step{{Class: "P", Transform: on("b", panics)}, {Transform: add("2")}}, want: "a2 c2", counts: "1 1 1 0 0", stage: "P"},
		{name: "panics, none", steps: []pipeline.Step{{Class: "P", Transform: on("c", panics)}, {Transform: add("2")}}, want: "a2 b2 c", fatal: true, counts: "1 1 0 0 0", stage: "P"},
		{name: "all fail, all", all: true, steps: []pipeline.Step{{Class: "F", Transform: step(fails)}}, want: "", counts: "3 3 3 0 0", stage: "F"},
		{name: "predicate fails, all", all: true, steps: []pipeline.Step{{Class: "Q", Transform: add("1"), Predicate: test(func(r *data.Record) (bool, error) {
			if r.Value.Str() == "b" {
				return false, boom
			}
			return true, nil
		})}}, want: "a1 c1", counts: "1 1 1 0 0", stage: "Q"},
		{name: "predicate, negated", steps: []pipeline.Step{{Transform: add("1"), Negate: true, Predicate: test(func(r *data.Record) (bool, error) { return r.Value.Str() == "b", nil })}}, want: "a1 b c1", counts: "0 0 0 0 0"},
		// The steps before the one that is tried again are not done twice.
		{name: "tried again", timeout: time.Minute, steps: []pipeline.Step{{Transform: add("1")}, {Transform: busy("b", 3)}, {Transform: add("2")}}, want: "a1!2 b1!2 c1!2", counts: "3 0 0 3 0", took: 2100 * time.Millisecond},
		{name: "tried again twice", timeout: time.Minute, steps: []pipeline.Step{{Transform: busy("b", 1)}, {Transform: busy("b", 1)}}, want: "a!! b!! c!!", counts: "2 0 0 2 0", took: 600 * time.Millisecond},
		{name: "tried again, then drops", timeout: time.Minute, steps: []pipeline.Step{{Transform: func() step {
			n := 0
			return on("b", func(*data.Record) (bool, error) {
				if n++; n == 1 {
					return false, connectors.Retriable(boom)
				}
				return false, nil
			})
		}()}, {Transform: add("2")}}, want: "a2 c2", counts: "1 0 0 1 1", took: 300 * time.Millisecond},
		{name: "no time to try again, none", steps: []pipeline.Step{{Class: "B", Transform: busy("b", 3)}}, want: "a! c!", counts: "1 1 1 0 0", stage: "B"},
		{name: "time is up, none", timeout: time.Second, steps: []pipeline.Step{{Class: "B", Transform: busy("b", 30)}}, want: "a! c!", counts: "4 1 1 3 0", stage: "B", took: time.Second},
		{name: "tried again, then fails for good", timeout: time.Minute, all: true, steps: []pipeline.Step{{Class: "B", Transform: func() step {
			n := 0
			return on("b", func(*data.Record) (bool, error) {
				if n++; n == 1 {
					return false, connectors.Retriable(boom)
				}
				panic(boom)
			})
		}()}}, want: "a c", counts: "2 1 1 1 0", stage: "B", took: 300 * time.Millisecond},
	} {
		for _, sink := range []bool{false, true} {
			if sink && tt.timeout > 0 {
				continue // these transforms have said their lines
			}
			t.Run(fmt.Sprintf("%s/sink=%v", tt.name, sink), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rep := &seen{}
					e := &pipeline.Errors{TolerateAll: tt.all, RetryTimeout: tt.timeout, RetryDelayMax: time.Minute, Counters: &pipeline.Counters{}, Reporters: []pipeline.Reporter{rep}}
					c := &pipeline.Chain{Steps: tt.steps, Errors: e, Sink: sink}
					b := source("a", "b", "c")
					if sink {
						for i := range b.Records {
							b.Raw = append(b.Raw, pipeline.Raw{Topic: "t", Offset: int64(i), Value: b.Records[i].Value.Bytes()})
						}
					}
					begun := time.Now()
					err := c.Apply(t.Context(), b)
					if (err != nil) != tt.fatal {
						t.Fatalf("error %v", err)
					}
					if took := time.Since(begun); took != tt.took {
						t.Errorf("took %s, want %s", took, tt.took)
					}
					if got := values(b); got != tt.want {
						t.Errorf("records %q, want %q", got, tt.want)
					}
					k := e.Counters
					if got := fmt.Sprint(k.Failures.Load(), k.Errors.Load(), k.Skipped.Load(), k.Retries.Load(), k.Filtered.Load()); got != tt.counts {
						t.Errorf("counters %s, want %s", got, tt.counts)
					}
					if got := b.Live(); err == nil && got != len(strings.Fields(tt.want)) {
						t.Errorf("%d live", got)
					}
					for _, r := range rep.reports {
						if r.Class != tt.stage || r.Stage != pipeline.Transformation || (r.Raw != nil) != sink || (r.Record != nil) == sink {
							t.Errorf("report %+v", r)
						}
					}
					for i := range b.Records {
						if v, _ := b.Records[i].SourceOffset.Map().Get("n"); v.Int() != int64(i) || b.Records[i].SourcePartition != part {
							t.Errorf("record %d has source offset %v of %v", i, b.Records[i].SourceOffset, b.Records[i].SourcePartition)
						}
					}
				})
			})
		}
	}
}

// TestChainKeepsSourceCoordinates: a transform that makes a record of its own does
// not decide which offset is stored.
func TestChainKeepsSourceCoordinates(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    step
	}{
		{"replaces the record", func(r *data.Record) (bool, error) { *r = data.Record{Value: data.OfString("x")}; return true, nil }},
		{"replaces and drops", func(r *data.Record) (bool, error) { *r = data.Record{}; return false, nil }},
		{"replaces and fails", func(r *data.Record) (bool, error) { *r = data.Record{}; return true, errors.New("x") }},
		{"replaces and panics", func(r *data.Record) (bool, error) { *r = data.Record{}; panic("x") }},
		{"moves the offset", func(r *data.Record) (bool, error) { r.SourceOffset = data.LongOffset("n", 99); return true, nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &pipeline.Errors{TolerateAll: true, Counters: &pipeline.Counters{}}
			b := source("a", "b")
			if err := (&pipeline.Chain{Steps: []pipeline.Step{{Transform: tt.f}}, Errors: e}).Apply(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for i := range b.Records {
				if v, _ := b.Records[i].SourceOffset.Map().Get("n"); v.Int() != int64(i) || b.Records[i].SourcePartition != part {
					t.Errorf("record %d: offset %v", i, b.Records[i].SourceOffset.Map())
				}
			}
		})
	}
}

// conv is a converter by function.
type conv struct {
	from func(v data.Value) ([]byte, error)
	to   func(b []byte) (data.Value, error)
}

func (c conv) FromConnect(_ string, _ *data.Schema, v data.Value, _ []byte) ([]byte, error) {
	return c.from(v)
}
func (c conv) ToConnect(_ string, b []byte) (*data.Schema, data.Value, error) {
	v, err := c.to(b)
	return nil, v, err
}
func (c conv) FromConnectHeader(_, _ string, _ *data.Schema, v data.Value) ([]byte, error) {
	return c.from(v)
}
func (c conv) ToConnectHeader(_, _ string, b []byte) (*data.Schema, data.Value, error) {
	v, err := c.to(b)
	return nil, v, err
}

// TestConverters: the stage and class that a report names, in both directions, and
// a retry that comes further than the first attempt.
func TestConverters(t *testing.T) {
	script := func(results ...string) conv {
		next := func() error {
			if len(results) == 0 {
				return nil
			}
			r := results[0]
			results = results[1:]
			switch r {
			case "busy":
				return connectors.Retriable(errors.New("busy"))
			case "panic":
				panic("told to")
			case "bad":
				return data.Errorf("bad")
			}
			return nil
		}
		return conv{from: func(v data.Value) ([]byte, error) { return v.Bytes(), next() }, to: func(b []byte) (data.Value, error) { return data.OfText(b), next() }}
	}
	for _, tt := range []struct {
		name               string
		key, value, header []string
		all                bool
		want               string // stages and classes of reports
		fatal              bool
		live               int
	}{
		{name: "fine", live: 2},
		{name: "key", key: []string{"bad"}, all: true, want: "KEY_CONVERTER k", live: 1},
		{name: "value", value: []string{"", "bad"}, all: true, want: "VALUE_CONVERTER v", live: 1},
		{name: "header", header: []string{"panic"}, all: true, want: "HEADER_CONVERTER h", live: 1},
		{name: "value, none", value: []string{"bad"}, want: "VALUE_CONVERTER v", fatal: true},
		{name: "both records", value: []string{"bad", "panic"}, all: true, want: "VALUE_CONVERTER v,VALUE_CONVERTER v", live: 0},
		{name: "tried again", key: []string{"busy", "busy"}, value: []string{"busy"}, live: 2},
		{name: "tried again, fails elsewhere", key: []string{"busy"}, value: []string{"bad"}, all: true, want: "VALUE_CONVERTER v", live: 1},
	} {
		for _, sink := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/sink=%v", tt.name, sink), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rep := &seen{}
					e := &pipeline.Errors{TolerateAll: tt.all, RetryTimeout: time.Minute, RetryDelayMax: time.Minute, Counters: &pipeline.Counters{}, Reporters: []pipeline.Reporter{rep}}
					c := &pipeline.Converters{Key: pipeline.Side{Class: "k", Converter: script(tt.key...)}, Value: pipeline.Side{Class: "v", Converter: script(tt.value...)}, HeaderClass: "h", Header: script(tt.header...), Errors: e}
					b := source("a", "b")
					var err error
					if sink {
						for i := range b.Records {
							b.Raw = append(b.Raw, pipeline.Raw{Key: []byte("k"), Value: []byte("v"), Headers: []pipeline.RawHeader{{Key: "h", Value: []byte("x")}}, Offset: int64(i)})
						}
						err = c.FromRaw(t.Context(), b)
					} else {
						for i := range b.Records {
							b.Records[i].Key, b.Records[i].Headers = data.OfString("k"), data.NewHeaders(data.Header{Key: "h", Value: data.OfString("x")})
						}
						err = c.ToRaw(t.Context(), b)
					}
					if (err != nil) != tt.fatal {
						t.Fatalf("error %v", err)
					}
					var got []string
					for _, r := range rep.reports {
						got = append(got, string(r.Stage)+" "+r.Class)
					}
					if g := strings.Join(got, ","); g != tt.want {
						t.Errorf("reports %q, want %q", g, tt.want)
					}
					if err == nil && b.Live() != tt.live {
						t.Errorf("%d live, want %d", b.Live(), tt.live)
					}
				})
			})
		}
	}
}

// TestHeaders: headers come through converters and transforms as they are, batch after
// batch; records that were kept, and originals, keep theirs, and so do retries.
func TestHeaders(t *testing.T) {
	side := pipeline.Side{Converter: conv{from: func(v data.Value) ([]byte, error) { return v.Bytes(), nil },
		to: func(b []byte) (data.Value, error) { return data.OfText(b), nil }}}
	e := &pipeline.Errors{RetryTimeout: time.Minute, Counters: &pipeline.Counters{}}
	c := pipeline.Converters{Key: side, Value: side, Header: &codec.SimpleHeaderConverter{}, Errors: e}
	dropper := data.NewHeaderDropper(func(key string) bool { return key == "old" })
	adder := data.NewHeaderAdder(data.HeaderKey{Key: "new"})
	failing := 0
	chain := pipeline.Chain{Errors: e, Steps: []pipeline.Step{
		{Transform: step(func(r *data.Record) (bool, error) {
			headers, added := adder.Extend(dropper.Drop(r.Headers))
			v := r.Value // of its own: the record's slot is written again
			added[0] = &v
			r.Headers = headers
			if failing++; failing%3 == 0 {
				return false, connectors.Retriable(errors.New("busy"))
			}
			return true, nil
		})},
	}}
	text := func(r *data.Record) string {
		var out []string
		for h := range r.Headers.All() {
			out = append(out, h.Key+"="+h.Value.String())
		}
		return strings.Join(out, " ")
	}
	synctest.Test(t, func(t *testing.T) {
		var kept, originals []data.Record
		var want, came []string
		for n := range 50 {
			b := &pipeline.Batch{}
			for i := range 7 {
				raw := pipeline.Raw{Value: fmt.Appendf(nil, "v%d-%d", n, i)}
				if i != 3 {
					raw.Headers = []pipeline.RawHeader{{Key: "n", Value: fmt.Append(nil, n)}, {Key: "old", Value: []byte("x")}, {Key: "i", Value: fmt.Appendf(nil, "[%d,%d]", i, n)}}
					want = append(want, fmt.Sprintf("n=%d i=[%d, %d] new=v%d-%d", n, i, n, n, i))
					came = append(came, fmt.Sprintf("n=%d old=x i=[%d, %d]", n, i, n))
				} else {
					want, came = append(want, fmt.Sprintf("new=v%d-%d", n, i)), append(came, "")
				}
				b.Raw = append(b.Raw, raw)
			}
			b.Records = make([]data.Record, len(b.Raw))
			b.Reset(len(b.Raw))
			if err := c.FromRaw(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			originals = append(originals, b.Records...)
			if err := chain.Apply(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, b.Records...)
			if err := c.ToRaw(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for i, raw := range b.Raw {
				last := raw.Headers[len(raw.Headers)-1]
				if len(raw.Headers) != kept[len(kept)-7+i].Headers.Len() || last.Key != "new" || string(last.Value) != fmt.Sprintf("v%d-%d", n, i) {
					t.Fatalf("batch %d writes %s", n, raw.Headers)
				}
			}
		}
		for i := range kept {
			if got := text(&kept[i]); got != want[i] {
				t.Fatalf("record %d has %s, want %s", i, got, want[i])
			}
			if got := text(&originals[i]); got != came[i] {
				t.Fatalf("original %d has %s, want %s", i, got, came[i])
			}
		}
	})
}

// TestHandleTiming: the delays between the attempts, and what ends them.
func TestHandleTiming(t *testing.T) {
	busy := connectors.Retriable(errors.New("busy"))
	away := &codec.Error{Class: codec.RetriableException, Msg: "away", Fault: codec.OutageFault}
	for _, tt := range []struct {
		name     string
		err      error // busy if nil
		timeout  time.Duration
		maxDelay time.Duration
		after    time.Duration // the operation works from then on; 0: never
		stage    pipeline.Stage
		all      bool
		stop     time.Duration // the task is stopped then; 0: never
		ok       bool
		fatal    string
		took     time.Duration
		attempts []time.Duration
	}{
		{name: "no retry", stage: pipeline.ValueConverter},
		{name: "doubles", timeout: 10 * time.Second, maxDelay: time.Minute, stage: pipeline.ValueConverter, took: 10 * time.Second,
			attempts: []time.Duration{300, 900, 2100, 4500, 9300, 10000}},
		{name: "works again", timeout: 10 * time.Second, maxDelay: time.Minute, after: time.Second, ok: true, stage: pipeline.ValueConverter, took: 2100 * time.Millisecond, attempts: []time.Duration{300, 900, 2100}},
		{name: "for ever", timeout: -time.Millisecond, maxDelay: time.Minute, after: time.Hour, ok: true, stage: pipeline.ValueConverter},
		{name: "stopped", timeout: -time.Millisecond, maxDelay: time.Minute, stop: 4 * time.Second, fatal: "context canceled", stage: pipeline.ValueConverter, took: 4 * time.Second},
		{name: "a report is no operation", stage: pipeline.TaskPut, fatal: pipeline.ToleranceExceeded},
		{name: "a report, all", stage: pipeline.TaskPut, all: true},
		{name: "an outage ends the task", err: away, stage: pipeline.ValueConverter, all: true, fatal: "VALUE_CONVERTER () needs something that does not answer: away"},
		{name: "an outage that goes on", err: away, timeout: 2 * time.Second, maxDelay: time.Minute, stage: pipeline.ValueConverter, all: true,
			fatal: "VALUE_CONVERTER () needs something that does not answer: away", took: 2 * time.Second, attempts: []time.Duration{300, 900, 2000}},
		{name: "an outage that ends", err: away, timeout: 10 * time.Second, maxDelay: time.Minute, after: time.Second, ok: true, stage: pipeline.ValueConverter, took: 2100 * time.Millisecond},
		{name: "stopped while a converter asks", err: fmt.Errorf("asking: %w", context.Canceled), stop: time.Nanosecond, stage: pipeline.ValueConverter, all: true, fatal: "context canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &pipeline.Errors{RetryTimeout: tt.timeout, RetryDelayMax: tt.maxDelay, TolerateAll: tt.all, Counters: &pipeline.Counters{}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.stop > 0 {
					time.AfterFunc(tt.stop, cancel)
				}
				failed := cmp.Or[error](tt.err, busy)
				if errors.Is(failed, context.Canceled) {
					<-ctx.Done()
				}
				begun := time.Now()
				var at []time.Duration
				ok, fatal := e.Handle(ctx, pipeline.Report{Stage: tt.stage, Err: failed}, func(*pipeline.Report) error {
					at = append(at, time.Since(begun)/time.Millisecond)
					if tt.after > 0 && time.Since(begun) >= tt.after {
						return nil
					}
					return failed
				})
				if ok != tt.ok || (fatal != nil) != (tt.fatal != "") || fatal != nil && fatal.Error() != tt.fatal {
					t.Errorf("ok %v, fatal %v", ok, fatal)
				}
				if took := time.Since(begun); tt.took > 0 && took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if tt.attempts != nil && fmt.Sprint(at) != fmt.Sprint(tt.attempts) {
					t.Errorf("attempts at %v, want %v", at, tt.attempts)
				}
			})
		})
	}
}

// TestLogReporter holds the texts that people grep for.
func TestLogReporter(t *testing.T) {
	id := connectors.TaskID{Connector: "c", Task: 0}
	rec := source("a").Records[0]
	raw := &pipeline.Raw{Topic: "t", Partition: 1, Offset: 2, Timestamp: 3, TimestampType: data.CreateTime}
	for _, tt := range []struct {
		name     string
		messages bool
		r        pipeline.Report
		want     string
	}{
		{"short", false, pipeline.Report{Stage: pipeline.ValueConverter, Class: "org.J", Raw: raw}, "Error encountered in task c-0. Executing stage 'VALUE_CONVERTER' with class 'org.J'."},
		{"sink", true, pipeline.Report{Stage: pipeline.TaskPut, Class: "org.J", Raw: raw}, "Error encountered in task c-0. Executing stage 'TASK_PUT' with class 'org.J', where consumed record is {topic='t', partition=1, offset=2, timestamp=3, timestampType=CreateTime}."},
		{"source", true, pipeline.Report{Stage: pipeline.KeyConverter, Class: "org.J", Record: &rec}, "Error encountered in task c-0. Executing stage 'KEY_CONVERTER' with class 'org.J', where source record is = " + rec.String() + "."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			n := &pipeline.Counters{}
			l := &pipeline.LogReporter{Task: id, Messages: tt.messages, Counters: n, Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key != slog.MessageKey {
					return slog.Attr{}
				}
				out.WriteString(a.Value.String())
				return a
			}}))}
			l.Report(t.Context(), tt.r)
			if !strings.HasPrefix(out.String(), tt.want) || n.Logged.Load() != 1 {
				t.Errorf("logged %s", out.String())
			}
		})
	}
}
