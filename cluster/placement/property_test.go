package placement

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// kind says what a drawn cluster may have.
type kind struct {
	weights, capacities, rules, limits, drains bool
}

var anything = kind{true, true, true, true, true}

// draw draws a cluster in which some units run, some on nodes that are gone.
func draw(t *rapid.T, k kind) Input {
	in := Input{Current: map[Unit]string{}}
	flag := func(allowed bool, label string, oneIn int) bool {
		return allowed && rapid.IntRange(0, oneIn-1).Draw(t, label) == oneIn-1
	}
	ids := []string{"gone-1", "gone-2"}
	for i := range rapid.IntRange(0, 7).Draw(t, "nodes") {
		n := Node{ID: fmt.Sprintf("n%d", i), Labels: map[string]string{"zone": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "zone")}}
		if k.capacities {
			n.Capacity = rapid.SampledFrom([]float64{0, 1, 2, 0.3, 5}).Draw(t, "capacity")
		}
		if flag(k.limits, "limited", 3) {
			n.Limit = rapid.IntRange(1, 12).Draw(t, "limit")
		}
		n.Draining = flag(k.drains, "draining", 5)
		in.Nodes = append(in.Nodes, n)
		ids = append(ids, n.ID)
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "connectors") {
		c := Connector{Name: fmt.Sprintf("c%d", i), Tasks: rapid.IntRange(0, 9).Draw(t, "tasks"), Instance: rapid.Bool().Draw(t, "instance")}
		if k.weights {
			c.Weight = rapid.SampledFrom([]float64{0, 1, 0.5, 3, 10}).Draw(t, "weight")
		}
		if flag(k.rules, "ruled", 3) {
			zone := Label{"zone", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "ruled zone")}
			if rapid.Bool().Draw(t, "require") {
				c.Require = []Label{zone}
			} else {
				c.Avoid = []Label{zone}
			}
		}
		in.Connectors = append(in.Connectors, c)
	}
	spread := rapid.IntRange(1, len(ids)).Draw(t, "used nodes")
	for _, u := range append(wanted(in), Unit{"gone", 0}, Unit{"c0", 20}, Instance("gone")) {
		if rapid.IntRange(0, 3).Draw(t, "runs") > 0 {
			in.Current[u] = ids[rapid.IntRange(0, spread-1).Draw(t, "where")]
		}
	}
	in.MaxMoves = rapid.IntRange(0, 4).Draw(t, "max moves")
	return in
}

func wanted(in Input) (units []Unit) {
	for _, c := range in.Connectors {
		for i := range c.Tasks {
			units = append(units, Unit{c.Name, i})
		}
		if c.Instance {
			units = append(units, Instance(c.Name))
		}
	}
	return units
}

func (in Input) node(id string) *Node {
	for i := range in.Nodes {
		if in.Nodes[i].ID == id {
			return &in.Nodes[i]
		}
	}
	return nil
}

func (in Input) connector(name string) *Connector {
	for i := range in.Connectors {
		if in.Connectors[i].Name == name {
			return &in.Connectors[i]
		}
	}
	return nil
}

func (in Input) weight(u Unit) float64 {
	if u.Task < 0 {
		return InstanceWeight
	}
	if w := in.connector(u.Connector).Weight; w > 0 {
		return w
	}
	return 1
}

// mayTake tells whether a node may be given a unit, but for its limit.
func (in Input) mayTake(n *Node, u Unit) bool {
	c := in.connector(u.Connector)
	return !n.Draining && Allows(n.Labels, c.Require, c.Avoid)
}

func (in Input) counts() map[string]int {
	counts := map[string]int{}
	for _, id := range in.Current {
		counts[id]++
	}
	return counts
}

// loads returns load/capacity of every node.
func (in Input) loads() map[string]float64 {
	loads := map[string]float64{}
	for u, id := range in.Current {
		if in.connector(u.Connector) != nil {
			loads[id] += in.weight(u)
		}
	}
	for _, n := range in.Nodes {
		loads[n.ID] /= n.size()
	}
	return loads
}

func (n Node) size() float64 {
	if n.Capacity > 0 {
		return n.Capacity
	}
	return 1
}

