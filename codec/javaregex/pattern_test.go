package javaregex

import (
	"errors"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name, pattern, text string
		want                bool
	}{
		{"plain", "abc", "abc", true},
		{"whole text only", "foo", "foobar", false},
		{"alternation is anchored as a whole", "a|b", "bc", false},
		{"anchors say nothing more", "^abc$", "abc", true},
		{"dollar in an alternative", "(?:a$|b)c?", "a", true},
		{"no line end before the end in matches", "abc$", "abc\n", false},
		{"dot is not a line end", "a.b", "a\u2028b", false},
		{"dotall", "(?s)a.b", "a\nb", true},
		{"unix lines", "(?d)a.b", "a\rb", true},
		{"digits are ASCII", `\d`, "٣", false},
		{"digits under U", `(?U)\d`, "٣", true},
		{"case fold is ASCII", "(?i)é", "É", false},
		{"case fold with u", "(?iu)é", "É", true},
		{"flag group", "(?i:a)b", "AB", false},
		{"flag ends with its group", "((?i)a)b", "AB", false},
		{"flag off", "(?i)a(?-i)b", "Ab", true},
		{"possessive", "a*+a", "aaa", false},
		{"atomic", "(?>a|ab)c", "abc", false},
		{"lookbehind", "ab(?<=b)c", "abc", true},
		{"negative lookbehind", "ab(?<!b)c", "abc", false},
		{"back reference", `(a|b)\1`, "bb", true},
		{"named back reference", `(?<x>a|b)-\k<x>`, "a-b", false},
		{"reference to no group", `a\2`, "a", false},
		{"ten groups", `(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10`, "abcdefghijj", true},
		{"one group and a digit", `(a)\10`, "aa0", true},
		{"intersection", "[a-z&&[^aeiou]]+", "bcd", true},
		{"intersection excludes", "[a-z&&[^aeiou]]+", "bad", false},
		{"intersection with range", "[a-z&&m-z]", "c", false},
		{"union", "[a-c[x-z]]+", "axz", true},
		{"negated union", "[^a[b]]", "b", false},
		{"first bracket is literal", "[]a]", "]", true},
		{"caret not first", "[a^]", "^", true},
		{"minus last", "[a-]", "-", true},
		{"class escapes in classes", `[\d\s]+`, "1 2", true},
		{"quoted", `\Qa.b*\E+`, "a.b**", true},
		{"quoted to the end", `\Qa.b`, "a.b", true},
		{"horizontal space", `\h`, "\u00a0", true},
		{"line break", `a\Rb`, "a\r\nb", true},
		{"counted line breaks take CR LF as one", `a\R{2}b`, "a\r\nb", false},
		{"what has no case of its own", "(?iu)ß", "ẞ", false},
		{"and the other way round", "(?iu)ẞ", "ß", true},
		{"dotted capital i", "(?iu)i", "İ", true},
		{"ranges fold by the text's character", "(?iu)[ª-º]", "Μ", false},
		{"alternatives let Java begin to count anew", "abcc(?<=(ab|b)c*?)d", "abccd", true},
		{"look-behind over a loop", "aab(?<=a+b)c", "aabc", true},
		{"script by its code", `\p{sc=Grek}`, "λ", true},
		{"no script", `\p{IsUnknown}`, "\U000e0fff", true},
		{"block with blanks", `\p{InMathematical Operators}`, "∑", true},
		{"block without", `\p{InLatin-1Supplement}`, "é", true},
		{"block with underscores", `\p{blk=latin_1_supplement}`, "é", true},
		{"hex digits of all scripts", `\p{IsHexDigit}`, "٣", true},
		{"posix class in any case", `\p{Isalpha}`, "é", true},
		{"upper case without case", `(?i)\p{IsUpper}`, "é", true},
		{"mirrored", `\p{javaMirrored}`, "(", true},
		{"identifier start", `\p{javaJavaIdentifierStart}`, "€", true},
		{"identifier part", `\p{javaUnicodeIdentifierPart}`, "·", true},
		{"posix", `\p{Alpha}\p{Punct}`, "a!", true},
		{"not posix", `\P{Alpha}`, "a", false},
		{"java class", `\p{javaLowerCase}`, "ß", true},
		{"alphabetic", `\p{IsAlphabetic}+`, "éa", true},
		{"script", `\p{IsCyrillic}`, "ж", true},
		{"script by key", `\p{script=Greek}`, "λ", true},
		{"block", `\p{InGreek}`, "λ", true},
		{"category", `\p{Lu}\pL`, "Éa", true},
		{"hex", `\x41\x{1F600}\u0042`, "A😀B", true},
		{"surrogate pair", `\uD83D\uDE00`, "😀", true},
		{"octal", `\0101`, "A", true},
		{"control", `\cA`, "\x01", true},
		{"comments", "(?x) a b # c\n c", "abc", true},
		{"counted", "a{2,3}", "aaaa", false},
		{"counted far", "a{1500}", strings.Repeat("a", 1500), true},
		{"double quantifier counts nothing", "a{2}{3}", "aa", true},
		{"literal braces", "a}", "a}", true},
		{"empty", "", "", true},
		{"word boundary", `a\b-\bb`, "a-b", true},
		{"end of input", `a\z`, "a", true},
		{"multi-line", "(?m)^a$\n^b$", "a\nb", true},
		{"nested empty loop", "(a*)*b", "aab", true},
		{"negated supplementary", "[^a]", "😀", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Compile(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Match(c.text); got != c.want || err != nil {
				t.Errorf("%q on %q: %v, %v", c.pattern, c.text, got, err)
			}
		})
	}
}

