package codec

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/troupeio/troupe/codec/javatext"
)

// charset encodes and decodes text as one of Java's charsets does: what cannot
// be encoded becomes a question mark, what cannot be decoded U+FFFD.
type charset interface {
	append(dst []byte, s string) []byte
	decode(b []byte) string
}

// charsetOf returns a charset by its name in Java or an alias, in any case of
// letters; ok is false for one that is unknown here.
func charsetOf(name string) (cs charset, ok bool) {
	n := strings.ToLower(name)
	switch strings.ReplaceAll(strings.ReplaceAll(n, "_", "-"), "-", "") {
	case "utf8", "unicode11utf8":
		return utf8Charset{}, true
	case "iso88591", "latin1", "l1", "cp819", "ibm819", "isoir100", "8859", "88591":
		return byteCharset(0xff), true
	case "usascii", "ascii", "iso646us", "cp367", "ibm367", "ascii7", "646", "isoir6", "us", "default":
		return byteCharset(0x7f), true
	case "utf16", "unicode", "unicodebig":
		return utf16Charset{binary.BigEndian, true, "\xfe\xff"}, true
	case "utf16be", "unicodebigunmarked", "xutf16be":
		return utf16Charset{order: binary.BigEndian}, true
	case "utf16le", "unicodelittleunmarked", "xutf16le":
		return utf16Charset{order: binary.LittleEndian}, true
	case "xutf16lebom", "unicodelittle":
		return utf16Charset{binary.LittleEndian, true, "\xff\xfe"}, true
	case "utf32", "iso10646ucs4":
		return textCharset{utf32.UTF32(utf32.BigEndian, utf32.UseBOM), utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)}, true
	case "utf32be", "xutf32be":
		e := utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
		return textCharset{e, e}, true
	case "utf32le", "xutf32le":
		e := utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
		return textCharset{e, e}, true
	}
	// Java's old names: Cp1252 is windows-1252, Cp850 IBM850, ISO8859_15 ISO-8859-15.
	names := []string{name}
	if num, cut := strings.CutPrefix(n, "cp"); cut {
		names = append(names, "windows-"+num, "ibm"+num)
	}
	if num, cut := strings.CutPrefix(n, "iso8859"); cut {
		names = append(names, "iso-8859-"+strings.TrimLeft(num, "_-"))
	}
	for _, n := range names {
		if e, err := ianaindex.IANA.Encoding(n); err == nil && e != nil && n != "" {
			return textCharset{e, e}, true
		}
	}
	return nil, false
}

type utf8Charset struct{}

func (utf8Charset) append(dst []byte, s string) []byte { return append(dst, s...) }
func (utf8Charset) decode(b []byte) string             { return javatext.DecodeUTF8(b) }

// byteCharset is a charset whose bytes are the code points up to its value.
type byteCharset rune

func (c byteCharset) append(dst []byte, s string) []byte {
	for _, r := range s {
		if r > rune(c) {
			r = '?'
		}
		dst = append(dst, byte(r))
	}
	return dst
}

func (c byteCharset) decode(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, x := range b {
		r := rune(x)
		if r > rune(c) {
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

type utf16Charset struct {
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
	detect bool   // whether a byte order mark decides when decoding
	mark   string // what is put before text that is not empty
}

func (c utf16Charset) append(dst []byte, s string) []byte {
	if s != "" {
		dst = append(dst, c.mark...)
	}
	for _, r := range s {
		if r > 0xffff {
			hi, lo := utf16.EncodeRune(r)
			dst = c.order.AppendUint16(dst, uint16(hi))
			r = lo
		}
		dst = c.order.AppendUint16(dst, uint16(r))
	}
	return dst
}

func (c utf16Charset) decode(b []byte) string {
	var order binary.ByteOrder = c.order
	if c.detect && len(b) >= 2 {
		switch {
		case b[0] == 0xfe && b[1] == 0xff:
			order, b = binary.BigEndian, b[2:]
		case b[0] == 0xff && b[1] == 0xfe:
			order, b = binary.LittleEndian, b[2:]
		}
	}
	u := make([]uint16, 0, len(b)/2+1)
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, order.Uint16(b))
	}
	if len(b) > 0 {
		u = append(u, utf8.RuneError)
	}
	return string(utf16.Decode(u))
}

// textCharset is a charset of golang.org/x/text.
type textCharset struct{ dec, enc encoding.Encoding }

func (c textCharset) append(dst []byte, s string) []byte {
	out, err := c.enc.NewEncoder().String(s)
	if err != nil {
		var b strings.Builder
		for _, r := range s {
			if _, err := c.enc.NewEncoder().String(string(r)); err != nil {
				r = '?'
			}
			b.WriteRune(r)
		}
		out, _ = c.enc.NewEncoder().String(b.String())
	}
	return append(dst, out...)
}

func (c textCharset) decode(b []byte) string {
	s, err := c.dec.NewDecoder().String(string(b))
	if err != nil {
		return strings.Repeat(string(utf8.RuneError), len(b))
	}
	return s
}
