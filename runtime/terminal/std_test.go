package terminal

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sandbox/internal/hint"
)

func newPty(t testing.TB) *Pty {
	t.Helper()
	pty, err := Open(Std{Control: -1})
	if err != nil {
		t.Skip("needs a pty: ", err)
	}
	t.Cleanup(func() { pty.Close() })
	return pty
}

func TestInspect(t *testing.T) {
	tty, other := int(newPty(t).Slave.Fd()), int(newPty(t).Slave.Fd())
	again, err := unix.Dup(tty)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(again)
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	gone := newPty(t)
	gone.Master.Close()
	const closed = 1 << 20
	for name, c := range map[string]struct {
		fds    [3]int
		tty    [3]bool
		closed [3]bool
	}{
		"all a terminal":           {fds: [3]int{tty, tty, again}, tty: [3]bool{true, true, true}},
		"output is a pipe":         {fds: [3]int{tty, int(w.Fd()), tty}, tty: [3]bool{true, false, true}},
		"no terminal":              {fds: [3]int{int(null.Fd()), int(w.Fd()), int(w.Fd())}},
		"input closed":             {fds: [3]int{closed, tty, tty}, tty: [3]bool{false, true, true}, closed: [3]bool{true, false, false}},
		"all closed":               {fds: [3]int{closed, closed + 1, closed + 2}, closed: [3]bool{true, true, true}},
		"terminal that is gone":    {fds: [3]int{int(gone.Slave.Fd()), int(w.Fd()), int(w.Fd())}, tty: [3]bool{true, false, false}},
		"only error is a terminal": {fds: [3]int{int(r.Fd()), int(w.Fd()), tty}, tty: [3]bool{false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			std, err := Inspect(c.fds)
			if err != nil {
				t.Fatal(err)
			}
			if std.TTY != c.tty || std.Closed != c.closed || std.Any != (c.tty != [3]bool{}) {
				t.Errorf("got %+v", std)
			}
			if std.Any != (std.Control >= 0) {
				t.Errorf("control is %d", std.Control)
			}
		})
	}
	if _, err := Inspect([3]int{tty, tty, other}); !errors.Is(err, ErrTwoTerminals) || hint.Of(err) == "" {
		t.Errorf("two terminals: %v", err)
	}
}

func TestPtyIsLikeTheUsersTerminal(t *testing.T) {
	user := newPty(t)
	fd := int(user.Slave.Fd())
	modes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	modes.Cc[unix.VINTR] = 'x' - '@'
	modes.Lflag &^= unix.ECHO
	unix.IoctlSetTermios(fd, unix.TCSETS, modes)
	unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 7, Col: 11})
	std, err := Inspect([3]int{fd, fd, fd})
	if err != nil {
		t.Fatal(err)
	}
	pty, err := Open(std)
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	got, err := unix.IoctlGetTermios(int(pty.Slave.Fd()), unix.TCGETS)
	if err != nil || got.Cc != modes.Cc || got.Lflag != modes.Lflag {
		t.Errorf("modes differ: %+v %v", got, err)
	}
	size, err := unix.IoctlGetWinsize(int(pty.Slave.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row != 7 || size.Col != 11 {
		t.Errorf("size is %+v, %v", size, err)
	}
	for _, f := range []*os.File{pty.Master, pty.Slave} {
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s would be inherited", f.Name())
		}
	}
}

func FuzzFitSize(f *testing.F) {
	f.Add(uint16(0), uint16(0), uint16(0), uint16(0))
	f.Add(uint16(0), uint16(80), uint16(50), uint16(132))
	f.Fuzz(func(t *testing.T, row, col, row0, col0 uint16) {
		got := fitSize(unix.Winsize{Row: row, Col: col}, unix.Winsize{Row: row0, Col: col0})
		if got.Row == 0 || got.Col == 0 || row != 0 && got.Row != row || col != 0 && got.Col != col {
			t.Errorf("%dx%d after %dx%d becomes %dx%d", row, col, row0, col0, got.Row, got.Col)
		}
	})
}
