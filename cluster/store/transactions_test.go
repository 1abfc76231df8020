package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// feed gives a script to transactions: "key=value" or "key" are records without one,
// with "1:" or "2:" in front those of a producer's, "1:commit" and "1:abort" end it.
func feed(t *testing.T, script ...string) *transactions {
	t.Helper()
	tx := &transactions{open: make(map[int64]*outcome)}
	for _, line := range script {
		if line == "" {
			continue
		}
		pid, transactional := int64(0), line[0] == '1' || line[0] == '2'
		if transactional {
			pid, line = int64(line[0]-'0'), line[2:]
		}
		r := &kgo.Record{Offset: tx.pos, ProducerID: pid}
		if transactional && (line == "commit" || line == "abort") {
			r.Attrs = attrs(true, true)
			r.Key = binary.BigEndian.AppendUint16([]byte{0, 0}, map[string]uint16{"abort": 0, "commit": 1}[line])
		} else {
			k, v := kv(line)
			r.Attrs, r.Key, r.Value = attrs(transactional, false), []byte(k), v
		}
		tx.take(r)
		tx.pos++
	}
	return tx
}

func attrs(transactional, control bool) kgo.RecordAttrs {
	return kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Transactional: transactional, Control: control})
}

func TestMissing(t *testing.T) {
	const other = `connector-a={"properties":{"name":"b"}}`
	for name, tc := range map[string]struct {
		script, want string
		clean        int64
	}{
		"nothing":                     {"", "", 0},
		"committed":                   {"1:" + cfg + "\n1:commit", "", 2},
		"a ghost":                     {"1:" + cfg + "\n1:abort", "connector-a", 2},
		"an update":                   {cfg + "\n1:" + other + "\n1:abort", cfg, 3},
		"mended":                      {cfg + "\n1:" + other + "\n1:abort\n" + cfg, "", 4},
		"overwritten later":           {"1:" + cfg + "\n1:abort\n1:" + other + "\n1:commit", "", 4},
		"written within":              {"1:" + cfg + "\n" + other + "\n1:abort", "", 3},
		"two producers":               {"1:" + cfg + "\n2:" + other + "\n1:abort\n2:commit", "", 4},
		"two producers, other way":    {"1:" + cfg + "\n2:" + other + "\n1:commit\n2:abort", cfg, 4},
		"commits out of order":        {"1:" + cfg + "\n" + other + "\n1:commit\n2:" + cfg + "\n2:abort", other, 5},
		"an open one":                 {cfg + "\n1:" + other, "", 1},
		"an open one after an abort":  {"2:" + cfg + "\n2:abort\n1:" + other, "", 0},
		"a null setting":              {`connector-a={"properties": {"z":"1","x":null}}` + "\n1:" + cfg + "\n1:abort", `connector-a={"properties": {"z":"1","x":null}}`, 3},
		"a removal":                   {`target-state-a={"state":"STARTED"}` + "\n" + cfg + "\n" + task0 + "\n" + commit1 + "\n1:connector-a\n1:target-state-a\n1:abort", `target-state-a={"state":"STARTED"}` + "\n" + cfg + "\n" + task0 + "\n" + commit1, 7},
		"tasks":                       {cfg + "\n" + task0 + "\n" + commit1 + "\n" + `1:task-a-0={"properties":{}}` + "\n1:" + task1 + "\n1:" + commit2 + "\n1:abort", "task-a-1\n" + task0 + "\n" + commit1, 7},
		"one of two tasks":            {cfg + "\n" + task0 + "\n" + task1 + "\n" + commit2 + "\n" + `1:task-a-0={"properties":{}}` + "\n1:abort", task0 + "\n" + task1 + "\n" + commit2, 6},
		"first tasks":                 {cfg + "\n1:" + task0 + "\n1:" + commit1 + "\n1:abort", "task-a-0\n" + commit0, 4},
		"a ghost with tasks":          {"1:" + cfg + "\n1:" + task0 + "\n1:" + commit1 + "\n1:abort", "connector-a\ncommit-a\ntask-a-0", 4},
		"tasks that were half there":  {cfg + "\n" + task0 + "\n" + commit1 + "\n" + `task-a-0={"properties":{}}` + "\n1:" + commit2 + "\n1:abort", task0 + "\n" + commit1, 6},
		"fencing":                     {cfg + "\n" + `tasks-fencing-a={"task-count":1}` + "\n" + task0 + "\n" + commit1 + "\n" + `1:tasks-fencing-a={"task-count":2}` + "\n1:abort", `tasks-fencing-a={"task-count":1}` + "\n" + task0 + "\n" + commit1, 6},
		"a restart is not asked anew": {`restart-connector-a={"include-tasks":true}` + "\n" + `1:restart-connector-a={}` + "\n1:abort", "restart-connector-a", 3},
		"a level":                     {`logger-cluster-x={"level":"INFO"}` + "\n" + `1:logger-cluster-x={"level":"DEBUG"}` + "\n1:abort", `logger-cluster-x={"level":"INFO"}`, 3},
		"update without tasks":        {cfg + "\n1:" + other + "\n1:abort", cfg, 3},
		"unknown keys":                {"x=1\n1:x=2\n1:abort\n1:task-9\n1:abort", "task-9\nx=1", 5},
	} {
		t.Run(name, func(t *testing.T) {
			recs, clean := feed(t, strings.Split(tc.script, "\n")...).missing()
			if got := script(recs); got != tc.want || clean != tc.clean {
				t.Errorf("got  %q, clean %d\nwant %q, clean %d", got, clean, tc.want, tc.clean)
			}
		})
	}
}

