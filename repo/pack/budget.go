package pack

import "sync"

// A budget bounds how much is in memory at a time.
type budget struct {
	mu     sync.Mutex
	freed  *sync.Cond
	left   int64
	closed bool
}

func newBudget(n int64) *budget {
	b := &budget{left: n}
	b.freed = sync.NewCond(&b.mu)
	return b
}

// take waits until n are left; false when the budget was closed.
func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.left < n && !b.closed {
		b.freed.Wait()
	}
	b.left -= n
	return !b.closed
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
	b.freed.Broadcast()
}

// close wakes everybody who waits.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.freed.Broadcast()
}
