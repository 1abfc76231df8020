package offsetfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Marks of the Java Object Serialization Stream Protocol, version 5.
const (
	streamMagic   = 0xaced
	streamVersion = 5

	tcNull         = 0x70
	tcReference    = 0x71
	tcClassDesc    = 0x72
	tcObject       = 0x73
	tcArray        = 0x75
	tcBlockData    = 0x77
	tcEndBlockData = 0x78

	baseHandle = 0x7e0000
)

// What the stream calls the map and the byte arrays.
const (
	mapClass   = "java.util.HashMap"
	mapUID     = 0x0507dac1c31660d1
	mapFlags   = 0x03 // serialisable, with a writeObject of its own
	arrayClass = "[B"
	arrayUID   = 0xacf317f8060854e0
	arrayFlags = 0x02
)

// Handles, in the order in which a stream with our content hands them out.
const (
	mapClassHandle = baseHandle + iota
	mapHandle
	arrayClassHandle
	firstArrayHandle
)

const loadFactor = 0.75

// Encode returns the bytes of a file with the entries, sorted by key, so that
// equal entries make an equal file. Of entries with an equal key the last counts.
// Java's own order is that of the arrays' addresses and differs from run to run.
func Encode(entries []Entry) []byte {
	entries = distinct(entries)
	threshold, buckets := capacity(len(entries))

	var b []byte
	b = binary.BigEndian.AppendUint16(b, streamMagic)
	b = binary.BigEndian.AppendUint16(b, streamVersion)
	b = append(b, tcObject)
	b = appendClass(b, mapClass, mapUID, mapFlags, "FloadFactor", "Ithreshold")
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(loadFactor))
	b = binary.BigEndian.AppendUint32(b, uint32(threshold))
	b = append(b, tcBlockData, 8)
	b = binary.BigEndian.AppendUint32(b, uint32(buckets))
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	first := true
	for _, e := range entries {
		for _, bytes := range [][]byte{e.Key, e.Value} {
			if bytes == nil {
				b = append(b, tcNull)
				continue
			}
			b = append(b, tcArray)
			if first {
				b = appendClass(b, arrayClass, arrayUID, arrayFlags)
				first = false
			} else {
				b = append(b, tcReference)
				b = binary.BigEndian.AppendUint32(b, arrayClassHandle)
			}
			b = binary.BigEndian.AppendUint32(b, uint32(len(bytes)))
			b = append(b, bytes...)
		}
	}
	return append(b, tcEndBlockData)
}

// distinct returns the last entry of each key, in the order of the keys, null
// first.
func distinct(entries []Entry) []Entry {
	sorted := slices.Clone(entries)
	slices.Reverse(sorted)
	slices.SortStableFunc(sorted, func(a, b Entry) int {
		switch {
		case (a.Key == nil) != (b.Key == nil):
			if a.Key == nil {
				return -1
			}
			return 1
		default:
			return bytes.Compare(a.Key, b.Key)
		}
	})
	return slices.CompactFunc(sorted, func(a, b Entry) bool {
		return (a.Key == nil) == (b.Key == nil) && bytes.Equal(a.Key, b.Key)
	})
}

// capacity returns the two numbers that a HashMap has after n puts: at which size
// it grows, and its buckets. A map without a put has no table, and so no size.
func capacity(n int) (threshold, buckets int) {
	if n == 0 {
		return 0, 16
	}
	buckets = 16
	for n > buckets/4*3 && buckets < 1<<30 {
		buckets *= 2
	}
	return buckets / 4 * 3, buckets
}

// appendClass appends a class description without annotations or a serialisable
// superclass. Each field is its type letter and its name.
func appendClass(b []byte, name string, uid uint64, flags byte, fields ...string) []byte {
	b = append(b, tcClassDesc)
	b = appendUTF(b, name)
	b = binary.BigEndian.AppendUint64(b, uid)
	b = append(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)))
	for _, f := range fields {
		b = append(b, f[0])
		b = appendUTF(b, f[1:])
	}
	return append(b, tcEndBlockData, tcNull)
}

func appendUTF(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// CorruptError says that bytes are not a serialised HashMap<byte[], byte[]>, and
// from where on.
type CorruptError struct {
	Offset int // in bytes, counted from 0
	Msg    string
}

// Error returns the place and the message.
func (e *CorruptError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Msg) }

// Decode returns the entries of a file's bytes, in the order of the file; none
// for no bytes. Its error is a [*CorruptError].
func Decode(text []byte) ([]Entry, error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := &decoder{text: text}
	entries := d.file()
	if d.err != nil {
		return nil, d.err
	}
	return entries, nil
}

