// Package javatext writes and reads numbers and dates in the text forms of
// Java's standard library, because users see those forms: in files written by
// a sink, in keys made by a transform, in error messages.
//
// It imports the standard library only.
package javatext

import (
	"math"
	"strconv"
)

// AppendFloat64 appends v as Java's Double.toString writes it (from JDK 19 on:
// the shortest digits that read back as v): plain between 1e-3 and 1e7, with at
// least one fraction digit, else d.dddE[-]n.
func AppendFloat64(b []byte, v float64) []byte { return appendFloat(b, v, 64) }

// AppendFloat32 appends v as Java's Float.toString writes it.
func AppendFloat32(b []byte, v float32) []byte { return appendFloat(b, float64(v), 32) }

// Float64 is [AppendFloat64] as a string.
func Float64(v float64) string { return string(AppendFloat64(nil, v)) }

// Float32 is [AppendFloat32] as a string.
func Float32(v float32) string { return string(AppendFloat32(nil, v)) }

func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	case v == 0:
		if math.Signbit(v) {
			b = append(b, '-')
		}
		return append(b, "0.0"...)
	}
	abs := math.Abs(v)
	if abs >= 1e-3 && abs < 1e7 {
		start := len(b)
		b = strconv.AppendFloat(b, v, 'f', -1, bits)
		for _, c := range b[start:] {
			if c == '.' {
				return b
			}
		}
		return append(b, ".0"...)
	}
	// strconv gives d.ddde±xx; Java wants at least one fraction digit, E, no plus
	// sign and no leading zero in the exponent.
	var tmp [32]byte
	t := strconv.AppendFloat(tmp[:0], v, 'e', -1, bits)
	dot, exp := false, 0
	for i, c := range t {
		if c == '.' {
			dot = true
		}
		if c == 'e' {
			exp = i
			break
		}
	}
	if !dot && abs < 1e-43 {
		// Java takes the nearest of all that have two digits. Of the smallest numbers
		// that need not be the shortest with a zero behind: 4.9E-324, not 5.0E-324.
		if two := strconv.AppendFloat(tmp[16:16], v, 'e', 1, bits); two[exp+1] != '0' {
			t, dot, exp = two, true, exp+2
		}
	}
	b = append(b, t[:exp]...)
	if !dot {
		b = append(b, ".0"...)
	}
	b = append(b, 'E')
	e := t[exp+1:]
	if e[0] == '-' {
		b = append(b, '-')
	}
	e = e[1:]
	for len(e) > 1 && e[0] == '0' {
		e = e[1:]
	}
	return append(b, e...)
}
