package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sandbox/repo"
	"sandbox/repo/pack"
)

// packMissing compresses what the repository lacks of the jobs' objects, each
// once, and adds it to x.
func (r *Repository) packMissing(ctx context.Context, x *index, jobs []*job) error {
	var objects []pack.Object
	var done, total atomic.Int64
	seen := map[repo.Digest]bool{}
	for _, j := range jobs {
		for _, e := range j.tree.Entries {
			if _, known := x.objects[e.Object]; known || e.Object.IsZero() || seen[e.Object] {
				continue
			}
			seen[e.Object] = true
			j.out.Objects++
			j.out.Packed += e.Size
			total.Add(e.Size)
			name := filepath.Join(j.dir, filepath.FromSlash(e.Path))
			objects = append(objects, pack.Object{Digest: e.Object, Size: e.Size, Open: func() (io.ReadCloser, error) {
				f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
				if err != nil {
					return nil, err
				}
				r.tell("packing", string(j.tree.ID), done.Add(e.Size), total.Load())
				return f, nil
			}})
		}
	}
	return r.writePacks(ctx, x, objects)
}

// writePacks packs objects and adds them to x. Nothing is left of packs that
// were not finished.
func (r *Repository) writePacks(ctx context.Context, x *index, objects []pack.Object) error {
	var files []*os.File
	discard := func() {
		for _, f := range files {
			f.Close()
			os.Remove(f.Name())
		}
	}
	packs, err := pack.Write(ctx, objects, func(int) (io.Writer, error) {
		f, err := r.tempPack()
		if err == nil {
			files = append(files, f)
		}
		return f, err
	})
	if err != nil {
		discard()
		return err
	}
	for i, p := range packs {
		if err := r.placePack(files[i], p.PackInfo); err != nil {
			discard()
			return err
		}
		x.add([]repo.PackInfo{p.PackInfo}, p.Frames)
	}
	return nil
}

func (r *Repository) tempPack() (*os.File, error) {
	dir := r.path("pack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, tempPrefix+"*")
}

// placePack gives a finished pack its name. One that is there already has the
// same bytes, or was damaged and is replaced.
func (r *Repository) placePack(f *os.File, p repo.PackInfo) error {
	target := r.path(repo.PackPath(p.Digest))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if st, err := f.Stat(); err != nil || st.Size() != p.Length {
		return errors.Join(err, fmt.Errorf("internal error: pack %s is not of %d bytes", p.Digest.Short(), p.Length))
	}
	return r.place("pack", f, target, nil)
}
