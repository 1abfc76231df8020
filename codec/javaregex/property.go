package javaregex

import (
	"strconv"
	"strings"
	"unicode"
)

func asciiRange(lo, hi rune) set { return set{{lo, hi}} }

// posix finds the POSIX classes, which are ASCII only in Java.
func posix(name string) (set, bool) {
	upper, lower, digit := asciiRange('A', 'Z'), asciiRange('a', 'z'), asciiRange('0', '9')
	switch name {
	case "Lower":
		return lower, true
	case "Upper":
		return upper, true
	case "ASCII":
		return asciiRange(0, 0x7F), true
	case "Alpha":
		return upper.union(lower), true
	case "Digit":
		return digit, true
	case "Alnum":
		return upper.union(lower).union(digit), true
	case "Punct":
		return asciiRange('!', '~').intersect(upper.union(lower).union(digit).negate()), true
	case "Graph":
		return asciiRange('!', '~'), true
	case "Print":
		return asciiRange(' ', '~'), true
	case "Blank":
		return runes(" \t"), true
	case "Cntrl":
		return setOf(span{0, 0x1F}, span{0x7F, 0x7F}), true
	case "XDigit":
		return setOf(span{'0', '9'}, span{'A', 'F'}, span{'a', 'f'}), true
	case "Space":
		return asciiRange('\t', '\r').union(runes(" ")), true
	}
	return nil, false
}

func alphabetic() set { return tables(unicode.L, unicode.Nl, unicode.Other_Alphabetic) }
func uppercase() set  { return tables(unicode.Lu, unicode.Other_Uppercase) }
func lowercase() set  { return tables(unicode.Ll, unicode.Other_Lowercase) }
func wordUnicode() set {
	return alphabetic().union(tables(unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control))
}
func unassigned() set {
	return tables(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C).negate()
}

// binary holds the properties that are written \p{Is…}, in any case.
func binary(name string) (set, bool) {
	switch strings.ToUpper(name) {
	case "ALPHABETIC":
		return alphabetic(), true
	case "LETTER":
		return tables(unicode.L), true
	case "IDEOGRAPHIC":
		return tables(unicode.Ideographic), true
	case "LOWERCASE":
		return lowercase(), true
	case "UPPERCASE":
		return uppercase(), true
	case "TITLECASE":
		return tables(unicode.Lt), true
	case "WHITE_SPACE", "WHITESPACE":
		return tables(unicode.White_Space), true
	case "CONTROL":
		return tables(unicode.Cc), true
	case "PUNCTUATION":
		return tables(unicode.P), true
	case "HEX_DIGIT", "HEXDIGIT":
		return tables(unicode.Nd, unicode.Hex_Digit), true
	case "ASSIGNED":
		return unassigned().negate(), true
	case "NONCHARACTER_CODE_POINT", "NONCHARACTERCODEPOINT":
		return tables(unicode.Noncharacter_Code_Point), true
	case "WORD":
		return wordUnicode(), true
	case "JOIN_CONTROL", "JOINCONTROL":
		return tables(unicode.Join_Control), true
	}
	return nil, false
}

func identifierStart() set { return tables(unicode.L, unicode.Nl, unicode.Sc, unicode.Pc) }
func unicodeStart() set    { return tables(unicode.L, unicode.Nl, unicode.Other_ID_Start) }
func identifierIgnorable() set {
	return tables(unicode.Cf).union(setOf(span{0, 8}, span{0xE, 0x1B}, span{0x7F, 0x9F}))
}

func javaProperty(name string) (set, bool) {
	switch name {
	case "javaLowerCase":
		return lowercase(), true
	case "javaUpperCase":
		return uppercase(), true
	case "javaTitleCase":
		return tables(unicode.Lt), true
	case "javaAlphabetic":
		return alphabetic(), true
	case "javaIdeographic":
		return tables(unicode.Ideographic), true
	case "javaDigit":
		return tables(unicode.Nd), true
	case "javaDefined":
		return unassigned().negate(), true
	case "javaLetter":
		return tables(unicode.L), true
	case "javaLetterOrDigit":
		return tables(unicode.L, unicode.Nd), true
	case "javaSpaceChar":
		return tables(unicode.Z), true
	case "javaWhitespace":
		return tables(unicode.Z).intersect(runes("\u00A0\u2007\u202F").negate()).union(setOf(span{'\t', '\r'}, span{0x1C, 0x1F})), true
	case "javaJavaIdentifierStart":
		return identifierStart(), true
	case "javaJavaIdentifierPart":
		return identifierStart().union(tables(unicode.Nd, unicode.Mn, unicode.Mc)).union(identifierIgnorable()), true
	case "javaUnicodeIdentifierStart":
		return unicodeStart(), true
	case "javaUnicodeIdentifierPart":
		return unicodeStart().union(tables(unicode.Pc, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Other_ID_Continue)).union(identifierIgnorable()), true
	case "javaIdentifierIgnorable":
		return identifierIgnorable(), true
	case "javaMirrored":
		return spans(mirrored), true
	case "javaISOControl":
		return setOf(span{0, 0x1F}, span{0x7F, 0x9F}), true
	}
	return nil, false
}

