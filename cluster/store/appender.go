package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
)

// appender is a client for writes that can be given up: once the context of one has
// ended, it does not arrive any more. Who gives up may have lost its right to write,
// and what arrived later would be written over its successor's. So the client is cut off
// and closed, and the next write makes another.
type appender struct {
	logs *Logs

	mu      sync.Mutex
	now     *appending // nil: the next write makes it
	stopped bool
}

// appending is a client and what it takes to end it.
type appending struct {
	cl   *kgo.Client
	line *kafkaclient.Line
}

func (a *appending) end() {
	a.line.Cut()
	a.cl.Close()
}

func (a *appender) get() (*appending, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return nil, kgo.ErrClientClosed
	}
	if a.now == nil {
		line := &kafkaclient.Line{}
		cl, err := a.logs.o.Client(append(writeOptions(), line.Opt())...)
		if err != nil {
			return nil, fmt.Errorf("making a client to write with: %w", err)
		}
		a.now = &appending{cl, line}
	}
	return a.now, nil
}

// giveUp ends a client, and with it the writes of others, which are made again.
func (a *appender) giveUp(w *appending) {
	a.mu.Lock()
	mine := a.now == w
	if mine {
		a.now = nil
	}
	a.mu.Unlock()
	if mine {
		w.end()
	}
}

func (a *appender) produce(ctx context.Context, recs []*kgo.Record) (kgo.ProduceResults, error) {
	for {
		w, err := a.get()
		if err != nil {
			return nil, err
		}
		ended := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(ended)
			a.giveUp(w)
		})
		res := w.cl.ProduceSync(ctx, recs...)
		if !stop() {
			<-ended
		}
		if ctx.Err() != nil || !othersEnd(res.FirstErr()) {
			return res, nil
		}
	}
}

// othersEnd reports whether a write whose context lasts has failed because another one
// was given up: the client fails all that it holds for a partition together.
func othersEnd(err error) bool {
	return errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (a *appender) stop() {
	a.mu.Lock()
	w := a.now
	a.now, a.stopped = nil, true
	a.mu.Unlock()
	if w != nil {
		w.cl.Close()
	}
}
