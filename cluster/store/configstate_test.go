package store

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// kv is a record in short: "key=value", or "key" for a tombstone.
func kv(s string) (key string, value []byte) {
	key, v, ok := strings.Cut(s, "=")
	if ok {
		value = []byte(v)
	}
	return key, value
}

const (
	cfg     = `connector-a={"properties":{"name":"a"}}`
	task0   = `task-a-0={"properties":{"n":"0"}}`
	task1   = `task-a-1={"properties":{"n":"1"}}`
	commit0 = `commit-a={"tasks":0}`
	commit1 = `commit-a={"tasks":1}`
	commit2 = `commit-a={"tasks":2}`
)

// describe writes out what a snapshot says of connector a.
func describe(s *Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", s.Contains("a"))
	if t, ok := s.TargetState("a"); ok {
		fmt.Fprintf(&b, " %s", t)
	}
	fmt.Fprintf(&b, " count=%d tasks=%d gen=%d", s.TaskCount("a"), len(s.Tasks("a")), s.TaskConfigGeneration("a"))
	if s.Inconsistent("a") {
		b.WriteString(" inconsistent")
	}
	if s.PendingFencing("a") {
		b.WriteString(" pending")
	}
	if n, ok := s.TaskCountRecord("a"); ok {
		fmt.Fprintf(&b, " fenced=%d", n)
	}
	return b.String()
}

