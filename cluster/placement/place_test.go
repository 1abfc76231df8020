package placement

import (
	"reflect"
	"slices"
	"testing"
)

func nodes(ids ...string) (list []Node) {
	for _, id := range ids {
		list = append(list, Node{ID: id})
	}
	return list
}

func on(id string, units ...Unit) map[Unit]string {
	m := map[Unit]string{}
	for _, u := range units {
		m[u] = id
	}
	return m
}

func TestUnplaced(t *testing.T) {
	u := Unit{"x", 0}
	full := Node{ID: "n1", Limit: 1}
	for _, c := range []struct {
		name string
		in   Input
		want string
	}{
		{"no nodes", Input{}, "there is no node in the cluster"},
		{"draining", Input{Nodes: []Node{{ID: "n1", Draining: true}}}, "no node can take it: draining (node n1)"},
		{"label missing", Input{Nodes: nodes("n1", "n2"), Connectors: []Connector{{Name: "x", Tasks: 1, Require: []Label{{"zone", "a"}}}}},
			"no node can take it: placement.require=zone=a is not met (nodes n1, n2)"},
		{"label avoided", Input{Nodes: []Node{{ID: "n1", Labels: map[string]string{"zone": "b"}}}, Connectors: []Connector{{Name: "x", Tasks: 1, Avoid: []Label{{"zone", "b"}}}}},
			"no node can take it: placement.avoid=zone=b forbids it (node n1)"},
		{"full", Input{Nodes: []Node{full}, Connectors: []Connector{{Name: "w", Tasks: 1}, {Name: "x", Tasks: 1}}, Current: on("n1", Unit{"w", 0})},
			"no node can take it: at the limit of units (node n1)"},
		{"something of each", Input{
			Nodes:      []Node{full, {ID: "n2", Draining: true}, {ID: "n4", Labels: map[string]string{"gpu": "yes"}}},
			Connectors: []Connector{{Name: "w", Tasks: 1}, {Name: "x", Tasks: 1, Avoid: []Label{{"gpu", "yes"}}}},
			Current:    on("n1", Unit{"w", 0})},
			"no node can take it: placement.avoid=gpu=yes forbids it (node n4); draining (node n2); at the limit of units (node n1)"},
		{"many nodes", Input{Nodes: nodes("a", "b", "c", "d", "e"), Connectors: []Connector{{Name: "x", Tasks: 1, Require: []Label{{"zone", "a"}, {"zone", "b"}}}}},
			"no node can take it: placement.require=zone=a,zone=b is not met (nodes a, b, c and 2 more)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.in.Connectors == nil {
				c.in.Connectors = []Connector{{Name: "x", Tasks: 1}}
			}
			p := Place(c.in)
			if want := map[Unit]string{u: c.want}; !reflect.DeepEqual(p.Unplaced, want) || len(p.Assign) > 0 {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// TestOrderOfMoves: draining comes before rules, those before balance; each move says why.
func TestOrderOfMoves(t *testing.T) {
	in := Input{
		Nodes: []Node{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d", Draining: true}},
		Connectors: []Connector{
			{Name: "heap", Tasks: 9}, {Name: "moving", Tasks: 1}, {Name: "ruled", Tasks: 1, Require: []Label{{"zone", "z"}}},
		},
		Current:  on("a", Unit{"ruled", 0}),
		MaxMoves: 4,
	}
	in.Nodes[2].Labels = map[string]string{"zone": "z"}
	in.Current[Unit{"moving", 0}] = "d"
	for i := range 9 {
		in.Current[Unit{"heap", i}] = "a"
	}
	p := Place(in)
	var got []string
	for _, m := range p.Moves {
		got = append(got, string(m.Cause)+" "+m.Unit.String()+" to "+m.To+": "+m.Reason)
	}
	want := []string{
		"drain moving-0 to b: node d is draining",
		"rule ruled-0 to c: node a does not meet placement.require=zone=z",
		"spread heap-0 to b: connector heap has 9 tasks on node a and 0 on node b",
		"spread heap-1 to c: connector heap has 8 tasks on node a and 0 on node c",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for most := range len(want) {
		in.MaxMoves = most
		if fewer := Place(in).Moves; len(fewer) != most || most > 0 && !reflect.DeepEqual(fewer, p.Moves[:most]) {
			t.Errorf("at most %d: %+v", most, fewer)
		}
	}
}

func TestHeld(t *testing.T) {
	in := Input{
		Nodes:      []Node{{ID: "a", Draining: true}},
		Connectors: []Connector{{Name: "x", Tasks: 1}},
		Current:    on("a", Unit{"x", 0}),
		MaxMoves:   1,
	}
	want := map[Unit]string{{"x", 0}: "it should leave node a (node a is draining), but there is no other node"}
	if p := Place(in); !reflect.DeepEqual(p.Held, want) || len(p.Moves)+len(p.Assign)+len(p.Unplaced) > 0 {
		t.Errorf("got %+v", p)
	}
	in.Nodes = append(in.Nodes, Node{ID: "b", Draining: true})
	want[Unit{"x", 0}] = "it should leave node a (node a is draining), but no node can take it: draining (node b)"
	if p := Place(in); !reflect.DeepEqual(p.Held, want) {
		t.Errorf("got %+v", p)
	}
}

// TestScarceNodes: connectors that may go anywhere leave the room on scarce nodes to
// those that cannot go elsewhere.
func TestScarceNodes(t *testing.T) {
	in := Input{
		Nodes:      []Node{{ID: "a", Limit: 3, Labels: map[string]string{"gpu": "yes"}}, {ID: "b"}},
		Connectors: []Connector{{Name: "any", Tasks: 10, Weight: 5}, {Name: "gpu", Tasks: 3, Require: []Label{{"gpu", "yes"}}}},
	}
	p := Place(in)
	for i := range 3 {
		if u := (Unit{"gpu", i}); p.Assign[u] != "a" {
			t.Errorf("%v: %q, %q", u, p.Assign[u], p.Unplaced[u])
		}
	}
}

// TestCompromise: nodes that carry what only they may run get less of the rest, though
// that makes a connector uneven.
func TestCompromise(t *testing.T) {
	in := Input{
		Nodes:      []Node{{ID: "a", Labels: map[string]string{"zone": "a"}}, {ID: "b"}},
		Connectors: []Connector{{Name: "any", Tasks: 20}, {Name: "zoned", Tasks: 100, Require: []Label{{"zone", "a"}}}},
	}
	in = in.apply(Place(in))
	if got := in.counts(); got["b"] < 15 {
		t.Errorf("the idle node runs %d of 20 tasks that it may run", got["b"])
	}
}

// TestUnitIsAnybodys: units convert from and to other packages' types of that shape.
func TestUnitIsAnybodys(t *testing.T) {
	type other struct {
		Connector string
		Task      int
	}
	if u := Unit(other{"x", 3}); u.String() != "x-3" || Instance("x").String() != "x" {
		t.Error(u)
	}
}

func TestDoubleNames(t *testing.T) {
	in := Input{Nodes: append(nodes("a"), Node{ID: "a", Draining: true}), Connectors: []Connector{{Name: "x", Tasks: 2}, {Name: "x", Tasks: 5}}}
	if p := Place(in); len(p.Assign) != 2 || len(p.Unplaced) != 0 {
		t.Errorf("got %+v", p)
	}
}

// TestUnseenNodes: where nobody knows yet that a node lives, no live unit moves to it,
// for whatever cause; what has no owner goes to the others while one of them can take it.
func TestUnseenNodes(t *testing.T) {
	in := Input{
		Nodes:      []Node{{ID: "a"}, {ID: "b", NoMoves: true, Last: true}, {ID: "c", Limit: 6}},
		Connectors: []Connector{{Name: "x", Tasks: 9}},
		Current:    map[Unit]string{},
		MaxMoves:   9,
	}
	for i := range 6 {
		in.Current[Unit{"x", i}] = "a"
	}
	p := Place(in)
	for u, node := range p.Assign {
		if node == "b" {
			t.Errorf("%v without need to b", u)
		}
	}
	if len(p.Assign) != 3 || len(p.Moves) == 0 {
		t.Errorf("%+v", p)
	}
	for _, m := range p.Moves {
		if m.To == "b" {
			t.Errorf("moved: %+v", m)
		}
	}
	in.Nodes[0].Draining = true
	if p = Place(in); len(p.Moves) != 3 || len(p.Held) != 3 || p.Held[p.heldOne()] != "it should leave node a (node a is draining), but no node can take it: not seen by gossip yet (node b); at the limit of units (node c)" {
		t.Errorf("draining: %+v", p)
	}
	in.Nodes[1].NoMoves, in.Nodes[1].Last = false, false
	if p = Place(in); len(p.Moves) != 6 || len(p.Held) != 0 {
		t.Errorf("seen: %+v", p)
	}
	in.Nodes = []Node{{ID: "b", NoMoves: true, Last: true}, {ID: "c", Limit: 1}}
	in.Current = nil
	if p = Place(in); len(p.Unplaced) != 0 || len(p.Assign) != 9 {
		t.Errorf("of need: %+v", p)
	}
}

func (p Plan) heldOne() Unit {
	for u := range p.Held {
		return u
	}
	return Unit{}
}
