package task

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// end implements run: no more polls; what was consumed is put; offsets are
// committed and partitions closed; the plugin stops; the client closes, and, at
// the task's end, leaves the group.
func (r *sinkRun) end(orderly bool) {
	r.stopPoll()
	orderly = r.allowed() && orderly
	grace := time.NewTimer(r.grace())
	defer grace.Stop()
	abandoned := false
	select {
	case <-r.consumeDone:
	case <-grace.C:
		abandoned = true
	}
	if !abandoned {
		select {
		case <-r.up:
			abandoned = !r.lastBarrier(orderly, grace.C)
		default: // the plugin never started: nothing to commit
		}
	}
	r.dead.Store(true)
	r.put.hurry.Store(true) // a put that returns after all is the last
	r.closeStages()
	parts := r.parts.Load()
	if abandoned {
		r.Metrics.Abandoned.Add(1)
		r.Log.Warn("the task ignores its stop signal and is left behind; offsets are not committed", "waited", r.grace())
	}
	r.cancel()
	if !abandoned {
		select {
		case <-r.putDone:
		case <-time.After(r.grace()):
		}
	}
	stop := func() {
		if r.put.started && parts != nil && !r.put.left.Load() {
			r.stopPlugin(parts.Task.Stop)
		}
	}
	if !abandoned {
		stop()
	}
	r.waitForPlugin()
	if !r.waitForStages() {
		r.leftBehind("a transform or converter")
	}
	defer r.Metrics.settleDown()
	closeAll := func() {
		if r.client != nil {
			if parts.Instance != "" && r.final.Load() && r.allowed() {
				r.leave(parts)
			}
			r.closeClient()
		}
		r.cutClient()
		if parts != nil {
			parts.close(r.lapsed.Load())
		}
	}
	if abandoned {
		// The client must not go on fetching and heartbeating for a dead task; what
		// the plugin still does is its own.
		select {
		case <-r.consumeDone:
			closeAll()
		default:
			go func() { <-r.consumeDone; closeAll() }()
		}
		go func() { <-r.consumeDone; <-r.putDone; stop() }()
		return
	}
	closeAll()
}

// lastBarrier lets the put loop commit and close, behind what was consumed when
// that is to be put; false when it does not come to its end in time.
func (r *sinkRun) lastBarrier(orderly bool, grace <-chan time.Time) bool {
	b := &barrier{kind: last, done: make(chan struct{})}
	if orderly {
		r.sys.Root.Send(r.first, b)
		select {
		case <-b.done:
			return true
		case <-r.putDone:
			return true
		case <-r.broken: // a stage failed on the way; the barrier may not get through
		case <-grace:
			grace = time.After(abandonAfter)
		}
	}
	// What is on its way is not put any more; what was put is committed.
	r.put.hurry.Store(true)
	direct := &barrier{kind: last, done: make(chan struct{})}
	r.toPut.push(putMsg{barrier: direct})
	select {
	case <-b.done:
		return true
	case <-direct.done:
		return true
	case <-r.putDone:
		return true
	case <-grace:
	}
	// Out of time: the plugin's context ends, and after a moment more the call is
	// left behind.
	r.cancel()
	select {
	case <-r.putDone:
		return true
	case <-time.After(abandonAfter):
		return false
	}
}

// closeWait is how long a client that is being closed may wait for the broker.
const closeWait = 500 * time.Millisecond

// closeClient closes the consumer. Close alone would wait for a JoinGroup in
// flight, which the broker answers only when all members have come back, and
// those may be waiting for this one to end.
func (r *sinkRun) closeClient() {
	t := time.AfterFunc(closeWait, r.cutClient)
	defer t.Stop()
	r.client.CloseAllowingRebalance()
}

// close closes what the parts have open. Out of the lease reports are given up: what
// they are about is read again.
func (p *SinkParts) close(lapsed bool) {
	switch {
	case p.DLQ == nil:
	case lapsed:
		p.DLQ.Abort()
	default:
		p.DLQ.Close()
	}
}

// leave takes the static member out of its group: a task that ends for good must
// not keep its partitions for a session.
func (r *sinkRun) leave(parts *SinkParts) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = parts.Group
	m := kmsg.NewLeaveGroupRequestMember()
	m.InstanceID = kmsg.StringPtr(parts.Instance)
	// With the member's own id: should a successor have taken the place already, it
	// is not thrown out.
	m.MemberID, _ = r.client.GroupMetadata()
	reason := "the task ended"
	m.Reason = &reason
	req.Members = append(req.Members, m)
	if _, err := req.RequestWith(ctx, r.client); err != nil {
		r.Log.Warn("leaving the consumer group failed; its partitions stay with the ended task for a session", "group", parts.Group, "err", err)
	}
}
