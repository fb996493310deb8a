package installed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/disk"
)

// Bundle is an installed release. As long as it is held, its files stay where
// they are, whatever is installed, updated or removed meanwhile.
type Bundle struct {
	Ref        Ref
	Deployment Deployment
	Dir        string // absolute, without links
	Command    string // the app's command that was asked for by its exported name
	System     bool   // from the store of the machine

	lock int
}

// Release lets go. A launch never does: the lock ends with the supervisor, and
// so with the instance. The descriptor is closed on exec, and in the app's own
// process with all others that are not the app's.
func (b *Bundle) Release() {
	if b.lock >= 0 {
		unix.Close(b.lock)
		b.lock = -1
	}
}

// Inherit makes whatever this program becomes by exec hold the bundle as well. It
// is not to be released any more.
func (b *Bundle) Inherit() error {
	// Above the numbers that an exec gives to others.
	_, err := unix.FcntlInt(uintptr(b.lock), unix.F_DUPFD, 100)
	return os.NewSyscallError("fcntl", err)
}

// Hold takes the current release of a ref from one store; fs.ErrNotExist when it
// has none.
func Hold(p Place, r Ref) (*Bundle, error) {
	s, err := open(p)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fs.ErrNotExist
	}
	defer s.close()
	b, err := s.hold(r)
	if err == nil && b == nil {
		err = fs.ErrNotExist
	}
	return b, err
}

// To remove a release takes its lock, and then its name: both take a moment.
const (
	patience = 2 * time.Second        // for a lock that somebody holds
	blink    = 100 * time.Millisecond // for a name that is not there
)

// hold takes the current release of a ref; nil when there is none. Between the
// look at `current` and the lock, an update may flip it and a gc remove what it
// named: then it is looked at again.
func (s *opened) hold(r Ref) (*Bundle, error) {
	dir, err := s.dir(r.Dir(), unix.O_PATH)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	for start := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		b, err := s.try(r, dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case err == nil:
			return b, nil
		case errors.Is(err, disk.ErrLocked) && time.Since(start) < patience, errors.Is(err, errMoved) && time.Since(start) < blink:
			// once more
		default:
			return nil, damaged(r, err)
		}
	}
}

var errMoved = errors.New("its files are not there")

// try is fs.ErrNotExist when nothing is current, and errMoved when what was is
// gone already.
func (s *opened) try(r Ref, dir int) (*Bundle, error) {
	d, err := CurrentIn(dir)
	if err != nil {
		return nil, err
	}
	name := d.String()
	lock, err := unix.Openat(dir, name+LockSuffix, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil, errMoved
	}
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	b := &Bundle{Ref: r, Deployment: d, Dir: filepath.Join(s.real, r.Dir(), name), System: s.System, lock: lock}
	if err := b.check(dir, name); err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

// check takes the lock, and only then looks whether all is still there.
func (b *Bundle) check(dir int, name string) error {
	if err := disk.TryShared(b.lock); err != nil && !errors.Is(err, disk.ErrNoLocks) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(b.lock, &st); err != nil || st.Nlink == 0 {
		return errMoved
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("its lock is no file")
	}
	tree, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return errMoved
	}
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(tree)
	return trusted(tree, b.Dir)
}

// CurrentIn is what the link of that name in a ref's directory says;
// fs.ErrNotExist when there is none.
func CurrentIn(dir int) (Deployment, error) {
	var buf [64]byte
	n, err := unix.Readlinkat(dir, Current, buf[:])
	if err != nil {
		return Deployment{}, os.NewSyscallError("readlink", err)
	}
	return ParseDeployment(string(buf[:n]))
}
