package javatext

import (
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the same zones on every machine
)

// zone is a time zone that a text can name.
type zone struct {
	names   [4]string // long, short, long in summer, short in summer
	savings int64     // ms that the clock is ahead in summer, 0 where it no longer is
	loc     *time.Location
	raw     int64 // today's offset without summer time, ms
}

// lmtUntil is 1 January 1900, ms. Before that Java has no local mean times.
const lmtUntil = -2_208_988_800_000

const hour = 3_600_000

// zones reads the table, once for a program.
var zones = sync.OnceValue(func() []*zone {
	var out []*zone
	for line := range strings.Lines(zoneNames) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		minutes, err := strconv.Atoi(f[5])
		if err != nil {
			panic(err)
		}
		z := &zone{names: [4]string(f[1:5]), savings: int64(minutes) * 60_000}
		if z.loc, err = time.LoadLocation(f[0]); err != nil {
			panic(err)
		}
		for month := range 2 {
			if at := time.Date(2025, time.Month(1+6*month), 1, 0, 0, 0, 0, z.loc); month == 0 || !at.IsDST() {
				_, seconds := at.Zone()
				z.raw = int64(seconds) * 1000
			}
		}
		out = append(out, z)
	}
	return out
})

// at returns the offset at an instant in ms and how much of it is summer time.
func (z *zone) at(ms int64) (offset, summer int64) {
	if ms < lmtUntil {
		return z.raw, 0
	}
	t := time.UnixMilli(ms).In(z.loc)
	_, seconds := t.Zone()
	offset = int64(seconds) * 1000
	if t.IsDST() {
		if summer = z.savings; summer == 0 {
			summer = hour
		}
	}
	return offset, summer
}

// atWall is at for what a clock in the zone shows.
func (z *zone) atWall(wall int64) (offset, summer int64) {
	offset, _ = z.at(wall - z.raw)
	return z.at(wall - offset)
}

// zoneAt finds the zone that a text begins with. name says which of its names it is.
func zoneAt(text string) (z *zone, name int) {
	for _, z := range zones() {
		for i, name := range z.names {
			if hasPrefixFold(text, name) {
				return z, i
			}
		}
	}
	return nil, 0
}

// appendOffset appends an offset as +hhmm, or with a colon, or without minutes.
func appendOffset(b []byte, offset int64, colon, minutes bool) []byte {
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	b = appendPadded(append(b, sign), offset/hour, 2)
	if !minutes {
		return b
	}
	if colon {
		b = append(b, ':')
	}
	return appendPadded(b, offset/60_000%60, 2)
}