// apply returns the input after the plan was carried out.
func (in Input) apply(p Plan) Input {
	current := map[Unit]string{}
	maps.Copy(current, in.Current)
	in.Current = current
	for _, u := range p.Drop {
		delete(in.Current, u)
	}
	for u := range p.Unplaced {
		delete(in.Current, u)
	}
	maps.Copy(in.Current, p.Assign)
	for _, m := range p.Moves {
		in.Current[m.Unit] = m.To
	}
	return in
}

// settle applies plans until one asks for nothing, and returns all moves. It fails if
// a state comes twice or the rounds don't end.
func settle(t *rapid.T, in Input) (Input, []Move, Plan) {
	var moves []Move
	var seen []map[Unit]string
	for {
		p := Place(in)
		in = in.apply(p)
		moves = append(moves, p.Moves...)
		if len(p.Moves) == 0 {
			if again := Place(in); len(again.Moves)+len(again.Assign)+len(again.Drop) > 0 {
				t.Fatalf("a plan after the last one asks for %+v", again)
			}
			return in, moves, p
		}
		for _, old := range seen {
			if maps.Equal(old, in.Current) {
				t.Fatalf("a placement comes twice, after %v", moves)
			}
		}
		seen = append(seen, in.Current)
		if len(moves) > 3*len(in.Current) {
			t.Fatalf("%d units have moved %d times", len(in.Current), len(moves))
		}
	}
}

// TestPlan: every plan obeys the hard rules.
func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, anything)
		before := in.apply(Plan{})
		p := Place(in)
		if !maps.Equal(before.Current, in.Current) {
			t.Fatal("the input was changed")
		}
		if len(p.Moves) > in.MaxMoves {
			t.Fatalf("%d moves, of at most %d", len(p.Moves), in.MaxMoves)
		}
		units := wanted(in)
		after := in.apply(p)
		was := in.apply(Plan{Drop: p.Drop}).counts()
		given := in.apply(Plan{Drop: p.Drop, Assign: p.Assign, Unplaced: p.Unplaced}).counts()
		counts := after.counts()
		for _, u := range units {
			lives := in.node(in.Current[u]) != nil
			_, assigned := p.Assign[u]
			reason, unplaced := p.Unplaced[u]
			if lives == (assigned || unplaced) || assigned && unplaced {
				t.Fatalf("%v: lives %v, assigned %v, unplaced %v", u, lives, assigned, unplaced)
			}
			if unplaced && reason == "" {
				t.Fatalf("%v is unplaced without a reason", u)
			}
			for i := range in.Nodes {
				n := &in.Nodes[i]
				if unplaced && in.mayTake(n, u) && (n.Limit == 0 || given[n.ID] < n.Limit) {
					t.Fatalf("%v is unplaced (%s), but %s could take it", u, reason, n.ID)
				}
			}
			if to, moved := after.Current[u]; moved && to != in.Current[u] && !in.mayTake(in.node(to), u) {
				t.Fatalf("%v must not go to %s", u, to)
			}
		}
		for _, n := range in.Nodes {
			if n.Limit > 0 && max(given[n.ID], counts[n.ID]) > max(n.Limit, was[n.ID]) {
				t.Fatalf("%s takes %d, its limit is %d", n.ID, counts[n.ID], n.Limit)
			}
		}
		moved := map[Unit]bool{}
		for _, m := range p.Moves {
			if moved[m.Unit] || in.Current[m.Unit] != m.From || in.node(m.From) == nil || m.From == m.To || m.Reason == "" {
				t.Fatalf("move %+v", m)
			}
			moved[m.Unit] = true
		}
		for u := range in.Current {
			if slices.Contains(p.Drop, u) == slices.Contains(units, u) {
				t.Fatalf("%v: dropped %v", u, slices.Contains(p.Drop, u))
			}
		}
		if len(p.Assign)+len(p.Unplaced) > len(units) {
			t.Fatal("something is placed that nobody wants")
		}
	})
}

// TestDeterminism: neither the order of nodes, and connectors nor that of maps
// matters.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, anything)
		in.MaxMoves = 20
		want := Place(in)
		other := in
		other.Nodes = rapid.Permutation(in.Nodes).Draw(t, "nodes in another order")
		other.Connectors = rapid.Permutation(in.Connectors).Draw(t, "connectors in another order")
		other.Current = map[Unit]string{}
		maps.Copy(other.Current, in.Current)
		if got := Place(other); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// TestConvergence: rounds end, whatever the cluster; afterwards only held units are
