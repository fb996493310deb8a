package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"crypto/rand"

	"sandbox/internal/disk"
	"sandbox/repo/installed"
)

// Everything that changes a store goes through this file, object.go and
// checkout.go, and calls step first: so a test can stop it at each change.

func (s *Store) step(format string, args ...any) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(fmt.Sprintf(format, args...))
}

// temp is a name in tmp/ that nobody else has.
func temp(what string) string { return "tmp/" + what + "-" + rand.Text() }

// mkdir makes one directory with mode 0755, if it is not there.
func (s *Store) mkdir(name string) error {
	if err := s.step("mkdir %s", name); err != nil {
		return err
	}
	err := s.root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = s.root.Chmod(name, 0o755) // whatever the umask
	}
	return err
}

// mkdirs makes name and what is missing above it.
func (s *Store) mkdirs(name string) error {
	if _, err := s.root.Lstat(name); err == nil {
		return nil
	}
	if up := path.Dir(name); up != "." {
		if err := s.mkdirs(up); err != nil {
			return err
		}
	}
	return s.mkdir(name)
}

// writeFile replaces a file: all of data or what was there.
func (s *Store) writeFile(name string, data []byte) (err error) {
	if err := s.step("write %s", name); err != nil {
		return err
	}
	tmp := temp("file")
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			s.root.Remove(tmp)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = s.rename(tmp, name); err != nil {
		return err
	}
	return s.syncDir(path.Dir(name))
}

func (s *Store) rename(from, to string) error {
	if err := s.step("rename %s %s", from, to); err != nil {
		return err
	}
	return s.root.Rename(from, to)
}

// remove takes one name away; it need not be there.
func (s *Store) remove(name string) error {
	if err := s.step("remove %s", name); err != nil {
		return err
	}
	if err := s.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// discard removes a whole tree. Where that can be seen, it is first moved out of
// sight, so that no half of it is ever found.
func (s *Store) discard(name string) error {
	if path.Dir(name) != "tmp" {
		out := temp("gone")
		if err := s.rename(name, out); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		name = out
	}
	if err := s.step("remove all of %s", name); err != nil {
		return err
	}
	return s.root.RemoveAll(name)
}

// link replaces a symbolic link.
func (s *Store) link(target, name string) error {
	if err := s.step("link %s", name); err != nil {
		return err
	}
	tmp := temp("link")
	if err := s.root.Symlink(target, tmp); err != nil {
		return err
	}
	if err := s.rename(tmp, name); err != nil {
		s.root.Remove(tmp)
		return err
	}
	return s.syncDir(path.Dir(name))
}

// syncDir makes the names in a directory durable.
func (s *Store) syncDir(name string) error {
	if err := s.step("sync %s", name); err != nil {
		return err
	}
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// readAt reads a regular file of at most limit bytes below dir, by no link, and
// waits for no FIFO.
func readAt(dir int, name string, limit int64) ([]byte, error) {
	fd, err := installed.Beneath(dir, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	data, err := disk.ReadFD(fd, limit)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}
