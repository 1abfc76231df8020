package task

import (
	"context"
	"time"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/connectors"
)

// recordCommitLoop tells the plugin of each settled record, before the offsets
// that include it are stored.
func (r *sourceRun) recordCommitLoop() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.toCommit.ready:
			f, ok := r.toCommit.pop()
			if !ok {
				continue
			}
			rc, slab := r.parts.Load().Task.(connectors.RecordCommitter), f.slab
			for i := range f.batch.Records {
				if r.dead.Load() || !r.allowed() {
					return // the plugin is stopped
				}
				var md *connectors.RecordMetadata
				if f.batch.States[i] == pipeline.Live && slab != nil {
					rec := &slab.recs[i]
					md = &connectors.RecordMetadata{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
				}
				if err := guard(func() error { return rc.CommitRecord(r.ctx, f.batch.Original(i), md) }); err != nil {
					r.Log.Error("Exception thrown while calling task.commitRecord()", "err", err)
				}
			}
			r.retire(f)
		}
	}
}

// commitLoop stores the offsets of the acknowledged prefix at every interval.
func (r *sourceRun) commitLoop() {
	t := newBeat(r.FlushInterval)
	defer t.stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-t.C:
			t.again()
			select {
			case <-r.broken: // the final commit is end's
				return
			default:
				r.pool.release()
				r.commit()
			}
		}
	}
}

func (r *sourceRun) commit() {
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	if r.dead.Load() || !r.allowed() {
		return
	}
	offsets := r.ledger.Take()
	begun := time.Now()
	r.Metrics.CommitSeq.Add(1)
	ctx, cancel := context.WithTimeout(r.ctx, r.FlushTimeout)
	defer cancel()
	if len(offsets) > 0 {
		if err := r.Offsets.Put(ctx, offsets); err != nil {
			r.ledger.PutBack(offsets)
			r.Metrics.CommitFails.Add(1)
			if r.ctx.Err() == nil {
				r.Log.Error("Failed to commit offsets; they are stored with the next commit", "err", err)
			}
			return
		}
		r.Metrics.CommitTime.Add(time.Since(begun))
	}
	r.Metrics.Commits.Add(1)
	if !r.up.Load() {
		return // the plugin may still be in its Start
	}
	parts := r.parts.Load()
	if cm, ok := parts.Task.(connectors.Committer); ok {
		err := call(r.ctx, r.Metrics, "committing", r.FlushTimeout, cm.Commit)
		switch {
		case Abandoned(err):
			r.fail(err) // it must not be called again beside itself
		case err != nil && r.ctx.Err() == nil:
			r.Log.Error("the task's commit failed; the offsets are stored all the same", "err", err)
		}
	}
}
