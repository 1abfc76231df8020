package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

const reportKey = "report.file"

func sinkDef() *configdef.Def {
	d := configdef.New(configdef.Key{Name: reportKey, Type: configdef.String, Importance: configdef.Low,
		Doc: "A file to which a line of JSON with the counts is appended when offsets are committed and when a task stops."}, journalSetting)
	for _, k := range faultKeys(inPut) {
		d.Define(k)
	}
	return d
}

// SinkTask checks the sequence numbers of the probe's source. What its tasks have
// seen is in [Probe.Stats]; what is wrong with it is also logged.
//
// Deliveries at least once make duplicates after a restart, so the sink judges
// nothing: it counts.
type SinkTask struct {
	p      *Probe
	tc     connectors.SinkTaskContext
	fault  *faulter
	diary  *journal
	name   string
	task   int
	report string
	put    int64 // records of this incarnation
	fresh  bool  // records since the last report
	warned Source
}

// Start checks the settings.
func (t *SinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	v, err := parse(sinkDef(), config)
	if err != nil {
		return err
	}
	if t.task, err = taskNumber(config, taskKey); err != nil {
		return err
	}
	t.tc, t.name, t.report = tc, config[nameKey], v.String(reportKey)
	t.fault = t.p.arm(v, t.name, t.task, tc)
	if err := t.fault.at(inStart); err != nil {
		return err
	}
	t.diary, err = t.p.openJournal(v.String(journalKey), t.name, t.task, time.Now().UnixMilli())
	return err
}

// Put counts the records.
func (t *SinkTask) Put(ctx context.Context, records []data.Record) error {
	if len(records) == 0 {
		return nil // the worker may put nothing at any time: no call to count
	}
	if err := t.fault.at(inPut); err != nil {
		return err
	}
	good := records
	if t.fault.kind == faultPoison {
		var err error
		if good, err = t.poisoned(ctx, records); err != nil {
			return err
		}
	}
	if err := t.diary.records(records); err != nil {
		return err
	}
	t.put += int64(len(records))
	t.fresh = true
	t.p.count(t.name, good)
	return nil
}

// poisoned returns the records that are not bad on demand; the bad ones go to the
// reporter, or fail the Put.
func (t *SinkTask) poisoned(ctx context.Context, records []data.Record) ([]data.Record, error) {
	var good []data.Record
	for i := range records {
		r := &records[i]
		if !t.fault.poisons(t.put + int64(i) + 1) {
			good = append(good, *r)
			continue
		}
		err := data.Errorf("probe: the record at %s-%d@%d is poison on demand", r.Topic, r.Partition, r.Offset)
		reporter := t.tc.ErrantRecords()
		if reporter == nil {
			return nil, err
		}
		if err := reporter.Report(ctx, r, err); err != nil {
			return nil, err
		}
	}
	return good, nil
}

// count takes note of records that a sink of the connector was given.
func (p *Probe) count(connector string, records []data.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	byTask := p.stats[connector]
	if byTask == nil {
		byTask = make(map[int]*sequence)
		p.stats[connector] = byTask
	}
	for i := range records {
		r := &records[i]
		task, seq, ok := numbers(r.Value)
		if !ok {
			task = -1
		}
		s := byTask[task]
		if s == nil {
			s = &sequence{}
			byTask[task] = s
		}
		if !ok {
			s.Received++
			continue
		}
		if !s.add(seq) {
			continue
		}
		if boot, ok := r.Headers.Last(BootHeader); ok {
			epoch, _ := r.Headers.Last(EpochHeader)
			s.stamp(boot.Value.String(), epoch.Value.Int())
		}
	}
}

// numbers finds task and sequence number in a struct, a map, or a string of JSON.
func numbers(v data.Value) (task int, seq int64, ok bool) {
	var t, s data.Value
	switch v.Kind() {
	case data.KindStruct:
		t, _ = v.Struct().Get(taskField)
		s, _ = v.Struct().Get(seqField)
	case data.KindMap:
		t, _ = v.Map().Get(taskField)
		s, _ = v.Map().Get(seqField)
	case data.KindString:
		var e struct{ Task, Seq *int64 }
		if json.Unmarshal(v.Bytes(), &e) != nil || e.Task == nil || e.Seq == nil {
			return 0, 0, false
		}
		return int(*e.Task), *e.Seq, *e.Task >= 0
	}
	return int(t.Int()), s.Int(), isInteger(t) && isInteger(s) && t.Int() >= 0
}

// PreCommit flushes, as Kafka Connect's own does.
func (t *SinkTask) PreCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	if err := t.fault.at(inPreCommit); err != nil {
		return nil, err
	}
	return offsets, t.Flush(ctx, offsets)
}

// Flush reports.
func (t *SinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	if err := t.fault.at(inFlush); err != nil {
		return err
	}
	return t.tell()
}

// tell logs what got worse since the last time and appends to the report.
func (t *SinkTask) tell() error {
	if !t.fresh {
		return nil
	}
	t.fresh = false
	stats := t.p.Stats(t.name)
	sum := stats.Totals()
	if sum.Missing > t.warned.Missing || sum.Duplicates > t.warned.Duplicates || sum.OutOfOrder > t.warned.OutOfOrder || sum.Returns > t.warned.Returns {
		t.tc.Log().Warn("The sequences have gaps or repeats", "missing", sum.Missing, "duplicates", sum.Duplicates,
			"out_of_order", sum.OutOfOrder, "returns", sum.Returns, "received", sum.Received)
	}
	t.warned = sum
	if t.report == "" {
		return nil
	}
	line, err := json.Marshal(map[string]any{"connector": t.name, "task": t.task, "node": t.p.node, "boot": t.p.boot, "stats": stats})
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	f, err := os.OpenFile(t.report, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// Open does nothing but fail on demand.
func (t *SinkTask) Open(context.Context, []connectors.TopicPartition) error {
	return t.fault.at(inOpen)
}

// Close does nothing but fail on demand.
func (t *SinkTask) Close(context.Context, []connectors.TopicPartition) error {
	return t.fault.at(inClose)
}

// Stop reports.
func (t *SinkTask) Stop(context.Context) error {
	if err := t.fault.at(inStop); err != nil {
		return err
	}
	if err := t.diary.close(); err != nil {
		return err
	}
	if t.tc == nil {
		return nil
	}
	return t.tell()
}
