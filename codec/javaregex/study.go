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

// fresh is what Java begins with, and begins anew with after alternatives.
func fresh() treeInfo { return treeInfo{valid: true, deterministic: true} }

// bounded reports whether Java takes n for a look-behind.
func (n *node) bounded() bool {
	t := fresh()
	n.study(&t, func(*treeInfo) {})
	return t.valid
}

// study adds n to t and then what follows it, as each of Java's nodes does.
func (n *node) study(t *treeInfo, rest func(*treeInfo)) {
	switch n.kind {
	case kindLiteral, kindSet:
		t.max++
	case kindBackref:
		t.valid = false
	case kindGroup:
		if !n.lineBreak {
			n.subs[0].study(t, rest)
			return
		}
		t.max += 2
	case kindCapture:
		n.subs[0].study(t, rest)
		return
	case kindAtomic:
		n.subs[0].study(t, func(*treeInfo) {})
	case kindConcat:
		studyAll(n.subs, t, rest)
		return
	case kindAlternate:
		t.alternate(n.subs, rest)
		return
	case kindRepeat:
		n.studyRepeat(t, rest)
		return
	}
	rest(t)
}

func studyAll(subs []*node, t *treeInfo, rest func(*treeInfo)) {
	if len(subs) == 0 {
		rest(t)
		return
	}
	subs[0].study(t, func(t *treeInfo) { studyAll(subs[1:], t, rest) })
}

func (t *treeInfo) alternate(subs []*node, rest func(*treeInfo)) {
	longest, valid := int32(-1), t.valid
	for _, s := range subs {
		one := fresh()
		s.study(&one, func(*treeInfo) {})
		longest = max(longest, one.max)
		valid = valid && one.valid
	}
	after := fresh()
	rest(&after)
	*t = treeInfo{max: t.max + longest + after.max, valid: valid && after.valid}
}

func (n *node) studyRepeat(t *treeInfo, rest func(*treeInfo)) {
	sub, optional := n.subs[0], n.min == 0 && n.max == 1 && !n.braces
	group := sub.kind == kindCapture || sub.kind == kindGroup && !sub.lineBreak
	single := sub.kind == kindLiteral || sub.kind == kindSet
	switch {
	case optional && group && n.mode != possessive:
		t.alternate([]*node{sub, {kind: kindEmpty}}, rest)
		return
	case optional:
		sub.study(t, func(*treeInfo) {})
		t.deterministic = false
	case single && n.mode == greedy && n.max < 0:
		t.max += math.MaxInt32
		t.deterministic = false
	default:
		one := fresh()
		sub.study(&one, func(*treeInfo) {})
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
	rest(t)
}
