package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else holds a lock that excludes ours.
var ErrLocked = errors.New("somebody else holds the lock")

// ErrNoLocks says that the file system knows no locks (some network ones).
var ErrNoLocks = errors.New("the file system knows no locks")

// TryShared and TryExclusive lock an open file as a whole, or return ErrLocked
// at once. A lock belongs to the open file: it goes with the last descriptor of
// it, however the program ends.
//
// They are open file description locks (fcntl(2)), not those of flock(2): there
// an exclusive lock needs a file that is open for writing, so that whoever may
// only read a file cannot keep its owner out of it for ever.
func TryShared(fd int) error { return lock(fd, unix.F_RDLCK, unix.F_OFD_SETLK, whole) }

// TryExclusive is described with TryShared.
func TryExclusive(fd int) error { return lock(fd, unix.F_WRLCK, unix.F_OFD_SETLK, whole) }

// WaitShared waits until nobody holds the file exclusively.
func WaitShared(fd int) error { return lock(fd, unix.F_RDLCK, unix.F_OFD_SETLKW, whole) }

// Unlock gives up the lock before the file is closed.
func Unlock(fd int) error { return lock(fd, unix.F_UNLCK, unix.F_OFD_SETLK, whole) }

// HomeLock is the file beside an app's home by which its instances and those who
// copy or replace the home keep out of each other's way. Its first byte is a gate:
// an instance locks the file as a whole, shared, and then gives up the gate. Who
// closes the gate knows that no further instance begins, and can then lock the
// rest, if none runs, or hold still those that do.
const HomeLock = "lock"

// PassGate gives up the first byte of a file that is locked as a whole.
func PassGate(fd int) error { return lock(fd, unix.F_UNLCK, unix.F_OFD_SETLK, gate) }

// CloseGate waits for those who are passing it, and lets nobody else pass.
func CloseGate(fd int) error { return lock(fd, unix.F_WRLCK, unix.F_OFD_SETLKW, gate) }

// TryBehind locks what is behind the gate, exclusively.
func TryBehind(fd int) error { return lock(fd, unix.F_WRLCK, unix.F_OFD_SETLK, behind) }

// span is a range of bytes; a length of 0 reaches beyond any end.
type span struct{ start, length int64 }

var whole, gate, behind = span{0, 0}, span{0, 1}, span{1, 0}

func lock(fd int, kind int16, cmd int, s span) error {
	for {
		err := unix.FcntlFlock(uintptr(fd), cmd, &unix.Flock_t{Type: kind, Start: s.start, Len: s.length})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN, unix.EACCES:
			return ErrLocked
		case unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS:
			return ErrNoLocks
		default:
			return os.NewSyscallError("fcntl", err)
		}
	}
}
