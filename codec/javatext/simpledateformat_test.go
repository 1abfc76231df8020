package javatext

import (
	"strings"
	"testing"
	"time"
)

func TestSimpleDateFormat(t *testing.T) {
	at := time.Date(2017, 1, 3, 18, 30, 1, 864e6, time.UTC).UnixMilli()
	for _, row := range []struct {
		name, pattern string
		ms            int64
		want          string
	}{
		{"iso", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", at, "2017-01-03T18:30:01.864Z"},
		{"names", "EEEE, MMMM d, yyyy G", at, "Tuesday, January 3, 2017 AD"},
		{"short names", "EEE, dd MMM yy", at, "Tue, 03 Jan 17"},
		{"hours", "H k h K a", at, "18 18 6 6 PM"},
		{"midnight", "H k h K a", 0, "0 24 12 0 AM"},
		{"millis are a number", "S|SSSSS", 5, "5|00005"},
		{"zones", "z zzzz Z X XX XXX", at, "UTC Coordinated Universal Time +0000 Z Z Z"},
		{"weeks", "YYYY w W F u D", at, "2017 1 1 1 2 3"},
		{"week of the next year", "YYYY-ww", time.Date(2018, 12, 30, 0, 0, 0, 0, time.UTC).UnixMilli(), "2019-01"},
		{"quotes", "''yyyy'''o''clock'", at, "'2017'o'clock"},
		{"before the epoch", "yyyy-MM-dd HH:mm:ss.SSS", -1, "1969-12-31 23:59:59.999"},
		{"last Julian day", "yyyy-MM-dd", -12219292800001, "1582-10-04"},
		{"first Gregorian day", "yyyy-MM-dd", -12219292800000, "1582-10-15"},
		{"before our era", "G yyyy-MM-dd", -62135769600001, "BC 0001-12-31"},
		{"empty", "", at, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := MustSimpleDateFormat(row.pattern).Format(row.ms); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestSimpleDateFormatParse(t *testing.T) {
	date := func(y int, m time.Month, d, h, min int) int64 {
		return time.Date(y, m, d, h, min, 0, 0, time.UTC).UnixMilli()
	}
	for _, row := range []struct {
		name, pattern, text string
		want                int64
		fails               bool
	}{
		{name: "no separators", pattern: "yyyyMMddHHmm", text: "201701031830", want: date(2017, 1, 3, 18, 30)},
		{name: "what follows is ignored", pattern: "yyyy-MM-dd", text: "2017-01-03T18:30", want: date(2017, 1, 3, 0, 0)},
		{name: "month 13", pattern: "yyyy-MM-dd", text: "2016-13-03", want: date(2017, 1, 3, 0, 0)},
		{name: "blanks before a number", pattern: "yyyy-MM-dd", text: "2017- 1-  3", want: date(2017, 1, 3, 0, 0)},
		{name: "blanks before a name", pattern: "dd-MMM-yyyy", text: "03- Jan-2017", fails: true},
		{name: "name in any case", pattern: "d MMM yyyy", text: "3 JANUARY 2017", want: date(2017, 1, 3, 0, 0)},
		{name: "half day", pattern: "yyyy-MM-dd hh:mm a", text: "2017-01-03 12:05 am", want: date(2017, 1, 3, 0, 5)},
		{name: "24 o'clock of k", pattern: "yyyy-MM-dd kk", text: "2017-01-03 24", want: date(2017, 1, 3, 0, 0)},
		{name: "offset", pattern: "yyyy-MM-dd HH:mm XXX", text: "2017-01-03 18:30 -01:30", want: date(2017, 1, 3, 20, 0)},
		{name: "offset without colon", pattern: "yyyy-MM-dd HH:mm XXX", text: "2017-01-03 18:30 -0130", fails: true},
		{name: "GMT with an offset", pattern: "yyyy-MM-dd HH:mm z", text: "2017-01-03 18:30 GMT+2:00", want: date(2017, 1, 3, 16, 30)},
		{name: "zone in summer", pattern: "yyyy-MM-dd HH:mm z", text: "2017-07-03 18:30 BST", want: date(2017, 7, 3, 17, 30)},
		{name: "name of summer time in winter", pattern: "yyyy-MM-dd HH:mm z", text: "2017-01-03 18:30 BST", want: date(2017, 1, 3, 17, 30)},
		{name: "the first zone of that name", pattern: "yyyy-MM-dd HH:mm z", text: "2017-01-03 18:30 IST", want: date(2017, 1, 3, 16, 30)},
		{name: "name without summer time", pattern: "yyyy-MM-dd HH:mm z", text: "2017-01-03 18:30 japan standard time", want: date(2017, 1, 3, 9, 30)},
		{name: "offset of its time", pattern: "yyyy-MM-dd HH:mm z", text: "2012-01-03 18:30 MSK", want: date(2012, 1, 3, 15, 30)},
		{name: "no mean time before 1900", pattern: "yyyy-MM-dd HH:mm z", text: "1800-01-03 18:30 EST", want: date(1800, 1, 3, 23, 30)},
		{name: "long era", pattern: "GGGG yyyy", text: "before christ 0001", want: -62167392000000},
		{name: "unknown zone", pattern: "yyyy-MM-dd HH:mm z", text: "2017-01-03 18:30 QQQ", fails: true},
		{name: "week date", pattern: "YYYY-ww-u", text: "2017-02-2", want: date(2017, 1, 10, 0, 0)},
		{name: "third Tuesday", pattern: "yyyy-MM F EEE", text: "2017-01 3 Tue", want: date(2017, 1, 17, 0, 0)},
		{name: "later of day and day of year", pattern: "yyyy-MM-dd DDD", text: "2017-01-03 045", want: date(2017, 2, 14, 0, 0)},
		{name: "digits of another script", pattern: "yyyy", text: "٢٠١٧", want: date(2017, 1, 1, 0, 0)},
		{name: "before our era", pattern: "G yyyy", text: "BC 0001", want: -62167392000000},
		{name: "too short for its width", pattern: "yyyyMMdd", text: "201", fails: true},
		{name: "nothing", pattern: "yyyy", text: "", fails: true},
		{name: "no digits", pattern: "yyyy", text: "-", fails: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := MustSimpleDateFormat(row.pattern).Parse(row.text)
			if ok == row.fails || ok && got != row.want {
				t.Errorf("got %d, %v, want %d", got, ok, row.want)
			}
		})
	}
}

// A text that names its zone comes back in it, with summer time as of its date.
func TestSimpleDateFormatReformat(t *testing.T) {
	for _, row := range []struct{ pattern, text, want string }{
		{"yyyy-MM-dd HH:mm z", "2017-01-03 18:30 PST", "2017-01-03 18:30 PST"},
		{"yyyy-MM-dd HH:mm z", "2017-07-03 18:30 PST", "2017-07-03 19:30 PDT"},
		{"zzzz HH:mm XXX", "India Standard Time 06:30 +01:00", "India Standard Time 11:00 +05:30"},
		{"yyyy zzzz XXX XX X", "2017 CET +01:00 +0100 +01", "2017 Central European Standard Time +01:00 +0100 +01"},
		{"HH:mm zzzz", "06:30 India Standard Time", "06:30 India Standard Time"},
		{"HH:mm XXX", "06:30 +01:00", "05:30 Z"},
		{"yyyy", "x", ""},
	} {
		got, ok := MustSimpleDateFormat(row.pattern).Reformat(row.text)
		if ok != (row.want != "") || got != row.want {
			t.Errorf("%s of %q: %q, %v, want %q", row.pattern, row.text, got, ok, row.want)
		}
	}
}

func TestSimpleDateFormatTwoDigitYears(t *testing.T) {
	f := MustSimpleDateFormat("yy-MM-dd")
	f.century = time.Date(1946, 11, 24, 12, 0, 0, 0, time.UTC).UnixMilli()
	for text, want := range map[string]int{"46-11-24": 2046, "46-11-25": 1946, "47-01-01": 1947, "99-01-01": 1999, "00-01-01": 2000, "45-12-31": 2045, "046-1-1": 46, "7-1-1": 7} {
		ms, ok := f.Parse(text)
		if d := dateOf(floorDiv(ms, msPerDay)); !ok || d.year != int64(want) {
			t.Errorf("%s is in %d, want %d", text, d.year, want)
		}
	}
}

func TestSimpleDateFormatPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"foo": "Illegal pattern character 'f'", "yyyy'x": "Unterminated quote", "XXXX": "invalid ISO 8601 format: length=4", "'": "Unterminated quote",
	} {
		if _, err := NewSimpleDateFormat(pattern); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %q", pattern, err, want)
		}
	}
}

