package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/faketask"
)

func settings(kv ...string) map[string]string {
	out := map[string]string{"name": "c", "topic": "t", taskKey: "0", idKey: "0"}
	for i := 0; i+1 < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

func startSource(t *testing.T, p *Probe, tc *faketask.Context, kv ...string) *SourceTask {
	t.Helper()
	s := &SourceTask{p: p}
	if err := s.Start(t.Context(), tc, settings(kv...)); err != nil {
		t.Fatal(err)
	}
	return s
}

func startSink(t *testing.T, p *Probe, tc *faketask.Context, kv ...string) *SinkTask {
	t.Helper()
	s := &SinkTask{p: p}
	if err := s.Start(t.Context(), tc.Sink(), settings(kv...)); err != nil {
		t.Fatal(err)
	}
	return s
}

func poll(t *testing.T, s connectors.SourceTask) []data.Record {
	t.Helper()
	recs, err := s.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return recs
}

func TestSourceToSink(t *testing.T) {
	for _, format := range []string{formatStruct, formatString} {
		for _, price := range []string{priceDecimal, priceFloat} {
			t.Run(format+"/"+price, func(t *testing.T) {
				p, tc := New(io.Discard), faketask.New()
				report := filepath.Join(t.TempDir(), "report")
				sink := startSink(t, p, tc, "name", "snk", reportKey, report)
				src := startSource(t, p, tc, "format", format, "price", price, "size", "10", "batch.size", "7", "limit", "20", "stamp", "true", taskKey, "3")
				var all []data.Record
				for len(all) < 20 {
					recs := poll(t, src)
					for i := range recs {
						if err := data.ValidateValue(recs[i].ValueSchema, recs[i].Value); err != nil {
							t.Fatal(err)
						}
					}
					all = append(all, recs...)
					if err := sink.Put(t.Context(), recs); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := sink.PreCommit(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				want := Source{First: 0, Last: 19, Received: 20, Processes: 1}
				if got := p.Stats("snk"); got.Records != 20 || got.Unreadable != 0 || got.Sources[3] != want {
					t.Errorf("got %+v", got)
				}
				if boot, ok := all[0].Headers.Last(BootHeader); !ok || boot.Value.Str() != p.Boot() {
					t.Errorf("headers %v", all[0].Headers)
				}
				line, err := os.ReadFile(report)
				if err != nil || !strings.Contains(string(line), `"Received":20`) {
					t.Errorf("report %s, %v", line, err)
				}
				if tc.Logged("gaps or repeats") != 0 {
					t.Error("warned of nothing")
				}

				// The next incarnation goes on behind what was committed.
				tc.Commit(all[:15])
				src = startSource(t, p, tc, "limit", "20", taskKey, "3")
				again := poll(t, src)
				if len(again) != 5 || again[0].SourceOffset != data.LongOffset("seq", 15) {
					t.Errorf("%d records, the first %s", len(again), again[0].String())
				}
				if err := sink.Put(t.Context(), again); err != nil {
					t.Fatal(err)
				}
				if err := sink.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := p.Stats("snk").Sources[3]; got.Duplicates != 5 || got.Missing != 0 {
					t.Errorf("got %+v", got)
				}
				if tc.Logged("gaps or repeats") != 1 {
					t.Error("duplicates are not warned of")
				}
			})
		}
	}
}

func TestNumbersAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		v    data.Value
		want bool
	}{
		"map":          {data.OfMap(data.NewStringMap("task", data.OfInt64(1), "seq", data.OfInt64(2))), true},
		"json":         {data.OfString(`{"task":1,"seq":2}`), true},
		"other json":   {data.OfString(`{"task":1}`), false},
		"text":         {data.OfString("x"), false},
		"null":         {data.Null, false},
		"text in map":  {data.OfMap(data.NewStringMap("task", data.OfString("1"), "seq", data.OfInt64(2))), false},
		"negative":     {data.OfString(`{"task":-1,"seq":2}`), false},
		"number":       {data.OfInt64(5), false},
		"other struct": {data.OfStruct(data.NewStruct(recordV1, make([]data.Value, 8))), false},
	} {
		if task, seq, ok := numbers(tc.v); ok != tc.want || ok && (task != 1 || seq != 2) {
			t.Errorf("%s: %d, %d, %v", name, task, seq, ok)
		}
	}
}

func TestSequences(t *testing.T) {
	for name, tc := range map[string]struct {
		in                  []int64
		dup, missing, order int64
	}{
		"straight":   {[]int64{5, 6, 7, 8}, 0, 0, 0},
		"gap":        {[]int64{1, 2, 5, 6}, 0, 2, 0},
		"filled":     {[]int64{1, 2, 5, 4, 3}, 0, 0, 2},
		"repeat":     {[]int64{1, 2, 2, 1, 3}, 2, 0, 0},
		"below":      {[]int64{5, 3, 4}, 0, 0, 2},
		"both sides": {[]int64{1, 3, 2, 2, 1, 3}, 3, 0, 1},
		"two gaps":   {[]int64{1, 3, 5, 3, 1}, 2, 2, 0},
	} {
		p := New(io.Discard)
		s := &sequence{}
		p.stats["c"] = map[int]*sequence{0: s}
		for _, n := range tc.in {
			s.add(n)
		}
		got := p.Stats("c").Sources[0]
		if got.Duplicates != tc.dup || got.Missing != tc.missing || got.OutOfOrder != tc.order {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Against a plain set, in random order.
func TestSequencesAgainstASet(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, set := &sequence{}, make(map[int64]bool)
		var dup int64
		for range 60 {
			n := r.Int64N(30)
			if isNew := s.add(n); isNew == set[n] {
				t.Fatalf("seed %d: %d new: %v", seed, n, isNew)
			}
			if set[n] {
				dup++
			}
			set[n] = true
			var have []int64
			for i, sp := range s.spans {
				if i > 0 && sp.lo <= s.spans[i-1].hi+1 {
					t.Fatalf("seed %d: spans %v", seed, s.spans)
				}
				for k := sp.lo; k <= sp.hi; k++ {
					have = append(have, k)
				}
			}
			if want := slices.Sorted(maps.Keys(set)); !slices.Equal(have, want) {
				t.Fatalf("seed %d: %v, want %v", seed, have, want)
			}
		}
		if s.Duplicates != dup {
			t.Fatalf("seed %d: %d duplicates, want %d", seed, s.Duplicates, dup)
		}
	}
}

func TestDoubleRunShows(t *testing.T) {
	p, tc := New(io.Discard), faketask.New()
	q := New(io.Discard) // another process
	sink := startSink(t, p, tc)
	put := func(boot *Probe, epoch int64, seqs ...int64) {
		t.Helper()
		for _, n := range seqs {
			r := data.Record{Value: data.OfMap(data.NewStringMap("task", data.OfInt64(0), "seq", data.OfInt64(n))), Headers: data.NewHeaders(
				data.Header{Key: BootHeader, Value: data.OfString(boot.boot)}, data.Header{Key: EpochHeader, Value: data.OfInt64(epoch)})}
			if err := sink.Put(t.Context(), []data.Record{r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(p, 100, 0, 1, 2)
	put(q, 200, 2, 3)
	put(p, 100, 0, 1, 2) // repeats say nothing
	if got := p.Stats("c").Sources[0]; got.Processes != 2 || got.Returns != 0 {
		t.Errorf("a clean change: %+v", got)
	}
	put(p, 100, 4)
	if got := p.Stats("c").Sources[0]; got.Returns != 1 {
		t.Errorf("a double run: %+v", got)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(io.Discard)
		s := startSource(t, p, faketask.New(), "rate", "50")
		start, n := time.Now(), 0
		for time.Since(start) < 10*time.Second {
			n += len(poll(t, s))
		}
		if n < 480 || n > 510 {
			t.Errorf("%d records in ten seconds, want 500", n)
		}
	})
}

// faultless calls go well; the one after fault.after does what was asked for.
func TestFaults(t *testing.T) {
	source := func(call string) func(*testing.T, *Probe, *faketask.Context, map[string]string) error {
		return func(t *testing.T, p *Probe, tc *faketask.Context, config map[string]string) error {
			s := &SourceTask{p: p}
			err := s.Start(t.Context(), tc, config)
			switch {
			case err != nil:
				return err
			case call == inPoll:
				_, err = s.Poll(t.Context())
			case call == inCommit:
				err = s.Commit(t.Context())
			case call == inStop:
				err = s.Stop(t.Context())
			}
			return err
		}
	}
	sink := func(call string) func(*testing.T, *Probe, *faketask.Context, map[string]string) error {
		return func(t *testing.T, p *Probe, tc *faketask.Context, config map[string]string) error {
			s := &SinkTask{p: p}
			err := s.Start(t.Context(), tc.Sink(), config)
			if err != nil {
				return err
			}
			switch call {
			case inPut:
				return s.Put(t.Context(), []data.Record{{}})
			case inFlush, inPreCommit:
				_, err = s.PreCommit(t.Context(), nil)
			case inOpen:
				err = s.Open(t.Context(), nil)
			case inClose:
				err = s.Close(t.Context(), nil)
			case inStop:
				err = s.Stop(t.Context())
			}
			return err
		}
	}
	connector := func(call string) func(*testing.T, *Probe, *faketask.Context, map[string]string) error {
		return func(t *testing.T, p *Probe, tc *faketask.Context, config map[string]string) error {
			c := &Connector{p: p}
			if call == inValidate {
				_, err := c.Validate(t.Context(), config)
				return err
			}
			if err := c.Start(t.Context(), tc, config); err != nil {
				return err
			}
			if call == inTaskConfigs {
				_, err := c.TaskConfigs(t.Context(), 2)
				return err
			}
			return c.Stop(t.Context())
		}
	}
	for name, tc := range map[string]struct {
		call string
		run  func(*testing.T, *Probe, *faketask.Context, map[string]string) error
	}{
		"source start": {inStart, source(inStart)}, "poll": {inPoll, source(inPoll)}, "commit": {inCommit, source(inCommit)}, "source stop": {inStop, source(inStop)},
		"sink start": {inStart, sink(inStart)}, "put": {inPut, sink(inPut)}, "flush": {inFlush, sink(inFlush)}, "preCommit": {inPreCommit, sink(inPreCommit)},
		"open": {inOpen, sink(inOpen)}, "close": {inClose, sink(inClose)}, "sink stop": {inStop, sink(inStop)},
		"validate": {inValidate, connector(inValidate)}, "connectorStart": {inConnectorStart, connector(inConnectorStart)},
		"taskConfigs": {inTaskConfigs, connector(inTaskConfigs)}, "connectorStop": {inConnectorStop, connector(inConnectorStop)},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := New(io.Discard), faketask.New()
			config := settings("fault", faultError, "fault.in", tc.call, "fault.times", "2")
			for i, want := range []bool{true, true, false} { // over incarnations
				if err := tc.run(t, p, c, config); (err != nil) != want {
					t.Errorf("time %d: %v", i+1, err)
				}
			}
			p = New(io.Discard)
			if err := tc.run(t, p, c, settings("fault", faultRetriable, "fault.in", tc.call)); !connectors.IsRetriable(err) {
				t.Errorf("retriable: %v", err)
			}
			if err := tc.run(t, p, c, settings("fault", faultError, "fault.in", tc.call, "fault.after", "1")); err != nil {
				t.Errorf("before its time: %v", err)
			}
			p = New(io.Discard)
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				_ = tc.run(t, p, c, settings("fault", faultPanic, "fault.in", tc.call))
			}()
		})
	}
}

func TestFaultOfOneTask(t *testing.T) {
	p, tc := New(io.Discard), faketask.New()
	for task, want := range map[string]bool{"0": false, "1": true} {
		s := startSource(t, p, tc, "fault", faultError, "fault.task", "1", taskKey, task)
		if _, err := s.Poll(t.Context()); (err != nil) != want {
			t.Errorf("task %s: %v", task, err)
		}
	}
}

func TestHangLeakAndMemory(t *testing.T) {
	p, tc := New(io.Discard), faketask.New()
	s := startSource(t, p, tc, "fault", faultHang)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Poll(ctx)
	}()
	leaky := startSource(t, New(io.Discard), tc, "fault", faultMemory, "fault.bytes", "100000")
	poll(t, leaky)
	if n := len(leaky.p.ballast); n != 1 {
		t.Errorf("%d pieces of memory are held", n)
	}
	leaky.p.Release()
	if leaky.p.ballast != nil {
		t.Error("the memory is held on")
	}
	l := startSource(t, p, tc, "fault", faultLeak, taskKey, "1")
	poll(t, l)
	select {
	case <-done:
		t.Fatal("the poll did not hang")
	default:
	}
	p.Release()
	<-done
	tc.Close() // waits for the leaked goroutine
}

func TestPoison(t *testing.T) {
	p, tc := New(io.Discard), faketask.New()
	src := startSource(t, p, tc, "fault", faultPoison, "fault.after", "3", "limit", "9")
	bad := 0
	for i, r := range poll(t, src) {
		if err := data.ValidateValue(r.ValueSchema, r.Value); (err != nil) != (i%3 == 2) {
			t.Errorf("record %d: %v", i, err)
		} else if err != nil {
			bad++
		}
	}
	if bad != 3 {
		t.Errorf("%d bad records, want 3", bad)
	}
	sink := startSink(t, p, tc, "fault", faultPoison, "fault.after", "2")
	if err := sink.Put(t.Context(), make([]data.Record, 3)); connectors.ClassOf(err) != connectors.Poison {
		t.Errorf("without a reporter: %v", err)
	}
	tc.Reporting = true
	if err := sink.Put(t.Context(), make([]data.Record, 5)); err != nil || len(tc.Errant()) != 2 {
		t.Errorf("with one: %v, %d reported", err, len(tc.Errant()))
	}
}

func TestVerifiable(t *testing.T) {
	var out bytes.Buffer
	p, tc := New(&out), faketask.New()
	src := &verifiableSource{p: p}
	if err := src.Start(t.Context(), tc, settings("complete.record.data", "true", "id", "2", "throughput", "1000")); err != nil {
		t.Fatal(err)
	}
	var recs []data.Record
	for len(recs) == 0 {
		recs = poll(t, src)
	}
	r := recs[0]
	if err := data.ValidateValue(r.ValueSchema, r.Value); err != nil {
		t.Error(err)
	}
	if err := src.CommitRecord(t.Context(), &r, nil); err != nil {
		t.Fatal(err)
	}
	sink := &verifiableSink{p: p}
	if err := sink.Start(t.Context(), tc.Sink(), settings("name", "snk", "id", "1")); err != nil {
		t.Fatal(err)
	}
	r.Offset = 7
	if err := sink.Put(t.Context(), []data.Record{r}); err != nil {
		t.Fatal(err)
	}
	if err := sink.Flush(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if ms, ok := m["time_ms"].(float64); !ok || ms < 1e12 {
			t.Errorf("time in %s", line)
		}
		delete(m, "time_ms")
		b, _ := json.Marshal(m)
		got = append(got, string(b))
	}
	last := got[len(got)-3:]
	want := []string{
		`{"committed":true,"name":"c","seqno":0,"task":2,"topic":"t"}`,
		`{"name":"snk","offset":7,"seqno":0,"sinkTask":1,"task":2,"topic":"t"}`,
		`{"flushed":true,"name":"snk","offset":7,"seqno":0,"sinkTask":1,"task":2,"topic":"t"}`,
	}
	if got[0] != `{"name":"c","seqno":0,"task":2,"topic":"t"}` || !slices.Equal(last, want) {
		t.Errorf("printed\n%s", strings.Join(got, "\n"))
	}
	if part := data.OfMap(r.SourcePartition).String() + data.OfMap(r.SourceOffset.Map()).String(); part != "{id=2}{seqno=0}" {
		t.Errorf("offset %s", part)
	}
	tc.Commit(recs)
	again := &verifiableSource{p: p}
	if err := again.Start(t.Context(), tc, settings("id", "2")); err != nil {
		t.Fatal(err)
	}
	if next := poll(t, again)[0].Value; next.Int() != int64(len(recs)) {
		t.Errorf("resumed at %s, want %d", next, len(recs))
	}
}

func TestSchemaSource(t *testing.T) {
	var out bytes.Buffer
	s := &schemaSource{p: New(&out)}
	if err := s.Start(t.Context(), faketask.New(), settings("num.messages", "4", "multiple.schema", "true", "partition.count", "2")); err != nil {
		t.Fatal(err)
	}
	recs := poll(t, s)
	if len(recs) != 4 {
		t.Fatalf("%d records", len(recs))
	}
	for i, r := range recs {
		if err := data.ValidateValue(r.ValueSchema, r.Value); err != nil {
			t.Error(err)
		}
		if v, _ := r.ValueSchema.Version(); v != int32(1+i%2) || r.Partition != int32(i%2) {
			t.Errorf("record %d: version %d, partition %d", i, v, r.Partition)
		}
	}
	if want := `{"task": 0, "seqno": 3}`; !strings.Contains(out.String(), want) {
		t.Errorf("printed %s", out.String())
	}
}

func TestMock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for mode, want := range map[string]int{"none": 0, connectorFailure: 1, taskFailure: 2} {
			tc := faketask.New()
			config := settings("mock_mode", mode, "delay_ms", "5000")
			c := &mockConnector{}
			if err := c.Start(t.Context(), tc, config); err != nil {
				t.Fatal(err)
			}
			if err := (&mockSource{}).Start(t.Context(), tc, config); err != nil {
				t.Fatal(err)
			}
			if err := (&mockSink{}).Start(t.Context(), tc.Sink(), config); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Second)
			synctest.Wait()
			if n := len(tc.Raised()); n != 0 {
				t.Errorf("%s: %d failures too early", mode, n)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if n := len(tc.Raised()); n != want {
				t.Errorf("%s: %d failures, want %d", mode, n, want)
			}
			tc.Close()
		}
	})
}

func TestRegistered(t *testing.T) {
	reg, err := connectors.NewRegistry(Plugins())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ProbeSource", "ProbeSink", "VerifiableSource", "VerifiableSink", "MockSource", "MockSink", "SchemaSource",
		"org.apache.kafka.connect.tools.VerifiableSourceConnector", "troupe.probe.ProbeSinkConnector"} {
		p, ok := reg.Connector(name)
		if !ok || p.Def() == nil {
			t.Errorf("%s is not there", name)
			continue
		}
		c := p.NewConnector()
		if err := c.Start(t.Context(), faketask.New(), settings()); err != nil {
			t.Fatal(err)
		}
		tasks, err := c.TaskConfigs(t.Context(), 3)
		want := 3
		if strings.HasPrefix(name, "Mock") {
			want = 1
		}
		if err != nil || len(tasks) != want || (p.NewSourceTask == nil) == (p.NewSinkTask == nil) {
			t.Errorf("%s: %d tasks, %v", name, len(tasks), err)
		}
	}
}
