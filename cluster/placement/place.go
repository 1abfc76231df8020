package placement

import (
	"cmp"
	"slices"
)

// Place makes a plan. Units stay where they are unless the plan says otherwise; to
// apply a plan is to take Drop out of Current and to put Assign and the targets of
// Moves into it. Rounds of Place with the same nodes and connectors come to an end:
// some round asks for no move.
//
// Its time goes with nodes and units, not with their product, but for units that are
// moved: each of those looks at all nodes. Each distinct set of rules is held against
// each node once.
func Place(in Input) Plan {
	s, drop := build(&in)
	p := Plan{Drop: drop, Assign: make(map[Unit]string), Unplaced: make(map[Unit]string), Held: make(map[Unit]string)}
	s.assign(&p)
	if in.MaxMoves > 0 {
		s.shutOut(func(n *Node) bool { return n.NoMoves })
		s.relocate(&p, in.MaxMoves)
		s.improve(live, in.MaxMoves-len(p.Moves), &p)
	}
	return p
}

// assign gives every unit that has no node the one that costs least.
func (s *state) assign(p *Plan) {
	var todo []*group
	n := 0
	for gi := range s.groups {
		g := &s.groups[gi]
		missing := 0
		for _, i := range s.place[g.first : g.first+g.n] {
			if i == nowhere {
				missing++
			}
		}
		if missing > 0 {
			todo = append(todo, g)
			n += missing
		}
	}
	if n == 0 {
		return
	}
	// Those with the least choice first, else others might fill the only nodes that
	// they can have; then the heavy ones, which the light ones even out.
	slices.SortStableFunc(todo, func(a, b *group) int {
		return cmp.Or(
			cmp.Compare(s.classes[a.class].n, s.classes[b.class].n),
			cmp.Compare(a.class, b.class),
			cmp.Compare(b.weight, a.weight))
	})
	// To even out what was just given away may free a place on a full node.
	last := s.shutOut(func(n *Node) bool { return n.Last })
	for placed := 1; placed > 0; {
		placed = s.fill(todo)
		if placed > 0 {
			s.improve(fresh, 4*n, nil)
		}
	}
	if last {
		s.shutOut(func(*Node) bool { return false })
		s.fill(todo)
	}

	p.Assign = make(map[Unit]string, n)
	reason, class := "", int32(-1) // the reason is the same for all units of a class
	for _, g := range todo {
		for u := g.first; u < g.first+g.n; u++ {
			switch {
			case s.place[u] == nowhere:
				if class != g.class {
					reason, class = s.why(g, u), g.class
				}
				p.Unplaced[s.unit(g, u)] = reason
			case s.status[u] == fresh:
				p.Assign[s.unit(g, u)] = s.nodes[s.place[u]].ID
			}
		}
	}
}

// fill places what units of the groups it can, and returns how many.
func (s *state) fill(todo []*group) (placed int) {
	f := s.newFiller()
	for _, g := range todo {
		placed += f.group(g)
	}
	return placed
}

// cheapest returns the node on which unit u costs least, of those that can take it and
// that it isn't on; x is filled.
func (s *state) cheapest(g *group, u int32) int32 {
	to, least := int32(nowhere), 0.0
	for i := range s.nodes {
		i := int32(i)
		if !s.classes[g.class].open[i] || i == s.place[u] || s.full(i) {
			continue
		}
		if c := s.cost(g, i, s.x[i], float64(g.weight)); to == nowhere || c < least {
			to, least = i, c
		}
	}
	return to
}

// filler places units that have no node, group by group. It looks only at as many
// nodes as it must: the open nodes of a class are in heaps by load, and those that may
// be the best for the group at hand move over to another one, by cost.
type filler struct {
	*state
	class  int32
	pools  []pool
	pool   []int32 // of each node
	byCost heap[priced]
}

// pool is nodes of about the same capacity. What a unit adds to load/capacity depends
// on the capacity; in one heap a small idle node would hide all larger ones.
type pool struct {
	byLoad  heap[int32]
	largest float64 // capacity
	floor   float64 // what a unit of the group at hand costs at least, besides load/capacity
}

type priced struct {
	cost float64
	node int32
}

func (s *state) newFiller() *filler {
	f := &filler{state: s, class: -1, pool: make([]int32, len(s.nodes))}
	f.byCost.less = func(a, b priced) bool {
		return a.cost < b.cost || a.cost == b.cost && a.node < b.node
	}
	byLoad := func(a, b int32) bool {
		return s.key[a] < s.key[b] || s.key[a] == s.key[b] && a < b
	}
	nodes := make([]int32, len(s.nodes))
	for i := range nodes {
		nodes[i] = int32(i)
	}
	slices.SortFunc(nodes, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.capacity[a], s.capacity[b]), cmp.Compare(a, b))
	})
	smallest := 0.0
	for _, i := range nodes {
		if len(f.pools) == 0 || s.capacity[i] > 1.25*smallest {
			smallest = s.capacity[i]
			f.pools = append(f.pools, pool{byLoad: heap[int32]{less: byLoad}})
		}
		f.pool[i] = int32(len(f.pools) - 1)
		f.pools[f.pool[i]].largest = s.capacity[i]
	}
	return f
}

// next takes the node out of its pool that is the cheapest by the bounds of cost, if it
// may cost less than what has been found.
func (f *filler) next() (int32, bool) {
	best, least := -1, 0.0
	if len(f.byCost.items) > 0 {
		least = f.byCost.items[0].cost
	}
	for p := range f.pools {
		pool := &f.pools[p]
		if len(pool.byLoad.items) == 0 {
			continue
		}
		cost := f.key[pool.byLoad.items[0]] + pool.floor
		if cost < least || best < 0 && len(f.byCost.items) == 0 {
			best, least = p, cost
		}
	}
	if best < 0 {
		return 0, false
	}
	return f.pools[best].byLoad.pop(), true
}

func (f *filler) enter(g *group) {
	if g.class != f.class {
		f.class = g.class
		for p := range f.pools {
			f.pools[p].byLoad.items = f.pools[p].byLoad.items[:0]
		}
		for i, open := range f.classes[g.class].open {
			if open {
				h := &f.pools[f.pool[i]].byLoad
				h.items = append(h.items, int32(i))
			}
		}
		for p := range f.pools {
			f.pools[p].byLoad.init()
		}
	}
	for p := range f.pools {
		pool := &f.pools[p]
		pool.floor = float64(g.weight)/2/pool.largest + float64(f.lambda*float64(f.evenest(g, pool.largest)))
	}
}

// group places what it can of the group's units.
func (f *filler) group(g *group) (placed int) {
	f.enter(g)
	f.tally(g)
	step := float64(g.weight)
	for u := g.first; u < g.first+g.n; u++ {
		if f.place[u] != nowhere {
			continue
		}
		for {
			i, ok := f.next()
			if !ok {
				break
			}
			if f.full(i) {
				continue // and will stay so
			}
			f.byCost.push(priced{f.cost(g, i, f.x[i], step), i})
		}
		if len(f.byCost.items) == 0 {
			break // nor is there a node for the rest
		}
		i := f.byCost.items[0].node
		f.put(g, u, i)
		f.status[u] = fresh
		f.x[i]++
		placed++
		if f.full(i) {
			f.byCost.pop()
			continue
		}
		f.byCost.items[0].cost = f.cost(g, i, f.x[i], step)
		f.byCost.down(0)
	}
	f.clear(g)
	for _, p := range f.byCost.items {
		f.pools[f.pool[p.node]].byLoad.push(p.node)
	}
	f.byCost.items = f.byCost.items[:0]
	return placed
}
