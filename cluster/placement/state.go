package placement

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// micro is the resolution of weights: loads are summed as integers, so that sums don't
// depend on the order of their parts.
const micro = 1e6

// nowhere is the place of a unit that has none.
const nowhere = -1

// status of a unit while a plan is made.
type status uint8

const (
	live  status = iota // runs on its node, and may stay
	fresh               // has been given its node in this plan; free to change
	set                 // is moved by this plan, or wrong where it is and held
)

// group is the units of one connector that weigh the same: its tasks, or its instance.
type group struct {
	conn     int32 // index in state.conns
	class    int32 // index in state.classes
	first    int32 // index of the first unit
	n        int32 // number of units
	instance bool
	weight   int64 // of a unit, in millionths
}

// class is what one set of rules makes of the nodes.
type class struct {
	match    []bool  // the rules allow the node
	open     []bool  // and it isn't draining
	n        int     // open nodes
	capacity float64 // sum over open nodes
}

// state is a placement while it is worked on. Nodes, connectors and units are numbers
// here: indexes in the order of their names.
type state struct {
	nodes    []*Node
	capacity []float64
	load     []int64   // millionths
	key      []float64 // load/capacity
	count    []int32   // units

	conns   []*Connector
	classes []class
	groups  []group

	place  []int32 // of each unit
	status []status

	lambda  float64 // what a task in the wrong place costs, see the package comment
	largest float64 // capacity of a node that isn't draining
	// mean is what a task weighs on average, in millionths. Nodes must differ by more
	// for a live unit to move for the sake of loads: nobody should stop a connector's
	// instance, or a light task among heavy ones, to even out tenths.
	mean int64

	shut  []bool  // nodes that take nothing at this stage of the plan
	order []int32 // nodes that aren't draining by key; kept by improve
	x     []int32 // scratch: units of the group at hand, by node
}

func build(in *Input) (*state, []Unit) {
	s := &state{}
	s.addNodes(in.Nodes)
	s.addConnectors(in.Connectors)
	found := s.addUnits(in)
	for i := range s.nodes {
		s.key[i] = float64(s.load[i]) / s.capacity[i]
	}
	if found == len(in.Current) {
		return s, nil
	}
	return s, s.unwanted(in.Current)
}

func (s *state) addNodes(nodes []Node) {
	s.nodes = make([]*Node, len(nodes))
	for i := range nodes {
		s.nodes[i] = &nodes[i]
	}
	slices.SortStableFunc(s.nodes, func(a, b *Node) int { return strings.Compare(a.ID, b.ID) })
	s.nodes = slices.CompactFunc(s.nodes, func(a, b *Node) bool { return a.ID == b.ID })
	n := len(s.nodes)
	s.capacity, s.key = make([]float64, n), make([]float64, n)
	s.load, s.count, s.x = make([]int64, n), make([]int32, n), make([]int32, n)
	s.shut = make([]bool, n)
	for i, node := range s.nodes {
		s.capacity[i] = float64(fixed(node.Capacity)) / micro
		if !node.Draining {
			s.largest = max(s.largest, s.capacity[i])
		}
	}
}

// fixed returns a weight or a capacity in millionths. What makes no sense counts as
// nothing said: 1.
func fixed(v float64) int64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return micro
	}
	return int64(math.Round(min(max(v, 1e-3), 1e6) * micro))
}

func (s *state) addConnectors(conns []Connector) {
	s.conns = make([]*Connector, len(conns))
	for i := range conns {
		s.conns[i] = &conns[i]
	}
	slices.SortStableFunc(s.conns, func(a, b *Connector) int { return strings.Compare(a.Name, b.Name) })
	s.conns = slices.CompactFunc(s.conns, func(a, b *Connector) bool { return a.Name == b.Name })

	known := make(map[string]int32)
	s.groups = make([]group, 0, 2*len(s.conns))
	var unit int32
	var heaviest, tasks, sum int64
	for i, c := range s.conns {
		k := s.classOf(c, known)
		if c.Tasks > 0 {
			g := group{conn: int32(i), class: k, first: unit, n: int32(c.Tasks), weight: fixed(c.Weight)}
			s.groups = append(s.groups, g)
			unit += g.n
			heaviest = max(heaviest, g.weight)
			tasks, sum = tasks+int64(g.n), sum+int64(g.n)*g.weight
		}
		if c.Instance {
			s.groups = append(s.groups, group{conn: int32(i), class: k, first: unit, n: 1, instance: true, weight: fixed(InstanceWeight)})
			heaviest = max(heaviest, fixed(InstanceWeight))
			unit++
		}
	}
	if tasks > 0 {
		s.mean = sum / tasks
	}
	s.place, s.status = make([]int32, unit), make([]status, unit)

	n, capacity := 0, 0.0
	for i, node := range s.nodes {
		if !node.Draining {
			n, capacity = n+1, capacity+s.capacity[i]
		}
	}
	if n > 0 {
		s.lambda = 3 * float64(heaviest) / (capacity / float64(n))
	}
}

