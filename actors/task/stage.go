package task

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/pipeline"
)

// stage is the place where transforms or converters run: an actor that takes
// batches, and a goroutine, there while batches are, that works them off in
// order. The actor never runs plugin code itself: inside a call that does not
// return it could not be stopped, and its task and its worker could not either.
type stage struct {
	work func(m any) error
	// failed hears of the error of work, after which the stage takes nothing more.
	// With a true result the actor panics, which its supervisor takes for the
	// failure of the whole incarnation.
	failed func(error) bool
	fail   func(error) stageFailure

	coming atomic.Int64 // batches sent by a source's stage before, and not done

	mu     sync.Mutex
	queue  []any
	busy   bool
	closed bool
	wg     sync.WaitGroup
}

// props returns the recipe of the stage's actor.
func (s *stage) props() *actor.Props {
	return actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *actor.Stopping:
			s.close()
		case stageFailure:
			panic(m)
		case *pipeline.Batch, *barrier:
			s.push(c, m)
		}
	})
}

func (s *stage) push(c actor.Context, m any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.queue = append(s.queue, m)
	if !s.busy {
		s.busy = true
		root, self := c.ActorSystem().Root, c.Self()
		s.wg.Go(func() {
			if err := s.drain(); err != nil && s.failed(err) {
				root.Send(self, s.fail(err))
			}
		})
	}
}

// drain works off what is queued, and returns when nothing is or at an error.
func (s *stage) drain() error {
	var todo []any
	for {
		s.mu.Lock()
		if s.closed || len(s.queue) == 0 {
			s.busy = false
			s.mu.Unlock()
			return nil
		}
		todo, s.queue = s.queue, todo[:0]
		s.mu.Unlock()
		for i, m := range todo {
			if err := guard(func() error { return s.work(m) }); err != nil {
				s.close()
				return err
			}
			s.coming.Add(-1)
			todo[i] = nil
		}
	}
}

// idle reports whether nothing is on its way to the stage or being worked on, or
// the stage takes nothing any more.
func (s *stage) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed || s.coming.Load() == 0
}

func (s *stage) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.queue = true, nil
}

// wait closes the stage and waits until it is idle, for so long at most.
func (s *stage) wait(d time.Duration) bool {
	s.close()
	return waitGroup(&s.wg, d)
}

// stageFailure is what a stage panics with when a batch ends the task.
type stageFailure struct {
	task *actor.PID
	n    int
	err  error
}
