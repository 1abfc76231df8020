package json

import (
	"math/big"
	"strconv"

	"github.com/troupeio/troupe/codec/data"
)

// wrapLong returns the number in lit as Java's BigInteger.longValue or
// BigDecimal.longValue has it: cut at the point, and modulo 2^64.
func wrapLong(lit []byte) int64 {
	neg := false
	if lit[0] == '-' {
		neg = true
		lit = lit[1:]
	}
	mant, frac, exp := lit, 0, int64(0)
	for i, c := range lit {
		if c|0x20 == 'e' {
			mant = lit[:i]
			exp, _ = strconv.ParseInt(str1(lit[i+1:]), 10, 64)
			break
		}
	}
	point := len(mant)
	for i, c := range mant {
		if c == '.' {
			point, frac = i, len(mant)-i-1
			break
		}
	}
	// keep is how many of the digits stand before the point once the exponent
	// has moved it.
	keep := int64(point) + exp
	var v uint64
	seen := int64(0)
	for _, c := range mant {
		if c == '.' {
			continue
		}
		if seen >= keep {
			break
		}
		v = v*10 + uint64(c-'0')
		seen++
	}
	more := keep - int64(point+frac)
	if more >= 64 { // 10^64 is a multiple of 2^64
		v = 0
	}
	for ; more > 0 && v != 0; more-- {
		v *= 10
	}
	if neg {
		v = -v
	}
	return int64(v)
}

// wrapInt is wrapLong for Java's intValue.
func wrapInt(lit []byte) int32 { return int32(wrapLong(lit)) }

// float64Of returns the number in lit as Java's doubleValue has it: infinite
// when it is too large, and without a negative zero, which BigDecimal lacks.
func float64Of(lit []byte) float64 {
	f, _ := strconv.ParseFloat(str1(lit), 64)
	if f == 0 {
		return 0
	}
	return f
}

// float32Of is float64Of for Java's floatValue.
func float32Of(lit []byte) float32 {
	f, _ := strconv.ParseFloat(str1(lit), 32)
	if f == 0 {
		return 0
	}
	return float32(f)
}

// decimalOf returns the number in lit as new BigDecimal(text) has it.
func decimalOf(lit []byte) *data.Decimal {
	digits := make([]byte, 0, len(lit))
	frac, exp := int64(0), int64(0)
	point := false
	for i, c := range lit {
		if c|0x20 == 'e' {
			exp, _ = strconv.ParseInt(str1(lit[i+1:]), 10, 64)
			break
		}
		if c == '.' {
			point = true
			continue
		}
		if point {
			frac++
		}
		digits = append(digits, c)
	}
	u, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		u = new(big.Int)
	}
	return &data.Decimal{Unscaled: u, Scale: int32(frac - exp)}
}
