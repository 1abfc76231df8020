package data

import "slices"

// Sizes of chunks, elements.
const (
	firstChunk = 8
	mostChunk  = 128
)

// Chunks hands out small slices to a stage that makes some for each record, so that
// they cost an allocation a chunk. Chunks begin small, as a stage may see a record
// now and then, and grow. One lives for as long as one of its slices is referenced.
// The zero value is ready; it is not safe for concurrent use.
type Chunks[E any] struct {
	left []E
	size int // of the last chunk
}

// Take returns n elements, all zero, with no room behind them.
func (c *Chunks[E]) Take(n int) []E {
	if n > len(c.left) {
		return c.refill(n)
	}
	out := c.left[:n:n]
	c.left = c.left[n:]
	return out
}

func (c *Chunks[E]) refill(n int) []E {
	if n > mostChunk/4 {
		return make([]E, n) // large enough to be worth an allocation of its own
	}
	c.size = min(max(2*c.size, firstChunk, n), mostChunk)
	chunk := slices.Grow([]E(nil), c.size)
	c.left = chunk[n:cap(chunk)] // all that the allocator gave
	return chunk[:n:n]
}
