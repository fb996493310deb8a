package upload

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"sandbox/repo"
)

const (
	parallel = 4  // packs on their way at once
	wide     = 16 // requests for small things at once, which are mostly waiting
	tries    = 6  // of one request
)

// perform does what a plan says.
func (p *Place) perform(ctx context.Context, wanted plan) error {
	sent := p.meter("upload", wanted.bytes)
	for i, stage := range wanted.stages {
		width := wide
		if i == stagePack {
			width = parallel
		}
		err := each(ctx, width, stage, func(ctx context.Context, s step) error {
			c, err := p.contentOf(s)
			if err != nil {
				return err
			}
			return p.put(ctx, s, c, sent)
		})
		if err != nil {
			return err
		}
	}
	return each(ctx, wide, wanted.remove, func(ctx context.Context, name string) error {
		return p.retry(ctx, func() error { return p.store.remove(ctx, name) })
	})
}

// contentOf is what a step puts. A file that is named by its hash is not read
// before it is sent.
func (p *Place) contentOf(s step) (content, error) {
	c := content{path: p.file(s.name), size: s.size}
	if isHashed(s.name) {
		d, err := repo.ParseDigest(s.name[strings.LastIndexByte(s.name, '/')+1:])
		c.sum = d
		return c, err
	}
	data, err := os.ReadFile(c.path)
	if err != nil {
		return c, err
	}
	return bytesOf(data), nil
}

// put puts one file, and tries again what may pass. When the answer to one try
// was lost the next finds the condition not met any more, by our own doing: what
// counts is what is there.
func (p *Place) put(ctx context.Context, s step, c content, sent func(int64)) error {
	err := p.retry(ctx, func() error { return p.store.put(ctx, s.name, c, s.when, sent) })
	if errors.Is(err, errCondition) && p.holds(ctx, s.name, c) {
		return nil
	}
	return err
}

// holds reports whether the server has this content under that name.
func (p *Place) holds(ctx context.Context, name string, c content) bool {
	same := false
	p.retry(ctx, func() error {
		body, _, err := p.store.get(ctx, name)
		if err != nil {
			return err
		}
		defer body.Close()
		h := sha256.New()
		_, err = io.Copy(h, io.LimitReader(body, c.size+1))
		same = err == nil && repo.Digest(h.Sum(nil)) == c.sum
		return err
	})
	return same
}

// retry runs do until it succeeds, fails for good, or has failed too often.
func (p *Place) retry(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || !errors.Is(err, errPassing) || try == tries {
			return err
		}
		if e := pause(ctx, p.backoff, try); e != nil {
			return e
		}
	}
}

// pause waits before the next try: twice as long each time, and not as long as
// others who wait for the same.
func pause(ctx context.Context, backoff time.Duration, try int) error {
	d := min(backoff<<(try-1), 30*time.Second)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d/2 + rand.N(d/2+1)):
		return nil
	}
}

// each runs do for all of a list, width at once, and returns the first error. The
// others are given up then.
func each[T any](ctx context.Context, width int, all []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(width, len(all)) {
		wg.Go(func() {
			for one := range next {
				if err := do(ctx, one); err != nil {
					cancel(failure{err})
					return
				}
			}
		})
	}
feed:
	for _, one := range all {
		select {
		case next <- one:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	if f, ok := context.Cause(ctx).(failure); ok {
		return f.error
	}
	return context.Cause(ctx)
}

// failure is the first error of each, and not that of somebody's context.
type failure struct{ error }
