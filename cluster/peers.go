package cluster

import (
	"context"
	"time"

	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/cluster/store"
)

// Elsewhere is the error of a request that another node must carry out: the leader, or
// the node that runs a task. The gateway sends the request on to it.
type Elsewhere struct {
	URL    string // base of that node's REST interface, with a trailing slash
	Member string // its member id in the group, see [Nodes]' AwaitLeft
}

func (e *Elsewhere) Error() string { return "the request is to be carried out at " + e.URL }

// NotHere is the answer to a request that was sent on to this node although it is not,
// or no longer, the one to carry it out. Nothing was done; the node that was asked
// first waits until it knows better and tries again.
type NotHere struct{ Why string }

func (e *NotHere) Error() string { return e.Why }

// Attempt is what a node notes of a request that it may send on more than once: whether
// to carry it out again can do no harm, and what the connector was like before. A leader
// that carries such a request out again does so only if the connector has not changed
// since: then no earlier attempt was carried out, and none will be, for its leader can
// write no more. If it is as the request wants it, that is the answer.
//
// An Attempt belongs to one request, whose calls come one after the other.
type Attempt struct {
	Repeatable bool
	Base       int64 // [store.Snapshot] Changed, as the node saw it that was asked first
	Again      bool  // an earlier attempt may have been carried out
}

type attemptKey struct{}

// WithAttempt has the calls of a request note in a what they find.
func WithAttempt(ctx context.Context, a *Attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// AttemptOf returns what [WithAttempt] has put into ctx; nil if nothing.
func AttemptOf(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}

type forwardedKey struct{}

// WithForwarded marks the context of a request that another node has sent on: it is
// not sent on a second time.
func WithForwarded(ctx context.Context) context.Context {
	return context.WithValue(ctx, forwardedKey{}, true)
}

// Forwarded reports whether ctx is of a request that another node has sent on.
func Forwarded(ctx context.Context) bool { return ctx.Value(forwardedKey{}) != nil }

// SessionKeys gives the keys that sign the requests of nodes to each other (KIP-507).
type SessionKeys interface {
	// SessionKeys returns the newest key first, to sign with; after it those that are
	// accepted still: the one before, for a minute after a rotation. None before the
	// first leader has written one.
	SessionKeys() []store.SessionKey
}

// Unit is what is placed on a node: a task, or a connector's instance.
type Unit = placement.Unit

// Ack says that a node has stopped, and committed, what it was told to give up.
type Ack struct {
	Unit  Unit
	Epoch int64 // of the stay that has ended
}

// Peers sends signed requests to other nodes; url is the base of a node's REST
// interface. Each call ends with its context. An answer of [NotHere] is returned as
// such.
type Peers interface {
	PutTaskConfigs(ctx context.Context, url, connector string, configs []map[string]string) error
	Acknowledge(ctx context.Context, url string, acks []Ack) error
	Drain(ctx context.Context, url, node string, drain bool) error
}

// View is what GET /cluster tells: who is there, who leads, what runs where and why.
type View struct {
	Group      string
	Node       string // the node that answers
	Generation int32
	Leader     string        // node.id; "" while there is none
	Lease      time.Duration // left of this node's good standing; negative: lost for so long
	Nodes      []NodeView
	Units      []UnitView
	// Unreachable are addresses of members that gossip doesn't reach from this node.
	Unreachable []string
	// Moves are the latest assignments, newest first, bounded.
	Moves []MoveView
}

// NodeView is one node of the cluster.
type NodeView struct {
	ID, Member, Boot, URL, Gossip, Version string
	State                                  string // running, draining, joining, leaving, silent (in the group, not in gossip)
	Capacity                               float64
	Labels                                 map[string]string
	Connectors, Tasks                      int
}

// UnitView is the place of one connector instance or task.
type UnitView struct {
	Unit   Unit
	Node   string // node.id; "" when nobody has it
	Epoch  int64
	State  string // assigned, revoking, quarantined, unplaced
	Reason string
	Since  time.Time
}

// MoveView is one assignment that was decided.
type MoveView struct {
	Unit     Unit
	From, To string // node.id; "" for nobody
	Reason   string
	At       time.Time
	Epoch    int64
}

// Nodes is the part of the interface that only a cluster has.
type Nodes interface {
	// View answers from this node's own view.
	View(ctx context.Context) (View, error)
	// Drain takes a node's work away, or lets it have work again. An unknown node is
	// a 404.
	Drain(ctx context.Context, node string, drain bool) error
	// PutTaskConfigs takes a connector's task configurations from the node that runs
	// its instance; the leader writes them.
	PutTaskConfigs(ctx context.Context, connector string, configs []map[string]string) error
	// Acknowledge takes acknowledgements of stopped units; the leader acts on them.
	Acknowledge(ctx context.Context, acks []Ack) error
	// AwaitLeft waits until a member is no longer in the group, or this node has taken it
	// out. Its error is ctx's.
	AwaitLeft(ctx context.Context, member string) error
	// Refresh reads the configurations to their end as of now, so that what another
	// node has written is seen here.
	Refresh(ctx context.Context) error
}