func script(recs []record) string {
	lines := make([]string, len(recs))
	for i, r := range recs {
		if lines[i] = r.key; r.value != nil {
			lines[i] += "=" + string(r.value)
		}
	}
	return strings.Join(lines, "\n")
}

// TestMendedReadersAgree has leaders write at random, die within transactions and mend,
// and two readers, one of which takes aborted records for real.
func TestMendedReadersAgree(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var lines []string
		strict, loose := newConfigState(logger(nil)), newConfigState(logger(nil))
		var group []record
		w := configWrites{write: func(_ context.Context, groups ...[]record) error {
			group = slices.Concat(groups...)
			return nil
		}}
		write := func(aborted bool) {
			for _, r := range group {
				lines = append(lines, "1:"+script([]record{r}))
				loose.apply(r.key, r.value, int64(len(lines)))
				if !aborted {
					strict.apply(r.key, r.value, int64(len(lines)))
				}
			}
			lines = append(lines, map[bool]string{true: "1:abort", false: "1:commit"}[aborted])
		}
		for range 1 + rnd.IntN(15) {
			name := string("ab"[rnd.IntN(2)])
			op := rnd.IntN(6)
			if !strict.configured(name) {
				op = 0
			}
			switch op {
			case 0, 1:
				must(t, w.PutConnector(ctx, name, map[string]string{"n": strconv.Itoa(len(lines))}, nil))
			case 2:
				must(t, w.RemoveConnector(ctx, name))
			case 3:
				var tasks []map[string]string
				for i := range rnd.IntN(4) {
					tasks = append(tasks, map[string]string{"n": fmt.Sprint(len(lines), i)})
				}
				must(t, w.PutTaskConfigs(ctx, name, tasks))
			case 4:
				must(t, w.PutTargetState(ctx, name, connectors.TargetState(rnd.IntN(3))))
			case 5:
				must(t, w.Stop(ctx, name))
			}
			aborted := rnd.IntN(2) == 0
			if aborted {
				group = group[:1+rnd.IntN(len(group))]
			}
			write(aborted)
			if !aborted {
				continue
			}
			before := view(strict.snapshot(nil))
			group, _ = feed(t, lines...).missing()
			mended := script(group)
			write(false)
			got, want := view(loose.snapshot(nil)), view(strict.snapshot(nil))
			if got != want || want != before {
				t.Fatalf("seed %d\n%s\nmended by\n%s\nhad\n%s\nhas\n%s\nand an uncommitted reader\n%s", seed, strings.Join(lines, "\n"), mended, before, want, got)
			}
		}
	}
}

// view is what counts of a snapshot.
func view(s *Snapshot) string {
	var b strings.Builder
	for _, name := range s.Connectors() {
		state, ok := s.TargetState(name)
		fmt.Fprintln(&b, name, s.Config(name), state, ok, s.TaskCount(name), s.TaskConfigs(name))
	}
	return b.String()
}

