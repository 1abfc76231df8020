package codec

import (
	"math"
	"math/big"
	"strconv"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
)

// ParseDecimal reads a number as new BigDecimal(text) does: a sign, digits with
// a point among them, an exponent, and nothing else. ok is false for other text.
func ParseDecimal(text string) (d *data.Decimal, ok bool) {
	n, ok := scanNumber(text)
	if !ok {
		return nil, false
	}
	if !n.long {
		return data.NewDecimal(n.signed(), int32(n.scale)), true
	}
	digits := make([]byte, 0, len(text)+1)
	if n.neg {
		digits = append(digits, '-')
	}
	for _, r := range text {
		if r == 'e' || r == 'E' {
			break
		}
		if d := digitOf(r); d >= 0 {
			digits = append(digits, byte('0'+d))
		}
	}
	u, ok := new(big.Int).SetString(string(digits), 10)
	return &data.Decimal{Unscaled: u, Scale: int32(n.scale)}, ok
}

// numberText is what the text of a number says: digits × 10^-scale.
type numberText struct {
	digits uint64 // at most 18, but for leading zeros; without meaning when long
	long   bool
	neg    bool
	scale  int64 // an int32
}

func (n numberText) signed() int64 {
	if n.neg {
		return -int64(n.digits)
	}
	return int64(n.digits)
}

// scanNumber takes the text of a number apart, and allocates nothing: most text
// that it is asked about is no number.
func scanNumber(text string) (n numberText, ok bool) {
	exp := int64(0)
	seen, point := false, false
scan:
	for i, r := range text {
		switch d := digitOf(r); {
		case d >= 0:
			seen = true
			if n.digits < 1e17 {
				n.digits = n.digits*10 + uint64(d)
			} else {
				n.long = true
			}
			if point {
				n.scale++
			}
		case (r == '+' || r == '-') && i == 0:
			n.neg = r == '-'
		case r == '.' && !point:
			point = true
		case (r == 'e' || r == 'E') && seen:
			if exp, ok = exponent(text[i+1:]); !ok {
				return n, false
			}
			break scan
		default:
			return n, false
		}
	}
	n.scale -= exp
	return n, seen && n.scale == int64(int32(n.scale))
}

func exponent(s string) (int64, bool) {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return 0, false
	}
	n := int64(0)
	for _, r := range s {
		d := digitOf(r)
		if d < 0 || n > math.MaxInt32 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if neg {
		n = -n
	}
	return n, n == int64(int32(n))
}

// digitOf is Character.digit(c, 10), which knows the digits of all scripts.
func digitOf(r rune) int { return javatext.Digit(r) }

// decimalLong is BigDecimal.longValue: cut at the point, modulo 2^64.
func decimalLong(d *data.Decimal) int64 {
	if d.Scale > 0 && int64(d.Scale) > int64(d.Unscaled.BitLen()) { // more places than digits
		return 0
	}
	if d.Scale <= -64 { // a multiple of 2^64
		return 0
	}
	t := new(big.Int)
	if d.Scale > 0 {
		t.Quo(d.Unscaled, pow10(d.Scale))
	} else {
		t.Mul(d.Unscaled, pow10(-d.Scale))
	}
	low := new(big.Int).And(t.Abs(t), new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	if d.Unscaled.Sign() < 0 {
		low = -low
	}
	return int64(low)
}

func pow10(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// decimalExact is BigDecimal.longValueExact.
func decimalExact(d *data.Decimal) (int64, bool) {
	if d.Unscaled.Sign() == 0 {
		return 0, true
	}
	digits := len(new(big.Int).Abs(d.Unscaled).String())
	if whole := int64(digits) - int64(d.Scale); whole > 19 || whole <= 0 {
		return 0, false
	}
	t := new(big.Int)
	if d.Scale > 0 {
		var rest big.Int
		if t.QuoRem(d.Unscaled, pow10(d.Scale), &rest); rest.Sign() != 0 {
			return 0, false
		}
	} else {
		t.Mul(d.Unscaled, pow10(-d.Scale))
	}
	return t.Int64(), t.IsInt64()
}

// decimalFloat is BigDecimal.doubleValue (bits 64) and floatValue (32).
func decimalFloat(d *data.Decimal, bits int) float64 {
	f, _ := strconv.ParseFloat(d.Unscaled.String()+"e"+strconv.FormatInt(-int64(d.Scale), 10), bits)
	if f == 0 {
		return 0
	}
	return f
}

func isNumber(v data.Value) bool {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64, data.KindDecimal:
		return true
	}
	return false
}

// longOf is Number.longValue.
func longOf(v data.Value) int64 {
	switch v.Kind() {
	case data.KindDecimal:
		return decimalLong(v.Decimal())
	case data.KindFloat32, data.KindFloat64:
		switch f := v.Float(); {
		case f != f:
			return 0
		case f >= math.MaxInt64:
			return math.MaxInt64
		case f <= math.MinInt64:
			return math.MinInt64
		default:
			return int64(f)
		}
	}
	return v.Int()
}

// intOf is Number.intValue: a float that is too large becomes the largest int, any
// other number is cut off.
func intOf(v data.Value) int32 {
	n := longOf(v)
	if v.Kind() == data.KindFloat32 || v.Kind() == data.KindFloat64 {
		n = max(math.MinInt32, min(n, math.MaxInt32))
	}
	return int32(n)
}

// doubleOf is Number.doubleValue.
func doubleOf(v data.Value) float64 {
	switch v.Kind() {
	case data.KindDecimal:
		return decimalFloat(v.Decimal(), 64)
	case data.KindFloat32, data.KindFloat64:
		return v.Float()
	}
	return float64(v.Int())
}

// numberOf makes a number one of type to, as Number's methods do.
func numberOf(v data.Value, to data.Type) data.Value {
	switch to {
	case data.Int8:
		return data.OfInt8(int8(intOf(v)))
	case data.Int16:
		return data.OfInt16(int16(intOf(v)))
	case data.Int32:
		return data.OfInt32(intOf(v))
	case data.Int64:
		return data.OfInt64(longOf(v))
	case data.Float64:
		return data.OfFloat64(doubleOf(v))
	}
	switch v.Kind() {
	case data.KindDecimal:
		return data.OfFloat32(float32(decimalFloat(v.Decimal(), 32)))
	case data.KindFloat32, data.KindFloat64:
		return data.OfFloat32(float32(v.Float()))
	}
	return data.OfFloat32(float32(v.Int()))
}

// decimalOfDouble is BigDecimal.valueOf(double); ok is false for NaN and the
// infinities.
func decimalOfDouble(f float64) (*data.Decimal, bool) { return ParseDecimal(javatext.Float64(f)) }
