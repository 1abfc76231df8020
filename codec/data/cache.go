package data

// SchemaCache keeps what was derived from a schema, at most a given number of
// entries. A schema that is met again by its pointer costs one comparison; an
// equal schema behind another pointer finds the same entry.
//
// It is not safe for concurrent use: each stage has its own.
type SchemaCache[T any] struct {
	max   int
	last  *Schema
	lastV T
	byPtr map[*Schema]T
	byVal map[uint64][]cached[T]
	size  int
}

type cached[T any] struct {
	s *Schema
	v T
}

// NewSchemaCache returns a cache of at most max schemas (at least one). When it
// is full it starts anew, which is simple and, for the handful of schemas that a
// topic has, as good as an LRU.
func NewSchemaCache[T any](max int) *SchemaCache[T] {
	c := &SchemaCache[T]{max: max1(max)}
	c.reset()
	return c
}

func max1(n int) int {
	if n < 1 {
		return 1
	}
	return n
}

func (c *SchemaCache[T]) reset() {
	c.byPtr = make(map[*Schema]T)
	c.byVal = make(map[uint64][]cached[T])
	c.size = 0
}

// Get returns what is kept for s, if anything.
func (c *SchemaCache[T]) Get(s *Schema) (v T, ok bool) {
	if s == c.last && s != nil {
		return c.lastV, true
	}
	if v, ok = c.byPtr[s]; ok {
		c.last, c.lastV = s, v
		return v, true
	}
	for _, e := range c.byVal[s.Hash()] {
		if e.s.Equal(s) {
			if len(c.byPtr) < 4*c.max {
				c.byPtr[s] = e.v
			}
			c.last, c.lastV = s, e.v
			return e.v, true
		}
	}
	return v, false
}

// Put keeps v for s.
func (c *SchemaCache[T]) Put(s *Schema, v T) {
	if c.size >= c.max {
		c.reset()
	}
	h := s.Hash()
	c.byVal[h] = append(c.byVal[h], cached[T]{s, v})
	c.byPtr[s] = v
	c.size++
	c.last, c.lastV = s, v
}
