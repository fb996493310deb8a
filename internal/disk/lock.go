package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else holds a lock that excludes ours.
var ErrLocked = errors.New("somebody else holds the lock")

// HomeLock is the file beside an app's home that its instances hold shared, and
// whoever copies or replaces the home exclusively.
const HomeLock = "lock"

// TryShared and TryExclusive lock an open file as a whole, or return ErrLocked
// at once. A lock belongs to the open file: it goes with the last descriptor of
// it, however the program ends.
//
// They are open file description locks (fcntl(2)), not those of flock(2): there
// an exclusive lock needs a file that is open for writing, so that whoever may
// only read a file cannot keep its owner out of it for ever.
func TryShared(fd int) error { return lock(fd, unix.F_RDLCK, unix.F_OFD_SETLK) }

// TryExclusive is described with TryShared.
func TryExclusive(fd int) error { return lock(fd, unix.F_WRLCK, unix.F_OFD_SETLK) }

// WaitShared waits until nobody holds the file exclusively.
func WaitShared(fd int) error { return lock(fd, unix.F_RDLCK, unix.F_OFD_SETLKW) }

// Unlock gives up the lock before the file is closed.
func Unlock(fd int) error { return lock(fd, unix.F_UNLCK, unix.F_OFD_SETLK) }

func lock(fd int, kind int16, cmd int) error {
	for {
		err := unix.FcntlFlock(uintptr(fd), cmd, &unix.Flock_t{Type: kind})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN, unix.EACCES:
			return ErrLocked
		default:
			return os.NewSyscallError("fcntl", err)
		}
	}
}
