package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"

	"sandbox/repo"
	"sandbox/repo/remote"
	"sandbox/repo/store"
)

const (
	// atOnce is how many steps are fetched at a time.
	atOnce = 3
	// requests is how many are under way for all of them together. Each holds a
	// window of its frame in memory.
	requests = 4
)

// fetching brings what the steps of a plan lack, several steps at a time, in their
// order. A content that two of them lack is fetched by one.
type fetching struct {
	c      *Client
	hold   *store.Fetch // keeps what came from being cleared away
	jobs   map[*Step]*job
	gate   *remote.Gate
	came   atomic.Int64 // bytes
	cancel context.CancelCauseFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	claims map[repo.Digest]*claim
}

// job is the fetching for one step.
type job struct {
	step   *Step
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error // when done
}

// claim is what one job is fetching.
type claim struct{ settled chan struct{} }

var (
	errNoRuntime = errors.New("its runtime could not be installed")
	errMoved     = errors.New("another process has changed it meanwhile")
	errDisk      = errors.New("given up, since the disk takes no more")
)

// fetch begins.
func (c *Client) fetch(ctx context.Context, hold *store.Fetch, steps []*Step) *fetching {
	f := &fetching{c: c, hold: hold, jobs: map[*Step]*job{}, gate: remote.NewGate(requests), claims: map[repo.Digest]*claim{}}
	ctx, f.cancel = context.WithCancelCause(ctx)
	var order []*job
	for _, s := range steps {
		j := &job{step: s, done: make(chan struct{})}
		j.ctx, j.cancel = context.WithCancelCause(ctx)
		f.jobs[s] = j
		order = append(order, j)
	}
	f.ended.Go(func() {
		places := make(chan struct{}, atOnce)
		for _, j := range order {
			places <- struct{}{}
			f.ended.Go(func() {
				f.run(j)
				<-places
			})
		}
	})
	return f
}

// wait returns when all that a step needs is in the store.
func (f *fetching) wait(s *Step) error {
	j := f.jobs[s]
	if j == nil {
		return errMoved
	}
	<-j.done
	return j.err
}

// close gives up what is not done. What is complete stays, and is forced to the
// disk.
func (f *fetching) close() error {
	f.cancel(context.Canceled)
	f.ended.Wait()
	defer f.hold.End()
	for _, j := range f.jobs {
		if j.err != nil {
			return f.c.Store.Flush()
		}
	}
	return nil
}

func (f *fetching) run(j *job) {
	defer close(j.done)
	defer j.cancel(nil)
	if err := context.Cause(j.ctx); err != nil {
		j.err = err
		return
	}
	j.err = f.bring(j)
	if j.err == nil {
		return
	}
	if cause := context.Cause(j.ctx); errors.Is(cause, errNoRuntime) || errors.Is(cause, errDisk) {
		j.err = cause // not what became of the request that was given up
		return
	}
	if errors.Is(j.err, syscall.ENOSPC) || errors.Is(j.err, syscall.EDQUOT) || errors.Is(j.err, syscall.EROFS) {
		f.cancel(errDisk)
	}
	for _, other := range f.jobs {
		if !other.step.Release.Runtime.IsZero() && other.step.Release.Runtime.WithArch("") == j.step.Release.Ref.WithArch("") {
			other.cancel(errNoRuntime)
		}
	}
}

// bring puts into the store what a step lacks there: its tree, then its
// contents. What is complete stays, whatever happens to the rest.
func (f *fetching) bring(j *job) error {
	c, s := f.c, j.step
	if err := c.Store.WriteTree(s.Release.Tree, s.tree); err != nil {
		return err
	}
	t, err := repo.DecodeTree(s.tree)
	if err != nil {
		return err
	}
	l, err := repo.DecodeLocator(s.locator)
	if err != nil {
		return err
	}
	d := c.demand(t, l)
	t = nil // it may be large, and the download is long
	m := &meter{c: c, ref: s.Release.Ref, name: string(s.Release.Ref.ID), sum: &f.came}
	for len(d.wanted) > 0 {
		mine, others, wait := f.share(&d)
		err := c.contents(j.ctx, s.Origin.src, d, m, f.gate)
		f.settle(mine)
		if err != nil {
			return err
		}
		for _, o := range wait {
			select {
			case <-o.settled:
			case <-j.ctx.Done():
				return context.Cause(j.ctx)
			}
		}
		d = c.lacking(others, l) // what the others could not bring
	}
	return nil
}

// share claims what nobody else fetches, and leaves the rest out of the demand.
// Nobody waits for others with a claim of their own: so two never wait for each
// other.
func (f *fetching) share(d *demand) (mine *claim, others []repo.Entry, wait map[repo.Digest]*claim) {
	mine, wait = &claim{make(chan struct{})}, map[repo.Digest]*claim{}
	if len(f.jobs) == 1 {
		return mine, nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for o, e := range d.wanted {
		if other := f.claims[o]; other != nil {
			others, wait[o] = append(others, e), other
			delete(d.wanted, o)
		} else {
			f.claims[o] = mine
		}
	}
	if len(others) > 0 {
		d.choose()
	}
	return mine, others, wait
}

func (f *fetching) settle(mine *claim) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for o, by := range f.claims {
		if by == mine {
			delete(f.claims, o)
		}
	}
	close(mine.settled)
}
