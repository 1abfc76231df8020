package javaregex

import (
	"slices"
	"unicode"
)

// span is a range of runes, both ends included.
type span struct{ lo, hi rune }

// set is a set of runes as sorted spans that neither touch nor overlap.
type set []span

func setOf(spans ...span) set {
	s := slices.Clone(spans)
	slices.SortFunc(s, func(a, b span) int { return int(a.lo) - int(b.lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

func runes(text string) set {
	var spans []span
	for _, r := range text {
		spans = append(spans, span{r, r})
	}
	return setOf(spans...)
}

func tables(tabs ...*unicode.RangeTable) set {
	var spans []span
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			spans = append(spans, span{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			spans = append(spans, span{r, r})
		}
	}
	for _, t := range tabs {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return setOf(spans...)
}

func (s set) union(t set) set { return setOf(append(slices.Clone(s), t...)...) }

func (s set) negate() set {
	var out set
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, span{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, span{next, unicode.MaxRune})
	}
	return out
}

func (s set) intersect(t set) set { return s.negate().union(t.negate()).negate() }

// fold adds the other cases of every member: of a-z and A-Z only, unless unicodeCase.
func (s set) fold(unicodeCase bool) set {
	var extra []span
	switch {
	case unicodeCase && len(s) == 1 && s[0].lo == s[0].hi:
		return s.foldOne()
	case unicodeCase:
		eachCased(func(r, upper, lower rune) {
			if s.contains(upper) || s.contains(lower) {
				extra = append(extra, span{r, r})
			}
		})
		return s.union(extra)
	}
	for _, r := range s {
		if lo, hi := max(r.lo, 'a'), min(r.hi, 'z'); lo <= hi {
			extra = append(extra, span{lo - 32, hi - 32})
		}
		if lo, hi := max(r.lo, 'A'), min(r.hi, 'Z'); lo <= hi {
			extra = append(extra, span{lo + 32, hi + 32})
		}
	}
	if len(extra) == 0 {
		return s
	}
	return s.union(extra)
}

// foldOne is the fold of one character, for which Java has another rule than for a
// range: what has no case of its own stays alone, as ß does.
func (s set) foldOne() set {
	c := unicode.ToUpper(s[0].lo)
	to := unicode.ToLower(c)
	if c == to {
		return s
	}
	spans := []span{s[0], {to, to}}
	eachCased(func(r, _, lower rune) {
		if lower == to {
			spans = append(spans, span{r, r})
		}
	})
	return setOf(spans...)
}

// eachCased calls f with every character that has another case, its upper case and
// the lower case of that.
func eachCased(f func(r, upper, lower rune)) {
	for _, c := range unicode.CaseRanges {
		for r := rune(c.Lo); r <= rune(c.Hi); r++ {
			upper := unicode.ToUpper(r)
			f(r, upper, unicode.ToLower(upper))
		}
	}
}

func (s set) contains(r rune) bool {
	_, found := slices.BinarySearchFunc(s, r, func(p span, r rune) int {
		switch {
		case p.hi < r:
			return -1
		case p.lo > r:
			return 1
		}
		return 0
	})
	return found
}
