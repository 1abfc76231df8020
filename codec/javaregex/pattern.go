// Package javaregex gives patterns written for java.util.regex their Java meaning:
// the syntax with its error texts, matches(), find() and replaceFirst(). It imports
// the standard library and github.com/dlclark/regexp2 only.
//
// A pattern is parsed here, into a small tree; character classes become plain sets
// of runes, so unions, intersections and properties need nothing of the engine. The
// tree is then printed for Go's regexp where that engine means the same (linear
// time, no allocation of backtracking state), else for regexp2, which backtracks
// and is given a time limit. Patterns are safe for concurrent use; nothing is
// cached between patterns.
package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// matchTimeout bounds one match of a backtracking pattern. java.util.regex has no
// such bound and would hold its thread; a worker must not lose one to a pattern.
const matchTimeout = time.Second

// ErrTimeout is wrapped by the error of a match that was given up after one second.
var ErrTimeout = errors.New("matching took longer than 1 s")

// Pattern is a compiled pattern.
type Pattern struct {
	text   string
	tree   *node
	groups int // capturing groups, without group 0
	names  map[string]int

	full program // anchored at both ends

	findOnce sync.Once
	find     program
	findErr  error
}

// program is one of the two engines.
type program struct {
	std  *regexp.Regexp
	back *regexp2.Regexp
}

// Compile parses a pattern as Pattern.compile does without flags. Its error is a
// *SyntaxError, whose text is that of PatternSyntaxException, or says that a
// construct is not supported.
func Compile(pattern string) (*Pattern, error) {
	p := newParser(pattern)
	tree, err := p.parse()
	if err != nil {
		return nil, err
	}
	out := &Pattern{text: pattern, tree: tree, groups: p.groups, names: p.names}
	// What follows the last node of a whole match is the end of the text, so a
	// final $ says nothing; without it most patterns suit the linear engine.
	out.full, err = build(dropFinalDollar(tree), `\A(?:`, `)\z`)
	if err != nil {
		return nil, &SyntaxError{Pattern: pattern, Desc: "Unsupported pattern: " + err.Error(), Index: -1}
	}
	return out, nil
}

// MustCompile is Compile for patterns that are constants of the program.
func MustCompile(pattern string) *Pattern {
	p, err := Compile(pattern)
	if err != nil {
		panic(err)
	}
	return p
}

func build(tree *node, before, after string) (program, error) {
	if text, ok := printStd(tree); ok {
		if re, err := regexp.Compile(before + text + after); err == nil {
			return program{std: re}, nil
		}
		// A repetition beyond what regexp takes; the other engine has no such limit.
	}
	re, err := regexp2.Compile(before+printBack(tree)+after, regexp2.None)
	if err != nil {
		return program{}, err
	}
	re.MatchTimeout = matchTimeout
	return program{back: re}, nil
}

// String returns the pattern as it was given to Compile.
func (p *Pattern) String() string { return p.text }

// GroupCount returns the number of capturing groups, as Matcher.groupCount does.
func (p *Pattern) GroupCount() int { return p.groups }

// Match reports whether the whole text matches, as Matcher.matches does. It fails
// only with ErrTimeout.
func (p *Pattern) Match(s string) (bool, error) {
	if p.full.std != nil {
		return p.full.std.MatchString(s), nil
	}
	ok, err := p.full.back.MatchString(s)
	if err != nil {
		return false, fmt.Errorf("matching %q: %w", p.text, ErrTimeout)
	}
	return ok, nil
}

// MatchString is Match where a timeout counts as no match.
func (p *Pattern) MatchString(s string) bool {
	ok, _ := p.Match(s)
	return ok
}

// Find reports whether some part of the text matches, as Matcher.find does; a
// timeout counts as no match.
func (p *Pattern) Find(s string) bool {
	groups, err := p.findGroups(s)
	return err == nil && groups != nil
}

// findGroups returns the byte offsets of the first match and its groups, -1 for
// those that took no part, or nil.
func (p *Pattern) findGroups(s string) ([]int, error) {
	p.findOnce.Do(func() { p.find, p.findErr = build(p.tree, "", "") })
	if p.findErr != nil {
		return nil, p.findErr
	}
	if p.find.std != nil {
		return p.find.std.FindStringSubmatchIndex(s), nil
	}
	m, err := p.find.back.FindStringMatch(s)
	if err != nil {
		return nil, fmt.Errorf("matching %q: %w", p.text, ErrTimeout)
	}
	if m == nil {
		return nil, nil
	}
	// regexp2 counts runes.
	offsets := make([]int, 0, len(s)+1)
	for i := range s {
		offsets = append(offsets, i)
	}
	offsets = append(offsets, len(s))
	out := make([]int, 0, 2*(p.groups+1))
	for n := 0; n <= p.groups; n++ {
		g := m.GroupByNumber(n)
		if g == nil || len(g.Captures) == 0 {
			out = append(out, -1, -1)
			continue
		}
		out = append(out, offsets[g.Index], offsets[g.Index+g.Length])
	}
	return out, nil
}

// Linear reports whether the whole-text match runs on Go's linear-time engine.
func (p *Pattern) Linear() bool { return p.full.std != nil }
