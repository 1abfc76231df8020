package connectconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// versionRange is a list of intervals as Maven writes them: "[1,2)", "(,3]",
// "[4.1.0]", several after commas. A plain version stands for itself alone, as
// KIP-891 has it; the empty text and "latest" for any.
type versionRange []interval

type interval struct {
	lo, hi         string // "": open
	loOpen, hiOpen bool   // the bound itself is left out
}

func parseVersionRange(text string) (versionRange, error) {
	rest := strings.TrimSpace(text)
	if rest == "" || strings.EqualFold(rest, "latest") {
		return nil, nil
	}
	bad := fmt.Errorf("Invalid version specification: %s", text) // Kafka Connect's text
	if !strings.ContainsAny(rest, "[(") {
		if strings.ContainsAny(rest, "]),") {
			return nil, bad
		}
		return versionRange{{lo: rest, hi: rest}}, nil
	}
	var out versionRange
	for rest != "" {
		if rest[0] != '[' && rest[0] != '(' {
			return nil, bad
		}
		end := strings.IndexAny(rest, "])")
		if end < 0 {
			return nil, bad
		}
		i := interval{loOpen: rest[0] == '(', hiOpen: rest[end] == ')'}
		lo, hi, isRange := strings.Cut(rest[1:end], ",")
		i.lo, i.hi = strings.TrimSpace(lo), strings.TrimSpace(hi)
		if !isRange {
			if i.loOpen || i.hiOpen {
				return nil, bad
			}
			i.hi = i.lo
		}
		if i.lo != "" && i.hi != "" && compareVersions(i.lo, i.hi) > 0 {
			return nil, bad
		}
		out = append(out, i)
		rest = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest[end+1:]), ","))
	}
	return out, nil
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
		parts[n] = open + i.lo + "," + i.hi + end
	}
	return strings.Join(parts, ",")
}

// contains reports whether a version lies in the range; nil contains all.
func (r versionRange) contains(version string) bool {
	for _, i := range r {
		above := i.lo == ""
		if c := compareVersions(version, i.lo); !above {
			above = c > 0 || (c == 0 && !i.loOpen)
		}
		below := i.hi == ""
		if c := compareVersions(version, i.hi); !below {
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
