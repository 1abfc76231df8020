package textfile

import "unicode/utf8"

// ToUTF8 returns b with what is not UTF-8 replaced by U+FFFD as Java's decoder
// does it: one for each sequence that breaks off, one for an encoded surrogate,
// one for each byte that can begin nothing. b itself is returned when it is valid.
func ToUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			out = append(out, b[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError || n > 1 {
			out = append(out, b[i:i+n]...)
			i += n
			continue
		}
		out = append(out, "\ufffd"...)
		i += malformed(b[i:])
	}
	return out
}

// malformed returns how many bytes of b Java takes as one malformed sequence. The
// text after b is taken to be no continuation, which holds at a line's end.
func malformed(b []byte) int {
	cont := func(i int) bool { return i < len(b) && b[i]&0xc0 == 0x80 }
	switch c := b[0]; {
	case c >= 0xe0 && c <= 0xef:
		switch {
		case !cont(1) || c == 0xe0 && b[1] < 0xa0:
			return 1
		case !cont(2):
			return 2
		}
		return 3 // a surrogate
	case c >= 0xf0 && c <= 0xf4:
		switch {
		case !cont(1) || c == 0xf0 && b[1] < 0x90 || c == 0xf4 && b[1] > 0x8f:
			return 1
		case !cont(2):
			return 2
		}
		return 3
	}
	return 1
}
