package transforms

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
	"github.com/troupeio/troupe/connectors"
)

// Exceptions of the Java runtime that a transform of Kafka Connect lets through.
const (
	nullPointerException = "java.lang.NullPointerException"
	classCastException   = "java.lang.ClassCastException"
	illegalArgument      = "java.lang.IllegalArgumentException"
	arrayIndex           = "java.lang.ArrayIndexOutOfBoundsException"
)

// recordError is an error about the record with an exception class of Java's.
func recordError(class, msg string) error {
	return &connectors.Error{JavaClass: class, Msg: msg, Class: connectors.Poison}
}

// invalidValue is ConfigException(name, value, message).
func invalidValue(name, value, msg string) error {
	text := "Invalid value " + value + " for configuration " + name
	if msg != "" {
		text += ": " + msg
	}
	return &connectors.Error{JavaClass: connectors.ConfigException, Msg: text, Class: connectors.Configuration}
}

// splitColon is String.split(":"): trailing empty parts are dropped.
func splitColon(s string) []string {
	if s == "" {
		return []string{""}
	}
	parts := strings.Split(s, ":")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// javaList is the text form of a list of strings.
func javaList(l []string) string { return "[" + strings.Join(l, ", ") + "]" }

// trim is String.trim: everything up to the blank counts as white space.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// stringHash is String.hashCode.
func stringHash(s string) uint32 {
	var h uint32
	for _, r := range s {
		if r > 0xffff {
			hi, lo := utf16.EncodeRune(r)
			h = (31*h+uint32(hi))*31 + uint32(lo)
			continue
		}
		h = 31*h + uint32(r)
	}
	return h
}

// hashMapOrder returns the distinct keys in the order in which a HashMap that
// they were put into one after another gives them out. What depends on it is
// which of two renames to one name wins, and which of two errors shows.
func hashMapOrder(keys []string) []string {
	size := uint32(16)
	for float64(len(keys)) > 0.75*float64(size) {
		size *= 2
	}
	out := make([]string, 0, len(keys))
	for bucket := range size {
		for _, k := range keys {
			h := stringHash(k)
			if (h^h>>16)&(size-1) == bucket {
				out = append(out, k)
			}
		}
	}
	return out
}

// distinct returns the strings of a list without those that were there before.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// parseInt is Byte.parseByte to Long.parseLong.
func parseInt(s string, bits int) (int64, bool) {
	ascii := make([]byte, 0, 24)
	for i, r := range s {
		if i == 0 && (r == '-' || r == '+') {
			ascii = append(ascii, byte(r))
			continue
		}
		d := javatext.Digit(r)
		if d < 0 {
			return 0, false
		}
		ascii = append(ascii, byte('0'+d))
	}
	n, err := strconv.ParseInt(string(ascii), 10, bits)
	return n, err == nil
}

// parseFloat is Float.parseFloat and Double.parseDouble: white space around the
// number, a final f or d, NaN and Infinity are fine; what is too large becomes
// infinite.
func parseFloat(s string, bits int) (float64, bool) {
	s = trim(s)
	body := s
	if body != "" && (body[0] == '-' || body[0] == '+') {
		body = body[1:]
	}
	switch body {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	hex := len(body) > 1 && body[0] == '0' && (body[1] == 'x' || body[1] == 'X')
	if hex && !strings.ContainsAny(body, "pP") {
		return 0, false
	}
	if n := len(s); n > 0 && strings.ContainsRune("fFdD", rune(s[n-1])) {
		s = s[:n-1]
	}
	for i := range len(s) {
		c := s[i]
		isDigit := c >= '0' && c <= '9'
		ok := isDigit || strings.IndexByte("+-.eE", c) >= 0 ||
			hex && (c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || strings.IndexByte("xXpP", c) >= 0)
		if !ok {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return f, true
}

// decimalToInt64 is BigDecimal.longValue: the low 64 bits of the integer part.
func decimalToInt64(d *data.Decimal) int64 {
	n := d.Unscaled
	switch {
	case d.Scale <= -64:
		return 0 // a multiple of 2^64
	case d.Scale < 0:
		n = new(big.Int).Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-d.Scale)), nil))
	case d.Scale > 0:
		if int64(d.Scale) > int64(n.BitLen()) { // fewer digits than fraction digits
			return 0
		}
		n = new(big.Int).Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil))
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return int64(low.Uint64())
}

// floatToInt32 and floatToInt64 are Java's narrowing: towards zero, NaN is 0,
// what is too large is the largest.
func floatToInt32(f float64) int32 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt32:
		return math.MaxInt32
	case f <= math.MinInt32:
		return math.MinInt32
	}
	return int32(f)
}

func floatToInt64(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
