package javatext

import "strings"

// ASCIIDigits writes the digits of all scripts as those of ASCII: Java's parsers of
// numbers read all of them, Go's only these.
func ASCIIDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if d := Digit(r); d >= 0 {
			return '0' + rune(d)
		}
		return r
	}, s)
}
