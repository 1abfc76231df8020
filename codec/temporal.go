package codec

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/troupeio/troupe/codec/data"
)

const millisPerDay = 86_400_000

// appendDate writes a java.util.Date as Values does: its value alone decides
// whether it is a time, a date or a timestamp. Times are in UTC.
func appendDate(b []byte, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	const clock = "15:04:05.000Z"
	if ms < millisPerDay {
		return t.AppendFormat(b, clock)
	}
	b = t.AppendFormat(strconv.AppendInt(b, int64(t.Year()), 10), "-01-02")
	if ms%millisPerDay == 0 {
		return b
	}
	return t.AppendFormat(append(b, 'T'), clock)
}

// parseTemporal reads a date, a time or a timestamp by its length, as leniently
// as SimpleDateFormat.
func parseTemporal(token string) (*data.Schema, data.Value, bool) {
	if len(token) < 10 || len(token) > 100 { // 24 characters and their escapes at most
		return nil, data.Null, false
	}
	token = strings.ReplaceAll(token, `\:`, ":")
	var schema *data.Schema
	var pattern string
	switch units(token) {
	case 10:
		schema, pattern = data.DateSchema, "y-M-d"
	case 13:
		schema, pattern = data.TimeSchema, "H:m:s.SZ"
	case 24:
		schema, pattern = data.TimestampSchema, "y-M-dTH:m:s.SZ"
	default:
		return nil, data.Null, false
	}
	const names = "yMdHmsS"
	f := [len(names)]int64{1970, 1, 1}
	rest := token
	for i := range len(pattern) {
		at := strings.IndexByte(names, pattern[i])
		if at < 0 {
			if rest == "" || rest[0] != pattern[i] {
				return nil, data.Null, false
			}
			rest = rest[1:]
			continue
		}
		var ok bool
		if f[at], rest, ok = leadingNumber(rest); !ok {
			return nil, data.Null, false
		}
	}
	clock := f[3]*3_600_000 + f[4]*60_000 + f[5]*1000 + f[6]
	more := floorDiv(clock, millisPerDay) // days
	ms := javaDay(f[0], f[1], f[2], more)*millisPerDay + clock - more*millisPerDay
	return schema, data.OfDate(ms), true
}

// units counts the UTF-16 code units of s.
func units(s string) (n int) {
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// leadingNumber reads a number as DecimalFormat does for SimpleDateFormat: after
// blanks, with a minus sign or without. It wraps as an int.
func leadingNumber(s string) (n int64, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	s, neg := strings.CutPrefix(s, "-")
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		d := digitOf(r)
		if d < 0 {
			break
		}
		n, ok, s = n*10+int64(d), true, s[size:]
	}
	if neg {
		n = -n
	}
	return int64(int32(n)), s, ok
}

// javaDay returns the days since the epoch of a date in Java's calendar, which is
// Julian before 15 October 1582, and of more days after it. Months and days out of
// range are carried over, in the calendar of the year that was given.
func javaDay(y, m, d, more int64) int64 {
	given := y
	m--
	y += floorDiv(m, 12)
	m = m - floorDiv(m, 12)*12 + 1
	// Years begin in March, so that the leap day is the last.
	if m <= 2 {
		y--
		m += 12
	}
	days := 365*y + floorDiv(y, 4) + (153*(m-3)+2)/5 + d - 1 + more
	julian := days - 719_470
	gregorian := days - floorDiv(y, 100) + floorDiv(y, 400) - 719_468
	const cutover = -141_427 // 15 October 1582
	if given >= 1582 && gregorian >= cutover {
		return gregorian
	}
	return julian
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
