package task

import (
	"context"
	"sync"
)

// credit is a task's byte budget. Polling and consuming go on only while some of
// it is left, so what is in flight is bounded by the budget and one batch more,
// whatever the other end does.
type credit struct {
	mu    sync.Mutex
	limit int64
	used  int64
	freed chan struct{} // closed and replaced whenever credit comes back
}

func newCredit(limit int64) *credit {
	return &credit{limit: limit, freed: make(chan struct{})}
}

// wait blocks until less than the budget is in use, or ctx is done.
func (c *credit) wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		if c.used < c.limit {
			c.mu.Unlock()
			return ctx.Err()
		}
		freed := c.freed
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-freed:
		}
	}
}

func (c *credit) take(n int64) {
	c.mu.Lock()
	c.used += n
	c.mu.Unlock()
}

func (c *credit) give(n int64) {
	c.mu.Lock()
	full := c.used >= c.limit
	c.used -= n
	if full && c.used < c.limit {
		close(c.freed)
		c.freed = make(chan struct{})
	}
	c.mu.Unlock()
}

func (c *credit) inUse() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}