// category finds a general category ("L", "Lu", "LC", "LD", "L1").
func category(name string) (set, bool) {
	switch name {
	case "Cn":
		return unassigned(), true
	case "LC":
		return tables(unicode.Lu, unicode.Ll, unicode.Lt), true
	case "LD":
		return tables(unicode.L, unicode.Nd), true
	case "L1":
		return asciiRange(0, 0xFF), true
	case "all":
		return asciiRange(0, unicode.MaxRune), true
	case "C":
		return tables(unicode.C).union(unassigned()), true
	}
	if len(name) > 2 { // Go also knows long names here; Java does not
		return nil, false
	}
	if t, ok := unicode.Categories[name]; ok {
		return tables(t), true
	}
	return nil, false
}

// script finds a script by Java's name or by its code in ISO 15924.
func script(name string) (set, bool) {
	name = strings.ToUpper(name)
	if i := strings.Index("\n"+scriptCodes, name+":"); len(name) == 4 && i >= 0 {
		name, _, _ = strings.Cut(scriptCodes[i+4:], " ")
		name, _, _ = strings.Cut(name, "\n")
	}
	if name == "UNKNOWN" {
		var all []*unicode.RangeTable
		for _, t := range unicode.Scripts {
			all = append(all, t)
		}
		return tables(all...).negate(), true
	}
	for known, t := range unicode.Scripts {
		if strings.EqualFold(known, name) {
			return tables(t), true
		}
	}
	return nil, false
}

// block finds a Unicode block by its name, in any case.
func block(name string) (set, bool) {
	name = strings.ToUpper(name)
	for line := range strings.Lines(blocks) {
		ends, names, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		for known := range strings.SplitSeq(names, "/") {
			if name == known || name == strings.ReplaceAll(known, " ", "") || name == strings.NewReplacer(" ", "_", "-", "_").Replace(known) {
				return spans(ends), true
			}
		}
	}
	return nil, false
}

// spans reads code points and ranges of them in hexadecimal, split by white space.
func spans(text string) set {
	var out []span
	for part := range strings.FieldsSeq(text) {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		from, _ := strconv.ParseInt(lo, 16, 32)
		to, _ := strconv.ParseInt(hi, 16, 32)
		out = append(out, span{rune(from), rune(to)})
	}
	return setOf(out...)
}

// property resolves the name between the braces of \p{…}. The message of a failure
// is Java's.
func property(name string, f flags) (set, string) {
	if key, value, found := strings.Cut(name, "="); found {
		key = strings.ToLower(key)
		var s set
		ok := false
		switch key {
		case "sc", "script":
			s, ok = script(value)
		case "blk", "block":
			s, ok = block(value)
		case "gc", "general_category":
			s, ok = plainProperty(value, f)
		}
		if !ok {
			return nil, "Unknown Unicode property {name=<" + key + ">, value=<" + value + ">}"
		}
		return s, ""
	}
	var s set
	ok := false
	switch name[:min(2, len(name))] {
	case "In":
		s, ok = block(name[2:])
	case "Is":
		if s, ok = binary(name[2:]); ok {
			s = caseless(name[2:], s, f)
		} else if s, ok = unicodePosix(name[2:], f); ok {
			break
		} else if s, ok = plainProperty(name[2:], f); !ok {
			s, ok = script(name[2:])
		}
	default:
		if f.unicodeClass {
			s, ok = unicodePosix(name, f)
		}
		if !ok {
			s, ok = plainProperty(name, f)
		}
	}
	if !ok {
		return nil, "Unknown character property name {" + name + "}"
	}
	return s, ""
}

// plainProperty finds what needs no prefix: categories, POSIX classes and the
// methods of java.lang.Character.
func plainProperty(name string, f flags) (set, bool) {
	for _, find := range []func(string) (set, bool){posix, javaProperty, category} {
		if s, ok := find(name); ok {
			return caseless(name, s, f), true
		}
	}
	return nil, false
}

// unicodePosix is what a POSIX class means under (?U) and after Is, in any case.
func unicodePosix(name string, f flags) (set, bool) {
	switch strings.ToUpper(name) {
	case "LOWER":
		if f.ignoreCase {
			return cased(), true
		}
		return lowercase(), true
	case "UPPER":
		if f.ignoreCase {
			return cased(), true
		}
		return uppercase(), true
	case "ALPHA":
		return alphabetic(), true
	case "PUNCT":
		return tables(unicode.P), true
	case "CNTRL":
		return tables(unicode.Cc), true
	case "XDIGIT":
		return tables(unicode.Nd, unicode.Hex_Digit), true
	case "SPACE":
		return tables(unicode.White_Space), true
	case "DIGIT":
		return tables(unicode.Nd), true
	case "ALNUM":
		return alphabetic().union(tables(unicode.Nd)), true
	case "BLANK":
		return tables(unicode.Zs).union(runes("\t")), true
	case "GRAPH":
		return graph(), true
	case "PRINT":
		return graph().union(tables(unicode.Zs)), true
	}
	return nil, false
}

func graph() set {
	return tables(unicode.White_Space, unicode.Cc, unicode.Cs).union(unassigned()).negate()
}
func cased() set { return uppercase().union(lowercase()).union(tables(unicode.Lt)) }

// caseless widens the properties that name a case, under (?i).
func caseless(name string, s set, f flags) set {
	if !f.ignoreCase {
		return s
	}
	switch strings.ToUpper(name) {
	case "LU", "LL", "LT":
		return tables(unicode.Lu, unicode.Ll, unicode.Lt)
	case "UPPER", "LOWER":
		return s.fold(false)
	case "UPPERCASE", "LOWERCASE", "TITLECASE", "JAVALOWERCASE", "JAVAUPPERCASE", "JAVATITLECASE":
		return cased()
	}
	return s
}
