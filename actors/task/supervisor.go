// Package task runs one task: its supervisor, the stages that are its children,
// and the ledger that decides which offsets may be stored. It imports the
// pipeline, connectors, the actor library and the Kafka client; what it needs of
// the world it states as interfaces.
package task

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// Listener hears of a task's states. It is called by the task's actor and must
// not block.
type Listener interface {
	TaskRunning(id connectors.TaskID)
	TaskPaused(id connectors.TaskID)
	TaskFailed(id connectors.TaskID, trace string)
	TaskRestarting(id connectors.TaskID, trace string)
	TaskUnassigned(id connectors.TaskID)
	// TopicUsed says that the task used a topic, once a topic and incarnation. It
	// may be called from any goroutine.
	TopicUsed(id connectors.TaskID, topic string)
}

// Common is what source and sink tasks share.
type Common struct {
	ID       connectors.TaskID
	Log      *slog.Logger
	Policy   Policy
	Listener Listener
	Metrics  *Metrics
	// Allowed says whether this node may still run the task; nil: always. It is asked
	// from any goroutine, before each put, produce and commit, so it must be quick. See
	// [ErrLease].
	Allowed func() bool

	Grace       time.Duration // task.shutdown.graceful.timeout.ms
	CallTimeout time.Duration // plugin.call.timeout.ms
	Budget      int64         // task.buffer.bytes: credit of one task, bytes

	FlushInterval, FlushTimeout time.Duration // offset.flush.*
}

// run is one incarnation of a task: its stages and goroutines.
type run interface {
	// begin spawns the stages. It must not block.
	begin(c actor.Context)
	// pause and resume the flow; may be called before the run is up.
	setPaused(bool)
	// end stops everything, waits for it within bounds, and stores what may be
	// stored. orderly is false after a failure. It runs on a goroutine of its own.
	end(orderly bool)
}

// Messages that a task's actor takes.
type (
	// SetPaused wants the task paused or running.
	SetPaused struct{ Paused bool }
	// Restart starts the task anew at once, with a full budget.
	Restart struct{}
	// Stop ends the task. The actor stops itself once its stages have; watch it.
	// Final says that the task ends for good, not that it moves to another place.
	Stop struct{ Final bool }
)

// event is what an incarnation tells its task. It names the incarnation: after a
// restart the word of the one before may still be in the mailbox.
type event struct {
	n    int
	kind eventKind
	err  error
}

type eventKind uint8

const (
	evRunning eventKind = iota
	evPaused
	evFailed // err: why
	evEnded  // end has returned
)

type retry struct{ n int }

// supervisor is the actor of one task. Its children are the stages of the
// present incarnation; it decides what happens when one of them fails.
type supervisor struct {
	Common
	newRun func(n int, final *atomic.Bool, tell func(event)) run

	paused   bool
	final    atomic.Bool
	n        int // number of the present incarnation
	cur      run // nil between incarnations
	ending   bool
	failure  error // why the present incarnation is being ended; nil: asked to
	upSince  time.Time
	budget   Budget
	timer    *time.Timer
	stopping bool
	again    bool // start anew once the present incarnation has ended
	wg       sync.WaitGroup
}

func props(c Common, paused bool, newRun func(int, *atomic.Bool, func(event)) run) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &supervisor{Common: c, paused: paused, newRun: newRun}
	}, actor.WithSupervisor(stageStrategy{}))
}

// stageStrategy makes a stage's panic the failure of the whole incarnation: no
// half-restarted pipeline, hence no lost batch.
type stageStrategy struct{}

// HandleFailure implements [actor.SupervisorStrategy].
func (stageStrategy) HandleFailure(sys *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	sup.StopChildren(child)
	err := pipeline.Recovered(reason)
	if f, ok := reason.(stageFailure); ok {
		sys.Root.Send(f.task, event{n: f.n, kind: evFailed, err: f.err})
		return
	}
	if s, ok := sup.(actor.Context); ok {
		sys.Root.Send(s.Self(), event{n: -1, kind: evFailed, err: err})
	}
}

// Receive implements [actor.Actor].
func (s *supervisor) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		s.start(c)
	case *actor.Restarting:
		// Only a bug of ours restarts a supervisor: its run must not outlive it.
		s.abandon()
	case *actor.Stopping:
		s.stopTimer()
		s.abandon()
	case SetPaused:
		s.paused = m.Paused
		if s.cur != nil {
			s.cur.setPaused(m.Paused)
		}
	case Restart:
		if s.stopping {
			return
		}
		s.budget.Clear()
		s.stopTimer()
		if s.cur == nil {
			s.start(c)
			return
		}
		s.again = true
		s.end(c, nil)
	case Stop:
		s.final.Store(m.Final)
		s.stopping = true
		s.stopTimer()
		if s.cur == nil {
			s.Listener.TaskUnassigned(s.ID)
			c.Stop(c.Self())
			return
		}
		s.end(c, nil)
	case retry:
		if m.n == s.n && s.cur == nil && !s.stopping {
			s.start(c)
		}
	case event:
		s.event(c, m)
	}
}

