// Package placement decides which node runs which connector and which task. It is one
// pure function, Place: equal inputs give equal plans, on every machine and in whatever
// order maps are walked.
//
// It imports the standard library only.
//
// # What is wanted, and how it is weighed
//
// Hard rules come first: a unit goes only to a node that is not draining, that its
// connector's labels allow, and that is below its limit.
//
// Among the nodes that remain, a plan makes one number small:
//
//	sum over nodes of load²/capacity  +  Λ · sum over connectors of their unevenness
//
// A connector is even when each node that it may use has its share of the tasks, in
// proportion to capacity, rounded up or down; beyond that, each task too many or too
// few costs more than the one before. Λ is three times the heaviest unit. With equal
// capacities and no labels or limits, a state in which no single move lowers that
// number has both properties that are promised: no two nodes differ by more than the
// heaviest unit, and no connector has two tasks more on one node than on another. (If
// one node carries more than another by over the heaviest unit, it has more tasks of
// some connector, and to move one of them pays. If then a connector has two tasks more
// here than there, Λ outweighs what its move does to the loads.) Where capacities
// or labels set the two against each other, it is a compromise: nodes that only
// certain connectors may use get less of the others.
//
// Every move that Place asks for on grounds of balance lowers that number, therefore
// rounds of Place end, and nothing moves to and fro.
package placement

import "strconv"

// Unit is what is placed: a task, or a connector's instance. It has the shape of
// connectors.TaskID, to which a task's unit can be converted.
type Unit struct {
	Connector string
	Task      int // -1: the connector's instance
}

// Instance returns the unit of a connector's instance.
func Instance(connector string) Unit { return Unit{connector, -1} }

// String returns the connector's name, for a task followed by a dash and its number.
func (u Unit) String() string {
	if u.Task < 0 {
		return u.Connector
	}
	return u.Connector + "-" + strconv.Itoa(u.Task)
}

// InstanceWeight is what a connector's instance weighs beside a task's default of 1. An
// instance carries no records; it wakes up now and then to see whether its tasks'
// configurations should change. It isn't 0: ten thousand of them should spread too.
const InstanceWeight = 0.1

// Node is a live member that units can be placed on.
type Node struct {
	ID string
	// Capacity is relative to other nodes'; 0 stands for 1. A node of capacity 2 is
	// meant to carry twice as much as one of capacity 1.
	Capacity float64
	Labels   map[string]string
	Draining bool // gets nothing new, and what it has is moved away first
	Limit    int  // most units that it takes; 0: no limit
	// NoMoves keeps live units from moving here: nobody knows yet that the node lives.
	NoMoves bool
	// Last has units without a live owner come here only if no other node can take them.
	Last bool
}

// Connector is what is wanted of one connector.
type Connector struct {
	Name     string
	Tasks    int     // how many; tasks count from 0
	Weight   float64 // of one task; 0 stands for 1
	Require  []Label // see Allows
	Avoid    []Label
	Instance bool // the connector's instance is to be placed as well
}

// Input is all that a plan depends on. Place changes nothing in it.
type Input struct {
	// Nodes are those that are alive. Of two with the same ID the first counts.
	Nodes []Node
	// Connectors are those that should run. Of two with the same name the first counts.
	Connectors []Connector
	// Current says where units run, by node ID; the nodes may be gone. A unit that is on
	// its way from one node to another stands here with the node that it goes to.
	Current map[Unit]string
	// MaxMoves is how many moves of live units may be begun now.
	MaxMoves int
}

// Plan is what to do.
type Plan struct {
	// Assign gives a node to every unit that has no live one.
	Assign map[Unit]string
	// Moves are the live units to move now, the most important first: off draining
	// nodes, then off nodes that rules forbid, then for balance, the
	// most useful (or one worth nearly as much) first. There are at most MaxMoves, a unit at most once.
	Moves []Move
	// Unplaced are the units that no node can take, each with the reason, for its status.
	Unplaced map[Unit]string
	// Held are live units that should leave their node but that no other can take, each
	// with the reason. They go on where they are. It is filled only as far as MaxMoves
	// was not used up before.
	Held map[Unit]string
	// Drop are units of Current that nobody wants any longer, in order.
	Drop []Unit
}

// Move is a live unit's way from one live node to another.
type Move struct {
	Unit     Unit
	From, To string
	Cause    Cause
	Reason   string // in words, for people
}

// Cause is why a unit moves.
type Cause string

// Causes of moves, in the order of their importance.
const (
	Drain  Cause = "drain"  // its node is being emptied
	Rule   Cause = "rule"   // placement.require or placement.avoid forbid its node
	Spread Cause = "spread" // too many of its connector's tasks share the node
	Load   Cause = "load"   // its node carries more than another
)
