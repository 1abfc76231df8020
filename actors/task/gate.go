package task

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// gate lets a goroutine through unless it is closed.
type gate struct {
	mu     sync.Mutex
	closed bool
	change chan struct{}
}

func newGate() *gate { return &gate{change: make(chan struct{})} }

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != closed {
		g.closed = closed
		close(g.change)
		g.change = make(chan struct{})
	}
}

// poke wakes who waits for a change, though there is none.
func (g *gate) poke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.change)
	g.change = make(chan struct{})
}

// state returns whether the gate is closed, and a channel that is closed when
// that changes.
func (g *gate) state() (bool, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed, g.change
}

// plugin is the part of a context that all plugins share: the log, and
// goroutines that are recovered, counted and waited for.
type plugin struct {
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // the life of the incarnation, for Go
	failed func(error)
	count  *atomic.Int64

	mu     sync.Mutex
	closed bool // nothing new is started: somebody waits for what runs
	wg     sync.WaitGroup
}

// Log implements [connectors.Context].
func (p *plugin) Log() *slog.Logger { return p.log }

// Go implements [connectors.Context].
func (p *plugin) Go(f func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.log.Warn("the plugin starts a goroutine after it was stopped; it is not run")
		return
	}
	p.count.Add(1)
	p.wg.Go(func() {
		defer p.count.Add(-1)
		if err := guard(func() error { return f(p.ctx) }); err != nil && p.ctx.Err() == nil {
			p.failed(connectors.Errorf("on a goroutine of the plugin: %w", err))
		}
	})
}

// wait waits for the plugin's goroutines, for so long.
func (p *plugin) wait(d time.Duration) bool {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return waitGroup(&p.wg, d)
}

// waitGroup waits for wg, for so long at most.
func waitGroup(wg *sync.WaitGroup, d time.Duration) bool {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// pass waits while the gate is closed, and tells of the pause and, for a task that was
// running before, of its end; false when ctx is over.
func (g *gate) pass(ctx context.Context, wasRunning bool, tell func(eventKind)) bool {
	closed, change := g.state()
	if !closed {
		return ctx.Err() == nil
	}
	tell(evPaused)
	for closed {
		select {
		case <-ctx.Done():
			return false
		case <-change:
		}
		closed, change = g.state()
	}
	if wasRunning {
		tell(evRunning)
	}
	return ctx.Err() == nil
}
