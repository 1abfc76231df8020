package protobuf

import (
	"math/big"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupeio/troupe/codec/data"
)

const (
	millisPerDay   = 86_400_000
	nanosPerMilli  = 1_000_000
	cutover        = -141_427 // 15 October 1582, in days: the calendar of Java is Julian before
	julianToUnix   = 719_470
	secondsMinimum = -62_135_596_800 // what a google.protobuf.Timestamp may hold
	secondsMaximum = 253_402_300_799
)

// appendLogical appends the message of a logical type, without its length.
func appendLogical(dst []byte, l data.Logical, v data.Value) ([]byte, error) {
	class := v.Kind().JavaClass()
	if l == data.LogicalDecimal {
		d := v.Decimal()
		if d == nil {
			return dst, data.Errorf("Invalid type for Decimal, expected BigDecimal but was class %s", class)
		}
		var tmp [32]byte
		dst = protowire.AppendTag(dst, 1, protowire.BytesType)
		dst = protowire.AppendBytes(dst, d.AppendUnscaled(tmp[:0]))
		dst = appendNonZero(dst, 2, int64(precision(d.Unscaled)))
		return appendNonZero(dst, 3, int64(d.Scale)), nil
	}
	name := [...]string{data.LogicalDate: "Date", data.LogicalTime: "Time", data.LogicalTimestamp: "Timestamp"}[l]
	if v.Kind() != data.KindDate {
		return dst, data.Errorf("Invalid type for %s, expected Date but was class %s", name, class)
	}
	ms := v.Int()
	switch l {
	case data.LogicalDate:
		if ms%millisPerDay != 0 {
			return dst, data.Errorf("Kafka Connect Date type should not have any time fields set to non-zero values.")
		}
		y, m, d := civil(ms / millisPerDay)
		if y < 1 || y > 9_999_999 {
			return dst, data.Errorf("Date %d ms since the epoch is not in a year that google.type.Date can hold", ms)
		}
		return appendNonZero(appendNonZero(appendNonZero(dst, 1, y), 2, m), 3, d), nil
	case data.LogicalTime:
		if ms < 0 || ms > millisPerDay {
			return dst, data.Errorf("Time values must use number of millis greater than 0 and less than 86400000")
		}
		ms %= millisPerDay // as in Java, where the end of the day is its start
		dst = appendNonZero(dst, 1, ms/3_600_000)
		dst = appendNonZero(dst, 2, ms/60_000%60)
		dst = appendNonZero(dst, 3, ms/1000%60)
		return appendNonZero(dst, 4, ms%1000*nanosPerMilli), nil
	}
	sec, rest := ms/1000, ms%1000
	if rest < 0 {
		sec, rest = sec-1, rest+1000
	}
	if sec < secondsMinimum || sec > secondsMaximum {
		return dst, data.Errorf("Timestamp is not valid. Seconds (%d) must be in range [-62,135,596,800, +253,402,300,799].", sec)
	}
	return appendNonZero(appendNonZero(dst, 1, sec), 2, rest*nanosPerMilli), nil
}

func appendNonZero(dst []byte, num protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), uint64(v)) //nolint:gosec // the wire's form of a negative number
}

// precision is how many digits a number has; that of zero is 1, as in Java.
func precision(u *big.Int) int {
	if u.Sign() == 0 {
		return 1
	}
	n := len(u.Text(10))
	if u.Sign() < 0 {
		n--
	}
	return n
}

