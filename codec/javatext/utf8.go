package javatext

import "unicode/utf8"

// DecodeUTF8 decodes b as Java's new String(b, UTF_8) does: what is malformed
// becomes U+FFFD, one for each of the pieces into which Java's decoder cuts it.
// The result is a copy.
func DecodeUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+8)
	bad := func() { out = utf8.AppendRune(out, utf8.RuneError) }
	cont := func(c byte) bool { return c&0xc0 == 0x80 }
	for i := 0; i < len(b); {
		if r, n := utf8.DecodeRune(b[i:]); r != utf8.RuneError || n > 1 {
			out = append(out, b[i:i+n]...)
			i += n
			continue
		}
		c, rest := b[i], b[i+1:]
		bad()
		switch {
		case c>>4 == 0xe:
			switch {
			case len(rest) == 0:
				return string(out)
			case c == 0xe0 && rest[0]&0xe0 == 0x80 || !cont(rest[0]):
				i++
			case len(rest) == 1:
				return string(out) // the end is cut off: one piece
			case !cont(rest[1]):
				i += 2
			default:
				i += 3 // a surrogate
			}
		case c>>3 == 0x1e:
			switch {
			case c > 0xf4:
				i++
			case len(rest) == 0:
				return string(out)
			case c == 0xf0 && (rest[0] < 0x90 || rest[0] > 0xbf) || c == 0xf4 && rest[0]&0xf0 != 0x80 || !cont(rest[0]):
				i++
			case len(rest) == 1:
				return string(out)
			case !cont(rest[1]):
				i += 2
			case len(rest) == 2:
				return string(out)
			default:
				i += 3
			}
		default:
			i++
		}
	}
	return string(out)
}
