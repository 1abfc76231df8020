package membership

import (
	"fmt"
	"sync"
	"time"
)

// Peer is another node as gossip sees it.
type Peer struct {
	Meta
	Addr  string    // host:port of its gossip, numeric
	Since time.Time // when this node first saw this life alive without a break
}

// Kind says what happened to a peer.
type Kind uint8

// The kinds of events. For each boot id they come in this order: Joined, any number
// of Updated, then Died or Left; after Died a boot may come back by Joined (it was
// cut off, not dead).
const (
	Joined  Kind = iota + 1 // seen alive
	Updated                 // its metadata changed
	Died                    // it answers nobody, or a later life has its address
	Left                    // gone after it had said that it was leaving
	Clashed                 // see Event.Text; the peer is alive
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Joined:
		return "joined"
	case Updated:
		return "updated"
	case Died:
		return "died"
	case Left:
		return "left"
	case Clashed:
		return "clashed"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Event is a change that gossip brought.
type Event struct {
	Kind Kind
	Peer Peer   // as it is now; for Died and Left, as it was last
	Text string // Clashed only: what is wrong and what to change, for the log and GET /cluster
}

// queue carries events from memberlist's callbacks, which must not wait, to the one
// goroutine that may. It has no bound: there are few events, and none may be lost.
type queue struct {
	mu     sync.Mutex
	events []Event
	wake   chan struct{} // of one
}

func (q *queue) put(e ...Event) {
	if len(e) == 0 {
		return
	}
	q.mu.Lock()
	q.events = append(q.events, e...)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) take() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.events
	q.events = nil
	return e
}
