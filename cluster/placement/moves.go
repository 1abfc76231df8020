package placement

import (
	"cmp"
	"math"
	"slices"
)

// relocate moves live units off nodes where they must not be: draining ones first, then
// those that the rules forbid.
func (s *state) relocate(p *Plan, most int) {
	type wrong struct {
		g     *group
		u     int32
		cause Cause
		rank  int
	}
	var list []wrong
	for gi := range s.groups {
		g := &s.groups[gi]
		k := &s.classes[g.class]
		for u := g.first; u < g.first+g.n; u++ {
			i := s.place[u]
			if i == nowhere || s.status[u] != live || k.open[i] {
				continue
			}
			switch {
			case s.nodes[i].Draining:
				list = append(list, wrong{g, u, Drain, 0})
			case !k.match[i]:
				list = append(list, wrong{g, u, Rule, 1})
			default:
				continue
			}
			s.status[u] = set
		}
	}
	slices.SortStableFunc(list, func(a, b wrong) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(s.place[a.u], s.place[b.u]))
	})
	// Units with the same rules on the same node are held for the same reason, until a
	// move makes room somewhere.
	type plight struct {
		class, from int32
		cause       Cause
	}
	held := make(map[plight]string)
	for _, w := range list {
		if len(p.Moves) == most {
			return
		}
		from := s.place[w.u]
		same := plight{w.g.class, from, w.cause}
		if text, ok := held[same]; ok {
			p.Held[s.unit(w.g, w.u)] = text
			continue
		}
		s.tally(w.g)
		to := s.cheapest(w.g, w.u)
		s.clear(w.g)
		if to == nowhere {
			text := "it should leave node " + s.nodes[from].ID + " (" + s.reason(w.g, w.cause, from, to) + "), but " + s.why(w.g, w.u)
			p.Held[s.unit(w.g, w.u)] = text
			held[same] = text
			continue
		}
		clear(held)
		p.Moves = append(p.Moves, Move{s.unit(w.g, w.u), s.nodes[from].ID, s.nodes[to].ID, w.cause, s.reason(w.g, w.cause, from, to)})
		s.put(w.g, w.u, to)
	}
}

// offer is a group's best move for balance.
type offer struct {
	worth float64 // by how much it lowers the number in the package comment, at least
	g     *group
	unit  int32
	to    int32
	cause Cause
	round int // in which it was made
}

// near is how near to the best offer a move may be worth to be made before it. Without
// this margin each move onto an idle node would have thousands of offers made again.
const near = 0.9

// improve makes up to most moves of units of the given status, the most useful first.
// With a plan, the moves are added to it and a unit moves once.
func (s *state) improve(which status, most int, p *Plan) {
	if most <= 0 {
		return
	}
	s.order = s.order[:0]
	for i, node := range s.nodes {
		if !node.Draining {
			s.order = append(s.order, int32(i))
		}
	}
	slices.SortFunc(s.order, s.compare)
	offers := heap[offer]{less: func(a, b offer) bool {
		return a.worth > b.worth || a.worth == b.worth && a.g.first < b.g.first
	}}
	for round := 0; ; {
		offers.items = offers.items[:0]
		for gi := range s.groups {
			if o, ok := s.best(&s.groups[gi], which); ok {
				o.round = round
				offers.items = append(offers.items, o)
			}
		}
		offers.init()
		if len(offers.items) == 0 {
			return
		}
		// An offer that was made before the last move may be worth less by now: it is
		// made again when it comes to the top, and taken if it is still about the
		// best. It may be worth more too, which is seen when all are made anew.
		for len(offers.items) > 0 {
			o := offers.pop()
			if o.round < round {
				again, ok := s.best(o.g, which)
				if !ok {
					continue
				}
				o, o.round = again, round
				if len(offers.items) > 0 && o.worth < near*offers.items[0].worth {
					offers.push(o)
					continue
				}
			}
			from := s.place[o.unit]
			if p != nil {
				p.Moves = append(p.Moves, Move{s.unit(o.g, o.unit), s.nodes[from].ID, s.nodes[o.to].ID, o.cause, s.reason(o.g, o.cause, from, o.to)})
				s.status[o.unit] = set
			}
			s.put(o.g, o.unit, o.to)
			s.reorder(from)
			s.reorder(o.to)
			round++
			if most--; most == 0 {
				return
			}
			if again, ok := s.best(o.g, which); ok {
				again.round = round
				offers.push(again)
			}
		}
	}
}

// best returns the move of one unit of the group that lowers the number most, if any
// does. What is saved depends on where the unit is, what it costs on where it goes;
// so the two are looked for one by one.
func (s *state) best(g *group, which status) (offer, bool) {
	k := &s.classes[g.class]
	if k.n < 2 {
		return offer{}, false
	}
	s.tally(g)
	defer s.clear(g)
	step := float64(g.weight)
	if which == live {
		step = max(step, float64(s.mean))
	}
	floor := step/2/s.largest + float64(s.lambda*float64(s.evenest(g, s.largest)))
	unit, most := int32(nowhere), 0.0
	for u := g.first; u < g.first+g.n; u++ {
		i := s.place[u]
		if i == nowhere || s.status[u] != which || !k.open[i] {
			continue
		}
		if save := s.gain(g, i, s.x[i], step); unit == nowhere || save > most {
			unit, most = u, save
		}
	}
	if unit == nowhere {
		return offer{}, false
	}
	to, least := int32(nowhere), most
	for _, i := range s.order {
		if s.key[i]+floor >= least {
			break
		}
		if !k.open[i] || i == s.place[unit] || s.full(i) {
			continue
		}
		if c := s.cost(g, i, s.x[i], step); c < least {
			to, least = i, c
		}
	}
	// What rounding could feign is no gain.
	worth := most - least
	if to == nowhere || worth <= 1e-9*(1+math.Abs(most)) {
		return offer{}, false
	}
	from, cause := s.place[unit], Load
	if s.uneven(g, from, s.x[from]-1) > s.uneven(g, to, s.x[to]) {
		cause = Spread
	}
	return offer{worth: worth * float64(g.weight), g: g, unit: unit, to: to, cause: cause}, true
}

func (s *state) compare(a, b int32) int {
	return cmp.Or(cmp.Compare(s.key[a], s.key[b]), cmp.Compare(a, b))
}

// reorder puts node i in its place after its load has changed.
func (s *state) reorder(i int32) {
	at := slices.Index(s.order, i)
	if at < 0 {
		return
	}
	for at > 0 && s.compare(i, s.order[at-1]) < 0 {
		s.order[at] = s.order[at-1]
		at--
	}
	for at < len(s.order)-1 && s.compare(i, s.order[at+1]) > 0 {
		s.order[at] = s.order[at+1]
		at++
	}
	s.order[at] = i
}
