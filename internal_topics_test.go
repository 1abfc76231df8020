package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/internal/golden"
)

// topicRow is one line of internal_topics.jsonl.
type topicRow struct {
	ID         string
	Kind       string
	Topic      string
	Partitions int
	Replicas   int
	Configs    map[string]string `json:"configs_set_on_topic"`
	Key, Value *string
	CausedBy   *topicStep `json:"caused_by"`
}

type topicStep struct {
	Step         int
	What         string
	Method, Path string
	Body         *string
	Status       int
}

// tail collects everything that topics get.
type tail struct {
	mu   sync.Mutex
	recs []*kgo.Record
	done chan struct{}
	cl   *kgo.Client
}

func startTail(t *testing.T, addr string, topics ...string) *tail {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(-1), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	l := &tail{done: make(chan struct{}), cl: cl}
	go func() {
		defer close(l.done)
		for {
			fs := cl.PollFetches(context.Background())
			if fs.IsClientClosed() {
				return
			}
			l.mu.Lock()
			l.recs = append(l.recs, fs.Records()...)
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cl.Close(); <-l.done })
	return l
}

func (l *tail) from(i int) []*kgo.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.recs[i:])
}

func (l *tail) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.recs)
}

// stepResult is what a step left in the topics: by topic and key the last value (nil
// for a tombstone), and whether there was an UNASSIGNED or RESTARTING.
type stepResult struct {
	last  map[[2]string]*string
	seen  map[[3]string]bool // topic, key, UNASSIGNED or RESTARTING
	lines map[string][]string
}

func newStepResult() *stepResult {
	return &stepResult{last: make(map[[2]string]*string), seen: make(map[[3]string]bool), lines: make(map[string][]string)}
}

func (s *stepResult) add(topic string, key, value *string) {
	if !strings.HasPrefix(topic, "connect-") {
		if value != nil {
			s.lines[topic] = append(s.lines[topic], *value)
		}
		return
	}
	k := [2]string{topic, *key}
	s.last[k] = value
	if value == nil {
		return
	}
	var st struct{ State string }
	if json.Unmarshal([]byte(*value), &st) == nil && (st.State == "UNASSIGNED" || st.State == "RESTARTING") {
		s.seen[[3]string{topic, *key, st.State}] = true
	}
}

// meaningless reports whether more of a record says nothing: a repeated use of a
// topic, or a repeated tombstone.
func (s *stepResult) meaningless(k [2]string) bool {
	return strings.HasPrefix(k[1], "status-topic-") || s.last[k] == nil
}

// diff lists how got differs from the recorded step.
func (s *stepResult) diff(got *stepResult) []string {
	var out []string
	for k, w := range s.last {
		g, ok := got.last[k]
		switch {
		case !ok && s.meaningless(k) && strings.HasPrefix(k[1], "status-topic-") && w != nil:
			continue // a repeat
		case !ok:
			out = append(out, fmt.Sprintf("%s %s: no record, want %s", k[0], k[1], text(w)))
		default:
			if d := diffValue(k[1], w, g); d != "" {
				out = append(out, fmt.Sprintf("%s %s: %s", k[0], k[1], d))
			}
		}
	}
	for k, g := range got.last {
		if _, ok := s.last[k]; !ok && !got.meaningless(k) {
			out = append(out, fmt.Sprintf("%s %s: %s was not recorded", k[0], k[1], text(g)))
		}
	}
	for k := range s.seen {
		if !got.seen[k] {
			out = append(out, fmt.Sprintf("%s %s: no %s", k[0], k[1], k[2]))
		}
	}
	for topic, w := range s.lines {
		if g := got.lines[topic]; !slices.Equal(w, g) {
			out = append(out, fmt.Sprintf("%s: %q, want %q", topic, g, w))
		}
	}
	slices.Sort(out)
	return out
}

func text(s *string) string {
	if s == nil {
		return "a tombstone"
	}
	return *s
}

// unstableMembers of the values vary from run to run.
var unstableMembers = []string{"version", "generation", "worker_id", "key", "creation-timestamp", "discoverTimestamp"}

func diffValue(key string, want, got *string) string {
	if (want == nil) != (got == nil) {
		return fmt.Sprintf("%s, want %s", text(got), text(want))
	}
	if want == nil {
		return ""
	}
	w, err := decodeJSON(*want)
	if err != nil {
		return err.Error()
	}
	g, err := decodeJSON(*got)
	if err != nil {
		return err.Error()
	}
	state, _ := pointer(w, "/state")
	if gs, _ := pointer(g, "/state"); (gs == state) && (state == "UNASSIGNED" || state == "RESTARTING") {
		return ""
	}
	steady(w)
	steady(g)
	if strings.HasPrefix(key, "status-topic-") {
		// Which of several tasks was first is chance.
		for _, v := range []any{w, g} {
			if t, ok := pointer(v, "/topic"); ok {
				delete(t.(map[string]any), "task")
			}
		}
	}
	return diffJSON("", w, g)
}

func steady(v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for k, e := range m {
		switch {
		case slices.Contains(unstableMembers, k):
			m[k] = "…"
		case k == "trace":
			if s, ok := e.(string); ok {
				m[k], _, _ = strings.Cut(s, "\n")
			}
		case k == "topic":
			steady(e)
		}
	}
}

