package registry

import "encoding/binary"

// HeaderSize is the length of what stands before a record in Confluent's wire
// format: a zero byte and the id of the schema, 4 bytes, the highest first.
const HeaderSize = 5

// maxIndexes bounds the path to a message in a Protobuf schema: nobody nests
// messages as deep, and a length from outside must not make us allocate.
const maxIndexes = 256

// AppendHeader appends the header of a record whose schema has that id.
func AppendHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id)) //nolint:gosec // ids are what fits the wire format
}

// Header returns the schema's id of a record and what follows the header. The
// errors are Confluent's: "Unknown magic byte!" for bytes that do not begin with
// one.
func Header(b []byte) (id int, rest []byte, err error) {
	if len(b) == 0 || b[0] != 0 {
		return 0, nil, Serialization("Unknown magic byte!", nil)
	}
	if len(b) < HeaderSize {
		return 0, nil, Serialization("Invalid payload length; it must be at least 5 bytes", nil)
	}
	return int(int32(binary.BigEndian.Uint32(b[1:]))), b[HeaderSize:], nil //nolint:gosec // Java reads an int
}

// AppendIndexes appends the path to a message in its Protobuf schema: the position
// of the outermost message in the file, then the position of each nested one in
// the one before. The first message of a file is a single zero byte.
func AppendIndexes(dst []byte, path []int) []byte {
	if len(path) == 1 && path[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(path)))
	for _, i := range path {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}

// Indexes is the inverse of [AppendIndexes]; rest is what follows.
func Indexes(b []byte) (path []int, rest []byte, err error) {
	n, size := binary.Varint(b)
	if size <= 0 || n < 0 || n > maxIndexes {
		return nil, nil, Serialization("Invalid message indexes", nil)
	}
	b = b[size:]
	if n == 0 {
		return []int{0}, b, nil
	}
	path = make([]int, n)
	for i := range path {
		v, size := binary.Varint(b)
		if size <= 0 || v < 0 || v > 1<<30 {
			return nil, nil, Serialization("Invalid message indexes", nil)
		}
		path[i], b = int(v), b[size:]
	}
	return path, b, nil
}
