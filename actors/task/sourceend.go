package task

import (
	"context"
	"time"
)

// end implements run. In order: no more polls; what is in flight is
// acknowledged; the offsets are stored; the plugin stops; the client closes.
func (r *sourceRun) end(bool) {
	r.stopPoll()
	if !r.allowed() {
		r.cancel() // what the client has not sent yet is not sent any more
	}
	grace := time.NewTimer(r.grace())
	defer grace.Stop()
	abandoned := false
	select {
	case <-r.pumpDone:
	case <-grace.C:
		abandoned = true
		r.Metrics.Abandoned.Add(1)
		r.Log.Warn("the task ignores its stop signal and is left behind; what it still returns is dropped", "waited", r.Grace)
	}
	parts := r.parts.Load()
	if !abandoned && parts != nil {
		r.drain(parts)
	}
	if parts != nil {
		r.commitFinal(abandoned)
	}
	r.dead.Store(true)
	r.closeStages()
	if !abandoned && r.started {
		r.stopPlugin(parts.Task.Stop)
	}
	r.waitForPlugin()
	r.cancel()
	closeClient := func() {
		if p := r.parts.Load(); p != nil && p.Client != nil {
			if r.ledger.Active() > 0 && p.Client.BufferedProduceRecords() > 0 {
				p.Line.Cut() // they are read again: these are not to arrive after that
			} else {
				p.Line.Release()
			}
			p.Client.Close()
		}
	}
	if abandoned {
		r.line.Load().Cut()
		go func() { // the pump may still be building; its client is closed when it is done
			<-r.pumpDone
			closeClient()
			if r.started {
				stopLate(r.Log, r.parts.Load().Task.Stop, r.Grace)
			}
		}()
	} else {
		closeClient()
	}
	idle := waitGroup(&r.others, r.Grace)
	if !r.waitForStages() || !idle {
		r.leftBehind("a call into a plugin")
	}
	r.Metrics.settleDown()
}

// drain lets what is in flight be acknowledged, within offset.flush.timeout.ms. A
// poll that failed leaves the stages whole; after a stage's failure only what had passed
// it is waited for, and the rest is read again by the next incarnation.
func (r *sourceRun) drain(parts *SourceParts) {
	t := time.NewTimer(r.FlushTimeout)
	defer t.Stop()
	look := time.NewTicker(leaseLook)
	defer look.Stop()
	for waiting := true; waiting; {
		select {
		case <-look.C:
			if waiting = r.allowed(); !waiting {
				r.cancel()
			}
			continue
		case <-r.ctx.Done(): // out of the lease
		case <-r.ledger.Idle():
		case <-r.cut:
			r.drainCut(parts)
		case <-t.C:
			r.Log.Warn("records were not acknowledged in time; they are read again after the next start", "records", r.ledger.Active(), "waited", r.FlushTimeout)
		}
		return
	}
}

// leaseLook is how often the lease is looked at while nothing is done but waiting.
const leaseLook = 50 * time.Millisecond

// drainCut lets out what has passed the stage that failed.
func (r *sourceRun) drainCut(parts *SourceParts) {
	for end := time.Now().Add(r.FlushTimeout / 2); !r.idle() && time.Now().Before(end); {
		wait(r.ctx, time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.FlushTimeout)
	defer cancel()
	_ = parts.Client.Flush(ctx)
}

// idle reports whether no stage has anything to do.
func (r *sourceRun) idle() bool {
	for _, s := range r.stages {
		if !s.idle() {
			return false
		}
	}
	return r.producing.Load() == 0 || r.produceEnded.Load()
}

// commitFinal stores the last offsets. When a call into the plugin was left
// behind the offsets of acknowledged records are stored all the same, but the
// plugin's Commit is not called beside it.
func (r *sourceRun) commitFinal(abandoned bool) {
	if !abandoned {
		r.commit()
		return
	}
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	if !r.allowed() {
		return
	}
	if offsets := r.ledger.Take(); len(offsets) > 0 {
		ctx, cancel := context.WithTimeout(r.ctx, r.FlushTimeout)
		defer cancel()
		if err := r.Offsets.Put(ctx, offsets); err != nil {
			r.Log.Error("Failed to commit offsets", "err", err)
		}
	}
}
