package json

import (
	"encoding/binary"
	"math/bits"

	"github.com/troupeio/troupe/codec/data"
)

// What most of JSON consists of is read here, eight bytes at a time and without
// the lexer's state: text without escapes, in ASCII, and short whole numbers, when
// eight or sixteen bytes are left to read. What it doesn't take is the lexer's.

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainValue reads a string or a whole number at pos. end is 0 when it doesn't.
func plainValue(in []byte, pos int) (v data.Value, end int) {
	if pos >= len(in) {
		return v, 0
	}
	if in[pos] == '"' {
		if end, ok := plainText(in, pos+1); ok {
			return data.OfText(in[pos+1 : end : end]), end + 1
		}
		return v, 0
	}
	n, end := plainInt(in, pos)
	return data.OfInt64(n), end
}

// plainText passes over characters of a string from i on: up to the quotation mark
// at its end, when ok, or to some place before anything else.
func plainText(in []byte, i int) (end int, ok bool) {
	for start := i; i+8 <= len(in); i += 8 {
		w := binary.LittleEndian.Uint64(in[i:])
		if stop := notPlain(w); stop != 0 {
			end := i + bits.TrailingZeros64(stop)>>3
			return end, in[end] == '"' && end-start <= maxStringUnits
		}
	}
	return i, false
}

// notPlain sets the highest bit of the first byte in w, the lowest, that is a
// quotation mark, a backslash, a control character or no ASCII. It is 0 when there
// is none. Bits above the first have no meaning.
func notPlain(w uint64) uint64 {
	quote := w ^ '"'*lowBits
	slash := w ^ '\\'*lowBits
	return ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w - ' '*lowBits) | w) & highBits
}

// plainInt reads a whole number of up to fifteen digits at pos. end is 0 when it
// doesn't.
func plainInt(in []byte, pos int) (v int64, end int) {
	if pos+17 > len(in) {
		return 0, 0
	}
	neg := in[pos] == '-'
	if neg {
		pos++
	}
	w := binary.LittleEndian.Uint64(in[pos:]) ^ '0'*lowBits
	n := digitsIn(w)
	if n == 0 {
		return 0, 0
	}
	u := fold(w, n)
	if n == 8 {
		w = binary.LittleEndian.Uint64(in[pos+8:]) ^ '0'*lowBits
		more := digitsIn(w)
		if more == 8 {
			return 0, 0
		}
		if more > 0 {
			u = u*tens[more] + fold(w, more)
			n += more
		}
	}
	if c := in[pos+n]; c == '.' || c|0x20 == 'e' {
		return 0, 0
	}
	v = int64(u)
	if neg {
		v = -v
	}
	return v, pos + n
}

// moreDigits reads digits from i on as more digits of v, and returns where they end.
// Of more than 19 digits v is what is left modulo 2^64.
func moreDigits(in []byte, v uint64, i int) (uint64, int) {
	for i+8 <= len(in) {
		w := binary.LittleEndian.Uint64(in[i:]) ^ '0'*lowBits
		n := digitsIn(w)
		if n == 0 {
			return v, i
		}
		v = v*tens[n] + fold(w, n)
		if i += n; n < 8 {
			return v, i
		}
	}
	for i < len(in) && in[i]-'0' <= 9 {
		v = v*10 + uint64(in[i]-'0')
		i++
	}
	return v, i
}

// digitsIn returns how many bytes of w are digits before one that is not: the
// lowest is the first, and zero is the digit 0.
func digitsIn(w uint64) int {
	return bits.TrailingZeros64((w+6*lowBits|w)&(0xf0*lowBits)) >> 3
}

// fold returns the number of the n first digits of w, at least one. They become
// the last of eight digits, after zeros, and then twos, fours and eights of them.
func fold(w uint64, n int) uint64 {
	w <<= 64 - 8*n
	w = w * 2561 >> 8 & 0x00ff00ff00ff00ff
	w = w * 6553601 >> 16 & 0x0000ffff0000ffff
	return w * 42949672960001 >> 32
}

var tens = [9]uint64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000}
