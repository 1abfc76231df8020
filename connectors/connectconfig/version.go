package connectconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// versionRange is a list of intervals as Maven writes them: "[1,2)", "(,3]",
// "[4.1.0]", several after commas. A text without a bracket before it stands within
// a pair of them (KIP-891): "4.1.0" for itself alone. nil, of "latest", is any.
type versionRange []interval

type interval struct {
	lo, hi         *string // nil: open
	loOpen, hiOpen bool    // the bound itself is left out
}

// parseVersionRange has the rules and the texts of Maven's VersionRange.
func parseVersionRange(text string) (versionRange, error) {
	if text == "latest" {
		return nil, nil
	}
	spec := strings.TrimSpace(text)
	if !strings.HasPrefix(spec, "[") && !strings.HasPrefix(spec, "(") {
		spec = "[" + spec + "]"
	}
	out := versionRange{}
	rest := spec
	for strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "(") {
		end := strings.IndexAny(rest, "])")
		if end < 0 {
			return nil, fmt.Errorf("Unbounded range: %s", spec)
		}
		i, err := parseInterval(rest[:end+1])
		if err != nil {
			return nil, err
		}
		if n := len(out); n > 0 && out[n-1].hi != nil && (i.lo == nil || compareVersions(*i.lo, *out[n-1].hi) < 0) {
			return nil, fmt.Errorf("Ranges overlap: %s", spec)
		}
		out = append(out, i)
		rest = strings.TrimSpace(rest[end+1:])
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	}
	if rest != "" {
		return nil, fmt.Errorf("Only fully-qualified sets allowed in multiple set scenario: %s", spec)
	}
	return out, nil
}

// parseInterval reads one interval with its brackets.
func parseInterval(text string) (interval, error) {
	i := interval{loOpen: text[0] == '(', hiOpen: text[len(text)-1] == ')'}
	lo, hi, isRange := strings.Cut(strings.TrimSpace(text[1:len(text)-1]), ",")
	lo, hi = strings.TrimSpace(lo), strings.TrimSpace(hi)
	if !isRange {
		if i.loOpen || i.hiOpen {
			return i, fmt.Errorf("Single version must be surrounded by []: %s", text)
		}
		i.lo, i.hi = &lo, &lo
		return i, nil
	}
	if lo != "" {
		i.lo = &lo
	}
	if hi != "" {
		i.hi = &hi
	}
	if i.lo != nil && i.hi != nil {
		if c := compareVersions(lo, hi); c > 0 || c == 0 && (i.loOpen || i.hiOpen) {
			return i, fmt.Errorf("Range defies version ordering: %s", text)
		}
	}
	return i, nil
}

// String writes the range with its bounds in brackets.
func (r versionRange) String() string {
	parts := make([]string, len(r))
	for n, i := range r {
		open, end := "[", "]"
		if i.loOpen {
			open = "("
		}
		if i.hiOpen {
			end = ")"
		}
		if i.lo != nil {
			open += *i.lo
		}
		if i.hi != nil {
			end = *i.hi + end
		}
		parts[n] = open + "," + end
	}
	return strings.Join(parts, ",")
}

// contains reports whether a version lies in the range; nil contains all.
func (r versionRange) contains(version string) bool {
	for _, i := range r {
		above, below := i.lo == nil, i.hi == nil
		if !above {
			c := compareVersions(version, *i.lo)
			above = c > 0 || (c == 0 && !i.loOpen)
		}
		if !below {
			c := compareVersions(version, *i.hi)
			below = c < 0 || (c == 0 && !i.hiOpen)
		}
		if above && below {
			return true
		}
	}
	return r == nil
}

// compareVersions compares by numbers; a missing part counts as 0, and a text part
// (a qualifier such as "rc1") comes before the version without it.
func compareVersions(a, b string) int {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' })
	}
	x, y := split(a), split(b)
	for i := 0; i < max(len(x), len(y)); i++ {
		p, q := "0", "0"
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		m, errM := strconv.Atoi(p)
		n, errN := strconv.Atoi(q)
		switch {
		case errM == nil && errN == nil:
			if m != n {
				return m - n
			}
		case errM != nil && errN != nil:
			if c := strings.Compare(strings.ToLower(p), strings.ToLower(q)); c != 0 {
				return c
			}
		case errM != nil:
			return -1
		default:
			return 1
		}
	}
	return 0
}

func isUnreadable(version string) bool {
	_, err := parseVersionRange(version)
	return err != nil
}
