package cluster

import (
	"crypto/rand"
	"time"

	"github.com/troupeio/troupe/cluster/store"
)

// Kafka Connect's defaults of inter.worker.key.*.
const (
	sessionKeyAlgorithm = "HmacSHA256"
	sessionKeyBytes     = 32
)

func newSessionKey() store.SessionKey {
	key := make([]byte, sessionKeyBytes)
	_, _ = rand.Read(key) // never fails
	return store.SessionKey{Key: key, Algorithm: sessionKeyAlgorithm, Created: time.Now().UnixMilli()}
}

// publishSessionKey writes the key that workers sign their requests to each other
// with (KIP-507), if there is none yet. One node signs nothing; a Kafka Connect worker
// that later leads the group finds what it expects.
func (h *Herder) publishSessionKey() {
	if h.Configs.Snapshot().SessionKey() != nil {
		return
	}
	err := h.Configs.PutSessionKey(h.ctx, newSessionKey())
	if err != nil && h.ctx.Err() == nil {
		h.Log.Warn("writing the session key failed; nothing here needs it", "err", err)
	}
}
