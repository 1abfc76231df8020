// Package group is this node's membership in the Kafka group of its cluster
// (group.id): who the coordinator has taken in, who leads, and for how long this node
// may go on. The group's rebalances move no work; they only tell everyone who is there.
//
// Shape. [Join] starts a [Member], which keeps itself in the group until [Member.Leave].
// [Member.State] is what the last generation said, [Member.Lease] is this node's good
// standing; both are read at any time from any goroutine. [Options.Changed] says that
// either may have changed.
//
// It imports franz-go. The rules and the interleavings that they answer are in
// docs/clustering.md.
package group

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// protocolType is Kafka Connect's, so that its workers and ours exclude each other.
const protocolType = "connect"

// protocol is the name of our assignments within it.
const protocol = "troupe"

// Node is what a member tells the others when it joins. Fields that a newer version
// adds are kept out of the way of older ones: unknown ones are ignored.
type Node struct {
	Format   int               `json:"v"` // of this metadata and of the records that this node can read
	ID       string            `json:"node"`
	Boot     string            `json:"boot"`   // one life of the process
	Since    int64             `json:"since"`  // of this life; ms since the epoch
	URL      string            `json:"url"`    // base of the REST interface
	Worker   string            `json:"worker"` // host:port, as statuses name this node
	Gossip   string            `json:"gossip,omitempty"`
	Version  string            `json:"version,omitempty"`
	Capacity float64           `json:"capacity,omitempty"`
	Limit    int               `json:"limit,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	// Evictions is how often this life was taken out of the group in a hurry and came
	// back: the session decides about it for a while (docs/clustering.md).
	Evictions int `json:"evictions,omitempty"`
	// Lives are the latest former lives of this node that it knows of, the last one last.
	Lives []Life `json:"lives,omitempty"`
	// Held until is when hurrying is allowed again; ms since the epoch.
	HeldUntil int64 `json:"heldUntil,omitempty"`
}

// Life is what a node says of the end of a former life of itself.
type Life struct {
	Boot string `json:"boot"`
	End  End    `json:"end"`
}

// End is how the life of a node ended, as far as its next one can tell.
type End string

// Ends of a life.
const (
	Killed      End = "killed"        // without a word: by a signal from outside, or by an exit
	Crashed     End = "crashed"       // by a panic or another fatal error of the program
	OutOfMemory End = "out of memory" // without a word, while the system was killing for memory
	Rebooted    End = "rebooted"      // with its machine
	Ended       End = "ended"         // by itself and in order
)

// Format is the version of what this program writes.
const Format = 1

// Peer is a member of a generation.
type Peer struct {
	Member string `json:"member"` // member id, given by the coordinator
	Node
}

// State is what the last generation that this node was in has told.
type State struct {
	Member     string // of this node; "" while it is in no generation
	Generation int32
	Leader     string // member id
	Peers      []Peer // this node among them, by the order in which they started
}

// Leads reports whether this node leads the generation.
func (s *State) Leads() bool { return s.Member != "" && s.Member == s.Leader }

// Peer returns the member with an id.
func (s *State) Peer(member string) (Peer, bool) {
	for _, p := range s.Peers {
		if p.Member == member {
			return p, true
		}
	}
	return Peer{}, false
}

// clientID names a node and its life in any state of the group: the coordinator makes
// a member id of it, a dash and a UUID.
func clientID(n Node) string { return "troupe/" + n.ID + "/" + n.Boot }

// parseClientID is the reverse; ok is false for clients of another kind.
func parseClientID(id string) (node, boot string, ok bool) {
	rest, ok := strings.CutPrefix(id, "troupe/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// BootOf returns the boot id in a member id, whatever the coordinator has made of the
// client id; "" when it is not one of ours.
func BootOf(member string) string {
	rest, ok := strings.CutPrefix(member, "troupe/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return ""
	}
	boot, _, ok := strings.Cut(rest[i+1:], "-") // boot ids have no dash
	if !ok {
		return ""
	}
	return boot
}

// sync is what every member gets from the leader's SyncGroup.
type sync struct {
	Format int    `json:"v"`
	Leader string `json:"leader"`
	Peers  []Peer `json:"peers"`
}

func (s sync) encode() []byte {
	b, _ := json.Marshal(s) // strings, numbers and maps of them
	return b
}

func decodeSync(b []byte) (s sync, err error) {
	if err = json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("reading what the group's leader has sent: %w", err)
	}
	return s, nil
}

var _ kgo.GroupBalancer = (*balancer)(nil)