// where they should not be.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, anything)
		in.MaxMoves = rapid.IntRange(1, 5).Draw(t, "moves a round")
		in, _, last := settle(t, in)
		for u, id := range in.Current {
			if in.mayTake(in.node(id), u) {
				continue
			}
			if last.Held[u] == "" {
				t.Fatalf("%v is still on %s", u, id)
			}
			counts := in.counts()
			for i := range in.Nodes {
				if n := &in.Nodes[i]; in.mayTake(n, u) && (n.Limit == 0 || counts[n.ID] < n.Limit) {
					t.Fatalf("%v is held (%s), but %s could take it", u, last.Held[u], n.ID)
				}
			}
		}
	})
}

// even fails unless loads are within the heaviest unit and each connector's tasks
// within one.
func even(t *rapid.T, in Input) {
	heaviest := InstanceWeight
	tasks := map[string]map[string]int{}
	for _, c := range in.Connectors {
		tasks[c.Name] = map[string]int{}
		if c.Tasks > 0 {
			heaviest = max(heaviest, in.weight(Unit{c.Name, 0}))
		}
	}
	for u, id := range in.Current {
		if u.Task >= 0 {
			tasks[u.Connector][id]++
		}
	}
	loads := in.loads()
	for _, a := range in.Nodes {
		for _, b := range in.Nodes {
			if d := loads[a.ID] - loads[b.ID]; d > heaviest+1e-6 {
				t.Fatalf("%s carries %v more than %s, the heaviest unit weighs %v", a.ID, d, b.ID, heaviest)
			}
			for name, on := range tasks {
				if on[a.ID]-on[b.ID] > 1 {
					t.Fatalf("connector %s has %d tasks on %s, %d on %s", name, on[a.ID], a.ID, on[b.ID], b.ID)
				}
			}
		}
	}
}

// TestBalance: without labels and limits, loads differ by no more than the
// heaviest unit, and a connector's tasks by one, from whatever it started.
func TestBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, kind{weights: true})
		in.MaxMoves = rapid.IntRange(1, 5).Draw(t, "moves a round")
		in, _, _ = settle(t, in)
		even(t, in)
	})
}

// TestFromNothing: what is placed all at once needs no moves afterwards.
func TestFromNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := anything
		plain := rapid.Bool().Draw(t, "plain")
		if plain {
			k = kind{weights: true}
		}
		in := draw(t, k)
		in.Current = nil
		in = in.apply(Place(in))
		if plain {
			even(t, in)
		}
		in.MaxMoves = 10
		if p := Place(in); len(p.Moves) > 0 {
			t.Fatalf("moves after a placement from nothing: %+v", p.Moves)
		}
	})
}

// TestRules: where labels and limits stand against balance, no move is left that
// would even out loads without making a connector more uneven.
func TestRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, kind{weights: true, rules: true, limits: true, drains: true})
		in.MaxMoves = 3
		in, _, _ = settle(t, in)
		loads, counts := in.loads(), in.counts()
		mean, n := 0.0, 0
		for _, u := range wanted(in) {
			if u.Task >= 0 {
				mean, n = mean+in.weight(u), n+1
			}
		}
		mean /= float64(max(n, 1))
		tasks := map[string]int{}
		for u, id := range in.Current {
			if u.Task >= 0 {
				tasks[u.Connector+"@"+id]++
			}
		}
		for u, from := range in.Current {
			if !in.mayTake(in.node(from), u) {
				continue
			}
			for i := range in.Nodes {
				to := &in.Nodes[i]
				if !in.mayTake(to, u) || to.Limit > 0 && counts[to.ID] >= to.Limit {
					continue
				}
				fewer := u.Task < 0 || tasks[u.Connector+"@"+to.ID] < tasks[u.Connector+"@"+from]
				if d := loads[from] - loads[to.ID]; fewer && d > max(in.weight(u), mean)+1e-3 {
					t.Fatalf("%v (%v) should go from %s (%v) to %s (%v)", u, in.weight(u), from, loads[from], to.ID, loads[to.ID])
				}
			}
		}
	})
}

