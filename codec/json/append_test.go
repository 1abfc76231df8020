package json

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestAppendInt: integers are written as strconv writes them, wherever the room
// ends.
func TestAppendInt(t *testing.T) {
	check := func(t rapid.TB, v int64) {
		for _, room := range []int{0, 3, 64} {
			dst := append(make([]byte, 0, 1+room), 'x')
			if got, want := string(appendInt(dst, v)), "x"+strconv.FormatInt(v, 10); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	}
	for _, v := range []int64{0, math.MinInt64, math.MaxInt64} {
		check(t, v)
	}
	for v := int64(1); v < math.MaxInt64/10; v *= 10 {
		for _, near := range []int64{v - 1, v, v + 1, -v, 1 - v, 7 * v} {
			check(t, near)
		}
	}
	for v := range int64(100_000) {
		check(t, v*997)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Int64().Draw(t, "v")) })
}

// TestNumber: numbers are read as strconv reads them, wherever the text ends.
func TestNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,19}(\.[0-9]{1,19})?(e[-+]?[0-9]{1,2})?`).Draw(t, "number")
		behind := rapid.SampledFrom([]string{"", ",", "]       ", ", \"abcdefgh\""}).Draw(t, "behind")
		l := lexer{in: []byte(text + behind)}
		if !l.number() || string(l.lit()) != text {
			t.Fatalf("%q was read of %s", l.lit(), text)
		}
		want, _ := strconv.ParseFloat(text, 64)
		if want == 0 {
			want = 0 // Java's BigDecimal has no negative zero
		}
		if got := l.float64(); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Fatalf("%s is %v, want %v", text, got, want)
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if l.isInt != (err == nil || wrapLong([]byte(text)) != 0 && l.isInt) || l.small && l.n != n {
			t.Fatalf("%s: isInt %v, small %v, %d", text, l.isInt, l.small, l.n)
		}
	})
}
