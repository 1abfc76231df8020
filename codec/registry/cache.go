package registry

import (
	"context"
	"sync"
	"time"
)

// cache remembers answers of the registry, at most size of them; the oldest goes
// first. It asks once for what several want at the same time. A failure is not
// remembered.
type cache[V any] struct {
	size int
	ttl  time.Duration // 0 or less: for ever

	mu      sync.Mutex
	known   map[string]entry[V]
	order   []string // of the keys in known, the oldest first
	flights map[string]*flight[V]
}

type entry[V any] struct {
	value V
	until time.Time // zero: for ever
}

// flight is a question on its way.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func newCache[V any](size int, ttl time.Duration) *cache[V] {
	return &cache[V]{size: size, ttl: ttl, known: map[string]entry[V]{}, flights: map[string]*flight[V]{}}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peek(key)
}

func (c *cache[V]) peek(key string) (v V, ok bool) {
	e, ok := c.known[key]
	if !ok || !e.until.IsZero() && !time.Now().Before(e.until) {
		return v, false
	}
	return e.value, true
}

func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.known[key]; !ok {
		if len(c.order) >= c.size {
			delete(c.known, c.order[0])
			c.order = c.order[1:]
		}
		c.order = append(c.order, key)
	}
	e := entry[V]{value: v}
	if c.ttl > 0 {
		e.until = time.Now().Add(c.ttl)
	}
	c.known[key] = e
}

// ask returns what is known for key, or what fetch returns. Fetch runs in a
// goroutine that spawn owns, so that a caller who gives up takes the answer from
// nobody else.
func (c *cache[V]) ask(ctx context.Context, key string, spawn func(func(context.Context)) error, fetch func(context.Context) (V, error)) (V, error) {
	c.mu.Lock()
	if v, ok := c.peek(key); ok {
		c.mu.Unlock()
		return v, nil
	}
	f, ok := c.flights[key]
	if !ok {
		f = &flight[V]{done: make(chan struct{})}
		if err := spawn(func(ctx context.Context) {
			f.value, f.err = fetch(ctx)
			if f.err == nil {
				c.put(key, f.value)
			}
			c.mu.Lock()
			delete(c.flights, key)
			c.mu.Unlock()
			close(f.done)
		}); err != nil {
			c.mu.Unlock()
			return f.value, err
		}
		c.flights[key] = f
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}
