package codec

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
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
	name = strings.ToLower(name)
	for _, u := range unicodeCharsets {
		if slices.Contains(strings.Fields(u.names), name) {
			return u.charset, true
		}
	}
	for _, m := range multiByteCharsets {
		if slices.Contains(strings.Fields(m.names), name) {
			return textCharset{m.encoding, m.encoding}, true
		}
	}
	return singleByteCharset(name)
}

var (
	utf32BE = utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	utf32LE = utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
)

// unicodeCharsets and the two whose bytes are code points, with their names in Java.
var unicodeCharsets = []struct {
	names   string
	charset charset
}{
	{"utf-8 utf8 unicode-1-1-utf-8", utf8Charset{}},
	{"iso-8859-1 819 iso8859-1 l1 iso_8859-1:1987 iso_8859-1 8859_1 iso-ir-100 latin1 cp819 iso8859_1 ibm819 iso_8859_1 ibm-819 csisolatin1", byteCharset(0xff)},
	{"us-ascii ansi_x3.4-1968 cp367 csascii iso-ir-6 ascii iso_646.irv:1983 ansi_x3.4-1986 ascii7 default iso_646.irv:1991 iso646-us ibm367 646 us", byteCharset(0x7f)},
	{"utf-16 utf_16 unicode utf16 unicodebig", utf16Charset{binary.BigEndian, true, "\xfe\xff"}},
	{"utf-16be x-utf-16be utf_16be iso-10646-ucs-2 unicodebigunmarked", utf16Charset{order: binary.BigEndian}},
	{"utf-16le x-utf-16le utf_16le unicodelittleunmarked", utf16Charset{order: binary.LittleEndian}},
	{"x-utf-16le-bom unicodelittle", utf16Charset{binary.LittleEndian, true, "\xff\xfe"}},
	{"utf-32 utf_32 utf32", textCharset{utf32.UTF32(utf32.BigEndian, utf32.UseBOM), utf32BE}},
	{"utf-32be x-utf-32be utf_32be", textCharset{utf32BE, utf32BE}},
	{"utf-32le x-utf-32le utf_32le", textCharset{utf32LE, utf32LE}},
}

// multiByteCharsets of East Asia are those of golang.org/x/text, which knows them as
// browsers do: some rare characters differ from Java's.
var multiByteCharsets = []struct {
	names    string
	encoding encoding.Encoding
}{
	{"shift_jis x-sjis sjis shift-jis ms_kanji csshiftjis windows-31j ms932 windows-932 cswindows31j", japanese.ShiftJIS},
	{"euc-jp cseucpkdfmtjapanese x-euc-jp eucjis extended_unix_code_packed_format_for_japanese euc_jp eucjp x-eucjp", japanese.EUCJP},
	{"iso-2022-jp csjisencoding iso2022jp jis_encoding jis csiso2022jp", japanese.ISO2022JP},
	{"gbk cp936 windows-936 gb2312 euc-cn x-euc-cn euccn euc_cn gb2312-80 gb2312-1980", simplifiedchinese.GBK},
	{"gb18030 gb18030-2022", simplifiedchinese.GB18030},
	{"big5 csbig5 x-windows-950 ms950 windows-950", traditionalchinese.Big5},
	{"euc-kr ksc5601-1987 cseuckr ksc5601_1987 ksc5601 5601 euc_kr ksc_5601 ks_c_5601-1987 euckr x-windows-949 windows949 ms949 windows-949 ms_949", korean.EUCKR},
}

// singleByteTable has a line for each of Java's charsets of single bytes: its name and
// aliases, the characters of its bytes (from 0x80 on where the first half is ASCII),
// and what it encodes otherwise than it decodes.
//
//go:embed charsets.jsonl
var singleByteTable string

// tableCharset is a charset of single bytes.
type tableCharset struct {
	chars [256]rune
	bytes map[rune]byte
}

func singleByteCharset(name string) (charset, bool) {
	for line := range strings.Lines(singleByteTable) {
		if !strings.Contains(strings.ToLower(line), `"`+name+`"`) {
			continue
		}
		var row struct {
			Name    string
			Aliases []string
			Chars   string
			Encode  map[string]byte
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			panic("codec: charsets.jsonl: " + err.Error())
		}
		if !slices.ContainsFunc(append(row.Aliases, row.Name), func(n string) bool { return strings.EqualFold(n, name) }) {
			continue
		}
		t := &tableCharset{bytes: make(map[rune]byte, 256)}
		chars := []rune(row.Chars)
		for i := range t.chars {
			r := rune(i)
			if at := i - (256 - len(chars)); at >= 0 {
				r = chars[at]
			}
			t.chars[i] = r
			if _, taken := t.bytes[r]; !taken && r != utf8.RuneError {
				t.bytes[r] = byte(i)
			}
		}
		for c, b := range row.Encode {
			r, _ := utf8.DecodeRuneInString(c)
			t.bytes[r] = b
		}
		return t, true
	}
	return nil, false
}

// A character that there is no byte for becomes Java's replacement, which is the byte
// 0x3F, whatever that stands for.
func (t *tableCharset) append(dst []byte, s string) []byte {
	for _, r := range s {
		b, ok := t.bytes[r]
		if !ok {
			b = '?'
		}
		dst = append(dst, b)
	}
	return dst
}

func (t *tableCharset) decode(b []byte) string {
	out := make([]byte, 0, len(b)+len(b)/4)
	for _, x := range b {
		out = utf8.AppendRune(out, t.chars[x])
	}
	return string(out)
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
	// Half a unit at the end, with a half pair before it, is one mistake.
	if len(b) > 0 && (len(u) == 0 || u[len(u)-1]&0xfc00 != 0xd800) {
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
