package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sandbox/repo"
	"sandbox/repo/installed"
)

// Damage is one thing that is not as it was installed.
type Damage struct {
	Ref     repo.Ref    `json:"ref"`  // zero: of a content alone
	N       uint64      `json:"n"`    // the release
	Path    string      `json:"path"` // in the release's directory; empty: the release as a whole
	Object  repo.Digest `json:"object"`
	Problem string      `json:"problem"`
}

func (d Damage) String() string {
	switch {
	case d.Ref.IsZero():
		return fmt.Sprintf("content %s: %s", d.Object.Short(), d.Problem)
	case d.Path == "":
		return fmt.Sprintf("%s: %s", d.Ref.At(d.N), d.Problem)
	}
	return fmt.Sprintf("%s: %s: %s", d.Ref.At(d.N), d.Path, d.Problem)
}

// VerifyOptions narrow a verification down, and watch it.
type VerifyOptions struct {
	Refs     []repo.Ref              // these alone, and no contents that they do not use; empty: everything
	Progress func(done, total int64) // bytes read
}

// Verify reads everything again: each content, and the type, mode and content of
// every name of every release that lies here, and looks for names that do not
// belong. Nothing is changed. The error is of the verification itself.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) ([]Damage, error) {
	v := &verifier{s: s, files: map[inode]*claimed{}}
	if err := v.releases(o.Refs); err != nil {
		return nil, fmt.Errorf("cannot verify the store: %w", err)
	}
	if len(o.Refs) == 0 {
		if err := v.contents(); err != nil {
			return nil, fmt.Errorf("cannot verify the store: %w", err)
		}
	}
	if err := v.read(ctx, o.Progress); err != nil {
		return nil, err
	}
	slices.SortStableFunc(v.found, func(a, b Damage) int { return strings.Compare(a.String(), b.String()) })
	return v.found, nil
}

type verifier struct {
	s     *Store
	files map[inode]*claimed
	order []*claimed
	mu    sync.Mutex // guards found while files are read
	found []Damage
}

// claimed is one file on the disk, which is read once, and all that is said of it.
type claimed struct {
	name   string // below the store
	size   int64
	claims []claim
}

type claim struct {
	want repo.Digest
	size int64
	tell Damage
}

func (v *verifier) damage(d Damage, format string, args ...any) {
	d.Problem = fmt.Sprintf(format, args...)
	v.found = append(v.found, d)
}

func (v *verifier) claim(name string, st *unix.Stat_t, want repo.Digest, size int64, tell Damage) {
	id := inode{st.Dev, st.Ino}
	f := v.files[id]
	if f == nil {
		f = &claimed{name: name, size: st.Size}
		v.files[id] = f
		v.order = append(v.order, f)
	}
	f.claims = append(f.claims, claim{want, size, tell})
}

func (v *verifier) releases(only []repo.Ref) error {
	refs, err := v.s.refs()
	if err != nil {
		return err
	}
	for _, r := range refs {
		if len(only) > 0 && !slices.Contains(only, r) {
			continue
		}
		if err := v.ref(r); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) ref(r repo.Ref) error {
	found, err := v.s.deployed(r)
	if err != nil {
		return err
	}
	current, err := v.s.current(r)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.damage(Damage{Ref: r}, "what is current cannot be told: %v", err)
	}
	whole := false
	for _, d := range found {
		rec, err := v.s.readRecord(r, d)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nobody's: gc takes it
		}
		at := Damage{Ref: r, N: d.N}
		whole = whole || d == current
		if err != nil {
			v.damage(at, "its record cannot be read: %v", err)
			continue
		}
		if err := v.release(at, rec); err != nil {
			return err
		}
	}
	if !whole && current.N != 0 {
		v.damage(Damage{Ref: r, N: current.N}, "it is current and has no record")
	}
	return nil
}

// contents are claimed to be what their names say.
func (v *verifier) contents() error {
	return v.s.eachObject(func(o object) error {
		at := Damage{Object: o.d}
		switch {
		case o.mode&unix.S_IFMT != unix.S_IFREG:
			v.damage(at, "it is no file")
		case o.mode&0o7777 != mode(o.exec):
			v.damage(at, "its mode is %#o, not %#o", o.mode&0o7777, mode(o.exec))
		default:
			st := unix.Stat_t{Dev: o.ino.dev, Ino: o.ino.ino, Size: o.size}
			v.claim(o.name, &st, o.d, o.size, at)
		}
		return nil
	})
}

// read reads every file once, two at a time, and compares.
func (v *verifier) read(ctx context.Context, progress func(done, total int64)) error {
	total, done := int64(0), int64(0)
	for _, f := range v.order {
		total += f.size
	}
	next := make(chan *claimed)
	var wg sync.WaitGroup
	for range min(goruntime.GOMAXPROCS(0), 4) {
		wg.Go(func() {
			for f := range next {
				bad := v.s.compare(f)
				v.mu.Lock()
				v.found = append(v.found, bad...)
				if done += f.size; progress != nil {
					progress(done, total)
				}
				v.mu.Unlock()
			}
		})
	}
	for _, f := range v.order {
		if ctx.Err() != nil {
			break
		}
		next <- f
	}
	close(next)
	wg.Wait()
	return ctx.Err()
}

// compare reads one file and returns the claims that are wrong.
func (s *Store) compare(f *claimed) (bad []Damage) {
	var d repo.Digest
	var size int64
	fd, err := installed.Beneath(s.fd, f.name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err == nil {
		file := os.NewFile(uintptr(fd), f.name)
		d, size, err = digestOf(file)
		file.Close()
	}
	for _, c := range f.claims {
		switch {
		case err != nil:
			c.tell.Problem = fmt.Sprintf("it cannot be read: %v", err)
		case d != c.want || size != c.size:
			c.tell.Problem = "its content has changed"
		default:
			continue
		}
		bad = append(bad, c.tell)
	}
	return bad
}
