package store

import (
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/installed"
)

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