// FuzzSimpleDateFormat looks for patterns and texts that break the parser, and
// for instants that do not survive a round trip through a complete pattern.
func FuzzSimpleDateFormat(f *testing.F) {
	f.Add("yyyy-MM-dd HH:mm:ss.SSS z", "2017-01-03 06:30:01.864 PST", int64(1483425001864))
	f.Add("GYwuE'at'XXX", "AD2017011Tue at+01:30", int64(-62135510400000))
	f.Add("yyMMdd", "٣٣٣", int64(-1))
	complete := MustSimpleDateFormat("G yyyy-MM-dd HH:mm:ss.SSS XXX")
	f.Fuzz(func(t *testing.T, pattern, text string, ms int64) {
		if len(pattern) > 100 {
			return
		}
		if p, err := NewSimpleDateFormat(pattern); err == nil {
			p.Parse(text)
			p.Parse(p.Format(ms))
			if strings.ContainsAny(pattern, "''") && p.String() != pattern {
				t.Error("the pattern is not kept")
			}
		}
		ms %= 8_000_000_000_000_000 // the years that have an int
		if got, ok := complete.Parse(complete.Format(ms)); !ok || got != ms {
			t.Errorf("%d became %s and then %d", ms, complete.Format(ms), got)
		}
	})
}

func BenchmarkSimpleDateFormat(b *testing.B) {
	f := MustSimpleDateFormat("yyyy-MM-dd HH:mm:ss.SSS")
	b.Run("format", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = f.Append(buf[:0], 1483425001864)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Parse("2017-01-03 06:30:01.864")
		}
	})
}
