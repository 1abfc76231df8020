// Package faketask stands in for the worker in the tests of connectors and tasks:
// contexts that keep what they are told. It imports connectors and codec/data.
package faketask

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Context is a connector's and a task's context at once. The zero value is not
// usable; begin with [New].
type Context struct {
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	log  *slog.Logger

	mu       sync.Mutex
	text     bytes.Buffer
	stored   map[string]*data.MapValue
	requests int
	errs     []error
	errant   []data.Record

	// Reporting makes the context offer an errant record reporter.
	Reporting bool
}

// New returns a context without stored offsets.
func New() *Context {
	c := &Context{stored: make(map[string]*data.MapValue)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.log = slog.New(slog.NewTextHandler(locked{c}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return c
}

type locked struct{ c *Context }

func (l locked) Write(p []byte) (int, error) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.c.text.Write(p)
}

// Log returns a logger into [Context.Logged].
func (c *Context) Log() *slog.Logger { return c.log }

// Logged returns how often text has been logged.
func (c *Context) Logged(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Count(c.text.String(), text)
}

// Go runs f until [Context.Close]. Its error is kept as one raised.
func (c *Context) Go(f func(ctx context.Context) error) {
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		if err := f(c.ctx); err != nil {
			c.RaiseError(err)
		}
	}()
}

// Close ends the goroutines of Go and waits for them.
func (c *Context) Close() {
	c.stop()
	c.wg.Wait()
}

// Store puts an offset where the task finds it.
func (c *Context) Store(partition, offset *data.MapValue) {
	c.stored[data.OfMap(partition).String()] = offset
}

// Commit stores the offset of the last record for each source partition.
func (c *Context) Commit(records []data.Record) {
	for i := range records {
		c.Store(records[i].SourcePartition, records[i].SourceOffset.Map())
	}
}

// Offsets returns the stored offsets.
func (c *Context) Offsets() connectors.OffsetReader { return reader{c} }

type reader struct{ c *Context }

func (r reader) Offset(_ context.Context, p *data.MapValue) (*data.MapValue, error) {
	return r.c.stored[data.OfMap(p).String()], nil
}

func (r reader) Offsets(ctx context.Context, ps []*data.MapValue) ([]*data.MapValue, error) {
	out := make([]*data.MapValue, len(ps))
	for i, p := range ps {
		out[i], _ = r.Offset(ctx, p)
	}
	return out, nil
}

// Batch returns a new slice.
func (c *Context) Batch(n int) []data.Record { return make([]data.Record, 0, n) }

// RequestTaskReconfiguration counts.
func (c *Context) RequestTaskReconfiguration() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
}

// Requests returns how often a reconfiguration was asked for.
func (c *Context) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// RaiseError keeps err.
func (c *Context) RaiseError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

// Raised returns the errors that were raised.
func (c *Context) Raised() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs
}

// Sink returns the context as a sink task's.
func (c *Context) Sink() connectors.SinkTaskContext { return sink{c} }

type sink struct{ *Context }

func (s sink) Offset(map[connectors.TopicPartition]int64) {}
func (s sink) Timeout(time.Duration)                      {}
func (s sink) Assignment() []connectors.TopicPartition    { return nil }
func (s sink) Pause(...connectors.TopicPartition) error   { return nil }
func (s sink) Resume(...connectors.TopicPartition) error  { return nil }
func (s sink) RequestCommit()                             {}
func (s sink) ErrantRecords() connectors.ErrantRecordReporter {
	if !s.Reporting {
		return nil
	}
	return reporter{s.Context}
}

type reporter struct{ c *Context }

func (r reporter) Report(_ context.Context, rec *data.Record, _ error) error {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.errant = append(r.c.errant, *rec)
	return nil
}

// Errant returns the records that were reported.
func (c *Context) Errant() []data.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errant
}
