package upload

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandbox/repo/publish"
)

// Adopt puts a repository that is a directory here to a place that holds nothing.
// From then on the place is the repository: what is published into the directory
// afterwards does not come along. One that was cut short goes on where it was.
func (p *Place) Adopt(ctx context.Context, dir string, o publish.Options) error {
	done, err := p.claim(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	free, err := publish.Lock(ctx, dir, o.Wait)
	if err != nil {
		return fmt.Errorf("cannot read repository %q: %w", dir, err)
	}
	defer free()
	o.ReadOnly = true
	r, err := publish.Open(ctx, dir, o)
	if err != nil {
		return err
	}
	defer r.Close()
	s := &state{known: map[string]known{}}
	if s.needed, err = r.Needed(ctx, nil); err != nil {
		return fmt.Errorf("cannot read repository %q: %w", dir, err)
	}
	if s.remote, err = p.begin(ctx, true, o.Wait); err != nil {
		return p.failed("make", err)
	}
	defer p.end(ctx)
	if err := p.take(ctx, dir, s.needed); err != nil {
		return fmt.Errorf("cannot read repository %q: %w", dir, err)
	}
	if s.local, err = p.survey(); err != nil {
		return p.failed("make", err)
	}
	if err := p.perform(ctx, makePlan(*s)); err != nil {
		return p.failed("make", err)
	}
	return p.settle()
}

// take makes a directory the working copy, but for what nobody needs.
func (p *Place) take(ctx context.Context, dir string, needed map[string]bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if stageOf(name, false) < 0 || publish.Constant(name) && !needed[name] && !isRoot(name) {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(p.file(name)), 0o700); err != nil {
			return err
		}
		if publish.Constant(name) && os.Link(path, p.file(name)) == nil {
			return nil
		}
		return copyFile(p.file(name), path)
	})
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
