package codec

import "testing"

// TestBufferExpects: the room for a batch is by the number of its records, so that a
// converter that sees a record now and then holds little, and one under load makes few
// chunks.
func TestBufferExpects(t *testing.T) {
	keep := func(b *Buffer, n int) {
		out := append(b.Next(), make([]byte, n)...)
		b.Keep(out)
	}
	var b Buffer
	b.Expect(1)
	if got := cap(b.Next()); got != 1<<10 {
		t.Errorf("%d bytes for one record", got)
	}
	keep(&b, 100)
	b.Expect(2000)
	if got := cap(b.Next()); got != 64<<10 {
		t.Errorf("%d bytes for many records", got)
	}
	keep(&b, 60<<10)
	b.Expect(1) // what is left will do
	if got := cap(b.Next()); got != 4<<10 {
		t.Errorf("%d bytes, want the rest of the chunk", got)
	}
	// A rest that the next records do not fit into is not kept: each would have memory
	// of its own.
	b.Expect(2000)
	if got := cap(b.Next()); got != 64<<10 {
		t.Errorf("%d bytes, want a new chunk", got)
	}
	keep(&b, 63<<10)
	keep(&b, 2<<10) // longer than the rest: it has memory of its own
	if got := cap(b.Next()); got != 64<<10 {
		t.Errorf("%d bytes, want a new chunk: the next record is as long", got)
	}
	keep(&b, 63<<10)
	keep(&b, 60<<10) // no reason to give anything up: a new chunk would be too small as well
	if got := cap(b.Next()); got != 1<<10 {
		t.Errorf("%d bytes, want the rest of the chunk", got)
	}
	if got := cap(new(Buffer).Next()); got != 64<<10 {
		t.Errorf("%d bytes without a word", got)
	}
}
