package javatext

const (
	msPerDay    = 86_400_000
	cutoverDay  = -141427 // 15 October 1582, days since the epoch
	cutoverYear = 1582
)

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// date is a day in Java's default calendar. The year is astronomical: 0 is 1 BC.
type date struct {
	epochDay int64
	year     int64
	month    int // from 0
	day      int
}

// dateOf finds the date of a day since the epoch.
func dateOf(epochDay int64) date {
	// Years begin in March here, so that the leap day is the last of its year.
	z := epochDay + 719468 // since 1 March 0000, Gregorian
	var year, doy int64
	if epochDay >= cutoverDay {
		era := floorDiv(z, 146097)
		doe := z - era*146097
		yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
		year, doy = yoe+era*400, doe-(365*yoe+yoe/4-yoe/100)
	} else {
		z += 2 // 1 March 0000, Julian, is two days earlier
		era := floorDiv(z, 1461)
		doe := z - era*1461
		yoe := (doe - doe/1460) / 365
		year, doy = yoe+era*4, doe-365*yoe
	}
	mp := (5*doy + 2) / 153
	d := date{epochDay: epochDay, year: year, day: int(doy-(153*mp+2)/5) + 1, month: int(mp+2) % 12}
	if d.month < 2 {
		d.year++
	}
	return d
}

// dayOf is the inverse of dateOf for the first day of a month, in the Julian or
// the Gregorian calendar.
func dayOf(year int64, month int, julian bool) int64 {
	if month < 2 {
		year--
	}
	mp := int64(month+10) % 12
	doy := (153*mp + 2) / 5
	if julian {
		return 365*year + floorDiv(year, 4) + doy - 719470
	}
	return 365*year + floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400) + doy - 719468
}

// yearOfEra counts from 1 in both eras.
func (d date) yearOfEra() int64 {
	if d.year > 0 {
		return d.year
	}
	return 1 - d.year
}

// weekday is Calendar.DAY_OF_WEEK: Sunday is 1.
func (d date) weekday() int { return int(floorMod(d.epochDay+4, 7)) + 1 }

// firstOfYear returns the first day of the date's year.
func (d date) firstOfYear() int64 { return dayOf(d.year, 0, d.year <= cutoverYear) }

// firstOfMonth returns the first day of the date's month.
func (d date) firstOfMonth() int64 { return dayOf(d.year, d.month, d.epochDay < cutoverDay+17) }

// week returns the week of the year and the year that the week belongs to. Weeks
// begin on Sundays, and the first one is that of 1 January.
func (d date) week() (week, year int64) {
	next := dayOf(d.year+1, 0, d.year+1 <= cutoverYear)
	if d.epochDay >= onOrBefore(next, 1) {
		return 1, d.year + 1
	}
	return weekIn(d.firstOfYear(), d.epochDay), d.year
}

// weekIn counts the weeks from that of the day first to that of day.
func weekIn(first, day int64) int64 { return floorDiv(day-onOrBefore(first, 1), 7) + 1 }

// onOrBefore returns the last day with the given weekday (Sunday is 1) that is
// not after day.
func onOrBefore(day int64, weekday int) int64 { return day - floorMod(day+4-int64(weekday-1), 7) }

// calField is a field of Java's Calendar that a pattern can set.
type calField int

const (
	fEra calField = iota
	fYear
	fMonth
	fWeekOfYear
	fWeekOfMonth
	fDayOfMonth
	fDayOfYear
	fDayOfWeek
	fDayOfWeekInMonth
	fAmPm
	fHour
	fHourOfDay
	fMinute
	fSecond
	fMillisecond
	fZone // offset with daylight saving, ms
	fWeekYear
	fieldCount
)

// calendar collects fields as they are parsed, and which of them came later:
// where fields contradict each other Java believes the later.
type calendar struct {
	value [fieldCount]int64
	stamp [fieldCount]int // 0: not set
	next  int

	zone   *zone // that the text names, until a number follows
	summer int64 // what of the zone's offset is summer time, ms; -1: the zone knows
}

func (c *calendar) set(f calField, v int64) {
	c.next++
	c.stamp[f], c.value[f] = c.next, v
}

// group is the stamp of two fields that only count together.
func (c *calendar) group(a, b calField) int {
	if c.stamp[a] == 0 || c.stamp[b] == 0 {
		return 0
	}
	return max(c.stamp[a], c.stamp[b])
}

// millis resolves the fields to an instant, leniently: what is out of range
// counts on into the next larger field.
func (c *calendar) millis() int64 {
	var hours int64
	switch ofDay, half := c.stamp[fHourOfDay], c.group(fHour, fAmPm); {
	case ofDay > 0 && ofDay >= half:
		hours = c.value[fHourOfDay]
	default:
		hours = c.value[fHour] + 12*c.value[fAmPm]
	}
	ms := ((hours*60+c.value[fMinute])*60+c.value[fSecond])*1000 + c.value[fMillisecond]
	wall := c.days(floorDiv(ms, msPerDay))*msPerDay + floorMod(ms, msPerDay)
	if c.zone == nil {
		return wall - c.value[fZone]
	}
	offset, summer := c.zone.atWall(wall)
	if c.summer >= 0 {
		offset += c.summer - summer
	}
	return wall - offset
}

