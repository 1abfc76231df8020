package task

import (
	"errors"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// ErrLease ends a task of a node that is not in good standing with its group any
// more: another node may run the task by now. It is no failure of the task: it is not
// counted, not reported to the listener and not answered by a restart. The task's
// actor stops itself.
var ErrLease = errors.New("the node's lease has run out: the task may run elsewhere by now")

// allowed is asked before each put, produce and commit. The first no is final for the
// incarnation, which it ends; nothing more of it is let out, not even the last commit
// of what was put or acknowledged before. What its producer has handed to the network
// and the broker's machine has not received is taken back: else it would arrive when
// the network heals, behind what a successor has written by then.
func (i *incarnation) allowed() bool {
	if !i.lapsed.Load() && (i.common.Allowed == nil || i.common.Allowed()) {
		return true
	}
	i.lapsed.Store(true)
	i.dead.Store(true)
	i.line.Load().Cut()
	i.fail(ErrLease)
	return false
}

// grace is how long the end of the incarnation may wait for calls into the plugin: a
// task that may run elsewhere by now is not waited for.
func (i *incarnation) grace() time.Duration {
	if i.lapsed.Load() {
		return abandonAfter
	}
	return i.common.Grace
}

// inLease returns c with a listener that hears nothing while the lease has run out:
// the states of the task are then those of another node.
func (c Common) inLease() Common {
	if c.Allowed != nil {
		c.Listener = leased{c.Listener, c.Allowed}
	}
	return c
}

// leased passes on what is said in good standing.
type leased struct {
	next    Listener
	allowed func() bool
}

// TaskRunning implements [Listener].
func (l leased) TaskRunning(id connectors.TaskID) {
	if l.allowed() {
		l.next.TaskRunning(id)
	}
}

// TaskPaused implements [Listener].
func (l leased) TaskPaused(id connectors.TaskID) {
	if l.allowed() {
		l.next.TaskPaused(id)
	}
}

// TaskFailed implements [Listener].
func (l leased) TaskFailed(id connectors.TaskID, trace string) {
	if l.allowed() {
		l.next.TaskFailed(id, trace)
	}
}

// TaskRestarting implements [Listener].
func (l leased) TaskRestarting(id connectors.TaskID, trace string) {
	if l.allowed() {
		l.next.TaskRestarting(id, trace)
	}
}

// TaskUnassigned implements [Listener].
func (l leased) TaskUnassigned(id connectors.TaskID) {
	if l.allowed() {
		l.next.TaskUnassigned(id)
	}
}

// TopicUsed implements [Listener].
func (l leased) TopicUsed(id connectors.TaskID, topic string) {
	if l.allowed() {
		l.next.TopicUsed(id, topic)
	}
}
