package javatext

import (
	"strconv"
	"strings"
	"time"
)

// SimpleDateFormat formats and parses instants by a pattern of
// java.text.SimpleDateFormat, in UTC, in English, in the Gregorian calendar with
// the Julian one before 15 October 1582. It may be used by several goroutines.
type SimpleDateFormat struct {
	pattern string
	items   []dateItem
	century int64 // two-digit years are of the hundred years from here on, epoch ms
}

// dateItem is a run of one pattern letter, or literal text when letter is 0.
type dateItem struct {
	letter byte
	count  int
	text   string
}

const dateLetters = "GyMdkHmsSEDFwWahKzZYuXL"

// PatternError says what is wrong with a pattern: the message of Java's
// IllegalArgumentException.
type PatternError struct{ Msg string }

func (e *PatternError) Error() string { return e.Msg }

// NewSimpleDateFormat reads a pattern. Its error is a *[PatternError].
func NewSimpleDateFormat(pattern string) (*SimpleDateFormat, error) {
	f := &SimpleDateFormat{pattern: pattern, century: time.Now().UTC().AddDate(-80, 0, 0).UnixMilli()}
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			f.items = append(f.items, dateItem{text: text.String()})
			text.Reset()
		}
	}
	quoted := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\'' && i+1 < len(pattern) && pattern[i+1] == '\'': // a quote, in quotes or out
			text.WriteByte(c)
			i++
		case c == '\'':
			quoted = !quoted
		case quoted || (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'):
			text.WriteByte(c)
		case strings.IndexByte(dateLetters, c) < 0:
			return nil, &PatternError{"Illegal pattern character '" + string(c) + "'"}
		default:
			flush()
			n := 1
			for i+1 < len(pattern) && pattern[i+1] == c {
				i++
				n++
			}
			if c == 'X' && n > 3 {
				return nil, &PatternError{"invalid ISO 8601 format: length=" + strconv.Itoa(n)}
			}
			f.items = append(f.items, dateItem{letter: c, count: n})
		}
	}
	if quoted {
		return nil, &PatternError{"Unterminated quote"}
	}
	flush()
	return f, nil
}

// MustSimpleDateFormat is NewSimpleDateFormat for patterns that are constants of
// the program.
func MustSimpleDateFormat(pattern string) *SimpleDateFormat {
	f, err := NewSimpleDateFormat(pattern)
	if err != nil {
		panic(err)
	}
	return f
}

// String returns the pattern.
func (f *SimpleDateFormat) String() string { return f.pattern }

// Format returns an instant, in milliseconds since the epoch, as text.
func (f *SimpleDateFormat) Format(ms int64) string {
	var buf [64]byte
	return string(f.Append(buf[:0], ms))
}

// Append appends [SimpleDateFormat.Format] to b.
func (f *SimpleDateFormat) Append(b []byte, ms int64) []byte { return f.appendIn(b, ms, nil) }

// appendIn appends the instant in a zone, in UTC for nil.
func (f *SimpleDateFormat) appendIn(b []byte, ms int64, z *zone) []byte {
	var offset, summer int64
	if z != nil {
		offset, summer = z.at(ms)
		ms += offset
	}
	day := floorDiv(ms, msPerDay)
	d := dateOf(day)
	rest := int(ms - day*msPerDay)
	hour := rest / 3_600_000
	for _, it := range f.items {
		n := it.count
		switch it.letter {
		case 0:
			b = append(b, it.text...)
		case 'G':
			if d.year > 0 {
				b = append(b, eras[1]...)
			} else {
				b = append(b, eras[0]...)
			}
		case 'y', 'Y':
			year := d.yearOfEra()
			if it.letter == 'Y' {
				_, year = d.week()
			}
			if n == 2 {
				year %= 100
			}
			b = appendPadded(b, year, n)
		case 'M', 'L':
			switch {
			case n >= 4:
				b = append(b, longMonths[d.month]...)
			case n == 3:
				b = append(b, shortMonths[d.month]...)
			default:
				b = appendPadded(b, int64(d.month)+1, n)
			}
		case 'E':
			if n >= 4 {
				b = append(b, longDays[d.weekday()]...)
			} else {
				b = append(b, shortDays[d.weekday()]...)
			}
		case 'a':
			b = append(b, ampm[hour/12]...)
		case 'z':
			b = append(b, zoneName(z, n >= 4, summer > 0)...)
		case 'Z':
			b = appendOffset(b, offset, false, true)
		case 'X':
			if offset == 0 {
				b = append(b, 'Z')
			} else {
				b = appendOffset(b, offset, n == 3, n > 1)
			}
		default:
			b = appendPadded(b, d.number(it.letter, hour, rest), n)
		}
	}
	return b
}

func zoneName(z *zone, long, summer bool) string {
	i := 1
	if long {
		i = 0
	}
	if z == nil {
		return [...]string{"Coordinated Universal Time", "UTC"}[i]
	}
	if summer {
		i += 2
	}
	return z.names[i]
}

// number returns the value of a letter that stands for a plain number.
func (d date) number(letter byte, hour, rest int) int64 {
	switch letter {
	case 'd':
		return int64(d.day)
	case 'H':
		return int64(hour)
	case 'k':
		return int64((hour+23)%24 + 1)
	case 'K':
		return int64(hour % 12)
	case 'h':
		return int64((hour+11)%12 + 1)
	case 'm':
		return int64(rest / 60_000 % 60)
	case 's':
		return int64(rest / 1000 % 60)
	case 'S':
		return int64(rest % 1000)
	case 'D':
		return d.epochDay - d.firstOfYear() + 1
	case 'F':
		return (d.epochDay-d.firstOfMonth())/7 + 1
	case 'w':
		week, _ := d.week()
		return week
	case 'W':
		return weekIn(d.firstOfMonth(), d.epochDay)
	}
	return int64((d.weekday()+5)%7 + 1) // u: Monday is 1
}

func appendPadded(b []byte, v int64, width int) []byte {
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	var tmp [20]byte
	t := strconv.AppendInt(tmp[:0], v, 10)
	for i := len(t); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, t...)
}

var (
	longMonths  = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	shortMonths = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	// By Calendar.DAY_OF_WEEK, in which Sunday is 1.
	longDays  = []string{"", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	shortDays = []string{"", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
	ampm      = []string{"AM", "PM"}
	eras      = []string{"BC", "AD"}
	longEras  = []string{"Before Christ", "Anno Domini"} // only read
)
