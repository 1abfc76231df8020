package task

import "sync"

// queue is what one goroutine hands over to another without waiting. Its length is
// bounded by the task's credit, not by room that would be there for an idle task too.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready chan struct{} // holds a token while there are items
}

func newQueue[T any]() *queue[T] { return &queue[T]{ready: make(chan struct{}, 1)} }

func (q *queue[T]) push(v T) {
	q.mu.Lock()
	q.items = append(q.items, v)
	q.mu.Unlock()
	q.signal()
}

// pop takes the oldest item. Call it after each receive from ready, from one goroutine.
func (q *queue[T]) pop() (v T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return v, false
	}
	var zero T
	v, q.items[0] = q.items[0], zero
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	} else {
		q.signal()
	}
	return v, true
}

func (q *queue[T]) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
