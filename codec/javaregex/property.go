package javaregex

import (
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

// binary holds the properties that are written \p{Is…}, and those of
// java.lang.Character that are written \p{java…}. Names of the former are any case.
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
		return tables(unicode.Hex_Digit), true
	case "ASSIGNED":
		return unassigned().negate(), true
	case "NONCHARACTER_CODE_POINT", "NONCHARACTERCODEPOINT":
		return tables(unicode.Noncharacter_Code_Point), true
	case "DIGIT":
		return tables(unicode.Nd), true
	case "ALNUM":
		return alphabetic().union(tables(unicode.Nd)), true
	case "BLANK":
		return tables(unicode.Zs).union(runes("\t")), true
	case "GRAPH":
		return tables(unicode.White_Space, unicode.Cc, unicode.Cs).union(unassigned()).negate(), true
	case "PRINT":
		graph, _ := binary("GRAPH")
		return graph.union(tables(unicode.Zs)), true
	case "WORD":
		return wordUnicode(), true
	case "JOIN_CONTROL", "JOINCONTROL":
		return tables(unicode.Join_Control), true
	}
	return nil, false
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

func script(name string) (set, bool) {
	for known, t := range unicode.Scripts {
		if strings.EqualFold(known, strings.ReplaceAll(name, " ", "_")) {
			return tables(t), true
		}
	}
	return nil, false
}

// block holds the Unicode blocks that texts are likely to name; Go has no table of
// them.
func block(name string) (set, bool) {
	plain := strings.ToUpper(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(name))
	known := map[string]span{
		"BASICLATIN": {0, 0x7F}, "LATIN1SUPPLEMENT": {0x80, 0xFF}, "LATINEXTENDEDA": {0x100, 0x17F},
		"LATINEXTENDEDB": {0x180, 0x24F}, "GREEK": {0x370, 0x3FF}, "GREEKANDCOPTIC": {0x370, 0x3FF},
		"CYRILLIC": {0x400, 0x4FF}, "ARMENIAN": {0x530, 0x58F}, "HEBREW": {0x590, 0x5FF},
		"ARABIC": {0x600, 0x6FF}, "DEVANAGARI": {0x900, 0x97F}, "THAI": {0xE00, 0xE7F},
		"GENERALPUNCTUATION": {0x2000, 0x206F}, "CURRENCYSYMBOLS": {0x20A0, 0x20CF},
		"HIRAGANA": {0x3040, 0x309F}, "KATAKANA": {0x30A0, 0x30FF},
		"CJKUNIFIEDIDEOGRAPHS": {0x4E00, 0x9FFF}, "HANGULSYLLABLES": {0xAC00, 0xD7AF},
	}
	s, ok := known[plain]
	return set{s}, ok
}

// property resolves the name between the braces of \p{…}. The message of a failure
// is Java's.
func property(name string, f flags) (set, string) {
	unknown := "Unknown character property name {" + name + "}"
	if key, value, found := strings.Cut(name, "="); found {
		var s set
		ok := false
		switch strings.ToLower(key) {
		case "sc", "script":
			if s, ok = script(value); !ok {
				return nil, "Unknown character script name {" + value + "}"
			}
		case "blk", "block":
			if s, ok = block(value); !ok {
				return nil, "Unknown (or here not supported) character block name {" + value + "}"
			}
		case "gc", "general_category":
			if s, ok = category(value); !ok {
				return nil, "Unknown Unicode property {name=<" + key + ">, value=<" + value + ">}"
			}
		default:
			return nil, "Unknown Unicode property {name=<" + key + ">, value=<" + value + ">}"
		}
		return caseless(value, s, f), ""
	}
	if rest, ok := strings.CutPrefix(name, "In"); ok {
		if s, ok := block(rest); ok {
			return s, ""
		}
		return nil, "Unknown (or here not supported) character block name {" + rest + "}"
	}
	if rest, ok := strings.CutPrefix(name, "Is"); ok {
		for _, find := range []func(string) (set, bool){binary, category, script} {
			if s, ok := find(rest); ok {
				return caseless(rest, s, f), ""
			}
		}
		return nil, unknown
	}
	if s, ok := posix(name); ok {
		if f.unicodeClass {
			if u, ok := unicodePosix(name); ok {
				s = u
			}
		}
		return caseless(name, s, f), ""
	}
	for _, find := range []func(string) (set, bool){javaProperty, category} {
		if s, ok := find(name); ok {
			return caseless(name, s, f), ""
		}
	}
	return nil, unknown
}

// unicodePosix is what a POSIX class means under (?U).
func unicodePosix(name string) (set, bool) {
	switch name {
	case "Lower":
		return lowercase(), true
	case "Upper":
		return uppercase(), true
	case "Alpha":
		return alphabetic(), true
	case "Punct":
		return tables(unicode.P), true
	case "Cntrl":
		return tables(unicode.Cc), true
	case "XDigit":
		return tables(unicode.Nd, unicode.Hex_Digit), true
	case "Space":
		return tables(unicode.White_Space), true
	case "ASCII":
		return nil, false
	}
	return binary(name)
}

// caseless widens the properties that name a case, under (?i).
func caseless(name string, s set, f flags) set {
	if !f.ignoreCase {
		return s
	}
	switch strings.ToUpper(name) {
	case "LU", "LL", "LT":
		return tables(unicode.Lu, unicode.Ll, unicode.Lt)
	case "UPPER", "LOWER":
		if !f.unicodeClass {
			return s.fold(false)
		}
		return uppercase().union(lowercase()).union(tables(unicode.Lt))
	case "UPPERCASE", "LOWERCASE", "TITLECASE", "JAVALOWERCASE", "JAVAUPPERCASE", "JAVATITLECASE":
		return uppercase().union(lowercase()).union(tables(unicode.Lt))
	}
	return s
}