// decoder reads on until the first error, which it keeps; from then on it returns
// zeros.
type decoder struct {
	text []byte
	pos  int
	err  *CorruptError

	arrayClassRead bool
	arrays         [][]byte // by handle, from firstArrayHandle
}

func (d *decoder) fail(offset int, format string, args ...any) {
	if d.err == nil {
		d.err = &CorruptError{offset, fmt.Sprintf(format, args...)}
	}
}

func (d *decoder) file() []Entry {
	if d.uint(2) != streamMagic {
		d.fail(0, "not a Java serialisation stream")
	}
	d.expect(2, streamVersion, "a stream of version 5")
	d.expect(1, tcObject, "an object")
	d.class(mapClass, mapUID, mapFlags, "FloadFactor", "Ithreshold")
	at := d.pos
	if load := math.Float32frombits(uint32(d.uint(4))); d.err == nil && !(load > 0) {
		d.fail(at, "illegal load factor %v", load)
	}
	d.uint(4) // threshold: Java computes it anew
	d.expect(1, tcBlockData, "the map's size")
	d.expect(1, 8, "the map's size")
	d.uint(4) // buckets: likewise
	at = d.pos
	size := int32(d.uint(4))
	if size < 0 {
		d.fail(at, "illegal number of entries %d", size)
	}
	var entries []Entry
	for range size {
		e := Entry{d.array(), d.array()}
		if d.err != nil {
			return nil
		}
		entries = append(entries, e)
	}
	d.expect(1, tcEndBlockData, "the end of the map")
	if d.err == nil && d.pos != len(d.text) {
		d.fail(d.pos, "%d bytes after the end of the map", len(d.text)-d.pos)
	}
	return entries
}

// array reads a byte array or null.
func (d *decoder) array() []byte {
	at := d.pos
	switch tag := d.uint(1); tag {
	case tcNull:
		return nil
	case tcReference:
		handle := d.uint(4)
		if handle < firstArrayHandle || handle-firstArrayHandle >= uint64(len(d.arrays)) {
			d.fail(at, "a reference to something that is not a byte array")
			return nil
		}
		return d.arrays[handle-firstArrayHandle]
	case tcArray:
		d.arrayType()
		at := d.pos
		size := int32(d.uint(4))
		if d.err == nil && (size < 0 || int(size) > len(d.text)-d.pos) {
			d.fail(at, "a byte array of %d bytes, where %d are left", size, len(d.text)-d.pos)
		}
		bytes := append([]byte{}, d.bytes(int(size))...)
		d.arrays = append(d.arrays, bytes)
		return bytes
	default:
		d.fail(at, "expected a byte array or null, found 0x%02x", tag)
		return nil
	}
}

// arrayType reads the class of an array: spelt out the first time, by reference
// afterwards.
func (d *decoder) arrayType() {
	at := d.pos
	if d.arrayClassRead {
		d.expect(1, tcReference, "the class of a byte array")
		if d.uint(4) != arrayClassHandle {
			d.fail(at, "an array that is not of bytes")
		}
		return
	}
	d.class(arrayClass, arrayUID, arrayFlags)
	d.arrayClassRead = true
}

func (d *decoder) class(name string, uid uint64, flags uint64, fields ...string) {
	d.expect(1, tcClassDesc, "a class")
	at := d.pos
	if got := d.utf(); got != name {
		d.fail(at, "expected class %s, found %q", name, got)
	}
	d.expect(8, uid, "version "+fmt.Sprintf("%#x", uid)+" of "+name)
	d.expect(1, flags, "the flags of "+name)
	d.expect(2, uint64(len(fields)), "the fields of "+name)
	for _, f := range fields {
		at := d.pos
		if got := string(d.bytes(1)) + d.utf(); got != f {
			d.fail(at, "expected field %s of %s, found %q", f[1:], name, got)
		}
	}
	d.expect(1, tcEndBlockData, "the end of "+name)
	d.expect(1, tcNull, "no superclass of "+name)
}

func (d *decoder) expect(n int, want uint64, what string) {
	at := d.pos
	if got := d.uint(n); got != want {
		d.fail(at, "expected %s (%#x), found %#x", what, want, got)
	}
}

func (d *decoder) utf() string { return string(d.bytes(int(d.uint(2)))) }

// uint reads an unsigned number of n bytes.
func (d *decoder) uint(n int) (v uint64) {
	for _, c := range d.bytes(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (d *decoder) bytes(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.text)-d.pos {
		d.fail(len(d.text), "the file is cut off")
		return nil
	}
	d.pos += n
	return d.text[d.pos-n : d.pos]
}
