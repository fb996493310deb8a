package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// progressBytes is what a connection must bring before the count of failures
// starts anew: else a server could break off after each byte for ever.
const progressBytes = 64 << 10

// resumed is a stream that outlives broken connections.
type resumed struct {
	s         *httpSource
	ctx       context.Context
	path      string
	next, end int64 // end -1: as far as the file goes
	body      *answer
	left      int64 // of this body, after which the file's end is believed; -1: not known
	since     int64 // bytes since the last failure that counted
	failures  int
}

func (s *httpSource) Open(ctx context.Context, path string, off, n int64) (*Body, error) {
	if off < 0 || n <= 0 || off > off+n {
		return nil, fmt.Errorf("internal error: a part of %d bytes from %d", n, off)
	}
	r := &resumed{s: s, ctx: ctx, path: path, next: off, end: off + n}
	for {
		body, err := s.get(ctx, path, off, n)
		if err == nil {
			r.use(body)
			break
		}
		if err := r.failed(err); err != nil {
			return nil, err
		}
	}
	if r.body.whole {
		r.next, r.end = 0, -1
	}
	return &Body{ReadCloser: r, Whole: r.body.whole}, nil
}

func (r *resumed) use(a *answer) { r.body, r.left = a, a.length }

func (r *resumed) Read(b []byte) (int, error) {
	for {
		if r.end >= 0 {
			if r.next >= r.end {
				return 0, io.EOF
			}
			b = b[:min(int64(len(b)), r.end-r.next)]
		}
		n, err := r.body.Read(b)
		r.next += int64(n)
		r.since += int64(n)
		if r.left >= 0 {
			r.left -= int64(n)
		}
		if n > 0 || err == nil {
			return n, nil // an error comes again with the next call
		}
		if err == io.EOF && r.end < 0 && r.left <= 0 {
			return 0, io.EOF
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err := r.again(err); err != nil {
			return 0, err
		}
	}
}

// again replaces a broken body by one that goes on where it ended.
func (r *resumed) again(err error) error {
	r.body.Close()
	for {
		if err := r.failed(err); err != nil {
			return err
		}
		var body *answer
		if body, err = r.restart(); err == nil {
			r.use(body)
			return nil
		}
	}
}

func (r *resumed) restart() (*answer, error) {
	if r.end < 0 { // the server knows no ranges
		body, err := r.s.get(r.ctx, r.path, -1, 0)
		if err != nil {
			return nil, err
		}
		return r.skip(body, r.next)
	}
	body, err := r.s.get(r.ctx, r.path, r.next, r.end-r.next)
	if err != nil || !body.whole {
		return body, err
	}
	return r.skip(body, r.next)
}

// skip reads over what has been delivered before.
func (r *resumed) skip(body *answer, n int64) (*answer, error) {
	if got, err := io.CopyN(io.Discard, body, n); err != nil {
		body.Close()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("after %d bytes: %w", got, err)
	}
	if body.length >= 0 {
		body.length -= n
	}
	return body, nil
}

// failed counts a failure and waits before the next attempt; the error it
// returns is final.
func (r *resumed) failed(err error) error {
	if r.since >= progressBytes {
		r.failures = 0
	}
	r.since = 0
	r.failures++
	if !transient(err) || r.failures > r.s.pace.Retries || pause(r.ctx, r.s.pace.Backoff<<min(r.failures-1, 5)) != nil {
		return r.s.explain(r.path, err)
	}
	return nil
}

func (r *resumed) Close() error { return r.body.Close() }
