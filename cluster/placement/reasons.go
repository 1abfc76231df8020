package placement

import (
	"fmt"
	"strconv"
	"strings"
)

// why says why no node can take unit u.
func (s *state) why(g *group, u int32) string {
	if len(s.nodes) == 0 {
		return "there is no node in the cluster"
	}
	c, k := s.conns[g.conn], &s.classes[g.class]
	var unmet, avoided, draining, shut, full []string
	for i, node := range s.nodes {
		i := int32(i)
		switch {
		case i == s.place[u]: // the node that it is to leave
		case !meets(node.Labels, c.Require):
			unmet = append(unmet, node.ID)
		case !k.match[i]:
			avoided = append(avoided, node.ID)
		case node.Draining:
			draining = append(draining, node.ID)
		case s.shut[i]:
			shut = append(shut, node.ID)
		default:
			full = append(full, node.ID)
		}
	}
	var parts []string
	add := func(ids []string, text string) {
		if len(ids) > 0 {
			parts = append(parts, text+" ("+some(ids)+")")
		}
	}
	add(unmet, RequireSetting+"="+join(c.Require)+" is not met")
	add(avoided, AvoidSetting+"="+join(c.Avoid)+" forbids it")
	add(draining, "draining")
	add(shut, "not seen by gossip yet")
	add(full, "at the limit of units")
	if len(parts) == 0 {
		return "there is no other node"
	}
	return "no node can take it: " + strings.Join(parts, "; ")
}

// some names nodes, but not a thousand of them.
func some(ids []string) string {
	const most = 3
	noun := "nodes "
	if len(ids) == 1 {
		noun = "node "
	}
	if len(ids) <= most {
		return noun + strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s%s and %d more", noun, strings.Join(ids[:most], ", "), len(ids)-most)
}

// reason says why a unit of the group should go from one node to another, before it does.
func (s *state) reason(g *group, cause Cause, from, to int32) string {
	c, here := s.conns[g.conn], s.nodes[from].ID
	switch cause {
	case Drain:
		return "node " + here + " is draining"
	case Rule:
		if !meets(s.nodes[from].Labels, c.Require) {
			return "node " + here + " does not meet " + RequireSetting + "=" + join(c.Require)
		}
		return "node " + here + " has a label of " + AvoidSetting + "=" + join(c.Avoid)
	case Spread:
		s.tally(g)
		defer s.clear(g)
		return fmt.Sprintf("connector %s has %d tasks on node %s and %d on node %s", c.Name, s.x[from], here, s.x[to], s.nodes[to].ID)
	default:
		return fmt.Sprintf("node %s carries %s, node %s carries %s", here, s.carries(from), s.nodes[to].ID, s.carries(to))
	}
}

// carries says how much a node carries, beside its capacity unless that is 1.
func (s *state) carries(i int32) string {
	load := strconv.FormatFloat(float64(s.load[i])/micro, 'f', -1, 64)
	if s.capacity[i] == 1 {
		return load
	}
	return load + " at a capacity of " + strconv.FormatFloat(s.capacity[i], 'f', -1, 64)
}
