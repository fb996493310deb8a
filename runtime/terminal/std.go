package terminal

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Std says which of the caller's standard descriptors are a terminal.
type Std struct {
	FD      [3]int
	TTY     [3]bool
	Closed  [3]bool // not open at all: the app should find /dev/null there
	Any     bool    // at least one is a terminal, so the app gets a pty
	Control int     // the first descriptor that is the user's terminal, or -1
}

// ErrTwoTerminals is returned when the descriptors are different terminals: one
// pty cannot stand for both, and the app is never handed a terminal of the host.
var ErrTwoTerminals = errors.New("standard input, output and error are different terminals")

// Inspect looks at the descriptors that the app would inherit as 0, 1 and 2.
func Inspect(fds [3]int) (Std, error) {
	std := Std{FD: fds, Control: -1}
	var first uint64
	for i, fd := range fds {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			if err != unix.EBADF {
				return Std{}, fmt.Errorf("cannot inspect descriptor %d: %w", fd, err)
			}
			std.Closed[i] = true
			continue
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR || !isTerminal(fd) {
			continue
		}
		device := deviceOf(fd)
		if !std.Any {
			std.Any, std.Control, first = true, fd, device
		} else if device != first {
			return Std{}, hint.With(ErrTwoTerminals, "pass the other one through a program, as in 2> >(cat >/dev/pts/N)")
		}
		std.TTY[i] = true
	}
	return std, nil
}

// eager says whether the job has the terminal for itself. With input or output
// redirected, another member of the pipeline may be reading the keyboard.
func (s Std) eager() bool { return s.TTY[0] && s.TTY[1] }

// isTerminal holds for a terminal whose other end has gone too (EIO): passing
// such a descriptor on would hand the app a terminal of the host.
func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil || err == unix.EIO
}

// deviceOf is the terminal's device number, the same whether it was opened by
// its own name or as /dev/tty.
func deviceOf(fd int) uint64 {
	if n, err := unix.IoctlGetUint32(fd, unix.TIOCGDEV); err == nil {
		return uint64(n)
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Rdev
}
