package json

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 finds out the encoding of a document as Jackson does (RFC 4627 §3 and
// byte order marks) and returns it in UTF-8.
func toUTF8(b []byte) ([]byte, bool) {
	if len(b) < 2 || b[0] >= 0x09 && b[0] < 0x80 && b[1] != 0 {
		return b, true // by far the most
	}
	if len(b) >= 4 {
		q := binary.BigEndian.Uint32(b)
		switch {
		case q == 0x0000feff:
			return utf32(b[4:], binary.BigEndian)
		case q == 0xfffe0000:
			return utf32(b[4:], binary.LittleEndian)
		case q == 0x0000fffe || q == 0xfeff0000:
			return nil, false // bytes in an order that nobody uses
		case q>>16 == 0xfeff:
			return utf16To8(b[2:], binary.BigEndian), true
		case q>>16 == 0xfffe:
			return utf16To8(b[2:], binary.LittleEndian), true
		case q>>8 == 0xefbbbf:
			return b[3:], true
		case q>>8 == 0:
			return utf32(b, binary.BigEndian)
		case q&0x00ffffff == 0:
			return utf32(b, binary.LittleEndian)
		case q&^0x00ff0000 == 0 || q&^0x0000ff00 == 0:
			return nil, false
		}
	}
	switch {
	case b[0] == 0:
		return utf16To8(b, binary.BigEndian), true
	case b[1] == 0:
		return utf16To8(b, binary.LittleEndian), true
	}
	return b, true
}

func utf16To8(b []byte, order binary.ByteOrder) []byte {
	u := make([]uint16, 0, len(b)/2+1)
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, order.Uint16(b))
	}
	if len(b) == 1 {
		u = append(u, utf8.RuneError)
	}
	return []byte(string(utf16.Decode(u)))
}

func utf32(b []byte, order binary.ByteOrder) ([]byte, bool) {
	if len(b)%4 != 0 {
		return nil, false
	}
	out := make([]byte, 0, len(b)/2)
	for ; len(b) > 0; b = b[4:] {
		r := order.Uint32(b)
		if r > utf8.MaxRune {
			return nil, false
		}
		out = utf8.AppendRune(out, rune(r))
	}
	return out, true
}
