package javaregex

import "math"

// treeInfo is what java.util.regex works out about a part of a pattern before it
// decides whether a look-behind has "an obvious maximum length". That is less a
// property of the pattern than of how Java 17 builds it: a* has one and a*? after a
// letter has none, (a)* has one and (ab)* has none, as lengths overflow an int.
type treeInfo struct {
	max           int32
	valid         bool // max holds
	deterministic bool // a repeated group without alternatives is built in another way
}

// bounded reports whether Java takes n for a look-behind.
func (n *node) bounded() bool {
	t := treeInfo{valid: true, deterministic: true}
	n.study(&t)
	return t.valid
}

func (n *node) study(t *treeInfo) {
	switch n.kind {
	case kindLiteral, kindSet:
		t.max++
	case kindBackref:
		t.valid = false
	case kindGroup:
		if n.lineBreak {
			t.max += 2
			return
		}
		n.subs[0].study(t)
	case kindConcat, kindCapture, kindAtomic:
		for _, s := range n.subs {
			s.study(t)
		}
	case kindAlternate:
		t.alternate(n.subs)
	case kindRepeat:
		n.studyRepeat(t)
	}
}

func (t *treeInfo) alternate(subs []*node) {
	longest := int32(-1)
	for _, s := range subs {
		one := treeInfo{valid: true, deterministic: true}
		s.study(&one)
		longest = max(longest, one.max)
		t.valid = t.valid && one.valid
	}
	t.max += longest
	t.deterministic = false
}

func (n *node) studyRepeat(t *treeInfo) {
	sub, optional := n.subs[0], n.min == 0 && n.max == 1 && !n.braces
	group := sub.kind == kindCapture || sub.kind == kindGroup && !sub.lineBreak
	single := sub.kind == kindLiteral || sub.kind == kindSet
	switch {
	case optional && group && n.mode != possessive:
		t.alternate([]*node{sub, {kind: kindEmpty}})
		return
	case optional:
		sub.study(t)
		t.deterministic = false
		return
	case single && n.mode == greedy && n.max < 0:
		t.max += math.MaxInt32
		return
	}
	one := treeInfo{valid: true, deterministic: true}
	sub.study(&one)
	if group && n.mode != possessive && !one.deterministic {
		t.valid, t.deterministic = false, false
		return
	}
	times := int32(math.MaxInt32)
	if n.max >= 0 {
		times = int32(n.max)
	}
	before := t.max
	t.max = one.max*times + before
	t.valid = t.valid && one.valid && t.max >= before
	t.deterministic = t.deterministic && one.deterministic && n.min == n.max
}
