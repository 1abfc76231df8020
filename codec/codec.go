// Package codec turns record keys, values and headers into bytes and back: the
// contracts of converters, and the converters that need no library. It imports
// codec/data, codec/configdef and codec/javatext.
package codec

import (
	"context"
	"unsafe"

	"github.com/troupeio/troupe/codec/data"
)

// Converter turns one side of a record (its key or its value) into bytes and
// back: the counterpart of org.apache.kafka.connect.storage.Converter.
//
// A Converter belongs to one stage of one task and is called by one goroutine at
// a time. Its errors are about the record ([data.Error]) unless they wrap an
// error that says otherwise.
type Converter interface {
	// FromConnect returns the bytes of v under schema s (nil: schemaless); nil
	// bytes stand for null. It may append to dst, whose contents are not its own,
	// and return what it appended, or return bytes that v holds anyway: the
	// caller must not write to the result.
	FromConnect(topic string, s *data.Schema, v data.Value, dst []byte) ([]byte, error)

	// ToConnect is the inverse. nil bytes are null. The result may share b, which
	// the caller does not write afterwards.
	ToConnect(topic string, b []byte) (*data.Schema, data.Value, error)
}

// Bound is a [Converter] that asks somebody outside about records, such as a schema
// registry. Whoever made it calls Bind once, before the first record: when ctx ends,
// the converter gives up what it waits for, with ctx's error, and closes its
// connections. A converter that is never bound opens none before its first record.
type Bound interface {
	Bind(ctx context.Context)
}

// HeaderConverter does for headers what [Converter] does for keys and values:
// the counterpart of org.apache.kafka.connect.storage.HeaderConverter.
type HeaderConverter interface {
	FromConnectHeader(topic, key string, s *data.Schema, v data.Value) ([]byte, error)
	ToConnectHeader(topic, key string, b []byte) (*data.Schema, data.Value, error)
}

// Buffer hands out room for the bytes of a batch's records, so that they cost
// one allocation a chunk and not one a record. It is not safe for concurrent
// use. What it handed out stays valid for as long as it is referenced.
type Buffer struct {
	free  []byte // empty, with the room that is left as its capacity
	chunk int    // size of the next chunk, bytes; maxChunk when 0
}

// Sizes of chunks, bytes.
const (
	recordRoom = 1 << 10 // for each record, while they are few
	maxChunk   = 64 << 10
)

// Expect says how many records the next batch has: for a few, as of the many
// connectors that see a record now and then, a small chunk will do. What is left of a
// chunk and is little beside the next one is given up.
func (b *Buffer) Expect(records int) {
	b.chunk = min(max(1, records)*recordRoom, maxChunk)
	if cap(b.free) < b.chunk/4 {
		b.free = nil
	}
}

// Next returns an empty slice with room for at least a small record. Append to
// it, then tell [Buffer.Keep].
func (b *Buffer) Next() []byte {
	if cap(b.free) < 256 {
		n := b.chunk
		if n == 0 {
			n = maxChunk
		}
		b.free = make([]byte, 0, n)
	}
	return b.free
}

// Keep takes note of how much of the room that Next gave out holds a record now.
// Bytes that come from elsewhere are none of its business.
func (b *Buffer) Keep(out []byte) {
	if len(out) == 0 {
		return
	}
	if unsafe.SliceData(out) != unsafe.SliceData(b.free[:cap(b.free)]) {
		// It may have outgrown the rest of the chunk. Those that follow are as long as a
		// rule, and each would have memory of its own.
		if len(out) > cap(b.free) && len(out) < maxChunk/8 {
			b.free = nil
		}
		return
	}
	b.free = b.free[len(out):len(out):cap(b.free)]
}
