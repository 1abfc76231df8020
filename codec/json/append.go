package json

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

const upperHex = "0123456789ABCDEF"

// appendString appends s in quotes, escaped as Jackson does: quotation marks,
// backslashes and control characters, and characters beyond U+FFFF as a pair of
// surrogates. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	at := plainUpTo(s)
	if at < len(s) {
		return appendEscaped(dst, s, at)
	}
	n := len(dst)
	if cap(dst)-n < len(s)+2 {
		dst = slices.Grow(dst, len(s)+2)
	}
	dst = dst[:n+len(s)+2]
	dst[n] = '"'
	copy(dst[n+1:], s)
	dst[len(dst)-1] = '"'
	return dst
}

// plainUpTo returns how many of the first bytes of s stand for themselves: all of
// them, or fewer.
func plainUpTo(s string) int {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if w := binary.LittleEndian.Uint64(b[i:]); notPlain(w) != 0 {
			return i
		}
	}
	for i < len(b) && plainByte[b[i]] {
		i++
	}
	return i
}

// appendEscaped is appendString of s, of which the first bytes, up to i, stand for
// themselves.
func appendEscaped(dst []byte, s string, i int) []byte {
	dst = append(dst, '"')
	start := 0
	for i < len(s) {
		c := s[i]
		if plainByte[c] {
			i++
			continue
		}
		if c >= 0x80 {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r < 0x10000 && (r != utf8.RuneError || n > 1) {
				i += n
				continue
			}
			dst = append(dst, s[start:i]...)
			if n == 1 {
				dst = utf8.AppendRune(dst, utf8.RuneError)
			} else {
				hi, lo := utf16.EncodeRune(r)
				dst = appendUnit(appendUnit(dst, hi), lo)
			}
			i += n
			start = i
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = appendUnit(dst, rune(c))
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', upperHex[u>>12&15], upperHex[u>>8&15], upperHex[u>>4&15], upperHex[u&15])
}

// intRoom is what appendInt writes to at most, bytes: a sign and three times
// eight digits.
const intRoom = 25

// appendInt appends v in decimal, eight digits at a time.
func appendInt(dst []byte, v int64) []byte {
	if cap(dst)-len(dst) < intRoom {
		dst = slices.Grow(dst, intRoom)
	}
	at := len(dst)
	b := dst[at : at+intRoom]
	u, n := uint64(v), 0
	if v < 0 {
		b[0] = '-'
		u, n = -u, 1
	}
	const e8 = 100_000_000
	switch {
	case u < e8:
		n = putFirst(b, n, u)
	case u < e8*e8:
		n = putEight(b, putFirst(b, n, u/e8), u%e8)
	default:
		high := u / e8
		n = putEight(b, putEight(b, putFirst(b, n, high/e8), high%e8), u%e8)
	}
	return dst[:at+n]
}

// putFirst writes a number below 10^8 to b at n, without zeros before it, and
// returns where it ends.
func putFirst(b []byte, n int, u uint64) int {
	d := digitsOf(u)
	zeros := bits.TrailingZeros64(d|1<<56) &^ 7 // the last digit stays
	binary.LittleEndian.PutUint64(b[n:], (d+'0'*lowBits)>>zeros)
	return n + 8 - zeros/8
}

// putEight writes a number below 10^8 to b at n in eight digits.
func putEight(b []byte, n int, u uint64) int {
	binary.LittleEndian.PutUint64(b[n:], digitsOf(u)+'0'*lowBits)
	return n + 8
}

// digitsOf returns the eight digits of a number below 10^8, the first in the
// lowest byte: two halves of four digits, then four pairs, then eight. Each is
// divided by a multiplication that is right for numbers of its size.
func digitsOf(u uint64) uint64 {
	halves := u/10_000 | u%10_000<<32
	hundreds := halves * 10_486 >> 20 & (0x7f<<32 | 0x7f)
	pairs := hundreds | (halves-100*hundreds)<<16
	tens := pairs * 103 >> 10 & 0x000f_000f_000f_000f
	return tens | (pairs-10*tens)<<8
}