// readLogical reads the message of a logical type.
func readLogical(l data.Logical, b []byte) (data.Value, error) {
	var n [5]int64 // fields of varints by their number
	var raw []byte
	for len(b) > 0 {
		num, typ, size := consumeTag(b)
		if size < 0 {
			return data.Null, errWire
		}
		b = b[size:]
		switch {
		case typ == protowire.VarintType && num < 5:
			v, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return data.Null, errWire
			}
			n[num], b = int64(v), b[size:] //nolint:gosec // the wire's form of a negative number
			continue
		case typ == protowire.BytesType && num == 1:
			raw, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(num, typ, b)
		}
		if size < 0 {
			return data.Null, errWire
		}
		b = b[size:]
	}
	switch l {
	case data.LogicalDecimal:
		d, err := data.DecimalFromUnscaled(raw, int32(n[3])) //nolint:gosec // an int32 of the message
		if err != nil {
			return data.Null, data.Errorf("Invalid bytes for Decimal field: %v", err)
		}
		return data.OfDecimal(rounded(d, int(int32(n[2])))), nil //nolint:gosec // an int of Java
	case data.LogicalDate:
		y, m, d := int64(int32(n[1])), int64(int32(n[2])), int64(int32(n[3])) //nolint:gosec // int32s of the message
		day := dayOf(y, m, d)
		if gy, gm, gd := civil(day); y < 1 || y > 9_999_999 || gy != y || gm != m || gd != d {
			return data.Null, data.Errorf("Invalid date %d-%d-%d", y, m, d)
		}
		return data.OfDate(day * millisPerDay), nil
	case data.LogicalTime:
		h, m, s, ns := int32(n[1]), int32(n[2]), int32(n[3]), int32(n[4]) //nolint:gosec // int32s of the message
		if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 || ns < 0 || ns > 999_999_999 {
			return data.Null, data.Errorf("Invalid time of day %d:%d:%d and %d ns", h, m, s, ns)
		}
		return data.OfDate(((int64(h)*60+int64(m))*60+int64(s))*1000 + int64(ns)/nanosPerMilli), nil
	}
	sec, ns := n[1], int64(int32(n[2])) //nolint:gosec // an int32 of the message
	if sec < secondsMinimum || sec > secondsMaximum || ns < 0 || ns > 999_999_999 {
		return data.Null, data.Errorf("Timestamp is not valid: %d seconds and %d ns", sec, ns)
	}
	return data.OfDate(sec*1000 + ns/nanosPerMilli), nil
}

// rounded rounds a number to as many digits, half up; 0 is as many as it has.
func rounded(d *data.Decimal, digits int) *data.Decimal {
	drop := precision(d.Unscaled) - digits
	if digits <= 0 || drop <= 0 {
		return d
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(drop)), nil)
	half := new(big.Int).Rsh(unit, 1)
	u := new(big.Int).Abs(d.Unscaled)
	u.Quo(u.Add(u, half), unit)
	if d.Unscaled.Sign() < 0 {
		u.Neg(u)
	}
	// 9.99 has become 10.0: one digit too many, and its last is zero.
	return rounded(&data.Decimal{Unscaled: u, Scale: d.Scale - int32(drop)}, digits) //nolint:gosec // fewer than there are digits
}

// civil returns the date of a day since the epoch in Java's calendar.
func civil(day int64) (y, m, d int64) {
	if day >= cutover {
		t := time.Unix(day*86_400, 0).UTC()
		return int64(t.Year()), int64(t.Month()), int64(t.Day())
	}
	// Years begin in March, and come in fours of 1461 days.
	n := day + julianToUnix
	fours := floorDiv(n, 1461)
	n -= fours * 1461
	year := min(n/365, 3)
	n -= year * 365
	m = (5*n + 2) / 153
	d = n - (153*m+2)/5 + 1
	y = fours*4 + year
	if m += 3; m > 12 {
		m, y = m-12, y+1
	}
	return y, m, d
}

// dayOf is the inverse of civil.
func dayOf(y, m, d int64) int64 {
	if m < 1 || m > 12 || d < 1 || d > 31 {
		return 0
	}
	t := time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC)
	if day := floorDiv(t.Unix(), 86_400); day >= cutover {
		return day
	}
	if m <= 2 {
		y, m = y-1, m+12
	}
	return 365*y + floorDiv(y, 4) + (153*(m-3)+2)/5 + d - 1 - julianToUnix
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
