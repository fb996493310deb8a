package remote

import (
	"context"
	"io"
	"time"
)

// paced ends a body that brings too little. Only the time inside Read counts.
type paced struct {
	io.ReadCloser
	pace   Pace
	cancel context.CancelCauseFunc // of the request
	cause  func() error            // why it was cancelled
	timer  *time.Timer
	waited time.Duration
	got    int64
}

func newPaced(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser, pace Pace) *paced {
	p := &paced{ReadCloser: body, pace: pace, cancel: cancel, cause: func() error { return context.Cause(ctx) }}
	p.timer = time.AfterFunc(pace.Idle, func() { cancel(ErrTooSlow) })
	p.timer.Stop()
	return p
}

func (p *paced) Read(b []byte) (int, error) {
	p.timer.Reset(p.pace.Idle)
	start := time.Now()
	n, err := p.ReadCloser.Read(b)
	p.timer.Stop()
	p.waited += time.Since(start)
	p.got += int64(n)
	if err != nil && err != io.EOF {
		if cause := p.cause(); cause != nil {
			err = cause
		}
		return n, err
	}
	if err == nil && p.waited >= p.pace.Window {
		if p.got < int64(float64(p.pace.Rate)*p.waited.Seconds()) {
			p.cancel(ErrTooSlow)
			return n, ErrTooSlow
		}
		p.waited, p.got = 0, 0
	}
	return n, err
}

func (p *paced) Close() error {
	p.timer.Stop()
	err := p.ReadCloser.Close()
	p.cancel(context.Canceled)
	return err
}
