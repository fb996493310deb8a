package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
	"sandbox/repo"
	"sandbox/repo/installed"
)

// Uninstall takes a ref away. Releases that instances run from stay until these
// have ended and GC comes by; busy says that there are some. Floors stay.
func (s *Store) Uninstall(l *Lock, r repo.Ref) (busy bool, err error) {
	if err := s.holds(l); err != nil {
		return false, err
	}
	rec, err := s.Current(r)
	if errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("cannot uninstall: %w", err)
	}
	// A record that cannot be read is a reason to uninstall, not one against it.
	if busy, err = s.uninstall(l, r); err != nil {
		return busy, explain(fmt.Errorf("cannot uninstall %s: %w", r, err), s.system)
	}
	return busy, s.note(Event{Action: "uninstall", Ref: r, From: rec.Release.N, FromVersion: rec.Release.Version})
}

func (s *Store) uninstall(l *Lock, r repo.Ref) (busy bool, err error) {
	// With this the app is gone; what follows only clears up.
	if err := s.remove(path.Join(refDir(r), installed.Current)); err != nil {
		return false, err
	}
	if err := s.syncDir(refDir(r)); err != nil {
		return false, err
	}
	// As a decision about what is no more would surprise whoever installs it again.
	err = s.changeState(l, r, func(f *stateFile) bool {
		change := f.state() != State{}
		f.Held, f.Pinned, f.Rejected = false, 0, 0
		return change
	})
	if err != nil {
		return false, err
	}
	list, err := s.deployed(r)
	if err != nil {
		return false, err
	}
	for _, d := range list {
		gone, err := s.undeploy(r, d)
		if err != nil {
			return busy, err
		}
		busy = busy || !gone
	}
	if !busy {
		s.tidy(r)
	}
	return busy, nil
}

// undeploy removes one release that is not current, unless an instance runs from
// it. Its lock is held until the name is gone: who comes for it then sees that.
func (s *Store) undeploy(r repo.Ref, d installed.Deployment) (gone bool, err error) {
	name := path.Join(refDir(r), d.String())
	fd, err := installed.Beneath(s.fd, name+installed.LockSuffix, unix.O_RDWR|unix.O_NONBLOCK)
	if err == nil {
		defer unix.Close(fd)
		if err := disk.TryExclusive(fd); errors.Is(err, disk.ErrLocked) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	} else if err != unix.ENOENT {
		return false, err
	}
	// Without a record it is nobody's.
	if err := s.remove(name + installed.RecordSuffix); err != nil {
		return false, err
	}
	if err := s.remove(name + installed.LockSuffix); err != nil {
		return false, err
	}
	return true, s.discard(name)
}

// Busy reports whether an instance runs from a release.
func (s *Store) Busy(rec Record) bool {
	fd, err := installed.Beneath(s.fd, place(rec.Release)+installed.LockSuffix, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return errors.Is(disk.TryExclusive(fd), disk.ErrLocked)
}

// tidy removes the directories of a ref that are empty.
func (s *Store) tidy(r repo.Ref) {
	for dir := refDir(r); path.Dir(path.Dir(dir)) != "."; dir = path.Dir(dir) {
		if s.step("remove %s", dir) != nil || s.root.Remove(dir) != nil {
			return
		}
	}
}
