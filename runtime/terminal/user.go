package terminal

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// user is the terminal of the caller: where the keyboard is read, the output
// goes, and modes and size are kept.
type user struct {
	in, out int // -1: cannot be read, or written
	control int
	owned   bool // opened by us, and non-blocking

	mu    sync.Mutex
	taken bool
	saved unix.Termios // as found when it was taken
	raw   unix.Termios // as the kernel keeps what we set
}

// openUser opens the terminal once more, because O_NONBLOCK on the descriptors
// we were given would reach the shell that shares them. Where that is refused
// (another user's terminal that does not control us) they serve as they are.
func openUser(std Std) (*user, error) {
	device := deviceOf(std.Control)
	for _, name := range []string{"/dev/tty", fmt.Sprintf("/proc/self/fd/%d", std.Control)} {
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if isTerminal(fd) && deviceOf(fd) == device {
			return &user{in: fd, out: fd, control: fd, owned: true}, nil
		}
		unix.Close(fd)
	}
	u := &user{in: -1, out: -1, control: std.Control}
	for _, i := range []int{0, 2, 1} {
		if std.TTY[i] && u.in < 0 && opened(std.FD[i], unix.O_RDONLY) {
			u.in = std.FD[i]
		}
	}
	for _, i := range []int{1, 2, 0} {
		if std.TTY[i] && u.out < 0 && opened(std.FD[i], unix.O_WRONLY) {
			u.out = std.FD[i]
		}
	}
	if u.in < 0 && u.out < 0 {
		return nil, fmt.Errorf("cannot use the terminal: descriptor %d neither reads nor writes", std.Control)
	}
	return u, nil
}

// opened says whether fd was opened for the given direction.
func opened(fd, direction int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	mode := flags & unix.O_ACCMODE
	return err == nil && (mode == unix.O_RDWR || mode == direction)
}

// close leaves descriptors alone that belong to the caller.
func (u *user) close() {
	if u.owned {
		unix.Close(u.control)
	}
}

// write may block on a descriptor that is not our own.
func (u *user) write(p []byte) (int, error) {
	if u.owned {
		return writeNow(u.out, p)
	}
	return unix.Write(u.out, p)
}

// foreground says whether the terminal is ours to change.
func (u *user) foreground() bool { return inForeground(u.control) }

// inForeground says whether our process group is the terminal's foreground
// group. A terminal that does not control us has no job control for us (ENOTTY).
func inForeground(terminal int) bool {
	group, err := unix.IoctlGetInt(terminal, unix.TIOCGPGRP)
	if err != nil {
		return err == unix.ENOTTY
	}
	return group == unix.Getpgrp()
}

// take sets raw mode. What was typed ahead stays for the app to read.
func (u *user) take() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.taken {
		return nil
	}
	saved, err := unix.IoctlGetTermios(u.control, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("cannot read terminal modes: %w", err)
	}
	u.saved = *saved
	raw := rawModes(*saved)
	if err := unix.IoctlSetTermios(u.control, unix.TCSETS, &raw); err != nil {
		return fmt.Errorf("cannot set terminal modes: %w", err)
	}
	u.taken, u.raw = true, raw
	if kept, err := unix.IoctlGetTermios(u.control, unix.TCGETS); err == nil {
		u.raw = *kept
	}
	return nil
}

// restore gives the terminal back, without waiting for output, which a stalled
// terminal would never take. With discard it throws away what is left of input:
// answers to the app's queries must not become the shell's commands.
//
// Modes that somebody else has set since are theirs, and in the background even
// ours are: the shell has set its own by then.
func (u *user) restore(discard bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.taken {
		return nil
	}
	u.taken = false
	if !u.foreground() {
		return nil
	}
	if discard {
		unix.IoctlSetInt(u.control, unix.TCFLSH, unix.TCIFLUSH)
	}
	now, err := unix.IoctlGetTermios(u.control, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("cannot read terminal modes: %w", err)
	}
	if *now != u.raw {
		return nil
	}
	if err := unix.IoctlSetTermios(u.control, unix.TCSETS, &u.saved); err != nil {
		return fmt.Errorf("cannot restore terminal modes: %w", err)
	}
	if discard {
		unix.IoctlSetInt(u.control, unix.TCFLSH, unix.TCIFLUSH)
	}
	return nil
}

// again sets raw mode once more, if the shell has changed the modes while we
// were stopped.
func (u *user) again() {
	u.mu.Lock()
	defer u.mu.Unlock()
	now, err := unix.IoctlGetTermios(u.control, unix.TCGETS)
	if !u.taken || err != nil || *now == u.raw {
		return
	}
	u.saved = *now
	unix.IoctlSetTermios(u.control, unix.TCSETS, &u.raw)
}

// lose forgets that the terminal was taken, when the shell has it again.
func (u *user) lose() {
	u.mu.Lock()
	u.taken = false
	u.mu.Unlock()
}

// rawModes passes every byte both ways. The line's parameters (c_cflag) stay:
// on a serial line they belong to the cable.
func rawModes(t unix.Termios) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.IGNPAR | unix.PARMRK | unix.INPCK | unix.ISTRIP |
		unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IUCLC | unix.IXON | unix.IXANY | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

// postprocesses says whether the terminal turns a line feed into a new line.
func (u *user) postprocesses() bool {
	t, err := unix.IoctlGetTermios(u.control, unix.TCGETS)
	return err == nil && t.Oflag&unix.OPOST != 0
}