// days returns the day, with the whole days that the time of day holds. Which of
// the two calendars counts is decided by the result.
func (c *calendar) days(more int64) int64 {
	if c.stamp[fWeekYear] > c.stamp[fYear] {
		return c.weekDate() + more
	}
	year := int64(1970)
	if c.stamp[fYear] > 0 {
		year = c.value[fYear]
	}
	if c.stamp[fEra] > 0 && c.value[fEra] == 0 {
		year = 1 - year
	}
	by := c.choose()
	switch {
	case year < cutoverYear:
		return c.resolve(by, year, true) + more
	case year == cutoverYear && (by == fDayOfYear || by == fWeekOfYear):
		return c.resolve(by, year, true) + more
	}
	if g := c.resolve(by, year, false) + more; g >= cutoverDay {
		return g
	}
	return c.resolve(by, year, true) + more
}

// choose finds which fields say the day, by the rules of the documentation of
// java.util.Calendar: the group whose latest field was set last, else a single
// one of the week fields, else the day of the month.
func (c *calendar) choose() calField {
	dom, doy := c.stamp[fDayOfMonth], c.stamp[fDayOfYear]
	wom, dowim, woy := c.group(fWeekOfMonth, fDayOfWeek), c.group(fDayOfWeekInMonth, fDayOfWeek), c.group(fWeekOfYear, fDayOfWeek)
	best := max(dom, wom, dowim, doy, woy)
	if best == 0 {
		wom, woy = c.stamp[fWeekOfMonth], c.stamp[fWeekOfYear]
		dowim = max(c.stamp[fDayOfWeekInMonth], c.stamp[fDayOfWeek])
		if best = max(wom, dowim, woy); best == 0 {
			return fDayOfMonth
		}
	}
	byMonth := best == wom && c.stamp[fWeekOfMonth] >= c.stamp[fWeekOfYear] ||
		best == dowim && c.stamp[fDayOfWeekInMonth] >= c.stamp[fWeekOfYear]
	switch {
	case best == dom:
		return fDayOfMonth
	case byMonth && wom == dowim:
		if c.stamp[fWeekOfMonth] >= c.stamp[fDayOfWeekInMonth] {
			return fWeekOfMonth
		}
		return fDayOfWeekInMonth
	case byMonth && best == wom:
		return fWeekOfMonth
	case byMonth:
		return fDayOfWeekInMonth
	case best == doy:
		return fDayOfYear
	}
	return fWeekOfYear
}

func (c *calendar) resolve(by calField, year int64, julian bool) int64 {
	if by == fDayOfYear {
		return dayOf(year, 0, julian) + c.value[fDayOfYear] - 1
	}
	weekday := 1
	if c.stamp[fDayOfWeek] > 0 {
		weekday = int(c.value[fDayOfWeek])
	}
	if by == fWeekOfYear {
		return onOrBefore(firstWeek(dayOf(year, 0, julian))+6, weekday) + 7*(c.value[fWeekOfYear]-1)
	}
	month := c.value[fMonth]
	year += floorDiv(month, 12)
	month = floorMod(month, 12)
	first := dayOf(year, int(month), julian)
	switch by {
	case fWeekOfMonth:
		return onOrBefore(firstWeek(first)+6, weekday) + 7*(c.value[fWeekOfMonth]-1)
	case fDayOfWeekInMonth:
		n := int64(1)
		if c.stamp[fDayOfWeekInMonth] > 0 {
			n = c.value[fDayOfWeekInMonth]
		}
		if n >= 0 {
			return onOrBefore(first+7*n-1, weekday)
		}
		// Counted from the end of the month.
		y, m := year, int(month)+1
		if m == 12 {
			y, m = y+1, 0
		}
		return onOrBefore(dayOf(y, m, julian)-1+7*(n+1), weekday)
	}
	if c.stamp[fDayOfMonth] > 0 {
		return first + c.value[fDayOfMonth] - 1
	}
	return first
}

// firstWeek returns the Sunday on which the week of a day begins.
func firstWeek(day int64) int64 { return onOrBefore(day, 1) }

// weekDate is for patterns with a week year (Y) and no later year.
func (c *calendar) weekDate() int64 {
	week, weekday := int64(1), int64(1)
	if c.stamp[fWeekOfYear] > 0 {
		week = c.value[fWeekOfYear]
	}
	if c.stamp[fDayOfWeek] > 0 {
		weekday = c.value[fDayOfWeek]
	}
	if weekday < 1 || weekday > 7 {
		if weekday >= 8 {
			weekday--
			week += weekday / 7
			weekday = weekday%7 + 1
		}
		for weekday <= 0 {
			weekday += 7
			week--
		}
		weekday = weekday%7 + 1 // counted from Monday so far
	}
	year := c.value[fWeekYear]
	return firstWeek(dayOf(year, 0, year <= cutoverYear)) + 7*(week-1) + weekday - 1
}
