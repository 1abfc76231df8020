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
	for _, r := range s {
		if !unicodeCase {
			if lo, hi := max(r.lo, 'a'), min(r.hi, 'z'); lo <= hi {
				extra = append(extra, span{lo - 32, hi - 32})
			}
			if lo, hi := max(r.lo, 'A'), min(r.hi, 'Z'); lo <= hi {
				extra = append(extra, span{lo + 32, hi + 32})
			}
			continue
		}
		// Nothing above the last cased letter folds.
		for c := r.lo; c <= min(r.hi, 0x1E943); c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				extra = append(extra, span{f, f})
			}
		}
	}
	if len(extra) == 0 {
		return s
	}
	return s.union(extra)
}
