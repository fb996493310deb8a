package store

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"sandbox/manifest"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// checkout makes the bundle directory of a tree under a name in tmp/. Every
// directory is opened by no link below the one that was just made, and one
// element at a time is made in it.
func (s *Store) checkout(t *repo.Tree, name string) error {
	if err := s.mkdir(name); err != nil {
		return err
	}
	top, err := installed.Beneath(s.fd, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(top)
	c := &checkout{s: s, top: top, at: top}
	defer c.leave()
	if err := c.manifest(t.TOML); err != nil {
		return err
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		if err := c.entry(e); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return c.times(t.Entries)
}

type checkout struct {
	s   *Store
	top int
	at  int    // the directory that is being filled
	dir string // its path
}

// enter opens the directory in which a path ends, if it is not open.
func (c *checkout) enter(dir string) error {
	if dir == "." {
		dir = ""
	}
	if dir == c.dir {
		return nil
	}
	c.leave()
	if dir == "" {
		return nil
	}
	fd, err := installed.Beneath(c.top, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	c.at, c.dir = fd, dir
	return nil
}

func (c *checkout) leave() {
	if c.at != c.top {
		unix.Close(c.at)
	}
	c.at, c.dir = c.top, ""
}

func (c *checkout) entry(e *repo.Entry) error {
	dir, base := path.Split(e.Path)
	if base == "" || base == "." || base == ".." {
		return errors.New("internal error: not a clean path")
	}
	if err := c.enter(path.Clean(dir)); err != nil {
		return err
	}
	switch e.Type {
	case repo.Dir:
		return c.mkdir(base)
	case repo.Link:
		if err := c.s.step("symlink %s", e.Path); err != nil {
			return err
		}
		if err := unix.Symlinkat(e.Target, c.at, base); err != nil {
			return os.NewSyscallError("symlink", err)
		}
		return c.settle(base)
	case repo.File:
		if e.Size == 0 {
			return c.write(base, nil, mode(e.Exec))
		}
		return c.content(e, base)
	}
	return errors.New("internal error: an entry of no type")
}

func (c *checkout) mkdir(base string) error {
	if err := c.s.step("mkdir %s/%s", c.dir, base); err != nil {
		return err
	}
	if err := unix.Mkdirat(c.at, base, 0o755); err != nil {
		return os.NewSyscallError("mkdir", err)
	}
	return os.NewSyscallError("chmod", unix.Fchmodat(c.at, base, 0o755, 0))
}

// content links an object, or copies it where it cannot be linked.
func (c *checkout) content(e *repo.Entry, base string) error {
	if err := c.s.step("file %s", e.Path); err != nil {
		return err
	}
	if !c.s.noLink {
		err := unix.Linkat(c.s.fd, objectName(e.Object, e.Exec), c.at, base, 0)
		if err == unix.ENOENT {
			if err := c.s.otherMode(e); err != nil {
				return err
			}
			err = unix.Linkat(c.s.fd, objectName(e.Object, e.Exec), c.at, base, 0)
		}
		switch err {
		case nil:
			return nil
		case unix.EMLINK: // this one has no link left
		case unix.EPERM, unix.EOPNOTSUPP, unix.EXDEV:
			c.s.noLink = true
		default:
			return os.NewSyscallError("link", err)
		}
	}
	return c.copy(e, base)
}

// otherMode makes an object from that of the other mode.
func (s *Store) otherMode(e *repo.Entry) error {
	f, err := s.openObject(e.Object)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.writeObject(e.Object, e.Size, e.Exec, f)
}

func (c *checkout) copy(e *repo.Entry, base string) error {
	from, err := c.s.openObject(e.Object)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := c.create(base)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := copyChecked(to, from, e.Object, e.Size); err != nil {
		return err
	}
	return settle(int(to.Fd()), mode(e.Exec))
}

func (c *checkout) create(base string) (*os.File, error) {
	fd, err := unix.Openat(c.at, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	return os.NewFile(uintptr(fd), base), nil
}

func (c *checkout) manifest(toml []byte) error { return c.write(manifest.FileName, toml, 0o644) }

func (c *checkout) write(base string, data []byte, mode uint32) error {
	if err := c.s.step("file %s/%s", c.dir, base); err != nil {
		return err
	}
	f, err := c.create(base)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return settle(int(f.Fd()), mode)
}

// settle gives a directory or a link the time of everything in a bundle.
func (c *checkout) settle(base string) error {
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(c.at, base, fixedTimes(), unix.AT_SYMLINK_NOFOLLOW))
}

// times settles the directories, the deepest first, when nothing more is made in
// them.
func (c *checkout) times(entries []repo.Entry) error {
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		if e.Type != repo.Dir {
			continue
		}
		if err := c.enter(path.Dir(e.Path)); err != nil {
			return err
		}
		if err := c.settle(path.Base(e.Path)); err != nil {
			return err
		}
	}
	c.leave()
	return c.settle(".")
}
