package main

import (
	"fmt"
	"strings"
	"testing"
)

// even is a cluster of three nodes with 15 connectors of one task and 15 of three, as the
// rows of many kills have it. node says where a unit is.
func even(node func(key unitKey) int) (clusterView, map[unitKey]stay) {
	v, is := clusterView{Leader: "a"}, map[unitKey]stay{}
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		v.Nodes = append(v.Nodes, struct{ ID, State string }{id, "running"})
	}
	for i := range fullLoad.connectors() {
		tasks := 1
		if i >= fullLoad.sources {
			tasks = fullLoad.sinkTasks
		}
		for t := -1; t < tasks; t++ {
			u := viewUnit{Connector: fmt.Sprintf("c%02d", i), Task: &t, State: "assigned", Epoch: 1}
			if t < 0 {
				u.Task = nil
			}
			u.Node = ids[node(u.key())]
			v.Units = append(v.Units, u)
			is[u.key()] = stay{node: u.Node}
		}
	}
	return v, is
}

// turns gives each node 20 tasks and 10 instances.
func turns() func(unitKey) int {
	singles, instances := 0, 0
	return func(key unitKey) int {
		switch {
		case key.task < 0:
			instances++
			return instances % 3
		case key.connector >= "c15":
			return key.task
		default:
			singles++
			return singles % 3
		}
	}
}

func TestClusterProblem(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(v *clusterView, is map[unitKey]stay)
		want   string // "": whole
	}{
		{"whole", func(*clusterView, map[unitKey]stay) {}, ""},
		{"a node is silent", func(v *clusterView, _ map[unitKey]stay) { v.Nodes[1].State = "silent" }, "node b is silent"},
		{"a node is away", func(v *clusterView, _ map[unitKey]stay) { v.Nodes = v.Nodes[:2] }, "2 of 3 nodes"},
		{"nobody leads", func(v *clusterView, _ map[unitKey]stay) { v.Leader = "" }, `led by ""`},
		{"a unit has no place yet", func(v *clusterView, _ map[unitKey]stay) { v.Units = v.Units[1:] }, "89 of 90"},
		{"a task is to move", func(v *clusterView, _ map[unitKey]stay) { v.Units[1].State = "revoking" }, "task c00-0 is revoking"},
		{"a connector waits", func(v *clusterView, _ map[unitKey]stay) { v.Units[0].State = "waiting" }, "connector c00 is waiting"},
		{"a task runs elsewhere", func(_ *clusterView, is map[unitKey]stay) { is[unitKey{"c00", 0}] = stay{node: "c"} }, `task c00-0 has its place on b and runs on "c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, is := even(turns())
			tc.change(&v, is)
			if got := v.problem(is, 3); got == "" != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestShare holds that a share is one by weight: 18 tasks and all 30 instances are as much
// as 21 tasks, and what a node that has just come back has is no share.
func TestShare(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first int // tasks of one-task connectors on the first node; the others halve the rest
		want  bool
	}{
		{"18, 21 and 21 tasks, all instances on the first", 3, true},
		{"15 tasks on the first", 0, false},
		{"22 tasks on the first", 7, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			singles := 0
			v, is := even(func(key unitKey) int {
				if key.task < 0 {
					return 0
				}
				if key.connector >= "c15" {
					return key.task
				}
				if singles++; singles <= tc.first {
					return 0
				}
				return 1 + singles%2
			})
			if got := v.problem(is, 3); got == "" != tc.want {
				t.Errorf("it says %q", got)
			}
		})
	}
}
