package e2e

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sandbox/internal/testenv"
)

// Pty is a command on a terminal of its own, as a terminal emulator sees it.
type Pty struct {
	Master  *os.File
	Slave   *os.File // kept open, so that its queue can be looked at afterwards
	Process *exec.Cmd
	home    *Home
	out     lockedBuffer
	seen    int
	done    chan struct{}
}

// Pty starts `sandbox ARGS…` on a terminal of 80 columns and 24 rows.
func (h *Home) Pty(args ...string) *Pty {
	h.t.Helper()
	return h.OnPty(Cmd{Args: args})
}

// OnPty starts a command on a terminal; its standard streams are the terminal
// except those that the command names.
func (h *Home) OnPty(c Cmd) *Pty {
	h.t.Helper()
	master, slave, err := OpenPty()
	if err != nil {
		h.t.Fatal(err)
	}
	p := &Pty{Master: master, Slave: slave, home: h, done: make(chan struct{})}
	p.Resize(80, 24)
	for _, f := range []**os.File{&c.Stdin, &c.Stdout, &c.Stderr} {
		if *f == nil {
			*f = slave
		}
	}
	p.Process = exec.Command(h.program(c), c.Args...)
	h.prepare(p.Process, c)
	attr := p.Process.SysProcAttr
	attr.Setsid, attr.Setctty, attr.Ctty = true, true, ttyOf(c, slave)
	if err := p.Process.Start(); err != nil {
		h.t.Fatal(err)
	}
	go p.read()
	h.t.Cleanup(func() {
		if p.Process.ProcessState == nil {
			p.Process.Process.Kill()
			p.Process.Wait()
		}
		slave.Close()
		master.Close()
	})
	return p
}

// ttyOf is which of the child's descriptors is the terminal.
func ttyOf(c Cmd, slave *os.File) int {
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if f == slave {
			return i
		}
	}
	return 0
}

// OpenPty opens both ends of a new terminal.
func OpenPty() (master, slave *os.File, err error) {
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		unix.Close(m)
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		unix.Close(m)
		return nil, nil, err
	}
	s, err := unix.Open("/dev/pts/"+strconv.Itoa(number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(m)
		return nil, nil, err
	}
	return os.NewFile(uintptr(m), "ptmx"), os.NewFile(uintptr(s), "pts"), nil
}

func (p *Pty) read() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.Master.Read(buf)
		p.out.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

// Output is everything the terminal was sent.
func (p *Pty) Output() string { return strings.ReplaceAll(p.out.String(), endMark, "") }

// endMark is nothing that a command writes or that a terminal changes.
const endMark = "\x00\x16end of output\x16\x00"

// settle waits until everything that the command wrote has been read here: what
// a terminal is sent passes through the kernel and through read, and the command
// may be gone before it arrives. A mark sent after it arrives after it.
func (p *Pty) settle() {
	go p.Slave.WriteString(endMark) // may never return when the terminal was stopped
	end := time.Now().Add(testenv.Patience(10 * time.Second))
	for !strings.Contains(p.out.String(), endMark) && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
}

// Expect waits for text in what the terminal was sent since the last call that
// found something.
func (p *Pty) Expect(text string, timeout time.Duration) {
	p.home.t.Helper()
	found := func() bool {
		out := p.Output()[p.seen:]
		i := strings.Index(out, text)
		if i >= 0 {
			p.seen += i + len(text)
		}
		return i >= 0
	}
	if !Within(timeout, found) {
		p.home.t.Fatalf("the terminal did not show %q but %q", text, p.Output()[p.seen:])
	}
}

// Type sends keys.
func (p *Pty) Type(keys string) {
	p.home.t.Helper()
	if _, err := p.Master.WriteString(keys); err != nil {
		p.home.t.Fatal(err)
	}
}

// Resize changes the window, which sends SIGWINCH.
func (p *Pty) Resize(columns, rows uint16) {
	p.home.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.Slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		p.home.t.Fatal(err)
	}
}

// Queued is how many bytes wait to be read by whoever reads the terminal next.
func (p *Pty) Queued() int {
	n, _ := unix.IoctlGetInt(int(p.Slave.Fd()), unix.TIOCINQ)
	return n
}

// Termios are the terminal's settings now.
func (p *Pty) Termios() unix.Termios {
	p.home.t.Helper()
	tio, err := unix.IoctlGetTermios(int(p.Slave.Fd()), unix.TCGETS)
	if err != nil {
		p.home.t.Fatal(err)
	}
	return *tio
}

// Wait waits for the end and returns the exit status as a shell would. What the
// command wrote is in Output then.
func (p *Pty) Wait(timeout time.Duration) int {
	p.home.t.Helper()
	ended := make(chan struct{})
	go func() { p.Process.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(testenv.Patience(timeout)):
		p.Process.Process.Kill()
		<-ended
		p.home.t.Fatalf("the command on the terminal did not end; it shows %q", p.Output())
	}
	p.settle()
	ws := p.Process.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
