package remote

import "context"

// Gate bounds how many requests of several fetches run at a time, and with that
// how much of what they bring is in memory. Who has waited longest goes first, so
// a small fetch is not held up by all of a large one.
type Gate struct{ slots chan struct{} }

// NewGate lets n requests pass at a time.
func NewGate(n int) *Gate { return &Gate{make(chan struct{}, n)} }

func (g *Gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *Gate) leave() { <-g.slots }
