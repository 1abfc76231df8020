package javatext

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse reads an instant from the beginning of a text, as SimpleDateFormat.parse
// does: leniently, and without a look at what follows. It returns milliseconds
// since the epoch, or false when the text does not fit the pattern.
func (f *SimpleDateFormat) Parse(text string) (ms int64, ok bool) {
	ms, _, ok = f.parse(text)
	return ms, ok
}

// Reformat formats what it parses. A text that names its zone is formatted in that
// zone, because Java's format takes it over; false when the text does not fit.
func (f *SimpleDateFormat) Reformat(text string) (string, bool) {
	ms, z, ok := f.parse(text)
	if !ok {
		return "", false
	}
	var buf [64]byte
	return string(f.appendIn(buf[:0], ms, z)), true
}

func (f *SimpleDateFormat) parse(text string) (ms int64, named *zone, ok bool) {
	p := dateParser{text: text, century: dateOf(floorDiv(f.century, msPerDay)).year}
	for i, it := range f.items {
		if it.letter == 0 {
			if !strings.HasPrefix(text[p.pos:], it.text) {
				return 0, nil, false
			}
			p.pos += len(it.text)
			continue
		}
		width := 0
		if i+1 < len(f.items) && numeric(f.items[i+1]) {
			width = it.count // numbers that stand side by side have as many digits as letters
		}
		if !p.item(it, width) {
			return 0, nil, false
		}
	}
	ms = p.cal.millis()
	if p.ambiguous && ms < f.century {
		p.cal.value[fYear] += 100
		ms = p.cal.millis()
	}
	return ms, p.named, true
}

// numeric reports whether an item is always a number in the text.
func numeric(it dateItem) bool {
	switch it.letter {
	case 0, 'G', 'E', 'a', 'z', 'Z', 'X':
		return false
	case 'M', 'L':
		return it.count <= 2
	}
	return true
}

type dateParser struct {
	text      string
	pos       int
	cal       calendar
	century   int64 // the year in which the century of two-digit years begins
	ambiguous bool  // the year can be the first or the last of that century
	named     *zone // by the text
}

var numberFields = ['z' + 1]calField{
	'd': fDayOfMonth, 'H': fHourOfDay, 'm': fMinute, 's': fSecond, 'S': fMillisecond, 'D': fDayOfYear, 'F': fDayOfWeekInMonth,
	'w': fWeekOfYear, 'W': fWeekOfMonth, 'K': fHour, 'k': fHourOfDay, 'h': fHour,
}

// item reads what one item of the pattern stands for; width limits a number, and
// counts the blanks before it.
func (p *dateParser) item(it dateItem, width int) bool {
	start := p.pos
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
	if p.pos == len(p.text) {
		return false
	}
	switch it.letter {
	case 'G':
		return p.name(start, fEra, longEras, eras)
	case 'E':
		return p.name(start, fDayOfWeek, longDays, shortDays)
	case 'a':
		return p.name(start, fAmPm, ampm)
	case 'M', 'L':
		if it.count > 2 {
			return p.name(start, fMonth, longMonths, shortMonths)
		}
	case 'z', 'Z':
		return p.zone(start)
	case 'X':
		return p.isoZone(it.count)
	}
	from := p.pos
	n, ok := p.number(start, width)
	if !ok {
		return false
	}
	switch it.letter {
	case 'y', 'Y':
		n = p.year(n, it.count, p.text[from:p.pos])
		if it.letter == 'Y' {
			p.cal.set(fWeekYear, n)
		} else {
			p.cal.set(fYear, n)
		}
		return true
	case 'M', 'L':
		p.cal.set(fMonth, n-1)
		return true
	case 'u':
		if n >= 1 && n <= 7 {
			n = n%7 + 1
		}
		p.cal.set(fDayOfWeek, n)
		return true
	case 'k':
		if n == 24 {
			n = 0
		}
	case 'h':
		if n == 12 {
			n = 0
		}
	}
	p.cal.set(numberFields[it.letter], n)
	return true
}

// year puts a year of exactly two digits into its century.
func (p *dateParser) year(n int64, count int, digits string) int64 {
	if count > 2 || utf8.RuneCountInString(digits) != 2 || strings.ContainsFunc(digits, func(r rune) bool { return !unicode.IsDigit(r) }) {
		return n
	}
	first := p.century % 100
	p.ambiguous = n == first
	n += p.century - first
	if n < p.century {
		n += 100
	}
	return n
}

