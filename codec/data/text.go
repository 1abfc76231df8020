package data

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/javatext"
)

// String returns Java's toString of the value, which is what StringConverter
// writes and FileStreamSink prints: {k=v}, [1, 2], Struct{a=1}, 1.0E10.
// A byte array, whose Java form is an object identity, is [B@ and its length.
func (v Value) String() string {
	if v.Kind() == KindString {
		return v.Str()
	}
	return string(v.AppendText(nil))
}

// AppendText appends [Value.String] to b.
func (v Value) AppendText(b []byte) []byte {
	switch v.Kind() {
	case KindNull:
		return append(b, "null"...)
	case KindInt8, KindInt16, KindInt32, KindInt64:
		return strconv.AppendInt(b, int64(v.n), 10)
	case KindFloat32:
		return javatext.AppendFloat32(b, float32(v.Float()))
	case KindFloat64:
		return javatext.AppendFloat64(b, v.Float())
	case KindBoolean:
		return strconv.AppendBool(b, v.n != 0)
	case KindString:
		return append(b, v.Str()...)
	case KindBytes:
		return append(b, fmt.Sprintf("[B@%x", v.length())...)
	case KindDecimal:
		return append(b, v.Decimal().String()...)
	case KindDate:
		return dateText.Append(b, v.Int())
	case KindArray:
		b = append(b, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = e.AppendText(b)
		}
		return append(b, ']')
	case KindMap:
		b = append(b, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = e.Key.AppendText(b)
			b = append(b, '=')
			b = e.Value.AppendText(b)
		}
		return append(b, '}')
	case KindStruct:
		s := v.Struct()
		b = append(b, "Struct{"...)
		first := true
		for i, f := range s.schema.fields {
			if s.vals[i].IsNull() {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, f.Name...)
			b = append(b, '=')
			b = s.vals[i].AppendText(b)
		}
		return append(b, '}')
	}
	return b
}

// dateText is java.util.Date.toString, in UTC.
var dateText = javatext.MustSimpleDateFormat("EEE MMM dd HH:mm:ss zzz y")

// String returns BigDecimal.toString: plain digits, or scientific notation when
// the scale is negative or the number is far below one.
func (d *Decimal) String() string {
	digits := new(big.Int).Abs(d.Unscaled).String()
	neg := ""
	if d.Unscaled.Sign() < 0 {
		neg = "-"
	}
	if d.Scale == 0 {
		return neg + digits
	}
	exp := int64(len(digits)-1) - int64(d.Scale)
	if d.Scale > 0 && exp >= -6 {
		return neg + plain(digits, int(d.Scale))
	}
	var b strings.Builder
	b.WriteString(neg)
	b.WriteByte(digits[0])
	if len(digits) > 1 {
		b.WriteByte('.')
		b.WriteString(digits[1:])
	}
	if exp != 0 {
		b.WriteByte('E')
		if exp > 0 {
			b.WriteByte('+')
		}
		b.WriteString(strconv.FormatInt(exp, 10))
	}
	return b.String()
}

// PlainString returns BigDecimal.toPlainString: no exponent. A scale far below
// zero makes a long text; callers bound it.
func (d *Decimal) PlainString() string {
	digits := new(big.Int).Abs(d.Unscaled).String()
	neg := ""
	if d.Unscaled.Sign() < 0 {
		neg = "-"
	}
	switch {
	case d.Scale == 0:
		return neg + digits
	case d.Scale < 0:
		if d.Unscaled.Sign() == 0 {
			return "0"
		}
		return neg + digits + strings.Repeat("0", int(-d.Scale))
	}
	return neg + plain(digits, int(d.Scale))
}

func plain(digits string, scale int) string {
	if len(digits) > scale {
		return digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	return "0." + strings.Repeat("0", scale-len(digits)) + digits
}

// AppendUnscaled appends the unscaled value as two's complement, big endian, in
// the fewest bytes: BigInteger.toByteArray, the encoding of a Decimal.
func (d *Decimal) AppendUnscaled(b []byte) []byte {
	u := d.Unscaled
	switch u.Sign() {
	case 0:
		return append(b, 0)
	case 1:
		raw := u.Bytes()
		if raw[0]&0x80 != 0 {
			b = append(b, 0)
		}
		return append(b, raw...)
	}
	n := uint(new(big.Int).Not(u).BitLen()/8 + 1)
	t := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), n*8), u)
	return append(b, t.FillBytes(make([]byte, n))...)
}

// DecimalFromUnscaled is the inverse of [Decimal.AppendUnscaled]. Empty input is
// an error, as in Java.
func DecimalFromUnscaled(b []byte, scale int32) (*Decimal, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("Zero length BigInteger")
	}
	u := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		u.Sub(u, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return &Decimal{Unscaled: u, Scale: scale}, nil
}
