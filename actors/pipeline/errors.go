package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Stage is the name of a stage in error reports and dead letters.
type Stage string

// The stages of Kafka Connect (spec: runtime, error handling).
const (
	Transformation  Stage = "TRANSFORMATION"
	KeyConverter    Stage = "KEY_CONVERTER"
	ValueConverter  Stage = "VALUE_CONVERTER"
	HeaderConverter Stage = "HEADER_CONVERTER"
	TaskPut         Stage = "TASK_PUT"
	KafkaProduce    Stage = "KAFKA_PRODUCE"
)

// Report is one failed operation on one record.
type Report struct {
	Stage  Stage
	Class  string       // Java class name of the executing plugin
	Record *data.Record // source: the original record; nil for sinks
	Raw    *Raw         // sink: the consumed record; nil for sources
	Err    error
}

// Reporter takes note of a failed record: the log reporter, the dead letter
// queue. It is called before the task fails or goes on.
type Reporter interface {
	Report(ctx context.Context, r Report)
}

// Errors is Kafka Connect's error handling: what a task does about an operation
// that fails (errors.retry.timeout, errors.retry.delay.max.ms, errors.tolerance).
type Errors struct {
	RetryTimeout  time.Duration // 0: no retry; negative: for ever
	RetryDelayMax time.Duration
	TolerateAll   bool
	Reporters     []Reporter
	Counters      *Counters
}

const retryInitial = 300 * time.Millisecond

// ToleranceExceeded is the text with which Kafka Connect ends a task whose
// record failed under errors.tolerance=none.
const ToleranceExceeded = "Tolerance exceeded in error handler"

// Handle deals with the failure err of an operation: it retries by calling again
// (if not nil; it may correct the report's stage) while the error is retriable and
// time remains, reports what remains, and returns nil when the record is to be skipped, or the error with
// which the task fails. ok is true when a retry succeeded.
func (e *Errors) Handle(ctx context.Context, r Report, again func(*Report) error) (ok bool, fatal error) {
	if ctx.Err() != nil && errors.Is(r.Err, context.Canceled) {
		return false, ctx.Err() // a converter was asking somebody when the task was stopped
	}
	e.Counters.Failures.Add(1)
	err := r.Err
	begun := time.Now()
	for k := 0; again != nil && e.RetryTimeout != 0 && connectors.IsRetriable(err); k++ {
		d := e.delay(k)
		if e.RetryTimeout > 0 {
			left := e.RetryTimeout - time.Since(begun)
			if left <= 0 {
				break
			}
			d = min(d, left)
		}
		if !sleep(ctx, d) {
			return false, ctx.Err()
		}
		e.Counters.Retries.Add(1)
		if err = again(&r); err == nil {
			return true, nil
		}
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return false, ctx.Err()
		}
		e.Counters.Failures.Add(1)
	}
	r.Err = err
	e.Counters.Errors.Add(1)
	e.Counters.LastError.Store(time.Now().UnixMilli())
	if connectors.IsOutage(err) {
		// Kafka Connect would skip this record and, as long as the outage lasts, every
		// other. The task fails instead and is started again, later and later.
		return false, &connectors.Error{JavaClass: connectors.ConnectException, Class: connectors.Transient,
			Msg: fmt.Sprintf("%s (%s) needs something that does not answer", r.Stage, r.Class), Cause: err}
	}
	for _, rep := range e.Reporters {
		rep.Report(ctx, r)
	}
	// A retriable error of an operation whose time is up is skipped without regard
	// to tolerance, as Kafka Connect does it (spec: runtime §9). What a task or the
	// producer reports was no such operation.
	timeUp := connectors.IsRetriable(err) && r.Stage != TaskPut && r.Stage != KafkaProduce
	if !e.TolerateAll && !timeUp {
		return false, &PoisonError{Report: r}
	}
	e.Counters.Skipped.Add(1)
	return false, nil
}

func (e *Errors) delay(k int) time.Duration {
	d := retryInitial << min(k, 40)
	if d <= 0 || d > e.RetryDelayMax {
		if e.RetryDelayMax <= 0 {
			return 0
		}
		return rand.N(e.RetryDelayMax)
	}
	return d
}

// PoisonError fails a task because of one record. A restart would meet the
// record again, unless what failed was the plugin itself (a panic).
type PoisonError struct{ Report Report }

func (p *PoisonError) Error() string { return ToleranceExceeded }

// Unwrap returns what the operation failed with.
func (p *PoisonError) Unwrap() error { return p.Report.Err }

// JavaClass implements what [connectors.JavaClass] looks for.
func (p *PoisonError) JavaClass() string { return connectors.ConnectException }

// Explain says in plain words what failed, where, under which setting, and what
// to do next.
func (p *PoisonError) Explain() string {
	at := ""
	switch {
	case p.Report.Raw != nil:
		at = fmt.Sprintf("record %s-%d@%d", p.Report.Raw.Topic, p.Report.Raw.Partition, p.Report.Raw.Offset)
	case p.Report.Record != nil:
		at = fmt.Sprintf("the record at source offset %s of %s", data.OfMap(p.Report.Record.SourceOffset.Map()), data.OfMap(p.Report.Record.SourcePartition))
	default:
		at = "a record"
	}
	return fmt.Sprintf("Stage %s (%s) could not take %s. Set errors.tolerance=all to skip such records (for a sink, with errors.deadletterqueue.topic.name to keep them), or mend the record or the setting and restart the task.",
		p.Report.Stage, p.Report.Class, at)
}

// PanicError is a panic of plugin code, as an error.
type PanicError struct {
	Value any
	Stack []byte
}

func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// JavaClass names the nearest thing that Java has.
func (p *PanicError) JavaClass() string { return "java.lang.RuntimeException" }

// Recovered makes an error of what recover returned.
func Recovered(v any) error {
	if err, ok := v.(error); ok {
		var pe *PanicError
		if errors.As(err, &pe) {
			return err
		}
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// LogReporter writes failed records to the log (errors.log.enable).
type LogReporter struct {
	Log      *slog.Logger
	Task     connectors.TaskID
	Messages bool // errors.log.include.messages
	Counters *Counters
}

// Report implements [Reporter].
func (l *LogReporter) Report(_ context.Context, r Report) {
	l.Counters.Logged.Add(1)
	msg := fmt.Sprintf("Error encountered in task %s. Executing stage '%s' with class '%s'", l.Task, r.Stage, r.Class)
	if l.Messages {
		switch {
		case r.Raw != nil:
			msg += fmt.Sprintf(", where consumed record is {topic='%s', partition=%d, offset=%d", r.Raw.Topic, r.Raw.Partition, r.Raw.Offset)
			if r.Raw.TimestampType != data.NoTimestampType {
				msg += fmt.Sprintf(", timestamp=%d, timestampType=%s", r.Raw.Timestamp, r.Raw.TimestampType)
			}
			msg += "}"
		case r.Record != nil:
			msg += ", where source record is = " + r.Record.String()
		}
	}
	l.Log.Error(msg+".", "stage", string(r.Stage), "err", r.Err)
}
