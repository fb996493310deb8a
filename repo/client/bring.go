package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"sandbox/repo"
	"sandbox/repo/pack"
	"sandbox/repo/remote"
)

// contents fetches what is wanted and stores it.
func (c *Client) contents(ctx context.Context, src remote.Source, d demand, m *meter, gate *remote.Gate) error {
	if len(d.wanted) == 0 {
		return nil
	}
	opt := remote.FetchOptions{Gate: gate, Progress: m.add, Passed: m.pass, Resumed: m.resume, Vain: m.vain, KeepFrom: c.large()}
	if !remote.Local(src) {
		opt.Keep = c.keep
	}
	spans := remote.Spans(d.locator, func(i int) bool { return d.frames[i] }, opt.KeepFrom)
	m.total.Add(d.packed)
	m.show()
	w := &writer{c: c, d: d}
	return remote.FetchFrames(ctx, src, d.locator, spans, opt, w.frames)
}

// keep has what comes of a large content kept in the store.
func (c *Client) keep(pack repo.Digest, off, n int64) remote.Kept {
	if p := c.Store.Partial(pack, off, n); p != nil {
		return p
	}
	return nil
}

// meter counts what came of one thing, for people.
type meter struct {
	c     *Client
	ref   repo.Ref
	name  string
	sum   *atomic.Int64 // of all of them; may be nil
	total atomic.Int64
	done  atomic.Int64
	kept  atomic.Int64
	extra atomic.Int64
	mu    sync.Mutex // held while telling
}

func (m *meter) add(n int) {
	m.done.Add(int64(n))
	if m.sum != nil {
		m.sum.Add(int64(n))
	}
	m.due()
}

func (m *meter) resume(n int) {
	m.done.Add(int64(n))
	m.kept.Add(int64(n))
	m.due()
}

func (m *meter) vain(kept, came int) {
	m.done.Add(-int64(kept + came))
	m.kept.Add(-int64(kept))
	m.due()
}

func (m *meter) pass(n int) {
	m.extra.Add(int64(n))
	m.due()
}

func (m *meter) due() {
	if m.mu.TryLock() {
		m.show()
		m.mu.Unlock()
	}
}

func (m *meter) show() {
	m.c.tell(Event{Stage: "download", Text: m.name, Ref: m.ref, Done: m.done.Load(), Total: m.total.Load(), Kept: m.kept.Load(), Extra: m.extra.Load()})
}

// writer unpacks frames into the store.
type writer struct {
	c *Client
	d demand
}

func (w *writer) frames(ctx context.Context, frames []int, frame func(int) io.Reader) error {
	if len(frames) == 1 && w.parts(frames[0]) <= 1 {
		i := frames[0]
		return pack.Frames(ctx, frame(i), w.d.locator.Frames[i], w.piece)
	}
	return w.spread(ctx, frames, frame)
}

func (w *writer) parts(i int) int { return w.d.locator.Frames[i].Objects[0].Parts }

// piece stores an object that lies whole in its frame.
func (w *writer) piece(p repo.Piece, r io.Reader) error {
	e, ok := w.d.wanted[p.Object]
	if !ok {
		return nil // of another tree, or here already
	}
	return w.c.Store.WriteObject(e.Object, e.Size, e.Exec, r)
}

// spread stores an object whose parts are in several frames, one after the
// other through a pipe: it is never in memory as a whole.
func (w *writer) spread(ctx context.Context, frames []int, frame func(int) io.Reader) error {
	first := w.d.locator.Frames[frames[0]].Objects[0]
	e, ok := w.d.wanted[first.Object]
	if !ok || len(frames) != first.Parts {
		return errors.New("internal error: an object without all of its parts")
	}
	in, out := io.Pipe()
	stored := make(chan error, 1)
	go func() {
		err := w.c.Store.WriteObject(e.Object, e.Size, e.Exec, in)
		in.CloseWithError(err) // nobody reads any more: the unpacking must not wait
		stored <- err
	}()
	var err error
	for _, i := range frames {
		err = pack.Frames(ctx, frame(i), w.d.locator.Frames[i], func(_ repo.Piece, r io.Reader) error {
			_, err := io.Copy(out, r)
			return err
		})
		if err != nil {
			break
		}
	}
	out.CloseWithError(err) // nil is the end
	if stored := <-stored; stored != nil && err == nil {
		err = stored
	}
	return err
}