// number reads an integer, in digits of any script, whose value is cut to 32 bits
// as Java does.
func (p *dateParser) number(start, width int) (int64, bool) {
	end := len(p.text)
	if width > 0 {
		end = start
		for range width {
			if end >= len(p.text) {
				return 0, false
			}
			_, n := utf8.DecodeRuneInString(p.text[end:])
			end += n
		}
	}
	i, neg := p.pos, false
	if i < end && p.text[i] == '-' {
		neg = true
		i++
	}
	var v int64
	var f float64
	digits, large := 0, false
	for i < end {
		r, n := utf8.DecodeRuneInString(p.text[i:])
		d := Digit(r)
		if d < 0 {
			break
		}
		digits++
		large = large || v > (math.MaxInt64-9)/10
		v, f = v*10+int64(d), f*10+float64(d)
		i += n
	}
	if digits == 0 {
		return 0, false
	}
	p.pos = i
	if neg {
		v, f = -v, -f
	}
	switch {
	case !large:
		return int64(int32(v)), true
	case f > 0:
		return math.MaxInt32, true
	}
	return math.MinInt32, true
}

// Digit is Character.digit for radix 10, -1 for what is no digit.
func Digit(r rune) int {
	if r >= '0' && r <= '9' {
		return int(r - '0')
	}
	if r < utf8.RuneSelf || r > 0xffff {
		return -1
	}
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) {
			if r < rune(t.Lo) {
				return -1
			}
			return int(r-rune(t.Lo)) % 10
		}
	}
	return -1
}

// name reads the longest of the names that the text has at start, in any case.
// Blanks before a name are not skipped.
func (p *dateParser) name(start int, f calField, lists ...[]string) bool {
	best, length := -1, 0
	for _, names := range lists {
		for i, name := range names {
			if len(name) > length && hasPrefixFold(p.text[start:], name) {
				best, length = i, len(name)
			}
		}
	}
	if best < 0 {
		return false
	}
	p.cal.set(f, int64(best))
	p.pos = start + length
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// zone reads GMT, GMT+h:mm, a zone's name, or +hhmm.
func (p *dateParser) zone(start int) bool {
	switch c := p.text[p.pos]; {
	case c == '+' || c == '-':
		return p.offset(0, false)
	case hasPrefixFold(p.text[start:], "GMT") && p.pos == start:
		p.pos += 3
		if p.pos < len(p.text) && (p.text[p.pos] == '+' || p.text[p.pos] == '-') {
			return p.offset(0, true)
		}
		p.setZone(0)
		return true
	}
	z, name := zoneAt(p.text[p.pos:])
	if z == nil {
		return false
	}
	p.pos += len(z.names[name])
	p.named, p.cal.zone, p.cal.summer = z, z, 0
	// Where summer time has no name or no hour of its own, the zone decides.
	switch {
	case name >= 2 && z.savings > 0:
		p.cal.summer = z.savings
	case name >= 2 || strings.EqualFold(z.names[name], z.names[name+2]):
		p.cal.summer = -1
	}
	return true
}

// setZone sets the offset from UTC in ms.
func (p *dateParser) setZone(offset int64) {
	p.cal.zone = nil
	p.cal.set(fZone, offset)
}

// isoZone reads Z, or an offset of hours, of hours and minutes (count 2), or of
// both with a colon (count 3).
func (p *dateParser) isoZone(count int) bool {
	switch p.text[p.pos] {
	case 'Z':
		p.pos++
		p.setZone(0)
		return true
	case '+', '-':
		return p.offset(count, count == 3)
	}
	return false
}

// offset reads a sign and hh, hhmm or hh:mm. The count is that of an X pattern, 0
// for others; 1 means that there are no minutes. Only with a colon, and not for X,
// may the hour have one digit.
func (p *dateParser) offset(count int, colon bool) bool {
	sign := int64(1)
	if p.text[p.pos] == '-' {
		sign = -1
	}
	i := p.pos + 1
	at := func() int { // the digit at i, which is then behind us
		if i >= len(p.text) || p.text[i] < '0' || p.text[i] > '9' {
			return -1
		}
		i++
		return int(p.text[i-1] - '0')
	}
	hours := at()
	if hours < 0 {
		return false
	}
	if d := at(); d >= 0 {
		hours = hours*10 + d
	} else if count > 0 || !colon || i >= len(p.text) {
		return false
	}
	minutes := 0
	if count != 1 {
		if colon {
			if i >= len(p.text) || p.text[i] != ':' {
				return false
			}
			i++
		}
		tens, ones := at(), at()
		if tens < 0 || ones < 0 {
			return false
		}
		minutes = tens*10 + ones
	}
	if hours > 23 || minutes > 59 {
		return false
	}
	p.setZone(sign * int64(hours*60+minutes) * 60_000)
	p.pos = i
	return true
}
