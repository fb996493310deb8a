package remote

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sandbox/repo"
)

// Handler takes the frames of one object that is spread over several, or a
// single frame. Frame gives their packed bytes, in their order, each once. It is
// called by several goroutines at a time.
type Handler func(ctx context.Context, frames []int, frame func(i int) io.Reader) error

// FetchOptions say how frames are fetched.
type FetchOptions struct {
	Parallel int         // requests at a time; 4 where it is 0
	Gate     *Gate       // shared with other fetches that run meanwhile; may be nil
	Progress func(n int) // packed bytes that came; may be called by several goroutines
	Passed   func(n int) // bytes that came unasked, from a server that sends files only whole; likewise
	Keep     KeepFunc    // keeps what comes of a large object; nil: nothing is
	KeepFrom int64       // bytes; as Spans was told
	Resumed  func(n int) // bytes that need not come, since they were kept
	// Vain takes back what Resumed and Progress have told, since it must come anew.
	Vain func(resumed, came int)
}

// FetchFrames brings what the spans name and hands it to handle. With the first
// error the rest is given up.
func FetchFrames(ctx context.Context, src Source, l *repo.Locator, spans []Span, opt FetchOptions, handle Handler) error {
	if len(spans) == 0 {
		return nil
	}
	if opt.Parallel <= 0 {
		opt.Parallel = 4
	}
	if opt.Gate == nil {
		opt.Gate = NewGate(opt.Parallel)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &frames{src, l, opt, handle}

	// The first answer tells whether the server knows ranges. Without them one
	// stream of each pack has to do.
	if err := opt.Gate.enter(ctx); err != nil {
		return err
	}
	first, err := f.open(ctx, spans[0])
	if err != nil {
		opt.Gate.leave()
		return err
	}
	if first.Whole {
		spans = whole(spans)
	}
	work := make(chan Span)
	done := make(chan error, opt.Parallel)
	go func() { done <- f.serve(ctx, spans[0], first, work) }()
	for range opt.Parallel - 1 {
		go func() { done <- f.serve(ctx, Span{}, nil, work) }()
	}
	go func() {
		defer close(work)
		for _, s := range spans[1:] {
			select {
			case work <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	var failure error
	for range opt.Parallel {
		if err := <-done; err != nil && failure == nil {
			failure = err
			cancel(err)
		}
	}
	if failure == nil {
		failure = context.Cause(ctx)
	}
	return failure
}

type frames struct {
	src    Source
	l      *repo.Locator
	opt    FetchOptions
	handle Handler
}

func (f *frames) path(s Span) string { return repo.PackPath(f.l.Packs[s.Pack].Digest) }

func (f *frames) open(ctx context.Context, s Span) (*Body, error) {
	open := func(skip int64) (*Body, error) { return f.src.Open(ctx, f.path(s), s.Off+skip, s.Len-skip) }
	if k := f.kept(s); k != nil {
		return keep(k, s.Len, open)
	}
	return open(0)
}

// serve handles the span of an open body, if there is one, which has passed the
// gate, and then those that come through work.
func (f *frames) serve(ctx context.Context, s Span, body *Body, work <-chan Span) error {
	if body != nil {
		err := f.span(ctx, s, body)
		f.opt.Gate.leave()
		if err != nil {
			return err
		}
	}
	for s := range work {
		if err := f.one(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (f *frames) one(ctx context.Context, s Span) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := f.opt.Gate.enter(ctx); err != nil {
		return err
	}
	defer f.opt.Gate.leave()
	body, err := f.open(ctx, s)
	if err != nil {
		return err
	}
	return f.span(ctx, s, body)
}

// span handles what a body brings. When it began with what was kept, and something
// is wrong with it, it is asked for anew.
func (f *frames) span(ctx context.Context, s Span, body *Body) error {
	had, came := body.resumed(), int64(0)
	if had > 0 && f.opt.Resumed != nil {
		f.opt.Resumed(int(had))
	}
	err := f.read(ctx, s, body, &came)
	if err == nil || had == 0 || !body.kept.dropped || !spoilt(err) {
		return err
	}
	if f.opt.Vain != nil {
		f.opt.Vain(int(had), int(came))
	}
	if body, err = f.open(ctx, s); err != nil {
		return err
	}
	return f.read(ctx, s, body, &came)
}

// read handles what a body brings and adds to came what progress was told of it.
func (f *frames) read(ctx context.Context, s Span, body *Body, came *int64) error {
	defer body.Close()
	r := &positioned{r: body, at: s.Off, told: body.resumed()}
	r.progress = func(n int) {
		*came += int64(n)
		if f.opt.Progress != nil {
			f.opt.Progress(n)
		}
	}
	if body.Whole {
		r.at, r.passed = 0, f.opt.Passed
	}
	for rest := s.Frames; len(rest) > 0; {
		var now []int
		now, rest = group(f.l, rest)
		err := f.handle(ctx, now, func(i int) io.Reader { return r.part(f.l.Frames[i].Offset, f.l.Frames[i].CLen) })
		if r.err != nil { // the transfer's own words say more than what became of it
			if errors.Is(r.err, errKept) {
				body.settle(true)
			}
			return r.err
		}
		if err != nil {
			body.settle(ctx.Err() == nil)
			return fmt.Errorf("cannot use %s: %w", f.path(s), err)
		}
	}
	body.settle(true)
	return nil
}

// positioned reads parts of a stream in the order of their offsets.
type positioned struct {
	r        io.Reader
	at       int64
	err      error // of the stream
	progress func(int)
	told     int64     // bytes to come of which progress need not be told
	passed   func(int) // nil where what lies between the parts was asked for
}

// Write lets bytes pass that nobody wants.
func (p *positioned) Write(b []byte) (int, error) {
	if p.passed != nil {
		p.passed(len(b))
	}
	return len(b), nil
}

func (p *positioned) part(off, n int64) io.Reader { return &part{p, off, off + n} }

type part struct {
	*positioned
	off, end int64
}

func (p *part) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.at < p.off {
		n, err := io.CopyN(p.positioned, p.r, p.off-p.at)
		if p.at += n; err != nil {
			return 0, p.fail(err)
		}
	}
	if p.at < p.off || p.at > p.end {
		return 0, errors.New("internal error: a frame out of order")
	}
	if p.at == p.end {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.end-p.at)])
	p.at += int64(n)
	fresh := int64(n) - min(p.told, int64(n))
	p.told -= int64(n) - fresh
	if fresh > 0 {
		p.progress(int(fresh))
	}
	if err != nil && p.at < p.end {
		return n, p.fail(err)
	}
	return n, nil
}

// fail keeps the error of the stream. Its end is one: a frame is missing.
func (p *part) fail(err error) error {
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server's file is shorter than it must be: %w", io.ErrUnexpectedEOF)
	}
	p.err = err
	return err
}
