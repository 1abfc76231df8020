package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// latecomers notices source offsets that a former owner wrote after its successor (a
// batch that was in flight when it lost its standing), and has the newer ones written
// again: a late record would undo an offset, or a reset, and compaction would keep it.
type latecomers struct {
	c     *Coordinator
	store *store.OffsetStore

	mu   sync.Mutex
	seen map[string]seenOffset // by key of the offset topic
}

type seenOffset struct {
	epoch int64
	value []byte
}

const rewriteTimeout = 10 * time.Second

// GuardOffsets begins to look at the offset topic; call it before the logs start.
func (c *Coordinator) GuardOffsets(s *store.OffsetStore) {
	g := &latecomers{c: c, store: s, seen: make(map[string]seenOffset)}
	s.Observe(g.observe)
}

// observe is called by the goroutine that reads the topic.
func (g *latecomers) observe(connector string, _ *data.MapValue, r *kgo.Record) {
	epoch, ok := store.EpochOf(r)
	if !ok {
		return // Kafka Connect's: taken as it comes
	}
	key := string(r.Key)
	g.mu.Lock()
	last, known := g.seen[key]
	late := known && epoch < last.epoch
	if !late {
		g.seen[key] = seenOffset{epoch, append([]byte(nil), r.Value...)}
		if r.Value == nil {
			g.seen[key] = seenOffset{epoch: epoch}
		}
	}
	g.mu.Unlock()
	if !late || g.c.herder == nil || !g.c.keeps(connector) {
		return
	}
	g.c.Logger.Warn("a source offset of an earlier stay came after that of a later one, which is written again", "connector", connector, "partition", key, "epoch", epoch, "later", last.epoch)
	g.c.start(func() {
		ctx, cancel := context.WithTimeout(g.c.ctx, rewriteTimeout)
		defer cancel()
		if err := g.store.Rewrite(ctx, r.Key, last.value, store.EpochHeader(last.epoch)); err != nil && g.c.ctx.Err() == nil {
			g.c.Logger.Error("writing a source offset again", "connector", connector, "partition", key, "err", err)
		}
	})
}

// keeps reports whether this node answers for a connector's source offsets: it runs
// one of its tasks; for a connector without tasks the leader does.
func (c *Coordinator) keeps(connector string) bool {
	snap := c.Configs.Snapshot()
	target, _ := snap.TargetState(connector)
	if target == connectors.Stopped || snap.TaskCount(connector) == 0 {
		return c.lead.Load() != nil
	}
	mine, ok := c.mine()
	if !ok {
		return false
	}
	for u, e := range mine {
		if u.Connector == connector && u.Task >= 0 && e.State == assign.Assigned {
			return true
		}
	}
	return false
}

// epochNow is later than all stays of a connector that has been stopped: for offsets
// that are altered over REST.
func (c *Coordinator) epochNow() int64 { return c.Log.Last() }
