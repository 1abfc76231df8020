package javaregex

import "strings"

// ReplacementError is what Java throws for a replacement text that cannot be
// expanded; it comes up only when something matched.
type ReplacementError struct {
	Class   string // IllegalArgumentException or IndexOutOfBoundsException
	Message string
}

// Error returns the Java exception's message.
func (e *ReplacementError) Error() string { return e.Message }

// ReplaceFirst replaces the first part of s that matches, as Matcher.replaceFirst
// does: $n and ${name} stand for groups, a backslash takes the next character as
// it is. Without a match s comes back unchanged, whatever the replacement.
func (p *Pattern) ReplaceFirst(s, replacement string) (string, error) {
	groups, err := p.findGroups(s)
	if err != nil || groups == nil {
		return s, err
	}
	expanded, err := p.expand(s, groups, replacement)
	if err != nil {
		return "", err
	}
	return s[:groups[0]] + expanded + s[groups[1]:], nil
}

// Route replaces as RegexRouter does: only where the whole text matches, and then
// the first match that a fresh search finds. matched says whether it was so.
func (p *Pattern) Route(s, replacement string) (out string, matched bool, err error) {
	matched, err = p.Match(s)
	if err != nil || !matched {
		return s, false, err
	}
	out, err = p.ReplaceFirst(s, replacement)
	return out, true, err
}

func illegalArgument(message string) error {
	return &ReplacementError{Class: "IllegalArgumentException", Message: message}
}

func (p *Pattern) expand(s string, groups []int, replacement string) (string, error) {
	if !strings.ContainsAny(replacement, `\$`) {
		return replacement, nil
	}
	var b strings.Builder
	for i := 0; i < len(replacement); {
		switch c := replacement[i]; c {
		case '\\':
			i++
			if i == len(replacement) {
				return "", illegalArgument("character to be escaped is missing")
			}
			b.WriteByte(replacement[i]) // the rest of a longer character follows as it is
			i++
		case '$':
			group, next, err := p.reference(replacement, i+1)
			if err != nil {
				return "", err
			}
			if from := groups[2*group]; from >= 0 {
				b.WriteString(s[from:groups[2*group+1]])
			}
			i = next
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

// reference reads what follows a $ at i; it returns the group and the index after it.
func (p *Pattern) reference(text string, i int) (group, next int, err error) {
	if i == len(text) {
		return 0, 0, illegalArgument("Illegal group reference: group index is missing")
	}
	if text[i] == '{' {
		i++
		start := i
		for i < len(text) && isAlnum(rune(text[i])) {
			i++
		}
		name := text[start:i]
		if name == "" {
			return 0, 0, illegalArgument("named capturing group has 0 length name")
		}
		if i == len(text) || text[i] != '}' {
			return 0, 0, illegalArgument("named capturing group is missing trailing '}'")
		}
		if isDigit(rune(name[0])) {
			return 0, 0, illegalArgument("capturing group name {" + name + "} starts with digit character")
		}
		n, ok := p.names[name]
		if !ok {
			return 0, 0, illegalArgument("No group with name {" + name + "}")
		}
		return n, i + 1, nil
	}
	if !isDigit(rune(text[i])) {
		return 0, 0, illegalArgument("Illegal group reference")
	}
	n := int(text[i] - '0')
	i++
	// The longest number that still names a group.
	for i < len(text) && isDigit(rune(text[i])) {
		longer := n*10 + int(text[i]-'0')
		if longer > p.groups {
			break
		}
		n = longer
		i++
	}
	if n > p.groups {
		return 0, 0, &ReplacementError{Class: "IndexOutOfBoundsException", Message: "No group " + string(rune('0'+n))}
	}
	return n, i, nil
}
