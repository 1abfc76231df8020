package placement

import (
	"fmt"
	"maps"
	"runtime"
	"testing"
	"time"
)

// big returns 1,000 nodes and 10,000 connectors of ten tasks and an instance each.
func big() Input {
	in := Input{Current: map[Unit]string{}}
	for i := range 1000 {
		in.Nodes = append(in.Nodes, Node{ID: fmt.Sprintf("node-%04d", i), Labels: map[string]string{"zone": string(rune('a' + i%3))}})
	}
	for i := range 10000 {
		in.Connectors = append(in.Connectors, Connector{Name: fmt.Sprintf("connector-%05d", i), Tasks: 10, Instance: true})
	}
	return in
}

// vary makes the big cluster less regular: capacities, weights, rules.
func vary(in Input) Input {
	for i := range in.Nodes {
		in.Nodes[i].Capacity = float64(1 + i%4)
	}
	for i := range in.Connectors {
		c := &in.Connectors[i]
		c.Tasks = 1 + i%19
		c.Weight = []float64{1, 1, 0.5, 4}[i%4]
		if i%5 == 0 {
			c.Require = []Label{{"zone", string(rune('a' + i%3))}}
		}
	}
	return in
}

func placed(in Input) Input {
	in.Current = Place(in).Assign
	return in
}

func lose(in Input, i int) Input {
	in.Nodes = append(append([]Node(nil), in.Nodes[:i]...), in.Nodes[i+1:]...)
	return in
}

func grow(in Input) Input {
	in.Nodes = append(append([]Node(nil), in.Nodes...), Node{ID: "node-new"})
	in.MaxMoves = 10
	return in
}

var scenes = []struct {
	name  string
	input func() Input
}{
	{"nothing placed", big},
	{"nothing changed", func() Input { in := placed(big()); in.MaxMoves = 10; return in }},
	{"one node lost", func() Input { in := lose(placed(big()), 500); in.MaxMoves = 10; return in }},
	{"one node joins", func() Input { return grow(placed(big())) }},
	{"varied, nothing placed", func() Input { return vary(big()) }},
	{"varied, one node lost", func() Input { in := lose(placed(vary(big())), 500); in.MaxMoves = 10; return in }},
	{"varied, one node joins", func() Input { return grow(placed(vary(big()))) }},
}

// TestScale holds a bound on what a plan for a large cluster allocates, and prints how
// long it takes; the time is held only loosely, as machines are busy.
func TestScale(t *testing.T) {
	for _, scene := range scenes {
		t.Run(scene.name, func(t *testing.T) {
			in := scene.input()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			p := Place(in)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			bytes := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d assigned, %d moves, %d unplaced: %v, %.1f MB", len(p.Assign), len(p.Moves), len(p.Unplaced), took.Round(100*time.Microsecond), float64(bytes)/1e6)
			if bytes > 100e6 {
				t.Errorf("%d bytes were allocated, more than 100 MB", bytes)
			}
			if took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if len(p.Unplaced) > 0 {
				t.Errorf("%d units are unplaced", len(p.Unplaced))
			}
		})
	}
}

// TestScaleLostNode: a lost node moves that node's units and no other.
func TestScaleLostNode(t *testing.T) {
	for _, scene := range []struct {
		name string
		in   Input
	}{{"regular", big()}, {"varied", vary(big())}} {
		t.Run(scene.name, func(t *testing.T) {
			in := placed(scene.in)
			const lost = 321
			gone := in.Nodes[lost].ID
			in = lose(in, lost)
			p := Place(in)
			want := 0
			for u, id := range in.Current {
				if id == gone {
					want++
					if p.Assign[u] == "" {
						t.Fatalf("%v has no new node", u)
					}
				}
			}
			if len(p.Assign) != want || len(p.Moves) != 0 || len(p.Drop) != 0 {
				t.Fatalf("%d units were lost; %d are assigned, %d moved", want, len(p.Assign), len(p.Moves))
			}
			in.Current = maps.Clone(in.Current)
			maps.Copy(in.Current, p.Assign)
			in.MaxMoves = 1000
			t.Logf("%d units assigned anew, then %d moves for balance", want, len(Place(in).Moves))
		})
	}
}

func BenchmarkPlace(b *testing.B) {
	for _, scene := range scenes {
		b.Run(scene.name, func(b *testing.B) {
			in := scene.input()
			b.ReportAllocs()
			for b.Loop() {
				Place(in)
			}
		})
	}
}
