package store

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/internal/golden"
)

type goldenRecord struct {
	ID, Topic  string
	Offset     int64
	Key, Value *string
	CausedBy   struct {
		Step   int
		Method string
		Path   string
		Body   string
	} `json:"caused_by"`
}

func goldenRecords(t *testing.T) []goldenRecord {
	var out []goldenRecord
	for _, r := range golden.Read[goldenRecord](t, "internal_topics.jsonl") {
		if strings.HasPrefix(r.ID, "record/") && r.Topic != "life-topic" {
			out = append(out, r)
		}
	}
	return out
}

func (r goldenRecord) value() []byte {
	if r.Value == nil {
		return nil
	}
	return []byte(*r.Value)
}

// sameJSON compares as JSON: a configuration's members have no order.
func sameJSON(a, b []byte) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// TestGoldenRecordsWriteAsTheyRead reads each recorded record with our parsers and
// writes it again: byte for byte, but for the order of settings.
func TestGoldenRecordsWriteAsTheyRead(t *testing.T) {
	n := 0
	for _, r := range goldenRecords(t) {
		var key string
		var value []byte
		var err error
		k := *r.Key
		exact := true
		switch r.Topic {
		case "connect-configs":
			var again record
			again, exact, err = rewriteConfig(k, r.value())
			key, value = again.key, again.value
		case "connect-offsets":
			var c string
			var p, o *data.MapValue
			if c, p, err = parseOffsetKey([]byte(k)); err == nil {
				key = offsetKey(c, p)
				if o, err = parseOffset(r.value()); o != nil {
					value = appendJSONMap(nil, o)
				}
			}
		case "connect-status":
			var sk statusKey
			if sk, err = parseStatusKey(k); err == nil {
				key = sk.String()
				if r.Value != nil && sk.kind == topicStatus {
					var u TopicUse
					u, err = parseTopicUse(r.value())
					value = u.value()
				} else if r.Value != nil {
					var s Status
					s, err = parseStatus(r.value())
					value = s.value()
				}
			}
		}
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		if key != k {
			t.Errorf("%s: key %q became %q", r.ID, k, key)
		}
		if exact && !bytes.Equal(value, r.value()) || !sameJSON(value, r.value()) {
			t.Errorf("%s: value %s became %s", r.ID, r.value(), value)
		}
		n++
	}
	if n < 100 {
		t.Errorf("only %d records were compared", n)
	}
	t.Logf("%d records", n)
}

// rewriteConfig parses a record of the config topic and writes it again. exact says
// that the bytes must be equal.
func rewriteConfig(key string, value []byte) (r record, exact bool, err error) {
	if name, ok := strings.CutPrefix(key, targetStatePrefix); ok {
		if value == nil {
			return record{key: targetStatePrefix + name}, true, nil
		}
		s, err := parseTargetState(value)
		return targetStateRecord(name, s), true, err
	}
	if name, ok := strings.CutPrefix(key, connectorPrefix); ok {
		if value == nil {
			return record{key: connectorPrefix + name}, true, nil
		}
		c, err := propertiesMember(value)
		return connectorRecord(name, c), false, err
	}
	if task, ok := strings.CutPrefix(key, taskPrefix); ok {
		id, err := parseTaskKey(task)
		if err != nil {
			return r, false, err
		}
		c, err := propertiesMember(value)
		return taskRecord(id, c), false, err
	}
	if key == sessionKeyKey {
		k, err := parseSessionKey(value)
		return sessionKeyRecord(k), true, err
	}
	m, err := object(value)
	if err != nil {
		return r, false, err
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		n, err := countMember(m, "tasks")
		return commitRecord(name, n), true, err
	}
	if name, ok := strings.CutPrefix(key, restartPrefix); ok {
		return restartRecord(RestartRequest{name, boolMember(m, "include-tasks"), boolMember(m, "only-failed")}), true, nil
	}
	if ns, ok := strings.CutPrefix(key, loggerPrefix); ok {
		l, err := textMember(m, "level")
		return loggerRecord(ns, l), true, err
	}
	return r, false, errUnknownKey
}