func TestConfigRules(t *testing.T) {
	for name, tc := range map[string]struct {
		records []string
		want    string
		events  string
	}{
		"nothing":        {nil, "false count=0 tasks=0 gen=-1", ""},
		"new":            {[]string{cfg}, "true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"paused first":   {[]string{`target-state-a={"state":"PAUSED","state.v2":"PAUSED"}`, cfg}, "true PAUSED count=0 tasks=0 gen=-1", "updated a"},
		"old state only": {[]string{cfg, `target-state-a={"state":"PAUSED"}`}, "true PAUSED count=0 tasks=0 gen=-1", "updated a,target a PAUSED"},
		"v2 is preferred": {[]string{cfg, `target-state-a={"state":"PAUSED","state.v2":"STOPPED"}`},
			"true STOPPED count=0 tasks=0 gen=-1", "updated a,target a STOPPED"},
		"same state again": {[]string{cfg, `target-state-a={"state":"STARTED"}`}, "true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"bad state":        {[]string{cfg, `target-state-a={"state":"FLYING"}`, `target-state-a=[]`, `target-state-a={`}, "true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"state tombstone":  {[]string{cfg, `target-state-a={"state":"PAUSED"}`, `target-state-a`}, "true STARTED count=0 tasks=0 gen=-1", "updated a,target a PAUSED,target a STARTED"},
		"tasks wait":       {[]string{cfg, task0}, "true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"committed":        {[]string{cfg, task0, commit1}, "true STARTED count=1 tasks=1 gen=0 pending", "updated a,tasks a"},
		"extra tasks":      {[]string{cfg, task0, task1, commit1}, "true STARTED count=1 tasks=1 gen=0 pending", "updated a,tasks a"},
		"incomplete":       {[]string{cfg, task1, commit2}, "true STARTED count=2 tasks=0 gen=-1 inconsistent pending", "updated a,tasks a"},
		"healed":           {[]string{cfg, task1, commit2, task0, task1, commit2}, "true STARTED count=2 tasks=2 gen=0 pending", "updated a,tasks a,tasks a"},
		"leftovers do not complete a later commit": {[]string{cfg, task1, commit2, task0, commit2},
			"true STARTED count=2 tasks=0 gen=-1 inconsistent pending", "updated a,tasks a,tasks a"},
		"stopped":        {[]string{cfg, task0, commit1, commit0}, "true STARTED count=0 tasks=0 gen=1 pending", "updated a,tasks a,tasks a"},
		"no tasks ever":  {[]string{cfg, commit0}, "true STARTED count=0 tasks=0 gen=-1 pending", "updated a,tasks a"},
		"removed":        {[]string{cfg, task0, commit1, "connector-a", "target-state-a"}, "false count=0 tasks=0 gen=0 pending", "updated a,tasks a,removed a"},
		"removed twice":  {[]string{"connector-a", cfg, "connector-a", "connector-a"}, "false STARTED count=0 tasks=0 gen=-1", "updated a,removed a"},
		"commit of none": {[]string{task0, commit1, cfg}, "true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"fenced":         {[]string{cfg, task0, commit1, `tasks-fencing-a={"task-count":1}`}, "true STARTED count=1 tasks=1 gen=0 fenced=1", "updated a,tasks a"},
		"fenced, then tasks": {[]string{cfg, `tasks-fencing-a={"task-count":3}`, task0, commit1},
			"true STARTED count=1 tasks=1 gen=0 pending fenced=3", "updated a,tasks a"},
		"bad configuration": {[]string{cfg, `connector-a={"properties":{"x":1}}`, `connector-a={"properties":[]}`, `connector-a={}`, `connector-a=null`, `connector-a=`},
			"true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"bad tasks": {[]string{cfg, `task-a={"properties":{}}`, `task-a-x={"properties":{}}`, `task-a-0`, `commit-a={"tasks":"1"}`, `commit-a={"tasks":1.5}`, `commit-a={"tasks":-1}`, "commit-a"},
			"true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"unknown keys": {[]string{"", "foo={}", "connectors-a={}", cfg}, "true STARTED count=0 tasks=0 gen=-1", "updated a"},
		"others": {[]string{`restart-connector-a={"include-tasks":true,"only-failed":"x"}`, `restart-connector-a`, `logger-cluster-x.y={"level":"INFO"}`, `logger-cluster-x.y={"level":7}`,
			`session-key={"key":"AQI=","algorithm":"HmacSHA256","creation-timestamp":5}`, `session-key={"key":"?"}`, `session-key`},
			"false count=0 tasks=0 gen=-1", "restart {a true false},logger x.y INFO,key HmacSHA256"},
		// Kafka Connect before 4.0 stores them, and any connector's tasks may have them.
		"null settings": {[]string{`connector-a={"properties":{"x":null}}`, `task-a-0={"properties":{"x":null}}`, commit1},
			"true STARTED count=1 tasks=1 gen=0 pending", "updated a,tasks a"},
	} {
		t.Run(name, func(t *testing.T) {
			var h heard
			c := newConfigState(logger(nil))
			c.live = true
			for i, r := range tc.records {
				k, v := kv(r)
				c.apply(k, v, int64(i))
			}
			tell(&h, c.takeEvents())
			snap := c.snapshot(nil)
			if got := describe(snap); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if got := strings.Join(h.take(), ","); got != tc.events {
				t.Errorf("heard %q, want %q", got, tc.events)
			}
			if want := int64(len(tc.records)); want > 0 && snap.Offset() != want {
				t.Errorf("offset %d, want %d", snap.Offset(), want)
			}
		})
	}
}

func TestBadRecordsAreLogged(t *testing.T) {
	var b bytes.Buffer
	c := newConfigState(slog.New(slog.NewTextHandler(&b, nil)))
	c.apply("foo", nil, 7)
	c.apply("commit-a", []byte("{"), 8)
	if s := b.String(); !strings.Contains(s, "unknown key") || !strings.Contains(s, "key=commit-a offset=8") {
		t.Errorf("logged: %s", s)
	}
}

func TestSnapshotsDoNotChange(t *testing.T) {
	c := newConfigState(logger(nil))
	apply := func(rs ...string) {
		for _, r := range rs {
			k, v := kv(r)
			c.apply(k, v, c.offset)
		}
	}
	apply(cfg, task0, commit1)
	one := c.snapshot(nil)
	before := describe(one)
	apply(task0, task1, commit2, "connector-a", "target-state-a")
	two := c.snapshot(one)
	if describe(one) != before {
		t.Errorf("the first snapshot became %s", describe(one))
	}
	if two.Contains("a") {
		t.Error("the second snapshot has the connector")
	}
	if got := one.TaskConfigs("a"); !reflect.DeepEqual(got, []map[string]string{{"n": "0"}}) {
		t.Errorf("task configurations %v", got)
	}
}

func TestMemoryConfigStore(t *testing.T) {
	var h heard
	s := NewMemoryConfigStore(&h, nil)
	ctx := context.Background()
	paused := connectors.Paused
	must(t, s.PutConnector(ctx, "a", map[string]string{"x": "y"}, &paused))
	must(t, s.PutTaskConfigs(ctx, "a", []map[string]string{{"n": "0"}, {"n": "1"}}))
	if got := describe(s.Snapshot()); got != "true PAUSED count=2 tasks=2 gen=0 pending" {
		t.Error(got)
	}
	if got := s.Snapshot().AppliedConfig("a"); got["x"] != "y" {
		t.Errorf("applied %v", got)
	}
	version := s.Snapshot().ConfigOffset("a")
	must(t, s.PutConnector(ctx, "a", map[string]string{"x": "z"}, nil))
	if s.Snapshot().ConfigOffset("a") == version || s.Snapshot().AppliedConfig("a")["x"] != "y" {
		t.Error("an update does not show, or shows as applied")
	}
	must(t, s.Stop(ctx, "a"))
	must(t, s.PutRestartRequest(ctx, RestartRequest{"a", true, true}))
	must(t, s.RemoveConnector(ctx, "a"))
	if got := describe(s.Snapshot()); got != "false count=0 tasks=0 gen=1 pending" {
		t.Error(got)
	}
	want := "updated a,tasks a,updated a,tasks a,target a STOPPED,restart {a true true},removed a"
	if got := strings.Join(h.take(), ","); got != want {
		t.Errorf("heard %s", got)
	}
}

// TestManyConnectors holds the cost of a state with thousands of connectors.
func TestManyConnectors(t *testing.T) {
	c := newConfigState(logger(nil))
	begin := time.Now()
	for i := range 2000 {
		name := fmt.Sprintf("c-%d", i)
		for _, r := range []record{connectorRecord(name, map[string]string{"connector.class": "X", "name": name, "tasks.max": "1"}),
			taskRecord(connectors.TaskID{Connector: name}, map[string]string{"name": name}), commitRecord(name, 1)} {
			c.apply(r.key, r.value, c.offset)
		}
	}
	snap := c.snapshot(nil)
	t.Logf("6000 records: %v", time.Since(begin))
	begin = time.Now()
	for range 100 {
		c.apply("connector-c-5", []byte(`{"properties":{}}`), c.offset)
		snap = c.snapshot(snap)
	}
	t.Logf("one more snapshot: %v", time.Since(begin)/100)
	if n := len(snap.Connectors()); n != 2000 {
		t.Errorf("%d connectors", n)
	}
}

func FuzzConfigRecord(f *testing.F) {
	for _, s := range []string{cfg, task0, commit1, `target-state-a={"state":"PAUSED","state.v2":"STOPPED"}`, `session-key={"key":"AQI=","algorithm":"H","creation-timestamp":5}`, `logger-cluster-x={"level":"INFO"}`, `tasks-fencing-a={"task-count":1}`} {
		k, v := kv(s)
		f.Add(k, v)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		c := newConfigState(logger(nil))
		c.live = true
		for _, r := range []string{cfg, task0} {
			k, v := kv(r)
			c.apply(k, v, 0)
		}
		c.apply(key, value, 2)
		tell(new(heard), c.takeEvents())
		s := c.snapshot(nil)
		for _, name := range s.Connectors() {
			_ = s.TaskConfigs(name)
		}
		// What we read as a configuration we write so that it reads the same.
		if got, err := propertiesMember(value); err == nil {
			again, err := propertiesMember(propertiesValue(got))
			if err != nil || !reflect.DeepEqual(got, again) {
				t.Errorf("%q became %q, %v", got, again, err)
			}
		}
	})
}
