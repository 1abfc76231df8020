package membership

import (
	"bytes"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls back, on its packet loop and with its lock held.
// So nothing here waits or calls memberlist, everything is copied, and all of it
// may be called for a while after Shutdown, which does not wait for its loops.
type delegate struct {
	t *table

	mu   sync.Mutex
	meta []byte
}

var (
	_ memberlist.Delegate         = (*delegate)(nil)
	_ memberlist.EventDelegate    = (*delegate)(nil)
	_ memberlist.ConflictDelegate = (*delegate)(nil)
	_ memberlist.PingDelegate     = (*delegate)(nil)
)

// set stores the encoded metadata and says whether it differs from before.
func (d *delegate) set(meta []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if bytes.Equal(d.meta, meta) {
		return false
	}
	d.meta = meta
	return true
}

func (d *delegate) NodeMeta(int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta // replaced as a whole, never written to
}

// leaveMsg is the first byte of the one message that peers send each other
// directly; the boot id that leaves follows. memberlist's own announcement can
// overtake the metadata that says "leaving", and alone looks like a death.
const leaveMsg = 1

func (d *delegate) NotifyMsg(b []byte) {
	if len(b) > 1 && b[0] == leaveMsg {
		d.t.says(string(b[1:]))
	}
}

func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d *delegate) LocalState(bool) []byte          { return nil }
func (d *delegate) MergeRemoteState([]byte, bool)   {}
func (d *delegate) NotifyJoin(n *memberlist.Node)   { d.t.seen(n.Name, n.Address(), n.Meta) }
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.t.seen(n.Name, n.Address(), n.Meta) }
func (d *delegate) NotifyLeave(n *memberlist.Node)  { d.t.gone(n.Name) }
func (d *delegate) NotifyConflict(a, b *memberlist.Node) {
	d.t.sameName(a.Name, a.Address(), b.Address())
}

func (d *delegate) AckPayload() []byte { return nil }

func (d *delegate) NotifyPingComplete(*memberlist.Node, time.Duration, []byte) { d.t.answered() }
