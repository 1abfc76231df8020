package cluster

import (
	"context"
	"sync"
)

// writer orders the writes to the config store: those of one connector one after the
// other, in the order in which they were asked for, those of different connectors side
// by side, since a write is a few round trips to Kafka and their records have nothing
// to do with each other.
//
// A write that was begun is seen through, even when whoever asked has gone.
type writer struct {
	ctx context.Context //nolint:containedctx // the herder's life
	wg  *sync.WaitGroup

	mu     sync.Mutex
	queues map[string][]func(context.Context) // a key is there while its queue is worked off
	slots  chan struct{}
}

// maxWrites bounds the writes that are under way at once.
const maxWrites = 32

func newWriter(ctx context.Context, wg *sync.WaitGroup) *writer {
	return &writer{ctx: ctx, wg: wg, queues: make(map[string][]func(context.Context)), slots: make(chan struct{}, maxWrites)}
}

// do queues f behind the writes of the same connector. It does not block.
func (w *writer) do(connector string, f func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue, working := w.queues[connector]
	w.queues[connector] = append(queue, f)
	if !working && w.ctx.Err() == nil {
		w.wg.Add(1)
		go w.work(connector)
	}
}

// work works a queue off.
func (w *writer) work(connector string) {
	defer w.wg.Done()
	for {
		w.mu.Lock()
		queue := w.queues[connector]
		if len(queue) == 0 || w.ctx.Err() != nil {
			delete(w.queues, connector)
			w.mu.Unlock()
			return
		}
		f := queue[0]
		w.queues[connector] = queue[1:]
		w.mu.Unlock()
		select {
		case w.slots <- struct{}{}:
			f(w.ctx)
			<-w.slots
		case <-w.ctx.Done():
		}
	}
}
