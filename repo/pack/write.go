package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	goruntime "runtime"
	"sync"

	"sandbox/repo"
)

// A Pack is one finished pack. Pack is 0 in all of its frames.
type Pack struct {
	repo.PackInfo
	Frames []repo.Frame
}

// Write packs objects in the order given, which is best the order of their
// paths. No digest may be there twice. For each pack, create(i) gives the
// writer it goes to, after the pack before is complete; naming and syncing the
// files is up to the caller, once Write has returned without an error.
//
// Without objects there are no packs.
func Write(ctx context.Context, objects []Object, create func(i int) (io.Writer, error)) ([]Pack, error) {
	frames, err := plan(objects)
	if err != nil {
		return nil, err
	}
	w := &writer{objects: objects, frames: frames, create: create}
	if err := w.run(ctx, goruntime.GOMAXPROCS(0)); err != nil {
		return nil, fmt.Errorf("cannot write a pack: %w", err)
	}
	return w.packs, nil
}

type writer struct {
	objects []Object
	frames  []frame
	create  func(i int) (io.Writer, error)

	packs []Pack
	out   io.Writer
	sum   hash.Hash
}

// maxInFlight bounds the bytes of frames between reading and writing.
const maxInFlight = 4 * large

// partsOfFiles are buffers for what is read in order.
var partsOfFiles sync.Pool

func takePart(size int64) []byte {
	if b, ok := partsOfFiles.Get().(*[large]byte); ok {
		return b[:size]
	}
	return new([large]byte)[:size]
}

func givePart(b []byte) { partsOfFiles.Put((*[large]byte)(b[:large])) }

// A job is a frame on its way: done gives what is to be written.
type job struct {
	f    *frame
	data []byte // of a part: its bytes, from takePart
	done chan result
}

type result struct {
	packed *bytes.Buffer
	err    error
}

// run has one goroutine that reads what must be read in order, some that
// compress, and writes what comes out in the order of the plan.
func (w *writer) run(parent context.Context, workers int) error {
	ctx, cancel := context.WithCancelCause(parent)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)

	room := newBudget(maxInFlight)
	stop := context.AfterFunc(ctx, room.close)
	defer stop()
	todo := make(chan *job)
	order := make(chan *job, 4096)
	wg.Go(func() {
		defer close(order)
		defer close(todo)
		if err := w.feed(ctx, room, todo, order); err != nil {
			cancel(err)
		}
	})
	for range workers {
		wg.Go(func() {
			if err := w.work(ctx, todo); err != nil {
				cancel(err)
			}
		})
	}
	for j := range order {
		var r result
		select {
		case r = <-j.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if r.err == nil {
			r.err = w.write(j.f, r.packed.Bytes())
			buffers.Put(r.packed)
		}
		if r.err != nil {
			return r.err
		}
		room.give(j.f.size)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w.finish()
	return nil
}

// feed hands out the frames. The parts of one object are read here, one after
// the other, because its digest can only be computed in order.
func (w *writer) feed(ctx context.Context, room *budget, todo, order chan<- *job) error {
	var in io.ReadCloser
	var sum *check
	defer func() {
		if in != nil {
			in.Close()
		}
	}()
	for i := range w.frames {
		j := &job{f: &w.frames[i], done: make(chan result, 1)}
		if !room.take(j.f.size) {
			return context.Cause(ctx)
		}
		if j.f.parts > 0 {
			o := &w.objects[j.f.objects[0]]
			if j.f.part == 1 {
				var err error
				if in, err = o.Open(); err != nil {
					return err
				}
				sum = newCheck(o)
			}
			j.data = takePart(j.f.size)
			if _, err := io.ReadFull(io.TeeReader(in, sum), j.data); err != nil {
				return fmt.Errorf("object %s: %w", o.Digest.Short(), err)
			}
			if j.f.part == j.f.parts {
				if err := sum.done(in); err != nil {
					return err
				}
				in.Close()
				in = nil
			}
		}
		for _, c := range []chan<- *job{order, todo} {
			select {
			case c <- j:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (w *writer) work(ctx context.Context, todo <-chan *job) error {
	c, err := newCompressor()
	if err != nil {
		return err
	}
	defer c.z.Close()
	for j := range todo {
		if ctx.Err() != nil {
			return nil
		}
		var r result
		if j.f.parts > 0 {
			r.packed, r.err = c.part(j.data)
			givePart(j.data)
		} else {
			r.packed, r.err = c.whole(j.f, w.objects)
		}
		j.done <- r
	}
	return nil
}

// write appends a frame to the pack, or to a new one when this is full. The
// parts of an object stay together.
func (w *writer) write(f *frame, packed []byte) error {
	if len(w.packs) == 0 || f.part <= 1 && w.packs[len(w.packs)-1].Length >= Split {
		w.finish()
		var err error
		if w.out, err = w.create(len(w.packs)); err != nil {
			return err
		}
		w.packs = append(w.packs, Pack{})
		w.sum = sha256.New()
	}
	p := &w.packs[len(w.packs)-1]
	if _, err := w.out.Write(packed); err != nil {
		return err
	}
	w.sum.Write(packed)
	p.Frames = append(p.Frames, repo.Frame{Offset: p.Length, CLen: int64(len(packed)), ULen: f.size, Objects: f.pieces(w.objects)})
	p.Length += int64(len(packed))
	return nil
}

func (w *writer) finish() {
	if n := len(w.packs); n > 0 {
		w.packs[n-1].Digest = repo.Digest(w.sum.Sum(nil))
	}
}
