package terminal

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls on our own non-blocking descriptors return at once, so the Go scheduler
// need not hear of them: announcing each chunk's two calls costs as much as a
// third of the whole relay.

func readNow(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return result(n, errno)
}

func writeNow(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return result(n, errno)
}

// pollShort waits, unannounced, for no longer than the scheduler can spare one
// of its processors: a millisecond.
func pollShort(fds []unix.PollFd) (int, error) {
	short := unix.Timespec{Nsec: 1e6}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(&short)), 0, 0, 0)
	return result(n, errno)
}

// result keeps the common errors from being allocated.
func result(n uintptr, errno unix.Errno) (int, error) {
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN:
		return 0, errAgain
	case unix.EINTR:
		return 0, errInterrupted
	}
	return 0, errno
}

var (
	errAgain       error = unix.EAGAIN
	errInterrupted error = unix.EINTR
)