func TestMend(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	must(t, s.configs.PutConnector(ctx, "a", map[string]string{"n": "1"}, nil))
	must(t, s.configs.PutTaskConfigs(ctx, "a", []map[string]string{{"n": "1"}, {"n": "2"}}))

	dead := client(t, c, kgo.TransactionalID("lead"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, dead.BeginTransaction())
	for _, r := range []record{connectorRecord("ghost", nil), {key: connectorPrefix + "a"}, {key: targetStatePrefix + "a"}, taskRecord(connectors.TaskID{Connector: "a", Task: 2}, nil)} {
		must(t, dead.ProduceSync(ctx, &kgo.Record{Topic: "connect-configs", Key: []byte(r.key), Value: r.value}).FirstErr())
	}
	// Whoever takes the id aborts what is open.
	w, err := NewTxWriter(ctx, clientOf(c), "lead", nil)
	must(t, err)
	t.Cleanup(w.Close)
	must(t, s.configs.Refresh(ctx))
	must(t, s.configs.Mend(ctx, w))

	uncommitted := NewLogs(Options{Client: clientOf(c), ReadUncommitted: true})
	other := NewConfigStore(uncommitted, ConfigTopic("connect-configs", 1, nil), nil)
	t.Cleanup(uncommitted.Stop)
	must(t, uncommitted.Start(ctx))
	if got, want := view(other.Snapshot()), view(s.configs.Snapshot()); got != want || !strings.Contains(want, "a map[n:1]") {
		t.Errorf("an uncommitted reader has\n%s\nand a committed one\n%s", got, want)
	}

	again, clean, err := s.configs.Aborted(ctx, 0)
	must(t, err)
	if len(again) > 0 {
		t.Errorf("after mending %d records are missing", len(again))
	}
	from := s.configs.clean.Load()
	if from < 4 || from > clean {
		t.Errorf("mended up to %d of %d", from, clean)
	}

	// What was committed before the clean offset is found all the same.
	must(t, w.Write(ctx, &kgo.Record{Topic: "connect-configs", Key: []byte(connectorPrefix + "b"), Value: []byte(`{"properties":{"x":null}}`)}))
	must(t, s.configs.Refresh(ctx))
	must(t, s.configs.Mend(ctx, w))
	dead = client(t, c, kgo.TransactionalID("other"))
	must(t, dead.BeginTransaction())
	must(t, dead.ProduceSync(ctx, &kgo.Record{Topic: "connect-configs", Key: []byte(connectorPrefix + "b"), Value: []byte(`{"properties":{}}`)}).FirstErr())
	again, open, err := s.configs.Aborted(ctx, s.configs.clean.Load())
	must(t, err)
	if len(again) > 0 || open != s.configs.clean.Load() {
		t.Errorf("an open transaction: %d records, clean %d", len(again), open)
	}
	must(t, dead.EndTransaction(ctx, kgo.TryAbort))
	again, _, err = s.configs.Aborted(ctx, s.configs.clean.Load())
	must(t, err)
	if len(again) != 1 || string(again[0].Value) != `{"properties":{"x":null}}` {
		t.Errorf("missing are %v", again)
	}
}

// TestWriterGetsALogicalWriteAtOnce holds that what belongs together is one transaction.
func TestWriterGetsALogicalWriteAtOnce(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	w, err := NewTxWriter(ctx, clientOf(c), "lead", nil)
	must(t, err)
	t.Cleanup(w.Close)
	count := &counting{Writer: w}
	s.configs.UseWriter(count)
	paused := connectors.Paused
	must(t, s.configs.PutConnector(ctx, "a", map[string]string{"n": "1"}, &paused))
	must(t, s.configs.PutTaskConfigs(ctx, "a", []map[string]string{{"n": "1"}, {"n": "2"}}))
	must(t, s.configs.Stop(ctx, "a"))
	must(t, s.configs.RemoveConnector(ctx, "a"))
	if want := []int{2, 3, 2, 2}; !reflect.DeepEqual(count.sizes, want) {
		t.Errorf("writes of %v records, want %v", count.sizes, want)
	}
}

type counting struct {
	Writer
	sizes []int
}

func (c *counting) Write(ctx context.Context, recs ...*kgo.Record) error {
	c.sizes = append(c.sizes, len(recs))
	return c.Writer.Write(ctx, recs...)
}