// lifeRun plays the steps.
type lifeRun struct {
	*goldenNode
	tail   *tail
	source string // the file of the source made last that has one
}

var appended = regexp.MustCompile(`^one line \((.*)\) appended`)

func (r *lifeRun) do(t *testing.T, s *topicStep, lines []string) {
	if s.Method == "" {
		m := appended.FindStringSubmatch(s.What)
		switch {
		case strings.HasPrefix(s.What, "worker started"):
		case strings.HasPrefix(s.What, "worker shut down"):
			if err := r.node.stop(); err != nil {
				t.Error(err)
			}
			r.node = nil
		case m != nil:
			f, err := os.OpenFile(r.source, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteString(m[1] + "\n")
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("step %d: what to do for %q?", s.Step, s.What)
		}
		return
	}
	var body *string
	headers := map[string]string{}
	if s.Body != nil {
		b := r.local(*s.Body)
		body, headers["Content-Type"] = &b, "application/json"
		var req struct{ Config map[string]string }
		if json.Unmarshal([]byte(b), &req) == nil && strings.HasSuffix(req.Config["connector.class"], "SourceConnector") && filepath.Base(req.Config["file"]) != "none.txt" {
			r.source = req.Config["file"]
			var text string
			for _, l := range lines {
				var v struct{ Payload string }
				if err := json.Unmarshal([]byte(l), &v); err != nil {
					t.Fatal(err)
				}
				text += v.Payload + "\n"
			}
			if err := os.WriteFile(r.source, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The step before may still be settling: what it left makes this one fail.
	var a restAnswer
	for until := time.Now().Add(5 * time.Second); ; {
		a = r.send(s.Method, r.local(s.Path), headers, body)
		if a.status == s.Status || time.Now().After(until) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a.status != s.Status {
		t.Errorf("step %d (%s): status %d, want %d: %.300s", s.Step, s.What, a.status, s.Status, a.body)
	}
}

// TestGoldenInternalTopics does what was done to a Kafka Connect worker, and compares
// what is in its topics after each step.
func TestGoldenInternalTopics(t *testing.T) {
	rows := golden.Read[topicRow](t, "internal_topics.jsonl")
	g := newGoldenNode(t, workerconfig.Distributed, map[string]string{"listeners": "http://127.0.0.1:0"})
	var steps []*topicStep
	results := make(map[int]*stepResult)
	topics := []string{}
	for i := range rows {
		row := &rows[i]
		if row.Kind == "topic_settings" {
			topics = append(topics, row.Topic)
			continue
		}
		s := row.CausedBy
		if results[s.Step] == nil {
			results[s.Step] = newStepResult()
			steps = append(steps, s)
		}
		for _, p := range []*string{row.Key, row.Value} {
			if p != nil {
				*p = g.local(*p)
			}
		}
		results[s.Step].add(row.Topic, row.Key, row.Value)
		if !slices.Contains(topics, row.Topic) {
			topics = append(topics, row.Topic)
		}
	}
	r := &lifeRun{goldenNode: g, tail: startTail(t, g.broker.Addr(), topics...)}
	for _, s := range steps {
		want, from := results[s.Step], r.tail.len()
		if s.Step == steps[0].Step {
			from = 0
		}
		for topic := range want.lines { // sources may run before their topic's first record
			r.tail.cl.AddConsumeTopics(topic)
		}
		r.do(t, s, want.linesOfOne())
		var diff []string
		quiet := 0
		for until := time.Now().Add(10 * time.Second); ; {
			n := r.tail.len()
			time.Sleep(50 * time.Millisecond)
			got := newStepResult()
			for _, rec := range r.tail.from(from) {
				got.add(rec.Topic, ptr(rec.Key), ptr(rec.Value))
			}
			diff = want.diff(got)
			// Nothing more must come either: wait until it is quiet.
			if quiet++; len(diff) > 0 || n != r.tail.len() {
				quiet = 0
			}
			if quiet >= 5 || time.Now().After(until) {
				break
			}
		}
		if len(diff) > 0 {
			t.Errorf("step %d (%s):\n\t%s", s.Step, s.What, strings.Join(diff, "\n\t"))
		}
	}
	for i := range rows {
		if rows[i].Kind == "topic_settings" {
			checkTopicSettings(t, g.broker.Addr(), &rows[i])
		}
	}
}

// linesOfOne are the lines of the one data topic of a step.
func (s *stepResult) linesOfOne() []string {
	for _, l := range s.lines {
		return l
	}
	return nil
}

func ptr(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func checkTopicSettings(t *testing.T, addr string, row *topicRow) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx, row.Topic)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topics[row.Topic].Partitions); n != row.Partitions || topics[row.Topic].Partitions.NumReplicas() != row.Replicas {
		t.Errorf("%s has %d partitions and %d replicas, want %d and %d", row.Topic, n, topics[row.Topic].Partitions.NumReplicas(), row.Partitions, row.Replicas)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, row.Topic)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, rc := range configs {
		for _, c := range rc.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				got[c.Key] = c.MaybeValue()
			}
		}
	}
	if !reflect.DeepEqual(got, row.Configs) {
		t.Errorf("%s has the settings %v, want %v", row.Topic, got, row.Configs)
	}
}
