// Package assign is the assignment log: the compacted topic of one partition that says
// which member of the group runs which connector and task. The leader alone writes it;
// every node tails it.
//
// The offset of an assignment's record is the epoch of that assignment: it grows as
// long as the topic lives, which the group's generation does not.
//
// It imports cluster/store, cluster/placement and franz-go.
package assign

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/cluster/placement"
)

// Unit is what is assigned: a task, or a connector's instance.
type Unit = placement.Unit

// States of a unit in the log.
const (
	Assigned    = "assigned"    // the member runs it
	Revoking    = "revoking"    // the member is to stop it and to say so
	Quarantined = "quarantined" // nobody runs it: it was there when nodes died
	Unplaced    = "unplaced"    // nobody can run it; the reason says why
	Waiting     = "waiting"     // its turn to be started comes
)

// Format is the version of the records that this program writes.
const Format = 1

// Record is the value of a unit's record.
type Record struct {
	Format int    `json:"v"`
	State  string `json:"state"`
	Node   string `json:"node,omitempty"`   // node.id
	Member string `json:"member,omitempty"` // member id in the group: it holds the unit, nobody else
	// Epoch is set in a revoking record: of the stay that is to end.
	Epoch int64 `json:"epoch,omitempty"`
	// To is the node that is meant to have it next; it is chosen anew when the time comes.
	To string `json:"to,omitempty"`
	// Deadline ends the wait for an acknowledgement; ms since the epoch.
	Deadline int64 `json:"deadline,omitempty"`
	// Config is the offset in the config topic that this was decided on. A node acts
	// on it once it has read so far.
	Config     int64 `json:"config"`
	Generation int32 `json:"generation"`
	At         int64 `json:"at"` // ms since the epoch
	// Since is when a unit that has moved live was started first; 0 when that was at At.
	Since  int64   `json:"since,omitempty"`
	Reason string  `json:"reason,omitempty"`
	Deaths []Death `json:"deaths,omitempty"`
}

// Death is the end of a node soon after it had started a unit.
type Death struct {
	Node  string `json:"node"`
	Boot  string `json:"boot,omitempty"` // the life of it that ended
	At    int64  `json:"at"`             // ms since the epoch
	Lived int64  `json:"lived"`          // ms from the unit's start to the death
	// Killed says that the node went without a word and not soon after the start, as by
	// kill -9 from outside: such a death counts only in a long row.
	Killed bool `json:"killed,omitempty"`
}

// Entry is a unit's last record in the log.
type Entry struct {
	Record
	Offset int64
}

// Stay returns the epoch of the stay that the entry is about.
func (e Entry) Stay() int64 {
	if e.State == Revoking {
		return e.Epoch
	}
	return e.Offset
}

// NodeRecord is what the log keeps of a node, by its node.id.
type NodeRecord struct {
	Format int `json:"v"`
	// Drain is "node" until somebody undrains it, or the boot id of the life that is
	// ending; "" when the node takes work.
	Drain string `json:"drain,omitempty"`
	At    int64  `json:"at"`
}

// Keys are the secrets that gossip is encrypted with, the newest first.
type Keys struct {
	Format int      `json:"v"`
	Keys   [][]byte `json:"keys"`
	At     int64    `json:"at"`
}

// Keys of records.
const (
	connectorKey = "connector-"
	taskKey      = "task-"
	nodeKey      = "node-"
	gossipKey    = "gossip-keys"
)

func unitKey(u Unit) string {
	if u.Task < 0 {
		return connectorKey + u.Connector
	}
	return taskKey + u.String()
}

func parseUnit(key string) (Unit, bool) {
	if name, ok := strings.CutPrefix(key, connectorKey); ok {
		return placement.Instance(name), true
	}
	rest, ok := strings.CutPrefix(key, taskKey)
	i := strings.LastIndexByte(rest, '-')
	if !ok || i < 0 {
		return Unit{}, false
	}
	n, err := strconv.Atoi(rest[i+1:])
	if err != nil || n < 0 {
		return Unit{}, false
	}
	return Unit{Connector: rest[:i], Task: n}, true
}

func decode(value []byte, v any, format *int) error {
	if err := json.Unmarshal(value, v); err != nil {
		return err
	}
	if *format > Format {
		return fmt.Errorf("it was written by a newer version (format %d, this one knows %d)", *format, Format)
	}
	return nil
}
