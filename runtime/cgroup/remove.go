package cgroup

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Remove kills what is left in the group and removes it, so that nothing
// remains. A group that is gone already is no error.
func (g *Group) Remove(ctx context.Context) error {
	if g.populated() {
		if err := g.Kill(ctx); err != nil {
			return err
		}
	}
	if err := g.removeAll(ctx); err != nil {
		return err
	}
	g.Close()
	return nil
}

func (g *Group) removeAll(ctx context.Context) error {
	if g.plan.Unit != nil {
		return g.endScope(ctx)
	}
	return wait(ctx, func() (bool, error) {
		err := g.removeDirs()
		return err == nil, ignoreBusy(err)
	}, "remove the control group")
}

// removeDirs removes every directory, last one first.
func (g *Group) removeDirs() error {
	var first error
	for i := len(g.dirs) - 1; i >= 0; i-- {
		if err := unix.Rmdir(g.dirs[i].Path); err != nil && err != unix.ENOENT && first == nil {
			first = err
		}
	}
	return first
}

// ignoreBusy: a task that is on its way out holds its group for a moment.
func ignoreBusy(err error) error {
	if err == unix.EBUSY {
		return nil
	}
	return err
}

// wait asks done again and again, more and more seldom, until ctx ends.
func wait(ctx context.Context, done func() (bool, error), what string) error {
	pause := 100 * time.Microsecond
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("cannot %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot %s: %w", what, ctx.Err())
		case <-time.After(pause):
			pause = min(2*pause, 10*time.Millisecond)
		}
	}
}
