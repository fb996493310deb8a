package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
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

// release compares a deployed directory with its tree.
func (v *verifier) release(at Damage, rec Record) error {
	t, err := v.s.Tree(rec.Release.Tree)
	if err != nil {
		at.Object = rec.Release.Tree
		v.damage(at, "%v", err)
		return nil
	}
	name := place(rec.Release)
	if _, err := v.s.root.Lstat(name + installed.LockSuffix); err != nil {
		v.damage(at, "its lock file is missing")
	}
	fd, err := installed.Beneath(v.s.fd, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		v.damage(at, "its directory cannot be opened: %v", err)
		return nil
	}
	w := &treeWalk{v: v, at: at, name: name, want: make(map[string]*repo.Entry, len(t.Entries))}
	for i := range t.Entries {
		w.want[t.Entries[i].Path] = &t.Entries[i]
	}
	toml := &repo.Entry{Path: manifest.FileName, Type: repo.File, Object: repo.Sum(t.TOML), Size: int64(len(t.TOML))}
	w.want[toml.Path] = toml
	w.check("", fd, &repo.Entry{Type: repo.Dir})
	if err := w.dir(fd, ""); err != nil {
		return err
	}
	for p := range w.want { // what was seen is not there any more
		w.tell(p, "it is missing")
	}
	return nil
}

// treeWalk goes through a deployed directory by descriptors.
type treeWalk struct {
	v    *verifier
	at   Damage
	name string
	want map[string]*repo.Entry
}

func (w *treeWalk) tell(p, format string, args ...any) {
	d := w.at
	d.Path = p
	if e := w.want[p]; e != nil {
		d.Object = e.Object
	}
	w.v.damage(d, format, args...)
}

// dir looks at everything in an open directory, and closes it.
func (w *treeWalk) dir(fd int, p string) error {
	defer unix.Close(fd)
	names, err := installed.Names(fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		full := path.Join(p, n)
		e := w.want[full]
		if e == nil {
			w.tell(full, "it does not belong there")
			continue
		}
		if err := w.entry(fd, n, e); err != nil {
			return err
		}
		delete(w.want, full)
	}
	return nil
}

func (w *treeWalk) entry(dir int, base string, e *repo.Entry) error {
	if e.Type == repo.Link {
		buf := make([]byte, len(e.Target)+1)
		n, err := unix.Readlinkat(dir, base, buf)
		if err != nil || string(buf[:n]) != e.Target {
			w.tell(e.Path, "it is not the link it was")
		}
		return nil
	}
	flags := unix.O_RDONLY | unix.O_NONBLOCK
	if e.Type == repo.Dir {
		flags = unix.O_RDONLY | unix.O_DIRECTORY
	}
	fd, err := installed.Beneath(dir, base, flags)
	if err != nil {
		w.tell(e.Path, "it cannot be opened as what it was: %v", err)
		return nil
	}
	w.check(e.Path, fd, e)
	if e.Type == repo.Dir {
		return w.dir(fd, e.Path)
	}
	unix.Close(fd)
	return nil
}

// check looks at an open file or directory.
func (w *treeWalk) check(p string, fd int, e *repo.Entry) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		w.tell(p, "%v", err)
		return
	}
	kind, want := uint32(unix.S_IFREG), mode(e.Exec)
	if e.Type == repo.Dir {
		kind, want = unix.S_IFDIR, 0o755
	}
	switch {
	case st.Mode&unix.S_IFMT != kind:
		w.tell(p, "it is something else now")
		return
	case st.Mode&0o7777 != want:
		w.tell(p, "its mode is %#o, not %#o", st.Mode&0o7777, want)
	case int(st.Uid) != os.Geteuid() && st.Uid != 0:
		w.tell(p, "it belongs to uid %d", st.Uid)
	}
	if name := attribute(fd); name != "" {
		w.tell(p, "it has the extended attribute %q", name)
	}
	if e.Type != repo.File {
		return
	}
	if st.Size != e.Size {
		w.tell(p, "it has %d bytes, not %d", st.Size, e.Size)
		return
	}
	if e.Size > 0 {
		d := w.at
		d.Path, d.Object = p, e.Object
		w.v.claim(path.Join(w.name, p), &st, e.Object, e.Size, d)
	}
}

// attribute is an extended attribute that a program could act upon, "" without.
// The labels of security modules are the machine's own.
func attribute(fd int) string {
	buf := make([]byte, 4096)
	n, err := unix.Flistxattr(fd, buf)
	if err != nil {
		return ""
	}
	for _, name := range strings.Split(string(buf[:n]), "\x00") {
		for _, bad := range [...]string{"user.", "trusted.", "system.posix_acl", "security.capability"} {
			if strings.HasPrefix(name, bad) {
				return name
			}
		}
	}
	return ""
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
