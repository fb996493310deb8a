package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

// Pty is the app's terminal. The relay keeps both ends open until Finish: with
// the slave open here, the master reports no end while the app merely has all
// its descriptors closed.
type Pty struct {
	Master, Slave *os.File
}

// Open makes a pty with the modes and the size of the user's terminal.
func Open(std Std) (*Pty, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		way := "mount devpts with ptmxmode=0666, or redirect input, output and error"
		if err == unix.ENOSPC || err == unix.EIO {
			way = "too many terminals are open: close some, or raise /proc/sys/kernel/pty/max"
		}
		return nil, hint.With(fmt.Errorf("cannot open a terminal for the app: open /dev/ptmx: %w", err), "%s", way)
	}
	return Adopt(os.NewFile(uintptr(fd), "/dev/ptmx"), std)
}

// Adopt is Open for a master that was opened elsewhere, as in the sandbox's own
// devpts. It owns the master: an error closes it.
func Adopt(master *os.File, std Std) (*Pty, error) {
	fd := int(master.Fd())
	slave, err := openSlave(fd)
	if err != nil {
		master.Close()
		return nil, fmt.Errorf("cannot open a terminal for the app: %w", err)
	}
	p := &Pty{Master: master, Slave: slave}
	if std.Control >= 0 {
		copySettings(fd, std.Control)
	}
	// Only now: os.NewFile puts a descriptor that is non-blocking already under
	// the runtime's poller, which would wake for every chunk.
	if err := unix.SetNonblock(fd, true); err != nil {
		p.Close()
		return nil, fmt.Errorf("cannot open a terminal for the app: %w", err)
	}
	return p, nil
}

// Close closes both ends. The kernel hangs up whoever still has the slave.
func (p *Pty) Close() error {
	p.Slave.Close()
	return p.Master.Close()
}

// openSlave opens the other end by TIOCGPTPEER, so that no path is resolved in
// a /dev/pts that may belong to another devpts; kernels before 4.13 lack it.
func openSlave(master int) (*os.File, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("unlock pty: %w", err)
	}
	n, err := unix.IoctlGetUint32(master, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("number of pty: %w", err)
	}
	name := fmt.Sprintf("/dev/pts/%d", n)
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, flags)
	if errno == 0 {
		return os.NewFile(fd, name), nil
	}
	if errno != unix.EINVAL && errno != unix.ENOTTY {
		return nil, fmt.Errorf("open slave of pty: %w", errno)
	}
	slave, err := unix.Open(name, flags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open slave of pty: %w", err)
	}
	return os.NewFile(uintptr(slave), name), nil
}

// copySettings makes the pty like the user's terminal. A terminal that is just
// going away has nothing to copy; the relay notices that by itself.
func copySettings(master, user int) {
	if t, err := unix.IoctlGetTermios(user, unix.TCGETS); err == nil {
		if !inForeground(user) {
			t = cooked(*t)
		}
		unix.IoctlSetTermios(master, unix.TCSETS, t)
	}
	size, err := unix.IoctlGetWinsize(user, unix.TIOCGWINSZ)
	if err != nil {
		size = &unix.Winsize{}
	}
	fit := fitSize(*size, unix.Winsize{})
	unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &fit)
}

// cooked is t as a shell hands a terminal to a job. In the background the modes
// that we see are those in which the shell edits its next line.
func cooked(t unix.Termios) *unix.Termios {
	t.Iflag &^= unix.INLCR | unix.IGNCR
	t.Iflag |= unix.BRKINT | unix.ICRNL | unix.IXON
	t.Oflag |= unix.OPOST | unix.ONLCR
	t.Lflag |= unix.ISIG | unix.ICANON | unix.IEXTEN | unix.ECHO | unix.ECHOE | unix.ECHOK
	if t.Cc[unix.VLNEXT] == 0 {
		t.Cc[unix.VLNEXT] = 'V' & 0x1f
	}
	return &t
}

// fitSize replaces a size of zero, which serial lines and minimised windows
// report and on which programs divide or allocate nothing: first by the size
// before, then by 24 lines of 80 columns as terminfo assumes.
func fitSize(size, before unix.Winsize) unix.Winsize {
	if size.Row == 0 {
		size.Row = before.Row
	}
	if size.Col == 0 {
		size.Col = before.Col
	}
	if size.Row == 0 {
		size.Row = 24
	}
	if size.Col == 0 {
		size.Col = 80
	}
	return size
}
