package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
	"sandbox/manifest"
)

// A staging is the directory beside the result in which a build grows. While
// it is locked its build is alive; what an earlier, killed build left is
// removed by the next one.
type staging struct {
	dir, out string
	lock     *os.File
}

func stagingPrefix(out string) string { return "." + filepath.Base(out) + ".build-" }

// isStaging tells whether p is a staging directory of the build at out; both
// are relative to one directory.
func isStaging(p, out string) bool {
	return out != "" && path.Dir(p) == path.Dir(out) && strings.HasPrefix(path.Base(p), stagingPrefix(out))
}

func newStaging(out string) (*staging, error) {
	parent := filepath.Dir(out)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	removeStale(parent, stagingPrefix(out))
	dir, err := os.MkdirTemp(parent, stagingPrefix(out)+"*")
	if err != nil {
		return nil, err
	}
	s := &staging{dir: dir, out: out}
	if s.lock, err = os.Open(dir); err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

func removeStale(parent, prefix string) {
	old, _ := filepath.Glob(filepath.Join(parent, "*"))
	hidden, _ := filepath.Glob(filepath.Join(parent, ".*"))
	for _, dir := range append(old, hidden...) {
		if !strings.HasPrefix(filepath.Base(dir), prefix) {
			continue
		}
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		unix.Close(fd)
	}
}

// discard removes what is in the staging directory: an unfinished build, or
// after commit the build that was replaced.
func (s *staging) discard() {
	os.RemoveAll(s.dir)
	if s.lock != nil {
		s.lock.Close()
	}
}

// commit makes the content durable and gives it its name in one step.
func (s *staging) commit() error {
	fd, err := unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = unix.Syncfs(fd)
	unix.Close(fd)
	if err != nil {
		return err
	}
	if err := checkOut(s.out); err != nil {
		return err
	}
	if err := s.swap(); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(s.out))
}

// swap puts the new tree at out and, if there was an old one, that in the
// place of the new one.
func (s *staging) swap() error {
	if _, err := os.Lstat(s.out); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(s.dir, s.out)
	}
	err := unix.Renameat2(unix.AT_FDCWD, s.dir, unix.AT_FDCWD, s.out, unix.RENAME_EXCHANGE)
	if err != unix.EINVAL && err != unix.ENOSYS {
		return err
	}
	return s.swapInSteps()
}

// swapInSteps is for file systems that cannot exchange names (NFS, 9p): for a
// moment there is none at out, and what fails is undone.
func (s *staging) swapInSteps() error {
	aside := s.dir + "-old"
	if err := os.Rename(s.out, aside); err != nil {
		return err
	}
	if err := os.Rename(s.dir, s.out); err != nil {
		return errors.Join(err, os.Rename(aside, s.out))
	}
	return os.Rename(aside, s.dir)
}

// checkOut refuses to replace anything but a bundle.
func checkOut(out string) error {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, e := range entries {
		has[e.Name()] = true
		isDir := e.Name() == "files" || e.Name() == "usr"
		if (!isDir && e.Name() != manifest.FileName) || isDir != e.IsDir() {
			return hint.With(fmt.Errorf("%q is there and is no bundle: it holds %q", out, e.Name()), "choose another place, or remove it")
		}
	}
	if len(entries) > 0 && !(has[manifest.FileName] && has["files"]) {
		return hint.With(fmt.Errorf("%q is there and is no bundle", out), "choose another place, or remove it")
	}
	if st, err := os.Lstat(out); err != nil || !st.IsDir() {
		return hint.With(fmt.Errorf("%q is there and is no directory", out), "choose another place, or remove it")
	}
	return nil
}