// TestGoldenInternalTopics feeds the recorded topics through stores on a broker and
// looks at what they make of them, step by step.
func TestGoldenInternalTopics(t *testing.T) {
	recs := goldenRecords(t)
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	logs := map[string]*topicLog{"connect-configs": s.configs.log, "connect-offsets": s.offsets.log, "connect-status": s.statuses.log}
	checked := 0
	checks := map[int]func(){
		4: func() {
			snap := s.configs.Snapshot()
			if got := snap.Connectors(); !reflect.DeepEqual(got, []string{"life-sink", "life-source"}) {
				t.Errorf("step 4: connectors %v", got)
			}
			if n := len(snap.Tasks("life-sink")); n != 3 || len(s.statuses.Tasks("life-sink")) != 3 {
				t.Errorf("step 4: %d tasks", n)
			}
			if got := snap.TaskConfig(connectors.TaskID{Connector: "life-sink", Task: 1})["task.class"]; !strings.HasSuffix(got, "FileStreamSinkTask") {
				t.Errorf("step 4: task.class %q", got)
			}
			got, err := ConnectorOffsets{s.offsets, "life-source"}.Offset(ctx, data.NewStringMap("filename", data.OfString("/tmp/golden/files/life.txt")))
			if v, _ := got.Get("position"); err != nil || v.Int() != 19 {
				t.Errorf("step 4: offset %v, %v", data.OfMap(got), err)
			}
			if use := s.statuses.Topics("life-sink"); len(use) != 1 || use[0].Topic != "life-topic" {
				t.Errorf("step 4: topics %v", use)
			}
		},
		6: func() {
			if st, _ := s.configs.Snapshot().TargetState("life-source"); st != connectors.Paused {
				t.Errorf("step 6: target %v", st)
			}
			if st, _ := s.statuses.Connector("life-source"); st.State != "PAUSED" || st.Version == nil || *st.Version != "4.1.0" {
				t.Errorf("step 6: status %v", st)
			}
		},
		8: func() {
			snap := s.configs.Snapshot()
			if st, _ := snap.TargetState("life-source"); st != connectors.Stopped || snap.TaskCount("life-source") != 0 || snap.Inconsistent("life-source") {
				t.Errorf("step 8: %v, %d tasks", st, snap.TaskCount("life-source"))
			}
			if _, ok := s.statuses.Task(connectors.TaskID{Connector: "life-source", Task: 0}); ok {
				t.Error("step 8: the stopped task still has a status")
			}
		},
		21: func() {
			snap := s.configs.Snapshot()
			if st, _ := snap.TargetState("life-stopped"); st != connectors.Stopped || !snap.Contains("life-stopped") {
				t.Errorf("step 21: target %v", st)
			}
			if use := s.statuses.Topics("life-source"); len(use) != 0 {
				t.Errorf("step 21: topics %v", use)
			}
		},
		25: func() {
			if st, _ := s.statuses.Task(connectors.TaskID{Connector: "life-bad", Task: 0}); st.State != "FAILED" || !strings.Contains(st.Trace, "Couldn't find or create file") {
				t.Errorf("step 25: status %v", st)
			}
		},
		39: func() {
			snap := s.configs.Snapshot()
			if got := snap.Connectors(); !reflect.DeepEqual(got, []string{"life-paused"}) {
				t.Errorf("step 39: connectors %v", got)
			}
			if snap.Offset() != 57 || snap.SessionKey() == nil || snap.SessionKey().Algorithm != "HmacSHA256" || len(snap.SessionKey().Key) != 32 {
				t.Errorf("step 39: offset %d, key %v", snap.Offset(), snap.SessionKey())
			}
			if all, err := s.offsets.All(ctx, "life-source"); err != nil || len(all) != 1 {
				t.Errorf("step 39: offsets %v, %v", all, err)
			}
			if got := s.statuses.Connectors(); !reflect.DeepEqual(got, []string{"life-paused"}) {
				t.Errorf("step 39: statuses of %v", got)
			}
		},
	}
	for i, r := range recs {
		krec := rec(*r.Key, "")
		krec.Value = r.value()
		if _, err := logs[r.Topic].append(ctx, krec); err != nil {
			t.Fatal(err)
		}
		step := r.CausedBy.Step
		if i+1 == len(recs) || recs[i+1].CausedBy.Step != step {
			must(t, s.configs.Refresh(ctx))
			must(t, s.offsets.Refresh(ctx))
			must(t, s.statuses.Refresh(ctx))
			if f := checks[step]; f != nil {
				f()
				checked++
			}
		}
	}
	if checked != len(checks) {
		t.Errorf("%d of %d steps were looked at", checked, len(checks))
	}
	heard := strings.Join(s.heard.take(), "\n")
	for _, want := range []string{"restart {life-source true false}", "restart {life-source true true}", "logger com.example.life TRACE", "removed life-bad", "target life-source PAUSED", "key HmacSHA256", "tasks life-sink"} {
		if !strings.Contains(heard, want) {
			t.Errorf("the listener did not hear %q", want)
		}
	}
	// A second reader finds the same, and hears nothing of the past.
	s2 := startStores(t, c)
	a, b := s.configs.Snapshot(), s2.configs.Snapshot()
	if !reflect.DeepEqual(a, b) {
		t.Errorf("a second reader differs: %+v, %+v", a, b)
	}
	if got := s2.heard.take(); len(got) != 0 {
		t.Errorf("a second reader hears of the past: %v", got)
	}
}