func TestCommonPatternsAreLinear(t *testing.T) {
	for _, pattern := range []string{"(.*)", "^abc$", `(\w+)-(?<x>\d{4}).*`, "a|b", `[a-z&&[^x]]+`, `\p{L}+`, "(?i)topic.*?x"} {
		if !MustCompile(pattern).Linear() {
			t.Errorf("%s does not run on the linear engine", pattern)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"(", "Unclosed group near index 1\n("},
		{"[", "Unclosed character class near index 0\n[\n^"},
		{"[a-", "Illegal character range near index 3\n[a-"},
		{"*", "Dangling meta character '*' near index 0\n*\n^"},
		{"a**", "Dangling meta character '*' near index 2\na**\n  ^"},
		{"a{2,1}", "Illegal repetition range near index 5\na{2,1}\n     ^"},
		{"{", "Illegal repetition near index 1\n{"},
		{"a{,2}", "Illegal repetition near index 2\na{,2}\n  ^"},
		{`\p{L`, "Unclosed character family near index 4\n\\p{L"},
		{"a{1", "Unclosed counted closure near index 3\na{1"},
		{")", "Unmatched closing ')'\n)"},
		{"a)", "Unmatched closing ')' near index 0\na)\n^"},
		{`\`, "Unexpected internal error near index 1\n\\"},
		{`\y`, "Illegal/unsupported escape sequence near index 1\n\\y\n ^"},
		{"[z-a]", "Illegal character range near index 3\n[z-a]\n   ^"},
		{"(?z)", "Unknown inline modifier near index 2\n(?z)\n  ^"},
		{`\p{Nope}`, "Unknown character property name {Nope} near index 7\n\\p{Nope}\n       ^"},
		{"(?<=(ab)*)b", "Look-behind group does not have an obvious maximum length near index 8\n(?<=(ab)*)b\n        ^"},
		{"(?<=(a|b){2})c", "Look-behind group does not have an obvious maximum length near index 11\n(?<=(a|b){2})c\n           ^"},
		{"(?<=xa*?)b", "Look-behind group does not have an obvious maximum length near index 7\n(?<=xa*?)b\n       ^"},
		{"(?<=(c+){1})c", "Look-behind group does not have an obvious maximum length near index 10\n(?<=(c+){1})c\n          ^"},
		{"(?<=(?>ab|b)c*?)c", "Look-behind group does not have an obvious maximum length near index 14\n(?<=(?>ab|b)c*?)c\n              ^"},
		{"\\p{InFoo}", "Unknown character property name {InFoo} near index 8\n\\p{InFoo}\n        ^"},
		{"\\p{Sc=Foo}", "Unknown Unicode property {name=<sc>, value=<Foo>} near index 9\n\\p{Sc=Foo}\n         ^"},
	} {
		_, err := Compile(c.pattern)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %q, want %q", c.pattern, err, c.want)
		}
	}
}

func TestReplaceFirst(t *testing.T) {
	for _, c := range []struct {
		name, pattern, text, replacement, want, fails string
	}{
		{"part", "b", "abab", "x", "axab", ""},
		{"groups", `(?<x>\w+)-(?<y>\w+)`, "ab-cd", "${y}.${x}$0", "cd.abab-cd", ""},
		{"mixed named and plain groups", `(?<x>a)(b)`, "ab", "$2$1", "ba", ""},
		{"mixed, backtracking engine", `(?<x>a)(b)(?=c)`, "ébabc", "$2$1", "ébbac", ""},
		{"escape", "(.*)", "abc", `\$1-$1\\`, `$1-abc\`, ""},
		{"long number", "(.*)", "abc", "$10", "abc0", ""},
		{"absent group", "(a)(b)?", "a", "$1$2", "a", ""},
		{"no match: replacement unread", "x", "a", "$9", "a", ""},
		{"no group", "(.*)", "a", "$3", "", "No group 3"},
		{"no name", "(.*)", "a", "${nope}", "", "No group with name {nope}"},
		{"letter", "(.*)", "a", "$x", "", "Illegal group reference"},
		{"dollar last", "(.*)", "a", "x$", "", "Illegal group reference: group index is missing"},
		{"backslash last", "(.*)", "a", `x\`, "", "character to be escaped is missing"},
		{"empty name", "(.*)", "a", "${}", "", "named capturing group has 0 length name"},
		{"unclosed name", "(.*)", "a", "${x", "", "named capturing group is missing trailing '}'"},
		{"non-ASCII escaped", "a", "a", `\é`, "é", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := MustCompile(c.pattern).ReplaceFirst(c.text, c.replacement)
			if c.fails != "" {
				var bad *ReplacementError
				if !errors.As(err, &bad) || bad.Message != c.fails {
					t.Fatalf("got %q, %v", got, err)
				}
				return
			}
			if got != c.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	p := MustCompile(`(?=a)(a|aa|a?)+\1b`)
	_, err := p.Match(strings.Repeat("a", 60))
	if !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"(a*)*b", "[a-z&&[^aeiou]]", `\Q.\E\x{41}\p{L}`, "(?<x>a)\\k<x>(?i)b", "(?<=a{1,3})[^]-]", "(?x) [ a#\n]", `\0377\cA[\d-z]`} {
		f.Add(s, "aab")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := Compile(pattern)
		if err != nil || len(pattern) > 100 || len(text) > 50 {
			return
		}
		if strings.Contains(pattern, "{") { // counted loops can multiply; not what is looked for here
			return
		}
		_, _ = p.Match(text)
		p.Find(text)
	})
}
