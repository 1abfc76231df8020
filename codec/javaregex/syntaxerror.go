package javaregex

import (
	"strconv"
	"strings"
)

// SyntaxError says what is wrong with a pattern, and where.
type SyntaxError struct {
	Pattern string
	Desc    string
	Index   int // in characters; negative: not known
}

// Error returns the text of PatternSyntaxException.getMessage.
func (e *SyntaxError) Error() string {
	var b strings.Builder
	b.WriteString(e.Desc)
	if e.Index >= 0 {
		b.WriteString(" near index ")
		b.WriteString(strconv.Itoa(e.Index))
	}
	b.WriteByte('\n')
	b.WriteString(e.Pattern)
	if e.Index >= 0 && e.Index < len([]rune(e.Pattern)) {
		b.WriteByte('\n')
		b.WriteString(strings.Repeat(" ", e.Index))
		b.WriteByte('^')
	}
	return b.String()
}