// TestGoldenOperations performs the recorded operations and compares what would be
// written to the config topic with what was.
func TestGoldenOperations(t *testing.T) {
	want := make(map[int][]goldenRecord)
	for _, r := range goldenRecords(t) {
		if r.Topic == "connect-configs" {
			want[r.CausedBy.Step] = append(want[r.CausedBy.Step], r)
		}
	}
	var got []record
	w := configWrites{func(_ context.Context, groups ...[]record) error {
		for _, g := range groups {
			got = append(got, g...)
		}
		return nil
	}}
	ctx := context.Background()
	stopped, paused, started := connectors.Stopped, connectors.Paused, connectors.Started
	config := func(step int, key string) map[string]string {
		for _, r := range want[step] {
			if *r.Key == key {
				c, err := propertiesMember(r.value())
				must(t, err)
				return c
			}
		}
		t.Fatalf("step %d has no %s", step, key)
		return nil
	}
	tasks := func(step int, keys ...string) (out []map[string]string) {
		for _, k := range keys {
			out = append(out, config(step, k))
		}
		return out
	}
	for step, op := range map[int][]func() error{
		2: {func() error {
			return w.PutConnector(ctx, "life-source", config(2, "connector-life-source"), nil)
		}, func() error { return w.PutTaskConfigs(ctx, "life-source", tasks(2, "task-life-source-0")) }},
		5:  {func() error { return w.PutTargetState(ctx, "life-source", paused) }},
		7:  {func() error { return w.PutTargetState(ctx, "life-source", started) }},
		8:  {func() error { return w.Stop(ctx, "life-source") }},
		11: {func() error { return w.PutRestartRequest(ctx, RestartRequest{"life-source", true, false}) }},
		12: {func() error { return w.PutRestartRequest(ctx, RestartRequest{"life-source", true, true}) }},
		16: {func() error { return w.PutLoggerLevel(ctx, "com.example.life", "TRACE") }},
		19: {func() error { return w.PutConnector(ctx, "life-sink", config(19, "connector-life-sink"), nil) },
			func() error {
				return w.PutTaskConfigs(ctx, "life-sink", tasks(19, "task-life-sink-0", "task-life-sink-1"))
			}},
		21: {func() error {
			return w.PutConnector(ctx, "life-stopped", config(21, "connector-life-stopped"), &stopped)
		}},
		22: {func() error {
			return w.PutConnector(ctx, "life-paused", config(22, "connector-life-paused"), &paused)
		}},
		26: {func() error { return w.RemoveConnector(ctx, "life-bad") }},
	} {
		got = nil
		for _, f := range op {
			must(t, f())
		}
		if len(got) != len(want[step]) {
			t.Errorf("step %d: %d records, want %d", step, len(got), len(want[step]))
			continue
		}
		for i, r := range want[step] {
			if got[i].key != *r.Key || !sameJSON(got[i].value, r.value()) {
				t.Errorf("step %d: record %d is %s=%s, want %s=%s", step, i, got[i].key, got[i].value, *r.Key, r.value())
			}
		}
	}
}