// classOf returns the class of a connector's rules; known are those there are, by text.
func (s *state) classOf(c *Connector, known map[string]int32) int32 {
	text := ""
	if len(c.Require)+len(c.Avoid) > 0 {
		var b []byte
		for _, l := range c.Require {
			b = strconv.AppendQuote(append(b, '+'), l.String())
		}
		for _, l := range c.Avoid {
			b = strconv.AppendQuote(append(b, '-'), l.String())
		}
		text = string(b)
	}
	if k, ok := known[text]; ok {
		return k
	}
	k := class{match: make([]bool, len(s.nodes)), open: make([]bool, len(s.nodes))}
	for i, node := range s.nodes {
		k.match[i] = Allows(node.Labels, c.Require, c.Avoid)
		if k.match[i] && !node.Draining {
			k.open[i] = true
			k.n++
			k.capacity += s.capacity[i]
		}
	}
	s.classes = append(s.classes, k)
	known[text] = int32(len(s.classes) - 1)
	return known[text]
}

// addUnits puts the units where they run, and returns how many of Current were wanted.
func (s *state) addUnits(in *Input) (found int) {
	byID := make(map[string]int32, len(s.nodes))
	for i, node := range s.nodes {
		byID[node.ID] = int32(i)
	}
	for gi := range s.groups {
		g := &s.groups[gi]
		for u := g.first; u < g.first+g.n; u++ {
			s.place[u] = nowhere
			if len(in.Current) > 0 {
				if id, ok := in.Current[s.unit(g, u)]; ok {
					found++
					if i, ok := byID[id]; ok {
						s.place[u] = i
						s.load[i] += g.weight
						s.count[i]++
					}
				}
			}
		}
	}
	return found
}

// unwanted returns the units of current that no connector has, in order.
func (s *state) unwanted(current map[Unit]string) []Unit {
	wanted := make(map[string]*Connector, len(s.conns))
	for _, c := range s.conns {
		wanted[c.Name] = c
	}
	var drop []Unit
	for u := range current {
		c := wanted[u.Connector]
		if c == nil || u.Task >= c.Tasks || u.Task < -1 || u.Task == -1 && !c.Instance {
			drop = append(drop, u)
		}
	}
	slices.SortFunc(drop, func(a, b Unit) int {
		return cmp.Or(strings.Compare(a.Connector, b.Connector), cmp.Compare(a.Task, b.Task))
	})
	return drop
}

// unit returns the name of unit u, which is of group g.
func (s *state) unit(g *group, u int32) Unit {
	if g.instance {
		return Instance(s.conns[g.conn].Name)
	}
	return Unit{s.conns[g.conn].Name, int(u - g.first)}
}

// full tells whether node i takes nothing more, at this stage.
func (s *state) full(i int32) bool {
	limit := s.nodes[i].Limit
	return s.shut[i] || limit > 0 && int(s.count[i]) >= limit
}

// shutOut has the nodes of which it is true take nothing until it is called again, and
// reports whether there are any.
func (s *state) shutOut(which func(*Node) bool) (any bool) {
	for i, node := range s.nodes {
		s.shut[i] = which(node)
		any = any || s.shut[i]
	}
	return any
}

// put moves unit u of group g to node i; it may have been nowhere before.
func (s *state) put(g *group, u, i int32) {
	if old := s.place[u]; old != nowhere {
		s.load[old] -= g.weight
		s.count[old]--
		s.key[old] = float64(s.load[old]) / s.capacity[old]
	}
	s.place[u] = i
	s.load[i] += g.weight
	s.count[i]++
	s.key[i] = float64(s.load[i]) / s.capacity[i]
}

// tally fills x with the group's units by node; clear empties it again.
func (s *state) tally(g *group) {
	for _, i := range s.place[g.first : g.first+g.n] {
		if i != nowhere {
			s.x[i]++
		}
	}
}

func (s *state) clear(g *group) {
	for _, i := range s.place[g.first : g.first+g.n] {
		if i != nowhere {
			s.x[i] = 0
		}
	}
}

// uneven is what the unevenness of a group grows by when node i gets another unit
// beside the x that it has, in tasks: 0 between the share rounded down and rounded up,
// -1, -2… below, 1, 2… above.
func (s *state) uneven(g *group, i, x int32) int {
	k := &s.classes[g.class]
	share := float64(g.n) * s.capacity[i] / k.capacity
	// A share that is a whole number but for rounding is one.
	low, high := int(share+1e-9), int(math.Ceil(share-1e-9))
	switch n := int(x); {
	case n < low:
		return n - low
	case n >= high:
		return n - high + 1
	}
	return 0
}

// evenest is the least that uneven can be for a group on nodes of up to that capacity.
func (s *state) evenest(g *group, capacity float64) int {
	k := &s.classes[g.class]
	if k.n == 0 {
		return 0
	}
	return -int(float64(g.n)*capacity/k.capacity + 1e-9)
}

// cost is what it costs to add a unit of the group to node i, which has x of them.
// Only differences mean something. (The conversion keeps the product from being
// fused with the sum: on some machines that rounds differently.)
func (s *state) cost(g *group, i, x int32, step float64) float64 {
	return s.key[i] + step/2/s.capacity[i] + float64(s.lambda*float64(s.uneven(g, i, x)))
}

// gain is what is saved by taking one of the x units of the group from node i.
func (s *state) gain(g *group, i, x int32, step float64) float64 {
	return s.key[i] - step/2/s.capacity[i] + float64(s.lambda*float64(s.uneven(g, i, x-1)))
}