// TestCapacity: loads go with capacity. With connectors of one task they do to within
// what one unit makes of them; where several tasks of a connector are to spread as well,
// to within twice that.
func TestCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, kind{weights: true, capacities: true})
		slack := 2.0
		if rapid.Bool().Draw(t, "single tasks") {
			slack = 1
			for i := range in.Connectors {
				in.Connectors[i].Tasks = min(in.Connectors[i].Tasks, 1)
			}
		}
		in.MaxMoves = 3
		in, _, _ = settle(t, in)
		heaviest := 0.0
		for u := range in.Current {
			heaviest = max(heaviest, in.weight(u))
		}
		loads := in.loads()
		for _, a := range in.Nodes {
			for _, b := range in.Nodes {
				if bound := slack * heaviest / 2 * (1/a.size() + 1/b.size()); loads[a.ID]-loads[b.ID] > bound+1e-6 {
					t.Fatalf("%s: %v, %s: %v; bound %v", a.ID, loads[a.ID], b.ID, loads[b.ID], bound)
				}
			}
		}
	})
}

// TestLostNode: a lost node moves its own units and no others, and what is given away
// leaves the cluster in balance when all units weigh the same.
func TestLostNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, anything)
		in.MaxMoves = 5
		in, _, _ = settle(t, in)
		if len(in.Nodes) == 0 {
			return
		}
		lost := rapid.IntRange(0, len(in.Nodes)-1).Draw(t, "lost")
		gone := in.Nodes[lost].ID
		in.Nodes = slices.Delete(slices.Clone(in.Nodes), lost, lost+1)
		in.MaxMoves = 0
		before := Place(in)
		for u := range before.Assign {
			if id, ok := in.Current[u]; ok && id != gone {
				t.Fatalf("%v was on %s, not on the lost %s", u, id, gone)
			}
		}
		if len(before.Moves)+len(before.Drop) > 0 {
			t.Fatalf("besides: %+v", before)
		}
	})
}

// need is the least number of moves after which no two nodes differ by more than one.
func need(counts []int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	low, extra := total/len(counts), total%len(counts)
	slices.SortFunc(counts, func(a, b int) int { return b - a })
	moves := 0
	for i, n := range counts {
		share := low
		if i < extra {
			share++
		}
		moves += max(0, n-share)
	}
	return moves
}

// TestFewMoves: a node that joins a settled cluster gets what it needs: no more moves
// than loads need and connectors need, each for itself. Where connectors need none, that
// is the least there is.
func TestFewMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, kind{})
		if len(in.Nodes) == 0 {
			return
		}
		for i := range in.Connectors {
			in.Connectors[i].Instance = false
		}
		in.MaxMoves = 3
		in, _, _ = settle(t, in)
		in.Nodes = append(slices.Clone(in.Nodes), Node{ID: "new"})
		spread := 0
		for _, c := range in.Connectors {
			spread += need(perNode(in, func(u Unit) bool { return u.Connector == c.Name }))
		}
		least := need(perNode(in, func(Unit) bool { return true })) + spread
		_, moves, _ := settle(t, in)
		if len(moves) > least {
			t.Fatalf("%d moves where %d should do: %v", len(moves), least, moves)
		}
	})
}

func perNode(in Input, which func(Unit) bool) []int {
	index := map[string]int{}
	for i, n := range in.Nodes {
		index[n.ID] = i
	}
	counts := make([]int, len(in.Nodes))
	for u, id := range in.Current {
		if which(u) {
			counts[index[id]]++
		}
	}
	return counts
}

// TestOddNumbers: what makes no sense as a weight or a capacity counts as 1.
func TestOddNumbers(t *testing.T) {
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		in := Input{Nodes: []Node{{ID: "a", Capacity: v}, {ID: "b"}}, Connectors: []Connector{{Name: "x", Tasks: 4, Weight: v}, {Name: "y", Tasks: 4}}}
		got := in.apply(Place(in)).counts()
		if got["a"] != 4 || got["b"] != 4 {
			t.Errorf("%v: %v", v, got)
		}
	}
}
