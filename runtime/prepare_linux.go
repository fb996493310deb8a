package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/internal/hint"
)

// makeOnHost creates what the view stands on: the app's own home, and what
// grants ask for. Everything else of the host stays as it is.
func (s *supervisor) makeOnHost() error {
	own := AppHome(s.opt.Host, s.plan.App) // asks the file system: once
	for i := range s.plan.View {
		if step := &s.plan.View[i]; step.Do == Bind && step.Source == own {
			if err := makeHome(own, s.plan.Outside, s.opt.Host); err != nil {
				return diskError(err)
			}
			if err := s.holdHome(own); err != nil {
				return diskError(err)
			}
		}
	}
	for _, m := range s.plan.Make {
		if err := makeMissing(m); err != nil {
			return diskError(err)
		}
	}
	return nil
}

func diskError(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return hint.With(err, "free some space and try again; nothing was left half-made")
	}
	return err
}

// makeHome makes an app's home with mode 0700 and its owner, below directories
// that only the caller can enter. The last component is not followed when the
// view opens it, so a link there fails the launch.
func makeHome(own string, owner Owner, host *Host) error {
	if err := disk.PrivateDir(path.Dir(own)); err != nil {
		return fmt.Errorf("cannot make the app's home: %w", err)
	}
	err := os.Mkdir(own, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot make the app's home: %w", err)
	}
	if owner.UID == host.UID {
		return nil
	}
	if err := os.Lchown(own, owner.UID, owner.GID); err != nil {
		os.Remove(own)
		return fmt.Errorf("cannot give the app its home: %w", err)
	}
	return nil
}

// holdHome keeps others from taking a snapshot of the home, or putting an older
// one in its place, while the instance runs. The lock goes with this program.
// Where a disk cannot be written to, or knows no locks, nobody does either.
func (s *supervisor) holdHome(own string) error {
	name := path.Join(path.Dir(own), disk.HomeLock)
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err == unix.EROFS {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot lock the app's home: open %s: %w", name, err)
	}
	s.held = append(s.held, fd)
	err = disk.TryShared(fd)
	if errors.Is(err, disk.ErrLocked) {
		s.warn("waiting: a snapshot of the app's home is being taken or restored")
		err = disk.WaitShared(fd)
	}
	if err == nil {
		err = disk.PassGate(fd)
	}
	if err != nil && !errors.Is(err, disk.ErrNoLocks) {
		return fmt.Errorf("cannot lock the app's home: %w", err)
	}
	return nil
}

// makeMissing creates one path following no link, in a directory that exists.
func makeMissing(m Made) error {
	parent, name := path.Split(m.Path)
	dir, err := unix.Openat2(unix.AT_FDCWD, path.Clean(parent), &unix.OpenHow{Flags: pathFlags | unix.O_DIRECTORY, Resolve: noLinks})
	if err == unix.ENOSYS || err == unix.EPERM {
		dir, err = unix.Open(path.Clean(parent), pathFlags|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", m.Path, err)
	}
	defer unix.Close(dir)
	if !m.File {
		if err := unix.Mkdirat(dir, name, m.Mode); err != nil && err != unix.EEXIST {
			return fmt.Errorf("cannot make %s: %w", m.Path, err)
		}
		return nil
	}
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err == unix.EEXIST {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", m.Path, err)
	}
	f := os.NewFile(uintptr(fd), m.Path)
	defer f.Close()
	_, err = strings.NewReader(m.Content).WriteTo(f)
	if err == nil {
		err = f.Chmod(fs.FileMode(m.Mode))
	}
	if err != nil {
		unix.Unlinkat(dir, name, 0)
		return fmt.Errorf("cannot make %s: %w", m.Path, err)
	}
	return nil
}