func (s *supervisor) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// abandon ends a run without waiting for it; its owner is going away.
func (s *supervisor) abandon() {
	if s.cur != nil && !s.ending {
		s.ending = true
		go s.cur.end(false)
	}
}

func (s *supervisor) start(c actor.Context) {
	s.n++
	s.ending, s.failure, s.again, s.upSince = false, nil, false, time.Time{}
	root, self := c.ActorSystem().Root, c.Self()
	s.cur = s.newRun(s.n, &s.final, func(e event) { root.Send(self, e) })
	s.cur.setPaused(s.paused)
	s.cur.begin(c)
}

// end ends the present incarnation on a goroutine that reports back.
func (s *supervisor) end(c actor.Context, why error) {
	if s.ending {
		return
	}
	s.ending, s.failure = true, why
	root, self, n, cur := c.ActorSystem().Root, c.Self(), s.n, s.cur
	s.wg.Go(func() {
		cur.end(why == nil)
		root.Send(self, event{n: n, kind: evEnded})
	})
}

func (s *supervisor) event(c actor.Context, e event) {
	if e.n == -1 {
		e.n = s.n // a panic of a stage of ours; stages die with their incarnation
	}
	if e.n != s.n || s.cur == nil {
		return
	}
	switch e.kind {
	case evRunning:
		if s.ending {
			return
		}
		if s.upSince.IsZero() {
			s.upSince = time.Now()
		}
		s.Listener.TaskRunning(s.ID)
	case evPaused:
		if !s.ending {
			s.Listener.TaskPaused(s.ID)
		}
	case evFailed:
		if s.ending {
			if s.failure == nil && e.err != nil && !errors.Is(e.err, ErrLease) {
				s.Log.Warn("task failed while it was being stopped", "err", e.err)
			}
			return
		}
		s.end(c, e.err)
	case evEnded:
		for _, child := range c.Children() {
			c.Stop(child)
		}
		s.cur = nil
		s.ended(c)
	}
}

// ended decides what comes after an incarnation.
func (s *supervisor) ended(c actor.Context) {
	switch {
	case s.stopping:
		s.Listener.TaskUnassigned(s.ID)
		c.Stop(c.Self())
		return
	case s.again:
		s.Listener.TaskUnassigned(s.ID)
		s.start(c)
		return
	case s.failure != nil && (errors.Is(s.failure, ErrLease) || s.Allowed != nil && !s.Allowed()):
		s.Log.Warn(fmt.Sprintf("Task %s was ended, because the node is not in good standing with its group", s.ID))
		c.Stop(c.Self())
		return
	case s.failure == nil:
		// A task whose plugin has nothing more to do stays where it is.
		return
	}
	var up time.Duration
	if !s.upSince.IsZero() {
		up = max(time.Since(s.upSince), 1)
	}
	class := classOf(s.failure)
	if up == 0 && class == connectors.Crash {
		class = connectors.Configuration // before it has run: as Kafka Connect does
	}
	delay, restart := s.budget.Next(s.Policy, class, time.Now(), up)
	if !restart {
		s.Metrics.Failed.Add(1)
		s.Log.Error(fmt.Sprintf("Task %s failed and is not restarted by itself", s.ID), "class", class.String(), "err", s.failure)
		s.Listener.TaskFailed(s.ID, Trace(s.failure, plainWords(class, s.Policy)))
		return
	}
	s.Metrics.Restarts.Add(1)
	s.Metrics.BackoffMs.Store(delay.Milliseconds())
	s.Log.Warn(fmt.Sprintf("Task %s failed; it is restarted from the stored offsets", s.ID), "after", delay.Round(time.Millisecond), "class", class.String(), "err", s.failure)
	s.Listener.TaskRestarting(s.ID, Trace(s.failure, fmt.Sprintf("Restarting in %s (a %s failure); POST .../restart does it at once.", delay.Round(time.Millisecond), class)))
	root, self, n := c.ActorSystem().Root, c.Self(), s.n
	s.timer = time.AfterFunc(delay, func() { root.Send(self, retry{n}) })
}

func plainWords(class connectors.Class, p Policy) string {
	switch {
	case p.Never:
		return "Not restarted, because task.restart.policy=never; POST .../restart starts it again."
	case class == connectors.Configuration:
		return "The task could not start with this configuration; correct it, or mend what it names, and restart the task."
	case class == connectors.Crash:
		return fmt.Sprintf("The task crashed more than %d times within %s; mend the cause and restart it.", p.MaxCrashes, p.Window)
	}
	return "Mend the cause and restart the task."
}
